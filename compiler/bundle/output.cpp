#include "compiler/bundle/output.hpp"

#include <unistd.h>

#include <cerrno>

namespace agp::bundle {

Descriptor::~Descriptor() {
  if (fd >= 0) ::close(fd);
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace agp::bundle
