#include "backends/dns/emit/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

// In: the rules of a policy on names. Out: per domain what is forwarded and which sets are filled.
//
// dnsmasq picks the longest `nftset=/domain/` that is the queried name or stands above it (domain_find_sets in
// src/forward.c), so one entry serves the domain and everything beneath that no longer entry serves; forwarding can be
// stated for the two apart (`/d/` and `/*.d/`). Where the policy permits other endpoints to the domain than to the
// names beneath it, one of the two loses something, the names beneath first. What is lost is reported (`Names::lost`).
// A name that a `deny` or `ask` rule matches counts as without those ports.
namespace agp::backends::dns {
namespace {

using model::Effect;
using model::EndpointBox;
using model::NetBody;
using model::PortSet;
using model::Protocol;
using Region = std::vector<EndpointBox>;

/// Stands for "any label that no rule mentions".
constexpr std::string_view other_label = "?";

bool plain_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  std::size_t label = 0;
  for (const char c : name) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (c == '.' ? label == 0 : (!good || label == 63)) return false;
    label = c == '.' ? 0 : label + 1;
  }
  return label > 0;
}

/// What a name loses to one pattern of an `except`, a `deny` or an `ask`.
struct Loss {
  model::NamePattern pattern;
  model::Protocols protocols;
  PortSet ports;
  bool icmp;
};

Region minus(const Region& boxes, const Loss& loss) {
  Region out;
  for (const auto& b : boxes) {
    if (!has(loss.protocols, b.protocol)) {
      out.push_back(b);
    } else if (b.protocol == Protocol::Icmp) {
      if (!loss.icmp) out.push_back(b);
    } else {
      const PortSet left = PortSet::range(b.ports.first, b.ports.last) - loss.ports;
      for (const auto& r : left.ranges()) out.push_back({b.protocol, b.addresses, r, b.owner});
    }
  }
  return out;
}

class Finder {
 public:
  explicit Finder(const model::Policy& policy) : policy_(policy) {}

  Names run() {
    for (std::size_t i = 0; i < policy_.rules.size(); ++i) {
      const auto* body = std::get_if<NetBody>(&policy_.rules[i].body);
      if (!policy_.rules[i].expired && body && body->direction == model::Direction::Connect) rule(i, *body);
    }
    if (!out_.problems.empty() || out_.grants.empty()) return std::move(out_);
    for (auto& [name, domain] : out_.domains) decide(name, domain);
    return std::move(out_);
  }

 private:
  void domain(const model::NamePattern& pattern, std::size_t rule) {
    if (plain_name(pattern.name))
      out_.domains.try_emplace(pattern.name);
    else
      out_.problems.push_back(
          {fmt::format("a host name of {} bytes has characters that no host name has", pattern.name.size()), rule,
           "use labels of letters, digits, `-` and `_`"});
  }

  void rule(std::size_t i, const NetBody& body) {
    const bool allows = policy_.rules[i].effect == Effect::Allow;
    const auto loss = [&](const model::EndpointPattern& e) { return Loss{*e.name, body.protocols, e.ports, e.icmp}; };
    for (std::size_t e = 0; e < body.endpoints.size(); ++e) {
      const auto& endpoint = body.endpoints[e].pattern;
      if (!endpoint.name) continue;
      domain(*endpoint.name, i);
      if (!allows) {
        refused_.push_back(loss(endpoint));
        continue;
      }
      const auto stands_for = body.within ? *body.within : model::AddressSet::all() - model::never_by_name();
      NameGrant grant{i, e, *endpoint.name, settled(boxes_of(body, endpoint, 0, &stands_for))};
      (grant.pattern.beneath ? beneath_ : exact_)[grant.pattern.name].push_back(out_.grants.size());
      out_.grants.push_back(std::move(grant));
      std::vector<Loss> excepted;
      for (const auto& x : body.except)
        if (x.pattern.name) {
          domain(*x.pattern.name, i);
          excepted.push_back(loss(x.pattern));
        }
      excepted_.push_back(std::move(excepted));
    }
  }

  Region settled(Region boxes) {
    auto out = model::disjoint(std::move(boxes));
    if (out) return std::move(*out);
    out_.problems.push_back({"the endpoints of this policy cut one another into more than 200000 pieces", std::nullopt,
                             "state them as fewer, larger or separate ranges"});
    return {};
  }
  bool within(const Region& part, const Region& whole) {
    Region both = whole;
    both.insert(both.end(), part.begin(), part.end());
    return settled(std::move(both)) == whole;
  }

