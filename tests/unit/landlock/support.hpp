#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "backends/landlock/backend.hpp"
#include "tests/support/file_policy.hpp"

namespace agp::test {

inline model::Target landlock_target(int abi, const char* stack = "launcher") {
  model::Target t = debian12();
  t.landlock_abi = abi;
  t.stack = stack;
  return t;
}

/// What the launcher itself asks for: that the command may be started.
inline model::Policy startable(const model::Policy& policy) {
  FilePolicy p;
  p.policy = policy;
  p.call(model::Effect::Allow, "execve").allow("read exec", {"/bin/true"});
  return p.policy;
}

inline nlohmann::json ruleset(const model::Policy& policy, int abi, const char* stack = "launcher") {
  const auto out = backends::landlock::backend().emit(startable(policy), landlock_target(abi, stack), {});
  return out.artifacts.empty() ? nlohmann::json() : nlohmann::json::parse(out.artifacts.at(0).bytes);
}

/// What the rules for `path` (as written) allow, in one word list.
inline std::vector<std::string> rights_at(const nlohmann::json& file, const std::string& path) {
  std::vector<std::string> out;
  if (!file.contains("pathBeneath")) return out;
  for (const auto& rule : file["pathBeneath"])
    for (const auto& parent : rule["parent"])
      if (parent == path)
        for (const auto& right : rule["allowedAccess"]) out.push_back(right);
  return out;
}

inline backends::Capability holding(const model::Policy& policy, int abi, const std::string& text,
                                    const char* stack = "launcher") {
  const auto facts = model::facts(policy);
  const auto can = backends::landlock::backend().capabilities(policy, facts, landlock_target(abi, stack));
  for (std::size_t i = 0; i < facts.size(); ++i)
    if (facts[i].text == text) return can.facts.at(i);
  return {backends::Holds::Elsewhere, "no such fact", "", ""};
}

}  // namespace agp::test
