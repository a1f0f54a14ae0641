#include "backends/registry.hpp"
#include "tests/backends/toy/backend.hpp"

// One line for each backend: all that links it into agp.
const agp::backends::Registration toy_registration(toy::backend());
const agp::backends::Registration toy_note_registration(toy::note_backend());
