#include "compiler/driver/rootfs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backends/backend.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/source/root.hpp"

namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;
using model::FileBody;
using model::PathPattern;
using model::Verb;
using model::Verbs;
using source::NodeKind;
using source::Root;

constexpr std::size_t most_nodes = 200'000;
enum Bits : std::uint32_t { Search = 1, Write = 2, Read = 4 };

class Look {
 public:
  Look(Session& session, const model::Policy& policy, const Root& root)
      : session_(session), policy_(policy), root_(root), user_(backends::agent_user(policy)) {
    const auto has = [&](const char* name) {
      return model::decide(policy, model::CapabilityAction{name}).decision == model::Decision::Allow;
    };
    overrides_ = has("CAP_DAC_OVERRIDE");
    searches_ = overrides_ || has("CAP_DAC_READ_SEARCH");
  }

  std::vector<std::string> run() {
    for (const model::Mount& mount : policy_.run.mounts)
      if (mount.source && !root_.look(*mount.source).node)
        lacks(mount.span, fmt::format("the source `{}` of a mount is not there", *mount.source));
    for (std::size_t i = 0; i < policy_.rules.size(); ++i) {
      const model::Rule& rule = policy_.rules[i];
      const auto* body = std::get_if<FileBody>(&rule.body);
      if (!body || rule.expired || rule.effect != model::Effect::Allow) continue;
      for (const auto& p : body->patterns) pattern(rule, *body, p);
    }
    std::vector<std::string> out;
    if (permitted_ && !too_many_) out.emplace_back("A6");
    if (there_) out.emplace_back("A7");
    return out;
  }

 private:
  /// Where a path of the sandbox lies; nothing for what the stack makes itself.
  std::optional<std::string> host_path(const std::string& path) const {
    for (const char* made : {"/proc", "/dev", "/sys"})
      if (path == made || model::is_beneath(path, made)) return std::nullopt;
    const model::Mount* best = nullptr;
    for (const model::Mount& m : policy_.run.mounts)
      if ((path == m.target || model::is_beneath(path, m.target)) && (!best || best->target.size() < m.target.size()))
        best = &m;
    if (best && !best->source) return std::nullopt;
    if (best) return *best->source + (best->target == "/" ? path : path.substr(best->target.size()));
    return policy_.run.rootfs == "/" ? path : policy_.run.rootfs + (path == "/" ? "" : path);
  }

  /// What is beneath it was not looked at: nothing is said to hold.
  void unseen(const std::string& host) {
    permitted_ = there_ = false;
    session_.sink
        .emit(kind::unreadable_file, {}, fmt::format("`{}` of the root file system can't be looked into", host))
        .about(policy_.name);
    session_.undecided = true;
  }

  void lacks(source::Span span, std::string message) {
    there_ = false;
    session_.sink.emit(kind::rootfs_lacks, span, std::move(message)).about(policy_.name);
  }

  /// The deepest directory of a pattern that has no wildcard above or in it.
  static std::string literal_part(const PathPattern& p) {
    std::string out;
    for (const auto& c : p.components) {
      if (c.any_depth || !c.literal()) break;
      out += "/" + c.literal_text();
    }
    return out.empty() ? "/" : out;
  }

  void pattern(const model::Rule& rule, const FileBody& body, const model::Placed<PathPattern>& placed) {
    const bool node = placed.pattern.shape() == PathPattern::Shape::Node;
    const std::string base = literal_part(placed.pattern);
    const auto at = host_path(base);
    if (!at) return;
    const Root::Look found = root_.look(*at);
    if (!found.node && node && (body.verbs & static_cast<Verbs>(Verb::Create)) != 0) {
      // It may be made later: its directory has to be there.
      const std::string parent = model::parent_path(*at);
      if (!root_.look(parent).node)
        return lacks(placed.span, fmt::format("`{}` is not there, where `{}` would be made", parent, base));
    } else if (!found.node) {
      return lacks(placed.span, fmt::format("`{}` is not there: {}", *at, found.reason));
    } else if (!node && found.node->kind != NodeKind::Directory) {
      return lacks(placed.span, fmt::format("`{}` is no directory, and the rule is about what is beneath it", *at));
    }
    refused_ = {};
    if (node)
      check(base, *at, body.verbs);
    else
      walk(base, *at, body.verbs & ~static_cast<Verbs>(Verb::Exec));  // not every file beneath is a program
    if (refused_.count == 0) return;
    permitted_ = false;
    session_.sink
        .emit(kind::rootfs_refuses, placed.span,
              fmt::format("{} of {} paths of this rule are refused to {}:{} by file permissions", refused_.count,
                          refused_.looked, user_.uid, user_.gid))
        .about(policy_.name)
        .witnessed(model::to_string(model::Action{model::FileAction{refused_.verb, refused_.path}}))
        .note(refused_.why)
        .labelled(rule.text);
  }

