// The statements of the language's reference, one after the other, each with a question that only it answers. What has
// a test of its own (addresses, values, strings, mistakes) is not repeated here.
#include <gtest/gtest.h>

#include "tests/unit/sema/support.hpp"

namespace agp::sema {
namespace {

/// The decisions of a policy for actions, as "allow write …" lines that must hold.
void holds(const std::string& body, const std::vector<std::string>& lines) {
  Analysed a(in_policy(body));
  ASSERT_EQ(a.found(), std::vector<std::string>{}) << body;
  for (const std::string& line : lines) {
    const std::string effect = line.substr(0, line.find(' ')), action = line.substr(line.find(' ') + 1);
    const auto expected = effect == "allow" ? Allow : effect == "ask" ? Ask : Deny;
    EXPECT_EQ(a.decide(action), expected) << body << "\n" << line;
  }
}
std::vector<std::string> found(const std::string& text) { return Analysed(text).found(); }
std::vector<std::string> found_in(const std::string& body) { return found(in_policy(body)); }
using Found = std::vector<std::string>;

TEST(Contract, EffectsAndOrder) {
  const std::vector<std::string> lines = {"deny read \"/a/x\"", "ask read \"/a/y\"", "allow read \"/a/z\"",
                                          "deny read \"/b\""};
  holds(R"(file { deny read "/a/x" ask read "/a/y", "/a/x" allow read "/a/**" })", lines);
  holds(R"(file { allow read "/a/**" } file { ask read "/a/y", "/a/x" } file { deny read "/a/x" })", lines);
}

TEST(Contract, Verbs) {
  holds(R"(file { allow read "/r" allow write "/w" allow exec "/x" allow list "/l" allow create "/c" allow modify "/m"
                  allow delete "/d" })",
        {"allow list \"/r\"", "deny exec \"/r\"", "deny modify \"/r\"", "allow modify \"/w\"", "allow create \"/w\"",
         "allow delete \"/w\"", "deny read \"/w\"", "deny list \"/w\"", "allow exec \"/x\"", "deny read \"/x\"",
         "allow list \"/l\"", "deny read \"/l\"", "allow create \"/c\"", "deny write \"/c\"", "allow modify \"/m\"",
         "deny delete \"/m\"", "allow delete \"/d\"", "deny create \"/d\""});
}

TEST(Contract, Patterns) {
  holds(R"(file { allow exec "/a/*", "/b/*.txt", "/c/x?z", "/d/{one,two}.so", "/e/**/end", "/f/**", "/g", "/h/*/k" })",
        {"allow exec \"/a/.hidden\"", "deny exec \"/a\"",
         "deny exec \"/a/b/c\"",      "allow exec \"/b/.txt\"",
         "allow exec \"/b/a.b.txt\"", "deny exec \"/b/c/d.txt\"",
         "allow exec \"/c/xyz\"",     "deny exec \"/c/xz\"",
         "deny exec \"/c/xyyz\"",     "allow exec \"/c/x\xc3\xa4z\"",
         "allow exec \"/d/two.so\"",  "deny exec \"/d/three.so\"",
         "allow exec \"/e/end\"",     "allow exec \"/e/a/b/end\"",
         "deny exec \"/e/end/x\"",    "deny exec \"/f\"",
         "allow exec \"/f/x\"",       "allow exec \"/f/x/y\"",
         "allow exec \"/g\"",         "deny exec \"/g/x\"",
         "allow exec \"/h/.x/k\"",    "deny exec \"/h/k\""});
  holds(R"(file { allow read "/a/**", "/b/*", "/c/*.txt" })",
        {"allow list \"/a\"", "deny read \"/a\"", "allow list \"/b\"", "deny list \"/c\"", "allow list \"/a/b\""});
  holds(R"(file { allow list "/a" })", {"allow list \"/a\"", "deny list \"/a/b\""});
  holds(R"(file { allow read "/**" allow exec "/" })", {"allow list \"/\"", "allow read \"/x/y\"", "allow exec \"/\""});
  holds(R"(file { allow read "/a\*", "/b\?", "/c\{d\}", "/e\$", "/f\\", "/\u{e4}" })",
        {"allow read \"/a\\*\"", "deny read \"/ax\"", "allow read \"/b\\?\"", "allow read \"/c\\{d\\}\"",
         "allow read \"/e\\$\"", "allow read \"/f\\\\\"", "allow read \"/\xc3\xa4\""});
}

TEST(Contract, ExceptTakesFromEveryPatternBeforeIt) {
  holds(R"(file { allow exec "/a/**", "/b/**" except "/a/x", "/b/y/**" })",
        {"deny exec \"/a/x\"", "allow exec \"/a/y\"", "deny exec \"/b/y/z\"", "allow exec \"/b/y\""});
  holds(R"(file { deny read "/a/**" except "/a/x" allow read "/a/**" })",
        {"allow read \"/a/x\"", "deny read \"/a/y\""});
  holds(R"(net { allow connect tcp 10.0.0.0/8:* except 10.0.0.1:22, 10.9.0.0/16:* })",
        {"deny connect tcp 10.0.0.1:22", "allow connect tcp 10.0.0.1:23", "deny connect tcp 10.9.9.9:1"});
  holds(R"(capability { allow CAP_KILL, CAP_CHOWN except CAP_KILL })",
        {"deny capability CAP_KILL", "allow capability CAP_CHOWN"});
  holds(R"(syscall { allow @default except read, socket(domain == AF_INET) })",
        {"deny syscall read", "allow syscall write", "deny syscall socket(AF_INET)", "allow syscall socket(AF_UNIX)"});
  holds(R"(tool { allow "a.*" except "a.b" })", {"deny tool \"a.b\"", "allow tool \"a.c.d\""});
  holds(R"(net { allow connect unix "/run/**", @abstract except "/run/x", @abstract })",
        {"allow connect unix \"/run/y\"", "deny connect unix \"/run/x\"", "deny connect unix @abstract"});
}

TEST(Contract, Endpoints) {
  holds(R"(net { allow connect any any:443 allow connect any 10.0.0.0/8:* allow connect icmp 192.168.0.1 })",
        {"allow connect tcp 8.8.8.8:443", "allow connect udp [fd00::1]:443", "deny connect icmp 8.8.8.8",
         "allow connect icmp 10.0.0.1", "allow connect tcp [::ffff:10.0.0.1]:1", "allow connect icmp 192.168.0.1",
         "deny connect tcp 192.168.0.1:1"});
  holds(R"(net { allow connect tcp [::/0]:1 })", {"deny connect tcp 10.0.0.1:1", "allow connect tcp [fd00::1]:1"});
  holds(R"(net { allow connect tcp [::ffff:10.0.0.0/104]:1 })",
        {"allow connect tcp 10.0.0.1:1", "deny connect tcp 11.0.0.1:1"});
  holds(R"(net { allow connect tcp [10.0.0.1, 10.0.0.3-10.0.0.4]:[80, 8000-8001] })",
        {"allow connect tcp 10.0.0.4:8001", "deny connect tcp 10.0.0.2:80", "deny connect tcp 10.0.0.1:81"});
  holds(R"(net { allow listen tcp 127.0.0.1:8080 from 10.0.0.0/8 })",
        {"allow listen tcp 127.0.0.1:8080", "deny connect tcp 127.0.0.1:8080"});
  holds(R"(net { allow connect tcp 127.0.0.1:*, [::1]:* })", {"allow connect tcp 127.0.0.1:1"});
}

TEST(Contract, Names) {
  const std::string body = R"(net { resolver 10.0.0.53 allow connect tcp "*.example.com":443, "postgres":5432
                                    allow connect tcp a.internal:1 within 127.0.0.0/8
                                    deny connect tcp 169.254.0.0/16:* })";
  holds(body, {"allow connect tcp a.example.com:443", "allow connect tcp a.b.example.com:443",
               "deny connect tcp \"example.com\":443", "allow connect tcp \"postgres\":5432",
               "allow resolve a.b.example.com", "deny resolve example.org", "allow resolve a.internal",
               "allow connect tcp a.internal:1", "deny connect tcp a.internal:2", "deny connect tcp 127.0.0.1:1"});
}

TEST(Contract, LocalSockets) {
  holds(R"(net { allow connect unix "/run/*.sock" allow listen unix @abstract })",
        {"allow connect unix \"/run/x.sock\"", "deny listen unix \"/run/x.sock\"", "allow listen unix @abstract",
         "deny connect unix @abstract", "deny create \"/run/x.sock\""});
}

TEST(Contract, SystemCalls) {
  holds(
      R"(syscall { allow socket(domain == AF_INET, type in [SOCK_STREAM, SOCK_DGRAM]), openat(flags & (O_WRONLY | O_RDWR) == 0)
                     allow lseek(offset <= 5), lseek(offset >= 10, offset != 11), kill() deny kill(sig == 9) kill })",
      {"allow syscall socket(AF_INET, SOCK_STREAM)", "deny syscall socket(AF_INET, SOCK_RAW)",
       "deny syscall socket(AF_UNIX, SOCK_STREAM)", "allow syscall openat(0, 0, 0)",
       "deny syscall openat(0, 0, O_RDWR)", "allow syscall lseek(0, 5)", "deny syscall lseek(0, 6)",
       "allow syscall lseek(0, 10)", "deny syscall lseek(0, 11)", "deny syscall kill(1, 9)", "allow syscall kill(1, 8)",
       "allow syscall kill(sig == 8)"});
  holds("syscall { allow ioctl(arg1 == 5) }", {"allow syscall ioctl(0, 5)", "deny syscall ioctl(0, 6)"});
  holds("", {"deny syscall socket(AF_INET)", "allow syscall socket(AF_UNIX)", "allow syscall read"});
  holds("net { allow connect unix \"/x\" }", {"deny syscall socket(AF_INET)"});
  holds("net { allow listen tcp 127.0.0.1:1 }", {"allow syscall socket(AF_INET)"});
  holds("syscall { }", {"deny syscall read"});
  EXPECT_EQ(found_in("syscall { deny read errno EACCES deny read errno ENOENT }").size(), 1u);
  EXPECT_EQ(found_in("syscall { deny read errno EACCES deny read kill }"), Found{});
  EXPECT_EQ(found_in("let").size(), 1u);
}

TEST(Contract, ConstantsInConditions) {
  EXPECT_EQ(found("agp 1\nlet family = 2\npolicy p { syscall { allow socket(domain == family) } }"), Found{});
  EXPECT_EQ(found("agp 1\nlet family = \"x\"\npolicy p { syscall { allow socket(domain == family) } }"),
            (Found{"AGP1056 family"}));
}

TEST(Contract, NumbersBesideRangesArePorts) {
  EXPECT_EQ(found("agp 1\nparam p : [port] = [443, 8000-8999]\nlet q = [8000-8001, 1, 2]\nlet both = [p, q]\n"
                  "policy x { net { allow connect tcp any:both } }"),
            Found{});
  EXPECT_EQ(found("agp 1\nlet q = [8000-8001, 70000]\npolicy x { net { allow connect tcp any:q } }").size(), 1u);
}

TEST(Contract, EnvAndTool) {
  holds(R"(env { allow "LC_*", "A?" } tool { allow "a.*" ask "*" deny "b" })",
        {"allow env \"LC_ALL\"", "allow env \"AB\"", "deny env \"A\"", "ask tool \"a.b.c\"", "deny tool \"b\"",
         "ask tool \"z\""});
}

TEST(Contract, LimitsTakeTheSmaller) {
  const Analysed a(
      "agp 1\nfragment f { limit { memory 1 GiB pids 7 cpu 0.5 } }\n"
      "policy p { include f limit { memory 2GiB pids 5 cpu 2 time 1 d files 9 } }");
  EXPECT_EQ(a.found(), Found{});
  const auto& l = a.policy().limits;
  EXPECT_EQ(l.memory_bytes->value, 1ull << 30);
  EXPECT_EQ(l.pids->value, 5u);
  EXPECT_EQ(l.cpu_milli->value, 500u);
  EXPECT_EQ(l.time_ms->value, 86400000u);
  EXPECT_EQ(l.files->value, 9u);
}

TEST(Contract, FragmentsHoldWhatTheyMay) {
  EXPECT_EQ(found(R"(agp 1
fragment f(p : path = "/a", q : [int] = [1, 2], s : size = 1 B, d : duration = 1 s, h : host = a.b, o : port = 1-2,
           a : address = [::1], t : string = "x",) {
  file { allow read "${p}/${t}" } net { allow connect tcp h:o resolver 10.0.0.1 allow connect tcp a:1 }
  limit { memory s time d } on deny { log alert P5 for file, connect } tool { ask "x" risk low }
}
policy p { include f(p: "/b", a: 10.0.0.0-10.0.0.9,) })"),
            Found{});
  for (const char* s : {"run { }", "owner \"x\"", "satisfies \"x\"", "mode enforce", "isolation process",
                        "accept unenforced user because \"x\""})
    EXPECT_EQ(found("agp 1\nfragment f { " + std::string(s) + " }").size(), 1u) << s;
}

TEST(Contract, Headers) {
  const Analysed a(
      in_policy("owner \"o\" satisfies \"A\", \"B\" isolation microvm ephemeral mode audit for net, file"));
  EXPECT_EQ(a.found(), Found{});
  EXPECT_EQ(a.policy().owner, "o");
  EXPECT_EQ(a.policy().satisfies, (std::vector<std::string>{"A", "B"}));
  EXPECT_TRUE(a.policy().ephemeral);
  EXPECT_EQ(a.policy().isolation, model::Isolation::MicroVm);
  EXPECT_TRUE(a.policy().audits("net"));
  EXPECT_FALSE(a.policy().audits("syscall"));
  const Analysed plain(in_policy(""));
  EXPECT_EQ(plain.policy().isolation, model::Isolation::Container);
  EXPECT_FALSE(plain.policy().ephemeral);
  EXPECT_TRUE(Analysed(in_policy("mode audit")).policy().audits("syscall"));
}

TEST(Contract, AcceptsNameEveryKindOfFact) {
  Analysed a(in_policy(R"(
    accept unenforced tool because "x"             accept unenforced limit cpu because "x"
    accept wider user because "x"                  accept narrower mount "/x" because "x" until 2030-01-01
    accept unenforced mode because "x"             accept unenforced write "/a/**" because "x"
    accept unenforced connect tcp 10.0.0.1:1 because "x"
    accept unenforced syscall read because "x"     accept unenforced capability CAP_KILL because "x"
    accept unenforced env "A" because "x"          accept unenforced connect unix @abstract because "x"
    accept unenforced file because "x"             accept unenforced run because "x"
    accept unenforced limit because "x")"));
  EXPECT_EQ(a.found(), Found{});
  EXPECT_EQ(a.policy().accepts.size(), 14u);
}

TEST(Contract, ModulesAndNames) {
  const std::map<std::string, std::string> others = {
      {"lib.agp",
       "agp 1\nlet x = 1\nfragment lib { file { allow read \"/lib\" } }\nfragment other { file { allow read "
       "\"/other\" } }"}};
  const auto with = [&](const std::string& text) { return Analysed("agp 1\n" + text, others).found(); };
  EXPECT_EQ(with("use \"./lib.agp\"\npolicy p { include lib include lib.other }"), Found{});
  EXPECT_EQ(with("use \"./lib.agp\" as m\npolicy p { include m include m.other include m.lib }"), Found{});
  EXPECT_EQ(with("use \"./lib.agp\" as m\npolicy p { include lib }"), (Found{"AGP1058 lib"}));
  EXPECT_EQ(with("use \"./lib.agp\"\npolicy p { include other }"), (Found{"AGP1058 other"}));
  EXPECT_EQ(with("use \"./lib.agp\"\npolicy p { limit { pids x } }"), (Found{"AGP1050 x"}));
  EXPECT_EQ(with("use std.runtime.python as py\npolicy p { include py include py.python }"), Found{});
  EXPECT_EQ(with("policy p { include std.runtime.python }").size(), 1u);
}

TEST(Contract, WordsAreKeywordsOnlyWhereTheyAreExpected) {
  EXPECT_EQ(found("agp 1\nlet file = 1\nlet policy = [file]\nparam use : [int] = policy\nfragment net(min : int = 1) { "
                  "limit { pids "
                  "min } }\npolicy test { include net(min: file) }\ntest test { deny read \"/\" }"),
            Found{});
  for (const char* word : {"allow", "ask", "deny", "any"})
    EXPECT_FALSE(found("agp 1\nlet " + std::string(word) + " = 1").empty()) << word;
}

TEST(Contract, ANameThatIsUsedAtManyPlacesIsUnknownOnce) {
  EXPECT_EQ(
      found_in("file { allow read \"${x}/a\", \"${x}/b\" } limit { pids x } net { allow connect tcp x:1 }").size(), 1u);
}

}  // namespace
}  // namespace agp::sema
