#include "compiler/sema/scope.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/sema/limits.hpp"

namespace agp::sema {
namespace {

namespace kind = diagnostics::kind;

std::string type_text(const Value& v) {
  if (v.type != Value::Type::List) return std::string(to_string(v.type));
  return v.items.empty() ? "an empty list" : fmt::format("a list of {}", to_string(v.items[0].type));
}

/// Why a value that was meant as `type` is none, where its type alone does not say it.
std::string why_not(const Value& v, Value::Type type) {
  if (type == Value::Type::Path && v.type == Value::Type::String) return ": the path " + path_fault(v.text);
  if (type == Value::Type::Host && v.type == Value::Type::String) return ": the host " + host_fault(v.text);
  if (type == Value::Type::Port && v.type == Value::Type::Int)
    return fmt::format(": {} is not within 1-65535", v.number);
  return "";
}

}  // namespace

std::optional<Value> Evaluator::lookup(const Scope& scope, const std::string& name, Span at) {
  if (scope.locals)
    if (const auto local = scope.locals->find(name); local != scope.locals->end()) return local->second;
  const auto item = scope.module->items.find(name);
  const auto* parameter = item == scope.module->items.end() ? nullptr : std::get_if<syntax::Parameter>(item->second);
  const auto* constant = item == scope.module->items.end() ? nullptr : std::get_if<syntax::Let>(item->second);
  if (!parameter && !constant) {
    if (scope.module->lost(name)) return std::nullopt;
    std::vector<std::string_view> names;
    for (const auto& [n, i] : scope.module->items)
      if (std::get_if<syntax::Parameter>(i) || std::get_if<syntax::Let>(i)) names.push_back(n);
    if (scope.locals)
      for (const auto& [n, v] : *scope.locals) names.push_back(n);
    sink_.emit(kind::unknown_name, at, fmt::format("no parameter or constant is called `{}`", name))
        .helped(linux::find_constant(name)
                    ? fmt::format("`{}` is the kernel's: it is written in a condition of a system call", name)
                    : diagnostics::did_you_mean(name, names));
    return std::nullopt;
  }
  const std::pair key{scope.module, name};
  if (const auto done = known_.find(key); done != known_.end()) return done->second;
  if (evaluating_.size() >= limits::depth && !evaluating_.count(key)) {
    if (!too_deep_)
      sink_.emit(kind::policy_too_large, at, fmt::format("constants need each other more than {} deep", limits::depth));
    too_deep_ = true;
    return known_[key] = std::nullopt;
  }
  if (!evaluating_.insert(key).second) {
    sink_.emit(kind::recursive_definition, at, fmt::format("`{}` is defined by itself", name));
    return known_[key] = std::nullopt;
  }
  std::optional<Value> value;
  const Scope own{scope.module, nullptr};
  const auto given = overrides_.find(name);
  if (constant) {
    value = evaluate(own, constant->value);
  } else if (scope.module == &root_ && given != overrides_.end()) {
    value = given->second;
  } else if (parameter->fallback) {
    value = evaluate_as(own, *parameter->fallback, parameter->type);
  } else {
    sink_.emit(kind::missing_argument, parameter->name.span, fmt::format("the parameter `{}` has no value", name))
        .helped(fmt::format("give it one: `--set {}=…`, or a default", name));
  }
  evaluating_.erase(key);
  return known_[key] = value;
}

std::optional<Value> Evaluator::evaluate(const Scope& scope, const syntax::Value& value) {
  using Type = Value::Type;
  Value out;
  out.span = value.span;
  const auto invalid = [&](std::string message) -> std::optional<Value> {
    sink_.emit(kind::invalid_value, value.span, std::move(message));
    return std::nullopt;
  };
  const auto host = [&](std::string text) -> std::optional<Value> {
    out.type = Type::Host;
    out.text = std::move(text);
    const std::string fault = host_fault(out.text);
    if (fault.empty()) return out;
    sink_.emit(kind::invalid_host, value.span, fmt::format("the host `{}` {}", out.text, fault))
        .helped(host_help(out.text));
    return std::nullopt;
  };
  if (const auto* s = std::get_if<syntax::String>(&value.node)) {
    const auto t = text(scope, *s);
    if (!t) return std::nullopt;
    out.text = *t;
    return out;
  }
  if (const auto* n = std::get_if<syntax::Number>(&value.node)) {
    if (n->overflow) return invalid("the number does not fit 64 bits");
    out.type = Type::Int;
    out.number = n->value;
    return out;
  }
  const auto scaled = [&](Type type, std::uint64_t number, const std::string& unit,
                          std::optional<std::uint64_t> scale) -> std::optional<Value> {
    if (!scale)
      return invalid(fmt::format("`{}` is no unit: sizes are B, KiB, MiB, GiB, TiB, durations s, min, h, d", unit));
    if (number > ~0ull / *scale) return invalid("the quantity does not fit 64 bits");
    out.type = type;
    out.number = number * *scale;
    return out;
  };
  if (const auto* s = std::get_if<syntax::Size>(&value.node))
    return scaled(Type::Size, s->number, s->unit, size_unit(s->unit));
  if (const auto* d = std::get_if<syntax::Duration>(&value.node))
    return scaled(Type::Duration, d->number, d->unit, duration_unit(d->unit));
  if (const auto* r = std::get_if<syntax::PortRange>(&value.node)) {
    if (r->low < 1 || r->high > 65535 || r->high < r->low) {
      sink_.emit(kind::invalid_port, value.span, "a range of ports lies within 1-65535 and ascends");
      return std::nullopt;
    }
    out.type = Type::Port;
    out.number = r->low;
    out.last = r->high;
    return out;
  }
  if (const auto* q = std::get_if<syntax::QualifiedName>(&value.node)) {
    if (q->parts.size() == 1) return lookup(scope, q->parts[0].text, q->span);
    return host(q->text());
  }
  if (const auto* a = std::get_if<syntax::Address>(&value.node)) {
    if (a->kind == syntax::Address::Kind::Reference) return lookup(scope, a->text, a->span);
    if (a->kind == syntax::Address::Kind::Host) return host(a->text);
    const auto set = to_addresses(*a, sink_);
    if (!set) return std::nullopt;
    out.type = Type::Address;
    out.addresses = *set;
    out.spelling = a->text2.empty() ? a->text : a->text + "-" + a->text2;
    return out;
  }
  if (const auto* list = std::get_if<syntax::List>(&value.node)) {
    out.type = Type::List;
    for (const auto& item : list->values) {
      auto one = evaluate(scope, item);
      if (!one) return std::nullopt;
      // a constant that is a list itself is spliced: lists do not nest
      if (one->type == Type::List)
        out.items.insert(out.items.end(), one->items.begin(), one->items.end());
      else
        out.items.push_back(std::move(*one));
      if (out.items.size() > limits::list) {
        sink_.emit(kind::policy_too_large, item.span, fmt::format("the list has more than {} elements", limits::list));
        return std::nullopt;
      }
      // a number beside a range of ports is a port
      const auto to_port = [](Value& v) {
        if (const auto port = coerce(v, Type::Port, false)) v = *port;
      };
      if (!out.items.empty() && out.items.front().type == Type::Port && out.items.back().type == Type::Int)
        to_port(out.items.back());
      if (!out.items.empty() && out.items.front().type == Type::Int && out.items.back().type == Type::Port)
        std::for_each(out.items.begin(), out.items.end(), to_port);
      if (!out.items.empty() && out.items.back().type != out.items.front().type)
        return invalid(fmt::format("a list holds values of one type: {} stands beside {}", type_text(out.items.front()),
                                   type_text(out.items.back())));
    }
    return out;
  }
  return invalid("this value can't stand here");
}

std::optional<Value> Evaluator::evaluate_as(const Scope& scope, const syntax::Value& value, const syntax::Type& type) {
  const auto wanted = find_type(type.name.text);
  const auto v = evaluate(scope, value);
  if (!wanted || !v) return std::nullopt;  // an unknown type is reported at its declaration
  auto out = coerce(*v, *wanted, type.list);
  if (out) return out;
  std::string why = type.list ? "" : why_not(*v, *wanted);
  if (type.list && v->type == Value::Type::List)
    for (const Value& item : v->items)
      if (why.empty() && !coerce(item, *wanted, false)) why = why_not(item, *wanted);
  sink_
      .emit(kind::type_mismatch, value.span,
            fmt::format("expected {}{}, found {}{}", type.list ? "a list of " : "", to_string(*wanted), type_text(*v),
                        why))
      .relate(type.span, "the type is declared here");
  return std::nullopt;
}

std::optional<std::vector<std::vector<Evaluator::Char>>> Evaluator::expand(const Scope& scope,
                                                                           const syntax::String& s) {
  std::vector<std::vector<Char>> out(1);
  const auto append = [](std::vector<Char>& to, std::string_view text, bool literal) {
    for (const char c : text) to.push_back({c, literal});
  };
  for (const auto& piece : s.pieces) {
    if (piece.kind != syntax::StringPiece::Kind::Interpolation) {
      for (auto& one : out) append(one, piece.text, piece.kind == syntax::StringPiece::Kind::Escaped);
      continue;
    }
    const auto value = lookup(scope, piece.text, piece.span);
    if (!value) return std::nullopt;
    const std::vector<Value> single = {*value};
    const auto& items = value->type == Value::Type::List ? value->items : single;
    if (out.size() * items.size() > limits::list) {
      sink_.emit(kind::policy_too_large, s.span,
                 fmt::format("the lists in this string give more than {} texts", limits::list));
      return std::nullopt;
    }
    std::vector<std::vector<Char>> next;
    std::size_t bytes = 0;
    for (const auto& prefix : out)
      for (const Value& item : items) {
        if (item.type != Value::Type::String && item.type != Value::Type::Path && item.type != Value::Type::Host) {
          sink_.emit(kind::invalid_interpolation, piece.span,
                     fmt::format("`{}` is {}: only a path or a string can be inserted", piece.text, type_text(item)));
          return std::nullopt;
        }
        const std::size_t length = prefix.size() + item.text.size();
        bytes += length;
        if (length > limits::text || bytes > limits::expanded) {
          sink_.emit(
              kind::policy_too_large, s.span,
              fmt::format("the text is longer than {} bytes", length > limits::text ? limits::text : limits::expanded));
          return std::nullopt;
        }
        next.push_back(prefix);
        append(next.back(), item.text, true);
      }
    out = std::move(next);
  }
  return out;
}

std::optional<std::string> Evaluator::text(const Scope& scope, const syntax::String& s) {
  const auto all = expand(scope, s);
  if (!all) return std::nullopt;
  if (all->size() != 1) {
    sink_.emit(kind::invalid_interpolation, s.span, "a list can be inserted in patterns only")
        .note(fmt::format("its elements give {} texts here, and one is needed", all->size()));
    return std::nullopt;
  }
  std::string out;
  for (const Char c : all->front()) out += c.c;
  return out;
}

std::optional<std::string> Evaluator::path(const Scope& scope, const syntax::String& s) {
  auto out = text(scope, s);
  if (out && *out != "/")
    if (const std::string fault = path_fault(*out); !fault.empty()) {
      sink_.emit(kind::invalid_path, s.span, fmt::format("the path `{}` {}", *out, fault)).helped(path_help(*out));
      return std::nullopt;
    }
  return out;
}

std::vector<std::string> Evaluator::globs(const Scope& scope, const syntax::String& s) {
  std::vector<std::string> out;
  const auto all = expand(scope, s);
  if (!all) return out;
  for (const auto& chars : *all) {
    std::string& glob = out.emplace_back();
    for (const Char c : chars) {
      if (c.c == '\\' || (c.literal && (c.c == '*' || c.c == '?'))) glob += '\\';
      glob += c.c;
    }
    if (!glob.empty()) continue;
    sink_.emit(kind::invalid_pattern, s.span, "the pattern is empty");
    return {};
  }
  return out;
}

std::vector<model::PathPattern> Evaluator::path_patterns(const Scope& scope, const syntax::String& s) {
  std::vector<model::PathPattern> out;
  const auto all = expand(scope, s);
  if (!all) return out;
  for (const auto& chars : *all) {
    auto pattern = to_pattern(chars, s.span);
    if (!pattern) return {};
    out.push_back(std::move(*pattern));
  }
  return out;
}

std::optional<model::PathPattern> Evaluator::to_pattern(const std::vector<Char>& chars, Span span) {
  using model::PathToken;
  std::string plain;
  for (const Char c : chars) plain += c.c;
  const auto fail = [&](std::string why) -> std::optional<model::PathPattern> {
    sink_.emit(kind::invalid_path, span, fmt::format("the path `{}` {}", plain, why)).helped(path_help(plain));
    return std::nullopt;
  };
  if (plain.empty() || plain[0] != '/') return fail("is not absolute");
  model::PathPattern out;
  if (plain == "/") {
    out.text = "/";
    return out;
  }
  if (plain.back() == '/') return fail("ends in `/`");
  for (std::size_t at = 0; at < chars.size();) {
    ++at;  // the slash
    std::size_t end = at;
    while (end < chars.size() && chars[end].c != '/') ++end;
    const std::string_view name = std::string_view(plain).substr(at, end - at);
    if (name.empty()) return fail("has an empty component (`//`)");
    if (name == "." || name == "..") return fail(fmt::format("has a `{}` component", name));
    if (name.find('\0') != std::string_view::npos) return fail("has a NUL character");
    model::PathComponent component;
    std::size_t stars = 0;
    for (std::size_t i = at; i < end; ++i) stars = chars[i].c == '*' && !chars[i].literal ? stars + 1 : stars;
    if (name == "**" && stars == 2) {
      component.any_depth = true;
    } else {
      // `{a,b}` without nesting: the prefixes so far, times the alternatives of each brace
      std::vector<std::vector<PathToken>> done(1), open;
      std::vector<std::vector<PathToken>> choices;
      bool in_brace = false;
      for (std::size_t i = at; i < end; ++i) {
        const Char c = chars[i];
        const bool meta = !c.literal;
        if (meta && c.c == '{') {
          if (in_brace) return fail("nests `{`");
          in_brace = true;
          choices.assign(1, {});
        } else if (meta && c.c == '}' && in_brace) {
          in_brace = false;
          open.clear();
          if (choices.size() > limits::alternatives)
            return fail(fmt::format("has more than {} alternatives in one component", limits::alternatives));
          for (const auto& prefix : done)
            for (const auto& choice : choices) {
              open.push_back(prefix);
              open.back().insert(open.back().end(), choice.begin(), choice.end());
            }
          done = std::move(open);
          if (done.size() > limits::alternatives)
            return fail(fmt::format("has more than {} alternatives in one component", limits::alternatives));
        } else if (meta && c.c == ',' && in_brace) {
          choices.emplace_back();
        } else {
          if (meta && c.c == '}') return fail("has a `}` without `{`: write `\\}`");
          if (meta && c.c == '*' && i + 1 < end && chars[i + 1].c == '*' && !chars[i + 1].literal)
            return fail("has `**` inside a component: it stands for whole components only");
          const PathToken token{!meta || (c.c != '*' && c.c != '?') ? PathToken::Kind::Literal
                                : c.c == '*'                        ? PathToken::Kind::AnyRun
                                                                    : PathToken::Kind::AnyChar,
                                !meta || (c.c != '*' && c.c != '?') ? c.c : '\0'};
          if (in_brace)
            choices.back().push_back(token);
          else
            for (auto& d : done) d.push_back(token);
        }
      }
      if (in_brace) return fail("has a `{` without `}`: a brace may not contain `/`");
      for (const auto& d : done)
        if (d.empty()) return fail("has an alternative that leaves a component empty");
      component.alternatives = std::move(done);
    }
    out.components.push_back(std::move(component));
    at = end;
  }
  out.text = pattern_text(out);
  return out;
}

std::string pattern_text(const model::PathPattern& pattern) {
  if (pattern.components.empty()) return "/";
  std::string out;
  const auto tokens = [](const std::vector<model::PathToken>& list, bool in_brace) {
    std::string text;
    for (const auto& t : list) {
      if (t.kind == model::PathToken::Kind::AnyRun)
        text += '*';
      else if (t.kind == model::PathToken::Kind::AnyChar)
        text += '?';
      else {
        if (t.byte == '*' || t.byte == '?' || t.byte == '{' || t.byte == '}' || t.byte == '$' || t.byte == '\\' ||
            t.byte == '"' || (in_brace && t.byte == ','))
          text += '\\';
        text += t.byte;
      }
    }
    return text;
  };
  for (const auto& c : pattern.components) {
    out += '/';
    if (c.any_depth)
      out += "**";
    else if (c.alternatives.size() == 1)
      out += tokens(c.alternatives[0], false);
    else {
      out += '{';
      for (std::size_t i = 0; i < c.alternatives.size(); ++i) out += (i ? "," : "") + tokens(c.alternatives[i], true);
      out += '}';
    }
  }
  return out;
}

}  // namespace agp::sema
