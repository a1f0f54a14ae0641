#include "compiler/verify/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "backends/backend.hpp"
#include "compiler/model/packet_layer.hpp"

// Comes in: the policy and what a resolver does. Goes out: no excess, no loss, with one name as witness.
namespace agp::verify {
namespace {

using model::DecisionDiagrams;
using model::Effect;
using model::NameRule;
using model::NetBody;
using model::PacketField;
using model::Protocol;
using Ref = DecisionDiagrams::Ref;

/// A label that no rule and no configuration mentions.
constexpr std::string_view fresh_name = "agp-other";

class NameCheck {
 public:
  NameCheck(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
            const model::NameLayer& layer)
      : policy_(policy), target_(target), plan_(plan), layer_(layer), d_(space_.diagrams()) {}

  std::vector<Obligation> run() {
    if (layer_.servers) {
      resolv_conf();
      return {obligation(loss_, Direction::Loss, "programs ask the generated resolver")};
    }
    endpoints();
    const auto names = classes();
    for (const std::string& name : names) one(name);
    whole(names);
    if (space_.exhausted()) excess_ = loss_ = {std::nullopt, "the endpoints of names are more than the limit"};
    return {obligation(excess_, Direction::Excess,
                       "no name resolves, and no address opens, that the policy does not allow"),
            obligation(loss_, Direction::Loss, "every name that the policy allows resolves and opens its addresses")};
  }

 private:
  struct Finding {
    std::optional<Witness> refuted;
    std::string unknown;
  };
  struct Endpoint {
    std::size_t rule, endpoint;
    const NetBody* body;
    model::NamePattern pattern;
    Ref whole;  ///< protocols × ports × addresses that it may stand for
  };
  struct Refusal {
    model::NamePattern pattern;
    Ref transport;
  };

  Obligation obligation(const Finding& f, Direction direction, std::string statement) const {
    const auto verdict = [&]() -> Verdict {
      if (f.refuted) return solver::Refuted<Witness>{*f.refuted};
      if (!f.unknown.empty()) return solver::Unknown{f.unknown};
      return solver::Proved{"classes of names"};
    };
    return {layer_.artifact, "dns", "", direction, std::move(statement), verdict(), "query"};
  }

  void refute(Finding& f, std::string action, std::string observed, std::string place, const std::string& name) {
    if (f.refuted) return;
    Witness w;
    w.action = std::move(action);
    w.observed = std::move(observed);
    w.place = std::move(place);
    const auto verdict = model::decide(policy_, model::ResolveAction{name});
    w.decision = verdict.decision;
    w.rules = verdict.rules;
    f.refuted = std::move(w);
  }
  static std::string line(std::uint32_t n) { return n == 0 ? "the default" : fmt::format("line {}", n); }

  // regions -----------------------------------------------------------------------------------------------------------

  Ref transport(const NetBody& body, const model::EndpointPattern& e) {
    Ref out = DecisionDiagrams::no;
    const Ref ports = space_.ports(PacketField::Port, e.ports);
    for (const auto& [protocol, number] : {std::pair{Protocol::Tcp, 6}, {Protocol::Udp, 17}})
      if (has(body.protocols, protocol))
        out = d_.either(out, d_.both(space_.equals(PacketField::Protocol, number), ports));
    if (has(body.protocols, Protocol::Icmp) && e.icmp) out = d_.either(out, space_.equals(PacketField::Protocol, 1));
    return out;
  }

  void endpoints() {
    for (std::size_t r = 0; r < policy_.rules.size(); ++r) {
      const auto* body = std::get_if<NetBody>(&policy_.rules[r].body);
      if (!body || policy_.rules[r].expired || body->direction != model::Direction::Connect) continue;
      for (std::size_t e = 0; e < body->endpoints.size(); ++e) {
        const auto& p = body->endpoints[e].pattern;
        if (!p.name) continue;
        if (policy_.rules[r].effect != Effect::Allow) {
          refused_.push_back({*p.name, transport(*body, p)});
          continue;
        }
        Ref whole = d_.both(
            space_.addresses(false, body->within ? *body->within : model::AddressSet::all() - model::never_by_name()),
            transport(*body, p));
        for (const auto& x : body->except)
          if (!x.pattern.name)
            whole = d_.minus(whole, d_.both(space_.addresses(false, x.pattern.addresses), transport(*body, x.pattern)));
        for (const int family : {4, 6})
          sets_[backends::name_set(policy_.rules[r], e, family)] = {endpoints_.size(), family};
        endpoints_.push_back({r, e, body, *p.name, whole});
      }
    }
  }

