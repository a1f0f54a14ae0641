#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/seccomp/backend.hpp"
#include "compiler/linux/syscalls.hpp"
#include "tests/support/policies.hpp"
#include "tests/support/tier.hpp"
#include "tests/unit/seccomp/oci.hpp"

// The OCI profile: what libseccomp and runc make of it is the oracle, not the project's own decoder.
namespace agp::test {
namespace {

using Json = nlohmann::json;
using model::ArgTest;
using model::Effect;
using Op = ArgTest::Op;

constexpr std::uint32_t allow = 0x7fff0000, eperm = 0x50001, enosys = 0x50026;

std::string profile_of(const model::Policy& policy) {
  const auto emitted = backends::seccomp::backend().emit(policy, debian12(), {});
  for (const auto& p : emitted.problems) ADD_FAILURE() << p.message;
  for (const auto& a : emitted.artifacts)
    if (a.path == "seccomp/profile.json") return a.bytes;
  ADD_FAILURE() << "no profile";
  return "{}";
}

backends::Decoded decode_text(const std::string& profile) {
  const backends::Artifact artifact{"seccomp/profile.json", profile};
  return backends::seccomp::backend().decode({&artifact, 1}, debian12());
}

std::uint32_t answer(const model::FilterGraph& graph, std::uint32_t arch, std::uint32_t number,
                     const std::array<std::uint64_t, 6>& arguments) {
  return model::evaluate(graph, CallData(arch, number, arguments).words);
}

const std::vector<std::string> names = {"chmod", "socket", "ioctl",     "lseek", "read",
                                        "clone", "clone3", "fchmodat2", "write", "ptrace"};

TEST(Profile, NoArgumentIsRepeatedAndNothingEqualsTheDefault) {
  std::mt19937_64 random(11);
  for (int n = 0; n < 60; ++n) {
    const auto emitted = backends::seccomp::backend().emit(random_policy(random, 6), debian12(), {});
    if (!emitted.problems.empty()) continue;  // too many entries: said so
    for (const auto& a : emitted.artifacts) {
      if (a.path != "seccomp/profile.json") continue;
      const Json profile = Json::parse(a.bytes);
      EXPECT_EQ(profile["defaultAction"], "SCMP_ACT_ERRNO");
      EXPECT_EQ(profile["defaultErrnoRet"], 1);
      EXPECT_EQ(profile["architectures"], Json::array({"SCMP_ARCH_X86_64"}));
      std::map<std::string, std::map<int, int>> compared, bounds;  // by call and argument: entries
      for (const Json& e : profile["syscalls"]) {
        std::set<int> seen;
        for (const Json& arg : e.value("args", Json::array())) {
          EXPECT_TRUE(seen.insert(arg["index"].get<int>()).second) << e.dump();
          for (const std::string name : e["names"]) {
            ++compared[name][arg["index"]];
            bounds[name][arg["index"]] += arg["op"] != "SCMP_CMP_MASKED_EQ";
          }
        }
        // The one entry that equals the default only lifts runc's ENOSYS threshold.
        const bool same = e["action"] == "SCMP_ACT_ERRNO" && e.value("errnoRet", 0) == 1;
        EXPECT_TRUE(!same || e["names"] == Json::array({"set_mempolicy_home_node"})) << e.dump();
        EXPECT_EQ(e["action"] == "SCMP_ACT_ERRNO", e.contains("errnoRet"));
      }
      for (const auto& [name, of] : bounds)
        for (const auto& [argument, count] : of)
          EXPECT_TRUE(count == 0 || compared[name][argument] == 1)
              << name << ": libseccomp compiles such pairs wrongly";
    }
  }
}

TEST(Profile, VsockWithHighBitsIsClosed) {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("socket", {is(0, Op::Ne, 40)}), call("read")});
  const Bpf program = runc_program(profile_of(p));
  const auto run = [&](std::uint64_t domain) { return bpf_run(program, CallData(x86_64_arch, 41, {domain})).result; };
  EXPECT_EQ(run(2), allow);
  EXPECT_EQ(run(40), eperm);
  EXPECT_EQ(run(40 | 1ull << 32), eperm);
  EXPECT_EQ(run(2 | 1ull << 63), allow);
  EXPECT_EQ(run(41), allow);
}

