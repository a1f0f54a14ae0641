#include "compiler/cli/replace.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "compiler/bundle/signals.hpp"
#include "compiler/project/disk.hpp"

namespace agp::cli {
namespace {

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

std::string replace_file(const std::string& path, const std::string& before, const std::string& after) {
  const project::DiskRead now = project::read_disk(path, before.size());
  if (now.outcome != project::DiskRead::Outcome::Read || now.text != before) return "it changed while it was being formatted";
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return project::reason_of(errno);
  bundle::SignalGuard signals;
  std::string beside = path.substr(0, path.rfind('/') + 1) + ".agp-XXXXXX";
  const int fd = ::mkstemp(beside.data());
  if (fd < 0) return project::reason_of(errno);
  const bool owner_kept = ::fchown(fd, info.st_uid, info.st_gid) == 0;
  // Another owner's file keeps its mode only without the bits that would then give this user's rights away.
  const mode_t mode = owner_kept ? info.st_mode & 07777 : info.st_mode & 0777;
  bool good = ::fchmod(fd, mode) == 0 && write_all(fd, after) && ::fsync(fd) == 0;
  int error = good ? 0 : errno;
  ::close(fd);
  if (good && signals.interrupted()) good = false, error = EINTR;
  if (good && ::rename(beside.c_str(), path.c_str()) != 0) good = false, error = errno;
  if (!good) {
    ::unlink(beside.c_str());
    return project::reason_of(error);
  }
  return {};
}

}  // namespace agp::cli
