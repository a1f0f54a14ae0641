#pragma once
#include <cstddef>

// How far a policy may multiply before AGP1093. A few lines can stand for 2^40 patterns when each doubles the one
// before; these bounds are far above what people write and far below what fills a memory or a stack.
namespace agp::sema::limits {

inline constexpr std::size_t depth = 100;    ///< constants that need constants, fragments in fragments, files in files
inline constexpr std::size_t list = 10'000;  ///< elements of a list; patterns that the lists of one string give
inline constexpr std::size_t text = 64 * 1024;    ///< bytes of one string
inline constexpr std::size_t expanded = 4 << 20;  ///< bytes of all texts that the lists of one string give
inline constexpr std::size_t includes = 10'000;   ///< different includes of one policy
inline constexpr std::size_t patterns = 100'000;  ///< paths, endpoints, names and rules of one policy
inline constexpr std::size_t alternatives = 64;   ///< what `{a,b}` gives inside one component of a path

}  // namespace agp::sema::limits
