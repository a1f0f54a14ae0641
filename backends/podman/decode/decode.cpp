#include "backends/podman/decode/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <utility>

#include "backends/podman/format.hpp"
#include "compiler/model/container.hpp"

// In: lines. Out: the container that they make. Mounts are made in the order of their targets' depth, whatever the
// order of the options is (podman-run(1), --mount; libpod sorts them), so that the deepest one shows a path.
namespace agp::backends::podman {
namespace {

using model::Container;
using model::ContainerMount;
using Content = ContainerMount::Content;
using format::Engine;

struct Refusal {
  std::string text;
};

/// One option: `--name=value` on line `line`.
struct Option {
  std::size_t line;
  std::string name, value;
  [[noreturn]] void refuse(std::string_view what) const {
    throw Refusal{fmt::format("line {}: `--{}{}{}` {}", line, name, value.empty() ? "" : "=", value, what)};
  }
  std::string place() const { return fmt::format("line {}", line); }
};

std::uint64_t number(const Option& o, std::string_view digits, int base = 10) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out, base);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
    o.refuse("has a value that is no plain number");
  return out;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out(1);
  for (const char c : text)
    if (c == at)
      out.emplace_back();
    else
      out.back() += c;
  return out;
}

class Reader {
 public:
  explicit Reader(Engine engine) : engine_(engine) {}

  Container read(const std::string& bytes) {
    words(bytes);
    defaults();
    for (const Option& o : options_)
      if (o.name == "network") network(o);  // first: it names the directory of the host's that is the stack's
    for (const Option& o : options_) option(o);
    check();
    if (docker()) {
      docker_mounts();
    } else {
      runtime_mounts();
      by_depth(out_.mounts);
    }
    masks();
    return std::move(out_);
  }

 private:
  bool docker() const { return engine_ == Engine::Docker; }
  std::string_view title() const { return format::title(engine_); }

  static void by_depth(std::vector<ContainerMount>& mounts) {
    std::stable_sort(mounts.begin(), mounts.end(), [](const ContainerMount& a, const ContainerMount& b) {
      const auto depth = [](const std::string& p) { return p == "/" ? 0 : std::count(p.begin(), p.end(), '/'); };
      return depth(a.target) < depth(b.target);
    });
  }

  /// Options end at the first word without `--`: the image. What follows is the command's, whatever it looks like.
  void words(const std::string& bytes) {
    if (bytes.empty() || bytes.back() != '\n') throw Refusal{"its last line does not end"};
    if (bytes.find('\0') != std::string::npos) throw Refusal{"it holds a NUL"};
    std::vector<std::string> lines = split(std::string_view(bytes).substr(0, bytes.size() - 1), '\n');
    std::size_t i = 0;
    for (; i < lines.size() && lines[i].starts_with("-"); ++i) {
      if (!lines[i].starts_with("--") || lines[i] == "--")
        throw Refusal{fmt::format("line {}: `{}` is no option of the form --name=value", i + 1, lines[i])};
      const std::size_t equals = std::min(lines[i].find('='), lines[i].size());
      options_.push_back(
          {i + 1, lines[i].substr(2, equals - 2), equals == lines[i].size() ? "" : lines[i].substr(equals + 1)});
    }
    if (i == lines.size()) throw Refusal{"it names no image"};
    if (lines[i] != format::image)
      throw Refusal{
          fmt::format("line {}: the image `{}` is not the empty one: its files are not decided here", i + 1, lines[i])};
    out_.command.assign(lines.begin() + static_cast<std::ptrdiff_t>(i) + 1, lines.end());
  }

  /// What holds when no option says otherwise.
  void defaults() {
    for (const char* type : {"pid", "mount", "uts", "ipc"}) out_.namespaces[type] = "";
    // containers/common, pkg/config/default.go: DefaultCapabilities
    for (const char* name :
         {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
          "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"})
      capabilities_.insert(name);
    if (docker())  // moby, oci/caps/defaults.go
      for (const char* name : {"CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW"}) capabilities_.insert(name);
    out_.workdir = "/";
  }

