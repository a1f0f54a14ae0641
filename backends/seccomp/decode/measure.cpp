#include "backends/seccomp/decode/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "backends/seccomp/format.hpp"

// Comes in: a program that the kernel takes. Goes out: how many instructions each call costs. The accumulator is
// followed while it holds what number and architecture decide; as soon as it holds anything else, both ways of a jump
// are possible.
namespace agp::backends::seccomp {
namespace {

using Known = std::optional<std::uint32_t>;

bool is_branch(const CheckedInstruction& i) { return (i.code & 7) == 5 && i.code != format::ja; }
bool returns(const CheckedInstruction& i) { return i.code == format::ret_k || i.code == format::ret_a; }

/// What a conditional jump with a constant does; nothing where it is not known.
std::optional<bool> taken(const CheckedInstruction& i, const Known& a) {
  if (!a || (i.code & 8) != 0) return std::nullopt;
  switch (i.code) {
    case format::jeq_k:
      return *a == i.k;
    case format::jgt_k:
      return *a > i.k;
    case format::jge_k:
      return *a >= i.k;
    default:
      return (*a & i.k) != 0;
  }
}

class Follower {
 public:
  Follower(const std::vector<CheckedInstruction>& code, std::uint32_t arch, std::uint32_t number)
      : code_(code), arch_(arch), number_(number) {}

  CallPath run(const linux::Syscall* call) {
    CallPath out;
    out.call = call;
    const State start{0, 0};  // the kernel resets the accumulator first (bpf_convert_filter)
    const Ways& ways = solve(start);
    out.shortest = ways.shortest;
    out.longest = ways.longest;
    if (!several_ && answer_) out.answer = answer_;
    out.may_run = may_run_;
    // The bitmaps are as long as the tables of the native and the compatible calls: no x32 number is in one.
    out.cacheable = call->arch != linux::Arch::x32 && out.answer == format::ret_allow && constant();
    for (State s = start;;) {
      out.longest_path.push_back(s.pc);
      const Ways& w = known_.at({s.pc, s.a});
      if (!w.next) break;
      s = *w.next;
    }
    return out;
  }

 private:
  struct State {
    std::uint32_t pc;
    Known a;
  };
  struct Ways {
    std::size_t shortest = 0, longest = 0;
    std::optional<State> next;  ///< on the longest way
  };

  /// The value of the accumulator behind an instruction that is no jump.
  Known after(const CheckedInstruction& i, const Known& a) const {
    switch (i.code) {
      case format::ld_abs:
        if (i.k == format::offset_nr) return number_;
        if (i.k == format::offset_arch) return arch_;
        return std::nullopt;
      case format::ld_imm:
        return i.k;
      case format::ld_len:
        return format::data_bytes;
      case format::and_k:
        return a ? Known(*a & i.k) : std::nullopt;
      case format::st:
      case format::stx:
      case format::ldx_imm:
      case format::ldx_len:
      case format::ldx_mem:
      case format::tax:
        return a;
      default:
        return std::nullopt;
    }
  }

  void returned(const CheckedInstruction& i, const Known& a) {
    const Known word = i.code == format::ret_k ? Known(i.k) : a;
    if (!word) {
      several_ = may_run_ = true;
      return;
    }
    const std::uint32_t action = *word & format::ret_action;
    may_run_ |= action == format::ret_allow || action == format::ret_log || action == format::ret_user_notif ||
                action == format::ret_trace;
    several_ |= answer_ && *answer_ != *word;
    answer_ = word;
  }

  /// Programs only go forward, and a state's ways are known before it is asked for a second time. The depth of the
  /// recursion is the number of jumps on a path: at most 4,096.
  const Ways& solve(const State& s) {
    const std::pair key{s.pc, s.a};
    if (const auto it = known_.find(key); it != known_.end()) return it->second;
    const CheckedInstruction& i = code_[s.pc];
    Ways out{1, 1, std::nullopt};
    const auto go = [&](State next, bool first) {
      if (known_.size() > most_states_) next.a = std::nullopt;
      const Ways& w = solve(next);
      out.shortest = first ? w.shortest + 1 : std::min(out.shortest, w.shortest + 1);
      if (first || w.longest + 1 > out.longest) {
        out.longest = w.longest + 1;
        out.next = next;
      }
    };
    if (returns(i)) {
      returned(i, s.a);
    } else if (i.code == format::ja) {
      go({s.pc + 1 + i.k, s.a}, true);
    } else if (is_branch(i)) {
      const auto yes = taken(i, s.a);
      if (yes.value_or(true)) go({s.pc + 1u + i.jt, s.a}, true);
      if (!yes.value_or(false)) go({s.pc + 1u + i.jf, s.a}, yes.has_value());
    } else {
      go({s.pc + 1, after(i, s.a)}, true);
    }
    return known_[key] = out;
  }

