// Tree -> AST, the outer half: items and statements. In: a tree that the parser accepted. Out: AST nodes with spans.
#include <fmt/format.h>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/syntax/build.hpp"
#include "compiler/syntax/literals.hpp"

namespace agp::syntax::detail {

// ---- items --------------------------------------------------------------------------------------------------------

Item Builder::item(std::uint32_t node) {
  const std::uint32_t n = only_child(node);
  switch (p_.tree[n].rule) {
    case R::version:
      return VersionItem{number(find(n, T::NUMBER)), span(n)};
    case R::use:
      return use(n);
    case R::parameterItem: {
      Parameter out = parameter(find(n, R::parameter));
      out.span = span(n);
      out.doc = doc(n);
      return out;
    }
    case R::let:
      return Let{name(find(n, R::name)), value(find(n, R::value)), doc(n), span(n)};
    case R::fragmentItem:
      return fragment(n);
    case R::policy:
      return policy(n);
    case R::invariant:
      return invariant(n);
    default:
      return test(n);
  }
}

Use Builder::use(std::uint32_t node) {
  Use out;
  out.span = span(node);
  for (const auto c : children(node)) {
    if (is(c, R::itemName)) out.module = qualified(c);
    if (is(c, T::STRING)) out.path = string(c);
    if (is(c, R::name)) out.as = name(c);
  }
  return out;
}

Parameter Builder::parameter(std::uint32_t node) {
  Parameter out;
  out.span = span(node);
  out.doc = doc(node);
  out.name = name(find(node, R::name));
  const std::uint32_t type = find(node, R::type);
  out.type = {name(find(type, R::name)), has(find(type, T::LBRACKET)), span(type)};
  if (const auto v = find(node, R::value); has(v)) out.fallback = value(v);
  return out;
}

std::vector<Argument> Builder::arguments(std::uint32_t node) {
  std::vector<Argument> out;
  for (const auto c : children(node))
    if (is(c, R::argument)) out.push_back({name(find(c, R::name)), value(find(c, R::value)), span(c)});
  return out;
}

Fragment Builder::fragment(std::uint32_t node) {
  Fragment out;
  out.span = span(node);
  out.doc = doc(node);
  for (const auto c : children(node)) {
    if (is(c, R::name)) out.name = name(c);
    if (is(c, R::statement)) out.body.push_back(statement(c));
    if (!is(c, R::parameters)) continue;
    for (const auto parameter_node : children(c))
      if (is(parameter_node, R::parameter)) out.parameters.push_back(parameter(parameter_node));
  }
  return out;
}

Policy Builder::policy(std::uint32_t node) {
  Policy out;
  out.span = span(node);
  out.doc = doc(node);
  for (const auto c : children(node)) {
    if (is(c, R::name)) out.name = name(c);
    if (is(c, R::statement)) out.body.push_back(statement(c));
  }
  return out;
}

Invariant Builder::invariant(std::uint32_t node) {
  Invariant out;
  out.span = span(node);
  out.doc = doc(node);
  for (const auto c : children(node)) {
    if (is(c, R::name)) out.name = name(c);
    if (is(c, R::strings)) out.for_globs = strings(c);
    if (is(c, R::invariantLine)) out.lines.push_back(invariant_line(c));
  }
  return out;
}

Test Builder::test(std::uint32_t node) {
  Test out;
  out.span = span(node);
  out.doc = doc(node);
  for (const auto c : children(node)) {
    if (is(c, R::itemName)) out.policy = qualified(c);
    if (is(c, R::arguments)) out.arguments = arguments(c);
    if (is(c, R::testLine)) out.lines.push_back(test_line(c));
  }
  return out;
}

// ---- statements ---------------------------------------------------------------------------------------------------

Statement Builder::statement(std::uint32_t node) {
  const std::uint32_t n = only_child(node);
  // One block: every child of `rule` becomes an element of `list`.
  const auto block = [&](auto out, R rule, auto& list, auto make) {
    out.span = span(n);
    for (const auto c : children(n))
      if (is(c, rule)) (out.*list).push_back((this->*make)(c));
    return out;
  };
  static constexpr auto file_rules = &FileBlock::rules;
  static constexpr auto syscall_rules = &SyscallBlock::rules;
  static constexpr auto capability_rules = &CapabilityBlock::rules;
  static constexpr auto tool_rules = &ToolBlock::rules;
  static constexpr auto limit_entries = &LimitBlock::entries;
  switch (p_.tree[n].rule) {
    case R::fileBlock:
      return block(FileBlock{}, R::fileRule, file_rules, &Builder::file_rule);
    case R::syscallBlock:
      return block(SyscallBlock{}, R::syscallRule, syscall_rules, &Builder::syscall_rule);
    case R::capabilityBlock:
      return block(CapabilityBlock{}, R::capabilityRule, capability_rules, &Builder::capability_rule);
    case R::toolBlock:
      return block(ToolBlock{}, R::textRule, tool_rules, &Builder::text_rule);
    case R::limitBlock:
      return block(LimitBlock{}, R::limitEntry, limit_entries, &Builder::limit_entry);
    case R::netBlock: {
      NetBlock out;
      out.span = span(n);
      for (const auto c : children(n))
        if (is(c, R::netEntry)) net_entry(c, out);
      return out;
    }
    case R::envBlock: {
      EnvBlock out;
      out.span = span(n);
      for (const auto c : children(n))
        if (is(c, R::envEntry)) env_entry(c, out);
      return out;
    }
    case R::runBlock: {
      RunBlock out;
      out.span = span(n);
      for (const auto c : children(n))
        if (is(c, R::runEntry)) run_entry(c, out);
      return out;
    }
    case R::onDenyBlock: {
      OnDenyBlock out;
      out.span = span(n);
      for (const auto c : children(n))
        if (is(c, R::onDenyEntry)) on_deny_entry(c, out);
      return out;
    }
    case R::include:
      return include(n);
    case R::textHeader: {
      const std::uint32_t word = only_child(n);
      return TextHeader{{std::string(raw(word)), span(word)}, strings(find(n, R::strings)), span(n)};
    }
    case R::isolationHeader:
    case R::modeHeader:
      return words(n);
    default:
      return accept(n);
  }
}

WordHeader Builder::words(std::uint32_t node) {
  WordHeader out;
  out.span = span(node);
  for (const auto c : children(node)) {
    if (c == only_child(node)) {
      out.keyword = {std::string(raw(c)), span(c)};
    } else if (is(c, R::names)) {
      out.for_words = names(c);
    } else if (!is(c, T::FOR)) {
      out.words.push_back({std::string(raw(c)), span(c)});
    }
  }
  return out;
}

Include Builder::include(std::uint32_t node) {
  Include out;
  out.span = span(node);
  out.name = qualified(find(node, R::itemName));
  if (const auto list = find(node, R::arguments); has(list)) out.arguments = arguments(list);
  return out;
}

Accept Builder::accept(std::uint32_t node) {
  Accept out;
  out.span = span(node);
  std::uint32_t place = 0;
  for (const auto c : children(node)) {
    if (place++ == 1) out.kind = {std::string(raw(c)), span(c)};
    if (is(c, R::fact)) fact(c, out);
    if (is(c, R::modifier)) out.modifiers.push_back(modifier(c));
  }
  return out;
}

void Builder::fact(std::uint32_t node, Accept& out) {
  out.fact_span = span(node);
  const std::uint32_t first = only_child(node);
  if (is(first, R::actionPattern)) {
    ActionPattern action = action_pattern(first);
    out.word = std::move(action.block);
    std::visit([&out](auto& body) { out.pattern = std::move(body); }, action.body);
    return;
  }
  out.word = Name{std::string(raw(first)), span(first)};
  for (const auto c : children(node)) {
    if (is(c, R::name)) out.limit = name(c);
    if (is(c, T::STRING)) out.mount = string(c);
  }
}

void Builder::env_entry(std::uint32_t node, EnvBlock& out) {
  const std::uint32_t entry = only_child(node);
  if (is(entry, R::textRule)) {
    out.rules.push_back(text_rule(entry));
    return;
  }
  EnvSet set;
  set.span = span(entry);
  const std::uint32_t key = find(entry, T::STRING);
  set.name = string(key);
  for (const auto c : children(entry))
    if (c != key && is(c, T::STRING)) set.value = string(c);
  out.sets.push_back(std::move(set));
}

LimitEntry Builder::limit_entry(std::uint32_t node) {
  return {name(find(node, R::limitName)), value(find(node, R::value)), span(node)};
}

void Builder::run_entry(std::uint32_t node, RunBlock& out) {
  const std::uint32_t word = only_child(node);
  const auto once = [&](auto& place, auto made) {
    if (place)
      reports_
          .emit(diagnostics::kind::repeated_entry, span(node),
                fmt::format("`{}` stands twice in this block", raw(word)))
          .labelled("the second one")
          .helped("remove one of them");
    place = std::move(made);
  };
  const std::uint32_t text = find(node, T::STRING);
  switch (type_of(word)) {
    case T::COMMAND:
      once(out.command, strings(find(node, R::strings)));
      out.command_span = span(node);
      break;
    case T::WORKDIR:
      once(out.workdir, string(text));
      break;
    case T::ROOTFS:
      once(out.rootfs, string(text));
      break;
    case T::HOSTNAME:
      once(out.hostname, string(text));
      break;
    case T::CGROUP:
      once(out.cgroup, string(text));
      break;
    case T::INTERFACE:
      once(out.interface, string(text));
      break;
    case T::USER: {
      const std::uint32_t uid = find(node, T::NUMBER);
      once(out.uid, number(uid));
      for (const auto c : children(node))
        if (c != uid && is(c, T::NUMBER)) out.gid = number(c);
      out.user_span = span(node);
      break;
    }
    default:
      out.mounts.push_back(mount(node));
      break;
  }
}

Mount Builder::mount(std::uint32_t node) {
  Mount out;
  out.span = span(node);
  bool behind_at = false;
  for (const auto c : children(node)) {
    if (is(c, T::TMPFS)) out.tmpfs = true;
    if (is(c, T::AT)) behind_at = true;
    if (is(c, T::STRING) && behind_at) out.target = string(c);
    if (is(c, T::STRING) && !behind_at) out.source = string(c);
    if (!is(c, R::mountOption)) continue;
    if (const auto v = find(c, R::value); has(v)) {
      out.size = value(v);
    } else {
      out.flags.push_back({std::string(raw(c)), span(c)});
    }
  }
  return out;
}

void Builder::on_deny_entry(std::uint32_t node, OnDenyBlock& out) {
  if (is(only_child(node), T::LOG)) {
    out.log = true;
    out.log_span = span(node);
    return;
  }
  out.alerts.push_back({name(find(node, R::name)), names(find(node, R::names)), span(node)});
}

// ---- lines of tests and invariants ----------------------------------------------------------------------------------

TestLine Builder::test_line(std::uint32_t node) {
  return {head(node).effect, action_pattern(find(node, R::actionPattern)), span(node)};
}

InvariantLine Builder::invariant_line(std::uint32_t node) {
  InvariantLine out;
  out.span = span(node);
  const T word = type_of(only_child(node));
  out.kind = word == T::NEVER  ? InvariantLine::Kind::Never
             : word == T::ONLY ? InvariantLine::Kind::Only
                               : InvariantLine::Kind::Require;
  bool with = false;
  for (const auto c : children(node)) {
    if (is(c, T::WITH)) with = true;
    if (is(c, R::actionPattern)) (with ? out.with : out.actions).push_back(action_pattern(c));
    if (is(c, R::requirement)) requirement(c, out);
  }
  return out;
}

void Builder::requirement(std::uint32_t node, InvariantLine& out) {
  for (const auto c : children(node)) {
    if (is(c, R::comparison)) {
      out.require_op = std::string(raw(c));
    } else if (is(c, R::value)) {
      out.require_value = value(c);
    } else {
      out.require_words.push_back({std::string(raw(c)), span(c)});
    }
  }
}

}  // namespace agp::syntax::detail
