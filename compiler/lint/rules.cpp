// One rule by itself. In: the policy's rules. Out: AGP3053, AGP3070, AGP3154, AGP3193, AGP3290.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/lint/finding.hpp"
#include "compiler/lint/guards.hpp"
#include "compiler/lint/paths.hpp"
#include "compiler/model/path_classes.hpp"

namespace agp::lint {

using namespace model;
namespace kind = diagnostics::kind;

namespace {

/// `/data*` -> `/data`: the last component that ends with the pattern's only wildcard, after a letter or digit.
std::string prefix_of(const PathPattern& p) {
  std::string out;
  for (const PathComponent& c : p.components) {
    if (c.literal()) {
      out += "/" + c.literal_text();
      continue;
    }
    if (c.any_depth || c.alternatives.size() != 1 || c.alternatives[0].size() < 2) return {};
    const auto& tokens = c.alternatives[0];
    std::string name;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      if (tokens[i].kind != PathToken::Kind::Literal) return {};
      name += tokens[i].byte;
    }
    const char last = name.back();
    const bool word = (last >= 'a' && last <= 'z') || (last >= 'A' && last <= 'Z') || (last >= '0' && last <= '9');
    return word && tokens.back().kind == PathToken::Kind::AnyRun ? out + "/" + name : std::string();
  }
  return {};
}

/// What the rules on files are compared with: the paths that the policy spells out, and the trees that may be executed.
class Files {
 public:
  struct Tree {
    const Rule* rule;
    const Placed<PathPattern>* pattern;
    std::size_t order;
  };

  explicit Files(const Policy& policy) {
    for (const Mount& m : policy.run.mounts) named_.insert(m.target);
    for (const Rule& rule : policy.rules) {
      const auto* file = std::get_if<FileBody>(&rule.body);
      if (!file) continue;
      const bool runs = rule.effect != Effect::Deny && !rule.expired && has(file->verbs, Verb::Exec);
      for (const auto& p : file->patterns) {
        const PathPattern::Shape shape = p.pattern.shape();
        if (shape != PathPattern::Shape::Other) named_.insert(p.pattern.base());
        if (runs && shape != PathPattern::Shape::Node)
          trees_[literal_directory(p.pattern)].push_back({&rule, &p, trees_count_++});
      }
    }
  }

  bool named(const std::string& path) const { return named_.contains(path); }

  /// The first tree in the policy that holds the program: all of them begin at a directory above it.
  const Tree* first_tree(const std::string& program) const {
    const Tree* first = nullptr;
    for (std::string at = program;; at = parent_path(at)) {
      if (const auto here = trees_.find(at); here != trees_.end())
        for (const Tree& tree : here->second)
          if ((!first || tree.order < first->order) && tree.pattern->pattern.matches(program)) first = &tree;
      if (at == "/") return first;
    }
  }

