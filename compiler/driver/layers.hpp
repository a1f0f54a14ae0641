#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"
#include "compiler/verify/stack.hpp"

/// What the artifacts of a stack do with one action, read back from their bytes.
namespace agp::driver {

struct DecodedStack {
  model::Target target;
  std::vector<verify::Reading> readings;
  std::vector<std::string> loaded;  ///< files that the stack opens, and those of agent hosts
};

/// Reads and decodes a built directory as the policy's stack loads it. Nothing: a finding says why (a file that the
/// stack loads is missing, or is not one that its loader takes).
std::optional<DecodedStack> decode_stack(Session& session, const model::Policy& policy, const std::string& directory);

/// The layers that decide about the action, in the order in which they emit. The policy only says whose action it is:
/// user, namespace, what is a file and what a directory. None: no layer of these artifacts decides it.
std::vector<LayerAnswer> layer_answers(const DecodedStack& stack, const model::Policy& policy,
                                       const model::Action& action);
/// All of them together; nothing where there are none.
std::optional<model::Decision> decision_of(const std::vector<LayerAnswer>& answers);

}  // namespace agp::driver
