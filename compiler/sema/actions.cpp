#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/sema/policy_builder.hpp"

// Actions as written in tests, on the command line and in `accept` -> actions and facts of the model.
namespace agp::sema {

namespace kind = diagnostics::kind;

namespace {

template <class P>
void take(const std::vector<model::Placed<P>>& list, std::vector<AcceptedFact>& out) {
  for (const auto& p : list)
    if (out.empty() || out.back().text != p.text) out.push_back({p.text, false});
}

class Resolver {
 public:
  Resolver(Patterns& patterns, const Scope& scope, const syntax::ActionPattern& whole)
      : patterns_(patterns), scope_(scope), whole_(whole) {}

  std::optional<ResolvedAction> run() {
    std::visit([&](const auto& body) { resolve(body); }, whole_.body);
    if (failed_ || out_.actions.empty()) return std::nullopt;
    return std::move(out_);
  }

 private:
  void fail(const diagnostics::Kind& k, Span at, std::string message, std::string help = "") {
    if (!failed_) patterns_.sink().emit(k, at, std::move(message)).helped(std::move(help));
    failed_ = true;
  }

  /// The paths of a string: one for each element of a list in it. What is not concrete fails.
  std::vector<std::string> concrete_paths(const syntax::String& s) {
    std::vector<std::string> out;
    const std::size_t before = patterns_.sink().errors();
    for (const auto& p : patterns_.eval().path_patterns(scope_, s)) {
      if (p.shape() != model::PathPattern::Shape::Node) {
        fail(kind::invalid_pattern, s.span, "an action is about one path",
             "escape `*`, `?` and `{` with `\\` where they are part of the name");
        return {};
      }
      out.push_back(p.base());
    }
    failed_ = failed_ || patterns_.sink().errors() > before;
    if (out.empty() && before == 0) fail(kind::invalid_pattern, s.span, "the action has no path: the list is empty");
    return out;
  }

  void add_text(const std::string& text) { out_.text += out_.text.empty() ? text : ", " + text; }

  /// `except` takes something out of a set; an action is no set.
  template <class List>
  bool no_except(const List& list) {
    if (list.empty()) return true;
    fail(kind::invalid_pattern, whole_.span, "an action is one thing, so it has no `except`");
    return false;
  }

  void resolve(const syntax::FileRule& r) {
    const auto verbs = patterns_.verbs(r.verbs);
    if (!verbs) {
      failed_ = true;
      return;
    }
    if (!no_except(r.except)) return;
    for (const auto& s : r.patterns)
      for (const auto& path : concrete_paths(s)) {
        for (const auto v : {model::Verb::Read, model::Verb::List, model::Verb::Exec, model::Verb::Modify,
                             model::Verb::Create, model::Verb::Delete})
          if (model::has(*verbs, v)) out_.actions.push_back(model::FileAction{v, path});
        add_text(fmt::format("{} \"{}\"", model::verbs_text(*verbs), path));
      }
  }

