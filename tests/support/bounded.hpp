#pragma once
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>

namespace agp::test {

/// What `work` returns, made in a process of its own which may use so many seconds of a processor (RLIMIT_CPU,
/// getrlimit(2)). Nothing: it used them up. Throws std::runtime_error where it ended in any other way than by returning.
/// For libraries that don't always end: work, unlike a clock on the wall, is the same on a busy machine.
template <class F>
std::optional<std::string> bounded(rlim_t seconds, const F& work) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe");
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid == 0) {
    close(ends[0]);
    const rlimit none{0, 0}, most{seconds, seconds + 1};  // the soft one is SIGXCPU, the hard one SIGKILL
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_CPU, &most);
    int code = 1;
    try {
      const std::string out = work();
      std::size_t done = 0;
      for (ssize_t n = 0; done < out.size() && (n = write(ends[1], out.data() + done, out.size() - done)) > 0;)
        done += static_cast<std::size_t>(n);
      code = done == out.size() ? 0 : 1;
    } catch (...) {
    }
    _exit(code);  // nothing of the parent's is flushed or destroyed a second time
  }
  close(ends[1]);
  std::string out;
  char buffer[65536];
  for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR);)
    if (n > 0) out.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) return std::nullopt;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw std::runtime_error("work in a process of its own ended with the wait status " + std::to_string(status));
  return out;
}

}  // namespace agp::test
