#include "compiler/linux/capability_calls.hpp"

#include <algorithm>
#include <iterator>

// One row a capability. A call that is missing here would make agp call a useful capability idle, so what is doubtful
// is listed: socket reaches netlink, and ioctl most drivers.
namespace agp::linux {
namespace {

using Calls = std::span<const std::string_view>;
constexpr std::string_view bind_[] = {"bind"};
constexpr std::string_view raw[] = {"socket", "setsockopt", "bind"};
constexpr std::string_view net_admin[] = {"socket", "setsockopt", "ioctl", "bpf"};
constexpr std::string_view trace[] = {
    "ptrace",          "process_vm_readv", "process_vm_writev", "kcmp",   "pidfd_getfd",
    "perf_event_open", "get_robust_list",  "process_madvise",   "openat", "open"};
constexpr std::string_view modules[] = {"init_module", "finit_module", "delete_module"};
constexpr std::string_view root[] = {"chroot", "setns"};
constexpr std::string_view clocks[] = {"settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "ioctl"};
constexpr std::string_view boot[] = {"reboot", "kexec_load", "kexec_file_load"};
constexpr std::string_view owners[] = {"chown", "lchown", "fchown", "fchownat"};
constexpr std::string_view nodes[] = {"mknod", "mknodat"};
constexpr std::string_view signals[] = {
    "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "ioctl", "fcntl"};
constexpr std::string_view uids[] = {"setuid",  "setreuid", "setresuid", "setfsuid", "clone",    "clone3",
                                     "unshare", "openat",   "open",      "sendmsg",  "sendmmsg", "setns"};
constexpr std::string_view gids[] = {"setgid",  "setregid", "setresgid", "setfsgid", "setgroups", "openat",   "open",
                                     "sendmsg", "sendmmsg", "chown",     "fchown",   "lchown",    "fchownat", "setns"};
constexpr std::string_view locks[] = {"mlock",  "mlock2", "mlockall",        "mmap",           "shmctl",
                                      "shmget", "bpf",    "perf_event_open", "io_uring_setup", "io_uring_register"};
constexpr std::string_view nice_[] = {
    "setpriority",       "nice",       "sched_setscheduler", "sched_setparam", "sched_setattr",
    "sched_setaffinity", "ioprio_set", "migrate_pages",      "move_pages",     "mbind"};
constexpr std::string_view account[] = {"acct"};
constexpr std::string_view ports[] = {"iopl", "ioperm", "open", "openat", "ioctl"};
constexpr std::string_view log[] = {"syslog", "open", "openat"};
constexpr std::string_view wake[] = {"timer_create", "timerfd_create", "epoll_ctl", "timerfd_settime", "ioctl"};
constexpr std::string_view programs[] = {"bpf"};
constexpr std::string_view events[] = {"perf_event_open", "bpf"};
constexpr std::string_view lease[] = {"fcntl"};
constexpr std::string_view terminals[] = {"vhangup", "ioctl"};

struct Row {
  std::string_view capability;
  Calls calls;
};
constexpr Row rows[] = {
    {"CAP_BPF", programs},        {"CAP_CHOWN", owners},      {"CAP_IPC_LOCK", locks},
    {"CAP_KILL", signals},        {"CAP_LEASE", lease},       {"CAP_MKNOD", nodes},
    {"CAP_NET_ADMIN", net_admin}, {"CAP_NET_RAW", raw},       {"CAP_NET_BIND_SERVICE", bind_},
    {"CAP_PERFMON", events},      {"CAP_SETGID", gids},       {"CAP_SETUID", uids},
    {"CAP_SYS_BOOT", boot},       {"CAP_SYS_CHROOT", root},   {"CAP_SYS_MODULE", modules},
    {"CAP_SYS_NICE", nice_},      {"CAP_SYS_PACCT", account}, {"CAP_SYS_PTRACE", trace},
    {"CAP_SYS_RAWIO", ports},     {"CAP_SYS_TIME", clocks},   {"CAP_SYS_TTY_CONFIG", terminals},
    {"CAP_SYSLOG", log},          {"CAP_WAKE_ALARM", wake},
};

}  // namespace

std::span<const std::string_view> capability_calls(std::string_view capability) {
  const auto row =
      std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return r.capability == capability; });
  return row == std::end(rows) ? Calls{} : row->calls;
}

}  // namespace agp::linux
