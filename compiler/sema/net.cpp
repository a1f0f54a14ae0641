#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/sema/rules.hpp"

// Endpoints: addresses, names and ports as written -> sets (LANGUAGE.md, Endpoints).
namespace agp::sema {

namespace kind = diagnostics::kind;
using model::AddressSet;
using model::EndpointPattern;
using model::PortSet;
using model::Protocol;

std::string address_text(const AddressSet& set) {
  if (set == AddressSet::all()) return "any";
  std::vector<std::string> parts;
  for (const auto& r : set.ranges()) {
    const auto prefixes = to_prefixes(r);
    const bool v4 = r.first.is_v4();
    const auto wrap = [&](const std::string& s) { return v4 ? s : "[" + s + "]"; };
    if (prefixes.size() == 1)
      parts.push_back(wrap(prefixes[0]));
    else
      parts.push_back(wrap(to_string(r.first)) + "-" + wrap(to_string(r.last)));
  }
  return parts.size() == 1 ? parts[0] : fmt::format("[{}]", fmt::join(parts, ", "));
}

namespace {

std::string port_text(const PortSet& ports) {
  const std::string text = to_string(ports);
  if (text.find(',') == std::string::npos) return text;
  std::string spaced = "[";
  for (const char c : text) spaced += c == ',' ? std::string(", ") : std::string(1, c);
  return spaced + "]";
}

std::string host_text(const model::NamePattern& name) {
  const std::string text = name.to_string();
  return name.beneath || text.find('.') == std::string::npos ? "\"" + text + "\"" : text;
}

}  // namespace

std::optional<Patterns::Net> Patterns::protocols(const std::vector<syntax::Name>& words, Span at) {
  Net out;
  bool ok = true;
  if (words.empty()) {
    sink()
        .emit(kind::unknown_protocol, at, "a protocol is missing")
        .helped("write `tcp`, `udp`, `tcp, udp`, `icmp`, `any` or `unix` before the endpoint");
    return std::nullopt;
  }
  for (const auto& w : words) {
    if (w.text == "tcp")
      out.protocols |= static_cast<model::Protocols>(Protocol::Tcp);
    else if (w.text == "udp")
      out.protocols |= static_cast<model::Protocols>(Protocol::Udp);
    else if (w.text == "icmp")
      out.protocols |= static_cast<model::Protocols>(Protocol::Icmp);
    else if (w.text == "any")
      out.protocols = model::protocols_all;
    else if (w.text == "unix")
      out.unix_socket = true;
    else {
      static constexpr std::string_view names[] = {"tcp", "udp", "icmp", "any", "unix"};
      std::string help = diagnostics::did_you_mean(w.text, names);
      if (help.empty()) help = "protocols are tcp, udp, icmp, any and unix: no other is ever permitted";
      sink().emit(kind::unknown_protocol, w.span, fmt::format("`{}` is no protocol", w.text)).helped(help);
      ok = false;
    }
  }
  if (out.unix_socket && out.protocols != 0 && ok) {
    sink()
        .emit(kind::unknown_protocol, words.back().span, "`unix` stands beside another protocol")
        .helped("a socket's path and an IP address are never the same endpoint: write two rules");
    return std::nullopt;
  }
  return ok ? std::optional(out) : std::nullopt;
}

std::optional<Patterns::Net> Patterns::net(const syntax::NetRule& rule, Endpoints needed) {
  const auto out = protocols(rule.protocols, rule.verb.span);
  if (!out) return std::nullopt;
  const bool empty = rule.endpoints.empty() && rule.unix_endpoints.empty();
  if (empty && needed == Endpoints::Needed) {
    const Span at{rule.verb.span.file, rule.verb.span.begin, rule.protocols.back().span.end};
    sink()
        .emit(kind::missing_port, at, "the rule names no endpoint")
        .helped(out->unix_socket ? "write the socket's path in quotes, or `@abstract`"
                                 : "an endpoint is never implied: write `any:*` for every address and port");
    return std::nullopt;
  }
  for (const auto* list : {&rule.endpoints, &rule.except})
    if (out->unix_socket && !list->empty()) {
      sink()
          .emit(kind::invalid_pattern, list->front().span, "an IP endpoint stands in a rule on `unix`")
          .helped("`unix` takes paths in quotes and `@abstract`; write `tcp` or `udp` for this endpoint");
      return std::nullopt;
    }
  for (const auto* list : {&rule.unix_endpoints, &rule.unix_except})
    if (!out->unix_socket && !list->empty()) {
      sink()
          .emit(kind::invalid_pattern, list->front().span, "a local socket stands in a rule on IP addresses")
          .helped("write `unix` before it");
      return std::nullopt;
    }
  return out;
}

namespace {

/// By halves: uniting one after the other is quadratic, and lists of ten thousand addresses exist.
AddressSet united(std::span<const AddressSet> sets) {
  if (sets.empty()) return {};
  if (sets.size() == 1) return sets.front();
  const std::size_t half = sets.size() / 2;
  return united(sets.first(half)) | united(sets.subspan(half));
}

}  // namespace

void Patterns::add_value(const Value& value, Span at, Hosts& out) {
  switch (value.type) {
    case Value::Type::Address:
      out.addresses = out.addresses | value.addresses;
      return;
    case Value::Type::Host:
    case Value::Type::String: {
      if (const std::string fault = host_fault(value.text); !fault.empty()) {
        sink()
            .emit(kind::invalid_host, at, fmt::format("the host `{}` {}", value.text, fault))
            .helped(host_help(value.text));
        out.failed = true;
        return;
      }
      const bool beneath = value.text.substr(0, 2) == "*.";
      out.names.push_back({{beneath ? value.text.substr(2) : value.text, beneath}, at});
      return;
    }
    case Value::Type::List: {
      std::vector<AddressSet> sets;
      for (const Value& item : value.items)
        if (item.type == Value::Type::Address)
          sets.push_back(item.addresses);
        else
          add_value(item, at, out);
      out.addresses = out.addresses | united(sets);
      return;
    }
    default:
      sink().emit(kind::type_mismatch, at,
                  fmt::format("expected an address or a host, found {}", to_string(value.type)));
      out.failed = true;
  }
}

Patterns::Hosts Patterns::hosts(const Scope& scope, const std::vector<syntax::Address>& list) {
  using Kind = syntax::Address::Kind;
  Hosts out;
  std::vector<AddressSet> sets;
  for (const auto& a : list) {
    if (a.kind == Kind::Reference) {
      const auto value = eval_.lookup(scope, a.text, a.span);
      if (value)
        add_value(*value, a.span, out);
      else
        out.failed = true;
      auto& said = sink().all();
      if (!value && !said.empty() && said.back().kind == &kind::unknown_name && said.back().help.empty())
        said.back().helped(fmt::format("a host without a dot is written in quotes: `\"{}\"`", a.text));
    } else if (a.kind == Kind::Host) {
      Value host;
      host.type = Value::Type::Host;
      host.text = a.text;
      add_value(host, a.span, out);
    } else if (a.kind == Kind::Text && a.string) {
      const auto text = eval_.text(scope, *a.string);
      Value host;
      host.type = Value::Type::Host;
      if (text) host.text = *text;
      if (text)
        add_value(host, a.span, out);
      else
        out.failed = true;
    } else if (const auto set = to_addresses(a, sink())) {
      sets.push_back(*set);
    } else {
      out.failed = true;
    }
  }
  out.addresses = out.addresses | united(sets);
  return out;
}

std::optional<AddressSet> Patterns::addresses(const Scope& scope, const std::vector<syntax::Address>& list) {
  const Hosts found = hosts(scope, list);
  for (const auto& n : found.names)
    sink().emit(kind::invalid_address, n.span,
                fmt::format("`{}` is a name where an address is needed", n.name.to_string()));
  if (found.failed || !found.names.empty()) return std::nullopt;
  return found.addresses;
}

std::optional<std::vector<model::Address>> Patterns::single_addresses(const Scope& scope,
                                                                      const std::vector<syntax::Address>& list) {
  std::vector<model::Address> out;
  const auto add = [&](const AddressSet& set, Span at) {
    if (set.size() == 1)
      out.push_back(set.ranges()[0].first);
    else
      sink().emit(kind::invalid_address, at, "a resolver is one address, not a prefix or a range");
    return set.size() == 1;
  };
  for (const auto& a : list) {
    const auto value = a.kind == syntax::Address::Kind::Reference ? eval_.lookup(scope, a.text, a.span) : std::nullopt;
    if (value && value->type == Value::Type::List) {
      for (const Value& item : value->items) {
        if (item.type != Value::Type::Address) {
          sink().emit(kind::type_mismatch, a.span,
                      fmt::format("expected addresses, found a list of {}", to_string(item.type)));
          return std::nullopt;
        }
        if (!add(item.addresses, a.span)) return std::nullopt;
      }
      continue;
    }
    const auto set = addresses(scope, {a});
    if (!set || !add(*set, a.span)) return std::nullopt;
  }
  return out;
}

std::optional<PortSet> Patterns::ports(const Scope& scope, const std::vector<syntax::Port>& list) {
  PortSet out;
  bool ok = true;
  const auto bad = [&](Span at, std::string message) {
    sink()
        .emit(kind::invalid_port, at, std::move(message))
        .helped("ports are 1 to 65535, a range `8000-8999`, a list `[80, 443]` or `*`");
    ok = false;
  };
  const auto add = [&](std::uint64_t low, std::uint64_t high, Span at) {
    if (low == 0) return bad(at, "port 0 is no port");
    if (low > 65535 || high > 65535) return bad(at, fmt::format("{} is larger than 65535", low > 65535 ? low : high));
    if (high < low) return bad(at, "the range of ports ends before it begins");
    out = out | PortSet::range(static_cast<std::uint16_t>(low), static_cast<std::uint16_t>(high));
  };
  for (const auto& p : list) {
    if (p.kind == syntax::Port::Kind::Any)
      out = PortSet::all();
    else if (p.kind == syntax::Port::Kind::Number)
      add(p.low, p.low, p.span);
    else if (p.kind == syntax::Port::Kind::Range)
      add(p.low, p.high, p.span);
    else {
      const auto value = eval_.lookup(scope, p.text, p.span);
      if (!value) {
        ok = false;
        continue;
      }
      const std::vector<Value> single = {*value};
      for (const Value& v : value->type == Value::Type::List ? value->items : single) {
        const auto port = coerce(v, Value::Type::Port, false);
        if (port)
          add(port->number, port->last, p.span);
        else if (v.type == Value::Type::Int)
          bad(p.span, fmt::format("`{}` is {}: no port", p.text, v.number));
        else
          bad(p.span, fmt::format("`{}` is {}, not a port", p.text, to_string(v.type)));
      }
    }
  }
  return ok ? std::optional(out) : std::nullopt;
}

Patterns::List<EndpointPattern> Patterns::endpoints(const Scope& scope, const std::vector<syntax::Endpoint>& list,
                                                    model::Protocols protocols, const std::string& prefix) {
  List<EndpointPattern> out;
  const bool transport = has(protocols, Protocol::Tcp) || has(protocols, Protocol::Udp);
  for (const auto& e : list) {
    const Hosts who = hosts(scope, e.addresses);
    EndpointPattern base;
    if (e.ports) {
      if (!transport) {
        sink().emit(kind::invalid_port, e.span, "icmp has no ports").helped("leave the port out");
        continue;
      }
      const auto set = ports(scope, *e.ports);
      if (!set) continue;
      base.ports = *set;
      base.icmp = has(protocols, Protocol::Icmp) && set->is_all();
    } else if (transport) {
      if (!who.failed)
        sink()
            .emit(kind::missing_port, e.span, "the endpoint has no port")
            .helped("a port is never implied: write `:443`, or `:*` for every port");
      continue;
    } else {
      base.icmp = true;
    }
    if (who.failed) continue;
    if (e.ports && base.ports.empty()) continue;  // an empty list of ports: no endpoint
    const std::string suffix = e.ports ? ":" + port_text(base.ports) : "";
    if (!who.addresses.empty() && room(e.span)) {
      EndpointPattern p = base;
      p.addresses = who.addresses;
      out.push_back({std::move(p), e.span, fmt::format("{} {}{}", prefix, address_text(who.addresses), suffix)});
    }
    for (const auto& n : who.names) {
      if (!room(e.span)) return out;
      EndpointPattern p = base;
      p.name = n.name;
      out.push_back({std::move(p), e.span, fmt::format("{} {}{}", prefix, host_text(n.name), suffix)});
    }
  }
  return out;
}

model::NetBody Patterns::net_body(const Scope& scope, const syntax::NetRule& rule, model::Protocols protocols,
                                  const std::string& prefix) {
  model::NetBody out;
  out.direction = rule.verb.text == "listen" ? model::Direction::Listen : model::Direction::Connect;
  out.endpoints = endpoints(scope, rule.endpoints, protocols, prefix);
  out.except = endpoints(scope, rule.except, protocols, prefix);
  const bool icmp =
      std::any_of(out.endpoints.begin(), out.endpoints.end(), [](const auto& e) { return e.pattern.icmp; });
  out.protocols = icmp ? protocols : static_cast<model::Protocols>(protocols & ~static_cast<unsigned>(Protocol::Icmp));
  return out;
}

model::UnixBody Patterns::unix_body(const Scope& scope, const syntax::NetRule& rule, const std::string& prefix) {
  model::UnixBody out;
  out.direction = rule.verb.text == "listen" ? model::Direction::Listen : model::Direction::Connect;
  std::vector<syntax::String> written, except;
  for (const auto& e : rule.unix_endpoints) {
    out.abstract = out.abstract || !e.path;
    if (e.path) written.push_back(*e.path);
  }
  for (const auto& e : rule.unix_except) {
    out.abstract = out.abstract && e.path;
    if (e.path) except.push_back(*e.path);
  }
  out.paths = paths(scope, written, prefix);
  out.except = paths(scope, except, prefix);
  return out;
}

std::string unix_text(const model::UnixBody& body, const std::string& prefix) {
  std::string text = prefix + " " + joined(body.paths, prefix + " ");
  if (body.abstract) text += body.paths.empty() ? "@abstract" : ", @abstract";
  return text + except_text(body.except, prefix + " ");
}

}  // namespace agp::sema
