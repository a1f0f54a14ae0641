#include "backends/podman/emit/emit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

// In: a policy. Out: the words behind `podman run` or `docker run`, one a line. Afterwards: the file decides alone what
// the container is; what the engine would add by itself is covered, or a derived grant.
namespace agp::backends::podman {
namespace {

using containers::Cause;
using containers::MountTree;
using containers::TreeMount;

/// How an engine is told what the engines are told in different words (docs/decisions/0018).
struct Dialect {
  std::string network;         ///< the stack's
  std::string own;             ///< the directory of what `prepare` makes, before a slash
  std::string tag;             ///< of the image
  std::string_view exec;       ///< of a tmpfs from which programs may be started
  bool scratch;                ///< `--read-only` alone leaves writable directories
  bool hostname;               ///< taken beside the network; else the other container's name is this one's
  bool flags;                  ///< a bind mount has nosuid, nodev and noexec
  std::uint64_t least_memory;  ///< with which a container is started
};
Dialect dialect(const format::Engine& engine, const std::string& policy) {
  if (&engine == &format::docker)
    return {.network = std::string(format::joined_container) + policy,
            .own = format::host_directory(policy),
            .tag = policy,
            .exec = ",exec",
            .scratch = false,
            .hostname = false,
            .flags = false,
            .least_memory = 6 << 20};
  return {.network = std::string(format::joined_path) + policy,
          .own = ".",
          .tag = std::string(format::tag),
          .exec = "",
          .scratch = true,
          .hostname = true,
          .flags = true,
          .least_memory = 0};
}

class Writer {
 public:
  Writer(const model::Policy& policy, const format::Engine& engine)
      : policy_(policy), engine_(engine), says_(dialect(engine, policy.name)), tree_(mount_tree(policy, engine)) {}

  Emitted run() {
    if (policy_.run.command.empty())
      problem("a container needs a command to start",
              "run { command \"/usr/bin/python3.11\", \"-I\", \"/task/main.py\" }");
    // podman-run(1), docker-run(1): --pull, --read-only, --network, --ipc, --cgroupns
    add("--pull=never");
    add("--read-only");
    if (says_.scratch) add("--read-only-tmpfs=false");
    add("--network=" + says_.network);
    add("--ipc=none");
    add("--cgroupns=private");
    process();
    limits();
    for (const auto& [name, value] : policy_.env_set) add(fmt::format("--env={}={}", name, value));
    mounts();
    covers();
    if (says_.tag.size() > format::longest_tag)
      problem(fmt::format("the policy's name is the tag of {}'s image, which has {} characters at most", engine_.title,
                          format::longest_tag));
    add(std::string(format::image) + says_.tag);
    for (const std::string& word : policy_.run.command) add(word);
    return finish();
  }

 private:
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
    if (says_.hostname) add("--hostname=" + policy_.run.hostname.value_or(policy_.name.substr(0, 64)));
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
    if (!says_.flags && given.contains("CAP_MKNOD"))
      problem(fmt::format("a bind mount of {}'s has no `nodev`, and `CAP_MKNOD` makes devices in it", engine_.title));
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
      if (l.memory_bytes->value < says_.least_memory)
        problem(
            fmt::format("{} starts no container with less than {} bytes of memory", engine_.title, says_.least_memory));
      add(fmt::format("--memory={}b", l.memory_bytes->value));
      add(fmt::format("--memory-swap={}b", l.memory_bytes->value));
    }
    if (l.cpu_milli) {  // a quota below 1 ms is refused (kernel/sched/core.c, min_cfs_quota_period)
      const std::uint64_t period = l.cpu_milli->value < 10 ? 1000000 : 100000;
      add(fmt::format("--cpu-period={}", period));
      add(fmt::format("--cpu-quota={}", l.cpu_milli->value * (period / 1000)));
    }
    // without the option Podman sets 2048, and Docker nothing; -1 is none
    add(l.pids ? fmt::format("--pids-limit={}", l.pids->value) : "--pids-limit=-1");
  }

