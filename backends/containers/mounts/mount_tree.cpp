#include "backends/containers/mounts/mount_tree.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>

#include "backends/backend.hpp"
#include "backends/containers/format.hpp"
#include "backends/containers/mounts/shaped_rules.hpp"
#include "backends/containers/mounts/widening.hpp"

namespace agp::backends::containers {
namespace {

using model::Verb;
using model::Verbs;

/// What a mount can be: shown or not, writable as a whole or not, executable as a whole or not.
struct Flags {
  bool shown = false, writable = false, exec = false;
  friend bool operator==(const Flags&, const Flags&) = default;
};

/// The least mount that gives what is permitted, and none of what a rule refuses: then it gives less.
Flags for_directory(Verbs permitted, Verbs refused) {
  const bool shown = permitted != 0 && (refused & model::verbs_read) == 0;
  return {shown, shown && (permitted & model::verbs_write) != 0 && (refused & model::verbs_write) == 0,
          shown && model::has(permitted, Verb::Exec)};
}
/// A file is a mount point of its own and can't be created or removed, so those verbs alone show nothing.
Flags for_file(Verbs permitted, Verbs refused) {
  const bool modify = model::has(permitted, Verb::Modify), exec = model::has(permitted, Verb::Exec);
  const bool shown = (modify || exec || model::has(permitted, Verb::Read)) && !model::has(refused, Verb::Read);
  return {shown, shown && modify, shown && exec};
}

struct Anchor {
  bool subtree = false, node = false;
  std::size_t run_mount = Cause::none;
};

const format::Device* find_device(std::string_view path) {
  for (const format::Device& d : format::devices)
    if (d.path == path) return &d;
  return nullptr;
}

std::string beneath(const std::string& directory) { return (directory == "/" ? "" : directory) + "/\x01"; }

class Builder {
 public:
  Builder(const model::Policy& policy, const std::vector<Cause>& widened) : policy_(policy), rules_(policy, widened) {}

  MountTree run() {
    collect();
    tree_.resolver = has_name_rule(policy_);
    if (tree_.resolver) anchors_["/etc/resolv.conf"].node = true;
    for (const char* path : {"/dev", "/dev/null", "/proc"}) anchors_[path].node = true;
    for (auto at = anchors_.begin(); at != anchors_.end(); ++at) {
      const auto next = std::next(at);
      place(at->first, at->second, next != anchors_.end() && model::is_beneath(next->first, at->first));
    }
    for (TreeMount& m : tree_.mounts) m.around = around(m.target);
    return std::move(tree_);
  }

 private:
  void collect() {
    for (const Area& a : rules_.areas()) {
      Anchor& anchor = anchors_[a.base];
      (a.subtree ? anchor.subtree : anchor.node) = true;
    }
    for (std::size_t i = 0; i < policy_.run.mounts.size(); ++i) anchors_[policy_.run.mounts[i].target].run_mount = i;
  }

  /// The mount that `path`, which is not "/", lies in.
  std::size_t around(const std::string& path) const { return governing(tree_, PathIndex::up(path)); }

  /// What the runtime or a layer needs: true when `path` is one of those and is done with.
  bool place_needed(const std::string& path) {
    TreeMount m;
    m.target = path;
    m.needed = true;
    m.grants = rules_.at(path).allowing();
    if (path == "/proc") {
      m.from = TreeMount::From::Proc;
      m.directory = true;
    } else if (path == "/dev") {
      m.from = TreeMount::From::Bundle;
      m.source = format::dev;
      m.directory = true;
    } else if (path == "/dev/null") {
      m.from = TreeMount::From::Device;
      m.source = path;
    } else if (path == "/etc/resolv.conf" && tree_.resolver) {
      m.from = TreeMount::From::Bundle;
      m.source = format::resolv_conf;
    } else {
      return model::is_beneath(path, "/proc");
    }
    add(std::move(m));
    return true;
  }

