#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "compiler/cli/commands.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "embedded/explanations.hpp"

namespace agp::cli {
namespace {

std::string list() {
  std::string out;
  for (const diagnostics::Kind* kind : diagnostics::all_kinds())
    out += fmt::format("{}  {:<28}{}\n", diagnostics::code_text(*kind), kind->name, kind->title);
  return out;
}

std::string upper_case(std::string word) {
  for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return word;
}

/// `AGP1001`, `agp1001`, `1001` or `syntax-error`.
const diagnostics::Kind* find(std::string word) {
  if (const auto* kind = diagnostics::find_kind(word)) return kind;
  word = upper_case(word);
  if (const auto* kind = diagnostics::find_kind(word)) return kind;
  return diagnostics::find_kind("AGP" + word);
}

/// "did you mean `syntax-error`", of names; of codes where the word begins like one.
std::string near(const std::string& word) {
  const bool code = word.size() > 3 && word.find('-') == std::string::npos && word.find_first_of("0123456789") < 4;
  std::vector<std::string> known;
  for (const diagnostics::Kind* one : diagnostics::all_kinds())
    known.push_back(code ? diagnostics::code_text(*one) : std::string(one->name));
  // Codes are near each other: one character may be wrong, not a third of them.
  if (code)
    std::erase_if(known, [&](const auto& one) { return diagnostics::edit_distance(one, upper_case(word)) > 1; });
  const std::vector<std::string_view> views(known.begin(), known.end());
  return diagnostics::did_you_mean(code ? upper_case(word) : word, views);
}

}  // namespace

int run_explain(Context& context) {
  const auto& words = context.settings.arguments;
  if (words.empty()) {
    context.out(list());
    return 0;
  }
  if (words.size() > 1) return context.usage({"one code or name at a time", {}});
  const diagnostics::Kind* kind = find(words[0]);
  if (kind == nullptr) {
    const std::string meant = near(words[0]);
    return context.usage(
        {fmt::format("there is no diagnostic `{}`", words[0]), meant.empty() ? "`agp explain` lists them" : meant});
  }
  const auto pages = embedded::explanations();
  const std::string path = diagnostics::code_text(*kind) + ".md";
  const auto page =
      std::find_if(pages.begin(), pages.end(), [&](const embedded::File& file) { return file.path == path; });
  if (page != pages.end())
    context.out(page->bytes);
  else
    context.out(fmt::format("# {} {}\n\n{}\n", diagnostics::code_text(*kind), kind->name, kind->title));
  return 0;
}

}  // namespace agp::cli
