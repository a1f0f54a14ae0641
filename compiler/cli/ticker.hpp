#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "compiler/driver/progress.hpp"

namespace agp::cli {

/// A line on the terminal of standard error that says how far a run is: after one second, and not before; gone before
/// anything else is printed. Without a terminal it does nothing.
class Ticker {
 public:
  explicit Ticker(std::string_view command) : command_(command) {}
  ~Ticker() { stop(); }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  driver::Progress progress;

  void start();
  void stop();  ///< idempotent

 private:
  void run();

  std::string command_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace agp::cli
