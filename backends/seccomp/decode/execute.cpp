#include "backends/seccomp/decode/execute.hpp"

#include <array>
#include <unordered_map>

#include "backends/seccomp/format.hpp"

// Comes in: a program that the kernel's checker accepts. Goes out: a decision graph. A state is a place in the program
// with the symbolic values of A, X and the scratch words that are still read from there; two states alike are one, so a
// program whose paths meet again stays as small as it is. Programs only go forward: the graph is acyclic.
namespace agp::backends::seccomp {
namespace {

using Expr = model::FilterGraph::Expr;
using Node = model::FilterGraph::Node;
using Op = Expr::Op;
using Kind = Node::Kind;

constexpr unsigned slot_a = 16, slot_x = 17, slots = 18;  // scratch words are slots 0 to 15

struct State {
  std::uint32_t pc = 0;
  std::array<std::uint32_t, slots> value{};  // indices into exprs
  friend bool operator==(const State&, const State&) = default;
};
struct StateHash {
  std::size_t operator()(const State& s) const {
    std::uint64_t h = s.pc;
    for (const std::uint32_t v : s.value) h = (h ^ v) * 0x100000001b3ull + (h >> 31);
    return h;
  }
};
struct ExprHash {
  std::size_t operator()(const Expr& e) const {
    std::uint64_t h = static_cast<std::uint64_t>(e.op);
    for (const std::uint32_t v : {e.a, e.b, e.value}) h = (h ^ v) * 0x100000001b3ull + (h >> 31);
    return h;
  }
};

/// Which slots each instruction reads and writes.
struct Use {
  std::uint32_t reads = 0, writes = 0;
};
Use use_of(const CheckedInstruction& i) {
  const std::uint32_t a = 1u << slot_a, x = 1u << slot_x;
  const std::uint32_t m = i.k < 16 ? 1u << i.k : 0;
  switch (i.code) {
    case format::ld_abs:
    case format::ld_imm:
    case format::ld_len:
      return {0, a};
    case format::ldx_imm:
    case format::ldx_len:
      return {0, x};
    case format::ld_mem:
      return {m, a};
    case format::ldx_mem:
      return {m, x};
    case format::st:
      return {a, m};
    case format::stx:
      return {x, m};
    case format::tax:
      return {a, x};
    case format::txa:
      return {x, a};
    case format::ret_k:
    case format::ja:
      return {0, 0};
    case format::ret_a:
    case format::jeq_k:
    case format::jgt_k:
    case format::jge_k:
    case format::jset_k:
      return {a, 0};
    case format::jeq_x:
    case format::jgt_x:
    case format::jge_x:
    case format::jset_x:
      return {a | x, 0};
    case format::add_x:
    case format::sub_x:
    case format::mul_x:
    case format::div_x:
    case format::or_x:
    case format::and_x:
    case format::lsh_x:
    case format::rsh_x:
    case format::xor_x:
      return {a | x, a};
    default:
      return {a, a};  // arithmetic with a constant, neg
  }
}

class Executor {
 public:
  Executor(const CheckedProgram& program, std::size_t limit) : code_(program.instructions), limit_(limit) {
    liveness();
  }

  std::optional<model::FilterGraph> run() {
    State start;
    start.value.fill(constant(0));  // the kernel clears A and X; scratch words are written before they are read
    if (!solve(start)) return std::nullopt;
    graph_.root = nodes_.at(live(start));
    return std::move(graph_);
  }

 private:
  /// live_[pc]: the slots whose values can still matter at pc.
  void liveness() {
    live_.assign(code_.size(), 0);
    for (std::size_t pc = code_.size(); pc-- > 0;) {
      const CheckedInstruction& i = code_[pc];
      std::uint32_t after = 0;
      if (i.code == format::ja)
        after = live_[pc + 1 + i.k];
      else if (jump(i))
        after = live_[pc + 1 + i.jt] | live_[pc + 1 + i.jf];
      else if (i.code != format::ret_k && i.code != format::ret_a)
        after = live_[pc + 1];
      const Use u = use_of(i);
      live_[pc] = (after & ~u.writes) | u.reads;
    }
  }
  static bool jump(const CheckedInstruction& i) { return (i.code & 7) == 5 && i.code != format::ja; }

