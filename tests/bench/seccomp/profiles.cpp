// What libseccomp makes of emitted profiles, beside the raw filters. Arguments: output directories of `agp build`.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/unit/seccomp/oci.hpp"

namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int argc, char** argv) {
  fmt::print("| policy | raw filter | profile: entries | conditions | by libseccomp |\n|---|---|---|---|---|\n");
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path out = argv[i];
    const std::string profile = read(out / "seccomp/profile.json");
    if (profile.empty()) {
      fmt::print("{}: no seccomp/profile.json\n", argv[i]);
      continue;
    }
    const auto json = nlohmann::json::parse(profile);
    std::size_t conditions = 0;
    for (const auto& e : json["syscalls"]) conditions += e.contains("args") ? e["args"].size() : 0;
    fmt::print("| {} | {} | {} | {} | {} |\n", out.filename().string(),
               agp::test::bpf_from_bytes(read(out / "seccomp/filter.x86_64.bpf")).size(), json["syscalls"].size(),
               conditions, agp::test::runc_program(profile).size());
  }
}
