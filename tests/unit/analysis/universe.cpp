#include "tests/unit/analysis/universe.hpp"

#include <set>

namespace agp::analysis_test {

using namespace model;

namespace {

PathComponent literal(std::string_view text) {
  PathComponent c;
  c.alternatives.emplace_back();
  for (const char b : text) c.alternatives[0].push_back({PathToken::Kind::Literal, b});
  return c;
}
PathComponent run(std::string_view before = "") {
  PathComponent c = literal(before);
  c.alternatives[0].push_back({PathToken::Kind::AnyRun, 0});
  return c;
}
PathComponent deep() {
  PathComponent c;
  c.any_depth = true;
  return c;
}
PathPattern pattern(std::string text, std::vector<PathComponent> components) {
  return {std::move(components), std::move(text)};
}

const Address base = Address::v4(0x0a000000);  // 10.0.0.0/28
Address host(std::size_t i) { return {base.bits + i}; }
/// The sixteen that rules may name, and one outside: a refusal by name is about every address there is.
constexpr std::size_t hosts = 17;

/// 0 to 15 stand for all values where no condition looks at a bit above the third or compares with more than 7.
const char* const calls_used[] = {"socket", "personality", "alarm", "umask", "getpid", "setpriority"};

}  // namespace

Universe::Universe() {
  paths_ = {pattern("/a", {literal("a")}),
            pattern("/a/**", {literal("a"), deep()}),
            pattern("/a/*", {literal("a"), run()}),
            pattern("/a/b", {literal("a"), literal("b")}),
            pattern("/**", {deep()}),
            pattern("/**/b", {deep(), literal("b")}),
            pattern("/b*/**", {run("b"), deep()}),
            pattern("/b/c/**", {literal("b"), literal("c"), deep()})};
  // one path for each set of patterns that a path over these names can match, up to a depth that shows them all
  std::set<std::vector<bool>> seen;
  std::vector<std::string> level = {""};
  for (int depth = 0; depth <= 4; ++depth) {
    std::vector<std::string> next;
    for (const std::string& p : level) {
      const std::string path = p.empty() ? "/" : p;
      std::vector<bool> key;
      for (const PathPattern& one : paths_) {
        key.push_back(one.matches(path));
        key.push_back(one.matches_list(path));
      }
      if (seen.insert(key).second)
        for (int v = 0; v < 6; ++v) actions_.push_back(FileAction{static_cast<Verb>(1 << v), path});
      if (depth < 4)
        for (const char* name : {"a", "b", "c", "x", "bx"}) next.push_back(p + "/" + name);
    }
    level = std::move(next);
  }
  for (const Direction d : {Direction::Connect, Direction::Listen})
    for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp})
      for (std::size_t i = 0; i < hosts; ++i)
        for (std::uint16_t port = 1; port <= 8; ++port)
          actions_.push_back(NetAction{d, protocol, host(i), port, {}, {}});
  for (const char* name : {"n.example", "m.example", "x.example"})
    for (std::size_t i = 0; i < hosts; ++i)
      for (std::uint16_t port = 1; port <= 8; ++port)
        actions_.push_back(NetAction{Direction::Connect, Protocol::Tcp, host(i), port, name, {}});
  for (const char* call : calls_used)
    for (std::uint64_t x = 0; x < 16; ++x)
      for (std::uint64_t y = 0; y < 16; ++y) actions_.push_back(SyscallAction{call, {x, y}});
  for (const char* name : {"A", "AB", "AXB", "AX", "XB", "B", "Z"}) actions_.push_back(EnvAction{name});
}

FileBody Universe::file(Random& random) {
  FileBody body;
  const Verbs sets[] = {verbs_read, verbs_write, static_cast<Verbs>(Verb::Exec), static_cast<Verbs>(Verb::List),
                        static_cast<Verbs>(verbs_read | verbs_write)};
  body.verbs = sets[below(random, 5)];
  const auto draw = [&] {
    const PathPattern& p = paths_[below(random, paths_.size())];
    return place(p, verbs_text(body.verbs) + " \"" + p.text + "\"");
  };
  for (std::size_t n = 1 + below(random, 2); n-- > 0;) body.patterns.push_back(draw());
  if (below(random, 4) == 0) body.except.push_back(draw());
  return body;
}

