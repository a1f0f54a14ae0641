// The tables of every architecture against libseccomp's, the installed headers and facts written down by hand.
#include <gtest/gtest.h>
#include <seccomp.h>

#include <bit>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "compiler/linux/syscalls.hpp"

namespace agp::linux {
namespace {

struct ArchCase {
  Arch arch;
  std::uint32_t seccomp;
  std::size_t least;  ///< calls that libseccomp 2.5.4 knows
};
const ArchCase cases[] = {{Arch::x86_64, SCMP_ARCH_X86_64, 350},
                          {Arch::i386, SCMP_ARCH_X86, 400},
                          {Arch::x32, SCMP_ARCH_X32, 340},
                          {Arch::aarch64, SCMP_ARCH_AARCH64, 300},
                          {Arch::riscv64, SCMP_ARCH_RISCV64, 300}};

class EveryArch : public testing::TestWithParam<ArchCase> {};
INSTANTIATE_TEST_SUITE_P(, EveryArch, testing::ValuesIn(cases),
                         [](const auto& c) { return std::string(to_string(c.param.arch)); });

TEST_P(EveryArch, LibseccompHasTheSameNumbers) {
  const auto& [arch, seccomp, least] = GetParam();
  std::size_t compared = 0;
  for (const Syscall& call : syscalls(arch)) {
    const int number = seccomp_syscall_resolve_name_arch(seccomp, std::string(call.name).c_str());
    if (number < 0 && arch == Arch::i386 && call.since < Version{6, 1})
      continue;        // of socketcall or ipc: by number below
    if (number < 0) {  // not known to it
      EXPECT_TRUE(call.since > (Version{5, 17}) || call.name == "uretprobe" || call.name == "uprobe" ||
                  call.name == "map_shadow_stack" || call.name == "riscv_hwprobe")
          << call.name;
      continue;
    }
    EXPECT_EQ(static_cast<std::uint32_t>(number), call.number) << call.name;
    ++compared;
  }
  EXPECT_GE(compared, least);
  for (std::uint32_t n = 0; n < 600; ++n) {
    const std::uint32_t number = arch == Arch::x32 ? n | x32_bit : n;
    char* name = seccomp_syscall_resolve_num_arch(seccomp, static_cast<int>(number));
    if (!name) continue;
    const Syscall* found = find_syscall(arch, number);
    EXPECT_TRUE(found && found->name == name) << number << ' ' << name;
    free(name);
  }
}

TEST_P(EveryArch, SortedAndWellFormed) {
  const Arch arch = GetParam().arch;
  const Syscall* before = nullptr;
  std::set<std::string_view> names;
  for (const Syscall& call : syscalls(arch)) {
    if (before) {
      EXPECT_LT(before->number, call.number);
    }
    before = &call;
    EXPECT_TRUE(names.insert(call.name).second) << call.name;
    EXPECT_EQ(find_syscall(arch, call.name), &call);
    EXPECT_EQ(find_syscall(arch, call.number), &call);
    EXPECT_EQ(call.arch, arch);
    EXPECT_EQ(arch_of_call(audit_arch(arch), call.number), arch) << call.name;
    EXPECT_TRUE(known_anywhere(call.name)) << call.name;
    const std::uint64_t widest = arch == Arch::i386 ? 0xffffffff : ~0ull;
    for (int i = 0; i < 6; ++i) {
      const Argument& argument = call.arguments[static_cast<std::size_t>(i)];
      EXPECT_EQ(argument.effective_mask & ~widest, 0u) << call.name << ' ' << i;
      if (i >= call.argument_count) {
        EXPECT_TRUE(argument.name.empty() && argument.effective_mask == 0) << call.name << ' ' << i;
        continue;
      }
      EXPECT_EQ(find_argument(call, argument_name(call, i)), i) << call.name << ' ' << i;
      if (argument.pointer || !argument.classified) {
        EXPECT_EQ(argument.effective_mask, widest) << call.name << ' ' << i;
      }
    }
  }
  EXPECT_EQ(find_syscall(arch, ~0u), nullptr);
  EXPECT_EQ(find_syscall(arch, "reads"), nullptr);
}

/// name -> number of the `#define __NR_…` lines, and of those of asm-generic that a 64-bit machine chooses.
std::map<std::string, std::uint32_t> numbers_of(const std::string& header) {
  static const std::regex row(R"(#define __NR(3264)?_(\w+)\s+(?:\((__X32_SYSCALL_BIT) \+ )?(\d+)\)?)");
  std::map<std::string, std::uint32_t> out;
  std::ifstream in("/usr/include/" + header);
  EXPECT_TRUE(in) << header;
  for (std::string line; std::getline(in, line);) {
    std::smatch m;
    if (std::regex_match(line, m, row))
      out[m[2]] = static_cast<std::uint32_t>(std::stoul(m[4])) | (m[3].matched ? x32_bit : 0);
  }
  return out;
}

// Debian 12's headers are of 6.1: a call is in them exactly when the table says that it is no newer.
TEST(Since, AsTheHeadersOf61) {
  const std::pair<Arch, std::string> x86[] = {{Arch::i386, "x86_64-linux-gnu/asm/unistd_32.h"},
                                              {Arch::x32, "x86_64-linux-gnu/asm/unistd_x32.h"}};
  for (const auto& [arch, header] : x86) {
    const auto numbers = numbers_of(header);
    ASSERT_GE(numbers.size(), 340u);
    for (const Syscall& call : syscalls(arch)) {
      const auto found = numbers.find(std::string(call.name));
      EXPECT_EQ(call.since <= (Version{6, 1}), found != numbers.end()) << to_string(arch) << ' ' << call.name;
      if (found != numbers.end()) {
        EXPECT_EQ(found->second, call.number) << call.name;
      }
    }
    for (const auto& [name, number] : numbers) EXPECT_TRUE(find_syscall(arch, number)) << name;
  }
}

TEST(Since, AsTheGenericHeaderOf61) {
  auto numbers = numbers_of("asm-generic/unistd.h");
  ASSERT_GE(numbers.size(), 300u);
  const std::pair<const char*, const char*> renamed[] = {{"fstatat", "newfstatat"}};
  for (const auto& [header, kernel] : renamed) numbers[kernel] = numbers[header];
  for (const Arch arch : {Arch::aarch64, Arch::riscv64})
    for (const Syscall& call : syscalls(arch)) {
      if (call.name.starts_with("riscv_")) continue;  // asm/unistd.h of that architecture
      const auto found = numbers.find(std::string(call.name));
      EXPECT_EQ(call.since <= (Version{6, 1}), found != numbers.end()) << to_string(arch) << ' ' << call.name;
      if (found != numbers.end()) {
        EXPECT_EQ(found->second, call.number) << call.name;
      }
    }
}

TEST(Since, WrittenDownByHand) {
  const struct {
    Arch arch;
    const char* name;
    Version since;
  } rows[] = {{Arch::i386, "socket", {4, 3}},
              {Arch::i386, "socketcall", {2, 6}},
              {Arch::i386, "futex_time64", {5, 1}},
              {Arch::i386, "semget", {5, 1}},
              {Arch::i386, "memfd_create", {3, 17}},
              {Arch::i386, "map_shadow_stack", {6, 7}},
              {Arch::x32, "read", {3, 4}},
              {Arch::x32, "preadv2", {4, 8}},
              {Arch::aarch64, "read", {3, 7}},
              {Arch::aarch64, "openat2", {5, 6}},
              {Arch::aarch64, "map_shadow_stack", {6, 13}},
              {Arch::aarch64, "memfd_secret", {5, 14}},
              {Arch::riscv64, "read", {4, 15}},
              {Arch::riscv64, "seccomp", {5, 5}},
              {Arch::riscv64, "riscv_hwprobe", {6, 4}},
              {Arch::riscv64, "mseal", {6, 10}}};
  for (const auto& row : rows) {
    const Syscall* call = find_syscall(row.arch, row.name);
    ASSERT_NE(call, nullptr) << row.name;
    EXPECT_EQ(call->since, row.since) << to_string(row.arch) << ' ' << row.name;
  }
}

constexpr int P = -1, U = -2;  // pointer, unclassified
TEST(ArchArguments, WidthsKnownByHand) {
  const struct {
    Arch arch;
    const char* name;
    std::vector<int> widths;
  } rows[] = {
      {Arch::i386, "clone", {32, 32, P, 32, P}},
      {Arch::i386, "setuid", {16}},
      {Arch::i386, "setuid32", {32}},
      {Arch::i386, "chown", {P, 16, 16}},
      {Arch::i386, "mmap", {P}},
      {Arch::i386, "mmap2", {32, 32, 32, 32, 32, 32}},
      {Arch::i386, "socketcall", {32, P}},
      {Arch::i386, "pread64", {32, P, 32, 32, 32}},
      {Arch::i386, "preadv", {32, P, 32, 32, 32}},  // both halves count where a long has 32 bits
      {Arch::i386, "fallocate", {32, 32, 32, 32, 32, 32}},
      {Arch::i386, "ioctl", {32, 32, 32}},
      {Arch::i386, "chmod", {P, 16}},
      {Arch::x32, "ioctl", {32, 32, 32}},
      {Arch::x32, "preadv2", {32, P, 32, 64, 32}},
      {Arch::x32, "mmap", {64, 64, 32, 32, 32, 64}},
      {Arch::x32, "rt_sigaction", {32, P, P, 32}},
      {Arch::aarch64, "clone", {32, 64, P, 64, P}},
      {Arch::aarch64, "preadv2", {32, P, 32, 64, 0, 32}},
      {Arch::aarch64, "ioctl", {32, 32, U}},
      {Arch::riscv64, "clone", {32, 64, P, 64, P}},
      {Arch::riscv64, "riscv_flush_icache", {64, 64, 64}},
  };
  for (const auto& row : rows) {
    const Syscall* call = find_syscall(row.arch, row.name);
    ASSERT_NE(call, nullptr) << row.name;
    std::vector<int> widths;
    for (std::size_t i = 0; i < call->argument_count; ++i) {
      const Argument& a = call->arguments[i];
      widths.push_back(a.pointer ? P : !a.classified ? U : std::popcount(a.effective_mask));
    }
    EXPECT_EQ(widths, row.widths) << to_string(row.arch) << ' ' << row.name;
  }
}

TEST(ArchArguments, AnAliasIsOfItsArchitecture) {
  // CLONE_BACKWARDS: all but x86_64 and x32 take tls before child_tid.
  for (const auto& [arch, tls] : {std::pair{Arch::x86_64, 4}, {Arch::x32, 4}, {Arch::i386, 3}, {Arch::aarch64, 3}}) {
    const Syscall& clone = *find_syscall(arch, "clone");
    EXPECT_EQ(find_argument(clone, "tls"), tls);
    EXPECT_EQ(find_argument(clone, "child_tidptr"), 7 - tls);
    EXPECT_EQ(find_argument(clone, "clone_flags"), 0);
  }
  EXPECT_EQ(find_argument(*find_syscall(Arch::i386, "clone"), "tls_val"), 3);
  EXPECT_EQ(find_argument(*find_syscall(Arch::x86_64, "clone"), "tls_val"), std::nullopt);
  EXPECT_EQ(find_argument(*find_syscall(Arch::i386, "setuid32"), "uid"), 0);
}

// arch/arm64/include/uapi/asm/fcntl.h swaps four flags; asm-generic/ioctl.h puts the size of the argument into the
// number; the rest is the same everywhere.
TEST(ArchConstants, WhereTheyDiffer) {
  const struct {
    const char* name;
    std::uint64_t x86_64, i386, aarch64, riscv64;
  } rows[] = {{"O_DIRECTORY", 0x10000, 0x10000, 0x4000, 0x10000},
              {"O_NOFOLLOW", 0x20000, 0x20000, 0x8000, 0x20000},
              {"O_DIRECT", 0x4000, 0x4000, 0x10000, 0x4000},
              {"O_TMPFILE", 0x410000, 0x410000, 0x404000, 0x410000},
              {"FS_IOC_SETFLAGS", 0x40086602, 0x40046602, 0x40086602, 0x40086602},
              {"AF_INET", 2, 2, 2, 2},
              {"O_CREAT", 0100, 0100, 0100, 0100},
              {"TIOCSTI", 0x5412, 0x5412, 0x5412, 0x5412},
              {"MAP_ANONYMOUS", 0x20, 0x20, 0x20, 0x20},
              {"CLONE_NEWUSER", 0x10000000, 0x10000000, 0x10000000, 0x10000000}};
  for (const auto& row : rows) {
    EXPECT_EQ(find_constant(row.name), row.x86_64) << row.name;
    EXPECT_EQ(find_constant(row.name, Arch::x86_64), row.x86_64) << row.name;
    EXPECT_EQ(find_constant(row.name, Arch::i386), row.i386) << row.name;
    EXPECT_EQ(find_constant(row.name, Arch::aarch64), row.aarch64) << row.name;
    EXPECT_EQ(find_constant(row.name, Arch::riscv64), row.riscv64) << row.name;
  }
  EXPECT_EQ(find_constant("PROT_MTE"), std::nullopt);
  EXPECT_EQ(find_constant("PROT_MTE", Arch::aarch64), 0x20u);
  EXPECT_EQ(find_constant("PROT_MTE", Arch::riscv64), std::nullopt);
  EXPECT_EQ(find_constant("MAP_32BIT", Arch::aarch64), std::nullopt);
  EXPECT_EQ(find_constant("MAP_32BIT", Arch::x32), 0x40u);
  EXPECT_EQ(find_constant("ARCH_SET_FS", Arch::riscv64), std::nullopt);
}

TEST(Arches, TheTableOfACall) {
  EXPECT_EQ(arch_of_call(audit_arch(Arch::x86_64), 1), Arch::x86_64);
  EXPECT_EQ(arch_of_call(audit_arch(Arch::x86_64), x32_bit | 1), Arch::x32);
  EXPECT_EQ(arch_of_call(audit_arch(Arch::i386), 1), Arch::i386);
  EXPECT_EQ(arch_of_call(audit_arch(Arch::aarch64), x32_bit | 1), Arch::aarch64);
  EXPECT_EQ(arch_of_call(0x12345678, 1), std::nullopt);
  ArchSet set = {Arch::i386};
  EXPECT_TRUE(set.has(Arch::i386) && !set.has(Arch::x32));
  for (const Arch arch : all_archs) set.add(arch);
  EXPECT_EQ(set, ArchSet::all());
}

}  // namespace
}  // namespace agp::linux
