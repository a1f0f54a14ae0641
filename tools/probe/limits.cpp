// Attempts at a bound, and looks at what a process was given: memory, processes, descriptors, time, environment,
// capabilities. Holds afterwards: what was taken goes with the attempt's process and its session.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "tools/probe/attempt.hpp"

namespace agp::probe {
namespace {

Outcome take_memory(std::uint64_t bytes) {
  constexpr std::uint64_t chunk = 32ull << 20;
  for (std::uint64_t taken = 0; taken < bytes; taken += chunk) {
    const std::uint64_t size = std::min(chunk, bytes - taken);
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return refused(errno, "after " + std::to_string(taken >> 20) + " MiB");
    madvise(p, size, MADV_HUGEPAGE);  // only for speed
    auto* page = static_cast<volatile char*>(p);
    for (std::uint64_t i = 0; i < size; i += 4096) page[i] = 1;
  }
  return ok();
}

Outcome start_processes(std::uint64_t count) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return unprepared("pipe");
  for (std::uint64_t n = 0; n < count; ++n) {
    const pid_t child = fork();
    if (child < 0) return refused(errno, "after " + std::to_string(n) + " processes");
    if (child == 0) {
      // Waits until this attempt's process is gone.
      char byte = 0;
      close(ends[1]);
      while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {
      }
      _exit(0);
    }
  }
  return ok();
}

/// Numbers are given out from the lowest: `count` are open together when the last one is `count - 1`.
Outcome open_descriptors(std::uint64_t count) {
  const int first = open("/", O_PATH | O_CLOEXEC);
  if (first < 0) return unprepared("open /");
  for (int last = first; static_cast<std::uint64_t>(last) + 1 < count;) {
    const int next = fcntl(first, F_DUPFD_CLOEXEC, 0);
    if (next < 0) return refused(errno, "after " + std::to_string(last + 1) + " descriptors");
    last = next;
  }
  return ok();
}

void sleep_ms(std::uint64_t ms) {
  timespec left{static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

/// Stays for `ms`, and so does a process in a session of its own; both ignore what can be ignored.
Outcome stay(std::uint64_t ms) {
  for (const int s : {SIGTERM, SIGHUP, SIGINT, SIGQUIT}) std::signal(s, SIG_IGN);
  if (fork() == 0) {
    setsid();
    sleep_ms(ms);
    _exit(0);
  }
  sleep_ms(ms);
  return ok("still running after " + std::to_string(ms) + " ms");
}

/// In any of the five sets: permitted, effective, inheritable (capget(2)), bounding, ambient (prctl(2)).
Outcome look_for_capability(unsigned number) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (syscall(SYS_capget, &header, data) != 0) return unprepared("capget: " + refused(errno).outcome);
  if (number > 63) return unprepared("no such capability");
  const unsigned word = number / 32, bit = 1u << number % 32;
  std::string sets;
  if (data[word].effective & bit) sets += " effective";
  if (data[word].permitted & bit) sets += " permitted";
  if (data[word].inheritable & bit) sets += " inheritable";
  if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1) sets += " bounding";
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number, 0, 0) == 1) sets += " ambient";
  if (sets.empty()) return {absent, ""};
  return ok(sets.substr(1));
}

}  // namespace

Outcome attempt_limit(std::string_view kind, const Arguments& arguments) {
  if (kind == "memory") return take_memory(arguments.number("bytes"));
  if (kind == "pids") return start_processes(arguments.number("count"));
  if (kind == "files") return open_descriptors(arguments.number("count"));
  if (kind == "time") return stay(arguments.number("ms"));
  if (kind == "capability") return look_for_capability(static_cast<unsigned>(arguments.number("number")));
  return std::getenv(arguments.text("name").c_str()) != nullptr ? ok() : Outcome{absent, ""};
}

}  // namespace agp::probe
