#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agp::probe {

/// One JSON object, flattened: `{"attempt": {"args": ["1"]}}` has the field `attempt.args.0`. Strings hold their text;
/// numbers, `true`, `false` and `null` hold their spelling.
using Fields = std::map<std::string, std::string>;

/// Nothing when `text` is not exactly one JSON object, when it nests deeper than 8, or when a key stands twice.
std::optional<Fields> parse_object(std::string_view text);

/// `text` between double quotes, with everything but printable ASCII escaped; bytes that are no character of UTF-8 on
/// their own are written as \u00XX, so that the output is JSON whatever came in.
std::string quoted(std::string_view text);

}  // namespace agp::probe
