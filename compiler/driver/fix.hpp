#pragma once
#include <span>
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"

/// `check --fix`: the edits that findings carry, made where the check agrees.
namespace agp::driver {

struct FixedFile {
  std::string path;  ///< as in source::File
  std::string disk;  ///< links resolved, within the project's root
  std::string before, after;
};
struct FixReport {
  std::vector<FixedFile> files;  ///< only those that change
  std::size_t made = 0;          ///< findings that the edits mend
  std::size_t refused = 0;       ///< findings whose edit was tried and not kept
};
/// Tries the edits of each file's findings, all at once and then one by one, on a copy in memory. An edit is kept when
/// its finding is gone, nothing is found that was not found before, no policy is proved to permit more or is left open,
/// and no line of a `test` block fails that did not.
/// Nothing is written. Findings go nowhere: what is left is what a check of the new texts says.
FixReport fix(Session& session, std::span<const std::string> paths);

}  // namespace agp::driver
