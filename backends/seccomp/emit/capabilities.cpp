#include "backends/seccomp/emit/capabilities.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backends/seccomp/emit/emit.hpp"
#include "compiler/linux/multiplexed.hpp"
#include "compiler/linux/syscalls.hpp"

namespace agp::backends::seccomp {
namespace {

using model::Effect;

model::KernelVersion since(const linux::Syscall& call) { return {call.since.major, call.since.minor}; }
model::KernelVersion named_since(const linux::Syscall& call) {
  const linux::Version first = linux::name_since(call);
  return {first.major, first.minor};
}
bool oci(const model::Target& target) { return model::starts_container(target.stack); }

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

/// Is every call of this name refused on i386, so that no rule is made for it?
bool policy_refuses(const model::Policy& policy, const model::SyscallPattern& pattern) {
  return std::any_of(policy.rules.begin(), policy.rules.end(), [&](const model::Rule& rule) {
    const auto* body = std::get_if<model::SyscallBody>(&rule.body);
    if (!body || rule.expired || rule.effect == Effect::Allow || !body->except.empty()) return false;
    return std::any_of(body->patterns.begin(), body->patterns.end(), [&](const auto& p) {
      return p.pattern.name == pattern.name && p.pattern.tests.empty() && p.pattern.archs.has(linux::Arch::i386);
    });
  });
}

/// libseccomp makes of an i386 rule on `socket` a second one on `socketcall(1)`, whose arguments lie in memory: what is
/// said about them is gone (docs/decisions/0007). Where the policy does not permit that call itself, its form here.
const linux::Multiplexed* permitted_behind(const model::SyscallPattern& pattern, Effect effect,
                                           const model::Policy& policy, const model::Target& target) {
  const bool i386 = std::find(target.archs.begin(), target.archs.end(), "i386") != target.archs.end();
  if (effect != Effect::Allow || !oci(target) || !i386 || !pattern.archs.has(linux::Arch::i386)) return nullptr;
  const linux::Multiplexed* shared = linux::find_multiplexed(pattern.name);
  if (!shared || policy_refuses(policy, pattern)) return nullptr;
  const model::Action action = model::SyscallAction{std::string(shared->call), {shared->first}, linux::Arch::i386};
  return model::decide(policy, action).decision == model::Decision::Allow ? nullptr : shared;
}

Capability of_pattern(const model::SyscallPattern& pattern, Effect effect, const model::Policy& policy,
                      const model::Target& target) {
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
  } else if (effect == Effect::Allow && exists && oci(target) && named_since(*call) > target.libseccomp_names) {
    c.holds = Holds::Narrower;
    c.reason = fmt::format("the runtime's libseccomp may not know `{}`, of Linux {}.{}, and would drop the name",
                           call->name, call->since.major, call->since.minor);
    c.slips = fmt::format("syscall {}()", call->name);
  } else if (const linux::Multiplexed* shared = permitted_behind(pattern, effect, policy, target)) {
    c.holds = Holds::Wider;
    c.reason =
        fmt::format("on i386 the runtime's libseccomp permits `{}` through `{}({})` as well, with whatever arguments",
                    pattern.name, shared->call, shared->first);
    c.slips = fmt::format("syscall {}({})", shared->call, shared->first);
    c.help = "build without i386, or for the stack `launcher`, whose filter has no such rule";
  } else if (const linux::Argument* argument = unclassified(pattern, *call)) {
    c.reason = fmt::format(
        "whether the kernel takes 32 or 64 bits of `{}` depends on the call's other arguments: {}", argument->name,
        effect == Effect::Allow ? "both words are compared" : "the low word alone is enough to refuse");
  }
  return c;
}

/// `net` is audited and `syscall` is not: what the filter refuses never becomes a packet.
Capability audited_net(const model::Policy& policy) {
  if (policy.audits("syscall")) return {};
  constexpr std::uint64_t inet = 2, inet6 = 10, stream = 1, dgram = 2;  // include/linux/socket.h, net.h
  for (const std::uint64_t domain : {inet, inet6})
    for (const std::uint64_t type : {stream, dgram}) {
      const model::SyscallAction call{"socket", {domain, type}, {}};
      if (model::decide(policy, call).decision == model::Decision::Allow) continue;
      return {Holds::Narrower, "system calls are enforced, and the filter refuses to make the socket",
              model::to_string(model::Action(call)), "`mode audit for net, syscall`"};
    }
  return {};
}

Capability of(const model::Fact& fact, const model::Policy& policy, const model::Target& target) {
  if (fact.kind == model::Fact::Kind::Mode && fact.name == "syscall")
    return {Holds::Exact, "a call that a rule would refuse runs, and is logged (SECCOMP_RET_LOG)", "", ""};
  if (fact.kind == model::Fact::Kind::Mode && fact.name == "net") return audited_net(policy);
  if (fact.kind != model::Fact::Kind::Pattern) return {};
  const model::Rule& rule = policy.rules[fact.rule];
  const auto* body = std::get_if<model::SyscallBody>(&rule.body);
  if (!body || fact.pattern >= body->patterns.size()) return {};
  return of_pattern(body->patterns[fact.pattern].pattern, rule.effect, policy, target);
}

}  // namespace

Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                          const model::Target& target) {
  Capabilities out;
  for (const model::Fact& fact : facts) out.facts.push_back(of(fact, policy, target));
  if (oci(target)) out.derived = loader_grants(policy, target);
  out.assumptions = {"A3", "A5", "A11"};
  if (policy.audits("syscall")) {
    out.reports.push_back("syscall");
    out.assumptions.push_back("A10");
  }
  return out;
}

}  // namespace agp::backends::seccomp
