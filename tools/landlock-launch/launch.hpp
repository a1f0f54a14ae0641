#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// landlock-launch: applies Landlock rules, a system-call filter, user, capabilities, environment and limits to itself
/// and executes a command. What can't be applied as stated ends the launcher before the command starts.
namespace agp::launch {

/// Exit codes of the launcher itself; otherwise the command's own, since it takes the launcher's place.
enum Exit : int {
  usage = 121,        ///< arguments
  refused = 122,      ///< a ruleset or filter that is not understood as a whole, or a path of it that is not there
  unsupported = 123,  ///< the running kernel can't hold the ruleset
  failed = 125,       ///< a system call of the launcher was refused
  not_executable = 126,
  not_found = 127,
};

/// Prints `landlock-launch: …` and ends.
[[noreturn]] void die(Exit code, const std::string& message);
/// The same with the text of `error` (errno) behind it.
[[noreturn]] void die(Exit code, const std::string& message, int error);

struct Arguments {
  std::vector<std::string> rulesets;
  std::optional<std::string> filter, directory, cgroup;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> user;
  std::vector<std::string> capabilities;
  std::vector<std::string> set, pass;                         ///< `NAME=VALUE`; patterns of names
  std::vector<std::pair<std::string, std::uint64_t>> limits;  ///< name of a rlimit; soft and hard
  std::vector<std::string> command;
};
Arguments parse_arguments(int count, char** words);

/// One layer, read and checked.
struct Rule {
  std::string path;
  bool directory = false;
  std::uint64_t rights = 0;
};
struct Ruleset {
  std::string file;
  std::uint64_t handled_fs = 0, handled_net = 0, scoped = 0;
  std::vector<Rule> rules;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ports;  ///< port, rights
  int needs_abi = 1;
};
Ruleset read_ruleset(const std::string& file);

/// A whole file, at most `limit` bytes.
std::string read_file(const std::string& path, std::size_t limit);

/// Everything between the arguments and execve, in the one order that works: what needs privileges first, then the
/// user, then the layers.
void confine(const Arguments& arguments, const std::vector<Ruleset>& rulesets, const std::string& filter);

}  // namespace agp::launch
