#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "backends/seccomp/backend.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/verify/verify.hpp"
#include "tests/runtime/seccomp/kernel.hpp"
#include "tests/support/container.hpp"
#include "tests/support/policies.hpp"
#include "tests/unit/seccomp/oci.hpp"

// Filters that look right and are not. Each is refuted, and the witness is tried on the running kernel: the bad filter
// and the one that agp makes of the same policy answer it differently there. Nothing is executed: see attempt_marked.
namespace agp::test {
namespace {

using Json = nlohmann::json;
using model::Effect;
using verify::Direction;
using Op = model::ArgTest::Op;

constexpr const char *raw = "seccomp/filter.x86_64.bpf", *profile = "seccomp/profile.json";
constexpr std::uint32_t allowed = 0x7fff0000, eperm = 0x50001, killed = 0x80000000;

Insn ld(std::uint32_t at) { return {0x20, 0, 0, at}; }
Insn jump(std::uint16_t code, std::uint32_t k, int yes, int no) {
  return {code, static_cast<std::uint8_t>(yes), static_cast<std::uint8_t>(no), k};
}
Insn jeq(std::uint32_t k, int yes, int no) { return jump(0x15, k, yes, no); }
Insn jgt(std::uint32_t k, int yes, int no) { return jump(0x25, k, yes, no); }
Insn jge(std::uint32_t k, int yes, int no) { return jump(0x35, k, yes, no); }
Insn ret(std::uint32_t k) { return {0x06, 0, 0, k}; }

/// x86_64 only, one call only; `body` decides about its arguments.
Bpf one_call(std::uint32_t number, const Bpf& body) {
  Bpf out{ld(4), jeq(x86_64_arch, 1, 0), ret(killed), ld(0), jeq(number, 1, 0), ret(eperm)};
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

model::Policy with(std::vector<model::SyscallPattern> allow, std::vector<model::SyscallPattern> deny = {}) {
  model::Policy p;
  add_rule(p, Effect::Allow, std::move(allow));
  if (!deny.empty()) add_rule(p, Effect::Deny, std::move(deny));
  return p;
}

std::string emitted(const model::Policy& policy, const std::string& path) {
  const auto out = backends::seccomp::backend().emit(policy, debian12(), {});
  for (const auto& p : out.problems) ADD_FAILURE() << p.message;
  for (const auto& a : out.artifacts)
    if (a.path == path) return a.bytes;
  ADD_FAILURE() << path;
  return {};
}

std::string verdict(const model::Policy& policy, const std::string& path, const std::string& bytes, Direction direction,
                    verify::Witness* witness = nullptr) {
  const backends::Artifact artifact{path, bytes};
  const auto decoded = backends::seccomp::backend().decode({&artifact, 1}, debian12());
  for (const auto& p : decoded.problems) ADD_FAILURE() << p.message;
  for (const auto& o : verify::verify_filters(policy, debian12(), {}, decoded))
    if (o.direction == direction) {
      o.verdict.match([](const solver::Proved&) {},
                      [&](const verify::Witness& w) {
                        if (witness != nullptr) *witness = w;
                      },
                      [](const solver::Unknown&) {});
      return std::string(o.verdict.word());
    }
  return "no such obligation";
}

/// What the loader makes of the bytes.
Bpf program(const std::string& path, const std::string& bytes) {
  return path == raw ? bpf_from_bytes(bytes) : runc_program(bytes);
}

bool kernel_lets(const Bpf& filter, std::uint32_t number, const std::array<std::uint64_t, 6>& arguments) {
  return attempt_marked(filter, {{number, arguments}}).at(0).error == passed;
}

/// The bad artifact is refuted in this direction; ours is proved; and the kernel tells them apart on the witness.
verify::Witness refuted(const model::Policy& policy, const std::string& path, const std::string& bad,
                        Direction direction = Direction::Excess) {
  verify::Witness w;
  EXPECT_EQ(verdict(policy, path, bad, direction, &w), "refuted");
  const std::string good = emitted(policy, path);
  EXPECT_EQ(verdict(policy, path, good, direction), "proved");
  EXPECT_EQ(w.arch, x86_64_arch) << w.action;
  const bool excess = direction == Direction::Excess;
  EXPECT_EQ(kernel_lets(program(path, bad), w.number, w.arguments), excess) << w.action;
  EXPECT_EQ(kernel_lets(program(path, good), w.number, w.arguments), !excess) << w.action;
  return w;
}
verify::Witness refuted(const model::Policy& policy, const Bpf& bad, Direction direction = Direction::Excess) {
  return refuted(policy, raw, bpf_to_bytes(bad), direction);
}

Json entry(std::vector<std::string> names, Json args = Json::array(), const char* action = "SCMP_ACT_ALLOW") {
  Json out{{"names", std::move(names)}, {"action", action}};
  if (!args.empty()) out["args"] = std::move(args);
  return out;
}
Json arg(unsigned index, const char* op, std::uint64_t value) {
  return {{"index", index}, {"op", std::string("SCMP_CMP_") + op}, {"value", value}};
}
/// A profile that also has what runc needs after the filter is on.
std::string profile_of(std::vector<Json> entries, const char* by_default = "SCMP_ACT_ERRNO") {
  entries.push_back(
      entry({"write", "openat", "close", "execve", "getdents64", "fstatfs", "futex", "rt_sigreturn", "exit_group"}));
  return Json{{"defaultAction", by_default}, {"architectures", {"SCMP_ARCH_X86_64"}}, {"syscalls", entries}}.dump();
}

constexpr std::uint64_t tiocsti = 0x5412, vsock = 40, netlink = 16;

TEST(SeccompTraps, TiocstiPlus2To32) {  // CVE-2019-10063
  const auto p = with({call("ioctl")}, {call("ioctl", {is(1, Op::Eq, tiocsti)})});
  const Bpf both_words = one_call(16, {ld(28), jeq(0, 0, 3), ld(24), jeq(tiocsti, 0, 1), ret(eperm), ret(allowed)});
  const auto w = refuted(p, both_words);
  EXPECT_EQ(static_cast<std::uint32_t>(w.arguments[1]), tiocsti);
  EXPECT_NE(w.arguments[1] >> 32, 0u);
  EXPECT_FALSE(kernel_lets(both_words, 16, {0, tiocsti})) << "the filter looks as if it refused the command";
}

TEST(SeccompTraps, OrderOf64BitsWordByWord) {  // CVE-2019-9893: `a > b` as `high > high and low > low`
  constexpr std::uint64_t bound = 0x100000005;
  const auto p = with({call("lseek", {is(1, Op::Gt, bound)})});
  const Bpf greater = one_call(8, {ld(28), jge(1, 0, 2), ld(24), jgt(5, 1, 0), ret(eperm), ret(allowed)});
  const auto loss = refuted(p, greater, Direction::Loss);
  EXPECT_GT(loss.arguments[1] >> 32, 1u);
  EXPECT_LE(static_cast<std::uint32_t>(loss.arguments[1]), 5u);
  EXPECT_EQ(verdict(p, raw, bpf_to_bytes(greater), Direction::Excess), "proved");

  // As a refusal the same mistake is a hole.
  const auto q = with({call("lseek")}, {call("lseek", {is(1, Op::Gt, bound)})});
  const auto hole = refuted(q, one_call(8, {ld(28), jge(1, 0, 2), ld(24), jgt(5, 1, 0), ret(allowed), ret(eperm)}));
  EXPECT_GT(hole.arguments[1], bound);

  const auto at_most = with({call("lseek", {is(1, Op::Le, bound)})});
  const auto below = refuted(
      at_most, one_call(8, {ld(28), jgt(1, 2, 0), ld(24), jgt(5, 0, 1), ret(eperm), ret(allowed)}), Direction::Loss);
  EXPECT_LT(below.arguments[1], bound);
}

TEST(SeccompTraps, ChmodBitsAbove16) {  // umode_t has sixteen bits; the register has 64
  const auto p = with({call("chmod")}, {call("chmod", {is(1, Op::Eq, 0777)})});
  const auto w = refuted(p, one_call(90, {ld(24), jeq(0777, 0, 1), ret(eperm), ret(allowed)}));
  EXPECT_EQ(w.arguments[1] & 0xffff, 0777u);
  EXPECT_NE(w.arguments[1] & ~0xffffull, 0u);
  // The kernel sets what the low bits say: without a filter the witness is chmod(file, 0777).
  const Scratch scratch;
  const std::string file = scratch.file("file", "", 0600);
  ASSERT_EQ(syscall(90, file.c_str(), w.arguments[1]), 0);
  struct stat s {};
  ASSERT_EQ(stat(file.c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 07777, 0777u);
}

TEST(SeccompTraps, VsockPlus2To32UnderRunc) {  // Docker's default profile: `socket` where arg0 != AF_VSOCK
  const auto p = with({call("socket", {is(0, Op::Ne, vsock)}), call("exit_group")});
  const std::string dockers = profile_of({entry({"socket"}, {arg(0, "NE", vsock)})});
  const auto w = refuted(p, profile, dockers);
  EXPECT_EQ(w.number, 41u);
  EXPECT_EQ(static_cast<std::uint32_t>(w.arguments[0]), vsock);
  EXPECT_NE(w.arguments[0] >> 32, 0u);
  EXPECT_FALSE(kernel_lets(runc_program(dockers), 41, {vsock})) << "the profile looks as if it refused the family";
  std::size_t entries = 0;
  const Json ours = Json::parse(emitted(p, profile));
  for (const Json& e : ours["syscalls"]) entries += e["names"] == Json::array({"socket"});
  EXPECT_GE(entries, 32u) << "one entry for each bit in which the low word differs from 40";
  EXPECT_LE(entries, 34u);
}

TEST(SeccompTraps, TwoInequalitiesInOneEntry) {  // a repeated index turns conditions into alternatives
  const auto p = with({call("socket", {is(0, Op::Ne, vsock), is(0, Op::Ne, netlink)}), call("exit_group")});
  const auto w = refuted(p, profile, profile_of({entry({"socket"}, {arg(0, "NE", vsock), arg(0, "NE", netlink)})}));
  const auto domain = static_cast<std::uint32_t>(w.arguments[0]);
  EXPECT_TRUE(domain == vsock || domain == netlink) << w.action;
}

TEST(SeccompTraps, SockRawWithCloexec) {  // `type == SOCK_RAW` misses the flags in the same argument
  const auto p = with({call("socket")}, {call("socket", {masked(1, 0xf, 3)})});
  const auto w = refuted(p, one_call(41, {ld(24), jeq(3, 0, 1), ret(eperm), ret(allowed)}));
  EXPECT_EQ(w.arguments[1] & 0xf, 3u);
  EXPECT_NE(static_cast<std::uint32_t>(w.arguments[1]), 3u);
}

TEST(SeccompTraps, X32NumbersWalkAroundADenyList) {
  std::vector<model::SyscallPattern> patterns;
  for (const auto& c : linux::syscalls(linux::Arch::x86_64))
    if (c.name != "ptrace") patterns.push_back(call(std::string(c.name)));
  const auto p = with(patterns);
  const Bpf deny_list{ld(4), jeq(x86_64_arch, 1, 0), ret(killed), ld(0), jeq(101, 0, 1), ret(eperm), ret(allowed)};
  const auto w = refuted(p, deny_list);
  EXPECT_EQ(linux::find_syscall(linux::Arch::x86_64, w.number), nullptr) << w.action;
  // ptrace by x32's number, on the kernel: the list passes it, ours does not.
  constexpr std::uint32_t x32_ptrace = 0x40000000 + 521;
  EXPECT_TRUE(kernel_lets(deny_list, x32_ptrace, {}));
  EXPECT_FALSE(kernel_lets(bpf_from_bytes(emitted(p, raw)), x32_ptrace, {}));
}

TEST(SeccompTraps, SetuidBitWithoutChmod) {  // open(O_CREAT) and mknod set it too
  constexpr std::uint64_t bit = 04000;
  std::vector<model::SyscallPattern> every, chmods{call("chmod", {masked(1, bit, bit)})};
  for (const char* name : {"chmod", "open", "openat", "mknod"}) every.push_back(call(name));
  const auto naive = with(every, chmods);
  auto denied = chmods;
  denied.push_back(call("open", {masked(1, O_CREAT, O_CREAT), masked(2, bit, bit)}));
  denied.push_back(call("openat", {masked(2, O_CREAT, O_CREAT), masked(3, bit, bit)}));
  denied.push_back(call("mknod", {masked(1, bit, bit)}));
  const auto w = refuted(with(every, denied), raw, emitted(naive, raw));
  EXPECT_NE(w.number, 90u) << w.action;
  // Without a filter each of them makes a file with the bit.
  const Scratch scratch;
  const std::string one = scratch.path("one"), two = scratch.path("two");
  close(open(one.c_str(), O_CREAT | O_WRONLY, 04755));
  ASSERT_EQ(mknod(two.c_str(), S_IFREG | 04755, 0), 0);
  for (const auto& path : {one, two}) {
    struct stat s {};
    ASSERT_EQ(stat(path.c_str(), &s), 0);
    EXPECT_NE(s.st_mode & S_ISUID, 0u) << path;
  }
}

TEST(SeccompTraps, NamesThatTheLoaderDrops) {  // runc skips names that its libseccomp does not know
  const auto p = with({call("getpid"), call("ptrace"), call("exit_group")});
  const auto loss = refuted(p, profile, profile_of({entry({"getpid", "ptrace_"})}), Direction::Loss);
  EXPECT_EQ(loss.action, "syscall ptrace()");

  // In a list of refusals the same slip is a hole.
  const auto open_but_for = [](const char* name) {
    return profile_of({entry({name}, Json::array(), "SCMP_ACT_ERRNO")}, "SCMP_ACT_ALLOW");
  };
  const auto q = with({call("getpid")});
  EXPECT_EQ(verdict(q, profile, open_but_for("ptrace_"), Direction::Excess), "refuted");
  EXPECT_TRUE(kernel_lets(runc_program(open_but_for("ptrace_")), 101, {}));
  EXPECT_FALSE(kernel_lets(runc_program(open_but_for("ptrace")), 101, {}));
}

/// The same under runc itself: errno of socket(domain, SOCK_STREAM, 0).
int socket_under_runc(const std::string& seccomp, const char* domain) {
  const Scratch scratch;
  scratch.directory("rootfs/proc");
  std::filesystem::copy_file(AGP_ATTEMPTS, scratch.path("rootfs/attempts"));
  Json config = {{"ociVersion", "1.0.2"},
                 {"root", {{"path", "rootfs"}, {"readonly", true}}},
                 {"process",
                  {{"terminal", false},
                   {"cwd", "/"},
                   {"args", {"/attempts", std::string("29:") + domain + ":1:0"}},
                   {"user", {{"uid", 0}, {"gid", 0}}},
                   {"noNewPrivileges", true}}},
                 {"mounts", {{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}}}},
                 {"linux", {{"namespaces", {{{"type", "pid"}}, {{"type", "mount"}}, {{"type", "network"}}}}}}};
  config["linux"]["seccomp"] = Json::parse(seccomp);
  scratch.file("config.json", config.dump());
  const std::string id = "agp-traps-" + std::to_string(getpid());
  const Outcome out = execute({"runc", "run", "--bundle", scratch.path(), id});
  execute({"runc", "delete", "--force", id});
  EXPECT_EQ(out.status, 0) << out.err;
  return out.out.empty() ? -1 : std::stoi(out.out);
}

TEST(SeccompTraps, RuncLetsVsockPlus2To32Through) {
  if (geteuid() != 0 || execute({"runc", "--version"}).status != 0) GTEST_SKIP() << "runc and root are needed";
  const std::vector<std::string> libc{
      "brk",       "arch_prctl", "set_tid_address", "set_robust_list", "rseq",     "fstat", "newfstatat",
      "prlimit64", "readlink",   "readlinkat",      "getrandom",       "mprotect", "read"};
  std::vector<model::SyscallPattern> needed{call("socket", {is(0, Op::Ne, vsock)})};
  for (const char* name : {"write", "exit_group", "execve"}) needed.push_back(call(name));
  for (const auto& name : libc) needed.push_back(call(name));
  const std::string dockers = profile_of({entry({"socket"}, {arg(0, "NE", vsock)}), entry(libc)});
  const std::string ours = emitted(with(needed), profile);
  EXPECT_EQ(socket_under_runc(dockers, "28"), EPERM);
  EXPECT_NE(socket_under_runc(dockers, "100000028"), EPERM) << "the hole";
  EXPECT_EQ(socket_under_runc(ours, "28"), EPERM);
  EXPECT_EQ(socket_under_runc(ours, "100000028"), EPERM);
  EXPECT_EQ(socket_under_runc(ours, "1"), 0);
}

}  // namespace
}  // namespace agp::test
