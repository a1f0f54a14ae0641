#pragma once
#include "backends/oci/decode/section.hpp"
#include "compiler/model/container.hpp"

namespace agp::backends::oci {

/// The file tree: `root`, `mounts`, and what the runtime puts over them (its own devices, masked and read-only paths).
void read_tree(const Section& config, model::Container& out);

}  // namespace agp::backends::oci