TEST(Profile, TheLoadersNeedsAreGrantedAndNothingElse) {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("read")});
  const Bpf program = runc_program(profile_of(p));
  const std::set<std::string> needs = {"read",       "close",  "execve",       "fstatfs", "futex",
                                       "getdents64", "openat", "rt_sigreturn", "write"};
  for (const auto& c : linux::syscalls(linux::Arch::x86_64)) {
    const auto got = bpf_run(program, CallData(x86_64_arch, c.number, {})).result;
    EXPECT_EQ(got, needs.count(std::string(c.name))        ? allow
                   : c.number > 450 || c.name == "openat2" ? enosys
                                                           : eperm)
        << c.name;
  }
  EXPECT_EQ(bpf_run(program, CallData(x86_64_arch, 257, {0, 0, 02 | 0100})).result, eperm)
      << "runc's openat makes no file";
}

TEST(Profile, ADenyOfALoadersNeedIsAProblem) {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("read")});
  add_rule(p, Effect::Deny, {call("execve")});
  const auto emitted = backends::seccomp::backend().emit(p, debian12(), {});
  ASSERT_EQ(emitted.problems.size(), 1u);
  EXPECT_EQ(emitted.problems[0].rule, 1u);
  EXPECT_TRUE(emitted.artifacts.empty());
}

TEST(Profile, ADenyWithConditionsLimitsTheLoadersNeed) {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("read")});
  add_rule(p, Effect::Deny, {call("openat", {masked(3, 06000, 06000)})});
  const Bpf program = runc_program(profile_of(p));
  EXPECT_EQ(bpf_run(program, CallData(x86_64_arch, 257, {0, 0, 0, 0644})).result, allow);
  EXPECT_EQ(bpf_run(program, CallData(x86_64_arch, 257, {0, 0, 0, 06644})).result, eperm);
}

TEST(Profile, Clone3IsEnosysWhileCloneHasConditions) {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("clone", {masked(0, 0x7e020000, 0)})});
  const Bpf program = runc_program(profile_of(p));
  EXPECT_EQ(bpf_run(program, CallData(x86_64_arch, 435, {})).result, enosys);
}

std::vector<Json> entries_of(const model::Policy& policy, const std::string& name) {
  std::vector<Json> out;
  const Json profile = Json::parse(profile_of(policy));
  for (const Json& e : profile["syscalls"])
    if (std::find(e["names"].begin(), e["names"].end(), name) != e["names"].end()) out.push_back(e);
  return out;
}

TEST(Profile, AsFewEntriesAsTheComparisonsAllow) {
  const auto count = [](std::vector<ArgTest> tests, const char* name = "lseek") {
    model::Policy p;
    for (auto& t : tests) add_rule(p, Effect::Allow, {call(name, {std::move(t)})});
    return entries_of(p, name).size();
  };
  // All 64 bits count: one comparison instead of a block for each bit.
  EXPECT_EQ(count({is(1, Op::Ne, 7)}), 1u);
  EXPECT_EQ(count({is(1, Op::Le, 1000)}), 1u);
  EXPECT_EQ(count({is(1, Op::Gt, 1000)}), 1u);
  // The kernel takes the low word alone, and a comparison of 64 bits would let 40 + 2^32 through.
  EXPECT_EQ(count({is(0, Op::Ne, 40)}, "socket"), 32u);
  // Values that differ in one bit are one mask, whether neighbours or not.
  EXPECT_EQ(count({in(0, {2, 10})}, "socket"), 1u);
  EXPECT_EQ(count({in(0, {1, 2, 3, 5})}, "socket"), 2u) << "2 and 3, 1 and 5";
  // Alternatives overlap: neither has to exclude the other.
  EXPECT_EQ(count({masked(0, 1, 1), masked(0, 2, 2), masked(0, 4, 4)}, "clone"), 3u);
}

TEST(Profile, AnArgumentWithABoundIsInNoOtherEntry) {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("lseek", {is(1, Op::Le, 1000), is(2, Op::Eq, 0)})});
  add_rule(p, Effect::Allow, {call("lseek", {is(1, Op::Eq, 5), is(2, Op::Eq, 1)})});
  EXPECT_GT(entries_of(p, "lseek").size(), 2u);
  for (const Json& e : entries_of(p, "lseek"))
    for (const Json& a : e["args"]) EXPECT_EQ(a["op"], "SCMP_CMP_MASKED_EQ") << e.dump();
}

