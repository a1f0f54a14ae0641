#include "compiler/verify/certificate_ports.hpp"

#include <fmt/format.h>

// In: a policy, and ports as they were read back. Out: both as formulas.
namespace agp::verify {
namespace {

using smt::Formula;

Formula ports(bool listen, bool udp, const model::PortSet& set) {
  std::vector<Formula> some;
  for (const auto& r : set.ranges()) some.push_back(smt::between("port", r.first, r.last, 16));
  return smt::all({listen ? "listen" : smt::negate("listen"), udp ? "udp" : smt::negate("udp"), smt::any(some)});
}

}  // namespace

void state_ports(smt::Script& script, const model::Policy& policy, const model::PortLayer& layer) {
  script.declare("listen", 0);
  script.declare("udp", 0);
  script.declare("port", 16);
  std::vector<Formula> granted, needed;
  for (const bool listen : {false, true})
    for (const bool udp : {false, true}) {
      const auto& set =
          listen ? (udp ? layer.listen_udp : layer.listen_tcp) : (udp ? layer.connect_udp : layer.connect_tcp);
      // no value: the layer does not decide it
      granted.push_back(ports(listen, udp, set ? *set : model::PortSet::range(1, 65535)));
    }
  script.state("artifact", smt::any(granted));
  for (const model::Rule& rule : policy.rules) {
    const auto* body = std::get_if<model::NetBody>(&rule.body);
    if (!body || rule.expired || rule.effect != model::Effect::Allow) continue;
    for (const auto& [protocol, udp] : {std::pair{model::Protocol::Tcp, false}, {model::Protocol::Udp, true}}) {
      if (!has(body->protocols, protocol)) continue;
      for (const auto& e : body->endpoints) {
        script.remark(fmt::format("rule {}: {}", rule.id, rule.text));
        needed.push_back(script.define(fmt::format("rule{}", needed.size() + 1), 0,
                                       ports(body->direction == model::Direction::Listen, udp, e.pattern.ports)));
      }
    }
  }
  script.state("policy", smt::any(needed));
}

}  // namespace agp::verify
