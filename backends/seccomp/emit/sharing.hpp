#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "backends/seccomp/emit/assembler.hpp"

namespace agp::backends::seccomp {

/// Values, inclusive.
struct Run {
  std::uint32_t first = 0, last = 0;
};

/// The values that go one way from a test, in memory of the caller's.
struct Values {
  std::span<const Run> runs;
  std::uint32_t bits = 0;  ///< that some of them has: `bits_of` their runs, together
};
std::uint32_t bits_of(const Run& r);

/// The next value that has a bit of the mask where this one has none, or none where this one has some; 2^32 or more
/// where no 32-bit value does.
std::uint64_t next_other(std::uint32_t mask, std::uint32_t value);

/// Tests of one word that lead to the same two places. Where one mask parts all values that reach either of them, one
/// test serves both: an instruction less, and no way becomes longer.
class Sharing {
 public:
  struct Test {
    Assembler::Label yes = 0, no = 0;  ///< where it leads
    Values to_yes, to_no;              ///< what reaches it
  };
  /// What a written test has to ask to serve another one's values too.
  struct Joined {
    std::size_t test = 0;  ///< as `add` numbers them
    Assembler::Label at = 0;
    std::uint32_t mask = 0;  ///< as few bits as it takes
    bool turned = false;     ///< its two targets change places
  };
  /// Looks among the tests from the label `oldest` on, the latest first. What it finds serves these values from then
  /// on.
  std::optional<Joined> join(const Test& test, Assembler::Label oldest);
  /// The test was written, later than those before.
  void add(Assembler::Label at, const Test& test);
  std::size_t size() const { return groups_.size(); }

 private:
  static constexpr std::size_t none = ~std::size_t{0};
  struct Group {
    Assembler::Label at = 0, yes = 0, no = 0;
    bool turned = false;  ///< the values of `no` are those with a bit
    std::uint32_t yes_bits = 0, no_bits = 0;
    std::span<const Run> to_yes, to_no;
    std::vector<Test> joined;
    std::size_t before = none;  ///< the latest older group between the same places
    bool parted(bool turn, std::uint32_t mask) const;
  };
  static std::uint64_t places(const Test& t) {
    return std::uint64_t{std::max(t.yes, t.no)} << 32 | std::min(t.yes, t.no);
  }
  std::vector<Group> groups_;
  std::unordered_map<std::uint64_t, std::size_t> latest_;  ///< group, by the two places
};

}  // namespace agp::backends::seccomp
