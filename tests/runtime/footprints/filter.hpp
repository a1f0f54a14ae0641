#pragma once
#include <linux/filter.h>

#include <span>
#include <string_view>
#include <vector>

#include "compiler/linux/footprints.hpp"

namespace agp::test {

inline constexpr int refused = 77, not_listed = 88;  ///< errno values that nothing else here gives

using Program = std::vector<sock_filter>;
/// This call answers `refused`, all others run.
Program without(std::string_view call);
/// These calls run, with the arguments that they are listed with, and exit_group; all others answer `not_listed`.
Program only(std::span<const linux::CallFact> calls);
/// errno, or 0. Sets no_new_privs.
int put_on(const Program& program);
/// Puts a Landlock domain on that handles this right of files, by its bit, and grants it nowhere. errno, or 0.
int take_right(unsigned long long bit);

}  // namespace agp::test
