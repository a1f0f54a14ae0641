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

/// `% time seconds usecs/call calls errors syscall`, its rules and its sum; they hold no count.
bool decoration(const std::vector<std::string_view>& words) {
  return words.empty() || words[0].front() == '#' || words[0] == "%" ||
         words[0].find_first_not_of('-') == words[0].npos || words.back() == "total";
}

struct Counted {
  std::string_view name;
  std::uint64_t count;
};
std::optional<Counted> counted(const std::vector<std::string_view>& words) {
  const auto pair = [](std::string_view name, std::string_view count) -> std::optional<Counted> {
    const auto value = number(count);
    return value && is_name(name) ? std::optional(Counted{name, *value}) : std::nullopt;
  };
  if (words.size() == 2) return number(words[0]) ? pair(words[1], words[0]) : pair(words[0], words[1]);
  if ((words.size() == 5 || words.size() == 6) && words[0].find('.') != std::string_view::npos)
    return pair(words.back(), words[3]);
  return std::nullopt;
}

}  // namespace

SyscallCounts parse_syscall_counts(std::string_view text) {
  SyscallCounts out;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto words = words_in(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (decoration(words)) continue;
    const auto row = counted(words);
    if (!row) return {{}, line, "is neither a line of `strace -c` nor a name and a count"};
    if (!linux::known_anywhere(row->name)) continue;
    std::uint64_t& sum = out.counts[std::string(row->name)];
    sum = row->count > ~std::uint64_t{0} - sum ? ~std::uint64_t{0} : sum + row->count;
  }
  if (out.counts.empty()) out.fault = "counts no system call";
  return out;
}

}  // namespace agp::driver