 private:
  std::unordered_set<std::string> named_;
  std::unordered_map<std::string, std::vector<Tree>> trees_;  ///< by the directory that they spell out
  std::size_t trees_count_ = 0;
};

void file_rule(Context& context, const Files& files, const Rule& rule, const FileBody& body) {
  if (!rule.module.empty() || rule.effect == Effect::Deny) return;
  for (const auto& p : body.patterns) {
    const std::string path = prefix_of(p.pattern);
    if (path.empty() || !files.named(path)) continue;
    const Context::Place place = context.place(rule, p.span, p.text);
    auto& d = context.report(kind::sibling_prefix, place,
                             fmt::format("`{}` also has siblings of `{}` whose names begin alike", place.text, path));
    d.witnessed(fmt::format("{} \"{}-other\"", verbs_text(body.verbs), path));
    d.helped(fmt::format("write `\"{}/**\"`", path));
    // of `/data*` nobody knows whether `/data` is meant or what lies beneath it
    if (context.files.text(p.span) == fmt::format("\"{}*/**\"", path)) d.edit(p.span, fmt::format("\"{}/**\"", path));
  }
}

/// Programs that the library denies by name as well: they ask something outside to run a command, and a copy without
/// their set-user-id bit, or without what listens for them, can't.
bool helper(const std::string& program) {
  static const std::set<std::string> all = [] {
    std::set<std::string> out;
    for (const Rule& rule : guard("std.guard.helpers"))
      for (const auto& p : std::get<FileBody>(rule.body).patterns)
        if (p.pattern.shape() == PathPattern::Shape::Node) out.insert(p.pattern.base());
    return out;
  }();
  return all.contains(program);
}

/// Programs that are denied by their names beside a tree that may be executed: once for a policy, with their number. A
/// path is a directory and no program where what lies beneath it is denied as well.
void denylist(Context& context, const Files& files) {
  if (context.off(kind::exec_denylist)) return;
  std::vector<std::pair<const Placed<PathPattern>*, const Rule*>> denied;
  std::unordered_set<std::string> directories;
  for (const Rule& rule : context.policy.rules) {
    const auto* body = std::get_if<FileBody>(&rule.body);
    if (!body || rule.expired || rule.effect != Effect::Deny || !has(body->verbs, Verb::Exec)) continue;
    for (const auto& p : body->patterns) {
      const auto shape = p.pattern.shape();
      if (shape == PathPattern::Shape::Subtree) {
        directories.insert(p.pattern.base());
      } else if (shape == PathPattern::Shape::Node && rule.module.empty()) {
        denied.emplace_back(&p, &rule);
      }
    }
  }
  struct Found {
    const Placed<PathPattern>* program;
    const Rule* deny;
    source::Span granted;
  };
  std::vector<Found> found;
  std::set<std::string> programs;
  for (const auto& [p, deny] : denied) {
    const std::string program = p->pattern.base();
    if (directories.contains(program) || helper(program)) continue;
    const Files::Tree* tree = files.first_tree(program);
    if (!tree || context.suppressed(kind::exec_denylist, p->span, deny->span)) continue;
    found.push_back({p, deny, context.place(*tree->rule, tree->pattern->span, tree->pattern->text).span});
    programs.insert(program);
  }
  if (found.empty()) return;
  const std::string first = found.front().program->pattern.base();
  const std::string message =
      programs.size() == 1
          ? fmt::format("`{}` is denied by its name inside a tree that may be executed", first)
          : fmt::format("`{}` and {} more are denied by their names inside a tree that may be executed", first,
                        programs.size() - 1);
  auto& d = context.report(kind::exec_denylist, found.front().program->span, found.front().deny->span, message);
  d.note("a copy, another program that does the same, or an interpreter is not denied");
  d.relate(found.front().granted, "executing is permitted here");
  for (std::size_t i = 1; i < found.size(); ++i) {
    d.elsewhere.push_back({found[i].program->span, found[i].program->pattern.base()});
    if (i < 4) d.relate(found[i].program->span, "so is this one");
  }
  d.helped("allow the programs that are needed instead");
}

/// `deny statx, clone3 errno EPERM`: where the answer stands, if the rule is about nothing but what libraries probe.
std::optional<source::Span> answer_of(Context& context, const Rule& rule, const SyscallBody& body, auto probed) {
  if (body.denial.kind != Denial::Kind::Errno || !std::all_of(body.patterns.begin(), body.patterns.end(), probed))
    return std::nullopt;
  const auto words = context.layout.words(rule.span);
  for (std::size_t w = 0; w + 1 < words.size(); ++w)
    if (context.files.text(words[w]) == "errno") return words[w + 1];
  return std::nullopt;
}

void call_rule(Context& context, const Rule& rule, const SyscallBody& body) {
  constexpr int enosys = 38;
  static constexpr std::string_view names[] = {
      "statx",          "faccessat2",   "openat2",      "clone3",          "fchmodat2",
      "rseq",           "close_range",  "epoll_pwait2", "futex_waitv",     "landlock_create_ruleset",
      "io_uring_setup", "memfd_secret", "pidfd_open",   "copy_file_range", "getrandom"};
  if (rule.effect != Effect::Deny || !rule.module.empty()) return;
  const bool hard =
      body.denial.kind != Denial::Kind::Errno || (body.denial.errno_value != 0 && body.denial.errno_value != enosys);
  if (!hard) return;
  const auto probed = [](const auto& p) {
    return p.pattern.tests.empty() && std::find(std::begin(names), std::end(names), p.pattern.name) != std::end(names);
  };
  for (const auto& p : body.patterns) {
    if (!probed(p)) continue;
    auto& d = context.report(kind::probe_refused_hard, p.span, rule.span,
                             fmt::format("libraries probe for `{}` and fall back on ENOSYS alone", p.pattern.name));
    d.helped(fmt::format("deny {} errno ENOSYS", p.pattern.name));
    if (const auto answer = answer_of(context, rule, body, probed)) d.edit(*answer, "ENOSYS");
  }
}

}  // namespace

void find_rule_shapes(Context& context) {
  const Files files(context.policy);
  denylist(context, files);
  for (const Rule& rule : context.policy.rules) {
    if (rule.expired) continue;
    if (const auto* file = std::get_if<FileBody>(&rule.body)) file_rule(context, files, rule, *file);
    if (const auto* call = std::get_if<SyscallBody>(&rule.body)) call_rule(context, rule, *call);
    if (rule.effect == Effect::Deny) continue;
    if (const auto* local = std::get_if<UnixBody>(&rule.body); local && local->abstract &&
                                                               local->direction == Direction::Connect &&
                                                               context.policy.isolation == Isolation::Process)
      context
          .report(kind::host_abstract_sockets, context.place(rule, rule.span, "connect unix @abstract"),
                  "a process without a network namespace of its own reaches the abstract sockets of the host")
          .helped("isolation container");
    if (const auto* text = std::get_if<TextBody>(&rule.body); text && text->sort == TextBody::Sort::Env)
      for (const auto& p : text->patterns)
        if (p.pattern.find_first_not_of("*?") == std::string::npos) {
          const Context::Place place = context.place(rule, p.span, p.text);
          context
              .report(kind::inherited_environment, place,
                      fmt::format("`{}` passes on whatever the starter has in its environment", place.text))
              .helped("name the variables: `allow \"LANG\", \"LC_*\"`");
        }
  }
}

}  // namespace agp::lint
