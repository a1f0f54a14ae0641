// Conflicts within a policy. In: its rules, cut into cells. For each cell: does some rule deny, ask, allow it? For each
// unit (a pattern as written): in how many of its cells does it decide anything? Every finding is a sentence about
// these counts; the rules it names are a smallest set that covers the cells concerned (cover.hpp). What is of no use
// for one reason in several places is one finding with all of them.
#include "compiler/analysis/conflicts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
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
  std::uint32_t matched = 0;  ///< cells that the unit lies over and no exception of its rule takes away
  std::uint32_t denied = 0;   ///< of the matched, those that some rule denies
  std::uint32_t live = 0;     ///< of the matched, those that some rule allows or asks for
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

/// Which units match where, exceptions taken away: for each cell those of each effect, ascending. The scans ask for one
/// effect, and whether a given unit is among many: so no question costs more than what it is about.
class Matching {
 public:
  Matching(const Space& space, const Units& units) {
    begin_.reserve(space.size() + 1);
    std::array<std::vector<std::uint32_t>, 3> here;
    for (std::size_t c = 0; c < space.size(); ++c) {
      gather(space, units, c, here);
      begin_.push_back({units_.size(), static_cast<std::uint32_t>(here[0].size()),
                        static_cast<std::uint32_t>(here[0].size() + here[1].size())});
      for (auto& list : here) {
        units_.insert(units_.end(), list.begin(), list.end());
        list.clear();
      }
    }
    begin_.push_back({units_.size(), 0, 0});
  }

  std::span<const std::uint32_t> of(std::size_t cell, Effect effect) const {
    const Bounds& b = begin_[cell];
    const std::uint32_t* const at = units_.data() + b.begin;
    switch (effect) {
      case Effect::Allow:
        return {at, at + b.asks};
      case Effect::Ask:
        return {at + b.asks, at + b.denies};
      default:
        return {at + b.denies, units_.data() + begin_[cell + 1].begin};
    }
  }
  bool has(std::size_t cell, Effect effect, std::uint32_t unit) const {
    const auto list = of(cell, effect);
    return std::binary_search(list.begin(), list.end(), unit);
  }

 private:
  struct Bounds {
    std::size_t begin;
    std::uint32_t asks, denies;  ///< behind `begin`
  };

  static void gather(const Space& space, const Units& units, std::size_t cell,
                     std::array<std::vector<std::uint32_t>, 3>& here) {
    const auto list = space.over(cell);
    for (std::size_t i = 0; i < list.size();) {
      const std::size_t begin = i;
      const std::uint32_t r = space.patterns()[list[i]].rule;
      for (; i < list.size() && space.patterns()[list[i]].rule == r; ++i) {
      }
      if (space.patterns()[list[i - 1]].except) continue;  // exceptions stand behind the rule's own patterns
      const Effect effect = space.rule(r).effect;
      auto& out = here[effect == Effect::Allow ? 0 : effect == Effect::Ask ? 1 : 2];
      for (std::size_t k = begin; k < i; ++k) {
        const std::uint32_t u = units.of_pattern(list[k]);
        if (k == begin || out.back() != u) out.push_back(u);
      }
    }
  }

  std::vector<Bounds> begin_;
  std::vector<std::uint32_t> units_;
};

class Conflicts {
 public:
  Conflicts(const Policy& policy, const Space& space, const Units& units, diagnostics::Sink& sink)
      : policy_(policy),
        space_(space),
        units_(units),
        sink_(sink),
        matching_(space, units),
        stats_(units.size()),
        removed_(units.size()) {}