/// What emit counts: one word of three instructions for each new beginning of an entry, one comparison for each name.
std::size_t counted(const Json& profile) {
  std::size_t cost = 16;
  std::map<std::string, std::set<std::string>> beginnings;
  for (const Json& e : profile["syscalls"])
    for (const std::string name : e["names"]) {
      ++cost;
      std::string path;
      for (const Json& a : e.value("args", Json::array())) {
        if (a["op"] != "SCMP_CMP_MASKED_EQ") {
          cost += 9;  // three comparisons of words
          continue;
        }
        for (const int shift : {32, 0}) {
          const auto word = [&](const char* key) {
            return std::to_string(static_cast<std::uint32_t>(a[key].get<std::uint64_t>() >> shift));
          };
          path += std::to_string(a["index"].get<int>()) + ":" + word("value") + ":" + word("valueTwo") + "/";
          cost += beginnings[name].insert(path).second ? 3 : 0;
        }
      }
    }
  return cost;
}

/// The policy's decision, libseccomp's program and the decoded graph, all three at boundary values.
TEST(Differential, LibseccompPolicyAndDecoderAgree) {
  std::mt19937_64 random(1234);
  int compared = 0;
  for (int n = 0; n < 150; ++n) {
    const auto policy = random_policy(random, 2 + n % 5);
    const auto emitted = backends::seccomp::backend().emit(policy, debian12(), {});
    if (!emitted.problems.empty()) continue;
    const std::string profile = emitted.artifacts.back().bytes;
    const Bpf program = runc_program(profile);
    ASSERT_FALSE(program.empty()) << profile;
    ASSERT_LE(program.size(), counted(Json::parse(profile)));
    ASSERT_LE(program.size(), 4096u) << "emit counts what libseccomp will need, and never less";
    const auto decoded = decode_text(profile);
    ASSERT_TRUE(decoded.problems.empty()) << decoded.problems[0].message;
    for (const auto& name : names) {
      const auto* c = linux::find_syscall(linux::Arch::x86_64, name);
      for (const auto& arguments : boundary_arguments(policy, name, random, 60)) {
        const auto real = bpf_run(program, CallData(x86_64_arch, c->number, arguments)).result;
        ASSERT_EQ(answer(decoded.filters[0].graph, x86_64_arch, c->number, arguments), real) << n << ' ' << name << '\n'
                                                                                             << profile;
        if (name == "write") continue;  // runc's own need
        const auto verdict = model::decide(policy, model::SyscallAction{name, arguments});
        ASSERT_EQ(real == allow, verdict.decision == model::Decision::Allow && name != "fchmodat2")
            << n << ' ' << name << '\n'
            << profile;
      }
    }
    ++compared;
  }
  EXPECT_GT(compared, 100);
}

Json entry(std::vector<std::string> of, const char* action, std::vector<Json> args = {}) {
  Json e = {{"names", of}, {"action", action}};
  if (!args.empty()) e["args"] = args;
  return e;
}
Json arg(int index, const char* op, std::uint64_t value, std::uint64_t two = 0) {
  return {{"index", index}, {"op", op}, {"value", value}, {"valueTwo", two}};
}
Json profile(const char* fallback, std::vector<Json> entries) {
  return {{"defaultAction", fallback}, {"architectures", {"SCMP_ARCH_X86_64"}}, {"syscalls", entries}};
}

/// The decoder against libseccomp itself, on profiles that others might write.
void same_as_libseccomp(const Json& p, std::mt19937_64& random) {
  const auto decoded = decode_text(p.dump());
  if (!decoded.problems.empty()) return;  // said to be unknown: never wrong (libseccomp even hangs on some of these)
  const Bpf program = runc_program(p.dump());
  ASSERT_FALSE(program.empty()) << p.dump(1);
  static const std::vector<std::uint64_t> edges = {
      0, 1, 2, 3, 4, 5, 40, 0xff, 0xffffffff, 0x100000000, 0x100000001, 0x100000002, 0x200000001, ~0ull};
  for (int n = 0; n < 400; ++n) {
    std::array<std::uint64_t, 6> arguments{};
    for (auto& a : arguments) a = edges[random() % edges.size()];
    static const std::vector<std::uint32_t> numbers = {0,  16,  41,  41,   41,         41,         56,
                                                       90, 439, 451, 1000, 0x40000029, 0x80000029, 0xffffffff};
    const std::uint32_t number = numbers[random() % numbers.size()];
    const std::uint32_t arch = random() % 20 == 0 ? 0x40000003 : x86_64_arch;
    ASSERT_EQ(answer(decoded.filters[0].graph, arch, number, arguments),
              bpf_run(program, CallData(arch, number, arguments)).result)
        << std::hex << number << ' ' << arguments[0] << ' ' << arguments[1] << ' ' << arguments[2] << '\n'
        << p.dump(1);
  }
}

