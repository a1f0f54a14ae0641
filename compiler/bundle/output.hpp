#pragma once
#include <string_view>

namespace agp::bundle {

/// An open file that is closed with the object.
class Descriptor {
 public:
  explicit Descriptor(int number) : fd(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();
  int fd;  ///< negative: it could not be opened
};

/// All bytes, however the system cuts them. False: errno says why.
bool write_all(int fd, std::string_view bytes);

}  // namespace agp::bundle
