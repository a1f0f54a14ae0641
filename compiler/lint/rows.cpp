// The reaches, a row each. In: a policy. Out: for each row, the places that grant a part of its set.
#include "compiler/lint/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/lint/guards.hpp"
#include "compiler/lint/paths.hpp"
#include "compiler/lint/reach.hpp"
#include "compiler/model/path_search.hpp"

namespace agp::lint {

using namespace model;
using analysis::Sort;
namespace kind = diagnostics::kind;

const std::vector<ReachRow>& reach_rows() {
  using W = ReachRow::When;
  constexpr Verbs write = verbs_write, read = static_cast<Verbs>(Verb::Read), exec = static_cast<Verbs>(Verb::Exec);
  static const std::vector<ReachRow> rows = {
      {&kind::shell_startup_writable, "std.guard.startup.shells", false, Sort::File, write,
       "the next shell or tool outside reads it as commands"},
      {&kind::git_hooks_writable, "std.guard.git.hooks", true, Sort::File, write,
       "git runs hooks outside the sandbox, at the next commit or merge"},
      {&kind::git_config_writable, "std.guard.git.configuration", true, Sort::File, write,
       "git's configuration names programs that the next git command outside runs"},
      {&kind::agent_config_writable, "std.guard.agents.home", false, Sort::File, write,
       "an agent that edits its settings, hooks or tool servers edits its own limits"},
      {&kind::agent_config_writable, "std.guard.agents.project", true, Sort::File, write,
       "an agent that edits its settings, hooks or tool servers edits its own limits"},
      {&kind::editor_config_writable, "std.guard.editors", true, Sort::File, write,
       "an editor runs the tasks that stand there when the project is opened"},
      {&kind::path_directory_writable, "std.guard.exec_paths.programs", false, Sort::File, write,
       "a program planted on people's `PATH` is run outside"},
      {&kind::interpreter_path_writable, "std.guard.exec_paths.libraries", false, Sort::File, write,
       "interpreters and build tools outside load code from there"},
      {&kind::ci_shared_writable, "std.guard.exec_paths.ci", false, Sort::File, write,
       "other jobs and later steps run what stands there"},
      {&kind::autostart_writable, "std.guard.startup.autostart", false, Sort::File, write,
       "a login, a timer or the service manager starts it"},
      {&kind::ssh_access_writable, "std.guard.startup.ssh", false, Sort::File, write,
       "it decides who may log in, and what a connection runs"},
      {&kind::loader_config_writable, "std.guard.startup.loader", false, Sort::File, write,
       "the loader puts it into every program", W::NotImage},
      {&kind::system_writable, "std.guard.system.installed", false, Sort::File, write,
       "the system itself is made of it", W::NotImage},
      {&kind::shared_tmp_writable, "std.guard.system.shared", false, Sort::File, write,
       "everything on the machine shares it", W::NotImage},
      {&kind::log_writable, "std.guard.system.logs", false, Sort::File, write,
       "who is recorded could change the record", W::NotImage},
      {&kind::secret_mount_writable, "std.guard.credentials.services", false, Sort::File, write,
       "who reads the secret next gets what the agent wrote"},
      {&kind::kernel_settings_writable, "std.guard.kernel.control", false, Sort::File, write,
       "it sets the kernel for everybody"},
      {&kind::credentials_readable, "std.guard.credentials.keys", false, Sort::File, read, "it holds keys or tokens"},
      {&kind::browser_profile_readable, "std.guard.credentials.browsers", false, Sort::File, read,
       "cookies are sessions"},
      {&kind::history_readable, "std.guard.credentials.histories", false, Sort::File, read,
       "passwords and tokens are typed there"},
      {&kind::service_credentials_readable, "std.guard.credentials.services", false, Sort::File, read,
       "services and accounts have their secrets there"},
      {&kind::dotenv_readable, "std.guard.credentials.project", true, Sort::File, read,
       "projects keep secrets there by custom"},
      {&kind::kernel_memory_readable, "std.guard.kernel.memory", false, Sort::File, read,
       "it shows memory or layout of the kernel"},
      {&kind::foreign_process_readable, "std.guard.kernel.processes", false, Sort::File, read,
       "without a process namespace these are the host's processes", W::Process},
      {&kind::device_exposed, "std.guard.kernel.devices", false, Sort::File, static_cast<Verbs>(read | write),
       "a large driver, or the hardware itself, is behind it"},
      {&kind::escape_helper, "std.guard.helpers", false, Sort::File, exec,
       "it asks something outside the sandbox to run a command, or builds another view of the machine", W::Named},
      {&kind::metadata_reachable, "std.guard.metadata", false, Sort::Net, 0,
       "whoever may connect there gets the machine's own credentials"},
      {&kind::private_range, "std.guard.private", false, Sort::Net, 0,
       "the inside of the network is reached by a rule that does not name it", W::Unnamed},
      {&kind::any_resolver, "std.guard.dns", false, Sort::Net, 0,
       "data leaves in the names that are asked for, past every rule on connections"},
      {&kind::container_runtime, "std.guard.sockets.runtimes", false, Sort::Unix, 0,
       "a container runtime starts what it is told to, as root, on the host"},
      {&kind::key_agent, "std.guard.sockets.agents", false, Sort::Unix, 0, "it signs and decrypts as the user"},
      {&kind::session_bus, "std.guard.sockets.buses", false, Sort::Unix, 0,
       "what listens there starts programs, or types, outside the sandbox"},
      {&kind::io_uring, "std.guard.calls.io_uring", false, Sort::Syscall, 0,
       "what io_uring does, no filter on system calls sees"},
      {&kind::user_namespaces, "std.guard.calls.user_namespaces", false, Sort::Syscall, 0,
       "inside a user namespace every capability is there, and with it much of the kernel"},
      {&kind::mount_calls, "std.guard.calls.mounts", false, Sort::Syscall, 0, "it rearranges what the sandbox shows"},
      {&kind::process_tracing, "std.guard.calls.tracing", false, Sort::Syscall, 0,
       "it reads and writes other processes, which may have fewer limits"},
      {&kind::bpf_calls, "std.guard.calls.bpf", false, Sort::Syscall, 0,
       "it is where kernel exploits of the last years begin"},
      {&kind::keyring_calls, "std.guard.calls.keyrings", false, Sort::Syscall, 0, "no namespace separates keyrings"},
      {&kind::machine_calls, "std.guard.calls.machine", false, Sort::Syscall, 0, "it controls the whole machine"},
      {&kind::open_by_handle, "std.guard.calls.handles", false, Sort::Syscall, 0,
       "a handle passes by every directory and mount above the file"},
      {&kind::terminal_injection, "std.guard.calls.terminal", false, Sort::Syscall, 0,
       "it types into the terminal that the sandbox was started from"},
      {&kind::exotic_family, "std.guard.calls.families", false, Sort::Syscall, 0,
       "large or old code, or the host, is behind that family"},
      {&kind::sys_admin, "std.guard.capabilities.admin", false, Sort::Capability, 0,
       "it mounts, traces and configures like root"},
      {&kind::dangerous_capability, "std.guard.capabilities.dangerous", false, Sort::Capability, 0,
       "there is a known way from it out of a container, or into other processes"},
      {&kind::secret_variable, "std.guard.environment.secrets", false, Sort::Env, 0,
       "a secret in the environment is a secret in every transcript and core file"},
      {&kind::authority_variable, "std.guard.environment.pointers", false, Sort::Env, 0,
       "it leads to a socket or file with somebody's authority"},
      {&kind::injecting_variable, "std.guard.environment.injection", false, Sort::Env, 0,
       "it names code that programs load or run"},
  };
  return rows;
}

std::vector<std::pair<std::string_view, bool>> guards_in_use() {
  std::vector<std::pair<std::string_view, bool>> out;
  for (const ReachRow& row : reach_rows()) out.emplace_back(row.guard, row.rooted);
  out.emplace_back("std.guard.private.embedded", false);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

namespace {

AddressSet addresses_of(std::string_view name) {
  AddressSet out;
  for (const Rule& rule : guard(name))
    if (const auto* body = std::get_if<NetBody>(&rule.body))
      for (const auto& e : body->endpoints) out = out | e.pattern.addresses;
  return out;
}

Reach::Keep keep(const ReachRow& row) {
  using W = ReachRow::When;
  if (row.when == W::Named)
    return [](const Rule& rule, std::uint32_t pattern) {
      const auto& p = std::get<FileBody>(rule.body).patterns[pattern].pattern;
      return rule.module.empty() && !p.components.empty() && p.components.back().literal();
    };
  if (row.when == W::Unnamed)
    return [inside = addresses_of(row.guard)](const Rule& rule, std::uint32_t pattern) {
      return !(std::get<NetBody>(rule.body).endpoints[pattern].pattern.addresses - inside).empty();
    };
  if (row.kind == &kind::dotenv_readable)  // a runtime is no project, and people's own keys have a lint of their own
    return [](const Rule& rule, std::uint32_t pattern) {
      const auto& one = std::get<FileBody>(rule.body).patterns[pattern].pattern;
      if (!rule.module.empty() || one.shape() != PathPattern::Shape::Node) return rule.module.empty();
      const auto& keys = guard("std.guard.credentials.keys");
      return std::none_of(keys.begin(), keys.end(), [&](const Rule& key) {
        const auto* file = std::get_if<FileBody>(&key.body);
        return file && std::any_of(file->patterns.begin(), file->patterns.end(),
                                   [&](const auto& p) { return p.pattern.matches(one.base()); });
      });
    };
  if (row.kind == &kind::metadata_reachable)  // where a name leads is unbounded-name's question
    return [](const Rule& rule, std::uint32_t pattern) {
      return !std::get<NetBody>(rule.body).endpoints[pattern].pattern.name;
    };
  if (row.kind == &kind::any_resolver) {
    // one private resolver that is spelled out is the author's own; a public one forwards to anybody; and who may reach
    // the whole Internet over HTTPS needs no resolver for that
    return [inside = addresses_of("std.guard.private")](const Rule& rule, std::uint32_t pattern) {
      const EndpointPattern& asked = std::get<NetBody>(rule.body).endpoints[pattern].pattern;
      const bool dns = asked.ports.contains(53) || asked.ports.contains(853) || asked.ports.contains(5353);
      return asked.addresses.size() > 16 ? dns : !(asked.addresses - inside).empty();
    };
  }
  return {};
}

bool concerns(const Policy& policy, const ReachRow& row) {
  using W = ReachRow::When;
  if (row.when == W::Process) return policy.isolation == Isolation::Process;
  if (row.when == W::NotImage) return policy.run.rootfs == "/";
  return true;
}

/// A project's guard wants its directory: that of the grant, where the grant is all beneath one.
std::string advice(const ReachRow& row, const Reach::Grant& grant) {
  const std::string use = fmt::format("`use {}`", module_of(row.guard));
  if (!row.rooted) return fmt::format("{} and `include {}`", use, row.guard);
  const auto* body = std::get_if<FileBody>(&grant.rule->body);
  std::string root;
  if (body && body->patterns[grant.pattern].pattern.shape() == PathPattern::Shape::Subtree)
    root = body->patterns[grant.pattern].pattern.base();
  if (root.empty() || root == "/") return fmt::format("{} and `include {}(root: …)` for each project", use, row.guard);
  return fmt::format("{} and `include {}(root: \"{}\")`", use, row.guard, root);
}

/// Does the set of a project's guard begin with this name?
bool begins_set(const ReachRow& row, const std::string& name) {
  for (const Rule& rule : guard(row.guard))
    if (const auto* body = std::get_if<FileBody>(&rule.body))
      for (const auto& p : body->patterns)
        if (const auto& c = p.pattern.components;
            c.size() > 1 && c[0].any_depth && component_matches(c[1], name))
          return true;
  return false;
}

/// Does the grant permit something of the set that stands in no project, such as `~/.config/git`?
bool beside_projects(const Policy& policy, const ReachRow& row, const Reach::Grant& grant) {
  const PathPattern& granted = std::get<FileBody>(grant.rule->body).patterns[grant.pattern].pattern;
  const Verbs verbs = row.verbs & std::get<FileBody>(grant.rule->body).verbs;
  const auto permitted = [&](const PathPattern& fixed, const Mount* by) {
    if (!may_intersect(granted, fixed)) return false;
    const PathPattern* const both[] = {&granted, &fixed};
    const auto found = find_path(both, [](const std::vector<bool>& in) { return in[0] && in[1]; });
    if (!found.witness || mount_of(policy, *found.witness) != by || (by && !by->writable && (verbs & verbs_write) != 0))
      return false;
    constexpr Verb each[] = {Verb::Read, Verb::List, Verb::Exec, Verb::Modify, Verb::Create, Verb::Delete};
    return std::any_of(std::begin(each), std::end(each), [&](Verb v) {
      return has(verbs, v) && decide(policy, FileAction{v, *found.witness}).decision != Decision::Deny;
    });
  };
  for (const Rule& rule : guard(row.guard)) {
    const auto* body = std::get_if<FileBody>(&rule.body);
    if (!body || (body->verbs & verbs) == 0) continue;
    for (const auto& p : body->patterns) {
      if (!p.pattern.components.empty() && p.pattern.components[0].any_depth) continue;
      if (permitted(p.pattern, nullptr)) return true;
      for (const Mount& m : policy.run.mounts) {
        if (!m.source) continue;
        const auto shown = through_mount(p.pattern, *m.source, m.target);
        if (std::any_of(shown.begin(), shown.end(), [&](const PathPattern& one) { return permitted(one, &m); }))
          return true;
      }
    }
  }
  return false;
}

/// The tree as a whole is granted, and may be no project at all; nothing of the set is spelled out.
bool only_a_tree(const Policy& policy, const ReachRow& row, const Reach::Grant& grant) {
  const auto* body = std::get_if<FileBody>(&grant.rule->body);
  if (!row.rooted || !body) return false;
  const auto& c = body->patterns[grant.pattern].pattern.components;
  if (c.empty() || !c.back().any_depth) return false;
  const auto path = std::string_view(grant.witness).substr(grant.witness.find('"') + 1);
  return path.starts_with('/') &&
         std::none_of(c.begin(), c.end(),
                      [&](const PathComponent& one) {
                        return one.literal() && one.literal_text().starts_with('.') &&
                               begins_set(row, one.literal_text());
                      }) &&
         !beside_projects(policy, row, grant);
}

/// In a hidden directory of a home programs keep what is theirs, and hardly anybody a project.
bool hidden_at_home(const Policy& policy, const Reach::Grant& grant) {
  const auto& pattern = std::get<FileBody>(grant.rule->body).patterns[grant.pattern].pattern;
  std::string tree;
  for (const PathComponent& c : pattern.components) {
    if (c.any_depth) break;
    tree += "/" + (c.literal() ? c.literal_text() : std::string("x"));
  }
  const auto host = host_path(policy, tree);
  if (!host) return false;
  const std::size_t home = host->starts_with("/root/")   ? 5
                           : host->starts_with("/home/") ? host->find('/', 6)
                                                         : host->npos;
  return home != host->npos && host->compare(home, 2, "/.") == 0;
}

/// Is there a sign that people keep a project in this tree? None: it is a directory of its own that is mounted for its
/// data, beneath nobody's home; no rule spells out a hidden name in it; git does not run there.
bool may_be_project(const Policy& policy, const std::string& tree) {
  // no project lies in what a distribution installs or a kernel shows
  static constexpr std::string_view system[] = {"/bin",    "/boot", "/dev", "/etc",  "/lib", "/lib32", "/lib64",
                                                "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr"};
  const auto host = host_path(policy, tree);
  if (host && *host != "/usr/src" && !is_beneath(*host, "/usr/src") && !is_beneath(*host, "/usr/local") &&
      std::any_of(std::begin(system), std::end(system),
                  [&](std::string_view s) { return *host == s || is_beneath(*host, s); }))
    return false;
  const Mount* mount = mount_of(policy, tree);
  if (!mount || !mount->source || mount->target != tree) return true;
  const std::string& source = *mount->source;
  if (source.starts_with("/home/") || source.starts_with("/root/") || source.find("/.") != std::string::npos)
    return true;
  const auto hidden = [&](const auto& p) {
    const auto& c = p.pattern.components;
    std::string at;
    for (std::size_t i = 0; i + 1 < c.size() && c[i].literal() && at.size() < tree.size(); ++i) {
      at += "/" + c[i].literal_text();
      if (at == tree) return c[i + 1].literal() && c[i + 1].literal_text().starts_with('.');
    }
    return false;
  };
  for (const Rule& rule : policy.rules)
    if (const auto* file = std::get_if<FileBody>(&rule.body))
      if (std::any_of(file->patterns.begin(), file->patterns.end(), hidden)) return true;
  const auto runs = [&](std::string_view program) {
    return decide(policy, FileAction{Verb::Exec, std::string(program)}).decision != Decision::Deny;
  };
  const auto& here = policy.run.workdir;
  return here && (*here == tree || is_beneath(*here, tree)) &&
         (runs("/usr/bin/git") || runs("/usr/local/bin/git") || runs("/bin/git"));
}

/// A name that a policy spells out is meant, and told quietly.
bool spelled_out(const Reach::Grant& grant) {
  const auto* body = std::get_if<TextBody>(&grant.rule->body);
  return body && body->patterns[grant.pattern].pattern.find_first_of("*?") == std::string::npos;
}

/// A tree that is granted for its data, and in which nobody has a project.
bool only_data(const Policy& policy, const ReachRow& row, const Reach::Grant& grant) {
  if (!only_a_tree(policy, row, grant)) return false;
  const auto& pattern = std::get<FileBody>(grant.rule->body).patterns[grant.pattern].pattern;
  return pattern.shape() == PathPattern::Shape::Subtree && !may_be_project(policy, pattern.base());
}

/// The root for a project's guard as the rule spells it, with its parameters: `"${workspace}/**"` -> `"${workspace}"`.
std::string root_argument(const Context& context, const Reach::Grant& grant) {
  const std::string_view text = context.files.text(grant.place.span);
  constexpr std::string_view tree = "/**\"";
  if (grant.place.included || !text.starts_with('"') || !text.ends_with(tree) || text.size() <= tree.size() + 1)
    return {};
  return "root: " + std::string(text.substr(0, text.size() - tree.size())) + "\"";
}

/// Including the guard mends what the grant permits by the way. What it permits above all is meant, and a deny beside
/// it would be a contradiction; and a guard is about paths as the host has them.
void offer_guard(Context& context, const ReachRow& row, const Reach::Grant& grant, diagnostics::Diagnostic& d) {
  if (grant.wholly) return;
  std::string argument;
  if (row.rooted) {
    const auto& pattern = std::get<FileBody>(grant.rule->body).patterns[grant.pattern].pattern;
    if (!only_a_tree(context.policy, row, grant) || pattern.shape() != PathPattern::Shape::Subtree) return;
    argument = root_argument(context, grant);
    if (argument.empty()) return;
  } else if (row.sort == Sort::File || row.sort == Sort::Unix) {
    const std::size_t quote = grant.witness.find('"');
    const std::string path = grant.witness.substr(quote + 1, grant.witness.rfind('"') - quote - 1);
    if (quote == std::string::npos || host_path(context.policy, path) != path) return;
  }
  context.layout.include_guard(context.policy, row.guard, argument, d);
}

/// More trees of one policy than these are told once, with their number: what mends them is one thought.
constexpr std::size_t single_trees = 3;

void tell_trees(Context& context, const ReachRow& row, const std::vector<Reach::Grant>& trees) {
  const Reach::Grant& g = trees.front();
  auto& d = context.report(*row.kind, g.place,
                           fmt::format("`{}` permits `{}`, and {} more trees permit the same: {}", g.place.text,
                                       g.witness, trees.size() - 1, row.why));
  d.witnessed(g.witness).helped(advice(row, g));
  for (std::size_t o = 1; o < trees.size(); ++o) {
    d.elsewhere.push_back({trees[o].place.span, trees[o].place.text});
    if (o < 4) d.relate(trees[o].place.span, "so does this one");
  }
}

/// A tree that may be no project is a warning, and an unlikely one a note.
void as_tree(Finding& finding, const Reach::Grant& grant, bool likely) {
  finding.extent = grant.extent;
  finding.diagnostic.severity =
      std::min(finding.diagnostic.severity, likely ? diagnostics::Severity::Warning : diagnostics::Severity::Note);
}

void tell(Context& context, const ReachRow& row, std::vector<Reach::Grant> grants) {
  std::erase_if(grants, [&](const Reach::Grant& g) { return only_data(context.policy, row, g); });
  // what is spelled out, then trees, and the least likely projects last
  std::vector<Reach::Grant> ranked[3];
  for (Reach::Grant& g : grants)
    ranked[!only_a_tree(context.policy, row, g) ? 0
           : hidden_at_home(context.policy, g)  ? 2
                                                : 1]
        .push_back(std::move(g));
  std::vector<Reach::Grant> trees = std::move(ranked[1]);
  const std::size_t likely = trees.size();
  trees.insert(trees.end(), ranked[2].begin(), ranked[2].end());
  if (trees.size() > single_trees) {
    tell_trees(context, row, trees);
    as_tree(context.findings.back(), trees.front(), likely > 0);
    trees.clear();
  }
  grants = std::move(ranked[0]);
  const std::size_t spelled = grants.size();
  grants.insert(grants.end(), trees.begin(), trees.end());
  for (std::size_t i = 0; i < grants.size(); ++i) {
    const Reach::Grant& g = grants[i];
    auto& d =
        context.report(*row.kind, g.place, fmt::format("`{}` permits `{}`: {}", g.place.text, g.witness, row.why));
    d.witnessed(g.witness).helped(advice(row, g));
    offer_guard(context, row, g, d);
    if (row.kind == &kind::secret_variable && spelled_out(g)) d.severity = diagnostics::Severity::Note;
    context.findings.back().extent = g.extent;
    if (i >= spelled) as_tree(context.findings.back(), g, i < spelled + likely);
    for (std::size_t o = 0; o < grants.size() && o < 6; ++o)
      if (o != i) d.relate(grants[o].place.span, "another part is permitted here");
  }
}

}  // namespace

void find_reaches(Context& context) {
  std::map<Sort, Reach> others;
  struct Asked {
    const ReachRow* row;
    Reach* reach;
    std::size_t question;
  };
  std::vector<Asked> asked;
  for (const ReachRow& row : reach_rows()) {
    if (context.off(*row.kind) || !concerns(context.policy, row)) continue;
    Reach& reach =
        row.sort == Sort::File ? context.file_reach() : others.try_emplace(row.sort, context, row.sort).first->second;
    if (reach.idle()) continue;
    asked.push_back({&row, &reach, reach.ask(row.guard, row.rooted, row.verbs ? row.verbs : verbs_all)});
  }
  for (const Asked& a : asked) tell(context, *a.row, a.reach->grants(a.question, *a.row->kind, keep(*a.row)));
}

}  // namespace agp::lint
