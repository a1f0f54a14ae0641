// Profiles for several architectures: the decoder against the program that libseccomp makes of the same rules.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <seccomp.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "backends/seccomp/backend.hpp"
#include "compiler/linux/syscalls.hpp"
#include "tests/support/bpf.hpp"
#include "tests/support/policies.hpp"

namespace agp::test {
namespace {

using Json = nlohmann::json;
constexpr std::uint32_t allow = 0x7fff0000, eperm = 0x50001, enosys = 0x50026;

struct Compared {
  const char* name;
  std::vector<scmp_arg_cmp> arguments;
};
/// libseccomp's own macros are no C++.
constexpr scmp_arg_cmp at(unsigned argument, scmp_compare op, scmp_datum_t a, scmp_datum_t b = 0) {
  return {argument, op, a, b};
}
// 64-bit values, bits above a word, comparisons that a 32-bit architecture cuts, and calls behind socketcall and ipc.
const Compared rules[] = {{"read", {}},
                          {"ptrace", {at(0, SCMP_CMP_EQ, 16)}},
                          {"ioctl", {at(1, SCMP_CMP_MASKED_EQ, 0xffffffff, 0x5412)}},
                          {"lseek", {at(1, SCMP_CMP_GT, 0x100000002)}},
                          {"chmod", {at(1, SCMP_CMP_MASKED_EQ, 0x100000800, 0x800)}},
                          {"socket", {at(0, SCMP_CMP_EQ, 2), at(1, SCMP_CMP_EQ, 3)}},
                          {"sendto", {}},
                          {"semop", {}},
                          {"shmat", {at(0, SCMP_CMP_NE, 5)}},
                          {"socketcall", {at(0, SCMP_CMP_EQ, 13)}},
                          {"accept", {}},
                          {"mmap2", {at(2, SCMP_CMP_LE, 7)}},
                          {"riscv_flush_icache", {}}};

const char* op_name(scmp_compare op) {
  constexpr const char* names[] = {"",
                                   "SCMP_CMP_NE",
                                   "SCMP_CMP_LT",
                                   "SCMP_CMP_LE",
                                   "SCMP_CMP_EQ",
                                   "SCMP_CMP_GE",
                                   "SCMP_CMP_GT",
                                   "SCMP_CMP_MASKED_EQ"};
  return names[op];
}

Json profile(const std::vector<std::string>& archs) {
  Json entries = Json::array();
  for (const Compared& r : rules) {
    Json e = {{"names", {r.name}}, {"action", "SCMP_ACT_ERRNO"}};
    for (const scmp_arg_cmp& a : r.arguments) {
      const bool masked = a.op == SCMP_CMP_MASKED_EQ;
      e["args"].push_back({{"index", a.arg}, {"value", a.datum_a}, {"op", op_name(a.op)}});
      if (masked) e["args"].back()["valueTwo"] = a.datum_b;
    }
    entries.push_back(e);
  }
  // An open default: runc puts no prefix of its own in front.
  return {{"defaultAction", "SCMP_ACT_ALLOW"}, {"architectures", archs}, {"syscalls", entries}};
}

Bpf by_libseccomp(const std::vector<std::uint32_t>& tokens) {
  scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
  for (const std::uint32_t token : tokens) EXPECT_EQ(seccomp_arch_add(ctx, token), 0);
  for (const Compared& r : rules)
    EXPECT_EQ(seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(1), seccomp_syscall_resolve_name(r.name),
                                     static_cast<unsigned>(r.arguments.size()), r.arguments.data()),
              0)
        << r.name;
  std::FILE* file = std::tmpfile();
  std::string bytes;
  EXPECT_EQ(seccomp_export_bpf(ctx, fileno(file)), 0);
  std::rewind(file);
  for (int c; (c = std::fgetc(file)) != EOF;) bytes += static_cast<char>(c);
  std::fclose(file);
  seccomp_release(ctx);
  return bpf_from_bytes(bytes);
}

model::Target target(std::vector<std::string> archs) {
  model::Target t = debian12();
  t.archs = std::move(archs);
  return t;
}

backends::Decoded decode(const Json& json, const model::Target& t) {
  const backends::Artifact artifact{"seccomp/profile.json", json.dump()};
  return backends::seccomp::backend().decode({&artifact, 1}, t);
}

TEST(ProfileArchs, AsLibseccompCompilesThem) {
  const struct {
    std::vector<std::string> names;
    std::vector<std::uint32_t> tokens;
  } sets[] = {{{"SCMP_ARCH_X86_64"}, {}},
              {{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"}, {SCMP_ARCH_X86}},
              {{"SCMP_ARCH_X86", "SCMP_ARCH_X32"}, {SCMP_ARCH_X86, SCMP_ARCH_X32}},
              {{"SCMP_ARCH_X32"}, {SCMP_ARCH_X32}},
              {{"SCMP_ARCH_AARCH64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_X86"},
               {SCMP_ARCH_AARCH64, SCMP_ARCH_RISCV64, SCMP_ARCH_X86}}};
  std::vector<std::array<std::uint64_t, 6>> inputs;
  for (const std::uint64_t high : {0ull, 1ull << 32, 1ull << 63})
    for (const std::uint64_t low : {0ull, 2ull, 3ull, 5ull, 7ull, 8ull, 13ull, 16ull, 0x800ull, 0x5412ull}) {
      inputs.push_back({high | low, high | 3, high | low, 0, 0, 0});
      inputs.push_back({low, high | low, 7, 0, 0, 0});
      inputs.push_back({high | 2, low, 0, 0, 0, 0});
    }
  for (const auto& [names, tokens] : sets) {
    const auto decoded = decode(profile(names), target({"x86_64"}));
    ASSERT_TRUE(decoded.problems.empty()) << decoded.problems[0].message;
    ASSERT_EQ(decoded.filters.size(), 1u);
    const Bpf program = by_libseccomp(tokens);
    for (const linux::Arch arch : linux::all_archs)
      for (std::uint32_t n = 0; n < 560; ++n) {
        const std::uint32_t number = arch == linux::Arch::x32 ? n | linux::x32_bit : n;
        const linux::Syscall* call = linux::find_syscall(arch, number);
        // Other numbers look at no argument.
        const std::size_t count = call ? inputs.size() : 1;
        for (std::size_t i = 0; i < count; ++i) {
          const CallData data(linux::audit_arch(arch), number, inputs[i]);
          const std::uint32_t expected = bpf_run(program, data).result;
          ASSERT_EQ(model::evaluate(decoded.filters[0].graph, data.words), expected)
              << names.front() << ": " << linux::to_string(arch) << ' ' << n << ' ' << (call ? call->name : "") << ' '
              << std::hex << inputs[i][0] << ' ' << inputs[i][1] << ' ' << inputs[i][2];
        }
      }
  }
}

TEST(ProfileArchs, OneReadingForEachMachine) {
  const auto decoded = decode(profile({"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"}), target({"x86_64", "aarch64"}));
  ASSERT_EQ(decoded.filters.size(), 2u);
  EXPECT_EQ(decoded.filters[0].arch, "x86_64");
  EXPECT_EQ(decoded.filters[1].arch, "aarch64");
  // The machine's own architecture is there though it is not listed; another's is not.
  const auto native = decode(profile({}), target({"aarch64"}));
  ASSERT_EQ(native.filters.size(), 1u);
  const auto answer = [&](linux::Arch arch, std::uint32_t number) {
    return model::evaluate(native.filters[0].graph, CallData(linux::audit_arch(arch), number, {}).words);
  };
  EXPECT_EQ(answer(linux::Arch::aarch64, 63), eperm);  // read
  EXPECT_EQ(answer(linux::Arch::aarch64, 64), allow);
  EXPECT_EQ(answer(linux::Arch::x86_64, 1), 0u);
}

TEST(ProfileArchs, RuncsPrefixIsThatOfEachArchitecture) {
  const Json json = {{"defaultAction", "SCMP_ACT_ERRNO"},
                     {"architectures", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}},
                     {"syscalls", {{{"names", {"read", "openat", "socket"}}, {"action", "SCMP_ACT_ALLOW"}}}}};
  const auto decoded = decode(json, target({"x86_64", "i386", "x32"}));
  ASSERT_EQ(decoded.filters.size(), 1u);
  const auto answer = [&](linux::Arch arch, std::uint32_t number) {
    return model::evaluate(decoded.filters[0].graph, CallData(linux::audit_arch(arch), number, {}).words);
  };
  EXPECT_EQ(answer(linux::Arch::x86_64, 257), allow);  // openat, the largest
  EXPECT_EQ(answer(linux::Arch::x86_64, 256), eperm);
  EXPECT_EQ(answer(linux::Arch::x86_64, 258), enosys);
  EXPECT_EQ(answer(linux::Arch::i386, 295), allow);  // openat; socket, 359, does not count: libseccomp's is negative
  EXPECT_EQ(answer(linux::Arch::i386, 296), enosys);
  EXPECT_EQ(answer(linux::Arch::i386, 359), enosys);
  EXPECT_EQ(answer(linux::Arch::i386, 294), eperm);
  EXPECT_EQ(answer(linux::Arch::x32, 257 | linux::x32_bit), allow);
  EXPECT_EQ(answer(linux::Arch::x32, 258 | linux::x32_bit), enosys);
}

TEST(ProfileArchs, AnArchitectureWithoutATableIsRefused) {
  for (const char* name : {"SCMP_ARCH_MIPS", "SCMP_ARCH_ARM", "x86_64", ""}) {
    const auto decoded = decode(profile({name}), target({"x86_64", "aarch64"}));
    EXPECT_TRUE(decoded.filters.empty()) << name;
    EXPECT_EQ(decoded.problems.size(), 1u) << name;
  }
}

}  // namespace
}  // namespace agp::test
