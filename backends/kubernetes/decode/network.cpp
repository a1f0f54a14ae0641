#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/kubernetes/decode/parts.hpp"

// NetworkPolicies of networking.k8s.io/v1, one or a List of them. Peers are address blocks: which pods have which
// addresses is the cluster's to know, so that a peer that names pods is refused.
namespace agp::backends::kubernetes {
namespace {

using model::Address;
using model::AddressSet;

/// `10.0.0.0/8`, in the one spelling that every reader takes alike: no host bits, no mapped address. An IPv6 block has
/// no IPv4 address in it, and the other way round.
AddressSet block(const Section& s) {
  const std::string text = s.text();
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) s.refuse("is no block of addresses such as 10.0.0.0/8");
  const std::string_view where = std::string_view(text).substr(0, slash),
                         bits = std::string_view(text).substr(slash + 1);
  const bool v6 = where.find(':') != std::string_view::npos;
  const auto first = v6 ? model::parse_v6(where) : model::parse_v4(where);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), length);
  const unsigned width = v6 ? 128 : 32;
  if (!first || bits.empty() || error != std::errc{} || end != bits.data() + bits.size() || length > width ||
      (bits.size() > 1 && bits.front() == '0'))
    s.refuse("is no block of addresses such as 10.0.0.0/8");
  if (v6 && first->is_v4()) s.refuse("is an IPv4 address in IPv6 spelling, which readers take in different ways");
  const model::Bits128 host = width - length == 128 ? ~model::Bits128{0} : (model::Bits128{1} << (width - length)) - 1;
  if ((first->bits & host) != 0) s.refuse("has bits behind its length");
  const AddressSet out = AddressSet::range(*first, {first->bits | host});
  return v6 ? out.v6() : out.v4();
}

AddressSet peer(const Section& s) {
  s.only({"ipBlock", "podSelector", "namespaceSelector"});
  for (const char* selector : {"podSelector", "namespaceSelector"})
    if (const auto found = s.find(selector)) found->refuse("names pods, whose addresses are not in the file");
  const Section one = s.need("ipBlock");
  one.only({"cidr", "except"});
  const AddressSet whole = block(one.need("cidr"));
  AddressSet out = whole;
  if (const auto list = one.find("except"))
    for (const Section& e : list->list()) {
      const AddressSet without = block(e);
      if (without == whole || !(without - whole).empty()) e.refuse("is not within the block, and smaller");
      out = out - without;
    }
  return out;
}

std::uint16_t port_number(const Section& s) {
  const std::uint64_t n = s.number();  // a name is a port of other pods
  if (n < 1 || n > 65535) s.refuse("is no port from 1 to 65535");
  return static_cast<std::uint16_t>(n);
}

NetRule::Port read_port(const Section& s) {
  s.only({"protocol", "port", "endPort"});
  NetRule::Port out;
  if (const auto protocol = s.find("protocol")) {
    const std::string name = protocol->text();
    out.protocol = name == "TCP" ? 6 : name == "UDP" ? 17 : name == "SCTP" ? 132 : 0;
    if (out.protocol == 0) protocol->refuse("is none of TCP, UDP and SCTP");
  }
  const auto first = s.find("port"), last = s.find("endPort");
  out.every = !first;
  if (first) out.first = out.last = port_number(*first);
  if (last) {
    if (!first) last->refuse("has no `port` beside it");
    out.last = port_number(*last);
    if (out.last < out.first) last->refuse("is smaller than its `port`");
  }
  if (out.every) out.first = 0, out.last = 65535;
  return out;
}

/// An empty or absent list of peers is everybody, one of ports everything.
std::vector<NetRule> rules(const Section& list, const char* peers) {
  std::vector<NetRule> out;
  for (const Section& s : list.list()) {
    s.only({peers, "ports"});
    NetRule rule;
    rule.place = s.at();
    if (const auto some = s.find(peers)) {
      AddressSet all;
      const auto each = some->list();
      for (const Section& p : each) all = all | peer(p);
      if (!each.empty()) rule.peers = all;
    }
    if (const auto some = s.find("ports"))
      for (const Section& p : some->list()) rule.ports.push_back(read_port(p));
    out.push_back(std::move(rule));
  }
  return out;
}

