// In: paths of the command line and options. Out: texts in `files`, each within one root after links are resolved,
// named by their path from that root. What can't be read is a finding; nothing is passed over in silence but what
// CLI.md says is not entered.
#include "compiler/project/project.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/project/config.hpp"
#include "compiler/project/exclude.hpp"
#include "compiler/source/disk.hpp"

namespace agp::project {
namespace {

namespace kind = diagnostics::kind;
using source::DiskRead;
using source::FileId;
using source::node_kind;
using source::NodeKind;
using source::read_disk;
using source::reason_of;
using source::resolve;
using source::Resolved;

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string join(const std::string& directory, std::string_view name) {
  return directory + (directory.ends_with('/') ? "" : "/") + std::string(name);
}

bool within(const std::string& root, std::string_view path) {
  if (root == "/") return path.starts_with('/');
  return path == root || (path.size() > root.size() && path.starts_with(root) && path[root.size()] == '/');
}

/// Without `.`, `..` and empty components, by spelling alone. `path` is absolute.
std::string normal(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    if (part == ".." && !parts.empty())
      parts.pop_back();
    else if (!part.empty() && part != "." && part != "..")
      parts.push_back(part);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return "/" + fmt::format("{}", fmt::join(parts, "/"));
}

std::string working_directory() { return resolve(".").path.value_or("/"); }

/// Where a path that need not exist would be, links of its directory resolved.
std::string expected_place(const std::string& path) {
  const Resolved directory = resolve(directory_of(path));
  const std::string base = directory.path ? *directory.path : normal(join(working_directory(), directory_of(path)));
  return join(base, path.substr(path.rfind('/') + 1));
}

std::optional<std::string> marked_ancestor(const std::string& directory) {
  for (const std::string_view marker : {"agp.toml", ".git"})
    for (std::string at = directory;; at = directory_of(at)) {
      if (node_kind(join(at, marker), true) != NodeKind::Missing) return at;
      if (at == "/") break;
    }
  return std::nullopt;
}

/// The directory to look for a root from: of the path itself, as far as it exists.
std::string search_from(const std::string& path, const Options& options) {
  const std::string& named = path == "-" ? options.stdin_name.value_or("") : path;
  if (named.empty()) return working_directory();
  if (const Resolved real = resolve(named); real.path)
    return node_kind(*real.path, true) == NodeKind::Directory ? *real.path : directory_of(*real.path);
  return resolve(directory_of(named)).path.value_or(working_directory());
}

std::string common_directory(std::string a, const std::string& b) {
  while (!within(a, b)) a = directory_of(a);
  return a;
}

}  // namespace

std::optional<Project> Project::open(std::span<const std::string> paths, const Options& options, source::Files& files,
                                     diagnostics::Sink& sink) {
  Project project(files);
  project.options_ = options;
  const std::string first = paths.empty() ? working_directory() : paths.front();
  if (options.root) {
    const Resolved real = resolve(*options.root);
    if (!real.path || node_kind(*real.path, true) != NodeKind::Directory) {
      sink.emit(kind::unreadable_file, {}, fmt::format("the project root `{}` is not a directory", *options.root));
      return std::nullopt;
    }
    project.root_ = *real.path;
  } else {
    const std::string from = search_from(first, options);
    const auto marked = marked_ancestor(from);
    project.root_ = marked.value_or(from);
    if (!marked)
      for (const std::string& path : paths) project.root_ = common_directory(project.root_, search_from(path, options));
  }
  if (!project.configure(sink)) return std::nullopt;
  return project;
}

/// Reads `--config`, else the root's `agp.toml`, and moves the root where it says.
bool Project::configure(diagnostics::Sink& sink) {
  const std::string place = options_.config.value_or(join(root_, "agp.toml"));
  if (options_.no_config || (!options_.config && node_kind(place, true) == NodeKind::Missing)) return true;
  const Resolved real = resolve(place);
  const std::string name = options_.config ? *options_.config : "agp.toml";
  if (!options_.config && real.path && !within(root_, *real.path)) {
    sink.emit(kind::outside_project, {}, "`agp.toml` leads out of the project root");
    return false;
  }
  const DiskRead text =
      real.path ? read_disk(*real.path, 1u << 20) : DiskRead{DiskRead::Outcome::Failed, {}, real.reason};
  if (text.outcome == DiskRead::Outcome::TooLarge)
    sink.emit(kind::file_too_large, {}, fmt::format("`{}` is larger than 1 MiB", name));
  else if (text.outcome == DiskRead::Outcome::Failed)
    sink.emit(kind::unreadable_file, {}, fmt::format("`{}` can't be read: {}", name, text.reason));
  if (text.outcome != DiskRead::Outcome::Read) return false;
  config_.path = name;
  const FileId id = files_->add(name, text.text);
  on_disk_.emplace(id, *real.path);
  if (!read_config(*files_, id, config_, sink)) return false;
  if (options_.root || config_.root == ".") return true;
  const Resolved moved = resolve(join(root_, config_.root));
  if (!moved.path || !within(root_, *moved.path) || node_kind(*moved.path, true) != NodeKind::Directory) {
    sink.emit(kind::invalid_config, {id, 0, 0},
              fmt::format("`root` is not a directory beneath the one of `agp.toml`: `{}`", config_.root));
    return false;
  }
  root_ = *moved.path;
  return true;
}

std::string Project::shown(const std::string& real) const {
  if (real == root_) return ".";
  return real.substr(root_ == "/" ? 1 : root_.size() + 1);
}

std::string Project::disk_path(FileId id) const {
  const auto found = on_disk_.find(id);
  return found == on_disk_.end() ? std::string() : found->second;
}

bool Project::fits(const std::string& name, std::size_t size, source::Span at, diagnostics::Sink& sink) const {
  if (size <= config_.limits.file_bytes) return true;
  sink.emit(kind::file_too_large, at,
            fmt::format("`{}` has {} bytes, and the limit is {}", name, size, config_.limits.file_bytes))
      .helped("raise `file-size` beneath `[limits]` in `agp.toml`");
  return false;
}

std::optional<FileId> Project::add(const std::string& real, source::Span at, diagnostics::Sink& sink) {
  if (const auto known = by_real_path_.find(real); known != by_real_path_.end()) return known->second;
  const std::string name = shown(real);
  DiskRead read = read_disk(real, config_.limits.file_bytes);
  if (read.outcome == DiskRead::Outcome::TooLarge) {
    fits(name, read.size, at, sink);
    return std::nullopt;
  }
  if (read.outcome == DiskRead::Outcome::Failed) {
    sink.emit(kind::unreadable_file, at, fmt::format("`{}` can't be read: {}", name, read.reason));
    return std::nullopt;
  }
  if (const auto other = options_.instead.find(real); other != options_.instead.end()) read.text = other->second;
  const FileId id = files_->add(name, std::move(read.text));
  by_real_path_.emplace(real, id);
  on_disk_.emplace(id, real);
  return id;
}

bool Project::room(std::size_t files, source::Span at, diagnostics::Sink& sink) const {
  if (files <= config_.max_files) return true;
  sink.emit(kind::too_many_files, at, fmt::format("there are more than {} policy files", config_.max_files))
      .helped("raise `files` beneath `[limits]` in `agp.toml`, or name fewer paths");
  return false;
}

std::optional<FileId> Project::use(FileId id, const std::string& spelled, source::Span at, diagnostics::Sink& sink) {
  auto& paths = uses_[id];
  if (paths.empty() && !room(named_ + uses_.size(), at, sink)) {
    uses_.erase(id);
    return std::nullopt;
  }
  paths.insert(shown(spelled));
  return id;
}

std::optional<FileId> Project::again(const std::string& spelled, const std::string& path) {
  const std::string place = join(root_, path);
  const Resolved real = resolve(join(root_, spelled));
  if (!real.path || *real.path != place) return std::nullopt;
  diagnostics::Sink quiet;
  return add(place, {}, quiet);
}

FileId Project::adopt(const std::string& path, std::string text) {
  const std::string place = join(root_, path);
  if (const auto known = by_real_path_.find(place); known != by_real_path_.end()) return known->second;
  const FileId id = files_->add(path, std::move(text));
  by_real_path_.emplace(place, id);
  on_disk_.emplace(id, place);
  return id;
}

std::optional<FileId> Project::read_stdin(diagnostics::Sink& sink) {
  if (stdin_file_) return stdin_file_;
  std::string name = "<stdin>";
  if (options_.stdin_name) {
    const std::string place = expected_place(*options_.stdin_name);
    if (!within(root_, place) || place == root_) {
      sink.emit(kind::outside_project, {}, fmt::format("`{}` is not in the project root", *options_.stdin_name));
      return std::nullopt;
    }
    name = shown(place);
  }
  if (!fits(name, options_.stdin_text.size(), {}, sink)) return std::nullopt;
  stdin_file_ = files_->add(name, options_.stdin_text);
  // A module that uses the file which standard input stands for gets this text, not the one on disk.
  if (options_.stdin_name) by_real_path_.emplace(expected_place(*options_.stdin_name), *stdin_file_);
  return stdin_file_;
}

std::optional<FileId> Project::read(std::string_view path, diagnostics::Sink& sink) {
  if (path == "-") return read_stdin(sink);
  const Resolved real = resolve(std::string(path));
  if (!real.path) {
    sink.emit(kind::unreadable_file, {}, fmt::format("`{}` can't be read: {}", path, real.reason));
    return std::nullopt;
  }
  if (!within(root_, *real.path)) {
    sink.emit(kind::outside_project, {}, fmt::format("`{}` is not in the project root", path))
        .note("the root is the nearest directory above the first path with `agp.toml` or `.git`")
        .helped("run agp once for each project, or name a root with `--project-root DIR`");
    return std::nullopt;
  }
  if (node_kind(*real.path, true) == NodeKind::Directory) {
    sink.emit(kind::unreadable_file, {}, fmt::format("`{}` can't be read: is a directory", path))
        .helped("name a policy file");
    return std::nullopt;
  }
  return add(*real.path, {}, sink);
}

std::vector<FileId> Project::collect(std::span<const std::string> paths, diagnostics::Sink& sink) {
  std::vector<FileId> ids;
  std::set<FileId> seen;
  bool room_left = true;
  const auto take = [&](const auto& get) {
    const std::optional<FileId> id = room_left ? get() : std::nullopt;
    if (!id || seen.contains(*id)) return;
    room_left = room(seen.size() + 1, {}, sink);
    if (!room_left) return;
    seen.insert(*id);
    ids.push_back(*id);
  };
  std::vector<std::string> found;
  if (paths.empty()) walk(root_, found, sink);
  for (const std::string& path : paths) {
    const Resolved real = path == "-" ? Resolved{} : resolve(path);
    if (real.path && within(root_, *real.path) && node_kind(*real.path, true) == NodeKind::Directory)
      walk(*real.path, found, sink);
    else
      take([&] { return read(path, sink); });
  }
  for (const std::string& real : found) take([&] { return add(real, {}, sink); });
  named_ = seen.size();
  std::sort(ids.begin(), ids.end(), [&](FileId a, FileId b) { return files_->get(a).path < files_->get(b).path; });
  return ids;
}

/// Adds the policy files beneath `directory`, which is real and within the root.
void Project::walk(const std::string& directory, std::vector<std::string>& found, diagnostics::Sink& sink) const {
  std::vector<std::string> waiting = {directory};
  while (!waiting.empty()) {
    const std::string at = std::move(waiting.back());
    waiting.pop_back();
    DIR* open = ::opendir(at.c_str());
    if (open == nullptr) {
      sink.emit(kind::unreadable_file, {},
                fmt::format("the directory `{}` can't be read: {}", shown(at), reason_of(errno)));
      continue;
    }
    while (const dirent* entry = ::readdir(open)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      const std::string path = join(at, name);
      const NodeKind node = node_kind(path, false);
      const bool directory_here = node == NodeKind::Directory && !name.starts_with('.');
      const bool policy_here = node == NodeKind::File && name.ends_with(".agp");
      if (!directory_here && !policy_here) continue;
      const std::string relative = shown(path);
      if (std::any_of(config_.exclude.begin(), config_.exclude.end(),
                      [&](const std::string& pattern) { return excluded(pattern, relative); }))
        continue;
      (directory_here ? waiting : found).push_back(path);
      if (found.size() > config_.max_files) waiting.clear();  // `add` reports it
    }
    ::closedir(open);
  }
  std::sort(found.begin(), found.end());
}

std::optional<FileId> Project::load(FileId importer, std::string_view path, source::Span at, diagnostics::Sink& sink) {
  if (!path.starts_with("./") && !path.starts_with("../")) {
    sink.emit(kind::outside_project, at, fmt::format("`{}` is not a path relative to this file", path))
        .helped(path.starts_with('/') ? std::string("write a path that begins with `./` or `../`")
                                      : fmt::format("write `\"./{}\"`", path));
    return std::nullopt;
  }
  const std::string from = directory_of(join(root_, files_->get(importer).path));
  const auto leaves = [&](std::string_view why) {
    sink.emit(kind::outside_project, at, fmt::format("`{}` leads out of the project root{}", path, why));
    return std::nullopt;
  };
  // By spelling first: nothing outside the root is even looked at.
  const std::string spelled = normal(join(from, path));
  if (!within(root_, spelled)) return leaves("");
  const Resolved real = resolve(join(from, path));
  if (real.path && !within(root_, *real.path)) return leaves(" through a symbolic link");
  if (const std::string& place = real.path ? *real.path : spelled; by_real_path_.count(place) != 0)
    return use(by_real_path_.at(place), join(from, path), at, sink);
  if (real.path) {
    const auto id = add(*real.path, at, sink);
    return id ? use(*id, join(from, path), at, sink) : std::nullopt;
  }
  auto& d = sink.emit(kind::unreadable_file, at, fmt::format("`{}` can't be read: {}", path, real.reason));
  if (const std::string near = neighbour(spelled); !near.empty()) d.helped(near);
  return std::nullopt;
}

/// "did you mean `x.agp`", of the policy files beside a path that is not there.
std::string Project::neighbour(const std::string& missing) const {
  std::vector<std::string> names;
  if (DIR* open = ::opendir(directory_of(missing).c_str())) {
    while (const dirent* entry = ::readdir(open))
      if (std::string_view(entry->d_name).ends_with(".agp")) names.emplace_back(entry->d_name);
    ::closedir(open);
  }
  std::sort(names.begin(), names.end());
  const std::vector<std::string_view> views(names.begin(), names.end());
  return diagnostics::did_you_mean(missing.substr(missing.rfind('/') + 1), views);
}

}  // namespace agp::project
