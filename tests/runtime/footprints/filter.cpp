#include "tests/runtime/footprints/filter.hpp"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "compiler/linux/syscalls.hpp"

namespace agp::test {
namespace {

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;

std::uint32_t number(std::string_view call) { return linux::find_syscall(linux::Arch::x86_64, call)->number; }
sock_filter load(std::size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
sock_filter answer(std::uint32_t word) { return BPF_STMT(BPF_RET | BPF_K, word); }

}  // namespace

Program without(std::string_view call) {
  return {load(offsetof(seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number(call), 0, 1),
          answer(SECCOMP_RET_ERRNO | refused), answer(allow)};
}

Program only(std::span<const linux::CallFact> calls) {
  Program out = {load(offsetof(seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
                 answer(allow)};
  for (const linux::CallFact& fact : calls) {
    Program body;
    for (const linux::ArgumentFact& a : fact.arguments) {
      body.push_back(load(offsetof(seccomp_data, args) + 8u * a.argument));
      body.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, static_cast<std::uint32_t>(~a.optional)));
      for (std::size_t i = 0; i < a.values.size(); ++i)  // past the refusal, which stands behind the last one
        body.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(a.values[i]),
                                static_cast<std::uint8_t>(a.values.size() - i), 0));
      body.push_back(answer(SECCOMP_RET_ERRNO | not_listed));
    }
    body.push_back(answer(allow));
    out.push_back(load(offsetof(seccomp_data, nr)));
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number(fact.call), 0, static_cast<std::uint8_t>(body.size())));
    out.insert(out.end(), body.begin(), body.end());
  }
  out.push_back(answer(SECCOMP_RET_ERRNO | not_listed));
  return out;
}

int put_on(const Program& program) {
  sock_fprog fprog{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) == 0 ? 0 : errno;
}

int take_right(unsigned long long bit) {
  const unsigned long long attributes[] = {bit};
  const long ruleset = syscall(444, attributes, sizeof attributes, 0);  // landlock_create_ruleset
  if (ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return syscall(446, ruleset, 0) == 0 ? 0 : errno;  // landlock_restrict_self
}

}  // namespace agp::test
