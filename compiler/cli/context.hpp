#pragma once
#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "compiler/cli/options.hpp"
#include "compiler/cli/settings.hpp"
#include "compiler/cli/ticker.hpp"

namespace agp::cli {

/// What a run came to. Several at once: 70, then 2, then 1, then 3 (CLI.md).
class Outcome {
 public:
  void finding() { finding_ = true; }
  void unusable() { unusable_ = true; }
  void undecided() { undecided_ = true; }
  void broken() { broken_ = true; }  ///< a bug in agp
  /// Which of them a finding is: input that can't be used, a limit or an undecided proof, or else a finding where its
  /// severity reaches `fail_on`.
  void consider(const diagnostics::Diagnostic& d, const std::optional<diagnostics::Severity>& fail_on);
  int code() const { return broken_ ? 70 : unusable_ ? 2 : finding_ ? 1 : undecided_ ? 3 : 0; }

 private:
  bool finding_ = false, unusable_ = false, undecided_ = false, broken_ = false;
};

/// The streams of one run of one command, and its outcome.
class Context {
 public:
  Context(std::string_view command, Settings& chosen) : name(command), settings(chosen), ticker(command) {}

  const std::string_view name;  ///< "check"
  Settings& settings;
  Outcome outcome;
  Ticker ticker;  ///< stopped by the first thing that is printed

  void out(std::string_view text);  ///< what the command is for
  void err(std::string_view text);  ///< about the run; nothing with -q

  /// For a command whose findings go to standard error: in a format for machines they are all that is printed there.
  void findings_own_stderr();

  /// Reports a mistake on the command line; always printed. Returns the exit code.
  int usage(const UsageError& error);

  /// Renders the findings in the run's format to `stream`, writes every --report, and considers each for the outcome.
  /// `extra` has members that the JSON form gets beside the findings; null: none. `tests` is what
  /// JUnit lists beside them.
  void findings(const source::Files& files, diagnostics::Sink& sink, std::FILE* stream,
                const nlohmann::ordered_json& extra, std::span<const diagnostics::TestCase> tests = {});
  void findings(const source::Files& files, diagnostics::Sink& sink, std::FILE* stream);

  /// The closing line "agp check: TEXT: 1 error", to standard error.
  void closing(std::string_view text);

  /// Flushes and returns the exit code.
  int finish();

  bool text_format() const { return settings.format == diagnostics::Format::Text; }
  diagnostics::RenderOptions render_options(std::FILE* stream) const;

 private:
  void put(std::FILE* stream, std::string_view text);

  std::string summary_;
  bool failed_ = false, silent_ = false;
};

}  // namespace agp::cli
