#include "tests/backends/toy/emit/emit.hpp"

#include <map>
#include <set>

#include "tests/backends/toy/format.hpp"

namespace toy {
namespace {

using namespace agp;
using model::PathPattern;

/// Is the pattern one node, or everything beneath one?
bool expressible(const PathPattern& p) { return p.shape() != PathPattern::Shape::Other; }

const model::FileBody* files(const model::Rule& rule) {
  return rule.expired ? nullptr : std::get_if<model::FileBody>(&rule.body);
}

std::string verbs_at(const model::Policy& policy, const std::string& path) {
  std::string out;
  for (const auto& [letter, verb] : format::verbs)
    if (model::decide(policy, model::FileAction{verb, path}).decision == model::Decision::Allow) out += letter;
  return out.empty() ? "-" : out;
}

std::string escaped(const std::string& base) {
  std::string out;
  for (const char c : base) {
    if (c == ' ' || c == '\n' || c == '\\') out += '\\';
    out += c == '\n' ? 'n' : c;
  }
  return out;
}

/// A path beneath `base` that no pattern names: two components, of a name that none of the policy's contains.
std::string beneath(const std::string& base) { return (base == "/" ? "" : base) + "/\x01toy/\x01toy"; }

}  // namespace

backends::Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts) {
  using backends::Holds;
  backends::Capabilities out;
  out.assumptions = {"A1"};
  for (const model::Fact& fact : facts) {
    const bool file = fact.kind == model::Fact::Kind::Pattern && fact.block == "file";
    const auto* body = file ? files(policy.rules[fact.rule]) : nullptr;
    if (!body)
      out.facts.push_back({});
    else if (expressible(body->patterns[fact.pattern].pattern))
      out.facts.push_back({Holds::Exact, "a line of the list of paths", "", ""});
    else if (policy.rules[fact.rule].effect == model::Effect::Allow)
      out.facts.push_back({Holds::Narrower, "the list has no wildcards inside a component", fact.text,
                           "name the directory with `/**`"});
    else
      out.facts.push_back({Holds::Wider, "the list has no wildcards inside a component", fact.text, ""});
  }
  return out;
}

backends::Emitted emit(const model::Policy& policy) {
  std::set<std::string> bases = {"/"};
  std::multimap<std::string, std::string> rules;  // base -> id
  for (const model::Rule& rule : policy.rules) {
    const auto* body = files(rule);
    if (!body) continue;
    const auto add = [&](const PathPattern& p) {
      if (!expressible(p)) return;
      bases.insert(p.base());
      rules.emplace(p.base(), rule.id);
    };
    for (const auto& p : body->patterns) add(p.pattern);
    for (const auto& p : body->except) add(p.pattern);
  }
  if (rules.empty()) return {};
  backends::Emitted out;
  std::string text(format::header);
  text += '\n';
  std::size_t line = 1;
  for (const std::string& base : bases) {
    text += escaped(base) + ' ' + verbs_at(policy, base) + ' ' + verbs_at(policy, beneath(base)) + '\n';
    ++line;
    for (auto [at, end] = rules.equal_range(base); at != end; ++at)
      out.map.push_back({at->second, std::string(format::path), "line " + std::to_string(line)});
  }
  out.artifacts.push_back({std::string(format::path), std::move(text)});
  return out;
}

}  // namespace toy
