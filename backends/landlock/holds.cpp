#include "backends/landlock/holds.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backends/landlock/rules/calls.hpp"
#include "backends/landlock/rules/ruleset.hpp"
#include "compiler/linux/landlock.hpp"

// In: the facts of a policy. Out: how Landlock holds each. Exact is what the classes of paths show no difference for,
// in a direction that Landlock decides at all.
namespace agp::backends::landlock {
namespace {

namespace ll = linux::landlock;
using model::Effect;
using model::PathPattern;
using model::Verb;
using model::Verbs;

constexpr Verb every_verb[] = {Verb::Read, Verb::List, Verb::Exec, Verb::Modify, Verb::Create, Verb::Delete};

std::string action(Verb verb, const std::string& path) {
  return model::to_string(model::Action{model::FileAction{verb, path}});
}
std::string socket_action(model::Direction direction, std::optional<std::string> path) {
  return model::to_string(model::Action{model::UnixAction{direction, std::move(path)}});
}
bool contains(const std::vector<Cause>& list, const Cause& cause) {
  return std::find(list.begin(), list.end(), cause) != list.end();
}

class Facts {
 public:
  Facts(const model::Policy& policy, const model::Target& target)
      : policy_(policy), ruleset_(make_ruleset(policy, target)), classes_(classes_of(policy, ruleset_)) {
    attribute_call_ = attribute_call(policy);
    for (std::size_t i = 0; i < policy.rules.size(); ++i) {
      const auto* body = std::get_if<model::FileBody>(&policy.rules[i].body);
      if (!body || policy.rules[i].expired) continue;
      if (has(body->verbs, Verb::Modify)) modifies_ = true;
      if (!first_ && policy.rules[i].effect == Effect::Allow) first_ = Cause{i, 0};
    }
  }

  Capability of(const model::Fact& fact) const {
    if (fact.kind == model::Fact::Kind::Mode && fact.name == "file")
      return {Holds::Narrower, "Landlock refuses: its logs tell about refusals, and nothing makes it permit instead",
              action(Verb::Read, "/etc/passwd"), "`mode audit for net, syscall`"};
    if (fact.kind != model::Fact::Kind::Pattern) return {};
    const model::Rule& rule = policy_.rules[fact.rule];
    if (const auto* file = std::get_if<model::FileBody>(&rule.body)) {
      if (classes_.undecided)
        return {Holds::Wider, "so many patterns overlap here that it could not be decided what the rules permit",
                fact.text, "name directories instead of names with wildcards"};
      return rule.effect == Effect::Allow ? allowed(fact, *file) : refused(fact, *file);
    }
    if (const auto* sock = std::get_if<model::UnixBody>(&rule.body)) return socket(fact, rule.effect, *sock);
    if (const auto* net = std::get_if<model::NetBody>(&rule.body)) return packet(fact, *net);
    return {};
  }

  const Ruleset& ruleset() const { return ruleset_; }

 private:
  const std::vector<Classes::One>& classes(Verb verb) const {
    return verb == Verb::List ? classes_.listing : classes_.plain;
  }
  const PathPattern& pattern(const model::Fact& f, const model::FileBody& body) const {
    return body.patterns[f.pattern].pattern;
  }

  Capability allowed(const model::Fact& fact, const model::FileBody& body) const {
    const Cause cause{fact.rule, fact.pattern};
    for (const Verb verb : every_verb) {
      if (!has(body.verbs, verb)) continue;
      for (const Classes::One& c : classes(verb))
        if (has(c.allowed, verb) && contains(c.matching, cause) && granted(c, verb, ruleset_) == Grant::No)
          return lost(pattern(fact, body), body.verbs, c, verb);
    }
    if (ruleset_.abi < 2 && has(body.verbs, Verb::Create))
      return {Holds::Narrower, "Landlock ABI 1 refuses every rename and link from one directory to another", fact.text,
              "a target with Linux 5.19 or later"};
    for (const Verb verb : every_verb)
      for (const Classes::One& c : classes(verb)) {
        if (has(c.allowed, verb) || granted(c, verb, ruleset_) != Grant::Yes) continue;
        const bool own_exception = has(body.verbs, verb) && contains(c.excepted, cause);
        if (!own_exception && (has(c.refused, verb) || !brought(c, cause, verb))) continue;
        return wider(pattern(fact, body), c, verb, own_exception);
      }
    return beside(body, cause);
  }

  /// Does a hierarchy that this pattern caused give the verb there?
  bool brought(const Classes::One& c, const Cause& cause, Verb verb) const {
    return std::any_of(c.sources.begin(), c.sources.end(), [&](std::size_t h) {
      if (!contains(ruleset_.hierarchies[h].causes, cause)) return false;
      Classes::One alone = c;
      alone.here = ruleset_.hierarchies[h].rights;
      alone.entry &= ruleset_.hierarchies[h].rights;
      return granted(alone, verb, ruleset_) == Grant::Yes;
    });
  }

