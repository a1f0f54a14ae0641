#include "backends/containers/mounts/shaped_rules.hpp"

#include <algorithm>

namespace agp::backends::containers {
namespace {

using model::Effect;
using model::PathPattern;
using model::Verb;
using model::Verbs;

std::vector<Area> areas(const std::vector<model::Placed<PathPattern>>& list, std::size_t rule,
                        const std::vector<Cause>& widened) {
  std::vector<Area> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const PathPattern& p = list[i].pattern;
    const Cause cause{rule, i, Cause::none};
    if (p.shape() != PathPattern::Shape::Other)
      out.push_back({p.shape() == PathPattern::Shape::Subtree, p.base(), cause});
    else if (std::find(widened.begin(), widened.end(), cause) != widened.end())
      out.push_back({true, literal_prefix(p), cause});
  }
  return out;
}

bool any(const std::vector<Area>& list, std::string_view path, bool is_list) {
  return std::any_of(list.begin(), list.end(), [&](const Area& a) { return a.hit(path, is_list); });
}

bool matches(const ShapedRule& rule, std::string_view path, bool is_list) {
  return any(rule.patterns, path, is_list) && !any(rule.except, path, is_list);
}

template <class Each>
void for_each_verb(Verbs verbs, const Each& each) {
  for (int bit = 1; bit < model::verbs_all; bit <<= 1)
    if ((verbs & bit) != 0) each(static_cast<Verb>(bit));
}

void add(std::vector<Cause>& out, const Cause& cause) {
  if (std::find(out.begin(), out.end(), cause) == out.end()) out.push_back(cause);
}

}  // namespace

bool Area::hit(std::string_view path, bool list) const {
  if (!subtree) return path == base;
  return model::is_beneath(path, base) || (list && path == base);
}

std::string literal_prefix(const PathPattern& pattern) {
  std::string out;
  for (const auto& component : pattern.components) {
    if (!component.literal()) break;
    out += '/' + component.literal_text();
  }
  return out.empty() ? "/" : out;
}

ShapedRules::ShapedRules(const model::Policy& policy, const std::vector<Cause>& widened) {
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const model::Rule& rule = policy.rules[i];
    if (rule.expired) continue;
    if (const auto* file = std::get_if<model::FileBody>(&rule.body))
      rules_.push_back({rule.effect, file->verbs, areas(file->patterns, i, widened), areas(file->except, i, {})});
    else if (const auto* unix_rule = std::get_if<model::UnixBody>(&rule.body);
             unix_rule && unix_rule->direction == model::Direction::Connect)
      rules_.push_back({rule.effect, 0, areas(unix_rule->paths, i, {}), areas(unix_rule->except, i, {})});
  }
}

Verbs ShapedRules::verbs(std::string_view path, bool allow) const {
  Verbs out = 0;
  for (const ShapedRule& rule : rules_)
    if ((rule.effect == Effect::Allow) == allow)
      for_each_verb(rule.verbs, [&](Verb v) {
        if (matches(rule, path, v == Verb::List)) out |= static_cast<Verbs>(v);
      });
  return out;
}

Verbs ShapedRules::permitted(std::string_view path) const {
  return verbs(path, true) & static_cast<Verbs>(~refused(path));
}
Verbs ShapedRules::refused(std::string_view path) const { return verbs(path, false); }

bool ShapedRules::connects(std::string_view path) const {
  bool allowed = false;
  for (const ShapedRule& rule : rules_) {
    if (rule.verbs != 0 || !matches(rule, path, false)) continue;
    if (rule.effect != Effect::Allow) return false;
    allowed = true;
  }
  return allowed;
}

bool ShapedRules::connect_denied(std::string_view path) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const ShapedRule& rule) {
    return rule.verbs == 0 && rule.effect != Effect::Allow && matches(rule, path, false);
  });
}

std::vector<Cause> ShapedRules::allowing(std::string_view path) const {
  std::vector<Cause> out = allowing(path, model::verbs_all);
  for (const ShapedRule& rule : rules_) {
    if (rule.verbs != 0 || rule.effect != Effect::Allow || any(rule.except, path, false)) continue;
    for (const Area& a : rule.patterns)
      if (a.hit(path, false)) add(out, a.cause);
  }
  return out;
}

std::vector<Cause> ShapedRules::allowing(std::string_view path, Verbs verbs) const {
  std::vector<Cause> out;
  for (const ShapedRule& rule : rules_) {
    if (rule.effect != Effect::Allow) continue;
    for_each_verb(rule.verbs & verbs, [&](Verb v) {
      const bool list = v == Verb::List;
      if (any(rule.except, path, list)) return;
      for (const Area& a : rule.patterns)
        if (a.hit(path, list)) add(out, a.cause);
    });
  }
  return out;
}

std::vector<Cause> ShapedRules::refusing(std::string_view path, Verbs verbs) const {
  std::vector<Cause> out;
  for (const ShapedRule& rule : rules_) {
    const auto consider = [&](bool list) {
      const bool excepted = any(rule.except, path, list);
      if ((rule.effect == Effect::Allow) != excepted) return;
      for (const Area& a : rule.patterns)
        if (a.hit(path, list)) add(out, a.cause);
    };
    for_each_verb(rule.verbs & verbs, [&](Verb v) { consider(v == Verb::List); });
    if (rule.verbs == 0 && rule.effect != Effect::Allow) consider(false);
  }
  return out;
}

}  // namespace agp::backends::containers
