#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "compiler/verify/advisory.hpp"

// Comes in: `on deny` of a policy and what a file says about the lines of logs. Goes out: no excess, no loss. What a
// stack reports is stated here a second time, from what its layers do: a refused packet is a line of the kernel's log
// where the rules stand in the sandbox's own namespace (nft(8), log); a name that the resolver does not serve is one of
// dnsmasq's; a call that kills is an audit record of type 1326 (AUDIT_SECCOMP, include/uapi/linux/audit.h), and in an
// audited block every call that no rule allows is one. Mounts, permissions, capabilities and the environment refuse in
// silence.
namespace agp::verify {
namespace {

using model::AlertLine;
using model::Effect;

constexpr std::string_view not_served = "config .* is NXDOMAIN$", audit_seccomp = "1326";

/// A severity (none: `log`) and a verb or block.
using Subject = std::pair<std::optional<model::Severity>, std::string>;
using Event = std::tuple<AlertLine::Log, std::string, model::Direction>;

std::string subject_text(const Subject& subject) {
  if (!subject.first) return fmt::format("log of a refused {}", subject.second);
  return fmt::format("alert P{} for {}", static_cast<int>(*subject.first) + 1, subject.second);
}
std::string event_text(const Event& event) {
  const auto& [log, line, direction] = event;
  if (log == AlertLine::Log::Audit) return fmt::format("the audit record {}", line);
  if (log == AlertLine::Log::Resolver) return fmt::format("the resolver's line `{}`", line);
  return fmt::format("the kernel's line `{}` for a packet {}", line,
                     direction == model::Direction::Connect ? "out" : "in");
}

class AlertCheck {
 public:
  AlertCheck(const model::Policy& policy, const model::Target& target, const model::AlertLayer& layer)
      : policy_(policy), packets_(model::makes_network(target.stack)), layer_(layer) {}

  std::vector<Obligation> run() {
    const std::set<Subject> asked = asked_for();
    if (policy_.on_deny.log != layer_.log.has_value())
      refute(layer_.log ? verify::Direction::Excess : verify::Direction::Loss, "log of every refusal",
             layer_.log ? "made" : "not there", "/log");
    std::set<Subject> stated;
    if (layer_.log) {
      for (const std::string& word : blocks()) stated.emplace(std::nullopt, word);
      entry(*layer_.log, asked, stated);
    }
    for (const model::AlertEntry& one : layer_.alerts) {
      for (const std::string& word : one.on) {
        stated.emplace(one.severity, word);
        if (!asked.contains({one.severity, word}))
          refute(verify::Direction::Excess, subject_text(Subject{one.severity, word}), "raised", one.place);
      }
      entry(one, asked, stated);
    }
    for (const Subject& subject : asked) missing(subject);
    return {obligation(verify::Direction::Excess, excess_,
                       "no line raises an alert that the policy does not ask for, and what is not reported is named"),
            obligation(verify::Direction::Loss, loss_, "every line that the stack writes about an alert raises it")};
  }

