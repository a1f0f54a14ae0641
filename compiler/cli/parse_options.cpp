// In: the words behind a command's name, and the table. Out: settings, or the one mistake to mend first. The rules are
// getopt_long's: `-o DIR`, `-oDIR`, `-qv`, `--output DIR`, `--output=DIR`; options and arguments in any order; `--`
// ends options; `-` is an argument. A value that begins with `-` is written `--option=-value`, so that a forgotten
// value does not swallow the next option.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/cli/options.hpp"
#include "compiler/diagnostics/suggest.hpp"

namespace agp::cli {
namespace {

/// "-o,--output" -> "--output".
std::string_view long_name(const OptionRow& row) { return row.names.substr(row.names.find("--")); }

const OptionRow* find_long(Command command, std::string_view name) {
  for (const OptionRow& row : option_table())
    if ((row.commands & command) != 0 && long_name(row) == name) return &row;
  return nullptr;
}

const OptionRow* find_short(Command command, char letter) {
  for (const OptionRow& row : option_table())
    if ((row.commands & command) != 0 && letter != '-' && row.names[1] == letter) return &row;
  return nullptr;
}

UsageError unknown_option(Command command, std::string_view name) {
  std::vector<std::string_view> names;
  for (const OptionRow& row : option_table()) {
    if ((row.commands & command) != 0)
      names.push_back(long_name(row));
    else if (long_name(row) == name)
      return {fmt::format("`{}` is an option of other commands", name), "`agp help COMMAND` lists a command's options"};
  }
  std::string help = diagnostics::did_you_mean(name, names);
  if (help.empty()) help = "`--help` lists the options; a path that begins with `-` goes behind `--`";
  return {fmt::format("there is no option `{}`", name), help};
}

UsageError needs_value(std::string_view name, const OptionRow& row) {
  return {fmt::format("`{}` needs a value", name), fmt::format("write `{}={}`", long_name(row), row.value)};
}

std::optional<UsageError> use(const OptionRow& row, const std::string& value, Settings& settings) {
  const std::string fault = row.apply(settings, value);
  if (!row.about_run) settings.driver.words += fmt::format("{} {}:{}\n", row.names, value.size(), value);
  if (fault.empty()) return std::nullopt;
  return UsageError{
      fmt::format("`{}` can't be {}: {}", long_name(row), value.empty() ? "empty" : "`" + value + "`", fault), {}};
}

/// The words that have not been looked at.
using Rest = std::span<const std::string>;

/// The value of an option that does not hold it: the next word, unless it looks like an option.
std::optional<std::string> next_value(Rest& rest) {
  if (rest.empty() || (rest.front().size() > 1 && rest.front().front() == '-')) return std::nullopt;
  const std::string& value = rest.front();
  rest = rest.subspan(1);
  return value;
}

std::optional<UsageError> long_option(Command command, const std::string& word, Rest& rest, Settings& settings) {
  const std::size_t equals = std::min(word.find('='), word.size());
  const std::string_view name = std::string_view(word).substr(0, equals);
  const OptionRow* row = find_long(command, name);
  if (row == nullptr) return unknown_option(command, name);
  const bool has_value = equals < word.size();
  if (row->value.empty()) {
    if (has_value) return UsageError{fmt::format("`{}` takes no value", name), {}};
    return use(*row, "", settings);
  }
  if (has_value) return use(*row, word.substr(equals + 1), settings);
  const auto value = next_value(rest);
  return value ? use(*row, *value, settings) : needs_value(name, *row);
}

/// `-qv`, `-oDIR`, `-o DIR`.
std::optional<UsageError> short_options(Command command, const std::string& word, Rest& rest, Settings& settings) {
  for (std::size_t i = 1; i < word.size(); ++i) {
    const OptionRow* row = find_short(command, word[i]);
    if (row == nullptr) return unknown_option(command, i == 1 ? word : std::string{'-', word[i]});
    if (row->value.empty()) {
      if (auto wrong = use(*row, "", settings)) return wrong;
      continue;
    }
    if (i + 1 < word.size()) return use(*row, word.substr(i + 1), settings);
    const auto value = next_value(rest);
    return value ? use(*row, *value, settings) : needs_value(std::string{'-', word[i]}, *row);
  }
  return std::nullopt;
}

}  // namespace

std::optional<UsageError> parse_options(Command command, std::span<const std::string> arguments, Settings& settings) {
  Rest rest = arguments;
  while (!rest.empty()) {
    const std::string& word = rest.front();
    rest = rest.subspan(1);
    if (word == "--") {
      settings.arguments.insert(settings.arguments.end(), rest.begin(), rest.end());
      break;
    }
    std::optional<UsageError> wrong;
    if (word.starts_with("--"))
      wrong = long_option(command, word, rest, settings);
    else if (word.size() > 1 && word.front() == '-')
      wrong = short_options(command, word, rest, settings);
    else
      settings.arguments.push_back(word);
    if (wrong) return wrong;
  }
  return std::nullopt;
}

}  // namespace agp::cli
