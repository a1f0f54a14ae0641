// A failed phrase -> a diagnostic. In: which tokens, and what could have stood at the first impossible one. Out: a
// message that says what was observed and what the language expects there, and a help line with something to type.
// Everything that names a part of the language stands in the tables of this file.
#include "compiler/syntax/explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"

namespace agp::syntax::detail {

namespace kind = diagnostics::kind;

namespace {

struct PhraseNoun {
  R phrase;
  R inside;  ///< R::file: anywhere
  std::string_view noun;
};
constexpr PhraseNoun phrase_nouns[] = {
    {R::strings, R::fileRule, "a path in quotes"},
    {R::strings, R::textRule, "a name in quotes"},
    {R::strings, R::textHeader, "a text in quotes"},
    {R::strings, R::runEntry, "an argument in quotes"},
    {R::strings, R::invariant, "the name of a policy in quotes"},
    {R::strings, R::file, "a pattern in quotes"},
    {R::names, R::fileRule, "a verb such as `read`"},
    {R::names, R::capabilityRule, "a capability such as `CAP_NET_BIND_SERVICE`"},
    {R::names, R::exceptNames, "a capability such as `CAP_NET_BIND_SERVICE`"},
    {R::names, R::actionPattern, "a capability such as `CAP_NET_BIND_SERVICE`"},
    {R::names, R::modeHeader, "the name of a block"},
    {R::names, R::onDenyEntry, "a verb or the name of a block"},
    {R::name, R::netRule, "`connect` or `listen`"},
    {R::limitName, R::limitEntry, "the name of a limit"},
    {R::name, R::fact, "the name of a limit"},
    {R::name, R::requirement, "the name of a limit"},
    {R::name, R::denial, "an error such as `EPERM`"},
    {R::name, R::onDenyEntry, "a severity such as `P1`"},
    {R::name, R::modifier, "`low`, `medium` or `high`"},
    {R::name, R::group, "the name of a group"},
    {R::name, R::abstractSocket, "`abstract`"},
    {R::name, R::type, "a type"},
    {R::name, R::file, "a name"},
    {R::itemName, R::use, "a module such as `std.runtime.python`"},
    {R::itemName, R::include, "the name of a fragment"},
    {R::itemName, R::test, "the name of a policy"},
    {R::protocols, R::file, "a protocol such as `tcp`"},
    {R::protocol, R::file, "a protocol such as `tcp`"},
    {R::netTargets, R::file, "an endpoint such as `10.0.1.50:443`"},
    {R::netTarget, R::file, "an endpoint such as `10.0.1.50:443`"},
    {R::endpoint, R::file, "an endpoint such as `10.0.1.50:443`"},
    {R::portPart, R::file, "a port"},
    {R::port, R::file, "a port"},
    {R::addresses, R::file, "an address"},
    {R::addressPart, R::file, "an address"},
    {R::address, R::file, "an address"},
    {R::value, R::limitEntry, "a bound"},
    {R::value, R::requirement, "a bound"},
    {R::value, R::mountOption, "a size"},
    {R::value, R::file, "a value"},
    {R::type, R::file, "a type such as `path`"},
    {R::parameter, R::parameterItem, "a name"},
    {R::parameter, R::file, "a parameter"},
    {R::argument, R::file, "an argument such as `workspace: \"/work\"`"},
    {R::syscallPatterns, R::file, "a system call"},
    {R::syscallPattern, R::file, "a system call"},
    {R::syscallName, R::file, "a system call"},
    {R::condition, R::file, "a condition such as `domain == AF_INET6`"},
    {R::constant, R::file, "a constant or a number"},
    {R::constantTerm, R::file, "a constant or a number"},
    {R::comparison, R::file, "a comparison such as `==`"},
    {R::modifier, R::file, "a modifier"},
    {R::actionPattern, R::file, "an action such as `write \"/etc/passwd\"`"},
    {R::fact, R::file, "what is accepted"},
    {R::fileVerb, R::file, "a verb such as `read`"},
    {R::effect, R::file, "`allow`, `ask` or `deny`"},
    {R::denial, R::file, "`errno`, `trap` or `kill`"},
    {R::requirement, R::file, "what is required"},
    {R::isolationWord, R::file, "`process`, `container`, `microvm` or `ephemeral`"},
    {R::mountOption, R::file, "`readonly`, `writable` or `size`"},
    {R::item, R::file, "an item"},
    {R::statement, R::file, "a statement"},
};

std::string_view phrase_noun(R phrase, R inside) {
  for (const PhraseNoun& row : phrase_nouns)
    if (row.phrase == phrase && (row.inside == inside || row.inside == R::file)) return row.noun;
  return rule_names[static_cast<std::size_t>(phrase)];
}

std::string token_noun(T token, R inside) {
  switch (token) {
    case T::STRING:
      if (inside == R::modifier) return "a text in quotes";
      if (inside == R::envSet) return "a name or value in quotes";
      if (inside == R::runEntry || inside == R::fact || inside == R::use) return "a path in quotes";
      return "a string in quotes";
    case T::NUMBER:
      if (inside == R::version) return "the version `1`";
      if (inside == R::runEntry) return "a numeric id";
      return "a number";
    case T::DATE:
      return "a date such as `2027-01-31`";
    case T::UNIT:
      return "a unit such as `GiB` or `min`";
    case T::DOTTED:
      return "a dotted name";
    case T::IDENT:
      return "a name";
    default:
      break;
  }
  const std::string_view spelling = token_spellings[static_cast<std::size_t>(token)];
  return spelling.empty() ? std::string("a value") : fmt::format("`{}`", spelling);
}

/// What a phrase of the rule is called, after "the next".
std::string_view unit_noun(R rule) {
  switch (rule) {
    case R::item:
      return "item";
    case R::statement:
      return "statement";
    case R::testLine:
    case R::invariantLine:
      return "line";
    case R::limitEntry:
    case R::runEntry:
    case R::onDenyEntry:
      return "entry";
    case R::actionPattern:
      return "action";
    default:
      return "rule";
  }
}

/// How a phrase of the rule is written; `first` is its first token.
std::string_view example(R rule, T first) {
  switch (rule) {
    case R::fileRule:
      return "allow read, write \"/workspace/**\"";
    case R::netEntry:
      return first == T::RESOLVER ? "resolver 10.0.0.53" : "allow connect tcp 10.0.1.50:443";
    case R::syscallRule:
      return "deny socket(domain == AF_INET6)";
    case R::capabilityRule:
      return "allow CAP_NET_BIND_SERVICE";
    case R::textRule:
      return "allow \"files.read\"";
    case R::envEntry:
      return first == T::SET ? "set \"PATH\" = \"/usr/bin:/bin\"" : "allow \"LANG\", \"LC_*\"";
    case R::limitEntry:
      return "memory 4 GiB";
    case R::onDenyEntry:
      return "alert P1 for write, connect";
    case R::invariantLine:
      return first == T::ONLY ? "only write \"/workspace/**\", \"/tmp/**\"" : "require limit memory <= 8 GiB";
    default:
      break;
  }
  switch (first) {
    case T::COMMAND:
      return "command \"/usr/bin/python3.11\", \"/task/main.py\"";
    case T::USER:
      return "user 65534:65534";
    case T::MOUNT:
      return "mount \"/srv/agents/task\" at \"/task\" readonly";
    case T::WORKDIR:
      return "workdir \"/workspace\"";
    case T::ROOTFS:
      return "rootfs \"/srv/rootfs\"";
    case T::HOSTNAME:
      return "hostname \"sandbox\"";
    case T::CGROUP:
      return "cgroup \"/sys/fs/cgroup/agents\"";
    case T::INTERFACE:
      return "interface \"veth0\"";
    case T::OWNER:
      return "owner \"platform-security\"";
    case T::SATISFIES:
      return "satisfies \"AGT-008\"";
    case T::ISOLATION:
      return "isolation container ephemeral";
    case T::MODE:
      return "mode enforce";
    case T::INCLUDE:
      return "include std.runtime.python";
    case T::ACCEPT:
      return "accept unenforced tool because \"the gateway holds it\"";
    case T::ON:
      return "on deny { log }";
    case T::AGP:
      return "agp 1";
    case T::USE:
      return "use std.runtime.python";
    case T::PARAM:
      return "param workspace : path = \"/workspace\"";
    case T::LET:
      return "let api_gateway = 10.0.1.50";
    case T::FRAGMENT:
      return "fragment base(root : path = \"/work\") { … }";
    case T::POLICY:
      return "policy code-execution { … }";
    case T::INVARIANT:
      return "invariant no-exfiltration { … }";
    case T::TEST:
      return "test code-execution { … }";
    default:
      break;
  }
  if (first >= T::FILE && first <= T::RUN) return "file { … }";
  return {};
}

std::string action_example(const Failure& f) {
  for (std::uint32_t i = f.begin; i < f.end; ++i) {
    switch (f.tokens[i].type) {
      case T::CONNECT:
      case T::LISTEN:
        return "connect tcp 8.8.8.8:53";
      case T::RESOLVE:
        return "resolve registry.internal";
      case T::SYSCALL:
        return "syscall socket(AF_INET, SOCK_RAW, 0)";
      case T::CAPABILITY:
        return "capability CAP_NET_BIND_SERVICE";
      case T::ENV:
        return "env \"AWS_SECRET_ACCESS_KEY\"";
      case T::TOOL:
        return "tool \"payments.transfer\"";
      default:
        break;
    }
  }
  return "write \"/etc/passwd\"";
}

std::string example(const Failure& f) {
  const T first = f.tokens[f.begin].type;
  if (f.rule == R::actionPattern) return action_example(f);
  if (f.rule == R::testLine)
    return fmt::format("{} {}", token_spellings[static_cast<std::size_t>(first)], action_example(f));
  if (f.rule == R::invariantLine && first == T::NEVER) return "never " + action_example(f);
  return std::string(example(f.rule, first));
}

/// What may begin there, for a token that begins nothing.
std::string_view beginners(R rule) {
  switch (rule) {
    case R::item:
      return "an item begins with `use`, `param`, `let`, `fragment`, `policy`, `invariant` or `test`";
    case R::statement:
      return "a policy holds `file`, `net`, `syscall`, `capability`, `env`, `tool`, `limit`, `run`, `on deny`, "
             "`include`, "
             "`owner`, `satisfies`, `isolation`, `mode` and `accept`";
    case R::netEntry:
      return "a `net` block holds rules, which begin with `allow`, `ask` or `deny`, and `resolver`";
    case R::envEntry:
      return "an `env` block holds rules, which begin with `allow`, `ask` or `deny`, and `set`";
    case R::fileRule:
    case R::syscallRule:
    case R::capabilityRule:
    case R::textRule:
      return "a rule begins with `allow`, `ask` or `deny`";
    case R::testLine:
      return "a line of a test begins with `allow`, `ask` or `deny`";
    case R::runEntry:
      return "a `run` block holds `command`, `workdir`, `user`, `rootfs`, `mount`, `hostname`, `cgroup` and "
             "`interface`";
    case R::onDenyEntry:
      return "an `on deny` block holds `log` and `alert`";
    case R::invariantLine:
      return "a line of an invariant begins with `never`, `only` or `require`";
    case R::limitEntry:
      return "a `limit` block holds `cpu`, `memory`, `pids`, `time` and `files`, each with a bound";
    default:
      return "an action begins with `read`, `write`, `exec`, `list`, `modify`, `create`, `delete`, `connect`, "
             "`listen`, "
             "`resolve`, `syscall`, `capability`, `env` or `tool`";
  }
}

std::string shortened(std::string_view raw) {
  if (raw.size() <= 48) return std::string(raw);
  std::size_t end = 44;
  while (end > 0 && (static_cast<unsigned char>(raw[end]) & 0xc0) == 0x80) --end;
  return std::string(raw.substr(0, end)) + "…";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += i + 1 == parts.size() ? " or " : ", ";
    out += parts[i];
  }
  return out;
}

/// What the option says to a reader; nothing for those that go without saying.
std::vector<std::string> wanted(const Failure& f) {
  std::vector<std::string> required, optional;
  for (const Option& option : f.viability.options) {
    const std::string noun =
        option.phrase ? std::string(phrase_noun(option.rule, option.inside)) : token_noun(option.token, option.inside);
    // A list could always go on, a number have a unit, a rule carry another modifier.
    const bool more = option.phrase ? option.rule == R::modifier || option.rule == R::mountOption
                                    : option.token == T::COMMA || option.token == T::EXCEPT || option.token == T::UNIT;
    auto& list = more ? optional : required;
    if (std::find(list.begin(), list.end(), noun) == list.end()) list.push_back(noun);
  }
  if (f.viability.complete) {
    if (required.empty()) required = optional.size() > 2 ? std::vector<std::string>{"a modifier"} : optional;
    if (f.rule == R::actionPattern) return {"the end of the action"};
    required.push_back(fmt::format("the next {}", unit_noun(f.rule)));
  }
  return required.empty() ? optional : required;
}

bool effect_word(T type) { return type == T::ALLOW || type == T::ASK || type == T::DENY; }

/// A help line for places where people write something particular.
std::string particular(const Failure& f) {
  const auto can = [&](T type) { return f.viability.tokens[static_cast<std::size_t>(type)]; };
  const std::uint32_t at = f.viability.at;
  const T before = at > 0 ? f.tokens[f.begin + at - 1].type : T::END;
  const T here = f.at_end() ? T::END : f.found().type;
  if (before == T::KILL && can(T::LPAREN))
    return "the system call is written `kill()`; `kill` alone is what a denied call gets";
  if (here == T::ANY && can(T::STAR) && before == T::COLON) return "every port is written `*`";
  if (here == T::LBRACE && f.rule == R::statement) return "name the block: `file {`";
  if (f.viability.at > 0) return {};
  const bool statement = (here >= T::FILE && here <= T::ISOLATION) || here == T::MODE || here == T::ACCEPT;
  if (f.rule == R::item && statement) return "it stands in a policy or a fragment: `policy code-execution { … }`";
  if (f.rule == R::item && effect_word(here))
    return "a rule stands in a block of a policy: `policy code-execution { file { … } }`";
  if (f.rule == R::statement && effect_word(here))
    return "a rule stands in a block: `file { allow read \"/task/**\" }`";
  if (f.rule == R::statement && here >= T::AGP && here <= T::TEST)
    return "it stands outside of policies and fragments: move it before this one";
  return {};
}

}  // namespace

