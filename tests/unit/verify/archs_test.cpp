// Filters for other architectures and for several at once: every selected one is proved, every other refused.
#include <gtest/gtest.h>

#include "backends/seccomp/backend.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/verify/verify.hpp"
#include "tests/support/bpf.hpp"
#include "tests/support/policies.hpp"

namespace agp::test {
namespace {

using linux::Arch;
using model::ArgTest;
using model::Effect;
using verify::Direction;
using Op = ArgTest::Op;

constexpr std::uint32_t allowed = 0x7fff0000, eperm = 0x50001;
Insn ld(std::uint32_t at) { return {0x20, 0, 0, at}; }
Insn jeq(std::uint32_t k, int t, int f) {
  return {0x15, static_cast<std::uint8_t>(t), static_cast<std::uint8_t>(f), k};
}
Insn ret(std::uint32_t k) { return {0x06, 0, 0, k}; }

struct Allowed {
  Arch arch;
  std::uint32_t number;
};
/// Permits these numbers of these architectures and nothing else.
Bpf list(const std::vector<Allowed>& calls) {
  Bpf out;
  for (const Allowed& c : calls) {
    out.push_back(ld(4));
    out.push_back(jeq(linux::audit_arch(c.arch), 0, 3));
    out.push_back(ld(0));
    out.push_back(jeq(c.number, 0, 1));
    out.push_back(ret(allowed));
  }
  out.push_back(ret(eperm));
  return out;
}

std::vector<verify::Obligation> check(const model::Policy& policy, const Bpf& program, const std::string& machine,
                                      std::vector<std::string> archs) {
  model::Target target = debian12();
  target.archs = std::move(archs);
  const backends::Artifact artifact{"seccomp/filter." + machine + ".bpf", bpf_to_bytes(program)};
  const auto decoded = backends::seccomp::backend().decode({&artifact, 1}, target);
  EXPECT_TRUE(decoded.problems.empty());
  return verify::verify_filters(policy, target, {}, decoded);
}

/// "proved", "unknown: …", or the witness: `syscall read(…) on i386`.
std::string said(const std::vector<verify::Obligation>& all, Direction d) {
  std::string out = "none";
  for (const auto& o : all)
    if (o.direction == d)
      o.verdict.match([&](const solver::Proved&) { out = "proved"; }, [&](const verify::Witness& w) { out = w.action; },
                      [&](const solver::Unknown& u) { out = "unknown: " + u.reason; });
  return out;
}

model::Policy reads() {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("read")});
  return p;
}

TEST(VerifyArchs, OneOtherArchitecture) {
  for (const auto& [arch, number] : {std::pair{Arch::aarch64, 63u}, {Arch::riscv64, 63u}}) {
    const std::string name(linux::to_string(arch));
    const auto right = check(reads(), list({{arch, number}}), name, {name});
    EXPECT_EQ(said(right, Direction::Excess), "proved") << name;
    EXPECT_EQ(said(right, Direction::Loss), "proved") << name;
    // x86_64's number of read is io_setup's there.
    const auto wrong = check(reads(), list({{arch, 0}}), name, {name});
    EXPECT_EQ(said(wrong, Direction::Excess), "syscall io_setup() on " + name);
    EXPECT_EQ(said(wrong, Direction::Loss), "syscall read() on " + name);
    EXPECT_EQ(said(check(reads(), list({{arch, number}}), name, {"x86_64"}), Direction::Excess),
              "unknown: the target has no " + name);
  }
}

TEST(VerifyArchs, EverySelectedOneIsProvedAndEveryOtherRefused) {
  const Bpf three = list({{Arch::x86_64, 0}, {Arch::i386, 3}, {Arch::x32, linux::x32_bit | 0}});
  const auto all = check(reads(), three, "x86_64", {"x86_64", "i386", "x32"});
  EXPECT_EQ(said(all, Direction::Excess), "proved");
  EXPECT_EQ(said(all, Direction::Loss), "proved");
  // i386's numbers are no calls of a target that has not selected it.
  EXPECT_EQ(said(check(reads(), three, "x86_64", {"x86_64", "x32"}), Direction::Excess).find("syscall 0x3("), 0u);
  EXPECT_EQ(said(check(reads(), three, "x86_64", {"x86_64", "i386"}), Direction::Excess).find("syscall 0x40000000("),
            0u);
  // One that is selected and left out of the filter is a loss.
  const Bpf one = list({{Arch::x86_64, 0}});
  EXPECT_EQ(said(check(reads(), one, "x86_64", {"x86_64", "i386"}), Direction::Loss), "syscall read() on i386");
}

