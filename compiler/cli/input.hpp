#pragma once
#include <optional>

#include "compiler/cli/options.hpp"

namespace agp::cli {

/// Reads what the command line refers to before the command runs: the paths of --files-from are added to the arguments,
/// and standard input is read where an argument is `-`: of a command that reads a log, not for the log.
std::optional<UsageError> read_input(Settings& settings, bool log_follows);

/// Opens the file of every --report once: where one can't be written, the command does not begin.
std::optional<UsageError> try_reports(const Settings& settings);

}  // namespace agp::cli
