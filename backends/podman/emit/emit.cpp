#include "backends/podman/emit/emit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "backends/containers/mounts/mount_tree.hpp"
#include "backends/podman/format.hpp"

// In: a policy. Out: the words behind `podman run` or `docker run`, one a line. Afterwards: the file decides alone what
// the container is; what the runtime would add by itself is covered, or a derived grant.
namespace agp::backends::podman {
namespace {

using containers::Cause;
using containers::MountTree;
using containers::TreeMount;
using format::Engine;

class Writer {
 public:
  Writer(const model::Policy& policy, Engine engine)
      : policy_(policy), engine_(engine), tree_(tree_of(policy, engine)) {}

  Emitted run() {
    if (policy_.run.command.empty())
      problem("a container needs a command to start",
              "run { command \"/usr/bin/python3.11\", \"-I\", \"/task/main.py\" }");
    // podman-run(1): --pull, --read-only, --network, --ipc, --cgroupns
    add("--pull=never");
    add("--read-only");
    if (docker()) {
      add(fmt::format("--network={}{}", format::other_container, netns_name(policy_)));
    } else {
      add("--read-only-tmpfs=false");
      add(fmt::format("--network=ns:{}{}", format::namespaces, netns_name(policy_)));
    }
    add("--ipc=none");
    add("--cgroupns=private");
    process();
    limits();
    for (const auto& [name, value] : policy_.env_set) add(fmt::format("--env={}={}", name, value));
    mounts();
    covers();
    add(std::string(format::image));
    for (const std::string& word : policy_.run.command) add(word);
    return finish();
  }

 private:
  bool docker() const { return engine_ == Engine::Docker; }
  void problem(std::string message, std::string help = "") {
    out_.problems.push_back({std::move(message), std::nullopt, std::move(help)});
  }
  void add(std::string word) {
    if (word.find_first_of(std::string("\n\0", 2)) != std::string::npos)
      problem("an argument with a line end or a zero byte can't stand in a file that has one a line");
    words_.push_back(std::move(word));
  }

  void process() {
    const model::User user = agent_user(policy_);
    add(fmt::format("--user={}:{}", user.uid, user.gid));
    add("--workdir=" + policy_.run.workdir.value_or("/"));
    if (!docker())  // refused beside another container's network, whose name it has (the stack's `prepare`)
      add("--hostname=" + policy_.run.hostname.value_or(policy_.name.substr(0, 64)));
    add("--cap-drop=ALL");
    std::set<std::string> given;
    for (const model::Rule& rule : policy_.rules) {
      const auto* body = std::get_if<model::CapabilityBody>(&rule.body);
      for (std::size_t i = 0; body && i < body->names.size(); ++i)
        if (model::decide(policy_, model::CapabilityAction{body->names[i].pattern}).decision == model::Decision::Allow)
          given.insert(body->names[i].pattern);
      if (body && !rule.expired) map(rule, "--cap-add");
    }
    for (const std::string& name : given) add("--cap-add=" + name);
    add("--security-opt=no-new-privileges");
    add(fmt::format("--security-opt=seccomp={}", format::profile));
  }

  void limits() {
    const model::Limits& l = policy_.limits;
    const auto zero = [&](const char* name, const auto& bound) {
      if (bound && bound->value == 0) problem(fmt::format("`limit {} 0` would be no limit", name));
    };
    zero("cpu", l.cpu_milli), zero("memory", l.memory_bytes), zero("pids", l.pids);
    add("--ulimit=core=0:0");
    add(fmt::format("--ulimit=nproc={0}:{0}", std::max<std::uint64_t>(format::processes, l.pids ? l.pids->value : 0)));
    if (l.files) add(fmt::format("--ulimit=nofile={0}:{0}", l.files->value));
    // memory and swap together, as in the OCI configuration
    if (l.memory_bytes) {
      add(fmt::format("--memory={}b", l.memory_bytes->value));
      add(fmt::format("--memory-swap={}b", l.memory_bytes->value));
    }
    if (l.cpu_milli) {  // a quota below 1 ms is refused (kernel/sched/core.c, min_cfs_quota_period)
      const std::uint64_t period = l.cpu_milli->value < 10 ? 1000000 : 100000;
      add(fmt::format("--cpu-period={}", period));
      add(fmt::format("--cpu-quota={}", l.cpu_milli->value * (period / 1000)));
    }
    // without the option Podman sets 2048; -1 is none
    add(l.pids ? fmt::format("--pids-limit={}", l.pids->value) : "--pids-limit=-1");
  }

  /// The value of --mount is one record of CSV; Podman trims nothing, Docker does.
  void check_path(const std::string& path) {
    if (path.find_first_of(",\"\r\n") != std::string::npos || path.front() == ' ' || path.back() == ' ' ||
        path.find(':') != std::string::npos)
      problem(fmt::format("`{}` can't be the path of a mount: the option separates by commas and colons", path),
              "rename it");
  }

