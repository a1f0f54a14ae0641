#include "compiler/verify/container_tree.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "backends/backend.hpp"
#include "compiler/model/path_classes.hpp"

// Comes in: mounts in their order. Goes out: one cell for each mount point and each directory that leads to one, with
// the rights that the kernel leaves to the first process there (mount(2), open(2), proc(5), user_namespaces(7) aside).
namespace agp::verify {
namespace {

using model::Container;
using model::ContainerMount;
using model::InodeCell;
using model::InodeRights;
using Content = ContainerMount::Content;
namespace inode = model::inode;

/// Rights that only files have, as far as a path that is a directory is concerned.
constexpr InodeRights of_files =
    inode::read | inode::exec | inode::open_write | inode::truncate | inode::connect | inode::ioctl;
constexpr const char* resolver_file = "/etc/resolv.conf";
constexpr InodeRights of_entries = inode::create | inode::remove | inode::refer;

constexpr const char* read_only_text = "an empty file system, read-only";
std::string bound_text(std::optional<std::uint64_t> size) {
  return size ? "an empty file system of " + std::to_string(*size) + " bytes" : "an empty file system without a bound";
}

class Builder {
 public:
  Builder(const model::Policy& policy, const model::Target& target, const Container& container)
      : policy_(policy), target_(target), container_(container), mounts_(container.mounts) {}

  ContainerTree run() {
    out_.layer.artifact = container_.artifact + (container_.by_pointer ? "#/mounts" : "");
    out_.layer.layer = container_.layer;
    out_.layer.mounts = true;
    model::MountIndex earlier;
    for (const ContainerMount& m : container_.mounts) {
      bases_.insert(m.target);
      for (std::string d = m.target; d != "/"; d = model::parent_path(d)) leads_.insert(model::parent_path(d));
      check_source(m);
      const ContainerMount* around = earlier.at(m.target);
      check_point(m, around);
      if (m.content == Content::Tmpfs) covered_[&m] = mode_below(m, around);
      earlier.add(m);
    }
    check_resolver();
    bases_.insert(leads_.begin(), leads_.end());
    bases_.insert("/");
    for (const std::string& base : bases_) {
      const ContainerMount* m = mounts_.at(base);
      InodeCell cell = m ? shown(*m, base) : scaffold();
      cell.base = base;
      if (m) cell.place = m->place;
      replaceable(base, m, cell);
      out_.layer.cells.push_back(std::move(cell));
      if (m && m->content == Content::Processes && m->target == base) own_processes(base, m->place);
    }
    std::sort(out_.layer.cells.begin(), out_.layer.cells.end(), [](const InodeCell& a, const InodeCell& b) {
      return std::lexicographical_compare(a.base.begin(), a.base.end(), b.base.begin(), b.base.end(), component_less);
    });
    const auto same = [](const InodeCell& a, const InodeCell& b) { return a.base == b.base; };
    out_.layer.cells.erase(std::unique(out_.layer.cells.begin(), out_.layer.cells.end(), same), out_.layer.cells.end());
    return std::move(out_);
  }

 private:
  static bool component_less(char a, char b) {
    const auto rank = [](char c) { return c == '/' ? 0 : 1 + static_cast<unsigned char>(c); };
    return rank(a) < rank(b);
  }

  /// A directory of the empty, read-only root that is there only because a mount lies beneath it.
  static InodeCell scaffold() {
    InodeCell c;
    c.at = inode::list;
    c.absent_at = of_files;
    return c;
  }

  InodeCell shown(const ContainerMount& m, const std::string& base) const {
    switch (m.content) {
      case Content::Host:
        if (is_directory(base)) return directory(m, base);
        if (is_socket(base)) return socket(m);
        return is_file(base) ? file(m) : either(file(m), directory(m, base));
      case Content::Tmpfs:
        return directory(m, base);
      case Content::Resolver:
      case Content::EmptyFile:
      case Content::Starter:
        return file(m);
      case Content::Device: {
        InodeCell c = file(m);
        c.at |= inode::read | inode::open_write | inode::truncate | inode::ioctl;  // whatever the mount's flags say
        c.absent_at |= inode::exec | inode::connect;
        return c;
      }
      case Content::EmptyTree: {
        InodeCell c = scaffold();
        if (m.writable) c.beneath = of_entries;
        return c;
      }
      case Content::Processes:
        return processes(m, base);
      case Content::Nothing: {
        InodeCell c;
        if (is_directory(base)) c.absent_at = of_files;  // an empty one, which nobody may list
        return c;
      }
    }
    return {};
  }

