#pragma once
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace agp::source {

/// JSON in which no name stands twice in one object: readers differ in which of the two counts (RFC 8259, section 4).
/// Nothing when it is refused, and `why` says so: "it is not JSON", "the key `x` stands twice in one object". What lies
/// deeper than `depth` is dropped, for the caller's checks of types to refuse. O(bytes × log of an object's members).
std::optional<nlohmann::json> parse_strict_json(std::string_view bytes, int depth, std::string& why);

/// A key of the object that Go's reader takes for one of `known`, in another spelling: it takes a key for a field
/// whatever its case (encoding/json, fold.go), so that it means something to a container engine and nothing to other
/// readers.
std::optional<std::string> misspelt(const nlohmann::json& object, std::initializer_list<std::string_view> known);

}  // namespace agp::source
