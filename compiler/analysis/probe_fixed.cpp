// The part of the suite that no rule stands behind: bounds, the environment, and the ways out of a sandbox that are
// tried whatever the policy says. What is expected of each is still the model's decision.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/analysis/probe_suite.hpp"

namespace agp::analysis {

using namespace model;

namespace {

constexpr std::uint64_t high_bit = 1ull << 32;  // beyond what the kernel reads of an `int`
constexpr std::uint64_t at_fdcwd = 0xffffff9c;  // AT_FDCWD, include/uapi/linux/fcntl.h

void add_path(Suite& suite, Verb verb, const char* kind, const std::string& path, const char* about) {
  suite.add(fmt::format("{} \"{}\"", kind, path), about, {FileAction{verb, path}},
            file_attempt(kind, path, verb == Verb::Create || verb == Verb::List ? nullptr : "file"));
}

/// Directories that the policy makes writable as a whole.
std::vector<std::string> writable_directories(const Policy& policy) {
  std::vector<std::string> out;
  for (const Rule& rule : policy.rules) {
    const auto* body = std::get_if<FileBody>(&rule.body);
    if (body == nullptr || rule.effect != Effect::Allow || rule.expired || !has(body->verbs, Verb::Create)) continue;
    for (const auto& p : body->patterns)
      if (p.pattern.shape() == PathPattern::Shape::Subtree && p.pattern.base() != "/") out.push_back(p.pattern.base());
  }
  return out;
}

void add_host_files(Suite& suite) {
  add_path(suite, Verb::Create, "create", "/agp-probe-new", "the root");
  for (const char* path : {"/etc/passwd", "/etc/shadow", "/root/.ssh/id_ed25519", "/home/agp-probe/.aws/credentials",
                           "/var/lib/agp-probe", "/dev/mem", "/sys/kernel/notes", "/sys/class/net/lo/address"})
    add_path(suite, Verb::Read, "read", path, "the host's files");
  add_path(suite, Verb::List, "list", "/sys", "the host's files");
  for (const Mount& m : suite.policy().run.mounts)
    if (m.source && *m.source != m.target)
      add_path(suite, Verb::List, "list", *m.source, "a mount's source by its host path");
  suite.add("connect unix \"/run/docker.sock\"", "the host's files",
            {UnixAction{Direction::Connect, "/run/docker.sock"}}, {"connect-unix", {{"path", "/run/docker.sock"}}});
}

/// /proc is there because runc needs it: what an own pid namespace and `subset=pid` leave is a derived grant, the rest
/// of it is tried like any other place.
void add_proc(Suite& suite) {
  add_path(suite, Verb::List, "list", "/proc", "/proc");
  for (const char* path : {"/proc/self/mountinfo", "/proc/version", "/proc/cmdline", "/proc/kcore", "/proc/keys",
                           "/proc/kallsyms", "/proc/net/tcp", "/proc/sys/kernel/random/boot_id"})
    add_path(suite, Verb::Read, "read", path, "/proc");
  for (const char* path : {"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/net/ipv4/ip_forward"})
    add_path(suite, Verb::Modify, "modify", path, "/proc");
  for (const char* path : {"/proc/bus", "/proc/irq"}) add_path(suite, Verb::List, "list", path, "/proc");
}

/// Git runs hooks outside the sandbox: they are tried in every writable directory, with or without a rule about them.
void add_hooks(Suite& suite) {
  for (const std::string& w : writable_directories(suite.policy())) {
    const std::string hook = w + "/.git/hooks/agp-probe-new", moved = w + "/agp-probe-moved";
    Attempt create = file_attempt("create", hook);
    create.parameters.emplace_back("parents", "make");
    suite.add(fmt::format("mkdir -p; create {}", hook), "a hook of git",
              {FileAction{Verb::Create, w + "/.git"}, FileAction{Verb::Create, w + "/.git/hooks"},
               FileAction{Verb::Create, hook}},
              std::move(create));
    suite.add(fmt::format("mv {0}/.git {1}; mkdir -p; create {2}", w, moved, hook),
              "a hook of git, its directory moved away",
              {FileAction{Verb::Delete, w + "/.git"}, FileAction{Verb::Create, moved},
               FileAction{Verb::Create, w + "/.git"}, FileAction{Verb::Delete, hook}, FileAction{Verb::Create, hook}},
              {"rename-create", {{"path", hook}, {"move", w + "/.git"}, {"to", moved}}});
  }
}

/// A setuid or setgid bit on a file of the agent's own, by each call that can give one.
void add_modes(Suite& suite) {
  const auto directories = writable_directories(suite.policy());
  constexpr std::uint64_t setuid = 04755, setgid = 02755;
  if (!directories.empty()) {
    const std::string path = directories.front() + "/agp-probe-mode";
    const auto with_mode = [&](const char* kind, std::uint64_t mode) {
      Attempt a = file_attempt(kind, path);
      a.parameters.emplace_back("mode", mode);
      return a;
    };
    const auto file_mode = linux::find_constant("S_IFREG").value_or(0100000);
    const auto open_flags =
        linux::find_constant("O_CREAT").value_or(0100) | linux::find_constant("O_EXCL").value_or(0200) |
        linux::find_constant("O_WRONLY").value_or(1) | linux::find_constant("O_CLOEXEC").value_or(02000000);
    const FileAction create{Verb::Create, path}, modify{Verb::Modify, path}, remove{Verb::Delete, path};
    suite.add(fmt::format("chmod {} 04755", path), "a setuid bit",
              {create, modify, remove, call_action("chmod", {0, setuid})}, with_mode("chmod", setuid));
    suite.add(fmt::format("chmod {} 02755", path), "a setgid bit",
              {create, modify, remove, call_action("chmod", {0, setgid})}, with_mode("chmod", setgid));
    suite.add(fmt::format("chmod {} 0755", path), "an ordinary mode",
              {create, modify, remove, call_action("chmod", {0, 0755})}, with_mode("chmod", 0755));
    suite.add(fmt::format("open {} O_CREAT 04755", path), "a setuid bit",
              {create, remove, call_action("openat", {at_fdcwd, 0, open_flags, setuid})}, with_mode("create", setuid));
    suite.add(fmt::format("mknod {} 04755", path), "a setuid bit",
              {create, remove, call_action("mknodat", {at_fdcwd, 0, file_mode | setuid})},
              with_mode("mknod", file_mode | setuid));
    suite.add(fmt::format("mkdir {} 02755", path), "a setgid bit", {create, remove, call_action("mkdir", {0, setgid})},
              with_mode("mkdir", setgid));
  }
  const struct {
    const char* name;
    std::vector<std::uint64_t> values;
  } calls[] = {{"chmod", {0, setuid}},
               {"fchmod", {0, setuid}},
               {"fchmodat", {at_fdcwd, 0, setuid}},
               {"open", {0, 0101, setuid}},
               {"openat", {at_fdcwd, 0, 0101, setuid}},
               {"creat", {0, setuid}},
               {"mknod", {0, setuid, 0}},
               {"mknodat", {at_fdcwd, 0, setuid}}};
  for (const auto& c : calls) suite.add_call(c.name, c.values, fmt::format("{}(mode 04755)", c.name), "a setuid bit");
  suite.add_call("chmod", {0, setuid | 0x10000}, "chmod(mode 04755 + 2^16)", "a setuid bit, above the width of a mode");
}

/// Out of the process: other protocols' sockets, namespaces, tracing, programs in the kernel, the terminal.
void add_calls(Suite& suite) {
  const auto constant = [](const char* name) { return linux::find_constant(name).value_or(0); };
  const std::uint64_t new_user = constant("CLONE_NEWUSER"), stream = constant("SOCK_STREAM"),
                      raw = constant("SOCK_RAW");
  const auto number = [](std::uint64_t v) { return fmt::format("{:#x}", v); };

  const std::uint64_t packet = constant("AF_PACKET"), vsock = constant("AF_VSOCK"), netlink = constant("AF_NETLINK");
  suite.add_call("socket", {packet, raw, 0}, "socket(AF_PACKET, SOCK_RAW, 0)", "frames that no packet filter sees");
  suite.add("packet socket", "frames that no packet filter sees",
            {call_action("socket", {packet, raw, 0}), CapabilityAction{"CAP_NET_RAW"}},
            {"call",
             {{"number", static_cast<std::uint64_t>(linux::find_syscall(suite.arch(), "socket")->number)},
              {"args", std::vector<std::string>{number(packet), number(raw), "0"}}}});
  suite.add_call("socket", {vsock, stream, 0}, "socket(AF_VSOCK, SOCK_STREAM, 0)", "the host of a virtual machine");
  suite.add_call("socket", {vsock | high_bit, stream, 0}, "socket(AF_VSOCK + 2^32, SOCK_STREAM, 0)",
                 "a bit that the kernel drops", {number(vsock | high_bit), number(stream), "0"});
  suite.add_call("socket", {vsock | high_bit, stream, 0}, "socket(AF_VSOCK + 2^32, SOCK_STREAM, 0)",
                 "a bit that the kernel drops");
  suite.add_call("socket", {netlink, raw, 0}, "socket(AF_NETLINK, SOCK_RAW, 0)", "the kernel's own interfaces");
  suite.add_call("socket", {constant("AF_INET"), raw | constant("SOCK_CLOEXEC"), 1},
                 "socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1)", "raw packets");

  suite.add("mount --make-private /", "the mount tree", {call_action("mount", {}), CapabilityAction{"CAP_SYS_ADMIN"}},
            {"call",
             {{"number", static_cast<std::uint64_t>(linux::find_syscall(suite.arch(), "mount")->number)},
              {"args", std::vector<std::string>{"0", "text:/", "0", "0x40000", "0"}}}});  // MS_PRIVATE
  const std::uint64_t seize = constant("PTRACE_SEIZE") != 0 ? constant("PTRACE_SEIZE") : 0x4206;
  suite.add_call("ptrace", {seize, 0, 0, 0}, "ptrace(PTRACE_SEIZE, another process)", "another process",
                 {number(seize), "sibling", "0", "0"});
  suite.add_call("process_vm_readv", {}, "process_vm_readv()", "another process");
  suite.add_call("unshare", {new_user}, "unshare(CLONE_NEWUSER)", "a new user namespace", {number(new_user)});
  suite.add_call("clone", {new_user | 17, 0, 0, 0, 0}, "clone(CLONE_NEWUSER | SIGCHLD)", "a new user namespace",
                 {number(new_user | 17), "0", "0", "0", "0"});
  suite.add_call("clone", {(new_user | 17) | high_bit, 0, 0, 0, 0}, "clone(CLONE_NEWUSER | SIGCHLD + 2^32)",
                 "a bit that the kernel drops");
  suite.add_call("clone3", {}, "clone3()", "flags behind a pointer");
  suite.add_call("setns", {}, "setns()", "another namespace");
  // union bpf_attr for BPF_MAP_CREATE: an array of one element, four bytes each (include/uapi/linux/bpf.h).
  suite.add_call("bpf", {0, 0, 32}, "bpf(BPF_MAP_CREATE)", "programs in the kernel",
                 {"0", "bytes:0200000004000000040000000100000000000000000000000000000000000000", "32"});
  suite.add_call("io_uring_setup", {8, 0}, "io_uring_setup(8)", "calls that no filter sees",
                 {"8", "bytes:" + std::string(240, '0')});   // struct io_uring_params, 120 bytes
  const std::uint64_t tiocsti = 0x5412, tioclinux = 0x541c;  // include/uapi/asm-generic/ioctls.h
  suite.add_call("ioctl", {0, tiocsti, 0}, "ioctl(TIOCSTI)", "typing into the terminal");
  suite.add_call("ioctl", {0, tiocsti | high_bit, 0}, "ioctl(TIOCSTI + 2^32)", "a bit that the kernel drops");
  suite.add_call("ioctl", {0, tioclinux, 0}, "ioctl(TIOCLINUX)", "typing into the terminal");
  suite.add_call("memfd_create", {}, "memfd_create()", "bytes from nowhere, to be executed");
  suite.add_call("keyctl", {}, "keyctl()", "the kernel's key rings");
  suite.add_call("init_module", {}, "init_module()", "programs in the kernel");
  suite.add_call("personality", {0x0040000}, "personality(ADDR_NO_RANDOMIZE)", "the layout of memory");
  suite.add_call("open_by_handle_at", {}, "open_by_handle_at()", "files by their number");
}

/// The same kernel's other doors: numbers of x32 (bit 30) and calls of i386 through `int 0x80`. No rule names them.
void add_other_numbers(Suite& suite) {
  const linux::Syscall* call = linux::find_syscall(linux::Arch::x86_64, "getpid");
  if (suite.arch() != linux::Arch::x86_64 || call == nullptr) return;
  suite.add_stated("filter getpid() by its x32 number", "another table of calls", "x32 getpid()",
                   {"filter", {{"number", std::uint64_t{call->number | linux::x32_bit}}}}, Expected::Denied, "seccomp",
                   "");
  suite.add_stated("getpid() by int 0x80", "another table of calls", "i386 getpid()",
                   {"call-i386", {{"number", std::uint64_t{20}}}}, Expected::Denied, "seccomp", "");
}

void add_net(Suite& suite) {
  const auto connect = [&](Protocol p, const char* address, std::uint16_t port, const char* about) {
    const auto a = parse_v4(address) ? parse_v4(address) : parse_v6(address);
    if (!a) return;
    const NetAction action{Direction::Connect, p, *a, port, {}, {}};
    suite.add(to_string(action), about, connect_actions(p, !a->is_v4(), action), connect_attempt(p, address, port));
  };
  connect(Protocol::Tcp, "169.254.169.254", 80, "the metadata service of a cloud");
  connect(Protocol::Tcp, "203.0.113.9", 443, "some host");
  connect(Protocol::Udp, "203.0.113.9", 53, "some host's resolver");
  connect(Protocol::Tcp, "2001:db8::9", 443, "some host, IPv6");
  connect(Protocol::Tcp, "127.0.0.1", 8080, "loopback");
  connect(Protocol::Tcp, "0.0.0.0", 8080, "loopback by another name");
  const NetAction listen{Direction::Listen, Protocol::Tcp, *parse_v4("0.0.0.0"), 8081, {}, {}};
  Attempt attempt = connect_attempt(Protocol::Tcp, "0.0.0.0", 8081);
  attempt.kind = "listen";
  suite.add(to_string(listen), "a door for others", connect_actions(Protocol::Tcp, false, listen), std::move(attempt));

  const std::string unlisted = "not-listed.example";
  suite.add(to_string(ResolveAction{unlisted}), "a name not listed", {ResolveAction{unlisted}},
            name_attempt("resolve", unlisted));
  suite.add("forward " + unlisted, "does the question leave the sandbox", {ResolveAction{unlisted}},
            name_attempt("forward", unlisted));
  // The agent asks the generated resolver; the real one behind it hears only that one's questions.
  for (const Address& resolver : suite.policy().resolvers) {
    const NetAction ask{Direction::Connect, Protocol::Udp, resolver, 53, {}, {}};
    Attempt past{"resolve", {{"name", unlisted}, {"type", "A"}, {"server", to_string(resolver)}}};
    suite.add(fmt::format("resolve {} at {}", unlisted, to_string(resolver)), "past the generated resolver",
              connect_actions(Protocol::Udp, !resolver.is_v4(), ask), std::move(past));
  }
}

void add_capabilities(Suite& suite) {
  for (const char* name :
       {"CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE", "CAP_SETUID"})
    if (const auto number = linux::find_capability(name))
      suite.add(fmt::format("capability {}", name), "a capability", {CapabilityAction{name}},
                {"capability", {{"number", static_cast<std::uint64_t>(*number)}}});
}

}  // namespace

void add_limits(Suite& suite) {
  const Limits& l = suite.policy().limits;
  const auto bound = [&](std::string id, const char* about, const char* name, Attempt attempt, Expected expected) {
    suite.add_stated(std::move(id), about, fmt::format("limit {}", name), std::move(attempt), expected,
                     suite.container_layer(), "limits");
  };
  if (l.memory_bytes) {
    const std::uint64_t inside = std::min(l.memory_bytes->value / 2, std::uint64_t{256} << 20);
    const std::uint64_t outside = l.memory_bytes->value + (std::uint64_t{64} << 20);
    for (const std::uint64_t bytes : {inside, outside})
      bound(fmt::format("memory {} MiB", bytes >> 20), bytes == inside ? "inside" : "more than the bound", "memory",
            {"memory", {{"bytes", bytes}, {"limit_ms", std::uint64_t{60000}}}},
            bytes == inside ? Expected::Permitted : Expected::Denied);
  }
  if (l.pids) {
    const std::uint64_t inside = l.pids->value / 2, outside = l.pids->value + 1;
    for (const std::uint64_t count : {inside, outside})
      bound(fmt::format("{} processes", count), count == inside ? "inside" : "more than the bound", "pids",
            {"pids", {{"count", count}}}, count == inside ? Expected::Permitted : Expected::Denied);
  }
  if (l.files)
    bound(fmt::format("{} open descriptors", l.files->value + 1), "more than the bound", "files",
          {"files", {{"count", l.files->value + 1}}}, Expected::Denied);
  if (l.time_ms)
    suite.add_stated(fmt::format("stay longer than {} s", l.time_ms->value / 1000), "past the wall clock's bound",
                     "limit time", {"time", {{"ms", l.time_ms->value + 5000}, {"limit_ms", l.time_ms->value + 60000}}},
                     Expected::Denied, "stack", "time");

  for (const auto& [name, value] : suite.policy().env_set)
    suite.add(fmt::format("env {}", name), "a value that is set", {EnvAction{name}}, {"env", {{"name", name}}});
  for (const char* name : {"AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "HOME"})
    suite.add(fmt::format("env {}", name), "of the starter's environment", {EnvAction{name}},
              {"env", {{"name", name}}});
}

void add_derived(Suite& suite) {
  for (const ProbeGrant& g : suite.derived()) {
    const auto open = g.grant.find('"');
    const std::string_view path =
        open == g.grant.npos ? std::string_view{} : std::string_view(g.grant).substr(open + 1);
    if (path.empty() || path.back() != '"' || path[0] != '/' || path.find('*') != path.npos) continue;
    const std::string node(path.substr(0, path.size() - 1));
    if (g.grant.starts_with("list ")) add_path(suite, Verb::List, "list", node, "needed by the stack");
    if (g.grant.starts_with("read ")) add_path(suite, Verb::Read, "read", node, "needed by the stack");
  }
  const NetAction resolver{Direction::Connect, Protocol::Tcp, *parse_v4("127.0.0.53"), 53, {}, {}};
  suite.add_if(Expected::Derived, to_string(resolver), "needed by the stack",
               connect_actions(Protocol::Tcp, false, resolver), connect_attempt(Protocol::Tcp, "127.0.0.53", 53));
}

void add_fixed(Suite& suite) {
  add_host_files(suite);
  add_proc(suite);
  add_hooks(suite);
  add_modes(suite);
  add_calls(suite);
  add_other_numbers(suite);
  add_capabilities(suite);
  add_net(suite);
}

}  // namespace agp::analysis
