#include "compiler/lint/guards.hpp"
#include "tests/unit/lint/support.hpp"

// What a name of the library's egress may stand for: nothing of the inside.
namespace agp::lint {
namespace {

namespace kind = diagnostics::kind;
using model::AddressSet;

std::string egress(const std::string& uses, const std::string& body) {
  return "agp 1\n" + uses + "policy p {\n  isolation process\n  " + body + "\n  net { resolver 10.0.0.53 }\n}\n";
}

TEST(Library, ThePublicInternetHasNothingOfTheInside) {
  AddressSet inside = model::never_by_name();
  for (const model::Rule& rule : guard("std.guard.private"))
    for (const auto& e : std::get<model::NetBody>(rule.body).endpoints) inside = inside | e.pattern.addresses;
  const std::string uses = "use std.egress.forges\nuse std.egress.models\n";
  for (const char* include :
       {"include std.egress.models.anthropic", "include std.egress.models.openai", "include std.egress.models.gemini",
        "include std.egress.models.mistral", "include std.egress.forges.github", "include std.egress.forges.gitlab",
        "include std.egress.forges.codeberg", "include std.egress.forges.forge(name: git.example.com)"}) {
    const Linted l(egress(uses, include));
    EXPECT_EQ(l.count(kind::unbounded_name), 0u) << include;
    std::size_t names = 0;
    for (const model::Rule& rule : l.policy().rules) {
      const auto* net = std::get_if<model::NetBody>(&rule.body);
      if (!net || !net->endpoints.front().pattern.name) continue;
      ++names;
      const AddressSet reach = model::reachable_by_name(l.policy(), rule, model::Protocol::Tcp, 443);
      EXPECT_EQ((reach & inside).size(), 0u) << include;
      for (const std::uint32_t outside :
           {0x01010101u, 0x09090909u, 0x643fffffu, 0x80000001u, 0xac0fffffu, 0xc0a70001u, 0xdfffffffu})
        EXPECT_TRUE(reach.contains(model::Address::v4(outside))) << include << " " << std::hex << outside;
    }
    EXPECT_GE(names, 1u) << include;
  }
}

TEST(Library, EverythingIsNoBound) {
  const std::string uses = "use std.egress.registry\nuse std.guard.private\n";
  const auto count = [&](const std::string& within, const std::string& more = "") {
    return Linted(
               egress(uses, more + "include std.egress.registry(mirror: packages.example.com, within: " + within + ")"))
        .count(kind::unbounded_name);
  };
  EXPECT_EQ(count("[0.0.0.0/0, [::/0]]"), 1u);
  EXPECT_EQ(count("[0.0.0.0/1]"), 1u) << "half of them";
  EXPECT_EQ(count("[[::/0]]"), 1u);
  EXPECT_EQ(count("[10.0.0.0/8]"), 0u) << "who says so means it";
  EXPECT_EQ(count("[0.0.0.0/0, [::/0]]", "include std.guard.private\n  "), 0u);
}

}  // namespace
}  // namespace agp::lint
