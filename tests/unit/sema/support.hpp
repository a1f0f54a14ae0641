#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/sema/sema.hpp"

namespace agp::sema {

/// Files of a test by path, as a project would hand them out.
struct Texts final : ModuleSource {
  source::Files& files;
  std::map<std::string, std::string> texts;
  std::map<std::string, source::FileId> loaded;
  Texts(source::Files& f, std::map<std::string, std::string> t) : files(f), texts(std::move(t)) {}
  std::optional<source::FileId> load(source::FileId, std::string_view path, source::Span at,
                                     diagnostics::Sink& sink) override {
    std::string name(path.substr(path.starts_with("./") ? 2 : 0));
    if (const auto known = loaded.find(name); known != loaded.end()) return known->second;
    const auto text = texts.find(name);
    if (text == texts.end()) {
      sink.emit(diagnostics::kind::unreadable_file, at, "no such file");
      return std::nullopt;
    }
    return loaded[name] = files.add(name, text->second);
  }
};

struct Analysed {
  source::Files files;
  diagnostics::Sink sink;
  Unit unit;
  Options options;

  explicit Analysed(const std::string& text, std::map<std::string, std::string> others = {}, Options o = {})
      : options(std::move(o)) {
    Texts source(files, std::move(others));
    const auto id = files.add("test.agp", text);
    source.loaded["test.agp"] = id;
    unit = analyse(files, id, source, options, sink);
  }
  /// `AGP1050 name` of each finding, with the text of its primary span: "AGP1050 `x`".
  std::vector<std::string> found() const {
    std::vector<std::string> out;
    for (const auto& d : sink.all())
      out.push_back(diagnostics::code_text(*d.kind) + " " + std::string(files.text(d.primary)));
    return out;
  }
  const model::Policy& policy() const { return unit.policies.at(0); }
  model::Decision decide(const std::string& action) {
    diagnostics::Sink s;
    const auto id = files.add("<action>", action);
    const auto parsed = syntax::parse_action(files, id, s);
    const auto resolved = parsed ? resolve_action(*parsed, options, s) : std::nullopt;
    if (!resolved) {
      ADD_FAILURE() << action << ": " << (s.all().empty() ? "nothing" : s.all()[0].message);
      return model::Decision::Ask;
    }
    auto out = model::Decision::Allow;
    for (const auto& a : resolved->actions) out = std::min(out, model::decide(policy(), a).decision);
    return out;
  }
};

inline constexpr auto Allow = model::Decision::Allow;
inline constexpr auto Ask = model::Decision::Ask;
inline constexpr auto Deny = model::Decision::Deny;
inline std::string in_policy(const std::string& body) { return "agp 1\npolicy p {\n" + body + "\n}\n"; }

}  // namespace agp::sema
