#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace agp::driver {

/// How often each system call was made, by name; or the line that can't be read, with what is wrong with it.
struct SyscallCounts {
  std::map<std::string, std::uint64_t> counts;
  std::size_t line = 0;  ///< from 1; 0: the text as a whole
  std::string fault;
};

/// The table that `strace -c` prints, or a list with a name and a count on each line, in either order. Blank lines,
/// lines that begin with `#`, and the table's rules and sums are skipped; a call that stands twice counts for both.
/// Names that no architecture has are dropped: they order nothing. A text without one known name is a fault.
SyscallCounts parse_syscall_counts(std::string_view text);

}  // namespace agp::driver
