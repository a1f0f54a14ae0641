#pragma once
#include <string_view>

namespace agp::backends::alerts::format {

inline constexpr std::string_view path = "alerts.json";
inline constexpr std::string_view schema = "agp-alerts/1";

}  // namespace agp::backends::alerts::format
