#include "compiler/sema/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/model/path_pattern.hpp"

namespace agp::sema {
namespace {

using model::Address;
using model::AddressSet;
using model::Bits128;
namespace kind = diagnostics::kind;

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const bool hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  if (hex) text.remove_prefix(2);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> with_unit(std::string_view text, std::optional<std::uint64_t> (*unit)(std::string_view)) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  std::string_view name = text.substr(digits);
  while (!name.empty() && name[0] == ' ') name.remove_prefix(1);
  const auto number = parse_number(text.substr(0, digits));
  const auto scale = unit(name);
  if (!number || !scale || *number > std::numeric_limits<std::uint64_t>::max() / *scale) return std::nullopt;
  return *number * *scale;
}

struct AddressText {
  std::optional<AddressSet> set;
  std::string fault;
};

AddressText prefix_set(std::string_view text, bool v6) {
  const std::size_t slash = text.find('/');
  const std::string_view base = text.substr(0, slash), length_text = text.substr(slash + 1);
  const auto address = v6 ? model::parse_v6(base) : model::parse_v4(base);
  const auto length = parse_number(length_text);
  const unsigned width = v6 ? 128 : 32;
  if (!address) return {std::nullopt, fmt::format("`{}` is not an {} address", base, v6 ? "IPv6" : "IPv4")};
  if (!length || *length > width || (length_text.size() > 1 && length_text[0] == '0'))
    return {std::nullopt, fmt::format("a prefix length of {} is 0 to {}", v6 ? "IPv6" : "IPv4", width)};
  const unsigned host_bits = width - static_cast<unsigned>(*length);
  const Bits128 mask = host_bits == 0 ? 0 : host_bits == 128 ? ~Bits128{0} : (Bits128{1} << host_bits) - 1;
  if ((address->bits & mask) != 0)
    return {std::nullopt, fmt::format("host bits are set: the prefix is `{}/{}`",
                                      to_string(Address{address->bits & ~mask}), *length)};
  AddressSet set = AddressSet::range(*address, {address->bits | mask});
  // a prefix that holds the mapped block as a part is about IPv6 alone (`[::/0]`)
  if (v6 && *length < 96) set = set.v6();
  return {set, ""};
}

AddressText parse_address(std::string_view text, bool v6) {
  if (text.find('/') != std::string_view::npos) return prefix_set(text, v6);
  const auto a = v6 ? model::parse_v6(text) : model::parse_v4(text);
  if (!a) return {std::nullopt, fmt::format("`{}` is not an {} address", text, v6 ? "IPv6" : "IPv4")};
  return {AddressSet::range(*a, *a), ""};
}

AddressText range_set(std::string_view first, std::string_view last, bool v6) {
  const auto a = v6 ? model::parse_v6(first) : model::parse_v4(first);
  const auto b = v6 ? model::parse_v6(last) : model::parse_v4(last);
  if (!a || !b) return {std::nullopt, fmt::format("`{}` is not an {} address", a ? last : first, v6 ? "IPv6" : "IPv4")};
  if (*b < *a) return {std::nullopt, "the range ends before it begins"};
  if (a->is_v4() != b->is_v4()) return {std::nullopt, "the range crosses from IPv6 into the mapped IPv4 addresses"};
  AddressSet set = AddressSet::range(*a, *b);
  return {a->is_v4() ? set : set.v6(), ""};
}

}  // namespace

std::string_view to_string(Value::Type type) {
  static constexpr std::string_view names[] = {"string",  "path", "int",  "size", "duration",
                                               "address", "host", "port", "list"};
  return names[static_cast<std::size_t>(type)];
}

std::optional<Value::Type> find_type(std::string_view name) {
  for (const auto t : {Value::Type::String, Value::Type::Path, Value::Type::Int, Value::Type::Size,
                       Value::Type::Duration, Value::Type::Address, Value::Type::Host, Value::Type::Port})
    if (to_string(t) == name) return t;
  return std::nullopt;
}

