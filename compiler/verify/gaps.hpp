#pragma once
#include <vector>

#include "compiler/model/policy.hpp"
#include "compiler/plan/plan.hpp"

namespace agp::verify {

/// Calls that an accepted gap takes out of the comparison, and no more than they.
struct CallGap {
  model::SyscallPattern calls;
  bool refuses;   ///< how `calls` reads an argument of unknown width (model::holds)
  bool narrower;  ///< out of what may be lost; else out of what may be permitted too much
};

/// Of every accepted gap of a rule on system calls. O(rows of the plan).
std::vector<CallGap> call_gaps(const model::Policy& policy, const plan::Plan& plan);

/// An endpoint of a rule on connections or listeners that an accepted gap takes out.
struct EndpointGap {
  std::size_t rule, endpoint;  ///< of policy.rules, of its endpoints
  bool exceeds, lacks;         ///< out of what may be permitted too much, out of what may be lost
};

/// Of every accepted gap of such a rule. A refusal by name is none: packets do not show it. O(rows of the plan).
std::vector<EndpointGap> endpoint_gaps(const model::Policy& policy, const plan::Plan& plan);

/// A pattern of a file rule whose gap was accepted, by what it is permitted to differ in; and whether that is because
/// the layer knows no right to change attributes.
struct FileGap {
  std::size_t rule, pattern;
  bool wider, narrower, attributes;
  model::Verbs verbs;  ///< the rule's, and what the layer can't part from them
};
std::vector<FileGap> file_gaps(const model::Policy& policy, const plan::Plan& plan);

/// Where mount points are needed for what was accepted as narrower: for a `mount`, whether it is; for a refusal of
/// files, see `file_gaps`.
bool pinned_mount(const plan::Plan& plan, std::size_t mount);

}  // namespace agp::verify
