#pragma once
#include "compiler/cli/context.hpp"

namespace agp::cli {

/// With --depfile: every file on disk that the run read, as a rule of make, which ninja and others read too. Each file
/// is a target of its own as well, so that one which is deleted does not stop make. Paths beneath the working directory
/// are relative to it. The file appears whole or not at all; where it can't be written, that is a usage error.
void write_depfile(Context& context, const driver::Session& session);

/// A file that appears whole or not at all; false when it could not be written.
bool write_whole(const std::string& path, const std::string& text);

}  // namespace agp::cli
