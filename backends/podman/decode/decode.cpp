#include "backends/podman/decode/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "compiler/model/container.hpp"

// In: lines. Out: the container that they make. Mounts are made in the order of their targets' depth, whatever the
// order of the options is (podman-run(1), --mount; libpod and moby, daemon/volumes_unix.go, sort them), so that the
// deepest one shows a path.
namespace agp::backends::podman {
namespace {

using model::Container;
using model::ContainerMount;
using Content = ContainerMount::Content;

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

/// The engines take numbers of 63 bits; some options with a zero in front for octal ones, others not (pflag, go-units).
std::uint64_t number(const Option& o, std::string_view digits, int base = 10) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out, base);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || out > INT64_MAX ||
      (base == 10 && digits.size() > 1 && digits[0] == '0'))
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

/// Where the engines differ in what the same words mean, or in what they mean by leaving one out.
struct Meaning {
  std::optional<std::uint64_t> pids;  ///< the bound when --pids-limit says none
  bool scratch;                       ///< writable directories stay beside --read-only, unless --read-only-tmpfs=false
  bool hostname;                      ///< --hostname is taken
  bool by_path;  ///< --network takes the path of a namespace; else the container that the stack has put into it
  bool flags;    ///< a bind mount can have nosuid, nodev and noexec; else it has none of them
  bool exec;     ///< a tmpfs is executable when it does not say `noexec`; else it is not when it does not say `exec`
  bool ambient;  ///< --cap-add gives to every user what it adds; else to root, and to others the bounding set alone
  bool on_top;   ///< its own mounts lie over those that the options have above them; else under, and hidden
};

constexpr Meaning podman_means{.pids = 2048,  // containers/common, DefaultPidsLimit
                               .scratch = true,
                               .hostname = true,
                               .by_path = true,
                               .flags = true,
                               .exec = true,
                               .ambient = true,
                               .on_top = true};
constexpr Meaning docker_means{.pids = std::nullopt,
                               .scratch = false,
                               .hostname = false,
                               .by_path = false,
                               .flags = false,
                               .exec = false,
                               .ambient = false,
                               .on_top = false};

class Reader {
 public:
  explicit Reader(const format::Engine& engine)
      : engine_(engine), means_(&engine == &format::docker ? docker_means : podman_means) {}

  Container read(const std::string& bytes) {
    words(bytes);
    defaults();
    for (const Option& o : options_) option(o);
    check();
    engine_mounts();
    masks();
    return std::move(out_);
  }

