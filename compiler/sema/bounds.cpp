#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/sema/rules.hpp"

// The bound of a `limit`, and of an invariant that requires one -> a number in the unit of model::Limits.
namespace agp::sema {

namespace kind = diagnostics::kind;

namespace {

constexpr std::string_view limit_names[] = {"cpu", "memory", "pids", "time", "files"};

/// `2`, `0.5`: thousandths of a core.
std::optional<std::uint64_t> milli(const std::string& text) {
  const std::size_t dot = text.find('.');
  const std::string whole = text.substr(0, dot);
  std::string part = dot == std::string::npos ? "" : text.substr(dot + 1);
  if (part.size() > 3 || whole.size() > 6 || whole.empty()) return std::nullopt;
  part.resize(3, '0');
  std::uint64_t out = 0;
  for (const char c : whole + part) {
    if (c < '0' || c > '9') return std::nullopt;
    out = out * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return out;
}

std::string_view expected(const std::string& name) {
  if (name == "cpu") return "a number of cores above 0, like `2` or `0.5`";
  if (name == "memory") return "a size above 0, like `4 GiB`";
  if (name == "time") return "a duration above 0, like `10 min`";
  return "a number from 1 to 4000000";
}

/// Nothing where the value is of another kind or out of range.
std::optional<std::uint64_t> number(const std::string& name, const Value& v) {
  if (v.number == 0) return std::nullopt;
  if (name == "cpu")
    return v.type == Value::Type::Int && v.number <= 100000 ? std::optional(v.number * 1000) : std::nullopt;
  if (name == "memory") return v.type == Value::Type::Size ? std::optional(v.number) : std::nullopt;
  if (name == "time") return v.type == Value::Type::Duration ? std::optional(v.number) : std::nullopt;
  return v.type == Value::Type::Int && v.number <= 4'000'000 ? std::optional(v.number) : std::nullopt;
}

}  // namespace

bool is_limit(const syntax::Name& name, diagnostics::Sink& sink) {
  if (std::find(std::begin(limit_names), std::end(limit_names), name.text) != std::end(limit_names)) return true;
  std::string help = diagnostics::did_you_mean(name.text, limit_names);
  if (help.empty()) help = "limits are cpu, memory, pids, time and files";
  sink.emit(kind::unknown_limit, name.span, fmt::format("`{}` is no limit", name.text)).helped(help);
  return false;
}

std::optional<std::uint64_t> bound(Evaluator& eval, const Scope& scope, const syntax::Name& name,
                                   const syntax::Value& value) {
  std::optional<std::uint64_t> out;
  if (const auto* fraction = std::get_if<syntax::Decimal>(&value.node)) {
    if (name.text == "cpu") out = milli(fraction->text);
    if (out && *out == 0) out.reset();
  } else if (const auto v = eval.evaluate(scope, value)) {
    out = number(name.text, *v);
  } else {
    return std::nullopt;  // said already
  }
  if (!out)
    eval.sink().emit(kind::invalid_limit, value.span, fmt::format("`{}` takes {}", name.text, expected(name.text)));
  return out;
}

std::string bound_text(std::string_view limit, std::uint64_t bound) {
  using Units = std::initializer_list<std::string_view>;
  const auto in_units = [&](Units units, std::optional<std::uint64_t> (*scale)(std::string_view)) {
    for (const std::string_view unit : units)
      if (bound % *scale(unit) == 0) return fmt::format("{} {}", bound / *scale(unit), unit);
    return fmt::format("{} ms", bound);  // no unit is smaller than a second, so nothing written comes here
  };
  if (limit == "memory") return in_units({"TiB", "GiB", "MiB", "KiB", "B"}, size_unit);
  if (limit == "time") return in_units({"d", "h", "min", "s"}, duration_unit);
  if (limit != "cpu") return fmt::format("{}", bound);
  std::string out = fmt::format("{}.{:03}", bound / 1000, bound % 1000);
  while (out.back() == '0') out.pop_back();
  if (out.back() == '.') out.pop_back();
  return out;
}

}  // namespace agp::sema