  /// The value of --mount is one record of CSV; Podman trims nothing, Docker does.
  void check_path(const std::string& path) {
    if (path.find_first_of(",\"\r\n") != std::string::npos || path.front() == ' ' || path.back() == ' ' ||
        path.find(':') != std::string::npos)
      problem(fmt::format("`{}` can't be the path of a mount: the option separates by commas and colons", path),
              "rename it");
  }

  /// A file or directory that `prepare` makes.
  std::string own(std::string_view name) const { return fmt::format("{}/{}", says_.own, name); }
  std::string source(const TreeMount& m) const {
    switch (m.from) {
      case TreeMount::From::Denied:
        return own(m.directory ? format::denied_directory : format::denied_file);
      case TreeMount::From::Empty:
        return own(format::empty_file);
      case TreeMount::From::Bundle:
        return own(m.source);
      default:
        return m.source;
    }
  }
  void bind(const std::string& from, const std::string& to, bool writable, bool device, bool exec) {
    check_path(from), check_path(to);
    std::string word =
        fmt::format("--mount=type=bind,src={},dst={},bind-nonrecursive{}", from, to, writable ? "" : ",readonly");
    if (says_.flags) word += fmt::format(",nosuid{}{}", device ? "" : ",nodev", exec ? "" : ",noexec");
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
        add(fmt::format("--tmpfs={}:{},nosuid,nodev{}{},mode={}", m.target, m.writable ? "rw" : "ro",
                        m.exec ? says_.exec : ",noexec", size, m.writable ? "0777" : "0755"));
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
    for (const std::string_view path : engine_.directories) {
      if (has_mount(path)) continue;
      if (mount_over(path)) {
        problem(fmt::format("{} mounts a file system of its own at {}, in what the policy shows there", engine_.title,
                            path),
                "name the directories that are needed");
        continue;
      }
      add(fmt::format("--tmpfs={}:ro,nosuid,nodev,noexec,size=4096,mode=0555", path));
    }
    for (const std::string_view path : engine_.denied_directories) {
      for (const TreeMount& m : tree_.mounts)
        if (m.target == path || model::is_beneath(m.target, path))
          problem(fmt::format("{} is {}'s own, and nothing of the policy's can be there", path, engine_.title));
      bind(own(format::denied_directory), std::string(path), false, false, false);
    }
    for (const std::string_view path : engine_.files) cover_file(std::string(path));
  }

  /// Where a directory of the host's shows a file that the runtime would replace, the host's file is mounted over it.
  void cover_file(const std::string& path) {
    if (has_mount(path)) return;
    const TreeMount* around = mount_over(path);
    if (!around) return bind(own(format::denied_file), path, false, false, false);
    if (around->from == TreeMount::From::Bind && !around->writable && path != "/run/.containerenv")
      return bind(around->source + path.substr(around->target.size()), path, false, false, around->exec);
    if (around->masked) return;
    problem(fmt::format("{} makes {} of its own, in what the policy shows there", engine_.title, path),
            "name the directories that are needed");
  }

  void map(const model::Rule& rule, std::string place) {
    out_.map.push_back({rule.id, std::string(engine_.artifact), std::move(place)});
  }

  Emitted finish() {
    std::string bytes;
    for (const std::string& word : words_) bytes += word + "\n";
    if (words_.size() > format::most_arguments || bytes.size() > format::most_bytes)
      problem(fmt::format("the policy takes {} arguments of {} bytes, and {} of {} are the most", words_.size(),
                          bytes.size(), format::most_arguments, format::most_bytes),
              "name directories instead of files");
    if (out_.problems.empty())
      out_.artifacts.push_back({std::string(engine_.artifact), std::move(bytes)});
    else
      out_.map.clear();
    return std::move(out_);
  }

  const model::Policy& policy_;
  const format::Engine& engine_;
  const Dialect says_;
  const MountTree tree_;
  std::vector<std::string> words_;
  Emitted out_;
};

}  // namespace

MountTree mount_tree(const model::Policy& policy, const format::Engine& engine) {
  MountTree tree = containers::mount_tree(policy);
  for (TreeMount& m : tree.mounts)
    if (&engine == &format::docker && m.from == TreeMount::From::Bind) m.exec = true;
  return tree;
}

Emitted emit(const model::Policy& policy, const format::Engine& engine) { return Writer(policy, engine).run(); }

}  // namespace agp::backends::podman
