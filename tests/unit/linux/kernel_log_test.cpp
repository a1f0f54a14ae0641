#include "compiler/linux/kernel_log.hpp"

#include <gtest/gtest.h>

// Lines that a kernel wrote (Linux 6.18), in the forms in which logs keep them; and lines that others wrote.
namespace agp::linux {
namespace {

const std::string packet =
    "agp P=agent R=default IN= OUT=eth0 SRC=10.9.0.1 DST=10.9.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=7623 DF "
    "PROTO=TCP "
    "SPT=54574 DPT=443 WINDOW=64240 RES=0x00 SYN URGP=0 ";
const std::string error =
    "agp P=agent R=default IN=eth0 OUT= MAC=72:18:56:d5:ba:fc:9a:24:24:5f:14:4a:08:00 SRC=10.9.0.2 DST=10.9.0.1 LEN=57 "
    "TOS=0x00 PREC=0xC0 TTL=64 ID=39374 PROTO=ICMP TYPE=3 CODE=3 [SRC=10.9.0.1 DST=10.9.0.2 LEN=29 TOS=0x00 PREC=0x00 "
    "TTL=64 ID=26995 DF PROTO=UDP SPT=38650 DPT=443 LEN=9 ] ";
const std::string call =
    "audit: type=1326 audit(1795907468.067:2): auid=4294967295 uid=65534 gid=65534 ses=4294967295 pid=3253 "
    "comm=\"python3\" exe=\"/usr/bin/python3.11\" sig=0 arch=c000003e syscall=63 compat=0 ip=0x7fabd1af1b07 "
    "code=0x7ffc0000";

template <class T>
std::optional<T> as(std::string_view line) {
  const KernelLine read = read_kernel_line(line);
  return std::holds_alternative<T>(read) ? std::optional(std::get<T>(read)) : std::nullopt;
}

TEST(KernelLog, FormsOfLogs) {
  for (const char* before : {"", "[ 2448.917613] ", "[Sat Nov 28 23:11:09 2026] ", "5,342,2446513584,-;",
                             "Nov 28 23:11:09 host kernel: [ 2448.917613] ", "Nov 28 23:11:09 host kernel: ",
                             "2026-11-28T23:11:09.123456+00:00 host kernel: ", "kern  :warn  : [ 2448.917613] "}) {
    EXPECT_TRUE(as<LoggedPacket>(before + packet)) << before;
    EXPECT_TRUE(as<LoggedCall>(before + call)) << before;
  }
  EXPECT_TRUE(as<LoggedCall>("type=SECCOMP msg=audit(1795907468.067:2): " + call.substr(call.find("auid="))));
}

TEST(KernelLog, OthersCanNotSpeakForTheKernel) {
  for (const char* before : {"Nov 28 23:11:09 host evil[7]: ", "Nov 28 23:11:09 host evil[7]: kernel: ",
                             "Nov 28 23:11:09 host evil: [ 1.0] ", "hello ", "x agp P= ", "agp: ", "stdout [ 1.0] ",
                             "5,342;x; ", "[ unclosed "}) {
    EXPECT_FALSE(as<LoggedPacket>(before + packet)) << before;
    EXPECT_FALSE(as<LoggedCall>(before + call)) << before;
  }
}

TEST(KernelLog, Packets) {
  const auto p = as<LoggedPacket>(packet);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->policy, "agent");
  EXPECT_EQ(p->rule, "default");
  EXPECT_EQ(p->in, "");
  EXPECT_EQ(p->out, "eth0");
  EXPECT_EQ(p->source, "10.9.0.1");
  EXPECT_EQ(p->destination, "10.9.0.2");
  EXPECT_EQ(p->protocol, "TCP");
  EXPECT_EQ(p->port, 443);
  const auto e = as<LoggedPacket>(error);  // the packet inside is another one
  ASSERT_TRUE(e);
  EXPECT_EQ(e->in, "eth0");
  EXPECT_EQ(e->source, "10.9.0.2");
  EXPECT_EQ(e->protocol, "ICMP");
  EXPECT_EQ(e->icmp_type, 3);
  EXPECT_FALSE(e->port);
  EXPECT_FALSE(as<LoggedPacket>("agp P=agent R=default"));
  EXPECT_FALSE(as<LoggedPacket>("agp P=agent IN= OUT=eth0 SRC=1.1.1.1 DST=1.1.1.1 PROTO=TCP"));
  EXPECT_FALSE(as<LoggedPacket>("agp P=agent R=default IN= OUT=eth0 DST=1.1.1.1 PROTO=TCP"));
}

TEST(KernelLog, Calls) {
  const auto c = as<LoggedCall>(call);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->arch, 0xc000003e);
  EXPECT_EQ(c->number, 63u);
  EXPECT_EQ(c->user, 65534u);
  EXPECT_EQ(c->code, 0x7ffc0000u);
  // a program can be called anything: the kernel writes such a name in hexadecimal, and a field is a whole word
  const auto named = as<LoggedCall>(
      "audit: type=1326 audit(1): uid=7 comm=\"syscall=1\" exe=\"/x/arch=1\" arch=c000003e syscall=63 code=0x50001");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->number, 63u);
  EXPECT_FALSE(as<LoggedCall>("audit: type=1326 audit(1): uid=7 arch=c000003e syscall=99999999999 code=0x50001"));
  EXPECT_FALSE(as<LoggedCall>("audit: type=1326 audit(1): uid=7 arch=xyz syscall=1 code=0x50001"));
  EXPECT_FALSE(as<LoggedCall>("audit: type=1327 audit(1): uid=7 arch=c000003e syscall=1 code=0x50001"));
}

TEST(KernelLog, Accesses) {
  const auto a = as<LoggedAccess>(
      "audit: type=1423 audit(1795907468.419:12): domain=1ebcef072 blockers=fs.execute,fs.read_file "
      "path=\"/usr/bin/true\" dev=\"vda\" ino=248139");
  ASSERT_TRUE(a);
  EXPECT_EQ(a->blockers, (std::vector<std::string>{"fs.execute", "fs.read_file"}));
  EXPECT_EQ(a->path, "/usr/bin/true");
  const auto hex = as<LoggedAccess>("audit: type=1423 audit(1): domain=1 blockers=fs.read_file path=2F746D702F612022");
  ASSERT_TRUE(hex);
  EXPECT_EQ(hex->path, "/tmp/a \"");
  const auto net =
      as<LoggedAccess>("audit: type=1423 audit(1): domain=1 blockers=net.connect_tcp daddr=127.0.0.1 dest=80");
  ASSERT_TRUE(net);
  EXPECT_EQ(net->address, "127.0.0.1");
  EXPECT_EQ(net->port, 80);
  const auto bind = as<LoggedAccess>("type=LANDLOCK_ACCESS msg=audit(1): domain=1 blockers=net.bind_tcp src=8081");
  ASSERT_TRUE(bind);
  EXPECT_EQ(bind->port, 8081);
  EXPECT_EQ(bind->address, "");
}

}  // namespace
}  // namespace agp::linux
