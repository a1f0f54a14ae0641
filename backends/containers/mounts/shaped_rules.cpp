#include "backends/containers/mounts/shaped_rules.hpp"

#include <algorithm>
#include <span>

namespace agp::backends::containers {
namespace {

using model::Effect;
using model::PathPattern;
using model::Verb;
using model::Verbs;

class AreaCollector {
 public:
  AreaCollector(std::vector<Area>& out, const std::vector<Cause>& widened) : out_(out), widened_(widened) {}

  void add(const model::Rule& rule, std::size_t index, Verbs verbs,
           const std::vector<model::Placed<PathPattern>>& patterns,
           const std::vector<model::Placed<PathPattern>>& except) {
    for (const auto* list : {&patterns, &except})
      for (std::size_t i = 0; i < list->size(); ++i) {
        const PathPattern& p = (*list)[i].pattern;
        Area area{true, "", {index, i, Cause::none}, list == &except, rule.effect, verbs};
        if (p.shape() != PathPattern::Shape::Other) {
          area.subtree = p.shape() == PathPattern::Shape::Subtree;
          area.base = p.base();
        } else if (!area.except && verbs != 0 && std::binary_search(widened_.begin(), widened_.end(), area.cause)) {
          area.base = literal_prefix(p);
        } else {
          continue;
        }
        out_.push_back(std::move(area));
      }
  }

 private:
  std::vector<Area>& out_;
  const std::vector<Cause>& widened_;
};

std::vector<Area> collect(const model::Policy& policy, const std::vector<Cause>& widened) {
  std::vector<Area> out;
  AreaCollector collector(out, widened);
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const model::Rule& rule = policy.rules[i];
    if (rule.expired) continue;
    if (const auto* file = std::get_if<model::FileBody>(&rule.body))
      collector.add(rule, i, file->verbs, file->patterns, file->except);
    else if (const auto* unix_rule = std::get_if<model::UnixBody>(&rule.body);
             unix_rule && unix_rule->direction == model::Direction::Connect)
      collector.add(rule, i, 0, unix_rule->paths, unix_rule->except);
  }
  return out;
}

PathIndex index(const std::vector<Area>& areas) {
  std::vector<PathIndex::Entry> entries;
  for (std::size_t i = 0; i < areas.size(); ++i) entries.emplace_back(areas[i].base, i);
  return PathIndex(std::move(entries));
}

template <class Each>
void for_each_verb(Verbs verbs, const Each& each) {
  for (int bit = 1; bit < model::verbs_all; bit <<= 1)
    if ((verbs & bit) != 0) each(static_cast<Verb>(bit));
}

}  // namespace

std::string literal_prefix(const PathPattern& pattern) {
  std::string out;
  for (const auto& component : pattern.components) {
    if (!component.literal()) break;
    out += '/' + component.literal_text();
  }
  return out.empty() ? "/" : out;
}

ShapedRules::ShapedRules(const model::Policy& policy, const std::vector<Cause>& widened)
    : areas_(collect(policy, widened)), by_base_(index(areas_)) {}

RulesAt ShapedRules::at(std::string_view path) const {
  RulesAt out;
  by_base_.above(path, [&](std::size_t i) {
    const Area& a = areas_[i];
    const bool here = a.base == path;
    out.hits_.push_back({&a, a.subtree != here, a.subtree || here});
  });
  std::sort(out.hits_.begin(), out.hits_.end(), [](const auto& a, const auto& b) { return a.area < b.area; });
  return out;
}

/// The hits of one rule.
struct RulesAt::OfRule {
  std::span<const Hit> hits;

  Effect effect() const { return hits.front().area->effect; }
  Verbs verbs() const { return hits.front().area->verbs; }
  static bool has(const Hit& hit, bool list) { return list ? hit.list : hit.plain; }
  bool any(bool except, bool list) const {
    return std::any_of(hits.begin(), hits.end(),
                       [&](const Hit& h) { return h.area->except == except && has(h, list); });
  }
  bool matches(bool list) const { return any(false, list) && !any(true, list); }
  /// Adds its patterns that have the path, each once: what stands from `begin` on is of this rule.
  void add_to(std::vector<Cause>& out, std::size_t begin, bool list) const {
    for (const Hit& h : hits)
      if (!h.area->except && has(h, list) &&
          std::find(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), h.area->cause) == out.end())
        out.push_back(h.area->cause);
  }
};

template <class Each>
void RulesAt::each_rule(const Each& each) const {
  for (std::size_t i = 0; i < hits_.size();) {
    const std::size_t begin = i;
    while (i < hits_.size() && hits_[i].area->cause.rule == hits_[begin].area->cause.rule) ++i;
    each(OfRule{std::span(hits_).subspan(begin, i - begin)});
  }
}

Verbs RulesAt::verbs(bool allow) const {
  Verbs out = 0;
  each_rule([&](const OfRule& rule) {
    if ((rule.effect() == Effect::Allow) != allow) return;
    constexpr auto list = static_cast<Verbs>(Verb::List);
    if (rule.matches(false)) out |= static_cast<Verbs>(rule.verbs() & ~list);
    if (rule.matches(true)) out |= static_cast<Verbs>(rule.verbs() & list);
  });
  return out;
}

Verbs RulesAt::permitted() const { return verbs(true) & static_cast<Verbs>(~refused()); }
Verbs RulesAt::refused() const { return verbs(false); }

bool RulesAt::connects() const {
  bool allowed = false;
  each_rule([&](const OfRule& rule) {
    if (rule.verbs() == 0 && rule.effect() == Effect::Allow) allowed = allowed || rule.matches(false);
  });
  return allowed && !connect_denied();
}

bool RulesAt::connect_denied() const {
  bool denied = false;
  each_rule([&](const OfRule& rule) {
    if (rule.verbs() == 0 && rule.effect() != Effect::Allow) denied = denied || rule.matches(false);
  });
  return denied;
}

std::vector<Cause> RulesAt::allowing() const {
  std::vector<Cause> out;
  each_rule([&](const OfRule& rule) {
    if (rule.effect() != Effect::Allow) return;
    const std::size_t begin = out.size();
    for_each_verb(rule.verbs(), [&](Verb v) {
      if (!rule.any(true, v == Verb::List)) rule.add_to(out, begin, v == Verb::List);
    });
  });
  each_rule([&](const OfRule& rule) {
    if (rule.effect() == Effect::Allow && rule.verbs() == 0 && !rule.any(true, false))
      rule.add_to(out, out.size(), false);
  });
  return out;
}

std::vector<Cause> RulesAt::refusing(Verbs verbs) const {
  std::vector<Cause> out;
  each_rule([&](const OfRule& rule) {
    const std::size_t begin = out.size();
    const auto consider = [&](bool list) {
      if ((rule.effect() == Effect::Allow) == rule.any(true, list)) rule.add_to(out, begin, list);
    };
    for_each_verb(rule.verbs() & verbs, [&](Verb v) { consider(v == Verb::List); });
    if (rule.verbs() == 0 && rule.effect() != Effect::Allow) consider(false);
  });
  return out;
}

}  // namespace agp::backends::containers
