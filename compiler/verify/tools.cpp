#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/model/glob_cells.hpp"
#include "compiler/verify/advisory.hpp"

// Comes in: the policy's rules on tools and those that a file states. Goes out: no excess, no loss, with one name, and
// where it matters one day, as witness. LANGUAGE.md decides both sides; neither looks at the other's patterns.
namespace agp::verify {
namespace {

using model::Day;
using model::Effect;

/// A rule of either side. Its patterns are consecutive globs.
struct Side {
  Effect effect;
  std::optional<model::Risk> risk;
  std::optional<Day> until;
  std::uint32_t first = 0, excepts = 0, end = 0;  ///< globs [first, excepts) grant or refuse, [excepts, end) take away
  std::size_t index = 0;
};

/// What is done with a call, by how much it permits.
enum Answer : int { Denied, AskedHigh, AskedMedium, AskedLow, Asked, Allowed };

std::string_view words(Answer a) {
  constexpr std::string_view all[] = {
      "denied", "asked about, at high risk", "asked about, at medium risk", "asked about, at low risk", "asked about",
      "allowed"};
  return all[a];
}

Answer asked(std::optional<model::Risk> risk) {
  if (!risk) return Asked;
  return *risk == model::Risk::High ? AskedHigh : *risk == model::Risk::Medium ? AskedMedium : AskedLow;
}

struct Decision {
  Answer answer = Denied;
  std::vector<std::size_t> rules;  ///< behind it
};

class ToolCheck {
 public:
  ToolCheck(const model::Policy& policy, const model::ToolLayer& layer, Day today)
      : policy_(policy), layer_(layer), today_(today) {}

  std::vector<Obligation> run() {
    collect();
    const auto cells = model::glob_cells(globs_);
    if (cells)
      for (const model::GlobCell& cell : *cells) compare(cell);
    return {obligation(Direction::Excess, excess_, cells.has_value(),
                       "no tool call passes that the policy does not allow, on any day"),
            obligation(Direction::Loss, loss_, cells.has_value(),
                       "every tool call that the policy allows passes, on every day")};
  }

 private:
  template <class Texts>
  void add(std::vector<Side>& sides, Side side, const Texts& patterns, const Texts& except) {
    const auto put = [&](const auto& text) {
      if constexpr (std::is_same_v<std::decay_t<decltype(text)>, std::string>)
        globs_.push_back(model::text_glob(text));
      else
        globs_.push_back(model::text_glob(text.pattern));
      owner_.emplace_back(&sides == &policy_side_, sides.size());
    };
    side.first = static_cast<std::uint32_t>(globs_.size());
    for (const auto& p : patterns) put(p);
    side.excepts = static_cast<std::uint32_t>(globs_.size());
    for (const auto& p : except) put(p);
    side.end = static_cast<std::uint32_t>(globs_.size());
    sides.push_back(side);
  }

  void collect() {
    for (std::size_t i = 0; i < policy_.rules.size(); ++i) {
      const model::Rule& rule = policy_.rules[i];
      const auto* body = std::get_if<model::TextBody>(&rule.body);
      if (!body || body->sort != model::TextBody::Sort::Tool || rule.expired) continue;
      add(policy_side_, {rule.effect, rule.risk, rule.until, 0, 0, 0, i}, body->patterns, body->except);
    }
    for (std::size_t i = 0; i < layer_.rules.size(); ++i) {
      const model::ToolRule& rule = layer_.rules[i];
      add(layer_side_, {rule.effect, rule.risk, rule.until, 0, 0, 0, i}, rule.tools, rule.except);
    }
  }

  /// Rules of one side that match the names of a cell: some pattern does, and no exception.
  std::vector<const Side*> matching(const std::vector<Side>& sides, bool policy, const model::GlobCell& cell) const {
    std::vector<const Side*> out;
    for (std::size_t at = 0; at < cell.globs.size();) {
      const auto [of_policy, index] = owner_[cell.globs[at]];
      const Side& side = (of_policy ? policy_side_ : layer_side_)[index];
      bool hit = false, taken = false;
      for (; at < cell.globs.size() && cell.globs[at] < side.end; ++at)
        (cell.globs[at] < side.excepts ? hit : taken) = true;
      if (of_policy == policy && hit && !taken) out.push_back(&sides[index]);
    }
    return out;
  }

  static Decision decide(const std::vector<const Side*>& rules, Day day) {
    for (const Effect effect : {Effect::Deny, Effect::Ask, Effect::Allow}) {
      Decision out;
      std::optional<model::Risk> risk;
      for (const Side* rule : rules) {
        if (rule->effect != effect || (rule->until && *rule->until < day)) continue;
        out.rules.push_back(rule->index);
        if (rule->risk && (!risk || *risk < *rule->risk)) risk = rule->risk;
      }
      if (out.rules.empty()) continue;
      out.answer = effect == Effect::Deny ? Denied : effect == Effect::Allow ? Allowed : asked(risk);
      return out;
    }
    return {};
  }

  void compare(const model::GlobCell& cell) {
    const auto mine = matching(policy_side_, true, cell), theirs = matching(layer_side_, false, cell);
    std::set<Day> days{today_};
    for (const auto* rules : {&mine, &theirs})
      for (const Side* rule : *rules)
        if (rule->until && *rule->until >= today_) days.insert(*rule->until + 1);
    for (const Day day : days) {
      const Decision policy = decide(mine, day), layer = decide(theirs, day);
      if (policy.answer == layer.answer) continue;
      auto& slot = layer.answer > policy.answer ? excess_ : loss_;
      if (!slot) slot = witness(cell.witness, day, policy, layer);
    }
  }

  Witness witness(const std::string& name, Day day, const Decision& policy, const Decision& layer) const {
    Witness w;
    w.action = model::to_string(model::Action{model::ToolAction{name}});
    if (day != today_) w.action += " on " + model::day_text(day);
    w.decision = policy.answer == Allowed  ? model::Decision::Allow
                 : policy.answer == Denied ? model::Decision::Deny
                                           : model::Decision::Ask;
    w.rules = policy.rules;
    w.observed = words(layer.answer);
    w.place = layer.rules.empty() ? "no rule" : layer_.rules[layer.rules.front()].place;
    return w;
  }

  Obligation obligation(Direction direction, const std::optional<Witness>& refuted, bool decided,
                        std::string statement) const {
    const auto verdict = [&]() -> Verdict {
      if (refuted) return solver::Refuted<Witness>{*refuted};
      if (!decided) return solver::Unknown{"the patterns of tools have more cells than the limit"};
      return solver::Proved{"cells of names"};
    };
    return {layer_.artifact, "approvals", "", direction, std::move(statement), verdict(), "tool call"};
  }

  const model::Policy& policy_;
  const model::ToolLayer& layer_;
  const Day today_;
  std::vector<model::Glob> globs_;
  std::vector<std::pair<bool, std::size_t>> owner_;  ///< of each glob: is it the policy's, and of which rule
  std::vector<Side> policy_side_, layer_side_;
  std::optional<Witness> excess_, loss_;
};

}  // namespace

std::vector<Obligation> verify_tools(const model::Policy& policy, const model::ToolLayer& layer, Day today) {
  return ToolCheck(policy, layer, today).run();
}

}  // namespace agp::verify
