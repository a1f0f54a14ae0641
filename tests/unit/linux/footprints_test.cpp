#include "compiler/linux/footprints.hpp"

#include <gtest/gtest.h>

#include <set>

#include "compiler/linux/multiplexed.hpp"
#include "compiler/linux/syscalls.hpp"

namespace agp::linux {
namespace {

TEST(Footprints, HaveACanonicalRowForEachActAndCallsThatExist) {
  std::set<std::string_view> names;
  std::set<Act> acts;
  for (const Footprint& row : footprints()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    const bool first = acts.insert(row.act).second;
    EXPECT_TRUE(!first || row.way == Way::Canonical) << row.name << ": the first of its act";
    EXPECT_FALSE(row.calls.empty());
    for (const CallFact& fact : row.calls) {
      EXPECT_NE(find_syscall(Arch::x86_64, fact.call), nullptr) << fact.call;
      for (const ArgumentFact& a : fact.arguments) EXPECT_FALSE(a.values.empty()) << row.name;
    }
    EXPECT_EQ(row.packet, to_string(row.act).ends_with("tcp") || to_string(row.act).ends_with("udp") ||
                              to_string(row.act).ends_with("icmp"))
        << row.name;
  }
  EXPECT_GE(names.size(), 40u);
  EXPECT_EQ(footprints(Act::ConnectTcp).front().calls.size(), 2u);
  EXPECT_EQ(footprints(Act::ListenUnix).back().name, "bind of a name");
}

TEST(Names, AreKnownFromTheFirstHeadersThatHaveThemWithTheNumber) {
  const auto since = [](Arch arch, std::string_view name) { return name_since(*find_syscall(arch, name)); };
  EXPECT_EQ(find_syscall(Arch::riscv64, "rseq")->since, (Version{5, 18}));
  EXPECT_LE(since(Arch::riscv64, "rseq"), (Version{4, 18})) << "aarch64 has the number 293 since then or earlier";
  EXPECT_EQ(since(Arch::x86_64, "rseq"), (Version{4, 18}));
  EXPECT_EQ(since(Arch::x86_64, "openat2"), (Version{5, 6}));
  EXPECT_EQ(since(Arch::aarch64, "map_shadow_stack"), (Version{6, 6}));
}

TEST(Multiplexed, NamesTheSharedCallOfI386) {
  ASSERT_NE(find_multiplexed("socket"), nullptr);
  EXPECT_EQ(find_multiplexed("socket")->call, "socketcall");
  EXPECT_EQ(find_multiplexed("shmget")->first, 23u);
  EXPECT_EQ(find_multiplexed("read"), nullptr);
}

}  // namespace
}  // namespace agp::linux
