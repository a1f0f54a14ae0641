#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/support/file_policy.hpp"

// Writes DIR/N.json for policies that between them use every field the emitter knows.
namespace {

using namespace agp;
using test::FilePolicy;

std::vector<model::Policy> policies() {
  std::vector<model::Policy> out;
  FilePolicy small;
  out.push_back(small.policy);

  FilePolicy full;
  full.allow("read write", {"/workspace/**"})
      .allow("read", {"/config/**", "/etc/hosts"})
      .allow("read modify", {"/dev/tty"});
  full.deny("write", {"/workspace/.git/hooks/**", "/workspace/.env"})
      .deny("read", {"/config/secret/**", "/config/key"});
  full.allow("read exec", {"/usr/bin/python3.11"}).tmpfs("/workspace", 1 << 30).mount("/srv/config", "/config");
  full.capability("CAP_NET_BIND_SERVICE").name_rule("registry.internal");
  full.policy.env_set = {{"PATH", "/usr/bin:/bin"}, {"QUOTED", "\"\\\t\u00e9"}};
  full.policy.limits.cpu_milli = {{2000, {}}};
  full.policy.limits.memory_bytes = {{4ull << 30, {}}};
  full.policy.limits.pids = {{256, {}}};
  full.policy.limits.files = {{1024, {}}};
  full.policy.run.user = model::User{1000, 1001, {}};
  full.policy.run.workdir = "/workspace";
  full.policy.run.hostname = "agent";
  out.push_back(full.policy);

  FilePolicy host;
  host.allow("read write exec", {"/w/**"}).deny("exec", {"/w/a/b/**"}).mount("/srv/w", "/w", true);
  host.policy.limits.cpu_milli = {{3, {}}};
  host.policy.run.rootfs = "/srv/image";
  out.push_back(host.policy);
  return out;
}

/// The seccomp section as the OCI form knows it, with every field a profile can have.
const char* const profile =
    R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"architectures":["SCMP_ARCH_X86_64"],
 "syscalls":[{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":4294967295,"valueTwo":2,"op":"SCMP_CMP_MASKED_EQ"}]},
             {"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]})";

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  int n = 0;
  for (const model::Policy& policy : policies()) {
    const backends::Artifact earlier[] = {{"seccomp/profile.json", profile}};
    const auto emitted = backends::oci::backend().emit(policy, test::debian12(), earlier);
    if (!emitted.problems.empty()) return std::fprintf(stderr, "%s\n", emitted.problems[0].message.c_str()), 1;
    std::ofstream(std::filesystem::path(argv[1]) / (std::to_string(n++) + ".json"), std::ios::binary)
        << emitted.artifacts[0].bytes;
  }
}
