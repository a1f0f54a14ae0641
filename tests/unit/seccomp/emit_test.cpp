#include "backends/seccomp/emit/emit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "backends/seccomp/backend.hpp"
#include "backends/seccomp/emit/dispatch.hpp"
#include "compiler/linux/syscalls.hpp"
#include "tests/support/bpf.hpp"
#include "tests/support/policies.hpp"
#include "tests/support/tier.hpp"

// The raw filter's decisions, by the tests' own interpreter, against the policy's meaning.
namespace agp::test {
namespace {

using model::ArgTest;
using model::Effect;
using Op = ArgTest::Op;

constexpr std::uint32_t allow = 0x7fff0000, eperm = 0x50001, enosys = 0x50026, kill = 0x80000000, trap = 0x30000;

const std::string& bytes_of(const backends::Emitted& emitted, std::string_view path) {
  for (const auto& a : emitted.artifacts)
    if (a.path == path) return a.bytes;
  static const std::string none;
  ADD_FAILURE() << "no artifact " << path;
  return none;
}

struct Filter {
  Bpf program;
  explicit Filter(const model::Policy& policy, const model::Target& target = debian12()) {
    const auto emitted = backends::seccomp::emit_filter(policy, target);
    EXPECT_TRUE(emitted.problems.empty()) << emitted.problems[0].message;
    program = bpf_from_bytes(bytes_of(emitted, "seccomp/filter.x86_64.bpf"));
  }
  std::uint32_t number(std::uint32_t n, std::array<std::uint64_t, 6> arguments = {}) const {
    return bpf_run(program, CallData(x86_64_arch, n, arguments)).result;
  }
  std::uint32_t operator()(std::string_view name, std::array<std::uint64_t, 6> arguments = {}) const {
    return number(linux::find_syscall(linux::Arch::x86_64, name)->number, arguments);
  }
};

model::Policy allows(std::vector<model::SyscallPattern> patterns) {
  model::Policy p;
  add_rule(p, Effect::Allow, std::move(patterns));
  return p;
}

TEST(Emit, DefaultIsDenied) {
  const Filter f(allows({call("read"), call("write")}));
  EXPECT_EQ(f("read"), allow);
  EXPECT_EQ(f("write"), allow);
  EXPECT_EQ(f("open"), eperm);
  EXPECT_EQ(f("ptrace"), eperm);
}

TEST(Emit, OtherArchitecturesAreKilled) {
  const Filter f(allows({call("read")}));
  for (const std::uint32_t arch : {0x40000003u, 0xc00000b7u, 0u, 0xffffffffu})
    EXPECT_EQ(bpf_run(f.program, CallData(arch, 0, {})).result, kill) << arch;
}

TEST(Emit, NoX32NumberRuns) {
  std::vector<model::SyscallPattern> all;
  for (const auto& c : linux::syscalls(linux::Arch::x86_64)) all.push_back(call(std::string(c.name)));
  const Filter f(allows(all));
  for (const auto& c : linux::syscalls(linux::Arch::x86_64)) {
    EXPECT_EQ(f.number(c.number), allow) << c.name;
    EXPECT_EQ(f.number(c.number | linux::x32_bit), enosys) << c.name;
  }
  EXPECT_EQ(f.number(0xffffffff), enosys);
  EXPECT_EQ(f.number(0x80000000), enosys);
}

TEST(Emit, UnknownAndNewerNumbersAreEnosys) {
  const Filter f(allows({call("read")}));
  EXPECT_EQ(f("fchmodat2"), enosys);   // 6.6, the target is 6.1
  EXPECT_EQ(f("openat2"), enosys);     // 5.6, but libraries fall back to openat after ENOSYS only
  EXPECT_EQ(f("cachestat"), enosys);   // 6.5
  EXPECT_EQ(f("futex_waitv"), eperm);  // 5.16
  EXPECT_EQ(f.number(400), enosys);    // a hole of the table
  EXPECT_EQ(f.number(100000), enosys);
}

TEST(Emit, DenyBeatsAskBeatsAllow) {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("socket")});
  add_rule(p, Effect::Ask, {call("socket", {is(0, Op::Eq, 10)})});
  add_rule(p, Effect::Deny, {call("socket", {is(1, Op::Eq, 3)})}, {}, {model::Denial::Kind::Errno, 97});
  const Filter f(p);
  EXPECT_EQ(f("socket", {2, 1, 0}), allow);
  EXPECT_EQ(f("socket", {10, 1, 0}), eperm);
  EXPECT_EQ(f("socket", {10, 3, 0}), 0x50061u);
}

