#include "compiler/verify/gaps.hpp"

#include <algorithm>

#include "compiler/linux/multiplexed.hpp"

// An accepted gap -> the calls in it. A pattern's own, but for an allow that is held too widely: what is permitted
// beyond it are the calls by which i386 reaches the same (docs/decisions/0007), never those that it names.
namespace agp::verify {

std::vector<CallGap> call_gaps(const model::Policy& policy, const plan::Plan& plan) {
  std::vector<CallGap> out;
  for (const plan::Row& row : plan.rows) {
    if (!row.accept || row.fact.kind != model::Fact::Kind::Pattern || row.fact.block != "syscall") continue;
    const model::Rule& rule = policy.rules[row.fact.rule];
    const auto* body = std::get_if<model::SyscallBody>(&rule.body);
    if (!body) continue;
    const bool refuses = rule.effect != model::Effect::Allow, narrower = row.holds == plan::Holds::Narrower;
    for (std::size_t i = row.fact.pattern; i < row.fact.pattern + row.count && i < body->patterns.size(); ++i) {
      const model::SyscallPattern& pattern = body->patterns[i].pattern;
      if (refuses || narrower)
        out.push_back({pattern, refuses, narrower});
      else if (const auto* shared = linux::find_multiplexed(pattern.name))
        out.push_back(
            {{std::string(shared->call), {{0, model::ArgTest::Op::Eq, ~0ull, {shared->first}}}, {linux::Arch::i386}},
             refuses,
             narrower});
    }
  }
  return out;
}

std::vector<EndpointGap> endpoint_gaps(const model::Policy& policy, const plan::Plan& plan) {
  std::vector<EndpointGap> out;
  for (const plan::Row& row : plan.rows) {
    if (!row.accept || row.fact.kind != model::Fact::Kind::Pattern || row.fact.block != "net") continue;
    const model::Rule& rule = policy.rules[row.fact.rule];
    const auto* body = std::get_if<model::NetBody>(&rule.body);
    if (!body || row.fact.pattern >= body->endpoints.size()) continue;
    if (body->endpoints[row.fact.pattern].pattern.name && rule.effect != model::Effect::Allow) continue;
    const bool open = row.holds == plan::Holds::Not, narrower = row.holds == plan::Holds::Narrower;
    out.push_back({row.fact.rule, row.fact.pattern, open || !narrower, open || narrower});
  }
  return out;
}

std::vector<FileGap> file_gaps(const model::Policy& policy, const plan::Plan& plan) {
  std::vector<FileGap> out;
  for (const plan::Row& row : plan.rows) {
    if (!row.accept || row.fact.kind != model::Fact::Kind::Pattern || row.fact.block != "file") continue;
    const model::Rule& rule = policy.rules[row.fact.rule];
    const auto* body = std::get_if<model::FileBody>(&rule.body);
    if (!body) continue;
    const bool wider = row.holds == plan::Holds::Wider || row.holds == plan::Holds::Not;
    bool attributes = false;
    model::Verbs verbs = body->verbs;
    for (const plan::Answer& a : row.answers) {
      if (wider && rule.effect == model::Effect::Allow) verbs |= a.capability.also;
      attributes = attributes || (wider && a.capability.attributes);
    }
    out.push_back({row.fact.rule, row.fact.pattern, wider, row.holds == plan::Holds::Narrower, attributes, verbs});
  }
  return out;
}

bool pinned_mount(const plan::Plan& plan, std::size_t mount) {
  return std::any_of(plan.rows.begin(), plan.rows.end(), [&](const plan::Row& row) {
    return row.accept && row.holds == plan::Holds::Narrower && row.fact.kind == model::Fact::Kind::Mount &&
           row.fact.mount == mount;
  });
}

}  // namespace agp::verify
