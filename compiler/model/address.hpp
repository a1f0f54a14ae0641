#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agp::model {

__extension__ using Bits128 = unsigned __int128;

/// An IP address as one number of 128 bits. IPv4 a.b.c.d *is* ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), so a mapped address
/// and its IPv4 form are the same value.
struct Address {
  Bits128 bits = 0;

  static constexpr Bits128 mapped_prefix = static_cast<Bits128>(0xffff) << 32;
  static Address v4(std::uint32_t host_order) { return {mapped_prefix | host_order}; }
  bool is_v4() const { return (bits >> 32) == 0xffff; }
  std::uint32_t v4_bits() const { return static_cast<std::uint32_t>(bits); }
  friend auto operator<=>(const Address&, const Address&) = default;
};

/// Strict: four decimal octets without leading zeros. Nothing for anything else.
std::optional<Address> parse_v4(std::string_view text);
/// RFC 4291 forms without a zone; upper or lower case.
std::optional<Address> parse_v6(std::string_view text);
/// `10.0.0.1`, `fd00::7` (RFC 5952 form, without brackets).
std::string to_string(Address a);

/// Inclusive at both ends.
struct AddressRange {
  Address first, last;
  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

/// A set of addresses: disjoint, ascending, non-adjacent ranges; no range mixes IPv4 and IPv6.
class AddressSet {
 public:
  AddressSet() = default;
  static AddressSet all();
  static AddressSet all_v4();
  static AddressSet all_v6();  ///< without the mapped block
  static AddressSet range(Address first, Address last);

  bool contains(Address a) const;  ///< O(log n)
  bool empty() const { return ranges_.empty(); }
  const std::vector<AddressRange>& ranges() const { return ranges_; }
  AddressSet v4() const;
  AddressSet v6() const;
  /// Number of addresses; saturates at 2^128 - 1.
  Bits128 size() const;

  friend AddressSet operator|(const AddressSet&, const AddressSet&);
  friend AddressSet operator&(const AddressSet&, const AddressSet&);
  friend AddressSet operator-(const AddressSet&, const AddressSet&);
  friend bool operator==(const AddressSet&, const AddressSet&) = default;

 private:
  explicit AddressSet(std::vector<AddressRange> normalised) : ranges_(std::move(normalised)) {}
  static AddressSet normalise(std::vector<AddressRange> ranges);
  std::vector<AddressRange> ranges_;
};

/// The fewest prefixes that cover the range exactly, as `10.0.0.0/8`, a single address without `/32`.
std::vector<std::string> to_prefixes(const AddressRange& range);

/// A set of ports within 1-65535; same normal form.
struct PortRange {
  std::uint16_t first = 1, last = 65535;
  friend bool operator==(const PortRange&, const PortRange&) = default;
};
class PortSet {
 public:
  PortSet() = default;
  static PortSet all();
  static PortSet range(std::uint16_t first, std::uint16_t last);
  bool contains(std::uint16_t port) const;
  bool empty() const { return ranges_.empty(); }
  bool is_all() const { return ranges_.size() == 1 && ranges_[0] == PortRange{}; }
  const std::vector<PortRange>& ranges() const { return ranges_; }
  friend PortSet operator|(const PortSet&, const PortSet&);
  friend PortSet operator&(const PortSet&, const PortSet&);
  friend PortSet operator-(const PortSet&, const PortSet&);
  friend bool operator==(const PortSet&, const PortSet&) = default;

 private:
  friend struct PortSetAccess;
  std::vector<PortRange> ranges_;
};
std::string to_string(const PortSet& ports);  ///< `443`, `80,443`, `8000-8999`, `*`

/// Addresses that a name never stands for unless its `within` includes them: unspecified, loopback, link-local and
/// multicast, of both families (LANGUAGE.md, Endpoints).
const AddressSet& never_by_name();

}  // namespace agp::model
