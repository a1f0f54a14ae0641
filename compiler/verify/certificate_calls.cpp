#include "compiler/verify/certificate_calls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "compiler/linux/syscalls.hpp"

// In: the bytes of a filter, the rules of a policy. Out: definitions over `struct seccomp_data`. Written from
// seccomp(2), kernel/seccomp.c and LANGUAGE.md for a reader: what the verifier decides by paths and facts is left to a
// solver here.
namespace agp::verify {
namespace {

using model::ArgTest;
using smt::Formula;

// SECCOMP_RET_* (include/uapi/linux/seccomp.h): what runs, and what somebody else may let run.
constexpr std::uint32_t ret_allow = 0x7fff0000, ret_log = 0x7ffc0000, ret_notify = 0x7fc00000, ret_trace = 0x7ff00000,
                        ret_errno = 0x00050000, action_mask = 0xffff0000, eperm = 1, enosys = 38;

/// Is the word one that is named? What `others` says is for the whole.
Formula named(const Answers& answers, const Formula& word, std::optional<std::uint32_t> known) {
  std::vector<Formula> some;
  for (const std::uint32_t action : answers.actions)
    some.push_back(known ? ((*known & action_mask) == action ? "true" : "false")
                         : smt::equal(fmt::format("(bvand {} #xffff0000)", word), smt::bits(action, 32)));
  if (answers.word)
    some.push_back(known ? (*known == *answers.word ? "true" : "false")
                         : smt::equal(word, smt::bits(*answers.word, 32)));
  return smt::any(some);
}

void state_answers(smt::Script& script, const Answers& answers, const std::vector<Formula>& returned) {
  const Formula some = smt::any(returned);
  script.state("artifact", answers.others ? smt::negate(some) : some);
}

/// The word of seccomp_data at this byte.
Formula load(std::uint32_t offset) {
  if (offset == 0) return "nr";
  if (offset == 4) return "arch";
  return fmt::format("((_ extract {}) {})", offset % 8 == 0 ? "31 0" : "63 32",
                     offset < 16 ? "ip" : fmt::format("arg{}", (offset - 16) / 8));
}

struct Registers {
  Formula a = "#x00000000", x = "#x00000000";
  std::array<Formula, 16> m;  ///< empty: not written
};
struct Edge {
  Formula when;
  Registers registers;
};

class Program {
 public:
  Program(smt::Script& script, std::string_view bytes, const Answers& answers)
      : script_(script), bytes_(bytes), answers_(answers) {}

  std::string state() {
    const std::size_t length = bytes_.size() / 8;
    into_.resize(length + 256 * 2 + 1);  // whatever a jump names; the decoder has seen that it is inside
    into_[0].push_back({"true", {}});
    for (std::size_t at = 0; at < length; ++at)
      if (std::string why = step(at); !why.empty()) return why;
    state_answers(script_, answers_, returned_);
    return {};
  }

 private:
  std::string step(std::size_t at) {
    const auto byte = [&](std::size_t i) {
      return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes_[8 * at + i]));
    };
    const std::uint32_t code = byte(0) | byte(1) << 8, jt = byte(2), jf = byte(3),
                        k = byte(4) | byte(5) << 8 | byte(6) << 16 | byte(7) << 24;
    script_.remark(fmt::format("{}: code {:#04x}, jt {}, jf {}, k {:#x}", at, code, jt, jf, k));
    if (into_[at].empty()) return {};
    std::vector<Formula> whens;
    for (const Edge& e : into_[at]) whens.push_back(e.when);
    const Formula here = script_.define(fmt::format("at{}", at), 0, smt::any(whens));
    if (code == 0x06) {  // ret k
      returned_.push_back(smt::all({here, named(answers_, "", k)}));
      return {};
    }
    Registers r = merge(at);
    if (code == 0x16) {  // ret a
      returned_.push_back(smt::all({here, named(answers_, r.a, std::nullopt)}));
      return {};
    }
    if (code == 0x05) {  // ja
      if (k >= bytes_.size() / 8 - at) return "a jump leads out of the program";
      into_[at + 1 + k].push_back({here, std::move(r)});
      return {};
    }
    if ((code & 7) == 5) return jump(at, code, jt, jf, k, here, std::move(r));
    Formula next = here;
    if (std::string why = compute(at, code, k, r, next); !why.empty()) return why;
    into_[at + 1].push_back({next, std::move(r)});
    return {};
  }

