#include "compiler/model/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "compiler/linux/syscalls.hpp"

// The decision of LANGUAGE.md, "One idea", written as directly as it is stated there. Everything else in agp that
// claims to know what a policy permits is compared with this file.
namespace agp::model {
namespace {

template <class Pattern, class Test>
bool any(const std::vector<Placed<Pattern>>& list, const Test& test) {
  return std::any_of(list.begin(), list.end(), [&](const Placed<Pattern>& p) { return test(p.pattern); });
}

bool in_endpoint(const EndpointPattern& e, const NetAction& a) {
  return a.protocol == Protocol::Icmp ? e.icmp : e.ports.contains(a.port);
}

/// A name rule stands for an address only within its bounds; a denied name is denied whatever its address.
bool name_reaches(const Rule& rule, const NetBody& body, Address address) {
  if (rule.effect == Effect::Deny) return true;
  return body.within ? body.within->contains(address) : !never_by_name().contains(address);
}

struct Matcher {
  const Rule& rule;

  bool operator()(const FileBody& body, const FileAction& a) const {
    if (!has(body.verbs, a.verb)) return false;
    const auto hit = [&](const PathPattern& p) {
      return a.verb == Verb::List ? p.matches_list(a.path) : p.matches(a.path);
    };
    return any(body.patterns, hit) && !any(body.except, hit);
  }
  bool operator()(const NetBody& body, const NetAction& a) const {
    if (body.direction != a.direction || !has(body.protocols, a.protocol)) return false;
    if (body.direction == Direction::Listen && body.from && a.peer && !body.from->contains(*a.peer)) return false;
    const auto hit = [&](const EndpointPattern& e) {
      if (!in_endpoint(e, a)) return false;
      if (!e.name) return e.addresses.contains(a.address);
      return a.name && e.name->matches(*a.name) && name_reaches(rule, body, a.address);
    };
    return any(body.endpoints, hit) && !any(body.except, hit);
  }
  bool operator()(const NetBody& body, const NameAction& a) const {
    if (body.direction != Direction::Connect || !has(body.protocols, a.protocol)) return false;
    const auto hit = [&](const EndpointPattern& e) {
      return e.name && e.name->matches(a.name) && (a.protocol == Protocol::Icmp ? e.icmp : e.ports.contains(a.port));
    };
    return any(body.endpoints, hit) && !any(body.except, hit);
  }
  /// A name resolves when some port of it is left to connect to: an `except` may take a part only.
  bool operator()(const NetBody& body, const ResolveAction& a) const {
    if (rule.effect != Effect::Allow || body.direction != Direction::Connect) return false;
    return any(body.endpoints, [&](const EndpointPattern& e) {
      if (!e.name || !e.name->matches(a.name)) return false;
      PortSet ports = e.ports;
      bool icmp = e.icmp && has(body.protocols, Protocol::Icmp);
      for (const auto& x : body.except) {
        if (!x.pattern.name || !x.pattern.name->matches(a.name)) continue;
        ports = ports - x.pattern.ports;
        icmp = icmp && !x.pattern.icmp;
      }
      return icmp || (!ports.empty() && (body.protocols & 3) != 0);
    });
  }
  bool operator()(const UnixBody& body, const UnixAction& a) const {
    if (body.direction != a.direction) return false;
    if (!a.path) return body.abstract;
    const auto hit = [&](const PathPattern& p) { return p.matches(*a.path); };
    return any(body.paths, hit) && !any(body.except, hit);
  }
  bool operator()(const SyscallBody& body, const SyscallAction& a) const {
    const linux::Syscall* call = linux::find_syscall(a.arch, a.name);
    const auto hit = [&](bool refuses) {
      return [&, refuses](const SyscallPattern& p) {
        return p.name == a.name && p.archs.has(a.arch) &&
               std::all_of(p.tests.begin(), p.tests.end(), [&](const ArgTest& t) {
                 const auto i = static_cast<std::size_t>(t.index);
                 return call ? holds(t, a.args[i], call->arguments[i].effective_mask, call->arguments[i].classified,
                                     refuses)
                             : holds(t, a.args[i], ~0ull);
               });
      };
    };
    const bool refuses = rule.effect != Effect::Allow;
    return any(body.patterns, hit(refuses)) && !any(body.except, hit(!refuses));
  }
  bool operator()(const CapabilityBody& body, const CapabilityAction& a) const {
    return any(body.names, [&](const std::string& name) { return name == a.name; });
  }
  bool text(const TextBody& body, std::string_view name) const {
    const auto hit = [&](const std::string& glob) { return glob_matches(glob, name); };
    return any(body.patterns, hit) && !any(body.except, hit);
  }
  bool operator()(const TextBody& body, const EnvAction& a) const {
    return body.sort == TextBody::Sort::Env && text(body, a.name);
  }
  bool operator()(const TextBody& body, const ToolAction& a) const {
    return body.sort == TextBody::Sort::Tool && text(body, a.name);
  }
  template <class Body, class Other>
  bool operator()(const Body&, const Other&) const {
    return false;
  }
};

/// A name without an address: every address that some rule of the effect reaches. Denied as well when no address is
/// left.
Verdict decide_name(const Policy& policy, const NameAction& action, Verdict by_rules) {
  if (by_rules.decision == Decision::Deny) return by_rules;
  AddressSet reach;
  for (const std::size_t i : by_rules.rules)
    reach = reach | reachable_by_name(policy, policy.rules[i], action.protocol, action.port);
  if (!reach.empty()) {
    by_rules.note =
        "for the addresses that the policy's resolver answers, within the rule's bounds and minus address denies";
    return by_rules;
  }
  Verdict denied{Decision::Deny, {}, "address denies leave no address that the name may stand for"};
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const auto* body = std::get_if<NetBody>(&policy.rules[i].body);
    if (policy.rules[i].effect == Effect::Deny && body && has(body->protocols, action.protocol))
      denied.rules.push_back(i);
  }
  return denied;
}

}  // namespace

