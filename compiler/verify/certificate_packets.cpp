#include "compiler/verify/certificate_packets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "backends/backend.hpp"
#include "compiler/verify/certificate_calls.hpp"
#include "compiler/verify/gaps.hpp"
#include "compiler/verify/packet_terms.hpp"
#include "compiler/verify/special_addresses.hpp"

// In: a policy and a layer whose rules write themselves as formulas. Out: both sides as text. What is asked is what
// packets.cpp asks, hook by hook and direction by direction, in one statement over one packet.
namespace agp::verify {
namespace {

using model::AddressSet;
using model::Bits128;
using model::Effect;
using model::Hook;
using model::PacketField;
using model::PacketState;
using model::Protocol;
using smt::Formula;

constexpr Bits128 no_user = model::no_user;
constexpr Bits128 interface = 2;  ///< the agent's; 0 is any that nobody mentions, 1 is `lo`

AddressSet multicast6() { return range("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"); }

Formula is(PacketField field, Bits128 value) { return model::between(field, value, value); }
Formula state(PacketState s) { return is(PacketField::State, static_cast<unsigned>(s)); }
Formula protocol(unsigned p) { return is(PacketField::Protocol, p); }

Formula addresses(bool source, const AddressSet& set) {
  std::vector<Formula> v4, v6;
  for (const auto& r : set.ranges())
    if (r.first.is_v4())
      v4.push_back(model::between(source ? PacketField::Source4 : PacketField::Destination4, r.first.v4_bits(),
                                  r.last.v4_bits()));
    else
      v6.push_back(
          model::between(source ? PacketField::Source6 : PacketField::Destination6, r.first.bits, r.last.bits));
  return smt::any({smt::all({smt::negate("v6"), smt::any(v4)}), smt::all({"v6", smt::any(v6)})});
}
Formula to(const AddressSet& set) { return addresses(false, set); }
Formula from(const AddressSet& set) { return addresses(true, set); }

/// ICMP of the family, one of the types.
Formula icmp(bool v6, std::initializer_list<unsigned> types) {
  std::vector<Formula> some;
  for (const unsigned t : types) some.push_back(is(PacketField::IcmpType, t));
  return smt::all({v6 ? "v6" : smt::negate("v6"), protocol(v6 ? 58 : 1), smt::any(some)});
}
Formula errors() { return smt::any({icmp(false, {3, 11, 12}), icmp(true, {1, 2, 3, 4})}); }
Formula reset() { return smt::all({protocol(6), "(= (bvand tcp_flags #x06) #x04)"}); }
Formula neighbours() { return smt::all({icmp(true, {135, 136}), is(PacketField::Hops, 255)}); }
Formula high_port(PacketField field) { return model::between(field, 1024, 65535); }

std::string set_variable(const std::string& name) { return "in." + name; }

class Statement {
 public:
  Statement(smt::Script& script, const PacketStatement& s)
      : script_(script), s_(s), form_(packet_form(s.original, s.target)) {}

