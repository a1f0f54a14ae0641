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

}  // namespace

std::span<const LoaderNeed> runc_needs(Version) { return runc_1_1; }

}  // namespace agp::linux
