#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/cli/settings.hpp"

namespace agp::cli {

/// The commands that an option belongs to, as bits.
enum Command : std::uint32_t {
  Check = 1,
  Build = 2,
  Verify = 4,
  Query = 8,
  Test = 16,
  Probe = 32,
  Fmt = 64,
  Explain = 128,
  Version = 256,
  Help = 512,
  Compare = 1024,
  Diff = 2048,
  Inspect = 4096,
  Import = 8192,
  Doc = 16384,
  Targets = 32768,
  Backends = 65536,
  Completion = 131072,
  Logs = 1u << 24,
  New = 1u << 25,
};
inline constexpr std::uint32_t reads_policies = Check | Build | Verify | Query | Test | Probe | Diff | Doc | Logs;
inline constexpr std::uint32_t has_findings = reads_policies | Fmt | Compare | Inspect | Import;
inline constexpr std::uint32_t every_command = ~0u;

/// One option. The table is the only place that knows an option's name, commands and meaning: parsing, help and the
/// reference page come from it.
struct OptionRow {
  std::string_view names;  ///< "-o,--output"
  std::string_view value;  ///< "DIR"; empty: a flag
  std::string_view help;   ///< one clause, lower case
  std::uint32_t commands;  ///< bits of Command
  /// Takes one use of the option; says what is wrong with the value, or nothing.
  std::string (*apply)(Settings& settings, const std::string& value);
  /// Words that the value can be, for completion and the reference; null: no fixed list. A word that ends in `=` goes
  /// on with a path. Values called FILE, PATH or DIR are completed as paths.
  std::vector<std::string> (*words)() = nullptr;
  bool about_run = false;  ///< how a run goes and what it prints, never what it finds: no part of a cache's keys
};
std::span<const OptionRow> option_table();

/// A mistake on the command line: exit 2.
struct UsageError {
  std::string message;
  std::string help;
};

/// Arguments behind the command's name -> settings. `--` ends options; what is left over are `settings.arguments`.
std::optional<UsageError> parse_options(Command command, std::span<const std::string> arguments, Settings& settings);

/// The date that `until` is compared with: --at, else SOURCE_DATE_EPOCH, else the clock's day in UTC.
std::optional<UsageError> choose_date(Settings& settings);

}  // namespace agp::cli