  std::string run(verify::Direction question, bool other_answer) {
    const model::PacketSpace& space = *s_.layer.space;
    const bool by_cgroup = form_ == PacketForm::Cgroup, by_interface = form_ == PacketForm::Interface;
    if (space.cgroups().size() > (by_cgroup ? 3 : 2) ||
        (space.cgroups().size() > 2 && "/" + space.cgroups()[2] != *s_.policy.run.cgroup))
      return "rules on cgroups that are not the agent's have no form as a certificate yet";
    if (space.interfaces().size() > (by_interface ? 3 : 2) ||
        (space.interfaces().size() > 2 && space.interfaces()[2] != *s_.policy.run.interface))
      return "rules on interfaces that are not the agent's have no form as a certificate yet";
    if (!s_.layer.state) return "its rules have no form as a certificate";
    const bool demanded = demands(question);
    if (std::string why = declare(demanded); !why.empty()) return why;
    script_.remark("the rules");
    passes_ = s_.layer.state(script_, members_, nullptr);
    if (question == verify::Direction::Reports || question == verify::Direction::Quiet ||
        (other_answer && question == verify::Direction::Permits))
      silent(question == verify::Direction::Reports);
    script_.remark("packets that can exist: the kernel makes loopback of 0.0.0.0 and ::, and IPv4 of mapped addresses");
    std::vector<Formula> artifact, all;
    for (const Hook hook : hooks()) {
      const Formula exists = real_[index(hook)] =
          script_.define(fmt::format("real.{}", model::to_string(hook)), 0, real(hook));
      const Formula passes = smt::all({at(hook), passes_[index(hook)]});
      artifact.push_back(demanded ? passes : smt::all({passes, exists, agents(hook)}));
      all.push_back(smt::all({at(hook), exists}));
    }
    script_.state("artifact", smt::any(artifact));
    if (question == verify::Direction::Permits)
      script_.state("policy", smt::any(all));
    else if (other_answer)
      script_.state("policy", "false");
    else if (demanded)
      demand();
    else
      permit();
    return {};
  }

 private:
  std::string declare(bool demanded) {
    script_.declare("output", 0);
    if (form_ != PacketForm::Namespace) script_.declare("forward", 0);
    if (form_ == PacketForm::Cgroup) script_.declare("cgroup", 0);
    for (const PacketField f :
         {PacketField::State, PacketField::Family, PacketField::User, PacketField::In, PacketField::Out,
          PacketField::Protocol, PacketField::Kind, PacketField::Hops, PacketField::IcmpType, PacketField::IcmpCode,
          PacketField::TcpFlags, PacketField::Destination4, PacketField::Destination6, PacketField::Port,
          PacketField::Source4, PacketField::Source6, PacketField::SourcePort}) {
      const auto [name, width] = model::variable_of(f);
      script_.declare(name, width);
    }
    // What a name's set holds is arbitrary; what else could be filled and is not holds what is stated.
    std::set<std::string> declared;
    for (const model::Rule& rule : s_.original.rules)
      if (const auto* body = std::get_if<model::NetBody>(&rule.body);
          body && !rule.expired && rule.effect == Effect::Allow)
        for (std::size_t e = 0; e < body->endpoints.size(); ++e)
          if (body->endpoints[e].pattern.name)
            for (const int family : {4, 6}) declared.insert(backends::name_set(rule, e, family));
    for (const std::string& name : declared) script_.declare(set_variable(name), 0);
    for (const model::FilledSet& set : s_.layer.filled) {
      if (!set.source && declared.contains(set.name)) {
        members_.push_back(demanded && set.forgets ? "false" : set_variable(set.name));
        continue;
      }
      if (s_.fills.contains({set.table, set.name}))
        return fmt::format("the set `{}`, which the resolver fills for no rule, has no form as a certificate yet",
                           set.name);
      std::vector<Formula> some;
      const bool v4 = set.family == model::PacketFamily::V4;
      for (const Bits128 a : set.elements)
        some.push_back(is(set.source ? (v4 ? PacketField::Source4 : PacketField::Source6)
                                     : (v4 ? PacketField::Destination4 : PacketField::Destination6),
                          a));
      members_.push_back(smt::any(some));
    }
    return {};
  }

  /// What passes becomes what passes without a line in the log: of this policy's rules, or (not `own`) of anybody.
  void silent(bool own) {
    script_.remark("lines in the log");
    const auto reports = packet_reports(s_.original);
    const std::function<bool(const std::string&)> counts = [&](const std::string& prefix) {
      return !own || reports.contains(prefix);
    };
    const auto reported = s_.layer.state(script_, members_, &counts);
    for (const Hook hook : hooks())
      passes_[index(hook)] = smt::all({passes_[index(hook)], smt::negate(reported[index(hook)])});
  }

