#include "backends/containers/mounts/difference.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <set>
#include <unordered_set>

#include "backends/containers/mounts/shaped_rules.hpp"
#include "compiler/model/path_search.hpp"

namespace agp::backends::containers {
namespace {

using model::may_intersect;
using model::PathPattern;
using model::Verb;
using model::Verbs;

constexpr std::array<Verb, 6> all_verbs{Verb::Create, Verb::Read, Verb::Delete, Verb::Modify, Verb::Exec, Verb::List};

/// A path of the pattern: its wildcards stand for `fresh`, its first `**` for `inside` and any other but the last for
/// nothing.
std::string member(const PathPattern& pattern, const std::string& fresh, std::string_view inside) {
  std::string out;
  for (const auto& c : pattern.components) {
    if (c.any_depth) {
      out += inside;
      inside = {};
      if (&c == &pattern.components.back()) out += '/' + fresh;
      continue;
    }
    out += '/';
    for (const model::PathToken& t : c.alternatives.front())
      if (t.kind == model::PathToken::Kind::Literal)
        out += t.byte;
      else
        out += t.kind == model::PathToken::Kind::AnyRun ? fresh : "x";
  }
  return out.empty() ? "/" : out;
}

/// A component that no pattern names, so that only wildcards match it.
std::string fresh_name(const std::vector<const PathPattern*>& patterns) {
  std::set<std::string> used;
  for (const PathPattern* p : patterns)
    for (const auto& c : p->components)
      if (!c.alternatives.empty() && !c.alternatives[0].empty() && c.alternatives[0][0].byte == 'x' && c.literal())
        used.insert(c.literal_text());
  std::string name = "x";
  while (used.contains(name)) name += 'x';
  return name;
}

}  // namespace

std::string action_text(const model::FileAction& action) {
  // An atomic Read is written `read`: the policy's verb that includes it
  if (action.verb != Verb::Read) return model::to_string(model::Action{action});
  const std::string listed = model::to_string(model::Action{model::FileAction{Verb::List, action.path}});
  return "read" + listed.substr(listed.find(' '));
}

bool Point::matches(std::size_t rule) const { return std::binary_search(rules->begin(), rules->end(), rule); }

bool Comparison::Pattern::matches(std::string_view path, bool list) const {
  if (shape == PathPattern::Shape::Node) return path == prefix;
  if (shape == PathPattern::Shape::Subtree) return list || path != prefix;
  return list ? pattern->matches_list(path) : pattern->matches(path);
}

Comparison::Comparison(const model::Policy& policy, const MountTree& tree) : policy_(policy), tree_(tree) {
  collect_patterns();
  collect_places();
  make_samples();
}

void Comparison::collect_patterns() {
  std::vector<PathIndex::Entry> all, openers;
  for (std::size_t i = 0; i < policy_.rules.size(); ++i) {
    const model::Rule& rule = policy_.rules[i];
    const auto* file = std::get_if<model::FileBody>(&rule.body);
    if (rule.expired || !file) continue;
    for (const auto* list : {&file->patterns, &file->except})
      for (const auto& p : *list) {
        const bool except = list == &file->except;
        patterns_.push_back({&p.pattern, p.pattern.shape(), i, except, literal_prefix(p.pattern)});
        const PathIndex::Entry entry{patterns_.back().prefix, patterns_.size() - 1};
        all.push_back(entry);
        if (patterns_.back().shape == PathPattern::Shape::Other && (except || rule.effect == model::Effect::Allow))
          openers.push_back(entry);
      }
  }
  by_prefix_ = PathIndex(std::move(all));
  openers_ = PathIndex(std::move(openers));
}

const PathPattern& Comparison::Place::node() const {
  if (!node_) node_ = model::path_node(base);
  return *node_;
}
const PathPattern& Comparison::Place::subtree() const {
  if (!subtree_) subtree_ = model::path_subtree(base);
  return *subtree_;
}

void Comparison::collect_places() {
  std::unordered_set<std::string> scaffold;
  for (std::size_t i = 0; i < tree_.mounts.size(); ++i) {
    places_.emplace_back().base = tree_.mounts[i].target;
    places_.back().mount = i;
    for (std::string d = tree_.mounts[i].target; d != "/";) {
      d = model::parent_path(d);
      if (governing(tree_, d) != Cause::none) continue;
      if (!scaffold.insert(d).second) break;  // and so is everything above it
    }
  }
  for (const std::string& d : scaffold) places_.emplace_back().base = d;
  std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) { return path_less(a.base, b.base); });
  of_mount_.resize(tree_.mounts.size());
  std::vector<PathIndex::Entry> bases;
  for (std::size_t p = 0; p < places_.size(); ++p) {
    if (!places_[p].scaffold()) of_mount_[places_[p].mount] = p;
    bases.emplace_back(places_[p].base, p);
  }
  by_base_ = PathIndex(std::move(bases));
}

