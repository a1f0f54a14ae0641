#include "backends/calls.hpp"

#include <algorithm>

namespace agp::backends {

bool may_call(const model::Policy& policy, std::string_view name) {
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

}  // namespace agp::backends
