// Conflicts within a policy. In: its rules, cut into cells. For each cell: does some rule deny, ask, allow it? For each
// unit (a pattern as written): in how many of its cells does it decide anything? Every finding is a sentence about
// these counts; the rules it names are a smallest set that covers the cells concerned (cover.hpp).
#include "compiler/analysis/conflicts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/analysis/cover.hpp"
#include "compiler/analysis/units.hpp"
#include "compiler/diagnostics/kinds.hpp"

namespace agp::analysis {

using namespace model;
namespace kind = diagnostics::kind;

namespace {

enum Flag : std::uint8_t { Allowed = 1, Asked = 2, Denied = 4 };

struct Stat {
  std::uint32_t over = 0;     ///< cells that the unit lies over
  std::uint32_t matched = 0;  ///< of them, those where no exception of its rule takes it away
  std::uint32_t denied = 0;   ///< of the matched, those that some rule denies
  std::uint32_t live = 0;     ///< of the matched, those that some rule allows or asks for
  std::uint32_t useful = 0;   ///< an exception: cells that a pattern of its rule has too
};

bool strict(const Rule& rule) {
  const auto* body = std::get_if<SyscallBody>(&rule.body);
  return body && (body->denial.kind != Denial::Kind::Errno || body->denial.errno_value != 0);
}

/// `other` gives a denied call what `rule` gives it, or something stricter that wins anyway.
bool answers_for(const Rule& other, const Rule& rule) {
  const auto* a = std::get_if<SyscallBody>(&other.body);
  const auto* b = std::get_if<SyscallBody>(&rule.body);
  if (!a || !b) return true;
  return a->denial.kind > b->denial.kind || a->denial == b->denial;
}

class Conflicts {
 public:
  Conflicts(const Policy& policy, const Space& space, const Units& units, diagnostics::Sink& sink)
      : policy_(policy), space_(space), units_(units), sink_(sink), stats_(units.size()), removed_(units.size()) {}

  void run() {
    count();
    for (std::uint32_t u = 0; u < units_.size(); ++u)
      if (subject(u)) judge(u);
    redundant();
  }

 private:
  const Rule& rule(std::uint32_t unit) const { return space_.rule(units_[unit].rule); }
  std::string text(std::uint32_t u) const { return fmt::format("{} {}", to_string(rule(u).effect), units_[u].text); }

  /// Findings are about what the project's own people wrote, and can change.
  bool subject(std::uint32_t u) const {
    const Rule& r = rule(u);
    return r.module.empty() && !r.implied && !r.expired && sort_decided(r);
  }
  bool sort_decided(const Rule& r) const {
    if (std::holds_alternative<FileBody>(r.body)) return space_.decided(Sort::File);
    if (std::holds_alternative<NetBody>(r.body)) return space_.decided(Sort::Net) && space_.decided(Sort::Name);
    if (std::holds_alternative<UnixBody>(r.body)) return space_.decided(Sort::Unix);
    if (std::holds_alternative<SyscallBody>(r.body)) return space_.decided(Sort::Syscall);
    if (const auto* t = std::get_if<TextBody>(&r.body))
      return space_.decided(t->sort == TextBody::Sort::Env ? Sort::Env : Sort::Tool);
    return true;
  }

  /// Calls `visit(unit)` for the units of the rules that match in the cell.
  template <class Visit>
  void matching(std::size_t cell, const Visit& visit) const {
    const auto list = space_.over(cell);
    for (std::size_t i = 0; i < list.size();) {
      const std::size_t begin = i;
      const std::uint32_t r = space_.patterns()[list[i]].rule;
      bool out = false;
      for (; i < list.size() && space_.patterns()[list[i]].rule == r; ++i)
        out = out || space_.patterns()[list[i]].except;
      if (out) continue;
      std::uint32_t last = ~0u;
      for (std::size_t k = begin; k < i; ++k) {
        const std::uint32_t u = units_.of_pattern(list[k]);
        if (u != last) visit(u);
        last = u;
      }
    }
  }