/// Alternatives that overlap, and begin alike or not: some of them holds, or none.
TEST(Decode, OverlappingMasksAreAlternatives) {
  std::mt19937_64 random(8);
  for (int n = 0; n < 150; ++n) {
    std::vector<Json> entries;
    for (int e = 0; e < 2 + n % 5; ++e) {
      std::vector<Json> args;
      for (int a = 0; a <= n % 3; ++a) {
        const std::uint64_t mask = (random() % 7 + 1) | (random() % 4 == 0 ? 1ull << 32 : 0);
        if (a == 0 || random() % 4 != 0) args.push_back(arg(a, "SCMP_CMP_MASKED_EQ", mask, random() & mask & 7));
      }
      entries.push_back(entry({"socket"}, "SCMP_ACT_ALLOW", args));
    }
    same_as_libseccomp(profile("SCMP_ACT_ERRNO", entries), random);
    if (HasFatalFailure()) return;
  }
}

TEST(Decode, KnownShapesMeanWhatLibseccompMakesOfThem) {
  std::mt19937_64 random(2);
  for (const Json& p : std::vector<Json>{
           profile("SCMP_ACT_ERRNO", {}),
           profile("SCMP_ACT_ALLOW", {entry({"socket"}, "SCMP_ACT_ERRNO", {arg(0, "SCMP_CMP_EQ", 40)})}),
           profile("SCMP_ACT_KILL", {entry({"socket", "nobodys_call", "socketcall"}, "SCMP_ACT_ALLOW")}),
           // two != in one entry: alternatives, so everything matches
           profile("SCMP_ACT_ERRNO",
                   {entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_NE", 1), arg(0, "SCMP_CMP_NE", 40)})}),
           // a repeated argument frees the others too
           profile("SCMP_ACT_ERRNO",
                   {entry({"socket"}, "SCMP_ACT_ALLOW",
                          {arg(0, "SCMP_CMP_EQ", 1), arg(0, "SCMP_CMP_EQ", 2), arg(1, "SCMP_CMP_EQ", 5)})}),
           // the unconditional entry wins, before or after
           profile("SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ALLOW"),
                                      entry({"socket"}, "SCMP_ACT_KILL", {arg(0, "SCMP_CMP_EQ", 40)})}),
           profile("SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_KILL", {arg(0, "SCMP_CMP_EQ", 40)}),
                                      entry({"socket"}, "SCMP_ACT_ALLOW")}),
           profile("SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ALLOW"), entry({"socket"}, "SCMP_ACT_TRAP")}),
           // an entry that equals the default is dropped; masks of zero and values outside the mask
           profile("SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ERRNO"),
                                      entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_EQ", 2)})}),
           profile("SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_MASKED_EQ", 0, 7)})}),
           profile("SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_MASKED_EQ", 1, 7)})}),
       })
    ASSERT_NO_FATAL_FAILURE(same_as_libseccomp(p, random)) << p.dump(1);
}

TEST(Decode, RandomProfilesMeanWhatLibseccompMakesOfThem) {
  std::mt19937_64 random(77);
  static const char* ops[] = {"SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE", "SCMP_CMP_LT",
                              "SCMP_CMP_LE", "SCMP_CMP_GT",        "SCMP_CMP_GE"};
  static const std::vector<std::uint64_t> values = {0, 1, 2, 3, 40, 0xffffffff, 0x100000000, 0x100000001, ~0ull};
  int decided = 0;
  for (int n = 0; n < 3000; ++n) {
    std::vector<Json> entries;
    for (std::size_t e = random() % 4 + 1; e > 0; --e) {
      std::vector<Json> args;
      for (std::size_t a = random() % 4; a > 0; --a)
        args.push_back(arg(static_cast<int>(random() % 3), ops[random() % 7], values[random() % values.size()],
                           values[random() % values.size()]));
      static const char* actions[] = {"SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_TRAP",
                                      "SCMP_ACT_ERRNO"};
      entries.push_back(entry({random() % 4 == 0 ? "ioctl" : "socket"}, actions[random() % 5], args));
    }
    const Json p = profile(random() % 5 == 0 ? "SCMP_ACT_KILL_PROCESS" : "SCMP_ACT_ERRNO", entries);
    decided += decode_text(p.dump()).problems.empty();
    ASSERT_NO_FATAL_FAILURE(same_as_libseccomp(p, random)) << n;
  }
  EXPECT_GT(decided, 600) << decided;
}