std::optional<std::uint64_t> size_unit(std::string_view unit) {
  static constexpr std::pair<std::string_view, int> units[] = {
      {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  for (const auto& [name, shift] : units)
    if (name == unit) return std::uint64_t{1} << shift;
  return std::nullopt;
}

std::optional<std::uint64_t> duration_unit(std::string_view unit) {
  static constexpr std::pair<std::string_view, std::uint64_t> units[] = {
      {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  for (const auto& [name, ms] : units)
    if (name == unit) return ms;
  return std::nullopt;
}

std::string path_fault(std::string_view text) {
  if (text.empty() || text[0] != '/') return "is not absolute";
  if (text == "/") return "is the root directory";
  if (text.back() == '/') return "ends in `/`";
  if (!model::is_canonical_path(text)) return "is not canonical: it has `//`, a `.` or a `..` component";
  return "";
}

std::string host_fault(std::string_view text) {
  if (text.substr(0, 2) == "*.") text.remove_prefix(2);
  if (text.empty()) return "is empty";
  if (text.size() > 253) return "is longer than 253 characters";
  if (text.back() == '.') return "ends in a dot";
  if (model::parse_v4(text) || model::parse_v6(text)) return "is an address, not a name";
  // inet_aton(3) and the URL standard take a name that ends in a number for an address: `10.1`, `010.0.0.1`, `0x7f.1`
  std::string_view last = text.substr(text.rfind('.') + 1);
  const bool hex = last.starts_with("0x");
  if (hex) last.remove_prefix(2);
  if (last.find_first_not_of(hex ? "0123456789abcdef" : "0123456789") == std::string_view::npos)
    return "ends in a number: some programs read it as an address";
  while (!text.empty()) {
    const std::string_view label = text.substr(0, text.find('.'));
    if (label.empty()) return "has an empty label";
    if (label.size() > 63) return "has a label longer than 63 characters";
    if (label.front() == '-' || label.back() == '-') return "has a label that begins or ends with `-`";
    for (const char c : label) {
      if (c >= 'A' && c <= 'Z') return "has an upper-case letter";
      if (c == '*') return "has a `*` that is not the whole first label";
      if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
        return "has a character that is not a-z, 0-9, `-`, `_` or `.`";
    }
    text.remove_prefix(label.size());
    if (!text.empty()) text.remove_prefix(1);
  }
  return "";
}

std::string path_help(std::string_view text) {
  std::string meant(text);
  if (meant.starts_with("./")) meant.erase(0, 2);
  if (!meant.empty() && meant[0] != '/' && meant[0] != '~') meant.insert(0, "/");
  while (meant.size() > 1 && meant.back() == '/') meant.pop_back();
  return meant != text && path_fault(meant).empty() ? fmt::format("write `{}`", meant) : "";
}

std::string host_help(std::string_view text) {
  std::string meant(text);
  for (char& c : meant)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (meant.ends_with('.')) meant.pop_back();
  return meant != text && host_fault(meant).empty() ? fmt::format("write `{}`", meant) : "";
}

std::optional<AddressSet> to_addresses(const syntax::Address& a, diagnostics::Sink& sink) {
  using Kind = syntax::Address::Kind;
  AddressText result;
  switch (a.kind) {
    case Kind::V4:
    case Kind::V4Prefix:
      result = parse_address(a.text, false);
      break;
    case Kind::V6:
    case Kind::V6Prefix:
      result = parse_address(a.text, true);
      break;
    case Kind::V4Range:
      result = range_set(a.text, a.text2, false);
      break;
    case Kind::V6Range:
      result = range_set(a.text, a.text2, true);
      break;
    case Kind::Any:
      return AddressSet::all();
    case Kind::Host:
    case Kind::Text:
    case Kind::Reference:
      result.fault = "a name stands where an address is needed";
      break;
  }
  if (!result.set) sink.emit(kind::invalid_address, a.span, result.fault);
  return result.set;
}

namespace {

std::optional<Value> parse_one(std::string_view text, Value::Type type) {
  Value out;
  out.type = type;
  out.text = text;
  using Type = Value::Type;
  switch (type) {
    case Type::String:
      return out;
    case Type::Path:
      return path_fault(text).empty() ? std::optional(out) : std::nullopt;
    case Type::Host:
      return host_fault(text).empty() ? std::optional(out) : std::nullopt;
    case Type::Int:
    case Type::Size:
    case Type::Duration: {
      const auto n = type == Type::Int    ? parse_number(text)
                     : type == Type::Size ? with_unit(text, size_unit)
                                          : with_unit(text, duration_unit);
      if (!n) return std::nullopt;
      out.number = *n;
      return out;
    }
    case Type::Port: {
      const std::size_t dash = text.find('-');
      const auto first = parse_number(text.substr(0, dash));
      const auto last = dash == std::string_view::npos ? first : parse_number(text.substr(dash + 1));
      if (!first || !last || *first < 1 || *last > 65535 || *last < *first) return std::nullopt;
      out.number = *first;
      out.last = *last;
      return out;
    }
    case Type::Address: {
      std::string_view bare = text;
      if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') bare = bare.substr(1, bare.size() - 2);
      const std::size_t dash = bare.find('-');
      const bool v6 = bare.find(':') != std::string_view::npos;
      std::string_view end = bare.substr(dash == std::string_view::npos ? bare.size() : dash + 1);
      if (end.size() > 2 && end.front() == '[') end.remove_prefix(1);
      std::string_view begin = bare.substr(0, dash);
      if (begin.size() > 2 && begin.back() == ']') begin.remove_suffix(1);
      const auto result = dash == std::string_view::npos ? parse_address(bare, v6) : range_set(begin, end, v6);
      if (!result.set) return std::nullopt;
      out.addresses = *result.set;
      out.spelling = text;
      return out;
    }
    case Type::List:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Value> parse_value(std::string_view text, Value::Type type, bool list) {
  if (!list) return parse_one(text, type);
  Value out;
  out.type = Value::Type::List;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    const auto value = parse_one(item, type);
    if (!value) return std::nullopt;
    out.items.push_back(*value);
    text.remove_prefix(std::min(text.size(), item.size() + 1));
  }
  return out;
}

std::string identity(const Value& v) {
  std::string out = fmt::format("{}:{}:{}:{}:{}", static_cast<int>(v.type), v.text.size(), v.text, v.number, v.last);
  for (const auto& r : v.addresses.ranges()) out += fmt::format("|{}-{}", to_string(r.first), to_string(r.last));
  for (const Value& item : v.items) out += fmt::format("[{}]", identity(item));
  return out;
}

std::optional<Value> coerce(const Value& value, Value::Type type, bool list) {
  using Type = Value::Type;
  if (list) {
    if (value.type != Type::List) return std::nullopt;
    Value out = value;
    out.items.clear();
    for (const Value& item : value.items) {
      auto one = coerce(item, type, false);
      if (!one) return std::nullopt;
      out.items.push_back(std::move(*one));
    }
    return out;
  }
  if (value.type == type) return value;
  Value out = value;
  out.type = type;
  if (type == Type::Path && value.type == Type::String && path_fault(value.text).empty()) return out;
  if (type == Type::Host && value.type == Type::String && host_fault(value.text).empty()) return out;
  if (type == Type::String && (value.type == Type::Path || value.type == Type::Host)) return out;
  if (type == Type::Port && value.type == Type::Int && value.number >= 1 && value.number <= 65535) {
    out.last = value.number;
    return out;
  }
  return std::nullopt;
}

}  // namespace agp::sema
