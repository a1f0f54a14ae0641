#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/kubernetes/decode/parts.hpp"
#include "backends/kubernetes/decode/quantity.hpp"
#include "backends/kubernetes/format.hpp"

// volumes and volumeMounts -> mounts. The runtime makes them by the depth of their paths, whatever their order is here
// (orderedMounts of containerd and CRI-O), so that the deepest one shows a path. A volume has no `noexec`.
namespace agp::backends::kubernetes {
namespace {

using model::ContainerMount;
using Content = ContainerMount::Content;

struct Volume {
  Content content = Content::Host;
  std::string source;
  std::optional<std::uint64_t> size;
  bool directory = false;
};

std::string canonical(const Section& path) {
  std::string text = path.text();
  if (!model::is_canonical_path(text))
    path.refuse("is no path that is absolute and without `.`, `..` and doubled slashes");
  return text;
}

class Reader {
 public:
  explicit Reader(Pod& pod) : pod_(pod), out_(pod.container) {}

  void run(const Section& spec, const Section& container) {
    if (const auto list = spec.find("volumes"))
      for (const Section& v : list->list()) volume(v);
    if (const auto list = container.find("volumeMounts"))
      for (const Section& m : list->list()) mount(m);
    for (const auto& [name, v] : volumes_)
      if (!used_.contains(name)) spec.refuse(fmt::format("has a volume `{}` that is mounted nowhere", name));
    const auto log = container.find("terminationMessagePath");
    runtime(log && !log->text().empty() ? canonical(*log) : std::string(format::termination_log));
    std::stable_sort(out_.mounts.begin(), out_.mounts.end(), [](const ContainerMount& a, const ContainerMount& b) {
      const auto depth = [](const std::string& p) { return p == "/" ? 0 : std::count(p.begin(), p.end(), '/'); };
      return depth(a.target) < depth(b.target);
    });
    masks();
  }

 private:
  void volume(const Section& v) {
    v.only({"name", "emptyDir", "hostPath"});
    const auto empty = v.find("emptyDir"), host = v.find("hostPath");
    if (empty.has_value() == host.has_value()) v.refuse("is not one of emptyDir and hostPath");
    const Volume read = empty ? empty_dir(*empty) : host_path(*host);
    if (!volumes_.emplace(v.need("name").text(), read).second) v.refuse("is a second volume of one name");
  }

  /// The kubelet makes it for root, of mode 0777. On the node's disk its size is looked at from time to time only.
  static Volume empty_dir(const Section& v) {
    v.only({"medium", "sizeLimit"});
    Volume out;
    out.content = Content::Tmpfs;
    const auto medium = v.find("medium");
    const std::string on = medium ? medium->text() : "";
    if (!on.empty() && on != "Memory") medium->refuse("is no medium but `Memory` and the node's disk");
    if (const auto size = v.find("sizeLimit")) {
      const std::uint64_t bytes = whole(*size);
      if (on == "Memory" && bytes > 0) out.size = bytes;
    }
    out.directory = true;
    return out;
  }

  Volume host_path(const Section& v) {
    v.only({"path", "type"});
    Volume out;
    out.source = canonical(v.need("path"));
    const auto kind = v.find("type");
    const std::string type = kind ? kind->text() : "";
    if (type != "Directory" && type != "File" && type != "Socket" && type != "CharDevice")
      (kind ? *kind : v).refuse("says not what stands there: Directory, File, Socket or CharDevice");
    out.directory = type == "Directory";
    if (type == "CharDevice") {
      const bool known = std::any_of(format::devices.begin(), format::devices.end(),
                                     [&](const format::Device& d) { return d.path == out.source; });
      if (!known) v.refuse("is a device that agp has no model of");
      out.content = Content::Device;
    }
    const std::string own = format::host_directory(pod_.named.name);
    if (out.source == own || model::is_beneath(out.source, own)) of_node(v, out, own);
    return out;
  }

  /// What the stack's `prepare` makes.
  static void of_node(const Section& v, Volume& out, const std::string& own) {
    const std::string name = out.source.size() > own.size() ? out.source.substr(own.size() + 1) : "";
    const bool as_directory = name == format::dev || name == format::sys || name == format::denied_directory;
    if (name == format::dev || name == format::sys)
      out.content = Content::EmptyTree;
    else if (name == format::denied_directory || name == format::denied_file)
      out.content = Content::Nothing;
    else if (name == format::empty_file)
      out.content = Content::EmptyFile;
    else
      v.refuse("shows a file that the stack does not make");
    if (out.directory != as_directory) v.refuse("says that a file is a directory, or the other way round");
  }

