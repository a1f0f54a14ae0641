#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>
#include <tuple>

#include "backends/nftables/backend.hpp"
#include "compiler/model/packet_layer.hpp"
#include "tests/support/net_policy.hpp"

// What runs in no kernel: the order of rules, refusals to emit, the answers about facts. That the ruleset decides as
// the model does is shown with traffic in tests/runtime/net.
namespace agp::backends {
namespace {

using model::Effect;
using test::PolicyBuilder;

Emitted emit(const model::Policy& policy, const model::Target& target = test::debian_12()) {
  return nftables::backend().emit(policy, target, {});
}
std::string text(const Emitted& e) { return e.artifacts.empty() ? "" : e.artifacts[0].bytes; }
std::string chain(const std::string& ruleset, const std::string& name) {
  const auto begin = ruleset.find("  chain " + name + " {\n");
  return begin == std::string::npos ? "" : ruleset.substr(begin, ruleset.find("  }\n", begin) - begin);
}
Capabilities ask(const model::Policy& policy) {
  return nftables::backend().capabilities(policy, test::facts_of(policy), test::debian_12());
}

model::Policy mixed() {
  PolicyBuilder p("mixed");
  p.resolver("10.0.0.53");
  p.allow("b hosts", test::tcp, {test::at("10.0.0.0/8", test::port(443)), test::at("fd00::/8", test::port(443))});
  p.allow("a more hosts", test::tcp, {test::at("10.1.0.0/16", test::ports({{400, 500}}))});
  p.deny("c metadata", test::any_protocol, {test::all_of("169.254.169.254")});
  p.deny("d one host", test::tcp, {test::at("10.1.2.3", test::port(443))});
  p.allow("name", test::tcp, {test::named("a.example", test::port(443))});
  p.allow("link-local name", test::tcp, {test::named("b.example", test::port(80))}).within =
      test::addresses("169.254.0.0/16");
  p.listen("service", test::tcp, {test::at("10.9.0.2", test::port(8080))}).from = test::addresses("10.9.0.1");
  return p.get();
}

TEST(Nftables, DecidesDeniesThenAddressesThenNames) {
  const std::string output = chain(text(emit(mixed())), "output");
  std::size_t at = 0;
  for (const char* next :
       {"ct state vmap", "meta skuid vmap { \"dnsmasq\" : goto by_resolver, 65534 : continue }", "ip daddr 127.0.0.53 ",
        "vmap @deny_4", "@allow_4", "@allow_6", "link-local%20name", "@never_by_name_4 goto refused",
        "@never_by_name_6 goto refused", "comment \"name\"", "goto refused\n"}) {
    const std::size_t found = output.find(next, at);
    ASSERT_NE(found, std::string::npos) << next << " after byte " << at << " of\n" << output;
    at = found + 1;
  }
  EXPECT_EQ(output.substr(at - 1), "goto refused\n") << "nothing stands after the last rule";
}

TEST(Nftables, DoesNotDependOnTheOrderOfRules) {
  model::Policy policy = mixed();
  const Emitted first = emit(policy);
  ASSERT_EQ(first.artifacts.size(), 2u);
  std::mt19937 random(1);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(policy.rules.begin(), policy.rules.end(), random);
    const Emitted again = emit(policy);
    ASSERT_EQ(again.artifacts[0].bytes, first.artifacts[0].bytes);
    ASSERT_EQ(again.artifacts[1].bytes, first.artifacts[1].bytes);
  }
}

TEST(Nftables, HasNoWayToAResolverWithoutARuleOnAName) {
  PolicyBuilder p("no-names");
  p.resolver("10.0.0.53");
  p.allow("host", test::tcp, {test::at("10.0.1.50", test::port(443))});
  p.net(Effect::Ask, "asked", model::Direction::Connect, test::tcp, {test::named("a.example", test::port(443))});
  p.net(Effect::Deny, "denied", model::Direction::Connect, test::tcp, {test::named("b.example", test::port(443))});
  const std::string ruleset = text(emit(p.get()));
  EXPECT_NE(ruleset, "");
  for (const char* word : {"127.0.0.53", "10.0.0.53", "skuid", "set n_", ". 53"})
    EXPECT_EQ(ruleset.find(word), std::string::npos) << word;
}

TEST(Nftables, IgnoresExpiredRules) {
  PolicyBuilder p("expired");
  p.allow("host", test::tcp, {test::at("10.0.1.50", test::port(443))});
  p.get().rules[0].expired = true;
  EXPECT_EQ(text(emit(p.get())).find("10.0.1.50"), std::string::npos);
}

TEST(Nftables, EveryPortIsNotPortZero) {
  PolicyBuilder p("ports");
  p.allow("host", test::tcp, {test::at("10.0.1.50", model::PortSet::all())});
  EXPECT_NE(text(emit(p.get())).find("10.0.1.50 . tcp . 1-65535 "), std::string::npos);
}

void refuses(const model::Policy& policy, const std::string& part, const model::Target& target = test::debian_12()) {
  const Emitted out = emit(policy, target);
  EXPECT_TRUE(out.artifacts.empty());
  ASSERT_FALSE(out.problems.empty()) << part;
  EXPECT_NE(out.problems[0].message.find(part), std::string::npos) << out.problems[0].message;
}

TEST(Nftables, RefusesWhatItCanNotHold) {
  const auto named = [](const char* resolver, std::uint32_t uid) {
    PolicyBuilder p("named");
    p.allow("name", test::tcp, {test::named("a.example", test::port(443))});
    if (resolver) p.resolver(resolver);
    p.get().run.user = model::User{uid, uid, {}};
    return p.get();
  };
  refuses(named(nullptr, 1), "needs a `resolver`");
  refuses(named("127.0.0.1", 1), "is loopback");
  refuses(named("::1", 1), "is loopback");
  refuses(named("fe80::1", 1), "is link-local");
  refuses(named("224.0.0.1", 1), "not the address of one host");
  refuses(named("0.0.0.0", 1), "not the address of one host");
  EXPECT_TRUE(emit(named("169.254.169.253", 1)).problems.empty()) << "a cloud's resolver";
  auto target = test::debian_12();
  target.dns_user = "nobody";
  refuses(named("10.0.0.53", 65534), "are the same user", target);
  auto unnamed = named("10.0.0.53", 1);
  unnamed.run.user.reset();
  refuses(unnamed, "are the same user", target);
  target.dns_user = "1000";
  refuses(named("10.0.0.53", 1000), "are the same user", target);
  EXPECT_TRUE(emit(named("10.0.0.53", 1001), target).problems.empty());
  for (const char* hostile : {"a\" : accept } #", "", "-x", "a b"}) {
    target.dns_user = hostile;
    refuses(named("10.0.0.53", 1), "not the name of a user", target);
  }

  PolicyBuilder listener("listener");
  listener.listen("name", test::tcp, {test::named("a.example", test::port(443))});
  refuses(listener.get(), "not a name");

  PolicyBuilder crossing("crossing");
  for (int i = 0; i < 600; ++i) {
    const std::string host = "10.0." + std::to_string(i / 100) + "." + std::to_string(2 * (i % 100));
    crossing.deny("h" + std::to_string(i), test::tcp, {test::at(host, model::PortSet::all())});
    crossing.deny("p" + std::to_string(i), test::tcp, {test::at("any", test::port(2 * i + 1))});
  }
  refuses(crossing.get(), "cut one another");
}

model::Target launcher() {
  auto target = test::debian_12();
  target.stack = "launcher";
  return target;
}

TEST(Nftables, EmitsNothingForAStackThatLoadsNoRules) {
  auto target = test::debian_12();
  target.stack = "nothing";
  EXPECT_FALSE(nftables::backend().in_stack("nothing"));
  EXPECT_TRUE(emit(mixed(), target).artifacts.empty());
  const auto policy = mixed();
  for (const auto& c : nftables::backend().capabilities(policy, test::facts_of(policy), target).facts)
    EXPECT_EQ(c.holds, Holds::Not);
}

TEST(Nftables, NeverCutsTheHostOff) {
  model::Policy by_user = mixed(), by_cgroup = mixed(), by_interface = mixed();
  by_cgroup.run.cgroup = "/agents/one";
  by_interface.run.interface = "tap0";
  for (const auto& [policy, jump, chains] :
       {std::tuple{by_user, "meta skuid 65534 goto from_agent", 1},
        std::tuple{by_cgroup, "socket cgroupv2 level 2 \"agents/one\" goto from_agent", 2},
        std::tuple{by_interface, "iifname \"tap0\" goto from_agent", 3}}) {
    const std::string ruleset = text(emit(policy, launcher()));
    EXPECT_EQ(ruleset.find("policy drop"), std::string::npos);
    int hooks = 0;
    for (const char* hook : {"input", "forward", "output"}) {
      const std::string body = chain(ruleset, hook);
      if (body.empty()) continue;
      ++hooks;
      EXPECT_NE(body.find("policy accept;"), std::string::npos);
      std::istringstream lines(body);
      std::string line;
      std::getline(lines, line), std::getline(lines, line);
      while (std::getline(lines, line)) EXPECT_NE(line.find(" goto "), std::string::npos) << line;
    }
    EXPECT_EQ(hooks, chains);
    EXPECT_NE(ruleset.find(jump), std::string::npos) << ruleset;
    EXPECT_TRUE(chain(ruleset, "from_agent").ends_with("    goto refused\n"));
    EXPECT_EQ(ruleset.find("@n_"), std::string::npos) << "no resolver fills a set";
  }
  EXPECT_EQ(emit(by_cgroup, launcher()).artifacts.size(), 1u) << "libnftables' JSON has no level of a cgroup";
  EXPECT_EQ(emit(by_user, launcher()).artifacts.size(), 2u);
}

TEST(Nftables, RefusesToAttachWhereOthersWouldBeHit) {
  const auto with = [](auto change) {
    model::Policy p = mixed();
    change(p.run);
    return p;
  };
  const auto at = [&](const char* part, auto change) { refuses(with(change), part, launcher()); };
  at("names no cgroup, interface or user", [](model::Run& r) { r.user.reset(); });
  at("the host's root", [](model::Run& r) { r.user = model::User{0, 0, {}}; });
  at("with its mount point", [](model::Run& r) { r.cgroup = "/sys/fs/cgroup/agents/one"; });
  at("every process of the host", [](model::Run& r) { r.cgroup = "/"; });
  at("can't carry", [](model::Run& r) { r.cgroup = "/a\" accept #"; });
  at("can't carry", [](model::Run& r) { r.cgroup = "/" + std::string(201, 'a'); });
  at("the host's own loopback", [](model::Run& r) { r.interface = "lo"; });
  for (const char* hostile : {"", "tap*", "tap 0", "tap0\" accept", "0123456789abcdef", ".."})
    at("can't have this name", [&](model::Run& r) { r.interface = hostile; });
  at("judged twice", [](model::Run& r) { r.interface = "tap0", r.cgroup = "/agents/one"; });
}

TEST(NftablesFacts, EachFormSaysWhatItCanNotHold) {
  PolicyBuilder p("forms");
  p.allow("host", test::tcp, {test::at("10.0.1.50", test::port(443))});
  p.allow("name", test::tcp, {test::named("a.example", test::port(443))});
  p.listen("service", test::tcp, {test::at("any", test::port(80))});
  p.listen("ping me", test::icmp, {test::all_of("any")});
  const auto holds = [&] {
    std::vector<Holds> out;
    const auto answer = nftables::backend().capabilities(p.get(), test::facts_of(p.get()), launcher());
    for (const auto& c : answer.facts) out.push_back(c.holds);
    EXPECT_EQ(answer.assumptions, std::vector<std::string>{"A9"}) << "no resolver, so nothing rests on its answers";
    return out;
  };
  using enum Holds;
  EXPECT_EQ(holds(), (std::vector<Holds>{Exact, Narrower, Not, Not})) << "by user";
  p.get().run.cgroup = "/agents/one";
  EXPECT_EQ(holds(), (std::vector<Holds>{Exact, Narrower, Exact, Not})) << "by cgroup";
  p.get().run.cgroup.reset();
  p.get().run.interface = "tap0";
  EXPECT_EQ(holds(), (std::vector<Holds>{Exact, Narrower, Exact, Exact})) << "by interface";
}

TEST(Nftables, NamesThatPreferLongOrHostileSpellingsStayBounded) {
  PolicyBuilder p(std::string(300, 'p'));
  p.get().on_deny.log = true;
  for (const char* id : {"default", "a \"quote\"\n", "\xff"})
    p.deny(id, test::tcp, {test::at("10.0.0.1", test::port(1))});
  p.deny(std::string(500, 'r'), test::tcp, {test::at("10.0.0.2", test::port(1))});
  std::set<std::string> seen;
  for (const auto& rule : p.get().rules) {
    const std::string prefix = log_prefix(p.get(), rule.id);
    EXPECT_LE(prefix.size(), 127u);
    EXPECT_TRUE(std::all_of(prefix.begin(), prefix.end(),
                            [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '$' && c != '\\'; }));
    EXPECT_EQ(std::count(prefix.begin(), prefix.end(), ' '), 3) << prefix;
    seen.insert(prefix);
  }
  seen.insert(log_prefix(p.get(), std::nullopt));
  EXPECT_EQ(seen.size(), 5u) << "no two rules, and no rule and the end of the chain, share a prefix";
  EXPECT_LE(table_name(p.get()).size(), 64u);
}

TEST(Nftables, JsonIsTheTextsRuleset) {
  const Emitted out = emit(mixed());
  const auto document = nlohmann::json::parse(out.artifacts[1].bytes);
  std::vector<std::string> kinds;
  std::size_t rules = 0;
  for (const auto& command : document.at("nftables")) {
    const auto kind = command.begin().value().begin().key();
    if (kinds.empty() || kinds.back() != kind) kinds.push_back(kind);
    rules += kind == "rule";
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"table", "chain", "counter", "set", "map", "rule"}));
  std::size_t lines = 0;
  for (const char* name :
       {"send_refusal", "refused", "on_related", "on_untracked", "by_resolver", "input", "forward", "output"}) {
    const std::string body = chain(text(out), name);
    lines += static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n')) - 1 -
             (body.find(" hook ") != std::string::npos);
  }
  EXPECT_EQ(rules, lines + 2) << "and one in each deny's chain";
}

