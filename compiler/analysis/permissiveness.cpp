#include "compiler/analysis/permissiveness.hpp"

#include <algorithm>
#include <set>

// Counts over permitted cells. Paths are without number, so what is counted of them is their shape: where a subtree of
// unnamed entries begins, and how deep.
namespace agp::analysis {

using namespace model;

namespace {

constexpr std::pair<Verb, const char*> verb_names[] = {{Verb::Read, "read"},     {Verb::List, "list"},
                                                       {Verb::Exec, "exec"},     {Verb::Modify, "modify"},
                                                       {Verb::Create, "create"}, {Verb::Delete, "delete"}};

/// One verb: the subtrees by depth, and the nodes outside of them.
void count_paths(const PathCells& files, const std::vector<bool>& permitted, const std::string& verb,
                 Permissiveness& out) {
  std::vector<bool> covered(files.cells.size());
  auto& by_depth = out.subtrees[verb];
  std::uint64_t& nodes = out.nodes[verb];
  for (std::uint32_t c = 0; c < files.cells.size(); ++c) {  // breadth first: a directory comes before its entries
    const PathCell& cell = files.cells[c];
    const bool inside = c != 0 && covered[cell.parent];
    const bool opens =
        std::any_of(cell.unnamed.begin(), cell.unnamed.end(), [&](std::uint32_t u) { return permitted[u]; });
    covered[c] = inside || opens;
    if (opens && !inside) {
      by_depth.resize(std::max<std::size_t>(by_depth.size(), cell.depth + 1));
      ++by_depth[cell.depth];
    }
    if (permitted[c] && !inside) ++nodes;
  }
}

}  // namespace

std::vector<std::uint8_t> decisions(const Space& space, std::size_t first, std::size_t last) {
  std::vector<std::uint8_t> out(space.size());
  for (std::size_t c = 0; c < space.size(); ++c) {
    bool deny = false, ask = false, allow = false;
    space.each_rule(c, [&](std::uint32_t r, bool matches) {
      if (!matches || r < first || r >= last) return;
      const Effect e = space.rule(r).effect;
      (e == Effect::Deny ? deny : e == Effect::Ask ? ask : allow) = true;
    });
    out[c] = deny ? 0 : ask ? 1 : allow ? 2 : 0;
  }
  return out;
}

Permissiveness permissiveness(const Space& space, const std::vector<bool>& permitted) {
  Permissiveness out;
  std::set<std::pair<int, std::string>> calls;
  std::set<std::string> names;
  std::vector<std::vector<bool>> paths(std::size(verb_names), std::vector<bool>(space.files().cells.size()));
  for (std::size_t c = 0; c < space.size(); ++c) {
    if (!permitted[c]) continue;
    switch (space.sort(c)) {
      case Sort::File:
        for (std::size_t v = 0; v < std::size(verb_names); ++v)
          if (has(space.verbs(c), verb_names[v].first)) paths[v][space.path_cell(c)] = true;
        break;
      case Sort::Net:
        (space.net(c)->direction == Direction::Connect ? out.connect : out.listen) += *space.count(c);
        break;
      case Sort::Name:
        names.insert(space.net(c)->name);
        break;
      case Sort::Syscall: {
        const auto action = std::get<SyscallAction>(space.witness(c));
        calls.emplace(static_cast<int>(action.arch), action.name);
        out.arguments += *space.count(c);
        break;
      }
      case Sort::Capability:
        out.capabilities += Count(1);
        break;
      case Sort::Env:
        out.variables += Count(1);
        break;
      case Sort::Tool:
        out.tools += Count(1);
        break;
      case Sort::Unix:
        break;
    }
  }
  out.names = Count(names.size());
  out.calls = Count(calls.size());
  for (std::size_t v = 0; v < std::size(verb_names); ++v)
    count_paths(space.files(), paths[v], verb_names[v].second, out);
  for (const auto& [sort, why] : space.undecided()) out.undecided.push_back(sort);
  return out;
}

Permissiveness permissiveness(const Space& space) {
  const auto all = decisions(space, 0, space.rule_count());
  std::vector<bool> permitted;
  for (const std::uint8_t d : all) permitted.push_back(d != 0);
  return permissiveness(space, permitted);
}

std::vector<CountRow> Permissiveness::rows() const {
  std::vector<CountRow> out = {{"connect", connect},     {"listen", listen},       {"names", names},
                               {"calls", calls},         {"arguments", arguments}, {"capabilities", capabilities},
                               {"variables", variables}, {"tools", tools}};
  for (const auto& [verb, name] : verb_names) {
    const auto count = nodes.find(name);
    out.emplace_back(std::string(name) + " nodes", Count(count == nodes.end() ? 0 : count->second));
    const auto depths = subtrees.find(name);
    if (depths == subtrees.end()) continue;
    for (std::size_t d = 0; d < depths->second.size(); ++d)
      if (depths->second[d] != 0)
        out.emplace_back(std::string(name) + " subtrees at depth " + std::to_string(d), Count(depths->second[d]));
  }
  return out;
}

}  // namespace agp::analysis
