#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "compiler/model/container.hpp"
#include "compiler/model/inode_layer.hpp"
#include "compiler/model/name_layer.hpp"
#include "compiler/verify/container_tree.hpp"
#include "compiler/verify/verify.hpp"

/// Settings in a certificate: values of an artifact, and what has to be so of each.
namespace agp::verify {

/// `artifact` has a value for each setting, null for none; `policy` has for some of them a relation and a bound:
/// "is", "at most", "at least" (null: no bound), "among" and "has" (lists). `reason`: there is no such form.
struct Settings {
  nlohmann::ordered_json artifact = nlohmann::ordered_json::object(), policy = nlohmann::ordered_json::object();
  std::string reason;
};

/// Of one section of a container's configuration, by the obligation about it.
Settings container_settings(const Obligation& o, const model::Policy& policy, const model::Target& target,
                            const plan::Plan& plan, const model::Container& container);
/// Of what its mounts show.
Settings source_settings(const ContainerTree& tree);
/// Of a resolv.conf; of the scopes of a Landlock ruleset.
Settings resolver_settings(const model::Policy& policy, const model::NameLayer& layer);
Settings scope_settings(const Obligation& o, const model::PortLayer& layer);

/// One value of one side instead of the one it has, so that the comparison fails: `side`, `setting`, `value`; null if
/// there is none.
nlohmann::ordered_json settings_control(const Settings& settings);

/// `run` of policy.json, all that settings are compared with beside the rules; and facts whose gaps are accepted.
nlohmann::ordered_json run_json(const model::Policy& policy, const model::Target& target);
nlohmann::ordered_json accepted_json(const model::Policy& policy, const plan::Plan& plan);

}  // namespace agp::verify
