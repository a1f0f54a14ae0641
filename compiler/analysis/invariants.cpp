// Invariants over a policy. In: the policy's rules, and each set of an invariant as one more rule that asks instead of
// deciding; both cut into cells together. A line is then a scan: `never A` looks for a permitted cell in A, `only` for
// a permitted one of its verbs outside. Names to resolve and `require` are questions to the policy itself.
#include "compiler/analysis/invariants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/analysis/cover.hpp"
#include "compiler/analysis/units.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/sema/rules.hpp"

namespace agp::analysis {

using namespace model;
namespace kind = diagnostics::kind;

namespace {

/// Kinds of actions that `only` speaks about as a whole.
struct Reach {
  Verbs verbs = 0;
  bool connect = false, listen = false, call = false, capability = false, env = false, tool = false, resolve = false;

  void add(const ActionSet& set) {
    std::visit(
        [&](const auto& body) {
          using B = std::decay_t<decltype(body)>;
          if constexpr (std::is_same_v<B, FileBody>)
            verbs |= body.verbs;
          else if constexpr (std::is_same_v<B, NetBody> || std::is_same_v<B, UnixBody>)
            (body.direction == Direction::Connect ? connect : listen) = true;
          else if constexpr (std::is_same_v<B, SyscallBody>)
            call = true;
          else if constexpr (std::is_same_v<B, CapabilityBody>)
            capability = true;
          else if constexpr (std::is_same_v<B, TextBody>)
            (body.sort == TextBody::Sort::Env ? env : tool) = true;
          else
            resolve = true;
        },
        set.body);
  }

  bool has(const Space& space, std::size_t cell) const {
    switch (space.sort(cell)) {
      case Sort::File:
        return (space.verbs(cell) & verbs) != 0;
      case Sort::Net:
      case Sort::Name:
        return space.net(cell)->direction == Direction::Connect ? connect : listen;
      case Sort::Unix:
        return std::get<UnixAction>(space.witness(cell)).direction == Direction::Connect ? connect : listen;
      case Sort::Syscall:
        return call;
      case Sort::Capability:
        return capability;
      case Sort::Env:
        return env;
      case Sort::Tool:
        break;
    }
    return tool;
  }

  bool has(Sort sort) const {
    const bool net = connect || listen;
    const bool by_sort[] = {verbs != 0, net, net, net, call, capability, env, tool};
    return by_sort[static_cast<std::size_t>(sort)];
  }
};

/// A set as a rule whose patterns the space cuts by; nothing for names to resolve.
std::optional<Rule> as_rule(const ActionSet& set, bool forbids) {
  Rule rule;
  rule.effect = forbids ? Effect::Deny : Effect::Allow;
  rule.span = set.span;
  rule.text = set.text;
  const bool cut = std::visit(
      [&](const auto& body) {
        if constexpr (std::is_same_v<std::decay_t<decltype(body)>, ResolveBody>) {
          return false;
        } else {
          rule.body = body;
          return true;
        }
      },
      set.body);
  if (!cut) return std::nullopt;
  return rule;
}

/// What an invariant found: permitted cells, or names that resolve, and the units that grant them.
struct Breach {
  std::string witness;
  std::vector<std::uint32_t> grants;  ///< units
  std::vector<std::size_t> rules;     ///< of a name that resolves
};

struct AskedSet {
  const ActionSet* set;
  std::uint32_t rule;  ///< index in the space; ~0 for names to resolve
};

class Checker {
 public:
  Checker(const Policy& policy, std::span<const Invariant* const> invariants, diagnostics::Sink& sink,
          SpaceLimits limits)
      : policy_(policy), sink_(sink) {
    for (const Invariant* invariant : invariants)
      for (const InvariantLine& line : invariant->lines) {
        if (const auto* never = std::get_if<Never>(&line.body)) ask(never->a, true);
        if (const auto* with = std::get_if<NeverWith>(&line.body)) {
          ask(with->a, true);
          ask(with->b, true);
        }
        if (const auto* only = std::get_if<Only>(&line.body))
          for (const ActionSet& set : only->sets) ask(set, false);
      }
    std::vector<const Rule*> rules;
    for (const Rule& rule : policy.rules) rules.push_back(&rule);
    for (const Rule& question : questions_) rules.push_back(&question);
    space_.emplace(std::move(rules), limits, policy.rules.size());
    units_.emplace(*space_);
    permit();
  }

