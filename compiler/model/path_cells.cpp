// Path patterns -> cells. A state is the sorted set of places `start[p] + i`: "the first i components of pattern p are
// matched". `**` in the middle is also passed for nothing; at the end it takes one component at least, and stays. From
// a state, each name that some place spells out leads somewhere, and so does each set of globs that a name spelled out
// nowhere can match (glob_cells), the empty set included. Breadth first: the witness of a cell is a shortest path.
#include "compiler/model/path_cells.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>

#include "compiler/model/glob_cells.hpp"
#include "compiler/model/path_automaton.hpp"

namespace agp::model {
namespace {

using Places = std::vector<std::uint32_t>;

struct PlacesHash {
  std::size_t operator()(const Places& set) const {
    std::size_t h = set.size();
    for (const std::uint32_t p : set) h = (h ^ p) * 0x9e3779b97f4a7c15ull + (h >> 29);
    return h;
  }
};

Glob component_glob(const std::vector<PathToken>& tokens) {
  Glob out;
  std::string literal;
  const auto flush = [&] {
    for (const std::uint32_t c : automaton::decode(literal)) out.push_back({GlobToken::Kind::Literal, c});
    literal.clear();
  };
  for (const PathToken& t : tokens) {
    if (t.kind == PathToken::Kind::Literal) {
      literal += t.byte;
      continue;
    }
    flush();
    out.push_back({t.kind == PathToken::Kind::AnyChar ? GlobToken::Kind::AnyChar : GlobToken::Kind::AnyRun, 0});
  }
  flush();
  return out;
}

Glob literal_glob(std::string_view text) {
  Glob out;
  for (const std::uint32_t c : automaton::decode(text)) out.push_back({GlobToken::Kind::Literal, c});
  return out;
}

/// What stands at one place of one pattern.
struct Place {
  std::uint32_t pattern = 0;
  bool end = false, deep = false;           ///< behind the last component; at a `**`
  bool last = false;                        ///< the last component
  bool lists = false;                       ///< the last component, of a kind that lists its directory
  std::vector<std::uint32_t> names, globs;  ///< ids of the literal and of the other alternatives
};

/// A set of globs, and a name that exactly these match and that is none of the names given.
struct NameClass {
  std::vector<std::uint32_t> globs;
  std::string name;
};

class Construction {
 public:
  Construction(std::span<const PathPattern* const> patterns, std::size_t limit) : limit_(limit) {
    for (std::size_t p = 0; p < patterns.size(); ++p) {
      const auto& components = patterns[p]->components;
      start_.push_back(static_cast<std::uint32_t>(places_.size()));
      for (std::size_t i = 0; i < components.size(); ++i) {
        Place place;
        place.pattern = static_cast<std::uint32_t>(p);
        place.deep = components[i].any_depth;
        place.last = i + 1 == components.size();
        place.lists = place.last && automaton::lists_base(components[i]);
        for (const auto& tokens : components[i].alternatives) alternative(tokens, place);
        places_.push_back(std::move(place));
      }
      Place end;
      end.pattern = static_cast<std::uint32_t>(p);
      end.end = true;
      places_.push_back(std::move(end));
    }
  }

  std::optional<PathCells> run() {
    out_.cells.reserve(std::min(places_.size(), limit_));  // about so many, where few patterns meet
    seen_.reserve(out_.cells.capacity());
    Places first = start_;
    close(first);
    visit(std::move(first), 0, "");
    for (std::size_t at = 0; at < out_.cells.size(); ++at) {
      if (failed_ || out_.cells.size() > limit_ || work_ > 50 * limit_) return std::nullopt;
      expand(at);
    }
    return std::move(out_);
  }

 private:
  static std::uint32_t intern(std::unordered_map<std::string, std::uint32_t>& ids, std::vector<std::string>& texts,
                              std::string text) {
    const auto [at, fresh] = ids.emplace(std::move(text), static_cast<std::uint32_t>(texts.size()));
    if (fresh) texts.push_back(at->first);
    return at->second;
  }

