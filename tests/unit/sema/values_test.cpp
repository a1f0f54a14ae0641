#include "compiler/sema/values.hpp"

#include "tests/unit/sema/support.hpp"

// Values and their types: what is taken, what is not, and what is converted.
namespace agp::sema {
namespace {

using Type = Value::Type;

/// The addresses of `allow connect tcp ADDRESS:443`, or the code of the first finding.
std::string addresses_of(const std::string& address) {
  Analysed a(in_policy("net { resolver 10.0.0.53 allow connect tcp " + address + ":443 }"));
  if (!a.sink.all().empty()) return diagnostics::code_text(*a.sink.all()[0].kind);
  for (const auto& r : a.policy().rules)
    if (const auto* net = std::get_if<model::NetBody>(&r.body)) {
      std::string out;
      for (const auto& e : net->endpoints) {
        if (e.pattern.name) out += e.pattern.name->to_string() + " ";
        for (const auto& range : e.pattern.addresses.ranges())
          out += to_string(range.first) + "-" + to_string(range.last) + " ";
      }
      return out;
    }
  return "nothing";
}

TEST(Values, AddressForms) {
  const std::pair<const char*, const char*> cases[] = {
      {"10.0.0.1", "10.0.0.1-10.0.0.1 "},
      {"10.0.0.0/8", "10.0.0.0-10.255.255.255 "},
      {"10.0.0.1/32", "10.0.0.1-10.0.0.1 "},
      {"0.0.0.0/0", "0.0.0.0-255.255.255.255 "},
      {"10.0.0.1/8", "AGP1064"},
      {"10.0.0.0/33", "AGP1064"},
      {"10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9 "},
      {"10.0.0.9-10.0.0.9", "10.0.0.9-10.0.0.9 "},
      {"10.0.0.9-10.0.0.1", "AGP1064"},
      {"[fd00::7]", "fd00::7-fd00::7 "},
      {"[FD00::7]", "fd00::7-fd00::7 "},
      {"[fd00::/8]", "fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "},
      {"[fd00::1/8]", "AGP1064"},
      {"[fd00::1]-[fd00::ff]", "fd00::1-fd00::ff "},
      // IPv6 only: the mapped block is IPv4
      {"[::/0]", "::-::fffe:ffff:ffff ::1:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "},
      {"[::ffff:10.0.0.1]", "10.0.0.1-10.0.0.1 "},
      {"[::ffff:10.0.0.0/104]", "10.0.0.0-10.255.255.255 "},
      {"[::ffff:0:0/96]", "0.0.0.0-255.255.255.255 "},
      {"[::fffe:0:0]-[::ffff:10.0.0.1]", "AGP1064"},
      {"[::ffff:10.0.0.1]-[::1:0:0:0]", "AGP1064"},
      {"any", "0.0.0.0-255.255.255.255 "},
      {"[10.0.0.1, 10.0.0.2]", "10.0.0.1-10.0.0.2 "},
      {"[10.0.0.1, [fd00::1], a.example.com]", "10.0.0.1-10.0.0.1 fd00::1-fd00::1 a.example.com "},
  };
  for (const auto& [text, expected] : cases) {
    const std::string found = addresses_of(text);
    if (std::string_view(text) == "any")
      EXPECT_NE(found.find(expected), std::string::npos) << found;
    else
      EXPECT_EQ(found, expected) << text;
  }
  EXPECT_EQ(addresses_of("010.0.0.1").substr(0, 3), "AGP");
  EXPECT_EQ(addresses_of("10.0.0.256").substr(0, 3), "AGP");
  EXPECT_EQ(addresses_of("[fe80::1%eth0]").substr(0, 3), "AGP");
}

TEST(Values, Hosts) {
  EXPECT_EQ(addresses_of("registry.internal"), "registry.internal ");
  EXPECT_EQ(addresses_of("\"registry.internal\""), "registry.internal ");
  EXPECT_EQ(addresses_of("\"postgres\""), "postgres ");
  EXPECT_EQ(addresses_of("postgres"), "AGP1050");  // a name without a dot is a constant
  EXPECT_EQ(addresses_of("\"*.example.com\""), "*.example.com ");
  for (const char* good : {"a", "a-b.c", "_srv.example.com", "xn--caf-dma.example", "1a.b", "1.example", "a.b1"})
    EXPECT_EQ(host_fault(good), "") << good;
  for (const char* bad : {"",      "*",      "*.",       "a.",        ".a",   "a..b",
                          "A.b",   "a b",    "a/b",      "-a.b",      "a-.b", "caf\xc3\xa9.fr",
                          "a.*.b", "*a.b",   "10.0.0.1", "010.0.0.1", "10.1", "1",
                          "a.1",   "0x7f.1", "a.0x1f",   "1.2.3.4.5", "::1"})
    EXPECT_NE(host_fault(bad), "") << bad;
  EXPECT_EQ(host_fault(std::string(63, 'a') + ".b"), "");
  EXPECT_NE(host_fault(std::string(64, 'a') + ".b"), "");
  const std::string sixty = std::string(60, 'a') + ".";
  EXPECT_EQ(host_fault(sixty + sixty + sixty + sixty + std::string(9, 'b')), "");  // 253
  EXPECT_NE(host_fault(sixty + sixty + sixty + sixty + std::string(10, 'b')), "");
}

TEST(Values, WhatWasMeantByAFault) {
  // pasted, it has no fault; where nobody can say, nothing is said
  for (const auto& [text, meant] : {std::pair<std::string, std::string>{"srv/x", "/srv/x"},
                                    {"./srv/**", "/srv/**"},
                                    {"/srv/x/", "/srv/x"},
                                    {"**", "/**"},
                                    {"", ""},
                                    {".", ""},
                                    {"../x", ""},
                                    {"~/.ssh", ""},
                                    {"/a//b", ""},
                                    {"/a/{b", ""}})
    EXPECT_EQ(path_help(text), meant.empty() ? "" : "write `" + meant + "`") << text;
  for (const auto& [text, meant] : {std::pair<std::string, std::string>{"Api.Example.com", "api.example.com"},
                                    {"*.Example.com.", "*.example.com"},
                                    {"a..B", ""},
                                    {"10.0.0.1", ""},
                                    {"0X7F.1", ""},
                                    {"", ""}})
    EXPECT_EQ(host_help(text), meant.empty() ? "" : "write `" + meant + "`") << text;
}

TEST(Values, Ports) {
  const auto ports = [](const std::string& port) -> std::string {
    Analysed a(
        "agp 1\nlet one = 80\nlet zero = 0\nlet range = 8000-8999\nlet many = [80, 443]\nlet none = []\n"
        "policy p { net { allow connect tcp 10.0.0.1:" +
        port + " } }");
    if (!a.sink.all().empty()) return diagnostics::code_text(*a.sink.all()[0].kind);
    for (const auto& r : a.policy().rules)
      if (const auto* net = std::get_if<model::NetBody>(&r.body)) return to_string(net->endpoints.at(0).pattern.ports);
    return "no rule";
  };
  EXPECT_EQ(ports("1"), "1");
  EXPECT_EQ(ports("65535"), "65535");
  EXPECT_EQ(ports("*"), "*");
  EXPECT_EQ(ports("1-65535"), "*");
  EXPECT_EQ(ports("8000-8999"), "8000-8999");
  EXPECT_EQ(ports("[80, 443]"), "80,443");
  EXPECT_EQ(ports("[80, 81, 8000-8001]"), "80-81,8000-8001");
  EXPECT_EQ(ports("one"), "80");
  EXPECT_EQ(ports("range"), "8000-8999");
  EXPECT_EQ(ports("many"), "80,443");
  EXPECT_EQ(ports("none"), "no rule");
  for (const char* bad : {"0", "65536", "0-9", "443-80", "[80, 0]", "zero", "18446744073709551615"})
    EXPECT_EQ(ports(bad), "AGP1065") << bad;
}

/// The findings of a parameter of this type with this default.
std::vector<std::string> declared(const std::string& type, const std::string& value) {
  Analysed a("agp 1\nlet n = 80\nlet s = \"/s\"\nparam p : " + type + " = " + value + "\n");
  std::vector<std::string> out;
  for (const auto& d : a.sink.all()) out.push_back(diagnostics::code_text(*d.kind));
  return out;
}

TEST(Values, Coercions) {
  const std::vector<std::string> fine, mismatch = {"AGP1056"};
  const std::pair<const char*, const char*> good[] = {{"path", "\"/a\""},
                                                      {"path", "s"},
                                                      {"string", "\"\""},
                                                      {"string", "a.example.com"},
                                                      {"int", "0xff"},
                                                      {"int", "n"},
                                                      {"size", "4 GiB"},
                                                      {"size", "4GiB"},
                                                      {"size", "0 B"},
                                                      {"duration", "10 min"},
                                                      {"duration", "1d"},
                                                      {"address", "10.0.0.1"},
                                                      {"address", "10.0.0.0/8"},
                                                      {"address", "[fd00::/8]"},
                                                      {"address", "10.0.0.1-10.0.0.9"},
                                                      {"host", "a.example.com"},
                                                      {"host", "\"postgres\""},
                                                      {"host", "\"*.example.com\""},
                                                      {"port", "1"},
                                                      {"port", "65535"},
                                                      {"port", "n"},
                                                      {"port", "80-90"},
                                                      {"[path]", "[]"},
                                                      {"[path]", "[\"/a\", s]"},
                                                      {"[port]", "[80, n]"},
                                                      {"[address]", "[10.0.0.1, 10.0.0.0/8]"},
                                                      {"[host]", "[\"a\", \"b\"]"}};
  for (const auto& [type, value] : good) EXPECT_EQ(declared(type, value), fine) << type << " = " << value;
  const std::pair<const char*, const char*> bad[] = {{"path", "\"a\""},
                                                     {"path", "\"/\""},
                                                     {"path", "\"/a/\""},
                                                     {"path", "\"/a/../b\""},
                                                     {"path", "3"},
                                                     {"path", "[\"/a\"]"},
                                                     {"string", "3"},
                                                     {"int", "\"3\""},
                                                     {"int", "4 GiB"},
                                                     {"size", "4"},
                                                     {"size", "10 min"},
                                                     {"duration", "10"},
                                                     {"duration", "1 GiB"},
                                                     {"address", "\"10.0.0.1\""},
                                                     {"address", "a.example.com"},
                                                     {"host", "10.0.0.1"},
                                                     {"host", "\"A.example.com\""},
                                                     {"port", "0"},
                                                     {"port", "65536"},
                                                     {"port", "\"80\""},
                                                     {"[path]", "\"/a\""},
                                                     {"[path]", "[\"/a\", \"b\"]"},
                                                     {"[port]", "[80, 0]"}};
  for (const auto& [type, value] : bad) EXPECT_EQ(declared(type, value), mismatch) << type << " = " << value;
}

TEST(Values, ReasonsAreSaid) {
  const auto message = [](const std::string& type, const std::string& value) {
    Analysed a("agp 1\nparam p : " + type + " = " + value + "\n");
    return a.sink.all().empty() ? "" : a.sink.all()[0].message;
  };
  EXPECT_EQ(message("path", "\"a\""), "expected path, found string: the path is not absolute");
  EXPECT_EQ(message("[path]", "\"/a\""), "expected a list of path, found string");
  EXPECT_EQ(message("[path]", "[\"/a\", \"b\"]"),
            "expected a list of path, found a list of string: the path is not absolute");
  EXPECT_EQ(message("port", "70000"), "expected port, found int: 70000 is not within 1-65535");
  EXPECT_EQ(message("host", "\"A\""), "expected host, found string: the host has an upper-case letter");
}

TEST(Values, Lists) {
  Analysed spliced("agp 1\nlet a = [\"/a\", \"/b\"]\nlet b = [a, \"/c\"]\npolicy p { file { allow read \"${b}/x\" } }");
  ASSERT_EQ(spliced.found(), std::vector<std::string>{});
  EXPECT_EQ(std::get<model::FileBody>(spliced.policy().rules[0].body).patterns.size(), 3u);
  EXPECT_EQ(spliced.decide("read \"/c/x\""), Allow);
  Analysed mixed("agp 1\nlet a = [\"/a\", 3]\n");
  EXPECT_EQ(mixed.found(), std::vector<std::string>{"AGP1061 [\"/a\", 3]"});
  // tools and variables too: each element is a pattern, and its `*` is itself
  Analysed tools(
      "agp 1\nparam t : [string] = [\"files.*\", \"git.read\"]\npolicy p { tool { allow \"*\" deny \"${t}\" } }");
  EXPECT_EQ(tools.decide("tool \"git.read\""), Deny);
  EXPECT_EQ(tools.decide("tool \"files.*\""), Deny);
  EXPECT_EQ(tools.decide("tool \"files.read\""), Allow);
  // an empty list gives no pattern, and no error
  Analysed empty(
      "agp 1\nparam t : [path] = []\npolicy p { file { allow read \"/a/**\" except \"${t}/**\" allow write \"${t}/**\" "
      "} }");
  EXPECT_EQ(empty.found(), std::vector<std::string>{});
  EXPECT_EQ(empty.decide("read \"/a/x\""), Allow);
}

TEST(Values, Set) {
  const auto found = [](const std::string& type, const std::string& text) {
    Options o;
    o.set["p"] = text;
    Analysed a("agp 1\nparam p : " + type + "\npolicy q { file { allow read \"/a\" } }", {}, o);
    return a.sink.all().empty() ? std::string()
                                : diagnostics::code_text(*a.sink.all()[0].kind) + " " + a.sink.all()[0].message;
  };
  const std::pair<const char*, const char*> good[] = {{"path", "/a*b"},
                                                      {"string", ""},
                                                      {"string", "a,b"},
                                                      {"int", "0x10"},
                                                      {"size", "4 GiB"},
                                                      {"size", "4GiB"},
                                                      {"duration", "10min"},
                                                      {"address", "10.0.0.1"},
                                                      {"address", "10.0.0.0/8"},
                                                      {"address", "10.0.0.1-10.0.0.9"},
                                                      {"address", "fd00::/8"},
                                                      {"address", "[fd00::1]"},
                                                      {"address", "[fd00::1]-[fd00::9]"},
                                                      {"host", "postgres"},
                                                      {"port", "443"},
                                                      {"port", "80-90"},
                                                      {"[path]", ""},
                                                      {"[path]", "/a,/b"}};
  for (const auto& [type, text] : good) EXPECT_EQ(found(type, text), "") << type << " " << text;
  const std::pair<const char*, const char*> bad[] = {{"path", "a"},
                                                     {"path", "/a/"},
                                                     {"path", "/"},
                                                     {"path", ""},
                                                     {"int", "-1"},
                                                     {"int", "1x"},
                                                     {"int", ""},
                                                     {"int", "18446744073709551616"},
                                                     {"size", "4"},
                                                     {"size", "4 GB"},
                                                     {"size", "18014398509481984KiB"},
                                                     {"duration", "10"},
                                                     {"address", "10.0.0.1/8"},
                                                     {"address", "localhost"},
                                                     {"address", "10.0.0.9-10.0.0.1"},
                                                     {"host", "A"},
                                                     {"host", "10.0.0.1"},
                                                     {"port", "0"},
                                                     {"port", "65536"},
                                                     {"port", "90-80"},
                                                     {"[path]", "/a,b"},
                                                     {"[path]", "/a,,/b"}};
  for (const auto& [type, text] : bad)
    EXPECT_EQ(found(type, text).substr(0, 8), "AGP0013 ") << type << " " << text << found(type, text);
  EXPECT_EQ(found("int", "x"), "AGP0013 `--set p=x`: `x` is not an int");
  EXPECT_EQ(found("path", "x"), "AGP0013 `--set p=x`: `x` is not a path: the path is not absolute");
  EXPECT_EQ(found("[port]", "80,0"), "AGP0013 `--set p=80,0`: `80,0` is not a list of port");

  Options misspelt;
  misspelt.set["workspcae"] = "/a";
  Analysed a("agp 1\nparam workspace : path = \"/w\"\nlet constant = 3\n", {}, misspelt);
  ASSERT_EQ(a.sink.all().size(), 1u);
  EXPECT_EQ(a.sink.all()[0].help, "did you mean `workspace`");
  Options of_a_constant;
  of_a_constant.set["constant"] = "4";
  EXPECT_EQ(Analysed("agp 1\nlet constant = 3\n", {}, of_a_constant).sink.all().size(), 1u);
}

TEST(Values, DifferentArgumentsAreDifferentIncludes) {
  const std::string f =
      "agp 1\nfragment f(p : port = 1) { net { allow connect tcp 10.0.0.1:p } }\n"
      "fragment g(l : [path] = []) { file { allow read \"${l}/x\" } }\n";
  Analysed ports(f + "policy p { include f(p: 80-90) include f(p: 80-100) }");
  EXPECT_EQ(ports.decide("connect tcp 10.0.0.1:95"), Allow);
  // a list of one path with a comma in it is not a list of two
  Analysed lists(f + "policy p { include g(l: [\"/a0,/b\"]) include g(l: [\"/a\", \"/b\"]) }");
  EXPECT_EQ(lists.decide("read \"/a0,/b/x\""), Allow);
  EXPECT_EQ(lists.decide("read \"/a/x\""), Allow);
}

}  // namespace
}  // namespace agp::sema