  void run() {
    count();
    for (std::uint32_t u = 0; u < units_.size(); ++u)
      if (subject(u)) judge(u);
    for (auto& [where, units] : idle_denies_) idle_denies(std::move(units));
    for (auto& [rule, units] : idle_excepts_) idle_excepts(std::move(units));
    for (auto& [why, units] : empty_) empty(why.second, std::move(units));
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

  static constexpr Effect effects[] = {Effect::Allow, Effect::Ask, Effect::Deny};

  void count() {
    flags_.resize(space_.size());
    for (std::size_t c = 0; c < space_.size(); ++c) {
      for (const Effect e : effects)
        if (!matching_.of(c, e).empty()) flags_[c] |= e == Effect::Deny ? Denied : e == Effect::Ask ? Asked : Allowed;
      for (const Effect e : effects)
        for (const std::uint32_t u : matching_.of(c, e)) {
          ++stats_[u].matched;
          if ((flags_[c] & Denied) != 0) ++stats_[u].denied;
          if ((flags_[c] & (Allowed | Asked)) != 0) ++stats_[u].live;
        }
    }
  }

  bool matched_in(std::size_t cell, std::uint32_t unit) const {
    return stats_[unit].matched == units_.cells(unit).size() || matching_.has(cell, rule(unit).effect, unit);
  }
  /// The cells where the unit matches, ascending.
  std::vector<std::uint32_t> cells(std::uint32_t unit) const {
    std::vector<std::uint32_t> out;
    for (const std::uint32_t c : units_.cells(unit))
      if (matched_in(c, unit)) out.push_back(c);
    return out;
  }

  /// Some pattern before the exception has a part of it too.
  bool useful(std::uint32_t except) const {
    const std::uint32_t first = space_.first_pattern(units_[except].rule);
    return std::any_of(units_.cells(except).begin(), units_.cells(except).end(), [&](std::uint32_t c) {
      const auto list = space_.over(c);
      return !space_.patterns()[*std::lower_bound(list.begin(), list.end(), first)].except;
    });
  }

  void judge(std::uint32_t u) {
    const Stat& s = stats_[u];
    const Rule& r = rule(u);
    if (units_[u].except) {
      if (!useful(u)) idle_excepts_[units_[u].rule].push_back(u);
      return;
    }
    if (s.matched == 0) return empty_[{units_[u].rule, exceptions_over(u)}].push_back(u);
    if (r.effect != Effect::Deny) {
      if (s.denied == s.matched) wholly_denied(u);
      return;
    }
    if (s.live == 0) {
      if (r.included_by.empty() && !strict(r))
        idle_denies_[{units_[u].span.file, model::fact_block(r.body)}].push_back(u);
      return;
    }
    if (r.because.empty() && r.included_by.empty()) partly(u);
  }

  /// One finding for all of the units: at the first, with the others as `elsewhere`. `one` is what is said of a single
  /// one, `several` of more: "refuses nothing", "refuse nothing". The list is sorted by place.
  diagnostics::Diagnostic& together(const diagnostics::Kind& kind, std::vector<std::uint32_t>& list,
                                    const std::string& before, std::string_view one, std::string_view several) {
    std::sort(list.begin(), list.end(), [&](std::uint32_t a, std::uint32_t b) {
      return std::pair(units_[a].span.begin, a) < std::pair(units_[b].span.begin, b);
    });
    const auto name = [&](std::uint32_t u) { return fmt::format("`{}{}`", before, units_[u].text); };
    std::string message = name(list[0]);
    if (list.size() == 2) message += " and " + name(list[1]);
    if (list.size() > 2) message += fmt::format(" and {} more", list.size() - 1);
    auto& d = sink_.emit(kind, units_[list[0]].span, fmt::format("{} {}", message, list.size() == 1 ? one : several));
    for (std::size_t i = 1; i < list.size(); ++i)
      d.elsewhere.push_back({units_[list[i]].span, before + units_[list[i]].text});
    return d.about(policy_.name);
  }
  static void relate_others(diagnostics::Diagnostic& d) {
    for (const diagnostics::Label& place : d.elsewhere) d.relate(place.span, "nor does this one");
  }

  void idle_excepts(std::vector<std::uint32_t> list) {
    auto& d = together(kind::idle_except, list, "except ", "takes nothing away: no pattern before it has it",
                       "take nothing away: no pattern before them has any of it");
    d.relate(rule(list[0]).span, "the rule");
    relate_others(d);
    d.helped(list.size() == 1 ? "delete it, or name a part of what the rule matches"
                              : "delete them, or name parts of what the rule matches");
  }

  /// The exceptions of the unit's rule that lie over it, where nothing is left of it.
  std::vector<std::uint32_t> exceptions_over(std::uint32_t u) const {
    std::set<std::uint32_t> out;
    for (const std::uint32_t c : units_.cells(u)) {
      // a rule's patterns are neighbours, its exceptions the last of them
      const auto list = space_.over(c);
      auto p = std::lower_bound(list.begin(), list.end(), space_.first_pattern(units_[u].rule + 1));
      for (; p != list.begin() && space_.patterns()[p[-1]].rule == units_[u].rule && space_.patterns()[p[-1]].except;
           --p)
        out.insert(units_.of_pattern(p[-1]));
    }
    return {out.begin(), out.end()};
  }

  void empty(const std::vector<std::uint32_t>& excepts, std::vector<std::uint32_t> list) {
    auto& d = together(kind::empty_rule, list, fmt::format("{} ", to_string(rule(list[0]).effect)), "matches nothing",
                       "match nothing");
    for (const std::uint32_t e : excepts)
      d.relate(units_[e].span, list.size() == 1 ? "this exception takes it away" : "this exception takes them away");
    relate_others(d);
    if (excepts.empty())
      d.note(list.size() == 1 ? "its conditions can't all be true of one action"
                              : "the conditions of each can't all be true of one action")
          .helped("correct a condition, or delete the rule");
    else
      d.helped("delete the rule, or narrow its `except`");
  }

  /// The fewest units such that one of them stands for each of the cells. `each(cell, visit)` calls `visit(unit)` for
  /// those that may, until it returns true; `in(cell, unit)` says whether one may. The fewest are exact while little is
  /// at hand; where very many rules lie over each other it is a set that does.
  template <class Each, class In>
  std::vector<std::uint32_t> cover(const std::vector<std::uint32_t>& cells, const Each& each, const In& in) {
    std::vector<std::uint32_t> first;
    each(cells.front(), [&](std::uint32_t o) {
      first.push_back(o);
      return false;
    });
    std::sort(first.begin(), first.end());
    for (const std::uint32_t o : first) {
      auto c = cells.rbegin();  // the ends of a range are the likeliest to stick out
      for (; c != cells.rend() && in(*c, o); ++c) spend(1);
      if (c == cells.rend()) return {o};
      if (effort_ == 0) break;
    }
    std::set<std::vector<std::uint32_t>> lists;
    std::vector<std::uint32_t> list;
    std::size_t entries = 0;
    for (auto c = cells.begin(); c != cells.end() && entries <= exact_entries && spend(1); ++c) {
      list.clear();
      each(*c, [&](std::uint32_t o) {
        list.push_back(o);
        return !spend(1);
      });
      std::sort(list.begin(), list.end());
      if (lists.insert(list).second) entries += list.size();
    }
    if (effort_ == 0 || entries > exact_entries) return some_cover(cells, each, in);
    spend(entries * 20);
    return smallest_cover({lists.begin(), lists.end()});
  }

  /// From the first cell on, what covers most of those that may: linear in the cells while few are taken.
  template <class Each, class In>
  std::vector<std::uint32_t> some_cover(const std::vector<std::uint32_t>& cells, const Each& each, const In& in) const {
    std::vector<std::uint32_t> taken;
    for (const std::uint32_t c : cells) {
      if (std::any_of(taken.rbegin(), taken.rend(), [&](std::uint32_t o) { return in(c, o); })) continue;
      std::optional<std::uint32_t> best;
      std::size_t looked = 0;
      each(c, [&](std::uint32_t o) {
        if (!best || stats_[o].matched > stats_[*best].matched) best = o;
        return ++looked == 100;
      });
      taken.push_back(*best);
    }
    std::sort(taken.begin(), taken.end());
    return taken;
  }

  /// False when the effort that explanations may take is used up.
  bool spend(std::size_t steps) {
    effort_ -= std::min(effort_, steps);
    return effort_ > 0;
  }

  void wholly_denied(std::uint32_t u) {
    const auto own = cells(u);
    const auto denies = cover(
        own,
        [&](std::uint32_t c, const auto& visit) {
          const auto list = matching_.of(c, Effect::Deny);
          std::any_of(list.begin(), list.end(), visit);
        },
        [&](std::uint32_t c, std::uint32_t o) { return matching_.has(c, Effect::Deny, o); });
    const bool ask = rule(u).effect == Effect::Ask;
    auto& d =
        sink_.emit(ask ? kind::hidden_ask : kind::denied_grant, units_[u].span,
                   fmt::format("`{}` never takes effect: {} deny all of it", text(u),
                               denies.size() == 1 ? "one rule" : fmt::format("{} rules together", denies.size())));
    if (denies.size() == 1)
      d.message = fmt::format("`{}` never takes effect: `{}` covers all of it", text(u), text(denies[0]));
    d.about(policy_.name).witnessed(space_.witness_text(own.front()));
    for (const std::uint32_t deny : denies) d.relate(units_[deny].span, "denied here");
    d.helped(ask ? "delete the `ask`, or narrow the deny with `except`"
                 : "delete the rule, or narrow the deny with `except`");
    // a fragment that grants more than this policy wants is the fragment's right
    if (!rule(u).included_by.empty()) d.severity = diagnostics::Severity::Note;
  }

  void idle_denies(std::vector<std::uint32_t> list) {
    auto& d = together(kind::idle_deny, list, "deny ", "refuses nothing: no rule permits any of it",
                       "refuse nothing: no rule permits any of what they deny");
    relate_others(d);
    d.note("what no rule permits is denied anyway")
        .helped(list.size() == 1
                    ? "delete it, or correct its pattern if it was meant to take away from another rule"
                    : "delete them, or correct the pattern of one that was meant to take away from another rule");
  }

  /// A deny that cuts into a grant and reaches beyond what is granted in the same plane: meant, or a slip?
  void partly(std::uint32_t u) {
    std::set<std::uint32_t> bites, beyond;
    for (const std::uint32_t c : units_.cells(u))
      if (matched_in(c, u))
        ((flags_[c] & (Allowed | Asked)) != 0 ? bites : beyond)
            .insert(static_cast<std::uint32_t>(space_.sort(c)) << 16 | space_.plane(c));
    if (std::none_of(bites.begin(), bites.end(), [&](std::uint32_t plane) { return beyond.contains(plane); })) return;
    constexpr std::size_t most = 99;  // beyond that nobody counts
    std::set<std::uint32_t> grants;
    std::uint32_t witness = ~0u;
    bool whole = true;
    for (const std::uint32_t c : units_.cells(u)) {
      whole = whole && space_.whole(c);
      if (grants.size() > most || !matched_in(c, u)) continue;
      for (const Effect e : {Effect::Allow, Effect::Ask})
        for (const std::uint32_t g : matching_.of(c, e)) {
          if (!rule(g).module.empty() || stats_[g].denied == stats_[g].matched || grants.size() > most) continue;
          grants.insert(g);
          if (witness == ~0u) witness = c;
        }
    }
    // a condition on a call of a group is what groups are for
    if (std::all_of(grants.begin(), grants.end(), [&](std::uint32_t g) { return units_[g].text.starts_with('@'); }))
      return;
    auto& d = sink_.emit(kind::partly_denied, units_[u].span,
                         fmt::format("`{}` takes a part of {}, and reaches beyond it", text(u),
                                     grants.size() == 1     ? fmt::format("`{}`", text(*grants.begin()))
                                     : grants.size() > most ? fmt::format("more than {} grants", most)
                                     : whole                ? fmt::format("{} grants", grants.size())
                                                            : fmt::format("at least {} grants", grants.size())));
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
      const auto kept = covered(u);
      if (kept.empty()) continue;
      removed_[u] = true;
      report(u,
             cover(
                 kept, [&](std::uint32_t c, const auto& visit) { others(u, c, visit); },
                 [&](std::uint32_t c, std::uint32_t o) {
                   return stands_for(o, u) && says_enough(o, u, c) && matching_.has(c, rule(o).effect, o);
                 }),
             kept.front());
    }
  }

