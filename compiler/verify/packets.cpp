#include "compiler/verify/packets.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "backends/backend.hpp"
#include "compiler/verify/packet_terms.hpp"
#include "compiler/verify/special_addresses.hpp"

// Comes in: the policy and what passes each hook. Goes out: no excess, no loss.
//
// Only packets that can exist are asked about: none goes to 0.0.0.0 or :: (the kernel sends it to loopback), to a
// mapped address in an IPv6 header (a socket makes IPv4 of it), or to loopback by another interface than `lo`. What is
// lost is asked about one realisation: an ordinary first packet from an ordinary port. A refutation counts only if the
// ruleset, followed rule by rule, and model::decide say the same about its packet.
//
// Of an audited `net`, everything passes; and the same two questions are asked about what passes unreported: nothing
// beyond the policy does, and what the policy allows does. Only lines that name this policy and a rule of it count as
// its reports; a line of whatever kind disturbs what is allowed.
namespace agp::verify {
namespace {

using model::DecisionDiagrams;
using model::Hook;
using model::Packet;
using model::PacketFamily;
using model::PacketField;
using model::PacketState;
using Ref = DecisionDiagrams::Ref;
using Way = PacketTerms::Way;

using Form = PacketForm;

using Fills = std::set<std::pair<std::string, std::string>>;

/// How many lines in the log tell about the packet, and name this policy and one of its rules.
class Reports {
 public:
  explicit Reports(const model::Policy& policy) : own_(packet_reports(policy)) {}
  bool counts(const std::string& prefix, verify::Direction direction) const {
    return direction == verify::Direction::Quiet || own_.contains(prefix);
  }

 private:
  std::set<std::string> own_;
};

class LayerCheck {
 public:
  /// `question` is Excess for both questions of an enforced policy, or one of an audited block's.
  LayerCheck(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
             const model::PacketLayer& layer, const Fills& fills, verify::Direction question)
      : policy_(policy),
        target_(target),
        layer_(layer),
        space_(*layer.space),
        d_(space_.diagrams()),
        form_(packet_form(policy, target)),
        agent_(backends::agent_user(policy).uid),
        terms_(policy, plan, layer),
        question_(question),
        reports_(policy) {
    if (policy.run.interface) interface_ = space_.interface(*policy.run.interface);
    wellformed_ = space_.wellformed();
    accepted_ = layer.accepted;
    if (question == verify::Direction::Reports || question == verify::Direction::Quiet) {
      const auto reported =
          layer.reported([&](const std::string& prefix) { return reports_.counts(prefix, question); });
      for (std::size_t h = 0; h < model::hooks; ++h) accepted_[h] = d_.minus(accepted_[h], reported[h]);
    }
    contents(fills);
  }

  Obligation audited() {
    Finding& finding = question_ == verify::Direction::Reports ? excess_ : loss_;
    if (const std::string why = not_comparable(); !why.empty()) {
      finding.unknown = why;
    } else if (question_ == verify::Direction::Permits) {
      passes();
    } else if (question_ == verify::Direction::Reports) {
      excess();
    } else {
      loss();
      others();
    }
    if (space_.exhausted()) {
      finding = {};
      finding.unknown = "policy and rules together distinguish more packets than the limit";
    }
    return obligation(finding, question_,
                      question_ == verify::Direction::Permits ? "every packet passes"
                      : question_ == verify::Direction::Reports
                          ? "every packet that the policy would refuse is reported"
                          : "no packet is reported that the policy allows");
  }

  std::vector<Obligation> run() {
    if (const std::string why = not_comparable(); !why.empty()) {
      excess_.unknown = loss_.unknown = why;
    } else {
      excess();
      loss();
      others();
    }
    if (space_.exhausted()) {
      excess_ = loss_ = {};
      excess_.unknown = loss_.unknown = "policy and rules together distinguish more packets than the limit";
    }
    return {obligation(excess_, verify::Direction::Excess, "no packet passes that the policy does not allow"),
            obligation(loss_, verify::Direction::Loss, "every packet that the policy allows passes")};
  }