TEST(Emit, StrictestDenialWins) {
  model::Policy p;
  add_rule(p, Effect::Deny, {call("ptrace")}, {}, {model::Denial::Kind::Errno, 13});
  add_rule(p, Effect::Deny, {call("ptrace", {is(0, Op::Ge, 2)})}, {}, {model::Denial::Kind::Trap, 0});
  add_rule(p, Effect::Deny, {call("ptrace", {is(0, Op::Eq, 4)})}, {}, {model::Denial::Kind::Kill, 0});
  add_rule(p, Effect::Deny, {call("ptrace")});
  const Filter f(p);
  EXPECT_EQ(f("ptrace", {1}), 0x5000du);
  EXPECT_EQ(f("ptrace", {3}), trap);
  EXPECT_EQ(f("ptrace", {4}), kill);
}

TEST(Emit, ExpiredRulesCountForNothing) {
  model::Policy p = allows({call("read")});
  add_rule(p, Effect::Allow, {call("write")});
  p.rules.back().expired = true;
  EXPECT_EQ(Filter(p)("write"), eperm);
}

TEST(Emit, ExceptSubtractsFromEveryPattern) {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("socket"), call("read")}, {call("socket", {is(0, Op::Eq, 40)})});
  add_rule(p, Effect::Deny, {call("socket")}, {call("socket", {is(0, Op::Lt, 5)})});
  const Filter f(p);
  EXPECT_EQ(f("socket", {2}), allow);
  EXPECT_EQ(f("socket", {5}), eperm);
  EXPECT_EQ(f("socket", {40}), eperm);
  EXPECT_EQ(f("read"), allow);
}

// The bugs that other filters had, each by name.
TEST(Traps, TiocstiWithHighBits) {  // CVE-2019-10063
  model::Policy p = allows({call("ioctl")});
  add_rule(p, Effect::Deny, {call("ioctl", {is(1, Op::Eq, 0x5412)})});
  const Filter f(p);
  EXPECT_EQ(f("ioctl", {0, 0x5412}), eperm);
  EXPECT_EQ(f("ioctl", {0, 0x5412 + (1ull << 32)}), eperm);
  EXPECT_EQ(f("ioctl", {0, 0x5413}), allow);
}

TEST(Traps, VsockWithHighBits) {
  const Filter f(allows({call("socket", {in(0, {1, 2, 10})})}));
  EXPECT_EQ(f("socket", {40}), eperm);
  EXPECT_EQ(f("socket", {40 | 1ull << 32}), eperm);
  EXPECT_EQ(f("socket", {2 | 1ull << 32}), allow) << "the kernel takes the low word: the same action as AF_INET";
}

TEST(Traps, ChmodBitsAboveSixteen) {
  model::Policy p = allows({call("chmod")});
  add_rule(p, Effect::Deny, {call("chmod", {masked(1, 04000, 04000)})});
  add_rule(p, Effect::Deny, {call("chmod", {is(1, Op::Eq, 0777)})});
  const Filter f(p);
  for (const std::uint64_t high : {0ull, 1ull << 16, 1ull << 31, 1ull << 32, 0xffffffffffff0000ull}) {
    EXPECT_EQ(f("chmod", {0, 04755 | high}), eperm) << std::hex << high;
    EXPECT_EQ(f("chmod", {0, 0777 | high}), eperm) << std::hex << high;
    EXPECT_EQ(f("chmod", {0, 0755 | high}), allow) << std::hex << high;
  }
}

