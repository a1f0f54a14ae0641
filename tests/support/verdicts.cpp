#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "compiler/driver/driver.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/model/packet_layer.hpp"
#include "compiler/plan/stack.hpp"
#include "compiler/verify/stack.hpp"

// What the verifier says about many artifacts, one after the other in one process: for tests that change artifacts.
// Each line of standard input is {"policy": FILE, "artifacts": {PLACE: FILE, …}}, PLACE as in the layout of the output;
// the answer is one line {"problems": […], "obligations": […]}, as `agp verify` has them. A witness about packets has
// the whole packet, and the names of the sets that it is in. With {"actions": [TEXT, …]} it has the policy's decision
// on each as well, in "decisions".
namespace {

using namespace agp;
using Json = nlohmann::json;

struct Read {
  driver::Session session;
  std::optional<driver::PolicyReport> report;
  Json problems = Json::array();
};

Read& policy_of(std::map<std::string, Read>& known, const std::string& file) {
  const auto [at, fresh] = known.try_emplace(file, Read{driver::Session({}), {}, Json::array()});
  Read& read = at->second;
  if (!fresh) return read;
  auto checked = driver::check(read.session, std::vector<std::string>{file});
  for (const auto& d : read.session.sink.all())
    if (d.severity == diagnostics::Severity::Error) read.problems.push_back(file + ": " + d.message);
  if (checked.policies.size() == 1 && read.session.target) read.report = std::move(checked.policies[0]);
  return read;
}

Json packet(const model::Packet& p, const backends::Decoded& decoded) {
  Json sets = Json::array();
  for (const auto& layer : decoded.packets)
    for (std::size_t i = 0; i < p.members.size() && i < layer->filled.size(); ++i)
      if (p.members[i]) sets.push_back(layer->filled[i].name);
  const bool v4 = p.family == model::PacketFamily::V4;
  const auto address = [&](model::Bits128 bits) {
    return to_string(v4 ? model::Address::v4(static_cast<std::uint32_t>(bits)) : model::Address{bits});
  };
  Json user;
  if (p.user < model::no_user) user = p.user;
  if (p.user > model::no_user && !decoded.packets.empty())
    user = decoded.packets[0]->space->users()[p.user - model::no_user - 1];
  return {{"hook", std::string(model::to_string(p.hook))},
          {"state", static_cast<int>(p.state)},
          {"v4", v4},
          {"user", user},
          {"in", decoded.packets.empty() ? "" : decoded.packets[0]->space->interfaces()[p.in]},
          {"out", decoded.packets.empty() ? "" : decoded.packets[0]->space->interfaces()[p.out]},
          {"kind", p.kind},
          {"protocol", p.protocol},
          {"destination", address(p.destination)},
          {"port", p.port},
          {"source", address(p.source)},
          {"source_port", p.source_port},
          {"hops", p.hops},
          {"icmp_type", p.icmp_type},
          {"icmp_code", p.icmp_code},
          {"tcp_flags", p.tcp_flags},
          {"sets", sets}};
}

Json witness(const verify::Witness& w, const backends::Decoded* decoded) {
  Json out{{"action", w.action}, {"observed", w.observed}, {"place", w.place},    {"arch", w.arch},
           {"number", w.number}, {"answer", w.answer},     {"args", w.arguments}, {"ip", w.instruction_pointer}};
  if (w.packet && decoded) out["packet"] = packet(*w.packet, *decoded);
  return out;
}

Json decisions(Read& read, const Json& actions) {
  Json out = Json::array();
  const sema::Options options = driver::sema_options(read.session);
  for (const auto& text : actions) {
    diagnostics::Sink quiet;
    const auto id = read.session.files.add("<action>", text.get<std::string>());
    const auto parsed = syntax::parse_action(read.session.files, id, quiet, options.limits);
    const auto resolved = parsed ? sema::resolve_action(*parsed, options, quiet) : std::nullopt;
    if (!resolved) {
      out.push_back("no action");
      continue;
    }
    model::Decision strictest = model::Decision::Allow;
    for (const auto& a : resolved->actions)
      strictest = std::min(strictest, model::decide(read.report->policy, a).decision);
    out.push_back(std::string(model::to_string(strictest)));
  }
  return out;
}

Json answer(std::map<std::string, Read>& known, const Json& line) {
  Read& read = policy_of(known, line.at("policy"));
  Json out{{"problems", read.problems}, {"obligations", Json::array()}};
  if (!read.report) return out;
  if (line.contains("actions")) out["decisions"] = decisions(read, line["actions"]);
  if (!line.contains("artifacts")) return out;
  const model::Target target = plan::target_for(read.report->policy, *read.session.target);
  std::vector<backends::Artifact> artifacts;
  for (const auto& [place, file] : line.at("artifacts").items()) {
    std::ifstream in(file.get<std::string>(), std::ios::binary);
    artifacts.push_back({place, {std::istreambuf_iterator<char>(in), {}}});
  }
  const auto readings = verify::read_back(artifacts, target);
  const backends::Decoded* packets = nullptr;
  for (const auto& r : readings) {
    for (const auto& p : r.decoded.problems) out["problems"].push_back(p.message);
    if (!r.decoded.packets.empty()) packets = &r.decoded;
  }
  for (const auto& o : verify::verify_stack(read.report->policy, target, read.report->plan, readings)) {
    Json one{{"artifact", o.artifact},
             {"direction", std::string(verify::to_string(o.direction))},
             {"verdict", std::string(o.verdict.word())}};
    o.verdict.match([](const solver::Proved&) {},
                    [&](const verify::Witness& w) { one["witness"] = witness(w, packets); },
                    [&](const solver::Unknown& u) { one["reason"] = u.reason; });
    out["obligations"].push_back(std::move(one));
  }
  return out;
}

}  // namespace

int main() {
  std::map<std::string, Read> known;
  for (std::string line; std::getline(std::cin, line);) {
    const Json asked = Json::parse(line, nullptr, false);
    if (asked.is_discarded()) return 2;
    std::cout << answer(known, asked).dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  }
}