  std::string jump(std::size_t at, std::uint32_t code, std::uint32_t jt, std::uint32_t jf, std::uint32_t k,
                   const Formula& here, Registers r) {
    const Formula other = (code & 8) != 0 ? r.x : smt::bits(k, 32);
    Formula test;
    switch (code & 0xf0) {
      case 0x10:
        test = smt::equal(r.a, other);
        break;
      case 0x20:
        test = fmt::format("(bvugt {} {})", r.a, other);
        break;
      case 0x30:
        test = fmt::format("(bvuge {} {})", r.a, other);
        break;
      case 0x40:
        test = fmt::format("(not (= (bvand {} {}) #x00000000))", r.a, other);
        break;
      default:
        return fmt::format("instruction {} is one that this form does not know", at);
    }
    test = script_.define(fmt::format("test{}", at), 0, test);
    into_[at + 1 + jt].push_back({smt::all({here, test}), r});
    into_[at + 1 + jf].push_back({smt::all({here, smt::negate(test)}), std::move(r)});
    return {};
  }

  /// Loads, stores and arithmetic.
  std::string compute(std::size_t at, std::uint32_t code, std::uint32_t k, Registers& r, Formula& next) {
    const auto named = [&](const char* letter, const Formula& value) {
      return script_.define(fmt::format("{}{}", letter, at), 32, value);
    };
    switch (code) {
      case 0x20:
        r.a = named("a", load(k));
        return {};
      case 0x00:
      case 0x80:  // the length of seccomp_data
        r.a = smt::bits(code == 0x80 ? 64 : k, 32);
        return {};
      case 0x01:
      case 0x81:
        r.x = smt::bits(code == 0x81 ? 64 : k, 32);
        return {};
      case 0x60:
        r.a = r.m[k & 15];
        return r.a.empty() ? "scratch memory is read before it is written" : "";
      case 0x61:
        r.x = r.m[k & 15];
        return r.x.empty() ? "scratch memory is read before it is written" : "";
      case 0x02:
        r.m[k & 15] = r.a;
        return {};
      case 0x03:
        r.m[k & 15] = r.x;
        return {};
      case 0x07:
        r.x = r.a;
        return {};
      case 0x87:
        r.a = r.x;
        return {};
      case 0x84:
        r.a = named("a", fmt::format("(bvneg {})", r.a));
        return {};
      default:
        break;
    }
    constexpr std::pair<std::uint32_t, const char*> operations[] = {
        {0x00, "bvadd"}, {0x10, "bvsub"}, {0x20, "bvmul"},  {0x30, "bvudiv"}, {0x40, "bvor"},
        {0x50, "bvand"}, {0x60, "bvshl"}, {0x70, "bvlshr"}, {0xa0, "bvxor"}};
    const auto* op = std::find_if(std::begin(operations), std::end(operations),
                                  [&](const auto& row) { return row.first == (code & 0xf0); });
    if ((code & 0xff07) != 4 || op == std::end(operations))
      return fmt::format("instruction {} is one that this form does not know", at);
    Formula other = (code & 8) != 0 ? r.x : smt::bits(k, 32);
    // a shift by a register counts its low five bits; a division by a register that is 0 ends the program with 0
    if ((code & 8) != 0 && (op->first == 0x60 || op->first == 0x70))
      other = fmt::format("(bvand {} #x0000001f)", other);
    if ((code & 8) != 0 && op->first == 0x30) next = smt::all({next, smt::negate(smt::equal(other, "#x00000000"))});
    r.a = named("a", fmt::format("({} {} {})", op->second, r.a, other));
    return {};
  }

