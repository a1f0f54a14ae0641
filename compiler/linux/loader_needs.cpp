#include "compiler/linux/loader_needs.hpp"

#include <algorithm>

namespace agp::linux {
namespace {

#include "compiler/linux/tables/loader_needs.inc"

void add(std::vector<LoaderNeed>& out, const LoaderNeed& need) {
  const auto at = std::lower_bound(out.begin(), out.end(), need.call,
                                   [](const LoaderNeed& n, std::string_view call) { return n.call < call; });
  if (at == out.end() || at->call != need.call)
    out.insert(at, need);
  else if (at->argument != need.argument || at->mask != need.mask)
    at->argument = -1, at->mask = 0;
}

}  // namespace

std::span<const MeasuredLoader> measured_loaders() { return measured_table; }

LoaderNeeds loader_needs(std::string_view loader, Version version) {
  LoaderNeeds out;
  for (const MeasuredLoader& m : measured_table) out.measured |= m.loader == loader && m.version == version;
  for (const MeasuredLoader& m : measured_table)
    if (m.loader == loader && (!out.measured || m.version == version))
      for (const LoaderNeed& need : m.needs) add(out.needs, need);
  return out;
}

ProfileNeeds profile_needs(std::string_view stack, Version runc) {
  LoaderNeeds first = loader_needs("runc", runc);
  ProfileNeeds out{std::move(first.needs), 0, first.measured};
  out.of_runc = out.needs.size();
  if (stack != "oci+landlock") return out;
  for (const LoaderNeed& need : loader_needs("landlock-launch", {}).needs)
    if (std::none_of(out.needs.begin(), out.needs.end(), [&](const LoaderNeed& n) { return n.call == need.call; }))
      out.needs.push_back(need);
  return out;
}

}  // namespace agp::linux
