// In: a policy, its target and plan. Out: `policy.json`, the policy's side of a certificate in plain form.
#include <fmt/format.h>

#include <bit>
#include <nlohmann/json.hpp>

#include "compiler/diagnostics/text.hpp"
#include "compiler/linux/loader_needs.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/model/grant.hpp"
#include "compiler/verify/certificate.hpp"
#include "compiler/verify/certificate_packets.hpp"
#include "compiler/verify/certificate_settings.hpp"
#include "compiler/verify/gaps.hpp"
#include "compiler/verify/packet_terms.hpp"

namespace agp::verify {
namespace {

using Json = nlohmann::ordered_json;

std::string hex(std::uint64_t v) { return fmt::format("{:#x}", v); }

Json archs_json(linux::ArchSet archs) {
  Json out = Json::array();
  for (const linux::Arch arch : linux::all_archs)
    if (archs.has(arch)) out.push_back(linux::to_string(arch));
  return out;
}

Json pattern_json(const model::SyscallPattern& p) {
  constexpr std::string_view words[] = {"==", "!=", "<", "<=", ">", ">=", "in", "&"};
  Json tests = Json::array();
  for (const model::ArgTest& t : p.tests) {
    Json values = Json::array();
    for (const std::uint64_t v : t.values) values.push_back(hex(v));
    Json one = {{"argument", t.index}, {"op", words[static_cast<std::size_t>(t.op)]}, {"values", std::move(values)}};
    if (t.op == model::ArgTest::Op::Masked) one["mask"] = hex(t.mask);
    tests.push_back(std::move(one));
  }
  return {{"call", p.name}, {"arch", archs_json(p.archs)}, {"tests", std::move(tests)}};
}

Json addresses_json(const model::AddressSet& set) {
  Json out = Json::array();
  for (const auto& r : set.ranges()) out.push_back({model::to_string(r.first), model::to_string(r.last)});
  return out;
}

Json endpoint_json(const model::Rule& rule, const model::NetBody& body, std::size_t index, bool except) {
  const model::EndpointPattern& e = (except ? body.except : body.endpoints)[index].pattern;
  Json ports = Json::array();
  for (const auto& r : e.ports.ranges()) ports.push_back({r.first, r.last});
  Json out = {{"ports", std::move(ports)}, {"icmp", e.icmp}};
  if (e.name) out["name"] = e.name->to_string();
  if (e.name && !except)
    out["sets"] = {{"4", backends::name_set(rule, index, 4)}, {"6", backends::name_set(rule, index, 6)}};
  if (!e.name || !except)
    out["addresses"] = addresses_json(!e.name       ? e.addresses
                                      : body.within ? *body.within
                                                    : model::AddressSet::all() - model::never_by_name());
  return out;
}

Json texts_json(const auto& patterns) {
  Json out = Json::array();
  for (const auto& p : patterns) out.push_back(p.pattern.text);
  return out;
}

std::size_t index_of(model::Verb v) { return static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(v))); }

Json verbs_json(model::Verbs verbs) {
  constexpr std::string_view words[] = {"read", "list", "exec", "modify", "create", "delete"};
  Json out = Json::array();
  for (const model::Verb v : {model::Verb::Read, model::Verb::List, model::Verb::Exec, model::Verb::Modify,
                              model::Verb::Create, model::Verb::Delete})
    if (has(verbs, v)) out.push_back(words[index_of(v)]);
  return out;
}