  State live(State s) {
    for (unsigned slot = 0; slot < slots; ++slot)
      if ((live_[s.pc] & 1u << slot) == 0) s.value[slot] = constant(0);
    return s;
  }

  std::uint32_t intern(const Expr& e) {
    const auto [it, fresh] = exprs_.try_emplace(e, static_cast<std::uint32_t>(graph_.exprs.size()));
    if (fresh) graph_.exprs.push_back(e);
    return it->second;
  }
  std::uint32_t constant(std::uint32_t v) { return intern({Op::Const, 0, 0, v}); }
  std::uint32_t load(std::uint32_t offset) { return intern({Op::Load, 0, 0, offset}); }
  const Expr& expr(std::uint32_t i) const { return graph_.exprs[i]; }
  bool is_constant(std::uint32_t i) const { return expr(i).op == Op::Const; }

  std::uint32_t arithmetic(Op op, std::uint32_t a, std::uint32_t b) {
    if (!is_constant(a) || !is_constant(b)) return intern({op, a, b, 0});
    const std::uint32_t x = expr(a).value, y = expr(b).value;
    switch (op) {
      case Op::Add:
        return constant(x + y);
      case Op::Sub:
        return constant(x - y);
      case Op::Mul:
        return constant(x * y);
      case Op::Div:
        return constant(y == 0 ? 0 : x / y);  // y is never 0 here: see divide()
      case Op::And:
        return constant(x & y);
      case Op::Or:
        return constant(x | y);
      case Op::Xor:
        return constant(x ^ y);
      case Op::Lsh:
        return constant(x << (y & 31));
      case Op::Rsh:
        return constant(x >> (y & 31));
      default:
        return constant(0);
    }
  }

  std::uint32_t add_node(Node n) {
    graph_.nodes.push_back(n);
    return static_cast<std::uint32_t>(graph_.nodes.size() - 1);
  }
  std::uint32_t leaf(std::uint32_t word, std::uint32_t place) { return add_node({Kind::Leaf, word, 0, 0, 0, place}); }

  /// How a state goes on: to a node that is known, to one other state, or to two by a test.
  struct Step {
    enum class Kind { Leaf, Test, Divide } kind = Kind::Leaf;
    std::uint32_t word = 0;                 // Leaf
    model::FilterGraph::Node::Kind test{};  // Test
    std::uint32_t lhs = 0, rhs = 0, place = 0;
    State yes, no;  // Divide: `no` goes on, the other side ends
  };

  /// Runs straight on from a state to the next test or return.
  Step advance(State s) {
    for (;;) {
      const CheckedInstruction& i = code_[s.pc];
      std::uint32_t &a = s.value[slot_a], &x = s.value[slot_x];
      const auto ret = [&](std::uint32_t word) { return Step{Step::Kind::Leaf, word, {}, 0, 0, s.pc, {}, {}}; };
      const auto jump_to = [&](std::uint32_t distance) { s.pc += 1 + distance; };
      switch (i.code) {
        case format::ret_k:
          return ret(constant(i.k));
        case format::ret_a:
          return ret(a);
        case format::ja:
          jump_to(i.k);
          continue;
        case format::ld_abs:
          a = load(i.k);
          break;
        case format::ld_imm:
          a = constant(i.k);
          break;
        case format::ld_len:
          a = constant(format::data_bytes);
          break;
        case format::ldx_imm:
          x = constant(i.k);
          break;
        case format::ldx_len:
          x = constant(format::data_bytes);
          break;
        case format::ld_mem:
          a = s.value[i.k];
          break;
        case format::ldx_mem:
          x = s.value[i.k];
          break;
        case format::st:
          s.value[i.k] = a;
          break;
        case format::stx:
          s.value[i.k] = x;
          break;
        case format::tax:
          x = a;
          break;
        case format::txa:
          a = x;
          break;
        case format::neg:
          a = is_constant(a) ? constant(0u - expr(a).value) : intern({Op::Neg, a, 0, 0});
          break;
        case format::div_x: {
          // A division by zero ends the program with 0, whether or not its result is used (net/core/filter.c,
          // bpf_convert_filter).
          if (is_constant(x) && expr(x).value == 0) return ret(constant(0));
          State next = s;
          next.value[slot_a] = arithmetic(Op::Div, a, x);
          ++next.pc;
          if (is_constant(x)) {
            s = next;
            continue;
          }
          return Step{Step::Kind::Divide, 0, Kind::Eq, x, constant(0), s.pc, {}, next};
        }
        default:
          if (jump(i)) {
            if (auto step = test(s, i)) return *step;
            continue;
          }
          a = arithmetic(operation(i.code), a, (i.code & 8) != 0 ? x : constant(i.k));
      }
      ++s.pc;
    }
  }