  static std::size_t index(Hook hook) { return static_cast<std::size_t>(hook); }
  /// Where packets of somebody's can be.
  std::vector<Hook> hooks() const {
    if (form_ == PacketForm::Namespace) return {Hook::Output, Hook::Input};
    return {Hook::Output, Hook::Input, Hook::Forward};
  }
  Formula at(Hook hook) const {
    if (hook == Hook::Output) return "output";
    const Formula passed_on = hook == Hook::Forward ? "forward" : smt::negate("forward");
    return smt::all({smt::negate("output"), form_ == PacketForm::Namespace ? "true" : passed_on});
  }
  /// The agent's packets of one direction at a hook (packets.cpp, `mine`).
  Formula mine(model::Direction direction, Hook hook) const {
    const bool sends = direction == model::Direction::Connect, usual = hook == (sends ? Hook::Output : Hook::Input);
    const Formula comes = is(PacketField::In, interface);
    switch (form_) {
      case PacketForm::Namespace:
        return usual ? "true" : "false";
      case PacketForm::User:
        return usual && sends ? is(PacketField::User, agent()) : "false";
      case PacketForm::Cgroup:
        return usual ? "cgroup" : "false";
      case PacketForm::Interface:
        break;
    }
    if (usual) return "false";
    return sends ? comes : smt::all({is(PacketField::Out, interface), smt::negate(comes)});
  }
  Formula agents(Hook hook) const {
    return smt::any({mine(model::Direction::Connect, hook), mine(model::Direction::Listen, hook)});
  }
  bool own_stack() const { return form_ == PacketForm::Namespace || form_ == PacketForm::Interface; }

  Formula real(Hook hook) const {
    const bool output = hook == Hook::Output, input = hook == Hook::Input;
    const Formula lo_in = is(PacketField::In, 1), lo_out = is(PacketField::Out, 1);
    const Formula local = smt::any({to(loopback()), input ? from(loopback()) : "false"});
    const Bits128 most = form_ == PacketForm::Interface ? interface : 1;
    const Formula by = hook == Hook::Forward ? smt::all({smt::negate(local), smt::negate(lo_in), smt::negate(lo_out)})
                                             : smt::any({smt::negate(local), output ? lo_out : lo_in});
    // users: numbers, nobody, and the one that may stand by its name, the target's resolver
    return smt::all({model::between(PacketField::State, 0, model::packet_states - 1),
                     model::between(PacketField::User, 0, no_user + 1),
                     model::between(PacketField::In, 0, output ? 0 : most),
                     model::between(PacketField::Out, 0, input ? 0 : most), model::between(PacketField::Kind, 0, 3),
                     to(AddressSet::all() - unspecified()), from(AddressSet::all()), by});
  }

  // the policy --------------------------------------------------------------------------------------------------------

  Formula pattern(const model::NetBody& body, const model::EndpointPattern& e, const AddressSet& set, bool back) {
    std::vector<Formula> ports, transport;
    for (const auto& r : e.ports.ranges())
      ports.push_back(model::between(back ? PacketField::SourcePort : PacketField::Port, r.first, r.last));
    for (const auto& [one, number] : {std::pair{Protocol::Tcp, 6u}, {Protocol::Udp, 17u}})
      if (has(body.protocols, one)) transport.push_back(smt::all({protocol(number), smt::any(ports)}));
    if (has(body.protocols, Protocol::Icmp) && e.icmp)
      for (const bool v6 : {false, true})
        transport.push_back(smt::all({v6 ? "v6" : smt::negate("v6"), protocol(v6 ? 58 : 1)}));
    return smt::all({addresses(back, set), smt::any(transport)});
  }

