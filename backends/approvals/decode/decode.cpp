#include "backends/approvals/decode/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>

#include "backends/approvals/format.hpp"
#include "compiler/model/advisory_layer.hpp"
#include "compiler/source/strict_json.hpp"

// Bytes -> rules on tools, as docs/reference/network.md describes the format.
namespace agp::backends::approvals {
namespace {

using Json = nlohmann::json;

/// Thrown within this file alone: the first thing that is wrong ends the reading.
struct Refused {
  std::string why;
};
[[noreturn]] void refuse(const std::string& at, std::string_view what) {
  throw Refused{fmt::format("`{}` {}", at.empty() ? "/" : at, what)};
}

Json parse(std::string_view bytes) {
  std::string why;
  auto json = source::parse_strict_json(bytes, 8, why);  // the format has four levels
  if (!json) throw Refused{why};
  return std::move(*json);
}

void keys(const Json& object, const std::string& at, std::initializer_list<std::string_view> needed,
          std::initializer_list<std::string_view> others = {}) {
  if (!object.is_object()) refuse(at, "is not an object");
  for (const auto& [key, value] : object.items())
    if (std::find(needed.begin(), needed.end(), key) == needed.end() &&
        std::find(others.begin(), others.end(), key) == others.end())
      refuse(at + "/" + key, "is a property that the format does not have");
  for (const std::string_view key : needed)
    if (!object.contains(key)) refuse(at, fmt::format("has no `{}`", key));
}

std::string text(const Json& json, const std::string& at) {
  if (!json.is_string()) refuse(at, "is not a string");
  return json.get<std::string>();
}

std::vector<std::string> globs(const Json& json, const std::string& at) {
  if (!json.is_array()) refuse(at, "is not an array");
  std::vector<std::string> out;
  for (const Json& one : json) {
    out.push_back(text(one, fmt::format("{}/{}", at, out.size())));
    if (out.back().empty()) refuse(at, "has an empty pattern");
  }
  return out;
}

model::Day day(const std::string& word, const std::string& at) {
  const auto part = [&](std::size_t from, std::size_t length) {
    int value = 0;
    const char *first = word.data() + from, *last = first + length;
    const auto [end, error] = std::from_chars(first, last, value);
    if (error != std::errc() || end != last || value < 0) refuse(at, "is not a date YYYY-MM-DD");
    return value;
  };
  if (word.size() != 10 || word[4] != '-' || word[7] != '-') refuse(at, "is not a date YYYY-MM-DD");
  const std::chrono::year_month_day date{std::chrono::year(part(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(part(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(part(8, 2)))};
  if (!date.ok()) refuse(at, "is not a date YYYY-MM-DD");
  return static_cast<model::Day>(std::chrono::sys_days(date).time_since_epoch().count());
}

model::Effect effect(const std::string& word, const std::string& at) {
  for (const auto e : {model::Effect::Deny, model::Effect::Ask, model::Effect::Allow})
    if (word == model::to_string(e)) return e;
  refuse(at, "is neither `deny`, `ask` nor `allow`");
}

model::Risk risk(const std::string& word, const std::string& at) {
  if (word == "low") return model::Risk::Low;
  if (word == "medium") return model::Risk::Medium;
  if (word == "high") return model::Risk::High;
  refuse(at, "is neither `low`, `medium` nor `high`");
}

model::ToolRule rule(const Json& json, std::string at) {
  keys(json, at, {"rule", "effect", "tools"}, {"except", "risk", "because", "until"});
  model::ToolRule out;
  text(json["rule"], at + "/rule");
  out.effect = effect(text(json["effect"], at + "/effect"), at + "/effect");
  out.tools = globs(json["tools"], at + "/tools");
  if (json.contains("except")) out.except = globs(json["except"], at + "/except");
  if (json.contains("risk")) out.risk = risk(text(json["risk"], at + "/risk"), at + "/risk");
  if (json.contains("because")) text(json["because"], at + "/because");
  if (json.contains("until")) out.until = day(text(json["until"], at + "/until"), at + "/until");
  out.place = std::move(at);
  return out;
}

model::ToolLayer read(const Artifact& artifact) {
  const Json json = parse(artifact.bytes);
  keys(json, "", {"schema", "policy", "default", "precedence", "rules"});
  if (json["schema"] != format::schema) refuse("/schema", fmt::format("is not `{}`", format::schema));
  text(json["policy"], "/policy");
  if (json["default"] != "deny") refuse("/default", "is not `deny`");
  if (json["precedence"] != Json::array({"deny", "ask", "allow"}))
    refuse("/precedence", "is not `deny`, `ask`, `allow`");
  if (!json["rules"].is_array()) refuse("/rules", "is not an array");
  model::ToolLayer out{artifact.path, {}};
  for (const Json& one : json["rules"]) out.rules.push_back(rule(one, fmt::format("/rules/{}", out.rules.size())));
  return out;
}

}  // namespace

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  for (const Artifact& a : artifacts) {
    if (a.path != format::path) continue;
    try {
      out.tools.push_back(std::make_shared<const model::ToolLayer>(read(a)));
    } catch (const Refused& refused) {
      out.problems.push_back({fmt::format("`{}`: {}", a.path, refused.why), std::nullopt, ""});
    }
  }
  return out;
}

}  // namespace agp::backends::approvals
