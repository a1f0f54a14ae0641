// `agp import --from oci-seccomp FILE`: the policy goes to standard output; what was found on the way to standard
// error.
#include "compiler/driver/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/session.hpp"

namespace agp::cli {

int run_import(Context& context) {
  const Settings& settings = context.settings;
  if (settings.from != "oci-seccomp")
    return context.usage(
        {settings.from.empty() ? "import needs to know what the file is" : "nothing is imported from that kind of file",
         "the command is `agp import --from oci-seccomp FILE`"});
  if (settings.arguments.size() != 1)
    return context.usage({settings.arguments.empty() ? "no profile is named" : "more than one profile is named",
                          "the command is `agp import --from oci-seccomp FILE`"});
  driver::Session session(settings.driver);
  const auto report = driver::import_profile(session, settings.arguments[0], settings.caps);
  if (!report) {
    context.findings(session.files, session.sink, stdout);
    context.closing("");
    return settle(context, session);
  }
  context.out(report->text);
  context.findings_own_stderr();
  context.findings(session.files, session.sink, stderr, obligations_json(report->obligations, {}));
  const bool equal = !report->obligations.empty() && std::all_of(report->obligations.begin(), report->obligations.end(),
                                                                 [](const auto& o) { return o.verdict.proved(); });
  for (const verify::Obligation& one : report->obligations)
    one.verdict.match([](const solver::Proved&) {}, [&](const verify::Witness&) { context.outcome.finding(); },
                      [&](const solver::Unknown&) { context.outcome.undecided(); });
  context.closing(fmt::format(
      "{}, {} wider than {} looks, {} not carried over", equal ? "proved equal as register values" : "not proved equal",
      counted(report->wider, "call", "calls"), report->wider == 1 ? "it" : "the source", report->dropped));
  return settle(context, session);
}

}  // namespace agp::cli
