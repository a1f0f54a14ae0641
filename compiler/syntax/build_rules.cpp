// Tree -> AST, the inner half: rules, actions, values. In: a tree that the parser accepted. Out: AST nodes with spans.
#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/syntax/build.hpp"
#include "compiler/syntax/literals.hpp"

namespace agp::syntax::detail {

// ---- nodes ----------------------------------------------------------------------------------------------------------

std::uint32_t Builder::find(std::uint32_t node, R rule) const {
  for (const auto c : children(node))
    if (is(c, rule)) return c;
  return static_cast<std::uint32_t>(p_.tree.size());
}

std::uint32_t Builder::find(std::uint32_t node, T type) const {
  for (const auto c : children(node))
    if (is(c, type)) return c;
  return static_cast<std::uint32_t>(p_.tree.size());
}

Span Builder::span(std::uint32_t node) const {
  const Node& n = p_.tree[node];
  if (n.begin == n.end) return {p_.file, p_.tokens[n.begin].begin, p_.tokens[n.begin].begin};
  return {p_.file, p_.tokens[n.begin].begin, p_.tokens[n.end - 1].end};
}

std::string_view Builder::raw(std::uint32_t node) const {
  const Span s = span(node);
  // Of a keyword what it means: a misspelt one was put right, and the text has it as it was typed.
  const Node& n = p_.tree[node];
  if (n.end == n.begin + 1)
    if (const std::string_view word = token_spellings[static_cast<std::size_t>(p_.tokens[n.begin].type)]; !word.empty())
      return word;
  return p_.text.substr(s.begin, s.end - s.begin);
}

/// The `///` lines between the token before this phrase and the phrase.
std::string Builder::doc(std::uint32_t node) const {
  const std::uint32_t first = p_.tree[node].begin;
  const std::uint32_t from = first == 0 ? 0 : p_.tokens[first - 1].end;
  const std::uint32_t to = p_.tokens[first].begin;
  const auto& comments = p_.comments;
  auto it = std::lower_bound(comments.begin(), comments.end(), from,
                             [](const Token& t, std::uint32_t offset) { return t.begin < offset; });
  std::string out;
  for (; it != comments.end() && it->begin < to; ++it) {
    if (it->type != T::DOC_COMMENT) continue;
    std::string_view line = p_.text.substr(it->begin + 3, it->end - it->begin - 3);
    if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    while (!line.empty() && std::string_view(" \t\r").find(line.back()) != std::string_view::npos)
      line.remove_suffix(1);
    if (!out.empty()) out += '\n';
    out += line;
  }
  return out;
}

Name Builder::name(std::uint32_t node) const { return {std::string(raw(node)), span(node)}; }

std::vector<Name> Builder::names(std::uint32_t node) const {
  std::vector<Name> out;
  for (const auto c : children(node))
    if (is(c, R::name)) out.push_back(name(c));
  return out;
}

QualifiedName Builder::qualified(std::uint32_t node) const { return dotted_literal(raw(node), span(node)); }

String Builder::string(std::uint32_t node) {
  Reports unheard;  // a damaged literal has its diagnostic
  return string_literal(raw(node), span(node), p_.tokens[p_.tree[node].begin].damaged ? unheard : reports_);
}

std::vector<String> Builder::strings(std::uint32_t node) {
  std::vector<String> out;
  for (const auto c : children(node))
    if (is(c, T::STRING)) out.push_back(string(c));
  return out;
}

Number Builder::number(std::uint32_t node) const { return number_literal(raw(node), span(node)); }

// ---- rules ----------------------------------------------------------------------------------------------------------

RuleHead Builder::head(std::uint32_t node) {
  RuleHead out;
  out.span = span(node);
  for (const auto c : children(node)) {
    if (is(c, R::effect)) {
      out.effect_span = span(c);
      const T word = type_of(only_child(c));
      out.effect = word == T::ALLOW ? Effect::Allow : word == T::ASK ? Effect::Ask : Effect::Deny;
    }
    if (is(c, R::modifier)) out.modifiers.push_back(modifier(c));
  }
  return out;
}

Modifier Builder::modifier(std::uint32_t node) {
  Modifier out{};
  out.span = span(node);
  switch (type_of(only_child(node))) {
    case T::AS:
      out.kind = Modifier::Kind::As;
      break;
    case T::BECAUSE:
      out.kind = Modifier::Kind::Because;
      break;
    case T::UNTIL:
      out.kind = Modifier::Kind::Until;
      break;
    case T::WITHIN:
      out.kind = Modifier::Kind::Within;
      break;
    case T::FROM:
      out.kind = Modifier::Kind::From;
      break;
    default:
      out.kind = Modifier::Kind::Risk;
      break;
  }
  for (const auto c : children(node)) {
    if (is(c, T::STRING)) out.string = string(c);
    if (is(c, T::DATE)) out.date = date_literal(raw(c), span(c));
    if (is(c, R::addresses)) out.addresses = addresses(c);
    if (is(c, R::name)) out.word = name(c);
  }
  return out;
}

namespace {
template <typename List>
void append(List& to, List from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}
}  // namespace

FileRule Builder::file_rule(std::uint32_t node) {
  FileRule out;
  out.head = head(node);
  for (const auto c : children(node)) {
    if (is(c, R::names)) out.verbs = names(c);
    if (is(c, R::fileVerb)) out.verbs.push_back(name(c));
    if (is(c, R::strings)) out.patterns = strings(c);
    if (is(c, R::exceptStrings)) append(out.except, strings(find(c, R::strings)));
  }
  return out;
}

TextRule Builder::text_rule(std::uint32_t node) {
  TextRule out;
  out.head = head(node);
  for (const auto c : children(node)) {
    if (is(c, R::strings)) out.patterns = strings(c);
    if (is(c, R::exceptStrings)) append(out.except, strings(find(c, R::strings)));
  }
  return out;
}

CapabilityRule Builder::capability_rule(std::uint32_t node) {
  CapabilityRule out;
  out.head = head(node);
  for (const auto c : children(node)) {
    if (is(c, R::names)) out.names = names(c);
    if (is(c, R::exceptNames)) append(out.except, names(find(c, R::names)));
  }
  return out;
}

NetRule Builder::net_rule(std::uint32_t node) {
  NetRule out;
  out.head = head(node);
  for (const auto c : children(node)) {
    if (is(c, R::name) || is(c, T::CONNECT) || is(c, T::LISTEN)) out.verb = name(c);
    if (is(c, R::netPattern)) net_pattern(c, out);
    if (is(c, R::exceptNet)) {
      const bool sockets = out.protocols.size() == 1 && out.protocols[0].text == "unix";
      net_targets(find(c, R::netTargets), sockets, out.except, out.unix_except);
    }
  }
  return out;
}

void Builder::net_pattern(std::uint32_t node, NetRule& out) {
  for (const auto c : children(node)) {
    if (is(c, R::protocols))
      for (const auto protocol : children(c))
        if (is(protocol, R::protocol)) out.protocols.push_back(name(protocol));
    const bool sockets = out.protocols.size() == 1 && out.protocols[0].text == "unix";
    if (is(c, R::netTargets)) net_targets(c, sockets, out.endpoints, out.unix_endpoints);
  }
}

/// After `unix` a string without a port is a path; elsewhere it is a host whose port is missing.
void Builder::net_targets(std::uint32_t node, bool unix_socket, std::vector<Endpoint>& endpoints,
                          std::vector<UnixEndpoint>& sockets) {
  for (const auto c : children(node)) {
    if (!is(c, R::netTarget)) continue;
    const std::uint32_t target = only_child(c);
    if (is(target, R::abstractSocket)) {
      const std::uint32_t word = find(target, R::name);
      if (raw(word) != "abstract")
        reports_.emit(diagnostics::kind::syntax_error, span(c), "`" + std::string(raw(c)) + "` is no kind of socket")
            .labelled("expected `@abstract`")
            .helped("a socket is `@abstract` or a path in quotes")
            .edit(span(c), "@abstract");
      sockets.push_back({std::nullopt, span(c)});
      continue;
    }
    Endpoint made = endpoint(target);
    if (unix_socket && !made.ports && made.addresses.size() == 1 && made.addresses[0].kind == Address::Kind::Text) {
      sockets.push_back({std::move(made.addresses[0].string), made.span});
    } else {
      endpoints.push_back(std::move(made));
    }
  }
}

void Builder::net_entry(std::uint32_t node, NetBlock& out) {
  const std::uint32_t entry = only_child(node);
  if (is(entry, R::netRule)) {
    out.rules.push_back(net_rule(entry));
  } else {
    out.resolvers.push_back({addresses(find(entry, R::addresses)), span(entry)});
  }
}

// ---- system calls
// -----------------------------------------------------------------------------------------------------

SyscallRule Builder::syscall_rule(std::uint32_t node) {
  SyscallRule out;
  out.head = head(node);
  for (const auto c : children(node)) {
    if (is(c, R::syscallPatterns)) out.patterns = syscall_patterns(c);
    if (is(c, R::exceptSyscalls)) append(out.except, syscall_patterns(find(c, R::syscallPatterns)));
    if (!is(c, R::denial)) continue;
    if (out.denial)
      reports_.emit(diagnostics::kind::repeated_entry, span(c), "a rule has two denials")
          .labelled("the second one")
          .relate(out.denial->span, "the first one")
          .helped("keep one of `errno`, `trap` and `kill`");
    out.denial = denial(c);
  }
  return out;
}

Denial Builder::denial(std::uint32_t node) {
  Denial out;
  out.span = span(node);
  const T word = type_of(only_child(node));
  out.kind = word == T::ERRNO ? Denial::Kind::Errno : word == T::TRAP ? Denial::Kind::Trap : Denial::Kind::Kill;
  if (const auto n = find(node, R::name); has(n)) out.errno_name = name(n);
  return out;
}

std::vector<SyscallPattern> Builder::syscall_patterns(std::uint32_t node) {
  std::vector<SyscallPattern> out;
  for (const auto c : children(node))
    if (is(c, R::syscallPattern)) out.push_back(syscall_pattern(c));
  return out;
}

SyscallPattern Builder::syscall_pattern(std::uint32_t node) {
  SyscallPattern out;
  out.span = span(node);
  for (const auto c : children(node)) {
    if (is(c, R::group)) {
      out.group = true;
      out.name = name(find(c, R::name));
    }
    if (is(c, R::syscallName) || is(c, T::KILL)) out.name = name(c);
    if (is(c, R::conditions)) out.conditions = conditions(c);
  }
  return out;
}

std::vector<Condition> Builder::conditions(std::uint32_t node) {
  std::vector<Condition> out;
  for (const auto c : children(node))
    if (is(c, R::condition)) out.push_back(condition(c));
  return out;
}

Condition Builder::condition(std::uint32_t node) {
  Condition out;
  out.span = span(node);
  const std::uint32_t first = only_child(node);
  if (is(first, R::constant)) {
    out.op = Condition::Op::Bare;
    out.argument.span = {p_.file, out.span.begin, out.span.begin};
    out.values.push_back(constant(first));
    return out;
  }
  out.argument = name(first);
  bool masked = false;
  for (const auto c : children(node)) {
    if (is(c, R::comparison)) {
      switch (type_of(only_child(c))) {
        case T::EQ:
          out.op = Condition::Op::Eq;
          break;
        case T::NE:
          out.op = Condition::Op::Ne;
          break;
        case T::LT:
          out.op = Condition::Op::Lt;
          break;
        case T::LE:
          out.op = Condition::Op::Le;
          break;
        case T::GT:
          out.op = Condition::Op::Gt;
          break;
        default:
          out.op = Condition::Op::Ge;
          break;
      }
    }
    if (is(c, T::AMP)) masked = true;
    if (is(c, T::EQ)) out.op = Condition::Op::Masked;
    if (is(c, R::constantList)) {
      out.op = Condition::Op::In;
      for (const auto element : children(c))
        if (is(element, R::constant)) out.values.push_back(constant(element));
    }
    if (!is(c, R::constant)) continue;
    if (masked && !out.mask) {
      out.mask = constant(c);
    } else {
      out.values.push_back(constant(c));
    }
  }
  return out;
}

Constant Builder::constant(std::uint32_t node) {
  Constant out;
  out.span = span(node);
  for (const auto c : children(node)) {
    if (!is(c, R::constantTerm)) continue;
    if (is(only_child(c), T::NUMBER)) {
      out.terms.emplace_back(number(c));
    } else {
      out.terms.emplace_back(name(c));
    }
  }
  return out;
}

// ---- actions
// ----------------------------------------------------------------------------------------------------------

ActionPattern Builder::action_pattern(std::uint32_t node) {
  ActionPattern out;
  out.span = span(node);
  const std::uint32_t first = only_child(node);
  out.block = name(first);
  if (is(first, R::fileVerb)) {
    out.body = file_rule(node);
    return out;
  }
  switch (type_of(first)) {
    case T::SYSCALL:
      out.body = syscall_rule(node);
      break;
    case T::CAPABILITY:
      out.body = capability_rule(node);
      break;
    case T::ENV:
    case T::TOOL:
      out.body = text_rule(node);
      break;
    case T::RESOLVE: {
      NetRule rule;
      rule.head = head(node);
      rule.verb = out.block;
      for (Address& a : addresses(find(node, R::addresses))) {
        const Span at = a.span;
        rule.endpoints.push_back({{std::move(a)}, std::nullopt, at});
      }
      out.body = std::move(rule);
      break;
    }
    default:
      out.body = net_rule(node);
      break;
  }
  return out;
}

}  // namespace agp::syntax::detail
