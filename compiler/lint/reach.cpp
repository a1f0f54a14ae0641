// A policy's rules and sets asked about -> the places that grant a part of them.
#include "compiler/lint/reach.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "compiler/analysis/cover.hpp"
#include "compiler/lint/guards.hpp"
#include "compiler/lint/paths.hpp"
#include "compiler/model/path_classes.hpp"
#include "compiler/model/path_search.hpp"

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

const std::vector<Placed<PathPattern>>& paths_of(const RuleBody& body) {
  if (const auto* file = std::get_if<FileBody>(&body)) return file->patterns;
  return std::get<UnixBody>(body).paths;
}

/// True: no text matches both, by what they begin or end with. False: perhaps one does.
bool part_ways(std::string_view a, std::string_view b) {
  constexpr std::string_view special = "*?\\";
  if (a.find_first_of(special) == a.npos && b.find_first_of(special) == b.npos) return a != b;
  const auto differ = [&](auto x, auto x_end, auto y, auto y_end) {
    for (;; ++x, ++y) {
      if ((x != x_end && special.find(*x) != special.npos) || (y != y_end && special.find(*y) != special.npos))
        return false;
      if (x == x_end || y == y_end) return x != x_end || y != y_end;
      if (*x != *y) return true;
    }
  };
  return differ(a.begin(), a.end(), b.begin(), b.end()) ||
         (a.find('\\') == a.npos && b.find('\\') == b.npos && differ(a.rbegin(), a.rend(), b.rbegin(), b.rend()));
}

/// A path of what stands behind the `**` of a floating pattern: `/.git/hooks` of `**/.git/hooks/**`. Nothing where a
/// component is not one name.
std::string spelled_behind(const PathPattern& floating) {
  std::string out;
  const auto& c = floating.components;
  for (std::size_t i = 1; i < c.size(); ++i) {
    if (c[i].any_depth && i + 1 == c.size()) return out + "/x";
    if (!c[i].literal()) return {};
    out += '/' + c[i].literal_text();
  }
  return out;
}

bool abstract(const RuleBody& body) {
  const auto* sock = std::get_if<UnixBody>(&body);
  return sock && sock->abstract;
}

}  // namespace

