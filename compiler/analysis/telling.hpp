#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "compiler/model/argument_cells.hpp"
#include "compiler/model/count.hpp"

/// Conditions on several arguments of a call multiply its cells. The questions put to cells are of two kinds: does a
/// set of patterns cover another everywhere, and does it meet another somewhere. For those, cells with few patterns
/// speak for cells with more. A cell c *tells for* c' when both have the same fixed patterns (those that refer to one
/// another: of rules with exceptions, of sets asked about), the same effects, and every pattern over c is over c'. The
/// *telling cells* of a call are some of its cells such that for every cell c' and every pattern over it, one that
/// tells for c' has the pattern. So what is covered on all telling cells is covered on all cells, and a pattern that
/// meets an effect meets it on a telling one.
///
/// They are found argument by argument. Of the values that agree in what is fixed or tested again later, and in the
/// effects so far, those with the fewest patterns speak for the others, and lead on to everything; for each pattern,
/// those with the fewest beside it lead on to the fewest alone.
namespace agp::analysis {

/// What is known of a pattern with conditions on the argument.
struct TellingUse {
  bool fixed = false;        ///< as above, or with conditions on a later argument too
  bool wanted = false;       ///< the values with the fewest patterns beside it are wanted too
  std::uint8_t effects = 0;  ///< bits; of a fixed one they do not matter
};

struct TellingValue {
  std::size_t cell = 0;
  bool fewest = false;  ///< speaks for others whatever pattern is asked about
  model::Count size;    ///< of all values that it speaks for; 0 unless `fewest`, so that sizes add up to all values
};

/// `cells` by the uses of the same index. `effects`: what the patterns without conditions from here on have.
/// O(cells × (groups' fewest + uses)) in words of 64 uses.
std::vector<TellingValue> telling(std::span<const model::ArgumentCell> cells, std::span<const TellingUse> uses,
                                  std::uint8_t effects);

}  // namespace agp::analysis