  void count() {
    flags_.resize(space_.size());
    for (std::size_t c = 0; c < space_.size(); ++c) {
      matching(c, [&](std::uint32_t u) {
        const Effect e = rule(u).effect;
        flags_[c] |= e == Effect::Deny ? Denied : e == Effect::Ask ? Asked : Allowed;
      });
      units_.each(c, [&](std::uint32_t u) {
        ++stats_[u].over;
        if (units_[u].except && own_pattern(c, units_[u].rule)) ++stats_[u].useful;
      });
      matching(c, [&](std::uint32_t u) {
        ++stats_[u].matched;
        if ((flags_[c] & Denied) != 0) ++stats_[u].denied;
        if ((flags_[c] & (Allowed | Asked)) != 0) ++stats_[u].live;
      });
    }
  }

  bool own_pattern(std::size_t cell, std::uint32_t r) const {
    const auto list = space_.over(cell);
    return std::any_of(list.begin(), list.end(),
                       [&](std::uint32_t p) { return space_.patterns()[p].rule == r && !space_.patterns()[p].except; });
  }

  bool matched_in(std::size_t cell, std::uint32_t unit) const {
    bool found = false;
    matching(cell, [&](std::uint32_t u) { found = found || u == unit; });
    return found;
  }

  void judge(std::uint32_t u) {
    const Stat& s = stats_[u];
    const Rule& r = rule(u);
    if (units_[u].except) {
      if (s.useful == 0) idle_except(u);
      return;
    }
    if (s.matched == 0) return empty(u);
    if (r.effect != Effect::Deny) {
      if (s.denied == s.matched) wholly_denied(u);
      return;
    }
    if (s.live == 0) {
      if (r.included_by.empty() && !strict(r)) idle_deny(u);
      return;
    }
    if (r.because.empty() && r.included_by.empty()) partly(u);
  }

  void idle_except(std::uint32_t u) {
    sink_
        .emit(kind::idle_except, units_[u].span,
              fmt::format("`except {}` takes nothing away: no pattern before it has it", units_[u].text))
        .about(policy_.name)
        .relate(rule(u).span, "the rule")
        .helped("delete it, or name a part of what the rule matches");
  }

  void empty(std::uint32_t u) {
    auto& d = sink_.emit(kind::empty_rule, units_[u].span, fmt::format("`{}` matches nothing", text(u)));
    d.about(policy_.name);
    if (stats_[u].over == 0) {
      d.note("its conditions can't all be true of one action").helped("correct a condition, or delete the rule");
      return;
    }
    std::set<std::uint32_t> excepts;
    for (const std::uint32_t c : units_.cells(u))
      units_.each(c, [&](std::uint32_t e) {
        if (units_[e].except && units_[e].rule == units_[u].rule) excepts.insert(e);
      });
    for (const std::uint32_t e : excepts) d.relate(units_[e].span, "this exception takes it away");
    d.helped("delete the rule, or narrow its `except`");
  }

  /// The cells of `u` where its rule matches, each with the units of `effect` that match there.
  std::vector<std::vector<std::uint32_t>> against(std::uint32_t u, Effect effect, std::uint32_t& first) const {
    std::vector<std::vector<std::uint32_t>> out;
    for (const std::uint32_t c : units_.cells(u)) {
      if (!matched_in(c, u)) continue;
      if (out.empty()) first = c;
      out.emplace_back();
      matching(c, [&](std::uint32_t other) {
        if (rule(other).effect == effect) out.back().push_back(other);
      });
    }
    return out;
  }

  void wholly_denied(std::uint32_t u) {
    std::uint32_t first = 0;
    const auto denies = smallest_cover(against(u, Effect::Deny, first));
    const bool ask = rule(u).effect == Effect::Ask;
    auto& d =
        sink_.emit(ask ? kind::hidden_ask : kind::denied_grant, units_[u].span,
                   fmt::format("`{}` never takes effect: {} deny all of it", text(u),
                               denies.size() == 1 ? "one rule" : fmt::format("{} rules together", denies.size())));
    if (denies.size() == 1)
      d.message = fmt::format("`{}` never takes effect: `{}` covers all of it", text(u), text(denies[0]));
    d.about(policy_.name).witnessed(space_.witness_text(first));
    for (const std::uint32_t deny : denies) d.relate(units_[deny].span, "denied here");
    d.helped(ask ? "delete the `ask`, or narrow the deny with `except`"
                 : "delete the rule, or narrow the deny with `except`");
    // a fragment that grants more than this policy wants is the fragment's right
    if (!rule(u).included_by.empty()) d.severity = diagnostics::Severity::Note;
  }

