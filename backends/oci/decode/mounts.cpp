#include "backends/oci/decode/mounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "backends/oci/format.hpp"

namespace agp::backends::oci {
namespace {

using model::ContainerMount;
using Content = ContainerMount::Content;

struct Options {
  bool bind = false, readonly = false, noexec = false, nodev = false, nosuid = false, subset_pid = false;
  std::optional<std::uint64_t> size, mode, uid, gid;
};

/// In the one spelling that every reader takes alike: to the kernel `010` is 8 as an id or a size (fs_param_is_u32 in
/// fs/fs_parser.c, memparse in lib/cmdline.c).
std::uint64_t value(const Section& option, std::string_view digits, int base, std::uint64_t most = UINT64_MAX) {
  std::uint64_t out = 0;
  if (base == 10 && digits.size() > 1 && digits.front() == '0')
    option.refuse("has a value that begins with 0: the kernel reads it as octal");
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out, base);
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.empty())
    option.refuse("has a value that is no plain number");
  if (out > most) option.refuse("has a value that the file system refuses");
  return out;
}

/// runc takes the options in order, the last of a pair counts; what it does not know goes to the file system as text.
Options read_options(const Section& mount) {
  Options out;
  const auto list = mount.find("options");
  if (!list) return out;
  for (const Section& option : list->list()) {
    const std::string o = option.text();
    const auto after = [&](std::string_view prefix) -> std::optional<std::string_view> {
      if (o.rfind(prefix, 0) != 0) return std::nullopt;
      return std::string_view(o).substr(prefix.size());
    };
    if (o == "bind")
      out.bind = true;
    else if (o == "ro")
      out.readonly = true;
    else if (o == "rw")
      out.readonly = false;
    else if (o == "noexec")
      out.noexec = true;
    else if (o == "exec")
      out.noexec = false;
    else if (o == "nodev")
      out.nodev = true;
    else if (o == "dev")
      out.nodev = false;
    else if (o == "nosuid")
      out.nosuid = true;
    else if (o == "suid")
      out.nosuid = false;
    else if (o == "rprivate" || o == "private")
      continue;
    else if (o == "subset=pid")
      out.subset_pid = true;
    else if (const auto size = after("size="))
      out.size = value(option, *size, 10);
    else if (const auto mode = after("mode="))
      out.mode = value(option, *mode, 8, 07777);
    else if (const auto uid = after("uid="))
      out.uid = value(option, *uid, 10, 0xfffffffe);
    else if (const auto gid = after("gid="))
      out.gid = value(option, *gid, 10, 0xfffffffe);
    else if (o == "rbind")
      option.refuse("shows the mounts beneath its source too, and their flags are not decided here");
    else
      option.refuse("is a mount option that agp has no model of");
  }
  return out;
}

std::string canonical(const Section& section) {
  std::string out = section.text();
  if (!model::is_canonical_path(out)) section.refuse("is not an absolute path without `.`, `..` and doubled slashes");
  return out;
}

/// A relative source is a file of the bundle, made by the stack's `prepare` (format.hpp).
Content of_bundle(const Section& source, const std::string& name) {
  if (name == format::dev) return Content::EmptyTree;
  if (name == format::resolv_conf) return Content::Resolver;
  if (name == format::empty_file) return Content::EmptyFile;
  if (name == format::launcher || name == format::ruleset) return Content::Starter;
  if (name == format::denied_directory || name == format::denied_file) return Content::Nothing;
  source.refuse("is a file of the bundle that the stack does not make");
}

const format::Device* device(std::string_view path) {
  const auto at = std::find_if(format::devices.begin(), format::devices.end(),
                               [&](const format::Device& d) { return d.path == path; });
  return at == format::devices.end() ? nullptr : &*at;
}

