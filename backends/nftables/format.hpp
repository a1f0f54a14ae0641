#pragma once
#include <cstdint>
#include <string_view>

/// Constants of the two forms of an nftables ruleset: `nft -f` (nft(8)) and `nft -j -f` (libnftables-json(5)).
namespace agp::backends::nftables::format {

inline constexpr std::string_view text_path = "nftables/egress.nft";
inline constexpr std::string_view json_path = "nftables/egress.json";

/// The resolver that dnsmasq offers inside the sandbox's network namespace.
inline constexpr std::string_view resolver_address = "127.0.0.53";
inline constexpr std::uint16_t resolver_port = 53;

}  // namespace agp::backends::nftables::format
