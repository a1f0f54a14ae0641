#include "backends/seccomp/emit/decisions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "backends/seccomp/emit/conditions.hpp"
#include "backends/seccomp/emit/names.hpp"
#include "backends/seccomp/emit/words.hpp"
#include "backends/seccomp/format.hpp"

// Comes in: the policy's syscall rules. Goes out: for every call of the table, one diagram from argument words to the
// SECCOMP_RET_* word. Holds afterwards: the leaf for any arguments is RET_ALLOW exactly where model::decide says allow
// (or a loader's need applies), and the strictest denial of the matching deny rules elsewhere; in audit RET_LOG, which
// runs the call and reports it (seccomp(2), SECCOMP_RET_LOG).
namespace agp::backends::seccomp {
namespace {

using model::Denial;
using Ref = Diagram::Ref;

/// The conditions under which each sort of rule matches one call.
struct Matches {
  Ref allow = Diagram::no, ask = Diagram::no;
  Ref kill = Diagram::no, trap = Diagram::no, plain = Diagram::no;
  std::map<int, Ref> errnos;  ///< deny rules that name one
  std::vector<std::size_t> rules;
  bool refused_always(Diagram& d) const {
    Ref all = d.either(d.either(kill, trap), d.either(plain, ask));
    for (const auto& [value, ref] : errnos) all = d.either(all, ref);
    return all == Diagram::yes;
  }
};

/// A pattern of a rule, about one call; the next one about that call is of the same rule or a later one.
struct Mention {
  static constexpr std::size_t none = ~std::size_t{0};
  std::size_t rule = 0;
  const model::SyscallPattern* pattern = nullptr;
  bool except = false;
  std::size_t next = none;
};

class Decider {
 public:
  Decider(const model::Policy& policy, const model::Target& target, WordChoice choice)
      : policy_(policy), target_(target), choice_(choice) {
    out_.audit = policy.audits("syscall");
    if (out_.audit) out_.no_call = Diagram::leaf(format::ret_log);
    index();
  }

  Decisions run(std::span<const linux::LoaderNeed> needs) {
    for (const std::string& name : target_.archs) {
      const auto arch = linux::find_arch(name);
      if (!arch) continue;
      out_.archs.push_back({*arch, {}});
      out_.archs.back().calls.reserve(linux::syscalls(*arch).size());
      for (const linux::Syscall& call : linux::syscalls(*arch)) {  // by number: clone before clone3
        const auto need =
            std::find_if(needs.begin(), needs.end(), [&](const linux::LoaderNeed& n) { return n.call == call.name; });
        const bool before = out_.diagram.exhausted();
        CallDecision decision = decide(call, need == needs.end() ? nullptr : &*need);
        if (!before && out_.diagram.exhausted()) exhausted(decision);
        out_.archs.back().calls.push_back(std::move(decision));
      }
    }
    return std::move(out_);
  }

 private:
  /// Rules by the call they are about: a policy may have thousands of patterns.
  void index() {
    by_name_.reserve(2 * policy_.rules.size());
    mentions_.reserve(2 * policy_.rules.size());
    for (std::size_t i = 0; i < policy_.rules.size(); ++i) {
      const auto* body = std::get_if<model::SyscallBody>(&policy_.rules[i].body);
      if (!body || policy_.rules[i].expired) continue;
      for (const auto& p : body->patterns) add({i, &p.pattern, false, Mention::none});
      for (const auto& p : body->except)  // of nothing where no pattern is about the call
        if (const auto it = by_name_.find(p.pattern.name); it != by_name_.end() && mentions_[it->second.last].rule == i)
          add({i, &p.pattern, true, Mention::none});
    }
  }
  void add(const Mention& m) {
    const std::size_t here = mentions_.size();
    const auto [it, fresh] = by_name_.try_emplace(m.pattern->name, Chain{here, here});
    if (!fresh) it->second.last = mentions_[it->second.last].next = here;
    mentions_.push_back(m);
  }

  /// Whether a rule matches: its patterns from one mention on, minus its `except`. Then `at` is the next rule's.
  Ref condition(std::size_t& at, const linux::Syscall& call, bool refuses) {
    Diagram& d = out_.diagram;
    Ref in = Diagram::no, out = Diagram::no;
    for (const std::size_t rule = mentions_[at].rule; at != Mention::none && mentions_[at].rule == rule;
         at = mentions_[at].next) {
      const Mention& m = mentions_[at];
      if (!m.pattern->archs.has(call.arch)) continue;
      Ref& side = m.except ? out : in;
      side = d.either(side, pattern_condition(d, *m.pattern, call, refuses != m.except, order_));
    }
    return d.choose(out, Diagram::no, in);
  }

  Matches matches(const linux::Syscall& call) {
    Matches m;
    Diagram& d = out_.diagram;
    const auto it = by_name_.find(call.name);
    if (it == by_name_.end()) return m;
    for (std::size_t at = it->second.first; at != Mention::none;) {
      const std::size_t i = mentions_[at].rule;
      const model::Rule& rule = policy_.rules[i];
      const Ref when = condition(at, call, rule.effect != model::Effect::Allow);
      m.rules.push_back(i);
      if (rule.effect == model::Effect::Allow)
        m.allow = d.either(m.allow, when);
      else if (rule.effect == model::Effect::Ask)
        m.ask = d.either(m.ask, when);
      else
        deny(m, std::get<model::SyscallBody>(rule.body).denial, when);
    }
    return m;
  }

