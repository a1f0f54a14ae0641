#pragma once
#include <memory>
#include <string>
#include <vector>

#include "compiler/lint/edits.hpp"
#include "compiler/lint/lint.hpp"

namespace agp::lint {

/// One finding before levels and suppressions. `statement` is the rule, `include` or block it is about: a suppression
/// above it, or behind the line of the primary span, concerns it.
struct Finding {
  diagnostics::Diagnostic diagnostic;
  source::Span statement;
  std::size_t extent = 0;  ///< of a reach: how many cells the place grants, to compare with others at the same place
};

class Reach;
class Suppressions;

/// What every lint gets: one policy, and where its findings go.
class Context {
 public:
  Context(const source::Files& all_files, const model::Policy& looked_at, const Options& settings,
          Suppressions& suppressions, Layout& where);
  ~Context();

  const source::Files& files;
  const model::Policy& policy;
  const Options& options;
  Layout& layout;  ///< for edits
  std::vector<Finding> findings;
  bool decided = true;
  std::string undecided;  ///< why not

  /// Where a grant of a rule stands: the pattern itself, or the `include` outside the library that brings it.
  struct Place {
    source::Span span, statement;
    std::string text;  ///< `write "/a/**"`, `include std.runtime.python`
    bool included = false;
    friend bool operator==(const Place& a, const Place& b) { return a.span == b.span; }
  };
  Place place(const model::Rule& rule, source::Span pattern, const std::string& text) const;

  diagnostics::Diagnostic& report(const diagnostics::Kind& kind, source::Span span, source::Span statement,
                                  std::string message);
  diagnostics::Diagnostic& report(const diagnostics::Kind& kind, const Place& place, std::string message) {
    return report(kind, place.span, place.statement, std::move(message));
  }
  /// About the policy as a whole.
  diagnostics::Diagnostic& report(const diagnostics::Kind& kind, std::string message) {
    return report(kind, policy.name_span, policy.name_span, std::move(message));
  }
  /// Is there a suppression of this kind at the place? It is then a used one.
  bool suppressed(const diagnostics::Kind& kind, source::Span span, source::Span statement);
  /// Off by configuration: not worth the work.
  bool off(const diagnostics::Kind& kind) const {
    const auto at = options.levels.find(kind.number);
    return at != options.levels.end() && !at->second;
  }
  /// The policy's file rules and all sets of paths that lints ask about, cut once: whoever asks first, asks for all.
  Reach& file_reach();
  void give_up(const std::string& why) {
    decided = false;
    undecided = why;
  }

 private:
  Suppressions& suppressions_;
  std::unique_ptr<Reach> file_reach_;
};

// The lints, in the order of their kinds. Each adds to `context.findings`.
void find_reaches(Context& context);         ///< rows.cpp
void find_broad_files(Context& context);     ///< whole homes, whole machines
void find_network_shapes(Context& context);  ///< endpoints, names
void find_run_shapes(Context& context);      ///< mounts, user, bounds, mode
void find_rule_shapes(Context& context);     ///< env, system calls, exec
void find_chains(Context& context);          ///< sets of grants

}  // namespace agp::lint
