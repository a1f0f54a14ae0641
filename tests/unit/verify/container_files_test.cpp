#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "backends/oci/backend.hpp"
#include "compiler/verify/stack.hpp"
#include "tests/support/file_policy.hpp"
#include "tests/support/net_policy.hpp"

// The mounts of a config.json against the file rules: what is emitted is proved, and each change that a careless or
// hostile hand could make is refuted with the path that shows it.
namespace agp::test {
namespace {

using Json = nlohmann::ordered_json;
using Change = std::function<void(Json& mounts)>;
using Refuted = std::vector<std::string>;

FilePolicy workspace() {
  FilePolicy b;
  b.allow("read write", {"/workspace/**"})
      .allow("read", {"/task/**", "/data/**"})
      .allow("read exec", {"/usr/bin/tool"});
  b.allow("read exec", {"/usr/lib/**"}).deny("read write", {"/data/secret/**", "/data/secret"});
  b.tmpfs("/workspace", 1 << 20).mount("/srv/task", "/task");
  return b;
}

Json& at(Json& mounts, const std::string& target) {
  for (Json& m : mounts)
    if (m["destination"] == target) return m;
  ADD_FAILURE() << target;
  return mounts[0];
}
void replace(Json& mounts, const std::string& target, const std::string& from, const std::string& to) {
  for (Json& o : at(mounts, target)["options"])
    if (o == from) o = to;
}
Json bind(const std::string& source, const std::string& target, bool writable = false) {
  return {{"destination", target},
          {"type", "bind"},
          {"source", source},
          {"options", {"bind", writable ? "rw" : "ro", "nosuid", "nodev", "noexec"}}};
}

Refuted refuted(const FilePolicy& b, const Change& change = {}, const model::Target& target = debian12()) {
  const backends::Artifact profile{"seccomp/profile.json", R"({"defaultAction":"SCMP_ACT_ERRNO"})"};
  const auto emitted = backends::oci::backend().emit(b.policy, target, {&profile, 1});
  EXPECT_TRUE(emitted.problems.empty());
  Json json = Json::parse(emitted.artifacts.at(0).bytes);
  if (change) change(json["mounts"]);
  const backends::Artifact artifact{"oci/config.json", json.dump()};
  const verify::Reading reading{"oci", backends::oci::backend().decode({&artifact, 1}, target)};
  if (!reading.decoded.problems.empty()) return {reading.decoded.problems[0].message};
  const auto facts = model::facts(b.policy);
  plan::Plan plan;
  plan.derived = backends::oci::backend().capabilities(b.policy, facts, target).derived;
  Refuted out;
  for (const auto& o : verify::verify_stack(b.policy, target, plan, {&reading, 1}))
    o.verdict.match(
        [](const solver::Proved&) {},
        [&](const verify::Witness& w) {
          out.push_back(std::string(verify::to_string(o.direction)) + ": " + w.action + " (" + w.place + ")");
        },
        [&](const solver::Unknown& u) { out.push_back("unknown: " + u.reason); });
  return out;
}

TEST(ContainerFiles, WhatIsEmittedIsProved) { EXPECT_EQ(refuted(workspace()), Refuted{}); }

// A rule about what lies beneath a path makes it a directory: reading it as a file is nothing that could be lost.
TEST(ContainerFiles, ADeniedTreeIsADirectory) {
  FilePolicy tree, node;
  tree.allow("read", {"/data/**"}).deny("read", {"/data/secret/**"});
  EXPECT_EQ(refuted(tree), Refuted{});
  node.allow("read", {"/data/**"}).deny("read", {"/data/secret"});
  EXPECT_EQ(refuted(node).size(), 1u);  // what lies beneath it, were it a directory
}

// `prepare` makes mount points for what rules and mounts of the policy name. For another mount the runtime makes it,
// and what the host has there may be a directory: a mount for each name that a glob permits is no list of files.
TEST(ContainerFiles, AMountThatNoRuleNamesMayBeADirectory) {
  FilePolicy b;
  b.allow("read exec", {"/bin/true"}).allow("read", {"/srv/f?"});
  const Refuted found = refuted(b, [](Json& m) {
    Json& one = at(m, "/srv");
    one["destination"] = "/srv/f1";
    one["source"] = one["source"].get<std::string>() + "/f1";
  });
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].rfind("no excess: open \"/srv/f1/", 0), 0u) << found[0];
}

