#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "backends/nftables/attach.hpp"
#include "backends/nftables/emit/demand.hpp"
#include "backends/nftables/emit/emit.hpp"
#include "backends/nftables/emit/ruleset.hpp"
#include "backends/nftables/format.hpp"

// In: what a policy asks of packets. Out: one `inet` table, for a network namespace of its own or for the agent's
// packets among the host's.
//
// Holds afterwards, for every new packet of the agent at output, in this order: the resolver's own user reaches the
// upstream and nothing else; the agent reaches the resolver; an address that a deny matches is refused under that
// rule's name; one that an allow matches is accepted; one that a name never stands for is refused unless the name's
// `within` includes it; one that the resolver gave for a name is accepted within that rule's bounds; everything else is
// refused. At input the same for `listen`. Addresses, protocols and ports are one key of one set, so that the number of
// rules which a packet meets grows with the names only. Refusals are answered at once: a drop would leave the program
// waiting for minutes.
//
// An audited `net` is the same table with another end: what would be refused is logged under the same name, and
// accepted; and so is what an enforced table drops without a word.
namespace agp::backends::nftables {
namespace {

using model::Protocol;

struct Family {
  int number;
  const char* header;
  const char* type;
  const char* icmp;
};
constexpr std::array<Family, 2> families = {{{4, "ip", "ipv4_addr", "icmp"}, {6, "ip6", "ipv6_addr", "ipv6-icmp"}}};

bool of(const Family& f, const model::AddressRange& r) { return r.first.is_v4() == (f.number == 4); }

const Verdict accept{Verdict::Kind::Accept, {}}, drop{Verdict::Kind::Drop, {}};
Verdict go(std::string chain) { return {Verdict::Kind::Goto, std::move(chain)}; }

Value address(const model::AddressRange& r) {
  const auto prefixes = to_prefixes(r);
  if (prefixes.size() != 1) return range(word(to_string(r.first)), word(to_string(r.last)));
  const std::size_t slash = prefixes[0].find('/');
  if (slash == std::string::npos) return word(prefixes[0]);
  Value v{Value::Kind::Prefix, prefixes[0].substr(0, slash), 0, {}};
  std::from_chars(prefixes[0].data() + slash + 1, prefixes[0].data() + prefixes[0].size(), v.number);
  return v;
}
Value port(model::PortRange r) { return r.first == r.last ? number(r.first) : range(number(r.first), number(r.last)); }
Value protocol(Protocol p) { return word(p == Protocol::Tcp ? "tcp" : "udp"); }

Expr transport() { return joined({meta("l4proto"), payload("th", "dport")}); }
Expr endpoint(const Family& f) { return joined({payload(f.header, "daddr"), meta("l4proto"), payload("th", "dport")}); }
Match protocol_is(const char* name) { return {meta("l4proto"), "==", word(name)}; }

class Builder {
 public:
  Builder(const model::Policy& policy, const model::Target& target, const Attach& attach, const Demand& demand)
      : policy_(policy), target_(target), attach_(attach), demand_(demand), audit_(policy.audits("net")) {
    table_.name = table_name(policy);
  }

  Emitted run() {
    common();
    Chain input = judged("input"), output = judged("output");
    if (!demand_.names.empty()) {
      resolver(output);
      input.rules.push_back(to_resolver());
    }
    connects(output);
    names(output);
    if (attach_.form != Form::User) listens(input);  // a packet that comes in shows no user
    housekeeping(output, false);
    housekeeping(input, true);
    output.rules.push_back({{go("refused")}, ""});
    input.rules.push_back({{go("refused")}, ""});
    if (attach_.form == Form::Namespace)
      own(std::move(input), std::move(output));
    else
      among_others(std::move(input), std::move(output));
    // a map needs the chains it goes to, a rule its sets: within each kind the order is the reader's
    std::stable_sort(table_.sets.begin(), table_.sets.end(), [](const Set& a, const Set& b) { return a.map < b.map; });
    return finish();
  }

 private:
  std::string name_of(std::size_t owner) const { return log_rule(policy_, demand_.rules[owner]->id); }

