#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "backends/alerts/backend.hpp"
#include "backends/approvals/backend.hpp"
#include "compiler/model/advisory_layer.hpp"
#include "tests/support/net_policy.hpp"

// approvals.json and alerts.json: files that no stack loads.
namespace agp::backends {
namespace {

using model::Effect;
using nlohmann::json;
using test::PolicyBuilder;

TEST(Approvals, StatesEveryRuleOnTools) {
  PolicyBuilder p("tools");
  p.tool(Effect::Allow, "read", {"files.read"});
  p.tool(Effect::Ask, "pay", {"payments.*", "a\"b\\*"});
  p.get().rules.back().risk = model::Risk::High;
  p.get().rules.back().because = "money moves";
  p.get().rules.back().until = model::Day{20454};  // 2026-01-01
  p.tool(Effect::Deny, "never", {"shell.run"});
  p.tool(Effect::Allow, "expired", {"old.tool"});
  p.get().rules.back().expired = true;
  const auto out = approvals::backend().emit(p.get(), test::debian_12(), {});
  ASSERT_EQ(out.artifacts.size(), 1u);
  const json document = json::parse(out.artifacts[0].bytes);
  EXPECT_EQ(document, json::parse(R"({
    "schema": "agp-approvals/1", "policy": "tools", "default": "deny", "precedence": ["deny", "ask", "allow"],
    "rules": [
      {"rule": "never", "effect": "deny", "tools": ["shell.run"]},
      {"rule": "pay", "effect": "ask", "tools": ["payments.*", "a\"b\\*"], "risk": "high", "because": "money moves",
       "until": "2026-01-01"},
      {"rule": "read", "effect": "allow", "tools": ["files.read"]}
    ]})"));
  ASSERT_EQ(out.map.size(), 3u);
  for (const auto& entry : out.map) EXPECT_EQ(document.at(json::json_pointer(entry.place)).at("rule"), entry.rule);
  for (const char* stack : {"oci", "oci+landlock", "launcher"}) EXPECT_FALSE(approvals::backend().in_stack(stack));
  for (const auto& c : approvals::backend().capabilities(p.get(), test::facts_of(p.get()), test::debian_12()).facts) {
    EXPECT_EQ(c.holds, Holds::Not);
    EXPECT_TRUE(c.slips.starts_with("tool \"")) << c.slips;
  }
  const Decoded decoded = approvals::backend().decode(out.artifacts, test::debian_12());
  EXPECT_TRUE(decoded.not_verified.empty());
  ASSERT_EQ(decoded.tools.size(), 1u);
  ASSERT_EQ(decoded.tools[0]->rules.size(), 3u);
  const model::ToolRule& pay = decoded.tools[0]->rules[1];
  EXPECT_EQ(pay.effect, Effect::Ask);
  EXPECT_EQ(pay.tools, (std::vector<std::string>{"payments.*", "a\"b\\*"}));
  EXPECT_EQ(pay.risk, model::Risk::High);
  EXPECT_EQ(pay.until, model::Day{20454});
}

TEST(Approvals, SurvivesBytesThatAreNotText) {
  PolicyBuilder p("bytes");
  p.tool(Effect::Allow, "\xff\xfe", {"\xc3("});
  const auto out = approvals::backend().emit(p.get(), test::debian_12(), {});
  EXPECT_FALSE(json::parse(out.artifacts[0].bytes, nullptr, false).is_discarded());
}

/// Why a decoder does not take the document; empty where it does.
template <class Decode>
std::string refused(const Decode& decode, const char* path, const std::string& text) {
  const Artifact one{path, text};
  const Decoded out = decode(std::span(&one, 1));
  if (out.problems.empty() == (out.tools.empty() && out.alerts.empty())) ADD_FAILURE() << "neither read nor refused";
  return out.problems.empty() ? "" : out.problems[0].message;
}

TEST(Approvals, DecodesItsFormatAndNothingElse) {
  const auto why = [](const std::string& text) {
    return refused([](auto a) { return approvals::backend().decode(a, test::debian_12()); }, "approvals.json", text);
  };
  const auto document = [](const std::string& rules) {
    return R"({"schema":"agp-approvals/1","policy":"p","default":"deny","precedence":["deny","ask","allow"],"rules":[)" +
           rules + "]}";
  };
  EXPECT_EQ(why(document("")), "");
  EXPECT_EQ(why(document(R"({"rule":"r","effect":"allow","tools":["a"]})")), "");
  for (const std::string& bad : {
           std::string("[]"),
           std::string("{"),
           std::string("\0", 1),
           document(R"({"rule":"r","effect":"permit","tools":["a"]})"),
           document(R"({"rule":"r","effect":"allow","tools":"a"})"),
           document(R"({"rule":"r","effect":"allow","tools":[""]})"),
           document(R"({"rule":"r","effect":"allow","tools":["a"],"unless":["b"]})"),
           document(R"({"rule":"r","effect":"allow","tools":["a"],"until":"2026-02-30"})"),
           document(R"({"rule":"r","effect":"allow","effect":"deny","tools":["a"]})"),
           std::string(R"({"schema":"agp-approvals/2","policy":"p","default":"deny","precedence":[],"rules":[]})"),
           std::string(R"({"schema":"agp-approvals/1","policy":"p","default":"allow",)") +
               R"("precedence":["deny","ask","allow"],"rules":[]})",
           std::string(R"({"schema":"agp-approvals/1","policy":"p","default":"deny",)") +
               R"("precedence":["allow","ask","deny"],"rules":[]})",
           std::string(100'000, '['),
       })
    EXPECT_NE(why(bad), "") << bad.substr(0, 200);
}

TEST(Alerts, DecodesItsFormatAndNothingElse) {
  const auto why = [](const std::string& text) {
    return refused([](auto a) { return alerts::backend().decode(a, test::debian_12()); }, "alerts.json", text);
  };
  const auto document = [](const std::string& alert) {
    return R"({"schema":"agp-alerts/1","policy":"p","alerts":[)" + alert + "]}";
  };
  const std::string line = R"({"on":"connect","layer":"nftables","log":"kernel","prefix":"x","direction":"out"})";
  EXPECT_EQ(why(document("")), "");
  EXPECT_EQ(why(document(R"({"severity":"P1","on":["connect"],"matches":[)" + line + R"(],"unreported":[]})")), "");
  for (const std::string& bad : {
           std::string("{}"),
           document(R"({"severity":"P6","on":[],"matches":[],"unreported":[]})"),
           document(R"({"severity":"P1","on":[],"matches":[{"on":"x","layer":"mounts"}],"unreported":[]})"),
           document(R"({"severity":"P1","on":[],"matches":[],"unreported":[{"on":"x","all":1,"reason":""}]})"),
           document(R"({"severity":"P1","on":[],"matches":[],"unreported":[],"mute":true})"),
           document(R"({"severity":"P1","severity":"P5","on":[],"matches":[],"unreported":[]})"),
           document(R"({"severity":"P1","on":[],"matches":[{"on":"syscall","layer":"seccomp","log":"audit",)"
                    R"("type":-1}],"unreported":[]})"),
           document(R"({"severity":"P1","on":[],"matches":[{"on":"connect","layer":"nftables","log":"kernel",)"
                    R"("prefix":"x","direction":"sideways"}],"unreported":[]})"),
           document("") + "{}",
           document("null"),
           std::string("{\"schema\":\"agp-alerts/1\",\"policy\":\"\xff\",\"alerts\":[]}"),
           std::string(100'000, '{'),
           R"({"schema":"agp-alerts/1","policy":"p","alerts":)" + std::string(5000, '[') + std::string(5000, ']') + "}",
       })
    EXPECT_NE(why(bad), "") << bad;
}

TEST(Alerts, NamesTheLinesThatRaiseThem) {
  PolicyBuilder p("code-execution");
  p.allow("gateway", test::tcp, {test::at("10.0.1.50", test::port(443))});
  p.deny("metadata", test::any_protocol, {test::all_of("169.254.169.254")});
  p.net(Effect::Deny, "by name", model::Direction::Connect, test::tcp, {test::named("a.test", test::port(443))});
  p.net(Effect::Deny, "inbound", model::Direction::Listen, test::tcp, {test::at("any", test::port(22))});
  p.get().on_deny.alerts.push_back({model::Severity::P1, {"write", "connect"}, {}});
  const auto out = alerts::backend().emit(p.get(), test::debian_12(), {});
  ASSERT_EQ(out.artifacts.size(), 1u);
  const json document = json::parse(out.artifacts[0].bytes);
  EXPECT_EQ(document["schema"], "agp-alerts/1");
  EXPECT_FALSE(document.contains("log"));
  const json& alert = document["alerts"][0];
  EXPECT_EQ(alert["severity"], "P1");
  EXPECT_EQ(alert["on"], json({"write", "connect"}));
  std::vector<std::string> prefixes;
  for (const auto& match : alert["matches"]) {
    EXPECT_EQ(match["layer"], "nftables");
    EXPECT_EQ(match["direction"], "out");
    prefixes.push_back(match["prefix"]);
  }
  EXPECT_EQ(prefixes,
            (std::vector<std::string>{"agp P=code-execution R=metadata ", "agp P=code-execution R=default "}));
  EXPECT_EQ(alert["unreported"][0]["on"], "write");
  EXPECT_EQ(alert["unreported"][0]["all"], true);
  EXPECT_EQ(alert["unreported"][1]["on"], "connect");
  EXPECT_EQ(alert["unreported"][1]["all"], false) << "unix sockets";
}

TEST(Alerts, SeccompReportsWhatItKills) {
  PolicyBuilder p("calls");
  model::SyscallBody body;
  body.patterns.push_back({{"ptrace", {}}, {}, "ptrace"});
  p.add(Effect::Deny, "no ptrace", body);
  p.get().on_deny.alerts.push_back({model::Severity::P2, {"syscall"}, {}});
  json alert = json::parse(alerts::backend().emit(p.get(), test::debian_12(), {}).artifacts[0].bytes)["alerts"][0];
  EXPECT_TRUE(alert["matches"].empty());
  EXPECT_EQ(alert["unreported"][0]["all"], true);
  std::get<model::SyscallBody>(p.get().rules[0].body).denial.kind = model::Denial::Kind::Kill;
  alert = json::parse(alerts::backend().emit(p.get(), test::debian_12(), {}).artifacts[0].bytes)["alerts"][0];
  EXPECT_EQ(alert["matches"][0]["type"], 1326);
  EXPECT_EQ(alert["unreported"][0]["all"], false);
}

TEST(Alerts, LogIsAboutEveryBlockWithRules) {
  PolicyBuilder p("log");
  p.resolver("10.0.0.53");
  p.allow("name", test::tcp, {test::named("a.test", test::port(443))});
  p.tool(Effect::Allow, "read", {"files.read"});
  p.get().on_deny.log = true;
  const json document = json::parse(alerts::backend().emit(p.get(), test::debian_12(), {}).artifacts[0].bytes);
  EXPECT_EQ(document["log"]["matches"][0]["layer"], "dns");
  EXPECT_EQ(document["log"]["matches"].size(), 3u) << "the resolver's, and the end of the chain in both directions";
  EXPECT_EQ(document["log"]["unreported"][1]["on"], "tool");
  EXPECT_TRUE(document["alerts"].empty());
  p.get().on_deny.log = false;
  EXPECT_TRUE(alerts::backend().emit(p.get(), test::debian_12(), {}).artifacts.empty());
}

}  // namespace
}  // namespace agp::backends
