#pragma once
#include "compiler/model/container.hpp"
#include "compiler/source/json_section.hpp"

namespace agp::backends::oci {

using source::Refusal;
using source::Section;

/// The file tree: `root`, `mounts`, and what the runtime puts over them (its own devices, masked and read-only paths).
void read_tree(const Section& config, model::Container& out);

}  // namespace agp::backends::oci
