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

/// `AGP1001`, `agp1001`, `1001` or `syntax-error`.
const diagnostics::Kind* find(std::string word) {
  if (const auto* kind = diagnostics::find_kind(word)) return kind;
  for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (const auto* kind = diagnostics::find_kind(word)) return kind;
  return diagnostics::find_kind("AGP" + word);
}

}  // namespace

int run_explain(Context& context) {
  const auto& words = context.settings.arguments;
  if (words.empty()) {
    auto text = list();
    context.out(text);
    return 0;
  }
  if (words.size() > 1) return context.usage({"one code or name at a time", {}});
  const diagnostics::Kind* kind = find(words[0]);
  if (kind == nullptr) {
    std::vector<std::string_view> names;
    for (const diagnostics::Kind* one : diagnostics::all_kinds()) names.push_back(one->name);
    const std::string meant = diagnostics::did_you_mean(words[0], names);
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