  void deny(Matches& m, const Denial& denial, Ref when) {
    Diagram& d = out_.diagram;
    if (denial.kind == Denial::Kind::Kill)
      m.kill = d.either(m.kill, when);
    else if (denial.kind == Denial::Kind::Trap)
      m.trap = d.either(m.trap, when);
    else if (denial.errno_value == 0)
      m.plain = d.either(m.plain, when);
    else {
      Ref& so_far = m.errnos.try_emplace(denial.errno_value, Diagram::no).first->second;
      so_far = d.either(so_far, when);
    }
  }

  /// The calls of the loader, on this one: all of them, or those with some bits of an argument clear.
  Ref calls_of(const linux::LoaderNeed& need, const linux::Syscall& call) {
    if (need.argument < 0) return Diagram::yes;
    const model::ArgTest clear{need.argument, model::ArgTest::Op::Masked, need.mask, {0}};
    return test_condition(out_.diagram, clear, call.arguments[static_cast<std::size_t>(need.argument)], false, order_);
  }

  CallDecision decide(const linux::Syscall& call, const linux::LoaderNeed* need) {
    order_ = natural_order;
    CallDecision result = decide_in_order(call, need);
    // Also where another rule allows it: a deny wins, and nothing would start.
    if (need && !out_.audit && matches(call).refused_always(out_.diagram)) need_denied(call, result.rules);
    if (choice_ == WordChoice::Cheapest && !Diagram::is_leaf(result.root)) {
      Ordering best(out_.diagram, result.root);
      for (const WordOrder& order : best.candidates()) {
        order_ = order;
        best.offer(decide_in_order(call, need).root);
      }
      result.root = without_implied_tests(out_.diagram, best.root());
      if (result.rules.size() > 1) result.words = words_of_rules(call);
    }
    return result;
  }

  std::vector<ComparedWord> words_of_rules(const linux::Syscall& call) const {
    std::vector<ComparedWord> out;
    for (std::size_t at = by_name_.at(call.name).first; at != Mention::none; at = mentions_[at].next) {
      if (!mentions_[at].pattern->archs.has(call.arch)) continue;
      for (const model::ArgTest& t : mentions_[at].pattern->tests)
        for (const std::uint64_t value : t.values)
          for (const bool low : {false, true})
            out.push_back({static_cast<unsigned>(t.index), low, static_cast<std::uint32_t>(value >> (low ? 0 : 32)),
                           mentions_[at].rule});
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  CallDecision decide_in_order(const linux::Syscall& call, const linux::LoaderNeed* need) {
    Diagram& d = out_.diagram;
    CallDecision result{&call, Diagram::no, {}, {}, false};
    Matches m = matches(call);
    result.rules = std::move(m.rules);
    const Ref with_need = need ? d.either(m.allow, calls_of(*need, call)) : m.allow;
    if (with_need != m.allow) {
      m.allow = with_need;
      result.derived = true;
    }
    const Ref denied = refusal(denial_of(call));
    Ref r = d.choose(m.allow, Diagram::leaf(format::ret_allow), denied);
    r = d.choose(m.ask, denied, r);
    r = d.choose(m.plain, denied, r);
    for (const auto& [value, when] : m.errnos)
      r = d.choose(when, refusal(format::ret_errno | static_cast<std::uint32_t>(value)), r);
    r = d.choose(m.trap, refusal(format::ret_trap), r);
    result.root = d.choose(m.kill, refusal(format::ret_kill_process), r);
    return result;
  }

  Ref refusal(std::uint32_t word) const { return Diagram::leaf(out_.audit ? format::ret_log : word); }

  void exhausted(const CallDecision& c) {
    out_.problems.push_back(
        {fmt::format("the conditions on system calls combine to more cases than a filter can hold, with those on `{}`",
                     c.call->name),
         c.rules.empty() ? std::nullopt : std::optional(c.rules.front()),
         "use fewer different masks on one argument, or split the policy"});
  }

  void need_denied(const linux::Syscall& call, const std::vector<std::size_t>& rules) {
    for (const std::size_t i : rules)
      if (policy_.rules[i].effect != model::Effect::Allow) {
        out_.problems.push_back(
            {fmt::format("the loader calls `{}` after the filter is on, and this rule denies it", call.name), i,
             fmt::format("remove `{}` from the rule", call.name)});
        return;
      }
  }

  /// libc calls clone3 first and falls back to clone only after ENOSYS; clone3's flags lie behind a pointer. So while
  /// `clone` depends on its arguments, a clone3 that nothing permits answers ENOSYS (LANGUAGE.md, System calls).
  std::uint32_t denial_of(const linux::Syscall& call) const {
    if (call.name == "clone3")
      for (const CallDecision& c : out_.archs.back().calls)
        if (c.call->name == "clone" && !Diagram::is_leaf(c.root)) return format::ret_errno | format::enosys;
    return default_denial(call, target_);
  }

  const model::Policy& policy_;
  const model::Target& target_;
  WordChoice choice_;
  WordOrder order_ = natural_order;
  std::vector<Mention> mentions_;
  struct Chain {
    std::size_t first, last;  ///< in mentions_
  };
  std::unordered_map<std::string_view, Chain, NameHash> by_name_;
  Decisions out_;
};

}  // namespace

std::uint32_t default_denial(const linux::Syscall& call, const model::Target& target) {
  const bool newer = model::KernelVersion{call.since.major, call.since.minor} > target.kernel;
  // their mode lies behind a pointer or has an older twin: libraries fall back only after ENOSYS (LANGUAGE.md,
  // @default)
  const bool has_fallback = call.name == "openat2" || call.name == "fchmodat2";
  return format::ret_errno | (newer || has_fallback ? format::enosys : format::eperm);
}

Decisions decide_calls(const model::Policy& policy, const model::Target& target,
                       std::span<const linux::LoaderNeed> needs, WordChoice choice) {
  return Decider(policy, target, choice).run(needs);
}

}  // namespace agp::backends::seccomp