  /// A conditional jump; with constants (or both ways to one place) the state just moves on.
  std::optional<Step> test(State& s, const CheckedInstruction& i) {
    const std::uint32_t lhs = s.value[slot_a], rhs = (i.code & 8) != 0 ? s.value[slot_x] : constant(i.k);
    const auto base = static_cast<std::uint16_t>(i.code & ~8);
    const Kind kind = base == format::jeq_k   ? Kind::Eq
                      : base == format::jgt_k ? Kind::Gt
                      : base == format::jge_k ? Kind::Ge
                                              : Kind::Set;
    State yes = s, no = s;
    yes.pc += 1u + i.jt;
    no.pc += 1u + i.jf;
    if (is_constant(lhs) && is_constant(rhs)) {
      const std::uint32_t l = expr(lhs).value, r = expr(rhs).value;
      const bool holds = kind == Kind::Eq   ? l == r
                         : kind == Kind::Gt ? l > r
                         : kind == Kind::Ge ? l >= r
                                            : (l & r) != 0;
      s = holds ? yes : no;
      return std::nullopt;
    }
    if (i.jt == i.jf) {
      s = yes;
      return std::nullopt;
    }
    return Step{Step::Kind::Test, 0, kind, lhs, rhs, s.pc, yes, no};
  }

  static Op operation(std::uint16_t code) {
    switch (code & 0xf0) {
      case 0x00:
        return Op::Add;
      case 0x10:
        return Op::Sub;
      case 0x20:
        return Op::Mul;
      case 0x30:
        return Op::Div;
      case 0x40:
        return Op::Or;
      case 0x50:
        return Op::And;
      case 0x60:
        return Op::Lsh;
      case 0x70:
        return Op::Rsh;
      default:
        return Op::Xor;
    }
  }

  /// Depth first with an explicit stack; a node is made when those it leads to exist.
  bool solve(const State& root) {
    struct Frame {
      State key;
      Step step;
      int done = 0;
    };
    std::vector<Frame> stack;
    const auto enter = [&](const State& s) {
      State key = live(s);
      stack.push_back({key, advance(key), 0});
    };
    enter(root);
    while (!stack.empty()) {
      if (nodes_.size() > limit_ || graph_.exprs.size() > limit_) return false;
      Frame& f = stack.back();
      const State* next = nullptr;
      if (f.step.kind == Step::Kind::Test && f.done == 0)
        next = &f.step.yes;
      else if (f.step.kind != Step::Kind::Leaf && f.done <= 1)
        next = &f.step.no;
      if (next) {
        f.done = next == &f.step.yes ? 1 : 2;
        const State key = live(*next);
        if (nodes_.count(key) == 0) enter(key);  // invalidates f
        continue;
      }
      nodes_.emplace(f.key, finish(f.step));
      stack.pop_back();
    }
    return true;
  }

  std::uint32_t finish(const Step& s) {
    if (s.kind == Step::Kind::Leaf) return leaf(s.word, s.place);
    const std::uint32_t no = nodes_.at(live(s.no));
    const std::uint32_t yes = s.kind == Step::Kind::Test ? nodes_.at(live(s.yes)) : leaf(constant(0), s.place);
    return add_node({s.test, s.lhs, s.rhs, yes, no, s.place});
  }

  const std::vector<CheckedInstruction>& code_;
  std::size_t limit_;
  std::vector<std::uint32_t> live_;
  model::FilterGraph graph_;
  std::unordered_map<Expr, std::uint32_t, ExprHash> exprs_;
  std::unordered_map<State, std::uint32_t, StateHash> nodes_;
};

}  // namespace

std::optional<model::FilterGraph> execute(const CheckedProgram& program, std::size_t state_limit) {
  return Executor(program, state_limit).run();
}

}  // namespace agp::backends::seccomp
