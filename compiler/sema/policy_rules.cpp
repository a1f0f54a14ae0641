#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/sema/limits.hpp"
#include "compiler/sema/policy_builder.hpp"
#include "compiler/source/digest.hpp"

// Rule blocks -> model::Rule. A rule keeps its patterns together; each has its own span and its text as a fact.
namespace agp::sema {

namespace kind = diagnostics::kind;

namespace {

model::Effect model_effect(syntax::Effect e) {
  return e == syntax::Effect::Deny  ? model::Effect::Deny
         : e == syntax::Effect::Ask ? model::Effect::Ask
                                    : model::Effect::Allow;
}

/// The modifiers that an effect permits beside `as` and `because`.
std::string_view by_effect(const syntax::RuleHead& head) {
  return head.effect == syntax::Effect::Deny ? "" : head.effect == syntax::Effect::Ask ? "until risk" : "until";
}

std::string_view word(syntax::Modifier::Kind k) {
  static constexpr std::string_view names[] = {"as", "because", "until", "within", "from", "risk"};
  return names[static_cast<std::size_t>(k)];
}

}  // namespace

PolicyBuilder::Modifiers PolicyBuilder::modifiers(const syntax::RuleHead& head, const Place& place,
                                                  std::string_view allowed) {
  using Kind = syntax::Modifier::Kind;
  Modifiers out;
  std::map<Kind, Span> seen;
  for (const auto& m : head.modifiers) {
    const auto [at, fresh] = seen.emplace(m.kind, m.span);
    if (!fresh) {
      sink()
          .emit(kind::duplicate_modifier, m.span, fmt::format("`{}` stands twice in one rule", word(m.kind)))
          .relate(at->second, "the first one");
      continue;
    }
    if (m.kind != Kind::As && m.kind != Kind::Because && allowed.find(word(m.kind)) == std::string_view::npos) {
      static const std::map<Kind, std::string_view> where = {{Kind::Until, "`allow`, `ask` and `accept`"},
                                                             {Kind::Within, "a `connect` to a name"},
                                                             {Kind::From, "a `listen`"},
                                                             {Kind::Risk, "an `ask`"}};
      sink()
          .emit(kind::misplaced_modifier, m.span, fmt::format("`{}` has no meaning here", word(m.kind)))
          .helped(fmt::format("it belongs to {}", where.at(m.kind)));
      continue;
    }
    switch (m.kind) {
      case Kind::As:
      case Kind::Because:
        if (m.string)
          if (auto t = patterns_.eval().text(place.scope, *m.string))
            (m.kind == Kind::As ? out.label : out.because) = *t;
        break;
      case Kind::Until:
        if (m.date) {
          out.until = to_day(m.date->year, m.date->month, m.date->day);
          if (!out.until)
            sink().emit(kind::invalid_date, m.date->span, "there is no such day").helped("dates are YYYY-MM-DD");
          else
            out.text += " until " + model::day_text(*out.until);
        }
        break;
      case Kind::Within:
      case Kind::From: {
        auto set = patterns_.addresses(place.scope, m.addresses);
        if (!set) break;
        out.text += fmt::format(" {} {}", word(m.kind), address_text(*set));
        (m.kind == Kind::Within ? out.within : out.from) = std::move(set);
        break;
      }
      case Kind::Risk: {
        const std::string w = m.word ? m.word->text : "";
        if (w == "low")
          out.risk = model::Risk::Low;
        else if (w == "medium")
          out.risk = model::Risk::Medium;
        else if (w == "high")
          out.risk = model::Risk::High;
        else
          sink()
              .emit(kind::unknown_word, m.span, fmt::format("`{}` is no risk", w))
              .helped("a risk is low, medium or high");
        break;
      }
    }
  }
  return out;
}

void PolicyBuilder::add(const syntax::RuleHead& head, const Place& place, Modifiers mods, model::RuleBody body,
                        std::string text) {
  model::Rule rule;
  rule.effect = model_effect(head.effect);
  rule.body = std::move(body);
  rule.label = std::move(mods.label);
  rule.because = std::move(mods.because);
  rule.until = mods.until;
  rule.expired = mods.until && *mods.until < options_.today;
  rule.risk = mods.risk;
  rule.span = head.span;
  rule.included_by = place.includes;
  rule.module = place.module;
  rule.text = fmt::format("{} {}{}", to_string(rule.effect), text, mods.text);
  rule.id = rule.label.empty() ? "r" + source::sha256(rule.text).substr(0, 12) : rule.label;
  // a fragment that arrives twice by different ways is one set
  if (out_.rules.size() >= limits::patterns) {
    if (!too_large_)
      sink().emit(kind::policy_too_large, rule.span,
                  fmt::format("the policy has more than {} rules", limits::patterns));
    too_large_ = true;
    return;
  }
  if (!place.includes.empty() &&
      !seen_rules_.insert(fmt::format("{}:{}:{}", head.span.file, head.span.begin, rule.text)).second)
    return;
  out_.rules.push_back(std::move(rule));
}

void PolicyBuilder::statement(const syntax::FileBlock& block, const Place& place) {
  for (const auto& rule : block.rules) {
    const auto mods = modifiers(rule.head, place, by_effect(rule.head));
    const auto verbs = patterns_.verbs(rule.verbs);
    if (!verbs) continue;
    const std::string words = model::verbs_text(*verbs);
    model::FileBody body;
    body.verbs = *verbs;
    body.patterns = patterns_.paths(place.scope, rule.patterns, words);
    body.except = patterns_.paths(place.scope, rule.except, words);
    if (body.patterns.empty()) continue;
    std::string text =
        fmt::format("{} {}{}", words, joined(body.patterns, words + " "), except_text(body.except, words + " "));
    add(rule.head, place, mods, std::move(body), std::move(text));
  }
}

void PolicyBuilder::statement(const syntax::NetBlock& block, const Place& place) {
  for (const auto& rule : block.rules) net_rule(rule, place);
  for (const auto& r : block.resolvers) {
    out_.resolver_span = r.span;
    const auto list = patterns_.single_addresses(place.scope, r.addresses);
    resolver_failed_ = resolver_failed_ || !list;
    if (!list) continue;
    for (const model::Address a : *list)
      if (std::find(out_.resolvers.begin(), out_.resolvers.end(), a) == out_.resolvers.end())
        out_.resolvers.push_back(a);
  }
}

void PolicyBuilder::net_rule(const syntax::NetRule& rule, const Place& place) {
  const bool listen = rule.verb.text == "listen";
  if (!listen && rule.verb.text != "connect") {
    static constexpr std::string_view names[] = {"connect", "listen"};
    std::string help = diagnostics::did_you_mean(rule.verb.text, names);
    if (rule.verb.text == "resolve")
      help = "a name resolves exactly when some rule allows connecting to it: leave this rule out";
    if (help.empty()) help = "net verbs are connect and listen";
    sink()
        .emit(kind::unknown_verb, rule.verb.span, fmt::format("`{}` is no verb of a net rule", rule.verb.text))
        .helped(help);
    return;
  }
  const auto net = patterns_.net(rule);
  if (!net) return;
  if (net->unix_socket) {
    const std::string prefix = fmt::format("{} unix", rule.verb.text);
    model::UnixBody body = patterns_.unix_body(place.scope, rule, prefix);
    if (body.paths.empty() && !body.abstract) return;
    std::string text = unix_text(body, prefix);
    add(rule.head, place, modifiers(rule.head, place, by_effect(rule.head)), std::move(body), std::move(text));
    return;
  }
  const std::string prefix = fmt::format("{} {}", rule.verb.text, model::protocols_text(net->protocols));
  const std::size_t errors = sink().errors();
  model::NetBody body = patterns_.net_body(place.scope, rule, net->protocols, prefix);
  const bool failed = sink().errors() > errors || body.endpoints.size() < rule.endpoints.size();
  bool named = false;
  for (const auto& e : body.endpoints) {
    named = named || e.pattern.name.has_value();
    if (listen && e.pattern.name) sink().emit(kind::invalid_host, e.span, "a `listen` takes addresses, not names");
  }
  std::string allowed(by_effect(rule.head));
  if (listen) allowed += " from";
  // an endpoint that failed may have been a name: one mistake, one finding
  if ((named || failed) && rule.head.effect != syntax::Effect::Deny) allowed += " within";
  auto mods = modifiers(rule.head, place, allowed);
  body.within = mods.within;
  body.from = mods.from;
  if (body.endpoints.empty() || (listen && named)) return;
  std::string text =
      fmt::format("{} {}{}", prefix, joined(body.endpoints, prefix + " "), except_text(body.except, prefix + " "));
  add(rule.head, place, std::move(mods), std::move(body), std::move(text));
}

void PolicyBuilder::statement(const syntax::SyscallBlock& block, const Place& place) {
  has_syscall_block_ = true;
  for (const auto& rule : block.rules) {
    const bool deny = rule.head.effect == syntax::Effect::Deny;
    const auto mods = modifiers(rule.head, place, by_effect(rule.head));
    model::SyscallBody body;
    body.patterns = patterns_.syscalls(place.scope, rule.patterns);
    body.except = patterns_.syscalls(place.scope, rule.except);
    if (body.patterns.empty()) continue;
    std::string denial;
    if (rule.denial) {
      if (!deny) {
        sink().emit(kind::misplaced_modifier, rule.denial->span, "what a denied call gets belongs to a `deny`");
        continue;
      }
      using K = syntax::Denial::Kind;
      body.denial.kind = rule.denial->kind == K::Kill   ? model::Denial::Kind::Kill
                         : rule.denial->kind == K::Trap ? model::Denial::Kind::Trap
                                                        : model::Denial::Kind::Errno;
      denial = rule.denial->kind == K::Kill ? " kill" : " trap";
      if (rule.denial->kind == K::Errno && rule.denial->errno_name) {
        const auto value = linux::find_errno(rule.denial->errno_name->text);
        if (!value) {
          sink()
              .emit(kind::unknown_constant, rule.denial->errno_name->span,
                    fmt::format("`{}` is no error number", rule.denial->errno_name->text))
              .helped("error numbers are written EPERM, ENOSYS, EACCES, …");
          continue;
        }
        body.denial.errno_value = *value;
        denial = " errno " + rule.denial->errno_name->text;
      }
    }
    std::string text = joined(body.patterns, "") + except_text(body.except, "") + denial;
    add(rule.head, place, mods, std::move(body), "syscall " + text);
  }
}

void PolicyBuilder::statement(const syntax::CapabilityBlock& block, const Place& place) {
  for (const auto& rule : block.rules) {
    model::CapabilityBody body;
    body.names = patterns_.capabilities(rule.names);
    const auto except = patterns_.capabilities(rule.except);
    std::erase_if(body.names, [&](const auto& n) {
      return std::any_of(except.begin(), except.end(), [&](const auto& e) { return e.pattern == n.pattern; });
    });
    if (body.names.empty()) continue;
    std::string text = "capability " + joined(body.names, "capability ");
    add(rule.head, place, modifiers(rule.head, place, by_effect(rule.head)), std::move(body), std::move(text));
  }
}

void PolicyBuilder::text_rule(const syntax::TextRule& rule, model::TextBody::Sort sort, const Place& place) {
  const std::string prefix = sort == model::TextBody::Sort::Env ? "env" : "tool";
  const auto mods = modifiers(rule.head, place, by_effect(rule.head));
  model::TextBody body;
  body.sort = sort;
  body.patterns = patterns_.globs(place.scope, rule.patterns, prefix);
  body.except = patterns_.globs(place.scope, rule.except, prefix);
  if (body.patterns.empty()) return;
  std::string text =
      fmt::format("{} {}{}", prefix, joined(body.patterns, prefix + " "), except_text(body.except, prefix + " "));
  add(rule.head, place, mods, std::move(body), std::move(text));
}

void PolicyBuilder::statement(const syntax::EnvBlock& block, const Place& place) {
  for (const auto& rule : block.rules) text_rule(rule, model::TextBody::Sort::Env, place);
  for (const auto& set : block.sets) {
    const auto name = patterns_.eval().text(place.scope, set.name);
    const auto value = patterns_.eval().text(place.scope, set.value);
    if (!name || !value) continue;
    if (name->empty() || name->find('=') != std::string::npos || name->find('\0') != std::string::npos ||
        value->find('\0') != std::string::npos) {
      sink().emit(kind::invalid_value, set.name.span, "a variable's name is not empty and has no `=` or NUL");
      continue;
    }
    const auto [at, fresh] = out_.env_set.emplace(*name, *value);
    if (!fresh && at->second != *value)
      sink().emit(kind::duplicate_name, set.span,
                  fmt::format("`{}` is set to two values: `{}` and `{}`", *name, at->second, *value));
  }
}

void PolicyBuilder::statement(const syntax::ToolBlock& block, const Place& place) {
  for (const auto& rule : block.rules) text_rule(rule, model::TextBody::Sort::Tool, place);
}

}  // namespace agp::sema
