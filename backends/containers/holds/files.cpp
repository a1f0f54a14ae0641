#include <fmt/format.h>

#include <algorithm>

#include "backends/containers/format.hpp"
#include "backends/containers/holds/context.hpp"

// File facts. For an allow: what its own mounts give beyond the rules (excess), and what it permits that they don't
// give (loss). For a deny: what slips past it, and what its mounts take away beside it. Each question is put to the
// comparison.
namespace agp::backends::containers {
namespace {

using model::Decision;
using model::PathPattern;
using model::Verb;
using model::Verbs;

const model::FileBody& body_of(const Context& c, const model::Fact& f) {
  return std::get<model::FileBody>(c.policy.rules[f.rule].body);
}
const PathPattern& pattern_of(const Context& c, const model::Fact& f) {
  return body_of(c, f).patterns[f.pattern].pattern;
}

Cause cause_of(const model::Fact& f) { return {f.rule, f.pattern, Cause::none}; }

Capability undecided(const model::Fact& f) {
  return {Holds::Wider, "so many patterns overlap here that it could not be decided what the mounts permit", f.text,
          "name directories instead of names with wildcards"};
}

/// What a mount of `m` gives, as a rule would say it.
std::string rule_for(const TreeMount& m) {
  Verbs verbs = model::verbs_read;
  if (m.writable) verbs |= m.directory ? model::verbs_write : static_cast<Verbs>(Verb::Modify);
  if (m.exec) verbs |= static_cast<Verbs>(Verb::Exec);
  std::string path = quoted(m.target);
  if (m.directory) path.insert(path.size() - 1, "/**");
  return fmt::format("allow {} {}", model::verbs_text(verbs), path);
}

/// What `f` permits and no mount gives; what its own exceptions take away. Other losses are answered by their causes.
Difference lost_by_allow(const Context& c, const model::Fact& f) {
  const Difference lost = lost_by(c, cause_of(f));
  if (lost.action || lost.undecided) return lost;
  const Question lost_here = [&](const Point& p) {
    if (p.decision != Decision::Allow || p.grant != Grant::No || !p.matches(f.rule)) return false;
    return p.mount == Cause::none || !answered_by_causes(c.tree.mounts[p.mount], p.at_root);
  };
  return c.comparison.find(pattern_of(c, f), body_of(c, f).verbs, lost_here, {false, Cause::none, Grant::No});
}

/// What the mounts of `f` give although no rule permits it. What a rule refuses is that rule's excess; changing the
/// mode of a directory one may write in is a derived grant.
Difference excess_of_allow(const Context& c, const model::Fact& f) {
  std::vector<std::size_t> own = c.mounts.granted_by(cause_of(f));
  std::erase_if(own, [&](std::size_t mount) { return c.tree.mounts[mount].needed; });
  return c.mounts.first(own, Mounts::Ask::Excess);
}

std::string why_lost(const Context& c, const model::Fact& f, const model::FileAction& lost) {
  const PathPattern& pattern = pattern_of(c, f);
  const auto refusals = c.rules.at(lost.path).refusing(model::verbs_all);
  const std::size_t i = governing(c.tree, lost.path);
  const std::size_t own = run_mount_of(c.policy, lost.path);
  if (own != Cause::none && !c.policy.run.mounts[own].writable &&
      (static_cast<Verbs>(lost.verb) & model::verbs_write) != 0)
    return fmt::format("the mount at {} is read-only", quoted(c.policy.run.mounts[own].target));
  if (i != Cause::none && c.tree.mounts[i].target == lost.path)
    return "a mount point can be written, but not created, renamed or removed";
  if (i != Cause::none && c.tree.mounts[i].from == TreeMount::From::Bundle)
    return "/dev is the container's own and holds only the devices named one by one";
  if (own != Cause::none && !c.policy.run.mounts[own].source)
    return "an empty file system has no file that could be mounted";
  for (const Cause& r : refusals)
    if (c.policy.rules[r.rule].effect != model::Effect::Allow)
      return fmt::format("a mount that holds `deny {}` refuses this too",
                         std::get_if<model::FileBody>(&c.policy.rules[r.rule].body)
                             ? std::get<model::FileBody>(c.policy.rules[r.rule].body).patterns[r.pattern].text
                             : "connect unix");
  if (pattern.shape() == PathPattern::Shape::Other)
    return "no directory stands before the wildcard that could be mounted";
  if (pattern.base() == "/") return "the container's root is empty: only directories that a rule names are mounted";
  return "only a file or directory that exists can be mounted, so this can't be created or removed";
}

std::string help_for_loss(const Context& c, const model::Fact& f, const model::FileAction& lost) {
  const PathPattern& pattern = pattern_of(c, f);
  if (pattern.shape() != PathPattern::Shape::Node || (static_cast<Verbs>(lost.verb) & model::verbs_write) == 0)
    return pattern.shape() == PathPattern::Shape::Node ? "" : "name the directories: `allow read \"/usr/lib/**\"`";
  if (lost.verb == Verb::Modify) return "";
  const std::string path = quoted(pattern.base());
  const std::string directory = model::parent_path(pattern.base());
  if ((body_of(c, f).verbs & static_cast<Verbs>(Verb::Modify)) != 0)
    return fmt::format("to write to the existing file: `allow read, modify {}`", path);
  return directory == "/" ? "" : fmt::format("permit the directory: `allow read, write {}`", quoted(directory + "/**"));
}

/// A program that may be executed nowhere can still be run from memory: memfd_create(2), then execve of
/// /proc/self/fd/N or execveat with AT_EMPTY_PATH. Its file lies on no mount of the tree.
std::optional<Capability> runs_from_memory(const Context& c, const model::Fact& f) {
  if (!model::has(body_of(c, f).verbs, Verb::Exec) || !c.memory_files) return std::nullopt;
  std::string from = "/x";
  for (const TreeMount& m : c.tree.mounts)
    if (m.directory && !m.exec && !m.needed && !m.masked) from = m.target + "/x";
  return Capability{Holds::Wider,
                    "`noexec` does not reach a program copied to memory, and the rules permit `memfd_create`",
                    action_text({Verb::Exec, from}), "syscall { deny memfd_create }"};
}

/// /proc holds no file of the rules but the container's own: see holds/derived.cpp. True for a path of one process.
bool is_process_path(const std::string& path) {
  if (path == "/proc" || !model::is_beneath(path, "/proc")) return false;
  const std::string name = path.substr(6, path.find('/', 6) - 6);
  return name == "self" || name == "thread-self" || name.find_first_not_of("0123456789") == std::string::npos;
}

std::optional<Capability> allowed_in_proc(const Context& c, const model::Fact& f) {
  const PathPattern& pattern = pattern_of(c, f);
  const std::string base = literal_prefix(pattern);
  if (base != "/proc" && !model::is_beneath(base, "/proc")) return std::nullopt;
  const Verbs verbs = body_of(c, f).verbs;
  model::FileAction lost{Verb::Read, is_process_path(base) ? base : "/proc/meminfo"};
  if (pattern.shape() == PathPattern::Shape::Node) lost.path = base;
  if ((verbs & model::verbs_read) == 0 || (verbs & ~model::verbs_read) != 0) {
    lost.verb = model::has(verbs, Verb::Exec) && (verbs & model::verbs_write) == 0 ? Verb::Exec : Verb::Modify;
    if (pattern.shape() != PathPattern::Shape::Node) lost.path = "/proc/self/comm";
  } else if (c.runtime.whole_proc) {
    for (const std::string& covered : c.runtime.covered)
      if (pattern.matches(covered))
        return Capability{Holds::Narrower, "the runtime covers it", action_text({Verb::Read, covered}), ""};
    return Capability{Holds::Exact, "", "", ""};
  } else if (is_process_path(base) || (base == "/proc" && pattern.shape() == PathPattern::Shape::Node)) {
    return Capability{Holds::Exact, "", "", ""};
  }
  return Capability{Holds::Narrower, "the container's /proc is read-only and shows processes only", action_text(lost),
                    ""};
}

bool is_covered(const Context& c, const std::string& path) {
  return std::any_of(c.runtime.covered.begin(), c.runtime.covered.end(),
                     [&](const std::string& base) { return path == base || model::is_beneath(path, base); });
}

/// The same where /proc is the kernel's: any file of it may be there.
std::optional<model::FileAction> slips_in_whole_proc(const Context& c, const model::Fact& f) {
  const PathPattern& pattern = pattern_of(c, f);
  std::vector<std::string> paths{"/proc/self/mem", "/proc/self/environ", "/proc/1/environ", "/proc/meminfo",
                                 "/proc/self/fd/x"};
  if (pattern.shape() != PathPattern::Shape::Other) paths.push_back(pattern.base());
  if (pattern.shape() == PathPattern::Shape::Subtree) paths.push_back(pattern.base() + "/x");
  if (pattern.shape() == PathPattern::Shape::Other) {
    const PathPattern proc = model::path_subtree("/proc");
    const PathPattern* const both[] = {&pattern, &proc};
    const auto in_both = [](const std::vector<bool>& hits) { return hits[0] && hits[1]; };
    if (const auto found = model::find_path(both, in_both).witness) paths.push_back(*found);
  }
  for (const Verb verb : {Verb::Read, Verb::List, Verb::Modify})
    for (const std::string& path : paths) {
      const model::FileAction action{verb, path};
      if (!model::has(body_of(c, f).verbs, verb) || !model::is_beneath(path, "/proc") || is_covered(c, path)) continue;
      const bool hit = verb == Verb::List ? pattern.matches_list(path) : pattern.matches(path);
      if (hit && model::matches(c.policy.rules[f.rule], action)) return action;
    }
  return std::nullopt;
}

/// A file of /proc that a refusal names although runc's need leaves it.
std::optional<model::FileAction> slips_in_proc(const Context& c, const model::Fact& f) {
  const std::string base = literal_prefix(pattern_of(c, f));
  if (base != "/" && base != "/proc" && !model::is_beneath(base, "/proc")) return std::nullopt;
  if (c.runtime.whole_proc) return slips_in_whole_proc(c, f);
  const Verbs verbs = body_of(c, f).verbs & model::verbs_read;
  if (verbs == 0) return std::nullopt;
  for (const char* process : {"/proc/self/", "/proc/1/"})
    for (const auto name : format::proc_files) {
      const model::FileAction action{Verb::Read, process + std::string(name)};
      if (model::matches(c.policy.rules[f.rule], action) && pattern_of(c, f).matches(action.path)) return action;
    }
  for (const char* directory : {"/proc", "/proc/self", "/proc/self/fd"}) {
    const model::FileAction action{Verb::List, directory};
    if (model::matches(c.policy.rules[f.rule], action) && pattern_of(c, f).matches_list(action.path)) return action;
  }
  return std::nullopt;
}

Capability hold_allow(const Context& c, const model::Fact& f) {
  if (const auto proc = allowed_in_proc(c, f)) return *proc;
  const Difference excess = excess_of_allow(c, f), lost = lost_by_allow(c, f);
  if (excess.undecided || lost.undecided) return undecided(f);
  if (excess.action) {
    const TreeMount& m = c.tree.mounts[governing(c.tree, excess.action->path)];
    std::string reason = m.from == TreeMount::From::Device
                             ? "a read-only mount does not keep a device from being written to"
                         : pattern_of(c, f).shape() == PathPattern::Shape::Other
                             ? "a mount shows a whole directory, not the names that match a pattern"
                             : "a mount is readable, writable and executable as a whole, and always readable";
    if (lost.action) reason += fmt::format("; {} is refused as well", action_text(*lost.action));
    std::string help =
        m.from == TreeMount::From::Device ? fmt::format("allow read, modify {}", quoted(m.target)) : rule_for(m);
    return {Holds::Wider, std::move(reason), action_text(*excess.action), std::move(help)};
  }
  if (auto from_memory = runs_from_memory(c, f)) return *from_memory;
  if (lost.action)
    return {Holds::Narrower, why_lost(c, f, *lost.action), action_text(*lost.action),
            help_for_loss(c, f, *lost.action)};
  return {Holds::Exact, "", "", ""};
}

Capability slipped(const Context& c, const model::Fact& f, const model::FileAction& slip) {
  const std::size_t i = governing(c.tree, slip.path);
  const PathPattern& pattern = pattern_of(c, f);
  std::string reason, help;
  if (i == Cause::none) {
    reason = "a directory that leads to a mount can be listed";
  } else if (c.tree.mounts[i].needed) {
    reason = c.tree.mounts[i].from == TreeMount::From::Bundle && c.tree.mounts[i].target != "/dev"
                 ? "the generated resolver's address is mounted there"
                 : fmt::format("{} needs it", c.runtime.program);
  } else if (c.tree.mounts[i].target == slip.path && c.tree.mounts[i].directory) {
    reason = "the agent owns the directory that it may write in";
  } else if (pattern.shape() == PathPattern::Shape::Other) {
    reason = "a mount can't leave out the names that match a pattern";
    const std::string prefix = literal_prefix(pattern);
    const std::string shown = c.tree.mounts[i].target;
    const std::string directory = model::is_beneath(prefix, shown) ? prefix : model::parent_path(slip.path);
    if (directory != shown && model::is_beneath(directory, shown))
      help = fmt::format("deny {} {}", model::verbs_text(body_of(c, f).verbs), quoted(directory + "/**"));
    else
      help = fmt::format("permit only the directories that are needed beneath {}", quoted(shown));
  } else {
    reason = "a mount is readable, writable and executable as a whole, and always readable";
  }
  return {Holds::Wider, std::move(reason), action_text(slip), std::move(help)};
}

Capability hold_refusal(const Context& c, const model::Fact& f) {
  const bool asks = c.policy.rules[f.rule].effect == model::Effect::Ask;
  const Question slips = [&](const Point& p) {
    return p.grant == Grant::Yes && p.matches(f.rule) && p.decision != Decision::Allow;
  };
  const Difference slip = c.comparison.find(pattern_of(c, f), body_of(c, f).verbs, slips, {true, Cause::none, Grant::Yes});
  if (slip.undecided) return undecided(f);
  const bool in_proc = !slip.action || slip.action->path == "/proc";
  if (const auto proc = in_proc ? slips_in_proc(c, f) : std::nullopt) return slipped(c, f, *proc);
  if (slip.action) return slipped(c, f, *slip.action);
  if (asks) {
    const Difference asked = c.comparison.find(pattern_of(c, f), body_of(c, f).verbs, [&](const Point& p) {
      return p.decision == Decision::Ask && p.matches(f.rule);
    });
    if (asked.undecided) return undecided(f);
    if (asked.action)
      return {Holds::Narrower, "nothing can put the question when a file is used, so it is refused",
              action_text(*asked.action), ""};
  }
  const Difference lost = lost_by(c, cause_of(f));
  if (lost.undecided) return undecided(f);
  if (!lost.action) return {Holds::Exact, "", "", ""};
  const bool at_mount = governing(c.tree, lost.action->path) != Cause::none &&
                        c.tree.mounts[governing(c.tree, lost.action->path)].target == lost.action->path;
  return {Holds::Narrower,
          at_mount ? "it and every directory between are mount points, which can't be renamed or removed"
                   : "what is mounted there in its place refuses more than the rule does",
          action_text(*lost.action), ""};
}

}  // namespace

Capability hold_file(const Context& c, const model::Fact& fact) {
  return c.policy.rules[fact.rule].effect == model::Effect::Allow ? hold_allow(c, fact) : hold_refusal(c, fact);
}

}  // namespace agp::backends::containers
