#include "backends/seccomp/emit/weights.hpp"

#include <algorithm>
#include <iterator>

namespace agp::backends::seccomp {
namespace {

struct Frequency {
  std::string_view call;
  std::uint32_t count;
};
#include "backends/seccomp/emit/frequency.inc"

}  // namespace

// Counts become shares of about 2^30, so that any of them adds up. The built-in table stands for other programs than
// the policy's, so any call may be one in 5,000; counts that are given are trusted more.
Weights::Weights(const model::Target& target) {
  constexpr std::uint64_t all_shares = 1u << 30, million = 1'000'000;
  if (target.syscall_counts.empty()) {
    smoothing_ = all_shares / 5'000;
    factor_ = all_shares / million;
    counts_.reserve(std::size(frequencies));
    for (const Frequency& f : frequencies) counts_.emplace(f.call, f.count);
    return;
  }
  smoothing_ = all_shares / 20'000;
  unsigned shift = 0;
  std::uint64_t sum = 0;  // of halves, as often as it takes
  do {
    sum = 0;
    for (const auto& [name, count] : target.syscall_counts) sum += std::min(count >> shift, all_shares);
    if (sum > all_shares) ++shift;
  } while (sum > all_shares);
  factor_ = sum > 0 ? all_shares / sum : 0;
  counts_.reserve(target.syscall_counts.size());
  for (const auto& [name, count] : target.syscall_counts) counts_.emplace(name, std::min(count >> shift, all_shares));
}

std::uint64_t Weights::of(std::string_view call, bool refused) const {
  const auto it = counts_.find(call);
  return (it == counts_.end() ? 0 : it->second * factor_) + (refused ? 0 : smoothing_);
}

}  // namespace agp::backends::seccomp
