// A policy as a page for its reviewer: what is permitted, why, and who brought it in; how much of it the target holds;
// and what it is held against. In the order in which the questions come up.
#include "compiler/driver/doc.hpp"

#include <fmt/format.h>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/page.hpp"
#include "compiler/cli/plan_text.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/sema/rules.hpp"

namespace agp::cli {
namespace {

using model::Policy;

std::string where_text(const source::Files& files, source::Span span) {
  if (!span.known()) return {};
  return fmt::format("{}:{}", files.get(span.file).path, files.position(span.file, span.begin).line);
}

std::string until_text(model::Day day) { return fmt::format("counts until {}", model::day_text(day)); }

/// Why a rule is there, and how it came into the policy.
std::vector<std::string> notes(const source::Files& files, const model::Rule& rule) {
  std::vector<std::string> out;
  if (!rule.label.empty()) out.push_back(rule.label);
  if (!rule.because.empty()) out.push_back("because " + rule.because);
  if (rule.risk)
    out.push_back(fmt::format("risk {}", *rule.risk == model::Risk::Low      ? "low"
                                         : *rule.risk == model::Risk::Medium ? "medium"
                                                                             : "high"));
  if (rule.until) out.push_back(rule.expired ? "expired: " + until_text(*rule.until) : until_text(*rule.until));
  if (rule.implied) {
    out.push_back("not written: what holds where there is no `syscall` block");
    return out;
  }
  std::string from = rule.module.empty() ? where_text(files, rule.span)
                                         : fmt::format("`{}` ({})", rule.module, where_text(files, rule.span));
  for (auto include = rule.included_by.rbegin(); include != rule.included_by.rend(); ++include)
    from += fmt::format(", included by {}", where_text(files, *include));
  out.push_back(from);
  return out;
}

void head(Page& page, const Policy& policy, const model::Target& target, const std::string& file) {
  page.title(fmt::format("policy `{}`", policy.name));
  if (!policy.doc.empty()) page.prose(policy.doc);
  page.fact("file", file);
  if (!policy.owner.empty()) page.fact("owner", policy.owner);
  for (const std::string& id : policy.satisfies) page.fact("satisfies", id);
  const std::string_view isolation = policy.isolation == model::Isolation::Process     ? "process"
                                     : policy.isolation == model::Isolation::Container ? "container"
                                                                                       : "microvm";
  page.fact("isolation", fmt::format("{}{}", isolation, policy.ephemeral ? " ephemeral" : ""));
  std::string mode =
      policy.mode == model::Mode::Audit ? "audit: what is refused is reported, and permitted" : "enforce";
  if (!policy.audit_for.empty()) mode += fmt::format(", for {}", fmt::join(policy.audit_for, ", "));
  page.fact("mode", mode);
  page.fact("target", fmt::format("{}, stack {}", target.name, target.stack));
}

/// A deny beats an ask, an ask beats an allow: in that order.
void rules(Page& page, const Policy& policy, const source::Files& files) {
  for (const std::string_view block : {"file", "net", "syscall", "capability", "env", "tool"}) {
    bool any = false;
    for (const model::Effect effect : {model::Effect::Deny, model::Effect::Ask, model::Effect::Allow})
      for (const model::Rule& rule : policy.rules) {
        if (rule.effect != effect || model::fact_block(rule.body) != block) continue;
        if (!any) page.heading(fmt::format("{}: what no rule allows is denied", block));
        any = true;
        page.item(rule.text, notes(files, rule));
      }
    if (block == "env")
      for (const auto& [name, value] : policy.env_set) {
        if (!any) page.heading("env: what no rule allows is denied");
        any = true;
        page.item(fmt::format("set \"{}\" = \"{}\"", name, value));
      }
    if (block == "net" && !policy.resolvers.empty()) {
      std::string list;
      for (const model::Address& one : policy.resolvers) list += (list.empty() ? "" : ", ") + model::to_string(one);
      page.item("resolver " + list, {where_text(files, policy.resolver_span)});
    }
  }
}

void limits(Page& page, const Policy& policy) {
  const model::Limits& all = policy.limits;
  page.heading("limits");
  const auto one = [&](std::string_view name, const std::optional<model::Limits::Bound<std::uint64_t>>& bound) {
    page.fact(name, bound ? sema::bound_text(name, bound->value) : "no bound");
  };
  one("cpu", all.cpu_milli);
  one("memory", all.memory_bytes);
  one("pids", all.pids);
  one("time", all.time_ms);
  one("files", all.files);
}

void run_section(Page& page, const model::Run& run) {
  page.heading("run");
  std::string command;
  for (const std::string& word : run.command) command += fmt::format("{}\"{}\"", command.empty() ? "" : ", ", word);
  page.item("command " + command);
  if (run.workdir) page.item(fmt::format("workdir \"{}\"", *run.workdir));
  if (run.user) page.item(fmt::format("user {}:{}", run.user->uid, run.user->gid));
  if (run.rootfs != "/") page.item(fmt::format("rootfs \"{}\"", run.rootfs));
  for (const model::Mount& mount : run.mounts) {
    const std::string source = mount.source ? fmt::format("\"{}\"", *mount.source) : "tmpfs";
    const std::string size = mount.size_bytes ? " size " + sema::bound_text("memory", *mount.size_bytes) : "";
    page.item(
        fmt::format("mount {} at \"{}\" {}{}", source, mount.target, mount.writable ? "writable" : "readonly", size));
  }
}

void reports(Page& page, const model::OnDeny& on_deny) {
  if (!on_deny.log && on_deny.alerts.empty()) return;
  page.heading("on deny");
  if (on_deny.log) page.item("log");
  for (const model::Alert& alert : on_deny.alerts)
    page.item(fmt::format("alert P{} for {}", static_cast<int>(alert.severity) + 1, fmt::join(alert.targets, ", ")));
}

void gaps(Page& page, const Policy& policy, const plan::Plan& plan, const source::Files& files) {
  constexpr std::string_view words[] = {"unenforced", "wider", "narrower"};
  if (!policy.accepts.empty()) page.heading("accepted gaps: what the target does not hold exactly");
  for (const model::Accept& accept : policy.accepts) {
    std::vector<std::string> why = {"because " + accept.because};
    if (accept.until)
      why.push_back(accept.expired ? "expired: " + until_text(*accept.until) : until_text(*accept.until));
    why.push_back(where_text(files, accept.span));
    page.item(fmt::format("{} {}", words[static_cast<int>(accept.kind)], accept.fact), why);
  }
  bool open = false;
  for (const plan::Row& row : plan.rows) {
    if (row.accept || row.holds == backends::Holds::Exact) continue;
    if (!open) page.heading("gaps that nobody has accepted: `agp check` fails");
    open = true;
    std::vector<std::string> why;
    for (const plan::Answer& answer : row.answers)
      if (!answer.capability.reason.empty())
        why.push_back(fmt::format("{}: {}", answer.layer, answer.capability.reason));
    page.item(row.fact.text, why);
  }
}

void derived(Page& page, const plan::Plan& plan) {
  if (!plan.derived.empty()) page.heading("permitted beyond the policy: what the stack itself needs");
  for (std::size_t i = 0; i < plan.derived.size();) {
    const backends::DerivedGrant& first = plan.derived[i];
    std::string grants;
    for (; i < plan.derived.size() && plan.derived[i].layer == first.layer && plan.derived[i].reason == first.reason;
         ++i)
      grants += (grants.empty() ? "" : "; ") + plan.derived[i].grant;
    page.item(grants, {fmt::format("{}: {}", first.layer, first.reason)});
  }
}

void held_against(Page& page, const driver::DocReport& report, const source::Files& files) {
  page.heading("held against");
  for (const model::Invariant& invariant : report.invariants) {
    if (!invariant.doc.empty()) page.prose(invariant.doc);
    for (const model::InvariantLine& line : invariant.lines)
      page.item(line.text, {fmt::format("invariant `{}`, {}", invariant.name, where_text(files, line.span))});
  }
  if (report.invariants.empty()) page.prose("no invariant");
  page.prose(counted(report.expectations, "expectation in a `test` block", "expectations in `test` blocks"));
}

void sources(Page& page, const Policy& policy) {
  page.heading("modules and files read");
  for (const model::ModuleRead& module : policy.modules) page.item(module.name);
}

}  // namespace

int run_doc(Context& context) {
  using diagnostics::Format;
  const Settings& settings = context.settings;
  if (const auto wrong = one_file(context, "FILE")) return context.usage(*wrong);
  if (settings.format != Format::Text && settings.format != Format::Markdown)
    return context.usage({fmt::format("a page has no form `{}`", diagnostics::to_string(settings.format)),
                          "the formats of doc are text and markdown"});
  driver::Session session(settings.driver);
  session.progress = &context.ticker.progress;
  const auto report = driver::doc(session, settings.arguments[0]);
  say_what_was_read(context, session);
  if (!report || session.sink.errors() > 0) context.findings(session.files, session.sink, report ? stderr : stdout);
  if (!report) {
    context.closing("");
    return settle(context, session);
  }
  Page page(settings.format == Format::Markdown);
  const Policy& policy = report->policy.policy;
  head(page, policy, report->target, report->file);
  rules(page, policy, session.files);
  limits(page, policy);
  run_section(page, policy.run);
  reports(page, policy.on_deny);
  gaps(page, policy, report->policy.plan, session.files);
  derived(page, report->policy.plan);
  held_against(page, *report, session.files);
  sources(page, policy);
  context.out(page.text());
  return settle(context, session);
}

}  // namespace agp::cli
