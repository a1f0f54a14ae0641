#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "compiler/solver/terms.hpp"
#include "compiler/solver/verdict.hpp"

/// A solver for quantifier-free bit-vector formulas. Comes in: Boolean terms; goes out: a model, a core, or that
/// nothing is known. The implementation is Z3, which is loaded (libz3) when the first Session is opened and not before.
namespace agp::solver {

struct Limits {
  std::chrono::milliseconds timeout{10000};  ///< for each query
  std::uint64_t steps = 200'000'000;         ///< Z3's resource units for each query: the same on every machine; 0: none
};

/// The values that make the assertions true. A variable that is missing may have any value.
struct Sat {
  std::map<std::string, std::uint64_t> values;
};
struct Unsat {
  std::vector<Term> core;  ///< of the assumptions given, some that can't hold together; empty without assumptions
};
struct Undecided {
  std::string reason;  ///< "time limit of 10 s reached", "libz3.so.4: cannot open shared object file"
};
using Answer = std::variant<Undecided, Sat, Unsat>;

/// The solver's engine as `Session` uses it; one implementation stands in z3.cpp.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual void push() = 0;
  virtual void pop() = 0;
  virtual void add(const Terms& terms, Term assertion) = 0;
  virtual Answer check(const Terms& terms, std::span<const Term> assumptions, const Limits& limits) = 0;
  /// Forgets the translation of terms: called when a Session with another table begins.
  virtual void forget() = 0;
  virtual std::string version() const = 0;  ///< "Z3 4.8.12"
};

/// The version of the library that a Session would use, "Z3 4.8.12"; empty where there is none. Loads the library and
/// makes no context, which would cost 6 to 25 ms.
std::string installed_version();

/// Exclusive use of the process's one solver (a context costs 6 to 25 ms, a query in a warm one 0.2 ms). A second
/// Session of another thread waits. Terms of one table only.
class Session {
 public:
  explicit Session(const Terms& terms, Limits limits = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void push();
  void pop();
  void add(Term assertion);
  /// Are the assertions, and these assumptions, satisfiable together?
  Answer check(std::span<const Term> assumptions = {});
  Answer check(Term assumption) { return check(std::span<const Term>(&assumption, 1)); }
  std::string version() const;  ///< empty when the solver could not be loaded

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace agp::solver
