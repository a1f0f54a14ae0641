#include "backends/nftables/capabilities.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "backends/nftables/attach.hpp"
#include "backends/nftables/format.hpp"
#include "compiler/model/endpoint_cells.hpp"

// In: the facts of a policy. Out: how packets hold each. Addresses, protocols and ports are what a packet shows: exact.
// A name is held together with the resolver, which fills the set (A4). What a packet does not show is a gap.
namespace agp::backends::nftables {
namespace {

using model::Address;
using model::Effect;
using model::NetBody;
using model::PortSet;
using model::Protocol;

constexpr std::array protocols = {Protocol::Tcp, Protocol::Udp};

/// Connecting to the unspecified address reaches the host itself: with an unbound socket its loopback address
/// (ip_route_output_key_hash_rcu in net/ipv4/route.c; inet6_csk and ip6_datagram_connect map `::` to `::1`).
struct Alias {
  Address unspecified, loopback;
};
std::array<Alias, 2> aliases() { return {{{Address::v4(0), Address::v4(0x7f000001)}, {Address{0}, Address{1}}}}; }

PortSet ports_at(const NetBody& body, const model::EndpointPattern& e, Address a, Protocol p) {
  PortSet out;
  for (const auto& box : boxes_of(body, e, 0))
    if (box.protocol == p && box.addresses.first <= a && a <= box.addresses.last)
      out = out | PortSet::range(box.ports.first, box.ports.last);
  return out;
}

/// Ports at which connections to `a` are permitted by rules on addresses.
PortSet permitted_at(const model::Policy& policy, Address a, Protocol p) {
  PortSet allowed, refused;
  for (const auto& rule : policy.rules) {
    const auto* body = std::get_if<NetBody>(&rule.body);
    if (rule.expired || !body || body->direction != model::Direction::Connect) continue;
    PortSet& into = rule.effect == Effect::Allow ? allowed : refused;
    for (const auto& e : body->endpoints)
      if (!e.pattern.name) into = into | ports_at(*body, e.pattern, a, p);
  }
  return allowed - refused;
}

class Facts {
 public:
  Facts(const model::Policy& policy, const Attach& attach) : policy_(policy), attach_(attach) {
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t p = 0; p < 2; ++p) {
        unspecified_[i][p] = permitted_at(policy, aliases()[i].unspecified, protocols[p]);
        loopback_[i][p] = permitted_at(policy, aliases()[i].loopback, protocols[p]);
      }
  }

  Capability of(const model::Fact& fact) const {
    if (fact.kind == model::Fact::Kind::Mode && fact.name == "net") return audited();
    if (fact.kind != model::Fact::Kind::Pattern) return {};
    const auto& rule = policy_.rules[fact.rule];
    const auto* body = std::get_if<NetBody>(&rule.body);
    if (!body) return {};
    const auto& endpoint = body->endpoints[fact.pattern].pattern;
    if (rule.effect == Effect::Ask)
      return {Holds::Narrower, "nothing in the stack can put the question, so the attempt is refused", fact.text,
              "decide it now: `allow` or `deny`"};
    if (endpoint.name) return name(rule, *body, fact);
    if (body->direction == model::Direction::Listen)
      if (auto gap = listener(*body, fact)) return *gap;
    if (has_name(body->except))
      return rule.effect == Effect::Allow
                 ? Capability{Holds::Wider, "a packet shows an address and not the name it came from",
                              except_text(*body), "except the addresses instead of the name"}
                 : Capability{Holds::Narrower, "a packet shows an address and not the name it came from",
                              except_text(*body), "except the addresses instead of the name"};
    if (body->direction == model::Direction::Connect)
      if (auto aliased = unspecified(rule, *body, endpoint)) return *aliased;
    return {Holds::Exact, exactly(), "", ""};
  }

  void derived(std::vector<DerivedGrant>& out) const {
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t p = 0; p < 2; ++p) {
        const PortSet extra = loopback_[i][p] - unspecified_[i][p];
        if (extra.empty()) continue;
        const auto [unspecified, loopback] = aliases()[i];
        out.push_back({action(protocols[p], unspecified, extra), "nftables",
                       fmt::format("the kernel sends it to {}, which is permitted", to_string(loopback))});
      }
  }

 private:
  /// Packets are logged and pass. A name that nothing permits is not answered, whatever the mode.
  Capability audited() const {
    if (attach_.form != Form::Namespace || !needs_resolver(policy_))
      return {Holds::Exact, "a packet that a rule would refuse is logged, and passes", "", ""};
    return {Holds::Narrower, "the generated resolver answers the policy's names only: another name is refused",
            "resolve example.net", "audit a policy that allows addresses, or leave `net` out of `mode audit`"};
  }

  std::string exactly() const {
    switch (attach_.form) {
      case Form::Namespace:
        return "a packet shows its address, protocol and port";
      case Form::Cgroup:
        return "a packet shows its address, protocol and port, and its socket the cgroup it was made in";
      case Form::User:
        return "a packet shows its address, protocol and port, and its socket whose it is";
      case Form::Interface:
        return "a packet shows its address, protocol and port, and the interface it crosses";
    }
    return {};
  }

  /// What comes in is known to be the agent's by the socket that would take it, and by user not at all.
  std::optional<Capability> listener(const NetBody& body, const model::Fact& fact) const {
    if (attach_.form == Form::User)
      return Capability{Holds::Not, "a packet that comes in does not show whose socket will take it", fact.text,
                        "give the agent a cgroup: `cgroup \"/agents/NAME\"` in `run`"};
    if (attach_.form == Form::Cgroup && has(body.protocols, Protocol::Icmp))
      return Capability{Holds::Not, "the host's kernel answers what comes in by icmp, not a socket of the agent",
                        fact.text, "leave icmp out of `listen`: write `tcp, udp`"};
    return std::nullopt;
  }

