#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/files.hpp"

namespace agp::diagnostics {

enum class Severity { Note, Warning, Error };

/// What every diagnostic of one code has in common. The rows stand in `codes.def` and, for least privilege, in
/// `lints.def`; a code is never reused. `kinds.hpp` and `lint_kinds.hpp` name them, for the passes that emit them.
struct Kind {
  int number;              ///< 1001 for AGP1001
  std::string_view name;   ///< kebab-case, stable, for configuration and `agp explain`
  Severity severity;       ///< the default; a diagnostic may carry a lower one
  std::string_view title;  ///< one line for lists
};

/// Every kind, by number. `find` takes `AGP1001` or the name.
const std::vector<const Kind*>& all_kinds();
const Kind* find_kind(std::string_view code_or_name);
std::string code_text(const Kind& kind);  ///< "AGP1001"
/// What has a level of its own, and can be allowed or be in a baseline: least privilege but for what is about those.
inline bool is_lint(const Kind& kind) { return kind.number >= 3010 && kind.number < 4000; }

struct Label {
  source::Span span;
  std::string message;
};

/// One edit that mends what was found: replace the span by the text.
struct Edit {
  source::Span span;
  std::string replacement;
};

/// One finding. Messages are lower case, without a full stop, and say what was observed; code stands in backticks.
/// Text from a policy is put in unescaped: the renderers escape.
struct Diagnostic {
  const Kind* kind = nullptr;
  Severity severity = Severity::Error;
  std::string message;
  source::Span primary;  ///< may be unknown (a missing file, say)
  std::string label;     ///< stands beside the primary span; may be empty
  std::vector<Label> related;
  std::string witness;  ///< a concrete action, where a solver or an engine found one
  std::vector<std::string> notes;
  std::string help;  ///< what to type
  std::vector<Edit> edits;
  std::string policy;  ///< the policy concerned; empty for a whole file
  /// Findings at the same place that this one says already: who accepts it, accepts these.
  std::vector<const Kind*> stands_for;
  /// Other places of which the same is found, each with what stands there; some of them may be related.
  std::vector<Label> elsewhere;
  /// Of what several rules do together: the others, each with what it says. Who knows the finding with one of them
  /// does not know it with another.
  std::vector<Label> together_with;

  Diagnostic() = default;
  Diagnostic(const Kind& k, source::Span span, std::string text)
      : kind(&k), severity(k.severity), message(std::move(text)), primary(span) {}

  Diagnostic& labelled(std::string text) {
    label = std::move(text);
    return *this;
  }
  Diagnostic& relate(source::Span span, std::string text) {
    related.push_back({span, std::move(text)});
    return *this;
  }
  Diagnostic& witnessed(std::string text) {
    witness = std::move(text);
    return *this;
  }
  Diagnostic& note(std::string text) {
    notes.push_back(std::move(text));
    return *this;
  }
  Diagnostic& helped(std::string text) {
    help = std::move(text);
    return *this;
  }
  Diagnostic& edit(source::Span span, std::string text) {
    edits.push_back({span, std::move(text)});
    return *this;
  }
  Diagnostic& about(std::string name) {
    policy = std::move(name);
    return *this;
  }
};

/// Collects what the passes find. Not thread-safe: one per file, joined afterwards.
class Sink {
 public:
  Diagnostic& emit(Diagnostic d) {
    if (d.severity == Severity::Error) ++errors_;
    list_.push_back(std::move(d));
    return list_.back();
  }
  /// emit(Diagnostic(kind, span, message)); the reference is valid until the next emit.
  Diagnostic& emit(const Kind& kind, source::Span span, std::string message) {
    return emit(Diagnostic(kind, span, std::move(message)));
  }
  std::size_t errors() const { return errors_; }
  /// Keeps the first of those that say the same about the same place: a fragment that is read for each policy that
  /// includes it has its mistake once.
  void drop_repeated();
  const std::vector<Diagnostic>& all() const { return list_; }
  std::vector<Diagnostic>& all() { return list_; }

 private:
  std::vector<Diagnostic> list_;
  std::size_t errors_ = 0;
};

}  // namespace agp::diagnostics
