#pragma once
#include <string>

namespace agp::bundle {

/// What stands where an output directory is wanted.
struct Place {
  enum class State { Absent, Empty, Ours, Foreign };
  State state = State::Foreign;
  std::string reason;  ///< Foreign: the first thing found that agp did not write
};

/// Looks at `directory` (absolute, links resolved). Ours: a directory whose `manifest.json` or `certificate.json` lists
/// exactly the files in it, or one whose every entry has such a manifest. Stops at the first entry that is not.
Place look_at(const std::string& directory);

}  // namespace agp::bundle