  void resolve(const syntax::NetRule& r) {
    if (r.verb.text == "resolve") return resolve_name(r);
    const bool listen = r.verb.text == "listen";
    const auto direction = listen ? model::Direction::Listen : model::Direction::Connect;
    const auto net = patterns_.net(r);
    if (!net) {
      failed_ = true;
      return;
    }
    if (!no_except(r.except) || !no_except(r.unix_except)) return;
    if (net->unix_socket) {
      const auto add = [&](const model::UnixAction& a) {
        out_.actions.push_back(a);
        add_text(model::to_string(out_.actions.back()));
      };
      for (const auto& e : r.unix_endpoints) {
        model::UnixAction a{direction, std::nullopt};
        if (!e.path)
          add(a);
        else
          for (const auto& p : concrete_paths(*e.path)) {
            a.path = p;
            add(a);
          }
      }
      return;
    }
    const std::size_t before = patterns_.sink().errors();
    const std::string prefix = fmt::format("{} {}", r.verb.text, model::protocols_text(net->protocols));
    const auto endpoints = patterns_.endpoints(scope_, r.endpoints, net->protocols, prefix);
    // said already, here or where a constant in it was declared
    failed_ = patterns_.sink().errors() > before || (endpoints.empty() && before > 0);
    if (endpoints.size() != 1) return fail(kind::invalid_address, r.verb.span, "an action is about one endpoint");
    const auto& e = endpoints[0].pattern;
    const auto& ports = e.ports.ranges();
    const bool icmp_only = net->protocols == static_cast<model::Protocols>(model::Protocol::Icmp);
    if (!icmp_only && (ports.size() != 1 || ports[0].first != ports[0].last))
      return fail(kind::invalid_port, endpoints[0].span, "an action is about one port");
    if (!e.name && (e.addresses.ranges().size() != 1 || e.addresses.size() != 1))
      return fail(kind::invalid_address, endpoints[0].span, "an action is about one address");
    if (e.name && (e.name->beneath || listen))
      return fail(kind::invalid_host, endpoints[0].span, "an action is about one name");
    const std::uint16_t port = icmp_only ? 0 : ports[0].first;
    for (const auto p : {model::Protocol::Tcp, model::Protocol::Udp, model::Protocol::Icmp}) {
      if (!model::has(net->protocols, p) || (p == model::Protocol::Icmp && !icmp_only)) continue;
      if (e.name)
        out_.actions.push_back(model::NameAction{p, e.name->name, port});
      else
        out_.actions.push_back(
            model::NetAction{direction, p, e.addresses.ranges()[0].first, port, std::nullopt, std::nullopt});
    }
    out_.text = endpoints[0].text;
  }

  void resolve_name(const syntax::NetRule& r) {
    if (r.endpoints.size() != 1 || r.endpoints[0].ports)
      return fail(kind::invalid_host, r.verb.span, "`resolve` takes one name without a port");
    syntax::Endpoint with_port = r.endpoints[0];
    with_port.ports = std::vector<syntax::Port>{{syntax::Port::Kind::Any, 0, 0, "", with_port.span}};
    const std::size_t before = patterns_.sink().errors();
    const auto e =
        patterns_.endpoints(scope_, {with_port}, static_cast<model::Protocols>(model::Protocol::Tcp), "resolve");
    failed_ = patterns_.sink().errors() > before;
    if (e.size() != 1 || !e[0].pattern.name || e[0].pattern.name->beneath)
      return fail(kind::invalid_host, r.verb.span, "`resolve` takes one name");
    out_.actions.push_back(model::ResolveAction{e[0].pattern.name->name});
    out_.text = model::to_string(out_.actions.back());
  }

  void resolve(const syntax::SyscallRule& r) {
    if (!no_except(r.except)) return;
    for (const auto& p : r.patterns) {
      if (p.group) return fail(kind::invalid_pattern, p.span, "an action is one system call, not a group");
      if (!patterns_.find_call(p.name, true)) {
        patterns_.find_call(p.name, false);
        failed_ = true;
        return;
      }
      for (const auto arch : patterns_.archs())
        if (const auto* call = linux::find_syscall(arch, p.name.text); call && !on(*call, p)) return;
      add_text("syscall " + call_text(p));
    }
  }

  /// The action on one architecture: registers and constants are its own.
  bool on(const linux::Syscall& call, const syntax::SyscallPattern& p) {
    model::SyscallAction a{p.name.text, {}, call.arch};
    std::size_t next = 0;
    std::set<std::size_t> given;
    const auto wrong = [&](const syntax::Condition& c, std::string message, std::string help = "") {
      fail(kind::unknown_argument, c.span, std::move(message), std::move(help));
      return false;
    };
    if (p.conditions)
      for (const auto& c : *p.conditions) {
        std::size_t index = next++;  // by position
        if (c.op != syntax::Condition::Op::Bare) {
          const auto named = patterns_.argument(call, c.argument);
          if (!named) {
            failed_ = true;
            return false;
          }
          index = static_cast<std::size_t>(*named);
        }
        if ((c.op != syntax::Condition::Op::Bare && c.op != syntax::Condition::Op::Eq) ||
            (index < 6 && !given.insert(index).second))
          return wrong(c, "an action gives each argument one value",
                       fmt::format("write `syscall {}(1, 2)` or `NAME == VALUE`", a.name));
        if (index >= 6 || c.values.empty()) return wrong(c, "a system call has six arguments at most");
        const auto value = patterns_.constant(scope_, c.values[0], call.arch);
        if (!value) {
          failed_ = true;
          return false;
        }
        a.args[index] = *value;
      }
    out_.actions.push_back(std::move(a));
    return true;
  }

