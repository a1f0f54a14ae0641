// The table of constants against the C library's own definitions, wherever both have a name.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include <set>

#include "compiler/linux/syscalls.hpp"

namespace agp::linux {
namespace {

struct Constant {
  const char* name;
  std::uint64_t value;
};
template <typename T>
Constant constant(const char* name, T value) {
  if constexpr (std::is_pointer_v<T>)
    return {name, reinterpret_cast<std::uintptr_t>(value)};
  else
    return {name, static_cast<std::uint64_t>(static_cast<long long>(value))};
}

TEST(Constants, TheLibrarysDefinitions) {
  // A function-local array: SIGRTMIN is a call in the C library.
  const Constant library[] = {
#define AGP_CONSTANT(name) constant(#name, name),
#include "constants.inc"
#undef AGP_CONSTANT
  };
  // The library differs on purpose: O_LARGEFILE is no flag of its own on 64-bit, it keeps two real-time signals for
  // itself.
  const std::set<std::string_view> different = {"O_LARGEFILE", "SIGRTMIN"};
  unsigned compared = 0;
  for (const Constant& c : library) {
    if (different.contains(c.name)) continue;
    EXPECT_EQ(find_constant(c.name), c.value) << c.name;
    ++compared;
  }
  std::cout << compared << " of " << constant_names().size() << " constants compared with the C library\n";
  EXPECT_GT(compared, 1000u);
}

TEST(Constants, KnownByHand) {
  const Constant known[] = {
      {"AF_INET", 2},
      {"AF_INET6", 10},
      {"AF_UNIX", 1},
      {"AF_PACKET", 17},
      {"AF_NETLINK", 16},
      {"AF_VSOCK", 40},
      {"SOCK_RAW", 3},
      {"SOCK_CLOEXEC", 0x80000},
      {"IPPROTO_MPTCP", 262},
      {"TIOCSTI", 0x5412},
      {"TIOCLINUX", 0x541c},
      {"FIONREAD", 0x541b},
      {"CLONE_NEWUSER", 0x10000000},
      {"CLONE_NEWTIME", 0x80},
      {"S_ISUID", 04000},
      {"S_ISGID", 02000},
      {"S_ISVTX", 01000},
      {"O_CREAT", 0100},
      {"O_TMPFILE", 020200000},
      {"PR_SET_NO_NEW_PRIVS", 38},
      {"MSG_FASTOPEN", 0x20000000},
      {"PROT_EXEC", 4},
      {"MAP_ANONYMOUS", 0x20},
      {"PTRACE_ATTACH", 16},
      {"F_SETOWN", 8},
      {"UMOUNT_NOFOLLOW", 8},
      {"MS_BIND", 4096},
      {"AT_FDCWD", 0xffffffffffffff9c},
      {"ARCH_SET_FS", 0x1002},
      {"SECCOMP_SET_MODE_FILTER", 1},
      {"BPF_PROG_LOAD", 5},
      {"KEYCTL_READ", 11},
      {"MFD_CLOEXEC", 1},
      {"MFD_EXEC", 0x10},
      {"MADV_GUARD_INSTALL", 102},
      {"PER_LINUX32", 8},
      {"ADDR_NO_RANDOMIZE", 0x40000},
      {"LANDLOCK_ACCESS_FS_IOCTL_DEV", 0x8000},
      {"PR_SET_MDWE", 65},
      {"TUNSETIFF", 0x400454ca},
      {"SIOCGIFCONF", 0x8912},
      {"PR_SET_PTRACER_ANY", ~0ull},
      {"CLONE_CLEAR_SIGHAND", 1ull << 32},
      {"FUTEX_PRIVATE_FLAG", 128},
      {"IORING_REGISTER_FILES", 2},
      {"NETLINK_ROUTE", 0},
      {"SOL_TCP", 6},
      {"TCP_ULP", 31},
      {"CAP_NET_RAW", 13},
      {"RLIMIT_NOFILE", 7},
      {"KEY_SPEC_SESSION_KEYRING", ~0ull - 2},
  };
  for (const Constant& c : known) EXPECT_EQ(find_constant(c.name), c.value) << c.name;
}

}  // namespace
}  // namespace agp::linux
