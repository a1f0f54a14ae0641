// What each construct of the language becomes in the tree.
#include <gtest/gtest.h>

#include "tests/unit/syntax/dump.hpp"
#include "tests/unit/syntax/support.hpp"

namespace agp::syntax::test {
namespace {

const std::vector<std::string> nothing;

std::string item(const std::string& text) {
  const Parsed p("agp 1\n" + text);
  EXPECT_EQ(p.findings(), nothing) << text;
  return p.file.items.size() == 2 ? dump(p.file.items[1]) : fmt::format("{} items", p.file.items.size());
}
std::string statement(const std::string& text) {
  const Parsed p("agp 1 policy p {" + text + "}");
  EXPECT_EQ(p.findings(), nothing) << text;
  if (p.file.items.size() != 2) return "no policy";
  const auto& body = p.item<Policy>(1).body;
  return body.size() == 1 ? dump(body[0]) : fmt::format("{} statements", body.size());
}
std::string value(const std::string& text) {
  const Parsed p("agp 1 let x = " + text);
  EXPECT_EQ(p.findings(), nothing) << text;
  return p.file.items.size() == 2 ? dump(p.item<Let>(1).value) : "no let";
}
std::string action(const std::string& text) {
  source::Files files;
  diagnostics::Sink sink;
  const auto made = parse_action(files, files.add("action", text), sink);
  EXPECT_TRUE(made) << text << (sink.all().empty() ? "" : sink.all()[0].message);
  return made ? dump(*made) : "nothing";
}

TEST(Constructs, Use) {
  EXPECT_EQ(item("use std.a.b"), "use module=std.a.b");
  EXPECT_EQ(item("use std.a.b as c"), "use module=std.a.b as=c");
  EXPECT_EQ(item("use local"), "use module=local");
  EXPECT_EQ(item("use \"./x.agp\" as as"), "use path=\"./x.agp\" as=as");
}

TEST(Constructs, Parameters) {
  EXPECT_EQ(item("param p : path"), "param p:path");
  EXPECT_EQ(item("param p : [path] = [\"/a\", \"/b\",]"), "param p:[path] =[\"/a\" \"/b\"]");
  EXPECT_EQ(item("/// one\n///   two \n// not\nparam p : int = 0x1F"), "param p:int =31 doc=[one\n  two]");
}

TEST(Constructs, Values) {
  EXPECT_EQ(value("2"), "2");
  EXPECT_EQ(value("0.5"), "decimal:0.5");
  EXPECT_EQ(value("4 GiB"), "size:4GiB");
  EXPECT_EQ(value("4GiB"), "size:4GiB");
  EXPECT_EQ(value("4Gib"), "size:4Gib");
  EXPECT_EQ(value("10 min"), "time:10min");
  EXPECT_EQ(value("10min"), "time:10min");
  EXPECT_EQ(value("3 d"), "time:3d");
  EXPECT_EQ(value("3 B"), "size:3B");
  EXPECT_EQ(value("2027-01-31"), "date:2027-01-31");
  EXPECT_EQ(value("8000-8999"), "range:8000-8999");
  EXPECT_EQ(value("10.0.0.1"), "v4:10.0.0.1");
  EXPECT_EQ(value("10.0.0.0/8"), "v4p:10.0.0.0/8");
  EXPECT_EQ(value("10.0.0.1-10.0.0.9"), "v4r:10.0.0.1..10.0.0.9");
  EXPECT_EQ(value("[fd00::7]"), "v6:fd00::7");
  EXPECT_EQ(value("[::ffff:10.0.0.1]"), "v6:::ffff:10.0.0.1");
  EXPECT_EQ(value("[fd00::/8]"), "v6p:fd00::/8");
  EXPECT_EQ(value("[fd00::1]-[fd00::ff]"), "v6r:fd00::1..fd00::ff");
  EXPECT_EQ(value("[80, 443]"), "[80 443]");
  EXPECT_EQ(value("[]"), "[]");
  EXPECT_EQ(value("[[1], [fd00::7], \"a\",]"), "[[1] v6:fd00::7 \"a\"]");
  EXPECT_EQ(value("other"), "name:other");
  EXPECT_EQ(value("m.other"), "name:m.other");
  EXPECT_EQ(value("3com.example"), "host:3com.example");
  EXPECT_EQ(value("any"), "any");
  EXPECT_EQ(value("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(value("18446744073709551616"), "overflow");
  EXPECT_EQ(value("0xffffffffffffffff"), "18446744073709551615");
  EXPECT_EQ(value("0x10000000000000000"), "overflow");
}

TEST(Constructs, Strings) {
  EXPECT_EQ(value(R"("")"), R"("")");
  EXPECT_EQ(value(R"("a\"b\\c\n")"), "\"a<\">b<\\>c<\n>\"");
  EXPECT_EQ(value(R"("\u{41}\u{20ac}\u{1F600}")"), "\"<A\u20ac\U0001F600>\"");
  EXPECT_EQ(value(R"("a\*\?\{\}\$b*")"), R"("a<*?{}$>b*")");
  EXPECT_EQ(value(R"("${a}${b-c}/x")"), R"("${a}${b-c}/x")");
  EXPECT_EQ(value(R"("$a {b,c} $")"), R"("$a {b,c} $")");
  EXPECT_EQ(value(R"("\${a}")"), R"("<$>{a}")");
  EXPECT_EQ(value("\"caf\u00e9 // no comment /* */\""), "\"caf\u00e9 // no comment /* */\"");
}

TEST(Constructs, FileRules) {
  EXPECT_EQ(statement("file {}"), "file");
  EXPECT_EQ(statement(R"(file { allow read, write "/a/**", "/b" except "/a/x", "/a/y" as "l" because "r" })"),
            R"(file {allow file verbs=read,write paths="/a/**","/b" except="/a/x","/a/y" (as "l") (because "r")})");
  EXPECT_EQ(statement(R"(file { ask frobnicate "/a" until 2027-01-31 })"),
            R"(file {ask file verbs=frobnicate paths="/a" (until 2027-01-31)})");
  EXPECT_EQ(statement(R"(file { deny delete "/a" as "x" except "/b" as "y" })"),
            R"(file {deny file verbs=delete paths="/a" except="/b" (as "x") (as "y")})");
}

TEST(Constructs, NetRules) {
  const auto net = [](const std::string& rule) {
    std::string out = statement("net { " + rule + " }");
    return out.size() > 4 ? out.substr(4) : out;
  };
  EXPECT_EQ(net("allow connect tcp 10.0.1.50:443"), "{allow net connect protocols=tcp to=v4:10.0.1.50:443}");
  EXPECT_EQ(net("allow connect tcp, udp gw:53"), "{allow net connect protocols=tcp,udp to=ref:gw:53}");
  EXPECT_EQ(net("allow connect 10.0.1.50:443"), "{allow net connect to=v4:10.0.1.50:443}");
  EXPECT_EQ(net("allow connect gw:443"), "{allow net connect to=ref:gw:443}");
  EXPECT_EQ(net("deny connect any"), "{deny net connect protocols=any}");
  EXPECT_EQ(net("deny connect any any:*"), "{deny net connect protocols=any to=any:*}");
  EXPECT_EQ(net("deny connect any:443"), "{deny net connect to=any:443}");
  EXPECT_EQ(net("allow connect icmp 10.0.0.1, 10.0.0.2"),
            "{allow net connect protocols=icmp to=v4:10.0.0.1,v4:10.0.0.2}");
  EXPECT_EQ(net("allow connect tcp [10.0.0.1, 10.0.0.2]:[80, 443]"),
            "{allow net connect protocols=tcp to=[v4:10.0.0.1 v4:10.0.0.2]:[80 443]}");
  EXPECT_EQ(net("allow connect tcp [[fd00::7], [fd00::/64],]:8000-8999, [fd00::1]-[fd00::2]:p"),
            "{allow net connect protocols=tcp to=[v6:fd00::7 v6p:fd00::/64]:8000-8999,v6r:fd00::1..fd00::2:ref:p}");
  EXPECT_EQ(net(R"(allow connect tcp "*.example.com":443, registry.internal:443, "postgres":5432)"),
            R"({allow net connect protocols=tcp to="*.example.com":443,host:registry.internal:443,"postgres":5432})");
  EXPECT_EQ(net("allow listen tcp 127.0.0.1:8080 from 10.0.0.0/8, [10.1.0.1, gw] except 127.0.0.1:1"),
            "{allow net listen protocols=tcp to=v4:127.0.0.1:8080 except=v4:127.0.0.1:1 "
            "(from v4p:10.0.0.0/8 v4:10.1.0.1 ref:gw)}");
  EXPECT_EQ(net(R"(allow connect unix "/run/x.sock", @abstract except "/run/y")"),
            R"({allow net connect protocols=unix unix="/run/x.sock",@abstract except-unix="/run/y"})");
  // Words that are modifiers elsewhere may be names of constants.
  EXPECT_EQ(net(R"(allow connect tcp within:443 within within as "x")"),
            R"({allow net connect protocols=tcp to=ref:within:443 (within ref:within) (as "x")})");
  EXPECT_EQ(net("allow connect tcp as:as as \"x\""), "{allow net connect protocols=tcp to=ref:as:ref:as (as \"x\")}");
  EXPECT_EQ(net("resolver 10.0.0.53, [fd00::53]"), "{resolver v4:10.0.0.53 v6:fd00::53}");
  // A port that is missing is not a matter of syntax.
  EXPECT_EQ(net("allow connect tcp \"a.b\""), "{allow net connect protocols=tcp to=\"a.b\"}");
}

TEST(Constructs, SyscallRules) {
  const auto call = [](const std::string& rule) { return statement("syscall { " + rule + " }").substr(8); };
  EXPECT_EQ(call("allow @default"), "{allow syscall calls=@default}");
  EXPECT_EQ(call("deny socket(domain == AF_INET6)"), "{deny syscall calls=socket(domain == AF_INET6)}");
  EXPECT_EQ(call("deny a(x != 1, y < 0x10, z <= 3, v > 4, w >= 5,)"),
            "{deny syscall calls=a(x != 1;y < 16;z <= 3;v > 4;w >= 5)}");
  EXPECT_EQ(call("deny a(flags & (A | 0x2) == B, arg0 in [1, (C|D), ], b in [])"),
            "{deny syscall calls=a(flags&A|2==B;arg0 in 1 C|D;b in )}");
  EXPECT_EQ(call("deny socket(AF_INET, (A | B), 0)"), "{deny syscall calls=socket( bare AF_INET; bare A|B; bare 0)}");
  EXPECT_EQ(call("deny ptrace, process_vm_readv kill"), "{deny syscall calls=ptrace,process_vm_readv kill}");
  EXPECT_EQ(call("deny kill() kill"), "{deny syscall calls=kill() kill}");
  EXPECT_EQ(call("deny kill(sig == SIGKILL), read errno EACCES because \"x\""),
            "{deny syscall calls=kill(sig == SIGKILL),read errno:EACCES (because \"x\")}");
  EXPECT_EQ(call("deny @ns except setns, unshare(flags == 0) trap"),
            "{deny syscall calls=@ns except=setns,unshare(flags == 0) trap}");
  EXPECT_EQ(call("allow accept, mount, time, connect, listen, delete"),
            "{allow syscall calls=accept,mount,time,connect,listen,delete}");
}

TEST(Constructs, OtherBlocks) {
  EXPECT_EQ(statement("capability { allow CAP_A, CAP_B except CAP_B because \"x\" }"),
            "capability {allow capability names=CAP_A,CAP_B except=CAP_B (because \"x\")}");
  EXPECT_EQ(statement("env { set \"PATH\" = \"/bin\" allow \"LANG\", \"LC_*\" except \"LC_X\" }"),
            "env {allow text patterns=\"LANG\",\"LC_*\" except=\"LC_X\"} {set \"PATH\"=\"/bin\"}");
  EXPECT_EQ(statement("tool { ask \"payments.*\" risk high because \"money\" }"),
            "tool {ask text patterns=\"payments.*\" (risk high) (because \"money\")}");
  EXPECT_EQ(statement("limit { cpu 0.5 memory 4 GiB pids 256 time 10 min files n }"),
            "limit {cpu decimal:0.5} {memory size:4GiB} {pids 256} {time time:10min} {files name:n}");
  EXPECT_EQ(statement(R"(run { command "/a", "-b" workdir "/w" user 1:2 rootfs "/r" hostname "h" cgroup "/c"
                              interface "veth0" mount tmpfs at "/t" writable size 1 GiB mount "/s" at "/d" readonly })"),
            R"(run command="/a","-b" workdir="/w" rootfs="/r" hostname="h" cgroup="/c" interface="veth0" uid=1 gid=2)"
            R"( {mount tmpfs at "/t" flags=writable size=size:1GiB} {mount "/s" at "/d" flags=readonly})");
  EXPECT_EQ(statement("on deny { log alert P1 for write, net alert P2 for for }"),
            "on-deny log {alert P1 write net} {alert P2 for}");
}

TEST(Constructs, HeadersAndIncludes) {
  EXPECT_EQ(statement("owner \"a\""), "owner \"a\"");
  EXPECT_EQ(statement("satisfies \"A\", \"B\""), "satisfies \"A\" \"B\"");
  EXPECT_EQ(statement("isolation container ephemeral"), "isolation container ephemeral");
  EXPECT_EQ(statement("mode audit for net, syscall"), "mode audit for net syscall");
  EXPECT_EQ(statement("mode enforce"), "mode enforce");
  EXPECT_EQ(statement("include std.a(x: 1, y: [\"b\"],)"), "include std.a x:1 y:[\"b\"]");
  EXPECT_EQ(statement("include policy"), "include policy");
}

TEST(Constructs, Accepts) {
  EXPECT_EQ(statement("accept unenforced tool because \"x\""), "accept unenforced word=tool (because \"x\")");
  EXPECT_EQ(statement("accept unenforced tool \"a.*\" because \"x\""),
            "accept unenforced word=tool <text patterns=\"a.*\"> (because \"x\")");
  EXPECT_EQ(statement("accept unenforced env \"A\" until 2027-01-31"),
            "accept unenforced word=env <text patterns=\"A\"> (until 2027-01-31)");
  EXPECT_EQ(statement("accept narrower write \"/a\" because \"x\""),
            "accept narrower word=write <file verbs=write paths=\"/a\"> (because \"x\")");
  EXPECT_EQ(statement("accept wider limit cpu"), "accept wider word=limit limit=cpu");
  EXPECT_EQ(statement("accept wider limit because \"x\""), "accept wider word=limit (because \"x\")");
  EXPECT_EQ(statement("accept unenforced mount \"/x\""), "accept unenforced word=mount mount=\"/x\"");
  EXPECT_EQ(statement("accept unenforced user because \"x\""), "accept unenforced word=user (because \"x\")");
  EXPECT_EQ(statement("accept wider mode"), "accept wider word=mode");
  EXPECT_EQ(statement("accept wider syscall @default because \"x\""),
            "accept wider word=syscall <syscall calls=@default> (because \"x\")");
  EXPECT_EQ(statement("accept wider syscall because \"x\""), "accept wider word=syscall (because \"x\")");
  EXPECT_EQ(statement("accept narrower connect tcp a.b:443 because \"x\""),
            "accept narrower word=connect <net connect protocols=tcp to=host:a.b:443> (because \"x\")");
  EXPECT_EQ(statement("accept unenforced capability CAP_X"),
            "accept unenforced word=capability <capability names=CAP_X>");
}

TEST(Constructs, Fragments) {
  EXPECT_EQ(item("/// F\nfragment f(/// P\np : path = \"/a\", q : [int],) { net { resolver 10.0.0.1 } }"),
            "fragment f parameters=p:path =\"/a\" doc=[P],q:[int] doc=[F]\n  net {resolver v4:10.0.0.1}");
  EXPECT_EQ(item("fragment f {}"), "fragment f");
  EXPECT_EQ(item("fragment f() {}"), "fragment f");
}

TEST(Constructs, Invariants) {
  EXPECT_EQ(item(R"(invariant i for "a*", "b" {
    never read "/home/*/.ssh/**"
    never read "/c/**" with connect tcp any:* except 10.0.0.0/8:*
    never connect any
    never listen unix @abstract
    only write "/a", "/b", read "/c"
    only connect tcp 10.0.0.1:443, connect udp connect:53
    require limit memory <= 8 GiB
    require limit pids
    require mode enforce
    require isolation container ephemeral
    require owner
    require run user
    require ephemeral
  })"),
            R"(invariant i for="a*","b"
  never read<file verbs=read paths="/home/*/.ssh/**">
  never read<file verbs=read paths="/c/**"> with connect<net connect protocols=tcp to=any:* except=v4p:10.0.0.0/8:*>
  never connect<net connect protocols=any>
  never listen<net listen protocols=unix unix=@abstract>
  only write<file verbs=write paths="/a","/b">, read<file verbs=read paths="/c">
  only connect<net connect protocols=tcp to=v4:10.0.0.1:443>, connect<net connect protocols=udp to=ref:connect:53>
  require limit memory <= size:8GiB
  require limit pids
  require mode enforce
  require isolation container ephemeral
  require owner
  require run user
  require ephemeral)");
}

TEST(Constructs, Tests) {
  EXPECT_EQ(item(R"(test m.p(x: "/a") { allow write "/a" deny resolve a.b ask tool "x" })"),
            R"(test m.p arguments=x:"/a"
  allow write<file verbs=write paths="/a">
  deny resolve<net resolve to=host:a.b>
  ask tool<text patterns="x">)");
}

TEST(Constructs, Actions) {
  EXPECT_EQ(action("write \"/a b\""), "write<file verbs=write paths=\"/a b\">");
  EXPECT_EQ(action("write /a/b.txt"), "write<file verbs=write paths=\"/a/b.txt\">");
  EXPECT_EQ(action("write //a"), "write<file verbs=write paths=\"//a\">");
  EXPECT_EQ(action("connect tcp 10.0.1.50:443"), "connect<net connect protocols=tcp to=v4:10.0.1.50:443>");
  EXPECT_EQ(action("connect unix /run/x.sock"), "connect<net connect protocols=unix unix=\"/run/x.sock\">");
  EXPECT_EQ(action("resolve registry.internal"), "resolve<net resolve to=host:registry.internal>");
  EXPECT_EQ(action("syscall socket(AF_INET, SOCK_RAW, 0)"),
            "syscall<syscall calls=socket( bare AF_INET; bare SOCK_RAW; bare 0)>");
  EXPECT_EQ(action("capability CAP_X"), "capability<capability names=CAP_X>");
  EXPECT_EQ(action("env \"X\""), "env<text patterns=\"X\">");
  EXPECT_EQ(action("tool \"x\""), "tool<text patterns=\"x\">");
}

TEST(Constructs, KeywordsAreNamesElsewhere) {
  EXPECT_EQ(item("let let = param"), "let let = name:param");
  EXPECT_EQ(item("param policy : file = test"), "param policy:file =name:test");
  EXPECT_EQ(item("policy policy { include include limit { time time } }"),
            "policy policy\n  include include\n  limit {time name:time}");
  const Parsed p("agp 1 let a = use use std.b let c = 3 test test {}");
  EXPECT_EQ(p.findings(), nothing);
  EXPECT_EQ(p.file.items.size(), 5u);
}

TEST(Constructs, CommentsStandAnywhere) {
  EXPECT_EQ(item("/**/policy/* a */p// b\n{/// stray\n file{/***/allow/* // */read\"/a\"/* x\n*/}}//end"),
            "policy p\n  file {allow file verbs=read paths=\"/a\"}");
  EXPECT_EQ(item("//// no doc\n///\n/// a\nlet x = 1"), "let x = 1 doc=[a]");
}

TEST(Constructs, LineEndsOfWindows) {
  const Parsed p("agp 1\r\n/// d\r\nlet x = \"a\"\r\n");
  EXPECT_EQ(p.findings(), nothing);
  EXPECT_EQ(dump(p.file), "agp 1\nlet x = \"a\" doc=[d]\n");
}

}  // namespace
}  // namespace agp::syntax::test
