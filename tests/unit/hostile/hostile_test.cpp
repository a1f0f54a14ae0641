#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "backends/backend.hpp"
#include "compiler/bundle/ownership.hpp"
#include "compiler/diagnostics/text.hpp"
#include "compiler/import/policy_text.hpp"
#include "compiler/model/inode_layer.hpp"
#include "tests/support/net_policy.hpp"
#include "tests/support/scratch.hpp"

// What a decoder makes of bytes that no tool wrote: truncated, huge, deep, cyclic, contradictory. It ends, with a layer
// or with a problem that says what is wrong; never with both and never with neither. What tests/fuzz/layers found
// stands here.
namespace agp::test {
namespace {

using backends::Artifact;

constexpr const char* places[] = {"seccomp/filter.x86_64.bpf",
                                  "seccomp/profile.json",
                                  "nftables/egress.nft",
                                  "nftables/egress.json",
                                  "dns/dnsmasq.conf",
                                  "dns/resolv.conf",
                                  "landlock/ruleset.json",
                                  "oci/config.json",
                                  "approvals.json",
                                  "alerts.json",
                                  "podman/run.args",
                                  "kubernetes/pod.json",
                                  "kubernetes/network-policy.json",
                                  "docker/run.args"};

model::Target target() {
  auto out = debian_12();
  out.landlock_abi = 7;
  out.stack = "launcher";
  return out;
}

struct Read {
  std::size_t layers = 0;
  std::vector<std::string> problems;
};

/// What the decoders that know the place make of it, all together.
Read read(const std::string& place, const std::string& bytes) {
  const Artifact one{place, bytes};
  Read out;
  for (const backends::Backend* b : backends::all()) {
    const auto decoded = b->decode({&one, 1}, target());
    out.layers += decoded.filters.size() + decoded.packets.size() + decoded.names.size() + decoded.inodes.size() +
                  decoded.tools.size() + decoded.alerts.size() + (decoded.container ? 1 : 0);
    for (const auto& p : decoded.problems) out.problems.push_back(p.message);
  }
  return out;
}

/// A configuration without a seccomp section is a filter that permits everything to one decoder, whatever another one
/// refuses.
bool two_decoders(const std::string& place) { return place == "oci/config.json"; }

void refused(const std::string& place, const std::string& bytes, const char* why) {
  const Read got = read(place, bytes);
  if (!two_decoders(place)) {
    EXPECT_EQ(got.layers, 0u) << place << ": " << why;
  }
  ASSERT_FALSE(got.problems.empty()) << place << ": " << why;
  for (const auto& p : got.problems) EXPECT_NE(p.find(place), std::string::npos) << p;
}
void one_or_the_other(const std::string& place, const std::string& bytes, const char* why) {
  const Read got = read(place, bytes);
  if (!two_decoders(place)) {
    EXPECT_NE(got.layers == 0, got.problems.empty()) << place << ": " << why;
  }
  EXPECT_GT(got.layers + got.problems.size(), 0u) << place << ": " << why;
}

bool json(const std::string& place) { return place.ends_with(".json"); }

/// An artifact of each kind that its decoder reads.
std::string whole(const std::string& place) {
  PolicyBuilder p("hostile");
  p.resolver("10.0.0.53");
  p.allow("host", tcp, {at("10.0.0.0/8", ports({{440, 445}})), at("fd00::/8", port(443))});
  p.deny("not 9", any_protocol, {all_of("10.9.0.0/16")});
  p.allow("name", tcp, {named("a.example", port(443))});
  p.get().run.command = {"/bin/true"};
  p.tool(model::Effect::Ask, "ask", {"files.*"});
  p.get().on_deny.log = true;
  p.get().on_deny.alerts.push_back({model::Severity::P1, {"connect"}, {}});
  auto t = place.starts_with("landlock") ? target() : debian_12();
  for (const std::string stack : {"podman", "docker", "kubernetes"})
    if (place.starts_with(stack)) t.stack = stack;
  if (place.starts_with("landlock")) {
    return R"({"abi":7,"ruleset":[{"handledAccessFs":["abi.all"],"handledAccessNet":["connect_tcp"]}],)"
           R"("variable":[{"name":"v","literal":["/x","/y"]}],)"
           R"("pathBeneath":[{"allowedAccess":["abi.read_execute"],"parent":["/usr/","${v}/z/"]}],)"
           R"("netPort":[{"allowedAccess":["connect_tcp"],"port":[443]}]})";
  }
  std::vector<Artifact> all;
  for (const backends::Backend* b : backends::all())
    for (auto& a : b->emit(p.get(), t, all).artifacts) all.push_back(a);
  for (const auto& a : all)
    if (a.path == place) return a.bytes;
  ADD_FAILURE() << place;
  return {};
}

TEST(Hostile, WhatIsWholeIsRead) {
  for (const std::string place : places) {
    const Read got = read(place, whole(place));
    EXPECT_GT(got.layers, 0u) << place;
    EXPECT_TRUE(got.problems.empty()) << got.problems[0];
  }
}

TEST(Hostile, Truncated) {
  for (const std::string place : places) {
    const std::string text = whole(place);
    const std::size_t step = std::max<std::size_t>(1, text.size() / 40);
    for (std::size_t n = 0; n < text.size(); n += step) {
      const std::string part = text.substr(0, n);
      if (json(place) && n + 1 < text.size())
        refused(place, part, "truncated");
      else
        one_or_the_other(place, part, "truncated");
    }
  }
}

TEST(Hostile, BytesThatAreNoText) {
  for (const std::string place : places)
    for (const std::string& bytes :
         {std::string(1, '\0'), std::string(4096, '\0'), std::string("\xff\xfe\xfd"), std::string("\xef\xbb\xbf"),
          std::string("{\"\xed\xa0\x80\":1}"), std::string("\r\r\r"), std::string("\x1b[2J"), std::string("\n\n\n")})
      one_or_the_other(place, bytes, "no text");
}

TEST(Hostile, Deep) {
  for (const std::string place : places)
    for (const char* const open : {"[", "{\"a\":", "table inet t { chain c { ", "(", "{ "}) {
      std::string text;
      while (text.size() < 1'000'000) text += open;
      one_or_the_other(place, text, "deep");
    }
  std::string chains =
      "table inet t {\n  chain input {\n    type filter hook input priority 0; policy drop;\n    jump c0\n  }\n";
  for (int i = 0; i < 500; ++i)
    chains += "  chain c" + std::to_string(i) + " {\n    jump c" + std::to_string(i + 1) + "\n  }\n";
  refused("nftables/egress.nft", chains + "  chain c500 {\n    accept\n  }\n}\n", "jumps deeper than the kernel takes");
}

TEST(Hostile, Huge) {
  for (const std::string place : places) {
    one_or_the_other(place, std::string(8'000'000, 'a'), "one word");
    one_or_the_other(place, std::string(8'000'000, '\n'), "lines");
    one_or_the_other(place, "[" + std::string(4'000'000, '1') + "]", "one number");
  }
  std::string list = "[0";
  for (int i = 0; i < 250'000; ++i) list += ",0";
  list += "]";
  for (const char* key : {"syscalls", "nftables", "pathBeneath", "mounts", "rules", "alerts"})
    for (const std::string place : places)
      if (json(place)) refused(place, std::string("{\"") + key + "\":" + list + "}", "a list of numbers");
  refused("seccomp/filter.x86_64.bpf", std::string(8 * 100'000, '\x06'), "too many instructions");
}

TEST(Hostile, Cyclic) {
  refused("nftables/egress.nft",
          "table inet t {\n  chain input {\n    type filter hook input priority 0; policy drop;\n    jump a\n  }\n"
          "  chain a {\n    jump b\n  }\n  chain b {\n    goto a\n  }\n}\n",
          "chains that jump to each other");
  refused(
      "nftables/egress.nft",
      "table inet t {\n  chain input {\n    type filter hook input priority 0; policy drop;\n    goto input\n  }\n}\n",
      "a chain that goes to itself");
  one_or_the_other("landlock/ruleset.json",
                   R"({"abi":7,"variable":[{"name":"a","literal":["${b}"]},{"name":"b","literal":["${a}"]}],)"
                   R"("ruleset":[{"handledAccessFs":["abi.all"]}],)"
                   R"("pathBeneath":[{"allowedAccess":["read_file"],"parent":["/${a}/"]}]})",
                   "variables of each other");
  // Every variable doubles what a path stands for.
  std::string variables, path = "/";
  for (int i = 0; i < 40; ++i) {
    variables += (i ? "," : "") + std::string(R"({"name":"v)") + std::to_string(i) + R"(","literal":["a","b"]})";
    path += "${v" + std::to_string(i) + "}/";
  }
  refused(
      "landlock/ruleset.json",
      R"({"abi":7,"variable":[)" + variables +
          R"(],"ruleset":[{"handledAccessFs":["abi.all"]}],"pathBeneath":[{"allowedAccess":["read_file"],"parent":[")" +
          path + R"("]}]})",
      "2^40 paths");
}

