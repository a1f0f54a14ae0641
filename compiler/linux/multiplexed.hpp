#pragma once
#include <cstdint>
#include <string_view>

/// Calls that i386 has behind one number too: `socketcall` and `ipc` take which of them is meant in their first
/// argument, and the rest behind a pointer or in other registers.
namespace agp::linux {

struct Multiplexed {
  std::string_view name;  ///< "socket"
  std::string_view call;  ///< "socketcall" or "ipc"
  std::uint64_t first;    ///< its first argument
};

/// Where i386 has `name` a second time, or null. O(table).
const Multiplexed* find_multiplexed(std::string_view name);

}  // namespace agp::linux
