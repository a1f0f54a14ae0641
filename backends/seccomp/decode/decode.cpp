#include "backends/seccomp/decode/decode.hpp"

#include <fmt/format.h>

#include "backends/seccomp/decode/execute.hpp"
#include "backends/seccomp/format.hpp"

namespace agp::backends::seccomp {
namespace {

void decode_filter(const Artifact& artifact, Decoded& out) {
  const auto checked = check_program(artifact.bytes);
  if (const auto* rejected = std::get_if<Rejected>(&checked)) {
    out.problems.push_back({fmt::format("`{}` is refused by the kernel: {}", artifact.path, rejected->reason), std::nullopt, ""});
    return;
  }
  auto graph = execute(std::get<CheckedProgram>(checked));
  out.filters.push_back({artifact.path, "x86_64", graph ? std::move(*graph) : model::FilterGraph{}});
}

}  // namespace

Decoded decode(std::span<const Artifact> artifacts, const model::Target&) {
  Decoded out;
  for (const Artifact& a : artifacts)
    if (a.path == format::filter_path) decode_filter(a, out);
  return out;
}

}  // namespace agp::backends::seccomp
