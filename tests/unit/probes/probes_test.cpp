#include "compiler/analysis/probes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "compiler/linux/syscalls.hpp"

namespace agp::analysis {
namespace {

using namespace model;

constexpr Verbs verbs_write_and_read = verbs_read | verbs_write;

Rule file_rule(std::string id, Effect effect, Verbs verbs, std::vector<PathPattern> patterns) {
  Rule rule;
  rule.id = std::move(id);
  rule.effect = effect;
  FileBody body;
  body.verbs = verbs;
  for (PathPattern& p : patterns) body.patterns.push_back({std::move(p), {}, ""});
  rule.body = std::move(body);
  return rule;
}

Rule net_rule(std::string id, Effect effect, Protocols protocols, EndpointPattern endpoint) {
  Rule rule;
  rule.id = std::move(id);
  rule.effect = effect;
  NetBody body;
  body.protocols = protocols;
  body.endpoints.push_back({std::move(endpoint), {}, ""});
  rule.body = std::move(body);
  return rule;
}

Rule call_rule(std::string id, Effect effect, std::vector<SyscallPattern> patterns) {
  Rule rule;
  rule.id = std::move(id);
  rule.effect = effect;
  SyscallBody body;
  for (SyscallPattern& p : patterns) body.patterns.push_back({std::move(p), {}, ""});
  rule.body = std::move(body);
  return rule;
}

EndpointPattern address(const char* text, std::uint16_t port) {
  EndpointPattern e;
  e.addresses = AddressSet::range(*parse_v4(text), *parse_v4(text));
  e.ports = PortSet::range(port, port);
  return e;
}

EndpointPattern named(const char* name, std::uint16_t port, bool beneath = false) {
  EndpointPattern e;
  e.name = NamePattern{name, beneath};
  e.ports = PortSet::range(port, port);
  return e;
}

constexpr auto tcp = static_cast<Protocols>(Protocol::Tcp);

/// A workspace with a denied corner, one address, one name, and the sockets that connections need.
Policy base() {
  Policy p;
  p.name = "p";
  p.rules.push_back(file_rule("workspace", Effect::Allow, verbs_write_and_read, {path_subtree("/workspace")}));
  p.rules.push_back(file_rule("hooks", Effect::Deny, verbs_write, {path_subtree("/workspace/.git/hooks")}));
  p.rules.push_back(net_rule("gateway", Effect::Allow, tcp, address("10.0.1.50", 443)));
  p.rules.push_back(net_rule("registry", Effect::Allow, tcp, named("registry.internal", 443)));
  std::get<NetBody>(p.rules.back().body).within = AddressSet::range(*parse_v4("10.0.0.0"), *parse_v4("10.255.255.255"));
  ArgTest family;
  family.op = ArgTest::Op::In;
  family.values = {1, 2};
  p.rules.push_back(call_rule("calls", Effect::Allow, {{"read", {}}, {"socket", {family}}}));
  p.resolvers.push_back(*parse_v4("10.0.0.53"));
  return p;
}

Target target(const char* stack = "oci") {
  Target t;
  t.name = "debian-12";
  t.archs = {"x86_64"};
  t.stack = stack;
  return t;
}

const ProbeGrant proc_grants[] = {{"list \"/proc\"", "runc 1.1"}, {"read \"/proc/self/mountinfo\"", "runc 1.1"}};

const Probe* find(const std::vector<Probe>& suite, std::string_view id) {
  const auto i = std::find_if(suite.begin(), suite.end(), [&](const Probe& p) { return p.id == id; });
  return i == suite.end() ? nullptr : &*i;
}

/// The expectation as a word; "none" when the suite has no such attempt.
std::string expected(const std::vector<Probe>& suite, std::string_view id) {
  const Probe* p = find(suite, id);
  return p == nullptr ? "none" : std::string(to_string(p->expected));
}

TEST(Probes, FilesAreTriedInsideAndOnEverySideOutside) {
  const auto suite = probes(base(), target(), {});
  EXPECT_EQ(expected(suite, "create \"/workspace/agp-probe-new\""), "permitted");
  EXPECT_EQ(expected(suite, "read \"/workspace/agp-probe\""), "permitted");
  EXPECT_EQ(expected(suite, "delete \"/workspace/agp-probe\""), "permitted");
  EXPECT_EQ(expected(suite, "create \"/workspace2/agp-probe-new\""), "denied");
  EXPECT_EQ(expected(suite, "create \"/agp-probe-new\""), "denied");
  EXPECT_EQ(expected(suite, "exec \"/workspace/agp-probe\""), "denied");
  EXPECT_EQ(expected(suite, "create \"/workspace/.git/hooks/agp-probe-new\""), "denied");
  EXPECT_EQ(expected(suite, "create \"/workspace/.git/hooks2\""), "permitted");
  EXPECT_EQ(find(suite, "create \"/workspace2/agp-probe-new\"")->layer, "oci");
  EXPECT_EQ(find(suite, "create \"/workspace2/agp-probe-new\"")->rule, "workspace");
}

// What is refused is more than its actions: /shared may be created in, and what comes there from /given would become
// writable.
TEST(Probes, RenamesAndLinksMayNotGainAVerb) {
  Policy p = base();
  p.rules.push_back(file_rule("given", Effect::Allow, verbs_read, {path_subtree("/given")}));
  p.rules.push_back(file_rule("narrow", Effect::Allow, verbs_read | Verbs(Verb::Delete), {path_subtree("/narrow")}));
  const auto suite = probes(p, target(), {});
  EXPECT_EQ(expected(suite, "mv /workspace/agp-probe /workspace/agp-probe-moved"), "permitted");
  EXPECT_EQ(expected(suite, "ln /workspace/agp-probe /workspace/agp-probe-linked"), "permitted");
  EXPECT_EQ(expected(suite, "mv /given/agp-probe /workspace/agp-probe-moved"), "denied");
  for (const char* id :
       {"ln /given/agp-probe /workspace/agp-probe-linked", "mv /narrow/agp-probe /workspace/agp-probe-moved"}) {
    EXPECT_EQ(expected(suite, id), "denied") << id;
    ASSERT_NE(find(suite, id), nullptr);
    for (const auto& action : find(suite, id)->actions) EXPECT_EQ(action.find("modify"), std::string::npos);
    EXPECT_EQ(find(suite, id)->part, "mounts");
  }
  // To lose a verb is no gain, and between two mounts it is refused all the same: no boundary.
  EXPECT_EQ(expected(suite, "ln /workspace/agp-probe /narrow/agp-probe-linked"), "none");
}

TEST(Probes, ADenialIsTriedAfterMovingEachDirectoryOnTheWay) {
  const auto suite = probes(base(), target(), {});
  const char* moves[] = {
      "mv /workspace/.git/hooks /workspace/.git/agp-probe-moved; mkdir -p; create /workspace/.git/hooks/agp-probe-new",
      "mv /workspace/.git /workspace/agp-probe-moved; mkdir -p; create /workspace/.git/hooks/agp-probe-new"};
  for (const char* id : moves) {
    EXPECT_EQ(expected(suite, id), "denied") << id;
    ASSERT_NE(find(suite, id), nullptr);
    EXPECT_EQ(find(suite, id)->decided_by, std::vector<std::string>{"hooks"});
  }
}

// The hooks are tried whether or not a rule speaks about them: without the rule the expectation turns.
TEST(Probes, WithoutTheRuleTheSameAttemptsAreExpectedToSucceed) {
  Policy p = base();
  p.rules.erase(p.rules.begin() + 1);
  EXPECT_EQ(expected(probes(base(), target(), {}), "mkdir -p; create /workspace/.git/hooks/agp-probe-new"), "denied");
  const auto suite = probes(p, target(), {});
  EXPECT_EQ(expected(suite, "mkdir -p; create /workspace/.git/hooks/agp-probe-new"), "permitted");
  EXPECT_EQ(
      expected(suite,
               "mv /workspace/.git /workspace/agp-probe-moved; mkdir -p; create /workspace/.git/hooks/agp-probe-new"),
      "permitted");
}

TEST(Probes, EndpointsAreTriedBesideInEveryDimension) {
  const auto suite = probes(base(), target(), {});
  EXPECT_EQ(expected(suite, "connect tcp 10.0.1.50:443"), "permitted");
  for (const char* id : {"connect tcp 10.0.1.50:442", "connect tcp 10.0.1.50:444", "connect tcp 10.0.1.49:443",
                         "connect tcp 10.0.1.51:443", "connect udp 10.0.1.50:443", "connect icmp 10.0.1.50",
                         "connect tcp [::ffff:10.0.1.50]:443", "connect tcp [2001:db8::a00:132]:443"})
    EXPECT_EQ(expected(suite, id), "denied") << id;
  // The mapped address *is* the permitted one: what refuses it is the socket's family.
  EXPECT_EQ(find(suite, "connect tcp [::ffff:10.0.1.50]:443")->layer, "seccomp");
  EXPECT_EQ(find(suite, "connect tcp 10.0.1.50:444")->layer, "nftables");
}

TEST(Probes, AWiderPortMovesTheBoundary) {
  Policy p = base();
  std::get<NetBody>(p.rules[2].body).endpoints[0].pattern.ports = PortSet::range(443, 444);
  const auto suite = probes(p, target(), {});
  EXPECT_EQ(expected(suite, "connect tcp 10.0.1.50:444"), "permitted");
  EXPECT_EQ(expected(suite, "connect tcp 10.0.1.50:445"), "denied");
  EXPECT_EQ(expected(suite, "connect tcp 10.0.1.50:442"), "denied");
}

TEST(Probes, NoBoundaryWhereAnotherRulePermitsTheNeighbour) {
  Policy p = base();
  p.rules.push_back(net_rule("neighbour", Effect::Allow, tcp, address("10.0.1.51", 443)));
  const auto suite = probes(p, target(), {});
  EXPECT_EQ(expected(suite, "connect tcp 10.0.1.51:443"), "permitted");
  EXPECT_EQ(expected(suite, "connect tcp 10.0.1.52:443"), "denied");
}

TEST(Probes, NamesAreTriedBesideBeneathAndWithOtherTypes) {
  const auto suite = probes(base(), target(), {});
  EXPECT_EQ(expected(suite, "resolve registry.internal"), "permitted");
  EXPECT_EQ(expected(suite, "connect tcp registry.internal:443"), "permitted");
  EXPECT_EQ(expected(suite, "connect tcp registry.internal:444"), "denied");
  EXPECT_EQ(expected(suite, "connect tcp 203.0.113.7:443 (as registry.internal)"), "denied");
  EXPECT_EQ(expected(suite, "resolve secret-bytes.registry.internal"), "denied");
  EXPECT_EQ(expected(suite, "forward secret-bytes.registry.internal"), "denied");
  EXPECT_EQ(expected(suite, "resolve not-listed.example"), "denied");
  EXPECT_EQ(expected(suite, "resolve TXT registry.internal"), "denied");
  EXPECT_EQ(expected(suite, "forward TXT registry.internal"), "derived");
  EXPECT_EQ(expected(suite, "resolve not-listed.example at 10.0.0.53"), "denied");
}

TEST(Probes, AWildcardPermitsTheNamesBeneath) {
  Policy p = base();
  p.rules[3] = net_rule("registry", Effect::Allow, tcp, named("registry.internal", 443, true));
  const auto suite = probes(p, target(), {});
  EXPECT_EQ(expected(suite, "resolve agp-probe.registry.internal"), "permitted");
  EXPECT_EQ(expected(suite, "resolve secret-bytes.agp-probe.registry.internal"), "none");  // permitted: no boundary
  EXPECT_EQ(expected(suite, "resolve agp-agp-probe.registry.internal"), "none");
}

// A name's port is also judged by rules on the address it stands for.
TEST(Probes, AnAddressRulePermitsWhatTheNameRuleDoesNot) {
  Policy p = base();
  EndpointPattern all;
  all.addresses = AddressSet::range(*parse_v4("10.0.0.0"), *parse_v4("10.255.255.255"));
  all.ports = PortSet::range(444, 444);
  p.rules.push_back(net_rule("wide", Effect::Allow, tcp, all));
  EXPECT_EQ(expected(probes(p, target(), {}), "connect tcp registry.internal:444"), "permitted");
}

TEST(Probes, ArgumentsAreTriedAtTheirBoundaryAndAboveTheirWidth) {
  const auto suite = probes(base(), target(), {});
  EXPECT_EQ(expected(suite, "filter socket(1)"), "permitted");
  EXPECT_EQ(expected(suite, "filter socket()"), "denied");
  EXPECT_EQ(expected(suite, "filter socket(3)"), "denied");
  // The family is an int: what stands above 32 bits is not looked at, for a permitted value as for a refused one.
  EXPECT_EQ(expected(suite, "filter socket(0x100000001)"), "permitted");
  EXPECT_EQ(expected(suite, "filter socket(AF_VSOCK + 2^32, SOCK_STREAM, 0)"), "denied");
  EXPECT_EQ(expected(suite, "filter socket(AF_PACKET, SOCK_RAW, 0)"), "denied");
}

TEST(Probes, AddingAFamilyTurnsItsAttempt) {
  Policy p = base();
  ArgTest packet;
  packet.values = {17};
  p.rules.push_back(call_rule("packet", Effect::Allow, {{"socket", {packet}}}));
  const auto suite = probes(p, target(), {});
  EXPECT_EQ(expected(suite, "filter socket(AF_PACKET, SOCK_RAW, 0)"), "permitted");
  EXPECT_EQ(expected(suite, "packet socket"), "denied");  // the capability is missing still
  EXPECT_EQ(find(suite, "packet socket")->part, "capabilities");
}

TEST(Probes, TheFixedListNamesTheWaysOutOfTheIssue) {
  const auto suite = probes(base(), target(), {});
  for (const char* id : {"create \"/agp-probe-new\"",
                         "read \"/etc/passwd\"",
                         "list \"/sys\"",
                         "read \"/proc/version\"",
                         "mount --make-private /",
                         "ptrace(PTRACE_SEIZE, another process)",
                         "unshare(CLONE_NEWUSER)",
                         "clone(CLONE_NEWUSER | SIGCHLD)",
                         "bpf(BPF_MAP_CREATE)",
                         "io_uring_setup(8)",
                         "filter ioctl(TIOCSTI)",
                         "filter ioctl(TIOCSTI + 2^32)",
                         "chmod /workspace/agp-probe-mode 04755",
                         "open /workspace/agp-probe-mode O_CREAT 04755",
                         "mknod /workspace/agp-probe-mode 04755",
                         "filter chmod(mode 04755 + 2^16)",
                         "connect tcp 169.254.169.254:80",
                         "env AWS_SECRET_ACCESS_KEY",
                         "capability CAP_NET_RAW",
                         "filter getpid() by its x32 number",
                         "getpid() by int 0x80"})
    EXPECT_EQ(expected(suite, id), "denied") << id;
}

TEST(Probes, ADerivedGrantIsNeitherPermittedNorDenied) {
  const auto suite = probes(base(), target(), proc_grants);
  EXPECT_EQ(expected(suite, "list \"/proc\""), "derived");
  EXPECT_EQ(expected(suite, "read \"/proc/self/mountinfo\""), "derived");
  EXPECT_EQ(find(suite, "list \"/proc\"")->layer, "runc 1.1");
  EXPECT_EQ(expected(suite, "read \"/proc/version\""), "denied");
  // A grant is for its verb alone, and for everything beneath only where it says so.
  const ProbeGrant writes[] = {{"write \"/proc/**\"", "x"}};
  EXPECT_EQ(expected(probes(base(), target(), writes), "read \"/proc/version\""), "denied");
  const ProbeGrant beneath[] = {{"read \"/proc/**\" except \"/proc/version\"", "x"}};
  EXPECT_EQ(expected(probes(base(), target(), beneath), "read \"/proc/cmdline\""), "derived");
  EXPECT_EQ(expected(probes(base(), target(), beneath), "read \"/proc/version\""), "denied");
}

TEST(Probes, BoundsAreTriedOnBothSides) {
  Policy p = base();
  p.limits.memory_bytes = {1ull << 30, {}};
  p.limits.pids = {100, {}};
  p.limits.time_ms = {600000, {}};
  const auto suite = probes(p, target(), {});
  EXPECT_EQ(expected(suite, "memory 256 MiB"), "permitted");
  EXPECT_EQ(expected(suite, "memory 1088 MiB"), "denied");
  EXPECT_EQ(expected(suite, "50 processes"), "permitted");
  EXPECT_EQ(expected(suite, "101 processes"), "denied");
  EXPECT_EQ(find(suite, "stay longer than 600 s")->layer, "stack");
  const auto none = probes(base(), target(), {});
  for (const Probe& probe : none) EXPECT_NE(probe.part, "limits") << probe.id;
}

TEST(Probes, AnotherStackNamesItsOwnLayers) {
  const auto suite = probes(base(), target("launcher"), {});
  EXPECT_EQ(find(suite, "read \"/etc/passwd\"")->layer, "landlock");
  EXPECT_EQ(find(suite, "capability CAP_NET_RAW")->layer, "launcher");
}

TEST(Probes, ExpiredRulesPermitNothing) {
  Policy p = base();
  for (Rule& r : p.rules) r.expired = true;
  for (const Probe& probe : probes(p, target(), {})) EXPECT_NE(probe.expected, Expected::Permitted) << probe.id;
}

TEST(Probes, LinesAreJsonWithUniqueIdsAndASchema) {
  Policy p = base();
  p.rules.push_back(file_rule("odd", Effect::Allow, verbs_read, {path_subtree("/a \"b\\\n\xc3\xa9\xff")}));
  const auto suite = probes(p, target(), proc_grants);
  std::istringstream lines(to_json_lines(p, target(), suite));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const auto head = nlohmann::json::parse(line);
  EXPECT_EQ(head["schema"], "agp-probe/1");
  EXPECT_EQ(head["attempts"], suite.size());
  std::set<std::string> ids;
  while (std::getline(lines, line)) {
    const auto j = nlohmann::json::parse(line);
    EXPECT_TRUE(ids.insert(j["id"]).second) << line;
    EXPECT_TRUE(j["attempt"]["kind"].is_string());
    EXPECT_FALSE(j["actions"].empty());
  }
  EXPECT_EQ(ids.size(), suite.size());
}

}  // namespace
}  // namespace agp::analysis
