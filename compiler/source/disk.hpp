#pragma once
#include <cstddef>
#include <optional>
#include <string>

namespace agp::source {

/// A regular file read whole, or why not. Never waits on a pipe or a device, never reads past the limit.
struct DiskRead {
  enum class Outcome { Read, Failed, TooLarge };
  Outcome outcome = Outcome::Failed;
  std::string text;    ///< Read
  std::string reason;  ///< Failed: "is a directory", "permission denied"
  std::size_t size = 0;
};
DiskRead read_disk(const std::string& path, std::size_t limit);

/// What an errno means, lower case: "permission denied".
std::string reason_of(int error);

/// The absolute path with every link resolved, or why there is none.
struct Resolved {
  std::optional<std::string> path;
  std::string reason;
};
Resolved resolve(const std::string& path);

enum class NodeKind { Missing, File, Directory, Other };
/// Of what the path names; `follow`: after links.
NodeKind node_kind(const std::string& path, bool follow);

}  // namespace agp::source
