#include <gtest/gtest.h>

#include "tests/support/file_policy.hpp"

namespace agp::test {
namespace {

using backends::Capability;
using backends::Holds;
using model::Effect;

/// The answer about one fact, by its text.
Capability answer(const FilePolicy& b, const std::string& text) {
  const auto facts = model::facts(b.policy);
  const auto all = backends::oci::backend().capabilities(b.policy, facts, debian12());
  EXPECT_EQ(all.facts.size(), facts.size());
  for (std::size_t i = 0; i < facts.size(); ++i)
    if (facts[i].text == text) return all.facts[i];
  ADD_FAILURE() << "no fact " << text;
  return {};
}

#define EXPECT_HOLDS(builder, text, expected, slip)                                                         \
  do {                                                                                                      \
    const Capability got = answer(builder, text);                                                           \
    EXPECT_EQ(static_cast<int>(got.holds), static_cast<int>(expected)) << got.reason << " / " << got.slips; \
    EXPECT_EQ(got.slips, slip) << got.reason;                                                               \
    EXPECT_EQ(got.reason.empty(), (expected) == Holds::Exact);                                              \
  } while (false)

TEST(OciHolds, WholeSubtreesAreExact) {
  FilePolicy b;
  b.allow("read", {"/task/**", "/config/**"})
      .allow("read write", {"/workspace/**"})
      .allow("read exec", {"/usr/bin/python3.11", "/usr/lib/**"});
  b.tmpfs("/workspace").mount("/srv/task", "/task");
  for (const char* fact :
       {"read \"/task/**\"", "read \"/config/**\"", "read write \"/workspace/**\"", "read exec \"/usr/lib/**\"",
        "read exec \"/usr/bin/python3.11\"", "mount \"/workspace\"", "mount \"/task\""})
    EXPECT_HOLDS(b, fact, Holds::Exact, "");
}

TEST(OciHolds, DenyBeneathWritableLosesOnlyTheDirectoriesBetween) {
  FilePolicy b;
  b.allow("read write", {"/workspace/**"}).deny("write", {"/workspace/.git/hooks/**"}).tmpfs("/workspace");
  EXPECT_HOLDS(b, "read write \"/workspace/**\"", Holds::Exact, "");
  EXPECT_HOLDS(b, "write \"/workspace/.git/hooks/**\"", Holds::Narrower, "delete \"/workspace/.git\"");
}

TEST(OciHolds, DenyOfWhatIsNotMountedNeedsNothing) {
  FilePolicy b;
  b.allow("read", {"/task/**"}).deny("read write", {"/home/*/.ssh/**", "/root/**", "/var/**/*.key"});
  for (const char* fact : {"read write \"/home/*/.ssh/**\"", "read write \"/root/**\"", "read write \"/var/**/*.key\""})
    EXPECT_HOLDS(b, fact, Holds::Exact, "");
}

TEST(OciHolds, GlobUnderAMountSlips) {
  FilePolicy b;
  b.allow("read", {"/task/**"}).deny("read", {"/**/.env"});
  EXPECT_HOLDS(b, "read \"/**/.env\"", Holds::Wider, "read \"/task/.env\"");
  EXPECT_HOLDS(b, "read \"/task/**\"", Holds::Exact, "");
}

TEST(OciHolds, DeniedDirectoryIsMaskedExactlyUnderAReadOnlyMount) {
  FilePolicy b;
  b.allow("read", {"/config/**"}).deny("read", {"/config/secret/**"});
  EXPECT_HOLDS(b, "read \"/config/secret/**\"", Holds::Exact, "");
  EXPECT_HOLDS(b, "read \"/config/**\"", Holds::Exact, "");
}

TEST(OciHolds, MaskTakesTheWriteAway) {
  FilePolicy b;
  b.allow("read write", {"/w/**"}).deny("read", {"/w/secret/**"}).tmpfs("/w");
  EXPECT_HOLDS(b, "read \"/w/secret/**\"", Holds::Narrower, "delete \"/w/secret\"");
}

TEST(OciHolds, MaskWithoutLossNeedsTheNodeDeniedToo) {
  FilePolicy b;
  b.allow("read write", {"/w/**"}).deny("read write", {"/w/secret", "/w/secret/**"}).tmpfs("/w");
  EXPECT_HOLDS(b, "read write \"/w/secret/**\"", Holds::Exact, "");
  EXPECT_HOLDS(b, "read write \"/w/secret\"", Holds::Exact, "");
}

TEST(OciHolds, VerbsThatAMountCantSplit) {
  const auto check = [](const char* words, const char* slip) {
    FilePolicy b;
    b.allow(words, {"/a/**"}).tmpfs("/a");
    EXPECT_HOLDS(b, std::string(words) + " \"/a/**\"", Holds::Wider, slip);
  };
  check("write", "read \"/a/x\"");
  check("read modify", "create \"/a/x\"");
  check("read create", "delete \"/a/x\"");
  check("list", "read \"/a/x\"");
  check("exec", "read \"/a/x\"");
}

TEST(OciHolds, ReadWithoutListIsNotShown) {
  FilePolicy b;
  b.allow("read", {"/a/**"}).deny("list", {"/a/**"});
  EXPECT_HOLDS(b, "list \"/a/**\"", Holds::Exact, "");
  EXPECT_HOLDS(b, "read \"/a/**\"", Holds::Narrower, "read \"/a/x\"");
}

TEST(OciHolds, WildcardInsideAComponentShowsTheDirectory) {
  FilePolicy b;
  b.allow("read", {"/usr/lib/*.so"});
  const Capability got = answer(b, "read \"/usr/lib/*.so\"");
  EXPECT_EQ(got.holds, Holds::Wider);
  EXPECT_EQ(got.help, "allow read \"/usr/lib/**\"");
  EXPECT_NE(got.slips.find("read \"/usr/lib/"), std::string::npos);
}

TEST(OciHolds, WildcardWithinWhatIsMountedAnywayIsExact) {
  FilePolicy b;
  b.allow("read", {"/usr/lib/**"}).allow("read", {"/usr/lib/*.so"});
  EXPECT_HOLDS(b, "read \"/usr/lib/*.so\"", Holds::Exact, "");
}

TEST(OciHolds, NothingMountsTheWholeRoot) {
  FilePolicy b;
  b.allow("read", {"/**", "/*.txt"});
  EXPECT_EQ(answer(b, "read \"/**\"").holds, Holds::Narrower);
  EXPECT_EQ(answer(b, "read \"/*.txt\"").holds, Holds::Narrower);
}

TEST(OciHolds, OneFile) {
  FilePolicy b;
  b.allow("read modify", {"/dev/null", "/data/log"}).allow("write", {"/data/new"}).allow("read", {"/dev/urandom"});
  EXPECT_HOLDS(b, "read modify \"/dev/null\"", Holds::Exact, "");
  EXPECT_HOLDS(b, "read modify \"/data/log\"", Holds::Exact, "");
  EXPECT_HOLDS(b, "write \"/data/new\"", Holds::Wider, "read \"/data/new\"");
  EXPECT_HOLDS(b, "read \"/dev/urandom\"", Holds::Wider, "modify \"/dev/urandom\"");
}

TEST(OciHolds, AFileCantBeCreatedAtAMountPoint) {
  FilePolicy b;
  b.allow("read write", {"/data/new"});
  EXPECT_HOLDS(b, "read write \"/data/new\"", Holds::Narrower, "create \"/data/new\"");
}

TEST(OciHolds, NoFileInAnEmptyFileSystem) {
  FilePolicy b;
  b.allow("read", {"/scratch/in"}).tmpfs("/scratch");
  EXPECT_HOLDS(b, "read \"/scratch/in\"", Holds::Narrower, "read \"/scratch/in\"");
  EXPECT_EQ(answer(b, "mount \"/scratch\"").holds, Holds::Narrower);
}

TEST(OciHolds, ReadOnlyMountRefusesTheWrite) {
  FilePolicy b;
  b.allow("read write", {"/task/**"}).mount("/srv/task", "/task", false);
  EXPECT_HOLDS(b, "read write \"/task/**\"", Holds::Narrower, "create \"/task/x\"");
}

TEST(OciHolds, ExecNeedsMemfdRefused) {
  FilePolicy b;
  b.allow("read exec", {"/usr/bin/**"}).allow("read write", {"/w/**"}).tmpfs("/w");
  EXPECT_HOLDS(b, "read exec \"/usr/bin/**\"", Holds::Exact, "");
  b.call(Effect::Allow, "memfd_create");
  EXPECT_HOLDS(b, "read exec \"/usr/bin/**\"", Holds::Wider, "exec \"/w/x\"");
  b.call(Effect::Deny, "memfd_create");
  EXPECT_HOLDS(b, "read exec \"/usr/bin/**\"", Holds::Exact, "");
}

TEST(OciHolds, DenyOfANeed) {
  FilePolicy b;
  b.allow("read", {"/task/**"}).deny("read", {"/proc/**"}).deny("modify", {"/dev/null"});
  EXPECT_HOLDS(b, "read \"/proc/**\"", Holds::Wider, "read \"/proc/self/environ\"");
  EXPECT_HOLDS(b, "modify \"/dev/null\"", Holds::Wider, "modify \"/dev/null\"");
}

TEST(OciHolds, AskIsRefused) {
  FilePolicy b;
  b.allow("read", {"/task/**"}).file(Effect::Ask, "write", {"/task/out/**"});
  EXPECT_HOLDS(b, "write \"/task/out/**\"", Holds::Narrower, "create \"/task/out/x\"");
}

TEST(OciHolds, ExceptionIsHeldLikeADeny) {
  FilePolicy b;
  b.allow("read", {"/config/**"}, {"/config/secret/**"}).allow("read write", {"/w/**"}, {"/w/a/b/**"}).tmpfs("/w");
  EXPECT_HOLDS(b, "read \"/config/**\"", Holds::Exact, "");
  EXPECT_EQ(answer(b, "read write \"/w/**\"").holds, Holds::Narrower);
}

TEST(OciHolds, Sockets) {
  using model::Direction;
  FilePolicy b;
  b.sock(Effect::Allow, Direction::Connect, "/run/app.sock").sock(Effect::Deny, Direction::Connect, "/run/docker.sock");
  b.sock(Effect::Deny, Direction::Connect, "@abstract");
  EXPECT_HOLDS(b, "connect unix \"/run/app.sock\"", Holds::Exact, "");
  EXPECT_HOLDS(b, "connect unix \"/run/docker.sock\"", Holds::Exact, "");
  EXPECT_HOLDS(b, "connect unix @abstract", Holds::Exact, "");
  FilePolicy d;  // a directory mounted for its sockets shows its other files
  d.sock(Effect::Allow, Direction::Connect, "/run/app/**");
  EXPECT_HOLDS(d, "connect unix \"/run/app/**\"", Holds::Wider, "read \"/run/app/x\"");
}

TEST(OciHolds, AuditOfFilesIsNotHeld) {
  FilePolicy b;
  b.policy.mode = model::Mode::Audit;
  EXPECT_EQ(answer(b, "mode file").holds, Holds::Narrower);
  EXPECT_EQ(answer(b, "mode net").holds, Holds::Elsewhere);
}

TEST(OciHolds, LimitsUserAndTime) {
  FilePolicy b;
  b.policy.limits.memory_bytes = {{1 << 20, {}}};
  b.policy.limits.time_ms = {{1000, {}}};
  b.policy.run.user = model::User{1000, 1000, {}};
  EXPECT_HOLDS(b, "limit memory", Holds::Exact, "");
  EXPECT_HOLDS(b, "user", Holds::Exact, "");
  EXPECT_EQ(answer(b, "limit time").holds, Holds::Elsewhere);
}

TEST(OciHolds, ACapabilityThatUndoesTheMounts) {
  FilePolicy b;
  b.capability("CAP_SYS_ADMIN");
  EXPECT_HOLDS(b, "CAP_SYS_ADMIN", Holds::Exact, "");
  b.call(Effect::Allow, "umount2");
  EXPECT_EQ(answer(b, "CAP_SYS_ADMIN").holds, Holds::Wider);
}

}  // namespace
}  // namespace agp::test
