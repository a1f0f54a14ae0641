// Trials on processes, namespaces, credentials, limits and system-wide switches; what could outlast the trial runs in a
// child process with its own namespaces.
#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/linux/mask_trials.hpp"

namespace agp::linux::trials {
namespace {

using u64 = std::uint64_t;

/// Starts a child that waits, gives its id to `look`, and ends it.
long with_child(const std::function<long(pid_t)>& look) {
  const pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  const long result = look(child);
  kill(child, SIGKILL);
  waitpid(child, nullptr, __WALL);
  return result;
}

/// The exit status of the process that clone made with these flags, or -errno.
long cloned(u64 flags) {
  const long child = sys(SYS_clone, flags, 0, 0, 0, 0);
  if (child == 0) _exit(7);
  if (child < 0) return child;
  int status = 0;
  waitpid(static_cast<pid_t>(child), &status, __WALL);
  return WEXITSTATUS(status);
}

/// In a child with a mount namespace of its own: mounts a tmpfs with `flags` on the trials' directory, then `look`s.
long mounted(u64 flags, const std::function<long(const char*)>& look) {
  return in_child([&] {
    const char* at = directory().c_str();
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return not_here;
    const long result = sys(SYS_mount, "none", at, "tmpfs", flags, "size=64k");
    return result < 0 ? result : look(at);
  });
}

std::vector<Trial> processes() {
  const u64 self = static_cast<u64>(getpid());
  constexpr u64 nobody = 0x3ffffffe;
  return {
      {"clone", "flags", SIGCHLD, CLONE_THREAD | SIGCHLD, cloned},
      {"unshare", "flags", CLONE_FILES, CLONE_PTRACE,
       [](u64 v) { return in_child([v] { return sys(SYS_unshare, v); }); }},
      {"setns", "flags", CLONE_NEWUTS, CLONE_NEWIPC,
       [](u64 v) { return in_child([v] { return tried(sys(SYS_setns, open("/proc/self/ns/uts", O_RDONLY), v)); }); }},
      {"kill", "pid", self, nobody, [](u64 v) { return sys(SYS_kill, v, 0); }},
      {"kill", "sig", 0, 100, [=](u64 v) { return sys(SYS_kill, self, v); }},
      {"tgkill", "tid", self, nobody, [=](u64 v) { return sys(SYS_tgkill, self, v, 0); }},
      {"tkill", "tid", self, nobody, [](u64 v) { return sys(SYS_tkill, v, 0); }},
      {"getpgid", "pid", self, nobody, [](u64 v) { return sys(SYS_getpgid, v); }},
      {"pidfd_open", "pid", self, nobody,
       [](u64 v) {
         const long fd = tried(sys(SYS_pidfd_open, v, 0));
         if (fd >= 0) close(static_cast<int>(fd));
         return std::min(fd, 0L);
       }},
      {"ptrace", "pid", 0, nobody,
       [](u64 v) {
         return with_child([v](pid_t child) {
           // The trial's value stands for the child, whose id is another each time.
           const u64 pid = (v & 0xffffffff) ? v : v | static_cast<u64>(child);
           return tried(sys(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0));
         });
       }},
      {"ptrace", "request", PTRACE_SEIZE, 0x7fff,
       [](u64 v) { return with_child([v](pid_t child) { return tried(sys(SYS_ptrace, v, child, 0, 0)); }); }},
      {"wait4", "options", WNOHANG, 0x10,
       [](u64 v) { return with_child([v](pid_t child) { return sys(SYS_wait4, child, 0, v, 0); }); }},
      {"exit", "status", 3, 4,
       [](u64 v) {
         const pid_t child = fork();
         if (child == 0) sys(SYS_exit, v);
         int status = 0;
         waitpid(child, &status, 0);
         return long{WEXITSTATUS(status)};
       }},
      {"getpid", "arg0", 0, 0, [](u64 v) { return sys(SYS_getpid, v); }},
  };
}

std::vector<Trial> credentials() {
  const auto as = [](long number, auto get) {
    return [=](u64 v) {
      return in_child([=] {
        const long result = tried(sys(number, v));
        return result < 0 ? result : static_cast<long>(get());
      });
    };
  };
  return {
      {"setuid", "uid", 65534, 0, as(SYS_setuid, getuid)},
      {"setgid", "gid", 65534, 0, as(SYS_setgid, getgid)},
      {"personality", "persona", ADDR_NO_RANDOMIZE, 0,
       [](u64 v) {
         return in_child([v] {
           sys(SYS_personality, v);
           return sys(SYS_personality, 0xffffffff);
         });
       }},
      {"prctl", "option", PR_GET_DUMPABLE, 9999, [](u64 v) { return sys(SYS_prctl, v, 0, 0, 0, 0); }},
      {"arch_prctl", "code", ARCH_GET_FS, 0xffff,
       [](u64 v) {
         unsigned long base = 0;
         const long result = sys(SYS_arch_prctl, v, &base);
         return result < 0 ? result : static_cast<long>(base != 0);
       }},
      {"seccomp", "operation", SECCOMP_GET_ACTION_AVAIL, 77,
       [](u64 v) {
         unsigned action = SECCOMP_RET_ERRNO;
         return tried(sys(SYS_seccomp, v, 0, &action));
       }},
      {"seccomp", "flags", 0, 1,
       [](u64 v) {
         unsigned action = SECCOMP_RET_ERRNO;
         return tried(sys(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, v, &action));
       }},
      {"bpf", "cmd", BPF_MAP_CREATE, 0x7fff,
       [](u64 v) {
         bpf_attr attr{};
         attr.map_type = BPF_MAP_TYPE_ARRAY;
         attr.key_size = attr.value_size = 4;
         attr.max_entries = 1;
         const long fd = tried(sys(SYS_bpf, v, &attr, sizeof attr));
         if (fd >= 0) close(static_cast<int>(fd));
         return std::min(fd, 0L);
       }},
      {"keyctl", "operation", KEYCTL_GET_KEYRING_ID, 0x7fff,
       [](u64 v) { return tried(sys(SYS_keyctl, v, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0)); }},
      {"landlock_create_ruleset", "flags", 1, 0, [](u64 v) { return tried(sys(444, 0, 0, v)); }},
      {"io_uring_setup", "entries", 1, 0,
       [](u64 v) {
         char parameters[120] = {};
         const long fd = tried(sys(425, v, parameters));
         if (fd >= 0) close(static_cast<int>(fd));
         return std::min(fd, 0L);
       }},
  };
}

std::vector<Trial> mounts() {
  return {
      // MS_NOUSER is 1 << 31 in an int: with its sign extended it meets, and refuses, every high bit (path_mount).
      {"mount", "mountflags", MS_NOSUID, 0,
       [](u64 v) {
         return mounted(v, [](const char* at) {
           struct statvfs st {};
           return statvfs(at, &st) == 0 ? static_cast<long>(st.f_flag & ST_NOSUID) : -errno;
         });
       }},
      {"umount2", "flags", MNT_DETACH, 0x1000,
       [](u64 v) { return mounted(0, [v](const char* at) { return sys(SYS_umount2, at, v); }); }},
  };
}

std::vector<Trial> limits() {
  return {
      {"getpriority", "which", PRIO_PROCESS, 9, [](u64 v) { return sys(SYS_getpriority, v, 0); }},
      {"getrlimit", "resource", RLIMIT_NOFILE, 99,
       [](u64 v) {
         rlimit limit{};
         return sys(SYS_getrlimit, v, &limit);
       }},
      {"prlimit64", "resource", RLIMIT_NOFILE, 99,
       [](u64 v) {
         rlimit64 limit{};
         return sys(SYS_prlimit64, 0, v, 0, &limit);
       }},
      {"clock_gettime", "clockid", CLOCK_MONOTONIC, 99,
       [](u64 v) {
         timespec time{};
         return sys(SYS_clock_gettime, v, &time);
       }},
      {"getrandom", "flags", 1, 0x100,
       [](u64 v) {
         char byte = 0;
         return sys(SYS_getrandom, &byte, 1, v);
       }},
      {"rt_sigprocmask", "sigsetsize", 8, 16,
       [](u64 v) {
         u64 set = 0;
         return sys(SYS_rt_sigprocmask, SIG_BLOCK, 0, &set, v);
       }},
      {"rt_sigprocmask", "how", SIG_BLOCK, 99,
       [](u64 v) {
         u64 set = 0;
         return sys(SYS_rt_sigprocmask, v, &set, 0, 8);
       }},
  };
}

}  // namespace

std::vector<Trial> process_trials() {
  std::vector<Trial> all = processes();
  for (auto part : {credentials(), mounts(), limits()})
    for (Trial& trial : part) all.push_back(std::move(trial));
  return all;
}

}  // namespace agp::linux::trials
