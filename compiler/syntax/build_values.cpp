// Tree -> AST: values, addresses, ports. In: a tree that the parser accepted. Out: AST leaves with spans.
#include "compiler/syntax/build.hpp"
#include "compiler/syntax/literals.hpp"

namespace agp::syntax::detail {

namespace {

/// `4GiB`: where the digits end.
std::size_t digits(std::string_view text) { return std::min(text.find_first_not_of("0123456789"), text.size()); }

bool dotted_identifiers(const QualifiedName& name) {
  for (const Name& part : name.parts)
    if (!is_identifier(part.text)) return false;
  return true;
}

}  // namespace

Value Builder::value(std::uint32_t node) {
  const std::uint32_t first = only_child(node);
  const Span at = span(node);
  const std::string_view text = raw(first);
  if (is(first, R::name)) return {qualified(first), at};
  if (is(first, R::addressLiteral)) return {address_literal(text, at), at};
  switch (type_of(first)) {
    case T::STRING:
      return {string(first), at};
    case T::DECIMAL:
      return {Decimal{std::string(text), at}, at};
    case T::DATE:
      return {date_literal(text, at), at};
    case T::RANGE:
      return {range_literal(text, at), at};
    case T::ANY:
      return {Address{Address::Kind::Any, std::string(text), {}, std::nullopt, at}, at};
    case T::NUMBER:
      if (const auto unit = find(node, T::UNIT); has(unit)) return quantity(number(first), raw(unit), at, reports_);
      return {number(first), at};
    case T::QUANTITY: {
      const std::size_t split = digits(text);
      const Span number_span{at.file, at.begin, at.begin + static_cast<std::uint32_t>(split)};
      return quantity(number_literal(text.substr(0, split), number_span), text.substr(split), at, reports_);
    }
    case T::DOTTED: {
      QualifiedName dotted = qualified(first);
      if (dotted_identifiers(dotted)) return {std::move(dotted), at};
      return {Address{Address::Kind::Host, std::string(text), {}, std::nullopt, at}, at};
    }
    default: {
      List list;
      list.span = at;
      for (const auto c : children(node))
        if (is(c, R::value)) list.values.push_back(value(c));
      return {std::move(list), at};
    }
  }
}

Address Builder::address(std::uint32_t node) {
  const std::uint32_t first = only_child(node);
  const Span at = span(node);
  if (is(first, R::addressLiteral)) return address_literal(raw(first), at);
  Address out;
  out.span = at;
  if (is(first, T::STRING)) {
    out.kind = Address::Kind::Text;
    out.string = string(first);
    return out;
  }
  out.text = raw(first);
  out.kind = is(first, R::name)     ? Address::Kind::Reference
             : is(first, T::DOTTED) ? Address::Kind::Host
                                    : Address::Kind::Any;
  return out;
}

std::vector<Address> Builder::address_part(std::uint32_t node) {
  std::vector<Address> out;
  for (const auto c : children(node))
    if (is(c, R::address)) out.push_back(address(c));
  return out;
}

std::vector<Address> Builder::addresses(std::uint32_t node) {
  std::vector<Address> out;
  for (const auto c : children(node)) {
    if (!is(c, R::addressPart)) continue;
    for (Address& a : address_part(c)) out.push_back(std::move(a));
  }
  return out;
}

std::vector<Port> Builder::port_part(std::uint32_t node) {
  std::vector<Port> out;
  for (const auto c : children(node)) {
    if (!is(c, R::port)) continue;
    const std::uint32_t first = only_child(c);
    Port port;
    port.span = span(c);
    if (is(first, T::STAR)) {
      port.kind = Port::Kind::Any;
    } else if (is(first, T::NUMBER)) {
      port.kind = Port::Kind::Number;
      port.low = port.high = number(first).value;
    } else if (is(first, T::RANGE)) {
      const PortRange range = range_literal(raw(first), port.span);
      port.kind = Port::Kind::Range;
      port.low = range.low;
      port.high = range.high;
    } else {
      port.kind = Port::Kind::Reference;
      port.text = raw(first);
    }
    out.push_back(std::move(port));
  }
  return out;
}

Endpoint Builder::endpoint(std::uint32_t node) {
  Endpoint out;
  out.span = span(node);
  out.addresses = address_part(find(node, R::addressPart));
  if (const auto ports = find(node, R::portPart); has(ports)) out.ports = port_part(ports);
  return out;
}

}  // namespace agp::syntax::detail
