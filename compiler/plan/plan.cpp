#include "compiler/plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "compiler/diagnostics/kinds.hpp"

// Facts × layers -> who holds what. In: a policy that sema passed. Out: one row for each fact; every gap is either
// covered by an `accept` or an error. The join: excess is closed if some layer is exact or narrower; loss is absent if
// no layer is narrower (VERIFICATION.md, Gaps).
namespace agp::plan {
namespace {

namespace kind = diagnostics::kind;
using model::Accept;
using model::Fact;

/// What the stack's own commands hold (BACKENDS.md, Layout): the time, where no runtime does.
std::optional<Capability> by_stack(const Row& row) {
  const bool held = std::any_of(row.answers.begin(), row.answers.end(),
                                [](const Answer& a) { return a.capability.holds == Holds::Exact; });
  if (row.fact.kind == Fact::Kind::Limit && row.fact.name == "time" && !held)
    return Capability{Holds::Exact,
                      "the stack's `run` command kills every process of the container when the time is over", "", ""};
  return std::nullopt;
}

/// What the launcher does beside Landlock and the filter: user, capabilities, environment, resource limits.
std::optional<Capability> by_launcher(const model::Policy& policy, const Fact& fact) {
  if (fact.kind == Fact::Kind::User) return Capability{Holds::Exact, "the launcher becomes this user", "", ""};
  if (fact.kind == Fact::Kind::Limit && fact.name == "files")
    return Capability{Holds::Exact, "a resource limit", "", ""};
  if (fact.kind == Fact::Kind::Limit && fact.name != "time")
    return Capability{Holds::Not, "the launcher puts no cgroup limits on the agent", "",
                      "`isolation container`, or start it in a cgroup that has the limit"};
  if (fact.kind == Fact::Kind::Mount)
    return Capability{Holds::Not, "the agent runs in the host's own file system: nothing is mounted for it", "",
                      "`isolation container`"};
  if (fact.kind != Fact::Kind::Pattern) return std::nullopt;
  if (fact.block == "capability") {
    const std::string& name = std::get<model::CapabilityBody>(policy.rules[fact.rule].body).names[fact.pattern].pattern;
    for (const auto& [capability, call] :
         std::initializer_list<std::pair<const char*, const char*>>{{"CAP_SYS_MODULE", "init_module"},
                                                                    {"CAP_SYS_MODULE", "finit_module"},
                                                                    {"CAP_SYS_RAWIO", "iopl"},
                                                                    {"CAP_BPF", "bpf"}})
      if (name == capability &&
          model::decide(policy, model::SyscallAction{call, {}}).decision == model::Decision::Allow)
        return Capability{Holds::Wider, fmt::format("with `{}` code can be put into the kernel", call),
                          "modify \"/etc/passwd\"", fmt::format("syscall {{ deny {} }}", call)};
    return Capability{Holds::Exact, "the launcher keeps it or gives it up", "", ""};
  }
  if (fact.block == "env") return Capability{Holds::Exact, "the launcher starts with an empty environment", "", ""};
  return std::nullopt;
}

/// `ask` outside `tool`: refused by every layer until something can put the question.
std::optional<Capability> by_effect(const model::Policy& policy, const Fact& fact) {
  if (fact.kind != Fact::Kind::Pattern || fact.block == "tool" || policy.rules[fact.rule].effect != model::Effect::Ask)
    return std::nullopt;
  return Capability{Holds::Narrower, "nothing in the stack can put the question, so the action is refused", fact.text,
                    ""};
}

void join(Row& row) {
  const auto find = [&](Holds h) {
    return std::find_if(row.answers.begin(), row.answers.end(),
                        [&](const Answer& a) { return a.capability.holds == h; });
  };
  for (const Holds h : {Holds::Narrower, Holds::Exact, Holds::Wider}) {
    const auto at = find(h);
    if (at == row.answers.end()) continue;
    row.holds = h;
    row.layer = at->layer;
    return;
  }
  row.holds = Holds::Not;
}

/// The `accept` lines that count, by what they name: there may be as many of them as there are facts.
class Accepts {
 public:
  explicit Accepts(const std::vector<Accept>& all) : all_(all) {
    for (std::size_t i = 0; i < all.size(); ++i)
      if (!all[i].expired) (all[i].block ? blocks_ : texts_)[all[i].fact].push_back(i);
  }

