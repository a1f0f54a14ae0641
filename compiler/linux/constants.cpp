// Named values: constants of the kernel's interface, error numbers, capabilities. In: the generated tables, sorted by
// name. Out: lookups by binary search; nothing is built when the program starts.
#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "compiler/linux/syscalls.hpp"

namespace agp::linux {
namespace {

struct Errno {
  std::string_view name;
  std::uint8_t value;
};

/// A constant, by its index in the names, that an architecture has another value of or lacks.
struct ArchConstant {
  Arch arch;
  std::uint16_t name;
  bool present;
  std::uint64_t value;
};

#include "compiler/linux/tables/capabilities.inc"
#include "compiler/linux/tables/constants.inc"
#include "compiler/linux/tables/errnos.inc"

static_assert(std::size(constant_name_table) == std::size(constant_value_table));

}  // namespace

std::optional<std::uint64_t> find_constant(std::string_view name, Arch arch) {
  const auto found = std::lower_bound(std::begin(constant_name_table), std::end(constant_name_table), name);
  if (found == std::end(constant_name_table) || *found != name) return std::nullopt;
  const auto index = static_cast<std::uint16_t>(found - std::begin(constant_name_table));
  const std::pair key{arch, index};
  const auto other = std::lower_bound(std::begin(arch_constant_table), std::end(arch_constant_table), key,
                                      [](const ArchConstant& row, const auto& k) {
                                        return std::pair{row.arch, row.name} < k;
                                      });
  if (other == std::end(arch_constant_table) || other->arch != arch || other->name != index)
    return constant_value_table[index];
  return other->present ? std::optional(other->value) : std::nullopt;
}

std::span<const std::string_view> constant_names() { return constant_name_table; }

std::optional<std::uint64_t> at_width(std::uint64_t value, std::uint64_t mask) {
  if ((value & ~mask) == 0) return value;
  // A negative number of the mask's width has every bit above the width set, and the sign bit itself.
  const std::uint64_t sign = std::bit_floor(mask);
  if (mask != 0 && (value | mask) == ~0ull && (value & sign) != 0) return value & mask;
  return std::nullopt;
}

std::optional<int> find_errno(std::string_view name) {
  const auto found = std::lower_bound(std::begin(errno_table), std::end(errno_table), name,
                                      [](const Errno& e, std::string_view n) { return e.name < n; });
  if (found == std::end(errno_table) || found->name != name) return std::nullopt;
  return found->value;
}

std::optional<std::string_view> errno_name(int value) {
  if (value < 0 || value >= static_cast<int>(std::size(errno_names)) || errno_names[value].empty()) return std::nullopt;
  return errno_names[value];
}

std::optional<int> find_capability(std::string_view name) {
  const auto found = std::find(std::begin(capability_table), std::end(capability_table), name);
  if (found == std::end(capability_table)) return std::nullopt;
  return static_cast<int>(found - std::begin(capability_table));
}

std::span<const std::string_view> capability_names() { return capability_table; }

}  // namespace agp::linux
