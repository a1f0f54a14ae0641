#include "backends/containers/mounts/difference.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <memory>
#include <set>

#include "backends/containers/mounts/shaped_rules.hpp"

namespace agp::backends::containers {
namespace {

using model::PathPattern;
using model::Verb;
using model::Verbs;

constexpr std::array<Verb, 6> all_verbs{Verb::Create, Verb::Read, Verb::Delete, Verb::Modify, Verb::Exec, Verb::List};

/// A component that no pattern names, so that only wildcards match it.
std::string fresh_name(const std::vector<const PathPattern*>& patterns) {
  std::set<std::string> used;
  for (const PathPattern* p : patterns)
    for (const auto& c : p->components)
      if (c.literal()) used.insert(c.literal_text());
  std::string name = "x";
  while (used.contains(name)) name += 'x';
  return name;
}

bool components_meet(const model::PathComponent& a, const model::PathComponent& b) {
  if (a.literal() && b.literal()) return a.alternatives == b.alternatives;
  const auto matches = [](const model::PathComponent& glob, const model::PathComponent& literal) {
    return PathPattern{{glob}, ""}.matches("/" + literal.literal_text());
  };
  if (a.literal()) return matches(b, a);
  if (b.literal()) return matches(a, b);
  return true;
}

/// The `*` of `D/*`: for the verb `list` such a pattern includes D.
bool is_star_at_end(const PathPattern& p, std::size_t i) {
  if (i + 1 != p.components.size() || p.components[i].alternatives.size() != 1) return false;
  const auto& tokens = p.components[i].alternatives[0];
  return tokens.size() == 1 && tokens[0].kind == model::PathToken::Kind::AnyRun;
}

/// No path is, or lies beneath, both: most pairs of patterns, and cheaper to see than anything else about them.
bool apart(std::string_view a, std::string_view b) {
  return a != b && a != "/" && b != "/" && !model::is_beneath(a, b) && !model::is_beneath(b, a);
}

bool meet(const PathPattern& a, std::size_t i, const PathPattern& b, std::size_t j, std::vector<char>& failed) {
  const std::size_t n = a.components.size(), m = b.components.size();
  if (i == n && j == m) return true;
  char& known = failed[i * (m + 1) + j];
  if (known != 0) return false;
  const bool deep_a = i < n && a.components[i].any_depth, deep_b = j < m && b.components[j].any_depth;
  bool found = false;
  if (deep_a) found = meet(a, i + 1, b, j, failed) || (j < m && meet(a, i, b, j + 1, failed));
  if (!found && deep_b) found = meet(a, i, b, j + 1, failed) || (i < n && meet(a, i + 1, b, j, failed));
  if (!found && is_star_at_end(a, i)) found = meet(a, i + 1, b, j, failed);
  if (!found && is_star_at_end(b, j)) found = meet(a, i, b, j + 1, failed);
  if (!found && i < n && j < m && !deep_a && !deep_b)
    found = components_meet(a.components[i], b.components[j]) && meet(a, i + 1, b, j + 1, failed);
  if (!found) failed[i * (m + 1) + j] = 1;
  return found;
}

}  // namespace

bool may_intersect(const PathPattern& a, const PathPattern& b) {
  // most pairs part at a name that both spell out; a common head says nothing else
  std::size_t head = 0;
  for (; head < a.components.size() && head < b.components.size(); ++head) {
    const auto &x = a.components[head], &y = b.components[head];
    if (!x.literal() || !y.literal()) break;
    if (x.alternatives != y.alternatives) return false;
  }
  std::vector<char> failed((a.components.size() + 1) * (b.components.size() + 1), 0);
  return meet(a, head, b, head, failed);
}

std::string action_text(const model::FileAction& action) {
  // An atomic Read is written `read`: the policy's verb that includes it
  if (action.verb != Verb::Read) return model::to_string(model::Action{action});
  const std::string listed = model::to_string(model::Action{model::FileAction{Verb::List, action.path}});
  return "read" + listed.substr(listed.find(' '));
}

bool Point::matches(std::size_t rule) const { return std::binary_search(rules->begin(), rules->end(), rule); }

Comparison::Comparison(const model::Policy& policy, const MountTree& tree) : policy_(policy), tree_(tree) {
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const auto* file = std::get_if<model::FileBody>(&policy.rules[i].body);
    if (policy.rules[i].expired || !file) continue;
    for (const auto* list : {&file->patterns, &file->except})
      for (const auto& p : *list) {
        const bool except = list == &file->except, other = p.pattern.shape() == PathPattern::Shape::Other;
        patterns_.push_back({&p.pattern, i, except, other, literal_prefix(p.pattern),
                             except || policy.rules[i].effect == model::Effect::Allow});
      }
  }
  collect_places();
  make_samples();
  match_samples(false, &Sample::rules);
  match_samples(true, &Sample::rules_listing);
}