Reach::Reach(Context& context, Sort sort) : context_(context), sort_(sort) {
  bool grants = false;
  for (const Rule& rule : context.policy.rules) {
    if (rule.expired || !of_sort(rule.body, sort)) continue;
    policy_rules_.push_back(&rule);
    if (rule.effect == Effect::Deny) continue;
    grants = true;
    const auto begin = [&](const auto& list) {
      for (const auto& p : list) {
        const std::string directory = literal_directory(p.pattern);
        tops_.insert(directory.substr(0, directory.find('/', 1)));
        granted_.insert(directory);
      }
    };
    if (const auto* file = std::get_if<FileBody>(&rule.body)) begin(file->patterns);
    if (const auto* sock = std::get_if<UnixBody>(&rule.body)) begin(sock->paths);
    if (const auto* text = std::get_if<TextBody>(&rule.body))
      for (const auto& p : text->patterns) granted_.insert(p.pattern);
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
  if (!pattern.components.empty() && pattern.components[0].literal() && !tops_.contains("/") &&
      !tops_.contains("/" + pattern.components[0].literal_text()))
    return false;
  const std::string directory = literal_directory(pattern);
  if (directory == "/") return true;
  for (std::string at = directory; at != "/"; at = parent_path(at))
    if (granted_.contains(at)) return true;
  if (granted_.contains("/")) return true;
  const auto beneath = granted_.lower_bound(directory + "/");
  return beneath != granted_.end() && beneath->starts_with(directory + "/");
}

void Reach::add(Part part) {
  if (sort_ == Sort::File || sort_ == Sort::Unix) {
    auto& patterns = paths_of(part.rule.body);
    std::erase_if(patterns, [&](const auto& p) { return !may_be_granted(p.pattern); });
    if (patterns.empty() && !abstract(part.rule.body)) return;
  }
  if (auto* text = std::get_if<TextBody>(&part.rule.body)) {
    std::erase_if(text->patterns, [&](const auto& p) {
      return std::all_of(granted_.begin(), granted_.end(), [&](const auto& g) { return part_ways(g, p.pattern); });
    });
    if (text->patterns.empty()) return;
  }
  part.rule.effect = Effect::Deny;
  parts_.push_back(std::move(part));
}

/// A set of the host's paths, where no mount hides them and through each that shows them.
void Reach::add_paths(const Rule& rule, std::size_t question, Verbs verbs) {
  Rule empty;  // the rule without its patterns: most of them are about what nothing is granted of
  if (const auto* file = std::get_if<FileBody>(&rule.body))
    empty.body = FileBody{static_cast<Verbs>(file->verbs & verbs), {}, file->except};
  else if (const auto* sock = std::get_if<UnixBody>(&rule.body))
    empty.body = UnixBody{sock->direction, {}, sock->abstract, sock->except};
  if (const auto* file = std::get_if<FileBody>(&empty.body); file && file->verbs == 0) return;
  const auto& patterns = paths_of(rule.body);
  const auto& mounts = context_.policy.run.mounts;
  for (std::size_t m = 0; m < mounts.size(); ++m) {
    if (!mounts[m].source) continue;
    Rule moved = empty;
    for (const auto& p : patterns)
      for (PathPattern& one : through_mount(p.pattern, *mounts[m].source, mounts[m].target))
        paths_of(moved.body).push_back(bare(std::move(one)));
    if (!paths_of(moved.body).empty()) add({std::move(moved), question, static_cast<int>(m), {}, {}});
  }
  for (const auto& p : patterns)
    if (may_be_granted(p.pattern)) paths_of(empty.body).push_back(p);
  add({std::move(empty), question, root, {}, {}});
}

/// The directories that patterns spell out, up to their first `**`, and how they go on from there. What no granting
/// pattern goes on to need not be asked about. Where nothing but whole trees says anything about a set, all of the set
/// that lies there is granted or none of it, and one path of it answers for all.
class Reach::Roots {
 public:
  Roots(const std::vector<const Rule*>& rules, const std::vector<Rule>& markers) {
    const auto all = [&](const Rule& rule, bool grants) {
      const auto& body = std::get<FileBody>(rule.body);
      for (const auto& p : body.patterns) add(p.pattern.components, grants ? body.verbs : 0, false);
      for (const auto& p : body.except) add(p.pattern.components, 0, true);
    };
    for (const Rule* rule : rules) all(*rule, rule->effect != Effect::Deny);
    for (const Rule& marker : markers) all(marker, false);
    for (auto& [text, at] : roots_) {  // a directory comes before what lies in it
      if (at.components.empty()) continue;
      at.above = &roots_.find(std::string_view(text).substr(0, std::max<std::size_t>(text.rfind('/'), 1)))->second;
      at.open |= at.above->open;
      at.tree |= at.above->tree;
      at.excepted = at.excepted || at.above->excepted;
      if (!at.above->globs.empty()) at.open |= at.above->granted;
      at.beside_glob = at.above->beside_glob || at.above->any_glob;
    }
    for (const auto& [text, at] : roots_)
      if (std::all_of(at.components.begin(), at.components.end(), [](const auto& c) { return c.literal(); }))
        by_path_.emplace(literal_directory({at.components, ""}), &at);
  }

  struct Root {
    std::vector<PathComponent> components;
    const Root* above = nullptr;
    Verbs granted = 0;                 ///< by patterns that lead here
    Verbs open = 0;                    ///< by those that may have any name here, by a wildcard here or above
    Verbs tree = 0;                    ///< by those that have everything here
    bool excepted = false;             ///< an exception may have any name here
    bool goes_on = false;              ///< some pattern has a name here
    bool any_glob = false;             ///< or one with a wildcard
    bool beside_glob = false;          ///< such a name may be one of this path's own
    std::set<std::string> names;       ///< with which granting patterns go on
    std::vector<PathComponent> globs;  ///< the same, with wildcards
    std::vector<PathComponent> behind;  ///< what stands behind a `**` here
    bool goes_on_to(const std::string& name) const {
      return names.contains(name) ||
             std::any_of(globs.begin(), globs.end(), [&](const PathComponent& glob) { return component_matches(glob, name); });
    }
    /// May what stands behind the `**` of a pattern meet a granting one here?
    bool may_meet(const PathPattern& floating, Verbs verbs) const {
      const PathComponent* const next = floating.components.size() > 1 ? &floating.components[1] : nullptr;
      return (open & verbs) != 0 || !next || !next->literal() || goes_on_to(next->literal_text());
    }
    /// Trees grant all that anything grants here, and nothing else refuses a path that has these names beneath: it is
    /// permitted like whatever has a name that nobody spells out, or all of it is refused.
    bool only_trees(const std::vector<PathComponent>& path, Verbs verbs) const {
      if (goes_on || any_glob || beside_glob || excepted || (open & verbs & ~tree) != 0) return false;
      const auto named = [&](const PathComponent& c) {
        return std::any_of(path.begin(), path.end(), [&](const auto& n) { return component_matches(c, n.literal_text()); });
      };
      for (const Root* at = this; at; at = at->above)
        if (std::any_of(at->behind.begin(), at->behind.end(), named)) return false;
      return true;
    }
  };

  /// The directory of this path, if patterns spell it out.
  const Root* find(const std::string& path) const {
    const auto at = by_path_.find(path);
    return at == by_path_.end() ? nullptr : at->second;
  }

  /// Calls `visit(root)` for each directory that patterns granting such verbs lead to.
  template <class Visit>
  void each(Verbs verbs, const Visit& visit) const {
    for (const auto& [text, at] : roots_)
      if (at.granted != 0 && ((at.granted | at.open) & verbs) != 0) visit(at);
  }

 private:
  void add(const std::vector<PathComponent>& components, Verbs grants, bool except) {
    std::string text = "/";
    for (std::size_t i = 0; i < components.size(); ++i) {
      const PathComponent& c = components[i];
      auto known = roots_.find(text);
      if (known == roots_.end()) {
        known = roots_.try_emplace(text).first;
        known->second.components.assign(components.begin(), components.begin() + static_cast<std::ptrdiff_t>(i));
      }
      Root& at = known->second;
      at.granted |= grants;
      if (c.any_depth) {
        at.open |= grants;
        if (i + 1 == components.size()) at.tree |= grants;
        at.excepted = at.excepted || except;
        at.behind.insert(at.behind.end(), components.begin() + static_cast<std::ptrdiff_t>(i) + 1, components.end());
        return;
      }
      (c.literal() ? at.goes_on : at.any_glob) = true;
      if (grants != 0 && c.literal()) at.names.insert(c.literal_text());
      if (grants != 0 && !c.literal()) at.globs.push_back(c);
      if (i == 0) text.clear();
      append_component(text, c);
    }
  }

  std::map<std::string, Root, std::less<>> roots_;  ///< by text
  std::unordered_map<std::string, const Root*> by_path_;
};

Reach::~Reach() = default;

void Reach::add_rooted(const Rule& rule, std::size_t question, Verbs verbs) {
  Rule here = rule;
  auto* file = std::get_if<FileBody>(&here.body);
  if (!file || (file->verbs & verbs) == 0) return;
  file->verbs &= verbs;
  if (!roots_) roots_ = std::make_unique<Roots>(policy_rules_, markers_);
  const auto& mounts = context_.policy.run.mounts;
  const auto all = std::move(file->patterns);
  file->patterns.clear();
  const Rule empty = here;
  Rule fixed = empty;  // what does not float is like any path of the host
  std::vector<const PathPattern*> floating;
  std::string beneath;
  for (const auto& p : all) {
    const auto& c = p.pattern.components;
    if (c.empty() || !c[0].any_depth) {
      paths_of(fixed.body).push_back(p);
      continue;
    }
    floating.push_back(&p.pattern);
    if (beneath.empty() && file->except.empty()) beneath = spelled_behind(p.pattern);
  }
  std::vector<PathComponent> path;
  if (!beneath.empty()) path = path_node(beneath).components;
  roots_->each(file->verbs, [&](const Roots::Root& at) {
    if (!path.empty() && at.only_trees(path, file->verbs)) return;  // by the cell of what lies in it: see `cut`
    for (const PathPattern* p : floating) {
      if (!at.may_meet(*p, file->verbs)) continue;
      std::vector<PathComponent> components = at.components;
      components.insert(components.end(), p->components.begin() + 1, p->components.end());
      paths_of(here.body).push_back(bare(make_pattern(std::move(components))));
    }
  });
  for (std::size_t m = 0; m < mounts.size(); ++m) {
    if (!mounts[m].source) continue;
    const std::size_t depth = path_node(mounts[m].target).components.size();
    for (const PathPattern* p : floating) {
      Rule moved = empty;
      auto& into = paths_of(moved.body);
      for (PathPattern& one : through_mount(*p, *mounts[m].source, mounts[m].target))
        if (one.components.size() <= depth || !one.components[depth].any_depth || one.components.size() == depth + 1)
          into.push_back(bare(std::move(one)));
      if (!into.empty()) add({std::move(moved), question, static_cast<int>(m), {}, {}});
    }
  }
  if (!paths_of(fixed.body).empty()) add_paths(fixed, question, verbs);
  if (!file->patterns.empty()) add({std::move(here), question, of_host, {}, {}});
  if (!path.empty()) parts_.push_back({empty, question, of_host, std::move(beneath), std::move(path)});
}

std::size_t Reach::ask(std::string_view name, bool rooted, Verbs verbs) {
  if (idle()) return 0;
  const auto [known, fresh] = questions_.try_emplace({std::string(name), rooted, verbs}, questions_.size());
  const std::size_t question = known->second;
  if (!fresh) return question;
  space_.reset();
  for (const Rule& rule : guard(name)) {
    if (!of_sort(rule.body, sort_)) continue;
    if (rooted)
      add_rooted(rule, question, verbs);
    else if (sort_ == Sort::File || sort_ == Sort::Unix)
      add_paths(rule, question, verbs);
    else
      add({rule, question, root, {}, {}});
  }
  return question;
}

void Reach::cut() {
  if (space_) return;
  std::vector<const Rule*> rules = policy_rules_;
  for (const Rule& marker : markers_) rules.push_back(&marker);
  for (const Part& part : parts_) rules.push_back(&part.rule);
  space_ = std::make_unique<Space>(std::move(rules), context_.options.limits, policy_rules_.size());
  for (const auto& [sort, why] : space_->undecided()) context_.give_up(why);
  const std::size_t first_marker = policy_rules_.size(), first_part = first_marker + markers_.size();
  permitted_.assign(space_->size(), false);
  inside_.assign(questions_.size(), {});
  granted_cells_.reset();
  const auto& mounts = context_.policy.run.mounts;
  std::vector<std::size_t> hits;
  for (std::size_t c = 0; c < space_->size(); ++c) {
    bool deny = false, grant = false;
    int mount = root;
    hits.clear();
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
    add_trees(c, hits);
    for (const std::size_t hit : hits) {
      const Part& part = parts_[hit];
      const bool here = part.mount == mount || (part.mount == of_host &&
                                                (mount == root || mounts[static_cast<std::size_t>(mount)].source));
      auto& cells = inside_[part.question];
      if (here && (cells.empty() || cells.back().cell != c)) cells.push_back({c, hit});
    }
  }
}

/// A cell of entries that nobody names in their directory: where nothing but trees says anything about a set's path in
/// that directory, it is permitted like them.
void Reach::add_trees(std::size_t c, std::vector<std::size_t>& parts) const {
  if (!roots_) return;
  const auto& cells = space_->files().cells;
  const std::uint32_t here = space_->path_cell(c), above = cells[here].parent;
  const auto& unnamed = cells[above].unnamed;
  if (here == above || std::find(unnamed.begin(), unnamed.end(), here) == unnamed.end()) return;
  const Roots::Root* at = roots_->find(space_->files().witness(above));
  if (!at || at->granted == 0) return;
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    if (parts_[p].beneath.empty()) continue;
    const Verbs verbs = std::get<FileBody>(parts_[p].rule.body).verbs;
    if ((at->open & verbs) != 0 && (space_->verbs(c) & verbs) != 0 && at->only_trees(parts_[p].path, verbs)) parts.push_back(p);
  }
}

