#pragma once
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Reading JSON that must be understood whole: what nobody has asked for by name is refused by name.
namespace agp::source {

/// Why a document is refused; thrown and caught within the folder of one decoder.
struct Refusal {
  std::string text;
};

/// One value of a document and its JSON pointer. Every reader throws Refusal for another type.
class Section {
 public:
  Section(const nlohmann::json& json, std::string at) : json_(json), at_(std::move(at)) {}

  /// Only these keys, spelt exactly so: Go's reader takes a key for a field whatever its case, other readers do not.
  void only(std::initializer_list<std::string_view> known) const;
  std::optional<Section> find(const char* key) const;  ///< nothing when absent or null
  Section need(const char* key) const;
  std::vector<Section> list() const;

  std::string text() const;
  bool flag() const;
  std::uint64_t number() const;  ///< not negative
  std::int64_t any_number() const;
  std::string number_text() const;  ///< of a quantity: a text, or a whole number
  std::vector<std::string> texts() const;
  std::vector<std::pair<std::string, Section>> members() const;
  /// Absent, or false: refused otherwise, for the reason `what`.
  void never(const char* key, std::string_view what) const;

  const std::string& at() const { return at_; }
  [[noreturn]] void refuse(std::string_view what) const;

 private:
  const nlohmann::json& json_;
  std::string at_;
};

}  // namespace agp::source
