#include "tests/unit/syntax/dump.hpp"

#include <fmt/format.h>

namespace agp::syntax::test {
namespace {

std::string d(const Name& n) { return n.text; }
std::string d(const QualifiedName& n) { return n.text(); }

std::string d(const String& s) {
  std::string out = "\"";
  for (const StringPiece& p : s.pieces) {
    switch (p.kind) {
      case StringPiece::Kind::Text:
        out += p.text;
        break;
      case StringPiece::Kind::Escaped:
        out += "<" + p.text + ">";
        break;
      case StringPiece::Kind::Interpolation:
        out += "${" + p.text + "}";
        break;
    }
  }
  return out + "\"";
}

std::string d(const Date& date) { return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day); }
std::string d(const Number& n) { return n.overflow ? "overflow" : std::to_string(n.value); }

std::string d(const Address&);
std::string d(const Port&);
std::string d(const Endpoint&);
std::string d(const UnixEndpoint&);
std::string d(const Value&);
std::string d(const Modifier&);
std::string d(const Constant&);
std::string d(const Condition&);
std::string d(const SyscallPattern&);
std::string d(const ActionPattern&);
std::string d(const Parameter&);
std::string d(const Argument&);

template <typename T>
std::string list(const std::vector<T>& all, const char* between = " ") {
  std::string out;
  for (const T& one : all) {
    if (!out.empty()) out += between;
    out += d(one);
  }
  return out;
}

std::string d(const Address& a) {
  switch (a.kind) {
    case Address::Kind::V4:
      return "v4:" + a.text;
    case Address::Kind::V4Prefix:
      return "v4p:" + a.text;
    case Address::Kind::V4Range:
      return "v4r:" + a.text + ".." + a.text2;
    case Address::Kind::V6:
      return "v6:" + a.text;
    case Address::Kind::V6Prefix:
      return "v6p:" + a.text;
    case Address::Kind::V6Range:
      return "v6r:" + a.text + ".." + a.text2;
    case Address::Kind::Host:
      return "host:" + a.text;
    case Address::Kind::Text:
      return d(*a.string);
    case Address::Kind::Reference:
      return "ref:" + a.text;
    case Address::Kind::Any:
      return "any";
  }
  return "?";
}

std::string d(const Port& p) {
  switch (p.kind) {
    case Port::Kind::Number:
      return std::to_string(p.low);
    case Port::Kind::Range:
      return fmt::format("{}-{}", p.low, p.high);
    case Port::Kind::Any:
      return "*";
    case Port::Kind::Reference:
      return "ref:" + p.text;
  }
  return "?";
}

std::string d(const Endpoint& e) {
  std::string out = e.addresses.size() == 1 ? d(e.addresses[0]) : "[" + list(e.addresses) + "]";
  if (e.ports) out += ":" + (e.ports->size() == 1 ? d(e.ports->at(0)) : "[" + list(*e.ports) + "]");
  return out;
}
std::string d(const UnixEndpoint& e) { return e.path ? d(*e.path) : "@abstract"; }

struct ValueText {
  std::string operator()(const String& s) const { return d(s); }
  std::string operator()(const Number& n) const { return d(n); }
  std::string operator()(const Decimal& n) const { return "decimal:" + n.text; }
  std::string operator()(const Size& s) const { return fmt::format("size:{}{}", s.number, s.unit); }
  std::string operator()(const Duration& s) const { return fmt::format("time:{}{}", s.number, s.unit); }
  std::string operator()(const Date& date) const { return "date:" + d(date); }
  std::string operator()(const Address& a) const { return d(a); }
  std::string operator()(const PortRange& r) const { return fmt::format("range:{}-{}", r.low, r.high); }
  std::string operator()(const QualifiedName& n) const { return "name:" + d(n); }
  std::string operator()(const List& l) const { return "[" + list(l.values) + "]"; }
};
std::string d(const Value& v) { return std::visit(ValueText{}, v.node); }

std::string d(const Modifier& m) {
  static constexpr const char* words[] = {"as", "because", "until", "within", "from", "risk"};
  std::string out = fmt::format("({}", words[static_cast<int>(m.kind)]);
  if (m.string) out += " " + d(*m.string);
  if (m.date) out += " " + d(*m.date);
  if (!m.addresses.empty()) out += " " + list(m.addresses);
  if (m.word) out += " " + d(*m.word);
  return out + ")";
}

const char* word(Effect e) { return e == Effect::Allow ? "allow" : e == Effect::Ask ? "ask" : "deny"; }

template <typename T>
std::string part(const char* name, const std::vector<T>& all) {
  return all.empty() ? "" : fmt::format(" {}={}", name, list(all, ","));
}
std::string tail(const RuleHead& head) { return head.modifiers.empty() ? "" : " " + list(head.modifiers); }

std::string d(const FileRule& r) {
  return "file" + part("verbs", r.verbs) + part("paths", r.patterns) + part("except", r.except) + tail(r.head);
}
std::string d(const NetRule& r) {
  return "net " + r.verb.text + part("protocols", r.protocols) + part("to", r.endpoints) +
         part("unix", r.unix_endpoints) + part("except", r.except) + part("except-unix", r.unix_except) + tail(r.head);
}

std::string d(const Constant& c) {
  std::string out;
  for (const auto& term : c.terms) {
    if (!out.empty()) out += "|";
    out += std::holds_alternative<Name>(term) ? std::get<Name>(term).text : d(std::get<Number>(term));
  }
  return out;
}
std::string d(const Condition& c) {
  static constexpr const char* ops[] = {"==", "!=", "<", "<=", ">", ">=", "in", "&", "bare"};
  if (c.op == Condition::Op::Masked) return c.argument.text + "&" + d(*c.mask) + "==" + list(c.values);
  return c.argument.text + " " + ops[static_cast<int>(c.op)] + " " + list(c.values);
}
std::string d(const SyscallPattern& p) {
  std::string out = (p.group ? "@" : "") + p.name.text;
  if (p.conditions) out += "(" + list(*p.conditions, ";") + ")";
  return out;
}
std::string d(const SyscallRule& r) {
  std::string out = "syscall" + part("calls", r.patterns) + part("except", r.except);
  if (r.denial) {
    const auto kind = r.denial->kind;
    out += kind == Denial::Kind::Errno ? " errno:" + r.denial->errno_name->text
                                       : (kind == Denial::Kind::Trap ? " trap" : " kill");
  }
  return out + tail(r.head);
}
std::string d(const CapabilityRule& r) {
  return "capability" + part("names", r.names) + part("except", r.except) + tail(r.head);
}
std::string d(const TextRule& r) {
  return "text" + part("patterns", r.patterns) + part("except", r.except) + tail(r.head);
}

template <typename Rule>
std::string rules(const std::vector<Rule>& all) {
  std::string out;
  for (const Rule& r : all) out += fmt::format(" {{{} {}}}", word(r.head.effect), d(r));
  return out;
}

template <typename T>
std::string opt(const char* name, const std::optional<T>& value) {
  return value ? fmt::format(" {}={}", name, d(*value)) : "";
}

std::string d(const ActionPattern& a) {
  return a.block.text + "<" + std::visit([](const auto& body) { return d(body); }, a.body) + ">";
}

struct StatementText {
  std::string operator()(const FileBlock& b) const { return "file" + rules(b.rules); }
  std::string operator()(const NetBlock& b) const {
    std::string out = "net" + rules(b.rules);
    for (const Resolver& r : b.resolvers) out += " {resolver " + list(r.addresses) + "}";
    return out;
  }
  std::string operator()(const SyscallBlock& b) const { return "syscall" + rules(b.rules); }
  std::string operator()(const CapabilityBlock& b) const { return "capability" + rules(b.rules); }
  std::string operator()(const EnvBlock& b) const {
    std::string out = "env" + rules(b.rules);
    for (const EnvSet& s : b.sets) out += " {set " + d(s.name) + "=" + d(s.value) + "}";
    return out;
  }
  std::string operator()(const ToolBlock& b) const { return "tool" + rules(b.rules); }
  std::string operator()(const LimitBlock& b) const {
    std::string out = "limit";
    for (const LimitEntry& e : b.entries) out += " {" + e.name.text + " " + d(e.value) + "}";
    return out;
  }
  std::string operator()(const RunBlock& b) const {
    std::string out = "run";
    if (b.command) out += " command=" + list(*b.command, ",");
    out += opt("workdir", b.workdir) + opt("rootfs", b.rootfs) + opt("hostname", b.hostname) + opt("cgroup", b.cgroup) +
           opt("interface", b.interface) + opt("uid", b.uid) + opt("gid", b.gid);
    for (const Mount& m : b.mounts)
      out += " {mount " + (m.tmpfs ? std::string("tmpfs") : d(*m.source)) + " at " + d(m.target) +
             part("flags", m.flags) + opt("size", m.size) + "}";
    return out;
  }
  std::string operator()(const OnDenyBlock& b) const {
    std::string out = b.log ? "on-deny log" : "on-deny";
    for (const Alert& a : b.alerts) out += " {alert " + a.severity.text + " " + list(a.targets) + "}";
    return out;
  }
  std::string operator()(const Include& i) const {
    std::string out = "include " + d(i.name);
    for (const Argument& a : i.arguments) out += " " + a.name.text + ":" + d(a.value);
    return out;
  }
  std::string operator()(const TextHeader& h) const { return h.keyword.text + " " + list(h.values); }
  std::string operator()(const WordHeader& h) const {
    return h.keyword.text + " " + list(h.words) + (h.for_words.empty() ? "" : " for " + list(h.for_words));
  }
  std::string operator()(const Accept& a) const {
    std::string out = "accept " + a.kind.text + " word=" + a.word->text;
    out += std::visit(
        [](const auto& pattern) -> std::string {
          if constexpr (std::is_same_v<std::decay_t<decltype(pattern)>, std::monostate>)
            return "";
          else
            return " <" + d(pattern) + ">";
        },
        a.pattern);
    return out + opt("limit", a.limit) + opt("mount", a.mount) + (a.modifiers.empty() ? "" : " " + list(a.modifiers));
  }
};

std::string body(const std::vector<Statement>& all) {
  std::string out;
  for (const Statement& s : all) out += "\n  " + std::visit(StatementText{}, s);
  return out;
}
std::string doc(const std::string& text) { return text.empty() ? "" : " doc=[" + text + "]"; }
std::string d(const Parameter& p) {
  return p.name.text + ":" + (p.type.list ? "[" + p.type.name.text + "]" : p.type.name.text) + opt("", p.fallback) +
         doc(p.doc);
}
std::string d(const Argument& a) { return a.name.text + ":" + d(a.value); }

struct ItemText {
  std::string operator()(const VersionItem& v) const { return "agp " + d(v.number); }
  std::string operator()(const Use& u) const {
    return "use" + opt("module", u.module) + opt("path", u.path) + opt("as", u.as);
  }
  std::string operator()(const Parameter& p) const { return "param " + d(p); }
  std::string operator()(const Let& l) const { return "let " + l.name.text + " = " + d(l.value) + doc(l.doc); }
  std::string operator()(const Fragment& f) const {
    return "fragment " + f.name.text + part("parameters", f.parameters) + doc(f.doc) + body(f.body);
  }
  std::string operator()(const Policy& p) const { return "policy " + p.name.text + doc(p.doc) + body(p.body); }
  std::string operator()(const Invariant& i) const {
    std::string out = "invariant " + i.name.text + part("for", i.for_globs) + doc(i.doc);
    for (const InvariantLine& l : i.lines) {
      static constexpr const char* kinds[] = {"never", "only", "require"};
      out += fmt::format("\n  {}", kinds[static_cast<int>(l.kind)]);
      if (!l.actions.empty()) out += " " + list(l.actions, ", ");
      if (!l.with.empty()) out += " with " + list(l.with, ", ");
      if (!l.require_words.empty()) out += " " + list(l.require_words);
      if (l.require_op) out += " " + *l.require_op;
      if (l.require_value) out += " " + d(*l.require_value);
    }
    return out;
  }
  std::string operator()(const Test& t) const {
    std::string out = "test " + d(t.policy) + part("arguments", t.arguments) + doc(t.doc);
    for (const TestLine& l : t.lines) out += fmt::format("\n  {} {}", word(l.expected), d(l.action));
    return out;
  }
};

}  // namespace

std::string dump(const Item& item) { return std::visit(ItemText{}, item); }
std::string dump(const Statement& statement) { return std::visit(StatementText{}, statement); }
std::string dump(const ActionPattern& action) { return d(action); }
std::string dump(const Value& value) { return d(value); }
std::string dump(const File& file) {
  std::string out;
  for (const Item& item : file.items) out += dump(item) + "\n";
  return out;
}

}  // namespace agp::syntax::test
