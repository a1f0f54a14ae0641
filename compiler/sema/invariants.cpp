#include "compiler/sema/invariants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/diagnostics/kinds.hpp"

// Invariants -> model::Invariant, with the values of the build. Whether a policy satisfies one is not asked here.
namespace agp::sema {

namespace kind = diagnostics::kind;

namespace {

/// One written set of actions. Nothing when a diagnostic was emitted.
class SetBuilder {
 public:
  SetBuilder(Patterns& patterns, const Scope& scope) : patterns_(patterns), scope_(scope) {}

  std::optional<model::ActionSet> run(const syntax::ActionPattern& written) {
    out_.span = written.span;
    sort_ = written.block.text == "env" ? model::TextBody::Sort::Env : model::TextBody::Sort::Tool;
    const std::size_t before = sink().errors();
    const bool some = std::visit([&](const auto& body) { return take(body); }, written.body);
    if (!some && sink().errors() == before)
      sink().emit(kind::invalid_pattern, written.span, "there is no such action: the list in it is empty");
    return some && sink().errors() == before ? std::optional(std::move(out_)) : std::nullopt;
  }

 private:
  diagnostics::Sink& sink() { return patterns_.sink(); }

  bool take(const syntax::FileRule& r) {
    const auto verbs = patterns_.verbs(r.verbs);
    if (!verbs) return false;
    const std::string words = model::verbs_text(*verbs);
    model::FileBody body;
    body.verbs = *verbs;
    body.patterns = patterns_.paths(scope_, r.patterns, words);
    body.except = patterns_.paths(scope_, r.except, words);
    return keep(body, body.patterns, words + " ", body.except);
  }

  bool take(const syntax::NetRule& r) {
    if (r.verb.text == "resolve") return take_names(r);
    const auto net = patterns_.net(r, Patterns::Endpoints::Optional);
    if (!net) return false;
    const bool everything = r.endpoints.empty() && r.unix_endpoints.empty();
    const Span at{r.verb.span.file, r.verb.span.begin, r.protocols.back().span.end};
    if (net->unix_socket) {
      const std::string prefix = r.verb.text + " unix";
      model::UnixBody body = patterns_.unix_body(scope_, r, prefix);
      if (everything) {
        body.abstract = std::all_of(r.unix_except.begin(), r.unix_except.end(), [](const auto& e) { return e.path; });
        for (const auto& p : {model::path_node("/"), model::path_subtree("/")})
          body.paths.push_back({p, at, fmt::format("{} \"{}\"", prefix, p.text)});
      }
      out_.text = everything ? prefix + except_text(body.except, prefix + " ") : unix_text(body, prefix);
      const bool some = !body.paths.empty() || body.abstract;
      out_.body = std::move(body);
      return some;
    }
    const std::string prefix = fmt::format("{} {}", r.verb.text, model::protocols_text(net->protocols));
    model::NetBody body = patterns_.net_body(scope_, r, net->protocols, prefix);
    for (const auto& e : body.endpoints)
      if (e.pattern.name && body.direction == model::Direction::Listen)
        sink().emit(kind::invalid_host, e.span, "a `listen` takes addresses, not names");
    if (!everything) return keep(body, body.endpoints, prefix + " ", body.except);
    model::EndpointPattern any;
    any.addresses = model::AddressSet::all();
    any.ports = model::PortSet::all();
    any.icmp = model::has(net->protocols, model::Protocol::Icmp);
    body.protocols = net->protocols;
    body.endpoints.push_back({std::move(any), at, prefix});
    out_.text = prefix + except_text(body.except, prefix + " ");
    out_.body = std::move(body);
    return true;
  }

