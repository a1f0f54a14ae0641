// A policy's rules and sets asked about -> the places that grant a part of them.
#include "compiler/lint/reach.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/analysis/cover.hpp"
#include "compiler/lint/paths.hpp"
#include "compiler/model/path_classes.hpp"

namespace agp::lint {

using namespace model;
using analysis::PatternRef;
using analysis::Sort;
using analysis::Space;

namespace {

bool of_sort(const RuleBody& body, Sort sort) {
  switch (sort) {
    case Sort::File:
      return std::holds_alternative<FileBody>(body);
    case Sort::Net:
    case Sort::Name:
      return std::holds_alternative<NetBody>(body);
    case Sort::Unix:
      return std::holds_alternative<UnixBody>(body);
    case Sort::Syscall:
      return std::holds_alternative<SyscallBody>(body);
    case Sort::Capability:
      return std::holds_alternative<CapabilityBody>(body);
    case Sort::Env:
    case Sort::Tool:
      break;
  }
  const auto* text = std::get_if<TextBody>(&body);
  return text && (text->sort == TextBody::Sort::Env) == (sort == Sort::Env);
}

/// The text of the place of a pattern, and its span.
std::pair<source::Span, std::string> placed(const Rule& rule, std::uint32_t pattern) {
  return std::visit(
      [&](const auto& body) -> std::pair<source::Span, std::string> {
        using B = std::decay_t<decltype(body)>;
        const auto take = [&](const auto& list) {
          return pattern < list.size() ? std::pair{list[pattern].span, list[pattern].text}
                                       : std::pair{rule.span, rule.text};
        };
        if constexpr (std::is_same_v<B, NetBody>)
          return take(body.endpoints);
        else if constexpr (std::is_same_v<B, UnixBody>)
          return take(body.paths);
        else if constexpr (std::is_same_v<B, CapabilityBody>)
          return take(body.names);
        else
          return take(body.patterns);
      },
      rule.body);
}

Placed<PathPattern> bare(PathPattern pattern) { return {std::move(pattern), {}, ""}; }

std::vector<Placed<PathPattern>>& paths_of(RuleBody& body) {
  if (auto* file = std::get_if<FileBody>(&body)) return file->patterns;
  return std::get<UnixBody>(body).paths;
}

bool abstract(const RuleBody& body) {
  const auto* sock = std::get_if<UnixBody>(&body);
  return sock && sock->abstract;
}

}  // namespace

Reach::Reach(Context& context, Sort sort, Verbs verbs) : context_(context), sort_(sort) {
  bool grants = false;
  for (const Rule& rule : context.policy.rules) {
    if (rule.expired || !of_sort(rule.body, sort)) continue;
    if (const auto* file = std::get_if<FileBody>(&rule.body); file && (file->verbs & verbs) == 0) continue;
    policy_rules_.push_back(&rule);
    if (rule.effect == Effect::Deny) continue;
    grants = true;
    const auto begin = [&](const auto& list) {
      for (const auto& p : list) granted_.insert(literal_directory(p.pattern));
    };
    if (const auto* file = std::get_if<FileBody>(&rule.body)) begin(file->patterns);
    if (const auto* sock = std::get_if<UnixBody>(&rule.body)) begin(sock->paths);
  }
  if (!grants) policy_rules_.clear();
  if (policy_rules_.empty() || (sort != Sort::File && sort != Sort::Unix)) return;
  for (std::size_t m = 0; m < context.policy.run.mounts.size(); ++m) {
    const std::string& target = context.policy.run.mounts[m].target;
    std::vector<Placed<PathPattern>> patterns{bare(path_node(target)), bare(path_subtree(target))};
    if (sort == Sort::File) {
      markers_.emplace_back().body = FileBody{verbs_all, std::move(patterns), {}};
      marked_.push_back(static_cast<int>(m));
    } else {
      for (const Direction d : {Direction::Connect, Direction::Listen}) {
        markers_.emplace_back().body = UnixBody{d, patterns, false, {}};
        marked_.push_back(static_cast<int>(m));
      }
    }
  }
}

bool Reach::may_be_granted(const PathPattern& pattern) const {
  const std::string directory = literal_directory(pattern);
  if (directory == "/") return true;
  for (std::string at = directory; at != "/"; at = parent_path(at))
    if (granted_.contains(at)) return true;
  if (granted_.contains("/")) return true;
  const auto beneath = granted_.lower_bound(directory + "/");
  return beneath != granted_.end() && beneath->starts_with(directory + "/");
}

void Reach::add(Rule rule, std::size_t question, int mount) {
  if (sort_ == Sort::File || sort_ == Sort::Unix) {
    auto& patterns = paths_of(rule.body);
    std::erase_if(patterns, [&](const auto& p) { return !may_be_granted(p.pattern); });
    if (patterns.empty() && !abstract(rule.body)) return;
  }
  rule.effect = Effect::Deny;
  parts_.push_back({std::move(rule), question, mount});
}

/// A set of the host's paths, where no mount hides them and through each that shows them.
void Reach::add_paths(const Rule& rule, std::size_t question, Verbs verbs) {
  Rule here = rule;
  if (auto* file = std::get_if<FileBody>(&here.body)) {
    file->verbs &= verbs;
    if (file->verbs == 0) return;
  }
  const auto& mounts = context_.policy.run.mounts;
  for (std::size_t m = 0; m < mounts.size(); ++m) {
    if (!mounts[m].source) continue;
    Rule moved = here;
    auto& patterns = paths_of(moved.body);
    patterns.clear();
    for (const auto& p : paths_of(here.body))
      for (PathPattern& one : through_mount(p.pattern, *mounts[m].source, mounts[m].target))
        patterns.push_back(bare(std::move(one)));
    if (!patterns.empty()) add(std::move(moved), question, static_cast<int>(m));
  }
  add(std::move(here), question, root);
}

std::size_t Reach::ask(const std::vector<Rule>& rules, Verbs verbs) {
  for (const Rule& rule : rules) {
    if (!of_sort(rule.body, sort_)) continue;
    if (sort_ == Sort::File || sort_ == Sort::Unix)
      add_paths(rule, questions_, verbs);
    else
      add(rule, questions_, root);
  }
  return questions_++;
}

namespace {

/// The directories that granting patterns spell out, up to their first `**`, and how they go on from there. What no
/// pattern goes on to need not be asked about.
class Roots {
 public:
  explicit Roots(const std::vector<const Rule*>& rules) {
    for (const Rule* rule : rules)
      if (rule->effect != Effect::Deny)
        for (const auto& p : std::get<FileBody>(rule->body).patterns) add(p.pattern.components);
    for (auto& [text, root] : roots_) {  // a directory comes before what lies in it
      if (root.components.empty()) continue;
      const Root& above =
          roots_.find(std::string_view(text).substr(0, std::max<std::size_t>(text.rfind('/'), 1)))->second;
      root.open = root.open || above.open || !above.globs.empty();
    }
  }

