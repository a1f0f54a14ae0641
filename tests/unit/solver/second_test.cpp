#include "compiler/solver/second.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "compiler/solver/solver.hpp"
#include "tests/support/scratch.hpp"

namespace agp::solver {
namespace {

const SecondSolver cvc5{"/usr/bin/cvc5"};

/// Every operator at several widths, with operands that folding can't see through.
TEST(Second, MeansTheSameByEveryOperator) {
  if (::access(cvc5.program.c_str(), X_OK) != 0) GTEST_SKIP() << "cvc5 is not installed";
  std::mt19937_64 random(5);
  Terms t;
  std::vector<Term> questions;
  std::vector<Said> expected;
  for (std::size_t n = 0; n < 120; ++n) {
    const unsigned width = 1 + random() % 64;
    const std::uint64_t va = random(), vb = n % 3 == 0 ? random() % 3 : random();
    const Term a = t.constant(width, va), b = t.constant(width, vb);
    const Term x = t.variable("a" + std::to_string(n), width), y = t.variable("b" + std::to_string(n), width);
    const auto op = static_cast<Op>(static_cast<std::size_t>(Op::BvAnd) + n % 9);
    const unsigned low = static_cast<unsigned>(random() % width),
                   part = 1 + static_cast<unsigned>(random() % (width - low));
    const unsigned half = width / 2 + 1;
    const Term same[] = {t.equal(t.binary(op, x, y), t.binary(op, a, b)),
                         t.equal(t.less(x, y), t.less(a, b)),
                         t.equal(t.less_equal(x, y), t.less_equal(a, b)),
                         t.equal(t.minus(x), t.minus(a)),
                         t.equal(t.extract(x, low, part), t.extract(a, low, part)),
                         half * 2 <= 64 && width >= half
                             ? t.equal(t.concat(t.extract(x, 0, half), t.extract(y, 0, half)),
                                       t.concat(t.extract(a, 0, half), t.extract(b, 0, half)))
                             : t.boolean(true),
                         t.equal(t.choose(t.less(x, y), x, y), t.choose(t.less(a, b), a, b))};
    const Term given = t.both(t.equal(x, a), t.equal(y, b)), all = t.all(same);
    questions.push_back(t.both(given, all));
    expected.push_back(Said::Sat);
    questions.push_back(t.both(given, t.negate(all)));
    expected.push_back(Said::Unsat);
  }
  const Opinions said = second_opinion(t, questions, cvc5);
  EXPECT_EQ(said.fault, "");
  EXPECT_EQ(said.said, expected);
}

/// What can't be executed, says something else, too much or nothing leaves every question open; what says too little,
/// the rest of them.
TEST(Second, LeavesOpenWhatIsNoAnswer) {
  Terms t;
  const Term x = t.variable("x", 8);
  const Term questions[] = {t.equal(x, t.constant(8, 1)), t.less(x, t.constant(8, 1))};
  SecondSolver solver;
  solver.timeout = std::chrono::milliseconds(1);
  solver.startup = std::chrono::milliseconds(200);
  const auto fault = [&](const char* program) {
    solver.program = program;
    const Opinions said = second_opinion(t, questions, solver);
    EXPECT_EQ(said.said, std::vector<Said>(2, Said::Unknown)) << program;
    return said.fault;
  };
  EXPECT_EQ(fault("/nonexistent/solver"), "it can't be executed");
  EXPECT_EQ(fault("/etc/passwd"), "it can't be executed");
  EXPECT_EQ(fault("/usr/bin/true"), "it answers 0 of 2 questions");
  const test::Scratch scripts;
  const auto says = [&](const char* lines) {
    const std::string path = scripts.write("solver", std::string("#!/bin/sh\ncat >/dev/null\n") + lines);
    ::chmod(path.c_str(), 0700);
    return fault(path.c_str());
  };
  EXPECT_NE(says("echo sat\necho sat\necho sat\n"), "");
  EXPECT_NE(says("echo sat\necho '(error \"no\")'\n"), "");
  EXPECT_NE(says("echo sat\necho maybe\n"), "");
  EXPECT_TRUE(second_opinion(t, {}, solver).fault.empty());
}

}  // namespace
}  // namespace agp::solver
