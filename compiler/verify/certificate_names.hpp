#pragma once
#include <string>
#include <vector>

#include "compiler/model/name_layer.hpp"
#include "compiler/model/policy.hpp"

/// Names in a certificate: read from their end, since both sides decide a name by how it ends.
namespace agp::verify {

/// An ending for each state of that reading: what is read while a domain of either side ends with it, whether a label
/// has begun, and which domains the name lies beneath. Sorted, without duplicates. O(bytes of all domains).
std::vector<std::string> name_endings(const model::Policy& policy, const model::NameLayer& layer);

}  // namespace agp::verify
