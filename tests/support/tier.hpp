#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

/// The two tiers of a suite that draws at random. `scripts/test` runs the short one; `scripts/test --long SUITE` sets
/// AGP_LONG and AGP_SEED and writes what `result` says into docs/results.md.
namespace agp::test {

inline bool long_tier() { return std::getenv("AGP_LONG") != nullptr; }

/// Of things in an order the short tier takes every `n`th: `i` counts from 0.
inline bool in_tier(std::size_t i, std::size_t n) { return long_tier() || i % n == 0; }

/// AGP_SEED, else `otherwise`; printed, so that a failure can be had again.
inline std::uint64_t seed(std::uint64_t otherwise) {
  const char* given = std::getenv("AGP_SEED");
  const std::uint64_t value = given ? std::strtoull(given, nullptr, 0) : otherwise;
  std::printf("seed: %llu\n", static_cast<unsigned long long>(value));
  return value;
}

/// One line of docs/results.md: `50,000 policies, 0 wrong`.
inline void result(const std::string& line) { std::printf("result: %s\n", line.c_str()); }

}  // namespace agp::test
