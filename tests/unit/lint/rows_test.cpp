#include "compiler/lint/rows.hpp"

#include <fmt/format.h>

#include "compiler/lint/finding.hpp"
#include "compiler/lint/guards.hpp"
#include "compiler/lint/suppressions.hpp"
#include "tests/unit/lint/support.hpp"

// The rows: each set is a guard of the library that can be read, each pattern of it is found where it is permitted, and
// including the guard takes every finding away.
namespace agp::lint {
namespace {

using analysis::Sort;
using model::Verb;
using model::Verbs;
namespace kind = diagnostics::kind;

/// The patterns of a row's guard, as rules of a policy: `allow` is put before each.
std::vector<std::string> patterns(const ReachRow& row) {
  std::vector<std::string> out;
  for (const model::Rule& rule : guard(row.guard))
    std::visit(
        [&](const auto& body) {
          using B = std::decay_t<decltype(body)>;
          const auto take = [&](const auto& list) {
            for (const auto& p : list) out.push_back(p.text);
          };
          if constexpr (std::is_same_v<B, model::NetBody>)
            take(body.endpoints);
          else if constexpr (std::is_same_v<B, model::UnixBody>)
            take(body.paths);
          else if constexpr (std::is_same_v<B, model::CapabilityBody>)
            take(body.names);
          else if constexpr (std::is_same_v<B, model::FileBody>) {
            if (row.sort != Sort::File || (body.verbs & row.verbs) == 0) return;
            for (const auto& p : body.patterns)
              out.push_back(model::verbs_text(static_cast<Verbs>(body.verbs & row.verbs)) +
                            p.text.substr(p.text.find(" \"")));
          } else
            take(body.patterns);
        },
        rule.body);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::string policy(const ReachRow& row, const std::string& pattern, bool guarded) {
  std::string_view block = "file";
  std::string text = pattern;
  if (row.sort == Sort::Net || row.sort == Sort::Unix) block = "net";
  if (row.sort == Sort::Syscall) block = "syscall";
  if (row.sort == Sort::Capability) block = "capability";
  if (row.sort == Sort::Env) block = "env";
  for (const std::string_view word : {"env ", "capability ", "syscall "})
    if (text.starts_with(word)) text.erase(0, word.size());
  const std::string_view guards = row.guard;
  const std::string module(std::count(guards.begin(), guards.end(), '.') > 2 ? guards.substr(0, guards.rfind('.'))
                                                                             : guards);
  return fmt::format(
      "agp 1\nuse {}\npolicy p {{\n  isolation {}\n{}  {} {{ allow {} }}\n}}\n", module,
      row.when == ReachRow::When::Process ? "process" : "container",
      guarded ? fmt::format("  include {}{}\n", row.guard, row.rooted ? "(root: \"/any-root\")" : "") : "", block,
      text);
}

/// What the rows alone say: nothing that another lint absorbs.
std::set<const diagnostics::Kind*> reaches(const std::string& text) {
  const sema::Analysed a(text);
  EXPECT_EQ(a.found(), std::vector<std::string>{}) << text;
  if (a.unit.policies.empty()) return {};
  Options options;
  options.today = today;
  Suppressions suppressions(a.files, options);
  Layout layout(a.files);
  Context context(a.files, a.policy(), options, suppressions, layout);
  find_reaches(context);
  std::set<const diagnostics::Kind*> out;
  for (const Finding& f : context.findings) out.insert(f.diagnostic.kind);
  EXPECT_TRUE(context.decided) << text;
  return out;
}

TEST(Rows, TheGuardsAreReadWhole) {
  EXPECT_TRUE(guards_are_sound());
  for (const ReachRow& row : reach_rows()) {
    EXPECT_FALSE(patterns(row).empty()) << row.guard << " denies nothing that " << row.kind->name << " asks about";
    EXPECT_TRUE(diagnostics::is_lint(*row.kind)) << row.guard;
  }
}

TEST(Rows, EachPatternOfAGuardIsFoundAndTheGuardTakesItAway) {
  for (const ReachRow& row : reach_rows()) {
    // what is spelled out wholly within the private ranges is meant
    const bool named = row.when == ReachRow::When::Unnamed;
    for (const std::string& pattern : patterns(row)) {
      const bool literal = pattern.find_first_of("*?") == std::string::npos;
      if (row.when == ReachRow::When::Named && !literal) continue;
      EXPECT_EQ(reaches(policy(row, pattern, false)).contains(row.kind), !named) << row.kind->name << ": " << pattern;
      EXPECT_FALSE(reaches(policy(row, pattern, true)).contains(row.kind)) << row.kind->name << ": " << pattern;
    }
  }
}

TEST(Rows, AreOfNoOtherKind) {
  // every reach in the table has a row, and no kind that is a shape or a chain has one
  const std::set<const diagnostics::Kind*> shapes = {
      &kind::write_and_exec, &kind::broad_write,    &kind::broad_read,
      &kind::sibling_prefix, &kind::exec_denylist,  &kind::secret_and_exit,
      &kind::clone3_unseen,  &kind::memory_program, &kind::writable_search_path};
  for (const ReachRow& row : reach_rows()) EXPECT_FALSE(shapes.contains(row.kind)) << row.kind->name;
}

}  // namespace
}  // namespace agp::lint
