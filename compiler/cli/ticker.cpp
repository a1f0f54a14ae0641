#include "compiler/cli/ticker.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace agp::cli {

void Ticker::start() {
  if (::isatty(STDERR_FILENO) != 1) return;
  thread_ = std::thread([this] { run(); });
}

void Ticker::run() {
  std::unique_lock lock(mutex_);
  bool shown = false;
  for (auto wait = std::chrono::milliseconds(1000); !changed_.wait_for(lock, wait, [this] { return stopped_; });
       wait = std::chrono::milliseconds(200)) {
    const std::size_t total = progress.total;
    const std::string far = total > 1 ? fmt::format(" {} of {}", progress.done.load(), total) : std::string();
    fmt::print(stderr, "\r\x1b[Kagp {}: {}{} …", command_, progress.step.load(), far);
    std::fflush(stderr);
    shown = true;
  }
  if (!shown) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

void Ticker::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

}  // namespace agp::cli