  void option(const Option& o) {
    const bool repeats = o.name == "mount" || o.name == "tmpfs" || o.name == "env" || o.name == "cap-add" ||
                         o.name == "cap-drop" || o.name == "security-opt" || o.name == "ulimit";
    if (!seen_.insert(o.name).second && !repeats) o.refuse("stands there twice");
    if (o.name == "pull") {
      if (o.value != "never") o.refuse("may fetch another image");
    } else if (o.name == "read-only") {
      read_only_ = o.value.empty() || o.value == "true";
    } else if (o.name == "read-only-tmpfs" && !docker()) {
      scratch_ = o.value != "false";
    } else if (o.name == "network") {
      return;  // it was the first to be read
    } else if (o.name == "ipc") {
      if (o.value != "none") o.refuse("mounts /dev/shm, or is another container's");
    } else if (o.name == "cgroupns") {
      if (o.value == "private") out_.namespaces["cgroup"] = "";
    } else if (o.name == "user") {
      user(o);
    } else if (o.name == "workdir") {
      out_.workdir = o.value;
    } else if (o.name == "hostname" && !docker()) {
      out_.hostname = o.value;
    } else if (o.name == "env") {
      const std::size_t equals = o.value.find('=');
      if (equals == std::string::npos || equals == 0) o.refuse("takes a variable of the starter's");
      // libpod keeps a map: of two with one name the later counts
      const auto erased =
          std::erase_if(out_.environment, [&](const auto& v) { return v.first == o.value.substr(0, equals); });
      if (erased > 0 && docker()) o.refuse("is a second variable of one name, of which the program may see either");
      out_.environment.emplace_back(o.value.substr(0, equals), o.value.substr(equals + 1));
    } else if (o.name == "cap-drop" || o.name == "cap-add") {
      capability(o);
    } else if (o.name == "security-opt") {
      security(o);
    } else if (o.name == "mount") {
      mount(o);
    } else if (o.name == "tmpfs") {
      tmpfs(o);
    } else {
      limit(o);
    }
  }

  /// The container `agp-NAME` is the one that the stack of the policy NAME has put into the namespace of that name.
  void network(const Option& o) {
    if (o.value == "none") {
      out_.namespaces["network"] = "";
    } else if (!docker() && o.value.starts_with("ns:")) {
      out_.namespaces["network"] = o.value.substr(3);
    } else if (const std::string prefix = std::string(format::other_container) + format::holder("");
               docker() && o.value.starts_with(prefix)) {
      policy_ = o.value.substr(prefix.size());
      if (policy_.empty() || policy_.find('/') != std::string::npos) o.refuse("names no policy");
      out_.namespaces["network"] = std::string(format::namespaces) + format::holder(policy_);
    } else {
      o.refuse("is a network that agp has no model of");
    }
  }

  void user(const Option& o) {
    const auto parts = split(o.value, ':');
    if (parts.size() != 2) o.refuse("is not UID:GID");
    const auto id = [&](const std::string& text) {
      const std::uint64_t n = number(o, text);
      if (n > 0xfffffffe) o.refuse("is no user or group id");
      return static_cast<std::uint32_t>(n);
    };
    out_.uid = id(parts[0]);
    out_.gid = id(parts[1]);
    user_said_ = true;
  }

  /// Drops and additions are sets, whatever their order: `ALL` among the drops leaves what is added
  /// (containers/common, pkg/capabilities, MergeCapabilities).
  void capability(const Option& o) {
    if (o.name == "cap-drop") {
      if (o.value != "ALL") o.refuse("drops one capability: only ALL is understood here");
      dropped_ = true;
    } else if (!o.value.starts_with("CAP_")) {
      o.refuse("is no capability by its whole name");
    } else {
      added_.insert(o.value);
    }
  }

  void security(const Option& o) {
    if (o.value == "no-new-privileges")
      out_.no_new_privileges = true;
    else if (o.value == fmt::format("seccomp={}", format::profile))
      filtered_ = true;
    else
      o.refuse("is no option of the security that agp has a model of");
  }

