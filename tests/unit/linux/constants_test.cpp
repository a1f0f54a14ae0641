// Constants, error numbers and capabilities against the compiler's headers.
#include <gtest/gtest.h>
#include <linux/capability.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "compiler/linux/syscalls.hpp"

namespace agp::linux {
namespace {

struct Named {
  const char* name;
  int value;
};
#define AGP_ERRNO(name) {#name, name},
constexpr Named header_errnos[] = {
#include "errnos.inc"
};
#undef AGP_ERRNO

TEST(Errnos, EveryOneOfTheHeader) {
  ASSERT_GE(std::size(header_errnos), 130u);
  std::map<int, std::string_view> first;
  for (const Named& e : header_errnos) {
    // ENOTSUP is the C library's name for EOPNOTSUPP; the kernel has none.
    if (std::string_view{e.name} == "ENOTSUP") continue;
    EXPECT_EQ(find_errno(e.name), e.value) << e.name;
    const auto name = errno_name(e.value);
    ASSERT_TRUE(name) << e.name;
    EXPECT_EQ(find_errno(*name), e.value) << e.name;
  }
  EXPECT_EQ(errno_name(EAGAIN), "EAGAIN");
  EXPECT_EQ(errno_name(EDEADLK), "EDEADLK");
  EXPECT_EQ(errno_name(EPERM), "EPERM");
  for (int none : {0, -1, 41, 58, 134, 4095}) EXPECT_EQ(errno_name(none), std::nullopt) << none;
  for (const char* none : {"", "EPER", "EPERMX", "eperm", "ERESTARTSYS"}) EXPECT_EQ(find_errno(none), std::nullopt);
}

TEST(Capabilities, EveryOneOfTheHeader) {
  const std::string_view names[] = {"CAP_CHOWN", "CAP_DAC_OVERRIDE"};
  EXPECT_EQ(capability_names().size(), static_cast<std::size_t>(CAP_LAST_CAP + 1));
  EXPECT_EQ(capability_names()[0], names[0]);
  EXPECT_EQ(capability_names()[1], names[1]);
  EXPECT_EQ(find_capability("CAP_NET_RAW"), CAP_NET_RAW);
  EXPECT_EQ(find_capability("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
  EXPECT_EQ(find_capability("CAP_BPF"), CAP_BPF);
  EXPECT_EQ(find_capability("CAP_CHECKPOINT_RESTORE"), 40);
  for (std::size_t i = 0; i < capability_names().size(); ++i)
    EXPECT_EQ(find_capability(capability_names()[i]), static_cast<int>(i));
  for (const char* none : {"", "NET_RAW", "CAP_LAST_CAP", "cap_net_raw"})
    EXPECT_EQ(find_capability(none), std::nullopt);
}

TEST(Constants, Sorted) {
  const auto names = constant_names();
  ASSERT_GT(names.size(), 2000u);
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end(), std::greater_equal<>{}), names.end());
  for (std::string_view none : {"", "AF_", "AF_INETX", "af_inet", "AF_MAX", "EPERM"})
    EXPECT_EQ(find_constant(none), std::nullopt) << none;
}

TEST(Constants, AtWidth) {
  constexpr std::uint64_t w32 = 0xffffffff, w16 = 0xffff, w64 = ~0ull;
  EXPECT_EQ(at_width(*find_constant("AT_FDCWD"), w32), 0xffffff9cu);
  EXPECT_EQ(at_width(*find_constant("AT_FDCWD"), w64), *find_constant("AT_FDCWD"));
  EXPECT_EQ(at_width(0x541200000000, w32), std::nullopt);
  EXPECT_EQ(at_width(0x100000002, w32), std::nullopt);
  EXPECT_EQ(at_width(0xffffffff, w32), 0xffffffffu);
  EXPECT_EQ(at_width(0xffffffff7fffffff, w32), std::nullopt);  // below the smallest 32-bit number
  EXPECT_EQ(at_width(0xffffffff80000000, w32), 0x80000000u);
  EXPECT_EQ(at_width(04755, w16), 04755u);
  EXPECT_EQ(at_width(0x10000, w16), std::nullopt);
  EXPECT_EQ(at_width(0, 0), 0u);
  EXPECT_EQ(at_width(1, 0), std::nullopt);
  EXPECT_EQ(at_width(~0ull, 0), std::nullopt);
}

}  // namespace
}  // namespace agp::linux