void body_json(const model::Rule& rule, Json& out) {
  out["block"] = std::holds_alternative<model::UnixBody>(rule.body) ? "unix" : model::fact_block(rule.body);
  if (const auto* calls = std::get_if<model::SyscallBody>(&rule.body)) {
    out["patterns"] = Json::array();
    out["except"] = Json::array();
    for (const auto& p : calls->patterns) out["patterns"].push_back(pattern_json(p.pattern));
    for (const auto& p : calls->except) out["except"].push_back(pattern_json(p.pattern));
    using Kind = model::Denial::Kind;
    if (const model::Denial& d = calls->denial; rule.effect == model::Effect::Deny && d != model::Denial{})
      out["denial"] = d.kind == Kind::Trap   ? "trap"
                      : d.kind == Kind::Kill ? "kill"
                                             : fmt::format("errno {}", d.errno_value);
  } else if (const auto* net = std::get_if<model::NetBody>(&rule.body)) {
    out["direction"] = net->direction == model::Direction::Connect ? "connect" : "listen";
    out["protocols"] = Json::array();
    for (const auto& [protocol, word] :
         {std::pair{model::Protocol::Tcp, "tcp"}, {model::Protocol::Udp, "udp"}, {model::Protocol::Icmp, "icmp"}})
      if (has(net->protocols, protocol)) out["protocols"].push_back(word);
    out["endpoints"] = Json::array();
    out["except"] = Json::array();
    for (std::size_t i = 0; i < net->endpoints.size(); ++i)
      out["endpoints"].push_back(endpoint_json(rule, *net, i, false));
    for (std::size_t i = 0; i < net->except.size(); ++i) out["except"].push_back(endpoint_json(rule, *net, i, true));
    if (net->from) out["from"] = addresses_json(*net->from);
  } else if (const auto* file = std::get_if<model::FileBody>(&rule.body)) {
    out["verbs"] = verbs_json(file->verbs);
    out["patterns"] = texts_json(file->patterns);
    out["except"] = texts_json(file->except);
  } else if (const auto* socket = std::get_if<model::UnixBody>(&rule.body)) {
    out["direction"] = socket->direction == model::Direction::Connect ? "connect" : "listen";
    out["patterns"] = texts_json(socket->paths);
    out["except"] = texts_json(socket->except);
    out["abstract"] = socket->abstract;
  } else if (const auto* capabilities = std::get_if<model::CapabilityBody>(&rule.body)) {
    out["patterns"] = Json::array();
    for (const auto& name : capabilities->names) out["patterns"].push_back(name.pattern);
  } else if (const auto* words = std::get_if<model::TextBody>(&rule.body)) {
    const auto list = [](const auto& patterns) {
      Json texts = Json::array();
      for (const auto& p : patterns) texts.push_back(diagnostics::valid_utf8(p.pattern));
      return texts;
    };
    out["patterns"] = list(words->patterns);
    out["except"] = list(words->except);
    constexpr std::string_view risks[] = {"low", "medium", "high"};
    if (rule.risk) out["risk"] = risks[static_cast<std::size_t>(*rule.risk)];
    if (words->sort == model::TextBody::Sort::Tool && rule.until) out["until"] = model::day_text(*rule.until);
  }
}

Json tables_json(const model::Target& target) {
  Json out = Json::object();
  for (const std::string& name : target.archs) {
    const auto arch = linux::find_arch(name);
    if (!arch) continue;
    Json calls = Json::array();
    for (const linux::Syscall& call : linux::syscalls(*arch)) {
      Json masks = Json::array(), unknown = Json::array();
      for (std::size_t i = 0; i < 6; ++i) {
        masks.push_back(hex(call.arguments[i].effective_mask));
        if (!call.arguments[i].classified) unknown.push_back(i);
      }
      Json one = {{"name", call.name},
                  {"number", call.number},
                  {"since", {call.since.major, call.since.minor}},
                  {"named", {linux::name_since(call).major, linux::name_since(call).minor}},
                  {"masks", std::move(masks)}};
      if (!unknown.empty()) one["unclassified"] = std::move(unknown);
      calls.push_back(std::move(one));
    }
    out[name] = {{"audit", linux::audit_arch(*arch)},
                 {"machine", linux::to_string(linux::machine_of(*arch))},
                 {"calls", std::move(calls)}};
  }
  return out;
}