  bool take_names(const syntax::NetRule& r) {
    model::ResolveBody body;
    for (const auto& e : r.endpoints) {
      if (e.ports) {
        sink().emit(kind::invalid_host, e.span, "`resolve` takes a name without a port");
        return false;
      }
      syntax::Endpoint with_port = e;
      with_port.ports = std::vector<syntax::Port>{{syntax::Port::Kind::Any, 0, 0, "", e.span}};
      for (auto& p :
           patterns_.endpoints(scope_, {with_port}, static_cast<model::Protocols>(model::Protocol::Tcp), "")) {
        if (!p.pattern.name) {
          sink().emit(kind::invalid_host, p.span, "`resolve` takes names, not addresses");
          return false;
        }
        const model::NamePattern& name = *p.pattern.name;
        std::string text =
            name.beneath ? fmt::format("resolve \"{}\"", name.to_string()) : "resolve " + name.to_string();
        body.names.push_back({name, p.span, std::move(text)});
      }
    }
    return keep(body, body.names, "resolve ", std::vector<model::Placed<model::NamePattern>>{});
  }

  /// Arguments by position are those of the same register by name.
  static std::vector<syntax::SyscallPattern> named(std::vector<syntax::SyscallPattern> list) {
    for (auto& p : list) {
      if (!p.conditions) continue;
      std::size_t position = 0;
      for (auto& c : *p.conditions) {
        if (c.op == syntax::Condition::Op::Bare) {
          c.op = syntax::Condition::Op::Eq;
          c.argument = {fmt::format("arg{}", position), c.span};
        }
        ++position;
      }
    }
    return list;
  }

  bool take(const syntax::SyscallRule& r) {
    model::SyscallBody body;
    body.patterns = patterns_.syscalls(scope_, named(r.patterns));
    body.except = patterns_.syscalls(scope_, named(r.except));
    out_.text = fmt::format("syscall {}{}", joined(body.patterns, ""), except_text(body.except, ""));
    const bool some = !body.patterns.empty();
    out_.body = std::move(body);
    return some;
  }

  bool take(const syntax::CapabilityRule& r) {
    model::CapabilityBody body;
    body.names = patterns_.capabilities(r.names);
    for (const auto& e : patterns_.capabilities(r.except))
      std::erase_if(body.names, [&](const auto& n) { return n.pattern == e.pattern; });
    return keep(body, body.names, "capability ", std::vector<model::Placed<std::string>>{});
  }

  bool take(const syntax::TextRule& r) {
    const std::string prefix = sort_ == model::TextBody::Sort::Env ? "env" : "tool";
    model::TextBody body;
    body.sort = sort_;
    body.patterns = patterns_.globs(scope_, r.patterns, prefix);
    body.except = patterns_.globs(scope_, r.except, prefix);
    return keep(body, body.patterns, prefix + " ", body.except);
  }

  template <class Body, class P>
  bool keep(Body& body, const std::vector<model::Placed<P>>& patterns, const std::string& prefix,
            const std::vector<model::Placed<P>>& except) {
    const bool some = !patterns.empty();
    out_.text = prefix + joined(patterns, prefix) + except_text(except, prefix);
    out_.body = std::move(body);
    return some;
  }

  Patterns& patterns_;
  const Scope& scope_;
  model::TextBody::Sort sort_ = model::TextBody::Sort::Tool;
  model::ActionSet out_;
};

using Lines = std::vector<model::InvariantLine>;

class LineBuilder {
 public:
  LineBuilder(Patterns& patterns, const Scope& scope, Lines& out) : patterns_(patterns), scope_(scope), out_(out) {}

  void operator()(const syntax::InvariantLine& line) {
    using Kind = syntax::InvariantLine::Kind;
    if (line.kind == Kind::Require) return require(line);
    const auto sets = resolve(line.actions);
    const auto with = resolve(line.with);
    if (!sets || !with) return;
    if (line.kind == Kind::Only) {
      std::string text = "only ";
      for (const auto& s : *sets) text += (&s == sets->data() ? "" : ", ") + s.text;
      out_.push_back({model::Only{*sets}, line.span, std::move(text)});
      return;
    }
    std::string text = "never " + sets->front().text;
    if (with->empty()) {
      out_.push_back({model::Never{sets->front()}, line.span, std::move(text)});
    } else {
      text += " with " + with->front().text;
      out_.push_back({model::NeverWith{sets->front(), with->front()}, line.span, std::move(text)});
    }
  }

