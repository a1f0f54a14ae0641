#include <gtest/gtest.h>

#include "backends/seccomp/backend.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/verify/verify.hpp"
#include "tests/support/bpf.hpp"
#include "tests/support/policies.hpp"

// The statement of an audited block, about system calls: everything runs, exactly what would be refused is reported.
// What is emitted has it; programs that look like it, and enforced ones, do not.
namespace agp::test {
namespace {

using model::ArgTest;
using model::Effect;
using verify::Direction;
using verify::Obligation;
using Op = ArgTest::Op;

constexpr std::uint32_t allowed = 0x7fff0000, logged = 0x7ffc0000, eperm = 0x50001, notify = 0x7fc00000;
constexpr const char *raw = "seccomp/filter.x86_64.bpf", *profile = "seccomp/profile.json";

model::Policy audited() {
  model::Policy p;
  p.mode = model::Mode::Audit;
  p.audit_for = {"syscall"};
  add_rule(p, Effect::Allow, {call("read"), call("ioctl"), call("socket", {is(0, Op::Eq, 2)}), call("clone")});
  add_rule(p, Effect::Deny,
           {call("ioctl", {is(1, Op::Eq, 0x5412)}), call("clone", {masked(0, 0x10000000, 0x10000000)})});
  add_rule(p, Effect::Deny, {call("ptrace")}, {}, {model::Denial::Kind::Kill, 0});
  return p;
}

std::string emitted(const model::Policy& policy, std::string_view path) {
  for (const auto& a : backends::seccomp::backend().emit(policy, debian12(), {}).artifacts)
    if (a.path == path) return a.bytes;
  return {};
}

std::vector<Obligation> check(const model::Policy& policy, const std::string& path, const std::string& bytes) {
  const backends::Artifact artifact{path, bytes};
  const auto decoded = backends::seccomp::backend().decode({&artifact, 1}, debian12());
  EXPECT_TRUE(decoded.problems.empty()) << decoded.problems[0].message;
  return verify::verify_filters(policy, debian12(), {}, decoded);
}

/// "proved", or the witness and what the artifact does with it.
std::string word(const std::vector<Obligation>& all, Direction d) {
  for (const auto& o : all)
    if (o.direction == d)
      return o.verdict.match([](const solver::Proved&) -> std::string { return "proved"; },
                             [](const verify::Witness& w) { return w.action + " | " + w.observed; },
                             [](const solver::Unknown& u) { return "unknown: " + u.reason; });
  return "not stated";
}

/// Every return of `from` gives `to` instead.
std::string returning(std::string bytes, std::uint32_t from, std::uint32_t to) {
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    std::uint32_t k = 0;
    for (int i = 3; i >= 0; --i) k = k << 8 | static_cast<std::uint8_t>(bytes[at + 4 + static_cast<std::size_t>(i)]);
    if (bytes[at] != 0x06 || k != from) continue;
    for (std::size_t i = 0; i < 4; ++i) bytes[at + 4 + i] = static_cast<char>(to >> (8 * i));
  }
  return bytes;
}
std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(Audit, WhatIsEmittedHasTheStatementAndNoOther) {
  for (const char* path : {raw, profile}) {
    const auto all = check(audited(), path, emitted(audited(), path));
    ASSERT_EQ(all.size(), 3u);
    for (const Direction d : {Direction::Permits, Direction::Reports, Direction::Quiet})
      EXPECT_EQ(word(all, d), "proved") << path << ' ' << verify::to_string(d);
  }
}

TEST(Audit, AnEnforcedFilterRefuses) {
  model::Policy enforced = audited();
  enforced.mode = model::Mode::Enforce;
  for (const char* path : {raw, profile}) {
    const auto all = check(audited(), path, emitted(enforced, path));
    EXPECT_NE(word(all, Direction::Permits), "proved") << path;
    EXPECT_EQ(word(all, Direction::Excess), "not stated") << path;
    // and the other way round
    const auto open = check(enforced, path, emitted(audited(), path));
    EXPECT_NE(word(open, Direction::Excess), "proved") << path;
    EXPECT_EQ(word(open, Direction::Permits), "not stated") << path;
  }
}

TEST(Audit, MutantsAreRefuted) {
  const std::string program = emitted(audited(), raw);
  const auto silent = check(audited(), raw, returning(program, logged, allowed));
  EXPECT_EQ(word(silent, Direction::Permits), "proved");
  EXPECT_NE(word(silent, Direction::Reports).find("| permitted"), std::string::npos)
      << word(silent, Direction::Reports);
  EXPECT_EQ(word(silent, Direction::Quiet), "proved");
  const auto loud = check(audited(), raw, returning(program, allowed, logged));
  EXPECT_EQ(word(loud, Direction::Permits), "proved");
  EXPECT_EQ(word(loud, Direction::Reports), "proved");
  EXPECT_NE(word(loud, Direction::Quiet).find("| permitted and logged"), std::string::npos);
  const auto denies = check(audited(), raw, returning(program, logged, eperm));
  EXPECT_NE(word(denies, Direction::Permits).find("| EPERM"), std::string::npos) << word(denies, Direction::Permits);
  // somebody else may refuse it, and nobody reports it
  const auto asked = check(audited(), raw, returning(program, logged, notify));
  EXPECT_NE(word(asked, Direction::Permits), "proved");
  EXPECT_NE(word(asked, Direction::Reports), "proved");
}

TEST(Audit, MutantsOfAProfileAreRefuted) {
  const std::string text = emitted(audited(), profile);
  const auto silent = check(audited(), profile, replaced(text, "\"SCMP_ACT_LOG\"", "\"SCMP_ACT_ALLOW\""));
  EXPECT_NE(word(silent, Direction::Reports), "proved");
  const auto denies = check(audited(), profile, replaced(text, "\"SCMP_ACT_LOG\"", "\"SCMP_ACT_ERRNO\""));
  EXPECT_NE(word(denies, Direction::Permits), "proved");
  // the condition on socket's domain is gone: every domain passes unreported
  const auto wide = check(audited(), profile, replaced(text, "\"ioctl\"", "\"ptrace\""));
  EXPECT_NE(word(wide, Direction::Reports), "proved");
  EXPECT_NE(word(wide, Direction::Quiet), "proved");
}

/// One value: TIOCSTI + 2^32 is TIOCSTI, and a filter that compares 64 bits does not report it.
TEST(Audit, HighBitsOfAReportedArgument) {
  const auto ld = [](std::uint32_t at) { return Insn{0x20, 0, 0, at}; };
  const auto jeq = [](std::uint32_t k, int t, int f) {
    return Insn{0x15, static_cast<std::uint8_t>(t), static_cast<std::uint8_t>(f), k};
  };
  const auto ret = [](std::uint32_t k) { return Insn{0x06, 0, 0, k}; };
  model::Policy p;
  p.mode = model::Mode::Audit;
  add_rule(p, Effect::Allow, {call("ioctl")});
  add_rule(p, Effect::Deny, {call("ioctl", {is(1, Op::Eq, 0x5412)})});
  const Bpf program{
      ld(4),  jeq(x86_64_arch, 1, 0), ret(logged), ld(0),       jeq(16, 1, 0), ret(logged), ld(28), jeq(0, 0, 3),
      ld(24), jeq(0x5412, 0, 1),      ret(logged), ret(allowed)};
  const auto all = check(p, raw, bpf_to_bytes(program));
  EXPECT_EQ(word(all, Direction::Permits), "proved");
  EXPECT_EQ(word(all, Direction::Quiet), "proved");
  EXPECT_NE(word(all, Direction::Reports).find("00005412"), std::string::npos) << word(all, Direction::Reports);
}

TEST(Audit, NumbersOutsideTheTablesAreReportedToo) {
  const auto ret = [](std::uint32_t k) { return Insn{0x06, 0, 0, k}; };
  model::Policy p;
  p.mode = model::Mode::Audit;
  std::vector<model::SyscallPattern> every;
  for (const auto& c : linux::syscalls(linux::Arch::x86_64)) every.push_back(call(std::string(c.name)));
  add_rule(p, Effect::Allow, every);
  const auto all = check(p, raw, bpf_to_bytes({ret(allowed)}));
  EXPECT_EQ(word(all, Direction::Permits), "proved");
  EXPECT_NE(word(all, Direction::Reports), "proved");  // i386's and x32's calls pass unreported
}

}  // namespace
}  // namespace agp::test
