#include <gtest/gtest.h>

#include "backends/seccomp/backend.hpp"
#include "backends/seccomp/emit/emit.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/verify/verify.hpp"
#include "tests/support/bpf.hpp"
#include "tests/support/policies.hpp"
#include "tests/support/tier.hpp"

namespace agp::test {
namespace {

using model::ArgTest;
using model::Effect;
using verify::Direction;
using verify::Obligation;
using Op = ArgTest::Op;

constexpr const char* raw = "seccomp/filter.x86_64.bpf";

std::string raw_bytes(const model::Policy& policy) {
  const auto emitted = backends::seccomp::emit_filter(policy, debian12());
  EXPECT_TRUE(emitted.problems.empty());
  for (const auto& a : emitted.artifacts)
    if (a.path == raw) return a.bytes;
  ADD_FAILURE();
  return {};
}

std::vector<Obligation> check(const model::Policy& policy, const std::string& path, const std::string& bytes) {
  const backends::Artifact artifact{path, bytes};
  const auto decoded = backends::seccomp::backend().decode({&artifact, 1}, debian12());
  EXPECT_TRUE(decoded.problems.empty()) << decoded.problems[0].message;
  return verify::verify_filters(policy, debian12(), {}, decoded);
}
std::vector<Obligation> check(const model::Policy& policy, const Bpf& program) {
  return check(policy, raw, bpf_to_bytes(program));
}

std::string word(const std::vector<Obligation>& all, Direction d) {
  for (const auto& o : all)
    if (o.direction == d) return o.verdict.word();
  return "none";
}
verify::Witness witness(const std::vector<Obligation>& all, Direction d) {
  verify::Witness found;
  for (const auto& o : all)
    if (o.direction == d)
      o.verdict.match([](const solver::Proved&) { ADD_FAILURE() << "proved"; },
                      [&](const verify::Witness& w) { found = w; },
                      [](const solver::Unknown& u) { ADD_FAILURE() << "unknown: " << u.reason; });
  return found;
}

model::Policy with(std::vector<model::SyscallPattern> allowed, std::vector<model::SyscallPattern> denied = {}) {
  model::Policy p;
  add_rule(p, Effect::Allow, std::move(allowed));
  if (!denied.empty()) add_rule(p, Effect::Deny, std::move(denied));
  return p;
}

void expect_proved(const model::Policy& p) {
  for (const auto& o : check(p, raw, raw_bytes(p)))
    o.verdict.match([](const solver::Proved&) {},
                    [&](const verify::Witness& w) { FAIL() << o.statement << ": " << w.action << " " << w.observed; },
                    [&](const solver::Unknown& u) { FAIL() << o.statement << ": unknown, " << u.reason; });
}

// Hand-written programs, in the style of other generators.
constexpr std::uint32_t allowed = 0x7fff0000, eperm = 0x50001, killed = 0x80000000;
Insn ld(std::uint32_t at) { return {0x20, 0, 0, at}; }
Insn jeq(std::uint32_t k, int t, int f) {
  return {0x15, static_cast<std::uint8_t>(t), static_cast<std::uint8_t>(f), k};
}
Insn ret(std::uint32_t k) { return {0x06, 0, 0, k}; }

TEST(Verify, EmittedFiltersAreProved) {
  expect_proved(with({call("read"), call("write")}));
  expect_proved(with({call("ioctl"), call("clone")},
                     {call("ioctl", {is(1, Op::Eq, 0x5412)}), call("clone", {masked(0, 0x7e020000, 0)})}));
}

TEST(Verify, NothingIsProvedByAnEmptyPolicyAboutAnOpenFilter) {
  const auto all = check(model::Policy{}, Bpf{ret(allowed)});
  EXPECT_EQ(word(all, Direction::Excess), "refuted");
  EXPECT_EQ(word(all, Direction::Loss), "proved");
}

TEST(Verify, MissingArchitectureCheckIsRefuted) {
  const auto p = with({call("read")});
  const auto w = witness(check(p, {ld(0), jeq(0, 0, 1), ret(allowed), ret(eperm)}), Direction::Excess);
  EXPECT_NE(w.arch, x86_64_arch);
  EXPECT_NE(w.action.find("of architecture"), std::string::npos) << w.action;
}

TEST(Verify, DenyListWithoutX32CheckIsRefuted) {
  // Everything but ptrace is allowed; x32's ptrace number has bit 30.
  std::vector<model::SyscallPattern> patterns;
  for (const auto& c : linux::syscalls(linux::Arch::x86_64))
    if (c.name != "ptrace") patterns.push_back(call(std::string(c.name)));
  const auto p = with(patterns);
  const Bpf program{ld(4), jeq(x86_64_arch, 1, 0), ret(killed), ld(0), jeq(101, 0, 1), ret(eperm), ret(allowed)};
  const auto w = witness(check(p, program), Direction::Excess);
  EXPECT_EQ(linux::find_syscall(linux::Arch::x86_64, w.number), nullptr) << w.action;
  EXPECT_EQ(w.answer, allowed);
  EXPECT_TRUE(w.rules.empty());
}

TEST(Verify, SixtyFourBitCompareOfADenyIsRefuted) {  // CVE-2019-10063, libseccomp's compares of 64 bits
  const auto p = with({call("ioctl")}, {call("ioctl", {is(1, Op::Eq, 0x5412)})});
  const Bpf program{
      ld(4),  jeq(x86_64_arch, 1, 0), ret(killed), ld(0),       jeq(16, 1, 0), ret(eperm), ld(28), jeq(0, 0, 3),
      ld(24), jeq(0x5412, 0, 1),      ret(eperm),  ret(allowed)};
  const auto all = check(p, program);
  const auto w = witness(all, Direction::Excess);
  EXPECT_EQ(w.number, 16u);
  EXPECT_EQ(w.arguments[1] & 0xffffffff, 0x5412u);
  EXPECT_NE(w.arguments[1] >> 32, 0u);
  EXPECT_EQ(w.rules, std::vector<std::size_t>{1});
  EXPECT_EQ(w.place, "instruction 11");
  EXPECT_EQ(w.observed, "permitted");
  EXPECT_EQ(word(all, Direction::Loss), "proved");
}

TEST(Verify, LossIsRefutedWithTheRule) {
  const auto p = with({call("read"), call("write")});
  const Bpf program{ld(4), jeq(x86_64_arch, 1, 0), ret(killed), ld(0), jeq(0, 0, 1), ret(allowed), ret(eperm)};
  const auto all = check(p, program);
  EXPECT_EQ(word(all, Direction::Excess), "proved");
  const auto w = witness(all, Direction::Loss);
  EXPECT_EQ(w.action, "syscall write()");
  EXPECT_EQ(w.observed, "EPERM");
  EXPECT_EQ(w.rules, std::vector<std::size_t>{0});
}

TEST(Verify, SupervisedCallsCountAgainstBothDirections) {
  const auto p = with({call("read")});
  for (const std::uint32_t word_ : {0x7ff00000u, 0x7fc00000u}) {
    const Bpf supervised{ld(4), jeq(x86_64_arch, 1, 0), ret(killed), ld(0), jeq(0, 0, 1), ret(word_), ret(eperm)};
    EXPECT_EQ(word(check(p, supervised), Direction::Loss), "refuted");
    EXPECT_EQ(word(check(p, supervised), Direction::Excess), "proved");
    EXPECT_EQ(word(check(model::Policy{}, supervised), Direction::Excess), "refuted");
  }
  const Bpf logged{ld(4), jeq(x86_64_arch, 1, 0), ret(killed), ld(0), jeq(0, 0, 1), ret(0x7ffc0000), ret(eperm)};
  EXPECT_EQ(word(check(p, logged), Direction::Loss), "proved");
}

TEST(Verify, OneActionUnderTheEffectiveMask) {
  // A filter that refuses socket(2 + 2^32) loses the action socket(2); one that refuses only domain 3 + 2^32 and allows
  // 3 exceeds.
  const auto p = with({call("socket", {is(0, Op::Eq, 2)})});
  const Bpf both_words{ld(4),  jeq(x86_64_arch, 1, 0), ret(killed), ld(0),       jeq(41, 0, 4), ld(20), jeq(0, 0, 2),
                       ld(16), jeq(2, 1, 0),           ret(eperm),  ret(allowed)};
  EXPECT_EQ(word(check(p, both_words), Direction::Excess), "proved");
  EXPECT_EQ(witness(check(p, both_words), Direction::Loss).arguments[0] & 0xffffffff, 2u);
}

TEST(Verify, Clone3MustBeEnosysWhileCloneHasConditions) {
  const auto p = with({call("clone")}, {call("clone", {masked(0, 0x10000000, 0x10000000)})});
  EXPECT_EQ(word(check(p, raw, raw_bytes(p)), Direction::Errno), "proved");
  Bpf program = bpf_from_bytes(raw_bytes(p));
  const auto run = bpf_run(program, CallData(x86_64_arch, 435, {}));
  ASSERT_EQ(run.result, 0x50026u);
  // The same answer for all unknown numbers: only clone3's is in question, so go there by a test of its own.
  Bpf wrong{ld(0), jeq(435, 0, 1), ret(eperm)};
  wrong.insert(wrong.end(), program.begin(), program.end());
  const auto all = check(p, wrong);
  EXPECT_EQ(word(all, Direction::Excess), "proved");
  EXPECT_EQ(witness(all, Direction::Errno).observed, "EPERM");
  EXPECT_EQ(word(check(with({call("clone")}), raw, raw_bytes(with({call("clone")}))), Direction::Errno), "none");
}

TEST(Verify, AcceptedGapsAreSubtractedAndNoMore) {
  auto p = with({call("socket")}, {call("socket", {is(0, Op::Eq, 40)}), call("socket", {is(0, Op::Eq, 41)})});
  plan::Plan plan;
  plan::Row row;
  row.fact.rule = 1;
  row.fact.pattern = 0;
  row.fact.block = "syscall";
  row.holds = plan::Holds::Wider;
  row.accept = 0;
  plan.rows.push_back(row);
  const auto verify_with = [&](const Bpf& program) {
    const backends::Artifact artifact{raw, bpf_to_bytes(program)};
    return verify::verify_filters(p, debian12(), plan, backends::seccomp::backend().decode({&artifact, 1}, debian12()));
  };
  Bpf good{ld(4),  jeq(x86_64_arch, 1, 0), ret(killed), ld(0),       jeq(41, 1, 0), ret(eperm),
           ld(16), jeq(41, 0, 1),          ret(eperm),  ret(allowed)};
  EXPECT_EQ(word(verify_with(good), Direction::Excess), "proved") << "40 is open, and accepted";
  good[7] = jeq(42, 0, 1);
  const auto w = witness(verify_with(good), Direction::Excess);
  EXPECT_EQ(w.arguments[0] & 0xffffffff, 41u) << "outside the accepted region";
}

TEST(Verify, LargeSetsAndManyConditions) {
  std::vector<std::uint64_t> values;
  for (std::uint64_t v = 0; v < 1000; ++v) values.push_back(v * 977 % 0xffffff);
  expect_proved(
      with({call("ioctl", {in(1, values)}), call("lseek", {is(1, Op::Gt, 0x100000005), is(1, Op::Le, 0x300000002)})}));
}

TEST(Verify, ProfilesWithManyEntriesAreProved) {
  // Ranges of 64 bits become dozens of entries that compare both words: as a tree of paths exponentially many.
  for (const auto& p :
       {with({call("lseek", {is(1, Op::Gt, 0x100000005), is(1, Op::Le, 0x300000002)})}),
        with({call("lseek", {is(1, Op::Ne, 0x100000005), is(2, Op::Eq, 0)})}),
        with({call("socket")}, {call("socket", {is(0, Op::Eq, 40)}), call("socket", {is(0, Op::Eq, 16)})})}) {
    const auto emitted = backends::seccomp::backend().emit(p, debian12(), {});
    ASSERT_TRUE(emitted.problems.empty()) << emitted.problems[0].message;
    for (const auto& o :
         verify::verify_filters(p, debian12(), {}, backends::seccomp::backend().decode(emitted.artifacts, debian12())))
      EXPECT_EQ(o.verdict.word(), "proved") << o.artifact << ' ' << o.statement;
  }
}

TEST(Verify, RandomProfilesAreProved) {
  std::mt19937_64 random(6);
  const int rounds = long_tier() ? 60 : 24;
  int proved = 0;
  for (int n = 0; n < rounds; ++n) {
    const auto p = random_policy(random, 2 + n % 4);
    const auto emitted = backends::seccomp::backend().emit(p, debian12(), {});
    if (!emitted.problems.empty()) continue;  // more entries than the kernel takes: said so
    for (const auto& o :
         verify::verify_filters(p, debian12(), {}, backends::seccomp::backend().decode(emitted.artifacts, debian12())))
      ASSERT_EQ(o.verdict.word(), "proved") << n << ' ' << o.artifact << ' ' << o.statement;
    ++proved;
  }
  EXPECT_GT(proved, rounds / 2);
}

TEST(Verify, RandomPoliciesAreProved) {
  std::mt19937_64 random(5);
  for (int n = 0; n < 60; ++n) {
    SCOPED_TRACE(n);
    expect_proved(random_policy(random, 2 + n % 8));
  }
}

/// One constant, jump or return of a proved filter is changed: either it is refuted with a witness on which interpreter
/// and policy differ, or no boundary input shows a difference.
TEST(Mutants, EveryRefutationHasAWitnessThatTheInterpreterConfirms) {
  std::mt19937_64 random(99);
  int refuted = 0, equal = 0;
  for (int n = 0; n < 40; ++n) {
    const auto policy = random_policy(random, 2 + n % 6);
    const Bpf original = bpf_from_bytes(raw_bytes(policy));
    for (int m = 0; m < 6; ++m) {
      Bpf mutant = original;
      Insn& i = mutant[random() % mutant.size()];
      if (i.code == 0x06)
        i.k = i.k == allowed ? eperm : allowed;
      else if (i.code == 0x20)
        i.k = (i.k + 4) % 64;
      else if ((i.code & 7) == 5 && random() % 3 == 0)
        std::swap(i.jt, i.jf);
      else
        i.k ^= 1u << random() % 32;
      const auto all = check(policy, mutant);
      bool differs = false;
      for (const auto& o : all)
        o.verdict.match([](const solver::Proved&) {},
                        [&](const verify::Witness& w) {
                          differs = true;
                          const CallData data(w.arch, w.number, w.arguments, w.instruction_pointer);
                          ASSERT_EQ(bpf_run(mutant, data).result, w.answer) << w.action;
                          if (o.direction == Direction::Errno) return;
                          const auto before = bpf_run(original, data).result;
                          ASSERT_NE(before == allowed, w.answer == allowed) << w.action;
                        },
                        [](const solver::Unknown& u) { FAIL() << u.reason; });
      refuted += differs;
      equal += !differs;
      if (differs) continue;
      for (const char* name : {"chmod", "socket", "ioctl", "lseek", "read", "clone", "write"})
        for (const auto& arguments : boundary_arguments(policy, name, random, 200)) {
          const CallData data(x86_64_arch, linux::find_syscall(linux::Arch::x86_64, name)->number, arguments);
          ASSERT_EQ(bpf_run(original, data).result == allowed, bpf_run(mutant, data).result == allowed) << name;
        }
    }
  }
  EXPECT_GT(refuted, 60);
  EXPECT_GT(equal, 0);
}

TEST(Verify, WhatCouldNotBeReadIsUnknown) {
  backends::Decoded decoded;
  decoded.filters.push_back({raw, "x86_64", {}});
  for (const auto& o : verify::verify_filters(with({call("read")}), debian12(), {}, decoded))
    EXPECT_EQ(o.verdict.word(), "unknown");
  decoded.filters[0].arch = "aarch64";
  decoded.filters[0].graph.exprs.push_back({});
  decoded.filters[0].graph.nodes.push_back({});
  for (const auto& o : verify::verify_filters(with({call("read")}), debian12(), {}, decoded))
    EXPECT_EQ(o.verdict.word(), "unknown");
}

TEST(Verify, ASolverLimitIsUnknownAndNotProved) {
  // A filter that asks for the factors of a product: no answer within so few steps.
  const auto p = with({call("ioctl", {is(1, Op::Eq, 1)})});
  const Bpf program{
      ld(4),     jeq(x86_64_arch, 1, 0), ret(killed), ld(0),           jeq(16, 1, 0),         ret(eperm),
      ld(16),    {0x07, 0, 0, 0},        ld(24),      {0x2c, 0, 0, 0}, jeq(0xfffffffb, 0, 1), ret(allowed),
      ret(eperm)};
  const backends::Artifact artifact{raw, bpf_to_bytes(program)};
  verify::Options options;
  options.solver.steps = 500;
  const auto all = verify::verify_filters(p, debian12(), {},
                                          backends::seccomp::backend().decode({&artifact, 1}, debian12()), options);
  EXPECT_EQ(word(all, Direction::Excess), "unknown");
  diagnostics::Sink sink;
  verify::report(p, all, sink);
  ASSERT_FALSE(sink.all().empty());
  EXPECT_EQ(diagnostics::code_text(*sink.all()[0].kind), "AGP5003");
}

TEST(Report, NamesRuleWitnessAndPlace) {
  auto p = with({call("ioctl")}, {call("ioctl", {is(1, Op::Eq, 0x5412)})});
  p.name = "code";
  const Bpf program{ld(4), jeq(x86_64_arch, 1, 0), ret(killed), ld(0), jeq(16, 1, 0), ret(eperm), ret(allowed)};
  diagnostics::Sink sink;
  verify::report(p, check(p, program), sink);
  ASSERT_EQ(sink.all().size(), 1u);
  const auto& d = sink.all()[0];
  EXPECT_EQ(diagnostics::code_text(*d.kind), "AGP5001");
  EXPECT_EQ(d.witness, "syscall ioctl(0, 0x5412)");
  EXPECT_EQ(d.notes.at(0), "in the artifact it is permitted, at instruction 6");
}

}  // namespace
}  // namespace agp::test