  /// The kernel's own emulation.
  bool constant() const {
    Known a = 0;
    for (std::uint32_t pc = 0;; ++pc) {
      const CheckedInstruction& i = code_[pc];
      switch (i.code) {
        case format::ld_abs:
          if (i.k != format::offset_nr && i.k != format::offset_arch) return false;
          a = after(i, a);
          break;
        case format::and_k:
          a = after(i, a);
          break;
        case format::ret_k:
          return true;
        case format::ja:
          pc += i.k;
          break;
        case format::jeq_k:
        case format::jgt_k:
        case format::jge_k:
        case format::jset_k: {
          const auto yes = taken(i, a);
          if (!yes) return false;
          pc += *yes ? i.jt : i.jf;
          break;
        }
        default:
          return false;
      }
    }
  }

  const std::vector<CheckedInstruction>& code_;
  std::uint32_t arch_, number_;
  /// Jumps that depend on other than number and architecture can lead to one instruction with 2^n accumulators.
  std::size_t most_states_ = code_.size() + 256;
  std::map<std::pair<std::uint32_t, Known>, Ways> known_;
  Known answer_;
  bool several_ = false, may_run_ = false;
};

std::size_t longest_of(const std::vector<CheckedInstruction>& code) {
  std::vector<std::size_t> from(code.size(), 1);
  for (std::size_t pc = code.size(); pc-- > 0;) {
    const CheckedInstruction& i = code[pc];
    if (returns(i)) continue;
    if (i.code == format::ja)
      from[pc] = 1 + from[pc + 1 + i.k];
    else if (is_branch(i))
      from[pc] = 1 + std::max(from[pc + 1u + i.jt], from[pc + 1u + i.jf]);
    else
      from[pc] = 1 + from[pc + 1];
  }
  return from[0];
}

}  // namespace

Paths measure(const CheckedProgram& program) {
  const auto& code = program.instructions;
  Paths out;
  out.longest = longest_of(code);
  for (const linux::Arch arch : linux::all_archs) {
    ArchPaths paths{arch, {}};
    const std::uint32_t audit = linux::audit_arch(arch);
    // What the program answers to an architecture, or to x32, that it does not know: one word for every number.
    bool known = false;
    std::optional<std::uint32_t> first;
    for (const linux::Syscall& call : linux::syscalls(arch)) {
      paths.calls.push_back(Follower(code, audit, call.number).run(&call));
      const auto& answer = paths.calls.back().answer;
      if (paths.calls.size() == 1) first = answer;
      known |= !answer || answer != first || paths.calls.back().may_run;
    }
    if (known) out.archs.push_back(std::move(paths));
  }
  return out;
}

std::string operation(const CheckedInstruction& i, std::size_t at) {
  const auto jump = [&](const char* name) {
    const std::string operand = (i.code & 8) != 0 ? "x" : fmt::format("#{:#x}", i.k);
    return fmt::format("{:<4} {}, {}, {}", name, operand, at + 1 + i.jt, at + 1 + i.jf);
  };
  switch (i.code) {
    case format::ld_abs:
      return fmt::format("ld   [{}]", i.k);
    case format::ld_imm:
      return fmt::format("ld   #{:#x}", i.k);
    case format::ld_mem:
      return fmt::format("ld   M[{}]", i.k);
    case format::ld_len:
      return "ld   len";
    case format::ldx_imm:
      return fmt::format("ldx  #{:#x}", i.k);
    case format::ldx_mem:
      return fmt::format("ldx  M[{}]", i.k);
    case format::ldx_len:
      return "ldx  len";
    case format::st:
      return fmt::format("st   M[{}]", i.k);
    case format::stx:
      return fmt::format("stx  M[{}]", i.k);
    case format::ja:
      return fmt::format("ja   {}", at + 1 + i.k);
    case format::jeq_k:
    case format::jeq_x:
      return jump("jeq");
    case format::jgt_k:
    case format::jgt_x:
      return jump("jgt");
    case format::jge_k:
    case format::jge_x:
      return jump("jge");
    case format::jset_k:
    case format::jset_x:
      return jump("jset");
    case format::ret_k:
      return fmt::format("ret  #{:#x}", i.k);
    case format::ret_a:
      return "ret  a";
    case format::tax:
      return "tax";
    case format::txa:
      return "txa";
    case format::neg:
      return "neg";
    default:
      break;
  }
  static constexpr const char* names[] = {"add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "neg", "mod", "xor"};
  const std::size_t which = i.code >> 4;
  const std::string name = which < std::size(names) ? names[which] : "?";
  return (i.code & 8) != 0 ? fmt::format("{:<4} x", name) : fmt::format("{:<4} #{:#x}", name, i.k);
}

}  // namespace agp::backends::seccomp
