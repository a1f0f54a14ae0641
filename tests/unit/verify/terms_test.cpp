#include <gtest/gtest.h>

#include <random>

#include "backends/seccomp/backend.hpp"
#include "compiler/solver/solver.hpp"
#include "compiler/verify/filter_terms.hpp"
#include "compiler/verify/policy_terms.hpp"
#include "tests/support/bpf.hpp"
#include "tests/support/policies.hpp"
#include "tests/support/tier.hpp"

// Both encodings, by the solver at fixed inputs, against concrete evaluation.
namespace agp::test {
namespace {

using solver::Term;

/// Is the formula true at this input? Fails the test when the solver finds both or neither.
bool holds_at(solver::Session& session, solver::Terms& t, const verify::CallVariables& v, Term formula,
              const CallData& data) {
  Term at = t.boolean(true);
  const auto fix = [&](Term variable, unsigned width, std::uint64_t value) {
    at = t.both(at, t.equal(variable, t.constant(width, value)));
  };
  for (std::size_t i = 0; i < 6; ++i)
    fix(v.arguments[i], 64, data.words[4 + 2 * i] | std::uint64_t{data.words[5 + 2 * i]} << 32);
  fix(v.instruction_pointer, 64, data.words[2] | std::uint64_t{data.words[3]} << 32);
  fix(v.number, 32, data.words[0]);
  fix(v.arch, 32, data.words[1]);
  const bool yes = std::holds_alternative<solver::Sat>(session.check(t.both(at, formula)));
  const bool no = std::holds_alternative<solver::Sat>(session.check(t.both(at, t.negate(formula))));
  EXPECT_NE(yes, no);
  return yes;
}

TEST(FilterTerms, AgreeWithEvaluation) {
  std::mt19937_64 random(17);
  static const std::vector<std::uint16_t> alu = {0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x3c, 0x44,
                                                 0x4c, 0x54, 0x5c, 0x6c, 0x7c, 0x84, 0xac, 0x07};
  for (int n = 0; n < (long_tier() ? 60 : 20); ++n) {
    Bpf program{{0x20, 0, 0, 16}, {0x07, 0, 0, 0}};
    for (int i = 0; i < 6; ++i) {
      program.push_back({0x20, 0, 0, static_cast<std::uint32_t>(4 * (random() % 16))});
      program.push_back({alu[random() % alu.size()], 0, 0, static_cast<std::uint32_t>(random() >> random() % 64)});
      program.push_back({static_cast<std::uint16_t>(0x15 + 0x10 * (random() % 4) + 8 * (random() % 2)),
                         static_cast<std::uint8_t>(random() % 2), 0, static_cast<std::uint32_t>(random() % 9)});
      static const std::vector<std::uint32_t> words = {0x7fff0000, 0x7ffc0000, 0x7fc00000, 0x7ff00000,
                                                       0x50026,    0x50001,    0};
      program.push_back({0x06, 0, 0, words[random() % words.size()]});
    }
    program.push_back({0x16, 0, 0, 0});
    const backends::Artifact artifact{"seccomp/filter.x86_64.bpf", bpf_to_bytes(program)};
    const auto decoded = backends::seccomp::backend().decode({&artifact, 1}, debian12());
    ASSERT_TRUE(decoded.problems.empty()) << decoded.problems[0].message;
    const auto& graph = decoded.filters[0].graph;
    solver::Terms t;
    const auto v = verify::call_variables(t);
    const auto f = verify::filter_terms(graph, t, v, std::nullopt, std::nullopt);
    solver::Session session(t);
    for (int i = 0; i < 6; ++i) {
      std::array<std::uint64_t, 6> arguments{};
      for (auto& a : arguments) a = random() % 2 ? random() % 10 : random();
      const CallData data(x86_64_arch, static_cast<std::uint32_t>(random() % 10), arguments, random() % 10);
      const std::uint32_t word = model::evaluate(graph, data.words);
      const auto reaction = verify::reaction(word);
      ASSERT_EQ(holds_at(session, t, v, f.runs, data), reaction == verify::Reaction::Runs)
          << n << std::hex << ' ' << word;
      ASSERT_EQ(holds_at(session, t, v, f.permitted, data),
                reaction == verify::Reaction::Runs || reaction == verify::Reaction::Supervised)
          << n;
      ASSERT_EQ(holds_at(session, t, v, f.enosys, data), word == 0x50026) << n;
    }
  }
}

TEST(PolicyTerms, AgreeWithTheModelsDecision) {
  std::mt19937_64 random(18);
  const plan::Plan plan;
  for (int n = 0; n < 40; ++n) {
    const auto policy = random_policy(random, 2 + n % 7);
    for (const char* name : {"chmod", "socket", "ioctl", "lseek"}) {
      const auto* call = linux::find_syscall(linux::Arch::x86_64, name);
      solver::Terms t;
      const auto v = verify::call_variables(t);
      const auto p = verify::PolicyTerms(policy, plan, t, v).on(*call);
      const Term allowed = t.both(p.allow, t.negate(t.either(p.ask, p.deny)));
      solver::Session session(t);
      for (const auto& arguments : boundary_arguments(policy, name, random, 5)) {
        const auto verdict = model::decide(policy, model::SyscallAction{name, arguments});
        ASSERT_EQ(holds_at(session, t, v, allowed, CallData(x86_64_arch, call->number, arguments)),
                  verdict.decision == model::Decision::Allow)
            << n << ' ' << model::to_string(model::Action(model::SyscallAction{name, arguments}));
      }
    }
  }
}

}  // namespace
}  // namespace agp::test