  void map(std::size_t owner, const std::string& place) {
    for (const auto path : {format::text_path, format::json_path})
      out_.map.push_back({demand_.rules[owner]->id, std::string(path), place});
  }
  void map_all(const Boxes& boxes, const Family& f, bool icmp, const std::string& place) {
    std::set<std::size_t> owners;
    for (const auto& b : boxes)
      if (of(f, b.addresses) && (b.protocol == Protocol::Icmp) == icmp) owners.insert(b.owner);
    for (const std::size_t o : owners) map(o, place);
  }

  /// Ends a refused attempt, reported under the rule's name. Where `net` is audited it is reported and passes.
  Chain refusal(std::string chain, std::optional<std::string_view> rule_id, const std::string& counter) {
    table_.counters.push_back(counter);
    Rule rule;
    if (audit_ || reports_denials(policy_)) rule.statements.push_back(Log{log_prefix(policy_, rule_id)});
    rule.statements.push_back(Count{counter});
    rule.statements.push_back(audit_ ? accept : go("send_refusal"));
    return {std::move(chain), "", {std::move(rule)}};
  }

  /// What every table has, whatever the policy.
  void common() {
    if (!audit_)
      table_.chains.push_back({"send_refusal", "", {{{protocol_is("tcp"), Reject{true}}, ""}, {{Reject{false}}, ""}}});
    table_.chains.push_back(refusal("refused", std::nullopt, "count_default"));
    // The kernel gives its own resets the state `related` (nf_conntrack_attach), on both hooks. ICMP errors tell about
    // refusals and path MTU; redirects (also `related`) are not among them.
    Chain related{"on_related", "", {}};
    related.rules.push_back(
        {{Match{{Expr::Kind::Flags, "tcp", "flags", {"syn", "rst"}, {}, 0}, "==", word("rst")}, accept}, ""});
    related.rules.push_back(
        {{MatchAny{payload("icmp", "type"),
                   {word("destination-unreachable"), word("time-exceeded"), word("parameter-problem")}},
          accept},
         ""});
    related.rules.push_back({{MatchAny{payload("icmpv6", "type"),
                                       {word("destination-unreachable"), word("packet-too-big"), word("time-exceeded"),
                                        word("parameter-problem")}},
                              accept},
                             ""});
    related.rules.push_back({{go("refused")}, ""});
    table_.chains.push_back(std::move(related));
    if (neighbours()) untracked();
  }

  void untracked() {
    // Connection tracking leaves these messages alone (nf_conntrack_proto_icmpv6.c). Hop limit: RFC 4861, 7.1.
    Chain untracked{"on_untracked", "", {}};
    untracked.rules.push_back(
        {{Match{payload("ip6", "hoplimit"), "==", number(255)},
          MatchAny{payload("icmpv6", "type"), {word("nd-neighbor-solicit"), word("nd-neighbor-advert")}}, accept},
         ""});
    if (!audit_) {
      table_.counters.push_back("count_housekeeping");
      untracked.rules.push_back(
          {{MatchAny{payload("icmpv6", "type"),
                     {word("mld-listener-query"), word("mld-listener-report"), word("mld-listener-done"),
                      word("nd-router-solicit"), word("nd-router-advert"), word("mld2-listener-report")}},
            Count{"count_housekeeping"}, drop},
           ""});
    }
    untracked.rules.push_back({{go("refused")}, ""});
    table_.chains.push_back(std::move(untracked));
  }

  /// Begins the chain that judges the agent's packets of one direction. Among the host's packets, those that the
  /// host's own rules leave untracked are judged like new ones.
  Chain judged(const char* name) {
    std::vector<Element> states;
    states.push_back({word("established"), accept, ""});
    states.push_back({word("related"), go("on_related"), ""});
    states.push_back({word("invalid"), audit_ ? go("refused") : drop, ""});
    if (neighbours()) states.push_back({word("untracked"), go("on_untracked"), ""});
    return {name, "", {{{DispatchAny{ct("state"), std::move(states)}}, ""}}, "drop"};
  }
  /// Are the agent's packets those of a whole network stack, neighbour discovery and group management among them?
  bool neighbours() const { return attach_.form == Form::Namespace || attach_.form == Form::Interface; }

