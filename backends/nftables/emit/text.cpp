#include <fmt/format.h>

#include "backends/nftables/emit/ruleset.hpp"

// In: a table. Out: a script for `nft -f` (nft(8)), which replaces the table of that name in one transaction: declared
// (so that there is one), deleted, made anew. Every statement ends with a newline: a `}` may not follow one directly.
namespace agp::backends::nftables {
namespace {

template <class Item, class Print>
std::string list(const std::vector<Item>& items, std::string_view separator, const Print& print) {
  std::string out;
  for (const auto& item : items) {
    if (!out.empty()) out += separator;
    out += print(item);
  }
  return out;
}

std::string text(const Value& v) {
  switch (v.kind) {
    case Value::Kind::Word:
      return v.text;
    case Value::Kind::Quoted:
      return '"' + v.text + '"';
    case Value::Kind::Number:
      return fmt::format("{}", v.number);
    case Value::Kind::Prefix:
      return fmt::format("{}/{}", v.text, v.number);
    case Value::Kind::Range:
      return text(v.parts[0]) + "-" + text(v.parts[1]);
    case Value::Kind::Concat:
      return list(v.parts, " . ", [](const Value& p) { return text(p); });
  }
  return {};
}

std::string text(const Expr& e) {
  switch (e.kind) {
    case Expr::Kind::Payload:
      return e.base + " " + e.field;
    case Expr::Kind::Meta:
      return "meta " + e.field;
    case Expr::Kind::Ct:
      return "ct " + e.field;
    case Expr::Kind::Flags:
      return fmt::format("{} {} & ({})", e.base, e.field, fmt::join(e.mask, " | "));
    case Expr::Kind::Cgroup:
      return fmt::format("socket cgroupv2 level {}", e.level);
    case Expr::Kind::Concat:
      return list(e.parts, " . ", [](const Expr& p) { return text(p); });
  }
  return {};
}

std::string text(const Verdict& v) {
  switch (v.kind) {
    case Verdict::Kind::Accept:
      return "accept";
    case Verdict::Kind::Drop:
      return "drop";
    case Verdict::Kind::Continue:
      return "continue";
    case Verdict::Kind::Goto:
      return "goto " + v.target;
  }
  return {};
}

std::string text(const Element& e) {
  std::string out = text(e.key);
  if (!e.comment.empty()) out += " comment \"" + e.comment + '"';
  if (e.verdict) out += " : " + text(*e.verdict);
  return out;
}

struct TextWriter {
  std::string operator()(const Match& s) const {
    return text(s.left) + (s.op == "==" && s.left.kind != Expr::Kind::Flags ? " " : " " + s.op + " ") + text(s.right);
  }
  std::string operator()(const MatchAny& s) const {
    return text(s.left) + " { " + list(s.values, ", ", [](const Value& v) { return text(v); }) + " }";
  }
  std::string operator()(const MatchSet& s) const { return text(s.left) + " @" + s.set; }
  std::string operator()(const Dispatch& s) const { return text(s.key) + " vmap @" + s.map; }
  std::string operator()(const DispatchAny& s) const {
    return text(s.key) + " vmap { " + list(s.elements, ", ", [](const Element& e) { return text(e); }) + " }";
  }
  std::string operator()(const Count& s) const { return s.counter.empty() ? "counter" : "counter name " + s.counter; }
  std::string operator()(const Log& s) const { return "log prefix \"" + s.prefix + '"'; }
  std::string operator()(const Reject& s) const {
    return s.tcp_reset ? "reject with tcp reset" : "reject with icmpx admin-prohibited";
  }
  std::string operator()(const Verdict& s) const { return text(s); }
};

std::string text(const Set& set) {
  std::string out = fmt::format("  {} {} {{\n    type {}{}\n", set.map ? "map" : "set", set.name,
                                fmt::join(set.type, " . "), set.map ? " : verdict" : "");
  if (set.interval) out += "    flags interval\n";
  if (!set.elements.empty()) {
    out += "    elements = {\n";
    for (const auto& e : set.elements) out += "      " + text(e) + ",\n";
    out += "    }\n";
  }
  return out + "  }\n";
}

std::string text(const Chain& chain) {
  std::string out = "  chain " + chain.name + " {\n";
  if (!chain.hook.empty())
    out += fmt::format("    type filter hook {} priority 0; policy {};\n", chain.hook, chain.policy);
  for (const auto& rule : chain.rules) {
    out += "    " + list(rule.statements, " ", [](const Statement& s) { return std::visit(TextWriter{}, s); });
    if (!rule.comment.empty()) out += " comment \"" + rule.comment + '"';
    out += '\n';
  }
  return out + "  }\n";
}

}  // namespace

std::string to_text(const Table& table) {
  std::string out = fmt::format("table inet {0} {{\n}}\ndelete table inet {0}\n\ntable inet {0} {{\n", table.name);
  for (const auto& name : table.counters) out += fmt::format("  counter {} {{\n  }}\n", name);
  for (const auto& set : table.sets) out += '\n' + text(set);
  for (const auto& chain : table.chains) out += '\n' + text(chain);
  return out + "}\n";
}

}  // namespace agp::backends::nftables
