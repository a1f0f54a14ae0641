// Mounts, user, bounds, mode. In: what a policy says beside its rules. Out: AGP3039 and AGP3153 by their mounts,
// AGP3224 to AGP3235, AGP3260 to AGP3270. A bound is asked for where a stack can hold it: not of `isolation process`.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/lint/finding.hpp"
#include "compiler/lint/paths.hpp"
#include "compiler/lint/reach.hpp"

namespace agp::lint {

using namespace model;
using diagnostics::Severity;
namespace kind = diagnostics::kind;

namespace {

bool one_of(std::string_view path, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), path) != list.end();
}

void mounts(Context& context) {
  for (const Mount& m : context.policy.run.mounts) {
    if (!m.source) {
      if (!m.size_bytes)
        context.report(kind::unbounded_tmpfs, m.span, m.span, fmt::format("the tmpfs at `{}` has no size", m.target))
            .helped("say `size 64 MiB`");
      continue;
    }
    const std::string& s = *m.source;
    if (one_of(s, {"/run", "/var/run", "/run/user", "/run/systemd", "/run/dbus", "/run/containerd", "/run/podman"}) ||
        parent_path(s) == "/run/user") {
      context
          .report(kind::run_mounted, m.span, m.span,
                  fmt::format("`{}` has the host's sockets, and a read-only mount does not stop connecting to them", s))
          .helped("mount the one socket or file that is needed");
      continue;
    }
    const bool read = one_of(s, {"/", "/proc", "/sys", "/dev", "/boot", "/etc", "/root", "/home", "/var", "/var/lib",
                                 "/var/lib/docker", "/var/lib/kubelet", "/var/lib/containers"});
    const bool write = read || one_of(s, {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/usr/bin", "/usr/lib",
                                          "/usr/local", "/srv", "/mnt", "/media"});
    if (!(m.writable ? write : read)) continue;
    auto& d = context.report(
        kind::host_directory_mounted, m.span, m.span,
        fmt::format("`{}` of the host is mounted {} at `{}`", s, m.writable ? "writable" : "readonly", m.target));
    if (!m.writable) d.severity = Severity::Warning;
    d.helped("mount the directory beneath it that the work needs");
  }
}

/// May the agent take a directory away and put another in its place?
bool replaceable(const Policy& policy, const std::string& path) {
  const Mount* mount = mount_of(policy, path);
  if (mount && (!mount->writable || mount->target == path)) return false;
  return decide(policy, FileAction{Verb::Delete, path}).decision != Decision::Deny &&
         decide(policy, FileAction{Verb::Create, path}).decision != Decision::Deny;
}

/// Where the sandbox shows a path of the host.
std::vector<std::string> shown(const Policy& policy, const std::string& host) {
  std::vector<std::string> out;
  if (policy.run.rootfs == "/" && !mount_of(policy, host)) out.push_back(host);
  for (const Mount& m : policy.run.mounts) {
    if (!m.source || (*m.source != host && !is_beneath(host, *m.source))) continue;
    const std::string path = m.target + host.substr(*m.source == "/" ? 0 : m.source->size());
    if (mount_of(policy, path) == &m) out.push_back(path);
  }
  return out;
}

void source_of(Context& context, const Mount& m) {
  for (std::string host = *m.source; host != "/"; host = parent_path(host))
    for (const std::string& path : shown(context.policy, host)) {
      if (!replaceable(context.policy, path)) continue;
      auto& d = context.report(kind::mount_source_writable, m.span, m.span,
                               fmt::format("the agent may replace `{}`, and `{}` is mounted at `{}` the next time",
                                           path, *m.source, m.target));
      d.witnessed(fmt::format("create \"{}\"", path));
      d.note("a symbolic link put there leads the next mount wherever the agent likes");
      d.helped("mount from a directory that no policy of the agent may write");
      for (const std::size_t r : decide(context.policy, FileAction{Verb::Create, path}).rules) {
        const Rule& rule = context.policy.rules[r];
        const source::Span by = context.place(rule, rule.span, "").span;
        d.relate(by, "permitted here");
        d.together_with.push_back({by, rule.text});
      }
      return;
    }
}

void sources(Context& context) {
  for (const Mount& m : context.policy.run.mounts)
    if (m.source) source_of(context, m);
}

