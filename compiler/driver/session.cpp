#include "compiler/driver/session.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/suggest.hpp"
#include "compiler/driver/syscall_counts.hpp"
#include "compiler/source/disk.hpp"

namespace agp::driver {

namespace kind = diagnostics::kind;

bool open(Session& session, std::span<const std::string> paths) {
  if (session.project && session.target) return true;
  session.project = project::Project::open(paths, session.options.project, session.files, session.sink);
  if (!session.project) {
    session.unusable = true;
    return false;
  }
  const std::string name =
      session.options.target ? *session.options.target : session.project->config().target.value_or("debian-12");
  const model::Target* target = plan::find_target(name);
  std::vector<std::string_view> names;
  for (const auto& t : plan::builtin_targets()) names.push_back(t.name);
  if (!target) {
    std::string help = diagnostics::did_you_mean(name, names);
    if (help.empty()) help = fmt::format("targets are {}", fmt::join(names, ", "));
    session.sink.emit(kind::unknown_target, {}, fmt::format("no target is called `{}`", name)).helped(help);
    session.unusable = true;
    return false;
  }
  session.target = *target;
  if (!session.options.archs.empty()) session.target->archs = session.options.archs;
  for (const auto& arch : session.target->archs) {
    const auto known = linux::find_arch(arch);
    if (known == linux::Arch::x86_64) continue;  // the only one that filters are made for
    session.sink.emit(kind::unknown_target, {}, fmt::format("the architecture `{}` is not supported", arch))
        .helped("use `--arch x86_64`");
    session.unusable = true;
    return false;
  }
  return read_counts(session, *session.target);
}

bool read_counts(Session& session, model::Target& target) {
  constexpr std::size_t largest = 1 << 20;
  if (!session.options.syscall_counts) return true;
  const std::string& file = *session.options.syscall_counts;
  const auto disk = source::read_disk(file, largest);
  if (disk.outcome == source::DiskRead::Outcome::Read) {
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
  sema::Unit unit = sema::analyse(session.files, file, *session.project, sema_options(session), session.sink);
  session.sink.drop_repeated();
  return unit;
}

std::optional<model::Policy> one_policy(Session& session, const std::string& file) {
  const std::string paths[] = {file};
  if (!open(session, paths)) return std::nullopt;
  const auto id = session.project->read(file, session.sink);
  if (!id) {
    session.unusable = true;
    return std::nullopt;
  }
  sema::Unit unit = load(session, *id);
  if (session.sink.errors() > 0) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& p : unit.policies) names.push_back(p.name);
  if (session.options.policy) {
    const auto at = std::find(names.begin(), names.end(), *session.options.policy);
    if (at != names.end()) return std::move(unit.policies[static_cast<std::size_t>(at - names.begin())]);
    session.sink
        .emit(kind::policy_not_named, {},
              fmt::format("`{}` has no policy `{}`", session.files.get(*id).path, *session.options.policy))
        .helped(names.empty() ? "" : fmt::format("it has {}", fmt::join(names, ", ")));
  } else if (names.size() == 1) {
    return std::move(unit.policies[0]);
  } else {
    session.sink
        .emit(kind::policy_not_named, {},
              names.empty() ? fmt::format("`{}` has no policy", session.files.get(*id).path)
                            : fmt::format("`{}` has {} policies", session.files.get(*id).path, names.size()))
        .helped(names.empty() ? "" : fmt::format("choose one with `--policy`: {}", fmt::join(names, ", ")));
  }
  session.unusable = true;
  return std::nullopt;
}

verify::Options verify_options(const Session& session) {
  verify::Options out;
  out.solver.timeout = std::chrono::milliseconds(session.options.solver_timeout_ms);
  return out;
}

}  // namespace agp::driver
