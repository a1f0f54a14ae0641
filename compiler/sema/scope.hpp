#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/model/path_pattern.hpp"
#include "compiler/sema/module.hpp"

namespace agp::sema {

/// Where names are looked up: the arguments of a fragment first, then its module's parameters and constants.
struct Scope {
  const Module* module = nullptr;
  const std::map<std::string, Value>* locals = nullptr;
};

/// Evaluates values and strings. One per instantiation of a policy: `overrides` are the values of `--set` and of a
/// test's arguments for the root file's parameters. Each constant is evaluated once; a mistake in it is reported once.
class Evaluator {
 public:
  Evaluator(const Module& root, std::map<std::string, Value> overrides, diagnostics::Sink& sink)
      : root_(root), overrides_(std::move(overrides)), sink_(sink) {}

  diagnostics::Sink& sink() { return sink_; }

  /// Nothing when a diagnostic was emitted (perhaps earlier).
  std::optional<Value> lookup(const Scope& scope, const std::string& name, Span at);
  std::optional<Value> evaluate(const Scope& scope, const syntax::Value& value);
  /// The value as the type of a parameter; emits AGP1056 where it is not one.
  std::optional<Value> evaluate_as(const Scope& scope, const syntax::Value& value, const syntax::Type& type);

  /// A string with its interpolations, where no pattern is meant: `*` is itself.
  std::optional<std::string> text(const Scope& scope, const syntax::String& s);
  /// The same for a path: absolute and canonical, else AGP1062. `${x}` may be a whole path.
  std::optional<std::string> path(const Scope& scope, const syntax::String& s);
  /// Path patterns; a list in an interpolation gives one for each element. Empty when a diagnostic was emitted.
  std::vector<model::PathPattern> path_patterns(const Scope& scope, const syntax::String& s);
  /// Glob texts of env and tool patterns with `\` before literal pattern characters, one for each element of a list.
  std::vector<std::string> globs(const Scope& scope, const syntax::String& s);

 private:
  /// A character and whether it is literal for sure.
  struct Char {
    char c;
    bool literal;
  };
  /// One text for each combination of the lists in it: none where a list is empty. Nothing when a diagnostic was
  /// emitted.
  std::optional<std::vector<std::vector<Char>>> expand(const Scope& scope, const syntax::String& s);
  std::optional<model::PathPattern> to_pattern(const std::vector<Char>& chars, Span span);

  const Module& root_;
  std::map<std::string, Value> overrides_;
  diagnostics::Sink& sink_;
  std::map<std::pair<const Module*, std::string>, std::optional<Value>> known_;
  std::set<std::pair<const Module*, std::string>> evaluating_;
  bool too_deep_ = false;  ///< reported once
};

/// Canonical spelling of a pattern: literal pattern characters escaped.
std::string pattern_text(const model::PathPattern& pattern);

}  // namespace agp::sema