  void limit(const Option& o) {
    if (o.name == "memory" || o.name == "memory-swap") {
      if (!o.value.ends_with("b")) o.refuse("is not a number of bytes, as in 1048576b");
      auto& slot = o.name == "memory" ? out_.memory_bytes : out_.memory_and_swap_bytes;
      const std::uint64_t bytes = number(o, std::string_view(o.value).substr(0, o.value.size() - 1));
      if (bytes > 0) slot = bytes;
    } else if (o.name == "cpu-period") {
      period_ = number(o, o.value);
    } else if (o.name == "cpu-quota") {
      quota_ = number(o, o.value);
    } else if (o.name == "pids-limit") {
      pids_said_ = true;
      if (o.value != "-1" && o.value != "0") out_.pids = number(o, o.value);
    } else if (o.name == "ulimit") {
      ulimit(o);
    } else {
      o.refuse("is an option that agp has no model of");
    }
  }

  void ulimit(const Option& o) {
    const auto parts = split(o.value, '=');
    const auto values = parts.size() == 2 ? split(parts[1], ':') : std::vector<std::string>{};
    if (values.size() != 2) o.refuse("is not NAME=SOFT:HARD");
    const Container::Bound bound{number(o, values[0]), number(o, values[1])};
    if (parts[0] == "nproc") {
      if (std::exchange(processes_said_, true)) o.refuse("is a second limit of one kind");
      processes_ = std::min(bound.soft, bound.hard);
      return;
    }
    const std::string name = parts[0] == "core" ? "RLIMIT_CORE" : parts[0] == "nofile" ? "RLIMIT_NOFILE" : "";
    if (name.empty()) o.refuse("is a limit that agp has no model of");
    if (!out_.rlimits.insert({name, bound}).second) o.refuse("is a second limit of one kind");
  }

  // mounts ------------------------------------------------------------------------------------------------------------

  std::string canonical(const Option& o, const std::string& path) const {
    if (!model::is_canonical_path(path))
      o.refuse("has a path that is not absolute, or has `.`, `..` or doubled slashes");
    return path;
  }

  Content of_run(const Option& o, const std::string& name) const {
    if (name == format::dev) return Content::EmptyTree;
    if (name == format::resolv_conf) return Content::Resolver;
    if (name == format::empty_file) return Content::EmptyFile;
    if (name == format::denied_directory || name == format::denied_file) return Content::Nothing;
    o.refuse("shows a file of the run directory that the stack does not make");
  }

  void put(const Option& o, ContainerMount m) {
    for (const ContainerMount& other : out_.mounts)
      if (other.target == m.target) o.refuse("is a second mount at one path, which the engine refuses");
    m.place = o.place();
    out_.mounts.push_back(std::move(m));
  }

  /// The parts, none of which says again what another has said.
  static std::set<std::string> once(const Option& o, const std::vector<std::string>& parts) {
    std::set<std::string> seen;
    for (const std::string& part : parts) {
      const std::string name = part == "rw" ? "ro" : part == "exec" ? "noexec" : part.substr(0, part.find('='));
      if (!seen.insert(name).second) o.refuse(fmt::format("says `{}` twice", name));
    }
    return seen;
  }
  std::uint32_t mode(const Option& o, const std::string& text) const {
    const std::uint64_t bits = number(o, text, 8);
    if (bits > 01777) o.refuse("makes a directory with set-id bits");
    return static_cast<std::uint32_t>(bits);
  }

  void mount(const Option& o) {
    ContainerMount m;
    m.writable = m.exec = true;
    bool nodev = false, alone = false, bind = false;
    std::string source;
    const auto parts = split(o.value, ',');
    m.setuid = !once(o, parts).contains("nosuid");
    if (m.setuid && !docker()) o.refuse("has no `nosuid`");
    for (const std::string& part : parts) {
      if (part == "type=bind")
        bind = true;
      else if (part.starts_with("src="))
        source = part.substr(4);
      else if (part.starts_with("dst="))
        m.target = canonical(o, part.substr(4));
      else if (part == "bind-nonrecursive")
        alone = true;
      else if (part == "readonly")
        m.writable = false;
      else if (part == "noexec" && !docker())
        m.exec = false;
      else if (part == "nodev" && !docker())
        nodev = true;
      else if (part != "nosuid" || docker())
        o.refuse(fmt::format("has `{}`, which agp has no model of", part));
    }
    if (!bind) o.refuse("is of a type that agp has no model of: only bind");
    if (!alone) o.refuse("shows the mounts beneath its source too, and their flags are not decided here");
    if (m.target.empty() || m.target == "/") o.refuse("has no target that can be covered");
    const std::string own = docker() ? format::node_directory(policy_) + "/" : "./";
    if ((!docker() || !policy_.empty()) && source.starts_with(own)) {
      m.content = of_run(o, source.substr(own.size()));
    } else {
      m.source = canonical(o, source);
      const bool device = std::any_of(format::devices.begin(), format::devices.end(),
                                      [&](const format::Device& d) { return d.path == m.source; });
      if (!nodev && !device && !docker()) o.refuse("shows a host directory without `nodev`");
      // Docker's control group leaves no device to be opened but those that reach no hardware
      m.content = nodev || !device ? Content::Host : Content::Device;
    }
    put(o, std::move(m));
  }

