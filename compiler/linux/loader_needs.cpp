#include "compiler/linux/loader_needs.hpp"

// Found by `tools/find_loader_needs --runs 400` with runc 1.1.5 (Debian 12): what the thread that loads the filter
// calls until its execve and can't go on without. It also calls getpid and epoll_ctl, and starts the command when they
// are refused. futex (294 of 400 runs) and rt_sigreturn (156 of 400) are the Go runtime's and come by chance.
namespace agp::linux {
namespace {

constexpr LoaderNeed runc_1_1[] = {
    {"close", "closes its pipes"},
    {"execve", "starts the command"},
    {"fstatfs", "makes sure that /proc is procfs"},
    {"futex", "the Go runtime wakes its threads"},
    {"getdents64", "lists its open descriptors"},
    // without O_CREAT (0x40) and __O_TMPFILE (0x400000), include/uapi/asm-generic/fcntl.h: nothing is made
    {"openat", "opens the start pipe and /proc/self/fd", 2, 0x400040},
    {"rt_sigreturn", "the Go runtime returns from a signal that preempts a thread"},
    {"write", "tells the parent that it is about to start"},
};

constexpr LoaderNeed launcher[] = {
    {"arch_prctl", "the C library sets up its thread"},
    {"capget", "looks whether there is a capability to give up"},
    {"landlock_add_rule", "makes the rules"},
    {"landlock_create_ruleset", "makes the rules"},
    {"landlock_restrict_self", "puts the rules into force"},
    {"mprotect", "the C library makes its relocated data read-only"},
    {"newfstatat", "looks whether a rule's path is a directory"},
    // arg0 & ~38: PR_SET_NO_NEW_PRIVS (38) and what has no other bits: 0, 2, 4, 6, 32, 34, 36
    // (include/uapi/linux/prctl.h)
    {"prctl", "gives up new privileges for good", 0, 0xffffffd9},
    {"read", "reads the rules"},
};

}  // namespace

std::span<const LoaderNeed> launcher_needs() { return launcher; }

std::vector<LoaderNeed> profile_needs(std::string_view stack, Version runc) {
  const auto first = runc_needs(runc);
  std::vector<LoaderNeed> out(first.begin(), first.end());
  if (stack == "oci+landlock") out.insert(out.end(), std::begin(launcher), std::end(launcher));
  return out;
}

std::span<const LoaderNeed> runc_needs(Version) { return runc_1_1; }

}  // namespace agp::linux
