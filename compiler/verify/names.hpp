#pragma once
#include <vector>

#include "compiler/model/name_layer.hpp"
#include "compiler/verify/verify.hpp"

namespace agp::verify {

/// Policy against one name layer, both directions. Names fall into finitely many classes (each mentioned domain, and a
/// label that nobody mentions beneath it), of which each is asked: does it resolve, by whom, and is what its sets open
/// what the policy permits to it? That a set opens no more than its rule is verify_packets' part. Of a resolv.conf:
/// does it name the generated resolver?
std::vector<Obligation> verify_names(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                     const model::NameLayer& layer);

}  // namespace agp::verify