TEST(Nftables, MapsEveryRuleToItsPlace) {
  const auto policy = mixed();
  const Emitted out = emit(policy);
  for (const auto& rule : policy.rules)
    for (const char* artifact : {"nftables/egress.nft", "nftables/egress.json"})
      EXPECT_TRUE(std::any_of(out.map.begin(), out.map.end(), [&](const MapEntry& e) {
        return e.rule == rule.id && e.artifact == artifact;
      })) << rule.id;
}

TEST(NftablesFacts, HoldsAddressesExactly) {
  PolicyBuilder p("facts");
  p.allow("host", test::tcp, {test::at("10.0.1.50", test::port(443))});
  p.deny("not", test::any_protocol, {test::all_of("10.0.0.0/8")});
  p.listen("service", test::tcp, {test::at("any", test::port(80))});
  p.allow("name", test::tcp, {test::named("a.example", test::port(443))});
  for (const auto& c : ask(p.get()).facts) EXPECT_EQ(c.holds, Holds::Exact);
}

TEST(NftablesFacts, DeniesOfNamesAndQuestionsAreGaps) {
  PolicyBuilder p("gaps");
  p.deny("name", test::tcp, {test::named("a.example", test::port(443))});
  p.net(Effect::Ask, "asked", model::Direction::Connect, test::tcp, {test::at("10.0.0.1", test::port(443))});
  auto& except = p.allow("except a name", test::tcp, {test::at("10.0.0.0/8", test::port(443))});
  except.except.push_back({test::named("a.example", test::port(443)), {}, "a.example:443"});
  p.get().mode = model::Mode::Audit;
  const auto facts = ask(p.get()).facts;
  ASSERT_EQ(facts.size(), 6u);  // and `mode` for file, net, syscall
  EXPECT_EQ(facts[0].holds, Holds::Not);
  EXPECT_EQ(facts[1].holds, Holds::Narrower);
  EXPECT_EQ(facts[2].holds, Holds::Wider);
  EXPECT_EQ(facts[3].holds, Holds::Elsewhere);
  EXPECT_EQ(facts[4].holds, Holds::Exact);
  for (const std::size_t i : {0u, 1u, 2u, 4u}) EXPECT_FALSE(facts[i].reason.empty());
}

