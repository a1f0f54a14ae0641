#include "compiler/driver/session.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/driver/syscall_counts.hpp"
#include "compiler/plan/target_record.hpp"
#include "compiler/source/digest.hpp"
#include "compiler/source/disk.hpp"

namespace agp::driver {

namespace kind = diagnostics::kind;

namespace {

std::optional<model::Target> built_in(Session& session, const std::string& name) {
  if (const model::Target* target = plan::find_target(name)) return *target;
  std::vector<std::string_view> names;
  for (const auto& t : plan::builtin_targets()) names.push_back(t.name);
  std::string help = diagnostics::did_you_mean(name, names);
  if (help.empty()) help = fmt::format("targets are {}, or a record FILE.json", fmt::join(names, ", "));
  session.sink.emit(kind::unknown_target, {}, fmt::format("no target is called `{}`", name)).helped(help);
  return std::nullopt;
}

constexpr std::size_t max_record_bytes = 64u << 10;

/// A record, relative to the root where agp.toml names it, which is then within the root; as it stands for `--target`.
std::optional<model::Target> recorded(Session& session, const std::string& name) {
  const bool own = !session.options.target;
  const auto fail = [&](const diagnostics::Kind& k, std::string message) {
    session.sink.emit(k, {}, std::move(message));
    return std::nullopt;
  };
  const source::Resolved real = source::resolve(own ? session.project->root() + "/" + name : name);
  if (own && real.path && !real.path->starts_with(session.project->root() + "/"))
    return fail(kind::outside_project, fmt::format("the target record `{}` lies outside the project's root", name));
  const source::DiskRead file = real.path ? source::read_disk(*real.path, max_record_bytes)
                                          : source::DiskRead{source::DiskRead::Outcome::Failed, {}, real.reason};
  if (file.outcome == source::DiskRead::Outcome::TooLarge)
    return fail(kind::file_too_large, fmt::format("`{}` is larger than 64 KiB", name));
  if (file.outcome == source::DiskRead::Outcome::Failed)
    return fail(kind::unreadable_file, fmt::format("`{}` can't be read: {}", name, file.reason));
  session.inputs.emplace_back(*real.path, source::sha256(file.text));
  auto read = plan::read_target(file.text);
  if (const auto* wrong = std::get_if<std::string>(&read)) {
    session.sink.emit(kind::unknown_target, {}, fmt::format("`{}` is no target record: {}", name, *wrong))
        .helped("`agp targets debian-12` prints a record to start from");
    return std::nullopt;
  }
  auto target = std::get<model::Target>(std::move(read));
  if (plan::find_target(target.name)) {
    session.sink
        .emit(kind::unknown_target, {},
              fmt::format("`{}` is no target record: `name` is that of a built-in target", name))
        .helped("give the record a name of its own");
    return std::nullopt;
  }
  if (target.landlock_abi > plan::highest_landlock_abi) {
    diagnostics::Diagnostic note(
        kind::unknown_target, {},
        fmt::format("target `{}` has Landlock ABI {}, above the highest that is known: taken to be {}", target.name,
                    target.landlock_abi, plan::highest_landlock_abi));
    note.severity = diagnostics::Severity::Note;
    note.helped("what the newer one could hold besides is taken to be absent");
    session.sink.emit(std::move(note));
    target.landlock_abi = plan::highest_landlock_abi;
  }
  return target;
}

/// Known ones, each once; i386 and x32 beside x86_64, whose kernel serves them.
bool architectures(Session& session) {
  const auto refuse = [&](std::string message, std::string help) {
    session.sink.emit(kind::unknown_target, {}, std::move(message)).helped(std::move(help));
    session.unusable = true;
    return false;
  };
  const auto& archs = session.target->archs;
  for (auto it = archs.begin(); it != archs.end(); ++it) {
    const auto known = linux::find_arch(*it);
    if (!known) {
      std::vector<std::string_view> names;
      for (const auto arch : linux::all_archs) names.push_back(linux::to_string(arch));
      return refuse(fmt::format("the architecture `{}` is not supported", *it),
                    fmt::format("architectures are {}", fmt::join(names, ", ")));
    }
    if (std::find(archs.begin(), it, *it) != it)
      return refuse(fmt::format("the architecture `{}` is named twice", *it), "name it once");
    const auto machine = linux::to_string(linux::machine_of(*known));
    if (std::find(archs.begin(), archs.end(), machine) == archs.end())
      return refuse(fmt::format("`{}` is served by an x86_64 kernel, and x86_64 is not selected", *it),
                    fmt::format("use `--arch x86_64,{}`", *it));
  }
  return true;
}

}  // namespace

bool open(Session& session, std::span<const std::string> paths) {
  if (session.project && session.target) return true;
  session.project = project::Project::open(paths, session.options.project, session.files, session.sink);
  if (!session.project) {
    session.unusable = true;
    return false;
  }
  for (source::FileId id = 0; id < session.files.size(); ++id)  // agp.toml, where there is one
    session.inputs.emplace_back(session.project->disk_path(id), source::sha256(session.files.get(id).text));
  const std::string name =
      session.options.target ? *session.options.target : session.project->config().target.value_or("debian-12");
  session.target = name.ends_with(".json") ? recorded(session, name) : built_in(session, name);
  if (!session.target) {
    session.unusable = true;
    return false;
  }
  if (!session.options.archs.empty()) session.target->archs = session.options.archs;
  return architectures(session) && read_counts(session, *session.target);
}

bool read_counts(Session& session, model::Target& target) {
  constexpr std::size_t largest = 1 << 20;
  if (!session.options.syscall_counts) return true;
  const std::string& file = *session.options.syscall_counts;
  const auto disk = source::read_disk(file, largest);
  if (disk.outcome == source::DiskRead::Outcome::Read) {
    session.inputs.emplace_back(file, source::sha256(disk.text));
    SyscallCounts read = parse_syscall_counts(disk.text);
    target.syscall_counts = std::move(read.counts);
    if (read.fault.empty()) return true;
    const std::string line = read.line == 0 ? "" : fmt::format(", line {},", read.line);
    session.sink.emit(kind::unreadable_file, {}, fmt::format("`{}`{} {}", file, line, read.fault))
        .helped("give the output of `strace -c`, or a name and a count on each line");
  } else if (disk.outcome == source::DiskRead::Outcome::TooLarge) {
    session.sink.emit(kind::file_too_large, {},
                      fmt::format("`{}` has {} bytes, more than {}", file, disk.size, largest));
  } else {
    session.sink.emit(kind::unreadable_file, {}, fmt::format("`{}` can't be read: {}", file, disk.reason));
  }
  session.unusable = true;
  return false;
}

sema::Options sema_options(const Session& session) {
  sema::Options out;
  out.set = session.options.set;
  out.today = session.options.today;
  if (session.project) out.limits = session.project->config().limits;
  if (session.target) {
    out.archs.clear();
    for (const auto& arch : session.target->archs)
      if (const auto a = linux::find_arch(arch)) out.archs.push_back(*a);
  }
  return out;
}

sema::Unit load(Session& session, source::FileId file) {
  sema::Options options = sema_options(session);
  options.parsed = &session.library;
  sema::Unit unit = sema::analyse(session.files, file, *session.project, options, session.sink);
  session.sink.drop_repeated();
  return unit;
}

std::optional<std::size_t> choose_policy(Session& session, source::FileId file, const sema::Unit& unit) {
  if (session.sink.errors() > 0) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& p : unit.policies) names.push_back(p.name);
  if (session.options.policy) {
    const auto at = std::find(names.begin(), names.end(), *session.options.policy);
    if (at != names.end()) return static_cast<std::size_t>(at - names.begin());
    session.sink
        .emit(kind::policy_not_named, {},
              fmt::format("`{}` has no policy `{}`", session.files.get(file).path, *session.options.policy))
        .helped(names.empty() ? "" : fmt::format("it has {}", fmt::join(names, ", ")));
  } else if (names.size() == 1) {
    return 0;
  } else {
    session.sink
        .emit(kind::policy_not_named, {},
              names.empty() ? fmt::format("`{}` has no policy", session.files.get(file).path)
                            : fmt::format("`{}` has {} policies", session.files.get(file).path, names.size()))
        .helped(names.empty() ? "" : fmt::format("choose one with `--policy`: {}", fmt::join(names, ", ")));
  }
  session.unusable = true;
  return std::nullopt;
}

