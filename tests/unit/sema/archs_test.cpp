// One written pattern on several architectures: registers, constants and widths are each one's own.
#include <algorithm>

#include "tests/unit/sema/support.hpp"

namespace agp::sema {
namespace {

using linux::Arch;
using linux::ArchSet;
using Found = std::vector<std::string>;

Options on(std::vector<Arch> archs) {
  Options o;
  o.archs = std::move(archs);
  return o;
}

const std::vector<model::Placed<model::SyscallPattern>>& patterns(const Analysed& a) {
  return std::get<model::SyscallBody>(a.policy().rules.at(0).body).patterns;
}

TEST(Archs, ConstantsThatDifferMakeAPatternEach) {
  Analysed a(in_policy("syscall { allow openat(flags & O_DIRECTORY == O_DIRECTORY) }"), {},
             on({Arch::x86_64, Arch::aarch64, Arch::riscv64}));
  ASSERT_EQ(a.found(), Found{});
  ASSERT_EQ(patterns(a).size(), 2u);
  EXPECT_EQ(patterns(a)[0].pattern.archs, (ArchSet{Arch::x86_64, Arch::riscv64}));
  EXPECT_EQ(patterns(a)[0].pattern.tests[0].mask, 0x10000u);
  EXPECT_EQ(patterns(a)[1].pattern.archs, ArchSet{Arch::aarch64});
  EXPECT_EQ(patterns(a)[1].pattern.tests[0].mask, 0x4000u);
  EXPECT_EQ(patterns(a)[0].text, patterns(a)[1].text);
  EXPECT_EQ(a.decide("syscall openat(0, 0, O_DIRECTORY)"), Allow);  // on each of them
  EXPECT_EQ(a.decide("syscall openat(0, 0, 0x10000)"), Deny);       // O_DIRECT on aarch64
}

TEST(Archs, WhatAgreesStaysOnePattern) {
  Analysed a(in_policy("syscall { allow socket(domain == AF_UNIX) }"), {}, on({Arch::x86_64, Arch::aarch64}));
  ASSERT_EQ(patterns(a).size(), 1u);
  EXPECT_EQ(patterns(a)[0].pattern.archs, ArchSet::all());
}

TEST(Archs, ARegisterThatDiffers) {
  Analysed a(in_policy("syscall { allow clone(tls == 5) }"), {}, on({Arch::x86_64, Arch::aarch64}));
  ASSERT_EQ(patterns(a).size(), 2u);
  EXPECT_EQ(patterns(a)[0].pattern.tests[0].index, 4);
  EXPECT_EQ(patterns(a)[1].pattern.tests[0].index, 3);
  EXPECT_EQ(a.decide("syscall clone(tls == 5)"), Allow);
  EXPECT_EQ(a.decide("syscall clone(0, 0, 0, 0, 5)"), Deny);
}

TEST(Archs, WhatOneOfThemLacksIsAnError) {
  EXPECT_EQ(Analysed(in_policy("syscall { deny mmap(flags & MAP_32BIT == MAP_32BIT) }"), {},
                     on({Arch::x86_64, Arch::aarch64}))
                .found(),
            Found{"AGP1076 MAP_32BIT"});
  // i386's mmap takes one pointer.
  EXPECT_EQ(Analysed(in_policy("syscall { allow mmap(prot == 1) }"), {}, on({Arch::x86_64, Arch::i386})).found(),
            Found{"AGP1074 prot"});
  // a value that a 32-bit register can't have
  EXPECT_EQ(Analysed(in_policy("syscall { allow lseek(offset == 0x100000000) }"), {}, on({Arch::x86_64, Arch::i386}))
                .sink.errors(),
            1u);
  EXPECT_EQ(Analysed(in_policy("syscall { allow open }"), {}, on({Arch::aarch64})).sink.errors(), 1u);
}

TEST(Archs, TheLibrarysGroupsResolveOnEachAlone) {
  for (const Arch arch : linux::all_archs) {
    Analysed a(in_policy("syscall { allow @default }"), {}, on({arch}));
    EXPECT_EQ(a.found(), Found{}) << linux::to_string(arch);
    EXPECT_GT(patterns(a).size(), 150u) << linux::to_string(arch);
  }
  EXPECT_EQ(Analysed(in_policy("syscall { allow @default }"), {},
                     on({Arch::x86_64, Arch::i386, Arch::x32, Arch::aarch64, Arch::riscv64}))
                .found(),
            Found{});
  EXPECT_EQ(Analysed(in_policy("owner \"a\""), {}, on({Arch::aarch64})).sink.errors(), 0u);
}

}  // namespace
}  // namespace agp::sema