  Capability lost(const PathPattern& p, Verbs verbs, const Classes::One& c, Verb verb) const {
    if (verb == Verb::Exec && !has(c.allowed, Verb::Read))
      return {Holds::Narrower, "the kernel opens a program for reading when it executes it", action(verb, c.path),
              fmt::format("allow read, exec \"{}\"", p.text)};
    if (p.shape() == PathPattern::Shape::Node && (verb == Verb::Create || verb == Verb::Delete)) {
      const std::string parent = model::parent_path(p.base());
      return {Holds::Narrower, "Landlock permits making and removing any name of a directory, not a single one",
              action(verb, c.path),
              has(verbs, Verb::Modify)
                  ? fmt::format("to write to the existing file: `allow read, modify \"{}\"`", p.text)
              : parent == "/" ? ""
                              : fmt::format("permit the directory: `allow read, write \"{}/**\"`", parent)};
    }
    return {Holds::Narrower, "no directory stands before the wildcard whose content could be permitted",
            action(verb, c.path), "name the directories: `allow read \"/usr/lib/**\"`"};
  }

  /// Where files can be changed, so can their attributes: no right decides those.
  Capability slipping(Verb verb, std::string reason, const std::string& path, std::string help) const {
    Capability out{Holds::Wider, std::move(reason), action(verb, path), std::move(help)};
    out.attributes = verb == Verb::Modify;
    return out;
  }
  Capability beneath_permitted(const Classes::One& c, Verb verb) const {
    return slipping(verb, "Landlock can't refuse what lies beneath a permitted directory", c.path,
                    "permit the directories beside it one by one");
  }

  Capability wider(const PathPattern& p, const Classes::One& c, Verb verb, bool excepted) const {
    if (excepted) return beneath_permitted(c, verb);
    if (p.shape() == PathPattern::Shape::Node)
      return slipping(verb, "a right to a directory covers everything beneath it", c.path,
                      fmt::format("permit it all: `allow list \"{}/**\"`", p.base() == "/" ? "" : p.text));
    return slipping(verb, "Landlock permits a directory with everything beneath it and looks at no names", c.path,
                    fmt::format("permit the directory: `\"{}/**\"`", literal_directory(p)));
  }

  /// What no right decides: it slips past every rule about changing files.
  Capability beside(const model::FileBody& body, const Cause& cause) const {
    const bool speaks = has(body.verbs, Verb::Modify) || (!modifies_ && first_ == cause);
    if (speaks && attribute_call_)
      return slipping(Verb::Modify,
                      fmt::format("Landlock does not decide mode, owner, times and attributes, and the rules permit `{}`",
                                  *attribute_call_),
                      outside(), fmt::format("syscall {{ deny {} }}", *attribute_call_));
    if (speaks && ruleset_.abi < 3)
      return slipping(Verb::Modify, fmt::format("Landlock ABI {} does not decide truncating a file", ruleset_.abi),
                      outside(), "a target with Linux 6.2 or later");
    return {Holds::Exact, "", "", ""};
  }

  /// A path that no rule lets anyone change.
  std::string outside() const {
    for (const Classes::One& c : classes_.plain)
      if (!has(c.allowed, Verb::Modify) && c.path != "/") return c.path;
    return "/x";
  }

  Capability refused(const model::Fact& fact, const model::FileBody& body) const {
    const Cause cause{fact.rule, fact.pattern};
    for (const Verb verb : every_verb) {
      if (!has(body.verbs, verb)) continue;
      for (const Classes::One& c : classes(verb))
        if (contains(c.matching, cause) && granted(c, verb, ruleset_) == Grant::Yes) return beneath_permitted(c, verb);
    }
    return beside(body, cause);
  }