  /// A namespace that holds the agent alone: nothing passes but what its rules accept, and nothing is forwarded.
  void own(Chain input, Chain output) {
    input.hook = "input";
    output.hook = "output";
    Chain forward{"forward", "forward", {}, "drop"};
    if (audit_) {
      forward.rules.push_back({{go("refused")}, ""});
      for (Chain* chain : {&input, &forward, &output}) chain->policy = "accept";
    }
    table_.chains.push_back(std::move(input));
    table_.chains.push_back(std::move(forward));
    table_.chains.push_back(std::move(output));
  }

  /// The agent's packets among the host's, which pass untouched. What a microVM sends to the host itself is seen at
  /// input, and what the host sends to it at output; all else of it is forwarded.
  void among_others(Chain input, Chain output) {
    const std::string sends = "from_agent", receives = "to_agent";
    output.name = sends;
    table_.chains.push_back(std::move(output));
    const bool by_user = attach_.form == Form::User;
    if (!by_user) {
      input.name = receives;
      table_.chains.push_back(std::move(input));
    }
    const auto base = [&](const char* hook, std::vector<Rule> rules) {
      table_.chains.push_back({hook, hook, std::move(rules), "accept"});
    };
    if (attach_.form == Form::Interface) {
      const auto at = [&](const char* key) { return Match{meta(key), "==", quoted(attach_.interface)}; };
      base("input", {{{at("iifname"), go(sends)}, ""}});
      base("forward", {{{at("iifname"), go(sends)}, ""}, {{at("oifname"), go(receives)}, ""}});
      base("output", {{{at("oifname"), go(receives)}, ""}});
      return;
    }
    Match mine{meta("skuid"), "==", number(attach_.uid)};
    if (!by_user) {
      mine = {{Expr::Kind::Cgroup, "socket", "cgroupv2", {}, {}, attach_.level}, "==", quoted(attach_.cgroup)};
      base("input", {{{mine, go(receives)}, ""}});
    }
    base("output", {{{mine, go(sends)}, ""}});
  }

  /// The kernel's own group and broadcast messages are neither permitted nor attempts of the agent: dropped unreported.
  void housekeeping(Chain& chain, bool input) {
    if (!neighbours() || audit_) return;
    chain.rules.push_back({{protocol_is("igmp"), Count{"count_housekeeping"}, drop}, ""});
    if (input)
      chain.rules.push_back(
          {{MatchAny{meta("pkttype"), {word("broadcast"), word("multicast")}}, Count{"count_housekeeping"}, drop}, ""});
  }

  Rule to_resolver() const {
    return {{Match{payload("ip", "daddr"), "==", word(std::string(format::resolver_address))},
             MatchAny{transport(),
                      {concat({word("tcp"), number(format::resolver_port)}),
                       concat({word("udp"), number(format::resolver_port)})}},
             Count{}, accept},
            "the generated resolver"};
  }

  void resolver(Chain& output) {
    Chain upstream{"by_resolver", "", {}};
    for (const auto& f : families) {
      std::vector<Value> keys;
      for (const model::Address a : policy_.resolvers)
        if (a.is_v4() == (f.number == 4))
          for (const char* p : {"tcp", "udp"})
            keys.push_back(concat({word(to_string(a)), word(p), number(format::resolver_port)}));
      if (!keys.empty()) upstream.rules.push_back({{MatchAny{endpoint(f), std::move(keys)}, Count{}, accept}, ""});
    }
    upstream.rules.push_back({{go("refused")}, ""});
    table_.chains.push_back(std::move(upstream));
    // Names of users are resolved when the ruleset is loaded. With the agent's own number as a key too, a table for
    // which both are the same user does not load ("File exists").
    std::vector<Element> users;
    const std::string& user = target_.dns_user;
    const bool numeric = user.find_first_not_of("0123456789") == std::string::npos;
    Value key{numeric ? Value::Kind::Number : Value::Kind::Quoted, user, 0, {}};
    if (numeric) std::from_chars(user.data(), user.data() + user.size(), key.number);
    users.push_back({std::move(key), go("by_resolver"), ""});
    users.push_back({number(agent_user(policy_).uid), Verdict{Verdict::Kind::Continue, {}}, ""});
    output.rules.push_back({{DispatchAny{meta("skuid"), std::move(users)}}, ""});
    output.rules.push_back(to_resolver());
  }