void Comparison::collect_places() {
  std::map<std::string, Place, PathOrder> places;
  for (std::size_t i = 0; i < tree_.mounts.size(); ++i) places[tree_.mounts[i].target].mount = i;
  for (const TreeMount& m : tree_.mounts)
    for (std::string d = m.target; d != "/";) {
      d = model::parent_path(d);
      if (governing(tree_, d) == Cause::none) places[d].scaffold = true;
    }
  for (auto& [path, place] : places) {
    place.node = model::path_node(path);
    place.subtree = model::path_subtree(path);
    place.base = path;
    places_.push_back(std::move(place));
  }
}

void Comparison::make_samples() {
  std::set<std::string, PathOrder> paths;
  std::vector<const PathPattern*> all;
  for (const Pattern& p : patterns_) {
    all.push_back(p.pattern);
    if (p.pattern->shape() != PathPattern::Shape::Other) paths.insert(p.pattern->base());
  }
  for (const Place& p : places_) paths.insert(p.node.base());
  const std::string fresh = fresh_name(all);
  for (const std::string& base : std::vector<std::string>(paths.begin(), paths.end()))
    paths.insert((base == "/" ? "" : base) + "/" + fresh);
  std::vector<const Place*> around;  // the places that hold the current path, the innermost last
  std::size_t next = 0;
  for (const std::string& path : paths) {
    for (; next < places_.size() && !path_less(path, places_[next].node.base()); ++next)
      around.push_back(&places_[next]);
    while (!around.empty() && around.back()->node.base() != path &&
           !model::is_beneath(path, around.back()->node.base()))
      around.pop_back();
    Sample s;
    s.path = path;
    s.at_root = !around.empty() && around.back()->node.base() == path;
    if (!around.empty() && (s.at_root || !around.back()->scaffold)) s.place = around.back();
    samples_.push_back(std::move(s));
  }
}

void Comparison::match_samples(bool list, std::vector<std::size_t> Sample::*rules) {
  std::vector<std::vector<std::size_t>> excepted(samples_.size());
  for (const bool except : {true, false})
    for (const Pattern& p : patterns_) {
      if (p.except != except) continue;
      const auto [first, last] = range(*p.pattern);
      for (std::size_t i = first; i < last; ++i) {
        if (!(list ? p.pattern->matches_list(samples_[i].path) : p.pattern->matches(samples_[i].path))) continue;
        samples_[i].cut = samples_[i].cut || p.other;
        auto& into = except ? excepted[i] : samples_[i].*rules;
        const auto& out = excepted[i];
        const bool known = !into.empty() && into.back() == p.rule;  // patterns stand in the order of their rules
        if (!known && (except || !std::binary_search(out.begin(), out.end(), p.rule))) into.push_back(p.rule);
      }
    }
}

std::pair<std::size_t, std::size_t> Comparison::range(const PathPattern& region) const {
  const std::string base = literal_prefix(region);
  const auto first =
      std::partition_point(samples_.begin(), samples_.end(), [&](const Sample& s) { return path_less(s.path, base); });
  const auto last = std::partition_point(
      first, samples_.end(), [&](const Sample& s) { return s.path == base || model::is_beneath(s.path, base); });
  return {static_cast<std::size_t>(first - samples_.begin()), static_cast<std::size_t>(last - samples_.begin())};
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
  if (place->scaffold)
    p.grant = verb == Verb::List ? Grant::Yes : verb == Verb::Read || verb == Verb::Exec ? Grant::Any : Grant::No;
  else
    p.grant = granted(tree_.mounts[place->mount], at_root, verb);
  return p;
}

