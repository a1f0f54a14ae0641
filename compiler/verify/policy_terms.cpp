#include "compiler/verify/policy_terms.hpp"

namespace agp::verify {

using model::ArgTest;
using model::Effect;
using solver::Op;
using solver::Term;

CallVariables call_variables(solver::Terms& terms) {
  CallVariables v;
  for (std::size_t i = 0; i < 6; ++i) v.arguments[i] = terms.variable("arg" + std::to_string(i), 64);
  v.instruction_pointer = terms.variable("instruction_pointer", 64);
  v.number = terms.variable("number", 32);
  v.arch = terms.variable("arch", 32);
  return v;
}

PolicyTerms::PolicyTerms(const model::Policy& policy, const plan::Plan& plan, solver::Terms& terms,
                         const CallVariables& variables)
    : policy_(policy), terms_(terms), variables_(variables), gaps_(call_gaps(policy, plan)) {
  index();
}

void PolicyTerms::index() {
  for (const model::Rule& rule : policy_.rules) {
    const auto* body = std::get_if<model::SyscallBody>(&rule.body);
    if (!body || rule.expired) continue;
    std::map<std::string_view, Mention> by_call;
    for (const auto& p : body->patterns) {
      Mention& m = by_call.try_emplace(p.pattern.name, Mention{&rule, {}, {}}).first->second;
      m.patterns.push_back(&p.pattern);
    }
    for (const auto& p : body->except)
      if (const auto it = by_call.find(p.pattern.name); it != by_call.end()) it->second.except.push_back(&p.pattern);
    for (auto& [name, mention] : by_call) mentions_[name].push_back(std::move(mention));
  }
}

/// model::holds under one mask.
Term PolicyTerms::under(const ArgTest& t, std::uint64_t mask, const Facts* facts) {
  if (facts)
    if (const auto known = decide(*facts, t, mask)) return terms_.boolean(*known);
  const auto number = [&](std::uint64_t v) { return terms_.constant(64, v); };
  const Term x = terms_.binary(Op::BvAnd, variables_.arguments[static_cast<std::size_t>(t.index)], number(mask));
  if (t.op == ArgTest::Op::In) {
    Term any = terms_.boolean(false);
    for (const std::uint64_t v : t.values) {
      const ArgTest one{t.index, ArgTest::Op::Eq, ~0ull, {v}};
      if (!facts || decide(*facts, one, mask) != false) any = terms_.either(any, terms_.equal(x, number(v)));
    }
    return any;
  }
  if (t.values.empty()) return terms_.boolean(false);
  const Term v = number(t.values.front());
  switch (t.op) {
    case ArgTest::Op::Eq:
      return terms_.equal(x, v);
    case ArgTest::Op::Ne:
      return terms_.negate(terms_.equal(x, v));
    case ArgTest::Op::Lt:
      return terms_.less(x, v);
    case ArgTest::Op::Le:
      return terms_.less_equal(x, v);
    case ArgTest::Op::Gt:
      return terms_.less(v, x);
    case ArgTest::Op::Ge:
      return terms_.less_equal(v, x);
    case ArgTest::Op::Masked:
      return terms_.equal(terms_.binary(Op::BvAnd, x, number(t.mask)), v);
    case ArgTest::Op::In:
      break;
  }
  return terms_.boolean(false);
}

/// An argument of unknown width: a refusal under either reading, a grant only under both.
Term PolicyTerms::test(const ArgTest& t, const linux::Syscall& call, bool refuses, const Facts* facts) {
  const linux::Argument& argument = call.arguments[static_cast<std::size_t>(t.index)];
  const Term all = under(t, argument.effective_mask, facts);
  if (argument.classified) return all;
  const Term low = under(t, argument.effective_mask & 0xffffffff, facts);
  return refuses ? terms_.either(all, low) : terms_.both(all, low);
}

Term PolicyTerms::pattern(const model::SyscallPattern& p, const linux::Syscall& call, bool refuses,
                          const Facts* facts) {
  Term all = terms_.boolean(p.archs.has(call.arch));
  for (const ArgTest& t : p.tests)
    if (!terms_.is_false(all)) all = terms_.both(all, test(t, call, refuses, facts));
  return all;
}

Term PolicyTerms::any(const Patterns& patterns, const linux::Syscall& call, bool refuses, const Facts* facts) {
  Term out = terms_.boolean(false);
  for (const auto* p : patterns) out = terms_.either(out, pattern(*p, call, refuses, facts));
  return out;
}

PolicyOnCall PolicyTerms::on(const linux::Syscall& call, const Facts* facts) {
  const Term no = terms_.boolean(false);
  PolicyOnCall out{no, no, no, no, no, no};
  if (const auto it = mentions_.find(call.name); it != mentions_.end())
    for (const Mention& m : it->second) {
      const bool refuses = m.rule->effect != Effect::Allow;
      const Term in = any(m.patterns, call, refuses, facts);
      if (terms_.is_false(in)) continue;
      const Term matches = terms_.both(in, terms_.negate(any(m.except, call, !refuses, facts)));
      Term& sort = m.rule->effect == Effect::Allow ? out.allow : m.rule->effect == Effect::Ask ? out.ask : out.deny;
      sort = terms_.either(sort, matches);
      const model::Denial& denial = std::get<model::SyscallBody>(m.rule->body).denial;
      if (m.rule->effect == Effect::Deny && (denial.kind != model::Denial::Kind::Errno || denial.errno_value != 0))
        out.named_denial = terms_.either(out.named_denial, matches);
    }
  // `accept wider|narrower|unenforced` of a pattern takes that pattern's region out, and no more.
  for (const CallGap& gap : gaps_) {
    if (gap.calls.name != call.name) continue;
    Term& region = gap.narrower ? out.may_lack : out.may_exceed;
    region = terms_.either(region, pattern(gap.calls, call, gap.refuses, facts));
  }
  return out;
}

}  // namespace agp::verify