void image(Context& context) {
  if (context.policy.run.rootfs == "/" || context.off(kind::image_writable)) return;
  Reach& files = context.file_reach();
  bool told = false;
  files.each_permitted([&](const analysis::Space& space, std::size_t c) {
    if (told || (space.verbs(c) & verbs_write) == 0) return;
    const auto action = std::get<FileAction>(space.witness(c));
    if (mount_of(context.policy, action.path)) return;
    for (const auto& ref : files.granting(c)) {
      const Rule& rule = files.rule(ref.rule);
      const auto& p = std::get<FileBody>(rule.body).patterns[ref.pattern];
      const Context::Place place = context.place(rule, p.span, p.text);
      if (context.suppressed(kind::image_writable, place.span, place.statement)) continue;
      context
          .report(kind::image_writable, place,
                  fmt::format("`{}` permits writing in the root file system `{}`, beside every mount", place.text,
                              context.policy.run.rootfs))
          .witnessed(space.witness_text(c))
          .helped("mount what may be written: `mount tmpfs at \"DIR\" writable size 64 MiB`");
      told = true;
      return;
    }
  });
}

void bounds(Context& context) {
  const Policy& p = context.policy;
  if (p.isolation == Isolation::Process) return;
  const auto missing = [&](const diagnostics::Kind& k, bool there, std::string_view what, std::string_view line) {
    if (!there)
      context.report(k, fmt::format("`{}` bounds no {}", p.name, what)).helped(fmt::format("limit {{ {} }}", line));
  };
  missing(kind::no_memory_limit, p.limits.memory_bytes.has_value(), "memory", "memory 2 GiB");
  missing(kind::no_pids_limit, p.limits.pids.has_value(), "processes", "pids 256");
  missing(kind::no_cpu_limit, p.limits.cpu_milli.has_value(), "processors", "cpu 2");
  missing(kind::no_time_limit, p.limits.time_ms.has_value(), "time", "time 30 min");
  const auto idle = [&](const auto& bound, std::uint64_t most, std::string_view what) {
    if (bound && bound->value >= most)
      context
          .report(kind::idle_limit, bound->span, bound->span,
                  fmt::format("this bound on {} is larger than what machines have: it bounds nothing", what))
          .helped("give the bound that the work needs");
  };
  idle(p.limits.memory_bytes, std::uint64_t{16} << 40, "memory");
  idle(p.limits.pids, 1'000'000, "processes");  // a quarter of PID_MAX_LIMIT (include/linux/threads.h)
  idle(p.limits.cpu_milli, std::uint64_t{4096} * 1000, "processors");
  idle(p.limits.time_ms, std::uint64_t{365} * 24 * 3600 * 1000, "time");
}

void declarations(Context& context) {
  const Policy& p = context.policy;
  if (p.isolation != Isolation::Process && !p.ephemeral)
    context
        .report(kind::not_ephemeral,
                fmt::format("`{}` is not ephemeral: what one task leaves behind, the next one finds", p.name))
        .helped(p.isolation == Isolation::Container ? "isolation container ephemeral" : "isolation microvm ephemeral");
  if (p.run.user && p.run.user->uid == 0)
    context
        .report(kind::root_user, p.run.user->span, p.run.user->span,
                "the command runs as root, which is root of the host wherever the sandbox has a hole")
        .helped("user 65534:65534");
  if (p.mode == Mode::Audit)
    context
        .report(kind::audit_mode, p.mode_span.known() ? p.mode_span : p.name_span,
                p.mode_span.known() ? p.mode_span : p.name_span,
                p.audit_for.empty()
                    ? std::string("nothing is refused in audit mode")
                    : fmt::format("nothing of {} is refused in audit mode", fmt::join(p.audit_for, ", ")))
        .helped("mode enforce");
  for (const Accept& a : p.accepts)
    if (a.block && a.kind == Accept::Kind::Unenforced && one_of(a.fact, {"file", "net", "syscall"}))
      context
          .report(kind::block_not_enforced, a.fact_span, a.span,
                  fmt::format("every rule of `{}` is accepted as not enforced: what comes to it later as well", a.fact))
          .helped("accept the single facts that the stack can't hold");
}

}  // namespace

void find_run_shapes(Context& context) {
  mounts(context);
  sources(context);
  image(context);
  bounds(context);
  declarations(context);
}

}  // namespace agp::lint
