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

std::uint64_t built_in(std::string_view call) {
  const auto* it = std::lower_bound(std::begin(frequencies), std::end(frequencies), call,
                                    [](const Frequency& f, std::string_view name) { return f.call < name; });
  return it != std::end(frequencies) && it->call == call ? it->count : 0;
}

}  // namespace

// Counts become shares of about 2^30, so that any of them adds up. What is given is trusted: an uncounted call only
// breaks ties. The built-in table stands for other programs than the policy's: any call may be one in fifteen thousand.
Weights::Weights(const model::Target& target) {
  constexpr std::uint64_t whole = 1u << 30, million = 1'000'000;
  smoothing_ = whole / 5'000;
  if (target.syscall_counts.empty()) {
    factor_ = whole / million;
    return;
  }
  given_ = &target.syscall_counts;
  std::uint64_t sum = 0;  // of halves, as often as it takes
  do {
    sum = 0;
    for (const auto& [name, count] : *given_) sum += std::min(count >> shift_, whole);
    if (sum > whole) ++shift_;
  } while (sum > whole);
  factor_ = sum > 0 ? whole / sum : 0;
}

std::uint64_t Weights::of(std::string_view call, bool refused) const {
  std::uint64_t count = 0;
  if (given_) {
    const auto it = given_->find(std::string(call));
    if (it != given_->end()) count = it->second >> shift_;
  } else {
    count = built_in(call);
  }
  return count * factor_ + (refused ? 0 : smoothing_);
}

}  // namespace agp::backends::seccomp
