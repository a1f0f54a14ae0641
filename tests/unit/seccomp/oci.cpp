#include "tests/unit/seccomp/oci.hpp"

#include <seccomp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/support/bounded.hpp"

// runc's steps (libcontainer/seccomp), written down once more on top of the library it uses.
namespace agp::test {
namespace {

using Json = nlohmann::json;

std::uint32_t action(const Json& o, const char* key, const char* errno_key) {
  const std::string a = o.at(key);
  const auto code = static_cast<std::uint16_t>(o.contains(errno_key) ? o.at(errno_key).get<unsigned>() : EPERM);
  if (a == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (a == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(code);
  if (a == "SCMP_ACT_TRAP") return SCMP_ACT_TRAP;
  if (a == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  if (a == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  return SCMP_ACT_KILL;
}

scmp_compare op(const std::string& name) {
  if (name == "SCMP_CMP_NE") return SCMP_CMP_NE;
  if (name == "SCMP_CMP_LT") return SCMP_CMP_LT;
  if (name == "SCMP_CMP_LE") return SCMP_CMP_LE;
  if (name == "SCMP_CMP_EQ") return SCMP_CMP_EQ;
  if (name == "SCMP_CMP_GE") return SCMP_CMP_GE;
  if (name == "SCMP_CMP_GT") return SCMP_CMP_GT;
  return SCMP_CMP_MASKED_EQ;
}

std::string exported(scmp_filter_ctx ctx) {
  std::FILE* file = std::tmpfile();
  std::string bytes;
  if (seccomp_export_bpf(ctx, fileno(file)) == 0) {
    std::rewind(file);
    for (int c; (c = std::fgetc(file)) != EOF;) bytes += static_cast<char>(c);
  }
  std::fclose(file);
  return bytes;
}

Bpf program_of(const Json& profile) {
  const std::uint32_t fallback = action(profile, "defaultAction", "defaultErrnoRet");
  scmp_filter_ctx ctx = seccomp_init(fallback);
  int largest = 0;
  bool fine = true;
  for (const Json& entry : profile.value("syscalls", Json::array())) {
    const std::uint32_t act = action(entry, "action", "errnoRet");
    for (const std::string name : entry.at("names")) {
      const int number = seccomp_syscall_resolve_name(name.c_str());
      if (number == __NR_SCMP_ERROR) continue;
      largest = std::max(largest, number);
      if (act == fallback) continue;
      std::vector<scmp_arg_cmp> args;
      int count[6]{};
      for (const Json& a : entry.value("args", Json::array())) {
        ++count[a.at("index").get<unsigned>()];
        args.push_back({a.at("index").get<unsigned>(), op(a.at("op")), a.at("value").get<std::uint64_t>(),
                        a.value("valueTwo", std::uint64_t{0})});
      }
      const bool repeated = std::any_of(std::begin(count), std::end(count), [](int n) { return n > 1; });
      const auto add = [&](const scmp_arg_cmp* list, unsigned n) {
        fine = seccomp_rule_add_array(ctx, act, number, n, list) == 0 && fine;
      };
      if (!repeated)
        add(args.data(), static_cast<unsigned>(args.size()));
      else
        for (const auto& one : args) add(&one, 1);
    }
  }
  Bpf program = fine ? bpf_from_bytes(exported(ctx)) : Bpf{};
  seccomp_release(ctx);
  if (program.empty()) return program;
  const bool open = fallback == SCMP_ACT_ALLOW || fallback == SCMP_ACT_LOG;
  if (!open && largest != 0 && profile.contains("architectures")) {
    const Bpf prefix{{0x20, 0, 0, 4},
                     {0x15, 0, 4, x86_64_arch},
                     {0x20, 0, 0, 0},
                     {0x45, 2, 0, 1u << 30},
                     {0x25, 0, 1, static_cast<std::uint32_t>(largest)},
                     {0x06, 0, 0, 0x50026}};
    program.insert(program.begin(), prefix.begin(), prefix.end());
  }
  return program;
}

}  // namespace

Bpf runc_program(const std::string& profile_json) {
  const Json profile = Json::parse(profile_json);
  const auto bytes = bounded(2, [&] { return bpf_to_bytes(program_of(profile)); });
  if (!bytes) throw Hung();
  return bpf_from_bytes(*bytes);
}

}  // namespace agp::test
