#pragma once
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compiler/solver/terms.hpp"

/// A second solver as a program: questions go to it as SMT-LIB 2 over a pipe. It shares nothing with the first one but
/// the terms, so what both say is not a mistake of either.
namespace agp::solver {

struct SecondSolver {
  std::string program;                            ///< its path, executed as it is: "/usr/bin/cvc5"
  std::chrono::milliseconds timeout{10000};       ///< for each question
  std::chrono::milliseconds startup{10000};       ///< once, for reading all of them
  std::uint64_t memory = std::uint64_t{2} << 30;  ///< bytes of address space
};

enum class Said : std::uint8_t { Unknown, Sat, Unsat };

struct Opinions {
  std::vector<Said> said;  ///< one for each question
  std::string fault;       ///< why some are unknown: "it can't be executed: No such file or directory"
};

/// Is each of the questions satisfiable, for itself? One process for all of them, started without a shell and with an
/// empty environment; it ends when the questions are answered or the time for all of them is over.
Opinions second_opinion(const Terms& terms, std::span<const Term> questions, const SecondSolver& solver);

/// The questions as a script of SMT-LIB 2 in the logic QF_BV, with one `check-sat` each.
std::string smt_lib(const Terms& terms, std::span<const Term> questions);

}  // namespace agp::solver