/// Rules of one comparison each, beside each other on few arguments; and a lone `!=` beside equalities that have
/// another action, as Podman's profile has them. None of these is refused for what libseccomp might make of it.
TEST(Decode, ComparisonsOfOneArgumentBesideEachOther) {
  std::mt19937_64 random(1938);
  const int rounds = long_tier() ? 2000 : 600;
  static const char* ops[] = {"SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE", "SCMP_CMP_LT",
                              "SCMP_CMP_LE", "SCMP_CMP_GT",        "SCMP_CMP_GE"};
  static const std::vector<std::uint64_t> values = {0, 1, 2, 3, 40, 0xffffffff};
  const auto small = [&] { return values[random() % values.size()]; };
  for (int n = 0; n < rounds; ++n) {
    std::vector<Json> entries;
    const std::uint64_t high = random() % 4 == 0 ? 1ull << 32 : 0;
    for (std::size_t e = random() % 5 + 2; e > 0; --e) {
      const int index = random() % 4 == 0 ? 1 : 0;
      entries.push_back(
          entry({"socket"}, "SCMP_ACT_ALLOW", {arg(index, ops[random() % 7], high | small(), high | small())}));
    }
    const Json p = profile("SCMP_ACT_ERRNO", entries);
    ASSERT_TRUE(decode_text(p.dump()).problems.empty()) << p.dump();
    ASSERT_NO_FATAL_FAILURE(same_as_libseccomp(p, random)) << n;
  }
  int decided = 0;
  for (int n = 0; n < rounds; ++n) {
    std::vector<Json> entries;
    for (std::size_t e = random() % 4 + 2; e > 0; --e) {
      if (random() % 2 == 0) {
        entries.push_back(
            entry({"socket"}, "SCMP_ACT_ALLOW", {arg(static_cast<int>(random() % 2), "SCMP_CMP_NE", random() % 2)}));
        continue;
      }
      std::vector<Json> args;
      for (const int index : {0, 1, 2})
        if (random() % 3 != 0) args.push_back(arg(index, "SCMP_CMP_EQ", random() % 2));
      if (!args.empty()) entries.push_back(entry({"socket"}, "SCMP_ACT_TRAP", args));
    }
    std::shuffle(entries.begin(), entries.end(), random);
    const Json p = profile("SCMP_ACT_ERRNO", entries);
    decided += decode_text(p.dump()).problems.empty();
    ASSERT_NO_FATAL_FAILURE(same_as_libseccomp(p, random)) << n;
  }
  EXPECT_GT(decided, rounds / 4) << decided;
}

TEST(Decode, WhatLibseccompCompilesWronglyIsRefused) {
  const auto decided = [](const Json& p) { return decode_text(p.dump()).problems.empty(); };
  // what follows a comparison by order hangs on two branches: `lo > 5` comes to permit the second rule's argument too
  EXPECT_FALSE(decided(profile(
      "SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_GT", 5), arg(1, "SCMP_CMP_EQ", 1)}),
                         entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_GT", 7), arg(1, "SCMP_CMP_EQ", 2)})})));
  // values on both sides of 2^32: its program refuses 1, which is below the second value
  EXPECT_FALSE(
      decided(profile("SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_EQ", 3)}),
                                         entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_LT", 0x100000000)}),
                                         entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_LE", 0)})})));
  // a lone `!=` prunes equalities of the same action that it does not cover
  EXPECT_FALSE(decided(profile(
      "SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_EQ", 16), arg(1, "SCMP_CMP_EQ", 9)}),
                         entry({"socket"}, "SCMP_ACT_ALLOW", {arg(1, "SCMP_CMP_NE", 9)})})));
}