  /// Those that name the fact of `row` or its block, whatever kind of gap they accept, as they are written.
  std::vector<std::size_t> about(const Row& row) const {
    std::vector<std::size_t> out;
    if (const auto at = blocks_.find(row.fact.block); at != blocks_.end()) out = at->second;
    if (const auto at = texts_.find(row.fact.text); at != texts_.end())
      out.insert(out.end(), at->second.begin(), at->second.end());
    std::sort(out.begin(), out.end());
    return out;
  }

  bool covers(std::size_t accept, const Row& row) const {
    return all_[accept].kind == (row.holds == Holds::Not     ? Accept::Kind::Unenforced
                                 : row.holds == Holds::Wider ? Accept::Kind::Wider
                                                             : Accept::Kind::Narrower);
  }

 private:
  const std::vector<Accept>& all_;
  std::unordered_map<std::string_view, std::vector<std::size_t>> blocks_, texts_;
};

const Answer* deciding(const Row& row) {
  for (const Answer& a : row.answers)
    if (a.capability.holds == row.holds) return &a;
  return nullptr;
}

void report_gap(const model::Policy& policy, const model::Target& target, const Row& row, const Accepts& accepts,
                diagnostics::Sink& sink) {
  const Answer* answer = deciding(row);
  const diagnostics::Kind& k = row.holds == Holds::Not     ? kind::gap_unenforced
                               : row.holds == Holds::Wider ? kind::gap_wider
                                                           : kind::gap_narrower;
  const std::string_view word = row.holds == Holds::Not     ? "unenforced"
                                : row.holds == Holds::Wider ? "wider"
                                                            : "narrower";
  std::string message;
  if (row.holds == Holds::Not)
    message = fmt::format("no layer of the stack `{}` holds `{}`", target.stack, row.fact.text);
  else
    message = fmt::format("the layer `{}` permits {} than `{}` says", row.layer,
                          row.holds == Holds::Wider ? "more" : "less", row.fact.text);
  auto& d = sink.emit(k, row.fact.span, std::move(message));
  d.about(policy.name);
  if (answer)
    d.labelled(answer->capability.reason);
  else
    d.labelled("nothing in the stack decides this");
  if (row.fact.kind == Fact::Kind::Pattern)
    for (const source::Span& via : policy.rules[row.fact.rule].included_by) d.relate(via, "included here");
  for (const Answer& a : row.answers)
    if (&a != answer && a.capability.holds != Holds::Elsewhere)
      d.note(fmt::format("{}: {}", a.layer, a.capability.reason));
  std::string help = answer ? answer->capability.help : "";
  if (!help.empty()) help += "; or ";
  const bool wide_block = row.fact.block == "tool" || row.fact.kind == Fact::Kind::Mode ||
                          row.fact.text.starts_with('@');  // no `accept` names a group
  help +=
      fmt::format("record the risk: `accept {} {} because \"…\"`", word, wide_block ? row.fact.block : row.fact.text);
  if (answer && !answer->capability.slips.empty())
    d.witnessed(
        fmt::format("{} {}", answer->capability.slips, row.holds == Holds::Narrower ? "is refused" : "slips through"));
  d.helped(help);
  for (const std::size_t a : accepts.about(row))
    d.relate(policy.accepts[a].span, fmt::format("this accepts another kind of gap: the stack's is `{}`", word));
}

/// The patterns of a group of system calls are one line of the source: one row, as long as all are held alike.
void merge_groups(std::vector<Row>& rows) {
  const auto same = [](const Row& a, const Row& b) {
    return a.fact.span == b.fact.span && a.fact.text == b.fact.text && a.fact.rule == b.fact.rule &&
           a.holds == b.holds && a.layer == b.layer && a.accept == b.accept;
  };
  std::vector<Row> merged;
  for (Row& row : rows)
    if (merged.empty() || !same(merged.back(), row))
      merged.push_back(std::move(row));
    else
      ++merged.back().count;
  rows = std::move(merged);
}

/// A2 before A11.
bool by_number(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

/// `on deny` asks for reports; what no layer can report on is a warning.
void check_reports(const model::Policy& policy, const model::Target& target, const std::set<std::string>& reported,
                   diagnostics::Sink& sink) {
  const auto block_of = [](const std::string& t) -> std::string {
    if (t == "connect" || t == "listen") return "net";
    for (const char* verb : {"read", "write", "exec", "list", "modify", "create", "delete"})
      if (t == verb) return "file";
    return t;
  };
  for (const auto& alert : policy.on_deny.alerts)
    for (const auto& t : alert.targets)
      if (!reported.count(block_of(t)))
        sink.emit(kind::unreported_denial, alert.span,
                  fmt::format("no layer of the stack `{}` reports a refused `{}`", target.stack, t))
            .about(policy.name)
            .labelled(fmt::format("an alert for `{}` will never be raised", t))
            .note("the refusal itself holds; only the report is missing");
}

}  // namespace

std::span<const std::string_view> stacks() {
  static constexpr std::string_view names[] = {"oci", "oci+landlock", "launcher", "podman", "docker", "kubernetes"};
  return names;
}

bool writes_for(const backends::Backend& backend, std::string_view stack) {
  const auto all = stacks();
  return backend.in_stack(stack) ||
         std::none_of(all.begin(), all.end(), [&](std::string_view s) { return backend.in_stack(s); });
}

std::string audited_blocks(const model::Policy& policy) {
  std::string out;
  for (const char* block : {"net", "syscall"})  // files stay enforced: no layer can audit them
    if (policy.audits(block)) out += (out.empty() ? "" : ", ") + std::string(block);
  return out;
}

Plan make_plan(const model::Policy& policy, const model::Target& target, diagnostics::Sink& sink) {
  Plan plan;
  const std::vector<Fact> facts = model::facts(policy);
  plan.rows.resize(facts.size());
  for (std::size_t i = 0; i < facts.size(); ++i) plan.rows[i].fact = facts[i];

  std::set<std::string> assumptions = {"A5", "A11"}, reported;
  for (const backends::Backend* backend : backends::all()) {
    const bool loaded = backend->in_stack(target.stack);
    if (!loaded && !writes_for(*backend, target.stack)) continue;  // a layer of other stacks
    if (!loaded) plan.advisory.emplace_back(backend->name());
    backends::Capabilities can = backend->capabilities(policy, facts, target);
    for (std::size_t i = 0; i < facts.size() && i < can.facts.size(); ++i) {
      Capability& c = can.facts[i];
      if (c.holds == Holds::Elsewhere) continue;
      if (!loaded) c.holds = Holds::Not;  // an artifact that no stack loads holds nothing
      plan.rows[i].answers.push_back({std::string(backend->name()), std::move(c)});
    }
    if (!loaded) continue;
    plan.derived.insert(plan.derived.end(), can.derived.begin(), can.derived.end());
    assumptions.insert(can.assumptions.begin(), can.assumptions.end());
    reported.insert(can.reports.begin(), can.reports.end());
  }
  plan.assumptions.assign(assumptions.begin(), assumptions.end());
  std::sort(plan.assumptions.begin(), plan.assumptions.end(), by_number);

  const Accepts accepts(policy.accepts);
  std::vector<bool> used(policy.accepts.size());
  std::set<std::string> said;
  for (Row& row : plan.rows) {
    if (auto c = by_stack(row)) row.answers.push_back({"stack", std::move(*c)});
    if (target.stack == "launcher")
      if (auto c = by_launcher(policy, row.fact)) row.answers.push_back({"launcher", std::move(*c)});
    if (auto c = by_effect(policy, row.fact)) row.answers.push_back({"stack", std::move(*c)});
    join(row);
    if (row.holds == Holds::Exact) continue;
    for (const std::size_t a : accepts.about(row))
      if (accepts.covers(a, row)) {
        if (!row.accept) row.accept = a;
        used[a] = true;
      }
    if (!row.accept &&
        said.insert(fmt::format("{}:{}:{}", row.fact.span.file, row.fact.span.begin, row.fact.text)).second)
      report_gap(policy, target, row, accepts, sink);
  }
  merge_groups(plan.rows);
  for (std::size_t a = 0; a < policy.accepts.size(); ++a) {
    if (used[a]) continue;
    const Accept& accept = policy.accepts[a];
    sink.emit(kind::unused_accept, accept.span,
              accept.expired
                  ? fmt::format("the accepted gap `{}` is past its `until`", accept.fact)
                  : fmt::format("`{}` accepts a gap that the stack `{}` does not have", accept.fact, target.stack))
        .about(policy.name)
        .helped(accept.expired ? "review the risk and give it a new date"
                               : "remove this line: it would hide a gap that appears later");
  }
  check_reports(policy, target, reported, sink);
  return plan;
}

}  // namespace agp::plan