  /// What the policy permits to a name. `lacking`: without the regions of accepted losses.
  Ref permitted(const std::string& name, bool lacking) {
    std::vector<Ref> out;
    for (const Endpoint& e : endpoints_) {
      if (!e.pattern.matches(name)) continue;
      if (lacking && accepted_loss(e)) continue;
      Ref one = e.whole;
      for (const auto& x : e.body->except)
        if (x.pattern.name && x.pattern.name->matches(name)) one = d_.minus(one, transport(*e.body, x.pattern));
      out.push_back(one);
    }
    Ref all = d_.any(std::move(out));
    for (const Refusal& r : refused_)
      if (r.pattern.matches(name)) all = d_.minus(all, r.transport);
    return all;
  }
  bool accepted_loss(const Endpoint& e) const {
    return std::any_of(plan_.rows.begin(), plan_.rows.end(), [&](const plan::Row& row) {
      return row.accept && row.fact.kind == model::Fact::Kind::Pattern && row.fact.rule == e.rule &&
             row.fact.pattern == e.endpoint && row.holds != plan::Holds::Wider;
    });
  }

  /// What an answer for the name opens.
  Ref opened(const std::string& name) {
    const model::NameFill* fill = layer_.fill_for(name);
    if (!fill) return DecisionDiagrams::no;
    std::vector<Ref> out;
    for (const auto& into : fill->into) {
      const auto at = sets_.find(into.set);
      if (at == sets_.end() || into.table_family != "inet" || into.table != backends::table_name(policy_)) continue;
      const auto& [endpoint, family] = at->second;
      if (into.family != 0 && into.family != family) continue;  // an address of the other family does not go in
      out.push_back(d_.both(endpoints_[endpoint].whole, space_.equals(PacketField::Family, family == 4 ? 0 : 1)));
    }
    return d_.any(std::move(out));
  }

  // classes -----------------------------------------------------------------------------------------------------------

  std::vector<std::string> classes() const {
    std::set<std::string> domains;
    const auto mention = [&](const model::NamePattern& p) { domains.insert(p.name); };
    for (const Endpoint& e : endpoints_) {
      mention(e.pattern);
      for (const auto& x : e.body->except)
        if (x.pattern.name) mention(*x.pattern.name);
    }
    for (const Refusal& r : refused_) mention(r.pattern);
    for (const NameRule& r : layer_.rules) domains.insert(r.suffix.starts_with('.') ? r.suffix.substr(1) : r.suffix);
    for (const auto& f : layer_.fills) domains.insert(f.domain);
    std::set<std::string> out{std::string(fresh_name), std::string(fresh_name) + ".invalid"};
    for (const std::string& d : domains) {
      if (d.empty()) continue;
      out.insert(d);
      for (const std::string& more : {std::string(fresh_name) + "." + d, std::string(fresh_name) + d})
        if (more.size() <= 253) out.insert(more);
    }
    return {out.begin(), out.end()};
  }

  void one(const std::string& name) {
    const NameRule* rule = layer_.rule_for(name);
    const bool plain = name.find('.') == std::string::npos;
    bool forwards = rule ? rule->what == NameRule::What::Forward : layer_.rest.has_value();
    if (plain && layer_.dotted_only) forwards = false;
    const bool stated = rule && rule->what == NameRule::What::Stated;
    const std::string place = rule ? line(rule->line) : line(layer_.rest.value_or(0));
    const bool resolves = model::decide(policy_, model::ResolveAction{name}).decision == model::Decision::Allow;
    if ((forwards || stated) && !resolves)
      refute(excess_, "resolve " + name, stated ? "answered" : "forwarded", place, name);
    if (stated && resolves) refute(loss_, "resolve " + name, "answered with another address", place, name);
    if (forwards) {
      const auto& upstream = rule ? rule->upstream : layer_.rest_upstream;
      for (const auto a : upstream)
        if (std::find(policy_.resolvers.begin(), policy_.resolvers.end(), a) == policy_.resolvers.end())
          refute(excess_, fmt::format("resolve {} at {}", name, to_string(a)), "forwarded", place, name);
    }
    const model::NameFill* fill = forwards ? layer_.fill_for(name) : nullptr;
    for (std::size_t i = 0; fill && i < fill->into.size(); ++i) {
      const auto& into = fill->into[i];  // a set that no rule on names bounds would hold whatever the answer says
      if (into.table_family != "inet" || into.table != backends::table_name(policy_) || !sets_.contains(into.set))
        refute(excess_, "resolve " + name,
               fmt::format("its addresses put into the set {} {} {}", into.table_family, into.table, into.set),
               line(fill->line), name);
    }
    const Ref opens = forwards ? opened(name) : DecisionDiagrams::no;
    region(excess_, name, d_.minus(opens, permitted(name, false)), "opened");
    region(loss_, name, d_.minus(permitted(name, true), opens), forwards ? "not opened" : "not forwarded");
  }

