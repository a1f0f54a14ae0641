#include "compiler/source/disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>

namespace agp::source {

std::string reason_of(int error) {
  if (error == ELOOP) return "too many symbolic links";  // the C library's own text names levels
  std::string text = std::generic_category().message(error);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

namespace {

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

DiskRead read_disk(const std::string& path, std::size_t limit) {
  DiskRead result;
  // O_NONBLOCK: opening a pipe for reading would otherwise wait for a writer. It means nothing for a regular file.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW)};
  struct stat info {};
  if (file.fd < 0 || ::fstat(file.fd, &info) != 0) {
    result.reason = reason_of(errno);
    return result;
  }
  if (S_ISDIR(info.st_mode))
    result.reason = "is a directory";
  else if (!S_ISREG(info.st_mode))
    result.reason = "is not a regular file";
  if (!result.reason.empty()) return result;
  result.size = static_cast<std::size_t>(info.st_size);
  if (result.size <= limit) result.text.reserve(result.size + 1);
  char block[65536];
  while (result.size <= limit && result.text.size() <= limit) {  // it may also have grown since
    const ssize_t count = ::read(file.fd, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      result.reason = reason_of(errno);
      result.text.clear();
      return result;
    }
    if (count == 0) {
      result.outcome = DiskRead::Outcome::Read;
      result.size = result.text.size();
      return result;
    }
    result.text.append(block, static_cast<std::size_t>(count));
  }
  result.size = std::max(result.size, result.text.size());
  result.text.clear();
  result.outcome = DiskRead::Outcome::TooLarge;
  return result;
}

Resolved resolve(const std::string& path) {
  if (path.find('\0') != std::string::npos) return {std::nullopt, "a path can't contain a null character"};
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  if (real == nullptr) return {std::nullopt, reason_of(errno)};
  return {std::string(real.get()), {}};
}

NodeKind node_kind(const std::string& path, bool follow) {
  struct stat info {};
  if ((follow ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info)) != 0) return NodeKind::Missing;
  if (S_ISREG(info.st_mode)) return NodeKind::File;
  return S_ISDIR(info.st_mode) ? NodeKind::Directory : NodeKind::Other;
}

}  // namespace agp::source
