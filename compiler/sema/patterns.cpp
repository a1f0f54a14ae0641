#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/sema/limits.hpp"
#include "compiler/sema/rules.hpp"

// Files, names of variables and tools, capabilities: patterns of the language -> patterns of the model.
namespace agp::sema {

namespace kind = diagnostics::kind;

std::string suggest_capitals(std::string_view word, std::span<const std::string_view> names) {
  std::string capitals(word);
  for (char& c : capitals)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (std::find(names.begin(), names.end(), capitals) != names.end()) return fmt::format("did you mean `{}`", capitals);
  return diagnostics::did_you_mean(word, names);
}

bool Patterns::room(Span at) {
  if (++count_ <= limits::patterns) return true;
  if (count_ == limits::patterns + 1)
    sink().emit(kind::policy_too_large, at, fmt::format("the policy has more than {} patterns", limits::patterns));
  return false;
}

std::optional<model::Verbs> Patterns::verbs(const std::vector<syntax::Name>& words) {
  static constexpr std::pair<std::string_view, model::Verbs> known[] = {
      {"read", model::verbs_read},
      {"write", model::verbs_write},
      {"exec", static_cast<model::Verbs>(model::Verb::Exec)},
      {"list", static_cast<model::Verbs>(model::Verb::List)},
      {"modify", static_cast<model::Verbs>(model::Verb::Modify)},
      {"create", static_cast<model::Verbs>(model::Verb::Create)},
      {"delete", static_cast<model::Verbs>(model::Verb::Delete)}};
  model::Verbs out = 0;
  bool ok = !words.empty();
  for (const auto& word : words) {
    model::Verbs found = 0;
    for (const auto& [name, verbs] : known)
      if (name == word.text) found = verbs;
    if (found == 0) {
      static constexpr std::string_view names[] = {"read", "write", "exec", "list", "modify", "create", "delete"};
      std::string help = diagnostics::did_you_mean(word.text, names);
      if (help.empty()) help = "file verbs are read, write, exec, list, modify, create, delete";
      sink().emit(kind::unknown_verb, word.span, fmt::format("`{}` is no file verb", word.text)).helped(help);
      ok = false;
    }
    out = static_cast<model::Verbs>(out | found);
  }
  return ok ? std::optional(out) : std::nullopt;
}

Patterns::List<model::PathPattern> Patterns::paths(const Scope& scope, const std::vector<syntax::String>& strings,
                                                   const std::string& prefix) {
  List<model::PathPattern> out;
  for (const auto& s : strings)
    for (auto& p : eval_.path_patterns(scope, s)) {
      if (!room(s.span)) return out;
      std::string text = fmt::format("{} \"{}\"", prefix, p.text);
      out.push_back({std::move(p), s.span, std::move(text)});
    }
  return out;
}

Patterns::List<std::string> Patterns::globs(const Scope& scope, const std::vector<syntax::String>& strings,
                                            const std::string& prefix) {
  List<std::string> out;
  for (const auto& s : strings)
    for (auto& g : eval_.globs(scope, s)) {
      if (!room(s.span)) return out;
      std::string text = fmt::format("{} \"{}\"", prefix, g);
      out.push_back({std::move(g), s.span, std::move(text)});
    }
  return out;
}

Patterns::List<std::string> Patterns::capabilities(const std::vector<syntax::Name>& names) {
  List<std::string> out;
  for (const auto& n : names) {
    if (linux::find_capability(n.text)) {
      out.push_back({n.text, n.span, "capability " + n.text});
      continue;
    }
    sink()
        .emit(kind::unknown_capability, n.span, fmt::format("`{}` is no capability of Linux", n.text))
        .helped(suggest_capitals(n.text, linux::capability_names()));
  }
  return out;
}

}  // namespace agp::sema
