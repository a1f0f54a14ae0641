#include "compiler/source/strict_json.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace agp::source {

std::optional<nlohmann::json> parse_strict_json(std::string_view bytes, int depth, std::string& why) {
  using Json = nlohmann::json;
  std::vector<std::set<std::string>> open;
  std::optional<std::string> twice;
  const auto watch = [&](int at, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key && !open.back().insert(value.get<std::string>()).second)
      twice = value.get<std::string>();
    return at <= depth;
  };
  Json json = Json::parse(bytes.begin(), bytes.end(), watch, false);
  if (json.is_discarded()) return why = "it is not JSON", std::nullopt;
  if (twice) return why = "the key `" + *twice + "` stands twice in one object", std::nullopt;
  return json;
}

}  // namespace agp::source