TEST(Decode, RefusesWhatItCantBeSureOf) {
  const auto refused = [](const Json& p) {
    const auto d = decode_text(p.dump());
    return !d.problems.empty() && d.filters.empty() ? d.problems[0].message : "decided";
  };
  const auto with = [](const char* key, Json value) {
    Json p = profile("SCMP_ACT_ERRNO", {});
    p[key] = std::move(value);
    return p;
  };
  EXPECT_NE(refused(with("architectures", {"SCMP_ARCH_X86_64", "SCMP_ARCH_MIPS"})).find("SCMP_ARCH_MIPS"),
            std::string::npos);
  EXPECT_NE(refused(with("flags", {"SECCOMP_FILTER_FLAG_LOG"})).find("flags"), std::string::npos);
  EXPECT_NE(refused(with("defaultAction", "SCMP_ACT_SHRUG")).find("SHRUG"), std::string::npos);
  EXPECT_NE(refused(with("DefaultAction", "SCMP_ACT_ALLOW")).find("spelling"), std::string::npos);
  EXPECT_NE(refused(with("defaultErrnoRet", -1)).find("defaultErrnoRet"), std::string::npos);
  Json other_case = profile("SCMP_ACT_ERRNO", {entry({"read"}, "SCMP_ACT_ERRNO")});
  other_case["syscalls"][0]["Action"] = "SCMP_ACT_ALLOW";
  EXPECT_NE(refused(other_case).find("spelling"), std::string::npos);
  EXPECT_NE(refused(profile("SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_EQ", 2)}),
                                               entry({"socket"}, "SCMP_ACT_TRAP", {arg(1, "SCMP_CMP_EQ", 3)})}))
                .find("different actions"),
            std::string::npos);
  EXPECT_NE(
      refused(profile("SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ALLOW", {arg(6, "SCMP_CMP_EQ", 2)})})).find("six"),
      std::string::npos);
  EXPECT_NE(refused(profile("SCMP_ACT_ERRNO", {entry({"socket"}, "SCMP_ACT_ALLOW", {arg(0, "SCMP_CMP_EQUAL", 2)})}))
                .find("operator"),
            std::string::npos);
  Json docker = profile("SCMP_ACT_ERRNO", {entry({"read"}, "SCMP_ACT_ALLOW")});
  docker["syscalls"][0]["includes"] = {{"caps", {"CAP_SYS_ADMIN"}}};
  EXPECT_NE(refused(docker).find("includes"), std::string::npos);
  for (const char* text :
       {"", "[]", "{", "null", "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultAction\":\"SCMP_ACT_ERRNO\"}"})
    EXPECT_FALSE(decode_text(text).problems.empty()) << text;
}

TEST(Decode, TheSectionOfAConfig) {
  model::Policy p;
  add_rule(p, Effect::Allow, {call("read"), call("socket", {in(0, {1, 2})})});
  const auto decode_config = [](const std::string& text) {
    const backends::Artifact artifact{"oci/config.json", text};
    return backends::seccomp::backend().decode({&artifact, 1}, debian12());
  };
  const Json config = {{"ociVersion", "1.0.2"}, {"linux", {{"seccomp", Json::parse(profile_of(p))}}}};
  const auto decoded = decode_config(config.dump());
  ASSERT_EQ(decoded.filters.size(), 1u);
  EXPECT_EQ(decoded.filters[0].artifact, "oci/config.json#/linux/seccomp");
  EXPECT_EQ(answer(decoded.filters[0].graph, x86_64_arch, 41, {2}), allow);
  EXPECT_EQ(answer(decoded.filters[0].graph, x86_64_arch, 41, {3}), eperm);
  for (const char* text :
       {R"({"linux":[]})", R"({"linux":{"Seccomp":{}}})", R"({"Linux":{"seccomp":{}},"linux":{"seccomp":{}}})",
        R"({"linux":{"seccomp":null}})", R"({"linux":{"seccomp":{}}})"})
    EXPECT_FALSE(decode_config(text).problems.empty()) << text;
  for (const char* text : {"{}", R"({"linux":{}})"}) {  // no filter is loaded: everything passes, on every architecture
    const auto none = decode_config(text);
    EXPECT_TRUE(none.problems.empty()) << text;
    ASSERT_EQ(none.filters.size(), 1u) << text;
    EXPECT_EQ(answer(none.filters[0].graph, x86_64_arch, 175, {0}), allow);
    EXPECT_EQ(answer(none.filters[0].graph, 0x40000003, 128, {0}), allow);
  }
}

}  // namespace
}  // namespace agp::test
