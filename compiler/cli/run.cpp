// The way of a command line: find the command, read its options, run it. Whatever goes wrong on the way is exit 2 with
// one line and, where there is one, the word that was meant.
#include <fmt/format.h>

#include <exception>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/input.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

int run_command(const CommandRow& row, std::span<const std::string> arguments) {
  Settings settings;
  Context context(row.name, settings);
  if (const auto wrong = parse_options(row.command, arguments, settings)) return context.usage(*wrong);
  if (settings.help) {
    context.out(command_help(row));
    return context.finish();
  }
  if (const auto wrong = choose_date(settings)) return context.usage(*wrong);
  if (const auto wrong = try_reports(settings)) return context.usage(*wrong);
  if (!settings.quiet) context.ticker.start();
  driver::Progress::begin(&context.ticker.progress, "reading standard input", 0);
  if (const auto wrong = read_input(settings, row.command == Logs)) return context.usage(*wrong);
  driver::Progress::begin(&context.ticker.progress, "reading", 0);
  row.run(context);
  return context.finish();
}

int dispatch(std::span<const std::string> arguments) {
  if (arguments.empty()) {
    fmt::print(stderr, "{}", overview());
    return 2;
  }
  const std::string& word = arguments[0];
  if (word == "-h" || word == "--help") return run_command(*find_command("help"), {});
  if (word == "-V" || word == "--version") return run_command(*find_command("version"), arguments.subspan(1));
  if (const CommandRow* row = find_command(word)) return run_command(*row, arguments.subspan(1));
  if (word.size() > 1 && word[0] == '-') {
    fmt::print(stderr, "agp: a command comes before the option `{}`\n  help: `agp help` lists the commands\n",
               diagnostics::visible(word));
    return 2;
  }
  const UsageError error = unknown_command(word);
  fmt::print(stderr, "agp: {}\n  help: {}\n", diagnostics::visible(error.message), diagnostics::visible(error.help));
  return 2;
}

}  // namespace

UsageError unknown_command(const std::string& word) {
  std::vector<std::string_view> names;
  for (const CommandRow& row : command_table()) names.push_back(row.name);
  const std::string meant = diagnostics::did_you_mean(word, names);
  return {fmt::format("there is no command `{}`", word), meant.empty() ? "`agp help` lists the commands" : meant};
}

const CommandRow* find_command(std::string_view name) {
  for (const CommandRow& row : command_table())
    if (row.name == name) return &row;
  return nullptr;
}

int run(std::span<const std::string> arguments) {
  try {
    return dispatch(arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "agp: internal error: {}; please report it with the command and its input\n",
               diagnostics::visible(error.what()));
  } catch (...) {
    fmt::print(stderr, "agp: internal error; please report it with the command and its input\n");
  }
  return 70;
}

}  // namespace agp::cli
