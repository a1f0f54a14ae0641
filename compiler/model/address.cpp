#include "compiler/model/address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/model/intervals.hpp"

// Addresses and ports as sets of numbers. IPv4 lies in ::ffff:0:0/96 of the same 128-bit line; no range of a set
// crosses the border of that block, so that every range belongs to one family.
namespace agp::model {
namespace {

constexpr Bits128 v4_first = Address::mapped_prefix;
constexpr Bits128 v4_last = Address::mapped_prefix | 0xffffffffu;
constexpr Bits128 last_of_all = ~static_cast<Bits128>(0);

using Interval = intervals::Interval<Bits128>;

std::vector<Interval> plain(const std::vector<AddressRange>& ranges) {
  std::vector<Interval> out;
  out.reserve(ranges.size());
  for (const auto& r : ranges) out.push_back({r.first.bits, r.last.bits});
  return out;
}

/// Cuts intervals at the border of the IPv4 block.
std::vector<AddressRange> by_family(const std::vector<Interval>& in) {
  std::vector<AddressRange> out;
  const std::array<Interval, 3> families = {{{0, v4_first - 1}, {v4_first, v4_last}, {v4_last + 1, last_of_all}}};
  for (const auto& i : in)
    for (const auto& f : families) {
      const Bits128 first = std::max(i.first, f.first), last = std::min(i.last, f.last);
      if (first <= last) out.push_back({{first}, {last}});
    }
  return out;
}

bool decimal(std::string_view text, unsigned max, unsigned& out) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return false;
  out = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + static_cast<unsigned>(c - '0');
  }
  return out <= max;
}

bool hex_group(std::string_view text, unsigned& out) {
  if (text.empty() || text.size() > 4) return false;
  out = 0;
  for (char c : text) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    if (c >= '0' && c <= '9')
      out = out * 16 + static_cast<unsigned>(c - '0');
    else if (c >= 'a' && c <= 'f')
      out = out * 16 + static_cast<unsigned>(c - 'a' + 10);
    else
      return false;
  }
  return true;
}

/// Groups on one side of `::`; the last may be an IPv4 address, which counts for two.
bool groups(std::string_view text, bool v4_allowed, std::vector<unsigned>& out) {
  if (text.empty()) return true;
  for (;;) {
    const std::size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    unsigned value = 0;
    if (colon == std::string_view::npos && v4_allowed && part.find('.') != std::string_view::npos) {
      const auto v4 = parse_v4(part);
      if (!v4) return false;
      out.push_back(v4->v4_bits() >> 16);
      out.push_back(v4->v4_bits() & 0xffff);
    } else if (hex_group(part, value)) {
      out.push_back(value);
    } else {
      return false;
    }
    if (out.size() > 8) return false;
    if (colon == std::string_view::npos) return true;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;
  }
}

std::string v6_text(Bits128 bits) {
  std::array<unsigned, 8> g{};
  for (int i = 0; i < 8; ++i) g[static_cast<std::size_t>(i)] = static_cast<unsigned>(bits >> (112 - 16 * i)) & 0xffff;
  // RFC 5952: the longest run of two or more zero groups, the first of equals
  std::size_t best = 8, best_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t j = i;
    while (j < 8 && g[j] == 0) ++j;
    if (j - i > best_length) best = i, best_length = j - i;
    i = j == i ? i + 1 : j;
  }
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      out += "::";
      i += best_length - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    out += fmt::format("{:x}", g[i]);
  }
  return out;
}

}  // namespace

std::optional<Address> parse_v4(std::string_view text) {
  std::uint32_t bits = 0;
  for (int i = 0; i < 4; ++i) {
    const std::size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return std::nullopt;
    unsigned octet = 0;
    if (!decimal(text.substr(0, dot), 255, octet)) return std::nullopt;
    bits = bits << 8 | octet;
    if (i < 3) text.remove_prefix(dot + 1);
  }
  return Address::v4(bits);
}

std::optional<Address> parse_v6(std::string_view text) {
  std::vector<unsigned> head, tail;
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    if (text.empty() || !groups(text, true, head) || head.size() != 8) return std::nullopt;
  } else {
    const std::string_view after = text.substr(gap + 2);
    if (after.find("::") != std::string_view::npos || (!after.empty() && after[0] == ':')) return std::nullopt;
    if (!groups(text.substr(0, gap), false, head) || !groups(after, true, tail)) return std::nullopt;
    if (head.size() + tail.size() > 7) return std::nullopt;
  }
  head.resize(8 - tail.size(), 0);
  head.insert(head.end(), tail.begin(), tail.end());
  Bits128 bits = 0;
  for (const unsigned g : head) bits = bits << 16 | g;
  return Address{bits};
}

std::string to_string(Address a) {
  if (!a.is_v4()) return v6_text(a.bits);
  const std::uint32_t v = a.v4_bits();
  return fmt::format("{}.{}.{}.{}", v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255);
}

AddressSet AddressSet::normalise(std::vector<AddressRange> ranges) {
  return AddressSet(by_family(intervals::normalise(plain(ranges))));
}

