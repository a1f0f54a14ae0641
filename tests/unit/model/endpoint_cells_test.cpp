#include "compiler/model/endpoint_cells.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <tuple>

#include "tests/support/net_policy.hpp"

namespace agp::model {
namespace {

using test::address;
using Point = std::tuple<Protocol, Bits128, unsigned>;

EndpointBox box(std::string_view first, std::string_view last, unsigned from, unsigned to, std::size_t owner,
                Protocol p = Protocol::Tcp) {
  return {
      p, {address(first), address(last)}, {static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(to)}, owner};
}

/// Every point of small boxes with its smallest owner, and how often it is covered.
std::map<Point, std::pair<std::size_t, int>> points(const std::vector<EndpointBox>& boxes) {
  std::map<Point, std::pair<std::size_t, int>> out;
  for (const auto& b : boxes)
    for (Bits128 a = b.addresses.first.bits; a <= b.addresses.last.bits; ++a)
      for (unsigned p = b.ports.first; p <= b.ports.last; ++p) {
        auto [at, fresh] = out.try_emplace(Point{b.protocol, a, p}, b.owner, 0);
        at->second.first = std::min(at->second.first, b.owner);
        ++at->second.second;
      }
  return out;
}

TEST(EndpointCells, KeepsEveryPointOnceWithItsSmallestOwner) {
  std::mt19937 random(1);
  const auto below = [&](unsigned n) { return static_cast<std::uint32_t>(random() % n); };
  for (int round = 0; round < 3000; ++round) {
    std::vector<EndpointBox> boxes;
    for (unsigned n = below(9) + 1; n > 0; --n) {
      // around the last IPv4 address, so that some boxes end where the family does
      const std::uint32_t first = 0xfffffff0u + below(16),
                          last = first + below(0xffffffffu - first + 1u ? 0x10u - (first & 15) : 1);
      const auto from = static_cast<std::uint16_t>(65524 + below(12)),
                 to = static_cast<std::uint16_t>(from + below(65536u - from));
      boxes.push_back(
          {below(2) ? Protocol::Tcp : Protocol::Udp, {Address::v4(first), Address::v4(last)}, {from, to}, below(4)});
    }
    const auto cells = disjoint(boxes);
    ASSERT_TRUE(cells.has_value());
    const auto wanted = points(boxes), got = points(*cells);
    ASSERT_EQ(wanted.size(), got.size());
    for (const auto& [point, owner] : got) {
      ASSERT_EQ(owner.second, 1) << "round " << round;
      ASSERT_EQ(owner.first, wanted.at(point).first) << "round " << round;
    }
    // a normal form: neither the order nor the cut of the input shows
    std::vector<EndpointBox> others = *cells;
    others.insert(others.end(), boxes.begin(), boxes.end());
    std::shuffle(others.begin(), others.end(), random);
    ASSERT_EQ(disjoint(others), cells) << "round " << round;
  }
}

TEST(EndpointCells, JoinsWhatTouches) {
  const auto cells = disjoint({box("10.0.0.0", "10.0.0.7", 1, 80, 0), box("10.0.0.8", "10.0.0.15", 1, 80, 0),
                               box("10.0.0.0", "10.0.0.15", 81, 90, 0), box("10.0.0.16", "10.0.0.20", 1, 90, 1)});
  EXPECT_EQ(cells, (std::vector{box("10.0.0.0", "10.0.0.15", 1, 90, 0), box("10.0.0.16", "10.0.0.20", 1, 90, 1)}));
}

TEST(EndpointCells, KeepsFamiliesApart) {
  // the neighbours of the mapped block are numerically next to IPv4
  const std::vector boxes = {box("::", "::fffe:ffff:ffff", 1, 2, 0), box("0.0.0.0", "255.255.255.255", 1, 2, 0),
                             box("::1:0:0:0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, 2, 0)};
  EXPECT_EQ(disjoint(boxes), boxes);
}

TEST(EndpointCells, GivesUpInsteadOfGrowing) {
  std::vector<EndpointBox> crossing;
  for (unsigned i = 0; i < 400; ++i) {
    const Address host = Address::v4(0x0a000000 + 2 * i);
    crossing.push_back({Protocol::Tcp, {host, host}, {1, 65535}, 2 * i});
    crossing.push_back(box("0.0.0.0", "255.255.255.255", 2 * i + 1, 2 * i + 1, 2 * i + 1));
  }
  EXPECT_FALSE(disjoint(crossing, 10000).has_value());
  EXPECT_TRUE(disjoint(crossing, 1000000).has_value());
}

TEST(EndpointCells, CutsExceptionsOut) {
  NetBody body;
  body.protocols = test::any_protocol;
  body.endpoints.push_back({test::all_of("10.0.0.0/30"), {}, ""});
  body.except.push_back({test::at("10.0.0.1", test::ports({{100, 200}})), {}, ""});
  body.except.push_back({{test::addresses("10.0.0.2"), std::nullopt, {}, true}, {}, ""});
  const auto cells = points(*disjoint(boxes_of(body, body.endpoints[0].pattern, 7)));
  const auto has_point = [&](Protocol p, const char* a, unsigned port) {
    return cells.contains({p, address(a).bits, port});
  };
  for (const Protocol p : {Protocol::Tcp, Protocol::Udp}) {
    EXPECT_TRUE(has_point(p, "10.0.0.1", 99) && has_point(p, "10.0.0.1", 201) && has_point(p, "10.0.0.2", 150));
    EXPECT_FALSE(has_point(p, "10.0.0.1", 100) || has_point(p, "10.0.0.1", 200));
    EXPECT_TRUE(has_point(p, "10.0.0.0", 1) && has_point(p, "10.0.0.0", 65535));
    EXPECT_FALSE(has_point(p, "10.0.0.0", 0)) << "port 0 is no port";
  }
  EXPECT_TRUE(has_point(Protocol::Icmp, "10.0.0.1", 0) && has_point(Protocol::Icmp, "10.0.0.3", 0));
  EXPECT_FALSE(has_point(Protocol::Icmp, "10.0.0.2", 0));
}

}  // namespace
}  // namespace agp::model