TEST(Traps, SockRawWithFlags) {
  model::Policy p = allows({call("socket")});
  add_rule(p, Effect::Deny, {call("socket", {masked(1, 0xf, 3)})});
  const Filter f(p);
  EXPECT_EQ(f("socket", {2, 3 | 02000000}), eperm);
  EXPECT_EQ(f("socket", {2, 3 | 04000}), eperm);
  EXPECT_EQ(f("socket", {2, 1 | 02000000}), allow);
}

TEST(Traps, TwoInequalitiesAreBothMeant) {
  const Filter f(allows({call("socket", {is(0, Op::Ne, 16), is(0, Op::Ne, 40)})}));
  EXPECT_EQ(f("socket", {16}), eperm);
  EXPECT_EQ(f("socket", {40}), eperm);
  EXPECT_EQ(f("socket", {2}), allow);
}

TEST(Traps, CloneFlagsAndClone3) {
  model::Policy p = allows({call("clone")});
  add_rule(p, Effect::Deny, {call("clone", {masked(0, 0x10000000, 0x10000000)})});
  const Filter f(p);
  EXPECT_EQ(f("clone", {0x11}), allow);
  EXPECT_EQ(f("clone", {0x10000011}), eperm);
  EXPECT_EQ(f("clone", {0x10000011 | 1ull << 40}), eperm);
  EXPECT_EQ(f("clone3"), enosys);
  EXPECT_EQ(Filter(allows({call("clone")}))("clone3"), eperm) << "no conditions on clone: an ordinary denial";
  add_rule(p, Effect::Deny, {call("clone3")}, {}, {model::Denial::Kind::Kill, 0});
  EXPECT_EQ(Filter(p)("clone3"), kill);
}

TEST(Traps, UnclassifiedArguments) {
  // ioctl's arg: whether the kernel takes 32 or 64 bits depends on the command.
  model::Policy p;
  add_rule(p, Effect::Allow, {call("ioctl", {is(2, Op::Eq, 7)})});
  EXPECT_EQ(Filter(p)("ioctl", {0, 0, 7}), allow);
  EXPECT_EQ(Filter(p)("ioctl", {0, 0, 7 | 1ull << 32}), eperm);
  model::Policy q = allows({call("ioctl")});
  add_rule(q, Effect::Deny, {call("ioctl", {is(2, Op::Eq, 7)})});
  EXPECT_EQ(Filter(q)("ioctl", {0, 0, 7}), eperm);
  EXPECT_EQ(Filter(q)("ioctl", {0, 0, 7 | 1ull << 32}), eperm);
  EXPECT_EQ(Filter(q)("ioctl", {0, 0, 8}), allow);
}

TEST(Emit, ComparesSixtyFourBits) {
  const Filter f(allows({call("lseek", {is(1, Op::Gt, 0x100000005), is(1, Op::Le, 0x300000002)})}));
  EXPECT_EQ(f("lseek", {0, 0x100000005}), eperm);
  EXPECT_EQ(f("lseek", {0, 0x100000006}), allow);
  EXPECT_EQ(f("lseek", {0, 0x200000000}), allow);
  EXPECT_EQ(f("lseek", {0, 0x300000002}), allow);
  EXPECT_EQ(f("lseek", {0, 0x300000003}), eperm);
  EXPECT_EQ(f("lseek", {0, 0x3}), eperm);
}