void Comparison::make_samples() {
  std::vector<std::string> paths;
  std::vector<const PathPattern*> all;
  for (const Pattern& p : patterns_) {
    all.push_back(p.pattern);
    if (p.shape != PathPattern::Shape::Other) paths.push_back(p.prefix);
  }
  for (const Place& p : places_) paths.push_back(p.base);
  fresh_ = fresh_name(all);
  for (std::size_t i = 0, n = paths.size(); i < n; ++i)
    paths.push_back((paths[i] == "/" ? "" : paths[i]) + "/" + fresh_);
  std::sort(paths.begin(), paths.end(), path_less);
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  for (std::string& path : paths) {
    bool cut = false;
    Sample s = sample(std::move(path), cut);
    if (cut) (s.place == Cause::none ? cuts_ : places_[s.place].cuts).push_back(samples_.size());
    samples_.push_back(std::move(s));
  }
}

Comparison::Sample Comparison::sample(std::string path, bool& cut) const {
  Sample s;
  s.path = std::move(path);
  std::size_t innermost = Cause::none;
  by_base_.above(s.path, [&](std::size_t i) {
    if (innermost == Cause::none) innermost = i;
  });
  s.at_root = innermost != Cause::none && places_[innermost].base == s.path;
  if (innermost != Cause::none && (s.at_root || !places_[innermost].scaffold())) s.place = innermost;
  Matches plain, listing;
  by_prefix_.above(s.path, [&](std::size_t i) {
    const Pattern& p = patterns_[i];
    const bool here = p.matches(s.path, false), listed = p.matches(s.path, true);
    if (here) plain.add(p);
    if (listed) listing.add(p);
    cut = cut || ((here || listed) && p.shape == PathPattern::Shape::Other);
  });
  s.rules = plain.rules();
  s.rules_listing = listing.rules();
  return s;
}