/// A socket that may be connected to can't be opened: `prepare` looks that it is one.
TEST(ContainerFiles, ASocketIsNoFile) {
  FilePolicy b;
  b.allow("read exec", {"/bin/true"}).sock(model::Effect::Allow, model::Direction::Connect, "/run/app.sock");
  EXPECT_EQ(refuted(b), Refuted{});
  // writable, its mode could be changed, and no rule permits a call that does
  EXPECT_EQ(refuted(b, [](Json& m) { replace(m, "/run/app.sock", "ro", "rw"); }), Refuted{});
  // another one beside it is a file like any other
  const Refuted beside = refuted(b, [](Json& m) { m.push_back(bind("/run/other.sock", "/run/other.sock")); });
  ASSERT_FALSE(beside.empty());
  EXPECT_EQ(beside[0].rfind("no excess: open \"/run/other.sock\"", 0), 0u) << beside[0];
  // nor is it one where another rule refuses it: nothing looks what stands there
  FilePolicy denied = b;
  denied.allow("list", {"/", "/run"}).sock(model::Effect::Deny, model::Direction::Connect, "/run/**");
  const Refuted seen = refuted(denied, [](Json& m) { m.push_back(bind("/run/app.sock", "/run/app.sock")); });
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen[0].rfind("no excess: open \"/run/app.sock\"", 0), 0u) << seen[0];
  const auto commands = plan::stack_commands(b.policy, debian12());
  const std::vector<std::string> looks{"test", "-S", "/run/app.sock"};
  EXPECT_NE(std::find(commands.prepare.begin(), commands.prepare.end(), looks), commands.prepare.end());
  b.allow("read", {"/run/app.sock"});  // a rule that lets it be read is about a file
  EXPECT_EQ(refuted(b), Refuted{});
  const auto other = plan::stack_commands(b.policy, debian12());
  EXPECT_EQ(std::find(other.prepare.begin(), other.prepare.end(), looks), other.prepare.end());
}

/// What a later mount hides stands nowhere: with subset=pid no such file is in /proc.
TEST(ContainerFiles, WhatProcHides) {
  EXPECT_EQ(refuted(workspace(), [](Json& m) { m.insert(m.begin(), bind("/srv", "/proc/sysrq-trigger")); }), Refuted{});
  const Refuted over = refuted(workspace(), [](Json& m) { m.push_back(bind("/srv", "/proc/sysrq-trigger")); });
  ASSERT_FALSE(over.empty());
  EXPECT_EQ(over[0].rfind("no excess: open \"/proc/sysrq-trigger", 0), 0u) << over[0];
}

/// What has no permission bit for its owner is no cover: the owner gives itself what it wants.
TEST(ContainerFiles, AnOwnersModeRefusesNothing) {
  FilePolicy b;
  b.allow("read write", {"/workspace/**"}).deny("read write", {"/workspace/keys/**"}).tmpfs("/workspace", 1 << 20);
  const auto exceeds = [&](const char* owner) {
    const Refuted found = refuted(b, [&](Json& m) {
      Json& keys = at(m, "/workspace/keys");
      keys["type"] = keys["source"] = "tmpfs";
      keys["options"] = {"rw", "nosuid", "nodev", "noexec", "size=1048576", owner, "gid=7", "mode=0000"};
    });
    return std::any_of(found.begin(), found.end(), [](const std::string& f) { return f.starts_with("no excess: "); });
  };
  EXPECT_FALSE(exceeds("uid=7"));
  EXPECT_TRUE(exceeds("uid=65534"));
}

/// runc 1.1 makes it of the directory that it covers: in the host's 0777, whoever the options say that it belongs to.
TEST(ContainerFiles, TheModeOfATmpfsIsThatOfWhatItCovers) {
  FilePolicy b = workspace();
  b.mount("/srv/data", "/data").tmpfs("/data/tmp", 1 << 20);
  model::Target later = debian12();
  later.runc = {1, 2};
  const auto with = [&](std::vector<std::string> options, const model::Target& target) {
    options.insert(options.end(), {"nosuid", "nodev", "noexec", "uid=0", "gid=0"});
    return refuted(
        b, [&](Json& m) { at(m, "/data/tmp")["options"] = options; }, target);
  };
  EXPECT_EQ(with({"ro", "mode=0755"}, debian12()), Refuted{});
  const Refuted found = with({"rw", "mode=0755", "size=1048576"}, debian12());
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].rfind("no excess: modify \"/data/tmp/", 0), 0u) << found[0];
  EXPECT_EQ(with({"rw", "mode=0755", "size=1048576"}, later), Refuted{});
}

