// The system call tables against the compiler's headers, libseccomp's own table and facts written down by hand.
#include "compiler/linux/syscalls.hpp"

#include <gtest/gtest.h>
#include <seccomp.h>
#include <sys/syscall.h>

#include <bit>
#include <set>
#include <string>

namespace agp::linux {
namespace {

constexpr Arch here = Arch::x86_64;

struct Named {
  const char* name;
  std::uint32_t number;
};
#define AGP_CALL(name) {#name, __NR_##name},
constexpr Named header_calls[] = {
#include "calls.inc"
};
#undef AGP_CALL

TEST(Syscalls, EveryCallOfTheHeaderHasItsNumber) {
  ASSERT_GE(std::size(header_calls), 350u);
  for (const Named& call : header_calls) {
    const Syscall* found = find_syscall(here, std::string_view{call.name});
    ASSERT_NE(found, nullptr) << call.name;
    EXPECT_EQ(found->number, call.number) << call.name;
    EXPECT_EQ(find_syscall(here, call.number), found) << call.name;
    EXPECT_TRUE(known_anywhere(call.name)) << call.name;
  }
}

TEST(Syscalls, LibseccompAgrees) {
  unsigned compared = 0, unknown = 0;
  for (const Syscall& call : syscalls(here)) {
    const int number = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, std::string(call.name).c_str());
    if (number == __NR_SCMP_ERROR) {
      ++unknown;
      EXPECT_TRUE(call.since >= (Version{6, 0}) || call.number == 335 || call.number == 336) << call.name;
      continue;
    }
    EXPECT_EQ(number, static_cast<int>(call.number)) << call.name;
    ++compared;
  }
  std::cout << compared << " names compared, " << unknown << " newer than this libseccomp\n";
  EXPECT_GE(compared, 350u);
  // The other way round: no number that libseccomp names is missing.
  for (int number = 0; number < 512; ++number) {
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
    if (!name) continue;
    const Syscall* found = find_syscall(here, static_cast<std::uint32_t>(number));
    EXPECT_TRUE(found && found->name == name) << number << ' ' << name;
    free(name);
  }
}

TEST(Syscalls, SortedWithoutRepetition) {
  std::set<std::string_view> names;
  const Syscall* before = nullptr;
  for (const Syscall& call : syscalls(here)) {
    if (before) {
      EXPECT_LT(before->number, call.number);
    }
    EXPECT_TRUE(names.insert(call.name).second) << call.name;
    EXPECT_EQ(find_syscall(here, call.name), &call);
    EXPECT_LT(call.number & x32_bit, 1u);
    before = &call;
  }
}

TEST(Syscalls, NumbersNewerThanTheHeaders) {
  const Named newer[] = {
      {"uretprobe", 335},        {"uprobe", 336},        {"cachestat", 451},         {"fchmodat2", 452},
      {"map_shadow_stack", 453}, {"futex_wake", 454},    {"futex_wait", 455},        {"futex_requeue", 456},
      {"statmount", 457},        {"listmount", 458},     {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460},
      {"lsm_list_modules", 461}, {"mseal", 462},         {"setxattrat", 463},        {"getxattrat", 464},
      {"listxattrat", 465},      {"removexattrat", 466}, {"open_tree_attr", 467},    {"file_getattr", 468},
      {"file_setattr", 469},     {"listns", 470},        {"rseq_slice_yield", 471},  {"fchroot", 472},
  };
  for (const Named& call : newer) {
    const Syscall* found = find_syscall(here, std::string_view{call.name});
    ASSERT_NE(found, nullptr) << call.name;
    EXPECT_EQ(found->number, call.number) << call.name;
  }
}

TEST(Syscalls, UnknownNamesAndNumbers) {
  for (const char* name : {"", "fstatat", "pread", "socketcall", "READ", "read ", "zzz", "_llseek", "newstat"})
    EXPECT_EQ(find_syscall(here, std::string_view{name}), nullptr) << name;
  for (std::uint32_t number : {337u, 423u, 512u, 547u, x32_bit | 1u, ~0u})
    EXPECT_EQ(find_syscall(here, number), nullptr) << number;
  EXPECT_TRUE(known_anywhere("socketcall"));
  EXPECT_TRUE(known_anywhere("riscv_hwprobe"));
  EXPECT_FALSE(known_anywhere("sockets"));
  EXPECT_EQ(find_syscall(Arch::i386, "read")->number, 3u);
}

TEST(Syscalls, FirstKernel) {
  const struct {
    const char* name;
    Version since;
  } rows[] = {
      {"read", {2, 6}},
      {"openat", {2, 6}},
      {"prlimit64", {2, 6}},
      {"setns", {3, 0}},
      {"seccomp", {3, 17}},
      {"bpf", {3, 18}},
      {"userfaultfd", {4, 3}},
      {"membarrier", {4, 3}},
      {"pkey_mprotect", {4, 9}},
      {"statx", {4, 11}},
      {"rseq", {4, 18}},
      {"io_uring_setup", {5, 1}},
      {"open_tree", {5, 2}},
      {"clone3", {5, 3}},
      {"pidfd_open", {5, 3}},
      {"openat2", {5, 6}},
      {"pidfd_getfd", {5, 6}},
      {"faccessat2", {5, 8}},
      {"close_range", {5, 9}},
      {"process_madvise", {5, 10}},
      {"epoll_pwait2", {5, 11}},
      {"mount_setattr", {5, 12}},
      {"landlock_add_rule", {5, 13}},
      {"memfd_secret", {5, 14}},
      {"quotactl_fd", {5, 14}},
      {"process_mrelease", {5, 15}},
      {"futex_waitv", {5, 16}},
      {"cachestat", {6, 5}},
      {"fchmodat2", {6, 6}},
      {"futex_wake", {6, 7}},
      {"statmount", {6, 8}},
      {"mseal", {6, 10}},
      {"uretprobe", {6, 11}},
      {"setxattrat", {6, 13}},
      {"open_tree_attr", {6, 15}},
      {"file_getattr", {6, 17}},
      {"uprobe", {6, 18}},
      {"listns", {6, 19}},
      {"rseq_slice_yield", {7, 0}},
      {"fchroot", {7, 3}},
  };
  for (const auto& row : rows) EXPECT_EQ(find_syscall(here, row.name)->since, row.since) << row.name;
  // Debian 12's headers are of 6.1: what they lack is newer, what they have is not.
  std::set<std::string_view> in_header;
  for (const Named& call : header_calls) in_header.insert(call.name);
  for (const Syscall& call : syscalls(here))
    EXPECT_EQ(call.since <= (Version{6, 1}), in_header.contains(call.name)) << call.name;
}

TEST(Arguments, ByNameAliasAndRegister) {
  const Syscall& socket = *find_syscall(here, "socket");
  EXPECT_EQ(socket.argument_count, 3);
  EXPECT_EQ(find_argument(socket, "domain"), 0);
  EXPECT_EQ(find_argument(socket, "family"), 0);
  EXPECT_EQ(find_argument(socket, "type"), 1);
  EXPECT_EQ(find_argument(socket, "protocol"), 2);
  EXPECT_EQ(find_argument(socket, "arg2"), 2);
  EXPECT_EQ(find_argument(socket, "arg5"), 5);
  for (const char* wrong : {"", "arg6", "arg", "Domain", "fd", "domains", "argx"})
    EXPECT_EQ(find_argument(socket, wrong), std::nullopt) << wrong;
  const Syscall& ioctl = *find_syscall(here, "ioctl");
  for (const char* name : {"cmd", "request", "op"}) EXPECT_EQ(find_argument(ioctl, name), 1) << name;
  EXPECT_EQ(find_argument(ioctl, "fd"), 0);
  EXPECT_EQ(find_argument(ioctl, "arg"), 2);
  const Syscall& clone = *find_syscall(here, "clone");
  EXPECT_EQ(find_argument(clone, "flags"), 0);
  EXPECT_EQ(find_argument(clone, "clone_flags"), 0);
  EXPECT_EQ(find_argument(clone, "child_tid"), 3);
  EXPECT_EQ(find_argument(clone, "tls"), 4);
  // The kernel calls prctl's registers 1 to 4 arg2 to arg5; here argN is always register N.
  const Syscall& prctl = *find_syscall(here, "prctl");
  EXPECT_EQ(prctl.argument_count, 5);
  EXPECT_EQ(find_argument(prctl, "option"), 0);
  EXPECT_EQ(find_argument(prctl, "arg2"), 2);
  EXPECT_EQ(argument_name(prctl, 1), "arg1");
  EXPECT_EQ(argument_name(socket, 0), "domain");
  EXPECT_EQ(argument_name(socket, 4), "arg4");
  EXPECT_EQ(find_argument(*find_syscall(here, "openat"), "mode"), 3);
  EXPECT_EQ(find_argument(*find_syscall(here, "mount"), "mountflags"), 3);
  EXPECT_EQ(find_argument(*find_syscall(here, "mount"), "flags"), 3);
}

TEST(Arguments, WellFormed) {
  for (const Syscall& call : syscalls(here)) {
    ASSERT_LE(call.argument_count, 6) << call.name;
    for (int i = 0; i < 6; ++i) {
      const Argument& argument = call.arguments[i];
      const std::string where = std::string(call.name) + " " + std::to_string(i);
      if (i >= call.argument_count) {
        EXPECT_TRUE(argument.name.empty() && !argument.pointer && argument.effective_mask == 0) << where;
        continue;
      }
      EXPECT_EQ(find_argument(call, argument_name(call, i)), i) << where;
      EXPECT_TRUE(argument.effective_mask == 0 || argument.effective_mask == 0xffff ||
                  argument.effective_mask == 0xffffffff || argument.effective_mask == ~0ull)
          << where;
      if (argument.pointer || !argument.classified) {
        EXPECT_EQ(argument.effective_mask, ~0ull) << where;
      }
      EXPECT_FALSE(argument.pointer && !argument.classified) << where;
    }
  }
}

constexpr int P = -1, U = -2;  // pointer, unclassified
TEST(Arguments, WidthsKnownByHand) {
  const struct {
    const char* name;
    std::vector<int> widths;
  } rows[] = {
      {"socket", {32, 32, 32}},
      {"ioctl", {32, 32, U}},
      {"fcntl", {32, 32, U}},
      {"open", {P, 32, 16}},
      {"openat", {32, P, 32, 16}},
      {"openat2", {32, P, P, 64}},
      {"creat", {P, 16}},
      {"chmod", {P, 16}},
      {"fchmod", {32, 16}},
      {"fchmodat", {32, P, 16}},
      {"fchmodat2", {32, P, 16, 32}},
      {"mknod", {P, 16, 32}},
      {"mknodat", {32, P, 16, 32}},
      {"mkdir", {P, 16}},
      {"mkdirat", {32, P, 16}},
      {"mq_open", {P, 32, 16, P}},
      {"umask", {32}},
      {"connect", {32, P, 32}},
      {"sendto", {32, P, 64, 32, P, 32}},
      {"clone", {32, 64, P, P, 64}},
      {"clone3", {P, 64}},
      {"unshare", {64}},
      {"setns", {32, 32}},
      {"prctl", {32, U, U, U, U}},
      {"ptrace", {64, 32, U, U}},
      {"personality", {32}},
      {"mmap", {64, 64, 32, 32, 32, 64}},
      {"mprotect", {64, 64, 64}},
      {"pkey_mprotect", {64, 64, 64, 32}},
      {"mbind", {64, 64, 32, P, 64, 32}},
      {"writev", {32, P, 32}},
      {"preadv", {32, P, 32, 64, 0}},
      {"write", {32, P, 64}},
      {"kill", {32, 32}},
      {"tgkill", {32, 32, 32}},
      {"mount", {P, P, P, 64, P}},
      {"umount2", {P, 32}},
      {"bpf", {32, P, 32, P, 32}},
      {"fchroot", {32, 32}},
      {"seccomp", {32, 32, P}},
      {"setuid", {32}},
      {"keyctl", {32, U, U, U, U}},
      {"add_key", {P, P, P, 64, 32}},
      {"execve", {P, P, P}},
      {"execveat", {32, P, P, P, 32}},
      {"memfd_create", {P, 32}},
      {"io_uring_setup", {32, P}},
      {"perf_event_open", {P, 32, 32, 32, 64}},
      {"arch_prctl", {32, U}},
      {"landlock_add_rule", {32, 32, P, 32}},
      {"getpid", {}},
      {"uretprobe", {}},
      {"restart_syscall", {}},
      {"rt_sigreturn", {}},
  };
  for (const auto& row : rows) {
    const Syscall& call = *find_syscall(here, row.name);
    ASSERT_EQ(call.argument_count, row.widths.size()) << row.name;
    for (std::size_t i = 0; i < row.widths.size(); ++i) {
      const Argument& argument = call.arguments[i];
      const int width = argument.pointer ? P : !argument.classified ? U : std::popcount(argument.effective_mask);
      EXPECT_EQ(width, row.widths[i]) << row.name << ' ' << i;
    }
  }
}

TEST(Arches, NamesAndAuditValues) {
  for (Arch arch : {Arch::x86_64, Arch::i386, Arch::x32, Arch::aarch64, Arch::riscv64})
    EXPECT_EQ(find_arch(to_string(arch)), arch);
  EXPECT_EQ(find_arch("amd64"), std::nullopt);
  EXPECT_EQ(audit_arch(Arch::x86_64), static_cast<std::uint32_t>(SCMP_ARCH_X86_64));
  EXPECT_EQ(audit_arch(Arch::i386), static_cast<std::uint32_t>(SCMP_ARCH_X86));
  EXPECT_EQ(audit_arch(Arch::x32), audit_arch(Arch::x86_64));
  EXPECT_EQ(audit_arch(Arch::aarch64), static_cast<std::uint32_t>(SCMP_ARCH_AARCH64));
  EXPECT_EQ(audit_arch(Arch::riscv64), static_cast<std::uint32_t>(SCMP_ARCH_RISCV64));
  static_assert(x32_bit == __X32_SYSCALL_BIT);
}

}  // namespace
}  // namespace agp::linux
