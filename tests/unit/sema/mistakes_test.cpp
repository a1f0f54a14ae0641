#include "tests/unit/sema/support.hpp"

// What golden cases can't show: chains and circles of files, limits that take large texts, and that nothing vanishes in
// silence.
namespace agp::sema {
namespace {

using Found = std::vector<std::string>;

TEST(Files, ACircleIsOneFinding) {
  Analysed a("agp 1\nuse \"./a.agp\"\npolicy p { include a }\n",
             {{"a.agp", "agp 1\nuse \"./b.agp\"\nfragment a { include b }\n"},
              {"b.agp", "agp 1\nuse \"./a.agp\"\nfragment b { include a }\n"}});
  ASSERT_EQ(a.found(), Found{"AGP1053 use \"./a.agp\""});
  EXPECT_EQ(a.sink.all()[0].notes, Found{"the circle is a.agp -> b.agp -> a.agp"});
}

TEST(Files, AFileMayUseItselfOverNoWay) {
  EXPECT_EQ(Analysed("agp 1\nuse \"./test.agp\" as me\n").found(), Found{"AGP1053 use \"./test.agp\" as me"});
  // used twice is no circle
  Analysed twice("agp 1\nuse \"./a.agp\"\nuse \"./b.agp\"\npolicy p { include a include b }\n",
                 {{"a.agp", "agp 1\nuse \"./c.agp\"\nfragment a { include c }\n"},
                  {"b.agp", "agp 1\nuse \"./c.agp\"\nfragment b { include c }\n"},
                  {"c.agp", "agp 1\nfragment c { limit { pids 5 } }\n"}});
  EXPECT_EQ(twice.found(), Found{});
}

TEST(Files, AMissingFileIsSaidOnce) {
  Analysed a("agp 1\nuse \"./gone.agp\"\npolicy p { include gone include gone.other }\n");
  EXPECT_EQ(a.found(), Found{"AGP0001 \"./gone.agp\""});
  Analysed m("agp 1\nuse std.runtime.pyhton\npolicy p { include std.runtime.pyhton }\n");
  ASSERT_EQ(m.found(), Found{"AGP1052 std.runtime.pyhton"});
  EXPECT_EQ(m.sink.all()[0].help, "did you mean `std.runtime.python`");
}

TEST(Files, AMistakeInASharedFileIsSaidOnce) {
  const std::map<std::string, std::string> lib = {{"lib.agp", "agp 1\nfragment lib { file { allow raed \"/a\" } }\n"}};
  Analysed a(
      "agp 1\nuse \"./lib.agp\"\npolicy p { include lib }\npolicy q { include lib }\ntest p { deny read \"/b\" }\n",
      lib);
  EXPECT_EQ(a.found(), Found{"AGP1070 raed"});
  EXPECT_TRUE(a.unit.failed);
}

TEST(Files, AnUnknownTypeElsewhereDoesNotRemoveAnInclude) {
  Analysed a("agp 1\nuse \"./lib.agp\"\npolicy p { file { allow read \"/**\" } include lib }\n",
             {{"lib.agp", "agp 1\nfragment lib(d : dir = \"/secret\") { file { deny read \"${d}/**\" } }\n"}});
  EXPECT_EQ(a.found(), Found{"AGP1060 dir"});
}

TEST(Files, ALongChainEndsInAFinding) {
  std::map<std::string, std::string> files;
  for (int i = 0; i < 500; ++i)
    files["f" + std::to_string(i) + ".agp"] = "agp 1\nuse \"./f" + std::to_string(i + 1) + ".agp\"\n";
  Analysed a("agp 1\nuse \"./f0.agp\"\n", files);
  ASSERT_EQ(a.sink.all().size(), 1u);
  EXPECT_EQ(a.sink.all()[0].kind->number, 1093);
}

TEST(Limits, ConstantsThatNeedConstants) {
  std::string forward = "agp 1\n", backward = "agp 1\nlet c0 = 1\n";
  for (int i = 0; i < 2000; ++i) {
    forward += "let c" + std::to_string(i) + " = c" + std::to_string(i + 1) + "\n";
    backward += "let c" + std::to_string(i + 1) + " = c" + std::to_string(i) + "\n";
  }
  forward += "let c2000 = 1\n";
  Analysed deep(forward);
  ASSERT_FALSE(deep.sink.all().empty());
  for (const auto& d : deep.sink.all()) EXPECT_EQ(d.kind->number, 1093);
  EXPECT_EQ(deep.sink.all().size(), 1u);
  EXPECT_EQ(Analysed(backward).found(), Found{});  // each needs only the one before it, which is known
}

TEST(Limits, Fragments) {
  std::string chain = "agp 1\n";
  for (int i = 0; i < 500; ++i)
    chain += "fragment f" + std::to_string(i) + " { include f" + std::to_string(i + 1) + " }\n";
  chain += "fragment f500 { limit { pids 5 } }\npolicy p { include f0 }\n";
  Analysed a(chain);
  ASSERT_FALSE(a.sink.all().empty());
  for (const auto& d : a.sink.all()) EXPECT_EQ(d.kind->number, 1093);
}

TEST(Silence, NothingVanishes) {
  // each was once taken without a word: a rule, a test line or a whole include left out
  EXPECT_EQ(Analysed(in_policy("net { deny connect any }")).found(), Found{"AGP1066 connect any"});
  EXPECT_EQ(Analysed(in_policy("net { allow connect unix 10.0.0.1:80 }")).found(), Found{"AGP1063 10.0.0.1:80"});
  EXPECT_EQ(Analysed(in_policy("net { allow connect tcp @abstract }")).found(), Found{"AGP1063 @abstract"});
  EXPECT_EQ(Analysed(in_policy("net { allow connect tcp, unix \"/run/x\" }")).found(), Found{"AGP1071 unix"});
  const std::string dirs = "agp 1\nparam dirs : [path] = [\"/a\", \"/b\"]\n";
  Analysed lines(dirs + "policy p { file { allow read \"/a/x\" } }\ntest p { deny read \"${dirs}/x\" }\n");
  ASSERT_EQ(lines.found(), Found{});
  ASSERT_EQ(lines.unit.tests.at(0).lines.size(), 1u);
  EXPECT_EQ(lines.unit.tests[0].lines[0].actions.size(), 4u);  // two paths; to read is to list as well
  Analysed empty(
      "agp 1\nparam none : [path] = []\npolicy p { file { allow read \"/a\" } }\ntest p { deny read \"${none}/x\" }\n");
  EXPECT_EQ(empty.found(), Found{"AGP1063 \"${none}/x\""});
  EXPECT_EQ(Analysed(dirs + "policy p { owner \"${dirs}\" }\n").found(), Found{"AGP1069 \"${dirs}\""});
  EXPECT_EQ(Analysed("agp 1\nparam none : [path] = []\npolicy p { owner \"${none}\" }\n").found(),
            Found{"AGP1069 \"${none}\""});
}

TEST(Silence, ExceptTakesAbstractSocketsOut) {
  Analysed a(in_policy("net { allow connect unix \"/run/**\", @abstract except @abstract }"));
  ASSERT_EQ(a.found(), Found{});
  EXPECT_EQ(a.decide("connect unix \"/run/x\""), Allow);
  EXPECT_EQ(a.decide("connect unix @abstract"), Deny);
}

TEST(OneMistake, OneFinding) {
  const std::pair<const char*, Found> cases[] = {
      {"net { resolver 10.0.0.53 allow connect tcp \"A.internal\":443 within 10.0.0.0/8 }", {"AGP1067 \"A.internal\""}},
      {"net { resolver 10.0.0.53 allow connect tcp a.internal within 10.0.0.0/8 }", {"AGP1066 a.internal"}},
      {"net { allow connect tcp a.internal:443 resolver 10.0.0.0/8 }", {"AGP1064 10.0.0.0/8"}},
      {"net { ask connect tcp 10.0.0.1:443 risk high } syscall { ask reboot risk low }", {}},
      {"owner \"${x}\"", {"AGP1050 ${x}"}},
      {"tool { ask \"a\" } accept narrower tool because \"${x}\"", {"AGP1050 ${x}"}},
  };
  for (const auto& [body, expected] : cases) EXPECT_EQ(Analysed(in_policy(body)).found(), expected) << body;
  EXPECT_EQ(Analysed("agp 1\npolicy p { file { allow read \"/a\" } }\ntest p { deny connect tcp 10.0.0.256:53 }\n")
                .sink.all()
                .size(),
            1u);
  EXPECT_EQ(Analysed("agp 1\npolicy p { file { allow read \"/a\" } }\ntest p { deny connect tcp 8.8.8.8 }\n").found(),
            Found{"AGP1066 8.8.8.8"});
}

TEST(OneMistake, WhatDidNotParseIsNotUnknownToo) {
  Analysed a(
      "agp 1\nlet gateway = = 10.0.0.1\nfragment f(p : path = ) { limit { pids 5 } }\npolicy p { include f net { allow "
      "connect tcp gateway:443 } }\n");
  for (const auto& d : a.sink.all()) EXPECT_LT(d.kind->number, 1050) << d.message;
  EXPECT_FALSE(a.sink.all().empty());
  // a name that stands nowhere else is unknown still
  Analysed b("agp 1\nlet gateway = = 3\npolicy p { net { allow connect tcp gatewaz:443 } }\n");
  EXPECT_EQ(b.sink.all().back().kind->number, 1050);
}

TEST(Denials, ConflictsOnlyWhereBothCanHappen) {
  const std::pair<const char*, std::size_t> cases[] = {
      {"deny ioctl(cmd == TIOCSTI) errno EPERM deny ioctl(cmd == TIOCLINUX) errno ENOTTY", 0},
      {"deny ioctl(cmd == TIOCSTI) errno EPERM deny ioctl(cmd in [TIOCLINUX, TIOCGWINSZ]) errno ENOTTY", 0},
      {"deny ioctl(cmd == TIOCSTI) errno EPERM deny ioctl(cmd in [TIOCLINUX, TIOCSTI]) errno ENOTTY", 1},
      {"deny ioctl(cmd == 5) errno EPERM deny ioctl(cmd > 5) errno ENOTTY", 0},
      {"deny ioctl(cmd == 5) errno EPERM deny ioctl(cmd >= 5) errno ENOTTY", 1},
      {"deny ioctl(cmd == 5) errno EPERM deny ioctl(fd == 5) errno ENOTTY", 1},
      {"deny ioctl except ioctl(cmd == 5) errno EPERM deny ioctl(cmd == 5) errno ENOTTY", 0},
      {"deny ioctl(cmd == 5) errno EPERM deny ioctl kill", 0},
      {"deny ioctl errno EPERM deny ioctl errno EPERM", 0},
      {"deny ioctl errno EPERM deny ioctl errno ENOTTY deny read errno EPERM deny read errno ENOSYS", 2},
  };
  for (const auto& [rules, expected] : cases) {
    Analysed a(in_policy("syscall { allow @default " + std::string(rules) + " }"));
    std::size_t conflicts = 0;
    for (const auto& d : a.sink.all()) conflicts += d.kind->number == 1079;
    EXPECT_EQ(conflicts, expected) << rules;
    EXPECT_EQ(a.sink.all().size(), expected) << rules;
  }
}

TEST(Syscalls, OneThatSomeArchitecturesLack) {
  Options o;
  o.archs = {linux::Arch::x86_64, linux::Arch::riscv64};
  Analysed a(in_policy("syscall { allow read, open }"), {}, o);
  ASSERT_EQ(a.found(), Found{"AGP1073 open"});
  EXPECT_EQ(a.sink.errors(), 0u);
  EXPECT_FALSE(a.unit.failed);
}

TEST(Fragments, AreCheckedWithoutAPolicy) {
  EXPECT_EQ(Analysed("agp 1\nfragment f { file { allow raed \"/a\" } }\n").found(), Found{"AGP1070 raed"});
  EXPECT_EQ(
      Analysed("agp 1\nfragment f { file { allow raed \"/a\" } }\npolicy p { file { allow read \"/a\" } }\n").found(),
      Found{"AGP1070 raed"});
  // the resolver is the policy's
  EXPECT_EQ(Analysed("agp 1\nfragment f { net { allow connect tcp a.internal:443 } }\n").found(), Found{});
}

}  // namespace
}  // namespace agp::sema
