#pragma once
#include <string_view>

namespace agp::backends::approvals::format {

inline constexpr std::string_view path = "approvals.json";
inline constexpr std::string_view schema = "agp-approvals/1";

}  // namespace agp::backends::approvals::format
