#include "compiler/solver/solver.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <random>
#include <thread>

namespace agp::solver {
namespace {

bool z3_mapped() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find("libz3") != std::string::npos) return true;
  return false;
}

/// Must run first in this program: nothing before it opens a Session.
TEST(A_Loading, LibraryIsOpenedByTheFirstSessionOnly) {
  EXPECT_FALSE(z3_mapped());
  Terms terms;
  terms.variable("x", 32);
  EXPECT_FALSE(z3_mapped());
  Session session(terms);
  EXPECT_TRUE(z3_mapped());
  EXPECT_EQ(session.version().rfind("Z3 ", 0), 0u);
}

TEST(Solver, SatGivesAModelAndUnsatDoesNot) {
  Terms t;
  const Term x = t.variable("x", 64);
  Session s(t);
  const Term odd = t.equal(t.extract(x, 0, 1), t.constant(1, 1));
  const Answer sat = s.check(t.both(odd, t.less(t.constant(64, 0xfffffffffffffffd), x)));
  ASSERT_TRUE(std::holds_alternative<Sat>(sat));
  EXPECT_EQ(std::get<Sat>(sat).values.at("x"), ~0ull);
  EXPECT_TRUE(std::holds_alternative<Unsat>(s.check(t.both(odd, t.equal(x, t.constant(64, 4))))));
}

TEST(Solver, QuestionsDoNotLeakIntoEachOther) {
  Terms t;
  const Term x = t.variable("x", 8);
  Session s(t);
  s.add(t.less(x, t.constant(8, 10)));
  s.push();
  s.add(t.less(t.constant(8, 20), x));
  EXPECT_TRUE(std::holds_alternative<Unsat>(s.check()));
  s.pop();
  EXPECT_TRUE(std::holds_alternative<Sat>(s.check()));
  EXPECT_TRUE(std::holds_alternative<Unsat>(s.check(t.equal(x, t.constant(8, 11)))));
  EXPECT_TRUE(std::holds_alternative<Sat>(s.check(t.equal(x, t.constant(8, 9)))));
}

TEST(Solver, SessionsDoNotLeakIntoEachOther) {
  Terms first, second;
  const Term a = first.variable("x", 8);
  const Term b = second.variable("x", 64);
  {
    Session s(first);
    s.add(first.equal(a, first.constant(8, 1)));
    EXPECT_TRUE(std::holds_alternative<Sat>(s.check()));
  }
  Session s(second);
  const Answer answer = s.check(second.equal(b, second.constant(64, 1ull << 40)));
  ASSERT_TRUE(std::holds_alternative<Sat>(answer));
  EXPECT_EQ(std::get<Sat>(answer).values.at("x"), 1ull << 40);
}

TEST(Solver, CoreNamesTheAssumptionsThatClash) {
  Terms t;
  const Term x = t.variable("x", 16);
  const Term a = t.less(x, t.constant(16, 5)), b = t.less(t.constant(16, 7), x),
             c = t.equal(t.variable("y", 16), t.constant(16, 1));
  Session s(t);
  const Term given[] = {a, c, b};
  const Answer answer = s.check(given);
  ASSERT_TRUE(std::holds_alternative<Unsat>(answer));
  const auto& core = std::get<Unsat>(answer).core;
  EXPECT_EQ(core.size(), 2u);
  EXPECT_TRUE(std::find(core.begin(), core.end(), c) == core.end());
}

TEST(Solver, ALimitGivesUndecided) {
  // A product of two 32-bit primes, found by search: far beyond the steps given.
  Terms t;
  const Term x = t.variable("x", 64), y = t.variable("y", 64);
  Limits limits;
  limits.steps = 20000;
  Session s(t, limits);
  for (const Term v : {x, y}) {
    s.add(t.less(t.constant(64, 1), v));
    s.add(t.less(v, t.constant(64, 1ull << 32)));
  }
  const Answer answer = s.check(t.equal(t.binary(Op::Mul, x, y), t.constant(64, 4294967291ull * 4294967279ull)));
  ASSERT_TRUE(std::holds_alternative<Undecided>(answer));
  EXPECT_NE(std::get<Undecided>(answer).reason.find("limit"), std::string::npos) << std::get<Undecided>(answer).reason;
  // And the solver is still usable.
  EXPECT_TRUE(std::holds_alternative<Sat>(s.check(t.equal(x, t.constant(64, 3)))));
}

/// Every operator by Z3 against its folding on constants, which Terms does itself.
TEST(Terms, FoldingAgreesWithTheSolver) {
  std::mt19937_64 random(3);
  Terms t;
  Session s(t);
  for (int n = 0; n < 300; ++n) {
    const auto op = static_cast<Op>(static_cast<int>(Op::BvAnd) + n % 10);
    const bool hard = op == Op::Mul || op == Op::Udiv || op == Op::Urem;  // multipliers of 64 bits take seconds
    const unsigned width = hard ? 12 : n % 3 == 0 ? 32 : 1 + static_cast<unsigned>(random() % 64);
    const std::uint64_t va = random() >> random() % 64, vb = n % 7 == 0 ? 0 : random() >> random() % 64;
    const Term a = t.constant(width, va), b = t.constant(width, vb);
    const Term x = t.variable("a" + std::to_string(n), width), y = t.variable("b" + std::to_string(n), width);
    const Term given = t.both(t.equal(x, a), t.equal(y, b));
    const Term same =
        t.both(t.equal(t.binary(op, x, y), t.binary(op, a, b)),
               t.both(t.equal(t.less(x, y), t.less(a, b)), t.equal(t.less_equal(x, y), t.less_equal(a, b))));
    ASSERT_TRUE(std::holds_alternative<Sat>(s.check(t.both(given, same)))) << n;
    ASSERT_TRUE(std::holds_alternative<Unsat>(s.check(t.both(given, t.negate(same)))))
        << n << " op " << static_cast<int>(op);
  }
}

TEST(Verdict, NamesAllThreeCases) {
  const auto word = [](const Verdict<int>& v) { return v.word(); };
  EXPECT_EQ(word(Proved{"Z3"}), "proved");
  EXPECT_EQ(word(Refuted<int>{3}), "refuted");
  EXPECT_EQ(word(Unknown{"limit"}), "unknown");
  EXPECT_FALSE(Verdict<int>(Unknown{""}).proved());
  static_assert(!std::is_convertible_v<Verdict<int>, bool>);
}

TEST(Solver, ThreadsWaitForEachOther) {
  std::vector<std::thread> threads;
  std::array<bool, 4> right{};
  for (std::size_t n = 0; n < right.size(); ++n)
    threads.emplace_back([n, &right] {
      Terms t;
      const Term x = t.variable("x", 32);
      for (int i = 0; i < 20; ++i) {
        Session s(t);
        const Answer answer = s.check(t.equal(x, t.constant(32, n)));
        right[n] = std::holds_alternative<Sat>(answer) && std::get<Sat>(answer).values.at("x") == n;
      }
    });
  for (auto& t : threads) t.join();
  for (const bool r : right) EXPECT_TRUE(r);
}

}  // namespace
}  // namespace agp::solver
