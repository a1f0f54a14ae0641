#pragma once
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// Trials of the effective masks on the running kernel. Each looks at one argument of one call through what the call
/// did, so that a bit the kernel ignores and one it obeys can be told apart.
namespace agp::linux::trials {

/// The outcome where the trial can't be made here: the call is missing, or not permitted.
inline constexpr long not_here = LONG_MIN;

struct Trial {
  const char* call;
  const char* argument;
  std::uint64_t value;
  /// Another value, with another outcome: shows that the outcome depends on the argument at all. Not used where the
  /// mask is empty, nor where `value` itself is given.
  std::uint64_t contrast;
  /// What the call did with this argument: a number read back, or -errno. May be asked any number of times.
  std::function<long(std::uint64_t)> outcome;
};

/// The raw system call: its result, or -errno.
template <typename... T>
long sys(long number, T... arguments) {
  const long result = ::syscall(number, (long)(arguments)...);
  return result < 0 ? -errno : result;
}

/// `result` unless it says that the call can't be tried here.
inline long tried(long result) { return result == -ENOSYS || result == -EPERM ? not_here : result; }

/// Runs `body` in a child process and brings its result back.
long in_child(const std::function<long()>& body);

/// A fresh directory, removed when the program ends.
const std::string& directory();
/// A path in it that does not exist.
std::string fresh_path();

std::vector<Trial> file_trials();
std::vector<Trial> memory_trials();
std::vector<Trial> process_trials();
std::vector<Trial> socket_trials();

}  // namespace agp::linux::trials
