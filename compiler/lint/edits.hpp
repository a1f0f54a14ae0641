#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/model/policy.hpp"

namespace agp::lint {

/// Where lines can be put into a policy file. Parsed when the first finding wants to.
class Layout {
 public:
  explicit Layout(const source::Files& files) : files_(files) {}

  /// Gives `d` the edits that put a guard into the policy: its `use`, where the file has none, and its `include` with
  /// `argument` (`root: "/x"`, or nothing). A deny holds wherever it stands: the edits take away what the guard denies,
  /// and nothing else.
  void include_guard(const model::Policy& policy, std::string_view guard, std::string_view argument,
                     diagnostics::Diagnostic& d);

  /// Gives `d` the edit that puts a rule behind another one of the same block, on a line of its own where that one ends
  /// a line.
  void add_rule(source::Span behind, const std::string& rule, diagnostics::Diagnostic& d);

  /// Where the words within `span` stand: names and numbers of a rule, without strings, comments and marks.
  std::vector<source::Span> words(source::Span span);

 private:
  /// Behind what a new line goes: at the line below `after`, or right behind it where the line goes on.
  struct Place {
    std::uint32_t after = 0;
    std::string indent;
    bool apart = false;  ///< with an empty line before it
  };
  struct Parsed {
    std::map<std::string, std::string> names;  ///< modules in use, and what they are called
    Place uses;                                ///< of a new `use`
    std::map<std::uint32_t, Place> includes;   ///< of a new `include`, by where the policy's name begins
  };
  const Parsed& of(source::FileId file);
  const std::vector<std::uint32_t>& tokens(source::FileId file);
  void put(source::FileId file, const Place& place, const std::string& line, diagnostics::Diagnostic& d) const;

  const source::Files& files_;
  std::map<source::FileId, Parsed> parsed_;
  std::map<source::FileId, std::vector<std::uint32_t>> tokens_;  ///< where each begins, ascending
};

/// `std.guard.git.hooks` is brought by `use std.guard.git`.
std::string module_of(std::string_view guard);

/// The span of a comment as it is to be deleted: with its line where nothing else stands there, else with the blanks
/// before it.
source::Span whole_comment(const source::Files& files, source::Span comment);

}  // namespace agp::lint
