#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "compiler/model/address.hpp"
#include "compiler/model/syscall.hpp"

/// The values of one argument of a system call, cut into cells by conditions on it.
namespace agp::model {

/// The conditions that one pattern states on this argument; all must hold. `refuses` as in `holds`.
struct ArgumentUse {
  std::vector<const ArgTest*> tests;
  bool refuses = false;
};

struct ArgumentCell {
  std::vector<std::uint32_t> uses;  ///< those whose conditions hold, ascending; may be empty
  std::uint64_t witness = 0;        ///< the least value of the cell
  Bits128 size = 0;                 ///< of values under the effective mask
};

/// Every value belongs to one cell; cells have different uses. Exact for all 64 bits: comparisons are intervals; where
/// masks take part, the bits are read from the highest with one state for each outcome that is still open. Nothing when
/// more than `limit` states of one bit would be needed (m independent masks have 2^m cells).
std::optional<std::vector<ArgumentCell>> argument_cells(std::span<const ArgumentUse> uses, std::uint64_t effective_mask,
                                                        bool classified, std::size_t limit = 100'000);

}  // namespace agp::model
