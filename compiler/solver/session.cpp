#include <mutex>

#include "compiler/solver/solver.hpp"

namespace agp::solver {

/// Defined in z3.cpp. Nothing and a reason when the library can't be loaded.
std::unique_ptr<Engine> make_z3(std::string& why_not);

namespace {

struct Process {
  std::mutex use;
  bool tried = false;
  std::unique_ptr<Engine> engine;
  std::string why_not;
};

/// Never destroyed: taking a solver down costs time and gives nothing back.
Process& process() {
  static auto* const instance = new Process;
  return *instance;
}

}  // namespace

struct Session::State {
  std::unique_lock<std::mutex> lock;
  Engine* engine;
  const Terms& terms;
  Limits limits;
};

Session::Session(const Terms& terms, Limits limits) {
  Process& p = process();
  std::unique_lock lock(p.use);
  if (!p.tried) {
    p.tried = true;
    p.engine = make_z3(p.why_not);
  }
  state_ = std::make_unique<State>(State{std::move(lock), p.engine.get(), terms, limits});
  push();
}

Session::~Session() {
  pop();
  if (state_->engine) state_->engine->forget();
}

void Session::push() {
  if (state_->engine) state_->engine->push();
}

void Session::pop() {
  if (state_->engine) state_->engine->pop();
}

void Session::add(Term assertion) {
  if (state_->engine) state_->engine->add(state_->terms, assertion);
}

Answer Session::check(std::span<const Term> assumptions) {
  if (!state_->engine) return Undecided{process().why_not};
  return state_->engine->check(state_->terms, assumptions, state_->limits);
}

std::string Session::version() const { return state_->engine ? state_->engine->version() : std::string(); }

}  // namespace agp::solver
