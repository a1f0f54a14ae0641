#pragma once
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agp::backends::kubernetes {

/// Why an object is refused; thrown and caught within this folder.
struct Refusal {
  std::string text;
};

/// One value of an object and its JSON pointer. Every reader throws Refusal for another type.
class Section {
 public:
  Section(const nlohmann::json& json, std::string at) : json_(json), at_(std::move(at)) {}

  /// Only these keys: whatever else stands there is refused by name.
  void only(std::initializer_list<std::string_view> known) const;
  std::optional<Section> find(const char* key) const;  ///< nothing when absent or null
  Section need(const char* key) const;
  std::vector<Section> list() const;

  std::string text() const;
  bool flag() const;
  std::uint64_t number() const;     ///< not negative
  std::string number_text() const;  ///< of a quantity: a text, or a whole number
  std::vector<std::string> texts() const;
  /// Absent, or false: refused otherwise, for the reason `what`.
  void never(const char* key, std::string_view what) const;
  std::vector<std::pair<std::string, Section>> members() const;

  const std::string& at() const { return at_; }
  [[noreturn]] void refuse(std::string_view what) const;

 private:
  const nlohmann::json& json_;
  std::string at_;
};

}  // namespace agp::backends::kubernetes
