#include "compiler/source/json_section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace agp::source {

void Section::refuse(std::string_view what) const {
  throw Refusal{fmt::format("`{}` {}", at_.empty() ? "/" : at_, what)};
}

void Section::only(std::initializer_list<std::string_view> known) const {
  if (!json_.is_object()) refuse("is not an object");
  for (const auto& item : json_.items())
    if (std::find(known.begin(), known.end(), item.key()) == known.end())
      Section(item.value(), at_ + "/" + item.key()).refuse("is a field that agp has no model of");
}

std::optional<Section> Section::find(const char* key) const {
  if (!json_.is_object()) refuse("is not an object");
  const auto at = json_.find(key);
  if (at == json_.end() || at->is_null()) return std::nullopt;
  return Section(*at, at_ + "/" + key);
}

Section Section::need(const char* key) const {
  auto found = find(key);
  if (!found) refuse(fmt::format("has no `{}`", key));
  return *found;
}

std::vector<Section> Section::list() const {
  if (!json_.is_array()) refuse("is not an array");
  std::vector<Section> out;
  for (std::size_t i = 0; i < json_.size(); ++i) out.emplace_back(json_[i], fmt::format("{}/{}", at_, i));
  return out;
}

std::vector<std::pair<std::string, Section>> Section::members() const {
  if (!json_.is_object()) refuse("is not an object");
  std::vector<std::pair<std::string, Section>> out;
  for (const auto& item : json_.items()) out.emplace_back(item.key(), Section(item.value(), at_ + "/" + item.key()));
  return out;
}

std::string Section::text() const {
  if (!json_.is_string()) refuse("is not a string");
  auto out = json_.get<std::string>();
  if (out.find('\0') != std::string::npos) refuse("holds a NUL");
  return out;
}

bool Section::flag() const {
  if (!json_.is_boolean()) refuse("is not true or false");
  return json_.get<bool>();
}

std::uint64_t Section::number() const {
  if (!json_.is_number_unsigned()) refuse("is not a whole number that is at least 0");
  return json_.get<std::uint64_t>();
}

std::int64_t Section::any_number() const {
  if (!json_.is_number_integer() || (json_.is_number_unsigned() && json_.get<std::uint64_t>() > INT64_MAX))
    refuse("is not a whole number of 64 bits");
  return json_.get<std::int64_t>();
}

std::string Section::number_text() const {
  if (json_.is_number_unsigned()) return std::to_string(json_.get<std::uint64_t>());
  return text();
}

void Section::never(const char* key, std::string_view what) const {
  if (const auto found = find(key); found && found->flag()) found->refuse(what);
}

std::vector<std::string> Section::texts() const {
  std::vector<std::string> out;
  for (const Section& s : list()) out.push_back(s.text());
  return out;
}

}  // namespace agp::source