  AlertLists lists(bool demanded) const {
    AlertLists out;
    const auto put = [&](const std::string& name, std::string value) { out.artifact[name].insert(std::move(value)); };
    const auto want = [&](const std::string& name, AlertLists::List list) {
      out.artifact[name];
      out.policy[name] = {demanded ? "has" : "among", std::move(list)};
    };
    const std::set<Subject> asked = asked_for();
    std::set<Subject> stated;
    const auto entry = [&](const model::AlertEntry& one) {
      for (const AlertLine& line : one.lines) {
        const Subject subject{one.severity, line.on};
        const std::string event = event_text(Event{line.log, line.text, line.direction});
        put(subject_text(subject), event);
        if (!asked.contains(subject) && !demanded) want(subject_text(subject), {});
        if (!stated.contains(subject)) put("lines of nothing that is listed", subject_text(subject) + ": " + event);
      }
      for (const model::AlertGap& gap : one.gaps) {
        const std::string name = "not reported: " + subject_text(Subject{one.severity, gap.on});
        put(name, "some");
        if (gap.all) put(name, "all");
      }
    };
    if (layer_.log) {
      put("log", "made");
      for (const std::string& word : blocks()) stated.emplace(std::nullopt, word);
      entry(*layer_.log);
    }
    for (const model::AlertEntry& one : layer_.alerts) {
      for (const std::string& word : one.on) {
        stated.emplace(one.severity, word);
        put("alerts", subject_text(Subject{one.severity, word}));
      }
      entry(one);
    }
    want("log", policy_.on_deny.log ? AlertLists::List{"made"} : AlertLists::List{});
    if (!demanded) {
      want("lines of nothing that is listed", {});
      want("alerts", {});
    }
    for (const Subject& subject : asked) {
      if (!demanded && subject.first) out.policy["alerts"].second.insert(subject_text(subject));
      AlertLists::List events;
      for (const Event& event : reports(subject.second)) events.insert(event_text(event));
      want(subject_text(subject), std::move(events));
      const auto whole = silent(subject.second);
      const std::string gap = "not reported: " + subject_text(subject);
      if (whole && !demanded) {
        out.artifact[gap];
        out.policy[gap] = {"has", {*whole ? "all" : "some"}};
      } else if (whole == false) {
        out.artifact[gap];
        out.policy[gap] = {"among", {"some"}};
      }
    }
    return out;
  }

 private:
  std::set<Subject> asked_for() const {
    std::set<Subject> asked;
    if (policy_.on_deny.log)
      for (const std::string& block : blocks()) asked.emplace(std::nullopt, block);
    for (const model::Alert& alert : policy_.on_deny.alerts)
      for (const std::string& word : alert.targets) asked.emplace(alert.severity, word);
    return asked;
  }

  /// The blocks in which this policy can refuse something by a rule of its own.
  std::vector<std::string> blocks() const {
    std::set<std::string> used;
    for (const model::Rule& rule : policy_.rules)
      if (!rule.expired) used.insert(model::fact_block(rule.body));
    std::vector<std::string> out;
    for (const char* block : {"file", "net", "syscall", "tool"})
      if (used.contains(block)) out.emplace_back(block);
    return out;
  }

  bool has_names() const {
    return std::any_of(policy_.rules.begin(), policy_.rules.end(), [](const model::Rule& rule) {
      const auto* body = std::get_if<model::NetBody>(&rule.body);
      return body && !rule.expired && rule.effect == Effect::Allow && body->direction == model::Direction::Connect &&
             std::any_of(body->endpoints.begin(), body->endpoints.end(),
                         [](const auto& e) { return e.pattern.name.has_value(); });
    });
  }
  bool kills() const {
    return std::any_of(policy_.rules.begin(), policy_.rules.end(), [](const model::Rule& rule) {
      const auto* body = std::get_if<model::SyscallBody>(&rule.body);
      return body && !rule.expired && rule.effect == Effect::Deny && body->denial.kind == model::Denial::Kind::Kill;
    });
  }