  std::vector<std::size_t> matching(const std::string& host) const {
    std::vector<std::size_t> out;
    const auto take = [&](const auto& table, const std::string& name) {
      if (const auto at = table.find(name); at != table.end())
        out.insert(out.end(), at->second.begin(), at->second.end());
    };
    take(exact_, host);
    for (std::size_t dot = host.find('.'); dot != std::string::npos; dot = host.find('.', dot + 1))
      take(beneath_, host.substr(dot + 1));
    std::sort(out.begin(), out.end());
    return out;
  }

  /// What one grant permits to `host`.
  Region granted(std::size_t g, const std::string& host) {
    Region boxes = out_.grants[g].boxes;
    const auto apply = [&](const std::vector<Loss>& losses) {
      for (const auto& l : losses)
        if (l.pattern.matches(host)) boxes = minus(boxes, l);
    };
    apply(excepted_[g]);
    apply(refused_);
    return settled(std::move(boxes));
  }
  Region permitted(const std::string& host) {
    Region all;
    for (const std::size_t g : matching(host)) {
      const Region one = granted(g, host);
      all.insert(all.end(), one.begin(), one.end());
    }
    return settled(std::move(all));
  }
  Region filled(const std::vector<std::size_t>& grants) {
    Region all;
    for (const std::size_t g : grants) all.insert(all.end(), out_.grants[g].boxes.begin(), out_.grants[g].boxes.end());
    return settled(std::move(all));
  }

  /// Grants of which every endpoint is permitted to all the hosts of these regions.
  std::vector<std::size_t> safe(const std::set<std::size_t>& grants, const std::vector<const Region*>& regions) {
    std::vector<std::size_t> out;
    for (const std::size_t g : grants)
      if (std::all_of(regions.begin(), regions.end(),
                      [&](const Region* r) { return within(out_.grants[g].boxes, *r); }))
        out.push_back(g);
    return out;
  }

  void decide(const std::string& name, Domain& domain) {
    const std::string below_host = std::string(other_label) + "." + name;
    const auto at = matching(name), below_at = matching(below_host);
    const Region self = permitted(name), below = permitted(below_host);
    std::set<std::size_t> grants(at.begin(), at.end());
    if (self.empty()) grants.clear();
    if (!below.empty()) grants.insert(below_at.begin(), below_at.end());
    choose(domain, grants, self, below, !beneath_.contains(name));
    const Region reached = filled(domain.fill);
    losses(at, name, domain.self ? reached : Region{});
    losses(below_at, below_host, domain.beneath ? reached : Region{});
  }

  /// `under`: no `*.name` rule stands at this domain, so what is permitted beneath it comes from further up.
  void choose(Domain& domain, const std::set<std::size_t>& grants, const Region& self, const Region& below,
              bool under) {
    const auto use = [&](std::vector<std::size_t> fill, bool at, bool beneath) {
      domain.self = at && !fill.empty();
      domain.beneath = beneath && !fill.empty();
      domain.fill = std::move(fill);
      return !domain.fill.empty();
    };
    if (self.empty() && below.empty()) return;
    if (below.empty()) return void(use(safe(grants, {&self}), true, false));
    if (self.empty()) return void(use(safe(grants, {&below}), false, true));
    const auto common = safe(grants, {&self, &below});
    if (filled(common) == self) return void(use(common, true, true));
    if (under && use(safe(grants, {&self}), true, false)) return;
    if (use(common, true, true) || use(safe(grants, {&self}), true, false)) return;
    use(safe(grants, {&below}), false, true);
  }

  void losses(const std::vector<std::size_t>& grants, const std::string& host, const Region& reached) {
    for (const std::size_t g : grants) {
      if (out_.lost.contains(g)) continue;
      const Region wanted = granted(g, host);
      if (within(wanted, reached)) continue;
      Region either = reached;
      for (EndpointBox b : wanted) {  // the first box that is not reached: owner 1 loses against owner 0
        b.owner = 1;
        either.push_back(b);
      }
      for (const auto& b : settled(std::move(either)))
        if (b.owner == 1) {
          const std::string shown = host.starts_with(other_label) ? "x" + host.substr(1) : host;
          out_.lost.emplace(
              g, model::NameAction{b.protocol, shown, b.protocol == Protocol::Icmp ? std::uint16_t{0} : b.ports.first});
          break;
        }
    }
  }

  const model::Policy& policy_;
  Names out_;
  std::map<std::string, std::vector<std::size_t>> exact_, beneath_;  ///< grants by their pattern's name
  std::vector<std::vector<Loss>> excepted_;                          ///< of each grant
  std::vector<Loss> refused_;
};

}  // namespace

Names names_of(const model::Policy& policy) { return Finder(policy).run(); }

}  // namespace agp::backends::dns
