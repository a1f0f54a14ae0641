#include <gtest/gtest.h>

#include "compiler/model/invariant.hpp"
#include "tests/unit/sema/support.hpp"

// Invariants are resolved with the values of the build: what the checker gets to see.
namespace agp::sema {
namespace {

std::vector<std::string> lines(const Analysed& a) {
  std::vector<std::string> out;
  for (const auto& invariant : a.unit.invariants)
    for (const auto& line : invariant.lines) out.push_back(line.text);
  return out;
}
std::string invariant(const std::string& body) { return "agp 1\ninvariant i {\n" + body + "\n}\n"; }

const model::ActionSet& never(const Analysed& a, std::size_t line = 0) {
  return std::get<model::Never>(a.unit.invariants.at(0).lines.at(line).body).a;
}
bool has(const model::ActionSet& set, const model::Action& action) { return model::includes(set, action, true); }
model::NetAction to(model::Protocol protocol, const char* address, std::uint16_t port) {
  return {model::Direction::Connect, protocol, *model::parse_v4(address), port, std::nullopt, std::nullopt};
}

TEST(Invariants, EveryFormOfALine) {
  Analysed a(R"(agp 1
let gateways = [10.0.0.0/8, 192.168.0.0/16]
param home : path = "/home"
invariant i for "code-*", "x" {
  never read "${home}/*/.ssh/**"
  never read "/config/**" with connect tcp any:* except gateways:*
  only write "/workspace/**", "/tmp/**", read "/dev/null"
  never connect any
  never connect icmp any
  never listen unix
  never connect unix except "/run/x.sock", @abstract
  never resolve registry.internal, "*.example.com"
  never syscall socket(AF_INET, SOCK_RAW), @default except read
  only capability CAP_NET_RAW, CAP_KILL except CAP_KILL
  never env "AWS_*" except "AWS_REGION"
  never tool "payments.*"
  require limit memory <= 8 GiB
  require limit cpu < 0.5
  require limit time == 90 s
  require limit pids
  require mode enforce
  require isolation container ephemeral
  require owner
  require run user
  require ephemeral
})");
  EXPECT_EQ(a.found(), std::vector<std::string>{});
  EXPECT_EQ(lines(a), (std::vector<std::string>{
                          R"(never read "/home/*/.ssh/**")",
                          R"(never read "/config/**" with connect tcp any:* except [10.0.0.0/8, 192.168.0.0/16]:*)",
                          R"(only write "/workspace/**", "/tmp/**", read "/dev/null")",
                          "never connect any",
                          "never connect icmp any",
                          "never listen unix",
                          R"(never connect unix except "/run/x.sock")",
                          R"(never resolve registry.internal, "*.example.com")",
                          "never syscall socket(arg0 == AF_INET, arg1 == SOCK_RAW), @default except read",
                          "only capability CAP_NET_RAW",
                          R"(never env "AWS_*" except "AWS_REGION")",
                          R"(never tool "payments.*")",
                          "require limit memory <= 8 GiB",
                          "require limit cpu < 0.5",
                          "require limit time == 90 s",
                          "require limit pids",
                          "require mode enforce",
                          "require isolation container",
                          "require ephemeral",
                          "require owner",
                          "require run user",
                          "require ephemeral",
                      }));
  const auto& i = a.unit.invariants.at(0);
  model::Policy policy;
  policy.name = "code-execution";
  EXPECT_TRUE(i.concerns(policy));
  policy.name = "mail";
  EXPECT_FALSE(i.concerns(policy));
  const auto& memory = std::get<model::Require>(i.lines.at(12).body);
  EXPECT_EQ(memory.bound, 8ull << 30);
  EXPECT_EQ(memory.comparison, model::Require::Comparison::Le);
  EXPECT_EQ(std::get<model::Require>(i.lines.at(13).body).bound, 500u);
  EXPECT_EQ(std::get<model::Require>(i.lines.at(15).body).comparison, std::nullopt);
  EXPECT_EQ(a.files.text(i.lines.at(3).span), "never connect any");
}

TEST(Invariants, AnEndpointLeftOutIsEveryEndpoint) {
  const Analysed a(
      invariant("never connect any\nnever connect tcp\nnever connect any any:443\n"
                "never connect unix\nnever connect unix except @abstract"));
  const auto icmp = to(model::Protocol::Icmp, "10.0.0.1", 0);
  EXPECT_TRUE(has(never(a), to(model::Protocol::Udp, "127.0.0.1", 1)));
  EXPECT_TRUE(has(never(a), icmp));
  EXPECT_FALSE(has(never(a), model::UnixAction{}));
  EXPECT_TRUE(has(never(a, 1), to(model::Protocol::Tcp, "10.0.0.1", 65535)));
  EXPECT_FALSE(has(never(a, 1), to(model::Protocol::Udp, "10.0.0.1", 1)));
  EXPECT_TRUE(has(never(a, 2), to(model::Protocol::Tcp, "10.0.0.1", 443)));
  EXPECT_FALSE(has(never(a, 2), icmp)) << "a port after any restricts tcp and udp, and leaves icmp out";
  EXPECT_TRUE(has(never(a, 3), model::UnixAction{model::Direction::Connect, "/"}));
  EXPECT_TRUE(has(never(a, 3), model::UnixAction{model::Direction::Connect, "/run/x"}));
  EXPECT_TRUE(has(never(a, 3), model::UnixAction{}));
  EXPECT_FALSE(has(never(a, 4), model::UnixAction{}));
}

TEST(Invariants, ANameIsWhateverAddressItHas) {
  const Analysed a(invariant("never connect tcp registry.internal:443\nnever resolve \"*.example.com\""));
  auto action = to(model::Protocol::Tcp, "127.0.0.1", 443);
  EXPECT_FALSE(has(never(a), action));
  action.name = "registry.internal";
  EXPECT_TRUE(has(never(a), action));
  EXPECT_TRUE(model::includes(never(a), action, false));
  EXPECT_FALSE(has(never(a), model::ResolveAction{"registry.internal"}));
  EXPECT_TRUE(has(never(a, 1), model::ResolveAction{"a.b.example.com"}));
  EXPECT_FALSE(has(never(a, 1), model::ResolveAction{"example.com"}));
}

TEST(Invariants, ArgumentsByPositionAndByName) {
  const Analysed a(invariant("never syscall socket(AF_INET, type == SOCK_RAW)"));
  EXPECT_EQ(a.found(), std::vector<std::string>{});
  EXPECT_TRUE(has(never(a), model::SyscallAction{"socket", {2, 3}}));
  EXPECT_FALSE(has(never(a), model::SyscallAction{"socket", {2, 1}}));
  EXPECT_FALSE(has(never(a), model::SyscallAction{"socket", {10, 3}}));
}

TEST(Invariants, FromAnotherFileWithTheWayThere) {
  Analysed a("agp 1\nuse \"./a.agp\"\npolicy p { }\n",
             {{"a.agp", "agp 1\nuse \"./b.agp\"\n"},
              {"b.agp", "agp 1\nlet size = 1 GiB\n/// Doc.\ninvariant i { require limit memory <= size }\n"}});
  ASSERT_EQ(a.unit.invariants.size(), 1u);
  const auto& i = a.unit.invariants[0];
  EXPECT_EQ(lines(a), (std::vector<std::string>{"require limit memory <= 1 GiB"}));
  EXPECT_EQ(i.doc, "Doc.");
  ASSERT_EQ(i.used_by.size(), 2u);
  EXPECT_EQ(a.files.text(i.used_by[0]), "use \"./a.agp\"");
  EXPECT_EQ(a.files.text(i.used_by[1]), "use \"./b.agp\"");
}

TEST(Invariants, MistakesAreFoundOnceEach) {
  const auto found = [](const std::string& body) { return Analysed(invariant(body)).found(); };
  using Found = std::vector<std::string>;
  EXPECT_EQ(found("never read \"relative\""), (Found{"AGP1062 \"relative\""}));
  EXPECT_EQ(found("never connect tcp 10.0.0.1"), (Found{"AGP1066 10.0.0.1"}));
  EXPECT_EQ(found("never connect sctp"), (Found{"AGP1071 sctp"}));
  EXPECT_EQ(found("never connect"), (Found{"AGP1071 connect"}));
  EXPECT_EQ(found("never connect tcp nowhere:1"), (Found{"AGP1050 nowhere"}));
  EXPECT_EQ(found("never listen tcp a.b:1"), (Found{"AGP1067 a.b:1"}));
  EXPECT_EQ(found("never resolve 10.0.0.1"), (Found{"AGP1067 10.0.0.1"}));
  EXPECT_EQ(found("never syscall nothing"), (Found{"AGP1072 nothing"}));
  EXPECT_EQ(found("only capability CAP_NONE"), (Found{"AGP1080 CAP_NONE"}));
  EXPECT_EQ(found("require limit memory <= 8"), (Found{"AGP1086 8"}));
  EXPECT_EQ(found("require limit discs <= 8"), (Found{"AGP1085 discs"}));
  EXPECT_EQ(found("require isolation ephemeral container"), (Found{"AGP1084 container"}));
  EXPECT_EQ(found("only tool \"a\" except \"${x}\""), (Found{"AGP1050 ${x}"}));
}

TEST(Invariants, AnEmptySetIsAMistake) {
  Analysed a("agp 1\nlet none = []\ninvariant i { never read \"/a/${none}\" }\n");
  EXPECT_EQ(a.found().size(), 1u);
  EXPECT_TRUE(a.unit.invariants.at(0).lines.empty());
}

}  // namespace
}  // namespace agp::sema
