#include <gtest/gtest.h>

#include "tests/unit/packets/support.hpp"

// The statement of an audited `net`: every packet passes, and exactly those are reported that would be refused, under
// the name of this policy and a rule of it. What is emitted has it in every form; mutants do not.
namespace agp {
namespace {

using test::PolicyBuilder;
using test::replaced;
using verify::Direction;

model::Policy policy() {
  PolicyBuilder p("watched");
  p.allow("hosts", test::tcp,
          {test::at("10.0.0.0/8", test::ports({{440, 445}})), test::at("fd00::/8", test::port(443))});
  p.allow("ping", test::icmp, {test::all_of("10.0.1.50"), test::all_of("fd00::1")});
  p.deny("not 9", test::any_protocol, {test::all_of("10.9.0.0/16")});
  p.listen("service", test::tcp, {test::at("any", test::port(8080))}).from = test::addresses("10.9.0.1");
  model::Policy out = p.get();
  out.mode = model::Mode::Audit;
  out.audit_for = {"net"};
  return out;
}
model::Policy by_user(model::Policy p) { return p; }
model::Policy by_cgroup(model::Policy p) {
  p.run.cgroup = "/agents/one";
  return p;
}
model::Policy by_interface(model::Policy p) {
  p.run.interface = "tap0";
  return p;
}

struct Proofs {
  std::string permits, reports, quiet;
};
Proofs proofs(const model::Policy& p, std::string bytes, const char* stack = "oci", const char* form = "nft") {
  const auto read = test::decoded(std::move(bytes), form);
  if (read.packets.empty()) return {read.problems.empty() ? "nothing" : read.problems[0].message, "", ""};
  auto target = test::debian_12();
  target.stack = stack;
  diagnostics::Sink sink;
  const auto out = verify::verify_packets(p, target, plan::make_plan(p, target, sink), *read.packets[0], {});
  if (out.size() != 3 || out[0].direction != Direction::Permits || out[1].direction != Direction::Reports ||
      out[2].direction != Direction::Quiet)
    return {"other statements", "", ""};
  return {test::word(out[0]), test::word(out[1]), test::word(out[2])};
}

TEST(AuditedPackets, WhatIsEmittedIsProvedInEveryForm) {
  const auto proved = [](const model::Policy& p, const char* stack, const char* form) {
    const auto proof = proofs(p, test::emitted(p, form, stack), stack, form);
    EXPECT_EQ(proof.permits, "proved") << stack << ' ' << form;
    EXPECT_EQ(proof.reports, "proved") << stack << ' ' << form;
    EXPECT_EQ(proof.quiet, "proved") << stack << ' ' << form;
  };
  for (const char* form : {"nft", "json"}) {
    proved(policy(), "oci", form);
    proved(by_user(policy()), "launcher", form);
    proved(by_interface(policy()), "launcher", form);
  }
  proved(by_cgroup(policy()), "launcher", "nft");
}

TEST(AuditedPackets, NamesAreAnswered) {
  PolicyBuilder b("named");
  b.resolver("10.0.0.53");
  b.allow("name", test::tcp, {test::named("a.example", test::port(443))});
  model::Policy p = b.get();
  p.mode = model::Mode::Audit;
  const auto proof = proofs(p, test::emitted(p));
  EXPECT_EQ(proof.permits, "proved");
  EXPECT_EQ(proof.reports, "proved");
  EXPECT_EQ(proof.quiet, "proved");
}

TEST(AuditedPackets, AnEnforcedTableRefuses) {
  model::Policy enforced = policy();
  enforced.mode = model::Mode::Enforce;
  enforced.on_deny.log = true;
  const auto proof = proofs(policy(), test::emitted(enforced));
  EXPECT_NE(proof.permits, "proved");
  EXPECT_NE(proof.permits.find("rejected"), std::string::npos) << proof.permits;
  const auto open = test::proofs(enforced, test::emitted(policy()));
  EXPECT_NE(open.excess, "proved");
}

struct Mutant {
  const char *name, *what, *by;
  int refuted;  ///< 0 permits, 1 reports, 2 quiet
};

TEST(AuditedPackets, MutantsAreRefuted) {
  const std::string script = test::emitted(policy());
  const Mutant mutants[] = {
      {"a rule that reports nothing", "log prefix \"agp P=watched R=default \" ", "", 1},
      {"another policy's name", "agp P=watched R=default ", "agp P=other R=default ", 1},
      {"no name", "log prefix \"agp P=watched R=default \"", "log", 1},
      {"a denied address reports nothing", "log prefix \"agp P=watched R=not%209 \" ", "", 1},
      {"one address of a deny passes as an allow", "10.9.0.0/16", "10.9.0.0/17", 1},
      {"a rule that denies", "counter name count_default accept", "counter name count_default drop", 0},
      {"invalid packets are dropped", "invalid : goto refused", "invalid : drop", 0},
      {"a port that is allowed is reported", "tcp . 440-445", "tcp . 440-444", 2},
      {"everything is reported", "ct state vmap", "log prefix \"agp P=watched R=default \" ct state vmap", 2},
      {"a line that names nobody disturbs", "ct state vmap", "log ct state vmap", 2},
  };
  for (const Mutant& m : mutants) {
    const std::string changed = replaced(script, m.what, m.by);
    ASSERT_EQ(changed.find("NOT THERE"), std::string::npos) << m.name << '\n' << script;
    const auto proof = proofs(policy(), changed);
    const std::string* all[] = {&proof.permits, &proof.reports, &proof.quiet};
    for (int i = 0; i < 3; ++i) {
      if (i == m.refuted) {
        EXPECT_TRUE(*all[i] != "proved" && !all[i]->starts_with("unknown")) << m.name << ": " << *all[i];
      } else if (m.refuted != 0) {
        EXPECT_EQ(*all[i], "proved") << m.name;
      }
    }
  }
}

TEST(AuditedPackets, TheHostsPacketsAreNotReported) {
  const auto p = by_user(policy());
  const std::string script = test::emitted(p, "nft", "launcher");
  const auto noisy = proofs(p, replaced(script, "meta skuid 65534 goto from_agent", "goto from_agent"), "launcher");
  EXPECT_NE(noisy.quiet.find("which is not the agent's"), std::string::npos) << noisy.quiet;
}

TEST(AuditedPackets, TheSilenceOfAnEarlierTableIsNoReport) {
  // two base chains at one hook: a packet is reported when either does, and passes when both do
  const std::string script = test::emitted(policy());
  const std::string silent = replaced(script, "log prefix \"agp P=watched R=default \" ", "");
  const std::string beside =
      silent +
      "table inet beside {\n  chain o {\n    type filter hook output priority 5; policy accept;\n"
      "    log prefix \"agp P=watched R=default \"\n  }\n}\n";
  const auto proof = proofs(policy(), beside);
  EXPECT_NE(proof.reports, "proved");  // input is still silent
  EXPECT_NE(proof.quiet, "proved");
}

}  // namespace
}  // namespace agp