  /// The cells of `u` that it decides about, where each keeps its decision without `u`; else none.
  std::vector<std::uint32_t> covered(std::uint32_t u) const {
    std::vector<std::uint32_t> out;
    for (const std::uint32_t c : units_.cells(u)) {
      if (!matched_in(c, u)) continue;
      if (rule(u).effect == Effect::Deny && (flags_[c] & (Allowed | Asked)) == 0 && !strict(rule(u))) continue;
      if (!others(u, c, [](std::uint32_t) { return true; })) return {};
      out.push_back(c);
    }
    return out;
  }

  /// What decides on the cell without `u`: the strictest of the others that are at least as strict. A cell that
  /// something stricter decides is covered as well by what says the same as `u`, and that explains more.
  Effect decides(std::uint32_t u, std::uint32_t c) const {
    const Effect effect = rule(u).effect;
    return effect != Effect::Deny && (flags_[c] & Denied) != 0   ? Effect::Deny
           : effect == Effect::Allow && (flags_[c] & Asked) != 0 ? Effect::Ask
                                                                 : effect;
  }
  bool says_enough(std::uint32_t o, std::uint32_t u, std::uint32_t c) const {
    return rule(o).effect == decides(u, c) || rule(o).effect == rule(u).effect;
  }

  /// `o` keeps what `u` says, where both match and it says enough.
  bool stands_for(std::uint32_t o, std::uint32_t u) const {
    if (o == u || removed_[o] || !rule(o).module.empty() || rule(o).implied) return false;
    if (!rule(u).included_by.empty() && rule(o).included_by != rule(u).included_by) return false;
    if (rule(u).effect == Effect::Deny && !answers_for(rule(o), rule(u))) return false;
    // a rule on a name also lets the name resolve: no rule on addresses stands for that, an `ask` neither
    if (rule(o).effect != Effect::Deny && rule(u).effect != Effect::Deny && units_[u].named && !units_[o].named)
      return false;
    return lasts(rule(o), rule(u));
  }

  /// Calls `visit(unit)` for those that keep the cell's decision without `u`, until it returns true; says whether it
  /// did.
  template <class Visit>
  bool others(std::uint32_t u, std::uint32_t c, const Visit& visit) const {
    const Effect by = decides(u, c);
    for (const Effect e : effects) {
      if (e != by && e != rule(u).effect) continue;
      for (const std::uint32_t o : matching_.of(c, e))
        if (stands_for(o, u) && visit(o)) return true;
    }
    return false;
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
  static constexpr std::size_t exact_entries = 4000;
  std::size_t effort_ = 20'000'000;  ///< steps that explanations may take; the findings themselves take what they need
  Matching matching_;
  std::vector<std::uint8_t> flags_;
  std::vector<Stat> stats_;
  std::vector<bool> removed_;
  using List = std::vector<std::uint32_t>;
  std::map<std::pair<source::FileId, std::string>, List> idle_denies_;  ///< by file and block
  std::map<std::uint32_t, List> idle_excepts_;                          ///< by rule
  std::map<std::pair<std::uint32_t, List>, List> empty_;                ///< by rule and what takes it away
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
