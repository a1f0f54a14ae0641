#include "backends/alerts/decode/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>

#include "backends/alerts/format.hpp"
#include "compiler/model/advisory_layer.hpp"
#include "compiler/source/strict_json.hpp"

// Bytes -> the lines of each alert, as docs/reference/network.md describes the format.
namespace agp::backends::alerts {
namespace {

using Json = nlohmann::json;
using model::AlertLine;

/// Thrown within this file alone: the first thing that is wrong ends the reading.
struct Refused {
  std::string why;
};
[[noreturn]] void refuse(const std::string& at, std::string_view what) {
  throw Refused{fmt::format("`{}` {}", at.empty() ? "/" : at, what)};
}

/// One value and its JSON pointer.
class Value {
 public:
  Value(const Json& json, std::string at) : json_(json), at_(std::move(at)) {}

  const std::string& at() const { return at_; }
  void keys(std::initializer_list<std::string_view> needed, std::initializer_list<std::string_view> others = {}) const {
    if (!json_.is_object()) refuse(at_, "is not an object");
    for (const auto& [key, value] : json_.items())
      if (std::find(needed.begin(), needed.end(), key) == needed.end() &&
          std::find(others.begin(), others.end(), key) == others.end())
        refuse(at_ + "/" + key, "is a property that the format does not have");
    for (const std::string_view key : needed)
      if (!has(key)) refuse(at_, fmt::format("has no `{}`", key));
  }
  bool has(std::string_view key) const { return json_.is_object() && json_.contains(key); }
  Value operator[](const char* key) const { return {json_[key], at_ + "/" + key}; }
  std::vector<Value> list() const {
    if (!json_.is_array()) refuse(at_, "is not an array");
    std::vector<Value> out;
    for (const Json& one : json_) out.emplace_back(one, fmt::format("{}/{}", at_, out.size()));
    return out;
  }
  std::string text() const {
    if (!json_.is_string()) refuse(at_, "is not a string");
    return json_.get<std::string>();
  }
  bool flag() const {
    if (!json_.is_boolean()) refuse(at_, "is not true or false");
    return json_.get<bool>();
  }
  std::uint64_t number() const {
    if (!json_.is_number_unsigned()) refuse(at_, "is not a number");
    return json_.get<std::uint64_t>();
  }
  void must_be(std::string_view word) const {
    if (text() != word) refuse(at_, fmt::format("is not `{}`", word));
  }

 private:
  const Json& json_;
  std::string at_;
};

AlertLine line(const Value& v) {
  AlertLine out;
  if (!v.has("layer")) refuse(v.at(), "has no `layer`");
  const std::string layer = v["layer"].text();
  if (layer == "nftables") {
    v.keys({"on", "layer", "log", "prefix", "direction"}, {"rule"});
    v["log"].must_be("kernel");
    out.text = v["prefix"].text();
    if (v.has("rule")) v["rule"].text();
    const std::string direction = v["direction"].text();
    if (direction != "out" && direction != "in") refuse(v.at() + "/direction", "is neither `out` nor `in`");
    out.direction = direction == "out" ? model::Direction::Connect : model::Direction::Listen;
  } else if (layer == "dns") {
    v.keys({"on", "layer", "log", "regex"});
    v["log"].must_be("dnsmasq");
    out.log = AlertLine::Log::Resolver;
    out.text = v["regex"].text();
  } else if (layer == "seccomp") {
    v.keys({"on", "layer", "log", "type"});
    v["log"].must_be("audit");
    out.log = AlertLine::Log::Audit;
    out.text = std::to_string(v["type"].number());
  } else {
    refuse(v.at() + "/layer", "is no layer that reports");
  }
  out.on = v["on"].text();
  out.place = v.at();
  return out;
}

void lines(const Value& v, model::AlertEntry& out) {
  for (const Value& one : v["matches"].list()) out.lines.push_back(line(one));
  for (const Value& one : v["unreported"].list()) {
    one.keys({"on", "all", "reason"});
    one["reason"].text();
    out.gaps.push_back({one["on"].text(), one["all"].flag(), one.at()});
  }
  out.place = v.at();
}

model::AlertEntry alert(const Value& v) {
  v.keys({"severity", "on", "matches", "unreported"});
  model::AlertEntry out;
  const std::string word = v["severity"].text();
  if (word.size() != 2 || word[0] != 'P' || word[1] < '1' || word[1] > '5')
    refuse(v.at() + "/severity", "is none of P1 to P5");
  out.severity = static_cast<model::Severity>(word[1] - '1');
  for (const Value& one : v["on"].list()) out.on.push_back(one.text());
  lines(v, out);
  return out;
}

model::AlertLayer read(const Artifact& artifact) {
  std::string why;
  const auto parsed = source::parse_strict_json(artifact.bytes, 8, why);  // the format has five levels
  if (!parsed) throw Refused{why};
  const Json& json = *parsed;
  const Value root(json, "");
  root.keys({"schema", "policy", "alerts"}, {"log"});
  root["schema"].must_be(format::schema);
  root["policy"].text();
  model::AlertLayer out;
  out.artifact = artifact.path;
  if (root.has("log")) {
    root["log"].keys({"matches", "unreported"});
    lines(root["log"], out.log.emplace());
  }
  for (const Value& one : root["alerts"].list()) out.alerts.push_back(alert(one));
  return out;
}

}  // namespace

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  for (const Artifact& a : artifacts) {
    if (a.path != format::path) continue;
    try {
      out.alerts.push_back(std::make_shared<const model::AlertLayer>(read(a)));
    } catch (const Refused& refused) {
      out.problems.push_back({fmt::format("`{}`: {}", a.path, refused.why), std::nullopt, ""});
    }
  }
  return out;
}

}  // namespace agp::backends::alerts