  bool run(const Invariant& invariant) {
    for (const InvariantLine& line : invariant.lines)
      std::visit([&](const auto& body) { check(invariant, line, body); }, line.body);
    return decided_;
  }

 private:
  void ask(const ActionSet& set, bool forbids) {
    auto rule = as_rule(set, forbids);
    asked_.push_back({&set, rule ? static_cast<std::uint32_t>(policy_.rules.size() + questions_.size()) : ~0u});
    if (rule) questions_.push_back(std::move(*rule));
  }
  std::uint32_t question(const ActionSet& set) const {
    return std::find_if(asked_.begin(), asked_.end(), [&](const AskedSet& a) { return a.set == &set; })->rule;
  }

  void permit() {
    permitted_.resize(space_->size());
    inside_.resize(space_->size());
    for (std::size_t c = 0; c < space_->size(); ++c) {
      bool deny = false, grant = false;
      space_->each_rule(c, [&](std::uint32_t r, bool matches) {
        if (!matches) return;
        if (r >= policy_.rules.size())
          inside_[c].push_back(r);
        else
          (policy_.rules[r].effect == Effect::Deny ? deny : grant) = true;
      });
      permitted_[c] = grant && !deny;
    }
  }

  std::vector<std::uint32_t> granting(std::size_t cell) const {
    std::vector<std::uint32_t> out, matching;
    space_->each_rule(cell, [&](std::uint32_t r, bool matches) {
      if (matches && r < policy_.rules.size() && policy_.rules[r].effect != Effect::Deny) matching.push_back(r);
    });
    units_->each(cell, [&](std::uint32_t u) {
      const std::uint32_t r = (*units_)[u].rule;
      if (!(*units_)[u].except && std::binary_search(matching.begin(), matching.end(), r)) out.push_back(u);
    });
    return out;
  }

  /// The permitted cells for which `bad` holds, told by the fewest units that grant them all.
  template <class Bad>
  std::optional<Breach> breach(const Bad& bad) const {
    Breach out;
    std::vector<std::vector<std::uint32_t>> grants;
    for (std::size_t c = 0; c < space_->size(); ++c) {
      if (!permitted_[c] || !bad(c)) continue;
      if (grants.empty()) out.witness = space_->witness_text(c);
      grants.push_back(granting(c));
    }
    if (grants.empty()) return std::nullopt;
    out.grants = smallest_cover(std::move(grants));
    return out;
  }

  /// A name that resolves and for which `bad` holds: each stated name, and one beneath each `*.`.
  template <class Bad>
  std::optional<Breach> resolvable(const std::vector<NamePattern>& also, const Bad& bad) const {
    std::set<std::string> names;
    const auto put = [&](const NamePattern& n) { names.insert(n.beneath ? "x." + n.name : n.name); };
    for (const NamePattern& n : also) put(n);
    for (const Rule& rule : policy_.rules)
      if (const auto* body = std::get_if<NetBody>(&rule.body); body && !rule.expired)
        for (const auto& e : body->endpoints)
          if (e.pattern.name) put(*e.pattern.name);
    for (const std::string& name : names) {
      if (!bad(name)) continue;
      const Verdict verdict = decide(policy_, ResolveAction{name});
      if (verdict.decision == Decision::Deny) continue;
      return Breach{to_string(Action(ResolveAction{name})), {}, verdict.rules};
    }
    return std::nullopt;
  }

  std::optional<Breach> permits(const ActionSet& set) {
    if (const auto* resolve = std::get_if<ResolveBody>(&set.body)) {
      std::vector<NamePattern> names;
      for (const auto& n : resolve->names) names.push_back(n.pattern);
      return resolvable(names, [&](const std::string& name) {
        return std::any_of(names.begin(), names.end(), [&](const NamePattern& n) { return n.matches(name); });
      });
    }
    const std::uint32_t q = question(set);
    return breach([&](std::size_t c) { return std::binary_search(inside_[c].begin(), inside_[c].end(), q); });
  }

  void check(const Invariant& invariant, const InvariantLine& line, const Never& never) {
    if (undecided(line, {&never.a})) return;
    if (const auto found = permits(never.a)) report(invariant, line, *found, nullptr);
  }