TEST(NftablesFacts, TheUnspecifiedAddressIsLoopback) {
  PolicyBuilder both("both");
  both.allow("any", test::tcp, {test::at("any", test::port(443))});
  EXPECT_EQ(ask(both.get()).facts[0].holds, Holds::Exact);

  PolicyBuilder lost("lost");
  lost.allow("zero", test::tcp, {test::at("0.0.0.0/8", test::port(443))});
  EXPECT_EQ(ask(lost.get()).facts[0].holds, Holds::Narrower);
  EXPECT_EQ(ask(lost.get()).facts[0].slips, "connect tcp 0.0.0.0:443");

  PolicyBuilder open("open");
  open.allow("loopback", test::tcp, {test::at("::1", test::port(443))});
  open.deny("unspecified", test::tcp, {test::at("::", test::port(443))});
  const auto answer = ask(open.get());
  EXPECT_EQ(answer.facts[0].holds, Holds::Exact);
  EXPECT_EQ(answer.facts[1].holds, Holds::Wider);
  EXPECT_TRUE(std::any_of(answer.derived.begin(), answer.derived.end(),
                          [](const auto& d) { return d.grant == "connect tcp [::]:443"; }));
}

TEST(NftablesFacts, NamesWhatItRestsOn) {
  const auto answer = ask(mixed());
  EXPECT_EQ(answer.assumptions, (std::vector<std::string>{"A9", "A4"}));
  EXPECT_EQ(answer.reports, std::vector<std::string>{"net"});
  EXPECT_EQ(std::count_if(answer.derived.begin(), answer.derived.end(),
                          [](const auto& d) { return d.grant.ends_with("127.0.0.53:53"); }),
            2);
  PolicyBuilder none("none");
  EXPECT_EQ(ask(none.get()).assumptions, std::vector<std::string>{"A9"});
}