 private:
  struct Finding {
    std::optional<Witness> refuted;
    std::string unknown;
  };

  Obligation obligation(const Finding& f, verify::Direction direction, std::string statement) const {
    const auto verdict = [&]() -> Verdict {
      if (f.refuted) return solver::Refuted<Witness>{*f.refuted};
      if (!f.unknown.empty()) return solver::Unknown{f.unknown};
      return solver::Proved{"decision diagrams"};
    };
    return {layer_.artifact, layer_.layer, "", direction, std::move(statement), verdict(), "packet"};
  }

  /// A user's name stands for a number that only the machine knows; the resolver's is the target's to know.
  std::string not_comparable() const {
    for (const std::size_t i : stated_)
      if (const auto& set = layer_.filled[i]; set.forgets && !set.elements.empty())
        return fmt::format("elements of the set `{}` expire, and nothing fills it: what it holds later is not known",
                           set.name);
    for (const std::string& name : space_.users())
      if (name != target_.dns_user)
        return fmt::format("the rules name the user `{}`, whose number is not known: `nft list ruleset` prints it",
                           name);
    return {};
  }

  /// Sets that nothing fills hold what the artifact states; sets that forget hold nothing when it comes to a loss.
  void contents(const std::set<std::pair<std::string, std::string>>& fills) {
    for (std::size_t i = 0; i < layer_.filled.size(); ++i) {
      const auto& set = layer_.filled[i];
      if (terms_.meaning(i) || (fills.contains({set.table, set.name}) && !set.source)) continue;
      std::vector<Ref> elements;
      const bool v4 = set.family == PacketFamily::V4;
      for (const auto a : set.elements)
        elements.push_back(space_.equals(set.source ? (v4 ? PacketField::Source4 : PacketField::Source6)
                                                    : (v4 ? PacketField::Destination4 : PacketField::Destination6),
                                         a));
      const Ref in = d_.any(std::move(elements));
      for (Ref& hook : accepted_) hook = replace(hook, i, in);
      stated_.push_back(i);
    }
    lasting_ = accepted_;
    for (std::size_t i = 0; i < layer_.filled.size(); ++i)
      if (layer_.filled[i].forgets && terms_.meaning(i))
        for (Ref& hook : lasting_) hook = replace(hook, i, DecisionDiagrams::no);
  }
  Ref replace(Ref r, std::size_t member, Ref by) {
    const std::uint32_t bit = model::PacketSpace::member_bit(member);
    return d_.choose(by, d_.fix(r, bit, true), d_.fix(r, bit, false));
  }

  // parts -------------------------------------------------------------------------------------------------------------

  Ref is(PacketField f, model::Bits128 value) { return space_.equals(f, value); }
  Ref state(PacketState s) { return is(PacketField::State, static_cast<int>(s)); }
  Ref protocol(int p) { return is(PacketField::Protocol, p); }
  Ref all(std::initializer_list<Ref> parts) {
    Ref out = DecisionDiagrams::yes;
    for (const Ref r : parts) out = d_.both(out, r);
    return out;
  }
  Ref type(PacketFamily family, std::initializer_list<int> types) {
    std::vector<Ref> some;
    for (const int t : types) some.push_back(is(PacketField::IcmpType, t));
    return all({is(PacketField::Family, static_cast<int>(family)), protocol(family == PacketFamily::V4 ? 1 : 58),
                d_.any(std::move(some))});
  }
  Ref to(const model::AddressSet& set) { return space_.addresses(false, set); }
  Ref from(const model::AddressSet& set) { return space_.addresses(true, set); }

  /// Packets that can come by this hook.
  Ref real(Hook hook) {
    const Ref lo_in = is(PacketField::In, 1), lo_out = is(PacketField::Out, 1);
    const Ref local = d_.either(to(loopback()), hook == Hook::Input ? from(loopback()) : DecisionDiagrams::no);
    Ref out = d_.both(wellformed_, to(model::AddressSet::all() - unspecified()));
    // the source may be unspecified (duplicate address detection), but not mapped
    out = d_.both(out, from(model::AddressSet::all()));
    if (hook == Hook::Input) out = all({out, is(PacketField::Out, 0), d_.either(d_.negate(local), lo_in)});
    if (hook == Hook::Output) out = all({out, is(PacketField::In, 0), d_.either(d_.negate(local), lo_out)});
    if (hook == Hook::Forward) out = d_.minus(out, d_.either(d_.either(lo_in, lo_out), local));
    return out;
  }