  /// What the registers hold where several ways meet.
  Registers merge(std::size_t at) {
    const std::vector<Edge>& edges = into_[at];
    const auto one = [&](const std::string& name, const auto& of) -> Formula {
      Formula out = of(edges.back().registers);
      bool same = true;
      for (std::size_t i = edges.size() - 1; i-- > 0;) {
        const Formula& value = of(edges[i].registers);
        same = same && value == of(edges.back().registers);
        // not written on one way: the kernel refuses a program that reads it behind here
        out = value.empty() || out.empty() ? "" : smt::choose(edges[i].when, value, out);
      }
      return same || out.empty() ? out : script_.define(name, 32, out);
    };
    Registers out;
    out.a = one(fmt::format("a{}.in", at), [](const Registers& r) -> const Formula& { return r.a; });
    out.x = one(fmt::format("x{}.in", at), [](const Registers& r) -> const Formula& { return r.x; });
    for (std::size_t i = 0; i < out.m.size(); ++i)
      out.m[i] = one(fmt::format("m{}.{}.in", at, i), [i](const Registers& r) -> const Formula& { return r.m[i]; });
    return out;
  }

  smt::Script& script_;
  std::string_view bytes_;
  const Answers& answers_;
  std::vector<std::vector<Edge>> into_;
  std::vector<Formula> returned_;
};

// the policy ----------------------------------------------------------------------------------------------------------

/// `registers`: the six of the call, `arg`, or those of another one that is spoken about.
Formula under(const ArgTest& t, std::uint64_t mask, std::string_view registers) {
  const Formula argument = fmt::format("{}{}", registers, t.index);
  const auto masked = [&](std::uint64_t m) {
    return m == ~0ull ? argument : fmt::format("(bvand {} {})", argument, smt::bits(m, 64));
  };
  const Formula x = masked(mask);
  if (t.op == ArgTest::Op::In) {
    std::vector<Formula> some;
    for (const std::uint64_t v : t.values) some.push_back(smt::equal(x, smt::bits(v, 64)));
    return smt::any(some);
  }
  if (t.values.empty()) return "false";
  const Formula v = smt::bits(t.values.front(), 64);
  switch (t.op) {
    case ArgTest::Op::Eq:
      return smt::equal(x, v);
    case ArgTest::Op::Ne:
      return smt::negate(smt::equal(x, v));
    case ArgTest::Op::Lt:
      return fmt::format("(bvult {} {})", x, v);
    case ArgTest::Op::Le:
      return fmt::format("(bvule {} {})", x, v);
    case ArgTest::Op::Gt:
      return fmt::format("(bvugt {} {})", x, v);
    case ArgTest::Op::Ge:
      return fmt::format("(bvuge {} {})", x, v);
    default:
      return smt::equal(masked(mask & t.mask), v);
  }
}

Formula pattern(const model::SyscallPattern& p, const linux::Syscall& call, bool refuses, std::string_view registers) {
  if (p.name != call.name || !p.archs.has(call.arch)) return "false";
  std::vector<Formula> parts;
  for (const ArgTest& t : p.tests) {
    const linux::Argument& argument = call.arguments[static_cast<std::size_t>(t.index)];
    std::vector<Formula> readings{under(t, argument.effective_mask, registers)};
    if (!argument.classified) readings.push_back(under(t, argument.effective_mask & 0xffffffff, registers));
    parts.push_back(refuses ? smt::any(readings) : smt::all(readings));
  }
  return smt::all(parts);
}

template <class Patterns>
Formula any_of(const Patterns& patterns, const linux::Syscall& call, bool refuses, std::string_view registers) {
  std::vector<Formula> some;
  for (const auto& p : patterns)
    if (p.pattern.name == call.name) some.push_back(pattern(p.pattern, call, refuses, registers));
  return smt::any(some);
}

/// What the rules say about one call.
struct Decided {
  Formula allowed, refused, named;  ///< `named`: denied with an errno of its own, a trap or a kill
  std::string by;                   ///< the rules, for a remark
};
Decided decided(const model::Policy& policy, const linux::Syscall& call, std::string_view registers) {
  std::vector<Formula> allowed, refused, named;
  std::string by;
  for (const model::Rule& rule : policy.rules) {
    const auto* body = std::get_if<model::SyscallBody>(&rule.body);
    if (!body || rule.expired) continue;
    const bool refuses = rule.effect != model::Effect::Allow;
    const Formula in = any_of(body->patterns, call, refuses, registers);
    if (in == "false") continue;
    const Formula matches = smt::all({in, smt::negate(any_of(body->except, call, !refuses, registers))});
    (refuses ? refused : allowed).push_back(matches);
    if (rule.effect == model::Effect::Deny && body->denial != model::Denial{}) named.push_back(matches);
    by += fmt::format(", {} {}", model::to_string(rule.effect), rule.id);
  }
  return {smt::any(allowed), smt::any(refused), smt::any(named), std::move(by)};
}