TEST(NftablesDecode, BothFormsLetTheSamePacketsPass) {
  std::vector<Artifact> artifacts = emit(mixed()).artifacts;
  artifacts.push_back({"oci/config.json", "{}"});
  const Decoded decoded = nftables::backend().decode(artifacts, test::debian_12());
  EXPECT_TRUE(decoded.not_verified.empty() && decoded.problems.empty());
  ASSERT_EQ(decoded.packets.size(), 2u);
  EXPECT_EQ(decoded.packets[1]->artifact, "nftables/egress.json");
  EXPECT_TRUE(equal(*decoded.packets[0], *decoded.packets[1]));
}

/// Each of these is loaded by nft 1.0.6, or refused, as another ruleset than a quick reader takes it for.
TEST(NftablesDecode, WhatNftReadsOtherwise) {
  const std::string script = R"(table inet t {
  counter seen {
  }
  set one {
    type ipv4_addr . inet_service
    flags interval
    elements = { 10.0.0.1 . 443, 10.0.0.0/8 . 80-81 }
  }
  chain output {
    type filter hook output priority -199; policy drop;
    ct state established,related accept
    tcp flags & (syn | rst) == rst counter name "seen" accept
    ip daddr . tcp dport @one accept
    meta oifname "lo" meta pkttype host accept
    socket cgroupv2 level 2 "agents/x" log level warn accept
    ip ttl 64 accept
  }
}
)";
  const auto refused = [](const std::string& text) {
    const Artifact artifact{"nftables/egress.nft", text};
    const Decoded decoded = nftables::backend().decode({&artifact, 1}, test::debian_12());
    return decoded.problems.empty() ? "" : decoded.problems[0].message;
  };
  ASSERT_EQ(refused(script), "");
  struct Case {
    const char *from, *to, *says;
  };
  const Case cases[] = {
      // a number with a zero in front is octal: 0443 is port 291, /010 is /8
      {". 443", ". 0443", "octal"},
      {"10.0.0.0/8", "10.0.0.0/010", "octal"},
      {"ttl 64", "ttl 0100", "octal"},
      {"level 2", "level 02", "octal"},
      // the mask of states is one of bits: `new / new,established` is every new connection
      {"established,related accept", "new / new,established accept", "a mask of this key"},
      {"established,related accept", "new-established accept", "no constant"},
      {"pkttype host", "pkttype host-multicast", "no constant"},
      // `&` binds closer than `|`
      {"& (syn | rst) ==", "& syn | rst ==", "parentheses"},
      // the last `elements` counts, the others don't
      {"flags interval\n", "elements = { 10.0.0.2 . 1 }\n", "stands there twice"},
      // before connections are tracked there is no state
      {"priority -199", "priority -200", "no packet that goes out has a `ct state`"},
      {"priority -199", "priority raw", "no packet that goes out has a `ct state`"},
      {"priority -199", "priority dstnat", "no number"},
      {"priority -199", "priority -199; policy drop", "a policy already"},
      // a path is resolved, and a number is an index
      {"\"agents/x\"", "\"agents/../agents/x\"", "no plain path"},
      {"\"agents/x\"", "\"agents//x\"", "no plain path"},
      {"\"agents/x\"", "\"/agents/x\"", "no plain path"},
      {"\"agents/x\"", "\"agents/./x\"", "no plain path"},
      {"oifname \"lo\"", "oif 1", "index"},
      {"oifname \"lo\"", "oif \"1\"", "index"},
      // a bound on the elements keeps out what answers fill in
      {"flags interval", "size 1", "`size` of a set"},
      {"level warn", "level warn group 7", "not both"},
      {"counter seen", "counter other", "no counter of this name"},
      {"set one {", "set \"one\" {", "the name of a set"},
      {"ip ttl 64 accept\n", "ip ttl 64 accept ", "should end the statement"},
  };
  for (const Case& c : cases) {
    std::string text = script;
    const auto at = text.find(c.from);
    ASSERT_NE(at, std::string::npos) << c.from;
    text.replace(at, std::string_view(c.from).size(), c.to);
    const std::string said = refused(text);
    EXPECT_NE(said.find(c.says), std::string::npos) << c.to << ": " << said;
  }
}