ContainerMount read_mount(const Section& mount) {
  mount.only({"destination", "type", "source", "options"});
  const Options options = read_options(mount);
  ContainerMount out;
  out.place = mount.at();
  out.target = canonical(mount.need("destination"));
  out.writable = !options.readonly;
  out.exec = !options.noexec;
  out.setuid = !options.nosuid;
  const std::string type = mount.need("type").text();
  if (options.bind) {
    const Section source = mount.need("source");
    const std::string name = source.text();
    if (name.empty() || name[0] != '/') {
      out.content = of_bundle(source, name);
      if (out.content == Content::Starter) out.source = name;
      if (out.content == Content::Nothing && out.writable)
        mount.refuse("shows what nobody may open writable: whoever owns it gives it another mode");
      return out;
    }
    out.source = canonical(source);
    if (options.nodev && device(out.source)) mount.refuse("shows a device with `nodev`, and nobody can open it");
    if (!options.nodev && !device(out.source)) mount.refuse("shows a host directory without `nodev`");
    out.content = options.nodev ? Content::Host : Content::Device;
  } else if (type == "tmpfs") {
    if (!options.nodev) mount.refuse("is a tmpfs without `nodev`");
    out.content = Content::Tmpfs;
    out.size = options.size;
    // mode 01777 and the mounter's ids, unless said otherwise (tmpfs(5))
    out.mode = static_cast<std::uint32_t>(options.mode.value_or(01777));
    out.uid = static_cast<std::uint32_t>(options.uid.value_or(0));
    out.gid = static_cast<std::uint32_t>(options.gid.value_or(0));
  } else if (type == "proc") {
    out.content = Content::Processes;
    out.only_own_processes = options.subset_pid;
  } else {
    mount.refuse("is of a type that agp has no model of: only bind, tmpfs and proc");
  }
  return out;
}

/// Without a bind mount on /dev, runc makes these nodes itself (specconv, createDevices; rootfs_linux.go,
/// needsSetupDev).
void runtime_devices(model::Container& out) {
  const bool own = std::any_of(out.mounts.begin(), out.mounts.end(), [](const ContainerMount& m) {
    return m.target == "/dev" && m.content != Content::Tmpfs && m.content != Content::Processes;
  });
  if (own) return;
  for (const format::Device& d : format::devices) {
    ContainerMount m;
    m.target = d.path;
    m.content = Content::Device;
    m.source = d.path;
    m.writable = m.exec = true;
    m.place = "/mounts (the runtime's own device)";
    out.mounts.push_back(std::move(m));
  }
}

/// A mount beneath `path` that no later one hides.
bool shows_beneath(const model::Container& out, const std::string& path) {
  return std::any_of(out.mounts.begin(), out.mounts.end(), [&](const ContainerMount& m) {
    return m.target != path && model::is_beneath(m.target, path) && model::mount_at(out, m.target) == &m;
  });
}

/// runc passes over an entry where nothing stands (rootfs_linux.go, readonlyPath and maskPath): there it takes nothing
/// away, and a program may make the path later.
bool stands(const Section& entry, const std::string& path, const model::Container& out) {
  if (shows_beneath(out, path)) return true;  // it leads to a mount point
  const ContainerMount* around = model::mount_at(out, path);
  if (!around) return false;
  if (around->target == path || around->content == Content::Processes) return true;
  if (around->content == Content::Nothing) return false;  // an empty directory that stays so
  entry.refuse(
      "is in a mount: whether anything stands there is not known, and the runtime passes over what is missing");
}

std::string entry_path(const Section& entry) {
  std::string out = canonical(entry);
  if (out == "/") entry.refuse("is the root itself, and what a mount over it covers is not decided here");
  return out;
}

void read_only(const Section& entry, model::Container& out) {
  const std::string path = entry_path(entry), place = entry.at();
  const ContainerMount* around = model::mount_at(out, path);
  if (!around || !around->writable || !stands(entry, path, out)) return;
  // the path is bound with all that is mounted beneath, and remounted alone
  if (shows_beneath(out, path)) entry.refuse("has a mount beneath it, which the runtime leaves as it is");
  ContainerMount m = *around;
  if (m.content == Content::Host) m.source += path.substr(m.target.size());
  m.target = path;
  m.writable = false;
  m.place = place;
  out.mounts.push_back(std::move(m));
}

}  // namespace

void read_tree(const Section& config, model::Container& out) {
  const Section root = config.need("root");
  root.only({"path", "readonly"});
  const auto readonly = root.find("readonly");
  out.empty_root = root.need("path").text() == format::root && readonly && readonly->flag();
  if (!out.empty_root) root.refuse("is not the bundle's own empty root, read-only");
  if (const auto mounts = config.find("mounts"))
    for (const Section& m : mounts->list()) out.mounts.push_back(read_mount(m));
  runtime_devices(out);
  const auto linux = config.find("linux");
  if (!linux) return;
  if (const auto paths = linux->find("readonlyPaths"))
    for (const Section& p : paths->list()) read_only(p, out);
  if (const auto paths = linux->find("maskedPaths"))
    for (const Section& p : paths->list()) {
      ContainerMount m;
      m.target = entry_path(p);
      m.content = Content::Nothing;
      m.place = p.at();
      if (stands(p, m.target, out)) out.mounts.push_back(std::move(m));
    }
}

}  // namespace agp::backends::oci
