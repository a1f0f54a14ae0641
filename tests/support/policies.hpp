#pragma once
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"

/// Policies of system-call rules built in memory, and the inputs that matter for them.
namespace agp::test {

model::ArgTest is(int index, model::ArgTest::Op op, std::uint64_t value);
model::ArgTest masked(int index, std::uint64_t mask, std::uint64_t value);
model::ArgTest in(int index, std::vector<std::uint64_t> values);

model::SyscallPattern call(std::string name, std::vector<model::ArgTest> tests = {});

/// Adds one rule; its id is "r0", "r1", …
void add_rule(model::Policy& policy, model::Effect effect, std::vector<model::SyscallPattern> patterns,
              std::vector<model::SyscallPattern> except = {}, model::Denial denial = {});

model::Target debian12();

/// A policy over few calls with many conditions, all operators, overlapping allows, denies and excepts.
model::Policy random_policy(std::mt19937_64& random, int rules);

/// Arguments at and around every constant of the policy, with bits set above and below, for one call.
std::vector<std::array<std::uint64_t, 6>> boundary_arguments(const model::Policy& policy, const std::string& name,
                                                             std::mt19937_64& random, int count);

}  // namespace agp::test
