#include "compiler/cli/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>

#include "backends/backend.hpp"
#include "compiler/cli/new.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/plan/plan.hpp"

namespace agp::cli {
namespace {

using diagnostics::Severity;

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// A duration as the language writes it, and `ms`: milliseconds, at least one.
std::optional<std::uint64_t> milliseconds(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto value = number(text.substr(0, digits));
  text.remove_prefix(digits);
  if (text.starts_with(' ')) text.remove_prefix(1);
  constexpr std::pair<std::string_view, std::uint64_t> units[] = {
      {"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  for (const auto& [unit, factor] : units)
    if (unit == text && value && *value > 0 && *value <= 1'000'000'000) return *value * factor;
  return std::nullopt;
}

std::optional<model::Day> day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = number(text.substr(0, 4)), month = number(text.substr(5, 2)), date = number(text.substr(8, 2));
  if (!year || !month || !date) return std::nullopt;
  const std::chrono::year_month_day ymd{std::chrono::year(static_cast<int>(*year)),
                                        std::chrono::month(static_cast<unsigned>(*month)),
                                        std::chrono::day(static_cast<unsigned>(*date))};
  if (!ymd.ok()) return std::nullopt;
  return static_cast<model::Day>(std::chrono::sys_days(ymd).time_since_epoch().count());
}

using Words = std::vector<std::string>;

Words formats() { return {"text", "concise", "json", "sarif", "github", "markdown", "junit"}; }
Words report_formats() {
  Words out = formats();
  for (std::string& word : out) word += '=';
  return out;
}
Words colors() { return {"auto", "always", "never"}; }
Words levels() { return {"error", "warning", "note", "never"}; }
Words second_solvers() { return {"cvc5"}; }
Words decisions() { return {"allow", "ask", "deny"}; }
Words backend_names() {
  Words out;
  for (const backends::Backend* backend : backends::all()) out.emplace_back(backend->name());
  return out;
}
Words target_names() {
  Words out;
  for (const model::Target& target : plan::builtin_targets()) out.push_back(target.name);
  return out;
}

Words arch_names() {
  Words out;
  for (const auto arch : linux::all_archs) out.emplace_back(linux::to_string(arch));
  return out;
}

/// "it is auto, always or never".
std::string it_is(const Words& words) {
  return fmt::format("it is {} or {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

std::string set_parameter(Settings& s, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) return "it is not of the form NAME=VALUE";
  const auto [at, fresh] = s.driver.set.emplace(text.substr(0, equals), text.substr(equals + 1));
  return fresh ? "" : fmt::format("`{}` is given twice", at->first);
}

std::string set_archs(Settings& s, const std::string& text) {
  std::string_view rest = text;
  s.driver.archs.clear();
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    if (end == 0) return "an architecture has no name";
    s.driver.archs.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (s.driver.archs.empty()) return "it names no architecture";
  s.verify.arch = s.driver.archs.front();
  return {};
}

std::string set_format(Settings& s, const std::string& text) {
  const auto format = diagnostics::find_format(text);
  if (!format) return it_is(formats());
  s.format = *format;
  return {};
}

std::string add_report(Settings& s, const std::string& text) {
  const std::size_t equals = text.find('=');
  const auto format = diagnostics::find_format(text.substr(0, equals));
  if (!format || equals == std::string::npos || equals + 1 == text.size()) return "it is not of the form FORMAT=FILE";
  s.reports.emplace_back(*format, text.substr(equals + 1));
  return {};
}

std::string set_color(Settings& s, const std::string& text) {
  if (text == "auto")
    s.color = Color::Auto;
  else if (text == "always")
    s.color = Color::Always;
  else if (text == "never")
    s.color = Color::Never;
  else
    return it_is(colors());
  return {};
}

std::string set_fail_on(Settings& s, const std::string& text) {
  if (text == "error")
    s.fail_on = Severity::Error;
  else if (text == "warning")
    s.fail_on = Severity::Warning;
  else if (text == "note")
    s.fail_on = Severity::Note;
  else if (text == "never")
    s.fail_on.reset();
  else
    return it_is(levels());
  return {};
}

std::string set_expect(Settings& s, const std::string& text) {
  if (text == "allow")
    s.expect = model::Decision::Allow;
  else if (text == "ask")
    s.expect = model::Decision::Ask;
  else if (text == "deny")
    s.expect = model::Decision::Deny;
  else
    return it_is(decisions());
  return {};
}

std::string set_emit(Settings& s, const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string name(rest.substr(0, end));
    const Words names = backend_names();
    if (std::find(names.begin(), names.end(), name) == names.end())
      return fmt::format("`{}` is no backend; they are {}", name, fmt::join(names, ", "));
    s.build.emit.push_back(name);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return s.build.emit.empty() ? "it names no backend" : "";
}

Words import_kinds() { return {"oci-seccomp"}; }
Words capability_words() {
  Words out;
  for (const std::string_view name : linux::capability_names()) out.emplace_back(name);
  return out;
}

std::string add_caps(Settings& s, const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string name(rest.substr(0, end));
    if (!linux::find_capability(name)) return fmt::format("`{}` is no capability, such as CAP_SYS_ADMIN", name);
    s.caps.push_back(name);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return s.caps.empty() ? "it names no capability" : "";
}

/// Rows that only store their value.
#define AGP_STORE(place)                                 \
  [](Settings& s, const std::string& v) -> std::string { \
    s.place = v;                                         \
    return {};                                           \
  }
#define AGP_FLAG(place, value)                         \
  [](Settings& s, const std::string&) -> std::string { \
    s.place = value;                                   \
    return {};                                         \
  }

/// A value of `agp new` that one of the checks of new.hpp accepts.
#define AGP_NEW(member, wrong)                           \
  [](Settings& s, const std::string& v) -> std::string { \
    s.fresh.member = v;                                  \
    return wrong(v);                                     \
  }
/// The same, for one word of a list.
#define AGP_NEW_WORD(member, list)                                                      \
  [](Settings& s, const std::string& v) -> std::string {                                \
    s.fresh.member = v;                                                                 \
    const Words words = list();                                                         \
    return std::find(words.begin(), words.end(), v) == words.end() ? it_is(words) : ""; \
  }

constexpr bool about_run = true;

const OptionRow option_rows[] = {
    {"-o,--output", "DIR", "the directory to write", Build, AGP_STORE(build.directory)},
    {"--all", "", "build every policy, each into DIR/POLICY", Build, AGP_FLAG(build.all, true)},
    {"--emit", "LIST", "only these backends, separated by commas", Build, set_emit, backend_names},
    {"--no-verify", "", "skip the proofs; recorded in the manifest", Build, AGP_FLAG(build.verify, false)},

    {"--seccomp", "FILE", "a raw filter for --arch", Verify, AGP_STORE(verify.seccomp)},
    {"--oci-seccomp", "FILE", "a seccomp profile as JSON", Verify, AGP_STORE(verify.oci_seccomp)},
    {"--oci", "FILE", "an OCI config.json", Verify, AGP_STORE(verify.oci)},
    {"--podman", "FILE", "arguments of podman run, one a line", Verify, AGP_STORE(verify.podman)},
    {"--docker", "FILE", "arguments of docker run, one a line", Verify, AGP_STORE(verify.docker)},
    {"--nft", "FILE", "an nftables script", Verify, AGP_STORE(verify.nft)},
    {"--nft-json", "FILE", "an nftables ruleset as JSON", Verify, AGP_STORE(verify.nft_json)},
    {"--landlock", "FILE", "a Landlock ruleset", Verify, AGP_STORE(verify.landlock)},

    {"--rootfs", "DIR", "look here whether the files that the policy names exist and permit what it allows", Verify,
     AGP_STORE(verify.rootfs)},

    {"--certificate", "DIR",
     "write what was proved to DIR, as files that other solvers and tools/check-certificate decide", Verify,
     AGP_STORE(verify.certificate), nullptr, about_run},

    {"--artifacts", "DIR", "answer from what the layers of a built directory do, read back from their bytes",
     Query | Test, AGP_STORE(artifacts)},
    {"--expect", "DECISION", "allow, ask or deny: exit 1 when the decision is another", Query, set_expect, decisions},
    {"--why", "", "the rules behind the decision, or behind each finding, from which none can be left out",
     Query | Check, AGP_FLAG(why, true), nullptr, about_run},

    {"--subset", "", "only: does A permit nothing that B does not", Compare, AGP_FLAG(subset, true)},

    {"--from", "KIND", "what the file is: oci-seccomp", Import, AGP_STORE(from), import_kinds},
    {"--cap", "LIST", "capabilities that the container has, separated by commas; repeatable", Import, add_caps,
     capability_words},

    {"--allow-widening", "", "exit 0 also when something became permitted", Diff, AGP_FLAG(allow_widening, true)},

    {"--patch", "", "print the missing grants as a patch to FILE, and nothing else", Logs, AGP_FLAG(logs_patch, true)},

    {"--name", "NAME", "what the policy is called; default: the kind", New, AGP_NEW(name, wrong_policy_name)},
    {"--owner", "TEXT", "who answers for the policy", New, AGP_NEW(owner, wrong_owner)},
    {"--runtime", "NAME", "what the agent itself is written in; default python", New,
     AGP_NEW_WORD(runtime, new_runtimes), new_runtimes},
    {"--model", "NAME", "whose model the agent asks; needs --resolver", New, AGP_NEW_WORD(model, new_models),
     new_models},
    {"--forge", "NAME", "the public forge that the agent may reach; needs --resolver", New,
     AGP_NEW_WORD(forge, new_forges), new_forges},
    {"--resolver", "ADDRESS", "the server that is asked for names", New, AGP_NEW(resolver, wrong_address)},
    {"--proxy", "ADDRESS", "the proxy through which the web is read, port 3128", New, AGP_NEW(proxy, wrong_address)},
    {"--mirror", "HOST", "the organisation's mirror of packages; needs --resolver", New, AGP_NEW(mirror, wrong_host)},
    {"--within", "NETWORK", "what --mirror may resolve to, such as 10.0.0.0/8", New, AGP_NEW(within, wrong_network)},
    {"--server", "ADDRESS", "the database server", New, AGP_NEW(server, wrong_address)},
    {"--workspace", "DIR", "the host's directory that the agent works on", New, AGP_NEW(workspace, wrong_directory)},

    {"--check", "", "list the files that are not in canonical layout; change nothing", Fmt, AGP_FLAG(fmt_check, true)},
    {"--diff", "", "print what would change; change nothing", Fmt, AGP_FLAG(fmt_diff, true)},

    {"--probe", "", "look at this machine: its kernel, Landlock, and the versions of runc, nft and dnsmasq", Targets,
     AGP_FLAG(probe_machine, true)},

    {"--set", "NAME=VALUE", "the value of a parameter; repeatable", reads_policies, set_parameter},
    {"--policy", "NAME", "which policy of the file", reads_policies, AGP_STORE(driver.policy)},
    {"--target", "NAME",
     "a built-in target or a record FILE.json: where it will run; default: agp.toml's, else debian-12",
     reads_policies | Compare | Import, AGP_STORE(driver.target), target_names},
    {"--arch", "LIST", "architectures, separated by commas; default: the target's", reads_policies | Compare | Import,
     set_archs, arch_names},
    {"--syscall-counts", "FILE", "what runs calls how often, as `strace -c` prints it: the order of a filter's tests",
     Build | Inspect, AGP_STORE(driver.syscall_counts)},
    {"--at", "DATE", "the day that `until` is compared with; default: SOURCE_DATE_EPOCH, else today", reads_policies,
     [](Settings& s, const std::string& v) -> std::string {
       if (!day(v)) return "it is not a date YYYY-MM-DD";
       s.at = v;
       return {};
     },
     nullptr, about_run},  // a cache's entries have the day themselves, where it counts
    {"--solver-timeout", "DURATION", "for one query of the solver, such as 30s; default 10s",
     Check | Build | Verify | Test | Compare | Import,
     [](Settings& s, const std::string& v) -> std::string {
       const auto time = milliseconds(v);
       if (!time) return "it is not a duration such as 500ms, 30s or 2min";
       s.driver.solver_timeout_ms = *time;
       return {};
     }},
    {"--second-solver", "PROGRAM",
     "decide everything again with cvc5 (/usr/bin/cvc5), or with the program at a path; a contradiction is a bug",
     Check | Build | Verify,
     [](Settings& s, const std::string& v) -> std::string {
       if (v != "cvc5" && v.find('/') == std::string::npos) return "it is cvc5 or the path of a program";
       s.driver.second_solver = v == "cvc5" ? "/usr/bin/cvc5" : v;
       return {};
     },
     second_solvers},
    {"--invariants", "FILE", "a file whose invariants concern every policy; repeatable", Check | Build | Logs,
     [](Settings& s, const std::string& v) -> std::string {
       s.driver.invariants.push_back(v);
       return {};
     }},
    {"--jobs", "N",
     "processes at most that check files; default: one for each processor; the result never depends on it",
     reads_policies,
     [](Settings& s, const std::string& v) -> std::string {
       const auto count = number(v);
       if (!count || *count == 0 || *count > 1024) return "it is not a number from 1 to 1024";
       s.jobs = static_cast<unsigned>(*count);
       return {};
     },
     nullptr, about_run},
    {"--cache", "DIR", "keep results in DIR, and take them from there where nothing has changed", Check,
     AGP_STORE(cache), nullptr, about_run},
    {"--budget", "FILE", "counts that no policy may exceed, as --write-budget writes them", Check,
     AGP_STORE(driver.budget), nullptr, about_run},
    {"--write-budget", "FILE", "write how much each policy permits to FILE", Check, AGP_STORE(write_budget), nullptr,
     about_run},
    {"--baseline", "FILE", "leave out the findings of lints that FILE has, as --write-baseline writes them",
     Check | Build, AGP_STORE(driver.baseline), nullptr, about_run},
    {"--write-baseline", "FILE", "write the findings of lints to FILE, and leave them out", Check,
     AGP_STORE(write_baseline), nullptr, about_run},
    {"--fix", "", "mend in the files what one safe edit mends, and check them again", Check, AGP_FLAG(fix, true),
     nullptr, about_run},
    {"--dry-run", "", "with --fix: print the edits as a diff, and change nothing", Check, AGP_FLAG(dry_run, true),
     nullptr, about_run},
    {"--depfile", "FILE", "write the files that were read to FILE, as a rule of make", Check | Build,
     AGP_STORE(depfile), nullptr, about_run},
    {"--depfile-target", "NAME",
     "the target of that rule; default: the first --report's file, else -o's DIR, else FILE", Check | Build,
     AGP_STORE(depfile_target), nullptr, about_run},
    {"--project-root", "DIR", "the project's root", has_findings, AGP_STORE(driver.project.root)},
    {"--stdin-name", "PATH", "what `-`, standard input, is called", has_findings, AGP_STORE(driver.project.stdin_name)},
    {"--files-from", "FILE", "read paths from FILE, one a line or ended by null characters; `-`: standard input",
     Check | Build | Test | Fmt, AGP_STORE(files_from), nullptr, about_run},
    {"--config", "FILE", "read this instead of the root's agp.toml", has_findings, AGP_STORE(driver.project.config)},
    {"--no-config", "", "read no agp.toml", has_findings, AGP_FLAG(driver.project.no_config, true)},

    {"--format", "FORMAT", "text, concise, json, sarif, github, markdown or junit",
     has_findings | Version | Targets | Backends, set_format, formats, about_run},
    {"--report", "FORMAT=FILE", "write the findings to FILE as well; repeatable", has_findings, add_report,
     report_formats, about_run},
    {"--fail-on", "LEVEL", "error, warning, note or never: what makes the exit status 1; default error", has_findings,
     set_fail_on, levels, about_run},
    {"--color", "WHEN", "auto, always or never", every_command, set_color, colors, about_run},
    {"-q,--quiet", "", "only what the command is for", every_command, AGP_FLAG(quiet, true), nullptr, about_run},
    {"-v,--verbose", "", "say what is read", every_command, AGP_FLAG(verbose, true), nullptr, about_run},
    {"-h,--help", "", "print this help", every_command, AGP_FLAG(help, true), nullptr, about_run},
};

#undef AGP_STORE
#undef AGP_FLAG

}  // namespace

std::span<const OptionRow> option_table() { return option_rows; }

std::optional<UsageError> choose_date(Settings& settings) {
  if (settings.at) {
    settings.driver.today = *day(*settings.at);
    return std::nullopt;
  }
  std::int64_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH"); epoch != nullptr && *epoch != '\0') {
    const auto value = number(epoch);
    if (!value || *value > 253'402'300'799)  // the last second of the year 9999
      return UsageError{fmt::format("SOURCE_DATE_EPOCH is not a number of seconds: `{}`", epoch), {}};
    seconds = static_cast<std::int64_t>(*value);
  }
  settings.driver.today = static_cast<model::Day>(seconds / 86400);
  return std::nullopt;
}

}  // namespace agp::cli
