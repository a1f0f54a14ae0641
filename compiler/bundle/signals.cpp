#include "compiler/bundle/signals.hpp"

#include <unistd.h>

namespace agp::bundle {
namespace {

constexpr int caught_signals[] = {SIGINT, SIGTERM, SIGHUP};
volatile std::sig_atomic_t caught = 0;

extern "C" void note_signal(int number) { caught = number; }

}  // namespace

SignalGuard::SignalGuard() {
  caught = 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < count; ++i) {
    ::sigaction(caught_signals[i], nullptr, &before_[i]);
    // What the caller ignores (nohup, a shell's background job) stays ignored.
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(caught_signals[i], &action, nullptr);
  }
}

SignalGuard::~SignalGuard() {
  for (int i = 0; i < count; ++i) ::sigaction(caught_signals[i], &before_[i], nullptr);
  if (caught != 0 && !finished_) ::raise(caught);
}

bool SignalGuard::interrupted() const { return caught != 0; }

}  // namespace agp::bundle