  void resolve(const syntax::CapabilityRule& r) {
    if (!no_except(r.except)) return;
    for (const auto& c : patterns_.capabilities(r.names)) {
      out_.actions.push_back(model::CapabilityAction{c.pattern});
      add_text(c.text);
    }
    failed_ = failed_ || out_.actions.size() != r.names.size();
  }

  void resolve(const syntax::TextRule& r) {
    if (!no_except(r.except)) return;
    for (const auto& s : r.patterns) {
      const auto name = patterns_.eval().text(scope_, s);
      if (!name) {
        failed_ = true;
        return;
      }
      if (whole_.block.text == "env")
        out_.actions.push_back(model::EnvAction{*name});
      else
        out_.actions.push_back(model::ToolAction{*name});
      add_text(model::to_string(out_.actions.back()));
    }
  }

  Patterns& patterns_;
  const Scope& scope_;
  const syntax::ActionPattern& whole_;
  ResolvedAction out_;
  bool failed_ = false;
};

}  // namespace

std::optional<ResolvedAction> actions(Patterns& patterns, const Scope& scope, const syntax::ActionPattern& action) {
  return Resolver(patterns, scope, action).run();
}

std::vector<AcceptedFact> accepted_facts(Patterns& patterns, const Scope& scope, const syntax::Accept& accept) {
  std::vector<AcceptedFact> out;
  if (const auto* r = std::get_if<syntax::FileRule>(&accept.pattern)) {
    if (const auto verbs = patterns.verbs(r->verbs))
      take(patterns.paths(scope, r->patterns, model::verbs_text(*verbs)), out);
  } else if (const auto* n = std::get_if<syntax::NetRule>(&accept.pattern)) {
    const auto net = patterns.net(*n);
    if (net && net->unix_socket) {
      std::vector<syntax::String> paths;
      for (const auto& e : n->unix_endpoints) {
        if (e.path)
          paths.push_back(*e.path);
        else
          out.push_back({n->verb.text + " unix @abstract", false});
      }
      take(patterns.paths(scope, paths, n->verb.text + " unix"), out);
    } else if (net) {
      take(patterns.endpoints(scope, n->endpoints, net->protocols,
                              fmt::format("{} {}", n->verb.text, model::protocols_text(net->protocols))),
           out);
    }
  } else if (const auto* s = std::get_if<syntax::SyscallRule>(&accept.pattern)) {
    take(patterns.syscalls(scope, s->patterns), out);
  } else if (const auto* c = std::get_if<syntax::CapabilityRule>(&accept.pattern)) {
    take(patterns.capabilities(c->names), out);
  } else if (const auto* t = std::get_if<syntax::TextRule>(&accept.pattern)) {
    take(patterns.globs(scope, t->patterns, accept.word ? accept.word->text : "tool"), out);
  } else if (accept.limit) {
    static constexpr std::string_view limits[] = {"cpu", "memory", "pids", "time", "files"};
    if (std::find(std::begin(limits), std::end(limits), accept.limit->text) == std::end(limits))
      patterns.sink()
          .emit(kind::unknown_limit, accept.limit->span, fmt::format("`{}` is no limit", accept.limit->text))
          .helped("limits are cpu, memory, pids, time and files");
    else
      out.push_back({"limit " + accept.limit->text, false});
  } else if (accept.mount) {
    if (const auto path = patterns.eval().path(scope, *accept.mount))
      out.push_back({fmt::format("mount \"{}\"", *path), false});
  } else if (accept.word) {
    static constexpr std::string_view blocks[] = {"file", "net",   "syscall", "capability", "env",
                                                  "tool", "limit", "mode",    "run"};
    const bool block = std::find(std::begin(blocks), std::end(blocks), accept.word->text) != std::end(blocks);
    if (block || accept.word->text == "user")
      out.push_back({accept.word->text, block});
    else
      patterns.sink()
          .emit(kind::unknown_word, accept.word->span,
                fmt::format("`{}` is neither a block nor a fact", accept.word->text))
          .helped("a fact is a rule's pattern as written, `limit NAME`, `user`, `mount PATH`, `mode`, or a block");
  }
  return out;
}

}  // namespace agp::sema