  void idle_deny(std::uint32_t u) {
    sink_.emit(kind::idle_deny, units_[u].span, fmt::format("`{}` refuses nothing: no rule permits any of it", text(u)))
        .about(policy_.name)
        .note("what no rule permits is denied anyway")
        .helped("delete it, or correct its pattern if it was meant to take away from another rule");
  }

  /// A deny that cuts into a grant and reaches beyond what is granted in the same plane: meant, or a slip?
  void partly(std::uint32_t u) {
    std::set<std::uint32_t> bites, beyond;
    for (const std::uint32_t c : units_.cells(u))
      if (matched_in(c, u))
        ((flags_[c] & (Allowed | Asked)) != 0 ? bites : beyond)
            .insert(static_cast<std::uint32_t>(space_.sort(c)) << 16 | space_.plane(c));
    if (std::none_of(bites.begin(), bites.end(), [&](std::uint32_t plane) { return beyond.contains(plane); })) return;
    std::set<std::uint32_t> grants;
    std::uint32_t witness = ~0u;
    for (const std::uint32_t c : units_.cells(u)) {
      if (!matched_in(c, u)) continue;
      matching(c, [&](std::uint32_t g) {
        if (rule(g).effect == Effect::Deny || !rule(g).module.empty() || stats_[g].denied == stats_[g].matched) return;
        grants.insert(g);
        if (witness == ~0u) witness = c;
      });
    }
    // a condition on a call of a group is what groups are for
    if (std::all_of(grants.begin(), grants.end(), [&](std::uint32_t g) { return units_[g].text.starts_with('@'); }))
      return;
    auto& d = sink_.emit(kind::partly_denied, units_[u].span,
                         fmt::format("`{}` takes a part of {}, and reaches beyond it", text(u),
                                     grants.size() == 1 ? fmt::format("`{}`", text(*grants.begin()))
                                                        : fmt::format("{} grants", grants.size())));
    d.about(policy_.name).witnessed(space_.witness_text(witness));
    std::size_t shown = 0;
    for (const std::uint32_t g : grants)
      if (shown++ < 3) d.relate(units_[g].span, "granted here");
    d.helped("say `because \"…\"` if that is meant");
  }

  /// Greedy, so that all that is reported can go at once: narrow units first, then later ones.
  void redundant() {
    std::vector<std::uint32_t> order;
    for (std::uint32_t u = 0; u < units_.size(); ++u) {
      const Stat& s = stats_[u];
      if (!subject(u) || units_[u].except || s.matched == 0) continue;
      if (rule(u).effect == Effect::Deny ? s.live == 0 : s.denied == s.matched) continue;
      order.push_back(u);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return stats_[a].matched != stats_[b].matched ? stats_[a].matched < stats_[b].matched : a > b;
    });
    for (const std::uint32_t u : order) {
      std::vector<std::vector<std::uint32_t>> lists;
      std::uint32_t first = 0;
      if (!covered(u, lists, first)) continue;
      removed_[u] = true;
      report(u, smallest_cover(std::move(lists)), first);
    }
  }