std::vector<std::size_t> Comparison::Matches::rules() {
  std::vector<std::size_t> left;
  for (auto* list : {&in, &out}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  std::set_difference(in.begin(), in.end(), out.begin(), out.end(), std::back_inserter(left));
  return left;
}

std::vector<std::size_t> Comparison::matching(std::string_view path, bool list) const {
  Matches found;
  by_prefix_.above(path, [&](std::size_t i) {
    if (patterns_[i].matches(path, list)) found.add(patterns_[i]);
  });
  return found.rules();
}

model::Decision Comparison::decide(const model::FileAction& action) const {
  return point(action.verb, matching(action.path, action.verb == Verb::List), nullptr, false).decision;
}

Comparison::Region Comparison::region(const PathPattern& pattern) const {
  Region out{pattern, literal_prefix(pattern)};
  const auto first = std::partition_point(samples_.begin(), samples_.end(),
                                          [&](const Sample& s) { return path_less(s.path, out.prefix); });
  const auto last = std::partition_point(first, samples_.end(), [&](const Sample& s) {
    return s.path == out.prefix || model::is_beneath(s.path, out.prefix);
  });
  out.first = static_cast<std::size_t>(first - samples_.begin());
  out.last = static_cast<std::size_t>(last - samples_.begin());
  return out;
}

Point Comparison::point(Verb verb, const std::vector<std::size_t>& rules, const Place* place, bool at_root) const {
  Point p;
  p.verb = verb;
  p.rules = &rules;
  p.at_root = at_root;
  bool allowed = false, asked = false, denied = false;
  for (const std::size_t i : rules) {
    if (!model::has(std::get<model::FileBody>(policy_.rules[i].body).verbs, verb)) continue;
    const model::Effect effect = policy_.rules[i].effect;
    (effect == model::Effect::Allow ? allowed : effect == model::Effect::Ask ? asked : denied) = true;
  }
  p.by_rule = allowed || asked || denied;
  p.decision = denied    ? model::Decision::Deny
               : asked   ? model::Decision::Ask
               : allowed ? model::Decision::Allow
                         : model::Decision::Deny;
  if (!place) return p;
  p.mount = place->mount;
  if (place->scaffold())
    p.grant = verb == Verb::List ? Grant::Yes : verb == Verb::Read || verb == Verb::Exec ? Grant::Any : Grant::No;
  else
    p.grant = granted(tree_.mounts[place->mount], at_root, verb);
  return p;
}

/// Does the place grant one of the verbs so, beneath its root?
bool Comparison::may_grant(const Place& place, Verbs verbs, std::optional<Grant> grant) const {
  return !grant || std::any_of(all_verbs.begin(), all_verbs.end(), [&](Verb v) {
    return model::has(verbs, v) && granted(tree_.mounts[place.mount], false, v) == *grant;
  });
}

Difference Comparison::find(const PathPattern& pattern, Verbs verbs, const Question& question, Within within) const {
  const Region where = region(pattern);
  Difference found = find_sample(where, verbs, question, within);
  if (found.action) return found;
  const auto beneath = [&](const Place& place) {
    if (place.scaffold() || !may_grant(place, verbs, within.grant) || !is_cut(where, &place)) return false;
    found = find_member(where, verbs, question, within, &place);
    if (!found.action) found = search(where, verbs, question, &place);
    return found.action || found.undecided;
  };
  if (within.mount != Cause::none) {
    beneath(places_[of_mount_[within.mount]]);
    return found;
  }
  // all of the region lies in the innermost mount at or above its prefix: nothing of it in those around that one
  const auto near = by_base_.near(where.prefix);
  std::size_t from = 0;
  bool inside = false;
  for (std::size_t n = 0; n < near.size(); ++n) {
    const Place& place = places_[near[n]];
    if (place.scaffold() || (place.base != where.prefix && !model::is_beneath(where.prefix, place.base))) continue;
    from = n;
    inside = true;
  }
  for (std::size_t n = from; n < near.size(); ++n)
    if (beneath(places_[near[n]])) return found;
  if (inside || within.mounted || within.grant.value_or(Grant::No) != Grant::No || !is_cut(where, nullptr))
    return found;
  found = find_member(where, verbs, question, within, nullptr);
  return found.action ? found : search(where, verbs, question, nullptr);
}

Difference Comparison::find_sample(const Region& region, Verbs verbs, const Question& question, Within within) const {
  for (const bool list : {false, true})
    for (std::size_t i = region.first; i < region.last; ++i)
      if (auto found = at_sample(samples_[i], list, region, verbs, question, within)) return {std::move(found), false};
  return {};
}

/// The path that a pattern of neither shape most plainly has, beneath the place where it can: most searches for such a
/// pattern would end there.
Difference Comparison::find_member(const Region& region, Verbs verbs, const Question& question, Within within,
                                   const Place* place) const {
  if (region.pattern.shape() != PathPattern::Shape::Other) return {};
  std::string_view inside;
  if (place && model::is_beneath(place->base, region.prefix))
    inside = std::string_view(place->base).substr(region.prefix == "/" ? 0 : region.prefix.size());
  bool cut = false;
  const Sample s = sample(member(region.pattern, fresh_, inside), cut);
  for (const bool list : {false, true})
    if (auto found = at_sample(s, list, region, verbs, question, within)) return {std::move(found), false};
  return {};
}

std::optional<model::FileAction> Comparison::at_sample(const Sample& s, bool list, const Region& region, Verbs verbs,
                                                       const Question& question, Within within) const {
  const Place* const place = s.place == Cause::none ? nullptr : &places_[s.place];
  if (within.mount != Cause::none && (!place || place->mount != within.mount)) return std::nullopt;
  if (!(list ? region.pattern.matches_list(s.path) : region.pattern.matches(s.path))) return std::nullopt;
  for (const Verb v : all_verbs)
    if (model::has(verbs, v) && (v == Verb::List) == list &&
        question(point(v, list ? s.rules_listing : s.rules, place, s.at_root)))
      return model::FileAction{v, s.path};
  return std::nullopt;
}

namespace {

/// Of two paths of which one holds the other: what is near the deeper one is near both.
const std::string& deeper(const std::string& a, const std::string& b) { return a.size() < b.size() ? b : a; }

}  // namespace

bool Comparison::is_cut(const Region& region, const Place* place) const {
  const auto meets_place = [&] { return !place || may_intersect(region.pattern, place->subtree()); };
  if (region.pattern.shape() == PathPattern::Shape::Other) return meets_place();
  const auto& cuts = place ? place->cuts : cuts_;
  const auto cut = std::lower_bound(cuts.begin(), cuts.end(), region.first);
  if (cut != cuts.end() && *cut < region.last && meets_place()) return true;
  const auto openers = openers_.near(place ? deeper(region.prefix, place->base) : region.prefix);
  return std::any_of(openers.begin(), openers.end(), [&](std::size_t i) {
    const PathPattern& p = *patterns_[i].pattern;
    return may_intersect(p, region.pattern) && (!place || may_intersect(p, place->subtree()));
  });
}

Difference Comparison::search(const Region& region, Verbs verbs, const Question& question, const Place* place) const {
  const Verbs listing = static_cast<Verbs>(Verb::List);
  const Difference found = search(region, verbs & static_cast<Verbs>(~listing), question, place, false);
  if (found.action || found.undecided || (verbs & listing) == 0) return found;
  return search(region, listing, question, place, true);
}

/// False: whichever of the patterns match, the question does not hold. Most searches end here.
bool Comparison::possible(const Region& region, Verbs verbs, const Question& question, const Place* place,
                          const std::vector<const Pattern*>& rules) const {
  std::vector<const Pattern*> certain, open;
  for (const Pattern* p : rules) {
    const bool whole = place && p->shape == PathPattern::Shape::Subtree &&
                       (p->prefix == place->base || model::is_beneath(place->base, p->prefix));
    (whole || p->pattern == &region.pattern ? certain : open).push_back(p);
  }
  constexpr std::size_t most = 5;
  if (open.size() > most) return true;
  for (unsigned choice = 0; choice < 1u << open.size(); ++choice) {
    std::set<std::size_t> in, out;
    for (const Pattern* p : certain) (p->except ? out : in).insert(p->rule);
    for (std::size_t i = 0; i < open.size(); ++i)
      if ((choice >> i & 1) != 0) (open[i]->except ? out : in).insert(open[i]->rule);
    std::vector<std::size_t> matching;
    std::set_difference(in.begin(), in.end(), out.begin(), out.end(), std::back_inserter(matching));
    for (const Verb v : all_verbs)
      if (model::has(verbs, v) && question(point(v, matching, place, false))) return true;
  }
  return false;
}

/// One product automaton: the region, the rules that meet it, and either the place with what is mounted deeper, or
/// everything mounted. Roots of mounts and directories that lead to them are samples already.
Difference Comparison::search(const Region& region, Verbs verbs, const Question& question, const Place* place,
                              bool list) const {
  std::vector<const PathPattern*> asked{&region.pattern};
  std::vector<const Pattern*> rules;
  const std::string& near = place ? deeper(region.prefix, place->base) : region.prefix;
  for (const std::size_t i : by_prefix_.near(near)) {
    const Pattern& p = patterns_[i];
    if (may_intersect(*p.pattern, region.pattern) && (!place || may_intersect(*p.pattern, place->subtree()))) {
      rules.push_back(&p);
      asked.push_back(p.pattern);
    }
  }
  if (!possible(region, verbs, question, place, rules)) return {};
  const std::size_t excluded = asked.size() + (place ? 1 : 0);
  if (place) asked.push_back(&place->subtree());
  for (const std::size_t i : by_base_.near(near)) {
    const Place& p = places_[i];
    if (place && !model::is_beneath(p.base, place->base)) continue;
    if (may_intersect(p.node(), region.pattern)) asked.push_back(&p.node());
    if (!p.scaffold() && may_intersect(p.subtree(), region.pattern)) asked.push_back(&p.subtree());
  }
  const auto as_list = std::make_unique<bool[]>(asked.size());
  if (list) std::fill_n(as_list.get(), 1 + rules.size(), true);
  Verb found_verb = Verb::Read;
  const auto accept = [&](const std::vector<bool>& hits) {
    if (!hits[0] || (place && !hits[excluded - 1])) return false;
    for (std::size_t i = excluded; i < hits.size(); ++i)
      if (hits[i]) return false;
    std::set<std::size_t> in, out;
    for (std::size_t i = 0; i < rules.size(); ++i)
      if (hits[1 + i]) (rules[i]->except ? out : in).insert(rules[i]->rule);
    std::vector<std::size_t> matching;
    std::set_difference(in.begin(), in.end(), out.begin(), out.end(), std::back_inserter(matching));
    for (const Verb v : all_verbs)
      if (model::has(verbs, v) && question(point(v, matching, place, false))) {
        found_verb = v;
        return true;
      }
    return false;
  };
  const model::PathSearch result = model::find_path_beneath(near, asked, accept, 200000, {as_list.get(), asked.size()});
  if (result.exhausted) return {std::nullopt, true};
  if (!result.witness) return {};
  return {model::FileAction{found_verb, *result.witness}, false};
}

}  // namespace agp::backends::containers
