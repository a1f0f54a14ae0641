// Patterns over paths of the host, as the sandbox's mounts show them.
#include "compiler/lint/paths.hpp"

#include <set>

#include "compiler/model/path_search.hpp"

namespace agp::lint {

using namespace model;

void append_component(std::string& out, const PathComponent& component) {
  out += '/';
  if (component.any_depth) {
    out += "**";
    return;
  }
  const bool several = component.alternatives.size() != 1;
  if (several) out += '{';
  for (std::size_t a = 0; a < component.alternatives.size(); ++a) {
    if (a > 0) out += ',';
    for (const PathToken& token : component.alternatives[a]) {
      if (token.kind == PathToken::Kind::AnyRun)
        out += '*';
      else if (token.kind == PathToken::Kind::AnyChar)
        out += '?';
      else {
        if (std::string_view("*?{},\\$").find(token.byte) != std::string_view::npos) out += '\\';
        out += token.byte;
      }
    }
  }
  if (several) out += '}';
}

namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> out;
  for (std::size_t i = 1; i < path.size();) {
    const std::size_t end = std::min(path.find('/', i), path.size());
    out.emplace_back(path.substr(i, end - i));
    i = end + 1;
  }
  return out;
}

PathComponent literal(const std::string& name) {
  PathComponent out;
  out.alternatives.emplace_back();
  for (const char c : name) out.alternatives[0].push_back({PathToken::Kind::Literal, c});
  return out;
}

using Components = std::vector<PathComponent>;

/// What is left of `pattern` behind one directory of this name.
void behind(const Components& pattern, const std::string& name, std::vector<Components>& out) {
  if (pattern.empty()) return;
  const Components rest(pattern.begin() + 1, pattern.end());
  if (!pattern[0].any_depth) {
    if (component_matches(pattern[0], name)) out.push_back(rest);
    return;
  }
  out.push_back(pattern);
  if (rest.empty())
    out.emplace_back();  // the last `**` may be this very node
  else
    behind(rest, name, out);
}

}  // namespace

PathPattern make_pattern(std::vector<PathComponent> components) {
  PathPattern out;
  out.components = std::move(components);
  for (const PathComponent& c : out.components) append_component(out.text, c);
  if (out.text.empty()) out.text = "/";
  return out;
}

std::vector<PathPattern> through_mount(const PathPattern& pattern, std::string_view source, std::string_view target) {
  const std::vector<std::string> names = split(source);
  if (!names.empty() && !pattern.components.empty() && !pattern.components[0].any_depth &&
      !component_matches(pattern.components[0], names[0]))
    return {};  // most patterns part here
  std::vector<Components> left{pattern.components};
  for (const std::string& name : names) {
    std::vector<Components> next;
    for (const Components& one : left) behind(one, name, next);
    left = std::move(next);
  }
  std::vector<PathPattern> out;
  std::set<std::string> seen;
  for (Components& rest : left) {
    Components all;
    for (const std::string& name : split(target)) all.push_back(literal(name));
    all.insert(all.end(), rest.begin(), rest.end());
    PathPattern made = make_pattern(std::move(all));
    if (seen.insert(made.text).second) out.push_back(std::move(made));
  }
  return out;
}

const Mount* mount_of(const Policy& policy, std::string_view path) {
  const Mount* best = nullptr;
  for (const Mount& m : policy.run.mounts)
    if ((m.target == path || is_beneath(path, m.target)) && (!best || m.target.size() >= best->target.size()))
      best = &m;
  return best;
}

std::optional<std::string> host_path(const Policy& policy, std::string_view path) {
  const Mount* mount = mount_of(policy, path);
  if (!mount) return std::string(path);
  if (!mount->source) return std::nullopt;
  const std::string_view rest = path.substr(mount->target == "/" ? 0 : mount->target.size());
  return *mount->source == "/" && !rest.empty() ? std::string(rest) : *mount->source + std::string(rest);
}

}  // namespace agp::lint
