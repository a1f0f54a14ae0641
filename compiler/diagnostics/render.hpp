#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diagnostics/diagnostic.hpp"

namespace agp::diagnostics {

enum class Format { Text, Concise, Json, Sarif, Github, Markdown, Junit };

/// "text", "concise", "json", "sarif", "github", "markdown", "junit".
std::optional<Format> find_format(std::string_view name);
std::string_view to_string(Format format);

/// One test that a run made, for the formats that list tests.
struct TestCase {
  enum class Outcome { Passed, Failed, Undecided };
  source::Span span;  ///< where it stands; the finding about a failed one has the same primary span
  std::string name;   ///< the same whatever the outcome
  Outcome outcome = Outcome::Passed;
};

struct RenderOptions {
  bool color = false;  ///< text only: ANSI colours
  unsigned width = 0;  ///< text only: columns of the terminal; 0: lines are as long as they are
  std::optional<Severity> fail_on =
      Severity::Error;                   ///< junit only: findings from here on are failures; none: no one is
  std::span<const TestCase> tests = {};  ///< junit only
};

/// The findings as one report of the format: text that ends with a line end, or nothing where there is nothing to say.
/// `list` is rendered in the order given by `arrange`. Whatever bytes a policy or a path holds, the report is valid
/// UTF-8 without control or bidirectional characters, and no line of it is a command to a build server but `github`'s
/// own.
std::string render(Format format, const source::Files& files, std::span<const Diagnostic> list,
                   const RenderOptions& options = {});

/// Puts findings in the order of reports, by place (path, offset), then severity and code. Drops exact repeats, and
/// what names and values (AGP1050 to AGP1999) have wrong where the text itself is wrong (AGP0007, AGP1001 to AGP1049).
void arrange(const source::Files& files, std::vector<Diagnostic>& list);

/// "2 errors, 1 warning"; empty when there is nothing.
std::string summary(std::span<const Diagnostic> list);

}  // namespace agp::diagnostics
