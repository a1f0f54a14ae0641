#include "compiler/source/root.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>

namespace agp::source {
namespace {

#ifdef O_PATH
constexpr int search_only = O_PATH;  // a directory need not be readable to be searched
#else
constexpr int search_only = O_RDONLY;
#endif
constexpr int most_links = 40;  // MAXSYMLINKS, include/linux/namei.h

void push_front(std::deque<std::string>& out, const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at && path.compare(at, end - at, ".") != 0) parts.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  out.insert(out.begin(), parts.begin(), parts.end());
}

Root::Node node_of(const struct stat& info) {
  const NodeKind kind = S_ISREG(info.st_mode)   ? NodeKind::File
                        : S_ISDIR(info.st_mode) ? NodeKind::Directory
                                                : NodeKind::Other;
  return {kind, static_cast<std::uint32_t>(info.st_uid), static_cast<std::uint32_t>(info.st_gid),
          static_cast<std::uint32_t>(info.st_mode & 07777)};
}

/// The directories from the top to where a walk stands.
class Way {
 public:
  explicit Way(int top) { fds_.push_back(::dup(top)); }
  ~Way() {
    for (const int fd : fds_) ::close(fd);
  }
  Way(const Way&) = delete;
  Way& operator=(const Way&) = delete;

  int here() const { return fds_.back(); }
  void down(int fd) { fds_.push_back(fd); }
  void up() {
    if (fds_.size() > 1) {
      ::close(fds_.back());
      fds_.pop_back();
    }
  }
  void restart() {
    while (fds_.size() > 1) up();
  }
  std::vector<Root::Node> nodes() const {
    std::vector<Root::Node> out;
    for (const int fd : fds_) {
      struct stat info {};
      if (::fstat(fd, &info) == 0) out.push_back(node_of(info));
    }
    return out;
  }

 private:
  std::vector<int> fds_;
};

}  // namespace

Root::Root(const std::string& directory) : top_(::open(directory.c_str(), search_only | O_DIRECTORY | O_CLOEXEC)) {
  if (top_ < 0) reason_ = reason_of(errno);
}

Root::~Root() {
  if (top_ >= 0) ::close(top_);
}

int Root::open(const std::string& path, Look& out, bool list) const {
  Way way(top_);
  std::deque<std::string> left;
  push_front(left, path);
  int links = 0;
  while (!left.empty()) {
    const std::string name = left.front();
    left.pop_front();
    if (name == "..") {
      way.up();
      continue;
    }
    struct stat info {};
    if (::fstatat(way.here(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      out.reason = reason_of(errno);
      return -1;
    }
    if (S_ISLNK(info.st_mode)) {
      char target[4096];
      const ssize_t size = ::readlinkat(way.here(), name.c_str(), target, sizeof target);
      if (size <= 0 || ++links > most_links) {
        out.reason = size <= 0 ? reason_of(errno) : reason_of(ELOOP);
        return -1;
      }
      const std::string text(target, static_cast<std::size_t>(size));
      if (text.front() == '/') way.restart();
      push_front(left, text);
      continue;
    }
    if (!S_ISDIR(info.st_mode)) {
      if (!left.empty()) {
        out.reason = reason_of(ENOTDIR);
        return -1;
      }
      out.node = node_of(info);
      out.way = way.nodes();
      return -1;
    }
    const int next = ::openat(way.here(), name.c_str(), search_only | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) {
      out.reason = reason_of(errno);
      return -1;
    }
    way.down(next);
  }
  out.way = way.nodes();
  if (!out.way.empty()) {
    out.node = out.way.back();
    out.way.pop_back();
  }
  return list ? ::openat(way.here(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

Root::Look Root::look(const std::string& path) const {
  Look out;
  open(path, out, false);
  return out;
}

bool Root::is_link(const std::string& path) const {
  const std::size_t slash = path.find_last_of('/');
  Look unused;
  const int fd = open(path.substr(0, slash), unused, true);
  if (fd < 0) return false;
  struct stat info {};
  const bool link = ::fstatat(fd, path.c_str() + slash + 1, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
  ::close(fd);
  return link;
}

std::optional<std::vector<std::string>> Root::names(const std::string& path) const {
  Look unused;
  const int fd = open(path, unused, true);
  if (fd < 0) return std::nullopt;
  DIR* dir = ::fdopendir(fd);
  if (dir == nullptr) {
    ::close(fd);
    return std::nullopt;
  }
  std::vector<std::string> out;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") out.push_back(name);
  }
  ::closedir(dir);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace agp::source
