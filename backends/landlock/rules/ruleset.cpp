#include "backends/landlock/rules/ruleset.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "backends/backend.hpp"
#include "compiler/linux/landlock.hpp"

namespace agp::backends::landlock {
namespace {

namespace ll = linux::landlock;
using model::PathPattern;
using model::Verb;
using model::Verbs;

/// More ports than this are not listed one by one: the right is left unhandled, and says so as a gap.
constexpr std::size_t most_ports = 4096;

std::uint64_t rights_for(Verbs verbs) {
  std::uint64_t out = 0;
  if (has(verbs, Verb::Read)) out |= ll::fs_read_file;
  if (has(verbs, Verb::List)) out |= ll::fs_read_dir;
  if (has(verbs, Verb::Exec)) out |= ll::fs_execute;
  if (has(verbs, Verb::Modify)) out |= ll::fs_write_file | ll::fs_truncate;
  if (has(verbs, Verb::Create))  // no device; rename and link between directories need REFER on both sides
    out |= ll::fs_make_dir | ll::fs_make_reg | ll::fs_make_sock | ll::fs_make_fifo | ll::fs_make_sym | ll::fs_refer;
  if (has(verbs, Verb::Delete)) out |= ll::fs_remove_dir | ll::fs_remove_file;
  // ioctl is decided by its number (seccomp); a device that can't be opened can't be reached by it either.
  if (has(verbs, Verb::Read) || has(verbs, Verb::Modify)) out |= ll::fs_ioctl_dev;
  return out;
}

class Builder {
 public:
  Builder(const model::Policy& policy, const model::Target& target) : policy_(policy), target_(target) {}

  Ruleset run() {
    out_.abi = std::clamp(target_.landlock_abi, 1, ll::highest_abi);
    out_.handled_fs = ll::all_rights(ll::Sort::Fs, out_.abi);
    out_.scoped = ll::all_rights(ll::Sort::Scope, out_.abi);
    if (policy_.audits("net")) out_.scoped &= ~ll::scope_abstract_unix_socket;  // it would refuse without a report
    find_directories();
    const std::map<Cause, Verbs> alive = permitted_verbs();
    for (const auto& [cause, verbs] : alive) add_pattern(pattern(cause), verbs, cause);
    for (std::size_t i = 0; i < policy_.rules.size(); ++i)
      if (const auto* body = std::get_if<model::UnixBody>(&policy_.rules[i].body); body && counts(policy_.rules[i]))
        add_sockets(*body, i);
    if (needs_resolver(policy_) && target_.stack == "oci+landlock") {
      Hierarchy& h = at("/etc/resolv.conf", false);
      h.rights |= ll::fs_read_file & out_.handled_fs;
      h.needed = h.causes.empty();
    }
    finish_hierarchies();
    ports();
    return std::move(out_);
  }

 private:
  static bool counts(const model::Rule& rule) { return !rule.expired && rule.effect == model::Effect::Allow; }
  const PathPattern& pattern(const Cause& c) const {
    return std::get<model::FileBody>(policy_.rules[c.rule].body).patterns[c.pattern].pattern;
  }

  /// Paths that are directories for what the policy says about them.
  void find_directories() {
    const auto above = [&](std::string path) {
      while (path != "/") directories_.insert(path = model::parent_path(path));
    };
    directories_.insert("/");
    for (const model::Rule& rule : policy_.rules) {
      if (!counts(rule)) continue;
      const std::vector<model::Placed<PathPattern>>* lists[2] = {nullptr, nullptr};
      Verbs verbs = 0;
      if (const auto* file = std::get_if<model::FileBody>(&rule.body)) lists[0] = &file->patterns, verbs = file->verbs;
      if (const auto* sock = std::get_if<model::UnixBody>(&rule.body)) lists[1] = &sock->paths;
      for (const auto* list : lists)
        for (std::size_t i = 0; list && i < list->size(); ++i) {
          const PathPattern& p = (*list)[i].pattern;
          const std::string base = literal_directory(p);
          above(base);
          // listing one node, and nothing else, is a word about a directory
          const bool lists_only = has(verbs, Verb::List) && !has(verbs, Verb::Read);
          if (p.shape() != PathPattern::Shape::Node || lists_only) directories_.insert(base);
        }
    }
    for (const model::Mount& m : policy_.run.mounts) {
      above(m.target);
      if (!m.source) directories_.insert(m.target);
    }
    if (policy_.run.workdir) directories_.insert(*policy_.run.workdir);
  }

  /// Allow patterns with those of their verbs that some path really gets: what a refusal takes away as a whole needs
  /// no right.
  std::map<Cause, Verbs> permitted_verbs() const {
    std::map<Cause, Verbs> out;
    const Classes classes = classes_of(policy_, {});
    const auto add = [&](const std::vector<Classes::One>& list, Verbs mask) {
      for (const Classes::One& c : list)
        for (const Cause& cause : c.matching) {
          const model::Rule& rule = policy_.rules[cause.rule];
          if (!counts(rule)) continue;
          const Verbs verbs = c.allowed & mask & std::get<model::FileBody>(rule.body).verbs;
          if (verbs != 0) out[cause] |= verbs;
        }
    };
    add(classes.plain, model::verbs_all & ~static_cast<Verbs>(Verb::List));
    add(classes.listing, static_cast<Verbs>(Verb::List));
    if (classes.undecided)  // then with all that they ask for
      for (std::size_t i = 0; i < policy_.rules.size(); ++i)
        if (const auto* body = std::get_if<model::FileBody>(&policy_.rules[i].body); body && counts(policy_.rules[i]))
          for (std::size_t p = 0; p < body->patterns.size(); ++p) out[{i, p}] = body->verbs;
    return out;
  }

