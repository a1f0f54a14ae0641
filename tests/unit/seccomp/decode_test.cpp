#include <gtest/gtest.h>

#include <random>

#include "backends/seccomp/backend.hpp"
#include "backends/seccomp/decode/execute.hpp"
#include "backends/seccomp/decode/program.hpp"
#include "tests/support/bpf.hpp"
#include "tests/support/policies.hpp"

namespace agp::test {
namespace {

using backends::seccomp::check_program;
using backends::seccomp::CheckedProgram;
using backends::seccomp::Rejected;

constexpr Insn ret_allow{0x06, 0, 0, 0x7fff0000};

std::string why(const std::string& bytes) {
  const auto checked = check_program(bytes);
  const auto* rejected = std::get_if<Rejected>(&checked);
  return rejected ? rejected->reason : "taken";
}
std::string why(const Bpf& program) { return why(bpf_to_bytes(program)); }

TEST(Checker, NamesTheInstruction) {
  EXPECT_EQ(why(Bpf{ret_allow}), "taken");
  EXPECT_EQ(why(std::string()), "the filter is empty");
  EXPECT_EQ(why(std::string(12, '\0')), "12 bytes are not a whole number of 8-byte instructions");
  EXPECT_EQ(why(Bpf{{0x20, 0, 0, 64}, ret_allow}), "instruction 0 loads byte 64, past the 64 bytes of seccomp_data");
  EXPECT_EQ(why(Bpf{{0x20, 0, 0, 2}, ret_allow}), "instruction 0 loads byte 2, which is not a multiple of 4");
  EXPECT_EQ(why(Bpf{{0x15, 1, 0, 0}, ret_allow}), "instruction 0 jumps past the end");
  EXPECT_EQ(why(Bpf{{0x05, 0, 0, 0xffffffff}, ret_allow}), "instruction 0 jumps past the end");
  EXPECT_EQ(why(Bpf{{0x34, 0, 0, 0}, ret_allow}), "instruction 0 divides by zero");
  EXPECT_EQ(why(Bpf{{0x64, 0, 0, 32}, ret_allow}), "instruction 0 shifts by 32 bits");
  EXPECT_EQ(why(Bpf{ret_allow, {0x60, 0, 0, 16}, ret_allow}), "instruction 1 names scratch word 16 of 16");
  EXPECT_EQ(why(Bpf{ret_allow, {0x60, 0, 0, 3}, ret_allow}),
            "instruction 1 reads scratch word 3 before it is written on every path");
  EXPECT_EQ(why(Bpf{{0x94, 0, 0, 3}, ret_allow}), "instruction 0 has code 0x94, which seccomp does not take");  // mod
  EXPECT_EQ(why(Bpf{{0x28, 0, 0, 0}, ret_allow}),
            "instruction 0 has code 0x28, which seccomp does not take");  // half-word load
  EXPECT_EQ(why(Bpf{{0x20, 0, 0, 0}}), "instruction 0, the last, is not a return");
  EXPECT_NE(why(Bpf(4097, ret_allow)).find("4097"), std::string::npos);
}

TEST(Checker, ScratchMemoryMustBeWrittenOnEveryPath) {
  // Written on one of two ways only.
  EXPECT_NE(
      why(Bpf{{0x20, 0, 0, 0}, {0x15, 0, 1, 5}, {0x02, 0, 0, 1}, {0x60, 0, 0, 1}, ret_allow}).find("instruction 3"),
      std::string::npos);
  EXPECT_EQ(why(Bpf{{0x20, 0, 0, 0}, {0x02, 0, 0, 1}, {0x15, 0, 1, 5}, {0x02, 0, 0, 1}, {0x60, 0, 0, 1}, ret_allow}),
            "taken");
}

model::FilterGraph graph_of(const Bpf& program) {
  const auto checked = check_program(bpf_to_bytes(program));
  const auto graph = backends::seccomp::execute(std::get<CheckedProgram>(checked));
  EXPECT_TRUE(graph.has_value());
  return graph.value_or(model::FilterGraph{});
}

TEST(Execute, DivisionByZeroEndsTheProgramEvenIfItsResultIsUnused) {
  // x = arg0 low; a = 8 / x; a = allow; ret a
  const auto graph = graph_of(
      {{0x20, 0, 0, 16}, {0x07, 0, 0, 0}, {0x00, 0, 0, 8}, {0x3c, 0, 0, 0}, {0x00, 0, 0, 0x7fff0000}, {0x16, 0, 0, 0}});
  EXPECT_EQ(model::evaluate(graph, CallData(x86_64_arch, 0, {0}).words), 0u);
  EXPECT_EQ(model::evaluate(graph, CallData(x86_64_arch, 0, {1}).words), 0x7fff0000u);
}

TEST(Execute, PathsThatMeetAgainAreOneState) {
  // 200 tests one after the other, each leading on either way: as a tree 2^200.
  Bpf program{{0x20, 0, 0, 16}};
  for (std::uint32_t i = 0; i < 200; ++i) {
    program.push_back({0x15, 0, 1, i});
    program.push_back({0x20, 0, 0, 16});
  }
  program.push_back({0x16, 0, 0, 0});
  const auto graph = graph_of(program);
  EXPECT_LT(graph.nodes.size(), 1000u);
}

TEST(Execute, TooManyStatesAreNotDecided) {
  // Sixteen scratch words and X each take one of two values by a test, and all are read at the end: 2^17 states.
  Bpf program;
  const auto choose = [&](std::uint32_t bit, Insn store) {
    for (const Insn& i : {Insn{0x20, 0, 0, 16}, Insn{0x45, 0, 2, 1u << bit}, Insn{0x00, 0, 0, 1}, Insn{0x05, 0, 0, 1},
                          Insn{0x00, 0, 0, 2}, store})
      program.push_back(i);
  };
  for (std::uint32_t i = 0; i < 16; ++i) choose(i, {0x02, 0, 0, i});
  choose(16, {0x07, 0, 0, 0});
  for (std::uint32_t i = 0; i < 16; ++i) {
    program.push_back({0x60, 0, 0, i});
    program.push_back({0x0c, 0, 0, 0});
    program.push_back({0x07, 0, 0, 0});
  }
  program.push_back({0x16, 0, 0, 0});
  const backends::Artifact artifact{"seccomp/filter.x86_64.bpf", bpf_to_bytes(program)};
  const auto decoded = backends::seccomp::backend().decode({&artifact, 1}, debian12());
  ASSERT_TRUE(decoded.problems.empty()) << decoded.problems[0].message;
  EXPECT_TRUE(decoded.filters.at(0).graph.nodes.empty());
}

TEST(Execute, AgreesWithTheInterpreterOnEmittedLookalikes) {
  std::mt19937_64 random(8);
  static const std::vector<std::uint16_t> alu = {0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x3c, 0x44, 0x4c, 0x54,
                                                 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0xa4, 0xac, 0x07, 0x87};
  for (int n = 0; n < 2000; ++n) {
    Bpf program{{0x20, 0, 0, 16}, {0x02, 0, 0, 0}, {0x07, 0, 0, 0}};
    for (std::size_t left = 1 + random() % 20; left > 0; --left) {
      switch (random() % 5) {
        case 0:
          program.push_back({0x20, 0, 0, static_cast<std::uint32_t>(4 * (random() % 16))});
          break;
        case 1:
          program.push_back({static_cast<std::uint16_t>(0x15 + 0x10 * (random() % 4) + 8 * (random() % 2)),
                             static_cast<std::uint8_t>(random() % left), static_cast<std::uint8_t>(random() % left),
                             static_cast<std::uint32_t>(random() >> random() % 64)});
          break;
        case 2:
          program.push_back({static_cast<std::uint16_t>(random() % 2 ? 0x60 : 0x61), 0, 0, 0});
          break;
        case 3:
          program.push_back({static_cast<std::uint16_t>(random() % 2 ? 0x02 : 0x03), 0, 0, 0});
          break;
        default: {
          const std::uint16_t code = alu[random() % alu.size()];
          program.push_back(
              {code, 0, 0,
               static_cast<std::uint32_t>(code == 0x64 || code == 0x74 ? random() % 32 : random() >> random() % 64)});
        }
      }
    }
    program.push_back({0x16, 0, 0, 0});
    ASSERT_EQ(why(program), "taken");
    const auto graph = graph_of(program);
    for (int i = 0; i < 30; ++i) {
      std::array<std::uint64_t, 6> arguments{};
      for (auto& a : arguments) a = random() >> random() % 64;
      const CallData data(static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random() % 500), arguments,
                          random());
      const auto run = bpf_run(program, data);
      const auto got = model::evaluate_at(graph, data.words);
      ASSERT_EQ(got.word, run.result) << n;
      ASSERT_EQ(graph.nodes[got.node].place, run.last) << n;
    }
  }
}

}  // namespace
}  // namespace agp::test
