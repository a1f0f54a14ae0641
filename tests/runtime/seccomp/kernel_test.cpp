#include "tests/runtime/seccomp/kernel.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "backends/seccomp/decode/execute.hpp"
#include "backends/seccomp/decode/program.hpp"
#include "backends/seccomp/emit/emit.hpp"
#include "compiler/linux/syscalls.hpp"
#include "tests/support/policies.hpp"

// The interpreter of the tests, the decoder's checker and its graphs, against the kernel.
namespace agp::test {
namespace {

using model::Effect;
using Op = model::ArgTest::Op;

/// How often random cases are tried, and from which seed: printed, so that a failure can be had again.
std::mt19937_64 seeded(std::uint64_t fallback) {
  const char* const text = std::getenv("AGP_TEST_SEED");
  const std::uint64_t seed = text ? std::strtoull(text, nullptr, 10) : fallback;
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  return std::mt19937_64(seed);
}

Bpf raw(const model::Policy& policy) {
  const auto emitted = backends::seccomp::emit_filter(policy, debian12());
  EXPECT_TRUE(emitted.problems.empty());
  return emitted.artifacts.empty() ? Bpf{} : bpf_from_bytes(emitted.artifacts[0].bytes);
}

/// What the attempts show of a return word beneath the outer filter.
Got expected(std::uint32_t word) {
  switch (word & 0xffff0000) {
    case 0x7fff0000:
    case 0x7ffc0000:
    case 0x7ff00000:
      return {ENOSYS, 0};
    case 0x00050000:
      return {static_cast<int>(word & 0xffff), 0};
    default:
      return {0, SIGSYS};  // TRAP without a handler, and both kills
  }
}

TEST(Kernel, TakesFourThousandAndNinetySixInstructions) {
  Bpf program(4095, Insn{0x20, 0, 0, 0});
  program.push_back({0x06, 0, 0, 0x7fff0000});
  EXPECT_EQ(kernel_takes(program), 0);
  program.push_back({0x06, 0, 0, 0x7fff0000});
  EXPECT_EQ(kernel_takes(program), EINVAL);
  EXPECT_TRUE(
      std::holds_alternative<backends::seccomp::Rejected>(backends::seccomp::check_program(bpf_to_bytes(program))));
}

TEST(Kernel, TakesWhatIsEmittedAndRefusesWithTheErrnoAsked) {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("getpid"), call("ioctl")});
  add_rule(p, Effect::Deny, {call("ioctl", {is(1, Op::Eq, 0x5412)})}, {}, {model::Denial::Kind::Errno, EACCES});
  add_rule(p, Effect::Deny, {call("ptrace")}, {}, {model::Denial::Kind::Kill, 0});
  const auto got = attempt_safely(raw(p), {{39, {}},
                                           {16, {0, 0x5413}},
                                           {16, {0, 0x5412}},
                                           {16, {0, 0x5412 + (1ull << 32)}},
                                           {101, {}},
                                           {41, {40ull | 1ull << 32}},
                                           {435, {}}});
  EXPECT_EQ(got[0].error, ENOSYS) << "allowed: the outer filter answers";
  EXPECT_EQ(got[1].error, ENOSYS);
  EXPECT_EQ(got[2].error, EACCES);
  EXPECT_EQ(got[3].error, EACCES) << "TIOCSTI + 2^32";
  EXPECT_EQ(got[4].signal, SIGSYS);
  EXPECT_EQ(got[5].error, EPERM);
  EXPECT_EQ(got[6].error, EPERM);
}

TEST(Kernel, AgreesWithTheInterpreterOnRandomPolicies) {
  std::mt19937_64 random = seeded(41);
  for (int n = 0; n < 60; ++n) {
    const auto policy = random_policy(random, 2 + n % 8);
    const Bpf program = raw(policy);
    std::vector<Attempt> attempts;
    for (const char* name : {"chmod", "socket", "ioctl", "lseek", "read", "clone", "clone3", "fchmodat2", "write"})
      for (const auto& arguments : boundary_arguments(policy, name, random, 25))
        attempts.push_back({linux::find_syscall(linux::Arch::x86_64, name)->number, arguments});
    for (int i = 0; i < 30; ++i) attempts.push_back({static_cast<std::uint32_t>(random() % 480), {}});
    // uretprobe and uprobe never ask a filter.
    std::erase_if(attempts, [](const Attempt& a) { return a.number == 335 || a.number == 336; });
    const auto got = attempt_safely(program, attempts);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      const auto word = bpf_run(program, CallData(x86_64_arch, attempts[i].number, attempts[i].arguments)).result;
      const Got want = expected(word);
      ASSERT_EQ(got[i].signal, want.signal)
          << "policy " << n << " number " << attempts[i].number << std::hex << " word " << word;
      ASSERT_EQ(got[i].error, want.error)
          << "policy " << n << " number " << attempts[i].number << std::hex << " word " << word;
    }
  }
}

