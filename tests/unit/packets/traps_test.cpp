#include <gtest/gtest.h>

#include "tests/unit/packets/support.hpp"

// Each trap is an artifact that looks right. The verifier refutes it with a packet.
namespace agp {
namespace {

using test::PolicyBuilder;
using test::proofs;
using test::replaced;

model::Policy plain() {
  PolicyBuilder p("plain");
  p.allow("host", test::tcp, {test::at("10.0.0.1", test::port(443)), test::at("fd00::1", test::port(443))});
  return p.get();
}
model::Policy rich() {
  PolicyBuilder p("rich");
  p.resolver("10.0.0.53");
  p.allow("hosts", test::tcp,
          {test::at("10.0.0.0/8", test::ports({{440, 445}})), test::at("fd00::/8", test::port(443))});
  p.allow("ping", test::icmp, {test::all_of("10.0.1.50"), test::all_of("fd00::1")});
  p.allow("dns", test::udp, {test::at("10.0.0.7", test::port(53))});
  p.deny("not 9", test::any_protocol, {test::all_of("10.9.0.0/16")});
  p.allow("name", test::tcp, {test::named("a.example", test::port(443))});
  p.allow("bounded", test::tcp, {test::named("b.example", test::port(80))}).within = test::addresses("10.1.0.0/16");
  p.allow("metadata", test::tcp, {test::named("m.example", test::port(80))}).within = test::addresses("169.254.0.0/16");
  p.listen("service", test::tcp, {test::at("any", test::port(8080))}).from = test::addresses("10.9.0.1");
  p.allow("self", test::tcp, {test::at("127.0.0.1", test::port(8080))});
  return p.get();
}

TEST(Packets, WhatIsEmittedIsProved) {
  for (const auto& policy : {plain(), rich(), PolicyBuilder("nothing").get()})
    for (const char* form : {"nft", "json"}) {
      const auto proof = proofs(policy, test::decoded(test::emitted(policy, form), form));
      EXPECT_EQ(proof.excess, "proved") << policy.name << ' ' << form;
      EXPECT_EQ(proof.loss, "proved") << policy.name << ' ' << form;
    }
}

TEST(Packets, WhatIsEmittedAmongOthersIsProved) {
  PolicyBuilder b("among");
  b.allow("hosts", test::tcp, {test::at("10.0.0.0/8", test::port(443)), test::at("fd00::/8", test::port(443))});
  b.deny("not 9", test::any_protocol, {test::all_of("10.9.0.0/16")});
  b.listen("service", test::tcp, {test::at("any", test::port(8080))}).from = test::addresses("10.9.0.1");
  model::Policy by_user = b.get(), by_cgroup = b.get(), by_interface = b.get();
  by_cgroup.run.cgroup = "/agents/one";
  by_interface.run.interface = "tap0";
  for (const auto& policy : {by_user, by_cgroup, by_interface}) {
    const std::string script = test::emitted(policy, "nft", "launcher");
    const auto proof = proofs(policy, script, "launcher");
    EXPECT_EQ(proof.excess, "proved");
    EXPECT_EQ(proof.loss, "proved");
    const auto cut_off = proofs(policy, replaced(script, "policy accept", "policy drop"), "launcher");
    EXPECT_NE(cut_off.loss.find("which is not the agent's"), std::string::npos) << cut_off.loss;
  }
  // the rules are another agent's
  const auto elsewhere = [&](model::Policy policy, auto change) {
    const std::string script = test::emitted(policy, "nft", "launcher");
    change(policy);
    return proofs(policy, script, "launcher").excess;
  };
  EXPECT_NE(elsewhere(by_user, [](auto& p) { p.run.user->uid = 7; }), "proved");
  EXPECT_NE(elsewhere(by_cgroup, [](auto& p) { p.run.cgroup = "/agents/two"; }), "proved");
  EXPECT_NE(elsewhere(by_cgroup, [](auto& p) { p.run.cgroup = "/agents"; }), "proved");
  EXPECT_EQ(elsewhere(by_cgroup, [](auto& p) { p.run.cgroup = "/agents/one/below"; }), "proved");
  EXPECT_NE(elsewhere(by_interface, [](auto& p) { p.run.interface = "tap1"; }), "proved");
  // a level at which the cgroup is not: the rule never matches
  const std::string level = replaced(test::emitted(by_cgroup, "nft", "launcher"), "level 2", "level 1");
  EXPECT_NE(proofs(by_cgroup, replaced(level, "level 2", "level 1"), "launcher").excess, "proved");
}

struct Trap {
  const char *name, *what, *by;
  bool excess;          ///< which direction is refuted
  const char* witness;  ///< a part of it
};

TEST(Packets, EditsAreRefutedWithAPacket) {
  const Trap traps[] = {
      {"port 0", "10.0.0.7 . udp . 53", "10.0.0.7 . udp . 0-53", true, "connect udp 10.0.0.7:"},
      {"everything", "10.0.0.7 . udp . 53", "0.0.0.0/0 . udp . 53", true, ":53"},
      {"one more port", "tcp . 440-445", "tcp . 440-446", true, ":446"},
      {"one port less", "tcp . 440-445", "tcp . 440-444", false, ":445"},
      {"one address beyond", "10.0.0.7 . udp", "10.0.0.6-10.0.0.7 . udp", true, "connect udp 10.0.0.6:53"},
      {"a wrong final verdict", "goto refused\n  }\n}", "accept\n  }\n}", true, "connect"},
      {"related is not only errors", "related : goto on_related", "related : accept", true, "related"},
      {"invalid", "invalid : drop", "invalid : accept", true, "invalid"},
      {"redirects", "icmp type { destination-unreachable,", "icmp type { redirect, destination-unreachable,", true,
       "ICMP type 5"},
      {"no errors come back", "related : goto on_related", "related : drop", false, "related"},
      {"no neighbours", "nd-neighbor-solicit, ", "", false, "ICMP type 135"},
      {"neighbours from afar", "ip6 hoplimit 255 icmpv6 type { nd", "icmpv6 type { nd", true, "untracked"},
      {"replies", "established : accept, ", "", false, "established"},
      {"never by name after the names", "ip daddr @never_by_name_4 goto refused", "", true,
       "as an address of a.example"},
      {"beyond within", "10.1.0.0/16 . tcp . 80", "10.0.0.0/8 . tcp . 80", true, "as an address of b.example"},
      {"inside within", "10.1.0.0/16 . tcp . 80", "10.1.0.0/17 . tcp . 80", false, "as an address of b.example"},
      {"deny", "10.9.0.0/16 . tcp . 1-65535", "10.9.0.0/16 . tcp . 1-440", true, "connect tcp 10.9.0.0:44"},
      {"the agent asks the upstream", "65534 : continue", "65534 : goto by_resolver", true, "connect tcp 10.0.0.53:53"},
      {"the resolver goes anywhere", "\"dnsmasq\" : goto by_resolver", "\"dnsmasq\" : accept", true, "by user dnsmasq"},
      {"the resolver is cut off", "\"dnsmasq\" : goto by_resolver, ", "", false, "10.0.0.53:53"},
      {"peers", "10.9.0.1,", "10.9.0.1-10.9.0.2,", true, "listen tcp"},
  };
  const std::string script = test::emitted(rich());
  for (const Trap& trap : traps) {
    std::string changed = replaced(script, trap.what, trap.by);
    if (std::string_view(trap.name) == "no errors come back" || std::string_view(trap.name) == "invalid" ||
        std::string_view(trap.name) == "replies")
      changed = replaced(changed, trap.what, trap.by);  // at the other hook too
    const auto proof = proofs(rich(), changed);
    const std::string& refuted = trap.excess ? proof.excess : proof.loss;
    EXPECT_NE(refuted, "proved") << trap.name;
    EXPECT_EQ(refuted.find("unknown"), std::string::npos) << trap.name << ": " << refuted;
    EXPECT_NE(refuted.find(trap.witness), std::string::npos) << trap.name << ": " << refuted;
    if (!trap.excess) {
      EXPECT_EQ(proof.excess, "proved") << trap.name;
    }
  }
}

TEST(Packets, AScriptThatIsCutOffIsRefused) {
  const std::string whole = test::emitted(rich());
  const std::size_t last = whole.find_last_of('}');
  // Wherever it ends, inside a chain too: never read on, and never taken for a shorter ruleset.
  for (std::size_t size = whole.find('{') + 1; size <= last; size += 7) {
    const auto layers = test::decoded(whole.substr(0, size));
    ASSERT_FALSE(layers.problems.empty())
        << "cut at " << size << ": ..." << whole.substr(size < 40 ? 0 : size - 40, 40);
  }
  EXPECT_TRUE(test::decoded(whole).problems.empty());
}

TEST(Packets, AMappedAddressInIpv6RulesIsNotTheIpv4Address) {
  const char* script = R"(table inet t {
  chain output {
    type filter hook output priority 0; policy drop;
    ct state established accept
    ip6 daddr ::ffff:10.0.0.1 tcp dport 443 accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept
  }
})";
  PolicyBuilder p("mapped");
  p.allow("host", test::tcp, {test::at("10.0.0.1", test::port(443))});
  EXPECT_NE(proofs(p.get(), script).loss.find("connect tcp 10.0.0.1:443"), std::string::npos);
}

