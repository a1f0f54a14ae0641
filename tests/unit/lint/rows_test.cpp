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
            for (const auto& p : body.patterns) out.push_back(p.text);
          } else
            take(body.patterns);
        },
        rule.body);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

/// Two policies for each pattern: one that permits it, and one that includes the guard as well.
std::string policies(const ReachRow& row, const std::vector<std::string>& all) {
  std::string_view block = "file";
  if (row.sort == Sort::Net || row.sort == Sort::Unix) block = "net";
  if (row.sort == Sort::Syscall) block = "syscall";
  if (row.sort == Sort::Capability) block = "capability";
  if (row.sort == Sort::Env) block = "env";
  std::string out = fmt::format("agp 1\nuse {}\n", module_of(row.guard));
  for (std::size_t i = 0; i < all.size() * 2; ++i) {
    std::string text = all[i / 2];
    for (const std::string_view word : {"env ", "capability ", "syscall "})
      if (text.starts_with(word)) text.erase(0, word.size());
    out += fmt::format("policy p{} {{ isolation {} ", i, row.when == ReachRow::When::Process ? "process" : "container");
    if (i % 2 == 1) out += fmt::format("include {}{} ", row.guard, row.rooted ? "(root: \"/any-root\")" : "");
    out += fmt::format("{} {{ allow {} }} }}\n", block, text);
  }
  return out;
}

/// For each policy: does the row find something? Nothing is absorbed by another lint.
std::vector<bool> found(const ReachRow& row, const std::string& text) {
  const sema::Analysed a(text);
  EXPECT_EQ(a.found(), std::vector<std::string>{}) << text;
  Options options;
  options.today = today;
  for (const diagnostics::Kind* k : diagnostics::all_kinds())
    if (k != row.kind) options.levels[k->number] = std::nullopt;  // not worth the work
  Suppressions suppressions(a.files, options);
  Layout layout(a.files);
  std::vector<bool> out;
  for (const auto& policy : a.unit.policies) {
    Context context(a.files, policy, options, suppressions, layout);
    find_reaches(context);
    EXPECT_TRUE(context.decided) << policy.name;
    out.push_back(std::any_of(context.findings.begin(), context.findings.end(),
                              [&](const Finding& f) { return f.diagnostic.kind == row.kind; }));
  }
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
    std::vector<std::string> all = patterns(row);
    if (row.when == ReachRow::When::Named)  // a program is meant where its name is spelled out
      std::erase_if(all, [](const std::string& p) { return p.find_first_of("*?") != std::string::npos; });
    const std::vector<bool> has = found(row, policies(row, all));
    ASSERT_EQ(has.size(), all.size() * 2) << row.guard;
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(has[2 * i], !named) << row.kind->name << ": " << all[i];
      EXPECT_FALSE(has[2 * i + 1]) << row.kind->name << ": " << all[i];
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
