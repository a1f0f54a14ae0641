#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "backends/seccomp/decode/profile.hpp"
#include "backends/seccomp/format.hpp"

// Comes in: rules as libseccomp gets them. Goes out: what its filter answers. For one call, a rule without conditions
// stands for all (db.c, db_rule_add: the first one added); rules with conditions are alternatives. Two that ask for
// different actions must exclude each other: which of them libseccomp would try first depends on its own ordering.
namespace agp::backends::seccomp {
namespace {

using Graph = model::FilterGraph;
using Kind = Graph::Node::Kind;
using Op = Graph::Expr::Op;

/// libseccomp 2.5.4 compiles these two rules of one call wrongly in some cases: both compare one argument, and not both
/// by equality of bits. Found by comparing its programs with its documentation, and so were the exceptions, which come
/// out right: rules of one comparison each whose values have the same upper word, and a lone `!=` beside equalities
/// that have another action.
bool miscompiled(const ProfileRule& a, const ProfileRule& b, unsigned& argument) {
  const auto lone = [](const ProfileRule& r) { return r.comparisons.size() == 1; };
  const auto lone_ne = [&](const ProfileRule& r) { return lone(r) && r.comparisons[0].op == Comparison::Op::Ne; };
  const auto equalities = [](const ProfileRule& r) {
    return std::all_of(r.comparisons.begin(), r.comparisons.end(),
                       [](const Comparison& c) { return c.op == Comparison::Op::Eq; });
  };
  const auto high = [](const ProfileRule& r) { return r.comparisons[0].value >> 32; };
  if (lone(a) && lone(b) && high(a) == high(b)) return false;
  if (a.word != b.word && ((lone_ne(a) && equalities(b)) || (lone_ne(b) && equalities(a)))) return false;
  for (const Comparison& x : a.comparisons)
    for (const Comparison& y : b.comparisons) {
      argument = x.argument;
      if (x.argument == y.argument && (x.op != Comparison::Op::Eq || y.op != Comparison::Op::Eq)) return true;
    }
  return false;
}

/// No value of the argument satisfies both.
bool exclude(const Comparison& a, const Comparison& b) {
  using C = Comparison::Op;
  if (a.argument != b.argument) return false;
  if (a.op == C::Eq && b.op == C::Eq) return ((a.value ^ b.value) & a.mask & b.mask) != 0;
  const auto whole = [](const Comparison& c) { return c.mask == (c.low_word ? 0xffffffff : ~0ull); };
  if (!whole(a) || !whole(b)) return false;
  if (a.op == C::Ne || b.op == C::Ne) {
    const Comparison &ne = a.op == C::Ne ? a : b, &other = a.op == C::Ne ? b : a;
    return other.op == C::Eq && other.value == ne.value;
  }
  // As closed intervals; an empty one excludes everything.
  using Interval = std::pair<std::uint64_t, std::uint64_t>;
  const auto interval = [](const Comparison& c) -> Interval {
    switch (c.op) {
      case C::Lt:
        return c.value == 0 ? Interval{1, 0} : Interval{0, c.value - 1};
      case C::Le:
        return {0, c.value};
      case C::Gt:
        return c.value == ~0ull ? Interval{1, 0} : Interval{c.value + 1, ~0ull};
      case C::Ge:
        return {c.value, ~0ull};
      default:
        return {c.value, c.value};
    }
  };
  const auto [a_first, a_last] = interval(a);
  const auto [b_first, b_last] = interval(b);
  return a_first > a_last || b_first > b_last || a_last < b_first || b_last < a_first;
}

bool exclude(const ProfileRule& a, const ProfileRule& b) {
  for (const Comparison& x : a.comparisons)
    for (const Comparison& y : b.comparisons)
      if (exclude(x, y)) return true;
  return false;
}

class Builder {
 public:
  explicit Builder(const Profile& profile) : profile_(profile) {}

