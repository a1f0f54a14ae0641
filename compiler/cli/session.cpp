#include "compiler/cli/session.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "compiler/diagnostics/text.hpp"

namespace agp::cli {

using diagnostics::visible;

std::string counted(std::size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string place(const source::Files& files, source::Span span) {
  if (!span.known()) return {};
  const source::Position at = files.position(span.file, span.begin);
  return fmt::format("{}:{}:{}", diagnostics::visible(files.get(span.file).path), at.line, at.column);
}

void say_what_was_read(Context& context, const driver::Session& session) {
  if (!context.settings.verbose || !session.project) return;
  const project::Config& config = session.project->config();
  context.err(fmt::format("agp {}: project root {}\n", context.name, visible(session.project->root())));
  context.err(
      fmt::format("agp {}: configuration {}\n", context.name, config.path.empty() ? "none" : visible(config.path)));
  std::set<std::pair<bool, std::string>> read;  // a module of the library may have been read for each of several files
  for (source::FileId id = 0; id < session.files.size(); ++id)
    read.emplace(session.files.get(id).library, session.files.get(id).path);
  for (const auto& [library, path] : read)
    context.err(fmt::format("agp {}: read {}{}\n", context.name, visible(path), library ? " of the library" : ""));
}

int settle(Context& context, const driver::Session& session) {
  if (session.unusable) context.outcome.unusable();
  if (session.undecided) context.outcome.undecided();
  return context.outcome.code();
}

std::optional<UsageError> one_file(const Context& context, std::string_view usage) {
  if (context.settings.arguments.size() == 1) return std::nullopt;
  return UsageError{context.settings.arguments.empty() ? "no policy file is named" : "more than one file is named",
                    fmt::format("the command is `agp {} {}`", context.name, usage)};
}

ProofWords words(const verify::Verdict& verdict) {
  return verdict.match(
      [](const solver::Proved&) {
        return ProofWords{"proved", {}, {}};
      },
      [](const verify::Witness& w) {
        return ProofWords{"refuted", w.action, w.observed + (w.place.empty() ? "" : ", at " + w.place)};
      },
      [](const solver::Unknown& unknown) {
        return ProofWords{"unknown", {}, unknown.reason};
      });
}

std::string obligations_text(std::span<const verify::Obligation> obligations,
                             std::span<const std::string> not_verified) {
  std::string out;
  for (const verify::Obligation& one : obligations) {
    const ProofWords said = words(one.verdict);
    out +=
        fmt::format("{:<12}  {}{}: {}", said.verdict, visible(one.artifact),
                    one.arch.empty() ? "" : fmt::format(" ({})", visible(one.arch)), verify::to_string(one.direction));
    if (!said.witness.empty())
      out += fmt::format(": `{}` is {}", visible(said.witness), visible(said.reason));
    else if (!said.reason.empty())
      out += fmt::format(": {}", visible(said.reason));
    out += '\n';
  }
  for (const std::string& path : not_verified) out += fmt::format("{:<12}  {}\n", "not verified", visible(path));
  return out;
}

std::string obligations_summary(std::span<const verify::Obligation> obligations,
                                std::span<const std::string> not_verified) {
  std::size_t proved = 0, refuted = 0, unknown = 0;
  for (const verify::Obligation& one : obligations)
    one.verdict.match([&](const solver::Proved&) { ++proved; }, [&](const verify::Witness&) { ++refuted; },
                      [&](const solver::Unknown&) { ++unknown; });
  std::string out = fmt::format("{} proved", proved);
  if (refuted > 0) out += fmt::format(", {} refuted", refuted);
  if (unknown > 0) out += fmt::format(", {} unknown", unknown);
  if (!not_verified.empty()) out += fmt::format(", {} not verified", not_verified.size());
  return out;
}

nlohmann::ordered_json obligations_json(std::span<const verify::Obligation> obligations,
                                        std::span<const std::string> not_verified) {
  using Json = nlohmann::ordered_json;
  const auto maybe = [](const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(diagnostics::valid_utf8(text));
  };
  Json list = Json::array();
  for (const verify::Obligation& one : obligations) {
    const ProofWords said = words(one.verdict);
    list.push_back({{"artifact", one.artifact},
                    {"layer", one.layer},
                    {"arch", one.arch},
                    {"direction", verify::to_string(one.direction)},
                    {"statement", one.statement},
                    {"verdict", said.verdict},
                    {"witness", maybe(said.witness)},
                    {"reason", maybe(said.reason)}});
  }
  Json paths = Json::array();
  for (const std::string& path : not_verified) paths.push_back(diagnostics::valid_utf8(path));
  return {{"obligations", list}, {"not_verified", paths}};
}

}  // namespace agp::cli
