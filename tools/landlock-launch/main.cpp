// landlock-launch: reads, checks, confines itself, executes. In: see --help. Afterwards: the command runs in this
// process with everything applied, or the launcher has said why not and ended.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tools/landlock-launch/launch.hpp"

extern char** environ;

namespace agp::launch {
namespace {

constexpr std::size_t most_filter_bytes = 8 * 4096;  // BPF_MAXINSNS of include/uapi/linux/bpf_common.h

/// `*` is any run of characters, `?` one.
bool matches(const char* pattern, const char* text, const char* end) {
  if (*pattern == '\0') return text == end;
  if (*pattern == '*') {
    for (const char* at = text; at <= end; ++at)
      if (matches(pattern + 1, at, end)) return true;
    return false;
  }
  return text < end && (*pattern == '?' || *pattern == *text) && matches(pattern + 1, text + 1, end);
}

/// What `--env` sets stands before what `--pass-env` keeps, and takes its place.
std::vector<std::string> environment(const Arguments& arguments) {
  std::vector<std::string> out = arguments.set;
  const auto is_set = [&](const std::string& name) {
    for (const std::string& s : out)
      if (s.compare(0, name.size() + 1, name + "=") == 0) return true;
    return false;
  };
  for (char** at = environ; *at; ++at) {
    const char* equals = std::strchr(*at, '=');
    if (!equals || is_set(std::string(*at, static_cast<std::size_t>(equals - *at)))) continue;
    for (const std::string& pattern : arguments.pass)
      if (matches(pattern.c_str(), *at, equals)) {
        out.emplace_back(*at);
        break;
      }
  }
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& w : words) out.push_back(w.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

[[noreturn]] void die(Exit code, const std::string& message) {
  const std::string line = "landlock-launch: " + message + "\n";
  if (::write(2, line.data(), line.size()) < 0) _exit(code);
  _exit(code);
}
[[noreturn]] void die(Exit code, const std::string& message, int error) {
  die(code, message + ": " + std::strerror(error));
}

}  // namespace agp::launch

int main(int count, char** words) {
  using namespace agp::launch;
  Arguments arguments = parse_arguments(count, words);
  if (arguments.command[0].find('/') == std::string::npos)
    die(usage, "the command is a path: `" + arguments.command[0] + "` is looked for nowhere");
  std::vector<Ruleset> rulesets;
  for (const std::string& file : arguments.rulesets) rulesets.push_back(read_ruleset(file));
  std::string filter;
  if (arguments.filter) {
    filter = read_file(*arguments.filter, most_filter_bytes);
    if (filter.empty() || filter.size() % 8 != 0)
      die(refused, *arguments.filter + ": not an array of filter instructions of 8 bytes each");
  }
  std::vector<std::string> variables = environment(arguments);
  const std::vector<char*> argv = pointers(arguments.command), envp = pointers(variables);
  confine(arguments, rulesets, filter);
  ::execve(argv[0], argv.data(), envp.data());
  die(errno == ENOENT ? not_found : not_executable, arguments.command[0], errno);
}
