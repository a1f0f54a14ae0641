#include "backends/seccomp/decode/measure.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "compiler/linux/syscalls.hpp"
#include "tests/support/bpf.hpp"
#include "tests/unit/seccomp/oci.hpp"

// What `agp inspect` says of filters that agp did not make: the oracle runs them, and follows them as the kernel does.
namespace agp::test {
namespace {

using backends::seccomp::CheckedProgram;

constexpr std::uint32_t allow = 0x7fff0000;

/// Every run lies between the shortest and the longest path of its call, with the answer that was said to be the same.
void same_as_running(const Bpf& program, std::mt19937_64& random) {
  const auto checked = backends::seccomp::check_program(bpf_to_bytes(program));
  ASSERT_TRUE(std::holds_alternative<CheckedProgram>(checked));
  const auto paths = backends::seccomp::measure(std::get<CheckedProgram>(checked));
  for (const auto& arch : paths.archs)
    for (const auto& path : arch.calls) {
      const std::uint32_t audit = linux::audit_arch(arch.arch);
      EXPECT_LE(path.longest, paths.longest);
      EXPECT_EQ(path.longest_path.size(), path.longest);
      EXPECT_EQ(path.cacheable, arch.arch != linux::Arch::x32 && constant_allow(program, audit, path.call->number))
          << path.call->name;
      for (int n = 0; n < 20; ++n) {
        std::array<std::uint64_t, 6> arguments{};
        for (auto& a : arguments) a = random() % 3 == 0 ? random() : random() % 64;
        const BpfRun run = bpf_run(program, CallData(audit, path.call->number, arguments));
        ASSERT_GE(run.steps, path.shortest) << path.call->name;
        ASSERT_LE(run.steps, path.longest) << path.call->name;
        if (path.answer) {
          ASSERT_EQ(run.result, *path.answer) << path.call->name;
        }
        if (run.result == allow) {
          ASSERT_TRUE(path.may_run) << path.call->name;
        }
      }
    }
}

TEST(Measure, WhatLibseccompMakesOfProfiles) {
  std::mt19937_64 random(3);
  const auto calls = linux::syscalls(linux::Arch::x86_64);
  for (int n = 0; n < 12; ++n) {
    nlohmann::json profile = {{"defaultAction", "SCMP_ACT_ERRNO"}, {"architectures", {"SCMP_ARCH_X86_64"}}};
    if (n % 3 == 0) profile["architectures"] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
    for (int e = 0; e < 60; ++e) {
      nlohmann::json entry = {{"names", {calls[random() % 330].name}}, {"action", "SCMP_ACT_ALLOW"}};
      if (e % 4 == 0)
        entry["args"] = {
            {{"index", e % 3}, {"value", 0xf0}, {"valueTwo", random() % 16 << 4}, {"op", "SCMP_CMP_MASKED_EQ"}}};
      profile["syscalls"].push_back(entry);
    }
    const Bpf program = runc_program(profile.dump());
    ASSERT_FALSE(program.empty());
    same_as_running(program, random);
  }
}

/// Programs by chance: most are refused, and what is not is measured rightly.
TEST(Measure, AnyProgram) {
  std::mt19937_64 random(4);
  static const std::vector<std::uint16_t> codes = {0x20, 0x20, 0x15, 0x25, 0x35, 0x45, 0x05, 0x06, 0x54, 0x00,
                                                   0x01, 0x02, 0x60, 0x07, 0x87, 0x1d, 0x04, 0x14, 0x24, 0x34,
                                                   0x44, 0x64, 0x74, 0x84, 0xa4, 0x16, 0x80, 0x81, 0x61, 0x03};
  int taken = 0;
  for (int n = 0; n < 6'000; ++n) {
    const std::size_t size = random() % 8 + 2;
    Bpf program;
    for (std::size_t i = 0; i + 1 < size; ++i) {
      const std::uint16_t code = codes[random() % (n % 2 == 0 ? codes.size() : 9)];
      const auto rest = static_cast<std::uint8_t>(size - i);
      const std::uint32_t k = code == 0x20   ? static_cast<std::uint32_t>(random() % 16 * 4)
                              : code == 0x05 ? static_cast<std::uint32_t>(random() % rest)
                              : code == 0x06 ? allow
                                             : static_cast<std::uint32_t>(random() % 70);
      program.push_back(
          {code, static_cast<std::uint8_t>(random() % rest), static_cast<std::uint8_t>(random() % rest), k});
    }
    program.push_back({0x06, 0, 0, random() % 2 == 0 ? allow : 0x50001});
    if (!std::holds_alternative<CheckedProgram>(backends::seccomp::check_program(bpf_to_bytes(program)))) continue;
    if (++taken % 10 == 0) same_as_running(program, random);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(taken, 300);
}

/// Bytes by chance, of any length.
TEST(Measure, AnyBytes) {
  std::mt19937_64 random(5);
  for (int n = 0; n < 2'000; ++n) {
    std::string bytes(random() % 80, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const auto checked = backends::seccomp::check_program(bytes);
    if (bytes.size() % 8 != 0 || bytes.empty()) {
      EXPECT_TRUE(std::holds_alternative<backends::seccomp::Rejected>(checked)) << bytes.size();
    }
  }
}

// Thirty jumps that depend on an argument, of which each clears a bit on one way only: 2^30 accumulators.
TEST(Measure, WaysThatAllDifferAreNotFollowedOneByOne) {
  Bpf program = {{0x20, 0, 0, 16}, {0x07, 0, 0, 0}, {0x00, 0, 0, 0xffffffff}};  // ld [16]; tax; ld #0xffffffff
  for (unsigned bit = 0; bit < 30; ++bit) {
    program.push_back({0x1d, 0, 1, 0});             // jeq x
    program.push_back({0x54, 0, 0, ~(1u << bit)});  // and
  }
  program.push_back({0x06, 0, 0, allow});
  std::mt19937_64 random(5);
  same_as_running(program, random);
}

}  // namespace
}  // namespace agp::test