void read_selector(const Section& s, NetPolicy& out) {
  s.only({"matchLabels", "matchExpressions"});
  if (const auto labels = s.find("matchLabels"))
    for (const auto& [key, value] : labels->members()) out.match[key] = value.text();
  if (const auto list = s.find("matchExpressions"))
    for (const Section& e : list->list()) {
      e.only({"key", "operator", "values"});
      NetPolicy::Expression one{e.need("key").text(), e.need("operator").text(), {}};
      if (const auto values = e.find("values")) one.values = values->texts();
      const bool set = one.op == "In" || one.op == "NotIn";
      if (!set && one.op != "Exists" && one.op != "DoesNotExist") e.refuse("has an operator that is unknown");
      if (set == one.values.empty()) e.refuse("has values that do not go with its operator");
      out.expressions.push_back(std::move(one));
    }
}

NetPolicy read_policy(const Section& object) {
  object.only({"apiVersion", "kind", "metadata", "spec", "status"});
  if (object.need("apiVersion").text() != "networking.k8s.io/v1" || object.need("kind").text() != "NetworkPolicy")
    object.refuse("is no NetworkPolicy of networking.k8s.io/v1");
  NetPolicy out;
  out.named = read_metadata(object);
  const Section spec = object.need("spec");
  spec.only({"podSelector", "policyTypes", "ingress", "egress"});
  if (const auto selector = spec.find("podSelector")) read_selector(*selector, out);
  if (const auto list = spec.find("ingress")) out.in = rules(*list, "from");
  if (const auto list = spec.find("egress")) out.out = rules(*list, "to");
  // Without types: what comes in always, what goes out where the list has an entry (SetDefaults_NetworkPolicy).
  const auto types = spec.find("policyTypes");
  const std::vector<std::string> named = types ? types->texts() : std::vector<std::string>{};
  out.isolates_in = named.empty();
  out.isolates_out = named.empty() && !out.out.empty();
  for (const std::string& type : named) {
    if (type != "Ingress" && type != "Egress") types->refuse("has a type that is unknown");
    (type == "Ingress" ? out.isolates_in : out.isolates_out) = true;
  }
  return out;
}

}  // namespace

bool NetPolicy::selects(const Named& pod) const {
  if (named.name_space != pod.name_space) return false;
  const auto value = [&](const std::string& key) {
    const auto at = pod.labels.find(key);
    return at == pod.labels.end() ? nullptr : &at->second;
  };
  for (const auto& [key, wanted] : match)
    if (const auto* has = value(key); !has || *has != wanted) return false;
  return std::all_of(expressions.begin(), expressions.end(), [&](const Expression& e) {
    const auto* has = value(e.key);
    if (e.op == "Exists") return has != nullptr;
    if (e.op == "DoesNotExist") return has == nullptr;
    const bool listed = has && std::find(e.values.begin(), e.values.end(), *has) != e.values.end();
    return e.op == "In" ? listed : !listed;
  });
}

std::string NetPolicy::selector() const {
  std::set<std::string> terms;
  for (const auto& [key, value] : match) terms.insert(fmt::format("{} = {}", nlohmann::json(key).dump(), nlohmann::json(value).dump()));
  for (const Expression& e : expressions) {
    std::set<std::string> values;
    for (const std::string& value : e.values) values.insert(nlohmann::json(value).dump());
    terms.insert(
        fmt::format("{} {}{}", nlohmann::json(e.key).dump(), e.op, values.empty() ? "" : fmt::format(" ({})", fmt::join(values, ", "))));
  }
  return fmt::format("{} of {}", terms.empty() ? "every pod" : fmt::format("pods with {}", fmt::join(terms, ", ")),
                     named.name_space.empty() ? "the namespace that it is created in"
                                              : fmt::format("the namespace `{}`", named.name_space));
}

std::vector<NetPolicy> read_policies(const Section& object) {
  if (object.need("kind").text() != "List") return {read_policy(object)};
  object.only({"apiVersion", "kind", "metadata", "items"});
  std::vector<NetPolicy> out;
  for (const Section& item : object.need("items").list()) out.push_back(read_policy(item));
  return out;
}

}  // namespace agp::backends::kubernetes
