#include <fmt/format.h>

#include <algorithm>

#include "backends/containers/mounts/mount_tree.hpp"
#include "backends/kubernetes/format.hpp"
#include "backends/oci/format.hpp"
#include "backends/podman/format.hpp"
#include "compiler/plan/stack.hpp"

// The commands of the stacks that start containers. In: a policy. Out: argument arrays, run one after the other by
// whoever starts the agent, as root. `prepare` ends at the first that fails; `finally` runs all of them whatever
// happened. Afterwards: nothing of the container, its network namespace or its resolver is left, and the built
// directory is as it was. Between prepare and run the deployment gives the namespace its uplink.
namespace agp::plan {
namespace {

namespace format = backends::oci::format;
using backends::containers::MountTree;
using backends::containers::TreeMount;
using Command = std::vector<std::string>;

/// There when this run made the namespace: a second start of the policy fails, and must not take away the first one's.
constexpr std::string_view owns_namespace = "owns-namespace";

std::string in_run(std::string_view name) { return fmt::format("{{run}}/{}", name); }

void append(Command& command, const std::vector<std::string>& words) {
  command.insert(command.end(), words.begin(), words.end());
}

/// A command about all of `words`, if there are any.
void about(std::vector<Command>& out, Command command, const std::vector<std::string>& words) {
  append(command, words);
  if (!words.empty()) out.push_back(std::move(command));
}

/// The empty root and the empty /dev with their mount points. That they exist, as a directory or as a file, is what
/// stops the start when a source is the other of the two: runc alone makes them to fit, and a rule on one file would
/// show a whole directory.
void make_root(const MountTree& tree, std::vector<Command>& out) {
  std::vector<std::string> directories{in_run(format::root), in_run(format::dev), in_run("state")}, own, files;
  for (const TreeMount& m : tree.mounts) {
    const TreeMount* around = m.around == backends::containers::Cause::none ? nullptr : &tree.mounts[m.around];
    if (around && around->from != TreeMount::From::Bundle) continue;  // its mount point lies in what is mounted
    const std::string point =
        around ? in_run(around->source) + m.target.substr(around->target.size()) : in_run(format::root) + m.target;
    if (m.directory) {
      (m.from == TreeMount::From::Tmpfs && m.writable ? own : directories).push_back(point);
    } else {
      files.push_back(point);
      directories.push_back(point.substr(0, point.rfind('/')));
    }
  }
  // install and not mkdir: the mode of every directory on the way does not depend on the caller's umask.
  about(out, {"install", "-d", "-m", "0755", "--"}, directories);
  // runc 1.1 gives a tmpfs the mode of the directory that it covers
  about(out, {"install", "-d", "-m", "0700", "--"}, own);
  about(out, {"touch", "--"}, files);
}

void copy_files(const MountTree& tree, std::vector<Command>& out) {
  out.push_back({"cp", "--", "{dir}/oci/config.json", in_run("config.json")});
  if (tree.resolver)
    out.push_back({"install", "-m", "0444", "--", "{dir}/dns/resolv.conf", in_run(format::resolv_conf)});
  const auto uses = [&](TreeMount::From from, bool directory) {
    return std::any_of(tree.mounts.begin(), tree.mounts.end(),
                       [&](const TreeMount& m) { return m.from == from && m.directory == directory; });
  };
  if (uses(TreeMount::From::Denied, true))
    out.push_back({"install", "-d", "-m", "0000", "--", in_run(format::denied_directory)});
  if (uses(TreeMount::From::Denied, false))
    out.push_back({"install", "-m", "0000", "--", "/dev/null", in_run(format::denied_file)});
  if (uses(TreeMount::From::Empty, false))
    out.push_back({"install", "-m", "0444", "--", "/dev/null", in_run(format::empty_file)});
}

/// Directories of the host that are mounted over themselves beneath a writable mount must exist, belong to the agent,
/// and not be a link that an earlier run left there: mount(2) would follow it out of the workspace.
void make_targets(const model::Policy& policy, const MountTree& tree, std::vector<Command>& out) {
  const model::User user = backends::containers::run_user(policy);
  for (const TreeMount& m : tree.mounts) {
    if (!m.in_writable || m.around == backends::containers::Cause::none) continue;
    const TreeMount& around = tree.mounts[m.around];
    if (around.from != TreeMount::From::Bind) continue;
    const std::string point = around.source + m.target.substr(around.target.size());  // where the mount point lies
    out.push_back({"test", "!", "-L", point});
    out.push_back(m.directory ? Command{"mkdir", "-p", "--", point} : Command{"touch", "-a", "--", point});
    if (m.pinned)
      out.push_back({"chown", "--no-dereference", "--from=0:0", fmt::format("{}:{}", user.uid, user.gid), "--", point});
  }
}

/// MPTCP and TCP fast open reach a port without the calls that the other layers look at (VERIFICATION.md, traps).
void make_network(const model::Policy& policy, const MountTree& tree, std::vector<Command>& out) {
  const std::string ns = backends::netns_name(policy);
  const auto inside = [&](Command words) {
    Command command{"ip", "netns", "exec", ns};
    append(command, words);
    out.push_back(std::move(command));
  };
  out.push_back({"ip", "netns", "add", ns});
  out.push_back({"touch", "--", in_run(owns_namespace)});
  inside({"sysctl", "-q", "-w", "net.mptcp.enabled=0", "net.ipv4.tcp_fastopen=0"});
  inside({"nft", "-f", "{dir}/nftables/egress.nft"});
  out.push_back({"ip", "-n", ns, "link", "set", "lo", "up"});
  if (tree.resolver) inside({"dnsmasq", "--conf-file={dir}/dns/dnsmasq.conf", "--pid-file={run}/dnsmasq.pid"});
}

/// The launcher and its rules, outside of what the agent can reach.
void copy_launcher(std::vector<Command>& out) {
  const std::string root = in_run(format::root);
  out.push_back({"install", "-m", "0555", "--", "{launcher}", in_run(format::launcher)});
  out.push_back({"install", "-m", "0444", "--", "{dir}/landlock/ruleset.json", in_run(format::ruleset)});
  out.push_back({"install", "-d", "-m", "0755", "--", root + model::parent_path(format::launcher_point)});
  out.push_back({"touch", "--", root + std::string(format::launcher_point), root + std::string(format::ruleset_point)});
}

/// Runs if this run made the namespace.
Command owned(const Command& words) {
  Command out{"find", in_run(owns_namespace), "-maxdepth", "0", "-exec"};
  append(out, words);
  out.emplace_back(";");
  return out;
}

/// What the container leaves behind outside of the run directory.
void end_network(const model::Policy& policy, const MountTree& tree, std::vector<Command>& out) {
  if (tree.resolver) out.push_back({"pkill", "-KILL", "-F", "{run}/dnsmasq.pid", "dnsmasq"});
  out.push_back(owned({"ip", "netns", "del", backends::netns_name(policy)}));
  out.push_back({"rm", "-rf", "--one-file-system", "--", "{run}"});
}

/// Podman with nothing of the host's configuration (podman(1), CONTAINERS_CONF), on storage of this run's own.
Command podman(std::initializer_list<std::string> words) {
  Command out{"env",
              "CONTAINERS_CONF=/dev/null",
              "podman",
              "--runtime=runc",
              "--cgroup-manager=cgroupfs",
              "--events-backend=none",
              "--storage-driver=vfs",
              "--root={run}/storage",
              "--runroot={run}/state",
              "--tmpdir={run}/tmp"};
  append(out, words);
  return out;
}

/// A rule that lets a socket be connected to says nothing about a file: one that stands there could be read.
void check_sockets(const MountTree& tree, std::vector<Command>& out) {
  for (const TreeMount& m : tree.mounts)
    if (m.socket && m.from == TreeMount::From::Bind) out.push_back({"test", "-S", m.source});
}

/// The image has no file, so that runc makes the mount points to fit their sources: that each source is what the rules
/// take it for is looked at here.
void check_sources(const MountTree& tree, std::vector<Command>& out) {
  for (const TreeMount& m : tree.mounts) {
    if (m.from != TreeMount::From::Bind || m.socket) continue;
    out.push_back(m.directory ? Command{"test", "-d", m.source} : Command{"test", "!", "-d", m.source});
  }
}

namespace engines = backends::podman::format;

/// What the arguments of `podman run` and `docker run` show beside what the rules name, in `base`, where they look for
/// it; and in the run directory, where the engine is started, the arguments and what they read there.
void engine_files(const model::Policy& policy, const MountTree& tree, const engines::Engine& engine,
                  const std::string& base, std::vector<Command>& out) {
  const auto in_base = [&](std::string_view name) { return fmt::format("{}/{}", base, name); };
  const auto of_dev = [&](std::string_view path) {
    return in_base(engines::dev) + std::string(path.substr(std::string_view("/dev").size()));
  };
  std::vector<std::string> directories{in_base(engines::dev)}, open, files;
  for (const std::string_view path : engine.denied_directories) directories.push_back(of_dev(path));
  for (const TreeMount& m : tree.mounts) {
    if (m.around == backends::containers::Cause::none || tree.mounts[m.around].target != "/dev") continue;
    const bool own = m.from == TreeMount::From::Tmpfs && m.writable;
    (own ? open : m.directory ? directories : files).push_back(of_dev(m.target));
  }
  about(out, {"install", "-d", "-m", "0755", "--"}, directories);
  // runc 1.1 gives a tmpfs the mode of the directory that it covers
  about(out, {"install", "-d", "-m", "0777", "--"}, open);
  about(out, {"touch", "--"}, files);
  out.push_back({"cp", "--", fmt::format("{{dir}}/{}", engine.artifact), in_run("run.args")});
  out.push_back({"cp", "--", fmt::format("{{dir}}/{}", format::profile_artifact), in_run(engines::profile)});
  if (tree.resolver)
    out.push_back({"install", "-m", "0444", "--", "{dir}/dns/resolv.conf", in_base(engines::resolv_conf)});
  out.push_back({"install", "-d", "-m", "0000", "--", in_base(engines::denied_directory)});
  out.push_back({"install", "-m", "0000", "--", "/dev/null", in_base(engines::denied_file)});
  out.push_back({"install", "-m", "0444", "--", "/dev/null", in_base(engines::empty_file)});
  check_sources(tree, out);
  check_sockets(tree, out);
  make_targets(policy, tree, out);
  out.push_back({"tar", "-cf", in_run("root.tar"), "--files-from=/dev/null"});
}

/// The engine with the arguments of the file that was proved: xargs reads it, or gives up, and never starts two
/// containers (xargs(1), -x, -n).
Command run_engine(const model::Policy& policy, const Command& engine) {
  Command out = in_time(policy);
  append(out, {"env", "-C", "{run}", "xargs", "-x", "-n", std::to_string(engines::most_arguments), "-s",
               std::to_string(engines::most_bytes + 20000), "-d", "\\n", "-a", "run.args"});
  append(out, engine);
  return out;
}

StackCommands podman_commands(const model::Policy& policy) {
  StackCommands out;
  const MountTree tree = backends::containers::mount_tree(policy);
  const std::string group = "agp-" + policy.name;
  out.prepare.push_back({"install", "-d", "-m", "0700", "--", "{run}"});
  engine_files(policy, tree, engines::podman, "{run}", out.prepare);
  out.prepare.push_back(
      podman({"import", "--quiet", in_run("root.tar"), fmt::format("{}{}", engines::image, engines::tag)}));
  make_network(policy, tree, out.prepare);

  // conmon stays behind when podman is killed: the pid namespace around both takes it down.
  out.run.push_back(run_engine(policy, podman({"run", "--name={id}", "--cgroup-parent=/" + group})));

  out.finally.push_back(podman({"rm", "--force", "--time=0", "{id}"}));
  // Podman gives up on the control groups of a container that was killed beside it
  out.finally.push_back({"find", "/sys/fs/cgroup", "-depth", "-type", "d", "(", "-path", "*/" + group, "-o", "-path",
                         "*/" + group + "/*", ")", "-delete"});
  end_network(policy, tree, out.finally);
  return out;
}

/// Docker's client with nothing of the caller's configuration, which names variables for every container, and the
/// daemon (docker(1), --config).
Command docker(std::initializer_list<std::string> words) {
  Command out{"docker", "--config={run}/client"};
  append(out, words);
  return out;
}

/// A container of the host's programs that has entered the stack's network namespace, for Docker to hand on: it joins
/// another container's network only, which is that of its first process.
Command docker_network(const model::Policy& policy, const model::Target& target, const std::string& image) {
  Command out = docker({"run", "--detach", "--pull=never", "--read-only", "--network=none", "--ipc=none",
                        "--cap-drop=ALL", "--cap-add=CAP_SYS_ADMIN", "--security-opt=no-new-privileges"});
  const std::string network = backends::netns_name(policy);
  append(out, {"--name=" + network, "--hostname=" + policy.run.hostname.value_or(policy.name.substr(0, 64)),
               fmt::format("--mount=type=bind,src=/run/netns/{},dst=/network,readonly", network),
               "--mount=type=bind,src={run}/entered,dst=/entered"});
  std::vector<std::string> programs{"/usr", "/lib"};
  if (target.archs.front() == "x86_64") programs.emplace_back("/lib64");
  for (const std::string& path : programs)
    out.push_back(fmt::format("--mount=type=bind,src={0},dst={0},readonly", path));
  append(out, {image, "/usr/bin/nsenter", "--net=/network", "/usr/bin/tail", "-f", "/entered"});
  return out;
}

StackCommands docker_commands(const model::Policy& policy, const model::Target& target) {
  StackCommands out;
  const MountTree tree = backends::containers::mount_tree(policy);
  const std::string base = engines::host_directory(policy.name), image = std::string(engines::image) + policy.name;
  out.prepare.push_back({"install", "-d", "-m", "0700", "--", "{run}"});
  make_network(policy, tree, out.prepare);  // first: at it a second start fails, before it takes what is the first's
  engine_files(policy, tree, engines::docker, base, out.prepare);
  out.prepare.push_back(docker({"import", in_run("root.tar"), image}));
  // who opens a pipe to write waits for its reader (fifo(7)), who has entered the namespace by then
  out.prepare.push_back({"mkfifo", "--", in_run("entered")});
  out.prepare.push_back(docker_network(policy, target, image));
  out.prepare.push_back({"timeout", "60", "dd", "status=none", "if=/dev/null", "of={run}/entered"});

  // the daemon's container goes on when the client is killed: it is ended by `finally`
  out.run.push_back(run_engine(policy, docker({"run", "--name={id}"})));

  out.finally.push_back(docker({"rm", "--force", "{id}"}));
  out.finally.push_back(owned(docker({"rm", "--force", backends::netns_name(policy)})));
  out.finally.push_back(owned(docker({"rmi", "--force", image})));
  out.finally.push_back(owned({"rm", "-rf", "--one-file-system", "--", base}));
  end_network(policy, tree, out.finally);
  return out;
}

/// One node that is its own control plane, or each node: what the pod shows of the node has to be there before the pod
/// is. The policy is created before the pod; a plugin that needs time to enforce it is A12.
StackCommands kubernetes_commands(const model::Policy& policy) {
  namespace own = backends::kubernetes::format;
  StackCommands out;
  MountTree tree = backends::containers::mount_tree(policy);
  const std::string node = own::host_directory(policy.name), space = own::name_space(policy.name);
  const std::string profile = fmt::format("{}/{}", own::profiles, own::profile(policy.name));
  const auto of_dev = [&](std::string_view path) {
    return fmt::format("{}/{}{}", node, own::dev, path.substr(std::string_view("/dev").size()));
  };
  out.prepare.push_back({"install", "-d", "-m", "0700", "--", "{run}"});
  // the namespace is this policy's alone: no other policy selects the pod, and a second start fails here
  out.prepare.push_back({"kubectl", "create", "namespace", space});
  out.prepare.push_back({"touch", "--", in_run(owns_namespace)});
  Command make{"install", "-d", "-m", "0755", "--"}, touch{"touch", "--"};
  append(make, {fmt::format("{}/{}/fs/cgroup", node, own::sys), of_dev(own::shared_memory)});
  append(touch, {of_dev(own::termination_log)});
  for (const TreeMount& m : tree.mounts) {
    if (m.around == backends::containers::Cause::none || tree.mounts[m.around].target != "/dev") continue;
    (m.directory ? make : touch).push_back(of_dev(m.target));
  }
  out.prepare.push_back(std::move(make));
  out.prepare.push_back(std::move(touch));
  const auto in_node = [&](std::string_view name) { return fmt::format("{}/{}", node, name); };
  out.prepare.push_back({"install", "-d", "-m", "0000", "--", in_node(own::denied_directory)});
  out.prepare.push_back({"install", "-m", "0000", "--", "/dev/null", in_node(own::denied_file)});
  out.prepare.push_back({"install", "-m", "0444", "--", "/dev/null", in_node(own::empty_file)});
  out.prepare.push_back(
      {"install", "-D", "-m", "0444", "--", fmt::format("{{dir}}/{}", format::profile_artifact), profile});
  check_sources(tree, out.prepare);
  check_sockets(tree, out.prepare);
  make_targets(policy, tree, out.prepare);
  out.prepare.push_back({"tar", "-cf", in_run("root.tar"), "--files-from=/dev/null"});
  out.prepare.push_back(podman({"import", "--quiet", in_run("root.tar"), std::string(own::image)}));
  out.prepare.push_back(podman(
      {"save", "--quiet", "--format=docker-archive", "--output=" + in_run("image.tar"), std::string(own::image)}));
  out.prepare.push_back({"ctr", "--namespace", "k8s.io", "images", "import", in_run("image.tar")});
  out.prepare.push_back({"kubectl", "create", "-f", fmt::format("{{dir}}/{}", own::network_policy)});

  out.run.push_back({"kubectl", "create", "-f", fmt::format("{{dir}}/{}", own::pod)});
  out.run.push_back({"kubectl", "wait", "--namespace", space,
                     "--for=jsonpath=.status.containerStatuses[0].state.terminated",
                     policy.limits.time_ms ? fmt::format("--timeout={}s", policy.limits.time_ms->value / 1000 + 60)
                                           : std::string("--timeout=-1s"),
                     "pod/" + policy.name});
  out.run.push_back({"kubectl", "logs", "--namespace", space, "pod/" + policy.name});

  out.finally.push_back(owned({"kubectl", "delete", "namespace", space}));
  out.finally.push_back(owned({"rm", "-rf", "--one-file-system", "--", node, profile}));
  out.finally.push_back({"rm", "-rf", "--one-file-system", "--", "{run}"});
  return out;
}

}  // namespace

StackCommands stack_commands(const model::Policy& policy, const model::Target& target) {
  StackCommands out;
  if (target.stack == "podman") return podman_commands(policy);
  if (target.stack == "docker") return docker_commands(policy, target);
  if (target.stack == "kubernetes") return kubernetes_commands(policy);
  if (target.stack == "launcher") return launcher_commands(policy, target);
  if (target.stack != "oci" && target.stack != "oci+landlock") return out;
  const MountTree tree = backends::containers::mount_tree(policy);
  out.prepare.push_back({"install", "-d", "-m", "0700", "--", "{run}"});
  make_root(tree, out.prepare);
  copy_files(tree, out.prepare);
  check_sockets(tree, out.prepare);
  if (target.stack == "oci+landlock") copy_launcher(out.prepare);
  make_targets(policy, tree, out.prepare);
  make_network(policy, tree, out.prepare);

  // KILL on runc alone leaves the container running: the namespace around it takes it down.
  Command run = in_time(policy);
  append(run, {"runc", "--root", in_run("state"), "run", "--bundle", "{run}", "{id}"});
  out.run.push_back(std::move(run));

  out.finally.push_back({"runc", "--root", in_run("state"), "delete", "--force", "{id}"});
  end_network(policy, tree, out.finally);
  return out;
}

}  // namespace agp::plan