  void alternative(const std::vector<PathToken>& tokens, Place& place) {
    std::string key;
    bool literal = true;
    for (const PathToken& t : tokens) {
      literal = literal && t.kind == PathToken::Kind::Literal;
      key += t.kind == PathToken::Kind::Literal ? std::string{t.byte} : t.kind == PathToken::Kind::AnyRun ? "/*" : "/?";
    }
    if (literal) {
      place.names.push_back(intern(name_ids_, names_, std::move(key)));
      return;
    }
    const std::uint32_t id = intern(glob_ids_, glob_keys_, std::move(key));
    if (id == globs_.size()) globs_.push_back(component_glob(tokens));
    place.globs.push_back(id);
  }

  void close(Places& set) {
    for (std::size_t i = 0; i < set.size(); ++i)
      if (places_[set[i]].deep && !places_[set[i]].last) set.push_back(set[i] + 1);
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    work_ += set.size();
  }

  std::uint32_t visit(Places set, std::size_t parent, const std::string& component) {
    const auto [known, fresh] = seen_.emplace(std::move(set), static_cast<std::uint32_t>(out_.cells.size()));
    if (!fresh) return known->second;
    PathCell cell;
    cell.parent = static_cast<std::uint32_t>(parent);
    cell.component = component;
    cell.depth = out_.cells.empty() ? 0 : out_.cells[parent].depth + 1;
    for (const std::uint32_t at : known->first) {
      const Place& place = places_[at];
      if (place.end) cell.matched.push_back(place.pattern);
      if (place.end || place.lists) cell.listed.push_back(place.pattern);
    }
    // places are ascending by pattern: only a pattern's own two places can repeat it
    cell.listed.erase(std::unique(cell.listed.begin(), cell.listed.end()), cell.listed.end());
    out_.cells.push_back(std::move(cell));
    states_.push_back(&known->first);
    return known->second;
  }

  /// Places by the name or glob that leads to them.
  using Steps = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
  /// Calls `visit(id, places)` for each name or glob.
  template <class Visit>
  static void each(const Steps& sorted, const Visit& visit) {
    for (std::size_t i = 0; i < sorted.size();) {
      const std::uint32_t id = sorted[i].first;
      Places places;
      for (; i < sorted.size() && sorted[i].first == id; ++i) places.push_back(sorted[i].second);
      visit(id, places);
    }
  }

  void expand(std::size_t at) {
    const Places& from = *states_[at];
    Places always;
    Steps named, globbed;
    for (const std::uint32_t i : from) {
      const Place& place = places_[i];
      if (place.end) continue;
      if (place.deep) {
        always.push_back(i);
        if (place.last) always.push_back(i + 1);
      }
      for (const std::uint32_t n : place.names) named.emplace_back(n, i + 1);
      for (const std::uint32_t g : place.globs) globbed.emplace_back(g, i + 1);
    }
    if (always.empty() && named.empty() && globbed.empty()) return;
    std::sort(named.begin(), named.end());
    std::sort(globbed.begin(), globbed.end());
    // first, so that a cell that both lead to has a name that nobody spells out for its witness
    for (const NameClass& unnamed : classes(named, globbed)) {
      Places next = always;
      each(globbed, [&](std::uint32_t glob, const Places& more) {
        if (std::binary_search(unnamed.globs.begin(), unnamed.globs.end(), glob))
          next.insert(next.end(), more.begin(), more.end());
      });
      if (next.empty()) continue;  // no pattern goes on there
      close(next);
      const std::uint32_t to = visit(std::move(next), at, unnamed.name);
      out_.cells[at].unnamed.push_back(to);
    }
    each(named, [&](std::uint32_t name, Places& places) {
      places.insert(places.end(), always.begin(), always.end());
      each(globbed, [&](std::uint32_t glob, const Places& more) {
        if (matches(glob, name)) places.insert(places.end(), more.begin(), more.end());
      });
      close(places);
      visit(std::move(places), at, names_[name]);
    });
  }

