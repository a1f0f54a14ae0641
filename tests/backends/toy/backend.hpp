#pragma once
#include "backends/backend.hpp"

/// A backend outside the product, complete, and one that has no decoder. Both of them are what somebody writes who adds
/// one: nothing in compiler/ or backends/ knows them.
namespace toy {

const agp::backends::Backend& backend();       ///< `toy`: file rules as a list of paths, read back and proved
const agp::backends::Backend& note_backend();  ///< `toy-note`: bounds as a text that no decoder reads

}  // namespace toy
