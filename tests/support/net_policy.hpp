#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/model/fact.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"

/// Policies as values, for tests of the packet and name layers that need no source text.
namespace agp::test {

inline model::Address address(std::string_view text) {
  return text.find(':') == text.npos ? model::parse_v4(text).value() : model::parse_v6(text).value();
}

/// `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`, `any`; IPv6 without brackets.
inline model::AddressSet addresses(std::string_view text) {
  if (text == "any") return model::AddressSet::all();
  if (const auto dash = text.find('-'); dash != text.npos)
    return model::AddressSet::range(address(text.substr(0, dash)), address(text.substr(dash + 1)));
  const auto slash = text.find('/');
  const model::Address first = address(text.substr(0, slash));
  if (slash == text.npos) return model::AddressSet::range(first, first);
  const int width = first.is_v4() ? 32 : 128, length = std::stoi(std::string(text.substr(slash + 1)));
  const auto host = length == 0 && width == 128 ? ~model::Bits128{0} : (model::Bits128{1} << (width - length)) - 1;
  return model::AddressSet::range(first, {first.bits | host});
}

inline model::PortSet ports(std::initializer_list<std::pair<int, int>> ranges) {
  model::PortSet out;
  for (const auto& [first, last] : ranges)
    out = out | model::PortSet::range(static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last));
  return out;
}
inline model::PortSet port(int n) { return ports({{n, n}}); }

inline model::EndpointPattern at(std::string_view where, model::PortSet which) {
  return {addresses(where), std::nullopt, std::move(which), false};
}
/// Every port of tcp and udp, and icmp.
inline model::EndpointPattern all_of(std::string_view where) {
  return {addresses(where), std::nullopt, model::PortSet::all(), true};
}
inline model::EndpointPattern named(std::string_view name, model::PortSet which) {
  const bool beneath = name.starts_with("*.");
  return {{}, model::NamePattern{std::string(name.substr(beneath ? 2 : 0)), beneath}, std::move(which), false};
}

inline constexpr model::Protocols tcp = 1, udp = 2, tcp_udp = 3, icmp = 4, any_protocol = 7;

/// Builds one policy, rule by rule.
class PolicyBuilder {
 public:
  explicit PolicyBuilder(std::string name) {
    policy_.name = std::move(name);
    policy_.run.user = model::User{65534, 65534, {}};
  }

  model::NetBody& net(model::Effect effect, std::string id, model::Direction direction, model::Protocols protocols,
                      std::vector<model::EndpointPattern> endpoints) {
    model::NetBody body;
    body.direction = direction;
    body.protocols = protocols;
    for (auto& e : endpoints) body.endpoints.push_back({std::move(e), {}, "endpoint"});
    return std::get<model::NetBody>(add(effect, std::move(id), std::move(body)).body);
  }
  model::NetBody& allow(std::string id, model::Protocols p, std::vector<model::EndpointPattern> e) {
    return net(model::Effect::Allow, std::move(id), model::Direction::Connect, p, std::move(e));
  }
  model::NetBody& deny(std::string id, model::Protocols p, std::vector<model::EndpointPattern> e) {
    return net(model::Effect::Deny, std::move(id), model::Direction::Connect, p, std::move(e));
  }
  model::NetBody& listen(std::string id, model::Protocols p, std::vector<model::EndpointPattern> e) {
    return net(model::Effect::Allow, std::move(id), model::Direction::Listen, p, std::move(e));
  }
  void tool(model::Effect effect, std::string id, std::vector<std::string> names) {
    model::TextBody body;
    body.sort = model::TextBody::Sort::Tool;
    for (auto& n : names) body.patterns.push_back({n, {}, "tool \"" + n + "\""});
    add(effect, std::move(id), std::move(body));
  }
  model::Rule& add(model::Effect effect, std::string id, model::RuleBody body) {
    model::Rule rule;
    rule.effect = effect;
    rule.id = id;
    rule.label = std::move(id);
    rule.text = std::string(to_string(effect)) + " " + rule.label;
    rule.body = std::move(body);
    policy_.rules.push_back(std::move(rule));
    return policy_.rules.back();
  }
  void resolver(std::string_view a) { policy_.resolvers.push_back(address(a)); }
  model::Policy& get() { return policy_; }

 private:
  model::Policy policy_;
};

/// The policy's facts but the builder's own user.
inline std::vector<model::Fact> facts_of(const model::Policy& policy) {
  auto out = model::facts(policy);
  std::erase_if(out, [](const model::Fact& f) { return f.kind == model::Fact::Kind::User; });
  return out;
}

inline model::Target debian_12() {
  model::Target t;
  t.name = "debian-12";
  t.kernel = {6, 1};
  t.landlock_abi = 2;
  t.archs = {"x86_64"};
  t.stack = "oci";
  t.runc = {1, 1};
  t.nft = {1, 0};
  t.dnsmasq = {2, 90};
  return t;
}

}  // namespace agp::test
