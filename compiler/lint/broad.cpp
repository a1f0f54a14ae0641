// Grants of a whole home or the whole machine. In: the policy's file rules. Out: AGP3023, AGP3034. A grant is broad
// where any entry is permitted right in `/`, in `/home` or `/root`, or in a home: one whose name nobody spells out is.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/lint/finding.hpp"
#include "compiler/lint/paths.hpp"

namespace agp::lint {

using namespace model;
namespace kind = diagnostics::kind;

namespace {

/// What is whole when any entry of this directory is granted, or nothing.
std::string_view whole(std::string_view directory) {
  if (directory == "/") return "the whole machine";
  if (directory == "/home") return "every home";
  if (directory == "/root" || parent_path(directory) == "/home") return "a whole home";
  return {};
}

/// A name that nobody spells out: what matches it, matches any entry.
constexpr std::string_view any_entry = "q7-any-entry";

/// Directories in which any entry may be granted: those that are whole, every home that a rule names, and where mounts
/// show one.
std::set<std::string> directories(const Policy& policy) {
  std::set<std::string> out{"/", "/home", "/root", "/home/" + std::string(any_entry)};
  for (const Mount& m : policy.run.mounts) out.insert(m.target);
  for (const Rule& rule : policy.rules)
    if (const auto* body = std::get_if<FileBody>(&rule.body))
      for (const auto& p : body->patterns)
        if (const auto& c = p.pattern.components;
            c.size() > 1 && c[0].literal() && c[0].literal_text() == "home" && !c[1].any_depth)
          for (const auto& alternative : c[1].alternatives) {
            std::string name;  // one that the alternative matches
            for (const PathToken& t : alternative)
              if (t.kind == PathToken::Kind::Literal)
                name += static_cast<char>(t.byte);
              else
                name += t.kind == PathToken::Kind::AnyRun ? any_entry : "q";
            out.insert("/home/" + name);
          }
  return out;
}

void find(Context& context, const diagnostics::Kind& k, Verb verb, std::string_view word) {
  if (context.off(k)) return;
  const Policy& policy = context.policy;
  std::vector<source::Span> told;
  for (const std::string& directory : directories(policy)) {
    const auto host = host_path(policy, directory);
    if (!host || whole(*host).empty()) continue;
    const std::string entry = (directory == "/" ? "" : directory) + "/" + std::string(any_entry);
    const Mount* mount = mount_of(policy, entry);
    if (mount && (!mount->source || (verb == Verb::Create && !mount->writable))) continue;
    const Verdict verdict = decide(policy, FileAction{verb, entry});
    if (verdict.decision == Decision::Deny) continue;
    for (const std::size_t r : verdict.rules) {
      const Rule& rule = policy.rules[r];
      const auto& patterns = std::get<FileBody>(rule.body).patterns;
      const auto p =
          std::find_if(patterns.begin(), patterns.end(), [&](const auto& one) { return one.pattern.matches(entry); });
      if (p == patterns.end()) continue;
      const Context::Place place = context.place(rule, p->span, p->text);
      if (std::find(told.begin(), told.end(), place.span) != told.end()) continue;
      told.push_back(place.span);
      context
          .report(k, place,
                  fmt::format("`{}` permits {} anything in `{}`: {}", place.text, word,
                              *host == "/home/" + std::string(any_entry) ? "/home/*" : *host, whole(*host)))
          .witnessed(fmt::format("{} \"{}\"", verb == Verb::Create ? "create" : "read", entry))
          .helped("name the directories that the work needs");
    }
  }
}

}  // namespace

void find_broad_files(Context& context) {
  find(context, kind::broad_write, Verb::Create, "writing");
  find(context, kind::broad_read, Verb::Read, "reading");
}

}  // namespace agp::lint
