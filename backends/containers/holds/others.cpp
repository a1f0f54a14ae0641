#include <fmt/format.h>

#include <algorithm>

#include "backends/containers/holds/context.hpp"
#include "compiler/model/path_search.hpp"

// Facts about sockets with a path, mounts, capabilities, the environment, limits and the user.
namespace agp::backends::containers {
namespace {

using model::PathPattern;

std::string unix_action(model::Direction direction, const std::optional<std::string>& path) {
  return model::to_string(model::Action{model::UnixAction{direction, path}});
}

/// A mount of a host directory or socket through which a socket of the host can be reached: a read-only mount does not
/// stop connect(2), so only what is not mounted can't be reached.
bool reaches_host(const TreeMount& m) { return m.from == TreeMount::From::Bind && !m.masked; }

/// Some path of `pattern` at which a mount for which `which` holds shows the host's own directory.
template <class Which>
std::optional<std::string> shown_path(const Context& c, const PathPattern& pattern, const Which& which) {
  for (std::size_t i = 0; i < c.tree.mounts.size(); ++i) {
    const TreeMount& m = c.tree.mounts[i];
    if (!which(m)) continue;
    std::vector<std::string> samples{m.target, m.target + "/x"};
    if (pattern.shape() == PathPattern::Shape::Node) samples.push_back(pattern.base());
    if (pattern.shape() == PathPattern::Shape::Subtree)
      samples.push_back((pattern.base() == "/" ? "" : pattern.base()) + "/x");
    for (const std::string& s : samples)
      if (pattern.matches(s) && governing(c.tree, s) == i) return s;
    if (pattern.shape() == PathPattern::Shape::Other && m.directory &&
        model::may_intersect(pattern, model::path_subtree(m.target)))
      return m.target + "/x";
  }
  return std::nullopt;
}

/// The whole pattern is shown by mounts of the host.
bool all_shown(const Context& c, const PathPattern& pattern, bool writable) {
  if (pattern.shape() == PathPattern::Shape::Other) return false;
  const std::string sample = pattern.base() + (pattern.shape() == PathPattern::Shape::Subtree ? "/x" : "");
  const std::size_t i = governing(c.tree, sample);
  if (i == Cause::none || !reaches_host(c.tree.mounts[i]) || (writable && !c.tree.mounts[i].writable)) return false;
  if (writable && c.tree.mounts[i].target == sample) return false;  // a mount point can't be created
  return std::none_of(c.tree.mounts.begin(), c.tree.mounts.end(), [&](const TreeMount& m) {
    return !reaches_host(m) && model::may_intersect(pattern, model::path_node(m.target));
  });
}

Capability hold_allowed_socket(const Context& c, const model::Fact& fact, const PathPattern& pattern,
                               model::Direction direction) {
  const bool listen = direction == model::Direction::Listen;
  if (!all_shown(c, pattern, listen)) {
    const std::string path = pattern.shape() == PathPattern::Shape::Other ? "" : pattern.base();
    const std::string sample = pattern.shape() == PathPattern::Shape::Subtree ? path + "/x" : path;
    return {Holds::Narrower,
            listen ? "only a writable directory of the host's lets a process outside reach the socket"
                   : "no file or directory of the host's is mounted there",
            path.empty() ? fact.text : unix_action(direction, sample), ""};
  }
  // A directory is mounted for its sockets: its other files can be read.
  const Difference d =
      c.mounts.first(c.mounts.granted_by({fact.rule, fact.pattern, Cause::none}), Mounts::Ask::SocketExcess);
  if (d.action || d.undecided)
    return {Holds::Wider, "a mount that shows sockets shows every other file beside them",
            d.action ? action_text(*d.action) : fact.text, "name the sockets one by one"};
  return {Holds::Exact, "", "", ""};
}

Capability hold_limit(const model::Fact& fact) {
  if (fact.name == "time") return {Holds::Elsewhere, "", "", ""};
  return {Holds::Exact, "", "", ""};
}

struct Power {
  const char* capability;
  const char* call;
  const char* reason;
};
/// Capabilities with which the mounts can be undone or passed by (capabilities(7), open_by_handle_at(2)).
constexpr Power powers[] = {
    {"CAP_SYS_ADMIN", "mount", "it can mount over and remount what the mounts protect"},
    {"CAP_SYS_ADMIN", "umount2", "it can unmount what the mounts protect"},
    {"CAP_SYS_ADMIN", "move_mount", "it can move the mounts"},
    {"CAP_SYS_ADMIN", "mount_setattr", "it can make a read-only mount writable"},
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at", "it can open every file of a mounted file system by its handle"},
    {"CAP_SYS_MODULE", "finit_module", "it can load code into the kernel"},
    {"CAP_SYS_MODULE", "init_module", "it can load code into the kernel"},
    {"CAP_SYS_RAWIO", "iopl", "it can reach the machine's ports"},
    {"CAP_BPF", "bpf", "it can load programs into the kernel"},
};

Capability hold_capability(const Context& c, const model::Fact& fact) {
  const std::string& name = std::get<model::CapabilityBody>(c.policy.rules[fact.rule].body).names[fact.pattern].pattern;
  const model::Decision decision = model::decide(c.policy, model::CapabilityAction{name}).decision;
  if (decision == model::Decision::Ask && c.policy.rules[fact.rule].effect == model::Effect::Ask)
    return {Holds::Narrower, "nothing can put the question when a capability is used, so it is refused",
            model::to_string(model::Action{model::CapabilityAction{name}}), ""};
  if (decision != model::Decision::Allow) return {Holds::Exact, "", "", ""};
  if (!c.runtime.ambient && agent_user(c.policy).uid != 0)
    return {Holds::Narrower,
            fmt::format("{} gives no ambient capabilities, and without them only root keeps one", c.runtime.program),
            model::to_string(model::Action{model::CapabilityAction{name}}), ""};
  for (const Power& p : powers)
    if (name == p.capability && may_call(c.policy, p.call))
      return {Holds::Wider, fmt::format("with `{}`, {}", p.call, p.reason),
              action_text({model::Verb::Modify, "/etc/passwd"}), fmt::format("syscall {{ deny {} }}", p.call)};
  return {Holds::Exact, "", "", ""};
}

Capability hold_env(const Context& c, const model::Fact& fact) {
  if (c.policy.rules[fact.rule].effect != model::Effect::Ask) return {Holds::Exact, "", "", ""};
  const std::string& name = std::get<model::TextBody>(c.policy.rules[fact.rule].body).patterns[fact.pattern].pattern;
  return {Holds::Narrower, "nothing can put the question when a variable is read, so it is not set",
          model::to_string(model::Action{model::EnvAction{name}}), ""};
}

}  // namespace

Capability hold_unix(const Context& c, const model::Fact& fact) {
  const model::Rule& rule = c.policy.rules[fact.rule];
  const auto& body = std::get<model::UnixBody>(rule.body);
  if (fact.pattern >= body.paths.size()) {  // @abstract: such sockets belong to the network namespace (unix(7))
    if (rule.effect == model::Effect::Deny) return {Holds::Exact, "", "", ""};
    return {Holds::Narrower, "abstract sockets of the host are in another network namespace",
            unix_action(body.direction, std::nullopt), ""};
  }
  const PathPattern& pattern = body.paths[fact.pattern].pattern;
  if (rule.effect == model::Effect::Allow) return hold_allowed_socket(c, fact, pattern, body.direction);
  const bool listen = body.direction == model::Direction::Listen;
  const auto slips = shown_path(
      c, pattern, [&](const TreeMount& m) { return reaches_host(m) && (!listen || (m.writable && m.directory)); });
  if (slips)
    return {Holds::Wider,
            listen ? "a socket can be made wherever a directory of the host's may be written in"
                   : "a mount does not stop connecting to a socket that it shows",
            unix_action(body.direction, *slips),
            listen ? fmt::format("file {{ deny create {} }}", quoted(*slips)) : ""};
  if (rule.effect == model::Effect::Ask)
    return {Holds::Narrower, "nothing can put the question when a socket is used, so it is refused",
            unix_action(body.direction, pattern.shape() == PathPattern::Shape::Other ? "/x" : pattern.base()), ""};
  return {Holds::Exact, "", "", ""};
}

Capability hold_mount(const Context& c, const model::Fact& fact) {
  const model::Mount& mount = c.policy.run.mounts[fact.mount];
  if (mount.target == "/" || mount.target == "/dev" || mount.target == "/proc" ||
      model::is_beneath(mount.target, "/proc"))
    return {Holds::Narrower, fmt::format("the container's {} is its own", mount.target == "/" ? "root" : mount.target),
            action_text({model::Verb::List, mount.target}), ""};
  if (!c.shown_mounts[fact.mount])
    return {Holds::Narrower, "no rule permits anything in it, so it is not mounted",
            action_text({model::Verb::List, mount.target}),
            fmt::format("file {{ allow read {} }}", quoted(mount.target + "/**"))};
  const Difference lost = lost_by(c, {Cause::none, 0, fact.mount});
  if (lost.undecided)
    return {Holds::Narrower, "it could not be decided what the mount takes away",
            action_text({model::Verb::Delete, mount.target}), ""};
  if (lost.action)
    return {Holds::Narrower, "it and every directory between are mount points, which can't be renamed or removed",
            action_text(*lost.action), ""};
  return {Holds::Exact, "", "", ""};
}

Capability hold_other(const Context& c, const model::Fact& fact) {
  using Kind = model::Fact::Kind;
  if (fact.kind == Kind::Limit) return hold_limit(fact);
  if (fact.kind == Kind::User) return {Holds::Exact, "", "", ""};
  if (fact.kind == Kind::Mode && fact.name == "file")
    return {Holds::Narrower, "what no rule permits is not mounted, or read-only: a mount can't permit and report",
            action_text({model::Verb::Read, "/etc/passwd"}), "`mode audit for net, syscall`"};
  if (fact.kind != Kind::Pattern) return {};
  const model::RuleBody& body = c.policy.rules[fact.rule].body;
  if (std::holds_alternative<model::CapabilityBody>(body)) return hold_capability(c, fact);
  if (const auto* text = std::get_if<model::TextBody>(&body); text && text->sort == model::TextBody::Sort::Env)
    return hold_env(c, fact);
  return {};
}

}  // namespace agp::backends::containers
