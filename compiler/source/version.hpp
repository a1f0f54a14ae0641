#pragma once
#include <string_view>

namespace agp {

inline constexpr std::string_view version = AGP_VERSION;  ///< "0.1.0", from CMakeLists.txt
inline constexpr int language_version = 1;                ///< the `agp 1` of a file
inline constexpr int library_edition = 1;                 ///< the standard library inside the binary

}  // namespace agp
