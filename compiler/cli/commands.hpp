#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/cli/context.hpp"

namespace agp::cli {

/// One row a command; one file each. The order is the order of the overview.
struct CommandRow {
  Command command;
  std::string_view name;
  std::string_view usage;    ///< what follows the name: "[PATH…]"
  std::string_view summary;  ///< one line
  std::string_view details;  ///< a paragraph or two
  int (*run)(Context& context);
  /// Words that an argument can be, for completion; null: paths where `usage` speaks of FILE, PATH or DIR, else none.
  std::vector<std::string> (*words)() = nullptr;
};
std::span<const CommandRow> command_table();
const CommandRow* find_command(std::string_view name);
UsageError unknown_command(const std::string& word);

int run_check(Context& context);
int run_build(Context& context);
int run_verify(Context& context);
int run_compare(Context& context);
int run_import(Context& context);

int run_query(Context& context);
int run_diff(Context& context);
int run_test(Context& context);
int run_probe(Context& context);
int run_inspect(Context& context);
int run_logs(Context& context);
int run_fmt(Context& context);
int run_new(Context& context);
int run_explain(Context& context);
int run_doc(Context& context);
int run_completion(Context& context);
int run_targets(Context& context);
int run_backends(Context& context);
int run_version(Context& context);
int run_help(Context& context);

/// `agp --help` and `agp COMMAND --help`.
std::string overview();
std::string command_help(const CommandRow& row);

/// Arguments behind `agp` -> exit code. Nothing is thrown.
int run(std::span<const std::string> arguments);

}  // namespace agp::cli