  /// Making a device needs CAP_MKNOD, whatever the mount is (mknod(2)).
  InodeRights entries() const {
    const bool devices = container_.capabilities[Container::Bounding].contains("CAP_MKNOD");
    return of_entries | (devices ? inode::make_device : 0);
  }

  /// A6: of the host's files the permissions are not in the artifact. The mode of a tmpfs is: what its owner does not
  /// have there it can give itself, and what the directory below has the runtime may give it.
  InodeCell directory(const ContainerMount& m, const std::string& base) const {
    if (m.content != Content::Tmpfs) return directory(m, base, 7);
    const std::uint32_t bits = permissions(m, m.mode.value_or(01777));
    const std::uint32_t most = m.writable && may_chmod(m) ? 7 : bits | covered(m);
    InodeCell c = directory(m, base, bits);
    if (bits != most) {
      const InodeCell all = directory(m, base, most);
      c.later_at = all.at & ~c.at, c.later_beneath = all.beneath & ~c.beneath;
    }
    return c;
  }
  /// runc before 1.1.8 gives a tmpfs the mode of the directory that it covers, whatever its options say
  /// (libcontainer/rootfs_linux.go, mountToRootfs). What a kubelet mounts covers none.
  std::uint32_t covered(const ContainerMount& m) const {
    if (container_.layer == "kubernetes" || target_.runc > model::KernelVersion{1, 1}) return 0;
    return permissions(m, covered_.at(&m));
  }
  /// The most that the directory has: of the stack, or of runc's making, 0755; no mode where there is none.
  std::uint32_t mode_below(const ContainerMount& m, const ContainerMount* around) const {
    if (around == nullptr) return 0755;
    if (around->content != Content::Tmpfs || around->target == m.target) return 0777;
    for (const ContainerMount& earlier : container_.mounts) {
      if (&earlier == &m) return 0;
      if (model::is_beneath(earlier.target, m.target)) return 0755;
    }
    return 0;
  }
  /// `bits`: what the agent may do with the directory at the mount point, as the three bits of a mode.
  InodeCell directory(const ContainerMount& m, const std::string& base, std::uint32_t bits) const {
    InodeCell c;
    const bool writable = m.writable && (bits & 3) == 3;  // an entry is made or removed by who may write and search
    const bool own_root = m.target == base;
    c.at = (bits & 4 ? inode::list : 0) | (writable ? inode::attributes : 0) | (writable && !own_root ? entries() : 0);
    c.absent_at = of_files;
    c.beneath = inode::read | inode::list | inode::connect | inode::ioctl | (m.exec ? inode::exec : 0) |
                (writable ? inode::modify | entries() : 0);
    if (m.content == Content::Tmpfs) {
      c.beneath &= ~inode::connect;  // nobody outside listens on what was made inside
      if (!m.writable) c.absent_beneath = of_files | inode::list | inode::attributes;  // it stays empty
    }
    if (!(bits & 1)) c.beneath = 0;  // without search permission nothing there can be reached
    return c;
  }

  /// What another directory put in the place of one on the way would give. A mount point can't be renamed; a directory
  /// around it can, where it lies in a writable file system and is no mount point itself, and takes the mount with it
  /// (rename(2), EBUSY): `mv .git x; mkdir -p .git/hooks`.
  void replaceable(const std::string& base, const ContainerMount* shows, InodeCell& out) const {
    for (std::string d = base == "/" ? base : model::parent_path(base); d != "/"; d = model::parent_path(d)) {
      const ContainerMount* m = mounts_.at(d);
      if (m == nullptr || m == shows || m->target == d || !m->writable) continue;
      if (m->content != Content::Host && m->content != Content::Tmpfs) continue;
      const InodeCell other = directory(*m, d);
      const bool now = (other.beneath & inode::remove) != 0;
      if (!now && (other.later_beneath & inode::remove) == 0) continue;
      const InodeRights gives = other.beneath | other.later_beneath;
      if (now) out.at |= other.beneath, out.beneath |= other.beneath;
      out.later_at |= gives & ~out.at, out.later_beneath |= gives & ~out.beneath;
      out.absent_at &= ~gives, out.absent_beneath &= ~gives;
    }
  }

