#include <gtest/gtest.h>

#include "compiler/linux/landlock.hpp"
#include "tests/unit/landlock/support.hpp"

namespace agp::test {
namespace {

using backends::Capability;
using backends::Holds;

/// Calls that change attributes are refused, so that only what Landlock decides is looked at.
FilePolicy quiet() {
  FilePolicy p;
  p.call(model::Effect::Allow, "openat");
  return p;
}

TEST(LandlockHolds, ASubtreeIsExact) {
  auto p = quiet();
  p.allow("read write", {"/w/**"}).allow("read exec", {"/usr/bin/**"}).allow("read modify", {"/dev/null"});
  for (const char* fact : {"read write \"/w/**\"", "read exec \"/usr/bin/**\"", "read modify \"/dev/null\""})
    EXPECT_EQ(holding(p.policy, 5, fact).holds, Holds::Exact) << fact;
}

TEST(LandlockHolds, ARefusalBeneathAPermittedDirectoryIsAGapWithItsPath) {
  auto p = quiet();
  p.allow("read write", {"/w/**"}).deny("write", {"/w/.git/hooks/**"});
  const Capability c = holding(p.policy, 5, "write \"/w/.git/hooks/**\"");
  EXPECT_EQ(c.holds, Holds::Wider);
  EXPECT_EQ(c.slips.rfind("modify \"/w/.git/hooks/", 0), 0u) << c.slips;
  EXPECT_FALSE(c.help.empty());
  EXPECT_EQ(holding(p.policy, 5, "read write \"/w/**\"").holds, Holds::Exact) << "the refusal carries it";
}

TEST(LandlockHolds, ARefusalBesideWhatIsPermittedIsExact) {
  auto p = quiet();
  p.allow("read", {"/w/**"}).deny("read", {"/home/**"}).deny("write", {"/w/**"});
  EXPECT_EQ(holding(p.policy, 5, "read \"/home/**\"").holds, Holds::Exact);
  EXPECT_EQ(holding(p.policy, 5, "write \"/w/**\"").holds, Holds::Exact);
}

TEST(LandlockHolds, AnExceptionIsItsOwnRulesGap) {
  auto p = quiet();
  p.file(model::Effect::Allow, "read", {"/w/**"}, {"/w/keys/**"});
  EXPECT_EQ(holding(p.policy, 5, "read \"/w/**\"").holds, Holds::Wider);
}

TEST(LandlockHolds, AWildcardInAComponentIsAGapUnlessTheDirectoryIsPermittedAnyhow) {
  auto p = quiet();
  p.allow("read", {"/srv/*.txt"});
  const Capability c = holding(p.policy, 5, "read \"/srv/*.txt\"");
  EXPECT_EQ(c.holds, Holds::Wider);
  EXPECT_NE(c.help.find("/srv/**"), std::string::npos);
  p.allow("read", {"/srv/**"});
  EXPECT_EQ(holding(p.policy, 5, "read \"/srv/*.txt\"").holds, Holds::Exact);
}

TEST(LandlockHolds, OneDirectoryWithoutItsSubtree) {
  auto p = quiet();
  p.allow("list", {"/srv"});
  EXPECT_EQ(holding(p.policy, 5, "list \"/srv\"").holds, Holds::Wider);
  p.allow("list", {"/srv/**"});
  EXPECT_EQ(holding(p.policy, 5, "list \"/srv\"").holds, Holds::Exact);
}

TEST(LandlockHolds, OneNameOfADirectoryCantBeMade) {
  auto p = quiet();
  p.allow("read write", {"/w/out.txt"});
  const Capability c = holding(p.policy, 5, "read write \"/w/out.txt\"");
  EXPECT_EQ(c.holds, Holds::Narrower);
  EXPECT_EQ(c.slips, "create \"/w/out.txt\"");
  EXPECT_EQ(c.help, "to write to the existing file: `allow read, modify \"/w/out.txt\"`");
}

TEST(LandlockHolds, ExecWithoutReadIsALoss) {
  auto p = quiet();
  p.allow("exec", {"/usr/bin/true"});
  EXPECT_EQ(holding(p.policy, 5, "exec \"/usr/bin/true\"").holds, Holds::Narrower);
  p.allow("read", {"/usr/**"});
  EXPECT_EQ(holding(p.policy, 5, "exec \"/usr/bin/true\"").holds, Holds::Exact);
}

TEST(LandlockHolds, AttributesAreNotDecidedUnlessTheirCallsAreRefused) {
  FilePolicy p;
  p.call(model::Effect::Allow, "fchmod").allow("read write", {"/w/**"});
  const Capability c = holding(p.policy, 5, "read write \"/w/**\"");
  EXPECT_EQ(c.holds, Holds::Wider);
  EXPECT_EQ(c.help, "syscall { deny fchmod }");
  p.call(model::Effect::Deny, "fchmod");
  EXPECT_EQ(holding(p.policy, 5, "read write \"/w/**\"").holds, Holds::Exact);
  p.call(model::Effect::Allow, "ioctl");
  EXPECT_EQ(holding(p.policy, 5, "read write \"/w/**\"").holds, Holds::Wider) << "FS_IOC_SETFLAGS";
}

TEST(LandlockHolds, APolicyThatWritesNothingIsNotSilentAboutAttributes) {
  FilePolicy p;
  p.call(model::Effect::Allow, "chmod").allow("read", {"/usr/**", "/etc/**"});
  EXPECT_EQ(holding(p.policy, 5, "read \"/usr/**\"").holds, Holds::Wider);
  EXPECT_EQ(holding(p.policy, 5, "read \"/etc/**\"").holds, Holds::Exact) << "said once";
}

TEST(LandlockHolds, TruncationFromThree) {
  auto p = quiet();
  p.allow("read write", {"/w/**"});
  EXPECT_EQ(holding(p.policy, 2, "read write \"/w/**\"").holds, Holds::Wider);
  EXPECT_EQ(holding(p.policy, 3, "read write \"/w/**\"").holds, Holds::Exact);
}

TEST(LandlockHolds, RenamesBetweenDirectoriesFromTwo) {
  auto p = quiet();
  p.allow("read write", {"/w/**"});
  EXPECT_EQ(holding(p.policy, 1, "read write \"/w/**\"").holds, Holds::Narrower);
}

TEST(LandlockHolds, SocketsByPathFromNineAndAbstractFromSix) {
  auto p = quiet();
  p.sock(model::Effect::Allow, model::Direction::Connect, "/run/x.sock")
      .sock(model::Effect::Deny, model::Direction::Connect, "@abstract");
  const auto facts = model::facts(p.policy);
  EXPECT_EQ(holding(p.policy, 8, "connect unix \"/run/x.sock\"").holds, Holds::Not);
  EXPECT_EQ(holding(p.policy, 9, "connect unix \"/run/x.sock\"").holds, Holds::Exact);
  for (const auto& f : facts)
    if (f.block == "net" && f.text.find("@abstract") != std::string::npos) {
      EXPECT_EQ(holding(p.policy, 5, f.text).holds, Holds::Not);
      EXPECT_EQ(holding(p.policy, 6, f.text).holds, Holds::Exact);
    }
}

TEST(LandlockHolds, NothingInAStackThatDoesNotLoadIt) {
  auto p = quiet();
  p.allow("read", {"/usr/**"});
  EXPECT_EQ(holding(p.policy, 5, "read \"/usr/**\"", "oci").holds, Holds::Elsewhere);
}

TEST(LandlockTable, TheRightsOfAFileAreThoseThatTheKernelTakes) {
  // ACCESS_FILE of security/landlock/fs.c: execute, write, read, truncate, ioctl, resolve
  EXPECT_EQ(linux::landlock::file_rights(), 1u | 2 | 4 | 16384 | 32768 | 65536);
  EXPECT_EQ(linux::landlock::abi_for(linux::landlock::Sort::Fs, 1u << 16), 9);
  EXPECT_FALSE(linux::landlock::abi_for(linux::landlock::Sort::Fs, 1u << 17));
  EXPECT_EQ(linux::landlock::all_rights(linux::landlock::Sort::Fs, 1), 0x1fffu);
}

TEST(LandlockHolds, MptcpAndFastOpenPassAPort) {
  FilePolicy p;
  model::NetBody body;
  body.protocols = static_cast<model::Protocols>(model::Protocol::Tcp);
  model::EndpointPattern everywhere;
  everywhere.addresses = model::AddressSet::all();
  everywhere.ports = model::PortSet::range(443, 443);
  body.endpoints.push_back({everywhere, {}, "connect tcp any:443"});
  p.rule(model::Effect::Deny, body);
  const auto answer = holding(p.policy, 7, "connect tcp any:443");
  EXPECT_EQ(answer.holds, backends::Holds::Wider) << answer.reason;
  EXPECT_NE(answer.reason.find("MPTCP"), std::string::npos);
  EXPECT_FALSE(answer.slips.empty());
}

}  // namespace
}  // namespace agp::test
