#include <fmt/format.h>

#include "compiler/cli/commands.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

constexpr std::size_t name_column = 27;

std::string option_line(const OptionRow& row) {
  std::string name(row.names.starts_with("--") ? "    " : "");
  for (const char c : row.names) name += c == ',' ? ", " : std::string(1, c);
  if (!row.value.empty()) name += fmt::format(" {}", row.value);
  std::string out = fmt::format("  {:<{}}", name, name_column);
  bool first = true;
  for (const std::string& words : diagnostics::wrap(row.help, 100 - name_column)) {
    if (!first || name.size() >= name_column) out += fmt::format("{}\n{:{}}", first ? "" : "", "", name_column + 2);
    out += words;
    first = false;
  }
  return out + '\n';
}

}  // namespace

std::string overview() {
  std::string out =
      "agp compiles and proves policies for the sandboxes of AI agents\n\nusage: agp COMMAND [OPTIONS] [ARGUMENTS]\n\n";
  for (const CommandRow& row : command_table()) out += fmt::format("  {:<12}{}\n", row.name, row.summary);
  return out +
         "\n`agp help COMMAND` says more about one. The exit status is 0 without findings, 1 with findings, 2 when the "
         "input,\nthe options or the output can't be used, 3 when something was not decided, and 70 for a bug in "
         "agp.\n";
}

std::string command_help(const CommandRow& row) {
  std::string out =
      fmt::format("{}\n\nusage: agp {}{}{}\n", row.summary, row.name, row.usage.empty() ? "" : " ", row.usage);
  if (!row.details.empty()) out += fmt::format("\n{}\n", row.details);
  out += "\noptions:\n";
  for (const OptionRow& option : option_table())
    if ((option.commands & row.command) != 0) out += option_line(option);
  return out;
}

int run_help(Context& context) {
  const auto& words = context.settings.arguments;
  if (words.empty()) {
    context.out(overview());
    return 0;
  }
  const CommandRow* row = words.size() == 1 ? find_command(words[0]) : nullptr;
  if (row == nullptr) return context.usage(unknown_command(words[0]));
  context.out(command_help(*row));
  return 0;
}

}  // namespace agp::cli
