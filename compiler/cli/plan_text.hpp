#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"
#include "compiler/plan/plan.hpp"

namespace agp::cli {

/// The plan of a policy, a line a fact: how it is held, the fact, by which layer, and why a gap is accepted. Then what
/// the stack's own loaders need beyond the policy, and what is assumed.
std::string plan_text(const model::Policy& policy, const plan::Plan& plan, const model::Target& target);
/// The part about the loaders' needs: one paragraph a reason, with the grants beneath it.
std::string derived_text(std::span<const backends::DerivedGrant> derived);
nlohmann::ordered_json derived_json(std::span<const backends::DerivedGrant> derived);
nlohmann::ordered_json plan_json(const model::Policy& policy, const plan::Plan& plan, const model::Target& target);

}  // namespace agp::cli
