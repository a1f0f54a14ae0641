#include "compiler/plan/plan.hpp"

// Built-in target records, frozen once released (BACKENDS.md, Targets). Versions are those of the distribution's stable
// packages: kernel, runc, nftables, dnsmasq, libseccomp.
namespace agp::plan {

const std::vector<model::Target>& builtin_targets() {
  static const std::vector<model::Target> targets = {
      {"debian-12", {6, 1}, 2, {"x86_64"}, "oci", {1, 1}, {1, 0}, {2, 90}, "dnsmasq", {5, 17}},
      {"debian-13", {6, 12}, 6, {"x86_64"}, "oci", {1, 1}, {1, 1}, {2, 91}, "dnsmasq", {6, 13}},
      {"ubuntu-24.04", {6, 8}, 4, {"x86_64"}, "oci", {1, 1}, {1, 0}, {2, 90}, "dnsmasq", {6, 7}},
      {"linux-6.18", {6, 18}, 7, {"x86_64"}, "oci", {1, 1}, {1, 0}, {2, 90}, "dnsmasq", {6, 13}},
  };
  return targets;
}

const model::Target* find_target(std::string_view name) {
  for (const auto& t : builtin_targets())
    if (t.name == name) return &t;
  return nullptr;
}

}  // namespace agp::plan
