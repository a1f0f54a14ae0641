#pragma once
#include <atomic>
#include <cstddef>

namespace agp::driver {

/// How far a run is, for whoever shows it from another thread. Written by the pipelines, never read by them.
struct Progress {
  std::atomic<const char*> step = "";  ///< a literal: "reading", "checking", "proving"
  std::atomic<std::size_t> done = 0, total = 0;

  static void begin(Progress* p, const char* step, std::size_t total) {
    if (p == nullptr) return;
    p->done = 0;
    p->total = total;
    p->step = step;
  }
  static void advance(Progress* p) {
    if (p != nullptr) ++p->done;
  }
};

}  // namespace agp::driver