NetBody Universe::net(Random& random, bool grants) {
  NetBody body;
  const bool named = below(random, 4) == 0;
  body.direction = !named && below(random, 5) == 0 ? Direction::Listen : Direction::Connect;
  body.protocols = named ? 1 : static_cast<Protocols>(1 + below(random, 3));
  const auto range = [&] {
    const std::size_t first = below(random, 16), last = first + below(random, 16 - first);
    return AddressSet::range(host(first), host(last));
  };
  const auto draw = [&](bool by_name) {
    EndpointPattern e;
    const auto port = static_cast<std::uint16_t>(1 + below(random, 8));
    e.ports = PortSet::range(port, static_cast<std::uint16_t>(port + below(random, 9u - port)));
    if (by_name) {
      const NamePattern names[] = {{"n.example", false}, {"m.example", false}, {"example", true}};
      e.name = names[below(random, 3)];
    } else {
      e.addresses = range();
    }
    std::string text =
        (body.direction == Direction::Connect ? "connect " : "listen ") + protocols_text(body.protocols) + " ";
    text += by_name ? e.name->to_string()
                    : to_string(e.addresses.ranges()[0].first) + "-" + to_string(e.addresses.ranges()[0].last);
    return place(e, text + ":" + to_string(e.ports));
  };
  for (std::size_t n = 1 + below(random, 2); n-- > 0;) body.endpoints.push_back(draw(named));
  if (below(random, 4) == 0) body.except.push_back(draw(named && below(random, 2) == 0));
  if (named && grants) body.within = range();
  return body;
}

SyscallBody Universe::calls(Random& random, bool denies) {
  SyscallBody body;
  const auto draw = [&] {
    SyscallPattern p;
    p.name = calls_used[below(random, 6)];
    for (std::size_t n = below(random, 3); n-- > 0;) {
      ArgTest t;
      t.index = static_cast<int>(below(random, 2));
      t.op = static_cast<ArgTest::Op>(below(random, 8));
      t.values = {below(random, 8)};
      if (t.op == ArgTest::Op::In)
        for (std::uint64_t v = t.values[0] + 1; v < 8; ++v)
          if (below(random, 2) == 0) t.values.push_back(v);
      if (t.op == ArgTest::Op::Masked) t.mask = 1 + below(random, 7);
      p.tests.push_back(t);
    }
    std::string text = p.name + "(";
    for (const ArgTest& t : p.tests)
      text += " arg" + std::to_string(t.index) + " op" + std::to_string(static_cast<int>(t.op)) + " " +
              std::to_string(t.mask) + " " + std::to_string(t.values[0]);
    return place(p, text + ")");
  };
  for (std::size_t n = 1 + below(random, 2); n-- > 0;) body.patterns.push_back(draw());
  if (below(random, 4) == 0) body.except.push_back(draw());
  if (denies && below(random, 4) == 0) body.denial.kind = Denial::Kind::Kill;
  return body;
}

TextBody Universe::texts(Random& random) {
  TextBody body;
  const char* const globs[] = {"A", "A*", "*B", "A?B", "*", "B"};
  for (std::size_t n = 1 + below(random, 2); n-- > 0;)
    body.patterns.push_back(place<std::string>(globs[below(random, 6)], "env"));
  if (below(random, 4) == 0) body.except.push_back(place<std::string>(globs[below(random, 6)], "env"));
  return body;
}

Rule Universe::rule(Random& random) {
  Rule rule;
  const std::size_t effect = below(random, 5);
  rule.effect = effect == 0 ? Effect::Ask : effect < 3 ? Effect::Deny : Effect::Allow;
  rule.span = span();
  switch (below(random, 7)) {
    case 0:
      rule.body = texts(random);
      break;
    case 1:
    case 2:
      rule.body = file(random);
      break;
    case 3:
    case 4:
      rule.body = net(random, rule.effect != Effect::Deny);
      break;
    default:
      rule.body = calls(random, rule.effect == Effect::Deny);
  }
  rule.id = "r" + std::to_string(rule.span.begin);
  rule.text = to_string(rule.effect);
  std::visit(
      [&](const auto& body) {
        const auto put = [&](const auto& list, const char* word) {
          for (const auto& p : list) rule.text += word + p.text;
        };
        if constexpr (requires { body.endpoints; }) put(body.endpoints, " ");
        if constexpr (requires { body.patterns; }) put(body.patterns, " ");
        if constexpr (requires { body.except; }) put(body.except, " except ");
      },
      rule.body);
  return rule;
}

Policy Universe::policy(Random& random, std::size_t rules) {
  Policy out;
  out.name = "drawn";
  while (out.rules.size() < rules) out.rules.push_back(rule(random));
  return out;
}

}  // namespace agp::analysis_test