/// Everything about one policy and one call at its boundaries.
void agrees(const model::Policy& policy, const Filter& filter, std::string_view name, std::mt19937_64& random,
            int count) {
  const auto* entry = linux::find_syscall(linux::Arch::x86_64, name);
  for (const auto& arguments : boundary_arguments(policy, std::string(name), random, count)) {
    const auto verdict = model::decide(policy, model::SyscallAction{std::string(name), arguments});
    const std::uint32_t got = filter.number(entry->number, arguments);
    ASSERT_EQ(got == allow, verdict.decision == model::Decision::Allow)
        << model::to_string(model::Action(model::SyscallAction{std::string(name), arguments}));
    if (verdict.decision != model::Decision::Deny) continue;
    model::Denial strictest;
    for (const std::size_t r : verdict.rules) {
      const auto& d = std::get<model::SyscallBody>(policy.rules[r].body).denial;
      if (d.kind > strictest.kind || (d.kind == strictest.kind && d.errno_value > strictest.errno_value)) strictest = d;
    }
    if (strictest.kind == model::Denial::Kind::Kill)
      ASSERT_EQ(got, kill);
    else if (strictest.kind == model::Denial::Kind::Trap)
      ASSERT_EQ(got, trap);
    else if (strictest.errno_value != 0)
      ASSERT_EQ(got, 0x50000u + static_cast<unsigned>(strictest.errno_value));
    else
      ASSERT_TRUE(got == eperm || got == enosys) << got;
  }
}

TEST(Differential, RandomPoliciesAtBoundaries) {
  std::mt19937_64 random(20240611);
  for (int n = 0; n < 400; ++n) {
    const auto policy = random_policy(random, 2 + n % 9);
    const Filter filter(policy);
    for (const char* name : {"chmod", "socket", "ioctl", "lseek", "read", "clone", "clone3", "fchmodat2", "write"})
      ASSERT_NO_FATAL_FAILURE(agrees(policy, filter, name, random, 150)) << "policy " << n;
  }
}

TEST(Layout, JumpsReachAcrossLongPrograms) {
  // Hundreds of conditions: far more than 255 instructions between a test and its targets.
  model::Policy p;
  std::vector<std::uint64_t> values;
  for (std::uint64_t v = 0; v < 1500; ++v) values.push_back(v * 977 % 0xffffff);
  add_rule(p, Effect::Allow, {call("ioctl", {in(1, values)}), call("socket", {in(0, {1, 2})}), call("read")});
  add_rule(p, Effect::Deny, {call("ioctl", {is(0, Op::Eq, 3)})}, {}, {model::Denial::Kind::Kill, 0});
  const Filter f(p);
  EXPECT_GT(f.program.size(), 1500u);
  for (const std::uint64_t v : values) ASSERT_EQ(f("ioctl", {0, v}), allow) << v;
  std::mt19937_64 random(7);
  for (const char* name : {"ioctl", "socket", "read", "write"})
    ASSERT_NO_FATAL_FAILURE(agrees(p, f, name, random, 3000));
}

TEST(Limits, TooManyInstructionsNameTheRule) {
  model::Policy p = allows({call("read")});
  std::vector<std::uint64_t> values;
  for (std::uint64_t v = 0; v < 5000; ++v) values.push_back(v * 3);
  add_rule(p, Effect::Allow, {call("ioctl", {in(1, values)})});
  const auto emitted = backends::seccomp::emit_filter(p, debian12());
  ASSERT_FALSE(emitted.problems.empty());
  EXPECT_EQ(emitted.problems[0].rule, 1u);
  EXPECT_NE(emitted.problems[0].message.find("4096"), std::string::npos);
  EXPECT_TRUE(emitted.artifacts.empty());
}

TEST(Layout, TheNumberIsDecidedBeforeAnythingElseIsLoaded) {
  // What seccomp_is_const_allow (kernel/seccomp.c) can follow: loads of nr and arch, constant jumps, and, returns.
  std::vector<model::SyscallPattern> patterns;
  for (const auto& c : linux::syscalls(linux::Arch::x86_64))
    if (c.number % 3 != 0) patterns.push_back(call(std::string(c.name)));
  patterns.push_back(call("read", {is(0, Op::Eq, 1)}));
  const Filter f(allows(patterns));
  for (const auto& c : linux::syscalls(linux::Arch::x86_64)) {
    if (c.number % 3 == 0) continue;
    std::size_t pc = 0;
    for (std::uint32_t a = 0;;) {
      const Insn& i = f.program[pc++];
      if (i.code == 0x20) {
        ASSERT_LT(i.k, 8u) << c.name << " loads something else first";
        a = i.k == 0 ? c.number : x86_64_arch;
      } else if (i.code == 0x15)
        pc += a == i.k ? i.jt : i.jf;
      else if (i.code == 0x35)
        pc += a >= i.k ? i.jt : i.jf;
      else if (i.code == 0x45)
        pc += (a & i.k) != 0 ? i.jt : i.jf;
      else if (i.code == 0x05)
        pc += i.k;
      else {
        ASSERT_EQ(i.code, 0x06) << c.name;
        ASSERT_EQ(i.k, allow) << c.name;
        break;
      }
    }
  }
}

