#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "compiler/diagnostics/diagnostic.hpp"

namespace agp::diagnostics {

/// JSON for a stream that a person, a log or a build server may read: indented, ASCII only, ends with a line end, and
/// without a `##` that a build server could take for a command. Bytes that are not UTF-8 become U+FFFD.
std::string json_text(const nlohmann::ordered_json& value);

/// The `agp-diagnostics/1` report of findings in report order, for a command that has more to say in it.
nlohmann::ordered_json json_report(const source::Files& files, std::span<const Diagnostic> list);
/// A place as the report has it: path, start and end with byte offset, line and column; null when unknown.
nlohmann::ordered_json json_location(const source::Files& files, source::Span span);

}  // namespace agp::diagnostics
