#include <gtest/gtest.h>

#include <algorithm>
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

}  // namespace
}  // namespace agp::backends
