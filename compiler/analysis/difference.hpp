#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/analysis/permissiveness.hpp"
#include "compiler/analysis/space.hpp"

namespace agp::analysis {

/// A rule that has to do with a region: of the old policy or of the new one.
struct Responsible {
  bool of_new = false;
  std::uint32_t rule = 0;  ///< index into that policy's rules
  source::Span span;       ///< the pattern
  std::string text;        ///< `allow write "/a/**"`
};

/// A set of actions whose decision changed, written like a rule: `write "/a/**" except write "/a/b/**"`; where that
/// can't say it, with `within` patterns that every action of it has one of.
struct Region {
  std::string text;
  std::string before, after;         ///< decisions: `deny`, `allow`, `ask`, or `deny or ask` where they differ within
  std::string witness;               ///< one action of it
  std::optional<model::Count> size;  ///< of endpoints and calls; paths and globs have none
  std::vector<Responsible> rules;    ///< the changed one first, then the fewest that grant it now (or did)
  std::vector<std::uint32_t> cells;  ///< of the difference's space, ascending
};

/// Something outside the sets of actions: a bound, the mode, a mount. What is neither more nor less than before, as
/// another user, is one in each direction.
struct OtherChange {
  bool wider = false;
  std::string text;  ///< `limit memory: 4 GiB, before 2 GiB`
};

struct Difference {
  std::vector<Region> wider, narrower;  ///< disjoint; their union is exactly what changed (checked when they are made)
  std::vector<OtherChange> others;
  Permissiveness before, after;
  std::vector<std::pair<Sort, std::string>> undecided;  ///< sorts that a limit left open: nothing is known of them
  std::size_t cells = 0;                                ///< how many the verdict was made over
  bool same() const { return wider.empty() && narrower.empty() && others.empty() && undecided.empty(); }
};

/// What the new policy permits that the old one did not, and the other way round; `ask` stands between deny and allow.
/// One changed pattern gives one region in each direction. Near-linear in the rules while few lie over each other.
Difference difference(const model::Policy& before, const model::Policy& after, SpaceLimits limits = {});

}  // namespace agp::analysis