AddressSet AddressSet::all() { return range({0}, {last_of_all}); }
AddressSet AddressSet::all_v4() { return range({v4_first}, {v4_last}); }
AddressSet AddressSet::all_v6() { return all() - all_v4(); }
AddressSet AddressSet::range(Address first, Address last) {
  if (last < first) return {};
  return normalise({{first, last}});
}

bool AddressSet::contains(Address a) const {
  const auto next =
      std::upper_bound(ranges_.begin(), ranges_.end(), a, [](Address x, const AddressRange& r) { return x < r.first; });
  return next != ranges_.begin() && a <= (next - 1)->last;
}

AddressSet AddressSet::v4() const { return *this & all_v4(); }
AddressSet AddressSet::v6() const { return *this & all_v6(); }

Bits128 AddressSet::size() const {
  Bits128 sum = 0;
  for (const auto& r : ranges_) {
    const Bits128 width = r.last.bits - r.first.bits;  // one less than the count
    if (width >= last_of_all - sum) return last_of_all;
    sum += width + 1;
  }
  return sum;
}

AddressSet operator|(const AddressSet& a, const AddressSet& b) {
  return AddressSet(by_family(intervals::unite(plain(a.ranges_), plain(b.ranges_))));
}
AddressSet operator&(const AddressSet& a, const AddressSet& b) {
  return AddressSet(by_family(intervals::intersect(plain(a.ranges_), plain(b.ranges_))));
}
AddressSet operator-(const AddressSet& a, const AddressSet& b) {
  return AddressSet(by_family(intervals::subtract(plain(a.ranges_), plain(b.ranges_))));
}

std::vector<std::string> to_prefixes(const AddressRange& range) {
  std::vector<std::string> out;
  const bool v4 = range.first.is_v4();
  Bits128 at = range.first.bits;
  for (;;) {
    // the largest aligned block that starts here and does not pass the end
    int bits = 0;
    const int width = v4 ? 32 : 128;
    while (bits < width) {
      const Bits128 mask = bits + 1 == 128 ? last_of_all : (static_cast<Bits128>(1) << (bits + 1)) - 1;
      if ((at & mask) != 0 || (at | mask) > range.last.bits) break;
      ++bits;
    }
    out.push_back(bits == 0 ? to_string(Address{at}) : fmt::format("{}/{}", to_string(Address{at}), width - bits));
    const Bits128 end = bits == 128 ? last_of_all : at | ((static_cast<Bits128>(1) << bits) - 1);
    if (end >= range.last.bits) return out;
    at = end + 1;
  }
}

const AddressSet& never_by_name() {
  static const AddressSet set = [] {
    const auto v4 = [](std::uint32_t first, std::uint32_t last) {
      return AddressSet::range(Address::v4(first), Address::v4(last));
    };
    const auto v6 = [](std::string_view first, std::string_view last) {
      return AddressSet::range(*parse_v6(first), *parse_v6(last));
    };
    // LANGUAGE.md, Endpoints; RFC 1122 3.2.1.3, RFC 3927, RFC 5771, RFC 4291 2.4
    return v4(0, 0) | v4(0x7f000000, 0x7fffffff) | v4(0xa9fe0000, 0xa9feffff) | v4(0xe0000000, 0xefffffff) |
           v6("::", "::1") | v6("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff") |
           v6("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  }();
  return set;
}

// ---- ports ------------------------------------------------------------------------------------------------------

namespace {
using PortInterval = intervals::Interval<std::uint32_t>;
std::vector<PortInterval> plain(const std::vector<PortRange>& ranges) {
  std::vector<PortInterval> out;
  for (const auto& r : ranges) out.push_back({r.first, r.last});
  return out;
}
}  // namespace

struct PortSetAccess {
  static PortSet make(const std::vector<PortInterval>& in) {
    PortSet out;
    for (const auto& i : in)
      out.ranges_.push_back({static_cast<std::uint16_t>(i.first), static_cast<std::uint16_t>(i.last)});
    return out;
  }
};
namespace {
PortSet to_set(const std::vector<PortInterval>& in) { return PortSetAccess::make(in); }
}  // namespace

PortSet PortSet::all() { return range(1, 65535); }
PortSet PortSet::range(std::uint16_t first, std::uint16_t last) {
  const std::uint16_t low = std::max<std::uint16_t>(first, 1);
  if (last < low) return {};
  return to_set({{low, last}});
}
bool PortSet::contains(std::uint16_t port) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const PortRange& r) { return r.first <= port && port <= r.last; });
}
PortSet operator|(const PortSet& a, const PortSet& b) {
  return to_set(intervals::unite(plain(a.ranges_), plain(b.ranges_)));
}
PortSet operator&(const PortSet& a, const PortSet& b) {
  return to_set(intervals::intersect(plain(a.ranges_), plain(b.ranges_)));
}
PortSet operator-(const PortSet& a, const PortSet& b) {
  return to_set(intervals::subtract(plain(a.ranges_), plain(b.ranges_)));
}

std::string to_string(const PortSet& ports) {
  if (ports.is_all()) return "*";
  std::string out;
  for (const auto& r : ports.ranges()) {
    if (!out.empty()) out += ',';
    out += r.first == r.last ? fmt::format("{}", r.first) : fmt::format("{}-{}", r.first, r.last);
  }
  return out;
}

}  // namespace agp::model
