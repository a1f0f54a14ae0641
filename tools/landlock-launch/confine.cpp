#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "compiler/linux/landlock.hpp"
#include "tools/landlock-launch/launch.hpp"

namespace agp::launch {
namespace {

namespace ll = linux::landlock;

// include/uapi/linux/landlock.h and asm-generic/unistd.h: Debian 12's headers stop before the later members.
constexpr long sys_create_ruleset = 444, sys_add_rule = 445, sys_restrict_self = 446;
// landlock_restrict_self(2), from ABI 7 (Linux 6.15) on: the kernel's log has what is refused behind an execve too.
// What is launched is always behind one, and without this its refusals leave no line for `agp logs`.
constexpr int logging_abi = 7;
constexpr unsigned long log_new_exec_on = 1u << 1;
constexpr unsigned create_ruleset_version = 1;
constexpr int rule_path_beneath = 1, rule_net_port = 2;
struct ruleset_attr {
  std::uint64_t handled_access_fs, handled_access_net, scoped;
};
struct path_beneath_attr {
  std::uint64_t allowed_access;
  std::int32_t parent_fd;
} __attribute__((packed));
struct net_port_attr {
  std::uint64_t allowed_access, port;
};

int kernel_abi() {
  const long abi = ::syscall(sys_create_ruleset, nullptr, 0, create_ruleset_version);
  if (abi < 1) die(unsupported, "this kernel has no Landlock, or it is switched off", errno);
  return static_cast<int>(abi);
}

int open_path(const Ruleset& ruleset, const Rule& rule) {
  const int fd = ::open(rule.path.c_str(), O_PATH | O_CLOEXEC | (rule.directory ? O_DIRECTORY : 0));
  if (fd < 0) die(refused, ruleset.file + ": " + rule.path, errno);
  struct stat status {};
  if (::fstat(fd, &status) != 0) die(failed, "fstat", errno);
  if (!rule.directory && S_ISDIR(status.st_mode))
    die(refused, ruleset.file + ": " + rule.path +
                     " is a directory: with a final slash the rule covers it and everything beneath it");
  return fd;
}

/// The kernel takes an attribute that ends early for zeros in the rest, and one that is longer than it knows only if
/// the rest is zero (copy_struct_from_user): older kernels get what they know.
int create(const Ruleset& r) {
  const ruleset_attr attr{r.handled_fs, r.handled_net, r.scoped};
  const std::size_t size = r.scoped != 0 ? sizeof attr : r.handled_net != 0 ? 16 : 8;
  const long fd = ::syscall(sys_create_ruleset, &attr, size, 0);
  if (fd < 0) die(failed, r.file + ": landlock_create_ruleset", errno);
  for (const Rule& rule : r.rules) {
    const path_beneath_attr beneath{rule.rights, open_path(r, rule)};
    if (::syscall(sys_add_rule, fd, rule_path_beneath, &beneath, 0) != 0)
      die(refused, r.file + ": the kernel does not take the rule on " + rule.path, errno);
    ::close(beneath.parent_fd);
  }
  for (const auto& [port, rights] : r.ports) {
    const net_port_attr at{rights, port};
    if (::syscall(sys_add_rule, fd, rule_net_port, &at, 0) != 0)
      die(refused, r.file + ": the kernel does not take the rule on port " + std::to_string(port), errno);
  }
  return static_cast<int>(fd);
}

/// Sockets belong to the cgroup that they are made in: this comes before the command has any.
void join(const std::string& directory) {
  const std::string file = directory + "/cgroup.procs";
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, "0", 1) != 1) die(failed, file, errno);
  ::close(fd);
}

void set_limits(const Arguments& arguments) {
  static constexpr std::pair<const char*, int> names[] = {
      {"core", RLIMIT_CORE},       {"cpu", RLIMIT_CPU},       {"data", RLIMIT_DATA},   {"fsize", RLIMIT_FSIZE},
      {"memlock", RLIMIT_MEMLOCK}, {"nofile", RLIMIT_NOFILE}, {"nproc", RLIMIT_NPROC}, {"stack", RLIMIT_STACK}};
  for (const auto& [name, value] : arguments.limits) {
    const auto at =
        std::find_if(std::begin(names), std::end(names), [&, n = name](const auto& p) { return n == p.first; });
    if (at == std::end(names)) die(usage, "--rlimit: no limit is called `" + name + "`");
    const rlimit limit{value, value};
    if (::setrlimit(static_cast<__rlimit_resource_t>(at->second), &limit) != 0) die(failed, "setrlimit " + name, errno);
  }
}

/// Descriptors above 2 are closed by execve.
void close_descriptors() {
  if (::syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0) return;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) die(failed, "getrlimit", errno);
  // a descriptor above a limit that was lowered later stays open; 2^20 is the kernel's own bound (fs.nr_open)
  const rlim_t most = std::min<rlim_t>(std::max<rlim_t>(limit.rlim_max, 65536), 1u << 20);
  for (int fd = 3; static_cast<rlim_t>(fd) < most; ++fd)
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 && errno != EBADF) die(failed, "fcntl", errno);
}

