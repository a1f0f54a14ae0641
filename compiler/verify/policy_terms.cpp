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

PolicyTerms::PolicyTerms(const model::Policy& policy, const plan::Plan& plan, solver::Terms& terms, const CallVariables& variables)
    : policy_(policy), plan_(plan), terms_(terms), variables_(variables) {}

/// model::holds under one mask.
Term PolicyTerms::under(const ArgTest& t, std::uint64_t mask) {
  const auto number = [&](std::uint64_t v) { return terms_.constant(64, v); };
  const Term x = terms_.binary(Op::BvAnd, variables_.arguments[static_cast<std::size_t>(t.index)], number(mask));
  if (t.op == ArgTest::Op::In) {
    Term any = terms_.boolean(false);
    for (const std::uint64_t v : t.values) any = terms_.either(any, terms_.equal(x, number(v)));
    return any;
  }
  if (t.values.empty()) return terms_.boolean(false);
  const Term v = number(t.values.front());
  switch (t.op) {
    case ArgTest::Op::Eq: return terms_.equal(x, v);
    case ArgTest::Op::Ne: return terms_.negate(terms_.equal(x, v));
    case ArgTest::Op::Lt: return terms_.less(x, v);
    case ArgTest::Op::Le: return terms_.less_equal(x, v);
    case ArgTest::Op::Gt: return terms_.less(v, x);
    case ArgTest::Op::Ge: return terms_.less_equal(v, x);
    case ArgTest::Op::Masked: return terms_.equal(terms_.binary(Op::BvAnd, x, number(t.mask)), v);
    case ArgTest::Op::In: break;
  }
  return terms_.boolean(false);
}

/// An argument of unknown width: a refusal under either reading, a grant only under both.
Term PolicyTerms::test(const ArgTest& t, const linux::Syscall& call, bool refuses) {
  const linux::Argument& argument = call.arguments[static_cast<std::size_t>(t.index)];
  const Term all = under(t, argument.effective_mask);
  if (argument.classified) return all;
  const Term low = under(t, argument.effective_mask & 0xffffffff);
  return refuses ? terms_.either(all, low) : terms_.both(all, low);
}

Term PolicyTerms::pattern(const model::SyscallPattern& p, const linux::Syscall& call, bool refuses) {
  Term all = terms_.boolean(p.name == call.name);
  for (const ArgTest& t : p.tests)
    if (!terms_.is_false(all)) all = terms_.both(all, test(t, call, refuses));
  return all;
}

Term PolicyTerms::any(const std::vector<model::Placed<model::SyscallPattern>>& patterns, const linux::Syscall& call, bool refuses) {
  Term out = terms_.boolean(false);
  for (const auto& p : patterns) out = terms_.either(out, pattern(p.pattern, call, refuses));
  return out;
}

PolicyOnCall PolicyTerms::on(const linux::Syscall& call) {
  const Term no = terms_.boolean(false);
  PolicyOnCall out{no, no, no, no, no, no};
  for (const model::Rule& rule : policy_.rules) {
    const auto* body = std::get_if<model::SyscallBody>(&rule.body);
    if (!body || rule.expired) continue;
    const bool refuses = rule.effect != Effect::Allow;
    const Term in = any(body->patterns, call, refuses);
    if (terms_.is_false(in)) continue;
    const Term matches = terms_.both(in, terms_.negate(any(body->except, call, !refuses)));
    if (rule.effect == Effect::Allow) out.allow = terms_.either(out.allow, matches);
    if (rule.effect == Effect::Ask) out.ask = terms_.either(out.ask, matches);
    if (rule.effect != Effect::Deny) continue;
    out.deny = terms_.either(out.deny, matches);
    if (body->denial.kind != model::Denial::Kind::Errno || body->denial.errno_value != 0)
      out.named_denial = terms_.either(out.named_denial, matches);
  }
  accepted(call, out);
  return out;
}

/// `accept wider|narrower|unenforced` of a pattern about this call takes that pattern's region out, and no more.
void PolicyTerms::accepted(const linux::Syscall& call, PolicyOnCall& out) {
  for (const plan::Row& row : plan_.rows) {
    if (!row.accept || row.fact.kind != model::Fact::Kind::Pattern || row.fact.block != "syscall") continue;
    const auto* body = std::get_if<model::SyscallBody>(&policy_.rules[row.fact.rule].body);
    if (!body || row.fact.pattern >= body->patterns.size()) continue;
    const bool refuses = policy_.rules[row.fact.rule].effect != Effect::Allow;
    const Term region = pattern(body->patterns[row.fact.pattern].pattern, call, refuses);
    Term& gap = row.holds == plan::Holds::Narrower ? out.may_lack : out.may_exceed;
    gap = terms_.either(gap, region);
  }
}

}  // namespace agp::verify
