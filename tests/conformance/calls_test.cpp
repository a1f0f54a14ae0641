#include <fmt/format.h>
#include <gtest/gtest.h>
#include <seccomp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <set>

#include "backends/seccomp/backend.hpp"
#include "backends/seccomp/emit/emit.hpp"
#include "compiler/linux/syscalls.hpp"
#include "tests/runtime/seccomp/kernel.hpp"
#include "tests/support/bounded.hpp"
#include "tests/support/bpf.hpp"
#include "tests/support/policies.hpp"
#include "tests/support/tier.hpp"
#include "tests/unit/seccomp/oci.hpp"

// The model's answer against the running kernel's, at the boundaries of random policies' conditions: through the raw
// filter, and through the profile as the real libseccomp compiles it. And the same policies through libseccomp alone.
namespace agp::test {
namespace {

constexpr const char* names[] = {"chmod", "socket", "ioctl", "lseek", "read", "clone", "clone3", "fchmodat2", "write"};
constexpr std::uint32_t allow = 0x7fff0000;

std::uint32_t number_of(const char* name) { return linux::find_syscall(linux::Arch::x86_64, name)->number; }

struct Pair {
  Attempt attempt;
  bool permitted;
  std::string text;
  friend bool operator<(const Pair& a, const Pair& b) {
    return std::pair(a.attempt.number, a.attempt.arguments) < std::pair(b.attempt.number, b.attempt.arguments);
  }
};

/// Different actions of one policy, each with the model's decision.
std::set<Pair> pairs(const model::Policy& policy, std::mt19937_64& random, int each) {
  std::set<Pair> out;
  for (const char* name : names)
    for (const auto& arguments : boundary_arguments(policy, name, random, each)) {
      const model::SyscallAction action{name, arguments};
      const bool permitted = model::decide(policy, action).decision == model::Decision::Allow;
      out.insert({{number_of(name), arguments}, permitted, model::to_string(model::Action(action))});
    }
  return out;
}

struct Counted {
  std::size_t policies = 0, pairs = 0, denied = 0, passed = 0, wrong = 0, free = 0;
};

/// Tries the pairs under the filter. As many denials as passes, as far as there are: one kind is cut to the other's
/// size.
void compare(const Bpf& filter, std::set<Pair> all, Counted& count, const char* form) {
  std::vector<Pair> chosen;
  std::size_t denied = 0, passed_ = 0;
  for (const Pair& p : all) (p.permitted ? passed_ : denied)++;
  const std::size_t most = std::max<std::size_t>(10, std::min(denied, passed_) * 5 / 4);
  std::size_t taken[2] = {0, 0};
  for (const Pair& p : all)
    if (taken[p.permitted]++ < most) chosen.push_back(p);
  std::vector<Attempt> attempts;
  for (const Pair& p : chosen) attempts.push_back(p.attempt);
  const Bpf open{{0x06, 0, 0, allow}};
  const auto without = attempt_marked(open, attempts), with = attempt_marked(filter, attempts);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const bool ran = with[i].error == passed && with[i].signal == 0;
    ++count.pairs;
    ++(ran ? count.passed : count.denied);
    count.free += without[i].error == passed;
    if (ran == chosen[i].permitted) continue;
    ++count.wrong;
    if (count.wrong < 20) ADD_FAILURE() << form << ": " << chosen[i].text << ": " << with[i].error;
  }
  ++count.policies;
}

void say(const char* what, const Counted& c) {
  result(
      fmt::format("{}: {} distinct (policy, action) pairs of {} policies on the kernel, each passing without the layer "
                  "({}): {} denied ({} %), {} passed ({} %), {} not as the model says",
                  what, c.pairs, c.policies, c.free, c.denied, 100 * c.denied / std::max<std::size_t>(c.pairs, 1),
                  c.passed, 100 * c.passed / std::max<std::size_t>(c.pairs, 1), c.wrong));
  EXPECT_EQ(c.wrong, 0u);
  EXPECT_EQ(c.free, c.pairs);
  EXPECT_GE(c.denied * 10, c.pairs * 4);
  EXPECT_GE(c.passed * 10, c.pairs * 4);
}

TEST(Conformance, RawFilters) {
  std::mt19937_64 random(seed(61));
  Counted count;
  const std::size_t least = long_tier() ? 16'000 : 1'500, policies = long_tier() ? 200 : 12;
  while (count.pairs < least || count.policies < policies) {
    const auto policy = random_policy(random, static_cast<int>(2 + random() % 8));
    const auto emitted = backends::seccomp::emit_filter(policy, debian12());
    if (!emitted.problems.empty()) continue;
    compare(bpf_from_bytes(emitted.artifacts.at(0).bytes), pairs(policy, random, long_tier() ? 60 : 40), count, "raw");
  }
  say("raw filters", count);
}

TEST(Conformance, Profiles) {
  std::mt19937_64 random(seed(62));
  Counted count;
  const std::size_t least = long_tier() ? 8'000 : 500, policies = long_tier() ? 200 : 6;
  std::size_t hung = 0;
  while (count.pairs < least || count.policies < policies) {
    const auto policy = random_policy(random, static_cast<int>(2 + random() % 4));
    const auto emitted = backends::seccomp::backend().emit(policy, debian12(), {});
    if (!emitted.problems.empty()) continue;  // more entries than the kernel takes: said so
    for (const auto& a : emitted.artifacts) {
      if (a.path != "seccomp/profile.json") continue;
      auto all = pairs(policy, random, long_tier() ? 40 : 20);
      // What runc itself needs is granted beyond the policy, and named; calls that the target's kernel does not have
      // are no loss, and libseccomp 2.5.4 does not know them.
      std::erase_if(all, [](const Pair& p) {
        return p.attempt.number == number_of("write") || p.attempt.number == number_of("fchmodat2");
      });
      try {
        compare(runc_program(a.bytes), std::move(all), count, "profile");
      } catch (const Hung&) {
        ++hung;
      }
    }
    ASSERT_LE(hung, std::max<std::size_t>(1, policies / 100));
  }
  say("profiles under libseccomp", count);
  if (hung != 0) result(fmt::format("{} more whose profile libseccomp does not end with", hung));
}

// The same policies through libseccomp, as far as it can say them
// -------------------------------------------------------

/// libseccomp's filter for a policy of allows whose conditions it has: one rule for each pattern, comparisons of 64
/// bits. Empty where a condition can't be said in one rule.
std::string filter_of_libseccomp(const model::Policy& policy) {
  scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  bool said = true;
  for (const auto& rule : policy.rules) {
    const auto& body = std::get<model::SyscallBody>(rule.body);
    for (const auto& p : body.patterns) {
      std::vector<scmp_arg_cmp> args;
      for (const auto& t : p.pattern.tests) {
        static const std::map<model::ArgTest::Op, scmp_compare> ops = {
            {model::ArgTest::Op::Eq, SCMP_CMP_EQ}, {model::ArgTest::Op::Ne, SCMP_CMP_NE},
            {model::ArgTest::Op::Lt, SCMP_CMP_LT}, {model::ArgTest::Op::Le, SCMP_CMP_LE},
            {model::ArgTest::Op::Gt, SCMP_CMP_GT}, {model::ArgTest::Op::Ge, SCMP_CMP_GE}};
        const auto index = static_cast<unsigned>(t.index);
        if (t.op == model::ArgTest::Op::Masked)
          args.push_back({index, SCMP_CMP_MASKED_EQ, t.mask, t.values.at(0)});
        else if (ops.count(t.op) != 0)
          args.push_back({index, ops.at(t.op), t.values.at(0), 0});
        else
          said = false;
      }
      said = said && seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, static_cast<int>(number_of(p.pattern.name.c_str())),
                                            static_cast<unsigned>(args.size()), args.data()) == 0;
    }
  }
  std::string out;
  std::FILE* file = std::tmpfile();
  if (said && seccomp_export_bpf(ctx, fileno(file)) == 0) {
    std::rewind(file);
    for (int c; (c = std::fgetc(file)) != EOF;) out += static_cast<char>(c);
  }
  std::fclose(file);
  seccomp_release(ctx);
  return out;
}