TEST(VerifyArchs, AnotherMachinesCallsAreNoLossHere) {
  const Bpf one = list({{Arch::x86_64, 0}});
  const auto here = check(reads(), one, "x86_64", {"x86_64", "aarch64"});
  EXPECT_EQ(said(here, Direction::Excess), "proved");
  EXPECT_EQ(said(here, Direction::Loss), "proved");
  EXPECT_EQ(said(check(reads(), one, "aarch64", {"x86_64", "aarch64"}), Direction::Loss), "syscall read() on aarch64");
  // One program for both.
  const Bpf both = list({{Arch::x86_64, 0}, {Arch::aarch64, 63}});
  for (const char* machine : {"x86_64", "aarch64"}) {
    const auto all = check(reads(), both, machine, {"x86_64", "aarch64"});
    EXPECT_EQ(said(all, Direction::Excess), "proved") << machine;
    EXPECT_EQ(said(all, Direction::Loss), "proved") << machine;
  }
}

TEST(VerifyArchs, APatternOfOneArchitectureSaysNothingAboutAnother) {
  model::Policy p;
  auto on_aarch64 = call("openat", {masked(2, 0x4000, 0x4000)}),
       on_x86_64 = call("openat", {masked(2, 0x10000, 0x10000)});
  on_aarch64.archs = {Arch::aarch64};
  on_x86_64.archs = {Arch::x86_64};
  add_rule(p, Effect::Allow, {on_x86_64, on_aarch64});
  // O_DIRECTORY of x86_64 on both: on aarch64 that is O_DIRECT.
  const Bpf program{ld(4),
                    jeq(linux::audit_arch(Arch::x86_64), 2, 0),
                    jeq(linux::audit_arch(Arch::aarch64), 3, 0),
                    ret(eperm),
                    ld(0),
                    jeq(257, 3, 2),
                    ld(0),
                    jeq(56, 1, 0),
                    ret(eperm),
                    ld(32),
                    {0x45, 0, 1, 0x10000},
                    ret(allowed),
                    ret(eperm)};
  const auto all = check(p, program, "aarch64", {"x86_64", "aarch64"});
  EXPECT_EQ(said(all, Direction::Excess), "syscall openat(0, 0, 0x10000) on aarch64");
  EXPECT_EQ(said(all, Direction::Loss), "syscall openat(0, 0, 0x4000) on aarch64");
  EXPECT_EQ(said(check(p, program, "x86_64", {"x86_64"}), Direction::Excess).find("of architecture 0xc00000b7") !=
                std::string::npos,
            true);
}

TEST(VerifyArchs, HighBitsOfA32BitRegisterAreNotLookedAt) {
  // int 0x80 from 64-bit code: seccomp_data shows all of the register, and the kernel takes its low half.
  model::Policy p;
  add_rule(p, Effect::Allow, {call("kill")});
  add_rule(p, Effect::Deny, {call("kill", {is(0, Op::Eq, 1)})});
  const Bpf low = {
      ld(4),     jeq(linux::audit_arch(Arch::i386), 0, 5), ld(0), jeq(37, 0, 3), ld(16), jeq(1, 1, 0), ret(allowed),
      ret(eperm)};
  EXPECT_EQ(said(check(p, low, "x86_64", {"x86_64", "i386"}), Direction::Excess), "proved");
  const Bpf both = {ld(4),        jeq(linux::audit_arch(Arch::i386), 0, 7),
                    ld(0),        jeq(37, 0, 5),
                    ld(20),       jeq(0, 0, 2),
                    ld(16),       jeq(1, 1, 0),
                    ret(allowed), ret(eperm)};
  EXPECT_EQ(said(check(p, both, "x86_64", {"x86_64", "i386"}), Direction::Excess), "syscall kill(0x100000001) on i386");
}

}  // namespace
}  // namespace agp::test
