#include "backends/seccomp/decode/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backends/seccomp/decode/execute.hpp"
#include "backends/seccomp/decode/profile.hpp"
#include "backends/seccomp/format.hpp"
#include "compiler/linux/syscalls.hpp"

namespace agp::backends::seccomp {
namespace {

/// The architecture in the name of a raw filter, `seccomp/filter.ARCH.bpf`; nothing for another file.
std::optional<std::string> filter_arch(std::string_view path) {
  constexpr std::string_view before = "seccomp/filter.", after = ".bpf";
  if (!path.starts_with(before) || !path.ends_with(after) || path.size() <= before.size() + after.size())
    return std::nullopt;
  return std::string(path.substr(before.size(), path.size() - before.size() - after.size()));
}

/// The machines of a target: i386 and x32 are further tables of an x86_64 one.
std::vector<linux::Arch> machines(const model::Target& target) {
  std::vector<linux::Arch> out;
  for (const std::string& name : target.archs)
    if (const auto arch = linux::find_arch(name)) {
      const linux::Arch machine = linux::machine_of(*arch);
      if (std::find(out.begin(), out.end(), machine) == out.end()) out.push_back(machine);
    }
  return out;
}

void decode_filter(const Artifact& artifact, const std::string& arch, Decoded& out) {
  const auto checked = check_program(artifact.bytes);
  if (const auto* rejected = std::get_if<Rejected>(&checked)) {
    out.problems.push_back(
        {fmt::format("`{}` is refused by the kernel: {}", artifact.path, rejected->reason), std::nullopt, ""});
    return;
  }
  auto graph = execute(std::get<CheckedProgram>(checked));
  out.filters.push_back({artifact.path, arch, graph ? std::move(*graph) : model::FilterGraph{}});
}

/// A profile, or the section of a config.json at the JSON pointer `at`, as it is loaded on one machine.
void decode_profile(const Artifact& artifact, const std::string& at, const model::Target& target, linux::Arch machine,
                    Decoded& out) {
  const std::string name = at.empty() ? artifact.path : artifact.path + "#" + at;
  const auto refuse = [&](const Rejected& why) {
    out.problems.push_back({fmt::format("`{}`: {}", artifact.path, why.reason), std::nullopt, ""});
  };
  const auto profile = read_profile(artifact.bytes, at, target, machine);
  if (const auto* rejected = std::get_if<Rejected>(&profile)) return refuse(*rejected);
  auto graph = profile_graph(std::get<Profile>(profile));
  if (const auto* rejected = std::get_if<Rejected>(&graph)) return refuse(*rejected);
  out.filters.push_back({name, std::string(linux::to_string(machine)), std::move(std::get<model::FilterGraph>(graph))});
}

}  // namespace

Decoded decode(std::span<const Artifact> artifacts, const model::Target& target) {
  Decoded out;
  for (const Artifact& a : artifacts) {
    if (const auto arch = filter_arch(a.path)) decode_filter(a, *arch, out);
    for (const linux::Arch machine : machines(target)) {
      const std::size_t problems = out.problems.size();
      if (a.path == format::profile_path) decode_profile(a, "", target, machine, out);
      if (a.path == format::config_path) decode_profile(a, format::config_pointer, target, machine, out);
      if (out.problems.size() > problems) break;  // said once
    }
  }
  return out;
}

}  // namespace agp::backends::seccomp
