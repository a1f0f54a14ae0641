#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {

namespace {

/// What is in the certificate is its own to say; what is not must not be missed. Why a directory can't be written is a
/// finding of its own.
void say_certificate(Context& context, const std::string& directory, const driver::VerifyReport& report) {
  using diagnostics::visible;
  const bool proved =
      report.not_verified.empty() && std::all_of(report.obligations.begin(), report.obligations.end(),
                                                 [](const verify::Obligation& one) { return one.verdict.proved(); });
  if (!report.certified)
    return context.err(fmt::format("no certificate is written{}\n", proved ? "" : ": not everything is proved"));
  context.err(fmt::format("wrote {}\n", visible(directory)));
  for (const std::string& line : report.not_certified) context.err(fmt::format("not certified  {}\n", visible(line)));
}

}  // namespace

int run_verify(Context& context) {
  driver::VerifyInput input = context.settings.verify;
  auto& arguments = context.settings.arguments;
  const bool artifact = input.seccomp || input.oci_seccomp || input.oci || input.podman || input.docker || input.nft ||
                        input.nft_json || input.landlock;
  if (arguments.empty() || arguments.size() > 2 || (arguments.size() == 2) == artifact)
    return context.usage({"verify takes a policy file, and a built directory or artifacts",
                          "the command is `agp verify FILE DIR`, or `agp verify FILE --seccomp FILTER --arch ARCH`"});
  if (!artifact) input.directory = arguments[1];
  driver::Session session(context.settings.driver);
  session.progress = &context.ticker.progress;
  const driver::VerifyReport report = driver::verify(session, arguments[0], input);
  say_what_was_read(context, session);
  const bool text = context.text_format();
  if (text) context.out(obligations_text(report.obligations, report.not_verified));
  nlohmann::ordered_json extra = obligations_json(report.obligations, report.not_verified);
  if (input.rootfs) {
    extra["discharged"] = report.discharged;
    for (const std::string& assumption : report.discharged)
      if (text) context.out(fmt::format("{:<12}  {}, by looking\n", "holds", assumption));
  }
  if (input.certificate)
    extra["certificate"] = {{"written", report.certified}, {"not_certified", report.not_certified}};
  context.findings(session.files, session.sink, stdout, extra);
  // A verdict is three-valued: only "proved" lets the run succeed, whatever the driver made of it.
  for (const verify::Obligation& one : report.obligations)
    one.verdict.match([](const solver::Proved&) {}, [&](const verify::Witness&) { context.outcome.finding(); },
                      [&](const solver::Unknown&) { context.outcome.undecided(); });
  if (!report.not_verified.empty()) context.outcome.undecided();
  if (input.certificate) say_certificate(context, *input.certificate, report);
  const std::string audited = report.policy ? plan::audited_blocks(report.policy->policy) : "";
  context.closing((audited.empty() ? "" : "audit for " + audited + ", ") +
                  obligations_summary(report.obligations, report.not_verified));
  return settle(context, session);
}

}  // namespace agp::cli