std::optional<ChosenPolicy> one_of_unit(Session& session, const std::string& file) {
  const std::string paths[] = {file};
  if (!open(session, paths)) return std::nullopt;
  const auto id = session.project->read(file, session.sink);
  if (!id) {
    session.unusable = true;
    return std::nullopt;
  }
  sema::Unit unit = load(session, *id);
  const auto chosen = choose_policy(session, *id, unit);
  if (!chosen) return std::nullopt;
  return ChosenPolicy{std::move(unit), *chosen};
}

std::optional<model::Policy> one_policy(Session& session, const std::string& file) {
  auto chosen = one_of_unit(session, file);
  if (!chosen) return std::nullopt;
  return std::move(chosen->unit.policies[chosen->index]);
}

verify::Options verify_options(const Session& session) {
  verify::Options out;
  out.solver.timeout = std::chrono::milliseconds(session.options.solver_timeout_ms);
  out.today = session.options.today;
  out.second = second_solver(session);
  return out;
}

std::optional<solver::SecondSolver> second_solver(const Session& session) {
  if (!session.options.second_solver) return std::nullopt;
  solver::SecondSolver out;
  out.program = *session.options.second_solver;
  out.timeout = std::chrono::milliseconds(session.options.solver_timeout_ms);
  return out;
}

}  // namespace agp::driver