bool has(const model::Target& target, const linux::Syscall& c) {
  return model::KernelVersion{c.since.major, c.since.minor} <= target.kernel;
}

/// Each number decided as the rule says, those without a call and those of x32 among them.
void decides(const Filter& f, const std::set<std::uint32_t>& allowed, const model::Target& target) {
  for (std::uint32_t n = 0; n < 700; ++n) {
    const auto* known = linux::find_syscall(linux::Arch::x86_64, n);
    const bool denied =
        known != nullptr && has(target, *known) && known->name != "openat2" && known->name != "fchmodat2";
    ASSERT_EQ(f.number(n), allowed.count(n) != 0 ? allow : denied ? eperm : enosys) << n;
    ASSERT_EQ(f.number(n | linux::x32_bit), enosys) << n;
    ASSERT_EQ(constant_allow(f.program, x86_64_arch, n), allowed.count(n) != 0) << n;
  }
}

// Bit tests that several intervals of numbers lead to (gates.hpp), and values that are alike under a mask.
TEST(Layout, TestsWithSeveralWaysInDecideEveryNumber) {
  model::Target target = debian12();
  std::mt19937_64 random(31);
  const auto& all = linux::syscalls(linux::Arch::x86_64);
  int shared = 0, masked = 0;
  for (int n = 0; n < (long_tier() ? 3000 : 120); ++n) {
    std::vector<model::SyscallPattern> patterns;
    std::set<std::uint32_t> allowed;
    target.syscall_counts.clear();
    const std::uint64_t share = random() % 9 + 2;
    for (const auto& c : all)
      if (has(target, c) && random() % share == 0) {
        patterns.push_back(call(std::string(c.name)));
        allowed.insert(c.number);
        target.syscall_counts[std::string(c.name)] = random() % 8 == 0 ? 1000 : 10;
      }
    const model::Policy policy = allows(patterns);
    const Filter f(policy, target);
    decides(f, allowed, target);
    if (HasFatalFailure()) return;
    const auto decisions = backends::seccomp::decide_calls(policy, target, {}, backends::seccomp::WordChoice::Cheapest);
    const auto sections = backends::seccomp::sections(decisions, backends::seccomp::Weights(target));
    shared += sections.front().tree.gates > 0;
    masked += std::any_of(f.program.begin(), f.program.end(), [](const Insn& i) { return i.code == 0x54; });  // and
  }
  EXPECT_GE(shared, 30);
  EXPECT_GE(masked, 3);
}

TEST(Listing, NamesTheRuleBesideItsInstructions) {
  model::Policy p = allows({call("read"), call("socket", {is(0, Op::Eq, 1)})});
  const auto emitted = backends::seccomp::emit_filter(p, debian12());
  const std::string& text = bytes_of(emitted, "seccomp/filter.x86_64.txt");
  EXPECT_NE(text.find("socket domain (low word) <- r0"), std::string::npos) << text;
  bool mapped = false;
  for (const auto& e : emitted.map)
    mapped = mapped || (e.rule == "r0" && e.artifact == "seccomp/filter.x86_64.bpf" && e.place.rfind("insn ", 0) == 0);
  EXPECT_TRUE(mapped);
}

}  // namespace
}  // namespace agp::test
