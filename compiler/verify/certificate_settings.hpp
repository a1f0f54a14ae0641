#pragma once
#include <string>

#include "compiler/model/container.hpp"
#include "compiler/model/inode_layer.hpp"
#include "compiler/model/name_layer.hpp"
#include "compiler/verify/advisory.hpp"
#include "compiler/verify/container_tree.hpp"
#include "compiler/verify/verify.hpp"

/// Settings in a certificate: values of an artifact, and what has to be so of each.
namespace agp::verify {

/// JSON. `document` has two objects: `artifact`, a value for each setting, null for none; and `policy`, for some of
/// them a relation and a bound: "is", "at most", "at least" (null: no bound), "among" and "has" (lists). `control` is
/// one value of one side instead of the one it has, so that the comparison fails: `side`, `setting`, `value`.
struct Settings {
  std::string document, control, witness;
  std::string reason;  ///< not empty: there is no such form
};

/// Of one section of a container's configuration, by the obligation about it.
Settings container_settings(const Obligation& o, const model::Policy& policy, const model::Target& target,
                            const plan::Plan& plan, const model::Container& container);
/// Of what its mounts show.
Settings source_settings(const Obligation& o, const ContainerTree& tree);
/// Of a resolv.conf; of the scopes of a Landlock ruleset.
Settings resolver_settings(const Obligation& o, const model::Policy& policy, const model::NameLayer& layer);
Settings scope_settings(const Obligation& o, const model::PortLayer& layer);
/// Of alerts.json.
Settings alert_settings(const Obligation& o, const AlertLists& lists);

/// `run` of policy.json, all that settings are compared with beside the rules; and facts whose gaps are accepted: JSON.
std::string certified_run(const model::Policy& policy, const model::Target& target, const plan::Plan& plan);
std::string certified_gaps_of_settings(const model::Policy& policy, const plan::Plan& plan);

}  // namespace agp::verify
