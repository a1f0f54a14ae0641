#include "compiler/cli/context.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "compiler/diagnostics/json.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/diagnostics/text.hpp"
#include "compiler/diagnostics/tree_kinds.hpp"

namespace agp::cli {
namespace {

using diagnostics::Diagnostic;
namespace kind = diagnostics::kind;

/// Findings that mean "this input or output can't be used": exit 2.
constexpr std::array unusable_kinds = {&kind::unreadable_file,   &kind::invalid_utf8,     &kind::invalid_config,
                                       &kind::outside_project,   &kind::output_refused,   &kind::output_failed,
                                       &kind::nothing_to_do,     &kind::policy_not_named, &kind::unknown_target,
                                       &kind::invalid_parameter, &kind::cache_unusable,   &kind::invalid_budget,
                                       &kind::unknown_artifact,  &kind::unlike_artifacts, &kind::invalid_baseline};
/// Findings that mean "a stated limit was reached" or "not decided": exit 3.
constexpr std::array undecided_kinds = {
    &kind::file_too_large,  &kind::nesting_too_deep,      &kind::too_many_files,      &kind::artifact_unknown,
    &kind::undecided_check, &kind::second_solver_unknown, &kind::comparison_undecided};

bool set_and_not_zero(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

}  // namespace

void Outcome::consider(const Diagnostic& d, const std::optional<diagnostics::Severity>& fail_on) {
  const auto among = [&](const auto& kinds) { return std::find(kinds.begin(), kinds.end(), d.kind) != kinds.end(); };
  if (d.kind == &kind::check_lost || d.kind == &kind::solvers_disagree)
    broken();
  else if (among(unusable_kinds) && d.severity == diagnostics::Severity::Error)
    unusable();
  else if (among(undecided_kinds))
    undecided();
  else if (fail_on && d.severity >= *fail_on)
    finding();
}

void Context::put(std::FILE* stream, std::string_view text) {
  ticker.stop();
  if (std::fwrite(text.data(), 1, text.size(), stream) != text.size() && stream == stdout) failed_ = true;
}

void Context::out(std::string_view text) { put(stdout, text); }

void Context::err(std::string_view text) {
  if (!settings.quiet && !silent_) put(stderr, text);
}

void Context::findings_own_stderr() {
  using diagnostics::Format;
  silent_ = settings.format == Format::Json || settings.format == Format::Sarif || settings.format == Format::Junit;
}

int Context::usage(const UsageError& error) {
  put(stderr, fmt::format("agp {}: {}\n", name, diagnostics::visible(error.message)));
  if (!error.help.empty()) put(stderr, fmt::format("  help: {}\n", diagnostics::visible(error.help)));
  outcome.unusable();
  return outcome.code();
}

diagnostics::RenderOptions Context::render_options(std::FILE* stream) const {
  diagnostics::RenderOptions options;
  const int fd = ::fileno(stream);
  const bool terminal = ::isatty(fd) == 1;
  const char* term = std::getenv("TERM");
  const bool capable = terminal && (term == nullptr || std::string_view(term) != "dumb");
  const char* no_color = std::getenv("NO_COLOR");
  if (settings.color != Color::Auto)
    options.color = settings.color == Color::Always;
  else if (no_color != nullptr && *no_color != '\0')
    options.color = false;
  else
    options.color = set_and_not_zero("CLICOLOR_FORCE") || capable;
  winsize size{};
  if (terminal && ::ioctl(fd, TIOCGWINSZ, &size) == 0) options.width = size.ws_col;
  return options;
}

void Context::findings(const source::Files& files, diagnostics::Sink& sink, std::FILE* stream) {
  findings(files, sink, stream, nullptr);
}

void Context::findings(const source::Files& files, diagnostics::Sink& sink, std::FILE* stream,
                       const nlohmann::ordered_json& extra, std::span<const diagnostics::TestCase> tests) {
  using diagnostics::Format;
  diagnostics::arrange(files, sink.all());
  const auto& list = sink.all();
  const auto rendered = [&](Format format, diagnostics::RenderOptions options) {
    options.fail_on = settings.fail_on;
    options.tests = tests;
    if (format != Format::Json || extra.is_null()) return diagnostics::render(format, files, list, options);
    nlohmann::ordered_json report = diagnostics::json_report(files, list);
    report.update(extra);
    return diagnostics::json_text(report);
  };
  put(stream, rendered(settings.format, render_options(stream)));
  for (const auto& [format, path] : settings.reports) {
    std::FILE* file = std::fopen(path.c_str(), "wbe");
    const std::string text = rendered(format, {});
    const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if ((file != nullptr && std::fclose(file) != 0) || !written)
      usage({fmt::format("`{}` can't be written", path), {}});
  }
  for (const Diagnostic& d : list) outcome.consider(d, settings.fail_on);
  summary_ = diagnostics::summary(list);
}

void Context::closing(std::string_view text) {
  if (std::fflush(stdout) != 0) failed_ = true;  // where both streams are one, the summary stands below the findings
  err(fmt::format("agp {}: {}{}{}\n", name, diagnostics::visible(text), text.empty() ? "" : ": ",
                  !summary_.empty()     ? summary_
                  : outcome.code() == 3 ? "not everything is decided"
                                        : "no findings"));
}

int Context::finish() {
  if (std::fflush(stdout) != 0) failed_ = true;
  if (failed_) usage({"standard output can't be written", {}});
  return outcome.code();
}

}  // namespace agp::cli