TEST(Packets, ForeignRulesetsAreJudgedByWhatTheyDo) {
  // no conntrack helper words, two base chains, a set with adjacent intervals, priorities out of order
  const char* script = R"(flush ruleset
table inet filter {
  set hosts {
    type ipv4_addr
    flags interval
    elements = { 10.0.0.0/32, 10.0.0.1-10.0.0.1, 10.0.0.2/31 }
  }
  chain later {
    type filter hook output priority filter + 5; policy accept;
    tcp dport != 443 ip protocol tcp reject
  }
  chain output {
    type filter hook output priority filter; policy drop;
    ct state vmap { established : accept, invalid : drop }
    oifname "eth0" ip daddr @hosts meta l4proto tcp accept
  }
  chain input {
    type filter hook input priority filter; policy drop
    ct state established accept
    ct state related icmp type { destination-unreachable, time-exceeded } accept
  }
})";
  PolicyBuilder p("foreign");
  p.allow("hosts", test::tcp, {test::at("10.0.0.0-10.0.0.3", test::port(443))});
  const auto proof = proofs(p.get(), script);
  EXPECT_EQ(proof.excess, "proved");
  EXPECT_NE(proof.loss.find("connect tcp 10.0.0.0:443"), std::string::npos) << "by another interface: " << proof.loss;
  EXPECT_EQ(proofs(p.get(), replaced(script, "oifname \"eth0\" ", "")).loss, "proved");
  EXPECT_NE(proofs(p.get(), replaced(script, "!= 443", "!= 444")).excess, "proved");
  const auto lo = proofs(p.get(), replaced(script, "oifname \"eth0\" ip", "oif lo accept\n ip"));
  EXPECT_NE(lo.excess.find("over lo"), std::string::npos) << lo.excess;
}

