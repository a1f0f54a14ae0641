#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <queue>

#include "backends/seccomp/backend.hpp"
#include "backends/seccomp/emit/emit.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/verify/verify.hpp"
#include "tests/support/bpf.hpp"
#include "tests/support/policies.hpp"
#include "tests/support/tier.hpp"

// Policies drawn at random, each for one of the families of architectures. The filter's answers are compared with the
// policy evaluated rule by rule at boundary values of its conditions; those with most conditions are proved as well.
namespace agp::test {
namespace {

constexpr std::uint32_t allow = 0x7fff0000, kill = 0x80000000, trap = 0x30000;
constexpr const char* names[] = {"chmod", "socket", "ioctl", "lseek", "read", "clone", "clone3", "fchmodat2", "write"};

model::Target random_target(std::mt19937_64& random) {
  static const std::vector<std::vector<std::string>> families = {
      {"x86_64"}, {"x86_64"}, {"x86_64", "i386"}, {"x86_64", "i386", "x32"}, {"aarch64"}, {"riscv64"}};
  model::Target out = debian12();
  out.archs = families[random() % families.size()];
  return out;
}

std::optional<Bpf> filter_of(const model::Policy& policy, const model::Target& target) {
  const auto emitted = backends::seccomp::emit_filter(policy, target);
  for (const auto& a : emitted.artifacts)
    if (a.path.ends_with(".bpf")) return bpf_from_bytes(a.bytes);
  return std::nullopt;
}

/// The strictest of the denials behind a verdict, as the word that a filter returns; 0 where the default applies.
std::uint32_t named_denial(const model::Policy& policy, const model::Verdict& verdict) {
  model::Denial strictest;
  for (const std::size_t r : verdict.rules) {
    const auto& d = std::get<model::SyscallBody>(policy.rules[r].body).denial;
    if (d.kind > strictest.kind || (d.kind == strictest.kind && d.errno_value > strictest.errno_value)) strictest = d;
  }
  if (strictest.kind == model::Denial::Kind::Kill) return kill;
  if (strictest.kind == model::Denial::Kind::Trap) return trap;
  return strictest.errno_value != 0 ? 0x50000u + static_cast<std::uint32_t>(strictest.errno_value) : 0;
}

/// The calls on which filter and policy differ, as text; also counts what was compared.
std::string differs(const model::Policy& policy, const model::Target& target, const Bpf& filter,
                    std::mt19937_64& random, int count, std::size_t& compared) {
  for (const std::string& arch_name : target.archs) {
    const linux::Arch arch = *linux::find_arch(arch_name);
    for (const char* name : names) {
      const auto* call = linux::find_syscall(arch, name);
      if (call == nullptr) continue;
      for (const auto& arguments : boundary_arguments(policy, name, random, count)) {
        model::SyscallAction action{name, arguments};
        action.arch = arch;
        const auto verdict = model::decide(policy, action);
        const std::uint32_t got = bpf_run(filter, CallData(linux::audit_arch(arch), call->number, arguments)).result;
        const std::uint32_t named =
            verdict.decision == model::Decision::Deny ? named_denial(policy, verdict) : std::uint32_t{0};
        const bool right = verdict.decision == model::Decision::Allow ? got == allow
                           : named != 0                               ? got == named
                                                                      : (got & 0xffff0000) == 0x50000;
        ++compared;
        if (!right) return fmt::format("{} {:#x} on {}", model::to_string(model::Action(action)), got, arch_name);
      }
    }
  }
  return {};
}

std::size_t conditions(const model::Policy& policy) {
  std::size_t out = 0;
  for (const auto& rule : policy.rules) {
    const auto& body = std::get<model::SyscallBody>(rule.body);
    for (const auto* list : {&body.patterns, &body.except})
      for (const auto& p : *list) out += p.pattern.tests.size();
  }
  return out;
}

struct Drawn {
  std::size_t conditions;
  std::uint64_t seed;
  friend bool operator<(const Drawn& a, const Drawn& b) {
    return std::pair(a.conditions, a.seed) > std::pair(b.conditions, b.seed);  // the least on top
  }
};

/// Each policy has a seed of its own: it can be drawn again alone.
struct Case {
  std::mt19937_64 random;
  model::Target target;
  model::Policy policy;
  explicit Case(std::uint64_t seed) : random(seed), target(random_target(random)) {
    policy = random_policy(random, static_cast<int>(2 + random() % 12));
  }
};

TEST(Random, FiltersDecideAsThePolicyAndAreProved) {
  const std::size_t policies = long_tier() ? 50'000 : 250, proofs = long_tier() ? 1'000 : 8;
  std::mt19937_64 seeds(seed(6));
  std::priority_queue<Drawn> largest;
  std::size_t compared = 0, wrong = 0, too_large = 0;
  for (std::size_t n = 0; n < policies; ++n) {
    const std::uint64_t own = seeds();
    Case one(own);
    const auto filter = filter_of(one.policy, one.target);
    if (!filter) {
      ++too_large;
      continue;
    }
    const std::string difference = differs(one.policy, one.target, *filter, one.random, 24, compared);
    if (!difference.empty()) {
      ++wrong;
      ADD_FAILURE() << "policy " << own << ": " << difference;
    }
    largest.push({conditions(one.policy), own});
    if (largest.size() > proofs) largest.pop();
  }
  result(
      fmt::format("{} random policies, {} calls at boundary values compared with direct evaluation: {} policies wrong, "
                  "{} without a filter",
                  policies, compared, wrong, too_large));

  std::map<std::string, std::size_t> families;  // proofs by architectures
  std::size_t proved = 0, obligations = 0, least = 0, most = 0;
  for (; !largest.empty(); largest.pop()) {
    Case one(largest.top().seed);
    most = largest.top().conditions;
    if (least == 0) least = most;
    const auto filter = filter_of(one.policy, one.target);
    ++families[fmt::format("{}", fmt::join(one.target.archs, "+"))];
    const backends::Artifact artifact{fmt::format("seccomp/filter.{}.bpf", one.target.archs[0]), bpf_to_bytes(*filter)};
    const auto decoded = backends::seccomp::backend().decode({&artifact, 1}, one.target);
    bool all = !decoded.filters.empty();
    for (const auto& o : verify::verify_filters(one.policy, one.target, {}, decoded)) {
      ++obligations;
      if (o.verdict.word() == "proved") continue;
      all = false;
      ADD_FAILURE() << "policy " << largest.top().seed << ": " << o.statement << ": " << o.verdict.word();
    }
    proved += all;
  }
  std::string of;
  for (const auto& [archs, count] : families) of += fmt::format("{}{} {}", of.empty() ? "" : ", ", count, archs);
  result(fmt::format("the {} with most conditions ({} to {}): {} proved, {} obligations; {}", proofs, least, most,
                     proved, obligations, of));
  EXPECT_EQ(too_large, 0u);
}

}  // namespace
}  // namespace agp::test
