#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace agp::backends::seccomp {

/// A hash of names of system calls: their length, first and last letters. A filter looks up a thousand of them.
struct NameHash {
  std::size_t operator()(std::string_view name) const {
    std::uint64_t first = 0, last = 0;
    const std::size_t n = name.size() < 8 ? name.size() : 8;
    std::memcpy(&first, name.data(), n);
    std::memcpy(&last, name.data() + name.size() - n, n);
    const std::uint64_t h = (first * 0x9e3779b97f4a7c15ull ^ last ^ name.size()) * 0xff51afd7ed558ccdull;
    return static_cast<std::size_t>(h ^ h >> 32);
  }
};

}  // namespace agp::backends::seccomp
