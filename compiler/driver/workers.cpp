#include "compiler/driver/workers.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <thread>

#include "compiler/bundle/signals.hpp"

// The parent forks; each child takes the next task from a counter in shared memory and writes frames to a pipe of its
// own: that it begins a task, then what came of it. A child that dies has begun one task that it did not end. A child
// whose parent died is ended by its next write, to a pipe that nobody reads.
namespace agp::driver {
namespace {

enum class Said : std::uint8_t { Begins, Done, Threw };

struct Frame {
  std::uint64_t task = 0, size = 0;
  Said said = Said::Begins;
};
constexpr std::size_t header = 17;

std::string packed(const Frame& f) {
  std::string out(header, '\0');
  std::memcpy(out.data(), &f.task, 8);
  std::memcpy(out.data() + 8, &f.size, 8);
  out[16] = static_cast<char>(f.said);
  return out;
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) ::_exit(1);  // nobody reads any more
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// "internal error: bad allocation".
std::string reason_of(const std::exception& error) { return fmt::format("internal error: {}", error.what()); }

/// One of the numbers that all processes see.
class Counter {
 public:
  Counter() {
    void* place =
        ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place != MAP_FAILED) value_ = new (place) std::atomic<std::uint64_t>(0);
  }
  ~Counter() {
    if (value_) ::munmap(static_cast<void*>(value_), sizeof *value_);
  }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  bool good() const { return value_ && value_->is_lock_free(); }
  std::uint64_t next() { return value_->fetch_add(1); }
  std::uint64_t now() const { return value_->load(); }

 private:
  std::atomic<std::uint64_t>* value_ = nullptr;
};

struct Child {
  pid_t pid = -1;
  int pipe = -1;
  std::string waiting;                ///< bytes that are no whole frame yet
  std::optional<std::uint64_t> task;  ///< begun and not ended
  bool began = false;
};

class Pool {
 public:
  Pool(std::size_t count, const std::function<std::string(std::size_t)>& work, const std::function<void()>& done)
      : count_(count), work_(work), done_(done) {
    out_.results.resize(count);
    ended_.resize(count);
  }

  /// False: no process could be made, and nothing was done.
  bool run(unsigned jobs) {
    if (!counter_.good()) return false;
    bundle::SignalGuard signals;
    for (unsigned i = 0; i < jobs; ++i) begin();
    if (children_.empty()) {
      signals.finished();
      return false;
    }
    while (!children_.empty() && !signals.interrupted()) look();
    for (Child& child : children_) ::kill(child.pid, SIGKILL);
    for (Child& child : children_) {
      while (::waitpid(child.pid, nullptr, 0) < 0 && errno == EINTR) {
      }
      ::close(child.pipe);
    }
    if (signals.interrupted()) return true;  // and the guard sends the signal again
    for (std::size_t t = 0; t < count_; ++t)
      if (!ended_[t]) out_.lost.push_back({t, "its process ended before it began"});
    return true;
  }

  Gathered take() {
    std::sort(out_.lost.begin(), out_.lost.end(), [](const auto& a, const auto& b) { return a.task < b.task; });
    return std::move(out_);
  }

 private:
  void begin() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    const pid_t pid = ::fork();
    if (pid < 0) {
      ::close(ends[0]);
      ::close(ends[1]);
      return;
    }
    if (pid == 0) serve(ends);
    ::close(ends[1]);
    children_.push_back({pid, ends[0], {}, {}, false});
  }

  [[noreturn]] void serve(const int (&ends)[2]) {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
      struct sigaction now {};
      ::sigaction(number, nullptr, &now);
      if (now.sa_handler != SIG_IGN) std::signal(number, SIG_DFL);
    }
    std::signal(SIGPIPE, SIG_DFL);
    ::close(ends[0]);
    // an end that a sibling holds would keep a pipe open whose reader is gone
    for (const Child& child : children_) ::close(child.pipe);
    for (std::uint64_t task; (task = counter_.next()) < count_;) {
      write_all(ends[1], packed({task, 0, Said::Begins}));
      std::string bytes;
      Said said = Said::Done;
      try {
        bytes = work_(task);
      } catch (const std::exception& error) {
        said = Said::Threw;
        bytes = reason_of(error);
      }
      write_all(ends[1], packed({task, bytes.size(), said}) + bytes);
    }
    ::_exit(0);
  }

  /// Waits for any child to say something. The time limit is for a signal that came just before the wait.
  void look() {
    std::vector<pollfd> list;
    for (const Child& child : children_) list.push_back({child.pipe, POLLIN, 0});
    if (::poll(list.data(), static_cast<nfds_t>(list.size()), 100) <= 0) return;
    for (std::size_t i = children_.size(); i-- > 0;)
      if (list[i].revents != 0 && !hear(children_[i])) end(i);
  }

  /// False at the end of the pipe.
  bool hear(Child& child) {
    const ssize_t n = ::read(child.pipe, buffer_.data(), buffer_.size());
    if (n < 0) return errno == EINTR;
    if (n == 0) return false;
    child.waiting.append(buffer_.data(), static_cast<std::size_t>(n));
    std::size_t at = 0;
    while (child.waiting.size() - at >= header) {
      Frame f;
      std::memcpy(&f.task, child.waiting.data() + at, 8);
      std::memcpy(&f.size, child.waiting.data() + at + 8, 8);
      f.said = static_cast<Said>(child.waiting[at + 16]);
      if (child.waiting.size() - at - header < f.size) break;
      take(child, f, child.waiting.substr(at + header, f.size));
      at += header + f.size;
    }
    child.waiting.erase(0, at);
    return true;
  }

  void take(Child& child, const Frame& f, std::string bytes) {
    child.began = true;
    child.task = f.said == Said::Begins ? std::optional(f.task) : std::nullopt;
    if (f.said == Said::Done) {
      out_.results[f.task] = std::move(bytes);
      finish(f.task);
    } else if (f.said == Said::Threw) {
      lose(f.task, std::move(bytes));
    }
  }

  void finish(std::size_t task) {
    ended_[task] = true;
    done_();
  }
  void lose(std::size_t task, std::string how) {
    out_.lost.push_back({task, std::move(how)});
    finish(task);
  }

  void end(std::size_t index) {
    const Child child = std::move(children_[index]);
    children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(index));
    ::close(child.pipe);
    int status = 0;
    while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!child.task) return;
    lose(*child.task, WIFSIGNALED(status) ? fmt::format("its process was ended by signal {}", WTERMSIG(status))
                                          : fmt::format("its process ended with status {}", WEXITSTATUS(status)));
    if (counter_.now() < count_) begin();
  }

  std::size_t count_;
  const std::function<std::string(std::size_t)>& work_;
  const std::function<void()>& done_;
  Counter counter_;
  std::vector<Child> children_;
  std::array<char, 1 << 16> buffer_;
  std::vector<bool> ended_;
  Gathered out_;
};

}  // namespace

unsigned processors() { return std::max(1u, std::thread::hardware_concurrency()); }

Gathered in_workers(std::size_t count, unsigned jobs, const std::function<std::string(std::size_t)>& work,
                    const std::function<void()>& done) {
  const auto most = static_cast<unsigned>(std::min<std::size_t>(jobs, count));
  if (most > 1) {
    Pool pool(count, work, done);
    if (pool.run(most)) return pool.take();
  }
  Gathered out;
  out.results.resize(count);
  for (std::size_t t = 0; t < count; ++t) {
    try {
      out.results[t] = work(t);
    } catch (const std::exception& error) {
      out.lost.push_back({t, reason_of(error)});
    }
    done();
  }
  return out;
}

}  // namespace agp::driver
