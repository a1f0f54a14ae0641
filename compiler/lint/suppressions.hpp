#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/lint/lint.hpp"

namespace agp::lint {

/// `// agp-allow NAME, … until YYYY-MM-DD: reason`, above a statement or behind a line of it. Read from the comments of
/// each file in which something is found; only what stands in the file that is checked is judged (malformed, expired,
/// unused).
class Suppressions {
 public:
  Suppressions(const source::Files& files, const Options& options) : files_(files), options_(options) {}

  /// Is the kind allowed at the place? The suppression counts as used.
  bool covers(const diagnostics::Kind& kind, source::Span span, source::Span statement);

  /// AGP3001 to AGP3003 of one file. Unused are only those within `looked_at`: where lints had a chance.
  void judge(source::FileId file, const std::vector<source::Span>& looked_at, diagnostics::Sink& sink);

 private:
  struct Entry {
    source::Span span;
    std::uint32_t line = 0;  ///< the line that it concerns, from 1; 0: none
    bool behind = false;     ///< at the end of that line: it is about nothing else of the statement
    std::vector<std::pair<const diagnostics::Kind*, bool>> kinds;  ///< and whether it was used
    std::string reason;                                            ///< what stands behind the last name
    std::string fault, help;                                       ///< why it counts for nothing
    bool expired = false;
    model::Day until = 0;
  };
  const std::vector<Entry>& of(source::FileId file);
  Entry read(source::Span span, std::string_view text) const;

  const source::Files& files_;
  const Options& options_;
  std::map<source::FileId, std::vector<Entry>> by_file_;
};

}  // namespace agp::lint
