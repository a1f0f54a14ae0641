#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backends/backend.hpp"
#include "compiler/cli/commands.hpp"
#include "compiler/diagnostics/json.hpp"
#include "compiler/plan/plan.hpp"

namespace agp::cli {

int run_backends(Context& context) {
  if (!context.settings.arguments.empty()) return context.usage({"`backends` takes no argument", {}});
  const bool json = context.settings.format == diagnostics::Format::Json;
  if (!json && !context.text_format()) return context.usage({"`backends` has the formats text and json", {}});
  nlohmann::ordered_json records = nlohmann::ordered_json::array();
  std::string text;
  for (const backends::Backend* backend : backends::all()) {
    std::vector<std::string> stacks;
    for (const std::string_view stack : plan::stacks())
      if (backend->in_stack(stack)) stacks.emplace_back(stack);
    records.push_back({{"name", backend->name()}, {"summary", backend->summary()}, {"stacks", stacks}});
    text += fmt::format(
        "{:<11} {}; {}\n", backend->name(), backend->summary(),
        stacks.empty() ? "advisory: no stack loads it" : fmt::format("loaded by {}", fmt::join(stacks, ", ")));
  }
  context.out(json ? diagnostics::json_text(records) : text);
  return 0;
}

}  // namespace agp::cli
