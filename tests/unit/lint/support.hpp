#pragma once
#include <algorithm>
#include <set>
#include <tuple>

#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/lint/lint.hpp"
#include "tests/unit/sema/support.hpp"

namespace agp::lint {

/// 2026-01-01
inline constexpr model::Day today = 20454;

/// A text that resolves, and what the lints say of it.
struct Linted : sema::Analysed {
  explicit Linted(const std::string& text, Options settings = {}) : Analysed(text) {
    std::vector<const model::Policy*> all;
    for (const auto& policy : unit.policies) all.push_back(&policy);
    settings.today = today;
    EXPECT_EQ(found(), std::vector<std::string>{}) << text;
    decided = check(files, 0, all, settings, sink);
  }
  std::size_t count(const diagnostics::Kind& kind) const {
    return static_cast<std::size_t>(
        std::count_if(sink.all().begin(), sink.all().end(), [&](const auto& d) { return d.kind == &kind; }));
  }
  /// The first finding of the kind; null: there is none.
  const diagnostics::Diagnostic* first(const diagnostics::Kind& kind) const {
    for (const auto& d : sink.all())
      if (d.kind == &kind) return &d;
    return nullptr;
  }
  /// The text with the edits of the first finding of the kind.
  std::string mended(const diagnostics::Kind& kind) const {
    const diagnostics::Diagnostic* d = first(kind);
    if (!d || d->edits.empty()) return "";
    auto edits = d->edits;
    std::stable_sort(edits.begin(), edits.end(),
                     [](const auto& a, const auto& b) { return a.span.begin < b.span.begin; });
    std::string out = files.get(0).text;
    for (auto e = edits.rbegin(); e != edits.rend(); ++e)
      out.replace(e->span.begin, e->span.end - e->span.begin, e->replacement);
    return out;
  }
  bool decided = true;
};

/// A policy in which a home's start-up files may be read: one finding, `history-readable`, and whatever `body` adds.
inline std::string with(const std::string& comment) {
  return "agp 1\npolicy p {\n  isolation process\n  file {\n" + comment +
         "\n    allow read \"/root/.bash_history\"\n  }\n}\n";
}

}  // namespace agp::lint