const std::vector<std::uint16_t> codes = {0x20, 0x00, 0x60, 0x80, 0x01, 0x61, 0x81, 0x02, 0x03, 0x04,
                                          0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54,
                                          0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0xa4, 0xac, 0x07, 0x87};
const std::vector<std::uint16_t> jumps = {0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d};

std::uint32_t random_constant(std::uint16_t code, std::mt19937_64& random) {
  if (code == 0x20) return static_cast<std::uint32_t>(random() % 5 == 0 ? random() % 80 : 16 + 4 * (random() % 12));
  if (code == 0x60 || code == 0x61 || code == 2 || code == 3)
    return static_cast<std::uint32_t>(random() % (random() % 9 == 0 ? 18 : 3));
  if (code == 0x64 || code == 0x74) return static_cast<std::uint32_t>(random() % 34);
  if (code == 0x34) return static_cast<std::uint32_t>(random() % 4);
  return static_cast<std::uint32_t>(random() >> random() % 64);
}

/// Programs that are sometimes wrong in one respect: a code, a jump, a word of scratch memory, the end.
Bpf random_program(std::mt19937_64& random, bool mostly_right) {
  Bpf program;
  const std::size_t length = 2 + random() % 14;
  for (std::size_t i = 0; i + 1 < length; ++i) {
    std::uint16_t code = random() % 3 == 0 ? jumps[random() % jumps.size()] : codes[random() % codes.size()];
    if (!mostly_right && random() % 60 == 0) code = static_cast<std::uint16_t>(random() % 0x110);
    const auto left = length - i - 1;
    const auto target = [&] {
      return static_cast<std::uint8_t>(random() % (left + (!mostly_right && random() % 30 == 0)));
    };
    Insn insn{code, 0, 0, random_constant(code, random)};
    if (code == 0x05)
      insn.k = target();
    else if ((code & 7) == 5)
      insn.jt = target(), insn.jf = target();
    program.push_back(insn);
  }
  program.push_back(!mostly_right && random() % 20 == 0 ? Insn{0x04, 0, 0, 1} : Insn{0x16, 0, 0, 0});
  return program;
}

TEST(Checker, AgreesWithTheKernelOnRandomPrograms) {
  std::mt19937_64 random = seeded(42);
  int taken = 0, refused = 0;
  for (int n = 0; n < 3000; ++n) {
    const Bpf program = random_program(random, n % 2 == 0);
    const int kernel = kernel_takes(program);
    ASSERT_TRUE(kernel == 0 || kernel == EINVAL) << kernel;
    const auto checked = backends::seccomp::check_program(bpf_to_bytes(program));
    const auto* rejected = std::get_if<backends::seccomp::Rejected>(&checked);
    ASSERT_EQ(kernel != 0, rejected != nullptr) << "program " << n << ": " << (rejected ? rejected->reason : "taken");
    ++(kernel == 0 ? taken : refused);
  }
  EXPECT_GT(taken, 300);
  EXPECT_GT(refused, 300);
}

TEST(Graphs, AgreeWithTheKernelOnRandomArithmetic) {
  // The result, cut to an errno, is what the call gets; a division by zero kills.
  std::mt19937_64 random = seeded(43);
  int compared = 0, killed = 0;
  for (int n = 0; n < 6000 && compared < 1500; ++n) {
    Bpf program = random_program(random, true);
    program.pop_back();
    for (const Insn& i : {Insn{0x54, 0, 0, 0xfff}, Insn{0x44, 0, 0, 0x50000}, Insn{0x16, 0, 0, 0}})
      program.push_back(i);
    const auto checked = backends::seccomp::check_program(bpf_to_bytes(program));
    if (std::holds_alternative<backends::seccomp::Rejected>(checked)) continue;
    const auto graph = backends::seccomp::execute(std::get<backends::seccomp::CheckedProgram>(checked));
    ASSERT_TRUE(graph.has_value());
    std::vector<Attempt> attempts;
    for (int i = 0; i < 4; ++i) {
      attempts.push_back({110, {}});
      for (auto& a : attempts.back().arguments) a = random() % 3 == 0 ? random() % 40 : random() >> random() % 64;
    }
    const auto got = attempt_safely(program, attempts);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      const CallData data(x86_64_arch, 110, attempts[i].arguments);
      const std::uint32_t word = model::evaluate(*graph, data.words);
      ASSERT_EQ(word, bpf_run(program, data).result) << n;
      ASSERT_EQ(got[i].signal, expected(word).signal) << "program " << n << std::hex << " word " << word;
      ASSERT_EQ(got[i].error, expected(word).error) << "program " << n << std::hex << " word " << word;
      killed += got[i].signal != 0;
    }
    ++compared;
  }
  EXPECT_GT(compared, 400);
  EXPECT_GT(killed, 0);
}

}  // namespace
}  // namespace agp::test