  Ref agents_cgroup() {
    const std::string path = policy_.run.cgroup->substr(1);
    return d_.either(space_.in_cgroup(path), is(PacketField::Cgroup, space_.cgroup_of(path)));
  }
  /// The agent's packets of one direction at a hook, as the form tells them from others.
  Ref mine(model::Direction direction, Hook hook) {
    const bool sends = direction == model::Direction::Connect;
    switch (form_) {
      case Form::Namespace:
        return hook == (sends ? Hook::Output : Hook::Input) ? DecisionDiagrams::yes : DecisionDiagrams::no;
      case Form::User:
        return sends && hook == Hook::Output ? is(PacketField::User, agent_) : DecisionDiagrams::no;
      case Form::Cgroup:
        return hook == (sends ? Hook::Output : Hook::Input) ? agents_cgroup() : DecisionDiagrams::no;
      case Form::Interface:
        break;
    }
    if (hook == (sends ? Hook::Output : Hook::Input)) return DecisionDiagrams::no;
    const Ref comes = is(PacketField::In, interface_);
    return sends ? comes : d_.minus(is(PacketField::Out, interface_), comes);  // what it sends to itself it sends
  }
  static constexpr Hook every_hook[] = {Hook::Input, Hook::Forward, Hook::Output};

  Ref errors() { return d_.either(type(PacketFamily::V4, {3, 11, 12}), type(PacketFamily::V6, {1, 2, 3, 4})); }
  Ref reset() { return d_.both(protocol(6), space_.masked(PacketField::TcpFlags, 6, 4)); }
  Ref neighbours() { return d_.both(type(PacketFamily::V6, {135, 136}), is(PacketField::Hops, 255)); }
  bool own_stack() const { return form_ == Form::Namespace || form_ == Form::Interface; }

  bool resolves() const { return model::makes_network(target_.stack) && backends::needs_resolver(policy_); }
  Ref dns(const model::AddressSet& at) {
    return all({to(at), d_.either(protocol(6), protocol(17)), is(PacketField::Port, 53)});
  }
  model::AddressSet generated() const { return range("127.0.0.53", "127.0.0.53"); }
  model::AddressSet upstreams() const {
    model::AddressSet out;
    for (const auto a : policy_.resolvers) out = out | model::AddressSet::range(a, a);
    return out;
  }
  /// The generated resolver: asked by all, and asking as a user of its own.
  Ref resolver(model::Direction direction) {
    if (!resolves()) return DecisionDiagrams::no;
    const Ref asked = dns(generated());
    if (direction == model::Direction::Listen) return asked;
    const Ref another = d_.minus(DecisionDiagrams::yes,
                                 d_.either(is(PacketField::User, agent_), is(PacketField::User, model::no_user)));
    return d_.either(asked, d_.both(another, dns(upstreams())));
  }

  /// What no NetworkPolicy decides, and the plan names: what a pod sends to itself, and what comes in by other
  /// protocols than it knows.
  Ref undecided(model::Direction direction) {
    if (model::makes_network(target_.stack) || form_ != Form::Namespace) return DecisionDiagrams::no;
    if (direction == model::Direction::Connect) return is(PacketField::Out, 1);
    const Ref known = d_.either(d_.either(protocol(6), protocol(17)), protocol(132));
    return d_.either(is(PacketField::In, 1), d_.negate(known));
  }

  void passes() {
    for (const model::Direction direction : {model::Direction::Connect, model::Direction::Listen})
      for (const Hook hook : every_hook)
        ask(loss_, direction, hook,
            d_.minus(d_.both(real(hook), mine(direction, hook)), accepted_[static_cast<std::size_t>(hook)]),
            verify::Direction::Loss);
    others();
  }

