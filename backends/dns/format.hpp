#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Constants of dnsmasq's configuration file (dnsmasq(8)) and of resolv.conf(5).
namespace agp::backends::dns::format {

inline constexpr std::string_view dnsmasq_path = "dns/dnsmasq.conf";
inline constexpr std::string_view resolv_path = "dns/resolv.conf";

inline constexpr std::string_view listen_address = "127.0.0.53";
inline constexpr std::uint16_t port = 53;

/// dnsmasq reads lines into a buffer of MAXDNAME (1025) bytes: src/option.c, src/dns-protocol.h.
inline constexpr std::size_t longest_line = 1023;

}  // namespace agp::backends::dns::format
