#pragma once
#include "compiler/project/project.hpp"

namespace agp::project {

/// The text of an `agp.toml` -> what it says. False when something in it is wrong: each mistake is one AGP0005 with its
/// place, and `config` has the values that could be understood.
bool read_config(const source::Files& files, source::FileId id, Config& config, diagnostics::Sink& sink);

/// Severities of lints by number; nothing in the optional: off.
using LintLevels = std::map<int, std::optional<diagnostics::Severity>>;
/// What `[lints]` of the configuration says that was read as `path` (Config::path; empty: there is none). A verdict
/// depends on it, as on every key. Its mistakes are read_config's to report.
LintLevels lint_levels(const source::Files& files, const std::string& path);

}  // namespace agp::project
