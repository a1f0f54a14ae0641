#include <fmt/format.h>

#include "backends/kubernetes/decode/parts.hpp"

// In: the policies that select a pod. Out: what passes each hook, as text of SMT-LIB 2 for whoever wants to decide it
// by other means. Rules one by one, as they stand.
namespace agp::backends::kubernetes {
namespace {

using model::between;
using model::Hook;
using model::PacketField;
using model::PacketState;
using smt::Formula;

Formula is(PacketField field, unsigned value) { return between(field, value, value); }
Formula state(PacketState s) { return is(PacketField::State, static_cast<unsigned>(s)); }
Formula family(bool v6) { return v6 ? "v6" : smt::negate("v6"); }
Formula icmp(bool v6) { return smt::all({family(v6), is(PacketField::Protocol, v6 ? 58 : 1)}); }
Formula types(bool v6, std::initializer_list<unsigned> list) {
  std::vector<Formula> some;
  for (const unsigned t : list) some.push_back(is(PacketField::IcmpType, t));
  return smt::all({icmp(v6), smt::any(some)});
}
Formula errors() {
  return smt::any({types(false, {3, 11, 12}), types(true, {1, 2, 3, 4}),
                   smt::all({is(PacketField::Protocol, 6), "(= (bvand tcp_flags #x06) #x04)"})});
}

Formula addresses(const model::AddressSet& set, bool out) {
  std::vector<Formula> some;
  for (const auto& r : set.ranges())
    some.push_back(r.first.is_v4()
                       ? smt::all({family(false), between(out ? PacketField::Destination4 : PacketField::Source4,
                                                          r.first.v4_bits(), r.last.v4_bits())})
                       : smt::all({family(true), between(out ? PacketField::Destination6 : PacketField::Source6,
                                                         r.first.bits, r.last.bits)}));
  return smt::any(some);
}

Formula rule_of(const NetRule& rule, bool out) {
  std::vector<Formula> ports;
  for (const NetRule::Port& p : rule.ports)
    ports.push_back(smt::all(
        {is(PacketField::Protocol, static_cast<unsigned>(p.protocol)), between(PacketField::Port, p.first, p.last)}));
  return smt::all({rule.peers ? addresses(*rule.peers, out) : "true", rule.ports.empty() ? "true" : smt::any(ports)});
}

Formula opened(const Policies& policies, bool out, smt::Script& script) {
  std::vector<Formula> transport, named;
  for (const int t : transports) transport.push_back(is(PacketField::Protocol, static_cast<unsigned>(t)));
  for (const NetPolicy& policy : policies.list) {
    const auto& rules = out ? policy.out : policy.in;
    for (std::size_t r = 0; r < rules.size(); ++r) {
      script.remark(fmt::format("policy {}, {}", policy.named.name, rules[r].place));
      named.push_back(
          script.define(fmt::format("{}{}.{}", out ? "egress" : "ingress", &policy - policies.list.data(), r), 0,
                        rule_of(rules[r], out)));
    }
  }
  const Formula passes = policies.isolates(out) ? smt::any(named) : "true";
  const Formula sockets = policies.opens_raw ? "true" : policies.pings ? smt::any({icmp(false), icmp(true)}) : "false";
  return smt::any({is(out ? PacketField::Out : PacketField::In, 1),
                   smt::choose(smt::any(transport), passes, out ? sockets : "true")});
}

}  // namespace

std::array<Formula, model::hooks> formulas(const Policies& policies, smt::Script& script) {
  std::array<Formula, model::hooks> all;
  all.fill("true");  // a pod forwards nothing
  for (const Hook hook : {Hook::Input, Hook::Output})
    all[static_cast<std::size_t>(hook)] =
        smt::any({smt::all({state(PacketState::New), opened(policies, hook == Hook::Output, script)}),
                  state(PacketState::Established), smt::all({state(PacketState::Related), errors()}),
                  smt::all({state(PacketState::Untracked), types(true, {135, 136}), is(PacketField::Hops, 255)})});
  return all;
}

}  // namespace agp::backends::kubernetes
