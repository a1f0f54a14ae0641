#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace agp::diagnostics {

/// JSON for a stream that a person, a log or a build server may read: indented, ASCII only, ends with a line end, and
/// without a `##` that a build server could take for a command. Bytes that are not UTF-8 become U+FFFD.
std::string json_text(const nlohmann::ordered_json& value);

}  // namespace agp::diagnostics