Json gaps_json(const model::Policy& policy, const plan::Plan& plan) {
  Json out = Json::array();
  for (const CallGap& gap : call_gaps(policy, plan))
    out.push_back({{"block", "syscall"},
                   {"pattern", pattern_json(gap.calls)},
                   {"refuses", gap.refuses},
                   {"may", gap.narrower ? "lack" : "exceed"}});
  const auto number = rule_numbers(policy);
  for (const EndpointGap& gap : endpoint_gaps(policy, plan))
    if (const auto at = number.find(gap.rule); at != number.end())
      out.push_back({{"block", "net"},
                     {"rule", at->second},
                     {"endpoint", gap.endpoint},
                     {"exceed", gap.exceeds},
                     {"lack", gap.lacks}});
  for (const FileGap& gap : file_gaps(policy, plan))
    if (const auto at = number.find(gap.rule); at != number.end())
      out.push_back({{"block", "file"},
                     {"rule", at->second},
                     {"pattern", gap.pattern},
                     {"verbs", verbs_json(gap.verbs)},
                     {"exceed", gap.wider},
                     {"lack", gap.narrower},
                     {"attributes", gap.attributes}});
  return out;
}

Json attach_json(const model::Policy& policy, const model::Target& target) {
  switch (packet_form(policy, target)) {
    case PacketForm::Namespace:
      break;
    case PacketForm::Cgroup:
      return {{"form", "cgroup"}, {"cgroup", diagnostics::valid_utf8(*policy.run.cgroup)}};
    case PacketForm::User:
      return {{"form", "user"}};
    case PacketForm::Interface:
      return {{"form", "interface"}, {"interface", diagnostics::valid_utf8(*policy.run.interface)}};
  }
  return {{"form", "namespace"}};
}

/// What a layer needs of files for itself.
Json derived_json(const plan::Plan& plan) {
  Json out = Json::array();
  for (const backends::DerivedGrant& d : plan.derived)
    if (const model::FileGrant grant = model::file_grant(d.grant); grant.verbs != 0)
      out.push_back({{"verbs", verbs_json(grant.verbs)},
                     {"path", diagnostics::valid_utf8(grant.path)},
                     {"except", grant.except},
                     {"reason", d.reason}});
  return out;
}

Json mount_json(const model::Mount& mount, bool pinned) {
  return {{"target", diagnostics::valid_utf8(mount.target)},
          {"source", mount.source ? Json(diagnostics::valid_utf8(*mount.source)) : Json(nullptr)},
          {"size", mount.size_bytes ? Json(*mount.size_bytes) : Json(nullptr)},
          {"pinned", pinned}};
}

Json on_deny_json(const model::Policy& policy) {
  Json alerts = Json::array();
  for (const model::Alert& alert : policy.on_deny.alerts)
    alerts.push_back({{"severity", fmt::format("P{}", static_cast<int>(alert.severity) + 1)}, {"on", alert.targets}});
  return {{"log", policy.on_deny.log}, {"alerts", std::move(alerts)}};
}

Json rule_json(const model::Rule& rule) {
  Json out = {{"id", diagnostics::valid_utf8(rule.id)},
              {"effect", model::to_string(rule.effect)},
              {"text", diagnostics::valid_utf8(rule.text)}};
  body_json(rule, out);
  return out;
}

}  // namespace

std::map<std::size_t, std::size_t> rule_numbers(const model::Policy& policy) {
  std::map<std::size_t, std::size_t> out;
  for (std::size_t r = 0; r < policy.rules.size(); ++r)
    if (!policy.rules[r].expired) out.emplace(r, out.size());
  return out;
}

std::string certified_rule(const model::Rule& rule) { return rule_json(rule).dump(); }

