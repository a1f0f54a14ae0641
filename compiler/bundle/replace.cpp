// In: a file, the text it is known to hold, and another one. Out: the file holds the other one, or is as it was.
#include "compiler/bundle/replace.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "compiler/bundle/output.hpp"
#include "compiler/bundle/signals.hpp"
#include "compiler/source/disk.hpp"

namespace agp::bundle {

std::string replace_file(const std::string& path, const std::string& before, const std::string& after) {
  const source::DiskRead now = source::read_disk(path, before.size());
  if (now.outcome != source::DiskRead::Outcome::Read || now.text != before)
    return "it changed while it was being formatted";
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return source::reason_of(errno);
  SignalGuard signals;
  std::string beside = path.substr(0, path.rfind('/') + 1) + ".agp-XXXXXX";
  const Descriptor out(::mkstemp(beside.data()));
  if (out.fd < 0) return source::reason_of(errno);
  const bool owner_kept = ::fchown(out.fd, info.st_uid, info.st_gid) == 0;
  // Another owner's file keeps its mode only without the bits that would then give this user's rights away.
  const mode_t mode = owner_kept ? info.st_mode & 07777 : info.st_mode & 0777;
  bool good = ::fchmod(out.fd, mode) == 0 && write_all(out.fd, after) && ::fsync(out.fd) == 0;
  int error = good ? 0 : errno;
  if (good && signals.interrupted()) good = false, error = EINTR;
  if (good && ::rename(beside.c_str(), path.c_str()) != 0) good = false, error = errno;
  if (!good) {
    ::unlink(beside.c_str());
    return source::reason_of(error);
  }
  return {};
}

}  // namespace agp::bundle
