#include "compiler/verify/compare.hpp"

#include <gtest/gtest.h>

#include "backends/nftables/backend.hpp"
#include "backends/seccomp/backend.hpp"
#include "compiler/solver/solver.hpp"
#include "tests/support/net_policy.hpp"

// Two artifacts of one kind: equal ones in two spellings, and pairs that differ by one bit, one port, one right.
namespace agp::verify {
namespace {

/// "within", "covers", "answers" of every relation that is refuted, with its action; "unknown" where one is.
std::vector<std::string> different(const std::vector<Comparison>& list) {
  std::vector<std::string> out;
  constexpr const char* names[] = {"within: ", "covers: ", "answers: "};
  for (const Comparison& c : list)
    c.verdict.match([](const solver::Proved&) {},
                    [&](const Difference& d) { out.push_back(names[static_cast<int>(c.relation)] + d.action); },
                    [&](const solver::Unknown& u) { out.push_back("unknown: " + u.reason); });
  return out;
}
using Found = std::vector<std::string>;

model::FilterGraph profile(const std::string& json) {
  const backends::Artifact one{"seccomp/profile.json", json};
  const auto decoded = backends::seccomp::backend().decode({&one, 1}, test::debian_12());
  for (const auto& p : decoded.problems) ADD_FAILURE() << p.message;
  return decoded.filters.at(0).graph;
}
std::string entries(const std::string& list, const char* fallback = R"("defaultAction":"SCMP_ACT_ERRNO")") {
  return std::string("{") + fallback + R"(,"syscalls":[)" + list + "]}";
}
std::string socket(const std::string& args, const char* action = "SCMP_ACT_ALLOW") {
  return std::string(R"({"names":["socket"],"action":")") + action + R"(","args":[)" + args + "]}";
}
Found filters(const std::string& a, const std::string& b) {
  const solver::Limits limits;
  return different(compare_filters(profile(a), profile(b), linux::Arch::x86_64, limits));
}

TEST(CompareFilters, OneMeaningInTwoSpellings) {
  const std::string ne = entries(socket(R"({"index":0,"value":40,"op":"SCMP_CMP_NE"})"));
  EXPECT_EQ(filters(ne, ne), Found{});
  const std::string one = socket(R"({"index":0,"value":1,"op":"SCMP_CMP_EQ"})"),
                    two = socket(R"({"index":0,"value":2,"op":"SCMP_CMP_EQ"})");
  EXPECT_EQ(filters(entries(one + "," + two), entries(two + "," + one)), Found{});
  const std::string less = entries(socket(R"({"index":0,"value":3,"op":"SCMP_CMP_LT"})")),
                    most = entries(socket(R"({"index":0,"value":2,"op":"SCMP_CMP_LE"})"));
  EXPECT_EQ(filters(less, most), Found{});
}

TEST(CompareFilters, BitsThatOnlyAFilterSees) {
  const std::string whole = entries(socket(R"({"index":0,"value":40,"op":"SCMP_CMP_EQ"})"));
  const std::string low = entries(socket(R"({"index":0,"value":4294967295,"valueTwo":40,"op":"SCMP_CMP_MASKED_EQ"})"));
  const auto found = filters(low, whole);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].starts_with("within: syscall socket(0x")) << found[0];
  EXPECT_TRUE(found[0].ends_with("00000028)")) << found[0];
}

TEST(CompareFilters, AnswersAreAnObligationOfTheirOwn) {
  const std::string a = entries(R"({"names":["bpf"],"action":"SCMP_ACT_ERRNO","errnoRet":38})"), b = entries("");
  EXPECT_EQ(filters(a, b), Found{"answers: syscall bpf()"});
  const std::string log = entries(R"({"names":["bpf"],"action":"SCMP_ACT_LOG"})"),
                    allow = entries(R"({"names":["bpf"],"action":"SCMP_ACT_ALLOW"})");
  EXPECT_EQ(filters(log, allow), Found{"answers: syscall bpf()"});
  EXPECT_EQ(filters(allow, b), Found{"within: syscall bpf()"});
  EXPECT_EQ(filters(b, allow), Found{"covers: syscall bpf()"});
}

// packets
// ---------------------------------------------------------------------------------------------------------------

Found rulesets(const std::string& a, const std::string& b) {
  const backends::Artifact both[] = {{"nftables/egress.nft", a}, {"nftables/egress.nft", b}};
  const auto decoded = backends::nftables::backend().decode(both, test::debian_12());
  for (const auto& p : decoded.problems) ADD_FAILURE() << p.message;
  if (decoded.packets.size() != 2) return {"not read"};
  return different(compare_packets(*decoded.packets[0], *decoded.packets[1]));
}
std::string table(const std::string& rules, const std::string& sets = "") {
  return "table inet t {\n" + sets + "  chain out {\n    type filter hook output priority 0; policy drop;\n" + rules +
         "  }\n}\n";
}

TEST(ComparePackets, OneMeaningInTwoSpellings) {
  EXPECT_EQ(rulesets(table("    tcp dport 80 accept\n    tcp dport 443 accept\n"),
                     table("    tcp dport { 80, 443 } accept\n")),
            Found{});
  EXPECT_EQ(rulesets(table("    ip daddr 10.0.0.0/9 accept\n    ip daddr 10.128.0.0/9 accept\n"),
                     table("    ip daddr 10.0.0.0/8 accept\n")),
            Found{});
}

TEST(ComparePackets, OnePortMore) {
  const auto found = rulesets(table("    tcp dport 80-443 accept\n"), table("    tcp dport 80-442 accept\n"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].starts_with("within: ")) << found[0];
  EXPECT_NE(found[0].find("port 443"), std::string::npos) << found[0];
}

TEST(ComparePackets, ASetThatSomethingFillsMayHoldAnything) {
  const std::string set = "  set s { type ipv4_addr; }\n";
  const std::string used = table("    ip daddr @s tcp dport 443 accept\n", set), unused = table("", set);
  EXPECT_EQ(rulesets(used, used), Found{});
  EXPECT_EQ(rulesets(used, unused).size(), 1u);
  EXPECT_EQ(rulesets(used, table("    ip daddr @s tcp dport 444 accept\n", set)).size(), 2u);
}

// files, ports
// ----------------------------------------------------------------------------------------------------------

model::InodeLayer files(std::vector<model::InodeCell> cells) { return {"f", "landlock", std::move(cells)}; }

TEST(CompareFiles, ARightBeneathOneDirectory) {
  namespace inode = model::inode;
  const auto a = files({{"/", 0, 0, 0, 0, ""}, {"/data", inode::read, inode::read, 0, 0, "/0"}});
  const auto b = files({{"/", 0, 0, 0, 0, ""},
                        {"/data", inode::read, inode::read, 0, 0, "/0"},
                        {"/data/a", inode::read, inode::read, 0, 0, "/1"}});
  const auto c = files({{"/", 0, 0, 0, 0, ""},
                        {"/data", inode::read, inode::read, 0, 0, "/0"},
                        {"/database", inode::read, 0, 0, 0, "/1"}});
  EXPECT_EQ(different(compare_files(a, b)), Found{});
  EXPECT_EQ(different(compare_files(a, c)), Found{"covers: read \"/database\""});
  EXPECT_EQ(different(compare_files(c, a)), Found{"within: read \"/database\""});
}

TEST(ComparePorts, WhatIsNotDecidedIsPermitted) {
  model::PortLayer a, b;
  a.connect_tcp = test::port(443);
  EXPECT_EQ(different(compare_ports(a, b)), Found{"covers: connect tcp port 1"});
  b.connect_tcp = test::ports({{443, 444}});
  EXPECT_EQ(different(compare_ports(a, b)), Found{"covers: connect tcp port 444"});
  b.connect_tcp = test::port(443);
  EXPECT_EQ(different(compare_ports(a, b)), Found{});
  b.outside_sockets = false;
  EXPECT_EQ(different(compare_ports(a, b)), Found{"within: connect to an abstract socket of a process outside"});
  b = a;
  a.outside_signals = false;
  EXPECT_EQ(different(compare_ports(a, b)), Found{"covers: a signal to a process outside"});
}

// containers
// ------------------------------------------------------------------------------------------------------------

TEST(CompareContainers, SettingsInTheirOrder) {
  model::Container a;
  a.command = {"/bin/agent"};
  a.no_new_privileges = true;
  a.memory_bytes = 1000;
  a.mounts.push_back(
      {"/data", model::ContainerMount::Content::Host, "/srv/data", false, false, false, {}, {}, {}, {}, "/mounts/0"});
  EXPECT_EQ(different(compare_containers(a, a)), Found{});
  model::Container b = a;
  b.mounts[0].writable = true;
  EXPECT_EQ(different(compare_containers(a, b)), Found{"covers: write \"/data\""});
  b = a;
  b.memory_bytes.reset();
  EXPECT_EQ(different(compare_containers(a, b)), Found{"covers: memory"});
  b = a;
  b.umask = 0;
  EXPECT_EQ(different(compare_containers(a, b)).size(), 2u);
  b = a;
  b.cgroup = "/";
  EXPECT_EQ(different(compare_containers(a, b)).size(), 2u);
  b = a;
  b.no_new_privileges = false;
  EXPECT_EQ(different(compare_containers(b, a)), Found{"within: privileges of a setuid program"});
  b = a;
  b.mounts[0].source = "/srv/database";
  EXPECT_EQ(different(compare_containers(a, b)).size(), 2u) << "neither is within the other";
}

TEST(CompareContainers, SetuidBitsCountOnlyWithoutNoNewPrivileges) {
  model::Container a;
  a.no_new_privileges = true;
  a.mounts.push_back(
      {"/usr", model::ContainerMount::Content::Host, "/usr", false, true, false, {}, {}, {}, {}, "/mounts/0"});
  model::Container b = a;
  b.mounts[0].setuid = true;
  EXPECT_EQ(different(compare_containers(a, b)), Found{});
  a.no_new_privileges = b.no_new_privileges = false;
  EXPECT_EQ(different(compare_containers(a, b)), Found{"covers: gain privileges by exec of \"/usr\""});
  a.mounts[0].exec = b.mounts[0].exec = false;
  EXPECT_EQ(different(compare_containers(a, b)), Found{});
}

TEST(CompareContainers, EveryDeviceCoversOne) {
  model::Container a, b;
  a.devices = {"*"};
  b.devices = {"/dev/null", "/dev/fuse"};
  EXPECT_EQ(different(compare_containers(a, b)), Found{"within: open the device *"});
  EXPECT_EQ(different(compare_containers(b, a)), Found{"covers: open the device *"});
  a.devices = {"/dev/null"};
  EXPECT_EQ(different(compare_containers(a, b)), Found{"covers: open the device /dev/fuse"});
}

}  // namespace
}  // namespace agp::verify
