// Attempts at system calls by number. Two kinds:
//
// `filter` asks what the sandbox's filters answer to a call and executes nothing. An outer filter of this process
// answers the one call with USER_NOTIF; of several filters the strictest answer counts, and ERRNO, TRAP and KILL are
// stricter than USER_NOTIF (seccomp(2)). So a denial shows through, and a call that every inner filter permits arrives
// at our own listener, which answers with an errno that no filter uses. Exact also where a filter denies with ENOSYS.
//
// `call` makes the call for real, `call-i386` as a 32-bit program would.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <list>

#include "tools/probe/attempt.hpp"

namespace agp::probe {
namespace {

constexpr int passed = EUCLEAN;  // the listener's answer; no filter of the project answers it

struct Listener {
  std::atomic<int> fd{-1};
  std::atomic<bool> failed{false};
  std::uint32_t number = 0;
};

/// Answers the first notification with `passed`; later ones are this program's own use of the same call.
void* answer(void* data) {
  auto& listener = *static_cast<Listener*>(data);
  int fd = -1;
  while ((fd = listener.fd.load()) < 0) usleep(100);
  for (bool first = true;; first = false) {
    pollfd events{fd, POLLIN, 0};
    if (poll(&events, 1, -1) == 1 && (events.revents & POLLIN) == 0 && (events.revents & POLLHUP) != 0) {
      // Nobody is left who could notify: an inner filter ended the calling thread alone (SECCOMP_RET_KILL_THREAD),
      // whose status this thread would replace by its own (kernel/exit.c, synchronize_group_exit).
      std::signal(SIGSYS, SIG_DFL);
      raise(SIGSYS);
    }
    seccomp_notif request{};
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) {
      if (errno == EINTR) continue;
      if (first) listener.failed = true;
      close(fd);  // the caller then gets ENOSYS and does not hang
      return nullptr;
    }
    seccomp_notif_resp response{};
    response.id = request.id;
    response.error = first ? -passed : 0;
    response.flags = first ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
  }
}

Outcome ask_filter(std::uint32_t number, const std::array<std::uint64_t, 6>& a) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return unprepared("no_new_privs: " + refused(errno).outcome);
  static Listener listener;
  listener.number = number;
  pthread_t thread{};
  if (pthread_create(&thread, nullptr, answer, &listener) != 0) return unprepared("no thread");
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{4, program};
  const long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
  if (fd < 0) return unprepared("outer filter: " + refused(errno).outcome);
  listener.fd = static_cast<int>(fd);
  const long result = syscall(static_cast<long>(number), a[0], a[1], a[2], a[3], a[4], a[5]);
  const int error = errno;
  if (listener.failed) return unprepared("the listener got no notification");
  if (result == -1 && error == passed) return ok("passes the filter, not executed");
  return result == -1 ? refused(error, "by the filter") : unprepared("the call was executed");
}

int value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/// A process that does nothing, for calls aimed at another one; it ends with this one's session.
pid_t sibling() {
  const pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  return child;
}

/// `0x…` or decimal; `text:…` and `bytes:HEX` are addresses of these bytes; `sibling` is a process's number.
std::optional<std::uint64_t> argument(const std::string& text, std::list<std::string>& memory) {
  const auto address = [&](std::string bytes) {
    memory.push_back(std::move(bytes));
    return reinterpret_cast<std::uint64_t>(memory.back().data());
  };
  if (text.rfind("text:", 0) == 0) return address(text.substr(5));
  if (text == "sibling") return static_cast<std::uint64_t>(sibling());
  if (text.rfind("bytes:", 0) != 0) return parse_number(text);
  std::string bytes;
  for (std::size_t i = 6; i + 1 < text.size(); i += 2) {
    const int high = value(text[i]), low = value(text[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high << 4 | low);
  }
  return address(std::move(bytes));
}

Outcome call(std::uint32_t number, const std::array<std::uint64_t, 6>& a) {
  const pid_t self = getpid();
  const long result = syscall(static_cast<long>(number), a[0], a[1], a[2], a[3], a[4], a[5]);
  const int error = errno;
  if (syscall(SYS_getpid) != self) _exit(0);  // the child of a fork by number
  return result == -1 ? refused(error) : ok();
}

/// A call without arguments by the i386 table: `int 0x80` enters the kernel as that architecture, whatever the program
/// is.
Outcome call_i386(std::uint32_t number) {
#ifdef __x86_64__
  long result = 0;
  asm volatile("int $0x80" : "=a"(result) : "0"(static_cast<long>(number)) : "memory", "r8", "r9", "r10", "r11");
  const int value = static_cast<int>(result);
  return value < 0 && value > -4096 ? refused(-value) : ok();
#else
  return unprepared("no i386 on this architecture: " + std::to_string(number));
#endif
}

}  // namespace

Outcome attempt_call(std::string_view kind, const Arguments& arguments) {
  std::array<std::uint64_t, 6> values{};
  std::list<std::string> memory;
  for (std::size_t i = 0; i < 6; ++i) {
    const std::string name = "args." + std::to_string(i);
    if (!arguments.has(name.c_str())) continue;
    const auto parsed = argument(arguments.text(name.c_str()), memory);
    if (!parsed) return unprepared("argument " + std::to_string(i) + " can't be read");
    values[i] = *parsed;
  }
  if (!arguments.has("number")) return unprepared("no number");
  const auto number = static_cast<std::uint32_t>(arguments.number("number"));
  if (kind == "call-i386") return call_i386(number);
  return kind == "filter" ? ask_filter(number, values) : call(number, values);
}

}  // namespace agp::probe