/// Its instructions; none where it has no filter for the policy. Throws Hung where it does not end.
Bpf by_libseccomp(const model::Policy& policy) {
  const auto bytes = bounded(2, [&] { return filter_of_libseccomp(policy); });
  if (!bytes) throw Hung();
  return bpf_from_bytes(*bytes);
}

/// Allows alone, one test for each argument at most, values that the registers of the call can hold.
model::Policy simple_policy(std::mt19937_64& random) {
  model::Policy out;
  for (const auto& rule : random_policy(random, static_cast<int>(2 + random() % 8)).rules) {
    auto body = std::get<model::SyscallBody>(rule.body);
    for (auto& p : body.patterns) {
      std::set<int> seen;
      std::erase_if(p.pattern.tests, [&](const model::ArgTest& t) {
        return t.op == model::ArgTest::Op::In || !seen.insert(t.index).second;
      });
      if (p.pattern.name != "clone3" && p.pattern.name != "fchmodat2") add_rule(out, model::Effect::Allow, {p.pattern});
    }
  }
  return out;
}

/// The policy's answer as libseccomp reads conditions: every argument with all 64 bits of its register, and the value
/// of a masked comparison cut to the mask (db.c, _db_rule_gen_64), where for agp a bit outside of it can never be met.
bool as_libseccomp_reads(const model::Policy& policy, const std::string& name,
                         const std::array<std::uint64_t, 6>& arguments) {
  for (const auto& rule : policy.rules)
    for (const auto& p : std::get<model::SyscallBody>(rule.body).patterns)
      if (p.pattern.name == name && std::all_of(p.pattern.tests.begin(), p.pattern.tests.end(), [&](model::ArgTest t) {
            if (t.op == model::ArgTest::Op::Masked) t.values[0] &= t.mask;
            return model::holds(t, arguments[static_cast<std::size_t>(t.index)], ~0ull);
          }))
        return true;
  return false;
}

