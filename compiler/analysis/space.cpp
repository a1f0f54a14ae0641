// Rules -> cells, sort by sort; and what a cell is like. The geometry of each sort stands in model/ (path_cells,
// interval_cells, argument_cells, glob_cells); here it is asked for what the rules say.
#include "compiler/analysis/space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "compiler/model/glob_cells.hpp"

namespace agp::analysis {

using namespace model;

namespace {

/// Equal patterns of several rules: the automaton sees one, and its cells get all.
struct SharedPaths {
  std::vector<const PathPattern*> patterns;
  std::unordered_map<std::string, std::uint32_t> ids;

  std::uint32_t add(const PathPattern& p) {
    const auto [at, fresh] = ids.emplace(p.text, static_cast<std::uint32_t>(patterns.size()));
    if (fresh) patterns.push_back(&p);
    return at->second;
  }
};

std::string_view sort_name(Sort sort) {
  static constexpr std::string_view names[] = {"file", "net", "names", "unix", "syscall", "capability", "env", "tool"};
  return names[static_cast<std::size_t>(sort)];
}

}  // namespace

std::string_view to_string(Sort sort) { return sort_name(sort); }

Space::Space(std::vector<const Rule*> rules, SpaceLimits limits, std::size_t questions)
    : rules_(std::move(rules)), limits_(limits), questions_(questions) {
  number_rules();
  cut_files();
  cut_net();
  cut_unix();
  cut_calls();
  cut_words();
  cut_texts(TextBody::Sort::Env, Sort::Env);
  cut_texts(TextBody::Sort::Tool, Sort::Tool);
}

namespace {

std::vector<const Rule*> rules_of(const Policy& policy) {
  std::vector<const Rule*> out;
  for (const Rule& rule : policy.rules) out.push_back(&rule);
  return out;
}

}  // namespace

Space::Space(const Policy& policy, SpaceLimits limits) : Space(rules_of(policy), std::move(limits)) {}

void Space::number_rules() {
  for (std::uint32_t r = 0; r < rules_.size(); ++r) {
    first_pattern_.push_back(static_cast<std::uint32_t>(patterns_.size()));
    const auto put = [&](std::size_t count, bool except) {
      for (std::uint32_t i = 0; i < count; ++i) patterns_.push_back({r, i, except});
    };
    std::visit(
        [&](const auto& body) {
          using B = std::decay_t<decltype(body)>;
          if constexpr (std::is_same_v<B, NetBody>)
            put(body.endpoints.size(), false);
          else if constexpr (std::is_same_v<B, UnixBody>)
            put(body.paths.size() + (body.abstract ? 1 : 0), false);
          else if constexpr (std::is_same_v<B, CapabilityBody>)
            put(body.names.size(), false);
          else
            put(body.patterns.size(), false);
          if constexpr (!std::is_same_v<B, CapabilityBody>) put(body.except.size(), true);
        },
        rules_[r]->body);
  }
  first_pattern_.push_back(static_cast<std::uint32_t>(patterns_.size()));
}

bool Space::add(Sort sort, std::uint8_t detail, std::uint16_t plane, std::uint32_t index,
                std::span<const std::uint32_t> owners) {
  if (owners_.size() + owners.size() > limits_.work) return false;
  owners_.insert(owners_.end(), owners.begin(), owners.end());
  begin_.push_back(owners_.size());
  shapes_.push_back({sort, detail, plane, index});
  return true;
}

void Space::give_up(Sort sort, std::string why) {
  while (!shapes_.empty() && shapes_.back().sort == sort) {
    shapes_.pop_back();
    begin_.pop_back();
  }
  owners_.resize(begin_.back());
  undecided_.emplace_back(sort, std::move(why));
}

void Space::back_to(const Mark& mark) {
  shapes_.resize(mark.shapes);
  begin_.resize(mark.shapes + 1);
  owners_.resize(mark.owners);
  calls_.resize(mark.calls);
}

bool Space::whole(std::size_t cell) const {
  return shapes_[cell].sort != Sort::Syscall || calls_[shapes_[cell].index].whole;
}

bool Space::decided(Sort sort) const {
  return std::none_of(undecided_.begin(), undecided_.end(), [&](const auto& u) { return u.first == sort; });
}

void Space::cut_files() {
  SharedPaths shared;
  std::vector<std::vector<std::uint32_t>> by_path;
  std::map<Verbs, std::vector<bool>> distinct;
  std::vector<Verbs> verbs_of(patterns_.size());
  for (std::uint32_t p = 0; p < patterns_.size(); ++p) {
    const Rule& rule = *rules_[patterns_[p].rule];
    const auto* body = std::get_if<FileBody>(&rule.body);
    if (!body || rule.expired) continue;
    const auto& list = patterns_[p].except ? body->except : body->patterns;
    const std::uint32_t id = shared.add(list[patterns_[p].pattern].pattern);
    if (id == by_path.size()) by_path.emplace_back();
    by_path[id].push_back(p);
    verbs_of[p] = body->verbs;
    distinct.try_emplace(body->verbs);
  }
  if (shared.patterns.empty()) return;
  auto cut = path_cells(shared.patterns, limits_.states);
  if (!cut) return give_up(Sort::File, fmt::format("the paths need more than {} cells", limits_.states));
  files_ = std::move(*cut);
  // verbs that stand in the same rules behave alike; `list` also differs in what a subtree includes
  std::map<std::vector<bool>, Verbs> alike;
  for (int v = 0; v < 6; ++v) {
    const auto bit = static_cast<Verbs>(1u << v);
    std::vector<bool> key{bit == static_cast<Verbs>(Verb::List)};
    bool used = false;
    for (const auto& [verbs, nothing] : distinct) {
      key.push_back((verbs & bit) != 0);
      used = used || key.back();
    }
    if (used) alike[key] |= bit;
  }
  std::uint16_t plane = 0;
  std::vector<std::uint32_t> owners;
  for (const auto& [key, verbs] : alike) {
    for (std::uint32_t c = 0; c < files_.cells.size(); ++c) {
      const PathCell& cell = files_.cells[c];
      owners.clear();
      for (const std::uint32_t path : verbs == static_cast<Verbs>(Verb::List) ? cell.listed : cell.matched)
        for (const std::uint32_t p : by_path[path])
          if ((verbs_of[p] & verbs) == verbs) owners.push_back(p);
      if (owners.empty()) continue;
      std::sort(owners.begin(), owners.end());
      if (!add(Sort::File, verbs, plane, c, owners))
        return give_up(Sort::File, "too many patterns lie over each other");
    }
    ++plane;
  }
}

void Space::cut_unix() {
  SharedPaths shared;
  std::vector<std::vector<std::uint32_t>> by_path;
  std::vector<std::uint32_t> abstract[2];
  for (std::uint32_t p = 0; p < patterns_.size(); ++p) {
    const Rule& rule = *rules_[patterns_[p].rule];
    const auto* body = std::get_if<UnixBody>(&rule.body);
    if (!body || rule.expired) continue;
    if (!patterns_[p].except && patterns_[p].pattern == body->paths.size()) {
      abstract[static_cast<std::size_t>(body->direction)].push_back(p);
      continue;
    }
    const auto& list = patterns_[p].except ? body->except : body->paths;
    const std::uint32_t id = shared.add(list[patterns_[p].pattern].pattern);
    if (id == by_path.size()) by_path.emplace_back();
    by_path[id].push_back(p);
  }
  for (std::uint8_t d = 0; d < 2; ++d)
    if (!abstract[d].empty()) add(Sort::Unix, d, d, ~0u, abstract[d]);
  if (shared.patterns.empty()) return;
  auto cut = path_cells(shared.patterns, limits_.states);
  if (!cut) return give_up(Sort::Unix, fmt::format("the sockets' paths need more than {} cells", limits_.states));
  unix_ = std::move(*cut);
  std::vector<std::uint32_t> owners;
  for (std::uint8_t d = 0; d < 2; ++d)
    for (std::uint32_t c = 0; c < unix_.cells.size(); ++c) {
      owners.clear();
      for (const std::uint32_t path : unix_.cells[c].matched)
        for (const std::uint32_t p : by_path[path])
          if (std::get<UnixBody>(rules_[patterns_[p].rule]->body).direction == static_cast<Direction>(d))
            owners.push_back(p);
      std::sort(owners.begin(), owners.end());
      if (!owners.empty() && !add(Sort::Unix, d, d, c, owners))
        return give_up(Sort::Unix, "too many patterns lie over each other");
    }
}

void Space::cut_words() {
  std::map<std::string, std::vector<std::uint32_t>> by_name;
  for (std::uint32_t p = 0; p < patterns_.size(); ++p) {
    const Rule& rule = *rules_[patterns_[p].rule];
    const auto* body = std::get_if<CapabilityBody>(&rule.body);
    if (body && !rule.expired) by_name[body->names[patterns_[p].pattern].pattern].push_back(p);
  }
  for (const auto& [name, owners] : by_name) {
    words_.push_back(name);
    add(Sort::Capability, 0, 0, static_cast<std::uint32_t>(words_.size() - 1), owners);
  }
}

void Space::cut_texts(TextBody::Sort which, Sort sort) {
  std::unordered_map<std::string, std::uint32_t> ids;
  std::vector<Glob> globs;
  std::vector<std::vector<std::uint32_t>> by_glob;
  for (std::uint32_t p = 0; p < patterns_.size(); ++p) {
    const Rule& rule = *rules_[patterns_[p].rule];
    const auto* body = std::get_if<TextBody>(&rule.body);
    if (!body || rule.expired || body->sort != which) continue;
    const auto& list = patterns_[p].except ? body->except : body->patterns;
    const std::string& text = list[patterns_[p].pattern].pattern;
    const auto [at, fresh] = ids.emplace(text, static_cast<std::uint32_t>(globs.size()));
    if (fresh) {
      globs.push_back(text_glob(text));
      by_glob.emplace_back();
    }
    by_glob[at->second].push_back(p);
  }
  if (globs.empty()) return;
  const auto cells = glob_cells(globs, limits_.states);
  if (!cells) return give_up(sort, fmt::format("the names need more than {} states", limits_.states));
  std::vector<std::uint32_t> owners;
  for (const GlobCell& cell : *cells) {
    owners.clear();
    for (const std::uint32_t g : cell.globs) owners.insert(owners.end(), by_glob[g].begin(), by_glob[g].end());
    std::sort(owners.begin(), owners.end());
    words_.push_back(cell.witness);
    if (!add(sort, 0, 0, static_cast<std::uint32_t>(words_.size() - 1), owners))
      return give_up(sort, "too many patterns lie over each other");
  }
}

Action Space::witness(std::size_t cell) const {
  const Shape& s = shapes_[cell];
  switch (s.sort) {
    case Sort::File:
      return FileAction{static_cast<Verb>(s.detail & -s.detail), files_.witness(s.index)};
    case Sort::Net:
    case Sort::Name: {
      const NetShape& n = nets_[s.index];
      // an IPv4 address where there is one: easier to read
      Bits128 address = n.addresses.front().first;
      for (const auto& i : n.addresses)
        if (i.last >= Address::mapped_prefix && i.first <= (Address::mapped_prefix | 0xffffffff)) {
          address = std::max(i.first, Address::mapped_prefix);
          break;
        }
      NetAction out{n.direction, n.protocol, {address}, static_cast<std::uint16_t>(n.ports.front().first), {}, {}};
      if (s.sort == Sort::Name) out.name = n.name;
      if (!n.peers.empty()) out.peer = Address{n.peers.front().first};
      return out;
    }
    case Sort::Unix: {
      UnixAction out{static_cast<Direction>(s.detail), {}};
      if (s.index != ~0u) out.path = unix_.witness(s.index);
      return out;
    }
    case Sort::Syscall:
      return SyscallAction{calls_[s.index].name, calls_[s.index].arguments, calls_[s.index].arch};
    case Sort::Capability:
      return CapabilityAction{words_[s.index]};
    case Sort::Env:
      return EnvAction{words_[s.index]};
    case Sort::Tool:
      break;
  }
  return ToolAction{words_[s.index]};
}

std::string Space::witness_text(std::size_t cell) const {
  const Action action = witness(cell);
  const std::string text = model::to_string(action);
  if (shapes_[cell].sort == Sort::File) return verb_words(shapes_[cell].detail) + text.substr(text.find(' '));
  return text;
}

std::string verb_words(Verbs verbs) {
  // opening for reading has no word of its own in the language: `read` says it
  return verbs_text(has(verbs, Verb::Read) ? static_cast<Verbs>(verbs | verbs_read) : verbs);
}

std::optional<Count> Space::count(std::size_t cell) const {
  const Shape& s = shapes_[cell];
  if (s.sort == Sort::Syscall) return calls_[s.index].size;
  if (s.sort == Sort::Capability) return Count(1);
  const NetShape* n = net(cell);
  if (!n) return std::nullopt;
  const auto size = [](const Numbers& numbers) {
    Count sum;
    for (const auto& i : numbers) sum += Count::of(i.last - i.first) + Count(1);
    return sum;
  };
  const Count points = size(n->addresses) * size(n->ports);
  if (n->direction == Direction::Connect) return points;
  return points * (n->peers.empty() ? Count::power_of_two(128) : size(n->peers));
}

Verbs Space::verbs(std::size_t cell) const { return shapes_[cell].detail; }

const Space::NetShape* Space::net(std::size_t cell) const {
  const Shape& s = shapes_[cell];
  return s.sort == Sort::Net || s.sort == Sort::Name ? &nets_[s.index] : nullptr;
}

}  // namespace agp::analysis
