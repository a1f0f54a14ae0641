#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/sema/limits.hpp"
#include "compiler/sema/policy_builder.hpp"
#include "compiler/source/digest.hpp"

// The policy as a whole: headers, includes, bounds, what is reported, and what must hold once all rules are known.
namespace agp::sema {

namespace kind = diagnostics::kind;

namespace {

/// A label can stand on several rules: a fragment with a label, included for two hosts, say. Then each id is the label
/// and a hash of the rule's normal form, so that a line of a log and an entry of the source map mean one rule.
void tell_apart(std::vector<model::Rule>& rules) {
  std::map<std::string, std::set<std::string>> texts;
  for (const model::Rule& rule : rules)
    if (!rule.label.empty()) texts[rule.label].insert(rule.text);
  for (model::Rule& rule : rules)
    if (!rule.label.empty() && texts[rule.label].size() > 1) rule.id += "~" + source::sha256(rule.text).substr(0, 8);
}

}  // namespace

void PolicyBuilder::check_fragment(const syntax::Fragment& fragment) {
  syntax::Include include;
  include.name.parts = {fragment.name};
  include.name.span = include.span = fragment.name.span;
  statement(include, {{&root_, nullptr}, {}, "", false});
}

model::Policy PolicyBuilder::build(const syntax::Policy& policy) {
  out_.name = policy.name.text;
  out_.doc = policy.doc;
  out_.name_span = policy.name.span;
  out_.span = policy.span;
  statements(policy.body, {{&root_, nullptr}, {}, root_.library ? root_.path : "", false});
  complete(policy);
  tell_apart(out_.rules);
  return std::move(out_);
}

void PolicyBuilder::statements(const std::vector<syntax::Statement>& list, const Place& place) {
  for (const auto& s : list) std::visit([&](const auto& node) { statement(node, place); }, s);
}

bool PolicyBuilder::only_in_policy(const Place& place, Span at, std::string_view what) {
  if (!place.fragment) return true;
  sink().emit(kind::misplaced_block, at, fmt::format("`{}` belongs to a policy, not to a fragment", what));
  return false;
}

bool PolicyBuilder::once(const std::string& header, Span at) {
  const auto [known, fresh] = headers_.emplace(header, at);
  if (!fresh)
    sink()
        .emit(kind::duplicate_header, at, fmt::format("`{}` is stated twice", header))
        .relate(known->second, "first stated here");
  return fresh;
}

void PolicyBuilder::statement(const syntax::Include& include, const Place& place) {
  const std::string name = include.name.text();
  const Found found = find_item(*place.scope.module, include.name);
  const auto* fragment = found.item ? std::get_if<syntax::Fragment>(found.item) : nullptr;
  if (!fragment) {
    if (!found.item && is_lost(*place.scope.module, include.name)) return;
    std::vector<std::string_view> names;
    for (const auto& [n, item] : place.scope.module->items)
      if (std::get_if<syntax::Fragment>(item)) names.push_back(n);
    for (const auto& [n, m] : place.scope.module->uses) names.push_back(n);
    std::string help = diagnostics::did_you_mean(name, names);
    if (help.empty() && name.starts_with("std.")) help = fmt::format("add `use {}` at the top of the file", name);
    sink()
        .emit(
            kind::unknown_fragment, include.name.span,
            found.item ? fmt::format("`{}` is not a fragment", name) : fmt::format("no fragment is called `{}`", name))
        .helped(help);
    return;
  }
  if (std::find(including_.begin(), including_.end(), found.item) != including_.end()) {
    sink().emit(kind::recursive_definition, include.span, fmt::format("the fragment `{}` includes itself", name));
    return;
  }
  if (including_.size() >= limits::depth || included_.size() >= limits::includes) {
    if (!too_large_)
      sink().emit(kind::policy_too_large, include.span,
                  including_.size() >= limits::depth
                      ? fmt::format("fragments include each other more than {} deep", limits::depth)
                      : fmt::format("the policy has more than {} different includes", limits::includes));
    too_large_ = true;
    return;
  }
  visited_.insert(found.item);
  std::map<std::string, Value> locals;
  std::map<std::string, Span> given;
  std::string key = fmt::format("{}:{}", found.module->path, fragment->name.text);
  bool ok = true, misspelt = false;
  for (const auto& a : include.arguments) {
    const auto parameter = std::find_if(fragment->parameters.begin(), fragment->parameters.end(),
                                        [&](const syntax::Parameter& p) { return p.name.text == a.name.text; });
    if (parameter == fragment->parameters.end()) {
      std::vector<std::string_view> names;
      for (const auto& p : fragment->parameters) names.push_back(p.name.text);
      sink()
          .emit(kind::unknown_parameter, a.name.span, fmt::format("`{}` has no parameter `{}`", name, a.name.text))
          .relate(fragment->name.span, "the fragment is declared here")
          .helped(diagnostics::did_you_mean(a.name.text, names));
      ok = false;
      misspelt = true;
      continue;
    }
    if (!given.emplace(a.name.text, a.span).second) {
      sink().emit(kind::duplicate_name, a.name.span, fmt::format("`{}` is given twice", a.name.text));
      ok = false;
      continue;
    }
    auto value = patterns_.eval().evaluate_as(place.scope, a.value, parameter->type);
    if (value)
      locals[a.name.text] = std::move(*value);
    else
      ok = false;
  }
  for (const auto& p : fragment->parameters) {
    if (given.count(p.name.text)) continue;
    std::optional<Value> value;
    if (p.fallback)
      value = patterns_.eval().evaluate_as({found.module, nullptr}, *p.fallback, p.type);
    else if (!misspelt)  // a value under a wrong name is not missing too
      sink()
          .emit(kind::missing_argument, include.span, fmt::format("`{}` needs a value for `{}`", name, p.name.text))
          .relate(p.span, "the parameter is declared here")
          .helped(fmt::format("include {}({}: …)", name, p.name.text));
    if (value)
      locals[p.name.text] = std::move(*value);
    else
      ok = false;
  }
  if (!ok) return;
  for (const auto& [n, v] : locals) key += fmt::format("|{}={}", n, identity(v));
  if (!included_.insert(key).second) return;
  Place inner{{found.module, &locals}, place.includes, found.module->library ? found.module->path : "", true};
  inner.includes.push_back(include.span);
  including_.push_back(found.item);
  statements(fragment->body, inner);
  including_.pop_back();
}

void PolicyBuilder::statement(const syntax::TextHeader& header, const Place& place) {
  if (!only_in_policy(place, header.span, header.keyword.text)) return;
  std::vector<std::string> values;
  for (const auto& v : header.values)
    if (auto t = patterns_.eval().text(place.scope, v)) values.push_back(std::move(*t));
  if (header.keyword.text == "owner") {
    if (!once("owner", header.span)) return;
    if (header.values.size() != 1)
      sink()
          .emit(kind::duplicate_header, header.values.back().span, "the owner is stated twice")
          .relate(header.values[0].span, "first stated here");
    else if (!values.empty())
      out_.owner = values[0];
  } else if (header.keyword.text == "satisfies") {  // any other was reported as a syntax error
    out_.satisfies.insert(out_.satisfies.end(), values.begin(), values.end());
  }
}

void PolicyBuilder::statement(const syntax::WordHeader& header, const Place& place) {
  if (!only_in_policy(place, header.span, header.keyword.text)) return;
  const auto unknown = [&](const syntax::Name& word, std::string_view what, std::string help) {
    sink().emit(kind::unknown_word, word.span, fmt::format("`{}` is no {}", word.text, what)).helped(std::move(help));
  };
  if (header.keyword.text == "isolation") {
    if (!once("isolation", header.span)) return;
    bool first = true;
    for (const auto& w : header.words) {
      if (w.text == "ephemeral" && !first)
        out_.ephemeral = true;
      else if (w.text == "process" && first)
        out_.isolation = model::Isolation::Process;
      else if (w.text == "container" && first)
        out_.isolation = model::Isolation::Container;
      else if (w.text == "microvm" && first)
        out_.isolation = model::Isolation::MicroVm;
      else
        sink()
            .emit(kind::unknown_word, w.span, fmt::format("`{}` can't stand here", w.text))
            .helped("isolation is process, container or microvm, then perhaps ephemeral");
      first = false;
    }
  } else if (header.keyword.text == "mode") {  // any other was reported as a syntax error
    if (!once("mode", header.span)) return;
    out_.mode_span = header.span;
    for (const auto& w : header.words) {
      if (w.text == "enforce")
        out_.mode = model::Mode::Enforce;
      else if (w.text == "audit")
        out_.mode = model::Mode::Audit;
      else
        unknown(w, "mode", "a mode is enforce or audit");
    }
    if (!header.for_words.empty() && out_.mode == model::Mode::Enforce)
      return unknown(header.for_words[0], "part of `mode enforce`",
                     "every block is enforced unless it is audited: leave the `for` out");
    for (const auto& w : header.for_words) {
      if (w.text == "net" || w.text == "syscall" || w.text == "file")
        out_.audit_for.push_back(w.text);
      else
        unknown(w, "block that can be audited", "blocks that can be audited are net, syscall and file");
    }
  }
}

void PolicyBuilder::statement(const syntax::OnDenyBlock& block, const Place&) {
  out_.on_deny.log = out_.on_deny.log || block.log;
  if (!out_.on_deny.span.known()) out_.on_deny.span = block.span;
  static constexpr std::string_view targets[] = {"file",   "net",    "syscall", "capability", "env",
                                                 "tool",   "read",   "write",   "exec",       "list",
                                                 "modify", "create", "delete",  "connect",    "listen"};
  for (const auto& a : block.alerts) {
    model::Alert alert;
    alert.span = a.span;
    const std::string& s = a.severity.text;
    if (s.size() == 2 && s[0] == 'P' && s[1] >= '1' && s[1] <= '5')
      alert.severity = static_cast<model::Severity>(s[1] - '1');
    else {
      sink()
          .emit(kind::unknown_word, a.severity.span, fmt::format("`{}` is no severity", s))
          .helped("severities are P1 to P5");
      continue;
    }
    for (const auto& t : a.targets) {
      if (std::find(std::begin(targets), std::end(targets), t.text) != std::end(targets))
        alert.targets.push_back(t.text);
      else
        sink()
            .emit(kind::unknown_word, t.span, fmt::format("`{}` is neither a verb nor a block", t.text))
            .helped(diagnostics::did_you_mean(t.text, targets));
    }
    out_.on_deny.alerts.push_back(std::move(alert));
  }
}

void PolicyBuilder::statement(const syntax::Accept& accept, const Place& place) {
  if (!only_in_policy(place, accept.span, "accept")) return;
  syntax::RuleHead head;
  head.effect = syntax::Effect::Allow;
  head.modifiers = accept.modifiers;
  head.span = accept.span;
  const auto mods = modifiers(head, place, "until");
  model::Accept out;
  if (accept.kind.text == "unenforced")
    out.kind = model::Accept::Kind::Unenforced;
  else if (accept.kind.text == "wider")
    out.kind = model::Accept::Kind::Wider;
  else if (accept.kind.text == "narrower")
    out.kind = model::Accept::Kind::Narrower;
  else {
    sink()
        .emit(kind::unknown_word, accept.kind.span, fmt::format("`{}` is no kind of gap", accept.kind.text))
        .helped("a gap is unenforced, wider or narrower");
    return;
  }
  out.because = mods.because;
  out.until = mods.until;
  out.expired = mods.until && *mods.until < options_.today;
  out.span = accept.span;
  out.fact_span = accept.fact_span.known() ? accept.fact_span : accept.span;
  const bool reasoned = std::any_of(accept.modifiers.begin(), accept.modifiers.end(), [](const syntax::Modifier& m) {
    return m.kind == syntax::Modifier::Kind::Because && m.string && !m.string->pieces.empty();
  });
  if (!reasoned)
    sink()
        .emit(kind::missing_because, accept.span, "an accepted gap has no reason")
        .helped("add `because \"…\"`: an auditor reads it");
  for (const auto& fact : accepted_facts(patterns_, place.scope, accept)) {
    out.fact = fact.text;
    out.block = fact.block;
    out_.accepts.push_back(out);
  }
}

void PolicyBuilder::complete(const syntax::Policy& policy) {
  if (!has_syscall_block_) imply_syscalls(policy);
  check_names();
  check_denials();
  out_.modules = modules_.read();
}

/// LANGUAGE.md, System calls: a policy without a `syscall` block has `allow @default` and, if no rule connects or
/// listens on an IP protocol, `deny socket(domain in [AF_INET, AF_INET6])`.
void PolicyBuilder::imply_syscalls(const syntax::Policy& policy) {
  syntax::SyscallBlock block;
  syntax::SyscallRule allow;
  allow.head.effect = syntax::Effect::Allow;
  allow.head.span = policy.name.span;
  allow.patterns.push_back({true, {"default", policy.name.span}, std::nullopt, policy.name.span});
  block.rules.push_back(allow);
  const bool ip = std::any_of(out_.rules.begin(), out_.rules.end(), [](const model::Rule& r) {
    return r.effect != model::Effect::Deny && std::holds_alternative<model::NetBody>(r.body);
  });
  if (!ip) {
    syntax::SyscallRule deny;
    deny.head.span = policy.name.span;
    syntax::Condition domain;
    domain.argument = {"domain", policy.name.span};
    domain.op = syntax::Condition::Op::In;
    for (const char* family : {"AF_INET", "AF_INET6"})
      domain.values.push_back({{syntax::Name{family, policy.name.span}}, policy.name.span});
    deny.patterns.push_back({false, {"socket", policy.name.span}, std::vector{domain}, policy.name.span});
    block.rules.push_back(deny);
  }
  const std::size_t before = out_.rules.size();
  statement(block, {{&root_, nullptr}, {}, "", false});
  for (std::size_t i = before; i < out_.rules.size(); ++i) out_.rules[i].implied = true;
}

void PolicyBuilder::check_names() {
  // a damaged text may have had the resolver in what was lost of it
  if (!out_.resolvers.empty() || resolver_failed_ || root_.broken) return;
  for (const auto& rule : out_.rules) {
    const auto* net = std::get_if<model::NetBody>(&rule.body);
    if (!net || rule.effect == model::Effect::Deny) continue;
    for (const auto& e : net->endpoints)
      if (e.pattern.name) {
        sink()
            .emit(kind::missing_resolver, e.span,
                  fmt::format("`{}` needs a resolver, and the policy names none", e.pattern.name->to_string()))
            .helped("add `resolver ADDRESS` to a `net` block");
        return;
      }
  }
}

namespace {

/// True if no call can meet both conjunctions: an argument with few values (`==`, `in`) has none that passes the other.
bool apart(const model::SyscallPattern& a, const model::SyscallPattern& b) {
  using Op = model::ArgTest::Op;
  if (!a.archs.meets(b.archs)) return true;
  const auto passes = [](const model::SyscallPattern& p, int index, std::uint64_t value) {
    return std::all_of(p.tests.begin(), p.tests.end(),
                       [&](const model::ArgTest& t) { return t.index != index || model::holds(t, value, ~0ull); });
  };
  for (const auto* p : {&a, &b})
    for (const auto& t : p->tests)
      if ((t.op == Op::Eq || t.op == Op::In) && std::none_of(t.values.begin(), t.values.end(), [&](std::uint64_t v) {
            return passes(a, t.index, v) && passes(b, t.index, v);
          }))
        return true;
  return false;
}

/// True if one of the `except` patterns takes every call of `p` out: each of its tests is a test of `p`.
bool excepted(const model::SyscallBody& body, const model::SyscallPattern& p) {
  return std::any_of(body.except.begin(), body.except.end(), [&](const auto& e) {
    return e.pattern.name == p.name && e.pattern.archs.has_all(p.archs) &&
           std::all_of(e.pattern.tests.begin(), e.pattern.tests.end(), [&](const model::ArgTest& t) {
             return std::find(p.tests.begin(), p.tests.end(), t) != p.tests.end();
           });
  });
}

}  // namespace

/// Two deny rules on one call that name different error numbers, where no argument keeps them apart.
void PolicyBuilder::check_denials() {
  struct Seen {
    const model::Placed<model::SyscallPattern>* pattern;
    const model::SyscallBody* body;
    int value;
  };
  std::map<std::string, std::vector<Seen>> by_call;
  for (const auto& rule : out_.rules) {
    const auto* body = std::get_if<model::SyscallBody>(&rule.body);
    if (!body || rule.effect != model::Effect::Deny || body->denial.kind != model::Denial::Kind::Errno ||
        body->denial.errno_value == 0)
      continue;
    for (const auto& p : body->patterns) {
      auto& seen = by_call[p.pattern.name];
      const auto other = std::find_if(seen.begin(), seen.end(), [&](const Seen& s) {
        return s.value != body->denial.errno_value && !apart(p.pattern, s.pattern->pattern) &&
               !excepted(*body, s.pattern->pattern) && !excepted(*s.body, p.pattern);
      });
      if (other != seen.end())
        sink()
            .emit(kind::conflicting_denials, p.span,
                  fmt::format("`{}` is denied with two error numbers", p.pattern.name))
            .relate(other->pattern->span, "the other one")
            .helped("decide for one of them, or keep the two apart by a condition");
      else
        seen.push_back({&p, body, body->denial.errno_value});
    }
  }
}

}  // namespace agp::sema
