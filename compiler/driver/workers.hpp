#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace agp::driver {

/// A task without a result: its process ended in the middle of it, or it threw.
struct LostTask {
  std::size_t task = 0;
  std::string how;  ///< "its process was ended by signal 9"
};

struct Gathered {
  std::vector<std::string> results;  ///< by task; empty for a lost one
  std::vector<LostTask> lost;        ///< by task
};

/// Calls `work(task)` for each task below `count`, in up to `jobs` processes forked from this one (processes, because
/// ANTLR's runtime has one lock over all threads); with one, or where no process can be made, in this one. Which
/// process takes which task is chance; the results stand by task. A process that ends early costs the task it was at,
/// and another takes its place. SIGINT, SIGTERM and SIGHUP end all of them, and then this process.
/// `done` is called after each task. `work` must not print: a child's output would be lost or doubled.
Gathered in_workers(std::size_t count, unsigned jobs, const std::function<std::string(std::size_t)>& work,
                    const std::function<void()>& done);

/// How many processors there are: at least 1.
unsigned processors();

}  // namespace agp::driver
