// Endpoints and names. In: the policy's net rules. Out: AGP3090 to AGP3112 that are no row of rows.cpp.
#include "compiler/lint/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/lint/guards.hpp"
#include "compiler/lint/names.hpp"

namespace agp::lint {

using namespace model;
using analysis::Sort;
using analysis::Space;
namespace kind = diagnostics::kind;

namespace {

constexpr Bits128 one = 1;
/// More ports than these are all of them, whatever the few that are left out.
constexpr std::uint32_t most_ports = 60000;

Bits128 v4_size(const Numbers& numbers) {
  Bits128 sum = 0;
  for (const auto& i : numbers) {
    const Bits128 first = std::max(i.first, Address::mapped_prefix);
    const Bits128 last = std::min(i.last, Address::mapped_prefix | 0xffffffff);
    if (first <= last) sum += last - first + 1;
  }
  return sum;
}

/// 2000::/3, the part of IPv6 that is global unicast (RFC 4291, 2.4; IANA).
Bits128 v6_size(const Numbers& numbers) {
  const Bits128 low = one << 125, high = (one << 126) - 1;
  Bits128 sum = 0;
  for (const auto& i : numbers) {
    const Bits128 first = std::max(i.first, low), last = std::min(i.last, high);
    if (first <= last) sum += last - first + 1;
  }
  return sum;
}

/// What the guard of the inside denies.
const AddressSet& guarded() {
  static const AddressSet all = [] {
    AddressSet out;
    for (const Rule& rule : guard("std.guard.private"))
      for (const auto& e : std::get<NetBody>(rule.body).endpoints) out = out | e.pattern.addresses;
    return out;
  }();
  return all;
}

const AddressSet& inside() {
  static const AddressSet all = guarded() | never_by_name();
  return all;
}

std::uint32_t count_of(const PortSet& ports) {
  std::uint32_t out = 0;
  for (const PortRange& r : ports.ranges()) out += r.last - r.first + 1u;
  return out;
}

/// Half of the addresses of IPv4 or of global IPv6, or more.
bool everybody(const AddressSet& set) {
  Numbers numbers;
  for (const AddressRange& r : set.ranges()) numbers.push_back({r.first.bits, r.last.bits});
  return v4_size(numbers) >= one << 31 || v6_size(numbers) >= one << 124;
}

bool meets(const Numbers& numbers, const AddressSet& set) {
  return std::any_of(numbers.begin(), numbers.end(), [&](const auto& i) {
    return std::any_of(set.ranges().begin(), set.ranges().end(),
                       [&](const AddressRange& r) { return i.first <= r.last.bits && r.first.bits <= i.last; });
  });
}

/// Numbers that lie wholly within the set.
bool within(const Numbers& numbers, const AddressSet& set) {
  return std::all_of(numbers.begin(), numbers.end(), [&](const auto& i) {
    return std::any_of(set.ranges().begin(), set.ranges().end(),
                       [&](const AddressRange& r) { return r.first.bits <= i.first && i.last <= r.last.bits; });
  });
}

Context::Place place_of(Context& context, Reach& net, const analysis::PatternRef& ref) {
  const Rule& rule = net.rule(ref.rule);
  const auto& e = std::get<NetBody>(rule.body).endpoints[ref.pattern];
  return context.place(rule, e.span, e.text);
}

struct Once {
  std::vector<source::Span> seen;
  bool first(source::Span s) {
    if (std::find(seen.begin(), seen.end(), s) != seen.end()) return false;
    seen.push_back(s);
    return true;
  }
};

void unrestricted(Context& context, Reach& net) {
  for (const Exit& e : wide_exits(context, net)) {
    if (!e.every_port) continue;
    context
        .report(kind::unrestricted_network, e.place,
                fmt::format("`{}` permits connections to most of the Internet on every port", e.place.text))
        .witnessed(e.witness)
        .helped("name the hosts and ports that the work needs");
  }
}

/// The edit that takes ICMP out of a rule about one endpoint, where other protocols are left.
void leave_out_icmp(Context& context, const Rule& rule, diagnostics::Diagnostic& d) {
  const auto& body = std::get<NetBody>(rule.body);
  if (!rule.module.empty() || body.endpoints.size() != 1 || body.protocols != protocols_all) return;
  const auto words = context.layout.words(rule.span);  // `allow connect any …`
  if (words.size() > 2 && context.files.text(words[2]) == "any") d.edit(words[2], "tcp, udp");
}

/// ICMP that leaves, and names that may come back as an address of the inside.
void cells(Context& context, Reach& net) {
  Once pings, names;
  net.each_permitted([&](const Space& space, std::size_t c) {
    const Space::NetShape* n = space.net(c);
    if (!n || n->direction != Direction::Connect) return;
    if (space.sort(c) == Sort::Net && n->protocol == Protocol::Icmp && !within(n->addresses, inside()))
      for (const auto& ref : net.granting(c)) {
        const Context::Place place = place_of(context, net, ref);
        if (context.off(kind::icmp_outside) || !pings.first(place.span)) continue;
        auto& d = context.report(kind::icmp_outside, place,
                                 fmt::format("`{}` permits ICMP to addresses outside, and its payload is whatever the "
                                             "sender likes",
                                             place.text));
        d.witnessed(space.witness_text(c)).helped("name the protocols, such as `tcp`");
        leave_out_icmp(context, net.rule(ref.rule), d);
      }
    if (space.sort(c) == Sort::Name && meets(n->addresses, guarded()))
      for (const auto& ref : net.granting(c)) {
        const Rule& rule = net.rule(ref.rule);
        const auto& body = std::get<NetBody>(rule.body);
        // who bounds the name has said what of the inside is meant; `within` everything bounds nothing
        if ((body.within && !everybody(*body.within)) || !body.endpoints[ref.pattern].pattern.name) continue;
        const Context::Place place = place_of(context, net, ref);
        if (context.off(kind::unbounded_name) || !names.first(place.span)) continue;
        auto& d = context.report(kind::unbounded_name, place,
                                 fmt::format("`{}` may stand for an address inside the network: whoever answers for "
                                             "the name decides",
                                             place.text));
        d.witnessed(space.witness_text(c));
        d.helped("`use std.guard.private` and `include std.guard.private`, or say `within ADDRESSES`");
        context.layout.include_guard(context.policy, "std.guard.private", "", d);
      }
  });
}

void endpoint(Context& context, const Rule& rule, const NetBody& body, const Placed<EndpointPattern>& e) {
  const Context::Place place = context.place(rule, e.span, e.text);
  const bool ports = has(body.protocols, Protocol::Tcp) || has(body.protocols, Protocol::Udp);
  if (body.direction == Direction::Listen) {
    const bool everywhere = e.pattern.addresses.contains(Address::v4(0)) || e.pattern.addresses.contains(Address{0});
    if (everywhere && ports && (!body.from || everybody(*body.from)))
      context
          .report(kind::open_listener, place,
                  fmt::format("`{}` takes connections on every interface from everybody", place.text))
          .helped("name an address to listen on, or say `from ADDRESSES`");
    return;
  }
  if (ports && count_of(e.pattern.ports) > most_ports)
    context.report(kind::any_port, place, fmt::format("`{}` permits every port", place.text))
        .helped("name the ports: `:443`, `:[80, 443]`, `:8000-8999`");
  if (!e.pattern.name) return;
  switch (risk_of(*e.pattern.name)) {
    case NameRisk::PublicSuffix:
      context
          .report(
              kind::public_suffix_wildcard, place,
              fmt::format("`{}` has every name that anybody registers under `{}`", place.text, e.pattern.name->name))
          .helped("name the hosts, or a domain that is yours");
      break;
    case NameRisk::Shared:
      context
          .report(kind::shared_host, place,
                  fmt::format("`{}` is shared: anybody can get a name or a page there, and read what is sent to it",
                              place.text))
          .helped("name the one host that is yours");
      break;
    case NameRisk::Forge:
      context
          .report(kind::writable_forge, place,
                  fmt::format("`{}` is a forge: who has a token of any account can push there what the agent reads",
                              place.text))
          .helped("keep tokens out of the sandbox, or go through a mirror");
      break;
    case NameRisk::None:
      break;
  }
}

void embedded(Context& context) {
  const auto denies_v4 = [](const Rule& rule) {
    const auto* body = std::get_if<NetBody>(&rule.body);
    return body && rule.effect == Effect::Deny && body->direction == Direction::Connect &&
           std::any_of(body->endpoints.begin(), body->endpoints.end(),
                       [](const auto& e) { return !e.pattern.addresses.v4().empty(); });
  };
  const auto& rules = context.policy.rules;
  const auto deny = std::find_if(rules.begin(), rules.end(), denies_v4);
  if (deny == rules.end() || context.off(kind::embedded_ipv4)) return;
  Reach net(context, Sort::Net);
  const std::size_t q = net.ask("std.guard.private.embedded");
  for (const Reach::Grant& g : net.grants(q, kind::embedded_ipv4, [](const Rule&rule, std::uint32_t pattern) {
         return !std::get<NetBody>(rule.body).endpoints[pattern].pattern.name;
       })) {
    auto& d = context.report(kind::embedded_ipv4, g.place,
                             fmt::format("`{}` permits `{}`, which a gateway may make an IPv4 address of that a rule "
                                         "denies",
                                         g.place.text, g.witness));
    d.witnessed(g.witness).helped("`use std.guard.private` and `include std.guard.private.embedded`");
    d.relate(context.place(*deny, deny->span, "").span, "an IPv4 address is denied here");
    context.layout.include_guard(context.policy, "std.guard.private.embedded", "", d);
  }
}

}  // namespace

std::vector<Exit> wide_exits(Context& context, Reach& net) {
  struct Sum {
    Bits128 v4 = 0, v6 = 0, ports = 0;
    std::vector<std::size_t> cells;
  };
  // ports are cut before addresses: cells of one protocol either share all ports or none
  std::map<std::pair<Protocol, Bits128>, Sum> sums;
  const Space* where = nullptr;
  net.each_permitted([&](const Space& space, std::size_t c) {
    const Space::NetShape* n = space.net(c);
    if (!n || space.sort(c) != Sort::Net || n->direction != Direction::Connect || n->protocol == Protocol::Icmp) return;
    where = &space;
    Sum& sum = sums[{n->protocol, n->ports.front().first}];
    sum.v4 += v4_size(n->addresses);
    sum.v6 += v6_size(n->addresses);
    sum.ports = size_of(n->ports);
    sum.cells.push_back(c);
  });
  const auto wide = [](const Sum& sum) { return sum.v4 >= one << 31 || sum.v6 >= one << 124; };
  // Of all ranges of ports together: two rules that share them out are as wide as one.
  std::map<Protocol, Bits128> ports;
  for (const auto& [key, sum] : sums)
    if (wide(sum)) ports[key.first] += sum.ports;
  std::vector<Exit> out;
  for (const auto& [key, sum] : sums) {
    if (!wide(sum)) continue;
    for (const std::size_t c : sum.cells) {
      // what is permitted of the inside is no way to everybody
      if (within(where->net(c)->addresses, inside())) continue;
      for (const auto& ref : net.granting(c)) {
        Exit exit{place_of(context, net, ref), where->witness_text(c), ports[key.first] > most_ports};
        const auto same = std::find_if(out.begin(), out.end(), [&](const Exit& e) { return e.place == exit.place; });
        if (same == out.end())
          out.push_back(std::move(exit));
        else if (exit.every_port && !same->every_port)
          *same = std::move(exit);
      }
    }
  }
  return out;
}

void find_network_shapes(Context& context) {
  Reach net(context, Sort::Net);
  if (!net.idle()) {
    unrestricted(context, net);
    cells(context, net);
    embedded(context);
  }
  for (const Rule& rule : context.policy.rules) {
    const auto* body = std::get_if<NetBody>(&rule.body);
    if (!body || rule.expired || rule.effect == Effect::Deny) continue;
    for (const auto& e : body->endpoints) endpoint(context, rule, *body, e);
  }
}

}  // namespace agp::lint
