#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/model/fact.hpp"
#include "compiler/model/target.hpp"

namespace agp::plan {

using backends::Capability;
using backends::Holds;

/// One layer's answer about one fact.
struct Answer {
  std::string layer;  ///< backend name, or "stack" for what the stack's own commands hold
  Capability capability;
};

/// One fact, joined over the layers of the stack.
struct Row {
  model::Fact fact;
  std::vector<Answer> answers;        ///< layers that have something to say, in emit order
  Holds holds = Holds::Not;           ///< joined: Exact, Wider, Narrower or Not
  std::string layer;                  ///< the layer that decided the join; empty with Not
  std::optional<std::size_t> accept;  ///< index into policy.accepts that covers the gap
  std::size_t count = 1;              ///< facts that it stands for: this one and those behind it, of one group
};

struct Plan {
  std::vector<Row> rows;
  std::vector<backends::DerivedGrant> derived;
  std::vector<std::string> assumptions;  ///< by number, without duplicates
  std::vector<std::string> advisory;     ///< backends whose artifacts are written and loaded by no stack
};

/// Do the backend's artifacts belong into the output for this stack: it loads them, or none does (they are advisory)?
/// What only other stacks load would be taken for a layer that is not there.
bool writes_for(const backends::Backend& backend, std::string_view stack);

/// The words that `stack` can be.
std::span<const std::string_view> stacks();

/// Policy × target -> which layer holds each fact. Gaps that no `accept` covers are AGP4xxx errors in `sink`; an
/// `accept` that covers nothing is one too.
Plan make_plan(const model::Policy& policy, const model::Target& target, diagnostics::Sink& sink);

/// "net, syscall": the blocks that are audited in effect, where the policy says so and a layer can; may be empty.
std::string audited_blocks(const model::Policy& policy);

/// The built-in target records, frozen once released.
const std::vector<model::Target>& builtin_targets();
const model::Target* find_target(std::string_view name);

/// The stack's own commands, as argument arrays (never shell text). Words in braces are for the caller to fill in:
/// `{dir}` the built directory, `{run}` a fresh run directory, `{id}` the container's id.
struct StackCommands {
  std::vector<std::vector<std::string>> prepare, run, finally;
};
StackCommands stack_commands(const model::Policy& policy, const model::Target& target);

}  // namespace agp::plan
