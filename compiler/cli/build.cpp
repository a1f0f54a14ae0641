#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

/// What a reader of the build's end must not miss: what was proved, and what was not.
std::string outcome_text(const driver::BuiltPolicy& built) {
  using diagnostics::visible;
  std::size_t proved = 0;
  for (const verify::Obligation& one : built.obligations) proved += one.verdict.proved() ? 1 : 0;
  std::string out = fmt::format("  {}: {}, ", visible(built.policy.name), counted(built.artifacts.size(), "artifact", "artifacts"));
  if (built.proofs_skipped) return out + "proofs skipped: --no-verify\n";
  out += fmt::format("{} of {} proved", proved, counted(built.obligations.size(), "obligation", "obligations"));
  if (!built.not_verified.empty()) {
    out += "\n    not verified:";
    for (const std::string& path : built.not_verified) out += ' ' + visible(path);
  }
  return out + '\n';
}

}  // namespace

int run_build(Context& context) {
  const Settings& settings = context.settings;
  if (settings.build.directory.empty())
    return context.usage({"no output directory is named", "add `-o DIR`"});
  if (!settings.build.all)
    if (const auto wrong = one_file(context, "FILE -o DIR")) return context.usage(*wrong);
  driver::Session session(settings.driver);
  const driver::BuildReport report = driver::build(session, settings.arguments, settings.build);
  say_what_was_read(context, session);
  context.findings(session.files, session.sink, stderr);
  if (report.written) {
    context.err(fmt::format("wrote {}\n", diagnostics::visible(settings.build.directory)));
    for (const driver::BuiltPolicy& built : report.policies) context.err(outcome_text(built));
  }
  context.closing(counted(report.policies.size(), "policy", "policies"));
  return settle(context, session);
}

}  // namespace agp::cli
