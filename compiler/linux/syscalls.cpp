// System calls of an architecture: number, name, version, arguments. In: the generated tables, which are sorted by
// number, with an index sorted by name. Out: lookups by binary search; nothing is built when the program starts.
#include "compiler/linux/syscalls.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace agp::linux {
namespace {

constexpr std::uint64_t w16 = 0xffff, w32 = 0xffffffff, w64 = ~0ull;
constexpr Argument unused = {"", false, 0, true};

/// A further name of an argument, on the architectures 1 << Arch.
struct Alias {
  std::string_view call, name;
  std::uint8_t index, archs;
};

// clang-format off: the calls' tables name the arguments'
#include "compiler/linux/tables/aliases.inc"
#include "compiler/linux/tables/arguments.inc"
#include "compiler/linux/tables/names.inc"
#include "compiler/linux/tables/syscalls_aarch64.inc"
#include "compiler/linux/tables/syscalls_i386.inc"
#include "compiler/linux/tables/syscalls_riscv64.inc"
#include "compiler/linux/tables/syscalls_x32.inc"
#include "compiler/linux/tables/syscalls_x86_64.inc"
// clang-format on

constexpr std::string_view register_names[] = {"arg0", "arg1", "arg2", "arg3", "arg4", "arg5"};

struct Table {
  std::span<const Syscall> calls;
  std::span<const std::uint16_t> by_name;
};

Table table(Arch arch) {
  switch (arch) {
    case Arch::x86_64:
      return {x86_64_calls, x86_64_by_name};
    case Arch::i386:
      return {i386_calls, i386_by_name};
    case Arch::x32:
      return {x32_calls, x32_by_name};
    case Arch::aarch64:
      return {aarch64_calls, aarch64_by_name};
    case Arch::riscv64:
      return {riscv64_calls, riscv64_by_name};
  }
  return {};
}

}  // namespace

std::span<const Syscall> syscalls(Arch arch) { return table(arch).calls; }

Version name_since(const Syscall& call) {
  Version first = call.since;
  for (const Arch arch : all_archs)
    if (const Syscall* same = find_syscall(arch, call.number); same && same->name == call.name)
      first = std::min(first, same->since);
  return first;
}

const Syscall* find_syscall(Arch arch, std::string_view name) {
  const Table all = table(arch);
  const auto found = std::lower_bound(all.by_name.begin(), all.by_name.end(), name,
                                      [&](std::uint16_t i, std::string_view n) { return all.calls[i].name < n; });
  if (found == all.by_name.end() || all.calls[*found].name != name) return nullptr;
  return &all.calls[*found];
}

const Syscall* find_syscall(Arch arch, std::uint32_t number) {
  const std::span<const Syscall> calls = table(arch).calls;
  const auto found = std::lower_bound(calls.begin(), calls.end(), number,
                                      [](const Syscall& call, std::uint32_t n) { return call.number < n; });
  return found == calls.end() || found->number != number ? nullptr : &*found;
}

std::optional<int> find_argument(const Syscall& call, std::string_view name) {
  if (name.empty()) return std::nullopt;
  for (int i = 0; i < 6; ++i)
    if (name == register_names[i] || name == call.arguments[i].name) return i;
  const auto before = [](const Alias& a, const std::pair<std::string_view, std::string_view>& k) {
    return std::pair{a.call, a.name} < k;
  };
  const std::pair key{call.name, name};
  for (auto at = std::lower_bound(std::begin(aliases), std::end(aliases), key, before);
       at != std::end(aliases) && at->call == call.name && at->name == name; ++at)
    if ((at->archs >> static_cast<unsigned>(call.arch) & 1u) != 0) return at->index;
  return std::nullopt;
}

std::string_view argument_name(const Syscall& call, int index) {
  const std::string_view name = call.arguments[index].name;
  return name.empty() ? register_names[index] : name;
}

bool known_anywhere(std::string_view name) {
  return std::binary_search(std::begin(names_anywhere), std::end(names_anywhere), name);
}

}  // namespace agp::linux