  void check(const Invariant& invariant, const InvariantLine& line, const NeverWith& with) {
    if (undecided(line, {&with.a, &with.b})) return;
    const auto a = permits(with.a), b = permits(with.b);
    if (a && b) report(invariant, line, *a, &*b);
  }

  void check(const Invariant& invariant, const InvariantLine& line, const Only& only) {
    std::vector<const ActionSet*> sets;
    std::vector<std::uint32_t> inside;
    std::vector<NamePattern> names;
    Reach reach;
    for (const ActionSet& set : only.sets) {
      sets.push_back(&set);
      reach.add(set);
      if (const auto* resolve = std::get_if<ResolveBody>(&set.body))
        for (const auto& n : resolve->names) names.push_back(n.pattern);
      else
        inside.push_back(question(set));
    }
    if (undecided(line, sets)) return;
    auto found = breach([&](std::size_t c) {
      return reach.has(*space_, c) && std::none_of(inside.begin(), inside.end(), [&](std::uint32_t q) {
               return std::binary_search(inside_[c].begin(), inside_[c].end(), q);
             });
    });
    if (!found && reach.resolve)
      found = resolvable(names, [&](const std::string& name) {
        return std::none_of(names.begin(), names.end(), [&](const NamePattern& n) { return n.matches(name); });
      });
    if (found) report(invariant, line, *found, nullptr);
  }

  void check(const Invariant& invariant, const InvariantLine& line, const Require& require) {
    const std::string has = lacks(require);
    if (has.empty()) return;
    auto& d = sink_.emit(
        kind::invariant_violated, policy_.name_span,
        fmt::format("`{}` breaks `{}` of the invariant `{}`: {}", policy_.name, line.text, invariant.name, has));
    d.about(policy_.name).relate(line.span, "required here");
  }

  /// What is wrong, or nothing.
  std::string lacks(const Require& require) const {
    switch (require.what) {
      case Require::What::Limit:
        return lacks_limit(require);
      case Require::What::Enforce:
        return policy_.mode == Mode::Enforce ? "" : "its mode is audit";
      case Require::What::Isolation:
        return policy_.isolation >= require.isolation ? "" : fmt::format("its isolation is {}", isolation());
      case Require::What::Ephemeral:
        return policy_.ephemeral ? "" : "it is not ephemeral";
      case Require::What::Owner:
        return policy_.owner.empty() ? "it has no owner" : "";
      case Require::What::RunUser:
        return policy_.run.user ? "" : "its `run` states no user";
    }
    return {};
  }
  std::string_view isolation() const {
    return policy_.isolation == Isolation::Process     ? "process"
           : policy_.isolation == Isolation::Container ? "container"
                                                       : "microvm";
  }

  std::string lacks_limit(const Require& require) const {
    const Limits& l = policy_.limits;
    const auto& bound = require.limit == "cpu"      ? l.cpu_milli
                        : require.limit == "memory" ? l.memory_bytes
                        : require.limit == "pids"   ? l.pids
                        : require.limit == "time"   ? l.time_ms
                                                    : l.files;
    if (!bound) return fmt::format("it states no `{}`", require.limit);
    if (!require.comparison) return {};
    const std::uint64_t v = bound->value, w = require.bound;
    using C = Require::Comparison;
    const C c = *require.comparison;
    const bool holds = c == C::Eq   ? v == w
                       : c == C::Ne ? v != w
                       : c == C::Lt ? v < w
                       : c == C::Le ? v <= w
                       : c == C::Gt ? v > w
                                    : v >= w;
    return holds ? "" : fmt::format("its `{}` is {}", require.limit, sema::bound_text(require.limit, v));
  }

  bool undecided(const InvariantLine& line, const std::vector<const ActionSet*>& sets) {
    Reach reach;
    for (const ActionSet* set : sets) reach.add(*set);
    for (const auto& [sort, why] : space_->undecided()) {
      if (!reach.has(sort)) continue;
      sink_
          .emit(kind::undecided_check, line.span,
                fmt::format("whether `{}` satisfies `{}` is not decided: {}", policy_.name, line.text, why))
          .about(policy_.name);
      decided_ = false;
      return true;
    }
    return false;
  }

