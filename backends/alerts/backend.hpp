#pragma once
#include <string>
#include <vector>

#include "backends/backend.hpp"

namespace agp::backends::alerts {

const Backend& backend();

/// A word of `on deny` (a verb or a block) about which the target's stack reports nothing, or not everything.
struct Unreported {
  std::string target;    ///< as in `alert P1 for write`; of `log`: a block that the policy has rules in
  std::string reason;    ///< one clause, lower case
  bool whole = true;     ///< nothing at all of it is reported
  model::Span span;      ///< of the `alert`, or of `on deny` for `log`
};

/// In the order of the source: what is asked for and can't be reported is a warning (LANGUAGE.md, Gaps).
std::vector<Unreported> unreported(const model::Policy& policy, const model::Target& target);

}  // namespace agp::backends::alerts
