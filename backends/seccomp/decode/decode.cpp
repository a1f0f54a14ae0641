#include "backends/seccomp/decode/decode.hpp"

#include <fmt/format.h>

#include "backends/seccomp/decode/execute.hpp"
#include "backends/seccomp/decode/profile.hpp"
#include "backends/seccomp/format.hpp"

namespace agp::backends::seccomp {
namespace {

void decode_filter(const Artifact& artifact, Decoded& out) {
  const auto checked = check_program(artifact.bytes);
  if (const auto* rejected = std::get_if<Rejected>(&checked)) {
    out.problems.push_back(
        {fmt::format("`{}` is refused by the kernel: {}", artifact.path, rejected->reason), std::nullopt, ""});
    return;
  }
  auto graph = execute(std::get<CheckedProgram>(checked));
  out.filters.push_back({artifact.path, "x86_64", graph ? std::move(*graph) : model::FilterGraph{}});
}

/// A profile, or the section of a config.json at the JSON pointer `at`.
void decode_profile(const Artifact& artifact, const std::string& at, const model::Target& target, Decoded& out) {
  const std::string name = at.empty() ? artifact.path : artifact.path + "#" + at;
  const auto refuse = [&](const Rejected& why) {
    out.problems.push_back({fmt::format("`{}`: {}", artifact.path, why.reason), std::nullopt, ""});
  };
  const auto profile = read_profile(artifact.bytes, at, target);
  if (const auto* rejected = std::get_if<Rejected>(&profile)) return refuse(*rejected);
  auto graph = profile_graph(std::get<Profile>(profile));
  if (const auto* rejected = std::get_if<Rejected>(&graph)) return refuse(*rejected);
  out.filters.push_back({name, "x86_64", std::move(std::get<model::FilterGraph>(graph))});
}

}  // namespace

Decoded decode(std::span<const Artifact> artifacts, const model::Target& target) {
  Decoded out;
  for (const Artifact& a : artifacts) {
    if (a.path == format::filter_path) decode_filter(a, out);
    if (a.path == format::profile_path) decode_profile(a, "", target, out);
    if (a.path == format::config_path) decode_profile(a, format::config_pointer, target, out);
  }
  return out;
}

}  // namespace agp::backends::seccomp
