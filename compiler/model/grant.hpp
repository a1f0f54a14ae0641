#pragma once
#include <string>
#include <vector>

#include "compiler/model/action.hpp"

namespace agp::model {

/// A derived grant about files. A path that ends in `/**` is what lies beneath a directory, and its listing.
struct FileGrant {
  Verbs verbs = 0;  ///< none: the grant is not about files
  std::string path;
  std::vector<std::string> except;  ///< what covers it up
};
/// As reports write it: `read, list "/proc/**" except "/proc/kcore"`, verbs, then quoted paths.
FileGrant file_grant(const std::string& grant);

/// Does a derived grant include the action?
bool covers(const std::string& grant, const FileAction& action);

}  // namespace agp::model