  void tmpfs(const Option& o) {
    const std::size_t colon = o.value.find(':');
    if (colon == std::string::npos) o.refuse("has no options: it would be writable by everybody, without a bound");
    ContainerMount m;
    m.content = Content::Tmpfs;
    m.target = canonical(o, o.value.substr(0, colon));
    m.writable = true;
    m.exec = !docker();  // Docker begins with noexec,nosuid,nodev (moby, daemon/oci_linux.go)
    m.uid = m.gid = 0;
    m.mode = 01777;
    bool nodev = false;
    const auto parts = split(o.value.substr(colon + 1), ',');
    if (!once(o, parts).contains("nosuid")) o.refuse("has no `nosuid`");
    for (const std::string& part : parts) {
      if (part == "ro" || part == "rw")
        m.writable = part == "rw";
      else if (part == "exec" || part == "noexec")
        m.exec = part == "exec";
      else if (part == "nodev")
        nodev = true;
      else if (part.starts_with("size="))
        m.size = number(o, part.substr(5));
      else if (part.starts_with("mode="))
        m.mode = mode(o, part.substr(5));
      else if (part != "nosuid")
        o.refuse(fmt::format("has `{}`, which agp has no model of", part));
    }
    if (!nodev) o.refuse("is a tmpfs without `nodev`");
    const auto covers = format::directories_of(engine_);  // nothing can be put there: it leads to mounts, or to nothing
    if (!m.writable && std::find(covers.begin(), covers.end(), m.target) != covers.end())
      m.content = Content::EmptyTree;
    put(o, std::move(m));
  }

  void check() {
    if (!user_said_) throw Refusal{"without `--user` the command runs as root"};
    if (!filtered_)
      throw Refusal{fmt::format("without `--security-opt=seccomp={}` the container has {}'s own filter",
                                format::profile, title())};
    if (docker() && !read_only_) throw Refusal{"without `--read-only` the root is writable"};
    if (!docker() && (!read_only_ || scratch_))
      throw Refusal{
          "without `--read-only` and `--read-only-tmpfs=false` the root, /tmp, /run and /var/tmp are writable"};
    if (!out_.namespaces.contains("network"))
      throw Refusal{fmt::format("without `--network` {} makes a network of its own", title())};
    if (!seen_.contains("ipc"))
      throw Refusal{fmt::format("without `--ipc=none` {} mounts a writable /dev/shm", title())};
    if (!seen_.contains("pull")) throw Refusal{"without `--pull=never` another image may be fetched"};
    out_.empty_root = true;
    if (!pids_said_ && !docker()) out_.pids = 2048;  // containers/common: DefaultPidsLimit
    if (processes_ < std::max<std::uint64_t>(format::processes, out_.pids.value_or(0)))
      out_.rlimits["RLIMIT_NPROC"] = {processes_, processes_};
    if (quota_ > 0) out_.cpu = {quota_, period_ > 0 ? period_ : 100000};
    if (dropped_) capabilities_.clear();
    capabilities_.insert(added_.begin(), added_.end());
    // Podman: all five sets, for a user other than root too (tried: CapAmb of a process of uid 65534). Docker: that
    // user has the bounding set alone (tried), and root, at execve, all of it (capabilities(7)).
    for (auto& set : out_.capabilities)
      if (!docker() || out_.uid == 0 || &set == &out_.capabilities[Container::Bounding]) set = capabilities_;
    for (const std::string_view name : format::variables_of(engine_)) {
      const auto is = [&](const auto& v) { return v.first == name; };
      if (std::none_of(out_.environment.begin(), out_.environment.end(), is)) out_.environment.emplace_back(name, "");
    }
  }

