// Grants that are harmless one by one. In: the policy. Out: AGP3017, AGP3119, AGP3176, AGP3184, AGP3295, each with the
// grants that make it as steps, the first few of them shown, and all that a baseline has to know.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/lint/guards.hpp"
#include "compiler/lint/names.hpp"
#include "compiler/lint/network.hpp"

namespace agp::lint {

using namespace model;
using analysis::Sort;
using analysis::Space;
using diagnostics::Severity;
namespace kind = diagnostics::kind;

namespace {

constexpr std::size_t most_shown = 4;

bool add(std::vector<Context::Place>& places, Context::Place place) {
  if (std::find(places.begin(), places.end(), place) != places.end()) return false;
  places.push_back(std::move(place));
  return true;
}

/// What may be written and then executed: dropped and run.
void write_and_exec(Context& context) {
  if (context.off(kind::write_and_exec)) return;
  constexpr Verbs exec = static_cast<Verbs>(Verb::Exec),
                  fill = static_cast<Verbs>(Verb::Modify) | static_cast<Verbs>(Verb::Create);
  Reach& files = context.file_reach();
  struct Cell {
    std::size_t exec = ~std::size_t{0}, write = ~std::size_t{0};
  };
  std::map<std::uint32_t, Cell> cells;
  const Space* where = nullptr;
  files.each_permitted([&](const Space& space, std::size_t c) {
    where = &space;
    if (space.verbs(c) & exec) cells[space.path_cell(c)].exec = c;
    if (space.verbs(c) & fill) cells[space.path_cell(c)].write = c;
  });
  const auto place = [&](const analysis::PatternRef& ref) {
    const Rule& rule = files.rule(ref.rule);
    const auto& p = std::get<FileBody>(rule.body).patterns[ref.pattern];
    return context.place(rule, p.span, p.text);
  };
  struct Found {
    Context::Place run;
    std::string witness;
    std::vector<Context::Place> writes;
  };
  std::vector<Found> found;
  for (const auto& [path, cell] : cells) {
    if (cell.exec == ~std::size_t{0} || cell.write == ~std::size_t{0}) continue;
    const auto runs = files.granting(cell.exec), writes = files.granting(cell.write);
    if (runs.empty() || writes.empty()) continue;
    const Context::Place write = place(writes.front());
    // Of the rules that execute it, the first that nobody accepts: an `agp-allow` is about its own rule.
    Context::Place run;
    const bool open = std::any_of(runs.begin(), runs.end(), [&](const analysis::PatternRef& ref) {
      run = place(ref);
      return !context.suppressed(kind::write_and_exec, run.span, run.statement);
    });
    if (!open) continue;
    auto known = std::find_if(found.begin(), found.end(), [&](const Found& f) { return f.run == run; });
    if (known == found.end())
      known = found.insert(found.end(), {run, std::get<FileAction>(where->witness(cell.exec)).path, {}});
    add(known->writes, write);
  }
  for (const Found& f : found) {
    auto& d = context.report(
        kind::write_and_exec, f.run,
        fmt::format("`{}` permits executing what `{}` permits writing", f.run.text, f.writes.front().text));
    d.witnessed(fmt::format("exec \"{}\"", f.witness));
    for (std::size_t i = 0; i < f.writes.size(); ++i) {
      if (i < most_shown) d.relate(f.writes[i].span, "1. a program is written here");
      d.together_with.push_back({f.writes[i].span, f.writes[i].text});
    }
    d.relate(f.run.span, "2. and executed from here").helped("execute from directories that may not be written");
  }
}

/// Something secret may be read, and something takes it to whoever listens.
void secret_and_exit(Context& context) {
  if (context.off(kind::secret_and_exit)) return;
  Reach net(context, Sort::Net);
  std::vector<Exit> exits = wide_exits(context, net);
  for (const Rule& rule : context.policy.rules) {
    const auto* body = std::get_if<NetBody>(&rule.body);
    if (!body || rule.expired || rule.effect == Effect::Deny || body->direction != Direction::Connect) continue;
    for (const auto& e : body->endpoints)
      if (e.pattern.name && risk_of(*e.pattern.name) != NameRisk::None && risk_of(*e.pattern.name) != NameRisk::Forge)
        exits.push_back({context.place(rule, e.span, e.text), e.text, false});
  }
  if (exits.empty()) return;
  struct Secret {
    Reach::Grant grant;
    bool grave;
  };
  std::vector<Secret> secrets;
  Reach env(context, Sort::Env);
  struct Set {
    std::string_view name;
    Reach* reach;
    bool project, grave;
    std::size_t question = 0;
  };
  Reach& files = context.file_reach();
  Set sets[] = {{"std.guard.credentials.keys", &files, false, true},
                {"std.guard.credentials.browsers", &files, false, true},
                {"std.guard.credentials.services", &files, false, true},
                {"std.guard.credentials.project", &files, true, false},
                {"std.guard.environment.secrets", &env, false, false}};
  for (Set& s : sets) s.question = s.reach->ask(s.name, s.project, static_cast<Verbs>(Verb::Read));
  for (const Set& s : sets) {
    const auto keep = [&](const Rule& rule, std::uint32_t) { return !s.project || rule.module.empty(); };
    for (Reach::Grant& g : s.reach->grants(s.question, kind::secret_and_exit, keep))
      secrets.push_back({std::move(g), s.grave});
  }
  if (secrets.empty()) return;
  std::erase_if(
      exits, [&](const Exit& e) { return context.suppressed(kind::secret_and_exit, e.place.span, e.place.statement); });
  if (exits.empty()) return;
  const Exit& out = exits.front();
  const bool grave = std::any_of(secrets.begin(), secrets.end(), [](const Secret& s) { return s.grave; });
  auto& d = context.report(
      kind::secret_and_exit, out.place,
      fmt::format("what `{}` reads, `{}` can send anywhere", secrets.front().grant.place.text, out.place.text));
  if (!grave) d.severity = Severity::Warning;
  d.witnessed(fmt::format("{} with {}", secrets.front().grant.witness, out.witness));
  std::vector<Context::Place> told;
  for (const Secret& s : secrets) {
    if (!add(told, s.grant.place)) continue;
    d.together_with.push_back({s.grant.place.span, s.grant.place.text});
    if (told.size() <= most_shown)
      d.relate(s.grant.place.span, fmt::format("1. a secret is read here: {}", s.grant.witness));
  }
  d.relate(out.place.span, "2. and leaves here").helped("name the destinations, or deny the secrets by a guard");
  told = {out.place};
  for (const Exit& e : exits) {
    if (!add(told, e.place)) continue;
    d.elsewhere.push_back({e.place.span, e.place.text});
    if (told.size() <= most_shown) d.relate(e.place.span, "or here");
  }
}

const Rule* granting(const Policy& policy, const SyscallAction& action) {
  const Verdict v = decide(policy, action);
  return v.decision == Decision::Deny || v.rules.empty() ? nullptr : &policy.rules[v.rules.front()];
}

Context::Place call_place(const Context& context, const Rule& rule, std::string_view name) {
  for (const auto& p : std::get<SyscallBody>(rule.body).patterns)
    if (p.pattern.name == name) return context.place(rule, p.span, p.text);
  return context.place(rule, rule.span, std::string(name));
}

void calls(Context& context) {
  constexpr std::uint64_t new_user = 0x10000000;  // CLONE_NEWUSER (include/uapi/linux/sched.h)
  const Policy& p = context.policy;
  if (const Rule* clone3 = granting(p, {"clone3", {}, linux::Arch::x86_64});
      clone3 && granting(p, {"clone", {}, linux::Arch::x86_64}) &&
      !granting(p, {"clone", {new_user}, linux::Arch::x86_64})) {
    const Context::Place place = call_place(context, *clone3, "clone3");
    auto& d = context.report(
        kind::clone3_unseen, place,
        fmt::format("`{}` passes by the conditions on `clone`: its flags are behind a pointer", place.text));
    d.witnessed("syscall clone3 with CLONE_NEWUSER").helped("deny clone3 errno ENOSYS");
    if (!place.included && !clone3->implied) context.layout.add_rule(clone3->span, "deny clone3 errno ENOSYS", d);
  }
  const Rule* memory = granting(p, {"memfd_create", {}, linux::Arch::x86_64});
  const Rule* run = granting(p, {"execveat", {}, linux::Arch::x86_64});
  if (memory && run && !memory->implied) {
    const Context::Place place = call_place(context, *memory, "memfd_create");
    const Context::Place second = call_place(context, *run, "execveat");
    auto& d =
        context.report(kind::memory_program, place,
                       fmt::format("`{}` and `{}` together execute bytes that are no file", place.text, second.text));
    d.note("no rule on paths sees them").relate(place.span, "1. bytes are put into memory here");
    if (!run->implied) {
      d.relate(second.span, "2. and executed here");
      d.together_with.push_back({second.span, second.text});
    }
    d.helped("deny execveat");
  }
}

/// The first of the rules that decided whose grant nobody accepts; nothing where each is accepted.
std::optional<Context::Place> open_grant(Context& context, const diagnostics::Kind& kind, const Verdict& verdict,
                                         const std::string& path) {
  for (const std::size_t r : verdict.rules) {
    const Rule& rule = context.policy.rules[r];
    for (const auto& p : std::get<FileBody>(rule.body).patterns) {
      if (!p.pattern.matches(path)) continue;
      const Context::Place place = context.place(rule, p.span, p.text);
      if (!context.suppressed(kind, place.span, place.statement)) return place;
    }
  }
  return std::nullopt;
}

/// Each directory of the command's own `PATH` in which it may put a program.
void search_path(Context& context) {
  const Policy& p = context.policy;
  const auto path = p.env_set.find("PATH");
  if (path == p.env_set.end() || context.off(kind::writable_search_path)) return;
  const std::string& list = path->second;
  std::set<std::string> seen;
  for (std::size_t i = 0; i <= list.size();) {
    const std::size_t end = std::min(list.find(':', i), list.size());
    const std::string directory = list.substr(i, end - i);
    i = end + 1;
    if (!is_canonical_path(directory) || directory == "/" || !seen.insert(directory).second) continue;
    const std::string planted = directory + "/planted";
    const Verdict write = decide(p, FileAction{Verb::Create, planted});
    const Verdict run = decide(p, FileAction{Verb::Exec, planted});
    if (write.decision == Decision::Deny || run.decision == Decision::Deny) continue;
    const auto written = open_grant(context, kind::writable_search_path, write, planted);
    const auto found = open_grant(context, kind::writable_search_path, run, planted);
    if (!written || !found) continue;
    auto& d = context.report(
        kind::writable_search_path, *written,
        fmt::format("`{}` permits writing in `{}`, which is in `PATH`, and what is put there may be executed",
                    written->text, directory));
    d.witnessed(fmt::format("create \"{}\" with exec \"{}\"", planted, planted))
        .relate(written->span, "1. a program is written here")
        .relate(found->span, "2. and found under another's name")
        .helped(fmt::format("leave `{}` out of `PATH`", directory));
    d.together_with.push_back({found->span, fmt::format("{} in {} of PATH", found->text, directory)});
  }
}

}  // namespace

void find_chains(Context& context) {
  write_and_exec(context);
  secret_and_exit(context);
  calls(context);
  search_path(context);
}

}  // namespace agp::lint
