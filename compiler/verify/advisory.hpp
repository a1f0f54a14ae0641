#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/model/advisory_layer.hpp"
#include "compiler/verify/verify.hpp"

/// The files that no kernel loads, against the policy, both directions.
namespace agp::verify {

/// Every tool name, on every day from `today` on: names are cut into cells by the patterns of both sides
/// (model/glob_cells.hpp), days by the last days of rules. A question put at a lower risk is an excess. Unknown when
/// the patterns have more cells than the limit.
std::vector<Obligation> verify_tools(const model::Policy& policy, const model::ToolLayer& layer, model::Day today);

/// Every alert: no excess is that no other line raises it, and that what the stack does not report is said; no loss
/// that each line that the stack writes about it raises it. O(alerts × rules).
std::vector<Obligation> verify_alerts(const model::Policy& policy, const model::Target& target,
                                      const model::AlertLayer& layer);

/// The same as lists, for a certificate: what the file has under each name, and what has to be so of it ("among",
/// "has").
struct AlertLists {
  using List = std::set<std::string>;
  std::map<std::string, List> artifact;
  std::map<std::string, std::pair<std::string_view, List>> policy;
};
AlertLists alert_lists(const model::Policy& policy, const model::Target& target, const model::AlertLayer& layer,
                       bool demanded);

}  // namespace agp::verify