  /// Calls `visit(components)` for each directory beneath which the pattern behind `**` may meet a granting one.
  template <class Visit>
  void each(const PathPattern& floating, const Visit& visit) const {
    const PathComponent* const next = floating.components.size() > 1 ? &floating.components[1] : nullptr;
    for (const auto& [text, root] : roots_)
      if (root.open || !next || !next->literal() || root.goes_on_to(next->literal_text())) visit(root.components);
  }

 private:
  struct Root {
    std::vector<PathComponent> components;
    bool open = false;                 ///< some pattern may have any name here, by a wildcard here or above
    std::set<std::string> names;       ///< with which patterns go on
    std::vector<PathComponent> globs;  ///< the same, with wildcards
    bool goes_on_to(const std::string& name) const {
      return names.contains(name) || std::any_of(globs.begin(), globs.end(), [&](const PathComponent& glob) {
               return PathPattern{{glob}, ""}.matches("/" + name);
             });
    }
  };

  void add(const std::vector<PathComponent>& components) {
    std::vector<PathComponent> prefix;
    for (const PathComponent& c : components) {
      Root& root = roots_.try_emplace(make_pattern(prefix).text, Root{prefix, false, {}, {}}).first->second;
      if (c.any_depth) {
        root.open = true;
        return;
      }
      if (c.literal())
        root.names.insert(c.literal_text());
      else
        root.globs.push_back(c);
      prefix.push_back(c);
    }
  }