  /// One set (accept) or map (to each rule's refusal) per family for addresses and ports, one for icmp.
  /// `peers` names the sets (without their family) of a listener's permitted peers.
  void lookups(Chain& chain, const std::string& prefix, const Boxes& boxes, bool allows,
               const std::string& peers = {}) {
    for (const bool icmp : {false, true})
      for (const auto& f : families) {
        Set set = elements(fmt::format("{}_{}{}", prefix, icmp ? "icmp_" : "", f.number), boxes, f, icmp, allows);
        if (set.elements.empty()) continue;
        map_all(boxes, f, icmp, fmt::format("{} {}", allows ? "set" : "map", set.name));
        Rule rule;
        if (!peers.empty()) {
          const std::string from = fmt::format("{}_{}", peers, f.number);
          const auto same = [&](const Set& other) { return other.name == from; };
          if (std::none_of(table_.sets.begin(), table_.sets.end(), same)) continue;  // no peer of this family
          rule.statements.push_back(MatchSet{payload(f.header, "saddr"), from});
        }
        if (icmp) rule.statements.push_back(protocol_is(f.icmp));
        const Expr key = icmp ? payload(f.header, "daddr") : endpoint(f);
        if (allows) {
          rule.statements.push_back(MatchSet{key, set.name});
          rule.statements.push_back(Count{});
          rule.statements.push_back(accept);
        } else {
          rule.statements.push_back(Dispatch{key, set.name});
        }
        table_.sets.push_back(std::move(set));
        chain.rules.push_back(std::move(rule));
      }
  }

  Set elements(std::string name, const Boxes& boxes, const Family& f, bool icmp, bool allows) {
    Set set{std::move(name), {f.type}, true, !allows, {}};
    if (!icmp) set.type = {f.type, "inet_proto", "inet_service"};
    for (const auto& b : boxes) {
      if (!of(f, b.addresses) || (b.protocol == Protocol::Icmp) != icmp) continue;
      Element e;
      e.key = icmp ? address(b.addresses) : concat({address(b.addresses), protocol(b.protocol), port(b.ports)});
      if (allows)
        e.comment = name_of(b.owner);
      else
        e.verdict = go(refusal_of(b.owner));
      set.elements.push_back(std::move(e));
    }
    return set;
  }

  const std::string& refusal_of(std::size_t owner) {
    auto [at, fresh] = refusals_.try_emplace(owner);
    if (fresh) {
      const auto& rule = *demand_.rules[owner];
      const std::string hash = short_name(rule.id + '\n' + rule.text);
      at->second = "deny_" + hash;
      if (chains_.insert(at->second).second) table_.chains.push_back(refusal(at->second, rule.id, "count_" + hash));
      const std::string logged = log_rule(policy_, rule.id);
      map(owner, "chain " + at->second + (logged == rule.id ? "" : ", logged as R=" + logged));
    }
    return at->second;
  }

  void connects(Chain& output) {
    lookups(output, "deny", demand_.refuse, false);
    lookups(output, "allow", demand_.allow, true);
  }

  void names(Chain& output) {
    for (const auto& n : demand_.names)
      if (n.before_never) name(output, n);
    const bool later =
        std::any_of(demand_.names.begin(), demand_.names.end(), [](const auto& n) { return !n.before_never; });
    if (!later) return;
    for (const auto& f : families) {
      Set never{fmt::format("never_by_name_{}", f.number), {f.type}, true, false, {}};
      for (const auto& r : model::never_by_name().ranges())
        if (of(f, r)) never.elements.push_back({address(r), std::nullopt, ""});
      output.rules.push_back({{MatchSet{payload(f.header, "daddr"), never.name}, go("refused")}, ""});
      table_.sets.push_back(std::move(never));
    }
    for (const auto& n : demand_.names)
      if (!n.before_never) name(output, n);
  }