TEST(NftablesDecode, WhatLibnftablesReadsOtherwise) {
  using Json = nlohmann::ordered_json;
  const Json t = {{"family", "inet"}, {"table", "t"}};
  const auto refused = [&](const std::function<void(Json&)>& change) {
    Json document = {{"nftables",
                      {{{"flush", {{"ruleset", nullptr}}}},
                       {{"table", {{"family", "inet"}, {"name", "t"}}}},
                       {{"chain", {{"family", "inet"}, {"table", "t"}, {"name", "output"}, {"type", "filter"},
                                   {"hook", "output"}, {"prio", 0}, {"policy", "drop"}}}},
                       {{"rule", {{"family", "inet"}, {"table", "t"}, {"chain", "output"},
                                  {"expr", {{{"match", {{"op", "=="},
                                                        {"left", {{"payload", {{"protocol", "tcp"}, {"field", "dport"}}}}},
                                                        {"right", 443}}}},
                                            {{"log", {{"level", "warn"}}}},
                                            {{"counter", nullptr}},
                                            {{"accept", nullptr}}}}}}}}}};
    change(document["nftables"]);
    const Artifact artifact{"nftables/egress.json", document.dump()};
    const Decoded decoded = nftables::backend().decode({&artifact, 1}, test::debian_12());
    return decoded.problems.empty() ? "" : decoded.problems[0].message;
  };
  const auto says = [&](const std::function<void(Json&)>& change, const char* text) {
    const std::string said = refused(change);
    EXPECT_NE(said.find(text), std::string::npos) << text << ": " << said;
  };
  EXPECT_EQ(refused([](Json&) {}), "");
  says([](Json& n) { n[0]["flush"]["ruleset"] = {{"family", "ip"}}; }, "only the whole ruleset");  // this family's alone
  says([](Json& n) { n[2]["chain"]["prio"] = -4294967296; }, "no priority");
  says([](Json& n) { n[2]["chain"]["prio"] = -200; }, "no packet that goes out");
  says([](Json& n) { n[3]["rule"]["expr"][0]["match"]["right"] = "0443"; }, "octal");
  says([](Json& n) { n[3]["rule"]["expr"][1]["log"]["group"] = 7; }, "not both");
  says([](Json& n) { n[3]["rule"]["expr"][1]["log"]["x"] = 7; }, "`x` of `log`");
  says([](Json& n) { n[3]["rule"]["expr"][2]["counter"] = "seen"; }, "no counter `seen`");
}

}  // namespace
}  // namespace agp::backends
