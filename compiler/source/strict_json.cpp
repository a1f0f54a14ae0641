#include "compiler/source/strict_json.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace agp::source {

std::optional<nlohmann::json> parse_strict_json(std::string_view bytes, int depth, std::string& why) {
  using Json = nlohmann::json;
  if (bytes.starts_with("\xef\xbb\xbf"))
    return why = "it begins with a byte order mark, which Go's reader refuses", std::nullopt;
  if (bytes.find('\0') != std::string_view::npos)
    return why = "it is not JSON", std::nullopt;  // the library ends there
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

namespace {

/// Also with the two letters outside ASCII that fold to `s` and `k`.
std::string folded(std::string key) {
  for (const auto& [from, to] : {std::pair{"\xc5\xbf", "s"}, std::pair{"\xe2\x84\xaa", "k"}})
    for (std::size_t at; (at = key.find(from)) != std::string::npos;)
      key.replace(at, std::string_view(from).size(), to);
  for (char& c : key)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return key;
}

}  // namespace

std::optional<std::string> misspelt(const nlohmann::json& object, std::initializer_list<std::string_view> known) {
  for (const auto& item : object.items())
    for (const std::string_view name : known)
      if (item.key() != name && folded(item.key()) == folded(std::string(name))) return item.key();
  return std::nullopt;
}

}  // namespace agp::source