  /// A file that `prepare` makes: in the directory that Podman is started in, where Docker wants an absolute path.
  std::string of_stack(std::string_view name) const {
    return fmt::format("{}/{}", docker() ? format::node_directory(policy_.name) : ".", name);
  }
  std::string source(const TreeMount& m) const {
    switch (m.from) {
      case TreeMount::From::Denied:
        return of_stack(m.directory ? format::denied_directory : format::denied_file);
      case TreeMount::From::Empty:
        return of_stack(format::empty_file);
      case TreeMount::From::Bundle:
        return of_stack(m.source);
      default:
        return m.source;
    }
  }
  void bind(const std::string& from, const std::string& to, bool writable, bool device, bool exec) {
    check_path(from), check_path(to);
    std::string word =
        fmt::format("--mount=type=bind,src={},dst={},bind-nonrecursive{}", from, to, writable ? "" : ",readonly");
    if (!docker()) word += fmt::format(",nosuid{}{}", device ? "" : ",nodev", exec ? "" : ",noexec");
    add(std::move(word));
  }

  void mounts() {
    for (const TreeMount& m : tree_.mounts) {
      if (m.from == TreeMount::From::Proc) continue;  // the runtime's own
      const std::size_t line = words_.size() + 1;
      if (m.from == TreeMount::From::Tmpfs) {
        check_path(m.target);
        // --tmpfs knows no owner: whoever is in the container may write, and that is the agent alone
        const std::string size = !m.writable ? ",size=4096" : m.size ? fmt::format(",size={}", *m.size) : "";
        // without a word Podman takes `exec` and Docker `noexec`
        add(fmt::format("--tmpfs={}:{},nosuid,nodev{}{},mode={}", m.target, m.writable ? "rw" : "ro",
                        m.exec ? docker() ? ",exec" : "" : ",noexec", size, m.writable ? "0777" : "0755"));
        if (m.size == 0u) problem("a file system of size 0 would have no limit: the kernel takes 0 for absent");
      } else {
        const bool device = m.from == TreeMount::From::Device;
        bind(source(m), m.target, m.writable || device, device, m.exec);
      }
      for (const auto* causes : {&m.grants, &m.causes})
        for (const Cause& c : *causes)
          if (c.rule != Cause::none) map(policy_.rules[c.rule], fmt::format("line {}", line));
    }
  }

  const TreeMount* mount_over(std::string_view path) const {
    const std::size_t i = containers::governing(tree_, path);
    return i == Cause::none ? nullptr : &tree_.mounts[i];
  }
  bool has_mount(std::string_view path) const {
    return std::any_of(tree_.mounts.begin(), tree_.mounts.end(), [&](const TreeMount& m) { return m.target == path; });
  }

  void covers() {
    for (const std::string_view path : format::directories_of(engine_)) {
      if (has_mount(path)) continue;
      if (mount_over(path)) {
        problem(fmt::format("{} mounts a file system of its own at {}, in what the policy shows there",
                            format::title(engine_), path),
                "name the directories that are needed");
        continue;
      }
      add(fmt::format("--tmpfs={}:ro,nosuid,nodev,noexec,size=4096,mode=0555", path));
    }
    for (const std::string_view path : format::denied_directories) {
      if (docker()) continue;  // what stands at /dev leaves them out
      for (const TreeMount& m : tree_.mounts)
        if (m.target == path || model::is_beneath(m.target, path))
          problem(fmt::format("{} is Podman's own, and nothing of the policy's can be there", path));
      bind(of_stack(format::denied_directory), std::string(path), false, false, false);
    }
    for (const std::string_view path : format::files_of(engine_)) cover_file(std::string(path));
  }

  /// Where a directory of the host's shows a file that the runtime would replace, the host's file is mounted over it.
  void cover_file(const std::string& path) {
    if (has_mount(path)) return;
    const TreeMount* around = mount_over(path);
    if (!around) return bind(of_stack(format::denied_file), path, false, false, false);
    if (around->from == TreeMount::From::Bind && !around->writable && path != "/run/.containerenv")
      return bind(around->source + path.substr(around->target.size()), path, false, false, around->exec);
    if (around->masked) return;
    problem(fmt::format("{} makes {} of its own, in what the policy shows there", format::title(engine_), path),
            "name the directories that are needed");
  }

  void map(const model::Rule& rule, std::string place) {
    out_.map.push_back({rule.id, std::string(format::artifact(engine_)), std::move(place)});
  }

  Emitted finish() {
    std::string bytes;
    for (const std::string& word : words_) bytes += word + "\n";
    if (words_.size() > format::most_arguments || bytes.size() > format::most_bytes)
      problem(fmt::format("the policy takes {} arguments of {} bytes, and {} of {} are the most", words_.size(),
                          bytes.size(), format::most_arguments, format::most_bytes),
              "name directories instead of files");
    if (out_.problems.empty())
      out_.artifacts.push_back({std::string(format::artifact(engine_)), std::move(bytes)});
    else
      out_.map.clear();
    return std::move(out_);
  }

  const model::Policy& policy_;
  const Engine engine_;
  const MountTree tree_;
  std::vector<std::string> words_;
  Emitted out_;
};

}  // namespace

MountTree tree_of(const model::Policy& policy, Engine engine) {
  MountTree tree = containers::mount_tree(policy);
  for (TreeMount& m : tree.mounts)
    if (engine == Engine::Docker && (m.from == TreeMount::From::Bind || m.from == TreeMount::From::Empty))
      m.exec = true;
  return tree;
}

Emitted emit(const model::Policy& policy, Engine engine) { return Writer(policy, engine).run(); }

}  // namespace agp::backends::podman
