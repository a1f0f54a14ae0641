// Two path patterns -> whether they may have a path in common. Component by component; two components with wildcards
// are taken to meet.
#include "compiler/model/path_automaton.hpp"
#include "compiler/model/path_search.hpp"

namespace agp::model {

bool component_matches(const PathComponent& component, std::string_view name) {
  if (component.any_depth) return false;
  if (!component.literal()) return PathPattern{{component}, ""}.matches("/" + std::string(name));
  const auto& tokens = component.alternatives[0];
  return std::equal(name.begin(), name.end(), tokens.begin(), tokens.end(),
                    [](char c, const PathToken& t) { return c == t.byte; });
}

namespace {

bool components_meet(const PathComponent& a, const PathComponent& b) {
  if (a.literal() && b.literal()) return a.alternatives == b.alternatives;
  if (a.literal()) return component_matches(b, a.literal_text());
  return !b.literal() || component_matches(a, b.literal_text());
}

/// The `*` of `D/*`: for the verb `list` such a pattern includes D.
bool star_at_end(const PathPattern& p, std::size_t i) {
  return i + 1 == p.components.size() && automaton::lists_base(p.components[i]);
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
  if (!found && star_at_end(a, i)) found = meet(a, i + 1, b, j, failed);
  if (!found && star_at_end(b, j)) found = meet(a, i, b, j + 1, failed);
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

}  // namespace agp::model
