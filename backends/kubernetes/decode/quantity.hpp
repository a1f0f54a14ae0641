#pragma once
#include <cstdint>

#include "compiler/source/json_section.hpp"

namespace agp::backends::kubernetes {

using source::Refusal;
using source::Section;

/// A resource.Quantity (`500m`, `1Gi`, `1G`, `1e3`, `0.5`, a bare number) in thousandths, exactly. Refused: a negative
/// one, one finer than a thousandth (the API server would round it up), one above 2^63 - 1 thousandths.
std::uint64_t thousandths(const Section& quantity);

/// The same in whole units: bytes.
std::uint64_t whole(const Section& quantity);

}  // namespace agp::backends::kubernetes
