#pragma once
#include <csignal>

namespace agp::bundle {

/// While one lives, SIGINT, SIGTERM and SIGHUP are only noted, so that a half-written tree can be taken away first. At
/// the end the old handling is back, and unless `finished` was called a signal that came is sent again. One at a time.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

  bool interrupted() const;
  /// The work is done and can't be undone: a signal that came no longer counts.
  void finished() { finished_ = true; }

 private:
  static constexpr int count = 3;
  struct sigaction before_[count];
  bool finished_ = false;
};

}  // namespace agp::bundle