/// What the loader calls for itself; `by` gets why.
Formula needed(const CallStatement& s, const linux::Syscall& call, std::string& by) {
  std::vector<Formula> some;
  for (const linux::LoaderNeed& need : s.needs) {
    if (need.call != call.name) continue;
    some.push_back(need.argument < 0 ? "true"
                                     : fmt::format("(= (bvand arg{} {}) {})", need.argument, smt::bits(need.mask, 64),
                                                   smt::bits(0, 64)));
    by += fmt::format(", the loader's need: {}", need.reason);
  }
  return smt::any(some);
}

Formula is_call(const linux::Syscall& call, const Formula& inside) {
  return smt::all({smt::equal("arch", smt::bits(linux::audit_arch(call.arch), 32)),
                   smt::equal("nr", smt::bits(call.number, 32)), inside});
}

/// One call of the tables: what about it is permitted, or demanded.
Formula call_formula(smt::Script& script, const CallStatement& s, const linux::Syscall& call, Direction direction) {
  const bool demanded = demands(direction);
  const Decided rules = decided(s.policy, call, "arg");
  std::vector<Formula> allowed{rules.allowed}, exceeds, lacks;
  std::string by = rules.by;
  if (!demanded) allowed.push_back(needed(s, call, by));
  for (const CallGap& gap : s.gaps) {
    if (gap.calls.name != call.name || gap.narrower != demanded) continue;
    (gap.narrower ? lacks : exceeds).push_back(pattern(gap.calls, call, gap.refuses, "arg"));
    by += fmt::format(", an accepted gap: may be {}", gap.narrower ? "refused" : "permitted");
  }
  Formula inside = smt::any(
      {smt::all({smt::any(allowed), smt::negate(rules.refused), smt::negate(smt::any(lacks))}), smt::any(exceeds)});
  if (direction == Direction::Permits) inside = "true", by.clear();
  if (inside == "false") return inside;
  script.remark(fmt::format("{}{}", call.name, by));
  return script.define(fmt::format("{}.{}", linux::to_string(call.arch), call.name), 0, is_call(call, inside));
}

/// A `clone3` that is refused without an errno of its own, where `clone` has conditions: some registers, `yes`, with
/// which it is allowed, and some, `no`, with which it is not.
Formula fallback(smt::Script& script, const CallStatement& s, linux::Arch arch) {
  const linux::Syscall *clone = linux::find_syscall(arch, "clone"), *clone3 = linux::find_syscall(arch, "clone3");
  if (!clone || !clone3) return "false";
  const auto allowed = [&](std::string_view registers) {
    const Decided d = decided(s.policy, *clone, registers);
    return smt::all({d.allowed, smt::negate(d.refused)});
  };
  const Decided rules = decided(s.policy, *clone3, "arg");
  std::string by = rules.by;
  const Formula may = smt::all({smt::any({rules.allowed, needed(s, *clone3, by)}), smt::negate(rules.refused)});
  script.remark(fmt::format("clone3, where clone depends on its arguments{}", by));
  return script.define(fmt::format("{}.fallback", linux::to_string(arch)), 0,
                       is_call(*clone3, smt::all({smt::negate(rules.named), smt::negate(may), allowed("yes"),
                                                  smt::negate(allowed("no"))})));
}

}  // namespace

Answers answers_of(Direction direction, bool control) {
  switch (direction) {
    case Direction::Excess:
      return {{ret_allow, ret_log, ret_notify, ret_trace}, std::nullopt, false};
    case Direction::Loss:
      return {{ret_allow, ret_log}, std::nullopt, false};
    case Direction::Errno:
      return {{ret_allow, ret_log, ret_notify, ret_trace}, ret_errno | (control ? eperm : enosys), true};
    case Direction::Permits:
      if (control) return {{ret_allow}, std::nullopt, false};
      return {{ret_allow, ret_log}, std::nullopt, false};
    case Direction::Reports:
      return {{ret_allow, ret_notify, ret_trace}, std::nullopt, false};
    case Direction::Quiet:
      return {{ret_log}, std::nullopt, true};
  }
  return {};
}

