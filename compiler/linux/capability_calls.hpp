#pragma once
#include <span>
#include <string_view>

namespace agp::linux {

/// The system calls by which a process can make use of a capability (capabilities(7), and `capable` in the kernel's
/// sources). Empty where there is no such list: CAP_SYS_ADMIN and those that act on whatever files are opened.
std::span<const std::string_view> capability_calls(std::string_view capability);

}  // namespace agp::linux
