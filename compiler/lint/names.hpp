#pragma once
#include <string_view>

#include "compiler/model/policy.hpp"

namespace agp::lint {

/// Whose a name pattern may be.
enum class NameRisk { None, PublicSuffix, Shared, Forge };
/// The most serious one. Tables of names.cpp: endings under which anybody may register a name, hosts and endings under
/// which anybody may publish, forges.
NameRisk risk_of(const model::NamePattern& name);

}  // namespace agp::lint
