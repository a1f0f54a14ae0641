// Names and AUDIT_ARCH_* values of the architectures.
#include <iterator>

#include "compiler/linux/syscalls.hpp"

namespace agp::linux {
namespace {

struct ArchRow {
  Arch arch;
  std::string_view name;
  std::uint32_t audit;
};

// include/uapi/linux/audit.h: the ELF machine (include/uapi/linux/elf-em.h: EM_386 3, EM_X86_64 62, EM_AARCH64 183,
// EM_RISCV 243), with __AUDIT_ARCH_64BIT 0x80000000 and __AUDIT_ARCH_LE 0x40000000. x32 calls come as x86_64's.
constexpr ArchRow arch_rows[] = {
    {Arch::x86_64, "x86_64", 0xc000003e},   {Arch::i386, "i386", 0x40000003},       {Arch::x32, "x32", 0xc000003e},
    {Arch::aarch64, "aarch64", 0xc00000b7}, {Arch::riscv64, "riscv64", 0xc00000f3},
};

}  // namespace

std::optional<Arch> find_arch(std::string_view name) {
  for (const ArchRow& row : arch_rows)
    if (row.name == name) return row.arch;
  return std::nullopt;
}

std::string_view to_string(Arch arch) { return arch_rows[static_cast<std::size_t>(arch)].name; }

std::optional<Arch> arch_of_call(std::uint32_t audit, std::uint32_t number) {
  // Only x86_64 has the bit's meaning: arch/x86/entry/common.c do_syscall_x32.
  if (audit == audit_arch(Arch::x86_64)) return (number & x32_bit) != 0 ? Arch::x32 : Arch::x86_64;
  for (const ArchRow& row : arch_rows)
    if (row.audit == audit) return row.arch;
  return std::nullopt;
}

Arch machine_of(Arch arch) { return arch == Arch::i386 || arch == Arch::x32 ? Arch::x86_64 : arch; }

std::uint32_t audit_arch(Arch arch) { return arch_rows[static_cast<std::size_t>(arch)].audit; }

}  // namespace agp::linux
