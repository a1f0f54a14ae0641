#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace agp::linux {

/// The architectures that have a table. The order is the tables' and never changes.
enum class Arch : std::uint8_t { x86_64, i386, x32, aarch64, riscv64 };
inline constexpr Arch all_archs[] = {Arch::x86_64, Arch::i386, Arch::x32, Arch::aarch64, Arch::riscv64};

std::optional<Arch> find_arch(std::string_view name);  ///< by the names that `to_string` gives
std::string_view to_string(Arch arch);
/// AUDIT_ARCH_* of `seccomp_data.arch`, include/uapi/linux/audit.h. x32 shares x86_64's.
std::uint32_t audit_arch(Arch arch);
inline constexpr std::uint32_t x32_bit = 0x40000000;  ///< __X32_SYSCALL_BIT, arch/x86/include/uapi/asm/unistd.h
/// Which table the call of a filter's input is in: i386, x32 and x86_64 can all come from one process. Nothing for an
/// architecture without a table.
std::optional<Arch> arch_of_call(std::uint32_t audit_arch, std::uint32_t number);

/// A set of architectures.
class ArchSet {
 public:
  constexpr ArchSet() = default;
  constexpr ArchSet(std::initializer_list<Arch> archs) {
    for (const Arch arch : archs) add(arch);
  }
  static constexpr ArchSet all() { return {Arch::x86_64, Arch::i386, Arch::x32, Arch::aarch64, Arch::riscv64}; }
  constexpr void add(Arch arch) { bits_ |= bit(arch); }
  constexpr bool has(Arch arch) const { return (bits_ & bit(arch)) != 0; }
  constexpr bool has_all(ArchSet other) const { return (other.bits_ & ~bits_) == 0; }
  constexpr bool meets(ArchSet other) const { return (other.bits_ & bits_) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr bool operator==(ArchSet, ArchSet) = default;

 private:
  static constexpr std::uint8_t bit(Arch arch) { return static_cast<std::uint8_t>(1u << static_cast<unsigned>(arch)); }
  std::uint8_t bits_ = 0;
};

}  // namespace agp::linux
