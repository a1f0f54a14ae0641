#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backends/kubernetes/decode/parts.hpp"

// In: the policies that select a pod. Out: the packets that pass. A connection passes where a rule of any of them names
// it, or where none of them isolates the pod in that direction; its answers and errors pass with it. Not decided by
// them, and taken to pass: what the pod sends to itself, what comes in by other protocols than TCP, UDP and SCTP, and
// what goes out by those for which the pod can open a socket.
namespace agp::backends::kubernetes {
namespace {

using model::DecisionDiagrams;
using model::Hook;
using model::Packet;
using model::PacketAnswer;
using model::PacketField;
using model::PacketSpace;
using model::PacketState;
using Ref = DecisionDiagrams::Ref;

bool is_ping(const Packet& p) { return p.protocol == (p.family == model::PacketFamily::V4 ? 1 : 58); }

/// An address as a block names it: IPv4 and IPv6 apart.
bool rule_takes(const NetRule& rule, const Packet& p, bool out) {
  if (rule.peers) {
    const model::Bits128 bits = out ? p.destination : p.source;
    const bool v4 = p.family == model::PacketFamily::V4;
    const model::Address a = v4 ? model::Address::v4(static_cast<std::uint32_t>(bits)) : model::Address{bits};
    if ((!v4 && a.is_v4()) || !rule.peers->contains(a)) return false;
  }
  return rule.ports.empty() || std::any_of(rule.ports.begin(), rule.ports.end(), [&](const NetRule::Port& port) {
           return p.protocol == port.protocol && p.port >= port.first && p.port <= port.last;
         });
}

PacketAnswer yes(std::string place) { return {true, std::move(place), "accepted", {}}; }
PacketAnswer no(std::string place) { return {false, std::move(place), "refused", {}}; }

PacketAnswer opening(const Policies& policies, const Packet& p, bool out) {
  if ((out ? p.out : p.in) == 1) return yes("the pod itself");
  if (std::find(std::begin(transports), std::end(transports), p.protocol) == std::end(transports)) {
    if (!out) return yes("no NetworkPolicy says anything about it");
    const bool open = policies.opens_raw || (policies.pings && is_ping(p));
    return open ? yes("no NetworkPolicy says anything about it") : no("no socket sends it");
  }
  if (!policies.isolates(out)) return yes("no NetworkPolicy isolates the pod");
  for (const NetPolicy& policy : policies.list)
    for (const NetRule& rule : out ? policy.out : policy.in)
      if (rule_takes(rule, p, out)) return yes(policy.named.name + "#" + rule.place);
  return no("no rule names it");
}

/// RFC 4861: neighbours are asked, and answer, one hop away.
bool is_neighbour(const Packet& p) {
  return p.family == model::PacketFamily::V6 && p.protocol == 58 && (p.icmp_type == 135 || p.icmp_type == 136) &&
         p.hops == 255;
}
bool is_error(const Packet& p) {
  if (p.protocol == 6) return (p.tcp_flags & 6) == 4;
  if (!is_ping(p)) return false;
  const auto among = [&](std::initializer_list<int> types) {
    return std::find(types.begin(), types.end(), p.icmp_type) != types.end();
  };
  return p.family == model::PacketFamily::V4 ? among({3, 11, 12}) : among({1, 2, 3, 4});
}

PacketAnswer walk(const Policies& policies, const Packet& p) {
  if (p.hook == Hook::Forward) return yes("a pod forwards nothing");
  switch (p.state) {
    case PacketState::New:
      return opening(policies, p, p.hook == Hook::Output);
    case PacketState::Established:
      return yes("an answer");
    case PacketState::Related:
      return is_error(p) ? yes("an error about a connection") : no("no rule names it");
    case PacketState::Untracked:
      return is_neighbour(p) ? yes("neighbour discovery") : no("no rule names it");
    case PacketState::Invalid:
      break;
  }
  return no("no rule names it");
}

class Builder {
 public:
  Builder(const Policies& policies, PacketSpace& space) : policies_(policies), s_(space), d_(space.diagrams()) {}

  Ref accepted(bool out) {
    const auto state = [&](PacketState s) { return s_.equals(PacketField::State, static_cast<int>(s)); };
    return d_.any({d_.both(state(PacketState::New), opens(out)), state(PacketState::Established),
                   d_.both(state(PacketState::Related), errors()),
                   d_.both(state(PacketState::Untracked), neighbours())});
  }