Difference Comparison::find(const PathPattern& region, Verbs verbs, const Question& question, Within within) const {
  Difference found = find_sample(region, verbs, question, within);
  const std::string prefix = literal_prefix(region);
  for (const Place& p : places_) {
    if (found.action || found.undecided) return found;
    if (apart(p.base, prefix)) continue;
    const bool here = within.mount == Cause::none || within.mount == p.mount;
    if (!p.scaffold && here && is_cut(region, &p)) found = search(region, verbs, question, &p);
  }
  if (found.action || found.undecided || within.mounted || within.mount != Cause::none) return found;
  return is_cut(region, nullptr) ? search(region, verbs, question, nullptr) : found;
}

Difference Comparison::find_sample(const PathPattern& region, Verbs verbs, const Question& question,
                                   Within within) const {
  const auto [first, last] = range(region);
  for (const bool list : {false, true})
    for (std::size_t i = first; i < last; ++i) {
      const Sample& s = samples_[i];
      if (within.mount != Cause::none && (!s.place || s.place->mount != within.mount)) continue;
      if (!(list ? region.matches_list(s.path) : region.matches(s.path))) continue;
      for (const Verb v : all_verbs)
        if (model::has(verbs, v) && (v == Verb::List) == list &&
            question(point(v, list ? s.rules_listing : s.rules, s.place, s.at_root)))
          return {model::FileAction{v, s.path}, false};
    }
  return {};
}

bool Comparison::is_cut(const PathPattern& region, const Place* place) const {
  if (place && !may_intersect(region, place->subtree)) return false;
  if (region.shape() == PathPattern::Shape::Other) return true;
  const std::string prefix = literal_prefix(region);
  for (const Pattern& p : patterns_)
    if (p.other && p.opens && !apart(p.prefix, prefix) && may_intersect(*p.pattern, region) &&
        (!place || may_intersect(*p.pattern, place->subtree)))
      return true;
  const auto [first, last] = range(region);
  return std::any_of(samples_.begin() + static_cast<std::ptrdiff_t>(first),
                     samples_.begin() + static_cast<std::ptrdiff_t>(last),
                     [&](const Sample& s) { return s.cut && s.place == place; });
}

Difference Comparison::search(const PathPattern& region, Verbs verbs, const Question& question,
                              const Place* place) const {
  const Verbs listing = static_cast<Verbs>(Verb::List);
  const Difference found = search(region, verbs & static_cast<Verbs>(~listing), question, place, false);
  if (found.action || found.undecided || (verbs & listing) == 0) return found;
  return search(region, listing, question, place, true);
}

/// One product automaton: the region, the rules that meet it, and either the place with what is mounted deeper, or
/// everything mounted. Roots of mounts and directories that lead to them are samples already.
Difference Comparison::search(const PathPattern& region, Verbs verbs, const Question& question, const Place* place,
                              bool list) const {
  std::vector<const PathPattern*> asked{&region};
  std::vector<const Pattern*> rules;
  const std::string prefix = literal_prefix(region);
  for (const Pattern& p : patterns_)
    if (!apart(p.prefix, prefix) && may_intersect(*p.pattern, region) &&
        (!place || may_intersect(*p.pattern, place->subtree))) {
      rules.push_back(&p);
      asked.push_back(p.pattern);
    }
  const std::size_t excluded = asked.size() + (place ? 1 : 0);
  if (place) asked.push_back(&place->subtree);
  for (const Place& p : places_) {
    if (apart(p.base, prefix) || (place && !model::is_beneath(p.base, place->base))) continue;
    if (may_intersect(p.node, region)) asked.push_back(&p.node);
    if (!p.scaffold && may_intersect(p.subtree, region)) asked.push_back(&p.subtree);
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
  const model::PathSearch result = model::find_path(asked, accept, 200000, {as_list.get(), asked.size()});
  if (result.exhausted) return {std::nullopt, true};
  if (!result.witness) return {};
  return {model::FileAction{found_verb, *result.witness}, false};
}

}  // namespace agp::backends::containers