/// Does one of the policy's rules alone, through libseccomp, let the call run? Together they must then do so as well.
bool by_one_rule(const model::Policy& policy, const std::string& name, const CallData& data) {
  for (const auto& rule : policy.rules) {
    const auto& body = std::get<model::SyscallBody>(rule.body);
    if (body.patterns.at(0).pattern.name != name) continue;
    model::Policy one;
    one.rules.push_back(rule);
    const Bpf filter = by_libseccomp(one);
    if (!filter.empty() && bpf_run(filter, data).result == allow) return true;
  }
  return false;
}

TEST(Differential, PoliciesThroughLibseccomp) {
  std::mt19937_64 random(seed(63));
  const std::size_t policies = long_tier() ? 2'000 : 60;
  std::size_t compared = 0, inputs = 0, not_said = 0, hung = 0, agreed = 0, above = 0, merged = 0, unexplained = 0;
  while (compared < policies && hung <= std::max<std::size_t>(1, policies / 100)) {
    const auto policy = simple_policy(random);
    Bpf theirs;
    try {
      theirs = by_libseccomp(policy);
    } catch (const Hung&) {
      ++hung;
      continue;
    }
    if (theirs.empty()) {
      ++not_said;
      continue;
    }
    const Bpf ours = bpf_from_bytes(backends::seccomp::emit_filter(policy, debian12()).artifacts.at(0).bytes);
    ++compared;
    for (const char* name : names)
      for (const auto& arguments : boundary_arguments(policy, name, random, 40)) {
        const CallData data(x86_64_arch, number_of(name), arguments);
        const bool our = bpf_run(ours, data).result == allow, their = bpf_run(theirs, data).result == allow;
        ++inputs;
        if (our == their) {
          ++agreed;
          continue;
        }
        // What they may differ about is how conditions are read. Theirs must be the policy's answer read as libseccomp
        // does, and ours the policy's as the kernel takes the arguments.
        const bool policys =
            model::decide(policy, model::SyscallAction{name, arguments}).decision == model::Decision::Allow;
        if (policys == our && as_libseccomp_reads(policy, name, arguments) == their)
          ++above;
        else if (policys == our && by_one_rule(policy, name, data) == as_libseccomp_reads(policy, name, arguments))
          ++merged;  // several rules on one call: libseccomp 2.5.4 joins their trees and gets another answer
        else if (++unexplained < 10)
          ADD_FAILURE() << model::to_string(model::Action(model::SyscallAction{name, arguments})) << ": ours " << our
                        << ", libseccomp's " << their << ", the policy's " << policys;
      }
  }
  result(fmt::format(
      "libseccomp on {} random policies ({} more that it can't say, {} that it does not end with): {} calls, {} the same, {} different "
      "because it compares bits that the kernel does not take or cuts a value to its mask, {} because the rules of one "
      "call give another answer together than each alone, {} for another reason",
      compared, not_said, hung, inputs, agreed, above, merged, unexplained));
  EXPECT_EQ(unexplained, 0u);
  EXPECT_LE(hung, std::max<std::size_t>(1, policies / 100));
}

TEST(Bounded, WorkThatDoesNotEndIsGivenUp) {
  EXPECT_EQ(bounded(1, [] { return std::string(200'000, 'x'); }), std::string(200'000, 'x'));
  EXPECT_EQ(bounded(1,
                    [] {
                      for (volatile unsigned n = 0;;) n = n + 1;
                      return std::string();
                    }),
            std::nullopt);
  EXPECT_THROW(bounded(1, []() -> std::string { throw 1; }), std::runtime_error);
  EXPECT_THROW(bounded(1, []() -> std::string { std::abort(); }), std::runtime_error);
}

}  // namespace
}  // namespace agp::test
