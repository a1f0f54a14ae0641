#include "compiler/verify/names.hpp"

#include <gtest/gtest.h>

#include "backends/dns/backend.hpp"
#include "tests/unit/packets/support.hpp"

// The resolver's configuration, read back. Each trap is one line changed.
namespace agp {
namespace {

using test::PolicyBuilder;
using test::replaced;

model::Policy names() {
  PolicyBuilder p("names");
  p.resolver("10.0.0.53");
  p.allow("exact", test::tcp, {test::named("registry.internal", test::port(443))});
  p.allow("wild", test::tcp, {test::named("*.wild.example", test::port(443))});
  p.allow("inner", test::tcp, {test::named("inner.wild.example", test::ports({{443, 444}}))});
  p.allow("label", test::tcp, {test::named("postgres", test::port(5432))}).within = test::addresses("10.0.0.0/8");
  auto& wide = p.allow("wide", test::tcp, {test::named("*.wide.example", test::port(443))});
  wide.except.push_back({test::named("secret.wide.example", model::PortSet::all()), {}, ""});
  return p.get();
}
std::string conf(const model::Policy& policy, const char* file = "dnsmasq.conf") {
  for (const auto& a : backends::dns::backend().emit(policy, test::debian_12(), {}).artifacts)
    if (a.path.ends_with(file)) return a.bytes;
  return {};
}
test::Proofs proofs(const model::Policy& policy, std::string text, const char* file = "dns/dnsmasq.conf") {
  const std::vector<backends::Artifact> one = {{file, std::move(text)}};
  const auto decoded = backends::dns::backend().decode(one, test::debian_12());
  if (decoded.names.empty()) return {decoded.problems.empty() ? "nothing" : decoded.problems[0].message, "refused"};
  diagnostics::Sink sink;
  auto plan = plan::make_plan(policy, test::debian_12(), sink);
  for (auto& row : plan.rows)
    if (row.holds == plan::Holds::Narrower) row.accept = 0;  // as if each loss of the plan were accepted
  const auto out = verify::verify_names(policy, test::debian_12(), plan, *decoded.names[0]);
  return out.size() == 1 ? test::Proofs{"", test::word(out[0])} : test::Proofs{test::word(out[0]), test::word(out[1])};
}

TEST(Names, WhatIsEmittedIsProved) {
  const auto proof = proofs(names(), conf(names()));
  EXPECT_EQ(proof.excess, "proved") << conf(names());
  EXPECT_EQ(proof.loss, "proved");
  EXPECT_EQ(proofs(names(), conf(names(), "resolv.conf"), "dns/resolv.conf").loss, "proved");
}

TEST(Names, EditsAreRefutedWithAName) {
  struct Trap {
    const char *what, *by;
    bool excess;
    const char* witness;
  };
  const Trap traps[] = {
      {"local=/*.registry.internal/\n", "", true, "resolve agp-other.registry.internal"},  // names beneath one
      {"address=/#/\n", "server=10.0.0.53\n", true, "resolve agp-other"},
      {"address=/#/\n", "server=/vpn.example/10.0.0.53\n", true, "resolve agp-other.vpn.example"},
      {"address=/#/\n", "address=/#/\naddress=/vpn.example/10.0.0.1\n", true, "vpn.example | answered"},
      {"server=/registry.internal/10.0.0.53", "server=/registry.internal/8.8.8.8", true, "at 8.8.8.8"},
      {"server=/registry.internal/10.0.0.53", "local=/registry.internal/", false, "registry.internal | not forwarded"},
      {"server=/*.wide.example/10.0.0.53", "local=/*.wide.example/", false, "wide.example | not forwarded"},
      {"nftset=/registry.internal/", "nftset=/other.internal/", false, "registry.internal | not opened"},
      {"nftset=/wide.example/", "nftset=/other.example/", false, "not opened"},
      {"4#inet#agp_names#", "4#inet#agp_other#", false, "not opened"},
      {"4#inet#agp_names#", "6#inet#agp_names#", false, "not opened"},
      {"nftset=/registry.internal/", "nftset=/registry.internal/4#inet#agp_names#listen_0_from_4,", true,
       "agp_names listen_0_from_4"},
      {"cache-size=0", "cache-size=150", true, "the target of an alias"},
      {"no-hosts\n", "", true, "resolve localhost"},
      {"filter-rr=2,3,", "filter-rr=3,", true, "type 2"},
      {"filter-rr=2,3,", "filter-rr=1,2,3,", false, "type 1"},
      {"listen-address=127.0.0.53", "listen-address=127.0.0.54", false, "listens elsewhere"},
      {"user=dnsmasq", "user=nobody", false, "as the user"},
      {"local=/secret.wide.example/\n", "", true, "secret.wide.example"},
  };
  const std::string text = conf(names());
  for (const Trap& trap : traps) {
    const std::string changed = replaced(text, trap.what, trap.by);
    const auto proof = proofs(names(), changed);
    const std::string& refuted = trap.excess ? proof.excess : proof.loss;
    EXPECT_NE(refuted, "proved") << trap.what << " -> " << trap.by;
    EXPECT_NE(refuted.find(trap.witness), std::string::npos) << trap.what << " -> " << trap.by << ": " << refuted;
  }
  EXPECT_NE(proofs(names(), "nameserver 8.8.8.8\n", "dns/resolv.conf").loss, "proved");
}

TEST(Names, OptionsThatAreNotKnownAreRefusedByName) {
  for (const auto& [text, part] : {std::pair{"dhcp-range=10.0.0.1,10.0.0.9", "line 1: the option `dhcp-range`"},
                                   {"no-resolv\nconf-file=/etc/other", "line 2: the option `conf-file`"},
                                   {"server=/a/10.0.0.1\nlocal=/a/", "line 2: line 1 says something else"},
                                   {"nftset=/a/4#inet#t#s\nnftset=/a/4#inet#t#u", "the same domain"},
                                   {"server=/a/10.0.0.1#5353", "another port"},
                                   {"server=/a b/10.0.0.1", "no domain"},
                                   {"server=/\xff/10.0.0.1", "printable"},
                                   {"server=//10.0.0.1", "without a dot"},
                                   {"port=65536", "no number"}})
    EXPECT_NE(proofs(names(), text).excess.find(part), std::string::npos) << proofs(names(), text).excess;
  EXPECT_NE(proofs(names(), std::string(2000, 'a')).excess.find("cuts lines"), std::string::npos);
}

}  // namespace
}  // namespace agp