  /// `ip daddr @set` and the rule's bounds: `within` and `except` by address, protocols and ports.
  void name(Chain& output, const NameDemand& n) {
    for (const auto& f : families) {
      const std::string& set = f.number == 4 ? n.set_4 : n.set_6;
      table_.sets.push_back({set, {f.type}, false, false, {}});
      map(n.rule, "set " + set);
      std::vector<Value> ports, addresses;
      std::set<std::tuple<Protocol, std::uint16_t, std::uint16_t>> seen;
      for (const auto& b : n.boxes) {
        if (!of(f, b.addresses)) continue;
        if (b.protocol == Protocol::Icmp)
          addresses.push_back(address(b.addresses));
        else if (n.bounded)
          ports.push_back(concat({address(b.addresses), protocol(b.protocol), port(b.ports)}));
        else if (seen.insert({b.protocol, b.ports.first, b.ports.last}).second)
          ports.push_back(concat({protocol(b.protocol), port(b.ports)}));
      }
      const MatchSet answered{payload(f.header, "daddr"), set};
      const std::string comment = name_of(n.rule);
      if (!ports.empty())
        output.rules.push_back(
            {{answered, MatchAny{n.bounded ? endpoint(f) : transport(), std::move(ports)}, Count{}, accept}, comment});
      if (addresses.empty()) continue;
      Rule icmp{{protocol_is(f.icmp), answered}, comment};
      if (n.bounded) icmp.statements.push_back(MatchAny{payload(f.header, "daddr"), std::move(addresses)});
      icmp.statements.push_back(Count{});
      icmp.statements.push_back(accept);
      output.rules.push_back(std::move(icmp));
    }
  }

  /// Rules on listeners, by their peers: first what any of them refuses.
  void listens(Chain& input) {
    for (std::size_t i = 0; i < demand_.listens.size(); ++i) {
      const auto& from = demand_.listens[i].from;
      if (!from) continue;
      for (const auto& f : families) {
        Set peers{fmt::format("listen_{}_from_{}", i, f.number), {f.type}, true, false, {}};
        for (const auto& r : from->ranges())
          if (of(f, r)) peers.elements.push_back({address(r), std::nullopt, ""});
        if (!peers.elements.empty()) table_.sets.push_back(std::move(peers));
      }
    }
    for (const bool allows : {false, true})
      for (std::size_t i = 0; i < demand_.listens.size(); ++i) {
        const auto& l = demand_.listens[i];
        lookups(input, fmt::format("listen_{}_{}", i, allows ? "allow" : "deny"), allows ? l.allow : l.refuse, allows,
                l.from ? fmt::format("listen_{}_from", i) : "");
      }
  }

  Emitted finish() {
    out_.artifacts.push_back({std::string(format::text_path), to_text(table_)});
    if (attach_.form != Form::Cgroup)
      out_.artifacts.push_back({std::string(format::json_path), to_json(table_)});
    else  // libnftables' JSON has no level of a cgroup
      std::erase_if(out_.map, [](const MapEntry& e) { return e.artifact == format::json_path; });
    return std::move(out_);
  }

  const model::Policy& policy_;
  const model::Target& target_;
  const Attach& attach_;
  const Demand& demand_;
  const bool audit_;
  Table table_;
  Emitted out_;
  std::map<std::size_t, std::string> refusals_;
  std::set<std::string> chains_;
};

}  // namespace

Value word(std::string text) { return {Value::Kind::Word, std::move(text), 0, {}}; }
Value quoted(std::string text) { return {Value::Kind::Quoted, std::move(text), 0, {}}; }
Value number(std::uint64_t n) { return {Value::Kind::Number, {}, n, {}}; }
Value range(Value first, Value last) { return {Value::Kind::Range, {}, 0, {std::move(first), std::move(last)}}; }
Value concat(std::vector<Value> parts) { return {Value::Kind::Concat, {}, 0, std::move(parts)}; }

Expr payload(std::string base, std::string field) {
  return {Expr::Kind::Payload, std::move(base), std::move(field), {}, {}, 0};
}
Expr meta(std::string key) { return {Expr::Kind::Meta, {}, std::move(key), {}, {}, 0}; }
Expr ct(std::string key) { return {Expr::Kind::Ct, {}, std::move(key), {}, {}, 0}; }
Expr joined(std::vector<Expr> parts) { return {Expr::Kind::Concat, {}, {}, {}, std::move(parts), 0}; }

Emitted emit(const model::Policy& policy, const model::Target& target) {
  const Attach attach = attach_of(policy, target);
  if (!attach.fault.empty()) return {{}, {}, {{attach.fault, std::nullopt, attach.help}}};
  Demand demand = demand_of(policy, target, attach.form == Form::Namespace);
  if (!demand.problems.empty()) return {{}, {}, std::move(demand.problems)};
  return Builder(policy, target, attach, demand).run();
}

}  // namespace agp::backends::nftables