  Capability socket(const model::Fact& fact, Effect effect, const model::UnixBody& body) const {
    const bool listen = body.direction == model::Direction::Listen;
    if (fact.pattern >= body.paths.size()) {  // @abstract
      if (effect == Effect::Allow) return {Holds::Exact, "", "", ""};
      if (!listen && (ruleset_.scoped & ll::scope_abstract_unix_socket) != 0) return {Holds::Exact, "", "", ""};
      return {Holds::Not,
              listen ? "Landlock does not decide who listens on an abstract socket"
                     : fmt::format("Landlock ABI {} does not decide abstract sockets", ruleset_.abi),
              socket_action(body.direction, std::nullopt), listen ? "" : "a target with Linux 6.12 or later"};
    }
    const PathPattern& p = body.paths[fact.pattern].pattern;
    if (listen) return listener(effect, fact);
    if ((ruleset_.handled_fs & ll::fs_resolve_unix) == 0)
      return {Holds::Not,
              fmt::format("Landlock ABI {} does not decide connecting to a socket by its path", ruleset_.abi),
              socket_action(body.direction, p.shape() == PathPattern::Shape::Other ? "/x" : p.base()),
              "a target with Linux 7.1 or later, or `isolation container`"};
    const Cause cause{fact.rule, fact.pattern};
    for (const Classes::One& c : classes_.plain) {
      const bool gives = (c.here & ll::fs_resolve_unix) != 0;
      const bool may = permits_socket(c);
      const bool mine = contains(c.sockets, cause) || contains(c.excepted, cause);
      if (effect == Effect::Allow && may && contains(c.sockets, cause) && !gives)
        return {Holds::Narrower, "no directory stands before the wildcard that could be permitted",
                socket_action(body.direction, c.path), ""};
      const bool brings = effect == Effect::Allow &&
                          std::any_of(c.sources.begin(), c.sources.end(),
                                      [&](std::size_t h) { return contains(ruleset_.hierarchies[h].causes, cause); });
      if (gives && !may && (mine || brings) && !c.directory)
        return {Holds::Wider, "Landlock permits a directory with everything beneath it and looks at no names",
                socket_action(body.direction, c.path), "name the sockets one by one"};
    }
    return {Holds::Exact, "", "", ""};
  }

  bool permits_socket(const Classes::One& c) const {
    bool allow = false;
    for (const Cause& s : c.sockets) {
      const model::Rule& rule = policy_.rules[s.rule];
      if (std::get<model::UnixBody>(rule.body).direction != model::Direction::Connect) continue;
      if (rule.effect != Effect::Allow) return false;
      allow = true;
    }
    return allow;
  }

  /// Making the node is all that Landlock sees of a listener, and `create` already says where that is permitted.
  Capability listener(Effect effect, const model::Fact& fact) const {
    if (effect == Effect::Allow) return {Holds::Exact, "", "", ""};
    const Cause cause{fact.rule, fact.pattern};
    for (const Classes::One& c : classes_.plain)
      if (contains(c.sockets, cause) && (c.entry & ll::fs_make_sock) != 0)
        return {Holds::Wider, "a socket can be made wherever a rule permits `create`",
                socket_action(model::Direction::Listen, c.path), ""};
    return {Holds::Exact, "", "", ""};
  }

  /// Ports and nothing else; the packet rules, where the stack has them, are exact.
  Capability packet(const model::Fact& fact, const model::NetBody& body) const {
    const bool connect = body.direction == model::Direction::Connect;
    const auto decides = [&](model::Protocol p) {
      const std::uint64_t right = p == model::Protocol::Tcp ? (connect ? ll::net_connect_tcp : ll::net_bind_tcp)
                                                            : (connect ? ll::net_connect_send_udp : ll::net_bind_udp);
      return p != model::Protocol::Icmp && (ruleset_.handled_net & right) != 0;
    };
    bool some = false;
    for (const model::Protocol p : {model::Protocol::Tcp, model::Protocol::Udp, model::Protocol::Icmp})
      some = some || (has(body.protocols, p) && decides(p));
    if (!some)
      return {Holds::Not,
              fmt::format("Landlock ABI {} does not decide {}", ruleset_.abi, model::protocols_text(body.protocols)),
              fact.text, ""};
    const std::string slips = policy_.rules[fact.rule].effect == Effect::Allow ? "" : fact.text;
    if (!connect)
      return {Holds::Wider, "Landlock knows ports and no addresses, and no listener that has not called `bind`", slips,
              ""};
    return {Holds::Wider, "Landlock knows ports and no addresses, and neither MPTCP nor TCP fast open", slips, ""};
  }

  const model::Policy& policy_;
  Ruleset ruleset_;
  Classes classes_;
  std::optional<std::string> attribute_call_;
  bool modifies_ = false;
  std::optional<Cause> first_;
};

}  // namespace

Capabilities holds(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target) {
  Capabilities out;
  if (!in_stack(target.stack)) {
    out.facts.resize(facts.size());
    return out;
  }
  const Facts judge(policy, target);
  bool files = false;
  for (const model::Fact& fact : facts) {
    out.facts.push_back(judge.of(fact));
    files = files || fact.block == "file";
  }
  for (const Hierarchy& h : judge.ruleset().hierarchies)
    if (h.needed) out.derived.push_back({action(Verb::Read, h.path), "dns", "it names the generated resolver"});
  out.assumptions = {"A3", "A5", "A11"};
  if (files) out.assumptions.insert(out.assumptions.end(), {"A1", "A2", "A6", "A7"});
  return out;
}

}  // namespace agp::backends::landlock
