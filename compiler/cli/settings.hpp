#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/diagnostics/render.hpp"
#include "compiler/driver/driver.hpp"

namespace agp::cli {

enum class Color { Auto, Always, Never };

/// What `agp new` was told beside the kind; absent: not said.
struct NewPolicy {
  std::optional<std::string> name, owner, runtime, model, forge, proxy, mirror, within, server, resolver, workspace;
};

/// What the command line said, options of all commands together; `options.cpp` fills it.
struct Settings {
  std::vector<std::string> arguments;  ///< what is no option, in order
  driver::Options driver;              ///< `today` is set by `finish`
  std::optional<std::string> files_from;
  std::optional<std::string> at;  ///< --at, a valid date

  diagnostics::Format format = diagnostics::Format::Text;
  std::vector<std::pair<diagnostics::Format, std::string>> reports;  ///< --report FORMAT=FILE
  Color color = Color::Auto;
  std::optional<diagnostics::Severity> fail_on = diagnostics::Severity::Error;  ///< nothing: never
  bool quiet = false, verbose = false, help = false;
  unsigned jobs = 0;  ///< --jobs: processes at most; 0: as many as processors
  std::optional<std::string> cache, depfile, depfile_target, write_budget, write_baseline;
  bool fix = false, dry_run = false;

  driver::BuildOptions build;
  driver::VerifyInput verify;
  std::optional<model::Decision> expect;
  bool why = false;
  std::optional<std::string> artifacts;  ///< query, test: a built directory
  bool subset = false;                   ///< compare: only whether the first is within the second
  std::string from;                      ///< import: the kind of the source
  std::vector<std::string> caps;         ///< import: capabilities that conditions of the source are decided by
  bool allow_widening = false;           ///< diff: a wider policy is no finding
  bool logs_patch = false;               ///< logs --patch: nothing but the patch
  bool fmt_check = false, fmt_diff = false;
  NewPolicy fresh;             ///< new: the policy to write
  bool probe_machine = false;  ///< targets --probe
};

}  // namespace agp::cli