  void region(Finding& f, const std::string& name, Ref difference, const char* observed) {
    if (f.refuted || difference == DecisionDiagrams::no || space_.exhausted()) return;
    const auto p = *space_.example(difference, model::Hook::Output, 0);
    const auto protocol = p.protocol == 6 ? Protocol::Tcp : p.protocol == 17 ? Protocol::Udp : Protocol::Icmp;
    const auto address = p.family == model::PacketFamily::V4
                             ? model::Address::v4(static_cast<std::uint32_t>(p.destination))
                             : model::Address{p.destination};
    const model::NameFill* fill = layer_.fill_for(name);
    refute(f,
           fmt::format(
               "{} as an address of {}",
               model::to_string(model::Action(model::NetAction{model::Direction::Connect,
                                                               protocol,
                                                               address,
                                                               protocol == Protocol::Icmp ? std::uint16_t{0} : p.port,
                                                               {},
                                                               {}})),
               name),
           observed, fill ? line(fill->line) : "no line that fills its set", name);
  }

  // what is about all names -------------------------------------------------------------------------------------------

  void whole(const std::vector<std::string>& names) {
    const auto forwarded = std::find_if(names.begin(), names.end(), [&](const std::string& n) {
      const NameRule* r = layer_.rule_for(n);
      return r ? r->what == NameRule::What::Forward : layer_.rest.has_value();
    });
    if (layer_.hosts)
      refute(excess_, "resolve localhost", "answered from /etc/hosts", "the default, without `no-hosts`", "localhost");
    if (forwarded == names.end()) return;
    if (layer_.caches)
      refute(excess_, fmt::format("resolve the target of an alias that {} has", *forwarded), "answered from the cache",
             "`cache-size`", *forwarded);
    if (target_.dnsmasq >= model::KernelVersion{2, 90})
      for (const auto& [first, last] : {std::pair{2, 4}, {7, 27}, {29, 40}, {42, 264}, {32768, 32769}})
        for (int type = first; type <= last; ++type)
          if (!layer_.emptied.contains(type))
            refute(excess_, fmt::format("resolve {}, a record of type {}", *forwarded, type), "answered", "`filter-rr`",
                   *forwarded);
    for (const int type : {1, 28})
      if (layer_.emptied.contains(type))
        refute(loss_, fmt::format("resolve {}, a record of type {}", *forwarded, type), "emptied", "`filter-rr`",
               *forwarded);
    const model::Address generated = *model::parse_v4("127.0.0.53");
    if (layer_.port != 53 || (!layer_.listens.empty() && std::find(layer_.listens.begin(), layer_.listens.end(),
                                                                   generated) == layer_.listens.end()))
      refute(loss_, "resolve " + *forwarded, "not asked: it listens elsewhere", "`listen-address` and `port`",
             *forwarded);
    if (layer_.user != target_.dns_user)
      refute(loss_, "resolve " + *forwarded,
             fmt::format("forwarded as the user `{}`, which the packet rules refuse", layer_.user), "`user`",
             *forwarded);
  }

  void resolv_conf() {
    const model::Address generated = *model::parse_v4("127.0.0.53");
    if (!backends::needs_resolver(policy_)) return;
    if (std::find(layer_.servers->begin(), layer_.servers->end(), generated) == layer_.servers->end())
      refute(loss_, "a query to 127.0.0.53", "not made: no `nameserver` names it", "the whole file", "");
  }

  const model::Policy& policy_;
  const model::Target& target_;
  const plan::Plan& plan_;
  const model::NameLayer& layer_;
  model::PacketSpace space_;
  DecisionDiagrams& d_;
  std::vector<Endpoint> endpoints_;
  std::vector<Refusal> refused_;
  std::map<std::string, std::pair<std::size_t, int>> sets_;
  Finding excess_, loss_;
};

}  // namespace

std::vector<Obligation> verify_names(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                     const model::NameLayer& layer) {
  return NameCheck(policy, target, plan, layer).run();
}

}  // namespace agp::verify
