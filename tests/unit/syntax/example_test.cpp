#include "tests/unit/syntax/example.hpp"

#include <gtest/gtest.h>

#include "tests/unit/syntax/support.hpp"

namespace agp::syntax::test {
namespace {

TEST(Example, ParsesWhole) {
  const Parsed p(whole_file);
  EXPECT_EQ(p.findings(), std::vector<std::string>{});
  ASSERT_EQ(p.file.items.size(), 8u);
  const auto& policy = p.item<Policy>(5);
  EXPECT_EQ(policy.name.text, "code-execution");
  EXPECT_EQ(policy.doc, "Runs untrusted code for the platform team.");
  ASSERT_EQ(policy.body.size(), 16u);
  const auto& file = std::get<FileBlock>(policy.body[6]);
  ASSERT_EQ(file.rules.size(), 3u);
  EXPECT_EQ(p.text(file.rules[0].head.span), "allow read, write  \"${workspace}/**\"");
  EXPECT_EQ(file.rules[0].verbs.size(), 2u);
  EXPECT_EQ(file.rules[0].patterns.at(0).pieces.at(0).text, "workspace");
  EXPECT_EQ(file.rules[0].patterns.at(0).pieces.at(0).kind, StringPiece::Kind::Interpolation);
  EXPECT_EQ(file.rules[0].patterns.at(0).pieces.at(1).text, "/**");
  const auto& net = std::get<NetBlock>(policy.body[7]);
  ASSERT_EQ(net.rules.size(), 2u);
  EXPECT_EQ(net.rules[0].endpoints.at(0).addresses.at(0).kind, Address::Kind::Reference);
  EXPECT_EQ(net.rules[1].endpoints.at(0).addresses.at(0).kind, Address::Kind::Host);
  EXPECT_EQ(net.rules[1].endpoints.at(0).addresses.at(0).text, "registry.internal");
  EXPECT_EQ(net.rules[1].endpoints.at(0).ports.value().at(0).low, 443u);
  ASSERT_EQ(net.resolvers.size(), 1u);
}

}  // namespace
}  // namespace agp::syntax::test