  Formula region(const model::Rule& rule, const model::NetBody& body, std::size_t endpoint, bool back) {
    const model::EndpointPattern& e = body.endpoints[endpoint].pattern;
    const AddressSet set = !e.name       ? e.addresses
                           : body.within ? *body.within
                                         : AddressSet::all() - model::never_by_name();
    std::vector<Formula> parts{pattern(body, e, set, back)};
    for (const auto& x : body.except)
      if (!x.pattern.name) parts.push_back(smt::negate(pattern(body, x.pattern, x.pattern.addresses, back)));
    if (e.name && !back)
      parts.push_back(smt::choose("v6", set_variable(backends::name_set(rule, endpoint, 6)),
                                  set_variable(backends::name_set(rule, endpoint, 4))));
    if (body.direction == model::Direction::Listen && body.from) parts.push_back(addresses(!back, *body.from));
    return smt::all(parts);
  }

  /// What the rules permit; `back`: the answers to it.
  Formula permitted(model::Direction direction, bool back) {
    std::vector<Formula> allowed, refused;
    for (const model::Rule& rule : s_.policy.rules) {
      const auto* body = std::get_if<model::NetBody>(&rule.body);
      if (!body || rule.expired || body->direction != direction) continue;
      const bool allows = rule.effect == Effect::Allow;
      for (std::size_t e = 0; e < body->endpoints.size(); ++e) {
        const bool named = body->endpoints[e].pattern.name.has_value();
        if (named && (!allows || direction == model::Direction::Listen)) continue;
        script_.remark(fmt::format("{} {}: {}", back ? "answers to" : "rule", rule.id, rule.text));
        (allows ? allowed : refused)
            .push_back(script_.define(fmt::format("rule{}", ++rules_), 0, region(rule, *body, e, back)));
      }
    }
    return smt::all({smt::any(allowed), smt::negate(smt::any(refused))});
  }

  Formula gaps(model::Direction direction, bool exceeds) {
    std::vector<Formula> some;
    for (const EndpointGap& gap : endpoint_gaps(s_.policy, s_.plan)) {
      const model::Rule& rule = s_.policy.rules[gap.rule];
      const auto& body = std::get<model::NetBody>(rule.body);
      if (body.direction != direction || !(exceeds ? gap.exceeds : gap.lacks)) continue;
      script_.remark(fmt::format("an accepted gap, of rule {}", rule.id));
      some.push_back(script_.define(fmt::format("gap{}", ++rules_), 0, region(rule, body, gap.endpoint, false)));
    }
    return smt::any(some);
  }

  Formula dns(const AddressSet& at) {
    return smt::all({to(at), smt::any({protocol(6), protocol(17)}), is(PacketField::Port, 53)});
  }
  AddressSet generated() const { return range("127.0.0.53", "127.0.0.53"); }
  AddressSet upstreams() const {
    AddressSet out;
    for (const auto a : s_.policy.resolvers) out = out | AddressSet::range(a, a);
    return out;
  }
  Bits128 agent() const { return backends::agent_user(s_.policy).uid; }
  bool resolves() const { return s_.needs.resolver && model::makes_network(s_.target.stack); }

  /// What may pass: the rules, the generated resolver, gaps; and what comes with a connection that was permitted.
  void permit() {
    const Formula connects = permitted(model::Direction::Connect, false),
                  listens = permitted(model::Direction::Listen, false);
    std::vector<Formula> sent{connects, gaps(model::Direction::Connect, true)},
        received{listens, gaps(model::Direction::Listen, true)};
    if (resolves()) {
      script_.remark("the generated resolver: asked by all, and asking as a user of its own");
      const Formula asked = script_.define("resolver.asked", 0, dns(generated()));
      sent.push_back(asked);
      received.push_back(asked);
      sent.push_back(script_.define("resolver.asks", 0,
                                    smt::all({smt::negate(is(PacketField::User, agent())),
                                              smt::negate(is(PacketField::User, no_user)), dns(upstreams())})));
    }
    if (!model::makes_network(s_.target.stack) && form_ == PacketForm::Namespace) {
      script_.remark("what no NetworkPolicy decides, and the plan names");
      sent.push_back(is(PacketField::Out, 1));
      received.push_back(is(PacketField::In, 1));
      received.push_back(smt::negate(smt::any({protocol(6), protocol(17), protocol(132)})));
    }
    script_.remark("established; errors and resets about a connection; neighbour discovery");
    std::vector<Formula> some{state(PacketState::Established),
                              smt::all({state(PacketState::Related), smt::any({errors(), reset()})})};
    if (own_stack()) some.push_back(smt::all({state(PacketState::Untracked), neighbours()}));
    for (const Hook hook : hooks()) {
      some.push_back(smt::all({at(hook), mine(model::Direction::Connect, hook), smt::any(sent)}));
      some.push_back(smt::all({at(hook), mine(model::Direction::Listen, hook), smt::any(received)}));
    }
    script_.state("policy", smt::any(some));
  }