  static bool has_name(const std::vector<model::Placed<model::EndpointPattern>>& list) {
    return std::any_of(list.begin(), list.end(), [](const auto& e) { return e.pattern.name.has_value(); });
  }
  static std::string except_text(const NetBody& body) {
    for (const auto& e : body.except)
      if (e.pattern.name) return e.text;
    return {};
  }
  static std::string action(Protocol p, Address a, const PortSet& ports) {
    return to_string(model::Action(model::NetAction{model::Direction::Connect, p, a, ports.ranges()[0].first, {}, {}}));
  }

  Capability name(const model::Rule& rule, const NetBody& body, const model::Fact& fact) const {
    if (body.direction == model::Direction::Listen)
      return {Holds::Not, "a listener's endpoint is an address of the sandbox, not a name", fact.text,
              "write the address"};
    if (rule.effect == Effect::Allow && attach_.form != Form::Namespace)
      return {Holds::Narrower, "the generated resolver needs a network namespace of the agent's own", fact.text,
              "allow the addresses, or build for the stack `oci`"};
    if (rule.effect == Effect::Allow)
      return {Holds::Exact, "the generated resolver puts the name's addresses into a set of this rule", "", ""};
    return {Holds::Not, "a packet shows an address and not a name, and another rule may permit that address", fact.text,
            "deny the addresses, or let no rule allow them"};
  }

  /// 0.0.0.0 and :: are decided as the loopback address that they reach.
  std::optional<Capability> unspecified(const model::Rule& rule, const NetBody& body,
                                        const model::EndpointPattern& endpoint) const {
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t p = 0; p < 2; ++p) {
        const auto [unspecified, loopback] = aliases()[i];
        const PortSet ports = ports_at(body, endpoint, unspecified, protocols[p]);
        const std::string reason =
            fmt::format("the kernel sends what goes to {} to {}", to_string(unspecified), to_string(loopback));
        if (rule.effect == Effect::Allow) {
          const PortSet lost = ports & (unspecified_[i][p] - loopback_[i][p]);
          if (!lost.empty())
            return Capability{
                Holds::Narrower, reason + ", which is not permitted", action(protocols[p], unspecified, lost),
                fmt::format("allow {} too, or leave {} out", to_string(loopback), to_string(unspecified))};
        } else {
          const PortSet open = ports & (loopback_[i][p] - unspecified_[i][p]);
          if (!open.empty())
            return Capability{Holds::Wider, reason + ", which is permitted", action(protocols[p], unspecified, open),
                              fmt::format("deny {} too", to_string(loopback))};
        }
      }
    return std::nullopt;
  }

  const model::Policy& policy_;
  const Attach& attach_;
  PortSet unspecified_[2][2], loopback_[2][2];
};

}  // namespace

namespace {

void needs_of_a_network(std::vector<DerivedGrant>& out) {
  out.push_back({"IPv6 neighbour solicitation and advertisement", "nftables",
                 "IPv6 does not work without them (hop limit 255 only)"});
}

void generated_resolver(std::vector<DerivedGrant>& out) {
  for (const Protocol p : protocols)
    out.push_back(
        {to_string(model::Action(model::NetAction{
             model::Direction::Connect, p, *model::parse_v4(format::resolver_address), format::resolver_port, {}, {}})),
         "nftables", "the generated resolver, for rules on names"});
}

/// What is left open because packets among the host's don't show the agent (decisions/0009 says what was tried).
void left_open(const Attach& attach, std::vector<DerivedGrant>& out) {
  if (attach.form == Form::User)
    out.push_back({"listen tcp, udp any:* from any, and the replies", "nftables",
                   "a packet that comes in does not show whose socket will take it"});
  if (attach.form == Form::Cgroup)
    out.push_back({"listen udp, for broadcasts and multicasts", "nftables",
                   "one of several sockets that take such a packet stands for all of them"});
  if (attach.form == Form::User || attach.form == Form::Cgroup)
    out.push_back({"resets, acknowledgements and answers that the host's kernel makes for the agent's connections",
                   "nftables", "they belong to no socket of the agent"});
}

}  // namespace

Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                          const model::Target& target) {
  Capabilities out;
  const Attach attach = attach_of(policy, target);
  const std::string fault =
      !loaded_by(target.stack) ? fmt::format("the stack `{}` does not load packet rules", target.stack) : attach.fault;
  if (!fault.empty()) {
    for (const auto& fact : facts)
      out.facts.push_back(fact.block == "net" ? Capability{Holds::Not, fault, fact.text, attach.help} : Capability{});
    return out;
  }
  const Facts judge(policy, attach);
  for (const auto& fact : facts) out.facts.push_back(judge.of(fact));
  const bool own = attach.form == Form::Namespace, names = own && needs_resolver(policy);
  if (own || attach.form == Form::Interface) needs_of_a_network(out.derived);
  out.derived.push_back({"ICMP errors about permitted connections, and the kernel's own refusals", "nftables",
                         "a refusal or a smaller path MTU would never be seen"});
  if (names) generated_resolver(out.derived);
  left_open(attach, out.derived);
  judge.derived(out.derived);
  out.reports.push_back("net");
  out.assumptions.push_back("A9");
  if (policy.audits("net")) out.assumptions.push_back("A10");
  if (names) out.assumptions.push_back("A4");
  return out;
}

}  // namespace agp::backends::nftables
