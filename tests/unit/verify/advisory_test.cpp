#include "compiler/verify/advisory.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "backends/alerts/backend.hpp"
#include "backends/approvals/backend.hpp"
#include "compiler/verify/stack.hpp"
#include "tests/support/net_policy.hpp"

// approvals.json and alerts.json against the policy: each change of meaning is refuted in its direction, and a change
// of form is not.
namespace agp::verify {
namespace {

using model::Effect;
using nlohmann::json;
using test::PolicyBuilder;

constexpr model::Day today = 20000;

PolicyBuilder tools() {
  PolicyBuilder p("tools");
  p.tool(Effect::Allow, "read", {"files.*"});
  p.tool(Effect::Ask, "pay", {"payments.*"});
  p.get().rules.back().risk = model::Risk::High;
  p.tool(Effect::Deny, "never", {"files.delete*"});
  p.tool(Effect::Allow, "soon", {"beta.?"});
  p.get().rules.back().until = today + 30;
  return p;
}

/// What is refuted, as "direction: action is observed", after a change of the emitted document.
std::vector<std::string> refuted(const std::vector<Obligation>& obligations) {
  std::vector<std::string> out;
  for (const Obligation& o : obligations)
    o.verdict.match([](const solver::Proved&) {},
                    [&](const Witness& w) {
                      out.push_back(std::string(to_string(o.direction)) + ": " + w.action + " is " + w.observed);
                    },
                    [&](const solver::Unknown& u) { out.push_back("unknown: " + u.reason); });
  return out;
}
std::vector<std::string> tools_with(const std::function<void(json&)>& change) {
  PolicyBuilder p = tools();
  const auto& backend = backends::approvals::backend();
  json document = json::parse(backend.emit(p.get(), test::debian_12(), {}).artifacts.at(0).bytes);
  change(document);
  const backends::Artifact artifact{"approvals.json", document.dump()};
  const auto decoded = backend.decode({&artifact, 1}, test::debian_12());
  if (decoded.tools.size() != 1) return {decoded.problems.at(0).message};
  return refuted(verify_tools(p.get(), *decoded.tools[0], today));
}
json& rule(json& document, const char* id) {
  for (json& r : document["rules"])
    if (r["rule"] == id) return r;
  throw std::runtime_error(id);
}
using Refuted = std::vector<std::string>;

TEST(Tools, WhatIsEmittedIsProved) {
  EXPECT_EQ(tools_with([](json&) {}), Refuted{});
}

TEST(Tools, OrderAndWordsMeanNothing) {
  EXPECT_EQ(tools_with([](json& d) {
              std::reverse(d["rules"].begin(), d["rules"].end());
              rule(d, "read")["because"] = "another reason";
              d["rules"].push_back(rule(d, "read"));
              rule(d, "soon")["tools"] = {"beta.?", "beta.x"};
            }),
            Refuted{});
}

TEST(Tools, EachChangeIsRefutedInItsDirection) {
  const auto one = [](const std::function<void(json&)>& change, const std::string& start) {
    const auto got = tools_with(change);
    ASSERT_EQ(got.size(), 1u) << start;
    EXPECT_TRUE(got[0].starts_with(start)) << got[0];
  };
  one([](json& d) { rule(d, "never")["tools"] = {"files.delete"}; }, "no excess: tool \"files.delete");
  one([](json& d) { rule(d, "never")["except"] = {"files.deleted"}; }, "no excess: tool \"files.deleted\" is allowed");
  one([](json& d) { rule(d, "pay")["effect"] = "allow"; }, "no excess: tool \"payments.\" is allowed");
  one([](json& d) { rule(d, "pay")["effect"] = "deny"; }, "no loss: tool \"payments.\" is denied");
  one([](json& d) { rule(d, "pay")["risk"] = "low"; }, "no excess: tool \"payments.\" is asked about, at low risk");
  one([](json& d) { rule(d, "pay").erase("risk"); }, "no excess: tool \"payments.\" is asked about");
  one([](json& d) { rule(d, "read")["tools"] = {"files.?*"}; }, "no loss: tool \"files.\" is denied");
  one([](json& d) { rule(d, "read")["tools"] = {"files*"}; }, "no excess: tool \"files\" is allowed");
  one([](json& d) { rule(d, "soon").erase("until"); }, "no excess: tool \"beta.");
  one([](json& d) { rule(d, "soon")["until"] = "2024-11-04"; }, "no excess: tool \"beta.");  // a day later
  one([](json& d) { rule(d, "soon")["until"] = "2024-11-02"; }, "no loss: tool \"beta.");    // a day earlier
  one([](json& d) { rule(d, "read")["except"] = {"files.\\*"}; }, "no loss: tool \"files.*\" is denied");
}

TEST(Tools, ARuleThatHasEndedIsNone) {
  EXPECT_EQ(tools_with([](json& d) {
              json old = rule(d, "read");
              old["tools"] = {"old.*"};
              old["until"] = "2024-01-01";
              d["rules"].push_back(old);
            }),
            Refuted{});
}

TEST(Tools, RulesThatContradictEachOtherAreDecidedByTheirOrderOfEffects) {
  const auto beside = [](const char* effect) {
    return tools_with([&](json& d) {
      json other = rule(d, "read");
      other["effect"] = effect;
      d["rules"].push_back(other);
    });
  };
  EXPECT_EQ(beside("deny"), Refuted{"no loss: tool \"files.\" is denied"});
  EXPECT_EQ(beside("ask"), Refuted{"no loss: tool \"files.\" is asked about"});
}

// alerts
// ----------------------------------------------------------------------------------------------------------------

PolicyBuilder reports() {
  PolicyBuilder p("reports");
  p.resolver("10.0.0.53");
  p.allow("name", test::tcp, {test::named("a.test", test::port(443))});
  p.deny("metadata", test::any_protocol, {test::all_of("169.254.169.254")});
  model::SyscallBody body;
  body.patterns.push_back({{"ptrace", {}}, {}, "ptrace"});
  body.denial.kind = model::Denial::Kind::Kill;
  p.add(Effect::Deny, "no ptrace", body);
  p.get().on_deny.log = true;
  p.get().on_deny.alerts.push_back({model::Severity::P1, {"write", "connect"}, {}});
  p.get().on_deny.alerts.push_back({model::Severity::P3, {"syscall"}, {}});
  return p;
}

std::vector<std::string> alerts_with(const std::function<void(json&)>& change) {
  PolicyBuilder p = reports();
  const auto& backend = backends::alerts::backend();
  json document = json::parse(backend.emit(p.get(), test::debian_12(), {}).artifacts.at(0).bytes);
  change(document);
  const backends::Artifact artifact{"alerts.json", document.dump()};
  const auto decoded = backend.decode({&artifact, 1}, test::debian_12());
  if (decoded.alerts.size() != 1) return {decoded.problems.at(0).message};
  return refuted(verify_alerts(p.get(), test::debian_12(), *decoded.alerts[0]));
}

TEST(Alerts, WhatIsEmittedIsProved) {
  EXPECT_EQ(alerts_with([](json&) {}), Refuted{});
}

TEST(Alerts, EachChangeIsRefutedInItsDirection) {
  const auto one = [](const std::function<void(json&)>& change, const std::string& start) {
    const auto got = alerts_with(change);
    ASSERT_EQ(got.size(), 1u) << start << (got.empty() ? "" : " " + got[0]);
    EXPECT_TRUE(got[0].starts_with(start)) << got[0];
  };
  one([](json& d) { d["alerts"][0]["matches"].erase(d["alerts"][0]["matches"].size() - 1); },
      "no loss: alert P1 for connect is not raised by the kernel's line `agp P=reports R=default `");
  one([](json& d) { d["alerts"][0]["unreported"].erase(0); }, "no excess: alert P1 for write is said to be reported");
  one([](json& d) { d["alerts"][0]["unreported"][1]["all"] = true; },
      "no loss: alert P1 for connect is said to be reported by nothing");
  one(
      [](json& d) {
        json more = d["alerts"][0]["matches"][1];
        more["prefix"] = "something else";
        d["alerts"][0]["matches"].push_back(more);
      },
      "no excess: alert P1 for connect is raised by the kernel's line `something else`");
  // what is missing is also not said to be unreported
  EXPECT_EQ(alerts_with([](json& d) { d["alerts"].erase(1); }),
            (Refuted{"no excess: alert P3 for syscall is said to be reported, and is not",
                     "no loss: alert P3 for syscall is not raised by the audit record 1326"}));
  EXPECT_EQ(alerts_with([](json& d) { d.erase("log"); }),
            (Refuted{"no excess: log of a refused net is said to be reported, and is not",
                     "no loss: log of every refusal is not there"}));
  const auto severity = alerts_with([](json& d) { d["alerts"][1]["severity"] = "P4"; });
  EXPECT_EQ(severity.size(), 2u) << "one too many, and one missing";
  const auto direction = alerts_with([](json& d) { d["alerts"][0]["matches"][1]["direction"] = "in"; });
  EXPECT_EQ(direction.size(), 2u);
}

TEST(Alerts, AnEntryThatContradictsItself) {
  // the same verb reported by a line, and by nothing
  EXPECT_EQ(alerts_with([](json& d) {
              d["alerts"][1]["unreported"] = json::array({{{"on", "syscall"}, {"all", true}, {"reason", ""}}});
            }),
            Refuted{"no loss: alert P3 for syscall is said to be reported by nothing"});
}

TEST(Alerts, NamesAndAuditedCalls) {
  PolicyBuilder p = reports();
  p.get().on_deny.alerts = {{model::Severity::P2, {"connect", "syscall"}, {}}};
  p.get().on_deny.log = false;
  p.get().mode = model::Mode::Audit;
  p.get().audit_for = {"syscall"};
  const auto& backend = backends::alerts::backend();
  json document = json::parse(backend.emit(p.get(), test::debian_12(), {}).artifacts.at(0).bytes);
  const auto verdicts = [&] {
    const backends::Artifact artifact{"alerts.json", document.dump()};
    return refuted(
        verify_alerts(p.get(), test::debian_12(), *backend.decode({&artifact, 1}, test::debian_12()).alerts.at(0)));
  };
  EXPECT_EQ(verdicts(), Refuted{});
  document["alerts"][0]["matches"].erase(0);
  EXPECT_EQ(verdicts().size(), 1u);
}

TEST(NotVerified, IsWhatADecoderSaysItDoesNotRead) {
  std::vector<Reading> readings(2);
  readings[0].decoded.not_verified = {"toy.txt"};
  readings[1].decoded.not_verified = {"other.txt"};
  EXPECT_EQ(not_verified(readings), (std::vector<std::string>{"other.txt", "toy.txt"}));
}

}  // namespace
}  // namespace agp::verify
