#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"

/// The escape suite of a policy: per rule one attempt inside and one at each boundary outside, and a fixed list of ways
/// out. What is expected is the model's decision, never written down by hand; so the same list serves for every policy.
namespace agp::analysis {

/// What a loader or a layer needs beyond the policy (backends::DerivedGrant, without its reason).
struct ProbeGrant {
  std::string grant;  ///< `read "/proc/**"`
  std::string layer;  ///< "runc 1.1"
};

/// What the executor does, in words it needs no policy to understand: the fields of `attempt` in the JSON line.
using AttemptValue = std::variant<std::string, std::uint64_t, std::vector<std::string>>;
struct Attempt {
  std::string kind;  ///< `read`, `connect`, `filter`, … (tools/probe/main.cpp has the list)
  std::vector<std::pair<std::string, AttemptValue>> parameters;
};

/// Derived: the policy does not permit it, a derived grant of the stack does.
enum class Expected { Permitted, Denied, Derived };
std::string_view to_string(Expected e);

struct Probe {
  std::string id;                    ///< the attempt as text; no two probes have the same
  std::string about;                 ///< one clause: "the same prefix", "the next port"
  std::vector<std::string> actions;  ///< in the language's notation; all must be permitted
  Attempt attempt;
  Expected expected = Expected::Denied;
  std::string rule;                     ///< id of the rule whose boundary it is; empty in the fixed list
  std::string rule_text;                ///< that rule in normal form, one line
  std::vector<std::string> decided_by;  ///< ids of the rules behind the decision; empty: no rule permits it
  std::string layer;                    ///< what is expected to hold it: "seccomp", "oci", "nftables", "dns", "stack"
  std::string part;                     ///< of the layer: "mounts", "capabilities", "limits", "environment", or empty
};

/// In: a policy that passed check, and the target whose stack will run it. Out: the suite, in a fixed order, a function
/// of the arguments alone. Every attempt is harmless also when it succeeds. System-call numbers are those of the
/// target's first architecture. `tool` rules have none: no layer inside a sandbox sees a tool's name.
std::vector<Probe> probes(const model::Policy& policy, const model::Target& target,
                          std::span<const ProbeGrant> derived);

/// JSON lines, `agp-probe/1`: a first line that names policy, target and stack, then one line for each probe.
std::string to_json_lines(const model::Policy& policy, const model::Target& target, std::span<const Probe> probes);

}  // namespace agp::analysis