 private:
  std::optional<std::vector<model::ActionSet>> resolve(const std::vector<syntax::ActionPattern>& written) {
    std::vector<model::ActionSet> out;
    bool ok = true;
    for (const auto& w : written) {
      auto set = SetBuilder(patterns_, scope_).run(w);
      ok = ok && set;
      if (set) out.push_back(std::move(*set));
    }
    return ok ? std::optional(std::move(out)) : std::nullopt;
  }

  void add(model::Require require, const syntax::InvariantLine& line, std::string text) {
    out_.push_back({std::move(require), line.span, "require " + text});
  }

  void require(const syntax::InvariantLine& line) {
    using What = model::Require::What;
    const auto& words = line.require_words;
    const std::string& first = words.front().text;
    if (first == "limit") return limit(line);
    if (first == "isolation") return isolation(line);
    model::Require out;
    out.what = first == "mode"        ? What::Enforce
               : first == "ephemeral" ? What::Ephemeral
               : first == "owner"     ? What::Owner
                                      : What::RunUser;
    add(out, line, out.what == What::Enforce ? "mode enforce" : out.what == What::RunUser ? "run user" : first);
  }

  void limit(const syntax::InvariantLine& line) {
    using C = model::Require::Comparison;
    const syntax::Name& name = line.require_words[1];
    if (!is_limit(name, patterns_.sink())) return;
    model::Require out;
    out.what = model::Require::What::Limit;
    out.limit = name.text;
    std::string text = "limit " + name.text;
    if (line.require_op && line.require_value) {
      static const std::map<std::string, C> comparisons = {{"==", C::Eq}, {"!=", C::Ne}, {"<", C::Lt},
                                                           {"<=", C::Le}, {">", C::Gt},  {">=", C::Ge}};
      const auto value = bound(patterns_.eval(), scope_, name, *line.require_value);
      if (!value) return;
      out.comparison = comparisons.at(*line.require_op);
      out.bound = *value;
      text += fmt::format(" {} {}", *line.require_op, bound_text(name.text, *value));
    }
    add(std::move(out), line, std::move(text));
  }

  void isolation(const syntax::InvariantLine& line) {
    static const std::map<std::string, model::Isolation> known = {{"process", model::Isolation::Process},
                                                                  {"container", model::Isolation::Container},
                                                                  {"microvm", model::Isolation::MicroVm}};
    bool ephemeral = false;
    for (std::size_t i = 1; i < line.require_words.size(); ++i) {
      const syntax::Name& w = line.require_words[i];
      const auto isolation = known.find(w.text);
      if (isolation != known.end() && i == 1) {
        model::Require out;
        out.what = model::Require::What::Isolation;
        out.isolation = isolation->second;
        add(out, line, "isolation " + w.text);
      } else if (w.text == "ephemeral" && !ephemeral) {
        model::Require out;
        out.what = model::Require::What::Ephemeral;
        add(out, line, "ephemeral");
        ephemeral = true;
      } else {
        patterns_.sink()
            .emit(kind::unknown_word, w.span, fmt::format("`{}` can't stand here", w.text))
            .helped("isolation is process, container or microvm, then perhaps ephemeral");
      }
    }
  }

  Patterns& patterns_;
  const Scope& scope_;
  Lines& out_;
};

}  // namespace

model::Invariant resolve_invariant(Patterns& patterns, const Module& module, const syntax::Invariant& written) {
  model::Invariant out;
  out.name = written.name.text;
  out.doc = written.doc;
  out.name_span = written.name.span;
  out.span = written.span;
  out.module = module.library ? module.path : "";
  out.used_by = module.used_by;
  const Scope scope{&module, nullptr};
  for (const auto& glob : written.for_globs)
    for (auto& text : patterns.eval().globs(scope, glob)) out.policies.push_back({text, glob.span, text});
  LineBuilder build(patterns, scope, out.lines);
  for (const auto& line : written.lines) build(line);
  return out;
}

}  // namespace agp::sema
