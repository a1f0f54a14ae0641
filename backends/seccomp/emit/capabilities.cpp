#include "backends/seccomp/emit/capabilities.hpp"

#include <fmt/format.h>

#include "backends/seccomp/emit/emit.hpp"
#include "compiler/linux/syscalls.hpp"

namespace agp::backends::seccomp {
namespace {

using model::Effect;

model::KernelVersion since(const linux::Syscall& call) { return {call.since.major, call.since.minor}; }
bool oci(const model::Target& target) { return target.stack.rfind("oci", 0) == 0; }

/// The first argument tested whose width in the kernel is not known for sure.
const linux::Argument* unclassified(const model::SyscallPattern& pattern, const linux::Syscall& call) {
  for (const auto& t : pattern.tests)
    if (!call.arguments[static_cast<std::size_t>(t.index)].classified)
      return &call.arguments[static_cast<std::size_t>(t.index)];
  return nullptr;
}

/// The call on the first of the target's architectures that has it and that the pattern is about.
const linux::Syscall* find_call(const model::SyscallPattern& pattern, const model::Target& target) {
  for (const std::string& name : target.archs) {
    const auto arch = linux::find_arch(name);
    const linux::Syscall* call = arch && pattern.archs.has(*arch) ? linux::find_syscall(*arch, pattern.name) : nullptr;
    if (call) return call;
  }
  return nullptr;
}

Capability of_pattern(const model::SyscallPattern& pattern, Effect effect, const model::Target& target) {
  Capability c;
  c.holds = Holds::Exact;
  c.reason = pattern.tests.empty() ? "decided by number"
                                   : "decided by number and arguments, under the bits that the kernel looks at";
  const linux::Syscall* call = find_call(pattern, target);
  if (!call) {
    c.reason = "no architecture of the target has this call";
    return c;
  }
  const bool exists = since(*call) <= target.kernel;
  if (effect != Effect::Allow && exists && (call->name == "uretprobe" || call->name == "uprobe")) {
    // kernel/seccomp.c, __secure_computing: the two calls are let through before any filter is asked.
    c.holds = Holds::Not;
    c.reason = fmt::format("the kernel lets `{}` through without asking any filter", call->name);
    c.slips = fmt::format("syscall {}()", call->name);
    c.help = "nothing needs to be denied: outside a probe the call only kills the process";
  } else if (effect == Effect::Ask) {
    c.holds = Holds::Narrower;
    c.reason = "a filter can't put a question: the call is refused";
    c.slips = fmt::format("syscall {}()", call->name);
  } else if (effect == Effect::Allow && exists && oci(target) && since(*call) > target.libseccomp_names) {
    c.holds = Holds::Narrower;
    c.reason = fmt::format("the runtime's libseccomp may not know `{}`, of Linux {}.{}, and would drop the name",
                           call->name, call->since.major, call->since.minor);
    c.slips = fmt::format("syscall {}()", call->name);
  } else if (const linux::Argument* argument = unclassified(pattern, *call)) {
    c.reason = fmt::format(
        "whether the kernel takes 32 or 64 bits of `{}` depends on the call's other arguments: {}", argument->name,
        effect == Effect::Allow ? "both words are compared" : "the low word alone is enough to refuse");
  }
  return c;
}

Capability of(const model::Fact& fact, const model::Policy& policy, const model::Target& target) {
  if (fact.kind == model::Fact::Kind::Mode && fact.name == "syscall")
    return {Holds::Not, "this version makes no filter that permits and reports", "",
            "use `mode enforce` for system calls"};
  if (fact.kind != model::Fact::Kind::Pattern) return {};
  const model::Rule& rule = policy.rules[fact.rule];
  const auto* body = std::get_if<model::SyscallBody>(&rule.body);
  if (!body || fact.pattern >= body->patterns.size()) return {};
  return of_pattern(body->patterns[fact.pattern].pattern, rule.effect, target);
}

}  // namespace

Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                          const model::Target& target) {
  Capabilities out;
  for (const model::Fact& fact : facts) out.facts.push_back(of(fact, policy, target));
  if (oci(target)) out.derived = loader_grants(policy, target);
  out.assumptions = {"A3", "A5", "A11"};
  return out;
}

}  // namespace agp::backends::seccomp