  bool shown(std::string_view path) const {
    return std::any_of(out_.mounts.begin(), out_.mounts.end(),
                       [&](const ContainerMount& m) { return m.target == path; });
  }
  void runtime(std::string target, Content content, bool writable) {
    if (shown(target)) return;
    ContainerMount m;
    m.target = std::move(target);
    m.content = content;
    m.writable = writable;
    m.place = fmt::format("what {} mounts by itself", title());
    if (content == Content::Device) m.source = m.target;
    out_.mounts.push_back(std::move(m));
  }

  /// A mount of the options' at the same path takes the place of the runtime's.
  void runtime_mounts() {
    runtime("/proc", Content::Processes, true);
    runtime("/sys", Content::Host, false);
    if (!shown("/sys/fs/cgroup")) runtime("/sys/fs/cgroup", Content::Host, false);
    if (!shown("/dev"))
      for (const format::Device& d : format::devices) runtime(std::string(d.path), Content::Device, true);
    runtime("/dev/mqueue", Content::Tmpfs, true);
    runtime("/dev/pts", Content::Tmpfs, true);
    for (const std::string_view file : format::covered_files) runtime(std::string(file), Content::EmptyFile, false);
  }

  /// Its own come first, then those of the options and of the network, by depth (moby, daemon/oci_linux.go, WithMounts;
  /// tried: a tmpfs at /sys hides /sys/fs/cgroup). A mount of the options' at the same path takes the place of each,
  /// and one at /dev of what is beneath.
  void docker_mounts() {
    std::vector<ContainerMount> own;
    std::swap(own, out_.mounts);
    const auto said = [&](std::string_view path) {
      return std::any_of(own.begin(), own.end(), [&](const ContainerMount& m) { return m.target == path; });
    };
    const auto unless_said = [&](std::string_view path, Content content, bool writable) {
      if (!said(path)) runtime(std::string(path), content, writable);
    };
    unless_said("/proc", Content::Processes, true);
    if (!said("/dev")) {
      for (const format::Device& d : format::devices) unless_said(d.path, Content::Device, true);
      unless_said("/dev/mqueue", Content::Tmpfs, true);
      unless_said("/dev/pts", Content::Tmpfs, true);
    }
    unless_said("/sys", Content::Host, false);
    unless_said("/sys/fs/cgroup", Content::Host, false);
    std::vector<ContainerMount> first;
    std::swap(first, out_.mounts);
    for (const std::string_view file : format::docker_files) unless_said(file, Content::EmptyFile, false);
    out_.mounts.insert(out_.mounts.end(), own.begin(), own.end());
    by_depth(out_.mounts);
    out_.mounts.insert(out_.mounts.begin(), first.begin(), first.end());
  }

  void masks() {
    for (const std::string_view path : format::masked_paths) {
      ContainerMount m;
      m.target = path;
      m.content = Content::Nothing;
      m.place = fmt::format("what {} masks", title());
      out_.mounts.push_back(std::move(m));
    }
  }

  const Engine engine_;
  std::string policy_;  ///< the one whose files the stack makes: Docker
  std::vector<Option> options_;
  std::set<std::string> seen_, capabilities_, added_;
  bool read_only_ = false, scratch_ = true, user_said_ = false, filtered_ = false, dropped_ = false, pids_said_ = false;
  std::uint64_t period_ = 0, quota_ = 0, processes_ = 1048576;
  bool processes_said_ = false;
  Container out_;
};

}  // namespace

Decoded decode(std::span<const Artifact> artifacts, Engine engine) {
  Decoded out;
  for (const Artifact& a : artifacts) {
    if (a.path != format::artifact(engine)) continue;
    try {
      auto container = std::make_shared<Container>(Reader(engine).read(a.bytes));
      container->artifact = a.path;
      container->layer = format::name(engine);
      out.container = std::move(container);
    } catch (const Refusal& refusal) {
      out.problems.push_back({fmt::format("`{}`: {}", a.path, refusal.text), std::nullopt, ""});
    }
  }
  return out;
}

}  // namespace agp::backends::podman
