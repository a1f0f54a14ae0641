#include "backends/seccomp/emit/sharing.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

// Tests that become one: every value that reached either of them must go on where it went.
namespace agp::test {
namespace {

using backends::seccomp::Run;
using backends::seccomp::Sharing;
using backends::seccomp::Values;

Values values(const std::vector<Run>& runs) {
  Values out{runs, 0};
  for (const Run& r : runs) out.bits |= backends::seccomp::bits_of(r);
  return out;
}

struct Asked {
  std::vector<Run> yes, no;
  Sharing::Test test(bool swapped) const {
    return swapped ? Sharing::Test{2, 1, values(no), values(yes)} : Sharing::Test{1, 2, values(yes), values(no)};
  }
};

TEST(Sharing, EveryValueGoesWhereItWent) {
  std::mt19937_64 random(3);
  std::size_t joined = 0;
  for (int n = 0; n < 400; ++n) {
    // Disjoint short runs below 256, by turns to either side; a long one now and then.
    std::vector<Asked> asked(6);
    std::uint32_t next = 0;
    for (Asked& a : asked)
      for (unsigned k = 0; k < 2 + random() % 2; ++k) {
        const auto length = static_cast<std::uint32_t>(random() % 4 == 0 ? random() % 12 : random() % 3);
        (k % 2 == 0 ? a.yes : a.no).push_back({next, next + length});
        next += length + 1 + static_cast<std::uint32_t>(random() % 9);
      }
    Sharing sharing;
    struct State {
      std::uint32_t mask = 0;
      bool turned = false;
      std::vector<const Asked*> all;
    };
    std::map<std::size_t, State> groups;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const Sharing::Test test = asked[i].test(i > 0 && random() % 2 == 0);
      if (const auto found = sharing.join(test, 0)) {
        ++joined;
        State& s = groups[found->test];
        EXPECT_EQ(found->at, found->test + 10);
        s.mask = found->mask;
        s.turned ^= found->turned;
        s.all.push_back(&asked[i]);
      } else {
        State s;
        // The group keeps the sides of the test that was written.
        s.turned = false;
        s.all.push_back(&asked[i]);
        groups[sharing.size()] = s;
        sharing.add(static_cast<backends::seccomp::Assembler::Label>(sharing.size() + 10), asked[i].test(false));
      }
    }
    for (const auto& [group, s] : groups) {
      if (s.all.size() < 2) continue;
      for (const Asked* a : s.all)
        for (const bool yes : {true, false})
          for (const auto& r : yes ? a->yes : a->no)
            for (std::uint32_t v = r.first; v <= r.last; ++v)
              ASSERT_EQ((v & s.mask) != 0, yes != s.turned) << v << " under " << s.mask << ", draw " << n;
    }
  }
  EXPECT_GT(joined, 100u);
}

TEST(Sharing, OnlyWhatLeadsToTheSamePlacesAndIsNear) {
  const Asked first{{{1, 1}}, {{0, 0}}}, other{{{5, 5}}, {{4, 4}}};
  Sharing sharing;
  sharing.add(7, first.test(false));
  EXPECT_FALSE(sharing.join(other.test(false), 8)) << "too far behind";
  EXPECT_FALSE(sharing.join({1, 3, values(other.yes), values(other.no)}, 0)) << "leads elsewhere";
  const auto found = sharing.join(other.test(true), 0);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mask, 1u);
  EXPECT_FALSE(found->turned);
}

TEST(Sharing, ARangeIsMoreThanItsEnds) {
  // 1, 5 and 7 have bit 0, 2 and 4 have not; but 6 has none either, and goes where 5 goes.
  const Asked first{{{1, 1}}, {{2, 2}}}, range{{{5, 7}}, {{4, 4}}};
  Sharing sharing;
  sharing.add(0, first.test(false));
  EXPECT_FALSE(sharing.join(range.test(false), 0));
}

}  // namespace
}  // namespace agp::test