  void place(const std::string& path, const Anchor& anchor, bool holds_others) {
    if (path == "/" || place_needed(path)) return;
    const std::size_t outer = around(path);
    const Flags inherited = outer == Cause::none || tree_.mounts[outer].masked || !shows_host_or_tmpfs(outer)
                                ? Flags{}
                                : Flags{true, tree_.mounts[outer].writable, tree_.mounts[outer].exec};
    const RulesAt inside = rules_.at(beneath(path)), itself = rules_.at(path);
    const Verbs in = inside.permitted(), at = itself.permitted();
    const bool list_only = !anchor.subtree && at == static_cast<Verbs>(Verb::List);
    const bool directory = anchor.subtree || holds_others || list_only || (anchor.run_mount != Cause::none && in != 0);
    const RulesAt& rules = directory && !list_only ? inside : itself;
    Flags want = directory ? for_directory(list_only ? at : in, rules.refused()) : for_file(at, rules.refused());
    if (list_only && holds_others) return;  // a directory that leads to a mount can be listed anyway
    const bool socket = !directory && !want.shown && itself.connects();
    if (rules.connects()) want.shown = true;
    if (const model::Mount* mount = source_mount(path); mount && !mount->writable) want.writable = false;
    const bool host = outer != Cause::none && tree_.mounts[outer].from == TreeMount::From::Bind;
    if (rules.connect_denied() && inherited.shown && host) want = {};  // only the host has sockets already

    const bool fixed = !directory && want.writable && inherited.writable &&
                       (at & model::verbs_write) != model::verbs_write;  // may be written, not removed
    const bool own_source = anchor.run_mount != Cause::none && want.shown;
    if (!own_source && !fixed && (want == inherited || (!want.shown && !inherited.shown))) return;

    TreeMount m;
    m.target = path;
    m.directory = directory;
    m.writable = want.writable;
    m.exec = want.exec;
    m.socket = socket;
    m.narrows =
        inherited.shown && (!want.shown || want.writable < inherited.writable || want.exec < inherited.exec || fixed);
    if (!find_content(m, want.shown)) return;
    m.grants = want.shown ? rules.allowing() : std::vector<Cause>{};
    if (inherited.shown) {
      m.causes = rules.refusing(static_cast<Verbs>(model::verbs_all & ~(directory ? in : at)));
      if (want.shown && (want.writable > inherited.writable || want.exec > inherited.exec))
        m.causes.insert(m.causes.end(), m.grants.begin(), m.grants.end());
      if (own_source) m.causes.push_back({Cause::none, 0, anchor.run_mount});
    }
    m.refused = std::any_of(m.causes.begin(), m.causes.end(), [&](const Cause& c) {
      return c.rule != Cause::none && policy_.rules[c.rule].effect != model::Effect::Allow;
    });
    pin(outer, m);
    add(std::move(m));
  }

  bool shows_host_or_tmpfs(std::size_t i) const {
    const auto from = tree_.mounts[i].from;
    return from == TreeMount::From::Bind || from == TreeMount::From::Tmpfs;
  }

  /// The mount of `run` that a path lies in.
  const model::Mount* source_mount(const std::string& path) const {
    const std::size_t i = run_mount_of(policy_, path);
    return i == Cause::none ? nullptr : &policy_.run.mounts[i];
  }

  /// Where what stands at `m.target` comes from. False: there is nothing that could be mounted.
  bool find_content(TreeMount& m, bool shown) const {
    if (!shown) {
      m.masked = true;
      m.from = TreeMount::From::Denied;
      return true;
    }
    const model::Mount* mount = source_mount(m.target);
    if (mount && !mount->source) {
      m.from = m.directory ? TreeMount::From::Tmpfs : TreeMount::From::Empty;
      m.size = mount->size_bytes;
      return m.directory || (m.narrows && !m.writable);  // no file exists in an empty file system
    }
    if (!mount && find_device(m.target)) {
      m.from = TreeMount::From::Device;
      m.source = m.target;
      return true;
    }
    const std::string& source = mount ? *mount->source : policy_.run.rootfs;
    const std::string suffix = mount ? m.target.substr(mount->target.size()) : m.target;
    m.from = TreeMount::From::Bind;
    m.source = source == "/" ? suffix : source + suffix;
    if (m.source.empty()) m.source = "/";
    return true;
  }

  /// Every directory between a writable mount and `m` becomes a mount point of its own: a mount point can't be renamed
  /// or removed (EBUSY), so nothing else can be put in its place.
  void pin(std::size_t outer, const TreeMount& m) {
    if (outer == Cause::none || !tree_.mounts[outer].writable) return;
    std::vector<std::string> between;
    for (std::string d = model::parent_path(m.target); d != tree_.mounts[outer].target; d = model::parent_path(d))
      between.push_back(d);
    for (std::size_t i = outer; i != Cause::none; i = around(tree_.mounts[i].target))  // pins made for a sibling
      if (tree_.mounts[i].pinned)
        tree_.mounts[i].causes.insert(tree_.mounts[i].causes.end(), m.causes.begin(), m.causes.end());
    for (auto d = between.rbegin(); d != between.rend(); ++d) {
      TreeMount p;
      p.target = *d;
      p.directory = true;
      p.pinned = true;
      p.writable = tree_.mounts[outer].writable;
      p.exec = tree_.mounts[outer].exec;
      find_content(p, true);
      p.grants = rules_.at(beneath(*d)).allowing();
      p.causes = m.causes;
      add(std::move(p));
    }
  }

