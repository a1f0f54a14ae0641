#include "tests/bench/seccomp/peers.hpp"

#include <seccomp.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>

namespace agp::bench {
namespace {

scmp_compare compare_of(const std::string& op) {
  static const std::map<std::string, scmp_compare> all = {
      {"EQ", SCMP_CMP_EQ}, {"NE", SCMP_CMP_NE}, {"LT", SCMP_CMP_LT},        {"LE", SCMP_CMP_LE},
      {"GT", SCMP_CMP_GT}, {"GE", SCMP_CMP_GE}, {"MEQ", SCMP_CMP_MASKED_EQ}};
  return all.at(op);
}

}  // namespace

test::Bpf libseccomp_program(const Policy& policy, unsigned optimize) {
  scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(static_cast<std::uint16_t>(policy.default_errno)));
  seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, optimize);
  for (const auto& arch : policy.archs)
    if (arch != "x86_64") seccomp_arch_add(ctx, arch == "x86" ? SCMP_ARCH_X86 : SCMP_ARCH_X32);
  for (const Line& line : policy.lines) {
    const int number = seccomp_syscall_resolve_name(line.call.c_str());
    if (number == __NR_SCMP_ERROR) continue;
    std::vector<scmp_arg_cmp> tests;
    for (const Comparison& c : line.tests) tests.push_back({c.argument, compare_of(c.op), c.value, c.second});
    const std::uint32_t action =
        line.allow ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(static_cast<std::uint16_t>(line.errno_value));
    seccomp_rule_add_array(ctx, action, number, static_cast<unsigned>(tests.size()), tests.data());
  }
  std::FILE* file = std::tmpfile();
  std::string bytes;
  if (seccomp_export_bpf(ctx, fileno(file)) == 0) {
    std::rewind(file);
    for (int c; (c = std::fgetc(file)) != EOF;) bytes += static_cast<char>(c);
  }
  std::fclose(file);
  seccomp_release(ctx);
  return test::bpf_from_bytes(bytes);
}

bool libseccomp_knows(linux::Arch arch, std::uint32_t number) {
  const std::uint32_t token = arch == linux::Arch::i386  ? SCMP_ARCH_X86
                              : arch == linux::Arch::x32 ? SCMP_ARCH_X32
                                                         : SCMP_ARCH_X86_64;
  char* name = seccomp_syscall_resolve_num_arch(token, static_cast<int>(number));
  const bool known = name != nullptr;
  std::free(name);
  return known;
}

}  // namespace agp::bench