std::string certified_policy(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                             model::Day today) {
  Json rules = Json::array(), needs = Json::array(), resolvers = Json::array(), audited = Json::array(),
       mounts = Json::array();
  for (const model::Rule& rule : policy.rules)
    if (!rule.expired) {
      rules.push_back(rule_json(rule));
      if (std::holds_alternative<model::NetBody>(rule.body))
        rules.back()["report"] = backends::log_prefix(policy, rule.id);
    }
  if (model::starts_container(target.stack)) {
    const linux::Version runc{static_cast<std::uint8_t>(target.runc.major),
                              static_cast<std::uint8_t>(target.runc.minor)};
    const linux::ProfileNeeds needed = linux::profile_needs(target.stack, runc);
    for (const linux::LoaderNeed& need : needed.needs) {
      Json one = {{"call", need.call}, {"reason", need.reason}};
      if (need.argument >= 0) one.update({{"argument", need.argument}, {"zero_under", hex(need.mask)}});
      needs.push_back(std::move(one));
    }
  }
  const PacketNeeds packets = packet_needs(policy, plan);
  for (std::size_t m = 0; m < policy.run.mounts.size(); ++m)
    mounts.push_back(mount_json(policy.run.mounts[m], pinned_mount(plan, m)));
  for (const char* block : {"file", "net", "syscall"})
    if (policy.audits(block)) audited.push_back(block);
  for (const model::Address a : policy.resolvers) resolvers.push_back(model::to_string(a));
  const Json out = {{"schema", "agp-certified/1"},
                    {"policy", policy.name},
                    {"target",
                     {{"name", target.name},
                      {"kernel", {target.kernel.major, target.kernel.minor}},
                      {"stack", target.stack},
                      {"arch", target.archs},
                      {"landlock_abi", target.landlock_abi},
                      {"libseccomp_names", {target.libseccomp_names.major, target.libseccomp_names.minor}},
                      {"dnsmasq", {target.dnsmasq.major, target.dnsmasq.minor}},
                      {"dns_user", target.dns_user}}},
                    {"day", model::day_text(today)},
                    {"audit", std::move(audited)},
                    {"user", backends::agent_user(policy).uid},
                    {"run", Json::parse(certified_run(policy, target, plan))},
                    {"accepted", Json::parse(certified_gaps_of_settings(policy, plan))},
                    {"table", backends::table_name(policy)},
                    {"attach", attach_json(policy, target)},
                    {"reports", packet_reports(policy)},
                    {"report", backends::log_prefix(policy, std::nullopt)},
                    {"on_deny", on_deny_json(policy)},
                    {"rules", std::move(rules)},
                    {"resolvers", std::move(resolvers)},
                    {"packet_needs", {{"any", packets.any}, {"ipv6", packets.ipv6}, {"resolver", packets.resolver}}},
                    {"loader_needs", std::move(needs)},
                    {"derived", derived_json(plan)},
                    {"mounts", std::move(mounts)},
                    {"gaps", gaps_json(policy, plan)},
                    {"calls", tables_json(target)}};
  // One line for each rule, gap and call: it is read by people too.
  std::string text = "{\n";
  for (auto at = out.begin(); at != out.end(); ++at) {
    text += fmt::format("{}: ", Json(at.key()).dump());
    if (at.key() == "rules" || at.key() == "gaps" || at.key() == "loader_needs" || at.key() == "derived") {
      text += "[";
      for (std::size_t i = 0; i < at->size(); ++i) text += (i > 0 ? ",\n  " : "\n  ") + (*at)[i].dump();
      text += at->empty() ? "]" : "\n]";
    } else if (at.key() == "calls") {
      text += "{";
      bool first_table = true;
      for (auto table = at->begin(); table != at->end(); ++table) {
        text += fmt::format("{}\n  {}: {{\"audit\": {}, \"machine\": {}, \"calls\": [", first_table ? "" : ",",
                            Json(table.key()).dump(), (*table)["audit"].dump(), (*table)["machine"].dump());
        first_table = false;
        const Json& calls = (*table)["calls"];
        for (std::size_t i = 0; i < calls.size(); ++i) text += (i > 0 ? ",\n    " : "\n    ") + calls[i].dump();
        text += "\n  ]}";
      }
      text += "\n}";
    } else {
      text += at->dump();
    }
    text += std::next(at) == out.end() ? "\n" : ",\n";
  }
  return text + "}\n";
}

}  // namespace agp::verify