  /// Does every cell of `u` keep its decision without `u`? Then, for each, the units that see to that.
  bool covered(std::uint32_t u, std::vector<std::vector<std::uint32_t>>& lists, std::uint32_t& first) const {
    const Effect effect = rule(u).effect;
    first = ~0u;
    for (const std::uint32_t c : units_.cells(u)) {
      if (!matched_in(c, u)) continue;
      if (effect == Effect::Deny && (flags_[c] & (Allowed | Asked)) == 0 && !strict(rule(u))) continue;
      // What decides without it: the strictest of the others that are at least as strict. A cell that something
      // stricter decides is covered as well by what says the same as `u`, and that explains more.
      const Effect by = effect != Effect::Deny && (flags_[c] & Denied) != 0   ? Effect::Deny
                        : effect == Effect::Allow && (flags_[c] & Asked) != 0 ? Effect::Ask
                                                                              : effect;
      std::vector<std::uint32_t> others;
      matching(c, [&](std::uint32_t o) {
        if (o == u || removed_[o] || !rule(o).module.empty() || rule(o).implied) return;
        if (rule(o).effect != by && rule(o).effect != effect) return;
        if (!rule(u).included_by.empty() && rule(o).included_by != rule(u).included_by) return;
        if (effect == Effect::Deny && !answers_for(rule(o), rule(u))) return;
        // a rule on a name also lets the name resolve: no rule on addresses stands for that, an `ask` neither
        if (rule(o).effect != Effect::Deny && effect != Effect::Deny && units_[u].named && !units_[o].named) return;
        if (!lasts(rule(o), rule(u))) return;
        others.push_back(o);
      });
      if (others.empty()) return false;
      if (first == ~0u) first = c;
      lists.push_back(std::move(others));
    }
    return first != ~0u;
  }

  /// A rule that ends earlier can't stand for one that goes on.
  static bool lasts(const Rule& other, const Rule& rule) {
    return !other.until || (rule.until && *rule.until <= *other.until);
  }

  void report(std::uint32_t u, const std::vector<std::uint32_t>& by, std::uint32_t first) {
    const std::string others = by.size() == 1 ? fmt::format("`{}` covers", text(by[0]))
                                              : fmt::format("{} other patterns together cover", by.size());
    auto& d = sink_.emit(kind::redundant_rule, units_[u].span,
                         fmt::format("`{}` changes nothing: {} all of it", text(u), others));
    d.about(policy_.name).witnessed(space_.witness_text(first));
    for (const std::uint32_t o : by) d.relate(units_[o].span, "covered here");
    d.helped("delete it");
  }

  const Policy& policy_;
  const Space& space_;
  const Units& units_;
  diagnostics::Sink& sink_;
  std::vector<std::uint8_t> flags_;
  std::vector<Stat> stats_;
  std::vector<bool> removed_;
};

/// `until` counts through its day. The last thirty days are announced.
void dates(const Policy& policy, Day today, diagnostics::Sink& sink) {
  constexpr Day notice = 30;
  const auto look = [&](const std::optional<Day>& until, source::Span span, const std::string& what) {
    if (!until || *until >= today + notice) return;
    const Day left = *until - today;
    const bool past = left < 0;
    auto& d = sink.emit(kind::expired_rule, span,
                        past ? fmt::format("`{}` counts for nothing since {} day{}", what, -left, left == -1 ? "" : "s")
                        : left == 0 ? fmt::format("`{}` ends today", what)
                                    : fmt::format("`{}` ends in {} day{}", what, left, left == 1 ? "" : "s"));
    d.about(policy.name)
        .helped(past ? "delete it, or give it a later `until`" : "give it a later `until` if it must go on");
    if (!past) d.severity = diagnostics::Severity::Note;
  };
  for (const Rule& rule : policy.rules)
    if (rule.module.empty()) look(rule.until, rule.span, rule.text);
  for (const Accept& accept : policy.accepts) look(accept.until, accept.span, "accept " + accept.fact);
}

}  // namespace

bool find_conflicts(const Policy& policy, const Space& space, Day today, diagnostics::Sink& sink) {
  const Units units(space);
  Conflicts(policy, space, units, sink).run();
  dates(policy, today, sink);
  for (const auto& [sort, why] : space.undecided())
    sink.emit(
            kind::undecided_check, policy.name_span,
            fmt::format("whether the {} rules of `{}` conflict is not decided: {}", to_string(sort), policy.name, why))
        .about(policy.name);
  return space.undecided().empty();
}

}  // namespace agp::analysis