TEST(ContainerFiles, EachChangeIsRefuted) {
  struct Case {
    const char* what;
    Change change;
    const char* expected;
  };
  const std::vector<Case> cases = {
      {"writable", [](Json& m) { replace(m, "/task", "ro", "rw"); }, "no excess: modify \"/task"},
      {"read-only", [](Json& m) { replace(m, "/workspace", "rw", "ro"); }, "no loss: create \"/workspace/"},
      {"exec", [](Json& m) { replace(m, "/task", "noexec", "exec"); }, "no excess: exec \"/task/"},
      {"noexec", [](Json& m) { at(m, "/usr/lib")["options"].push_back("noexec"); }, "no loss: exec \"/usr/lib/"},
      {"one more", [](Json& m) { m.push_back(bind("/etc", "/etc")); }, "no excess: "},
      {"a mask less", [](Json& m) { m.erase(m.begin() + 1); }, "no excess: open \"/data/secret"},
      {"another source", [](Json& m) { at(m, "/task")["source"] = "/srv"; }, "no excess: open \"/task"},
      {"the directory around", [](Json& m) { at(m, "/usr/lib")["source"] = "/usr"; }, "no excess: open \"/usr/lib"},
      {"root's tmpfs",
       [](Json& m) {
         replace(m, "/workspace", "uid=65534", "uid=0");
         replace(m, "/workspace", "gid=65534", "gid=0");
       },
       "no loss: open \"/workspace/"},
      {"a larger tmpfs", [](Json& m) { replace(m, "/workspace", "size=1048576", "size=1048577"); },
       "no excess: open \"/workspace\""},
      {"a smaller tmpfs", [](Json& m) { replace(m, "/workspace", "size=1048576", "size=1048575"); },
       "no excess: open \"/workspace\""},
      {"a host device in a tmpfs",
       [](Json& m) {
         m.push_back(
             {{"destination", "/workspace/z"}, {"type", "bind"}, {"source", "/dev/zero"}, {"options", {"bind", "rw"}}});
       },
       "no excess: open \"/workspace/z\""},
      {"covered by a later one",
       [](Json& m) {
         Json secret = at(m, "/data/secret");
         for (std::size_t i = 0; i < m.size(); ++i)
           if (m[i]["destination"] == "/data/secret") m.erase(m.begin() + static_cast<std::ptrdiff_t>(i--));
         m.insert(m.begin(), secret);
       },
       "no excess: open \"/data/secret"},
      {"all of proc", [](Json& m) { replace(m, "/proc", "subset=pid", "ro"); }, "no excess: open \"/proc/"},
      {"runc's own devices",
       [](Json& m) {
         for (std::size_t i = 0; i < m.size(); ++i)
           if (m[i]["destination"].get<std::string>().rfind("/dev", 0) == 0)
             m.erase(m.begin() + static_cast<std::ptrdiff_t>(i--));
       },
       "no excess: "},
      {"a directory of the stack's where a program belongs", [](Json& m) { at(m, "/usr/bin/tool")["source"] = "dev"; },
       "no excess: open \"/usr/bin/tool\""},
      {"a mount in a directory that takes none", [](Json& m) { at(m, "/dev")["source"] = "denied-directory"; },
       "no excess: open \"/dev/null\""},
      {"the stack's resolv.conf elsewhere",
       [](Json& m) {
         Json& resolver = at(m, "/etc/resolv.conf");
         resolver["destination"] = "/etc/other";
       },
       "no excess: open \"/etc/resolv.conf\""},
      {"a tmpfs that can't be listed", [](Json& m) { replace(m, "/workspace", "mode=0700", "mode=0300"); },
       "no loss: list \"/workspace\""},
  };
  PolicyBuilder names("names");
  names.resolver("10.0.0.53");
  names.allow("name", tcp, {named("a.example", port(443))});
  FilePolicy policy = workspace();
  policy.allow("list", {"/workspace"});
  policy.policy.rules.push_back(names.get().rules.at(0));
  policy.policy.resolvers = names.get().resolvers;
  EXPECT_EQ(refuted(policy), Refuted{});
  for (const Case& c : cases) {
    const Refuted found = refuted(policy, c.change);
    ASSERT_FALSE(found.empty()) << c.what;
    EXPECT_EQ(found[0].rfind(c.expected, 0), 0u) << c.what << ": " << found[0];
  }
}

}  // namespace
}  // namespace agp::test
