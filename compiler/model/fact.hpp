#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "compiler/model/policy.hpp"

namespace agp::model {

/// Something a policy states and some layer must hold: one pattern of one rule, a bound of `limit`, the user, a mount,
/// an audited block (LANGUAGE.md, Gaps).
struct Fact {
  enum class Kind { Pattern, Limit, User, Mount, Mode };
  Kind kind = Kind::Pattern;
  std::size_t rule = 0;     ///< Pattern: index into policy.rules
  std::size_t pattern = 0;  ///< Pattern: index into the rule's patterns (endpoints, paths, names; @abstract is last)
  std::size_t mount = 0;    ///< Mount: index into policy.run.mounts
  std::string name;         ///< Limit: cpu, memory, pids, time, files. Mode: the block
  std::string text;         ///< as `accept` names it: `write "/a/**"`, `limit cpu`, `user`, `mount "/task"`, `mode net`
  std::string block;        ///< file, net, syscall, capability, env, tool, limit, run, mode
  Span span;
};

/// All facts in source order of the model. Expired rules have none. `env set` is no fact: it is a value.
std::vector<Fact> facts(const Policy& policy);

}  // namespace agp::model
