// Renames of directories ask about every path that could be beneath. In: the rules, and two places. A rule's patterns
// are cut at a place: what is left of a pattern behind the place's components is a pattern over the paths beneath it.
// Two places are then compared on the same remaining path, in one product automaton.
#include "compiler/model/move.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <set>

#include "compiler/model/path_search.hpp"

namespace agp::model {
namespace {

constexpr std::array all_verbs = {Verb::Read, Verb::List, Verb::Exec, Verb::Modify, Verb::Create, Verb::Delete};

std::vector<std::string> names_of(std::string_view path) {
  std::vector<std::string> out;
  while (path.size() > 1) {
    path.remove_prefix(1);
    out.emplace_back(path.substr(0, path.find('/')));
    path.remove_prefix(out.back().size());
  }
  return out;
}

/// What is left of the pattern for the paths at (`/`) and beneath the place.
std::vector<PathPattern> left_behind(const PathPattern& pattern, const std::vector<std::string>& place) {
  const auto& c = pattern.components;
  // A `**` that is not the last component may stand for nothing.
  const auto close = [&](std::set<std::size_t>& at) {
    for (const std::size_t i : std::set(at))
      for (std::size_t k = i; k + 1 < c.size() && c[k].any_depth; ++k) at.insert(k + 1);
  };
  std::set<std::size_t> at = {0};
  for (const std::string& name : place) {
    close(at);
    std::set<std::size_t> next;
    for (const std::size_t i : at) {
      if (i == c.size()) continue;
      if (c[i].any_depth) next.insert(i);
      if (c[i].any_depth || component_matches(c[i], name)) next.insert(i + 1);
    }
    at = std::move(next);
  }
  std::vector<PathPattern> out;
  for (const std::size_t i : at) {
    PathPattern rest;
    rest.components.assign(c.begin() + static_cast<std::ptrdiff_t>(i), c.end());
    out.push_back(std::move(rest));
  }
  return out;
}

/// The rules of a policy on one verb as a condition over which of `patterns` match.
class Beneath {
 public:
  Beneath(const Policy& policy, Verb verb, const std::string& place, std::deque<PathPattern>& patterns) {
    const auto names = names_of(place);
    const auto cut = [&](const std::vector<Placed<PathPattern>>& list) {
      std::vector<std::size_t> out;
      for (const auto& p : list)
        for (auto& rest : left_behind(p.pattern, names)) {
          out.push_back(patterns.size());
          patterns.push_back(std::move(rest));
        }
      return out;
    };
    for (const Rule& rule : policy.rules) {
      const auto* body = std::get_if<FileBody>(&rule.body);
      if (!body || rule.expired || !has(body->verbs, verb)) continue;
      rules_.push_back({rule.effect, cut(body->patterns), cut(body->except)});
    }
  }

  Decision decide(const std::vector<bool>& hits) const {
    const auto any = [&](const std::vector<std::size_t>& list) {
      return std::any_of(list.begin(), list.end(), [&](std::size_t i) { return hits[i]; });
    };
    for (const Effect effect : {Effect::Deny, Effect::Ask, Effect::Allow})
      for (const Cut& rule : rules_)
        if (rule.effect == effect && any(rule.patterns) && !any(rule.except))
          return effect == Effect::Deny ? Decision::Deny : effect == Effect::Ask ? Decision::Ask : Decision::Allow;
    return Decision::Deny;
  }

 private:
  struct Cut {
    Effect effect;
    std::vector<std::size_t> patterns, except;
  };
  std::vector<Cut> rules_;
};

class Mover {
 public:
  Mover(const Policy& policy, bool beneath) : policy_(policy), beneath_(beneath) {}

  /// The verb at the place, and beneath it where that moves too, must be permitted.
  void needs(Verb verb, const std::string& place) {
    if (!beneath_) {
      const FileAction action{verb, place};
      return take(model::decide(policy_, action).decision, to_string(Action(action)));
    }
    std::deque<PathPattern> patterns;
    const Beneath here(policy_, verb, place, patterns);
    // The strictest decision of any path counts.
    for (const Decision d : {Decision::Deny, Decision::Ask})
      if (const auto path = find(verb, patterns, [&](const auto& hits) { return here.decide(hits) == d; }))
        return take(d, to_string(Action(FileAction{verb, at(place, *path)})));
  }

  /// Nothing that moves from `from` to `to` may gain a verb.
  void gains_nothing(const std::string& from, const std::string& to) {
    for (const Verb verb : all_verbs) {
      std::optional<std::string> path;
      if (!beneath_) {
        const bool before = permitted(model::decide(policy_, FileAction{verb, from}).decision);
        if (!before && permitted(model::decide(policy_, FileAction{verb, to}).decision)) path = "/";
      } else {
        std::deque<PathPattern> patterns;
        const Beneath old(policy_, verb, from, patterns), made(policy_, verb, to, patterns);
        path = find(verb, patterns,
                    [&](const auto& hits) { return permitted(made.decide(hits)) && !permitted(old.decide(hits)); });
      }
      if (path)
        take(Decision::Deny, fmt::format("{} would be permitted, and was not at {}",
                                         to_string(Action(FileAction{verb, at(to, *path)})), at(from, *path)));
    }
  }

  MoveVerdict verdict() const { return verdict_; }

 private:
  static bool permitted(Decision d) { return d != Decision::Deny; }
  static std::string at(const std::string& place, const std::string& rest) {
    return rest == "/" ? place : place == "/" ? rest : place + rest;
  }

  void take(Decision d, std::string why) {
    if (d < verdict_.decision) {
      verdict_.decision = d;
      verdict_.why = std::move(why);
    }
  }

  template <class Accept>
  std::optional<std::string> find(Verb verb, const std::deque<PathPattern>& patterns, const Accept& accept) {
    std::vector<const PathPattern*> list;
    for (const auto& p : patterns) list.push_back(&p);
    const auto lists = std::make_unique<bool[]>(list.size());
    std::fill_n(lists.get(), list.size(), verb == Verb::List);
    const PathSearch search = find_path(list, accept, 200000, {lists.get(), list.size()});
    if (search.exhausted) {
      verdict_ = {Decision::Deny, "too many patterns to be decided", true};
      return std::nullopt;
    }
    return search.witness;
  }

  const Policy& policy_;
  bool beneath_;
  MoveVerdict verdict_{Decision::Allow, "", false};
};

}  // namespace

MoveVerdict decide(const Policy& policy, const Rename& rename) {
  Mover mover(policy, rename.directory);
  mover.needs(Verb::Delete, rename.from);
  mover.needs(Verb::Create, rename.to);
  mover.gains_nothing(rename.from, rename.to);
  if (!rename.replaces || mover.verdict().decision == Decision::Deny) return mover.verdict();
  Mover replaced(policy, false);
  replaced.needs(Verb::Delete, rename.to);
  return std::min(mover.verdict(), replaced.verdict(),
                  [](const MoveVerdict& a, const MoveVerdict& b) { return a.decision < b.decision; });
}

MoveVerdict decide(const Policy& policy, const Link& link) {
  Mover mover(policy, false);
  mover.needs(Verb::Create, link.to);
  mover.gains_nothing(link.from, link.to);
  return mover.verdict();
}

}  // namespace agp::model
