#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <regex>
#include <set>
#include <sstream>

#include "backends/dns/backend.hpp"
#include "backends/nftables/backend.hpp"
#include "compiler/model/endpoint_cells.hpp"
#include "tests/support/net_policy.hpp"

namespace agp::backends {
namespace {

using model::Effect;
using test::PolicyBuilder;

Emitted emit(const model::Policy& policy, const model::Target& target = test::debian_12()) {
  return dns::backend().emit(policy, target, {});
}

/// How dnsmasq 2.90 reads the directives that matter here, as tests/runtime/net/names.py shows it to.
class Resolver {
 public:
  explicit Resolver(const std::string& conf) {
    std::istringstream in(conf);
    for (std::string line; std::getline(in, line);) {
      std::smatch m;
      static const std::regex rule("(server|local)=/(.*)/(.*)"), fill("nftset=/(.*)/(.*)");
      if (std::regex_match(line, m, rule)) forward_[m[2]] = m[1] == "server";
      if (std::regex_match(line, m, fill)) {
        const std::string sets = m[2];
        static const std::regex one("[46]#inet#[^#]+#([^,]+)");
        for (std::sregex_iterator i(sets.begin(), sets.end(), one), end; i != end; ++i) sets_[m[1]].insert((*i)[1]);
      }
      if (line == "address=/#/") closed_ = true;
    }
  }
  /// Is a query for this name forwarded? The longest pattern decides: `d`, or `*.d` for what is beneath.
  bool forwards(const std::string& name) const {
    std::size_t best = 0;
    bool forwarded = !closed_;
    for (const auto& [pattern, yes] : forward_) {
      const bool wild = pattern.starts_with("*");
      const std::string tail = wild ? pattern.substr(1) : pattern;
      const bool hit = wild ? name.size() >= tail.size() && name.ends_with(tail)
                            : name == tail || (name.size() > tail.size() && name.ends_with("." + tail));
      if (hit && tail.size() > best) best = tail.size(), forwarded = yes;
    }
    return forwarded;
  }
  /// The sets that an answer for this name fills.
  std::set<std::string> fills(const std::string& name) const {
    std::size_t best = 0;
    std::set<std::string> out;
    for (const auto& [domain, sets] : sets_)
      if ((name == domain || name.ends_with("." + domain)) && domain.size() > best) best = domain.size(), out = sets;
    return out;
  }