 private:
  Ref protocol(int p) { return s_.equals(PacketField::Protocol, static_cast<unsigned>(p)); }
  Ref family(int f) { return s_.equals(PacketField::Family, static_cast<unsigned>(f)); }
  Ref types(int f, std::initializer_list<unsigned> list) {
    std::vector<Ref> some;
    for (const unsigned t : list) some.push_back(s_.equals(PacketField::IcmpType, t));
    return d_.both(d_.both(family(f), protocol(f == 0 ? 1 : 58)), d_.any(std::move(some)));
  }
  Ref errors() {
    return d_.any(
        {types(0, {3, 11, 12}), types(1, {1, 2, 3, 4}), d_.both(protocol(6), s_.masked(PacketField::TcpFlags, 6, 4))});
  }
  Ref neighbours() { return d_.both(types(1, {135, 136}), s_.equals(PacketField::Hops, 255)); }

  Ref opens(bool out) {
    std::vector<Ref> decided;
    for (const int t : transports) decided.push_back(protocol(t));
    const Ref transport = d_.any(std::move(decided));
    Ref others = DecisionDiagrams::yes;
    if (out && !policies_.opens_raw)
      others = policies_.pings ? d_.either(d_.both(family(0), protocol(1)), d_.both(family(1), protocol(58)))
                               : DecisionDiagrams::no;
    std::vector<Ref> named;
    for (const NetPolicy& policy : policies_.list)
      for (const NetRule& one : out ? policy.out : policy.in) named.push_back(rule(one, out));
    const Ref passes = policies_.isolates(out) ? d_.any(std::move(named)) : DecisionDiagrams::yes;
    return d_.either(s_.equals(out ? PacketField::Out : PacketField::In, 1), d_.choose(transport, passes, others));
  }

  Ref rule(const NetRule& one, bool out) {
    Ref ports = one.ports.empty() ? DecisionDiagrams::yes : DecisionDiagrams::no;
    for (const NetRule::Port& port : one.ports)
      ports = d_.either(ports, d_.both(protocol(port.protocol), s_.between(PacketField::Port, port.first, port.last)));
    return one.peers ? d_.both(s_.addresses(!out, *one.peers), ports) : ports;
  }

  const Policies& policies_;
  PacketSpace& s_;
  DecisionDiagrams& d_;
};

}  // namespace

bool Policies::isolates(bool out) const {
  return std::any_of(list.begin(), list.end(),
                     [&](const NetPolicy& p) { return out ? p.isolates_out : p.isolates_in; });
}

model::PacketLayer evaluate(std::string artifact, std::vector<NetPolicy> policies, bool opens_raw, bool pings,
                            std::shared_ptr<PacketSpace> space) {
  model::PacketLayer out;
  out.artifact = std::move(artifact);
  out.layer = "kubernetes";
  const auto shared = std::make_shared<const Policies>(Policies{std::move(policies), opens_raw, pings});
  Builder builder(*shared, *space);
  for (const Hook hook : {Hook::Input, Hook::Output}) {
    out.accepted[static_cast<std::size_t>(hook)] = builder.accepted(hook == Hook::Output);
    out.hooked[static_cast<std::size_t>(hook)] = shared->isolates(hook == Hook::Output);
  }
  out.accepted[static_cast<std::size_t>(Hook::Forward)] = DecisionDiagrams::yes;
  if (space->exhausted()) throw Refusal{"it distinguishes more packets than the limit"};
  out.space = std::move(space);
  out.decide = [shared](const Packet& p) { return walk(*shared, p); };
  out.state = [shared](smt::Script& script, std::span<const smt::Formula>,
                       const std::function<bool(const std::string&)>* counts) {
    std::array<smt::Formula, model::hooks> none;
    none.fill("false");  // nothing is reported
    return counts ? none : formulas(*shared, script);
  };
  out.reported = [](const std::function<bool(const std::string&)>&) {
    return std::array<Ref, model::hooks>{DecisionDiagrams::no, DecisionDiagrams::no, DecisionDiagrams::no};
  };
  return out;
}

}  // namespace agp::backends::kubernetes