  void mount(const Section& s) {
    s.only({"name", "mountPath", "readOnly", "recursiveReadOnly", "mountPropagation"});  // subPath follows links
    const Section name = s.need("name");
    const auto found = volumes_.find(name.text());
    if (found == volumes_.end()) name.refuse("is no volume of the pod");
    const Volume& v = found->second;
    if (!used_.insert(found->first).second && v.content == Content::Tmpfs)
      name.refuse("is an emptyDir that is mounted already: what is written at one of its paths stands at the other");
    if (const auto spread = s.find("mountPropagation"); spread && spread->text() != "None" && !spread->text().empty())
      spread->refuse("lets mounts be seen that are made later");
    ContainerMount m;
    m.target = canonical(s.need("mountPath"));
    if (m.target == "/" || m.target == "/proc" || model::is_beneath(m.target, "/proc"))
      s.refuse("is mounted where the runtime has its own");
    if (m.target.find(':') != std::string::npos) s.refuse("has a colon in its path, which the API server refuses");
    if (shown(m.target)) s.refuse("is a second mount at one path, which the API server refuses");
    const auto flag = s.find("readOnly"), all = s.find("recursiveReadOnly");
    m.writable = !flag || !flag->flag();
    const std::string whole_tree = all ? all->text() : "";
    if (!m.writable && v.directory && v.content != Content::Tmpfs && whole_tree != "Enabled")
      s.refuse("is read-only without `recursiveReadOnly: Enabled`: what is mounted beneath its source stays writable");
    if (m.writable && !whole_tree.empty()) all->refuse("goes with `readOnly: true` only");
    m.exec = v.content == Content::Host || v.content == Content::Tmpfs || v.content == Content::EmptyFile;
    m.content = v.content;
    m.source = v.source;
    m.size = v.size;
    if (v.content == Content::Tmpfs) {
      m.uid = m.gid = 0;
      m.mode = 0777;
    } else if (v.content != Content::Host && v.content != Content::Device) {
      m.source.clear();
      if (m.writable) s.refuse("is writable, and other pods see what is put there");
    }
    m.place = s.at();
    out_.mounts.push_back(std::move(m));
  }

  bool shown(std::string_view path) const {
    return std::any_of(out_.mounts.begin(), out_.mounts.end(),
                       [&](const ContainerMount& m) { return m.target == path; });
  }
  void add(std::string target, Content content, bool writable, bool exec, std::optional<std::uint32_t> mode = {}) {
    if (shown(target)) return;
    ContainerMount m;
    m.target = std::move(target);
    m.content = content;
    m.writable = writable;
    m.exec = exec;
    m.mode = mode;
    if (content == Content::Tmpfs) m.uid = m.gid = 0;
    if (content == Content::Device || content == Content::Host) m.source = m.target;
    m.place = "what the kubelet and the runtime mount";
    out_.mounts.push_back(std::move(m));
  }

  /// A volume at the same path takes the place of each but the kubelet's file; one at /dev those beneath it too, and
  /// with it the nodes that runc makes (containerd's WithMounts, runc's needsSetupDev).
  void runtime(const std::string& log) {
    if (shown(log)) throw Refusal{fmt::format("`{}` is a volume's, and the kubelet's file too", log)};
    add("/proc", Content::Processes, true, false);
    add("/sys", Content::Host, false, true);
    add("/sys/fs/cgroup", Content::Host, false, false);
    if (!shown("/dev")) {
      add("/dev", Content::Tmpfs, true, false, 0755);
      for (const format::Device& d : format::devices) add(std::string(d.path), Content::Device, true, false);
      add("/dev/mqueue", Content::Tmpfs, true, false, 01777);
      add("/dev/pts", Content::Tmpfs, true, false, 0755);
    }
    add(std::string(format::shared_memory), Content::Tmpfs, true, false, 01777);
    for (const std::string_view file : format::runtime_files)
      add(std::string(file), Content::EmptyFile, !out_.empty_root, true);
    add(log, Content::EmptyFile, true, true);
  }

  void masks() {
    for (const std::string_view path : format::masked_paths) {
      ContainerMount m;
      m.target = path;
      m.content = Content::Nothing;
      m.place = "what the runtime masks";
      out_.mounts.push_back(std::move(m));
    }
  }

  Pod& pod_;
  model::Container& out_;
  std::map<std::string, Volume> volumes_;
  std::set<std::string> used_;
};

}  // namespace

void read_volumes(const Section& spec, const Section& container, Pod& out) { Reader(out).run(spec, container); }

}  // namespace agp::backends::kubernetes