std::string Reach::witness(const Inside& inside) const {
  const std::string& beneath = parts_[inside.part].beneath;
  if (beneath.empty()) return space_->witness_text(inside.cell);
  // the cell is what lies in a directory: `read, write "/a/x"` -> `write "/a/.git/hooks/x"`
  const Verbs asked = std::get<FileBody>(parts_[inside.part].rule.body).verbs;
  auto action = std::get<FileAction>(space_->witness(inside.cell));
  const std::string directory = parent_path(action.path);
  action.path = (directory == "/" ? "" : directory) + beneath;
  const std::string quoted = to_string(Action{action});
  return analysis::verb_words(space_->verbs(inside.cell) & asked) + quoted.substr(quoted.find(" \""));
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

/// A set's own order says what matters most in it; then the fewer patterns name a cell, the plainer is its witness.
Reach::Rank Reach::rank_of(const Inside& inside) const {
  const auto over = space_->over(inside.cell);
  const auto own = std::find_if(over.begin(), over.end(), [&](std::uint32_t p) {
    return space_->patterns()[p].rule == policy_rules_.size() + markers_.size() + inside.part;
  });
  return {inside.part, own == over.end() ? 0 : space_->patterns()[*own].pattern, over.size()};
}

const Reach::Cells& Reach::granted_cells() {
  if (granted_cells_) return *granted_cells_;
  granted_cells_.emplace();
  for (std::size_t c = 0; c < space_->size(); ++c)
    if (permitted_[c])
      for (const PatternRef& ref : granting(c)) (*granted_cells_)[{ref.rule, ref.pattern}].push_back(c);
  return *granted_cells_;
}

std::vector<Reach::Grant> Reach::grants(std::size_t question, const diagnostics::Kind& kind, const Keep& keep) {
  if (idle() || parts_.empty()) return {};
  cut();
  const std::vector<Inside>& inside = inside_[question];
  std::vector<Grant> places;
  std::vector<std::uint32_t> rules;  // of the places
  std::vector<Rank> ranks;           // of their witnesses
  constexpr std::uint32_t none = ~0u;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> of_pattern;  // its place
  std::map<std::pair<source::FileId, std::uint32_t>, std::vector<std::uint32_t>> known;
  const auto place_of = [&](const PatternRef& ref, const Inside& one) {
    const Rule& rule = *policy_rules_[ref.rule];
    if (rule.implied || (keep && !keep(rule, ref.pattern))) return none;
    const auto [span, text] = placed(rule, ref.pattern);
    Context::Place place = context_.place(rule, span, text);
    auto& same = known[{place.span.file, place.span.begin}];
    const auto at = std::find_if(same.begin(), same.end(), [&](std::uint32_t p) { return places[p].place == place; });
    if (at != same.end()) return *at;
    if (context_.suppressed(kind, place.span, place.statement)) return none;
    same.push_back(static_cast<std::uint32_t>(places.size()));
    places.push_back({std::move(place), witness(one), &rule, ref.pattern, 0, true});
    rules.push_back(ref.rule);
    ranks.push_back(rank_of(one));
    return same.back();
  };
  std::vector<std::vector<std::uint32_t>> lists;
  for (const Inside& one : inside) {
    std::vector<std::uint32_t> here;
    const Rank rank = rank_of(one);
    for (const PatternRef& ref : granting(one.cell)) {
      const auto [at, fresh] = of_pattern.try_emplace({ref.rule, ref.pattern}, none);
      if (fresh) at->second = place_of(ref, one);
      if (at->second == none || (!here.empty() && here.back() == at->second)) continue;
      Grant& grant = places[at->second];
      if (++grant.extent > 1 && rank < ranks[at->second]) {
        grant.witness = witness(one);
        ranks[at->second] = rank;
      }
      here.push_back(at->second);
    }
    std::sort(here.begin(), here.end());
    here.erase(std::unique(here.begin(), here.end()), here.end());
    if (!here.empty()) lists.push_back(std::move(here));
  }
  Verbs asked = 0;
  for (const Part& part : parts_)
    if (const auto* file = std::get_if<FileBody>(&part.rule.body); file && part.question == question)
      asked |= file->verbs;
  // of a cell of which the set has one path alone the rest is beside it
  const auto beside = [&](std::size_t cell) {
    if (sort_ == Sort::File && (space_->verbs(cell) & asked) == 0) return false;
    const auto at = std::lower_bound(inside.begin(), inside.end(), cell,
                                     [](const Inside& one, std::size_t c) { return one.cell < c; });
    return at == inside.end() || at->cell != cell || !parts_[at->part].beneath.empty();
  };
  std::vector<Grant> out;
  for (const std::uint32_t p : analysis::smallest_cover(std::move(lists))) {
    const auto& cells = granted_cells().at({rules[p], places[p].pattern});
    places[p].wholly = std::none_of(cells.begin(), cells.end(), beside);
    out.push_back(std::move(places[p]));
  }
  return out;
}

}  // namespace agp::lint
