#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "backends/oci/backend.hpp"
#include "compiler/model/container.hpp"

// Masked and read-only paths, and what a mount can't mean: runc passes over a path where nothing stands, and binds what
// it makes read-only with all that is mounted beneath, remounting the top alone.
namespace agp::test {
namespace {

using Json = nlohmann::json;
using Content = model::ContainerMount::Content;

Json bind_mount(const std::string& target, const std::string& source, std::vector<std::string> flags) {
  flags.insert(flags.begin(), "bind");
  return {{"destination", target}, {"type", "bind"}, {"source", source}, {"options", flags}};
}
/// A host directory on /data, writable, and one file on /bin/tool.
Json configuration() {
  return {{"ociVersion", "1.0.2"},
          {"root", {{"path", "rootfs"}, {"readonly", true}}},
          {"process", {{"user", {{"uid", 1000}, {"gid", 1000}}}, {"args", {"/bin/tool"}}, {"cwd", "/"}}},
          {"mounts",
           {bind_mount("/dev", "dev", {"ro", "nodev"}), bind_mount("/data", "/srv/data", {"rw", "nodev", "noexec"}),
            bind_mount("/bin/tool", "/bin/tool", {"ro", "nodev"})}},
          {"linux", {{"namespaces", {{{"type", "mount"}}}}}}};
}
Json proc() { return {{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}, {"options", {"nosuid"}}}; }

struct Read {
  std::shared_ptr<const model::Container> container;
  std::string problem;
};
Read read(const Json& config) {
  const std::vector<backends::Artifact> artifacts{{"oci/config.json", config.dump()}};
  auto decoded = backends::oci::backend().decode(artifacts, {});
  EXPECT_EQ(decoded.container == nullptr, !decoded.problems.empty());
  return {decoded.container, decoded.problems.empty() ? "" : decoded.problems.front().message};
}
Read with(const std::function<void(Json&)>& change) {
  Json config = configuration();
  change(config);
  return read(config);
}
Read with_paths(const char* list, std::vector<std::string> paths, std::vector<Json> mounts = {}) {
  return with([&](Json& c) {
    for (const Json& m : mounts) c["mounts"].push_back(m);
    c["linux"][list] = paths;
  });
}
void expect_refused(const Read& read, const std::string& words) {
  EXPECT_NE(read.problem.find(words), std::string::npos) << "`" << read.problem << "`";
}
/// The mount that shows `path`; its content, and whether it can be written.
std::pair<Content, bool> shown(const Read& read, const std::string& path) {
  EXPECT_EQ(read.problem, "");
  const model::ContainerMount* m = read.container ? model::mount_at(*read.container, path) : nullptr;
  EXPECT_NE(m, nullptr) << path;
  return m ? std::pair{m->content, m->writable} : std::pair{Content::EmptyFile, true};
}

TEST(OciDecode, WhereNothingIsKnownToStandAPathIsRefused) {
  const char* unknown = "whether anything stands there is not known";
  expect_refused(with_paths("maskedPaths", {"/data/x"}), unknown);
  expect_refused(with_paths("readonlyPaths", {"/data/x"}), unknown);
  expect_refused(with_paths("maskedPaths", {"/bin/tool/x"}), unknown);
  expect_refused(with_paths("maskedPaths", {"/data/x"}), "/linux/maskedPaths/0");
  // a mount beneath that a later one hides leads nowhere
  expect_refused(with_paths("maskedPaths", {"/data/x"},
                            {bind_mount("/data/x/y", "/srv/y", {"ro", "nodev"}),
                             bind_mount("/data", "/srv/data", {"rw", "nodev"})}),
                 unknown);
  // where nothing can be written it makes no difference whether it is passed over
  const Read readonly = with([](Json& c) {
    c["mounts"][1]["options"].push_back("ro");
    c["linux"]["readonlyPaths"] = {"/data/x"};
  });
  EXPECT_EQ(shown(readonly, "/data/x"), std::pair(Content::Host, false));
}

TEST(OciDecode, AtAMountOrOnTheWayToOneOrInProcAPathCounts) {
  EXPECT_EQ(shown(with_paths("maskedPaths", {"/data"}), "/data/a"), std::pair(Content::Nothing, false));
  EXPECT_EQ(shown(with_paths("readonlyPaths", {"/data"}), "/data/a"), std::pair(Content::Host, false));
  const Json beneath = bind_mount("/data/x/y", "/srv/y", {"rw", "nodev"});
  EXPECT_EQ(shown(with_paths("maskedPaths", {"/data/x"}, {beneath}), "/data/x/y"), std::pair(Content::Nothing, false));
  EXPECT_EQ(shown(with_paths("maskedPaths", {"/bin"}), "/bin/tool"), std::pair(Content::Nothing, false));
  const Read masked = with_paths("maskedPaths", {"/proc/kcore"}, {proc()});
  EXPECT_EQ(shown(masked, "/proc/kcore"), std::pair(Content::Nothing, false));
  EXPECT_EQ(shown(masked, "/proc/1"), std::pair(Content::Processes, true));
  const Read sys = with_paths("readonlyPaths", {"/proc/sys"}, {proc()});
  EXPECT_EQ(shown(sys, "/proc/sys/kernel"), std::pair(Content::Processes, false));
  EXPECT_EQ(shown(sys, "/proc/1"), std::pair(Content::Processes, true));
  // in the empty root, and in what is masked already, nothing stands
  const std::size_t mounts = read(configuration()).container->mounts.size();
  EXPECT_EQ(with_paths("maskedPaths", {"/nowhere"}).container->mounts.size(), mounts);
  EXPECT_EQ(with_paths("readonlyPaths", {"/nowhere"}).container->mounts.size(), mounts);
  EXPECT_EQ(with_paths("maskedPaths", {"/data", "/data/x"}).container->mounts.size(), mounts + 1);
}

TEST(OciDecode, AReadOnlyPathWithAMountBeneathIsRefused) {
  const Json beneath = bind_mount("/data/x/y", "/srv/y", {"rw", "nodev"});
  expect_refused(with_paths("readonlyPaths", {"/data"}, {beneath}), "has a mount beneath it");
  expect_refused(with_paths("readonlyPaths", {"/data/x"}, {beneath}), "has a mount beneath it");
  // at the path itself it is what is bound; hidden by a later one it is not there
  EXPECT_EQ(shown(with_paths("readonlyPaths", {"/data/x/y"}, {beneath}), "/data/x/y"), std::pair(Content::Host, false));
  const Read hidden =
      with_paths("readonlyPaths", {"/data"}, {beneath, bind_mount("/data", "/srv/data", {"rw", "nodev"})});
  EXPECT_EQ(shown(hidden, "/data/x/y"), std::pair(Content::Host, false));
  // a masked path covers what is beneath
  EXPECT_EQ(shown(with_paths("maskedPaths", {"/data"}, {beneath}), "/data/x/y"), std::pair(Content::Nothing, false));
}

TEST(OciDecode, TheRootItselfIsRefused) {
  expect_refused(with_paths("maskedPaths", {"/"}), "is the root itself");
  expect_refused(with_paths("readonlyPaths", {"/"}), "is the root itself");
}

TEST(OciDecode, ADeviceWithNodevIsRefused) {
  const auto added = [](const Json& mount) { return with([&](Json& c) { c["mounts"].push_back(mount); }); };
  for (const char* flag : {"rw", "ro"})
    expect_refused(added(bind_mount("/dev/null", "/dev/null", {flag, "nodev"})), "shows a device with `nodev`");
  expect_refused(added(bind_mount("/x", "/dev/zero", {"dev", "nodev"})), "shows a device with `nodev`");
  EXPECT_EQ(shown(added(bind_mount("/dev/null", "/dev/null", {"rw"})), "/dev/null"), std::pair(Content::Device, true));
  EXPECT_EQ(shown(added(bind_mount("/x", "/dev/zero", {"nodev", "dev", "ro"})), "/x"),
            std::pair(Content::Device, false));
  expect_refused(added(bind_mount("/x", "/srv", {"ro"})), "without `nodev`");
}

// what stands behind it would be nobody's to look at
TEST(OciDecode, BytesBehindANulAreRefused) {
  using namespace std::string_literals;
  const std::vector<backends::Artifact> artifacts{{"oci/config.json", configuration().dump() + "\0{}"s}};
  const auto decoded = backends::oci::backend().decode(artifacts, {});
  ASSERT_EQ(decoded.problems.size(), 1u);
  EXPECT_EQ(decoded.problems[0].message, "`oci/config.json`: it is not JSON");
}

// 0100 is 64 to the kernel: a directory of user 64 that nobody seems to own
TEST(OciDecode, ANumberThatBeginsWithZeroIsRefused) {
  const auto tmpfs = [](const char* option) {
    return with([&](Json& c) {
      c["mounts"].push_back(
          {{"destination", "/tmp"}, {"type", "tmpfs"}, {"source", "tmpfs"}, {"options", {"nodev", "nosuid", option}}});
    });
  };
  for (const char* option : {"uid=0100", "gid=010", "size=0100000", "size=00"})
    expect_refused(tmpfs(option), "begins with 0: the kernel reads it as octal");
  EXPECT_EQ(tmpfs("mode=0700").problem, "");
  EXPECT_EQ(tmpfs("uid=0").problem, "");
}

TEST(OciDecode, WhatNobodyMayOpenIsNotMountedWritable) {
  const auto added = [](const char* source, std::vector<std::string> flags) {
    return with([&](Json& c) { c["mounts"].push_back(bind_mount("/x", source, std::move(flags))); });
  };
  for (const char* source : {"denied-directory", "denied-file"}) {
    expect_refused(added(source, {"rw", "nodev"}), "open writable");
    expect_refused(added(source, {"nodev"}), "open writable");
    expect_refused(added(source, {"ro", "rw"}), "open writable");
    EXPECT_EQ(shown(added(source, {"rw", "ro"}), "/x"), std::pair(Content::Nothing, false));
  }
}

}  // namespace
}  // namespace agp::test