  /// A file or a directory: both rights, and nothing that can't be there.
  static InodeCell either(const InodeCell& a, const InodeCell& b) {
    InodeCell c;
    c.at = a.at | b.at, c.beneath = a.beneath | b.beneath;
    c.absent_at = a.absent_at & b.absent_at, c.absent_beneath = a.absent_beneath & b.absent_beneath;
    return c;
  }

  static InodeCell file(const ContainerMount& m) {
    InodeCell c;
    c.at = inode::read | inode::ioctl | (m.exec ? inode::exec : 0) | (m.writable ? inode::modify : 0);
    if (m.content == Content::Host) c.at |= inode::connect;
    c.absent_at = inode::list;
    c.absent_beneath = of_files | inode::list | inode::attributes;
    return c;
  }

  /// It can't be opened or executed (open(2), ENXIO; execve(2)). That one stands there is looked at before the start.
  static InodeCell socket(const ContainerMount& m) {
    InodeCell c;
    c.at = inode::connect | (m.writable ? inode::attributes : 0);
    c.absent_at = of_files | inode::list;
    c.absent_beneath = of_files | inode::list | inode::attributes;
    return c;
  }

  /// Does the command have it, after execve (capabilities(7))? Root gets what is in the bounding set, with
  /// no_new_privileges no more than it had; another user keeps what is ambient.
  bool has_capability(const char* name) const {
    const auto in = [&](Container::Set set) { return container_.capabilities[set].contains(name); };
    if (container_.uid != 0) return in(Container::Ambient);
    return in(Container::Bounding) && (!container_.no_new_privileges || in(Container::Permitted));
  }
  /// What the agent may do with a tmpfs of this mode: read, write and search, as the three bits of a mode.
  /// One class of bits counts, the first that the agent is of (path_resolution(7)), and a capability beside it.
  std::uint32_t permissions(const ContainerMount& m, std::uint32_t mode) const {
    if (has_capability("CAP_DAC_OVERRIDE")) return 7;
    const std::uint32_t group = m.gid.value_or(0);
    const auto& groups = container_.groups;
    const bool member = group == container_.gid || std::find(groups.begin(), groups.end(), group) != groups.end();
    const std::uint32_t bits = (m.uid.value_or(0) == container_.uid ? mode >> 6 : member ? mode >> 3 : mode) & 7;
    if (!has_capability("CAP_DAC_READ_SEARCH")) return bits;
    return (bits & 3) == 3 ? 7 : 5;  // no part of a check that asks for writing
  }
  /// chmod(2).
  bool may_chmod(const ContainerMount& m) const {
    return m.uid.value_or(0) == container_.uid || has_capability("CAP_FOWNER");
  }

  /// With subset=pid nothing stands there but the directories of processes. A base beneath is one of a mount that this
  /// one hides.
  static InodeCell processes(const ContainerMount& m, const std::string& base) {
    InodeCell c;
    if (!m.only_own_processes) c.beneath = inode::read | inode::list | (m.writable ? inode::modify : 0);
    const bool own_root = m.target == base;
    c.at = own_root ? static_cast<InodeRights>(inode::list) : c.beneath;
    if (own_root) c.absent_at = of_files;
    return c;
  }

  /// /proc/self and /proc/thread-self: the derived grant of the container's own processes, and no rule's business.
  void own_processes(const std::string& base, const std::string& place) {
    for (const char* name : {"/self", "/thread-self"}) {
      InodeCell c;
      c.base = base + name;
      c.absent_at = c.absent_beneath = of_files | inode::list | inode::attributes;
      c.place = place;
      out_.layer.cells.push_back(std::move(c));
    }
  }