  void add(TreeMount m) {
    const std::size_t outer = around(m.target);
    m.in_writable = outer != Cause::none && tree_.mounts[outer].writable;
    const auto at =
        std::upper_bound(tree_.mounts.begin(), tree_.mounts.end(), m.target,
                         [](const std::string& path, const TreeMount& o) { return path_less(path, o.target); });
    tree_.mounts.insert(at, std::move(m));
  }

  const model::Policy& policy_;
  ShapedRules rules_;
  std::map<std::string, Anchor, PathOrder> anchors_;
  MountTree tree_;
};

}  // namespace

MountTree mount_tree(const model::Policy& policy) {
  MountTree tree = Builder(policy, {}).run();
  const std::vector<Cause> widened = to_widen(policy, tree);
  return widened.empty() ? tree : Builder(policy, widened).run();
}

bool answered_by_causes(const TreeMount& m, bool at_root) {
  return (at_root && m.in_writable && !m.causes.empty()) || (m.narrows && m.refused);
}

bool path_less(std::string_view a, std::string_view b) {
  // sorting and searching paths with long common heads is what large policies spend their time on: words, then bytes
  const std::size_t size = std::min(a.size(), b.size());
  std::size_t i = 0;
  for (std::uint64_t x = 0, y = 0; i + sizeof x <= size; i += sizeof x) {
    std::memcpy(&x, a.data() + i, sizeof x);
    std::memcpy(&y, b.data() + i, sizeof y);
    if (x != y) break;
  }
  while (i < size && a[i] == b[i]) ++i;
  if (i == size) return a.size() < b.size();
  return b[i] != '/' && (a[i] == '/' || static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]));
}

namespace {

/// The first mount that stands at `path` or behind it, in path order.
std::size_t first_at(const MountTree& tree, std::string_view path) {
  const auto at = std::partition_point(tree.mounts.begin(), tree.mounts.end(),
                                       [&](const TreeMount& m) { return path_less(m.target, path); });
  return static_cast<std::size_t>(at - tree.mounts.begin());
}

}  // namespace

std::size_t governing(const MountTree& tree, std::string_view path) {
  for (std::string_view at = path;; at = PathIndex::up(at)) {
    const std::size_t i = first_at(tree, at);
    if (i < tree.mounts.size() && tree.mounts[i].target == at) return i;
    if (at.size() <= 1) return Cause::none;
  }
}

bool is_scaffold(const MountTree& tree, std::string_view path) {
  if (governing(tree, path) != Cause::none) return false;
  const std::size_t next = first_at(tree, path);  // what lies beneath a directory stands right behind it
  return next < tree.mounts.size() && model::is_beneath(tree.mounts[next].target, path);
}

Grant granted(const TreeMount& m, bool at_root, Verb verb) {
  const auto yes_if = [](bool b) { return b ? Grant::Yes : Grant::No; };
  const bool device = m.from == TreeMount::From::Device;
  if (m.from == TreeMount::From::Proc && !at_root) return Grant::Any;  // its few files are known: holds/files.cpp
  if (at_root && (verb == Verb::Create || verb == Verb::Delete)) return Grant::No;
  if (m.directory && at_root && (verb == Verb::Read || verb == Verb::Exec)) return Grant::Any;
  if (m.masked || (!at_root && (!m.directory || m.from == TreeMount::From::Bundle))) return Grant::No;
  switch (verb) {
    case Verb::Read:
      return m.socket ? Grant::Any : Grant::Yes;
    case Verb::List:
      return m.directory ? Grant::Yes : Grant::Any;
    case Verb::Exec:
      return yes_if(m.exec);
    case Verb::Modify:
      return yes_if(m.writable || device);  // a read-only mount does not protect a device (open(2))
    case Verb::Create:
    case Verb::Delete:
      return yes_if(m.writable);
  }
  return Grant::No;
}

std::size_t run_mount_of(const model::Policy& policy, std::string_view path) {
  std::size_t found = Cause::none;
  const auto& mounts = policy.run.mounts;
  for (std::size_t i = 0; i < mounts.size(); ++i)
    if ((mounts[i].target == path || model::is_beneath(path, mounts[i].target)) &&
        (found == Cause::none || mounts[i].target.size() > mounts[found].target.size()))
      found = i;
  return found;
}

bool has_name_rule(const model::Policy& policy) {
  for (const model::Rule& rule : policy.rules) {
    const auto* net = std::get_if<model::NetBody>(&rule.body);
    if (rule.expired || rule.effect != model::Effect::Allow || !net || net->direction != model::Direction::Connect)
      continue;
    for (const auto& e : net->endpoints)
      if (e.pattern.name) return true;
  }
  return false;
}

model::User run_user(const model::Policy& policy) { return agent_user(policy); }

}  // namespace agp::backends::containers