  void relate(diagnostics::Diagnostic& d, const Breach& breach) const {
    constexpr std::size_t shown = 6;
    std::size_t n = 0;
    const auto one = [&](const Rule& rule, source::Span span) {
      if (n++ >= shown) return;
      d.relate(span, rule.effect == Effect::Ask ? "permitted here, after a question" : "permitted here");
      for (const auto& include : rule.included_by) d.relate(include, "brought by this `include`");
    };
    for (const std::uint32_t u : breach.grants) one(policy_.rules[(*units_)[u].rule], (*units_)[u].span);
    for (const std::size_t r : breach.rules) one(policy_.rules[r], policy_.rules[r].span);
    if (n > shown) d.note(fmt::format("{} more rules permit a part of it", n - shown));
  }

  void report(const Invariant& invariant, const InvariantLine& line, const Breach& first, const Breach* second) {
    const std::string what = second ? "permits both" : "permits it";
    auto& d = sink_.emit(kind::invariant_violated, line.span,
                         fmt::format("`{}` breaks the invariant `{}`: it {} `{}`", policy_.name, invariant.name,
                                     second ? "permits both" : "permits", first.witness));
    if (second) d.message += fmt::format(" and `{}`", second->witness);
    d.about(policy_.name);
    d.witnessed(second ? fmt::format("{} with {}", first.witness, second->witness) : first.witness);
    relate(d, first);
    if (second) relate(d, *second);
    for (const auto& use : invariant.used_by) d.relate(use, "the invariant was brought by this `use`");
  }

  const Policy& policy_;
  diagnostics::Sink& sink_;
  std::vector<Rule> questions_;
  std::vector<AskedSet> asked_;
  std::optional<Space> space_;
  std::optional<Units> units_;
  std::vector<bool> permitted_;
  std::vector<std::vector<std::uint32_t>> inside_;
  bool decided_ = true;
};

/// Is there an action in the set? Nothing: not decided.
std::optional<bool> empty_set(const ActionSet& set) {
  const auto rule = as_rule(set, true);
  if (!rule) return std::get<ResolveBody>(set.body).names.empty();
  const Space space({&*rule}, {}, 0);
  if (!space.undecided().empty()) return std::nullopt;
  for (std::size_t c = 0; c < space.size(); ++c) {
    bool in = false;
    space.each_rule(c, [&](std::uint32_t, bool matches) { in = in || matches; });
    if (in) return false;
  }
  return true;
}

}  // namespace

bool check_invariants(const Policy& policy, std::span<const Invariant* const> invariants, diagnostics::Sink& sink,
                      SpaceLimits limits) {
  std::vector<const Invariant*> here;
  for (const Invariant* invariant : invariants)
    if (invariant->concerns(policy)) here.push_back(invariant);
  if (here.empty()) return true;
  Checker checker(policy, here, sink, limits);
  bool decided = true;
  for (const Invariant* invariant : here) decided = checker.run(*invariant) && decided;
  return decided;
}

void find_vacuous(std::span<const Invariant* const> invariants, std::span<const Policy* const> policies,
                  diagnostics::Sink& sink) {
  for (const Invariant* invariant : invariants) {
    if (std::none_of(policies.begin(), policies.end(), [&](const Policy* p) { return invariant->concerns(*p); })) {
      if (!policies.empty())
        sink.emit(kind::vacuous_invariant, invariant->name_span,
                  fmt::format("the invariant `{}` concerns no policy that was checked", invariant->name))
            .helped("correct the names behind `for`");
      continue;
    }
    for (const InvariantLine& line : invariant->lines) {
      std::vector<const ActionSet*> sets;
      if (const auto* never = std::get_if<Never>(&line.body)) sets.push_back(&never->a);
      if (const auto* with = std::get_if<NeverWith>(&line.body)) {
        sets.push_back(&with->a);
        sets.push_back(&with->b);
      }
      for (const ActionSet* set : sets)
        if (empty_set(*set) == true)
          sink.emit(kind::vacuous_invariant, set->span,
                    fmt::format("`{}` is no action at all: every policy satisfies this line", set->text))
              .about("")
              .helped("narrow its `except`, or correct a condition");
    }
  }
}

}  // namespace agp::analysis
