#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/diagnostics/json.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/driver/machine.hpp"
#include "compiler/plan/plan.hpp"
#include "compiler/plan/target_record.hpp"

namespace agp::cli {
namespace {

std::string line(const model::Target& t) {
  return fmt::format("{:<13} Linux {}.{}, Landlock ABI {}, {}, stack {}, runc {}.{}, nft {}.{}, dnsmasq {}.{}\n",
                     t.name, t.kernel.major, t.kernel.minor, t.landlock_abi, fmt::join(t.archs, ","), t.stack,
                     t.runc.major, t.runc.minor, t.nft.major, t.nft.minor, t.dnsmasq.major, t.dnsmasq.minor);
}

int probe(Context& context) {
  const auto machine = driver::probe_machine();
  if (!machine) return context.usage({"this machine is not a Linux of an architecture that agp has a table of", {}});
  for (const std::string& remark : machine->remarks) context.err(fmt::format("agp: {}\n", remark));
  context.out(diagnostics::json_text(plan::target_record(machine->target)));
  return 0;
}

}  // namespace

int run_targets(Context& context) {
  const auto& words = context.settings.arguments;
  const bool json = context.settings.format == diagnostics::Format::Json;
  if (!json && !context.text_format()) return context.usage({"`targets` has the formats text and json", {}});
  if (context.settings.probe_machine)
    return words.empty() ? probe(context) : context.usage({"`targets --probe` takes no argument", {}});
  if (words.size() > 1) return context.usage({"one target at a time", {}});
  if (words.size() == 1) {
    if (const auto* target = plan::find_target(words[0])) {
      context.out(diagnostics::json_text(plan::target_record(*target)));
      return 0;
    }
    std::vector<std::string_view> names;
    for (const auto& t : plan::builtin_targets()) names.push_back(t.name);
    const std::string meant = diagnostics::did_you_mean(words[0], names);
    return context.usage({fmt::format("no built-in target is called `{}`", words[0]),
                          meant.empty() ? fmt::format("targets are {}", fmt::join(names, ", ")) : meant});
  }
  nlohmann::ordered_json records = nlohmann::ordered_json::array();
  std::string text;
  for (const auto& t : plan::builtin_targets()) {
    records.push_back(plan::target_record(t));
    text += line(t);
  }
  context.out(json ? diagnostics::json_text(records) : text);
  return 0;
}

}  // namespace agp::cli