  std::variant<Graph, Rejected> run() {
    graph_.place_name = "entry";
    if (profile_.loads_none) {
      graph_.root = leaf(format::ret_allow, Graph::default_place);
      return std::move(graph_);
    }
    // By what seccomp_data.arch says: x86_64 and x32 share it, and their numbers differ.
    std::map<std::uint32_t, std::map<std::uint32_t, std::vector<const ProfileRule*>>> archs;
    for (const linux::Arch arch : profile_.archs) archs[linux::audit_arch(arch)];
    for (const ProfileRule& r : profile_.rules) archs[linux::audit_arch(r.arch)][r.number].push_back(&r);
    const std::uint32_t otherwise = leaf(profile_.default_word, Graph::default_place);
    const std::uint32_t bad = leaf(format::ret_kill_thread, Graph::default_place);
    std::uint32_t next = bad;
    for (const auto& [audit, calls] : archs) {
      std::vector<std::pair<std::uint32_t, std::uint32_t>> targets;  // number, node
      for (const auto& [number, rules] : calls) {
        if (auto wrong = judge(rules)) return Rejected{*wrong};
        targets.emplace_back(number, call(rules, otherwise));
      }
      const std::uint32_t numbers = targets.empty() ? otherwise : search(targets, 0, targets.size(), otherwise);
      const std::uint32_t here =
          audit == format::arch_x86_64 ? x86_64(numbers, bad) : enosys(linux::arch_of_call(audit, 0).value(), numbers);
      next = node(Kind::Eq, load(format::offset_arch), constant(audit), here, next, Graph::default_place);
    }
    graph_.root = next;
    return std::move(graph_);
  }

 private:
  std::uint32_t expr(Op op, std::uint32_t a, std::uint32_t b, std::uint32_t value) {
    graph_.exprs.push_back({op, a, b, value});
    return static_cast<std::uint32_t>(graph_.exprs.size() - 1);
  }
  std::uint32_t constant(std::uint32_t v) { return expr(Op::Const, 0, 0, v); }
  std::uint32_t load(std::uint32_t offset) {
    const auto [it, fresh] = loads_.try_emplace(offset, 0);
    if (fresh) it->second = expr(Op::Load, 0, 0, offset);
    return it->second;
  }
  std::uint32_t node(Kind kind, std::uint32_t lhs, std::uint32_t rhs, std::uint32_t yes, std::uint32_t no,
                     std::uint32_t place) {
    if (yes == no) return yes;
    graph_.nodes.push_back({kind, lhs, rhs, yes, no, place});
    return static_cast<std::uint32_t>(graph_.nodes.size() - 1);
  }
  std::uint32_t leaf(std::uint32_t word, std::uint32_t place) {
    graph_.nodes.push_back({Kind::Leaf, constant(word), 0, 0, 0, place});
    return static_cast<std::uint32_t>(graph_.nodes.size() - 1);
  }

  /// Combinations whose outcome is not known for sure, or that libseccomp refuses (EEXIST). What follows a rule without
  /// conditions is dropped; what precedes it is compared with each other first.
  static std::optional<std::string> judge(const std::vector<const ProfileRule*>& rules) {
    const auto end =
        std::find_if(rules.begin(), rules.end(), [](const ProfileRule* r) { return r->comparisons.empty(); });
    const auto count = static_cast<std::size_t>(end - rules.begin());
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t k = i + 1; k < count; ++k) {
        const ProfileRule &a = *rules[i], &b = *rules[k];
        if (a.word != b.word && !exclude(a, b))
          return fmt::format(
              "has entries {} and {} with different actions for one call, and some arguments match both: libseccomp's "
              "order decides",
              a.entry, b.entry);
        if (unsigned argument = 0; miscompiled(a, b, argument))
          return fmt::format(
              "has entries {} and {} that compare argument {} other than by equality, which libseccomp 2.5.4 compiles "
              "wrongly in some cases",
              a.entry, b.entry, argument);
      }
    return std::nullopt;
  }

  std::uint32_t call(const std::vector<const ProfileRule*>& rules, std::uint32_t otherwise) {
    for (const ProfileRule* r : rules)
      if (r->comparisons.empty()) return leaf(r->word, r->entry);
    std::uint32_t next = otherwise;
    for (auto it = rules.rbegin(); it != rules.rend(); ++it) {
      const std::uint32_t fails = next;
      std::uint32_t holds = leaf((*it)->word, (*it)->entry);
      for (auto c = (*it)->comparisons.rbegin(); c != (*it)->comparisons.rend(); ++c)
        holds = compare(*c, holds, fails, (*it)->entry);
      next = holds;
    }
    return next;
  }

