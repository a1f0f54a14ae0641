#include "compiler/verify/packet_terms.hpp"

#include "backends/backend.hpp"
#include "compiler/verify/gaps.hpp"

namespace agp::verify {
namespace {

using model::Effect;
using model::PacketFamily;
using model::PacketField;
using model::Protocol;

}  // namespace

PacketForm packet_form(const model::Policy& policy, const model::Target& target) {
  if (model::starts_container(target.stack)) return PacketForm::Namespace;
  return policy.run.interface ? PacketForm::Interface : policy.run.cgroup ? PacketForm::Cgroup : PacketForm::User;
}

std::set<std::string> packet_reports(const model::Policy& policy) {
  std::set<std::string> out{backends::log_prefix(policy, std::nullopt)};
  for (const model::Rule& rule : policy.rules)
    if (std::holds_alternative<model::NetBody>(rule.body)) out.insert(backends::log_prefix(policy, rule.id));
  return out;
}

PacketTerms::PacketTerms(const model::Policy& policy, const plan::Plan& plan, const model::PacketLayer& layer)
    : policy_(policy), plan_(plan), space_(*layer.space), d_(space_.diagrams()), members_(layer.filled.size()) {
  for (std::size_t i = 0; i < layer.filled.size(); ++i)
    if (!layer.filled[i].source) sets_[{layer.filled[i].name, layer.filled[i].family}] = i;
  for (std::size_t r = 0; r < policy.rules.size(); ++r) {
    const auto* body = std::get_if<model::NetBody>(&policy.rules[r].body);
    if (!body || policy.rules[r].expired || policy.rules[r].effect != Effect::Allow) continue;
    for (std::size_t e = 0; e < body->endpoints.size(); ++e)
      if (body->endpoints[e].pattern.name)
        for (const auto family : {PacketFamily::V4, PacketFamily::V6}) {
          const std::string name = backends::name_set(policy.rules[r], e, family == PacketFamily::V4 ? 4 : 6);
          const auto [at, fresh] = sets_.try_emplace({name, family}, members_);
          if (fresh) ++members_;
          meanings_[at->second] = {r, e};
        }
  }
}

std::optional<std::pair<std::size_t, std::size_t>> PacketTerms::meaning(std::size_t filled) const {
  const auto at = meanings_.find(filled);
  return at == meanings_.end() ? std::nullopt : std::optional(at->second);
}

PacketTerms::Ref PacketTerms::member(std::size_t rule, std::size_t endpoint, PacketFamily family) {
  const int number = family == PacketFamily::V4 ? 4 : 6;
  return space_.member(sets_.at({backends::name_set(policy_.rules[rule], endpoint, number), family}));
}

PacketTerms::Ref PacketTerms::pattern(const model::NetBody& body, const model::EndpointPattern& e,
                                      const model::AddressSet& addresses, Way way) {
  const bool back = way == Way::Back;
  Ref transport = model::DecisionDiagrams::no;
  const Ref ports = space_.ports(back ? PacketField::SourcePort : PacketField::Port, e.ports);
  for (const auto& [protocol, number] : {std::pair{Protocol::Tcp, 6}, {Protocol::Udp, 17}})
    if (has(body.protocols, protocol))
      transport = d_.either(transport, d_.both(space_.equals(PacketField::Protocol, number), ports));
  if (has(body.protocols, Protocol::Icmp) && e.icmp)
    for (const auto& [family, number] : {std::pair{0, 1}, {1, 58}})
      transport = d_.either(
          transport, d_.both(space_.equals(PacketField::Family, family), space_.equals(PacketField::Protocol, number)));
  return d_.both(space_.addresses(back, addresses), transport);
}

/// One endpoint of a rule, minus the addresses in its `except`. Names there are the resolver's to tell apart.
PacketTerms::Ref PacketTerms::region(const model::NetBody& body, std::size_t rule, std::size_t endpoint, Way way) {
  const auto& e = body.endpoints[endpoint].pattern;
  const model::AddressSet stands_for = !e.name       ? e.addresses
                                       : body.within ? *body.within
                                                     : model::AddressSet::all() - model::never_by_name();
  Ref out = pattern(body, e, stands_for, way);
  for (const auto& x : body.except)
    if (!x.pattern.name) out = d_.minus(out, pattern(body, x.pattern, x.pattern.addresses, way));
  if (e.name && way == Way::There) {
    const Ref v6 = space_.equals(PacketField::Family, 1);
    out =
        d_.both(out, d_.choose(v6, member(rule, endpoint, PacketFamily::V6), member(rule, endpoint, PacketFamily::V4)));
  }
  if (body.direction == model::Direction::Listen && body.from)
    out = d_.both(out, space_.addresses(way == Way::There, *body.from));
  return out;
}

PacketTerms::Ref PacketTerms::permitted(model::Direction direction, Way way) {
  std::vector<Ref> allowed, refused;
  for (std::size_t r = 0; r < policy_.rules.size(); ++r) {
    const auto& rule = policy_.rules[r];
    const auto* body = std::get_if<model::NetBody>(&rule.body);
    if (!body || rule.expired || body->direction != direction) continue;
    const bool allows = rule.effect == Effect::Allow;
    for (std::size_t e = 0; e < body->endpoints.size(); ++e) {
      const bool named = body->endpoints[e].pattern.name.has_value();
      if (named && (!allows || direction == model::Direction::Listen))
        continue;  // what packets do not show: the plan's gap
      (allows ? allowed : refused).push_back(region(*body, r, e, way));
    }
  }
  return d_.minus(d_.any(std::move(allowed)), d_.any(std::move(refused)));
}

PacketTerms::Ref PacketTerms::connects(Way way) { return permitted(model::Direction::Connect, way); }
PacketTerms::Ref PacketTerms::listens(Way way) { return permitted(model::Direction::Listen, way); }
PacketTerms::Ref PacketTerms::may_exceed(model::Direction direction) { return gaps(direction, true); }
PacketTerms::Ref PacketTerms::may_lack(model::Direction direction) { return gaps(direction, false); }

PacketTerms::Ref PacketTerms::gaps(model::Direction direction, bool exceeds) {
  std::vector<Ref> out;
  for (const EndpointGap& gap : endpoint_gaps(policy_, plan_)) {
    const auto& body = std::get<model::NetBody>(policy_.rules[gap.rule].body);
    if (body.direction == direction && (exceeds ? gap.exceeds : gap.lacks))
      out.push_back(region(body, gap.rule, gap.endpoint, Way::There));
  }
  return d_.any(std::move(out));
}

}  // namespace agp::verify
