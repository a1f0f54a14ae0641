// Globs -> the sets of them that one text can match. Comes in: token lists. A state of the subset construction is the
// sorted set of places `start[g] + k`: "the first k tokens of glob g are matched"; a run `*` is also passed for
// nothing. Characters that no place of a state names behave alike: one representative stands for them. Breadth first,
// so the first text found for a set is a shortest one.
#include "compiler/model/glob_cells.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "compiler/model/path_automaton.hpp"

namespace agp::model {
namespace {

using Places = std::vector<std::uint32_t>;

struct GlobPlacesHash {
  std::size_t operator()(const Places& set) const {
    std::size_t h = set.size();
    for (const std::uint32_t p : set) h = (h ^ p) * 0x9e3779b97f4a7c15ull + (h >> 29);
    return h;
  }
};

class GlobConstruction {
 public:
  explicit GlobConstruction(std::span<const Glob> globs, std::size_t limit) : limit_(limit) {
    for (std::size_t g = 0; g < globs.size(); ++g) {
      start_.push_back(static_cast<std::uint32_t>(tokens_.size()));
      for (const GlobToken& t : globs[g]) {
        tokens_.push_back({t, static_cast<std::uint32_t>(g), false});
        if (t.kind == GlobToken::Kind::Literal) named_.push_back(t.point);
      }
      tokens_.push_back({{}, static_cast<std::uint32_t>(g), true});
    }
    std::sort(named_.begin(), named_.end());
    // a readable character that no glob names
    const auto named = [&](std::uint32_t c) { return std::binary_search(named_.begin(), named_.end(), c); };
    for (const char c : std::string_view("xyzabcdefghijklmnopqrstuvwXYZABCDEFGHIJKLMNOPQRSTUVW0123456789_-+"))
      if (other_ = static_cast<unsigned char>(c); !named(other_)) return;
    for (other_ = 0x100; named(other_);) ++other_;
  }

  std::optional<std::vector<GlobCell>> run() {
    if (!construct()) return std::nullopt;
    std::vector<GlobCell> out;
    for (auto& [globs, state] : found_) out.push_back({globs, text(state)});
    return out;
  }

  std::optional<std::vector<std::string>> states() {
    if (!construct()) return std::nullopt;
    std::vector<std::string> out;
    for (std::size_t state = 0; state < states_.size(); ++state) out.push_back(text(state));
    return out;
  }

 private:
  bool construct() {
    // not among `seen_`: the empty text is no name, and another text may well lead to the same places
    Places first = start_;
    close(first);
    states_.push_back({std::move(first), 0, 0});
    for (std::size_t at = 0; at < states_.size(); ++at) {
      if (states_.size() > limit_ || work_ > 50 * limit_) return false;
      expand(at);
    }
    return true;
  }

  struct Place {
    GlobToken token;
    std::uint32_t glob;
    bool end;
  };
  struct State {
    Places places;
    std::size_t parent;
    std::uint32_t by;
  };

  void close(Places& set) {
    for (std::size_t i = 0; i < set.size(); ++i) {
      const Place& p = tokens_[set[i]];
      if (!p.end && p.token.kind == GlobToken::Kind::AnyRun) set.push_back(set[i] + 1);
    }
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    work_ += set.size();
  }

  void expand(std::size_t at) {
    const Places from = states_[at].places;
    Places always;
    std::map<std::uint32_t, Places> named;
    for (const std::uint32_t place : from) {
      const Place& p = tokens_[place];
      if (p.end) continue;
      if (p.token.kind == GlobToken::Kind::Literal)
        named[p.token.point].push_back(place + 1);
      else
        always.push_back(p.token.kind == GlobToken::Kind::AnyRun ? place : place + 1);
    }
    if (!always.empty()) {
      Places next = always;
      close(next);
      // the representative must be one that this state does not name; no state does
      visit(std::move(next), at, other_);
    }
    for (auto& [point, places] : named) {
      places.insert(places.end(), always.begin(), always.end());
      close(places);
      visit(std::move(places), at, point);
    }
  }

  void visit(Places places, std::size_t parent, std::uint32_t by) {
    if (!seen_.emplace(places, states_.size()).second) return;
    Places globs;
    for (const std::uint32_t place : places)
      if (tokens_[place].end) globs.push_back(tokens_[place].glob);
    if (!globs.empty()) found_.emplace(std::move(globs), states_.size());
    states_.push_back({std::move(places), parent, by});
  }

  std::string text(std::size_t state) const {
    std::vector<std::uint32_t> back;
    for (; state != 0; state = states_[state].parent) back.push_back(states_[state].by);
    std::string out;
    for (auto c = back.rbegin(); c != back.rend(); ++c) automaton::encode(*c, out);
    return out;
  }

  std::size_t limit_, work_ = 0;
  std::vector<Place> tokens_;
  std::vector<std::uint32_t> start_, named_;
  std::uint32_t other_ = 'x';
  std::vector<State> states_;
  std::unordered_map<Places, std::size_t, GlobPlacesHash> seen_;
  std::map<Places, std::size_t> found_;
};

}  // namespace

Glob text_glob(std::string_view pattern) {
  Glob out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool literal = pattern[i] == '\\' && i + 1 < pattern.size();
    const char c = pattern[literal ? ++i : i];
    const auto byte = static_cast<unsigned char>(c);
    if (!literal && c == '*')
      out.push_back({GlobToken::Kind::AnyRun, 0});
    else if (!literal && c == '?')
      out.push_back({GlobToken::Kind::AnyChar, 0});
    else
      out.push_back({GlobToken::Kind::Literal, byte < 0x80 ? byte : 0x110000u + byte});
  }
  return out;
}

std::optional<std::vector<GlobCell>> glob_cells(std::span<const Glob> globs, std::size_t limit) {
  return GlobConstruction(globs, limit).run();
}

std::optional<std::vector<std::string>> glob_states(std::span<const Glob> globs, std::size_t limit) {
  return GlobConstruction(globs, limit).states();
}

}  // namespace agp::model
