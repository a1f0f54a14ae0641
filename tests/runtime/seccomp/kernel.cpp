#include "tests/runtime/seccomp/kernel.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace agp::test {
namespace {

/// Memory that parent and child share; a child under a filter can make no call to report by.
template <class T>
class Shared {
 public:
  explicit Shared(std::size_t n) : n_(n) {
    void* const at = mmap(nullptr, n * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::runtime_error("mmap");
    data_ = static_cast<volatile T*>(at);
  }
  ~Shared() { munmap(const_cast<T*>(data_), n_ * sizeof(T)); }
  Shared(const Shared&) = delete;
  volatile T& operator[](std::size_t i) { return data_[i]; }

 private:
  std::size_t n_;
  volatile T* data_;
};

int load(const Bpf& program) {
  static_assert(sizeof(Insn) == sizeof(sock_filter));
  sock_fprog fprog{static_cast<unsigned short>(program.size()),
                   reinterpret_cast<sock_filter*>(const_cast<Insn*>(program.data()))};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) == 0 ? 0 : errno;
}

/// Runs `child` in a process of its own, which ends by a trap: it may have no call left. Returns the wait status.
template <class F>
int in_child(const F& child) {
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid == 0) {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    child();
    __builtin_trap();
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

int kernel_takes(const Bpf& program) {
  Shared<int> result(1);
  result[0] = -1;
  in_child([&] { result[0] = load(program); });
  return result[0];
}

namespace {

/// The outer filter lets only seccomp(2) run, for the inner one to be loaded; `word` is its answer to all else.
std::vector<Got> attempt_beneath(std::uint32_t word, const Bpf& filter, const std::vector<Attempt>& attempts) {
  const Bpf outer{{0x20, 0, 0, 0}, {0x15, 0, 1, SYS_seccomp}, {0x06, 0, 0, 0x7fff0000}, {0x06, 0, 0, word}};
  Shared<int> errors(attempts.size() + 1), at(1);
  std::vector<Got> out(attempts.size());
  at[0] = 0;
  for (std::size_t next = 0; next < attempts.size();) {
    const int status = in_child([&] {
      if (load(outer) != 0 || load(filter) != 0) return;
      for (std::size_t i = next; i < attempts.size(); ++i) {
        at[0] = static_cast<int>(i);
        const auto& a = attempts[i].arguments;
        errors[i] = syscall(static_cast<long>(attempts[i].number), a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? errno : 0;
        at[0] = static_cast<int>(i + 1);
      }
    });
    const auto reached = static_cast<std::size_t>(at[0]);
    for (std::size_t i = next; i < reached; ++i) out[i].error = errors[i];
    if (reached >= attempts.size()) break;
    // This call ended the process: note how, and go on behind it in another.
    out[reached].signal = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
    next = reached + 1;
    at[0] = static_cast<int>(next);
  }
  return out;
}

}  // namespace

std::vector<Got> attempt_safely(const Bpf& filter, const std::vector<Attempt>& attempts) {
  return attempt_beneath(0x7ff00000, filter, attempts);
}
std::vector<Got> attempt_marked(const Bpf& filter, const std::vector<Attempt>& attempts) {
  return attempt_beneath(0x50000 + passed, filter, attempts);
}

}  // namespace agp::test