  bool matches(std::uint32_t glob, std::uint32_t name) {
    const auto [at, fresh] = matched_.emplace(std::uint64_t{glob} << 32 | name, false);
    if (fresh) {
      const Glob both[] = {globs_[glob], literal_glob(names_[name])};
      const auto cells = glob_cells(both);
      at->second =
          cells && std::any_of(cells->begin(), cells->end(), [](const auto& c) { return c.globs.size() == 2; });
    }
    return at->second;
  }

  /// The sets of globs that a name outside `named` can match. Without globs: the empty set alone.
  std::vector<NameClass> classes(const Steps& named, const Steps& globbed) {
    const auto taken = [&](const std::string& name) {
      const auto id = name_ids_.find(name);
      if (name == "." || name == "..") return true;
      if (id == name_ids_.end()) return false;
      const auto step = std::lower_bound(named.begin(), named.end(), std::pair{id->second, 0u});
      return step != named.end() && step->first == id->second;
    };
    std::vector<std::uint32_t> ids;
    for (const auto& [glob, place] : globbed)
      if (ids.empty() || ids.back() != glob) ids.push_back(glob);
    auto [cached, fresh] = classes_.try_emplace(ids);
    if (fresh) cached->second = all_classes(ids, {});
    const bool clash =
        std::any_of(cached->second.begin(), cached->second.end(), [&](const NameClass& c) { return taken(c.name); });
    if (!clash) return cached->second;
    // some witness is a name of its own here: let the names take part
    std::vector<std::string> avoid = {".", ".."};
    for (std::size_t i = 0; i < named.size(); ++i)
      if (i == 0 || named[i].first != named[i - 1].first) avoid.push_back(names_[named[i].first]);
    return all_classes(ids, avoid);
  }

  std::vector<NameClass> all_classes(const std::vector<std::uint32_t>& ids, const std::vector<std::string>& avoid) {
    std::vector<Glob> globs;
    for (const std::uint32_t id : ids) globs.push_back(globs_[id]);
    const std::size_t own = globs.size();
    globs.push_back({{GlobToken::Kind::AnyRun, 0}});  // so that the empty set is found too
    for (const std::string& name : avoid) globs.push_back(literal_glob(name));
    const auto cells = glob_cells(globs, limit_);
    std::vector<NameClass> out;
    if (!cells) failed_ = true;
    if (!cells) return out;
    for (const GlobCell& cell : *cells) {
      if (cell.globs.back() > own) continue;  // one of the names to avoid
      NameClass found;
      for (const std::uint32_t g : cell.globs)
        if (g < own) found.globs.push_back(ids[g]);
      found.name = cell.witness;
      out.push_back(std::move(found));
    }
    return out;
  }

  std::size_t limit_, work_ = 0;
  bool failed_ = false;
  std::vector<Place> places_;
  Places start_;
  std::unordered_map<std::string, std::uint32_t> name_ids_, glob_ids_;
  std::vector<std::string> names_, glob_keys_;
  std::vector<Glob> globs_;
  std::unordered_map<std::uint64_t, bool> matched_;
  std::map<std::vector<std::uint32_t>, std::vector<NameClass>> classes_;
  std::unordered_map<Places, std::uint32_t, PlacesHash> seen_;
  std::vector<const Places*> states_;  // keys of seen_: its nodes stay where they are
  PathCells out_;
};

}  // namespace

std::string PathCells::witness(std::size_t cell) const {
  std::vector<const std::string*> back;
  for (; cell != 0; cell = cells[cell].parent) back.push_back(&cells[cell].component);
  std::string out;
  for (auto c = back.rbegin(); c != back.rend(); ++c) out += '/' + **c;
  return out.empty() ? "/" : out;
}

std::optional<PathCells> path_cells(std::span<const PathPattern* const> patterns, std::size_t limit) {
  return Construction(patterns, limit).run();
}

}  // namespace agp::model