TEST(Hostile, Contradictory) {
  for (const std::string place : places) {
    if (!json(place)) continue;
    // The same member twice: readers differ in which one counts.
    std::string text = whole(place);
    const auto first = text.find('"'), colon = text.find(':', first);
    const std::string key = text.substr(first, colon - first);
    refused(place, text.insert(first, key + ":null,"), "a member twice");
  }
  for (const std::string place : {"podman/run.args", "docker/run.args"}) {
    const std::string args = whole(place), flags = place.starts_with("podman") ? ",nosuid,nodev" : "";
    refused(place, "--user=0:0\n" + args, "two users");
    refused(place, "--read-only=false\n" + args, "read-only and not");
    refused(place, "--tmpfs=/sys:ro,rw,nosuid,nodev\n" + args, "writable and not");
    refused(place,
            fmt::format("--mount=type=bind,src=/a,dst=/proc,bind-nonrecursive{0}\n"
                        "--mount=type=bind,src=/b,dst=/proc,bind-nonrecursive{0}\n{1}",
                        flags, args),
            "two mounts at one path");
  }
  refused(
      "approvals.json",
      R"({"schema":"agp-approvals/1","policy":"p","default":"allow","precedence":["deny","ask","allow"],"rules":[]})",
      "another default than the format has");
  refused("alerts.json",
          R"({"schema":"agp-alerts/1","policy":"p","alerts":[{"severity":"P0","on":[],"matches":[],"unreported":[]}]})",
          "a severity that there is not");
  refused("dns/dnsmasq.conf", "port=53\nserver=/a/10.0.0.1\nlocal=/a/\n", "forwarded and not");
  for (const char* word : {"port=53", "cache-size=0", "user=dnsmasq", "group=dnsmasq", "pid-file=/x"})
    refused("dns/dnsmasq.conf", fmt::format("{0}\nno-hosts\n{0}\n", word), "dnsmasq takes it once, and does not start");
  refused("nftables/egress.nft",
          "table inet t {\n  chain c {\n    type filter hook input priority 0; policy drop;\n"
          "    type filter hook output priority 0; policy accept;\n  }\n}\n",
          "a chain at two hooks");
  refused("nftables/egress.nft", "table inet t {\n  set s {\n    type ipv4_addr\n    elements = { fd00::1 }\n  }\n}\n",
          "an element of another type");
  refused("seccomp/profile.json",
          R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW",)"
          R"("args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}]})",
          "a seventh argument");
  refused("oci/config.json", R"({"process":{"args":[]},"mounts":{},"linux":[]})", "members of other types");
}