  void walk(const std::string& path, const std::string& host, Verbs verbs) {
    std::vector<std::pair<std::string, std::string>> open{{path, host}};
    while (!open.empty()) {
      auto [p, h] = std::move(open.back());
      open.pop_back();
      if (++nodes_ > most_nodes) {
        if (!too_many_)
          session_.sink.emit(
              kind::too_many_files, {},
              fmt::format("the root file system has more than {} files that rules are about", most_nodes));
        too_many_ = true;
        return;
      }
      check(p, h, verbs);
      const auto names = root_.names(h);
      if (!names) {
        const auto look = root_.look(h);
        if (look.node && look.node->kind == NodeKind::Directory) unseen(h);
        continue;
      }
      for (const std::string& name : *names) {
        const std::string child = (p == "/" ? "" : p) + "/" + name;
        const std::string child_host = (h == "/" ? "" : h) + "/" + name;
        // A link is a path of its own target; a mount shows something else here.
        const auto mapped = host_path(child);
        if (!mapped || *mapped != child_host || is_link(h, name)) continue;
        open.emplace_back(child, child_host);
      }
    }
  }
  bool is_link(const std::string& directory, const std::string& name) const {
    return root_.is_link((directory == "/" ? "" : directory) + "/" + name);
  }

  /// Every verb of the rule that the policy allows here.
  void check(const std::string& path, const std::string& host, Verbs verbs) {
    const Root::Look found = root_.look(host);
    if (!found.node || found.node->kind == NodeKind::Directory) entries(path, host, verbs);
    if (!found.node) return;
    ++refused_.looked;
    for (const Verb verb : {Verb::Read, Verb::List, Verb::Exec, Verb::Modify}) {
      if ((verbs & static_cast<Verbs>(verb)) == 0) continue;
      const bool directory = found.node->kind == NodeKind::Directory;
      if (verb == Verb::List ? !directory : directory) continue;
      if (model::decide(policy_, model::FileAction{verb, path}).decision != model::Decision::Allow) continue;
      const std::uint32_t wanted = verb == Verb::Exec ? Search : verb == Verb::Modify ? Write : Read;
      std::string why;
      for (const Root::Node& d : found.way)
        if (!may(d, Search)) why = "a directory above it can't be searched";
      if (!may(*found.node, wanted))
        why = fmt::format("its mode gives this user `{}`", bits_text(bits_of(*found.node)));
      if (why.empty()) continue;
      if (refused_.count++ == 0) {
        refused_.path = path;
        refused_.verb = verb;
        refused_.why = why;
      }
      return;
    }
  }

  /// Making and removing need the directory: of one, any name in it; of what is not there yet, the one above.
  void entries(const std::string& path, const std::string& host, Verbs verbs) {
    const Root::Look here = root_.look(host);
    const std::string directory = here.node ? host : model::parent_path(host);
    const std::string entry = here.node ? (path == "/" ? "" : path) + "/agp-other" : path;
    const Root::Look found = here.node ? here : root_.look(directory);
    if (!found.node || found.node->kind != NodeKind::Directory) return;
    for (const Verb verb : {Verb::Create, Verb::Delete}) {
      if ((verbs & static_cast<Verbs>(verb)) == 0) continue;
      if (model::decide(policy_, model::FileAction{verb, entry}).decision != model::Decision::Allow) continue;
      ++refused_.looked;
      bool way = may(*found.node, Write) && may(*found.node, Search);
      for (const Root::Node& d : found.way) way = way && may(d, Search);
      if (way) continue;
      if (refused_.count++ == 0) {
        refused_.path = entry;
        refused_.verb = verb;
        refused_.why = fmt::format("the mode of `{}` gives this user `{}`", directory, bits_text(bits_of(*found.node)));
      }
    }
  }

  bool may(const Root::Node& n, std::uint32_t wanted) const {
    const bool directory = n.kind == NodeKind::Directory;
    if (overrides_ && (wanted != Search || directory || (n.mode & 0111) != 0)) return true;
    if (searches_ && (wanted == Read || (wanted == Search && directory))) return true;
    return (bits_of(n) & wanted) == wanted;
  }
  std::uint32_t bits_of(const Root::Node& n) const {
    return (n.uid == user_.uid ? n.mode >> 6 : n.gid == user_.gid ? n.mode >> 3 : n.mode) & 7;
  }
  static std::string bits_text(std::uint32_t bits) {
    return {(bits & Read) != 0 ? 'r' : '-', (bits & Write) != 0 ? 'w' : '-', (bits & Search) != 0 ? 'x' : '-'};
  }

  Session& session_;
  const model::Policy& policy_;
  const Root& root_;
  const model::User user_;
  bool overrides_ = false, searches_ = false, there_ = true, permitted_ = true, too_many_ = false;
  std::size_t nodes_ = 0;
  struct {
    std::size_t count = 0, looked = 0;
    std::string path, why;
    Verb verb = Verb::Read;
  } refused_;
};

}  // namespace

std::vector<std::string> look_at_rootfs(Session& session, const model::Policy& policy, const std::string& directory) {
  const Root root(directory);
  if (!root.reason().empty()) {
    session.sink.emit(kind::unreadable_file, {},
                      fmt::format("the directory `{}` can't be read: {}", directory, root.reason()));
    session.unusable = true;
    return {};
  }
  return Look(session, policy, root).run();
}

}  // namespace agp::driver
