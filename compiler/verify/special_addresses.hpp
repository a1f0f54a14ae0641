#pragma once
#include <string_view>

#include "compiler/model/address.hpp"

/// The blocks of addresses that the statements about packets name (RFC 1122, 3.2.1.3; RFC 4291, 2.5).
namespace agp::verify {

/// From `first` to `last`, both of one family and well-formed.
inline model::AddressSet range(std::string_view first, std::string_view last) {
  const auto parse = [](std::string_view t) {
    return t.find(':') == t.npos ? *model::parse_v4(t) : *model::parse_v6(t);
  };
  return model::AddressSet::range(parse(first), parse(last));
}
inline model::AddressSet loopback() { return range("127.0.0.0", "127.255.255.255") | range("::1", "::1"); }
inline model::AddressSet unspecified() { return range("0.0.0.0", "0.0.0.0") | range("::", "::"); }

}  // namespace agp::verify
