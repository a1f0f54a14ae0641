#include "backends/oci/mounts/difference.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <set>

namespace agp::backends::oci {
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
  if (a.literal() && b.literal()) return a.literal_text() == b.literal_text();
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
  std::vector<char> failed((a.components.size() + 1) * (b.components.size() + 1), 0);
  return meet(a, 0, b, 0, failed);
}

std::string action_text(const model::FileAction& action) {
  // An atomic Read is written `read`: the policy's verb that includes it
  if (action.verb != Verb::Read) return model::to_string(model::Action{action});
  const std::string listed = model::to_string(model::Action{model::FileAction{Verb::List, action.path}});
  return "read" + listed.substr(listed.find(' '));
}

Comparison::Comparison(const model::Policy& policy, const MountTree& tree) : policy_(policy), tree_(tree) {
  std::vector<const PathPattern*> all;
  std::set<std::string> paths;
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const auto* file = std::get_if<model::FileBody>(&policy.rules[i].body);
    if (policy.rules[i].expired || !file) continue;
    for (const auto* list : {&file->patterns, &file->except})
      for (const auto& p : *list) {
        patterns_.push_back({&p.pattern, i, list == &file->except});
        all.push_back(&p.pattern);
        if (p.pattern.shape() != PathPattern::Shape::Other) paths.insert(p.pattern.base());
      }
  }
  std::set<std::string> scaffold;
  for (const TreeMount& m : tree.mounts) {
    paths.insert(m.target);
    for (std::string d = model::parent_path(m.target);; d = model::parent_path(d)) {
      if (governing(tree, d) == Cause::none) scaffold.insert(d);
      if (d == "/") break;
    }
  }
  for (std::size_t i = 0; i < tree.mounts.size(); ++i) places_.push_back({tree.mounts[i].target, i, false});
  for (const std::string& d : scaffold) places_.push_back({d, Cause::none, true});
  std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) { return path_less(a.path, b.path); });
  paths.insert(scaffold.begin(), scaffold.end());

  const std::string fresh = fresh_name(all);
  std::vector<std::string> ordered(paths.begin(), paths.end());
  std::sort(ordered.begin(), ordered.end(), path_less);
  for (const std::string& base : ordered)
    for (const std::string& path : {base, (base == "/" ? "" : base) + "/" + fresh}) {
      const Place place = place_of(path);
      samples_.push_back({path, place, place.path == path, match(path, false), match(path, true)});
    }
}

Comparison::Place Comparison::place_of(const std::string& path) const {
  for (std::size_t i = places_.size(); i-- > 0;)
    if (places_[i].path == path || (!places_[i].scaffold && model::is_beneath(path, places_[i].path)))
      return places_[i];
  return {"", Cause::none, false};
}

std::vector<bool> Comparison::match(const std::string& path, bool list) const {
  std::vector<bool> in(policy_.rules.size()), out(policy_.rules.size());
  for (const Pattern& p : patterns_)
    if (list ? p.pattern->matches_list(path) : p.pattern->matches(path)) (p.except ? out : in)[p.rule] = true;
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = in[i] && !out[i];
  return in;
}

Point Comparison::point(Verb verb, const std::vector<bool>& rules, const Place& place, bool at_root) const {
  Point p;
  p.verb = verb;
  p.rules = &rules;
  p.mount = place.mount;
  p.at_root = at_root;
  bool allowed = false, asked = false, denied = false;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (!rules[i] || !model::has(std::get<model::FileBody>(policy_.rules[i].body).verbs, verb)) continue;
    const model::Effect effect = policy_.rules[i].effect;
    (effect == model::Effect::Allow ? allowed : effect == model::Effect::Ask ? asked : denied) = true;
  }
  p.by_rule = allowed || asked || denied;
  p.decision = denied    ? model::Decision::Deny
               : asked   ? model::Decision::Ask
               : allowed ? model::Decision::Allow
                         : model::Decision::Deny;
  if (place.mount != Cause::none)
    p.grant = granted(tree_.mounts[place.mount], at_root, verb);
  else if (place.scaffold)
    p.grant = verb == Verb::List ? Grant::Yes : verb == Verb::Read || verb == Verb::Exec ? Grant::Any : Grant::No;
  return p;
}

/// A sample speaks for its cell unless a pattern with a wildcard cuts the cell: then the automata must be asked.
bool Comparison::needs_automata(const PathPattern& region) const {
  if (region.shape() == PathPattern::Shape::Other) return true;
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& p) {
    return p.pattern->shape() == PathPattern::Shape::Other && may_intersect(*p.pattern, region);
  });
}

Difference Comparison::find(const PathPattern& region, Verbs verbs, const Question& question) const {
  for (const bool list : {false, true})
    for (const Sample& s : samples_) {
      if (!(list ? region.matches_list(s.path) : region.matches(s.path))) continue;
      for (const Verb v : all_verbs)
        if (model::has(verbs, v) && (v == Verb::List) == list &&
            question(point(v, list ? s.rules_listing : s.rules, s.place, s.at_root)))
          return {model::FileAction{v, s.path}, false};
    }
  if (!needs_automata(region)) return {};
  const Verbs listing = static_cast<Verbs>(Verb::List);
  Difference found = search(region, verbs & static_cast<Verbs>(~listing), question, false);
  if (!found.action && !found.undecided && (verbs & listing) != 0) found = search(region, listing, question, true);
  return found;
}

Difference Comparison::search(const PathPattern& region, Verbs verbs, const Question& question, bool list) const {
  std::vector<const PathPattern*> asked{&region};
  std::vector<const Pattern*> rules;
  for (const Pattern& p : patterns_)
    if (may_intersect(*p.pattern, region)) {
      rules.push_back(&p);
      asked.push_back(p.pattern);
    }
  struct Near {
    const Place* place;
    PathPattern node, subtree;
  };
  std::vector<Near> near;
  for (const Place& p : places_) {
    Near n{&p, model::path_node(p.path), model::path_subtree(p.path)};
    if (may_intersect(n.node, region) || (!p.scaffold && may_intersect(n.subtree, region)))
      near.push_back(std::move(n));
  }
  for (const Near& n : near) {
    asked.push_back(&n.node);
    asked.push_back(&n.subtree);
  }
  const auto as_list = std::make_unique<bool[]>(asked.size());
  if (list) std::fill_n(as_list.get(), 1 + rules.size(), true);
  Verb found_verb = Verb::Read;
  const auto accept = [&](const std::vector<bool>& hits) {
    if (!hits[0]) return false;
    std::vector<bool> in(policy_.rules.size()), out(policy_.rules.size());
    for (std::size_t i = 0; i < rules.size(); ++i)
      if (hits[1 + i]) (rules[i]->except ? out : in)[rules[i]->rule] = true;
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = in[i] && !out[i];
    Place place{"", Cause::none, false};
    bool at_root = false;
    for (std::size_t i = 0; i < near.size(); ++i) {  // in path order: the last that matches is the deepest
      const bool node = hits[1 + rules.size() + 2 * i], beneath = hits[2 + rules.size() + 2 * i];
      if (!node && (!beneath || near[i].place->scaffold)) continue;
      place = *near[i].place;
      at_root = node;
    }
    for (const Verb v : all_verbs)
      if (model::has(verbs, v) && question(point(v, in, place, at_root))) {
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

}  // namespace agp::backends::oci