  /// What is written into some log when an attempt of this verb or block is refused.
  std::set<Event> reports(std::string_view word) const {
    std::set<Event> out;
    if (word == "syscall" && (kills() || policy_.audits("syscall")))
      out.emplace(AlertLine::Log::Audit, audit_seccomp, model::Direction::Connect);
    const bool connects = word == "net" || word == "connect", listens = word == "net" || word == "listen";
    if (!packets_) return out;
    if (connects && has_names()) out.emplace(AlertLine::Log::Resolver, not_served, model::Direction::Connect);
    const auto packets = [&](model::Direction direction) {
      out.emplace(AlertLine::Log::Kernel, backends::log_prefix(policy_, std::nullopt), direction);
      for (const model::Rule& rule : policy_.rules) {
        const auto* body = std::get_if<model::NetBody>(&rule.body);
        if (!body || rule.expired || rule.effect == Effect::Allow || body->direction != direction) continue;
        // Packets have addresses: what is refused by name only is refused by no rule of its own.
        const auto by_address = [](const auto& e) { return !e.pattern.name; };
        if (std::any_of(body->endpoints.begin(), body->endpoints.end(), by_address))
          out.emplace(AlertLine::Log::Kernel, backends::log_prefix(policy_, rule.id), direction);
      }
    };
    if (connects) packets(model::Direction::Connect);
    if (listens) packets(model::Direction::Listen);
    return out;
  }
  /// Is anything of it not reported, and is that all of it? Sockets with a path are neither packets nor names.
  std::optional<bool> silent(std::string_view word) const {
    if (word == "net" || word == "connect" || word == "listen") return !packets_;
    if (word == "syscall") return policy_.audits("syscall") ? std::nullopt : std::optional(!kills());
    return true;
  }

  void entry(const model::AlertEntry& one, const std::set<Subject>& asked, const std::set<Subject>& stated) {
    for (const AlertLine& line : one.lines) {
      const Subject subject{one.severity, line.on};
      const Event event{line.log, line.text, line.direction};
      if (!stated.contains(subject) || !asked.contains(subject) || !reports(line.on).contains(event))
        refute(verify::Direction::Excess, subject_text(subject), "raised by " + event_text(event), line.place);
      seen_.emplace(subject, event);
    }
    for (const model::AlertGap& gap : one.gaps) {
      const Subject subject{one.severity, gap.on};
      gaps_.emplace(subject, gap.all);
      if (gap.all && asked.contains(subject) && silent(gap.on) == false)
        refute(verify::Direction::Loss, subject_text(subject), "said to be reported by nothing", gap.place);
    }
  }

  void missing(const Subject& subject) {
    for (const Event& event : reports(subject.second))
      if (!seen_.contains({subject, event}))
        refute(verify::Direction::Loss, subject_text(subject), "not raised by " + event_text(event), "no entry");
    const auto whole = silent(subject.second);
    if (!whole) return;
    const bool partly = gaps_.contains({subject, false}), wholly = gaps_.contains({subject, true});
    if (*whole ? !wholly : !partly && !wholly)
      refute(verify::Direction::Excess, subject_text(subject), "said to be reported, and is not",
             "no entry of `unreported`");
  }

  void refute(verify::Direction direction, std::string what, std::string observed, std::string place) {
    auto& slot = direction == verify::Direction::Excess ? excess_ : loss_;
    if (slot) return;
    slot.emplace();
    slot->action = std::move(what);
    slot->observed = std::move(observed);
    slot->place = std::move(place);
    slot->decision = direction == verify::Direction::Excess ? model::Decision::Deny : model::Decision::Allow;
  }

  Obligation obligation(verify::Direction direction, const std::optional<Witness>& refuted,
                        std::string statement) const {
    Verdict verdict = solver::Proved{"evaluation"};
    if (refuted) verdict = solver::Refuted<Witness>{*refuted};
    return {layer_.artifact, "alerts", "", direction, std::move(statement), std::move(verdict), "report"};
  }

  const model::Policy& policy_;
  const bool packets_;  ///< packet rules in a namespace of the sandbox's own
  const model::AlertLayer& layer_;
  std::set<std::pair<Subject, Event>> seen_;
  std::set<std::pair<Subject, bool>> gaps_;
  std::optional<Witness> excess_, loss_;
};

}  // namespace

std::vector<Obligation> verify_alerts(const model::Policy& policy, const model::Target& target,
                                      const model::AlertLayer& layer) {
  return AlertCheck(policy, target, layer).run();
}

AlertLists alert_lists(const model::Policy& policy, const model::Target& target, const model::AlertLayer& layer,
                       bool demanded) {
  return AlertCheck(policy, target, layer).lists(demanded);
}

}  // namespace agp::verify