  /// Do the rules, the policy's mounts or other mounts speak about something beneath?
  bool is_directory(const std::string& base) const {
    if (base == "/" || leads_.contains(base)) return true;
    for (const model::Rule& rule : policy_.rules) {
      if (rule.expired) continue;
      if (const auto* file = std::get_if<model::FileBody>(&rule.body)) {
        if (names_beneath(file->patterns, base) || names_beneath(file->except, base)) return true;
        if (file->verbs == static_cast<model::Verbs>(model::Verb::List) && names(file->patterns, base)) return true;
      } else if (const auto* socket = std::get_if<model::UnixBody>(&rule.body)) {
        if (names_beneath(socket->paths, base) || names_beneath(socket->except, base)) return true;
      }
    }
    return of_run(base) && permits_beneath(base);
  }
  /// Is it one for which `prepare` makes the mount point of a file? Where no rule and no mount of the policy asks for
  /// it, the runtime makes one for whatever stands in the host.
  bool is_file(const std::string& base) const {
    return of_run(base) || std::any_of(policy_.rules.begin(), policy_.rules.end(), [&](const model::Rule& rule) {
             const auto* file = std::get_if<model::FileBody>(&rule.body);
             return file && !rule.expired && rule.effect == model::Effect::Allow && names(file->patterns, base);
           });
  }
  bool of_run(const std::string& base) const {
    return std::any_of(policy_.run.mounts.begin(), policy_.run.mounts.end(),
                       [&](const model::Mount& m) { return m.target == base; });
  }
  static bool names_beneath(const std::vector<model::Placed<model::PathPattern>>& list, const std::string& base) {
    return std::any_of(list.begin(), list.end(), [&](const auto& p) {
      return p.pattern.shape() != model::PathPattern::Shape::Node && model::literal_directory(p.pattern) == base;
    });
  }
  static bool names(const std::vector<model::Placed<model::PathPattern>>& list, const std::string& base) {
    return std::any_of(list.begin(), list.end(), [&](const auto& p) {
      return p.pattern.shape() == model::PathPattern::Shape::Node && p.pattern.base() == base;
    });
  }
  bool permits(const std::string& path) const {
    using model::Verb;
    for (const Verb v : {Verb::Read, Verb::List, Verb::Exec, Verb::Modify, Verb::Create, Verb::Delete})
      if (model::decide(policy_, model::FileAction{v, path}).decision == model::Decision::Allow) return true;
    return false;
  }
  bool permits_beneath(const std::string& base) const { return permits(base + "/\x01"); }
  /// What the policy lets be connected to and no more.
  bool is_socket(const std::string& base) const {
    const model::Action connects = model::UnixAction{model::Direction::Connect, base};
    if (permits(base) || model::decide(policy_, connects).decision != model::Decision::Allow) return false;
    return std::any_of(policy_.rules.begin(), policy_.rules.end(), [&](const model::Rule& rule) {
      const auto* body = std::get_if<model::UnixBody>(&rule.body);
      return body && !rule.expired && rule.effect == model::Effect::Allow &&
             body->direction == model::Direction::Connect && names(body->paths, base);
    });
  }

  /// A mount needs a mount point: none can be made in a file, nor in the directory without permission bits.
  void check_point(const ContainerMount& m, const ContainerMount* around) {
    if (!around || around->target == m.target || m.content == Content::Nothing) return;  // at the target: it is there
    if (around->content == Content::Nothing || around->content == Content::EmptyFile ||
        around->content == Content::Device || around->content == Content::Resolver)
      out_.misplaced.push_back({m.target, "a mount point", "a file or nothing at " + around->target, m.place});
  }

