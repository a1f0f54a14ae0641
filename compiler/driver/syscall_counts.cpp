#include "compiler/driver/syscall_counts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "compiler/linux/syscalls.hpp"

namespace agp::driver {
namespace {

std::vector<std::string_view> words_in(std::string_view line) {
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return out;
    const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
    out.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos &&
         !number(text);
}

/// Headings of `strace -c`, of which `-U` chooses some in any order. `% time` is one.
constexpr std::string_view headings[] = {"%",     "seconds", "shortest", "longest", "usecs/call",
                                         "calls", "errors",  "syscall",  "time"};

/// Which word of a row is what, where a line of headings says so.
struct Columns {
  std::size_t count = 0, calls = 0, name = 0;
  std::optional<std::size_t> errors;  ///< empty where there were none

  static std::optional<Columns> read(const std::vector<std::string_view>& words) {
    Columns out;
    bool calls = false, name = false;
    for (const std::string_view word : words) {
      if (std::find(std::begin(headings), std::end(headings), word) == std::end(headings)) return std::nullopt;
      if (word == "%") continue;
      if (word == "calls") calls = true, out.calls = out.count;
      if (word == "syscall") name = true, out.name = out.count;
      if (word == "errors") out.errors = out.count;
      ++out.count;
    }
    return calls && name ? std::optional(out) : std::nullopt;
  }
};

/// Rules, sums, and what strace writes between the tables of two personalities; they hold no count.
bool decoration(const std::vector<std::string_view>& words) {
  return words.empty() || words[0].front() == '#' || words[0].find_first_not_of('-') == words[0].npos ||
         words.back() == "total" || (words.size() > 3 && words[0] == "System" && words[2] == "usage");
}

struct Counted {
  std::string_view name;
  std::uint64_t count;
};
std::optional<Counted> counted(const std::vector<std::string_view>& words, const std::optional<Columns>& columns) {
  const auto pair = [](std::string_view name, std::string_view count) -> std::optional<Counted> {
    const auto value = number(count);
    return value && is_name(name) ? std::optional(Counted{name, *value}) : std::nullopt;
  };
  if (columns) {
    const bool no_errors = columns->errors && words.size() + 1 == columns->count;
    if (!no_errors && words.size() != columns->count) return std::nullopt;
    const auto word = [&](std::size_t column) {
      return words[column - (no_errors && *columns->errors < column ? 1 : 0)];
    };
    return pair(word(columns->name), word(columns->calls));
  }
  if (words.size() == 2) return number(words[0]) ? pair(words[1], words[0]) : pair(words[0], words[1]);
  if ((words.size() == 5 || words.size() == 6) && words[0].find_first_of(".,") != std::string_view::npos)
    return pair(words.back(), words[3]);
  return std::nullopt;
}

}  // namespace

SyscallCounts parse_syscall_counts(std::string_view text) {
  SyscallCounts out;
  std::optional<Columns> columns;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto words = words_in(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (decoration(words)) continue;
    if (const auto read = Columns::read(words)) {
      columns = read;
      continue;
    }
    const auto row = counted(words, columns);
    if (!row) return {{}, line, "is neither a line of `strace -c` nor a name and a count"};
    if (!linux::known_anywhere(row->name)) continue;
    std::uint64_t& sum = out.counts[std::string(row->name)];
    sum = row->count > ~std::uint64_t{0} - sum ? ~std::uint64_t{0} : sum + row->count;
  }
  if (out.counts.empty()) out.fault = "counts no system call";
  return out;
}

}  // namespace agp::driver
