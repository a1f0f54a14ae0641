#pragma once
#include <string_view>

#include "compiler/syntax/ast.hpp"
#include "compiler/syntax/reports.hpp"

/// What single tokens mean: strings, numbers, dates, addresses. Internal to compiler/syntax.
namespace agp::syntax::detail {

/// The pieces of a string literal; `raw` is the text of `span`, with its quotes or, for a bare path, without.
/// Unknown escapes and malformed `${…}` are reported to `reports`.
String string_literal(std::string_view raw, Span span, Reports& reports);

/// Decimal or `0x…` digits. A value that does not fit has `overflow` set and is the largest one.
Number number_literal(std::string_view raw, Span span);

/// `2027-01-31`.
Date date_literal(std::string_view raw, Span span);

/// `8000-8999`.
PortRange range_literal(std::string_view raw, Span span);

/// V4, V6, prefixes and ranges; `raw` is one of the address tokens.
Address address_literal(std::string_view raw, Span span);

/// `a.b.c` as names, each with its span.
QualifiedName dotted_literal(std::string_view raw, Span span);

/// A number and its unit, apart or together: a Duration by its unit, else a Size.
Value quantity(Number number, std::string_view unit, Span span, Reports& reports);

bool is_identifier(std::string_view text);

}  // namespace agp::syntax::detail
