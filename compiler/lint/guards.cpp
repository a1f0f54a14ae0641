// The library's guards -> sets to ask about. In: the names of fragments that lints use. Out: their deny rules, without
// places. The guards are read like any module: a policy of its own for each, so that none takes a rule from another.
#include "compiler/lint/guards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/lint/paths.hpp"
#include "compiler/lint/rows.hpp"
#include "compiler/sema/sema.hpp"

namespace agp::lint {

using namespace model;

namespace {

constexpr std::string_view any_root = "any-root";

struct NoFiles final : sema::ModuleSource {
  std::optional<source::FileId> load(source::FileId, std::string_view, source::Span, diagnostics::Sink&) override {
    return std::nullopt;
  }
};

/// `/any-root/x` is `x` in every directory.
void float_root(Placed<PathPattern>& placed) {
  auto& components = placed.pattern.components;
  if (components.empty() || !components[0].literal() || components[0].literal_text() != any_root) return;
  components[0] = PathComponent{true, {}};
  placed.pattern = make_pattern(std::move(components));
}

void strip(Rule& rule) {
  rule.span = {};
  rule.included_by.clear();
  std::visit(
      [](auto& body) {
        using B = std::decay_t<decltype(body)>;
        const auto bare = [](auto& list) {
          for (auto& p : list) p.span = {};
        };
        if constexpr (std::is_same_v<B, NetBody>)
          bare(body.endpoints);
        else if constexpr (std::is_same_v<B, UnixBody>)
          bare(body.paths);
        else if constexpr (std::is_same_v<B, CapabilityBody>)
          bare(body.names);
        else
          bare(body.patterns);
        if constexpr (std::is_same_v<B, FileBody>)
          for (auto& p : body.patterns) float_root(p);
      },
      rule.body);
}

struct Guards {
  std::map<std::string, std::vector<Rule>, std::less<>> by_name;
  bool sound = true;
};

Guards read_guards() {
  std::set<std::string> modules;
  std::string policies;
  const auto fragments = guards_in_use();
  for (std::size_t i = 0; i < fragments.size(); ++i) {
    const auto& [name, rooted] = fragments[i];
    const std::size_t item = name.rfind('.');
    // `std.guard.git.hooks` is the item `hooks` of `std.guard.git`; `std.guard.dns` is the module's own
    modules.insert(std::string(std::count(name.begin(), name.end(), '.') > 2 ? name.substr(0, item) : name));
    // the deny keeps the set of calls that is implied elsewhere away
    policies += fmt::format("policy g{} {{ include {}{} syscall {{ deny reboot }} }}\n", i, name,
                            rooted ? fmt::format("(root: \"/{}\")", any_root) : "");
  }
  std::string text = "agp 1\n";
  for (const std::string& module : modules) text += "use " + module + "\n";
  text += policies;

  source::Files files;
  diagnostics::Sink sink;
  NoFiles none;
  sema::Options options;
  options.archs.assign(std::begin(linux::all_archs), std::end(linux::all_archs));
  const source::FileId root = files.add("guards of the lints", text);
  sema::Unit unit = sema::analyse(files, root, none, options, sink);
  Guards out;
  out.sound = sink.errors() == 0 && unit.policies.size() == fragments.size();
  for (std::size_t i = 0; i < unit.policies.size() && i < fragments.size(); ++i) {
    auto& rules = out.by_name[std::string(fragments[i].first)];
    for (Rule& rule : unit.policies[i].rules) {
      if (rule.included_by.empty() || rule.effect != Effect::Deny) continue;
      strip(rule);
      rules.push_back(std::move(rule));
    }
    out.sound = out.sound && !rules.empty();
  }
  return out;
}

const Guards& guards() {
  static const Guards all = read_guards();
  return all;
}

}  // namespace

const std::vector<Rule>& guard(std::string_view fragment) {
  static const std::vector<Rule> nothing;
  const auto at = guards().by_name.find(fragment);
  return at == guards().by_name.end() ? nothing : at->second;
}

bool guards_are_sound() { return guards().sound; }

}  // namespace agp::lint
