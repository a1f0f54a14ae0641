#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace agp::cli {

/// A page of headings, paragraphs and items, as Markdown or as text for a terminal. Everything that is given may hold
/// any bytes: it is escaped here, once.
class Page {
 public:
  explicit Page(bool markdown) : markdown_(markdown) {}

  void title(std::string_view text);
  void heading(std::string_view text);
  void prose(std::string_view text);  ///< lines of a doc comment are joined; what stands in backticks is code
  /// `code`, and beneath it one line for each of `notes`, which are prose.
  void item(std::string_view code, const std::vector<std::string>& notes = {});
  void fact(std::string_view name, std::string_view value);  ///< "owner", "platform-security"

  const std::string& text() const { return out_; }

 private:
  enum class Last { Nothing, Heading, Prose, Item, Fact };
  void gap(Last next);

  bool markdown_;
  Last last_ = Last::Nothing;
  std::string out_;
};

}  // namespace agp::cli