/// linux/capability.h, in order of their numbers.
constexpr const char* capability_names[] = {"CAP_CHOWN",
                                            "CAP_DAC_OVERRIDE",
                                            "CAP_DAC_READ_SEARCH",
                                            "CAP_FOWNER",
                                            "CAP_FSETID",
                                            "CAP_KILL",
                                            "CAP_SETGID",
                                            "CAP_SETUID",
                                            "CAP_SETPCAP",
                                            "CAP_LINUX_IMMUTABLE",
                                            "CAP_NET_BIND_SERVICE",
                                            "CAP_NET_BROADCAST",
                                            "CAP_NET_ADMIN",
                                            "CAP_NET_RAW",
                                            "CAP_IPC_LOCK",
                                            "CAP_IPC_OWNER",
                                            "CAP_SYS_MODULE",
                                            "CAP_SYS_RAWIO",
                                            "CAP_SYS_CHROOT",
                                            "CAP_SYS_PTRACE",
                                            "CAP_SYS_PACCT",
                                            "CAP_SYS_ADMIN",
                                            "CAP_SYS_BOOT",
                                            "CAP_SYS_NICE",
                                            "CAP_SYS_RESOURCE",
                                            "CAP_SYS_TIME",
                                            "CAP_SYS_TTY_CONFIG",
                                            "CAP_MKNOD",
                                            "CAP_LEASE",
                                            "CAP_AUDIT_WRITE",
                                            "CAP_AUDIT_CONTROL",
                                            "CAP_SETFCAP",
                                            "CAP_MAC_OVERRIDE",
                                            "CAP_MAC_ADMIN",
                                            "CAP_SYSLOG",
                                            "CAP_WAKE_ALARM",
                                            "CAP_BLOCK_SUSPEND",
                                            "CAP_AUDIT_READ",
                                            "CAP_PERFMON",
                                            "CAP_BPF",
                                            "CAP_CHECKPOINT_RESTORE"};

struct Sets {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
};

std::uint64_t kept_capabilities(const Arguments& arguments) {
  std::uint64_t out = 0;
  for (const std::string& name : arguments.capabilities) {
    const auto at = std::find(std::begin(capability_names), std::end(capability_names), name);
    if (at == std::end(capability_names)) die(usage, "no capability is called `" + name + "`");
    out |= std::uint64_t{1} << (at - std::begin(capability_names));
  }
  return out;
}

bool has_capabilities() {
  Sets now;
  if (::syscall(SYS_capget, &now.header, now.data) != 0) die(failed, "capget", errno);
  return (now.data[0].permitted | now.data[1].permitted) != 0;
}

void drop_bounding(std::uint64_t keep) {
  for (unsigned long c = 0; c < 64; ++c) {
    const int there = ::prctl(PR_CAPBSET_READ, c, 0, 0, 0);
    if (there < 0) return;  // the kernel has no such capability, nor a later one
    if (there == 1 && (keep >> c & 1) == 0 && ::prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0)
      die(failed, "giving up a capability", errno);
  }
}

void become(const std::pair<std::uint32_t, std::uint32_t>& user) {
  const auto [uid, gid] = user;
  if (::setgroups(0, nullptr) != 0) {
    // without privileges nothing can be given up: right only if there is nothing
    gid_t groups[64];
    const int count = ::getgroups(64, groups);
    if (errno != EPERM || count < 0 || std::any_of(groups, groups + count, [g = gid](gid_t x) { return x != g; }))
      die(failed, "giving up supplementary groups", errno);
  }
  if (::setresgid(gid, gid, gid) != 0) die(failed, "setresgid", errno);
  if (::setresuid(uid, uid, uid) != 0) die(failed, "setresuid", errno);
}

/// User and capabilities. Capabilities that stay are ambient, so that execve keeps them for any user.
void drop_privileges(const Arguments& arguments) {
  const std::uint64_t keep = kept_capabilities(arguments);
  const bool privileged = has_capabilities();
  if (privileged) drop_bounding(keep);
  if (keep != 0 && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) die(failed, "keeping capabilities", errno);
  if (arguments.user) become(*arguments.user);
  if (!privileged && keep == 0) return;
  Sets sets;
  for (unsigned i = 0; i < 2; ++i) {
    const auto word = static_cast<std::uint32_t>(keep >> (32 * i));
    sets.data[i].effective = sets.data[i].permitted = sets.data[i].inheritable = word;
  }
  if (::syscall(SYS_capset, &sets.header, sets.data) != 0) die(failed, "setting capabilities", errno);
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (unsigned long c = 0; c < 64; ++c)
    if ((keep >> c & 1) != 0 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) != 0)
      die(failed, "keeping a capability", errno);
}

void load_filter(const std::string& bytes) {
  sock_filter code[4096];
  std::memcpy(code, bytes.data(), bytes.size());
  const sock_fprog program{static_cast<unsigned short>(bytes.size() / sizeof(sock_filter)), code};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    die(failed, "the kernel does not take the system-call filter", errno);
}

}  // namespace

void confine(const Arguments& arguments, const std::vector<Ruleset>& rulesets, const std::string& filter) {
  const int abi = kernel_abi();
  std::vector<int> layers;
  for (const Ruleset& r : rulesets) {
    if (r.needs_abi > abi)
      die(unsupported, r.file + ": needs Landlock ABI " + std::to_string(r.needs_abi) + ", and this kernel has " +
                           std::to_string(abi));
    layers.push_back(create(r));
  }
  if (arguments.cgroup) join(*arguments.cgroup);
  set_limits(arguments);
  close_descriptors();
  drop_privileges(arguments);
  if (arguments.directory && ::chdir(arguments.directory->c_str()) != 0) die(failed, *arguments.directory, errno);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die(failed, "no_new_privs", errno);
  for (const int layer : layers)
    if (::syscall(sys_restrict_self, layer, abi >= logging_abi ? log_new_exec_on : 0) != 0)
      die(failed, "landlock_restrict_self", errno);
  if (!filter.empty()) load_filter(filter);
}

}  // namespace agp::launch