  /// An ordinary packet: what a socket sends that is told nothing else.
  Formula ordinary(model::Direction direction, Hook hook) {
    const Formula echo = smt::all(
        {smt::any({icmp(false, {8}), icmp(true, {128})}), is(PacketField::IcmpCode, 0), is(PacketField::Port, 0)});
    std::vector<Formula> parts{
        is(PacketField::Kind, 0), model::between(PacketField::Hops, 63, 64), high_port(PacketField::SourcePort),
        smt::any({smt::all({protocol(6), is(PacketField::TcpFlags, 2)}), protocol(17), echo}),
        from(AddressSet::all() - unspecified() - range("224.0.0.0", "255.255.255.255") - multicast6())};
    if (direction != model::Direction::Connect) return smt::all(parts);
    const Formula lo = is(PacketField::Out, 1);
    if (hook == Hook::Output) parts.push_back(smt::choose(to(loopback()), lo, smt::negate(lo)));
    if (form_ == PacketForm::Namespace) parts.push_back(is(PacketField::User, agent()));
    return smt::all(parts);
  }

  void demand() {
    std::vector<Formula> some;
    for (const auto direction : {model::Direction::Connect, model::Direction::Listen}) {
      const bool connect = direction == model::Direction::Connect;
      if (form_ == PacketForm::User && !connect) continue;  // left open, and named in the plan
      const Formula there = smt::all({permitted(direction, false), smt::negate(gaps(direction, false))});
      if (there == "false") continue;
      const Formula back = permitted(direction, true);
      const auto other = connect ? model::Direction::Listen : model::Direction::Connect;
      for (const Hook hook : hooks()) {
        script_.remark("the first packets of a connection, and those behind them");
        some.push_back(
            script_.define(fmt::format("demand.{}.{}", connect ? "connect" : "listen", model::to_string(hook)), 0,
                           smt::all({at(hook), real_[index(hook)], mine(direction, hook), ordinary(direction, hook),
                                     there, smt::any({state(PacketState::New), state(PacketState::Established)})})));
        if (form_ == PacketForm::Cgroup && connect) continue;  // which socket takes an answer is not in it
        const bool agents_own = form_ == PacketForm::Namespace && !connect;
        some.push_back(
            script_.define(fmt::format("demand.{}.back.{}", connect ? "connect" : "listen", model::to_string(hook)), 0,
                           smt::all({at(hook), real_[index(hook)], mine(other, hook), is(PacketField::Kind, 0), back,
                                     state(PacketState::Established), high_port(PacketField::Port),
                                     smt::negate(is(PacketField::User, no_user)),
                                     agents_own ? is(PacketField::User, agent()) : Formula("true")})));
      }
    }
    if (s_.needs.any) needs(some);
    if (form_ != PacketForm::Namespace) {
      script_.remark("everybody else's packets");
      for (const Hook hook : hooks())
        some.push_back(smt::all({at(hook), real_[index(hook)], smt::negate(agents(hook))}));
    }
    script_.state("policy", smt::any(some));
  }

