#include <fmt/format.h>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/sema/policy_builder.hpp"

// Bounds and how the process is started: `limit` and `run`.
namespace agp::sema {

namespace kind = diagnostics::kind;

namespace {

void keep_smaller(std::optional<model::Limits::Bound<std::uint64_t>>& bound, std::uint64_t value, Span span) {
  if (!bound || value < bound->value) bound = {value, span};
}

}  // namespace

void PolicyBuilder::statement(const syntax::LimitBlock& block, const Place& place) {
  for (const auto& e : block.entries) {
    const std::string& name = e.name.text;
    if (!is_limit(e.name, sink())) continue;
    const auto value = bound(patterns_.eval(), place.scope, e.name, e.value);
    if (!value) continue;
    model::Limits& l = out_.limits;
    keep_smaller(name == "cpu"      ? l.cpu_milli
                 : name == "memory" ? l.memory_bytes
                 : name == "time"   ? l.time_ms
                 : name == "pids"   ? l.pids
                                    : l.files,
                 *value, e.span);
  }
}

void PolicyBuilder::statement(const syntax::RunBlock& block, const Place& place) {
  if (!only_in_policy(place, block.span, "run") || !once("run", block.span)) return;
  model::Run& run = out_.run;
  run.span = block.span;
  auto& eval = patterns_.eval();
  if (block.command) {
    for (const auto& word : *block.command)
      if (auto t = eval.text(place.scope, word)) run.command.push_back(std::move(*t));
    if (run.command.empty() || run.command[0].empty() || run.command[0][0] != '/')
      sink()
          .emit(kind::invalid_run, block.command_span, "the command is not an absolute path")
          .helped("write the program's path, like `\"/usr/bin/python3\"`");
    for (const auto& w : run.command)
      if (w.find('\0') != std::string::npos)
        sink().emit(kind::invalid_run, block.command_span, "an argument has a NUL character");
  }
  const auto take = [&](const std::optional<syntax::String>& s, std::optional<std::string>& to) {
    if (s) to = eval.path(place.scope, *s);
  };
  take(block.workdir, run.workdir);
  take(block.cgroup, run.cgroup);
  if (block.rootfs)
    if (auto p = eval.path(place.scope, *block.rootfs)) run.rootfs = *p;
  if (block.hostname) {
    run.hostname = eval.text(place.scope, *block.hostname);
    if (run.hostname)
      if (const std::string fault = host_fault(*run.hostname); !fault.empty() || run.hostname->size() > 64)
        sink().emit(kind::invalid_host, block.hostname->span,
                    fmt::format("the host name `{}` {}", *run.hostname,
                                fault.empty() ? "is longer than 64 characters" : fault));
  }
  if (block.interface) run.interface = eval.text(place.scope, *block.interface);
  if (block.uid) {
    // 2^32-1 is (uid_t)-1, "no change" to setuid(2)
    const auto fits = [](const std::optional<syntax::Number>& n) {
      return n && !n->overflow && n->value < 0xffffffffu;
    };
    if (fits(block.uid) && fits(block.gid))
      run.user = model::User{static_cast<std::uint32_t>(block.uid->value), static_cast<std::uint32_t>(block.gid->value),
                             block.user_span};
    else
      sink().emit(kind::invalid_run, block.user_span, "a user is two numbers below 4294967295: `65534:65534`");
  }
  for (const auto& m : block.mounts) mount(m, place);
}

void PolicyBuilder::mount(const syntax::Mount& m, const Place& place) {
  auto& eval = patterns_.eval();
  model::Mount out;
  out.span = m.span;
  const auto target = eval.path(place.scope, m.target);
  if (!target) return;
  if (*target == "/") {
    sink().emit(kind::invalid_run, m.target.span,
                "nothing can be mounted at `/`: the root of the sandbox is agp's own");
    return;
  }
  out.target = *target;
  if (m.source) {
    const auto source = eval.path(place.scope, *m.source);
    if (!source) return;
    out.source = *source;
  }
  bool said = false;
  for (const auto& f : m.flags) {
    if (f.text == "writable" || f.text == "readonly") {
      if (said) sink().emit(kind::invalid_run, f.span, "a mount is either readonly or writable");
      out.writable = f.text == "writable";
      said = true;
    } else {
      sink()
          .emit(kind::unknown_word, f.span, fmt::format("`{}` is no property of a mount", f.text))
          .helped("a mount is readonly or writable");
    }
  }
  if (!said) {
    sink()
        .emit(kind::invalid_run, m.span, "the mount says neither readonly nor writable")
        .helped("add `readonly` or `writable`");
    return;
  }
  if (m.size) {
    const auto size = eval.evaluate(place.scope, *m.size);
    if (!size) return;
    if (!m.tmpfs || size->type != Value::Type::Size || size->number == 0) {
      sink().emit(kind::invalid_run, m.size->span,
                  m.tmpfs ? "a size is a quantity above 0, like `1 GiB`" : "only a tmpfs has a size");
      return;
    }
    out.size_bytes = size->number;
  }
  for (const auto& other : out_.run.mounts)
    if (other.target == out.target) {
      sink()
          .emit(kind::invalid_run, m.target.span, fmt::format("`{}` is mounted twice", out.target))
          .relate(other.span, "the first mount");
      return;
    }
  out_.run.mounts.push_back(std::move(out));
}

}  // namespace agp::sema