TEST(Hostile, Manifests) {
  const Scratch scratch;
  std::string deep(2'000'000, '['), list = R"({"schema":"agp-manifest/1","files":[)";
  for (int i = 0; i < 200'000; ++i) list += (i ? ",\"a\"" : "\"a\"");
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("null"), std::string("[]"), deep, list, list + "]}",
        std::string(R"({"schema":"agp-manifest/1"})"), std::string(R"({"schema":"agp-manifest/1","files":{}})"),
        std::string(R"({"schema":"agp-manifest/1","files":[1]})"), std::string(R"({"schema":[],"files":[]})"),
        std::string(R"({"schema":"agp-manifest/1","files":["/etc/passwd","../x","manifest.json"]})"),
        std::string("\xff\xfe")}) {
    scratch.write("out/manifest.json", text);
    const auto place = bundle::look_at(scratch / "out");
    EXPECT_EQ(place.state, bundle::Place::State::Foreign) << text.substr(0, 80);
    EXPECT_FALSE(place.reason.empty());
  }
}

// Names in a profile, its comments and the name of its file stand in comments of the policy that is made of it.
TEST(Hostile, NothingOfASourceEndsAComment) {
  imported::Source source;
  source.title = "Imported from a\nfragment evil { syscall { allow ptrace } }\r\n.json";
  source.policy = "made";
  source.archs = {linux::Arch::x86_64};
  source.default_word = 0x00050001;  // SECCOMP_RET_ERRNO | EPERM
  source.places = {"syscalls[0], b\npolicy evil {}\xe2\x80\xa8x"};
  source.rules.push_back({linux::find_syscall(linux::Arch::x86_64, "read"), {}, 0x7fff0000, 0});
  source.notes = {"Left out: \xe2\x80\xae c\n}", std::string(300, 'x') + "\nallow mount"};
  std::istringstream lines(imported::policy_text(source).text);
  std::vector<std::string> others;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(diagnostics::visible(line), line);
    if (const auto at = line.find_first_not_of(' '); at != std::string::npos && line.compare(at, 2, "//") != 0)
      others.push_back(line);
  }
  EXPECT_EQ(others, (std::vector<std::string>{"agp 1", "policy made {", "  syscall {", "    allow read", "  }", "}"}));
}

}  // namespace
}  // namespace agp::test