  Hierarchy& at(const std::string& path, bool directory) {
    const auto it = std::find_if(out_.hierarchies.begin(), out_.hierarchies.end(),
                                 [&](const Hierarchy& h) { return h.path == path && h.directory == directory; });
    if (it != out_.hierarchies.end()) return *it;
    out_.hierarchies.push_back({path, directory, 0, {}, false});
    return out_.hierarchies.back();
  }

  void add_rights(const std::string& path, bool directory, std::uint64_t rights, const Cause& cause) {
    rights &= out_.handled_fs & (directory ? ~std::uint64_t{0} : ll::file_rights());
    if (rights == 0) return;
    Hierarchy& h = at(path, directory);
    h.rights |= rights;
    if (std::find(h.causes.begin(), h.causes.end(), cause) == h.causes.end()) h.causes.push_back(cause);
  }

  void add_pattern(const PathPattern& p, Verbs verbs, const Cause& cause) {
    const std::string base = literal_directory(p);
    switch (p.shape()) {
      case PathPattern::Shape::Subtree:
        return add_rights(base, true, rights_for(verbs), cause);
      case PathPattern::Shape::Node:
        // One name can't be made or removed without every other beside it; of a directory there is only its list.
        if (directories_.contains(base))
          return add_rights(base, true, rights_for(verbs & static_cast<Verbs>(Verb::List)), cause);
        return add_rights(base, false,
                          rights_for(verbs & ~static_cast<Verbs>(static_cast<Verbs>(Verb::Create) |
                                                                 static_cast<Verbs>(Verb::Delete))),
                          cause);
      case PathPattern::Shape::Other:
        if (base != "/") add_rights(base, true, rights_for(verbs), cause);  // nothing opens the whole root
    }
  }

  void add_sockets(const model::UnixBody& body, std::size_t rule) {
    if (body.direction != model::Direction::Connect) return;
    if (body.abstract) out_.scoped &= ~ll::scope_abstract_unix_socket;
    for (std::size_t i = 0; i < body.paths.size(); ++i) {
      const PathPattern& p = body.paths[i].pattern;
      const std::string base = literal_directory(p);
      const bool directory = p.shape() != PathPattern::Shape::Node;
      if (!directory && directories_.contains(base)) continue;
      if (p.shape() == PathPattern::Shape::Other && base == "/") continue;
      add_rights(base, directory, ll::fs_resolve_unix, {rule, i});
    }
  }

  void finish_hierarchies() {
    std::sort(out_.hierarchies.begin(), out_.hierarchies.end(),
              [](const Hierarchy& a, const Hierarchy& b) { return a.path < b.path; });
    for (Hierarchy& h : out_.hierarchies) std::sort(h.causes.begin(), h.causes.end());
  }

  void ports() {
    for (const model::Rule& rule : policy_.rules) {
      const auto* body = std::get_if<model::NetBody>(&rule.body);
      if (!body || !counts(rule)) continue;
      const bool connect = body->direction == model::Direction::Connect;
      for (const auto& e : body->endpoints) {
        if (has(body->protocols, model::Protocol::Tcp)) add_ports(connect ? out_.connect_tcp : out_.bind_tcp, e);
        if (has(body->protocols, model::Protocol::Udp)) add_ports(connect ? out_.connect_udp : out_.bind_udp, e);
      }
    }
    if (needs_resolver(policy_)) {
      out_.connect_tcp = out_.connect_tcp | model::PortSet::range(53, 53);
      out_.connect_udp = out_.connect_udp | model::PortSet::range(53, 53);
    }
    if (policy_.audits("net")) return;
    handle(ll::net_connect_tcp, out_.connect_tcp);
    handle(ll::net_bind_tcp, out_.bind_tcp);
    handle(ll::net_connect_send_udp, out_.connect_udp);
    handle(ll::net_bind_udp, out_.bind_udp);
  }
  static void add_ports(model::PortSet& set, const model::Placed<model::EndpointPattern>& e) {
    set = set | e.pattern.ports;
  }
  void handle(std::uint64_t right, const model::PortSet& ports) {
    std::size_t count = 0;
    for (const auto& r : ports.ranges()) count += std::size_t{r.last} - r.first + 1;
    if (count <= most_ports) out_.handled_net |= right & ll::all_rights(ll::Sort::Net, out_.abi);
  }

  const model::Policy& policy_;
  const model::Target& target_;
  Ruleset out_;
  std::set<std::string> directories_;
};

}  // namespace

Ruleset make_ruleset(const model::Policy& policy, const model::Target& target) { return Builder(policy, target).run(); }

bool in_stack(std::string_view stack) { return stack == "oci+landlock" || stack == "launcher"; }

}  // namespace agp::backends::landlock