std::string_view to_string(Effect e) { return e == Effect::Deny ? "deny" : e == Effect::Ask ? "ask" : "allow"; }
std::string_view to_string(Decision d) { return d == Decision::Deny ? "deny" : d == Decision::Ask ? "ask" : "allow"; }

bool NamePattern::matches(std::string_view host) const {
  if (!beneath) return host == name;
  return host.size() > name.size() + 1 && host.substr(host.size() - name.size()) == name &&
         host[host.size() - name.size() - 1] == '.';
}
std::string NamePattern::to_string() const { return beneath ? "*." + name : name; }

bool Policy::audits(std::string_view block) const {
  return mode == Mode::Audit &&
         (audit_for.empty() || std::find(audit_for.begin(), audit_for.end(), block) != audit_for.end());
}

bool matches(const Rule& rule, const Action& action) {
  if (rule.expired) return false;
  return std::visit(Matcher{rule}, rule.body, action);
}

Verdict decide(const Policy& policy, const Action& action) {
  Verdict verdict;
  for (const auto& [effect, decision] :
       {std::pair{Effect::Deny, Decision::Deny}, {Effect::Ask, Decision::Ask}, {Effect::Allow, Decision::Allow}}) {
    for (std::size_t i = 0; i < policy.rules.size(); ++i)
      if (policy.rules[i].effect == effect && matches(policy.rules[i], action)) verdict.rules.push_back(i);
    if (verdict.rules.empty()) continue;
    verdict.decision = decision;
    if (const auto* name = std::get_if<NameAction>(&action)) return decide_name(policy, *name, std::move(verdict));
    return verdict;
  }
  return verdict;
}

AddressSet reachable_by_name(const Policy& policy, const Rule& rule, Protocol protocol, std::uint16_t port) {
  const auto* net = std::get_if<NetBody>(&rule.body);
  if (!net) return {};
  AddressSet reach = net->within ? *net->within : AddressSet::all() - never_by_name();
  for (const Rule& other : policy.rules) {
    const auto* deny = std::get_if<NetBody>(&other.body);
    if (!deny || other.effect != Effect::Deny || other.expired || deny->direction != Direction::Connect ||
        !has(deny->protocols, protocol))
      continue;
    AddressSet denied;
    const auto concerns = [&](const EndpointPattern& e) {
      return !e.name && (protocol == Protocol::Icmp ? e.icmp : e.ports.contains(port));
    };
    for (const auto& e : deny->endpoints)
      if (concerns(e.pattern)) denied = denied | e.pattern.addresses;
    for (const auto& e : deny->except)
      if (concerns(e.pattern)) denied = denied - e.pattern.addresses;
    reach = reach - denied;
  }
  return reach;
}

bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
      continue;
    }
    const bool literal = p + 1 < pattern.size() && pattern[p] == '\\';
    const char c = p < pattern.size() ? pattern[literal ? p + 1 : p] : '\0';
    if (p < pattern.size() && ((!literal && c == '?') || c == text[t])) {
      p += literal ? 2 : 1;
      ++t;
      continue;
    }
    if (star == std::string_view::npos) return false;
    p = star + 1;
    t = ++mark;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string fact_block(const RuleBody& body) {
  struct Name {
    std::string operator()(const FileBody&) const { return "file"; }
    std::string operator()(const NetBody&) const { return "net"; }
    std::string operator()(const UnixBody&) const { return "net"; }
    std::string operator()(const SyscallBody&) const { return "syscall"; }
    std::string operator()(const CapabilityBody&) const { return "capability"; }
    std::string operator()(const TextBody& b) const { return b.sort == TextBody::Sort::Env ? "env" : "tool"; }
  };
  return std::visit(Name{}, body);
}

std::string day_text(Day day) {
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

}  // namespace agp::model
