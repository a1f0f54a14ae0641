#include "compiler/source/strict_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace agp::source {
namespace {

std::string refusal(std::string_view bytes) {
  std::string why;
  return parse_strict_json(bytes, 8, why) ? "" : why;
}

TEST(StrictJson, NamesThatStandTwice) {
  EXPECT_EQ(refusal(R"({"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]})"), "");
  EXPECT_EQ(refusal(R"({"a": 1, "b": 2, "a": 1})"), "the key `a` stands twice in one object");
  EXPECT_EQ(refusal(R"([{"x": {"a": 1, "\u0061": 1}}])"), "the key `a` stands twice in one object");
  EXPECT_EQ(refusal(R"({"": 1, "": 2})"), "the key `` stands twice in one object");
}

TEST(StrictJson, WhatIsNone) {
  for (const char* text : {"", "{", "{} {}", "{\"a\": 1,}", "\xff", "nul", "// c\n{}"})
    EXPECT_EQ(refusal(text), "it is not JSON") << text;
}

TEST(StrictJson, Depth) {
  std::string why;
  const auto deep = parse_strict_json(R"({"a": {"b": {"c": 1}}})", 1, why);
  ASSERT_TRUE(deep);
  EXPECT_FALSE(deep->contains("a") && (*deep)["a"].is_object() && (*deep)["a"].contains("b"));
  EXPECT_TRUE(parse_strict_json(std::string(1000000, '['), 8, why) == std::nullopt);
  EXPECT_TRUE(parse_strict_json(std::string(1000000, '[') + std::string(1000000, ']'), 8, why).has_value());
}

}  // namespace
}  // namespace agp::source