bool Failure::itself(T type) const {
  return std::any_of(viability.options.begin(), viability.options.end(), [type](const Option& option) {
    if (option.phrase) return option.rule == R::comparison && type == T::EQ;
    return option.token == type;
  });
}

std::string expectation(const Failure& failure) {
  const std::vector<std::string> parts = wanted(failure);
  if (parts.size() > 6) return fmt::format("a {}", unit_noun(failure.rule));
  return joined(parts);
}

diagnostics::Diagnostic explain(const Failure& f) {
  const bool nothing_begun = f.viability.at == 0;
  const std::string expected = expectation(f);
  diagnostics::Diagnostic d;
  if (nothing_begun) {
    d = {kind::unknown_statement, f.span(f.found()),
         fmt::format("`{}` does not begin {} {}", shortened(f.raw(f.found())),
                     f.rule == R::item || f.rule == R::limitEntry || f.rule == R::runEntry ||
                             f.rule == R::onDenyEntry || f.rule == R::actionPattern
                         ? "an"
                         : "a",
                     unit_noun(f.rule))};
    d.labelled(f.viability.options.size() > 6 ? "unexpected" : "expected " + expected);
    d.helped(std::string(beginners(f.rule)));
  } else if (f.at_end()) {
    const Token& before = f.tokens[f.end - 1];
    d = {kind::syntax_error, f.span(before), fmt::format("expected {} after `{}`", expected, shortened(f.raw(before)))};
    d.labelled("the " + std::string(unit_noun(f.rule)) + " ends here");
  } else {
    d = {kind::syntax_error, f.span(f.found()),
         fmt::format("expected {}, found `{}`", expected, shortened(f.raw(f.found())))};
    d.labelled("unexpected");
  }
  if (const std::string special = particular(f); !special.empty()) {
    d.helped(special);
  } else if (const std::string how = example(f); !nothing_begun && !how.empty()) {
    d.helped(fmt::format("write it like `{}`", how));
  }
  return d;
}

}  // namespace agp::syntax::detail
