#include "backends/seccomp/emit/dispatch.hpp"

#include <gtest/gtest.h>

#include "compiler/linux/syscalls.hpp"
#include "tests/support/policies.hpp"
#include "tests/unit/seccomp/way.hpp"

namespace agp::test {
namespace {

using backends::seccomp::Section;

std::size_t tests_before(const Section& s, std::string_view name) {
  return way(s.tree, linux::find_syscall(s.arch, name)->number).instructions;
}

/// Two calls with a refused one on each side, so that neither is in a range with another: one that always runs, and
/// `socket`, which depends on its first argument.
Section dispatch(std::uint64_t always, std::uint64_t by_argument, std::uint64_t read = 0) {
  model::Policy policy;
  add_rule(policy, model::Effect::Allow,
           {call("pread64"), call("socket", {is(0, model::ArgTest::Op::Eq, 1)}), call("read"), call("dup"),
            call("getpid"), call("uname"), call("fsync"), call("umask"), call("getuid"), call("statfs")});
  model::Target target = debian12();
  target.syscall_counts = {{"pread64", always}, {"socket", by_argument}, {"read", read}};
  const auto decisions = backends::seccomp::decide_calls(policy, target, {}, backends::seccomp::WordChoice::Cheapest);
  return std::move(backends::seccomp::sections(decisions, backends::seccomp::Weights(target)).front());
}

// The kernel answers a call that always runs from its bitmap, without the filter; every other one runs the filter. But
// whoever counts each call once is not to be far from the optimum either: twice as often is still less, 2.5 times more.
TEST(Dispatch, ACallThatTheKernelCantCacheIsAskedFirstUpToTwiceAsRare) {
  constexpr std::uint64_t read = 4'000'000;  // most calls: neither order costs much
  for (const std::uint64_t always : {100, 150, 200}) {
    const Section s = dispatch(1000 * always, 100'000, read);
    EXPECT_LT(tests_before(s, "socket"), tests_before(s, "pread64")) << always;
  }
  for (const std::uint64_t always : {250, 300, 900}) {
    const Section s = dispatch(1000 * always, 100'000, read);
    EXPECT_GT(tests_before(s, "socket"), tests_before(s, "pread64")) << always;
  }
}

// Where calls would take over a 50th more instructions for that, each counted once, it is not. Of five for the one
// asked first and six for the other, 20 more calls of the one are 1/60 of all, 50 more 1/27.
TEST(Dispatch, ButNotWhateverThatCosts) {
  for (const std::uint64_t always : {100, 120}) {
    const Section s = dispatch(1000 * always, 100'000);
    EXPECT_LT(tests_before(s, "socket"), tests_before(s, "pread64")) << always;
  }
  for (const std::uint64_t always : {150, 200, 900}) {
    const Section s = dispatch(1000 * always, 100'000);
    EXPECT_GT(tests_before(s, "socket"), tests_before(s, "pread64")) << always;
  }
}

// Numbers that are asked about by themselves make the search harder: a few, and none where they weigh the same.
TEST(Dispatch, EqualCountsLeaveARangeWhole) {
  model::Policy policy;
  add_rule(policy, model::Effect::Allow,
           {call("read"), call("write"), call("open"), call("close"), call("stat"), call("fstat"), call("lstat"),
            call("poll"), call("getpid")});
  model::Target target = debian12();
  for (const char* name : {"read", "write", "open", "close", "stat", "fstat", "lstat", "poll"})
    target.syscall_counts[name] = 1000;
  const auto first = [&] {
    const auto decisions = backends::seccomp::decide_calls(policy, target, {}, backends::seccomp::WordChoice::Cheapest);
    const auto all = backends::seccomp::sections(decisions, backends::seccomp::Weights(target));
    return all.front().ranges.front();
  };
  EXPECT_EQ(first().last, 7u);
  target.syscall_counts["read"] = 1001;
  EXPECT_EQ(first().last, 0u) << "the heaviest is alone";
}

// Counts beside which others are next to nothing, up to the largest there is.
TEST(Dispatch, CountsAreSharesHoweverLarge) {
  for (const std::uint64_t often : {std::uint64_t{1} << 31, std::uint64_t{1} << 42, ~std::uint64_t{0}}) {
    model::Target target = debian12();
    target.syscall_counts = {{"openat", often}, {"read", 1000}};
    const backends::seccomp::Weights weights(target);
    EXPECT_GT(weights.of("openat", false), 1000 * weights.of("read", false)) << often;
    EXPECT_LE(weights.of("openat", false), std::uint64_t{1} << 31) << often;
    EXPECT_GT(weights.of("read", false), 0u) << often;
  }
}

}  // namespace
}  // namespace agp::test
