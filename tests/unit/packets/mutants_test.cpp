#include <gtest/gtest.h>

#include <cctype>
#include <iostream>
#include <random>

#include "tests/unit/packets/support.hpp"

// Two readings of one ruleset, diagrams and a walk from rule to rule, agree on every packet that is tried; and each
// script with one number changed either lets the same packets pass or is refuted. A refutation's witness was followed
// rule by rule before it was given (compiler/verify/packets.cpp).
namespace agp {
namespace {

using test::PolicyBuilder;

model::Policy drawn(std::mt19937& random) {
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  PolicyBuilder p("drawn");
  p.resolver("10.0.0.53");
  for (unsigned i = 0; i < 3 + below(4); ++i) {
    const std::string host =
        below(3) == 0 ? "fd00::" + std::to_string(1 + below(9)) : "10.0." + std::to_string(below(3)) + ".0/24";
    const int first = 1 + static_cast<int>(below(500));
    auto& body =
        p.net(below(3) ? model::Effect::Allow : model::Effect::Deny, "r" + std::to_string(i),
              below(4) ? model::Direction::Connect : model::Direction::Listen, below(2) ? test::tcp : test::tcp_udp,
              {test::at(host, test::ports({{first, first + static_cast<int>(below(9))}}))});
    if (body.direction == model::Direction::Listen && below(2)) body.from = test::addresses("10.9.0.1-10.9.0.7");
  }
  p.allow("name", test::tcp, {test::named("a.example", test::port(443))}).within = test::addresses("10.1.0.0/16");
  return p.get();
}

TEST(PacketMutants, DiagramsAndTheWalkAgree) {
  std::mt19937 random(1);
  for (int i = 0; i < 6; ++i) {
    const auto layers = test::decoded(test::emitted(drawn(random)));
    ASSERT_EQ(layers.packets.size(), 1u);
    const auto& layer = *layers.packets[0];
    std::size_t accepted = 0;
    for (int n = 0; n < 3000; ++n) {
      model::Packet p;
      const auto below = [&](unsigned m) { return static_cast<unsigned>(random() % m); };
      p.hook = static_cast<model::Hook>(below(3));
      p.state = below(3) ? model::PacketState::New : static_cast<model::PacketState>(below(5));
      p.family = below(3) ? model::PacketFamily::V4 : model::PacketFamily::V6;
      const bool v4 = p.family == model::PacketFamily::V4;
      p.user = below(2) ? 65534 : below(2) ? model::no_user : model::no_user + 1;
      constexpr std::uint8_t protocols[] = {6, 6, 17, 1, 58, 2};
      p.protocol = protocols[below(6)];
      const auto host = [&] {
        return v4 ? model::Bits128{0x0a000000u + (below(3) << 16 | below(3) << 8 | below(4))}
                  : test::address("fd00::").bits + below(11);
      };
      p.destination = host();
      p.source = below(2) ? host() : model::Bits128{0x0a090000u + below(10)};
      p.port = static_cast<std::uint16_t>(below(515));
      p.icmp_type = static_cast<std::uint8_t>(below(140));
      p.tcp_flags = static_cast<std::uint8_t>(below(256));
      p.hops = below(2) ? 255 : 64;
      p.kind = static_cast<std::uint8_t>(below(4));
      for (std::size_t m = 0; m < layer.filled.size(); ++m) p.members.push_back(below(2) != 0);
      const bool walked = layer.decide(p).accepted;
      ASSERT_EQ(layer.space->holds(layer.accepted[static_cast<std::size_t>(p.hook)], p), walked) << i << ' ' << n;
      accepted += walked;
    }
    EXPECT_GT(accepted, 100u);
  }
}

TEST(PacketMutants, AnotherNumberIsRefutedOrTheSame) {
  std::mt19937 random(2);
  std::size_t refuted = 0, same = 0, unreadable = 0;
  for (int i = 0; i < 60; ++i) {
    const model::Policy policy = drawn(random);
    const std::string script = test::emitted(policy);
    const auto original = test::decoded(script);
    ASSERT_EQ(test::proofs(policy, original).excess, "proved");
    ASSERT_EQ(test::proofs(policy, original).loss, "proved");
    // numbers of elements: not those in names and comments
    std::vector<std::size_t> digits;
    const std::size_t from = script.find("elements = {");
    bool quoted = false;
    for (std::size_t at = from; at < script.size(); ++at) {
      if (script[at] == '"') quoted = !quoted;
      if (!quoted && std::isdigit(static_cast<unsigned char>(script[at])) &&
          std::string_view(" .:-/").find(script[at - 1]) != std::string_view::npos && script[at - 1] != '\n')
        digits.push_back(at);
    }
    ASSERT_FALSE(digits.empty());
    std::string mutant = script;
    const std::size_t at = digits[random() % digits.size()];
    mutant[at] = static_cast<char>('0' + (mutant[at] - '0' + 1 + static_cast<int>(random() % 9)) % 10);
    const auto changed = test::decoded(mutant);
    if (changed.packets.empty()) {
      ++unreadable;
      continue;
    }
    const auto proof = test::proofs(policy, changed);
    EXPECT_EQ(proof.excess.find("unknown"), std::string::npos) << proof.excess;
    if (proof.excess != "proved" || proof.loss != "proved") {
      ++refuted;
    } else {
      EXPECT_TRUE(equal(*original.packets[0], *changed.packets[0])) << i << ": " << mutant.substr(at - 30, 60);
      ++same;
    }
  }
  std::cout << refuted << " refuted, " << same << " equal, " << unreadable << " refused\n";
  EXPECT_GE(refuted, 20u);
}

}  // namespace
}  // namespace agp
