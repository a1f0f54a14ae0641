#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/source/disk.hpp"

namespace agp::source {

/// A directory that is looked at as if it were `/`. Links are followed within it: an absolute one begins at it, and
/// `..` at its top stays there, so nothing outside is ever looked at (as RESOLVE_IN_ROOT of openat2(2) does).
class Root {
 public:
  struct Node {
    NodeKind kind = NodeKind::Missing;
    std::uint32_t uid = 0, gid = 0, mode = 0;  ///< mode: permission bits
  };
  struct Look {
    std::optional<Node> node;  ///< what the path names, after links
    std::vector<Node> way;     ///< directories that are searched on the way, the top first
    std::string reason;        ///< why there is no node: "no such file or directory"
  };

  explicit Root(const std::string& directory);
  ~Root();
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  const std::string& reason() const { return reason_; }  ///< empty: it is a directory that can be looked at
  Look look(const std::string& path) const;              ///< absolute
  bool is_link(const std::string& path) const;           ///< the last component itself
  /// Names in the directory, sorted, without `.` and `..`; links among them. Nothing where it can't be listed.
  std::optional<std::vector<std::string>> names(const std::string& path) const;

 private:
  /// Opens what the path names, which for a directory can be listed; -1 and a reason.
  int open(const std::string& path, Look& look, bool list) const;

  int top_ = -1;
  std::string reason_;
};

}  // namespace agp::source