std::string_view demanded_by_control(Direction direction) {
  return direction == Direction::Errno ? "EPERM" : direction == Direction::Permits ? "SECCOMP_RET_ALLOW" : "";
}

bool demands(Direction direction) {
  return direction == Direction::Loss || direction == Direction::Permits || direction == Direction::Quiet;
}

void declare_call(smt::Script& script, Direction direction) {
  script.declare("nr", 32);
  script.declare("arch", 32);
  script.declare("ip", 64);
  for (int i = 0; i < 6; ++i) script.declare(fmt::format("arg{}", i), 64);
  if (direction != Direction::Errno) return;
  for (const char* clone : {"yes", "no"})
    for (int i = 0; i < 6; ++i) script.declare(fmt::format("{}{}", clone, i), 64);
}

std::string state_program(smt::Script& script, std::string_view bytes, const Answers& answers) {
  return Program(script, bytes, answers).state();
}

void state_graph(smt::Script& script, const model::FilterGraph& graph, const Answers& answers) {
  using Op = model::FilterGraph::Expr::Op;
  using Kind = model::FilterGraph::Node::Kind;
  std::vector<Formula> values, returned;
  std::vector<std::vector<Formula>> into(graph.nodes.size());
  for (const auto& e : graph.exprs) {
    if (e.op == Op::Const)
      values.push_back(smt::bits(e.value, 32));
    else if (e.op == Op::Load)
      values.push_back(load(e.value));
    else  // a profile's comparisons have no other
      values.push_back(fmt::format("(bvand {} {})", values[e.a], values[e.b]));
  }
  // From the root down: nodes refer to smaller ones. Written the other way round, as choices, it takes z3 40 times
  // longer.
  into[graph.root].push_back("true");
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const auto& n = graph.nodes[i];
    if (into[i].empty()) continue;
    if (n.place != model::FilterGraph::default_place) script.remark(fmt::format("{} {}", graph.place_name, n.place));
    const Formula here = script.define(fmt::format("at{}", i), 0, smt::any(into[i]));
    if (n.kind == Kind::Leaf) {
      const auto& word = graph.exprs[n.lhs];
      returned.push_back(smt::all(
          {here, named(answers, values[n.lhs], word.op == Op::Const ? std::optional(word.value) : std::nullopt)}));
      continue;
    }
    const Formula &lhs = values[n.lhs], &rhs = values[n.rhs];
    const Formula test =
        script.define(fmt::format("test{}", i), 0,
                      n.kind == Kind::Eq   ? smt::equal(lhs, rhs)
                      : n.kind == Kind::Gt ? fmt::format("(bvugt {} {})", lhs, rhs)
                      : n.kind == Kind::Ge ? fmt::format("(bvuge {} {})", lhs, rhs)
                                           : fmt::format("(not (= (bvand {} {}) #x00000000))", lhs, rhs));
    into[n.yes].push_back(smt::all({here, test}));
    into[n.no].push_back(smt::all({here, smt::negate(test)}));
  }
  state_answers(script, answers, returned);
}

void state_calls(smt::Script& script, const CallStatement& s, Direction direction) {
  std::vector<Formula> some;
  for (const linux::Arch arch : linux::all_archs) {
    const auto named = std::find(s.target.archs.begin(), s.target.archs.end(), linux::to_string(arch));
    if (named == s.target.archs.end()) continue;
    const bool here = linux::machine_of(arch) == s.machine;  // else this machine can't make its calls
    if (direction == Direction::Errno) {
      if (here) some.push_back(fallback(script, s, arch));
      continue;
    }
    if (demands(direction) && !here) continue;
    for (const linux::Syscall& call : linux::syscalls(arch)) {
      if (demands(direction) && model::KernelVersion{call.since.major, call.since.minor} > s.target.kernel) continue;
      some.push_back(call_formula(script, s, call, direction));
    }
  }
  script.state("policy", direction == Direction::Errno ? smt::negate(smt::any(some)) : smt::any(some));
}

}  // namespace agp::verify
