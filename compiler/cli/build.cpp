#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/depfile.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

/// What a reader of the build's end must not miss: what was proved, and what was not.
std::string outcome_text(const driver::BuiltPolicy& built) {
  using diagnostics::visible;
  std::string out =
      fmt::format("  {}: {}, ", visible(built.policy.name), counted(built.artifacts.size(), "artifact", "artifacts"));
  const std::string audited = plan::audited_blocks(built.policy);
  if (!audited.empty()) out += fmt::format("audit for {}, ", audited);
  if (built.proofs_skipped) return out + "proofs skipped: --no-verify\n";
  out += obligations_summary(built.obligations, built.not_verified);
  if (!built.not_verified.empty()) {
    out += "\n    not verified:";
    for (const std::string& path : built.not_verified) out += ' ' + visible(path);
  }
  return out + '\n';
}

}  // namespace

int run_build(Context& context) {
  const Settings& settings = context.settings;
  if (settings.build.directory.empty()) return context.usage({"no output directory is named", "add `-o DIR`"});
  if (!settings.build.all)
    if (const auto wrong = one_file(context, "FILE -o DIR")) return context.usage(*wrong);
  context.findings_own_stderr();
  driver::Session session(settings.driver);
  session.progress = &context.ticker.progress;
  driver::BuildOptions options = settings.build;
  options.fail_on = settings.fail_on;
  const driver::BuildReport report = driver::build(session, settings.arguments, options);
  say_what_was_read(context, session);
  nlohmann::ordered_json policies = nlohmann::ordered_json::array();
  for (const driver::BuiltPolicy& built : report.policies) {
    nlohmann::ordered_json one = {{"policy", diagnostics::valid_utf8(built.policy.name)},
                                  {"artifacts", built.artifacts}};
    one.update(obligations_json(built.obligations, built.not_verified));
    one["proofs_skipped"] = built.proofs_skipped;
    policies.push_back(std::move(one));
  }
  context.findings(session.files, session.sink, stderr, {{"written", report.written}, {"policies", policies}});
  if (report.written) {
    context.err(fmt::format("wrote {}\n", diagnostics::visible(settings.build.directory)));
    for (const driver::BuiltPolicy& built : report.policies) context.err(outcome_text(built));
  }
  write_depfile(context, session);
  context.closing(counted(report.policies.size(), "policy", "policies"));
  return settle(context, session);
}

}  // namespace agp::cli