 private:
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
      if (equals == lines[i].size() && lines[i] != "--read-only" && lines[i] != "--read-only-tmpfs")
        throw Refusal{fmt::format("line {}: `{}` takes the next line for its value", i + 1, lines[i])};
      options_.push_back(
          {i + 1, lines[i].substr(2, equals - 2), equals == lines[i].size() ? "" : lines[i].substr(equals + 1)});
    }
    if (i == lines.size()) throw Refusal{"it names no image"};
    policy_ = lines[i].substr(std::min(lines[i].size(), format::image.size()));
    if (!lines[i].starts_with(format::image) || (means_.by_path ? policy_ != format::tag : policy_.empty()) ||
        policy_.find('/') != std::string::npos)
      throw Refusal{
          fmt::format("line {}: the image `{}` is not the empty one: its files are not decided here", i + 1, lines[i])};
    out_.command.assign(lines.begin() + static_cast<std::ptrdiff_t>(i) + 1, lines.end());
  }

  /// What holds when no option says otherwise.
  void defaults() {
    for (const char* type : {"pid", "mount", "uts", "ipc"}) out_.namespaces[type] = "";
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
    } else if (o.name == "read-only-tmpfs" && means_.scratch) {
      scratch_ = o.value != "false";
    } else if (o.name == "network") {
      network(o);
    } else if (o.name == "ipc") {
      if (o.value != "none") o.refuse("mounts /dev/shm, or is another container's");
    } else if (o.name == "cgroupns") {
      if (o.value == "private") out_.namespaces["cgroup"] = "";
    } else if (o.name == "user") {
      user(o);
    } else if (o.name == "workdir") {
      out_.workdir = o.value;
    } else if (o.name == "hostname" && means_.hostname) {
      out_.hostname = o.value;
    } else if (o.name == "env") {
      const std::size_t equals = o.value.find('=');
      if (equals == std::string::npos || equals == 0) o.refuse("takes a variable of the starter's");
      // of two with one name the later counts: libpod keeps a map, and Docker's client replaces the earlier (tried)
      std::erase_if(out_.environment, [&](const auto& v) { return v.first == o.value.substr(0, equals); });
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

  void network(const Option& o) {
    constexpr std::string_view path = "ns:";
    if (o.value == "none")
      out_.namespaces["network"] = "";
    else if (means_.by_path && o.value.starts_with(path))
      out_.namespaces["network"] = o.value.substr(path.size());
    else if (!means_.by_path && o.value == std::string(format::joined_container) + policy_)
      out_.namespaces["network"] = (std::string(format::joined_path) + policy_).substr(path.size());  // handed on
    else
      o.refuse("is a network that agp has no model of");
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
      period_ = number(o, o.value);  // in the kernel's range (sched-bwc.rst)
      if (period_ != 0 && (period_ < 1000 || period_ > 1'000'000)) o.refuse("is not from 1000 to 1000000 microseconds");
    } else if (o.name == "cpu-quota") {
      quota_ = number(o, o.value);
      if (quota_ != 0 && quota_ < 1000) o.refuse("is below 1000 microseconds, which the kernel refuses");
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
    if (bound.soft > bound.hard) o.refuse("has a soft limit above the hard one");
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
      if (other.target == m.target) o.refuse("is a second mount at one path");
    m.place = o.place();
    out_.mounts.push_back(std::move(m));
  }

  /// The parts, none of which says again what another has said.
  static std::vector<std::string> once(const Option& o, std::vector<std::string> parts, bool nosuid) {
    std::set<std::string> seen;
    for (const std::string& part : parts) {
      const std::string name = part == "rw" ? "ro" : part == "exec" ? "noexec" : part.substr(0, part.find('='));
      if (!seen.insert(name).second) o.refuse(fmt::format("says `{}` twice", name));
    }
    if (nosuid && !seen.contains("nosuid")) o.refuse("has no `nosuid`");
    return parts;
  }
  std::uint32_t mode(const Option& o, const std::string& text) const {
    const std::uint64_t bits = number(o, text, 8);
    if (bits > 01777) o.refuse("makes a directory with set-id bits");
    return static_cast<std::uint32_t>(bits);
  }

  void mount(const Option& o) {
    ContainerMount m;
    m.writable = m.exec = true;
    m.setuid = !means_.flags;
    bool nodev = false, alone = false, bind = false;
    std::string source;
    for (const std::string& part : once(o, split(o.value, ','), means_.flags)) {
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
      else if (part == "noexec" && means_.flags)
        m.exec = false;
      else if (part == "nodev" && means_.flags)
        nodev = true;
      else if (part != "nosuid" || !means_.flags)
        o.refuse(fmt::format("has `{}`, which agp has no model of", part));
    }
    if (!bind) o.refuse("is of a type that agp has no model of: only bind");
    if (!alone) o.refuse("shows the mounts beneath its source too, and their flags are not decided here");
    if (m.target.empty() || m.target == "/") o.refuse("has no target that can be covered");
    const std::string own = means_.by_path ? "./" : format::host_directory(policy_) + "/";
    if (source.starts_with(own)) {
      m.content = of_run(o, source.substr(own.size()));
      if (!means_.flags) m.exec = false;  // by its mode, which the stack gives it
      if (m.content == Content::Nothing && m.writable)
        o.refuse("shows what nobody may open writable: whoever owns it gives it another mode");
    } else {
      m.source = canonical(o, source);
      const bool device = std::any_of(format::devices.begin(), format::devices.end(),
                                      [&](const format::Device& d) { return d.path == m.source; });
      // Docker's control group lets no device be opened but those that any program may need (moby, oci/defaults.go)
      if (means_.flags && !nodev && !device) o.refuse("shows a host directory without `nodev`");
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
    m.exec = means_.exec;
    m.uid = m.gid = 0;
    m.mode = 01777;
    bool nodev = false;
    for (const std::string& part : once(o, split(o.value.substr(colon + 1), ','), true)) {
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
    const format::Names covers = engine_.directories;  // nothing can be put there: it leads to mounts, or to nothing
    if (!m.writable && std::find(covers.begin(), covers.end(), m.target) != covers.end())
      m.content = Content::EmptyTree;
    put(o, std::move(m));
  }

  void check() {
    if (!user_said_) throw Refusal{"without `--user` the command runs as root"};
    if (!filtered_)
      throw Refusal{fmt::format("without `--security-opt=seccomp={}` the container has {}'s own filter",
                                format::profile, engine_.title)};
    if (means_.scratch && (!read_only_ || scratch_))
      throw Refusal{
          "without `--read-only` and `--read-only-tmpfs=false` the root, /tmp, /run and /var/tmp are writable"};
    if (!read_only_) throw Refusal{"without `--read-only` the root is writable"};
    if (!out_.namespaces.contains("network"))
      throw Refusal{fmt::format("without `--network` {} makes a network of its own", engine_.title)};
    if (!seen_.contains("ipc"))
      throw Refusal{fmt::format("without `--ipc=none` {} mounts a writable /dev/shm", engine_.title)};
    if (!seen_.contains("cap-drop"))
      throw Refusal{"without `--cap-drop=ALL` capabilities stay, and which is the engine's and its configuration's matter"};
    if (!seen_.contains("pull")) throw Refusal{"without `--pull=never` another image may be fetched"};
    out_.empty_root = true;
    if (!pids_said_) out_.pids = means_.pids;
    if (processes_ < std::max<std::uint64_t>(format::processes, out_.pids.value_or(0)))
      out_.rlimits["RLIMIT_NPROC"] = {processes_, processes_};
    if (quota_ > 0) out_.cpu = {quota_, period_ > 0 ? period_ : 100000};
    if (!means_.flags && added_.contains("CAP_MKNOD"))
      throw Refusal{"with `CAP_MKNOD` devices are made in a bind mount, which has no `nodev`"};
    // Podman: all five sets, for a user other than root too. Docker: to that user the bounding set alone (both tried:
    // CapBnd and CapAmb of a process of uid 65534); to root, at execve, all of it (capabilities(7)).
    for (auto& set : out_.capabilities)
      if (means_.ambient || out_.uid == 0 || &set == &out_.capabilities[Container::Bounding]) set = added_;
    for (const std::string_view name : engine_.variables) {
      const auto is = [&](const auto& v) { return v.first == name; };
      if (std::none_of(out_.environment.begin(), out_.environment.end(), is)) out_.environment.emplace_back(name, "");
    }
  }

  ContainerMount by_itself(std::string_view target, Content content, bool writable) const {
    ContainerMount m;
    m.target = target;
    m.content = content;
    m.writable = writable;
    m.place = fmt::format("what {} mounts by itself", engine_.title);
    if (content == Content::Device) m.source = m.target;
    return m;
  }

  /// A mount of the options' at the same path takes the place of the engine's. Docker makes its own first (moby,
  /// daemon/oci_linux.go, WithMounts; tried: a tmpfs at /sys hides /sys/fs/cgroup), but for its files.
  void engine_mounts() {
    const std::vector<ContainerMount> said = out_.mounts;
    const auto says = [&](std::string_view path, bool or_above = false) {
      return std::any_of(said.begin(), said.end(), [&](const ContainerMount& m) {
        return m.target == path || (or_above && model::is_beneath(path, m.target));
      });
    };
    const auto own = [&](std::string_view path, Content content, bool writable) {
      if (!says(path, !means_.on_top)) out_.mounts.push_back(by_itself(path, content, writable));
    };
    own("/proc", Content::Processes, true);
    own("/sys", Content::Host, false);
    own("/sys/fs/cgroup", Content::Host, false);
    if (!says("/dev")) {
      ContainerMount& dev = out_.mounts.emplace_back(by_itself("/dev", Content::Tmpfs, true));
      dev.exec = true;
      dev.uid = dev.gid = 0;
      dev.mode = 0755;
      for (const format::Device& d : format::devices) own(d.path, Content::Device, true);
    }
    own("/dev/mqueue", Content::Tmpfs, true);
    own("/dev/pts", Content::Tmpfs, true);
    for (const std::string_view file : engine_.files)
      if (!says(file)) out_.mounts.push_back(by_itself(file, Content::EmptyFile, false));
    std::stable_sort(out_.mounts.begin(), out_.mounts.end(), [](const ContainerMount& a, const ContainerMount& b) {
      const auto depth = [](const std::string& p) { return p == "/" ? 0 : std::count(p.begin(), p.end(), '/'); };
      return depth(a.target) < depth(b.target);
    });
  }

  void masks() {
    for (const std::string_view path : engine_.masked) {
      ContainerMount m;
      m.target = path;
      m.content = Content::Nothing;
      m.place = fmt::format("what {} masks", engine_.title);
      out_.mounts.push_back(std::move(m));
    }
  }

  const format::Engine& engine_;
  const Meaning& means_;
  std::string policy_;  ///< whose image it is
  std::vector<Option> options_;
  std::set<std::string> seen_, added_;
  bool read_only_ = false, scratch_ = true, user_said_ = false, filtered_ = false, pids_said_ = false;
  std::uint64_t period_ = 0, quota_ = 0, processes_ = 1048576;
  bool processes_said_ = false;
  Container out_;
};

}  // namespace

Decoded decode(std::span<const Artifact> artifacts, const format::Engine& engine) {
  Decoded out;
  for (const Artifact& a : artifacts) {
    if (a.path != engine.artifact) continue;
    try {
      auto container = std::make_shared<Container>(Reader(engine).read(a.bytes));
      container->artifact = a.path;
      container->layer = engine.name;
      out.container = std::move(container);
    } catch (const Refusal& refusal) {
      out.problems.push_back({fmt::format("`{}`: {}", a.path, refusal.text), std::nullopt, ""});
    }
  }
  return out;
}

}  // namespace agp::backends::podman
