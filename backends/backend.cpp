#include "backends/backend.hpp"

#include <fmt/format.h>

namespace agp::backends {
namespace {

/// FNV-1a: names must be short and stable, not secret.
std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 14695981039346656037ull;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h;
}

}  // namespace

std::string name_set(const model::Rule& rule, std::size_t endpoint, int family) {
  return fmt::format("n_{:016x}_{}_{}", hash(rule.id + '\n' + rule.text), endpoint, family);
}

std::string table_name(const model::Policy& policy) {
  std::string name = "agp_";
  for (const char c : policy.name) name += c == '-' ? '_' : c;
  if (name.size() > 60) name = fmt::format("{}_{:016x}", name.substr(0, 43), hash(policy.name));
  return name;
}

std::string netns_name(const model::Policy& policy) { return "agp-" + policy.name; }

}  // namespace agp::backends
