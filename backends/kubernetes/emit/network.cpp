#include "backends/kubernetes/emit/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "backends/kubernetes/emit/emit.hpp"
#include "backends/kubernetes/format.hpp"

// In: the policy's rules on addresses. Out: a NetworkPolicy that refuses everything in both directions but what its
// blocks name. Afterwards: its blocks are what the rules permit, without the address that a later rule refuses, because
// a NetworkPolicy knows no refusals.
namespace agp::backends::kubernetes {
namespace {

using Json = nlohmann::ordered_json;
using model::AddressRange;
using model::AddressSet;
using model::Effect;
using model::EndpointBox;
using model::Protocol;

constexpr std::size_t refused = 0, permitted = 1;  // owners: the smaller one has the point

/// The smallest prefix around the addresses of one family.
AddressRange hull(const AddressSet& one_family) {
  const model::Bits128 first = one_family.ranges().front().first.bits, last = one_family.ranges().back().last.bits;
  model::Bits128 host = 0;
  while ((first & ~host) != (last & ~host)) host = (host << 1) | 1;
  return {{first & ~host}, {last | host}};
}

std::string prefix(const std::string& text) {
  if (text.find('/') != std::string::npos) return text;
  return text + (text.find(':') == std::string::npos ? "/32" : "/128");
}

std::vector<std::string> prefixes(const AddressSet& set) {
  std::vector<std::string> out;
  for (const AddressRange& range : set.ranges())
    for (const std::string& one : model::to_prefixes(range)) out.push_back(prefix(one));
  return out;
}

/// As blocks, or as one block with exceptions where that is shorter.
Json blocks(const AddressSet& addresses) {
  Json out = Json::array();
  for (const AddressSet& family : {addresses.v4(), addresses.v6()}) {
    if (family.empty()) continue;
    const std::vector<std::string> listed = prefixes(family);
    const AddressRange around = hull(family);
    const AddressSet whole = AddressSet::range(around.first, around.last);
    const std::vector<std::string> left_out = prefixes((around.first.is_v4() ? whole.v4() : whole.v6()) - family);
    if (left_out.size() + 1 < listed.size()) {
      Json one{{"cidr", prefix(model::to_prefixes(around).front())}};
      if (!left_out.empty()) one["except"] = left_out;
      out.push_back({{"ipBlock", std::move(one)}});
    } else {
      for (const std::string& one : listed) out.push_back({{"ipBlock", {{"cidr", one}}}});
    }
  }
  return out;
}

using Ports = std::vector<std::pair<std::uint16_t, std::uint16_t>>;

Json rules(const std::vector<EndpointBox>& boxes, const char* peers) {
  // addresses -> ports, then ports -> addresses: one rule for all addresses with the same ports
  std::map<std::tuple<Protocol, model::Address, model::Address>, Ports> by_address;
  for (const EndpointBox& b : boxes)
    by_address[{b.protocol, b.addresses.first, b.addresses.last}].emplace_back(b.ports.first, b.ports.last);
  std::map<std::pair<Protocol, Ports>, AddressSet> by_ports;
  for (auto& [key, ports] : by_address) {
    std::sort(ports.begin(), ports.end());
    AddressSet& into = by_ports[{std::get<0>(key), ports}];
    into = into | AddressSet::range(std::get<1>(key), std::get<2>(key));
  }
  Json out = Json::array();
  for (const auto& [key, addresses] : by_ports) {
    Json ports = Json::array();
    for (const auto& [first, last] : key.second) {
      Json port{{"protocol", key.first == Protocol::Tcp ? "TCP" : "UDP"}, {"port", first}};
      if (last != first) port["endPort"] = last;
      ports.push_back(std::move(port));
    }
    out.push_back({{peers, blocks(addresses)}, {"ports", std::move(ports)}});
  }
  return out;
}

void keep(const std::vector<EndpointBox>& some, std::vector<EndpointBox>& out) {
  for (const EndpointBox& b : some)
    if (b.protocol != Protocol::Icmp) out.push_back(b);
}

/// Boxes of sources: what comes in is told apart by where it comes from.
void listens(const model::NetBody& body, const model::EndpointPattern& e, std::size_t owner,
             std::vector<EndpointBox>& out) {
  if (!is_whole(e.addresses) || !body.except.empty()) return;
  const AddressSet from = (body.from ? *body.from : AddressSet::all()) & e.addresses;  // both ends are of one family
  keep(model::boxes_of(body, e, owner, &from), out);
}

}  // namespace

bool is_whole(const AddressSet& addresses) {
  return addresses == AddressSet::all() || addresses == AddressSet::all_v4() || addresses == AddressSet::all_v6();
}

Reach reach(const model::Policy& policy) {
  Reach all;
  for (const model::Rule& rule : policy.rules) {
    const auto* body = std::get_if<model::NetBody>(&rule.body);
    if (!body || rule.expired) continue;
    const std::size_t owner = rule.effect == Effect::Allow ? permitted : refused;
    for (const auto& e : body->endpoints) {
      if (e.pattern.name) continue;
      if (body->direction == model::Direction::Listen)
        listens(*body, e.pattern, owner, all.in);
      else
        keep(model::boxes_of(*body, e.pattern, owner), all.out);
    }
  }
  Reach out;
  for (const auto& [from, to] : {std::pair{&all.out, &out.out}, {&all.in, &out.in}}) {
    const auto apart = model::disjoint(std::move(*from));
    out.complete = out.complete && apart;
    for (std::size_t i = 0; apart && i < apart->size(); ++i)
      if ((*apart)[i].owner == permitted) to->push_back((*apart)[i]);
  }
  return out;
}

void emit_network(const model::Policy& policy, Emitted& out) {
  const Reach reached = reach(policy);
  const Json json{{"apiVersion", "networking.k8s.io/v1"},
                  {"kind", "NetworkPolicy"},
                  {"metadata", {{"name", policy.name}, {"namespace", format::name_space(policy.name)}}},
                  {"spec",
                   {{"podSelector", {{"matchLabels", {{std::string(format::label), policy.name}}}}},
                    {"policyTypes", {"Ingress", "Egress"}},
                    {"ingress", rules(reached.in, "from")},
                    {"egress", rules(reached.out, "to")}}}};
  std::string bytes = json.dump(2) + "\n";
  for (const model::Rule& rule : policy.rules) {
    const auto* body = std::get_if<model::NetBody>(&rule.body);
    if (!body || rule.expired || rule.effect != Effect::Ask || body->direction != model::Direction::Listen) continue;
    for (const auto& e : body->endpoints)
      if (!is_whole(e.pattern.addresses) || !body->except.empty())
        out.problems.push_back({fmt::format("`{}` can't be refused: a NetworkPolicy does not see which address of the "
                                            "pod is meant",
                                            e.text),
                                std::nullopt, "write the endpoint with `any`"});
  }
  // an API server takes 1.5 MiB for one object
  if (!reached.complete || bytes.size() > 1000000)
    out.problems.push_back({"the rules on addresses take more blocks than one NetworkPolicy can hold", std::nullopt,
                            "name prefixes instead of single addresses"});
  for (const model::Rule& rule : policy.rules)
    if (const auto* body = std::get_if<model::NetBody>(&rule.body); body && !rule.expired)
      out.map.push_back({rule.id, std::string(format::network_policy),
                         body->direction == model::Direction::Listen ? "/spec/ingress" : "/spec/egress"});
  if (out.problems.empty()) {
    out.artifacts.push_back({std::string(format::network_policy), std::move(bytes)});
    return;
  }
  out.artifacts.clear();
  out.map.clear();
}

}  // namespace agp::backends::kubernetes