  // what passes beyond the policy ------------------------------------------------------------------------------------

  void excess() {
    for (const model::Direction direction : {model::Direction::Connect, model::Direction::Listen}) {
      if (direction == model::Direction::Listen && form_ == Form::User) continue;  // left open, and named in the plan
      const Ref allowed =
          direction == model::Direction::Connect ? terms_.connects(Way::There) : terms_.listens(Way::There);
      const Ref permitted = all_of({allowed, resolver(direction), terms_.may_exceed(direction), undecided(direction)});
      for (const Hook hook : every_hook) {
        const Ref who = mine(direction, hook);
        if (who == DecisionDiagrams::no) continue;
        const Ref passes = all({accepted_[static_cast<std::size_t>(hook)], real(hook), who});
        const Ref beyond = d_.minus(passes, permitted);
        ask(excess_, direction, hook, d_.both(beyond, state(PacketState::New)), verify::Direction::Excess);
        const Ref related = d_.minus(beyond, d_.either(errors(), reset()));
        ask(excess_, direction, hook, d_.both(related, state(PacketState::Related)), verify::Direction::Excess);
        ask(excess_, direction, hook, d_.both(beyond, state(PacketState::Invalid)), verify::Direction::Excess);
        const Ref untracked = own_stack() ? d_.minus(beyond, neighbours()) : beyond;
        ask(excess_, direction, hook, d_.both(untracked, state(PacketState::Untracked)), verify::Direction::Excess);
      }
    }
  }
  Ref all_of(std::vector<Ref> some) { return d_.any(std::move(some)); }

  // what does not pass ------------------------------------------------------------------------------------------------

