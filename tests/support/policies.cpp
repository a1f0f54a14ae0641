#include "tests/support/policies.hpp"

#include <algorithm>

namespace agp::test {

using model::ArgTest;
using model::Effect;

ArgTest is(int index, ArgTest::Op op, std::uint64_t value) { return {index, op, ~0ull, {value}}; }
ArgTest masked(int index, std::uint64_t mask, std::uint64_t value) {
  return {index, ArgTest::Op::Masked, mask, {value}};
}
ArgTest in(int index, std::vector<std::uint64_t> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return {index, ArgTest::Op::In, ~0ull, std::move(values)};
}

model::SyscallPattern call(std::string name, std::vector<ArgTest> tests) { return {std::move(name), std::move(tests)}; }

void add_rule(model::Policy& policy, Effect effect, std::vector<model::SyscallPattern> patterns,
              std::vector<model::SyscallPattern> except, model::Denial denial) {
  model::SyscallBody body;
  for (auto& p : patterns) body.patterns.push_back({p, {}, p.name});
  for (auto& p : except) body.except.push_back({p, {}, p.name});
  body.denial = denial;
  model::Rule rule;
  rule.id = "r" + std::to_string(policy.rules.size());
  rule.effect = effect;
  rule.body = std::move(body);
  policy.rules.push_back(std::move(rule));
}

model::Target debian12() {
  model::Target t;
  t.name = "debian-12";
  t.kernel = {6, 1};
  t.landlock_abi = 2;
  t.archs = {"x86_64"};
  t.stack = "oci";
  t.runc = {1, 1};
  t.nft = {1, 0};
  t.dnsmasq = {2, 90};
  return t;
}

namespace {

template <class T>
const T& pick(std::mt19937_64& random, const std::vector<T>& from) {
  return from[random() % from.size()];
}

/// Values that sit on the edges of words, masks and each other.
std::uint64_t random_value(std::mt19937_64& random) {
  static const std::vector<std::uint64_t> edges = {0,
                                                   1,
                                                   2,
                                                   3,
                                                   7,
                                                   8,
                                                   40,
                                                   0x5412,
                                                   0xff,
                                                   0xffff,
                                                   0x10000,
                                                   0x10000000,
                                                   0x7fffffff,
                                                   0x80000000,
                                                   0xfffffffe,
                                                   0xffffffff,
                                                   0x100000000,
                                                   0x100000001,
                                                   0x7fffffffffffffff,
                                                   0xffffffff00000000,
                                                   ~0ull};
  return random() % 4 == 0 ? random() >> random() % 64 : pick(random, edges);
}

ArgTest random_test(std::mt19937_64& random) {
  static const std::vector<ArgTest::Op> ops = {ArgTest::Op::Eq, ArgTest::Op::Ne, ArgTest::Op::Lt, ArgTest::Op::Le,
                                               ArgTest::Op::Gt, ArgTest::Op::Ge, ArgTest::Op::In, ArgTest::Op::Masked};
  const int index = static_cast<int>(random() % 3);
  const auto op = pick(random, ops);
  if (op == ArgTest::Op::Masked) {
    const std::uint64_t mask = random_value(random);
    return masked(index, mask, random() % 3 == 0 ? random_value(random) : random_value(random) & mask);
  }
  if (op == ArgTest::Op::In) {
    std::vector<std::uint64_t> values;
    for (std::size_t n = random() % 7 + 1; n > 0; --n) values.push_back(random_value(random));
    return in(index, values);
  }
  return is(index, op, random_value(random));
}

}  // namespace

model::Policy random_policy(std::mt19937_64& random, int rules) {
  // Effective masks of 16, 32 and 64 bits and none, classified and not: chmod mode, socket, ioctl arg, lseek, read.
  static const std::vector<std::string> names = {"chmod", "socket", "ioctl",  "lseek",
                                                 "read",  "clone",  "clone3", "fchmodat2"};
  model::Policy policy;
  policy.name = "random";
  for (int i = 0; i < rules; ++i) {
    const auto patterns = [&](std::size_t most) {
      std::vector<model::SyscallPattern> list;
      for (std::size_t n = random() % most + 1; n > 0; --n) {
        std::vector<ArgTest> tests;
        for (std::size_t t = random() % 4; t > 0; --t) tests.push_back(random_test(random));
        list.push_back(call(pick(random, names), std::move(tests)));
      }
      return list;
    };
    const Effect effect = pick(random, std::vector<Effect>{Effect::Allow, Effect::Allow, Effect::Deny, Effect::Ask});
    model::Denial denial;
    if (effect == Effect::Deny) {
      denial.kind =
          pick(random, std::vector<model::Denial::Kind>{model::Denial::Kind::Errno, model::Denial::Kind::Errno,
                                                        model::Denial::Kind::Trap, model::Denial::Kind::Kill});
      if (denial.kind == model::Denial::Kind::Errno && random() % 3 == 0) denial.errno_value = 13;
    }
    add_rule(policy, effect, patterns(3), random() % 3 == 0 ? patterns(2) : std::vector<model::SyscallPattern>{},
             denial);
  }
  return policy;
}

std::vector<std::array<std::uint64_t, 6>> boundary_arguments(const model::Policy& policy, const std::string& name,
                                                             std::mt19937_64& random, int count) {
  std::vector<std::uint64_t> values[6];
  for (auto& v : values) v = {0, ~0ull};
  const auto note = [&](const std::vector<model::Placed<model::SyscallPattern>>& list) {
    for (const auto& p : list)
      if (p.pattern.name == name)
        for (const auto& t : p.pattern.tests)
          for (const std::uint64_t v : t.values)
            for (const std::uint64_t w : std::initializer_list<std::uint64_t>{
                     v, v - 1, v + 1, v ^ t.mask, v | ~t.mask, v + (1ull << 32), v + (1ull << 16), v & 0xffffffff})
              values[t.index].push_back(w);
  };
  for (const auto& rule : policy.rules)
    if (const auto* body = std::get_if<model::SyscallBody>(&rule.body)) {
      note(body->patterns);
      note(body->except);
    }
  std::vector<std::array<std::uint64_t, 6>> out;
  for (int n = 0; n < count; ++n) {
    std::array<std::uint64_t, 6> arguments{};
    for (std::size_t i = 0; i < 6; ++i) {
      arguments[i] = pick(random, values[i]);
      if (random() % 8 == 0) arguments[i] ^= 1ull << random() % 64;
    }
    out.push_back(arguments);
  }
  return out;
}

}  // namespace agp::test
