#pragma once
#include "compiler/project/project.hpp"

namespace agp::project {

/// The text of an `agp.toml` -> what it says. False when something in it is wrong: each mistake is one AGP0005 with its
/// place, and `config` has the values that could be understood.
bool read_config(const source::Files& files, source::FileId id, Config& config, diagnostics::Sink& sink);

}  // namespace agp::project
