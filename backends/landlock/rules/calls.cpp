#include "backends/landlock/rules/calls.hpp"

#include <algorithm>

#include "compiler/linux/landlock.hpp"

namespace agp::backends::landlock {

bool may_call(const model::Policy& policy, const std::string& name) {
  bool allowed = false;
  for (const model::Rule& rule : policy.rules) {
    const auto* body = std::get_if<model::SyscallBody>(&rule.body);
    if (rule.expired || !body) continue;
    for (const auto& p : body->patterns) {
      if (p.pattern.name != name) continue;
      const bool excepted =
          std::any_of(body->except.begin(), body->except.end(), [&](const auto& e) { return e.pattern.name == name; });
      if (rule.effect == model::Effect::Allow)
        allowed = true;
      else if (p.pattern.tests.empty() && !excepted)
        return false;
    }
  }
  return allowed;
}

std::optional<std::string> attribute_call(const model::Policy& policy) {
  for (const std::string_view call : linux::landlock::attribute_calls())
    if (may_call(policy, std::string(call))) return std::string(call);
  for (const std::uint64_t command : linux::landlock::attribute_ioctls())
    if (model::decide(policy, model::SyscallAction{"ioctl", {3, command}}).decision == model::Decision::Allow)
      return "ioctl";
  return std::nullopt;
}

}  // namespace agp::backends::landlock