  /// An ordinary packet: what a socket sends that is told nothing else.
  Ref ordinary(model::Direction direction, Hook hook) {
    Ref out = all({is(PacketField::Kind, 0), space_.between(PacketField::Hops, 63, 64),
                   space_.between(PacketField::SourcePort, 1024, 65535)});
    const Ref echo = d_.both(d_.either(type(PacketFamily::V4, {8}), type(PacketFamily::V6, {128})),
                             d_.both(is(PacketField::IcmpCode, 0), is(PacketField::Port, 0)));
    out = d_.both(out, all_of({d_.both(protocol(6), is(PacketField::TcpFlags, 2)), protocol(17), echo}));
    out = d_.both(out, from(model::AddressSet::all() - unspecified() - range("224.0.0.0", "255.255.255.255") -
                            range("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
    if (direction == model::Direction::Connect && hook == Hook::Output)
      out = d_.both(out, d_.choose(to(loopback()), is(PacketField::Out, 1), d_.negate(is(PacketField::Out, 1))));
    if (form_ == Form::Namespace && direction == model::Direction::Connect)
      out = d_.both(out, is(PacketField::User, agent_));
    return out;
  }

  void loss() {
    bool any = false;
    for (const model::Direction direction : {model::Direction::Connect, model::Direction::Listen}) {
      const bool connect = direction == model::Direction::Connect;
      if (!connect && form_ == Form::User) continue;
      const Ref there =
          d_.minus(connect ? terms_.connects(Way::There) : terms_.listens(Way::There), terms_.may_lack(direction));
      const Ref back = connect ? terms_.connects(Way::Back) : terms_.listens(Way::Back);
      any = any || there != DecisionDiagrams::no;
      for (const Hook hook : every_hook) {
        const Ref who = mine(direction, hook);
        if (who == DecisionDiagrams::no) continue;
        const Ref refused = d_.minus(d_.both(real(hook), who), lasting_[static_cast<std::size_t>(hook)]);
        const Ref usual = d_.both(refused, ordinary(direction, hook));
        ask(loss_, direction, hook, all({usual, state(PacketState::New), there}), verify::Direction::Loss);
        ask(loss_, direction, hook, all({usual, state(PacketState::Established), there}), verify::Direction::Loss);
      }
      const model::Direction other = connect ? model::Direction::Listen : model::Direction::Connect;
      for (const Hook hook : every_hook) {  // the answers come by the other way
        const Ref who = mine(other, hook);
        if (who == DecisionDiagrams::no || (form_ == Form::Cgroup && other == model::Direction::Listen)) continue;
        const Ref refused = d_.minus(d_.both(real(hook), who), lasting_[static_cast<std::size_t>(hook)]);
        const Ref answers =
            all({refused, is(PacketField::Kind, 0), back, state(PacketState::Established),
                 space_.between(PacketField::Port, 1024, 65535), d_.negate(is(PacketField::User, model::no_user))});
        ask(loss_, other, hook,
            form_ == Form::Namespace && !connect ? d_.both(answers, is(PacketField::User, agent_)) : answers,
            verify::Direction::Loss);
      }
    }
    if (any) needs();
  }

  /// What the layer has to let pass for anything to work: neighbour discovery where the policy permits IPv6, errors
  /// about the path, the generated resolver.
  void needs() {
    const Ref all_allowed = d_.either(terms_.connects(Way::There), terms_.listens(Way::There));
    const Ref v6 = is(PacketField::Family, 1);
    const bool uses_v6 = d_.both(all_allowed, v6) != DecisionDiagrams::no;
    const model::AddressSet neighbour_groups =
        range("ff02::1", "ff02::1") | range("ff02::1:ff00:0", "ff02::1:ffff:ffff");
    const model::AddressSet unicast = model::AddressSet::all_v6() -
                                      range("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") - unspecified() -
                                      loopback();
    for (const model::Direction direction : {model::Direction::Connect, model::Direction::Listen})
      for (const Hook hook : every_hook) {
        if (hook == Hook::Forward) continue;
        const Ref who = mine(direction, hook);
        if (who == DecisionDiagrams::no) continue;
        const Ref refused = d_.minus(d_.both(real(hook), who), lasting_[static_cast<std::size_t>(hook)]);
        if (uses_v6 && own_stack())
          ask(loss_, direction, hook,
              all({refused, state(PacketState::Untracked), neighbours(), to(unicast | neighbour_groups),
                   is(PacketField::IcmpCode, 0)}),
              verify::Direction::Loss);
        if (direction == model::Direction::Listen)
          ask(loss_, direction, hook,
              all({refused, state(PacketState::Related), is(PacketField::Kind, 0),
                   d_.either(type(PacketFamily::V4, {3}),
                             uses_v6 ? type(PacketFamily::V6, {1, 2}) : DecisionDiagrams::no)}),
              verify::Direction::Loss);
      }
    if (resolves()) resolver_needs();
  }

  void resolver_needs() {
    const Ref asked = all({dns(generated()), state(PacketState::New), is(PacketField::Kind, 0),
                           is(PacketField::TcpFlags, 2), space_.between(PacketField::SourcePort, 1024, 65535)});
    ask(loss_, model::Direction::Connect, Hook::Output,
        d_.minus(all({asked, real(Hook::Output), is(PacketField::User, agent_), is(PacketField::Out, 1)}),
                 lasting_[static_cast<std::size_t>(Hook::Output)]),
        verify::Direction::Loss);
    ask(loss_, model::Direction::Listen, Hook::Input,
        d_.minus(all({asked, real(Hook::Input), from(loopback()), is(PacketField::In, 1)}),
                 lasting_[static_cast<std::size_t>(Hook::Input)]),
        verify::Direction::Loss);
    // as the user of that name; of a listing, which shows numbers, as one of its users
    std::vector<std::uint64_t> users;
    for (const std::uint64_t u : layer_.users)
      if (u != agent_) users.push_back(u);
    if (users.empty()) users.push_back(model::no_user);
    Ref least = DecisionDiagrams::yes;
    for (const std::uint64_t u : users) {
      const Ref upstream = all({dns(upstreams()), state(PacketState::New), is(PacketField::Kind, 0), real(Hook::Output),
                                is(PacketField::User, u), is(PacketField::TcpFlags, 2),
                                space_.between(PacketField::SourcePort, 1024, 65535),
                                d_.negate(is(PacketField::Out, 1)), from(model::AddressSet::all() - loopback())});
      const Ref lost = d_.minus(upstream, lasting_[static_cast<std::size_t>(Hook::Output)]);
      if (least == DecisionDiagrams::yes || lost == DecisionDiagrams::no) least = lost;
    }
    ask(loss_, model::Direction::Connect, Hook::Output, least, verify::Direction::Loss);
  }

  /// Among the host's packets everybody else's pass.
  void others() {
    if (form_ == Form::Namespace) return;
    for (const Hook hook : every_hook) {
      const Ref agents = d_.either(mine(model::Direction::Connect, hook), mine(model::Direction::Listen, hook));
      ask(loss_, hook == Hook::Input ? model::Direction::Listen : model::Direction::Connect, hook,
          d_.minus(d_.minus(real(hook), agents), accepted_[static_cast<std::size_t>(hook)]), verify::Direction::Loss,
          true);
    }
  }

  // witnesses ---------------------------------------------------------------------------------------------------------

  /// As ordinary as the difference permits.
  Packet packet_of(Ref difference, Hook hook) {
    const Ref wishes[] = {is(PacketField::Family, 0),
                          protocol(6),
                          is(PacketField::User, agent_),
                          is(PacketField::Hops, 64),
                          is(PacketField::Kind, 0),
                          is(PacketField::TcpFlags, 2),
                          is(PacketField::SourcePort, 40000),
                          is(PacketField::IcmpType, 8),
                          is(PacketField::Out, 0),
                          is(PacketField::In, 0),
                          d_.negate(is(PacketField::Port, 0)),
                          d_.negate(to(loopback())),
                          d_.negate(from(range("0.0.0.0", "0.255.255.255") | range("::", "::")))};
    for (const Ref wish : wishes)
      if (const Ref both = d_.both(difference, wish); both != DecisionDiagrams::no) difference = both;
    Packet p = *space_.example(difference, hook, terms_.members());
    for (const std::size_t i : stated_) {
      const auto& set = layer_.filled[i];
      const auto address = set.source ? p.source : p.destination;
      p.members[i] =
          set.family == p.family && std::find(set.elements.begin(), set.elements.end(), address) != set.elements.end();
    }
    return p;
  }

  static model::Address address(PacketFamily family, model::Bits128 bits) {
    return family == PacketFamily::V4 ? model::Address::v4(static_cast<std::uint32_t>(bits)) : model::Address{bits};
  }
  static std::optional<model::Protocol> protocol_of(const Packet& p) {
    if (p.protocol == 6) return model::Protocol::Tcp;
    if (p.protocol == 17) return model::Protocol::Udp;
    if (p.protocol == (p.family == PacketFamily::V4 ? 1 : 58)) return model::Protocol::Icmp;
    return std::nullopt;
  }

  std::optional<model::NetAction> action_of(const Packet& p, model::Direction direction) const {
    const auto transport = protocol_of(p);
    if (!transport) return std::nullopt;
    model::NetAction a{direction,
                       *transport,
                       address(p.family, p.destination),
                       *transport == model::Protocol::Icmp ? std::uint16_t{0} : p.port,
                       {},
                       {}};
    if (direction == model::Direction::Listen) a.peer = address(p.family, p.source);
    for (std::size_t i = 0; i < p.members.size(); ++i)
      if (const auto rule = p.members[i] ? terms_.meaning(i) : std::nullopt) {
        const auto& body = std::get<model::NetBody>(policy_.rules[rule->first].body);
        const auto& name = *body.endpoints[rule->second].pattern.name;
        a.name = (name.beneath ? "x." : "") + name.name;
      }
    return a;
  }

  std::string text(const Packet& p, const std::optional<model::NetAction>& action, bool other) const {
    constexpr std::string_view states[] = {"new", "established", "related", "invalid", "untracked"};
    const bool plain = action && p.state == PacketState::New &&
                       (p.protocol == 6 || p.protocol == 17 || p.icmp_type == 8 || p.icmp_type == 128);
    std::string out =
        plain ? model::to_string(model::Action(*action))
              : fmt::format("a packet of IP protocol {} from {} to {}", p.protocol,
                            to_string(address(p.family, p.source)), to_string(address(p.family, p.destination)));
    if (!plain && (p.protocol == 6 || p.protocol == 17)) out += fmt::format(" port {}", p.port);
    if (!plain && (p.protocol == 1 || p.protocol == 58)) out += fmt::format(" of ICMP type {}", p.icmp_type);
    if (p.state != PacketState::New) out += fmt::format(", {}", states[static_cast<std::size_t>(p.state)]);
    if (plain && action->name) out += fmt::format(" as an address of {}", *action->name);
    if (p.hook == Hook::Output && form_ == Form::Namespace && p.user != agent_)
      out += p.user == model::no_user  ? ", by the kernel"
             : p.user < model::no_user ? fmt::format(", by user {}", p.user)
                                       : fmt::format(", by user {}", space_.users()[p.user - model::no_user - 1]);
    if (p.out == 1 || p.in == 1) out += " over lo";
    if (other) out += ", which is not the agent's";
    return out;
  }

  void ask(Finding& finding, model::Direction direction, Hook hook, Ref difference, verify::Direction way,
           bool other = false) {
    if (finding.refuted || difference == DecisionDiagrams::no || space_.exhausted()) return;
    Packet p = packet_of(difference, hook);
    const auto action = action_of(p, direction);
    Witness w;
    w.action = text(p, action, other);
    if (way == verify::Direction::Loss)
      for (std::size_t i = 0; i < layer_.filled.size(); ++i)
        if (layer_.filled[i].forgets && terms_.meaning(i)) p.members[i] = false;
    const model::PacketAnswer answer = layer_.decide(p);
    const model::Verdict verdict = action ? model::decide(policy_, *action) : model::Verdict{};
    const bool excess = way == verify::Direction::Excess;
    if (passes_as_asked(answer) != excess ||
        (excess && p.state == PacketState::New && verdict.decision == model::Decision::Allow)) {
      if (finding.unknown.empty())
        finding.unknown =
            fmt::format("the witness `{}` shows no difference when it is followed: this is a bug in agp", w.action);
      return;
    }
    w.decision = verdict.decision;
    w.rules = verdict.rules;
    w.place = answer.place;
    w.observed = answer.observed;
    w.packet = std::make_shared<const Packet>(p);
    if (question_ != verify::Direction::Excess && answer.accepted)
      w.observed += answer.reports.empty()
                        ? ", and not reported"
                        : fmt::format(", and reported as \"{}\"", fmt::join(answer.reports, "\", \""));
    finding.refuted = std::move(w);
  }

  /// What the question is about: passing, or passing without a report.
  bool passes_as_asked(const model::PacketAnswer& answer) const {
    if (!answer.accepted) return false;
    if (question_ != verify::Direction::Reports && question_ != verify::Direction::Quiet) return true;
    return std::none_of(answer.reports.begin(), answer.reports.end(),
                        [&](const std::string& prefix) { return reports_.counts(prefix, question_); });
  }

  const model::Policy& policy_;
  const model::Target& target_;
  const model::PacketLayer& layer_;
  model::PacketSpace& space_;
  DecisionDiagrams& d_;
  Form form_;
  std::uint64_t agent_;
  PacketTerms terms_;
  const verify::Direction question_;
  const Reports reports_;
  std::uint8_t interface_ = 0;
  Ref wellformed_ = DecisionDiagrams::yes;
  std::array<Ref, model::hooks> accepted_{}, lasting_{};
  std::vector<std::size_t> stated_;  ///< filled sets that hold what the artifact says
  Finding excess_, loss_;
};

}  // namespace

std::vector<Obligation> verify_packets(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                       const model::PacketLayer& layer, const Fills& resolver_fills) {
  using verify::Direction;
  if (!policy.audits("net"))
    return LayerCheck(policy, target, plan, layer, resolver_fills, verify::Direction::Excess).run();
  std::vector<Obligation> out;
  for (const verify::Direction d : {verify::Direction::Permits, verify::Direction::Reports, verify::Direction::Quiet})
    out.push_back(LayerCheck(policy, target, plan, layer, resolver_fills, d).audited());
  return out;
}

}  // namespace agp::verify