TEST(Packets, ElementsThatExpireAreALoss) {
  const std::string script = test::emitted(rich());
  const auto set = script.find("set n_");
  const auto type = script.find("type ipv4_addr\n", set);
  const auto proof = proofs(rich(), std::string(script).insert(type + 15, "    flags timeout\n    timeout 1h\n"));
  EXPECT_EQ(proof.excess, "proved");
  EXPECT_NE(proof.loss.find("as an address of"), std::string::npos) << proof.loss;
}

TEST(Packets, ARefusalThatExpiresIsNoRefusal) {
  // `flags interval, timeout` and `timeout 1s`: nft takes it, and a second later the refusal is gone.
  const char* script = R"(table inet t {
  set never {
    type ipv4_addr
    flags interval
    elements = { 10.0.0.2-10.0.0.3 }
  }
  set one {
    type ipv4_addr
    elements = { 10.0.0.1 }
  }
  map to {
    type ipv4_addr : verdict
    elements = { 10.0.0.4 : drop }
  }
  chain output {
    type filter hook output priority 0; policy drop;
    ct state established accept
    ip daddr @never drop
    ip daddr @one drop
    ip daddr vmap @to
    ip daddr 10.0.0.0/29 tcp dport 443 accept
  }
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established accept
    ct state related icmp type destination-unreachable accept
  }
})";
  PolicyBuilder p("expires");
  p.allow("some", test::tcp, {test::at("10.0.0.0/29", test::port(443))});
  p.deny("those", test::any_protocol, {test::all_of("10.0.0.1-10.0.0.4")});
  EXPECT_EQ(proofs(p.get(), script).excess, "proved");
  for (const auto& [from, to] : {std::pair{"    flags interval\n", "    flags interval, timeout\n    timeout 1s\n"},
                                 std::pair{"10.0.0.2-10.0.0.3", "10.0.0.2-10.0.0.3 timeout 1s"},
                                 std::pair{"ipv4_addr : verdict\n", "ipv4_addr : verdict\n    timeout 1s\n"}}) {
    const std::string changed = replaced(script, from, to);
    const auto refused = proofs(p.get(), changed);
    EXPECT_NE(refused.excess.find("elements that expire"), std::string::npos) << refused.excess << changed;
  }
  const auto lone =
      proofs(p.get(), replaced(script, "    elements = { 10.0.0.1 }", "    timeout 1s\n    elements = { 10.0.0.1 }"));
  EXPECT_NE(lone.excess.find("`one` expire"), std::string::npos) << lone.excess;
}

TEST(Packets, SetsThatNobodyFillsHoldWhatTheyState) {
  const char* script = R"(table inet t {
  set extra {
    type ipv4_addr
    elements = { 10.0.0.1 }
  }
  chain output {
    type filter hook output priority 0; policy drop;
    ct state established accept
    ip daddr @extra tcp dport 443 accept
  }
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established accept
    ct state related icmp type destination-unreachable accept
  }
})";
  PolicyBuilder p("set");
  p.allow("host", test::tcp, {test::at("10.0.0.1", test::port(443))});
  EXPECT_EQ(proofs(p.get(), script).excess, "proved");
  EXPECT_EQ(proofs(p.get(), script).loss, "proved");
  EXPECT_NE(proofs(p.get(), replaced(script, "10.0.0.1 }", "10.0.0.2 }")).excess, "proved");
}

TEST(Packets, AnotherUsersNameIsNotGuessed) {
  const auto proof = proofs(rich(), replaced(test::emitted(rich()), "65534 : continue", "\"nobody\" : continue"));
  EXPECT_NE(proof.excess.find("unknown: the rules name the user `nobody`"), std::string::npos) << proof.excess;
}

}  // namespace
}  // namespace agp
