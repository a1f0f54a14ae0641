#include "compiler/model/address.hpp"

#include <gtest/gtest.h>

namespace agp::model {
namespace {

AddressSet v4(const char* first, const char* last) { return AddressSet::range(*parse_v4(first), *parse_v4(last)); }

TEST(Address, ParsesOnlyStrictV4) {
  EXPECT_EQ(parse_v4("10.0.1.50")->v4_bits(), 0x0a000132u);
  for (const char* bad :
       {"10.0.1", "10.0.1.256", "010.0.0.1", "10.0.0.1.", "10..0.1", "", "1.2.3.4.5", " 1.2.3.4", "1.2.3.a"})
    EXPECT_FALSE(parse_v4(bad)) << bad;
}

TEST(Address, ParsesV6) {
  EXPECT_EQ(parse_v6("::1")->bits, 1u);
  EXPECT_EQ(parse_v6("::")->bits, 0u);
  EXPECT_EQ(to_string(*parse_v6("FD00:0:0:1::7")), "fd00:0:0:1::7");
  EXPECT_EQ(to_string(*parse_v6("1:0:0:2:0:0:0:3")), "1:0:0:2::3");
  EXPECT_EQ(to_string(*parse_v6("1:2:3:4:5:6:7:8")), "1:2:3:4:5:6:7:8");
  EXPECT_EQ(to_string(*parse_v6("2001:db8::1.2.3.4")), "2001:db8::102:304");
  for (const char* bad : {"", ":", ":::", "1::2::3", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0",
                          "1:2:3:4:5:6:7::8", "1.2.3.4::"})
    EXPECT_FALSE(parse_v6(bad)) << bad;
}

TEST(Address, MappedIsTheV4Address) {
  EXPECT_EQ(*parse_v6("::ffff:10.0.0.1"), *parse_v4("10.0.0.1"));
  EXPECT_EQ(to_string(*parse_v6("::ffff:a00:1")), "10.0.0.1");
}

TEST(AddressSet, AlgebraAndFamilies) {
  const AddressSet all = AddressSet::all();
  EXPECT_EQ(all.ranges().size(), 3u);
  EXPECT_EQ(all.v4() | all.v6(), all);
  EXPECT_TRUE((all.v4() & all.v6()).empty());
  EXPECT_EQ(AddressSet::all_v4().size(), static_cast<Bits128>(1) << 32);
  EXPECT_FALSE(AddressSet::all_v6().contains(*parse_v6("::ffff:1.2.3.4")));

  const AddressSet a = v4("10.0.0.0", "10.0.0.255"), hole = v4("10.0.0.7", "10.0.0.7");
  const AddressSet cut = a - hole;
  EXPECT_EQ(cut.ranges().size(), 2u);
  EXPECT_FALSE(cut.contains(*parse_v4("10.0.0.7")));
  EXPECT_EQ(cut | hole, a);
  EXPECT_TRUE((a - a).empty());
  EXPECT_EQ((all - all).size(), 0u);
  EXPECT_EQ(v4("10.0.0.0", "10.0.0.4") | v4("10.0.0.5", "10.0.0.9"), v4("10.0.0.0", "10.0.0.9"));
}

TEST(AddressSet, PrefixesCoverExactly) {
  EXPECT_EQ(to_prefixes({*parse_v4("10.0.0.0"), *parse_v4("10.255.255.255")}), std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_EQ(to_prefixes({*parse_v4("10.0.0.1"), *parse_v4("10.0.0.4")}),
            (std::vector<std::string>{"10.0.0.1", "10.0.0.2/31", "10.0.0.4"}));
  EXPECT_EQ(to_prefixes({*parse_v4("0.0.0.0"), *parse_v4("255.255.255.255")}), std::vector<std::string>{"0.0.0.0/0"});
  EXPECT_EQ(to_prefixes({{0}, {~static_cast<Bits128>(0)}}), std::vector<std::string>{"::/0"});
}

TEST(AddressSet, NeverByName) {
  for (const char* a : {"0.0.0.0", "127.0.0.53", "169.254.169.254", "224.0.0.1"})
    EXPECT_TRUE(never_by_name().contains(*parse_v4(a))) << a;
  for (const char* a : {"::", "::1", "fe80::1", "ff02::1"}) EXPECT_TRUE(never_by_name().contains(*parse_v6(a))) << a;
  for (const char* a : {"10.0.0.1", "128.0.0.0", "169.253.255.255", "223.255.255.255"})
    EXPECT_FALSE(never_by_name().contains(*parse_v4(a))) << a;
  EXPECT_FALSE(never_by_name().contains(*parse_v6("fec0::1")));
}

TEST(PortSet, ZeroIsNeverIn) {
  EXPECT_FALSE(PortSet::all().contains(0));
  EXPECT_TRUE(PortSet::range(0, 0).empty());
  EXPECT_TRUE((PortSet::all() - PortSet::range(1, 65535)).empty());
  EXPECT_EQ(to_string(PortSet::range(80, 80) | PortSet::range(443, 445) | PortSet::range(81, 81)), "80-81,443-445");
  EXPECT_TRUE((PortSet::range(1, 442) | PortSet::range(443, 65535)).is_all());
}

}  // namespace
}  // namespace agp::model