  /// What the policy says stands at a path: the file system of its innermost `mount`, else of `run.rootfs`.
  void check_source(const ContainerMount& m) {
    if (mounts_.at(m.target) != &m) return;  // a later one hides it
    const model::Mount* of_run = nullptr;
    for (const model::Mount& r : policy_.run.mounts)
      if ((r.target == m.target || model::is_beneath(m.target, r.target)) &&
          (!of_run || r.target.size() > of_run->target.size()))
        of_run = &r;
    const bool from_host = m.content == Content::Host || m.content == Content::Device;
    const std::string& root = of_run ? of_run->source.value_or("") : policy_.run.rootfs;
    const std::string suffix = of_run ? m.target.substr(of_run->target.size()) : m.target;
    const std::string expected = root == "/" ? (suffix.empty() ? "/" : suffix) : root + suffix;
    const bool own_device = m.content == Content::Device && m.source == m.target;
    show(m, of_run, expected);
    if (of_run && !of_run->source) {
      if (from_host && !own_device) out_.misplaced.push_back({m.target, "an empty file system", m.source, m.place});
      if (m.content == Content::Tmpfs && m.writable && m.size != of_run->size_bytes)
        out_.misplaced.push_back({m.target, bound_text(of_run->size_bytes), bound_text(m.size), m.place});
    } else if (m.content == Content::Tmpfs) {
      out_.misplaced.push_back({m.target, expected, "an empty file system", m.place});
    } else if (from_host && m.source != expected && !own_device) {
      out_.misplaced.push_back({m.target, expected, m.source, m.place});
    } else if (of_stack(m) && permits_at_or_beneath(m.target)) {
      out_.misplaced.push_back({m.target, expected, "an empty file or directory of the stack", m.place});
    }
  }
  void show(const ContainerMount& m, const model::Mount* of_run, const std::string& expected) {
    const bool from_host = m.content == Content::Host || m.content == Content::Device;
    ContainerTree::Source out{m.target, m.source, {}};
    if (m.content == Content::Tmpfs) out.observed = m.writable ? bound_text(m.size) : read_only_text;
    if (m.target == resolver_file && resolver_needed()) {
      out.may = {"resolv.conf"};
    } else if (from_host || m.content == Content::Tmpfs) {
      if (of_run && !of_run->source)
        out.may = {bound_text(of_run->size_bytes), read_only_text};
      else
        out.may = {expected};
      if (m.content == Content::Device) out.may.push_back(m.target);
    } else if ((!of_run || of_run->source) && of_stack(m) && permits_at_or_beneath(m.target)) {
      out.may = {expected};
    } else {
      return;
    }
    if (m.content == Content::Resolver) out.observed = "resolv.conf";
    out_.sources.push_back(std::move(out));
  }
  /// One that the stack makes, where it does not belong.
  static bool of_stack(const ContainerMount& m) {
    return (m.content == Content::EmptyTree && m.target != "/dev") || m.content == Content::EmptyFile ||
           (m.content == Content::Resolver && m.target != resolver_file);
  }
  bool permits_at_or_beneath(const std::string& path) const {
    using model::Verb;
    for (const Verb v : {Verb::Read, Verb::Exec, Verb::Modify})
      if (model::decide(policy_, model::FileAction{v, path}).decision == model::Decision::Allow) return true;
    return permits_beneath(path);
  }

  bool resolver_needed() const { return backends::needs_resolver(policy_) && model::makes_network(target_.stack); }
  /// With rules on names programs ask the generated resolver, which this file names (resolv.conf(5)). A stack that
  /// makes no network has none: names are a gap there.
  void check_resolver() {
    if (!resolver_needed()) return;
    const ContainerMount* m = mounts_.at(resolver_file);
    if (!m || m->content != Content::Resolver)
      out_.misplaced.push_back(
          {resolver_file, "the generated file", "another one, or none", m ? m->place : "no mount"});
  }

  const model::Policy& policy_;
  const model::Target& target_;
  const Container& container_;
  model::MountIndex mounts_;
  std::set<std::string> bases_, leads_;
  std::map<const ContainerMount*, std::uint32_t> covered_;  ///< modes of what file systems in memory cover
  ContainerTree out_;
};

}  // namespace

ContainerTree container_tree(const model::Policy& policy, const model::Target& target, const Container& container) {
  return Builder(policy, target, container).run();
}

std::vector<Obligation> verify_sources(const ContainerTree& tree) {
  const auto state = [&](Direction direction, std::string statement, model::Decision decision) -> Obligation {
    Verdict verdict = solver::Proved{"evaluation"};
    if (!tree.misplaced.empty()) {
      const ContainerTree::Misplaced& m = tree.misplaced.front();
      Witness w;
      w.action = model::to_string(model::Action{model::FileAction{model::Verb::Read, m.path}});
      w.decision = decision;
      w.place = m.place;
      w.observed = m.observed + " instead of " + m.expected;
      verdict = solver::Refuted<Witness>{std::move(w)};
    }
    return {tree.layer.artifact + " (sources)",
            tree.layer.layer,
            "",
            direction,
            std::move(statement),
            std::move(verdict),
            "file access"};
  };
  return {state(Direction::Excess, "no mount shows what the policy has elsewhere", model::Decision::Deny),
          state(Direction::Loss, "each mount shows what the policy says stands there", model::Decision::Allow)};
}

}  // namespace agp::verify
