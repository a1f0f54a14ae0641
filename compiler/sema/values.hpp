#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/model/address.hpp"
#include "compiler/syntax/ast.hpp"

namespace agp::sema {

using source::Span;

/// The value of a parameter, a constant or an argument.
struct Value {
  enum class Type { String, Path, Int, Size, Duration, Address, Host, Port, List };
  Type type = Type::String;
  std::string text;             ///< String, Path, Host
  std::uint64_t number = 0;     ///< Int; Size in bytes; Duration in milliseconds; Port: the first
  std::uint64_t last = 0;       ///< Port: the last
  model::AddressSet addresses;  ///< Address: one, a prefix or a range
  std::string spelling;         ///< Address: as written
  std::vector<Value> items;     ///< List: of one type, not nested
  Span span;                    ///< where it was written; unknown for `--set`
};

std::string_view to_string(Value::Type type);
std::optional<Value::Type> find_type(std::string_view name);

/// Text of `--set K=V` as a value of the type; a list is split at commas. Nothing when it is not one.
std::optional<Value> parse_value(std::string_view text, Value::Type type, bool list);

/// The value as `type` (an Int is a port, a String a path or a host, where its text is one), or nothing.
std::optional<Value> coerce(const Value& value, Value::Type type, bool list);

/// Why a text is no path value ("is not absolute", "is `/`", …); empty when it is one.
std::string path_fault(std::string_view text);
/// Why a text is no host ("has an upper-case letter", …); empty when it is one. `*.` in front is a wildcard.
std::string host_fault(std::string_view text);
/// What was meant by a text that has such a fault, most likely: "write `/srv/x`" for `srv/x`; empty where nobody can
/// say.
std::string path_help(std::string_view text);
std::string host_help(std::string_view text);

/// Equal for two values exactly if the values are equal.
std::string identity(const Value& value);

/// An address atom (V4 to V6Range) as a set; emits AGP1064 and gives nothing when it is not one.
std::optional<model::AddressSet> to_addresses(const syntax::Address& address, diagnostics::Sink& sink);

std::optional<std::uint64_t> size_unit(std::string_view unit);      ///< bytes
std::optional<std::uint64_t> duration_unit(std::string_view unit);  ///< milliseconds

}  // namespace agp::sema