  std::map<std::string, Root, std::less<>> roots_;  ///< by text
};

}  // namespace

std::size_t Reach::ask_rooted(const std::vector<Rule>& rules, Verbs verbs) {
  const Roots roots(policy_rules_);
  const auto& mounts = context_.policy.run.mounts;
  for (const Rule& rule : rules) {
    Rule here = rule;
    auto* file = std::get_if<FileBody>(&here.body);
    if (!file || (file->verbs & verbs) == 0) continue;
    file->verbs &= verbs;
    const auto all = std::move(file->patterns);
    file->patterns.clear();
    Rule fixed = here;  // what does not float is like any path of the host
    for (const auto& p : all) {
      const auto& c = p.pattern.components;
      if (c.empty() || !c[0].any_depth) {
        paths_of(fixed.body).push_back(p);
        continue;
      }
      roots.each(p.pattern, [&](std::vector<PathComponent> at) {
        at.insert(at.end(), c.begin() + 1, c.end());
        file->patterns.push_back(bare(make_pattern(std::move(at))));
      });
      for (std::size_t m = 0; m < mounts.size(); ++m) {
        if (!mounts[m].source) continue;
        Rule moved = here;
        auto& into = paths_of(moved.body);
        into.clear();
        const std::size_t depth = path_node(mounts[m].target).components.size();
        for (PathPattern& one : through_mount(p.pattern, *mounts[m].source, mounts[m].target))
          if (one.components.size() <= depth || !one.components[depth].any_depth || one.components.size() == depth + 1)
            into.push_back(bare(std::move(one)));
        if (!into.empty()) add(std::move(moved), questions_, static_cast<int>(m));
      }
    }
    if (!paths_of(fixed.body).empty()) add_paths(fixed, questions_, verbs);
    if (!file->patterns.empty()) add(std::move(here), questions_, of_host);
  }
  return questions_++;
}

void Reach::cut() {
  if (space_) return;
  std::vector<const Rule*> rules = policy_rules_;
  for (const Rule& marker : markers_) rules.push_back(&marker);
  for (const Part& part : parts_) rules.push_back(&part.rule);
  space_ = std::make_unique<Space>(std::move(rules), context_.options.limits, policy_rules_.size());
  for (const auto& [sort, why] : space_->undecided()) context_.give_up(why);
  const std::size_t first_marker = policy_rules_.size(), first_part = first_marker + markers_.size();
  permitted_.resize(space_->size());
  inside_.resize(space_->size());
  const auto& mounts = context_.policy.run.mounts;
  for (std::size_t c = 0; c < space_->size(); ++c) {
    bool deny = false, grant = false;
    int mount = root;
    std::vector<std::size_t> hits;
    space_->each_rule(c, [&](std::uint32_t r, bool matches) {
      if (!matches) return;
      if (r < first_marker) {
        (policy_rules_[r]->effect == Effect::Deny ? deny : grant) = true;
      } else if (r < first_part) {
        const int m = marked_[r - first_marker];
        const auto length = [&](int i) { return mounts[static_cast<std::size_t>(i)].target.size(); };
        if (mount == root || length(m) >= length(mount)) mount = m;
      } else {
        hits.push_back(r - first_part);
      }
    });
    if (!grant || deny) continue;
    if (sort_ == Sort::File && mount != root && !mounts[static_cast<std::size_t>(mount)].writable &&
        (space_->verbs(c) & verbs_write) != 0)
      continue;
    permitted_[c] = true;
    for (const std::size_t hit : hits)
      if (parts_[hit].mount == mount ||
          (parts_[hit].mount == of_host && (mount == root || mounts[static_cast<std::size_t>(mount)].source)))
        inside_[c].push_back(parts_[hit].question);
  }
}

std::vector<PatternRef> Reach::granting(std::size_t cell) const {
  std::vector<PatternRef> out;
  std::vector<std::uint32_t> matching;
  space_->each_rule(cell, [&](std::uint32_t r, bool matches) {
    if (matches && r < policy_rules_.size() && policy_rules_[r]->effect != Effect::Deny) matching.push_back(r);
  });
  for (const std::uint32_t p : space_->over(cell)) {
    const PatternRef& ref = space_->patterns()[p];
    if (!ref.except && std::binary_search(matching.begin(), matching.end(), ref.rule)) out.push_back(ref);
  }
  return out;
}

void Reach::each_permitted(const std::function<void(const Space&, std::size_t)>& visit) {
  if (idle()) return;
  cut();
  for (std::size_t c = 0; c < space_->size(); ++c)
    if (permitted_[c]) visit(*space_, c);
}

std::vector<Reach::Grant> Reach::grants(std::size_t question, const diagnostics::Kind& kind, const Keep& keep) {
  if (idle() || parts_.empty()) return {};
  cut();
  std::vector<Grant> places;
  std::map<std::pair<source::FileId, std::uint32_t>, std::vector<std::uint32_t>> known;
  std::vector<std::vector<std::uint32_t>> lists;
  for (std::size_t c = 0; c < space_->size(); ++c) {
    if (std::find(inside_[c].begin(), inside_[c].end(), question) == inside_[c].end()) continue;
    std::vector<std::uint32_t> here;
    for (const PatternRef& ref : granting(c)) {
      const Rule& rule = *policy_rules_[ref.rule];
      if (rule.implied || (keep && !keep(rule, ref.pattern))) continue;
      const auto [span, text] = placed(rule, ref.pattern);
      Context::Place place = context_.place(rule, span, text);
      auto& same = known[{place.span.file, place.span.begin}];
      auto at = std::find_if(same.begin(), same.end(), [&](std::uint32_t p) { return places[p].place == place; });
      if (at == same.end()) {
        if (context_.suppressed(kind, place.span, place.statement)) continue;
        same.push_back(static_cast<std::uint32_t>(places.size()));
        places.push_back({std::move(place), space_->witness_text(c), &rule, ref.pattern, 0, true});
        at = std::prev(same.end());
      }
      if (!here.empty() && here.back() == *at) continue;
      ++places[*at].extent;
      here.push_back(*at);
    }
    std::sort(here.begin(), here.end());
    here.erase(std::unique(here.begin(), here.end()), here.end());
    if (!here.empty()) lists.push_back(std::move(here));
  }
  std::vector<Grant> out;
  for (const std::uint32_t p : analysis::smallest_cover(std::move(lists))) out.push_back(std::move(places[p]));
  Verbs asked = 0;
  for (const Part& part : parts_)
    if (const auto* file = std::get_if<FileBody>(&part.rule.body); file && part.question == question)
      asked |= file->verbs;
  std::size_t open = out.size();
  for (std::size_t c = 0; c < space_->size() && open > 0; ++c) {
    if (!permitted_[c] || std::find(inside_[c].begin(), inside_[c].end(), question) != inside_[c].end()) continue;
    if (sort_ == Sort::File && (space_->verbs(c) & asked) == 0) continue;
    for (const PatternRef& ref : granting(c))
      for (Grant& grant : out)
        if (grant.wholly && grant.rule == policy_rules_[ref.rule] && grant.pattern == ref.pattern) {
          grant.wholly = false;
          --open;
        }
  }
  return out;
}

}  // namespace agp::lint
