#include "compiler/linux/loader_needs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

// Which rows of the table count for which version; whether the rows are right is tests/runtime/loaders' question.
namespace agp::linux {
namespace {

std::string names(const std::vector<LoaderNeed>& needs) {
  std::string out;
  for (const LoaderNeed& n : needs) out += (out.empty() ? "" : " ") + std::string(n.call);
  return out;
}

TEST(LoaderNeeds, EveryCallIsOneOfTheTableOfCalls) {
  for (const MeasuredLoader& m : measured_loaders()) {
    EXPECT_FALSE(m.needs.empty()) << m.loader << m.release;
    for (const LoaderNeed& n : m.needs) {
      const Syscall* call = find_syscall(Arch::x86_64, n.call);
      ASSERT_NE(call, nullptr) << n.call;
      if (n.argument < 0) continue;
      const Argument& argument = call->arguments[static_cast<std::size_t>(n.argument)];
      EXPECT_FALSE(argument.pointer) << n.call;
      EXPECT_EQ(n.mask & ~argument.effective_mask, 0u) << n.call << ": bits that the kernel does not look at";
    }
  }
}

TEST(LoaderNeeds, AVersionNeedsWhatAnyOfItsReleasesNeeds) {
  const LoaderNeeds old = loader_needs("runc", {1, 0}), later = loader_needs("runc", {1, 1});
  EXPECT_TRUE(old.measured && later.measured);
  EXPECT_EQ(names(old.needs), "execve fstatfs futex getdents64 openat rt_sigreturn");
  EXPECT_EQ(names(later.needs), "close execve fstatfs futex getdents64 openat rt_sigreturn write");
}

TEST(LoaderNeeds, AVersionThatWasNotMeasuredNeedsWhatAnyNeeds) {
  const LoaderNeeds unknown = loader_needs("runc", {1, 3});
  EXPECT_FALSE(unknown.measured);
  EXPECT_EQ(names(unknown.needs), names(loader_needs("runc", {1, 1}).needs));
  const auto narrow =
      std::find_if(unknown.needs.begin(), unknown.needs.end(), [](auto& n) { return n.call == "openat"; });
  EXPECT_EQ(narrow->mask, 0x400040u);
  EXPECT_TRUE(loader_needs("no-loader", {1, 1}).needs.empty());
}

TEST(LoaderNeeds, OnlyTheLaunchersOwnStackHasItsCalls) {
  const ProfileNeeds plain = profile_needs("oci", {1, 1}), both = profile_needs("oci+landlock", {1, 1});
  EXPECT_EQ(plain.of_runc, plain.needs.size());
  EXPECT_EQ(both.of_runc, plain.needs.size());
  const std::vector<LoaderNeed> rest(both.needs.begin() + static_cast<std::ptrdiff_t>(both.of_runc), both.needs.end());
  EXPECT_EQ(
      names(rest),
      "arch_prctl brk capget close_range landlock_add_rule landlock_create_ruleset landlock_restrict_self mprotect "
      "newfstatat prctl read");
}

}  // namespace
}  // namespace agp::linux