  /// Both words of the argument, high first; on 32 bits there is only the low one.
  std::uint32_t compare(const Comparison& c, std::uint32_t yes, std::uint32_t no, std::uint32_t place) {
    using C = Comparison::Op;
    const auto high = static_cast<std::uint32_t>(c.value >> 32), low = static_cast<std::uint32_t>(c.value);
    const auto word = [&](std::uint32_t offset, std::uint32_t mask) {
      return mask == 0xffffffff ? load(offset) : expr(Op::And, load(offset), constant(mask), 0);
    };
    const std::uint32_t h = word(format::offset_high(c.argument), static_cast<std::uint32_t>(c.mask >> 32));
    const std::uint32_t l = word(format::offset_low(c.argument), static_cast<std::uint32_t>(c.mask));
    const auto both = [&](std::uint32_t same, std::uint32_t other) {
      if (c.low_word) return node(Kind::Eq, l, constant(low), same, other, place);
      return node(Kind::Eq, h, constant(high), node(Kind::Eq, l, constant(low), same, other, place), other, place);
    };
    const auto by_order = [&](Kind kind, std::uint32_t above, std::uint32_t below) {
      const std::uint32_t tie = node(kind, l, constant(low), above, below, place);
      if (c.low_word) return tie;
      return node(Kind::Gt, h, constant(high), above, node(Kind::Eq, h, constant(high), tie, below, place), place);
    };
    switch (c.op) {
      case C::Eq:
        return both(yes, no);
      case C::Ne:
        return both(no, yes);
      case C::Gt:
        return by_order(Kind::Gt, yes, no);
      case C::Ge:
        return by_order(Kind::Ge, yes, no);
      case C::Lt:
        return by_order(Kind::Ge, no, yes);
      case C::Le:
        return by_order(Kind::Gt, no, yes);
    }
    return no;
  }

  /// A balanced search over the numbers that have rules.
  std::uint32_t search(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& targets, std::size_t first,
                       std::size_t last, std::uint32_t otherwise) {
    if (last - first == 1)
      return node(Kind::Eq, load(format::offset_nr), constant(targets[first].first), targets[first].second, otherwise,
                  Graph::default_place);
    const std::size_t middle = first + (last - first) / 2;
    const std::uint32_t upper = search(targets, middle, last, otherwise),
                        lower = search(targets, first, middle, otherwise);
    return node(Kind::Ge, load(format::offset_nr), constant(targets[middle].first), upper, lower, Graph::default_place);
  }

  /// What stands before the numbers of x86_64 and x32. Without x32 its numbers get what another architecture gets,
  /// except -1, which a tracer uses to skip a call (gen_bpf.c, _gen_bpf_arch). runc's ENOSYS prefix stands before both.
  std::uint32_t x86_64(std::uint32_t numbers, std::uint32_t bad) {
    const auto number = load(format::offset_nr);
    const bool x32 = std::find(profile_.archs.begin(), profile_.archs.end(), linux::Arch::x32) != profile_.archs.end();
    std::uint32_t here = numbers;
    if (!x32) {
      const std::uint32_t minus_one = node(Kind::Eq, number, constant(0xffffffff), numbers, bad, Graph::default_place);
      here = node(Kind::Ge, number, constant(format::x32_bit), minus_one, numbers, Graph::default_place);
    }
    return node(Kind::Set, number, constant(format::x32_bit), enosys(linux::Arch::x32, here),
                enosys(linux::Arch::x86_64, here), Graph::default_place);
  }

  /// runc's own test of one architecture's numbers.
  std::uint32_t enosys(linux::Arch arch, std::uint32_t here) {
    const auto above = profile_.enosys_above.find(arch);
    if (above == profile_.enosys_above.end()) return here;
    const std::uint32_t answer = leaf(format::ret_errno | format::enosys, Graph::default_place);
    return node(Kind::Gt, load(format::offset_nr), constant(above->second), answer, here, Graph::default_place);
  }

  const Profile& profile_;
  Graph graph_;
  std::map<std::uint32_t, std::uint32_t> loads_;
};

}  // namespace

std::variant<model::FilterGraph, Rejected> profile_graph(const Profile& profile) { return Builder(profile).run(); }

}  // namespace agp::backends::seccomp