  void needs(std::vector<Formula>& some) {
    for (const Hook hook : {Hook::Output, Hook::Input}) {
      const Formula here = smt::all({at(hook), real_[index(hook)]});
      if (s_.needs.ipv6 && own_stack()) {
        script_.remark("IPv6 needs neighbour discovery");
        const AddressSet groups = range("ff02::1", "ff02::1") | range("ff02::1:ff00:0", "ff02::1:ffff:ffff");
        const AddressSet unicast = AddressSet::all_v6() - multicast6() - unspecified() - loopback();
        some.push_back(script_.define(fmt::format("demand.neighbours.{}", model::to_string(hook)), 0,
                                      smt::all({here, agents(hook), state(PacketState::Untracked), neighbours(),
                                                to(unicast | groups), is(PacketField::IcmpCode, 0)})));
      }
      script_.remark("errors about the path");
      some.push_back(script_.define(
          fmt::format("demand.errors.{}", model::to_string(hook)), 0,
          smt::all({here, mine(model::Direction::Listen, hook), state(PacketState::Related), is(PacketField::Kind, 0),
                    smt::any({icmp(false, {3}), s_.needs.ipv6 ? icmp(true, {1, 2}) : Formula("false")})})));
    }
    if (!resolves()) return;
    script_.remark("the generated resolver");
    const Formula lo_in = is(PacketField::In, 1), lo_out = is(PacketField::Out, 1);
    const Formula first =
        smt::all({state(PacketState::New), is(PacketField::TcpFlags, 2), high_port(PacketField::SourcePort)});
    const Formula asked = smt::all({dns(generated()), first, is(PacketField::Kind, 0)});
    some.push_back(script_.define(
        "demand.ask", 0,
        smt::all({"output", real_[index(Hook::Output)], asked, is(PacketField::User, agent()), lo_out})));
    some.push_back(
        script_.define("demand.asked", 0,
                       smt::all({smt::negate("output"), real_[index(Hook::Input)], asked, from(loopback()), lo_in})));
    Bits128 user = no_user;  // who asks upstream: the one user that the rules name beside the agent
    for (const std::uint64_t u : s_.layer.users)
      if (u != agent() && user == no_user) user = u;
    some.push_back(script_.define(
        "demand.upstream", 0,
        smt::all({"output", real_[index(Hook::Output)], dns(upstreams()), first, is(PacketField::User, user),
                  smt::negate(lo_out), from(AddressSet::all() - loopback())})));
  }

  smt::Script& script_;
  const PacketStatement& s_;
  const PacketForm form_;
  std::vector<Formula> members_;
  std::array<Formula, model::hooks> passes_, real_;
  int rules_ = 0;
};

}  // namespace

PacketNeeds packet_needs(const model::Policy& policy, const plan::Plan& plan) {
  model::PacketLayer none;
  none.space = std::make_shared<model::PacketSpace>();
  PacketTerms terms(policy, plan, none);
  auto& d = none.space->diagrams();
  constexpr auto no = model::DecisionDiagrams::no;
  PacketNeeds out;
  for (const auto direction : {model::Direction::Connect, model::Direction::Listen}) {
    const auto all = direction == model::Direction::Connect ? terms.connects(PacketTerms::Way::There)
                                                            : terms.listens(PacketTerms::Way::There);
    out.any = out.any || d.minus(all, terms.may_lack(direction)) != no;
    out.ipv6 = out.ipv6 || d.both(all, none.space->equals(PacketField::Family, 1)) != no;
  }
  out.resolver = backends::needs_resolver(policy);
  return out;
}

std::string state_packets(smt::Script& script, const PacketStatement& statement, Direction question,
                          bool other_answer) {
  std::size_t others = 0;
  for (const std::uint64_t u : statement.layer.users) others += u != backends::agent_user(statement.policy).uid;
  if (others > 1) return "rules on several users have no form as a certificate yet";
  return Statement(script, statement).run(question, other_answer);
}

}  // namespace agp::verify
