#include "compiler/source/version.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "commit.hpp"
#include "compiler/cli/commands.hpp"
#include "compiler/diagnostics/json.hpp"
#include "compiler/solver/solver.hpp"

namespace agp::cli {
namespace {

constexpr std::string_view schemas[] = {"agp-alerts/1",      "agp-approvals/1", "agp-baseline/2",    "agp-budget/1",
                                        "agp-certificate/1", "agp-certified/1", "agp-diagnostics/1", "agp-diff/1",
                                        "agp-inspect/1",     "agp-logs/1",      "agp-manifest/1",    "agp-probe/1",
                                        "agp-probed/1",      "agp-query/1",     "agp-report/1",      "agp-target/1"};

std::string solver_version() {
  const std::string found = solver::installed_version();
  return found.empty() ? "not available" : found;
}

}  // namespace

int run_version(Context& context) {
  if (!context.settings.arguments.empty()) return context.usage({"`version` takes no argument", {}});
  if (context.settings.format == diagnostics::Format::Json) {
    context.out(diagnostics::json_text({{"version", version},
                                        {"commit", commit},
                                        {"language", language_version},
                                        {"library", library_edition},
                                        {"schemas", schemas},
                                        {"solver", solver_version()}}));
    return 0;
  }
  if (!context.text_format()) return context.usage({"`version` has the formats text and json", {}});
  context.out(fmt::format("agp {} (commit {})\nlanguage {}, library edition {}\nschemas {}\nsolver {}\n", version,
                          commit, language_version, library_edition, fmt::join(schemas, ", "), solver_version()));
  return 0;
}

}  // namespace agp::cli
