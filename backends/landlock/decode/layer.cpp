#include "backends/landlock/decode/layer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/linux/landlock.hpp"
#include "compiler/model/path_pattern.hpp"

namespace agp::backends::landlock {
namespace {

namespace ll = linux::landlock;
using model::InodeRights;
namespace inode = model::inode;

constexpr std::pair<std::uint64_t, InodeRights> on_node[] = {
    {ll::fs_read_file, inode::read},        {ll::fs_read_dir, inode::list},     {ll::fs_execute, inode::exec},
    {ll::fs_write_file, inode::open_write}, {ll::fs_truncate, inode::truncate}, {ll::fs_resolve_unix, inode::connect},
    {ll::fs_ioctl_dev, inode::ioctl},
};
constexpr std::pair<std::uint64_t, InodeRights> on_entry[] = {
    {ll::fs_make_reg, inode::make_regular},       {ll::fs_make_dir, inode::make_directory},
    {ll::fs_make_sock, inode::make_socket},       {ll::fs_make_fifo, inode::make_fifo},
    {ll::fs_make_sym, inode::make_symlink},       {ll::fs_make_char, inode::make_device},
    {ll::fs_make_block, inode::make_device},      {ll::fs_remove_file, inode::remove_file},
    {ll::fs_remove_dir, inode::remove_directory},
};

struct Node {
  std::uint64_t rights = 0;
  bool directory = false, file = false;
  std::string place;
};

/// Without `.`, doubled and final slashes, as the kernel walks it. Nothing: not absolute, or with `..`, which names
/// another directory where a link is on the way.
std::optional<std::string> canonical(const std::string& path) {
  if (path.empty() || path[0] != '/' || path.find('\0') != std::string::npos) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < path.size();) {
    const std::size_t end = std::min(path.find('/', i + 1), path.size());
    const std::string name = path.substr(i + 1, end - i - 1);
    if (name == "..") return std::nullopt;
    if (!name.empty() && name != ".") out += "/" + name;
    i = end;
  }
  return out.empty() ? "/" : out;
}

bool ends_as_directory(const std::string& path) { return path.back() == '/' || path.ends_with("/."); }

class Maker {
 public:
  Maker(const Config& config, const std::string& artifact) : config_(config), artifact_(artifact) {}

  Layers run() {
    nodes_["/"].directory = true;
    for (const auto& [text, rule] : config_.paths) {
      const auto paths = expand(text, config_);
      if (!paths) return {nullptr, nullptr, fmt::format("`{}` names a variable without a value", text)};
      for (const std::string& path : *paths)
        if (!add(path, rule)) return {nullptr, nullptr, fmt::format("`{}` is not an absolute path without `..`", path)};
    }
    for (const auto& [path, node] : nodes_)
      if (node.directory && node.file)
        return {nullptr, nullptr,
                fmt::format("`{}` is taken for a directory by one rule and for a file by another", path)};
    return {files(), ports(), ""};
  }

 private:
  bool add(const std::string& written, const Config::Rule& rule) {
    const auto path = canonical(written);
    if (!path) return false;
    Node& node = nodes_[*path];
    node.rights |= rule.rights;
    const bool directory = ends_as_directory(written) || (rule.rights & ~ll::file_rights()) != 0;
    (directory ? node.directory : node.file) = true;
    if (!node.place.empty()) node.place += ", ";
    node.place += rule.place;
    for (std::string up = *path; up != "/";) nodes_[up = model::parent_path(up)].directory = true;
    return true;
  }

  /// `here`: rights on the node; `around`: on the directory that holds it.
  InodeRights granted(std::uint64_t here, std::uint64_t around) const {
    const std::uint64_t free = ~config_.handled_fs;
    InodeRights out = inode::attributes;  // no right decides them
    for (const auto& [bit, right] : on_node)
      if (((here | free) & bit) != 0) out |= right;
    for (const auto& [bit, right] : on_entry)
      if (((around | free) & bit) != 0) out |= right;
    if ((around & ll::fs_refer) != 0) out |= inode::refer;
    if ((out & inode::read) == 0) out &= ~inode::exec;  // execve opens for reading too (do_open_execat, fs/exec.c)
    return out;
  }

  std::shared_ptr<const model::InodeLayer> files() const {
    auto out = std::make_shared<model::InodeLayer>();
    out->artifact = artifact_;
    out->layer = "landlock";
    out->moves = true;
    constexpr InodeRights of_files = inode::read | inode::exec | inode::open_write | inode::truncate;
    for (const auto& [path, node] : nodes_) {
      std::uint64_t around = 0;
      for (std::string up = path; up != "/";)
        if (const Node& n = nodes_.at(up = model::parent_path(up)); n.directory) around |= n.rights;
      const std::uint64_t here = around | node.rights;
      model::InodeCell cell{path, granted(here, around), granted(here, here), 0, 0, node.place};
      cell.absent_at = node.directory ? of_files : inode::list;
      if (!node.directory) cell.absent_beneath = inode::all;
      out->cells.push_back(std::move(cell));
    }
    std::sort(out->cells.begin(), out->cells.end(), [](const auto& a, const auto& b) { return a.base < b.base; });
    return out;
  }

  std::shared_ptr<const model::PortLayer> ports() const {
    auto out = std::make_shared<model::PortLayer>();
    out->artifact = artifact_;
    out->layer = "landlock";
    const auto set = [&](std::uint64_t right, std::optional<model::PortSet>& into) {
      if ((config_.handled_net & right) == 0) return;
      into.emplace();
      for (const auto& [port, rights] : config_.ports)
        if (port != 0 && (rights & right) != 0) *into = *into | model::PortSet::range(port, port);
    };
    set(ll::net_connect_tcp, out->connect_tcp);
    set(ll::net_bind_tcp, out->listen_tcp);
    set(ll::net_connect_send_udp, out->connect_udp);
    set(ll::net_bind_udp, out->listen_udp);
    out->outside_sockets = (config_.scoped & ll::scope_abstract_unix_socket) == 0;
    out->outside_signals = (config_.scoped & ll::scope_signal) == 0;
    return out;
  }

  const Config& config_;
  const std::string& artifact_;
  std::map<std::string, Node> nodes_;
};

}  // namespace

Layers layers_of(const Config& config, const std::string& artifact) { return Maker(config, artifact).run(); }

}  // namespace agp::backends::landlock
