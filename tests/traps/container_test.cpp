#include "tests/support/container.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "backends/oci/backend.hpp"
#include "compiler/verify/stack.hpp"
#include "tests/support/file_policy.hpp"

// Configurations of a container that look right and are not. Each is refuted with a path, and the same change is tried
// in a real container: what the policy refuses then succeeds, or what it permits fails.
namespace agp::test {
namespace {

using Json = nlohmann::ordered_json;
using verify::Direction;

FilePolicy with_tools() {
  FilePolicy p;
  p.allow("read exec", {"/bin/busybox"}).mount("/bin/busybox", "/bin/busybox");
  return p;
}
FilePolicy with_hooks() {
  FilePolicy p = with_tools();
  p.allow("read write", {"/workspace/**"}).deny("write", {"/workspace/.git/hooks/**"}).tmpfs("/workspace", 1 << 20);
  return p;
}

/// What refutes the configuration after the change, in this direction: "VERB PATH"; "proved" if nothing does.
std::string refuted(const FilePolicy& b, Direction direction, const Mutation& change = {}) {
  const backends::Artifact profile{"seccomp/profile.json", R"({"defaultAction":"SCMP_ACT_ERRNO"})"};
  const auto emitted = backends::oci::backend().emit(b.policy, debian12(), {&profile, 1});
  for (const auto& p : emitted.problems) ADD_FAILURE() << p.message;
  Json json = Json::parse(emitted.artifacts.at(0).bytes);
  if (change) change(json);
  const backends::Artifact artifact{"oci/config.json", json.dump()};
  const verify::Reading reading{"oci", backends::oci::backend().decode({&artifact, 1}, debian12())};
  for (const auto& p : reading.decoded.problems) ADD_FAILURE() << p.message;
  const auto facts = model::facts(b.policy);
  plan::Plan plan;
  plan.derived = backends::oci::backend().capabilities(b.policy, facts, debian12()).derived;
  std::string out = "proved";
  for (const auto& o : verify::verify_stack(b.policy, debian12(), plan, {&reading, 1})) {
    if (o.direction != direction || out != "proved") continue;
    o.verdict.match([](const solver::Proved&) {}, [&](const verify::Witness& w) { out = w.action; },
                    [&](const solver::Unknown& u) { out = "unknown: " + u.reason; });
  }
  return out;
}

/// Can containers be started here? If not, the test is skipped after what needs none.
bool containers() {
  if (geteuid() != 0 || !std::filesystem::exists("/bin/busybox")) return false;
  for (const char* program : {"runc", "ip", "nft", "sysctl", "unshare"})
    if (execute({"sh", "-c", std::string("command -v ") + program}).status != 0) return false;
  const std::string ns = "agp-traps-probe-" + std::to_string(getpid());
  if (execute({"ip", "netns", "add", ns}).status != 0) return false;
  execute({"ip", "netns", "del", ns});
  return true;
}
#define NEEDS_CONTAINERS() \
  if (!containers()) GTEST_SKIP() << "refuted; not tried: root, runc, ip, nft and busybox-static are needed"

constexpr const char* around =
    "$b mv /workspace/.git /workspace/x && $b mkdir -p /workspace/.git/hooks && $b touch /workspace/.git/hooks/h";

TEST(ContainerTraps, AReadOnlyMountWhoseParentCanBeMoved) {
  const auto p = with_hooks();
  const Mutation unpinned = [](Json& c) { remove_mount(c, "/workspace/.git"); };
  EXPECT_EQ(refuted(p, Direction::Excess), "proved");
  const std::string witness = refuted(p, Direction::Excess, unpinned);
  EXPECT_NE(witness.find("/workspace/.git"), std::string::npos) << witness;
  NEEDS_CONTAINERS();
  EXPECT_NE(attempt(p.policy, {{"hook", around}}).at("hook"), 0);
  EXPECT_EQ(attempt(p.policy, {{"hook", around}}, unpinned).at("hook"), 0);
}

TEST(ContainerTraps, APinnedDirectoryRefusesRenames) {  // a loss, which the policy has to accept
  const auto p = with_hooks();
  const std::string witness = refuted(p, Direction::Loss);
  EXPECT_NE(witness.find("\"/workspace/.git\""), std::string::npos) << witness;
  NEEDS_CONTAINERS();
  const std::vector<std::pair<std::string, std::string>> attempts{
      {"pinned", "$b mv /workspace/.git /workspace/x"},
      {"other", "$b mkdir /workspace/d && $b mv /workspace/d /workspace/e"}};
  const auto got = attempt(p.policy, attempts);
  EXPECT_NE(got.at("pinned"), 0);
  EXPECT_EQ(got.at("other"), 0);
}

TEST(ContainerTraps, APlainTmpfsAsAMask) {
  const Scratch host;
  host.directory("config/secret", 0777);
  FilePolicy p = with_tools();
  p.allow("read", {"/config/**"})
      .deny("read write", {"/config/secret/**", "/config/secret"})
      .mount(host.path("config"), "/config");
  const Mutation plain = [](Json& c) {
    mount_at(c, "/config/secret") = {{"destination", "/config/secret"},
                                     {"type", "tmpfs"},
                                     {"source", "tmpfs"},
                                     {"options", {"nosuid", "nodev", "noexec"}}};
  };
  EXPECT_EQ(refuted(p, Direction::Excess), "proved");
  const std::string witness = refuted(p, Direction::Excess, plain);
  EXPECT_NE(witness.find("/config/secret"), std::string::npos) << witness;
  NEEDS_CONTAINERS();
  const std::vector<std::pair<std::string, std::string>> attempts{{"write", "$b touch /config/secret/x"}};
  EXPECT_NE(attempt(p.policy, attempts).at("write"), 0);
  EXPECT_EQ(attempt(p.policy, attempts, plain).at("write"), 0);
}

TEST(ContainerTraps, AWorkspaceThatRootOwns) {  // a loss
  FilePolicy p = with_tools();
  p.allow("read write", {"/workspace/**"}).tmpfs("/workspace", 1 << 20);
  const Mutation roots = [](Json& c) {
    replace_option(c, "/workspace", "uid=65534", "uid=0");
    replace_option(c, "/workspace", "gid=65534", "gid=0");
  };
  EXPECT_EQ(refuted(p, Direction::Loss), "proved");
  const std::string witness = refuted(p, Direction::Loss, roots);
  EXPECT_NE(witness.find("/workspace/"), std::string::npos) << witness;
  NEEDS_CONTAINERS();
  const std::vector<std::pair<std::string, std::string>> attempts{{"write", "$b touch /workspace/a"}};
  EXPECT_EQ(attempt(p.policy, attempts).at("write"), 0);
  EXPECT_NE(attempt(p.policy, attempts, roots).at("write"), 0);
}

TEST(ContainerTraps, PacketSocketsPassThePacketRules) {  // AF_PACKET needs CAP_NET_RAW, and no hook sees what it sends
  const FilePolicy p = with_tools();
  const Mutation raw = [](Json& c) {
    for (const char* set : {"bounding", "effective", "permitted", "inheritable", "ambient"})
      c["process"]["capabilities"][set] = {"CAP_NET_RAW"};
  };
  EXPECT_EQ(refuted(p, Direction::Excess), "proved");
  EXPECT_EQ(refuted(p, Direction::Excess, raw), "capability CAP_NET_RAW");
}

TEST(ContainerTraps, TimeoutAroundRuncLeavesTheContainerRunning) {
  NEEDS_CONTAINERS();
  const Scratch scratch;
  for (const char* directory : {"rootfs/bin", "rootfs/proc"}) scratch.directory(directory);
  std::filesystem::copy_file("/bin/busybox", scratch.path("rootfs/bin/busybox"));
  const Json config = {{"ociVersion", "1.0.2"},
                       {"root", {{"path", "rootfs"}, {"readonly", true}}},
                       {"process",
                        {{"terminal", false},
                         {"cwd", "/"},
                         {"args", {"/bin/busybox", "sleep", "3600"}},
                         {"user", {{"uid", 0}, {"gid", 0}}}}},
                       {"mounts", {{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}}}},
                       {"linux", {{"namespaces", {{{"type", "pid"}}, {{"type", "mount"}}, {{"type", "network"}}}}}}};
  scratch.file("config.json", config.dump());
  const std::string id = "agp-traps-timeout-" + std::to_string(getpid()), root = "--root=" + scratch.path("state");
  const auto state = [&] { return execute({"runc", root, "state", id}).out; };
  // As it is often written. It takes a moment until the container runs: the time is made longer until it does.
  std::string seen;
  for (const char* seconds : {"1", "4", "16"}) {
    EXPECT_EQ(execute({"timeout", "-s", "KILL", seconds, "runc", root, "run", "--bundle", scratch.path(), id}).status,
              137);
    seen = state();
    if (seen.find("\"running\"") != std::string::npos) break;
    execute({"runc", root, "delete", "--force", id});
  }
  EXPECT_NE(seen.find("\"running\""), std::string::npos) << seen;
  execute({"runc", root, "delete", "--force", id});

  // The stack's own command: OciLimits.WhenTheTimeIsOverNothingOfItRuns.
  FilePolicy p = with_tools();
  p.policy.run.command = {"/bin/busybox", "sleep", "3600"};
  p.policy.limits.time_ms = {{1500, {}}};
  EXPECT_EQ(run_container(p.policy).status, 137);
}

}  // namespace
}  // namespace agp::test
