#include "backends/kubernetes/holds.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backends/containers/holds/holds.hpp"
#include "backends/kubernetes/emit/network.hpp"
#include "backends/kubernetes/emit/tree.hpp"
#include "backends/kubernetes/format.hpp"

namespace agp::backends::kubernetes {
namespace {

using model::Address;
using model::AddressSet;
using model::Effect;
using model::NetBody;
using model::Protocol;
using Kind = model::Fact::Kind;

containers::Runtime runtime() {
  containers::Runtime out{"kubernetes", "the pod's runtime", true, {}, true, false};
  for (const std::string_view path : format::masked_paths) out.covered.emplace_back(path);
  return out;
}

AddressSet loopback() {
  return AddressSet::range(Address::v4(0x7f000000), Address::v4(0x7fffffff)) | AddressSet::range({1}, {1});
}

bool has_name(const std::vector<model::Placed<model::EndpointPattern>>& list) {
  return std::any_of(list.begin(), list.end(), [](const auto& e) { return e.pattern.name.has_value(); });
}

/// A new connection that the rule is about.
std::string sample(const NetBody& body, const model::EndpointPattern& e, const AddressSet& at) {
  const Address a = at.ranges().front().first;
  for (const Protocol p : {Protocol::Tcp, Protocol::Udp})
    if (has(body.protocols, p) && !e.ports.empty())
      return to_string(model::Action(model::NetAction{body.direction, p, a, e.ports.ranges().front().first, {}, {}}));
  return to_string(model::Action(model::NetAction{body.direction, Protocol::Icmp, a, 0, {}, {}}));
}

Capability hold_listen(const model::Rule& rule, const NetBody& body, const model::EndpointPattern& e) {
  const bool allow = rule.effect == Effect::Allow;
  const AddressSet local = e.addresses & loopback();
  if (!local.empty() && local == e.addresses && allow)
    return {Holds::Exact, "a pod reaches itself, whatever a NetworkPolicy says", "", ""};
  if (!is_whole(e.addresses) || !body.except.empty())
    return {allow ? Holds::Narrower : Holds::Wider, "a NetworkPolicy does not see which address of the pod is meant",
            sample(body, e, e.addresses), "write the endpoint with `any`, and the peers with `from`"};
  if (!allow && has(body.protocols, Protocol::Icmp) && e.icmp)
    return {Holds::Wider, "a NetworkPolicy says nothing about ICMP",
            to_string(model::Action(
                model::NetAction{body.direction, Protocol::Icmp, e.addresses.ranges().back().first, 0, {}, {}})),
            "leave icmp out: write `tcp, udp`"};
  if (!allow && !local.empty())
    return {Holds::Wider, "a pod reaches itself, whatever a NetworkPolicy says", sample(body, e, local), ""};
  return {Holds::Exact, "a NetworkPolicy shows the peer's address, the protocol and the port", "", ""};
}

Capability hold_connect(const model::Rule& rule, const NetBody& body, const model::EndpointPattern& e) {
  const bool allow = rule.effect == Effect::Allow;
  if (allow && has(body.protocols, Protocol::Icmp) && e.icmp)
    return {Holds::Narrower, "a NetworkPolicy says nothing about ICMP, so the pod has no socket for it",
            to_string(model::Action(
                model::NetAction{body.direction, Protocol::Icmp, e.addresses.ranges().front().first, 0, {}, {}})),
            "leave icmp out: write `tcp, udp`"};
  const AddressSet local = e.addresses & loopback();
  if (!allow && !local.empty() && (has(body.protocols, Protocol::Tcp) || has(body.protocols, Protocol::Udp)))
    return {Holds::Wider, "a pod reaches itself, whatever a NetworkPolicy says", sample(body, e, local), ""};
  return {Holds::Exact, "a NetworkPolicy shows the address, the protocol and the port", "", ""};
}

Capability hold_net(const model::Policy& policy, const model::Fact& fact) {
  const model::Rule& rule = policy.rules[fact.rule];
  const auto& body = std::get<NetBody>(rule.body);
  const model::EndpointPattern& e = body.endpoints[fact.pattern].pattern;
  const bool allow = rule.effect == Effect::Allow;
  if (rule.effect == Effect::Ask)
    return {Holds::Narrower, "nothing in the stack can put the question, so the attempt is refused", fact.text,
            "decide it now: `allow` or `deny`"};
  if (e.name)
    return {allow ? Holds::Narrower : Holds::Not, "a NetworkPolicy has addresses and no names", fact.text,
            "write the addresses"};
  if (has_name(body.except))
    return {allow ? Holds::Wider : Holds::Narrower, "a NetworkPolicy has addresses and no names", fact.text,
            "except the addresses instead of the name"};
  return body.direction == model::Direction::Listen ? hold_listen(rule, body, e) : hold_connect(rule, body, e);
}

/// What the pod holds otherwise than other containers do.
std::optional<Capability> own(const model::Policy& policy, const model::Fact& fact) {
  if (fact.kind == Kind::Mode && fact.name == "net")
    return Capability{Holds::Not, "a NetworkPolicy can't let pass and report", fact.text,
                      "leave `net` out of `mode audit`"};
  if (fact.kind == Kind::Limit && fact.name == "pids")
    return Capability{Holds::Not, "the number of processes in a pod is the kubelet's setting (podPidsLimit)", "", ""};
  if (fact.kind == Kind::Limit && fact.name == "files")
    return Capability{Holds::Not, "a pod says nothing about resource limits", "", ""};
  if (fact.kind == Kind::Limit && fact.name == "time")
    return Capability{Holds::Exact, "the kubelet ends the pod: it sends TERM, and KILL two seconds later", "", ""};
  if (fact.kind != Kind::Pattern) return std::nullopt;
  if (std::holds_alternative<NetBody>(policy.rules[fact.rule].body)) return hold_net(policy, fact);
  return std::nullopt;
}

void derived(const model::Policy& policy, std::vector<DerivedGrant>& out) {
  for (const std::string_view name : format::variables)
    if (!policy.env_set.contains(std::string(name)) && name != "HOME")
      out.push_back({fmt::format("env \"{}\"", name), "kubernetes",
                     name.starts_with("KUBERNETES") ? "the kubelet sets it, to the address of the API server"
                                                    : "the runtime sets it"});
  const auto named = [&](const std::string& grant) {
    return std::any_of(out.begin(), out.end(), [&](const DerivedGrant& d) { return d.grant == grant; });
  };
  for (const char* directory : {"/", "/dev", "/etc", "/sys", "/sys/fs"})
    if (model::decide(policy, model::FileAction{model::Verb::List, directory}).decision != model::Decision::Allow &&
        !named(fmt::format("list \"{}\"", directory)))
      out.push_back({fmt::format("list \"{}\"", directory), "kubernetes",
                     "it leads to what the runtime would mount there, and is covered"});
  out.push_back({fmt::format("read, modify, exec \"{}\"", format::termination_log), "kubernetes",
                 "the kubelet mounts a file for the container's last words, writable by all"});
  out.push_back({"connect and listen tcp, udp, sctp on the pod's own addresses", "kubernetes",
                 "a pod reaches itself, whatever a NetworkPolicy says"});
  out.push_back({"connect and listen tcp, udp, sctp between the pod and its node", "kubernetes",
                 "a NetworkPolicy does not part a pod from its node"});
  out.push_back({"listen for every protocol but tcp, udp, sctp; ICMP is answered by the kernel", "kubernetes",
                 "a NetworkPolicy says nothing about them"});
}

}  // namespace

Capabilities holds(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target) {
  Capabilities out = containers::holds(policy, facts, target, pod_tree(policy), runtime());
  for (std::size_t i = 0; i < facts.size(); ++i)
    if (auto capability = own(policy, facts[i])) out.facts[i] = std::move(*capability);
  derived(policy, out.derived);
  out.assumptions.push_back("A12");
  return out;
}

}  // namespace agp::backends::kubernetes