 private:
  std::map<std::string, bool> forward_;
  std::map<std::string, std::set<std::string>> sets_;
  bool closed_ = false;
};

struct Spot {
  model::Protocol protocol;
  const char* address;
  std::uint16_t port;
};

/// Does a rule's endpoint, taken alone, let a resolved address through?
bool endpoint_has(const model::NetBody& body, std::size_t e, const Spot& s) {
  const auto stands_for = body.within ? *body.within : model::AddressSet::all() - model::never_by_name();
  const model::Address a = test::address(s.address);
  for (const auto& b : model::boxes_of(body, body.endpoints[e].pattern, 0, &stands_for))
    if (b.protocol == s.protocol && b.addresses.first <= a && a <= b.addresses.last && b.ports.first <= s.port &&
        s.port <= b.ports.last)
      return true;
  return false;
}

/// Is the connection open after the name was resolved? Address rules apart.
bool reaches(const model::Policy& policy, const Resolver& resolver, const std::string& name, const Spot& s) {
  if (!resolver.forwards(name)) return false;
  const auto sets = resolver.fills(name);
  for (const auto& rule : policy.rules) {
    const auto& body = std::get<model::NetBody>(rule.body);
    for (std::size_t e = 0; e < body.endpoints.size(); ++e)
      if (body.endpoints[e].pattern.name && sets.contains(name_set(rule, e, 4)) && endpoint_has(body, e, s))
        return true;
  }
  return false;
}

model::Policy random_policy(std::mt19937& random) {
  const auto pick = [&](auto list) { return list[random() % list.size()]; };
  const std::vector<const char*> domains = {"a.test", "b.a.test", "c.b.a.test", "test", "single", "d.a.test"};
  const std::vector<model::PortSet> ports = {test::port(443), test::port(80), test::ports({{80, 80}, {443, 443}}),
                                             test::ports({{1, 443}})};
  const std::vector<model::Protocols> protocols = {test::tcp, test::tcp, test::udp, test::tcp_udp};
  PolicyBuilder p("random");
  p.resolver("10.0.0.53");
  for (auto n = random() % 5 + 1; n > 0; --n) {
    const auto name = [&] { return (random() % 2 ? "*." : "") + std::string(pick(domains)); };
    const Effect effect = n > 1 && random() % 5 == 0 ? (random() % 2 ? Effect::Deny : Effect::Ask) : Effect::Allow;
    std::vector<model::EndpointPattern> endpoints;
    for (auto e = random() % 2 + 1; e > 0; --e) endpoints.push_back(test::named(name(), pick(ports)));
    auto& body =
        p.net(effect, "r" + std::to_string(n), model::Direction::Connect, pick(protocols), std::move(endpoints));
    if (effect == Effect::Allow && random() % 3 == 0) body.within = test::addresses("10.0.0.0/24");
    if (effect == Effect::Allow && random() % 4 == 0) body.except.push_back({test::named(name(), pick(ports)), {}, ""});
  }
  return p.get();
}

TEST(Dns, NeverOpensMoreThanThePolicyAndSaysWhatItLoses) {
  const std::vector<std::string> hosts = {"test",       "a.test",       "b.a.test", "c.b.a.test", "x.c.b.a.test",
                                          "x.b.a.test", "x.y.b.a.test", "x.a.test", "xa.test",    "d.a.test",
                                          "x.d.a.test", "other.test",   "single",   "x.single",   "elsewhere"};
  const std::vector<Spot> spots = {
      {model::Protocol::Tcp, "10.0.0.1", 443}, {model::Protocol::Tcp, "10.0.0.1", 80},
      {model::Protocol::Tcp, "10.0.1.1", 443}, {model::Protocol::Tcp, "10.0.1.1", 80},
      {model::Protocol::Tcp, "10.0.0.1", 7},   {model::Protocol::Udp, "10.0.0.1", 443},
      {model::Protocol::Udp, "10.0.1.1", 80},  {model::Protocol::Tcp, "169.254.169.254", 443}};
  std::mt19937 random(1);
  int lost = 0, open = 0;
  for (int round = 0; round < 3000; ++round) {
    const model::Policy policy = random_policy(random);
    const Emitted out = emit(policy);
    ASSERT_TRUE(out.problems.empty());
    const Resolver resolver(out.artifacts.empty() ? "address=/#/\n" : out.artifacts[0].bytes);
    const auto facts = test::facts_of(policy);
    const auto answers = dns::backend().capabilities(policy, facts, test::debian_12()).facts;
    for (const auto& host : hosts) {
      if (resolver.forwards(host)) {
        ASSERT_EQ(decide(policy, model::ResolveAction{host}).decision, model::Decision::Allow)
            << "round " << round << ": " << host;
      }
      for (const auto& s : spots) {
        const auto verdict =
            decide(policy,
                   model::NetAction{model::Direction::Connect, s.protocol, test::address(s.address), s.port, host, {}});
        const bool allowed = verdict.decision == model::Decision::Allow, reached = reaches(policy, resolver, host, s);
        ASSERT_FALSE(reached && !allowed)
            << "round " << round << ": " << host << ' ' << s.address << ':' << s.port << '\n'
            << out.artifacts[0].bytes;
        open += reached;
        if (!allowed || reached) continue;
        ++lost;
        const bool said = std::any_of(verdict.rules.begin(), verdict.rules.end(), [&](std::size_t r) {
          for (std::size_t i = 0; i < facts.size(); ++i)
            if (facts[i].rule == r && answers[i].holds == Holds::Narrower) return true;
          return false;
        });
        ASSERT_TRUE(said) << "round " << round << ": " << host << ' ' << s.address << ':' << s.port << " is lost\n"
                          << out.artifacts[0].bytes;
      }
    }
  }
  EXPECT_GT(open, 1000);
  EXPECT_GT(lost, 100) << "the generator must produce what dnsmasq can't hold";
}

TEST(Dns, SpeaksUpOnlyWhereItLoses) {
  PolicyBuilder p("plain");
  p.resolver("10.0.0.53");
  p.allow("exact", test::tcp, {test::named("a.test", test::port(443)), test::named("b.test", test::port(80))});
  p.allow("both", test::tcp, {test::named("*.c.test", test::port(443)), test::named("c.test", test::port(443))});
  p.allow("wild", test::tcp, {test::named("*.d.test", test::port(443))});
  for (const auto& c : dns::backend().capabilities(p.get(), test::facts_of(p.get()), test::debian_12()).facts)
    EXPECT_EQ(c.holds, Holds::Elsewhere);
  const Resolver resolver(emit(p.get()).artifacts[0].bytes);
  for (const char* yes : {"a.test", "b.test", "c.test", "x.c.test", "x.y.c.test", "x.d.test"})
    EXPECT_TRUE(resolver.forwards(yes)) << yes;
  for (const char* no : {"x.a.test", "x.b.test", "d.test", "test", "xc.test"})
    EXPECT_FALSE(resolver.forwards(no)) << no;

  p.allow("other port", test::tcp, {test::named("x.d.test", test::port(80))});
  const auto facts = dns::backend().capabilities(p.get(), test::facts_of(p.get()), test::debian_12()).facts;
  EXPECT_EQ(facts[4].holds, Holds::Narrower);
  EXPECT_EQ(facts[4].slips, "connect tcp x.x.d.test:443");
  EXPECT_EQ(facts[5].holds, Holds::Elsewhere);
}

TEST(Dns, IsThereOnlyForAllowedNames) {
  PolicyBuilder p("none");
  p.resolver("10.0.0.53");
  p.allow("host", test::tcp, {test::at("10.0.1.50", test::port(443))});
  p.deny("denied", test::tcp, {test::named("a.test", test::port(443))});
  p.net(Effect::Ask, "asked", model::Direction::Connect, test::tcp, {test::named("b.test", test::port(443))});
  EXPECT_TRUE(emit(p.get()).artifacts.empty());
  p.allow("expired", test::tcp, {test::named("c.test", test::port(443))});
  p.get().rules.back().expired = true;
  EXPECT_TRUE(emit(p.get()).artifacts.empty());
  p.get().rules.back().expired = false;
  const auto out = emit(p.get());
  ASSERT_EQ(out.artifacts.size(), 2u);
  EXPECT_EQ(out.artifacts[0].path, "dns/dnsmasq.conf");
  EXPECT_EQ(out.artifacts[1].path, "dns/resolv.conf");
  EXPECT_EQ(out.artifacts[1].bytes, "nameserver 127.0.0.53\n");
  const auto read = dns::backend().decode(out.artifacts, test::debian_12());
  EXPECT_TRUE(read.not_verified.empty() && read.problems.empty());
  EXPECT_EQ(read.names.size(), 2u);
}

TEST(Dns, AsksEveryResolver) {
  PolicyBuilder p("two");
  p.resolver("10.0.0.53");
  p.resolver("fd00::53");
  p.allow("name", test::tcp, {test::named("a.test", test::port(443))});
  const std::string conf = emit(p.get()).artifacts[0].bytes;
  EXPECT_NE(conf.find("\nserver=/a.test/10.0.0.53\nserver=/a.test/fd00::53\nlocal=/*.a.test/\n"), std::string::npos)
      << conf;
}

TEST(Dns, RefusesWhatDnsmasqWouldMisread) {
  for (const char* hostile :
       {"a/b.test", "a\nserver=/#/8.8.8.8", "", "a..test", "a.test.", "A.test", "#", "a b.test", "*"}) {
    PolicyBuilder p("hostile");
    p.resolver("10.0.0.53");
    auto& body = p.allow("name", test::tcp, {test::named("ok.test", test::port(443))});
    body.endpoints[0].pattern.name->name = hostile;
    const auto out = emit(p.get());
    EXPECT_TRUE(out.artifacts.empty() && !out.problems.empty()) << hostile;
  }
  PolicyBuilder many("many");
  many.resolver("10.0.0.53");
  for (int i = 0; i < 20; ++i)
    many.allow("r" + std::to_string(i), test::tcp, {test::named("a.test", test::port(i + 1))});
  const auto out = emit(many.get());
  EXPECT_TRUE(out.artifacts.empty());
  ASSERT_FALSE(out.problems.empty());
  EXPECT_NE(out.problems[0].message.find("`a.test`"), std::string::npos);

  auto old = test::debian_12();
  old.dnsmasq = {2, 80};
  PolicyBuilder p("old");
  p.resolver("10.0.0.53");
  p.allow("name", test::tcp, {test::named("a.test", test::port(443))});
  EXPECT_TRUE(emit(p.get(), old).artifacts.empty());
  old.dnsmasq = {2, 89};
  ASSERT_FALSE(emit(p.get(), old).artifacts.empty());
  EXPECT_EQ(emit(p.get(), old).artifacts[0].bytes.find("filter-rr"), std::string::npos);
}

/// dnsmasq 2.90 asks the servers without a domain about every name, whatever `/#/` says of it.
TEST(Dns, AServerBesideEveryName) {
  const auto refused = [](const std::string& conf) {
    const Artifact artifact{"dns/dnsmasq.conf", conf};
    const auto read = dns::backend().decode({&artifact, 1}, test::debian_12());
    return read.problems.empty() ? "" : read.problems[0].message;
  };
  EXPECT_EQ(refused("no-resolv\nno-hosts\nlocal=/#/\nserver=/a.test/10.0.0.53\ndns-forward-max=1\n"), "");
  EXPECT_EQ(refused("no-resolv\nserver=10.0.0.53\nlocal=/a.test/\n"), "");
  for (const char* conf : {"no-resolv\nlocal=/#/\nserver=10.0.0.53\n", "no-resolv\nserver=10.0.0.53\naddress=/#/\n",
                           "local=/#/\nserver=/a.test/10.0.0.53\n", "no-resolv\naddress=/#/10.0.0.1\nserver=10.0.0.53\n"})
    EXPECT_NE(refused(conf).find("about every name"), std::string::npos) << conf;
  EXPECT_NE(refused("no-resolv\ndns-forward-max=0\n").find("every question is refused"), std::string::npos);
}

/// resolv.conf(5): the keyword begins its line. glibc passes over ` nameserver 127.0.0.53` and asks the next one.
TEST(Dns, AResolverBehindABlank) {
  for (const auto& [text, read] : {std::pair{"nameserver 127.0.0.53\n", true}, {"# x\n  ; y\nnameserver 127.0.0.53\n", true},
                                   {" nameserver 127.0.0.53\nnameserver 10.0.0.1\n", false}, {"\toptions edns0\n", false}}) {
    const Artifact artifact{"dns/resolv.conf", text};
    EXPECT_EQ(dns::backend().decode({&artifact, 1}, test::debian_12()).problems.empty(), read) << text;
  }
}

TEST(Dns, DoesNotDependOnTheOrderOfRules) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    model::Policy policy = random_policy(random);
    const auto first = emit(policy);
    std::shuffle(policy.rules.begin(), policy.rules.end(), random);
    const auto again = emit(policy);
    ASSERT_EQ(first.artifacts.size(), again.artifacts.size());
    for (std::size_t i = 0; i < first.artifacts.size(); ++i)
      ASSERT_EQ(first.artifacts[i].bytes, again.artifacts[i].bytes);
  }
}

}  // namespace
}  // namespace agp::backends
