#include <sys/resource.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "compiler/linux/landlock.hpp"
#include "tools/landlock-launch/launch.hpp"

namespace agp::launch {
namespace {

constexpr const char* help_text =
    "usage: landlock-launch [option]... --ruleset FILE... -- COMMAND [ARGUMENT]...\n"
    "\n"
    "  --ruleset FILE         a Landlock ruleset in landlockconfig's JSON; each is a layer of its own, at most 16\n"
    "  --seccomp FILE         a system-call filter: an array of struct sock_filter in native byte order\n"
    "  --user UID:GID         run as this user and group, without supplementary groups\n"
    "  --capability NAME      keep this capability (CAP_…); all others are given up\n"
    "  --env NAME=VALUE       set a variable; the environment is empty otherwise\n"
    "  --pass-env PATTERN     keep the caller's variables of these names; * is any run of characters, ? one\n"
    "  --rlimit NAME=N        soft and hard limit: core, cpu, data, fsize, memlock, nofile, nproc, stack\n"
    "  --directory DIR        working directory\n"
    "  --cgroup DIR           join the cgroup of version 2 that this directory is\n"
    "  --help                 this text\n"
    "\n"
    "No new privileges can be gained afterwards, and descriptors above 2 are closed. Exit codes: 121 arguments, 122 a\n"
    "file that is refused, 123 a kernel that can't hold the ruleset, 125 a system call that failed, 126 a command "
    "that\n"
    "can't be executed, 127 one that is not there; else the command's own.\n";

std::uint64_t number(const std::string& option, std::string_view text, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > most)
    die(usage, option + ": `" + std::string(text) + "` is not a number it can take");
  return value;
}

}  // namespace

Arguments parse_arguments(int count, char** words) {
  Arguments out;
  int i = 1;
  const auto value = [&](const std::string& option) -> std::string {
    if (i + 1 >= count) die(usage, option + " needs a value");
    return words[++i];
  };
  for (; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--") {
      ++i;
      break;
    }
    if (word == "--help") {
      std::fputs(help_text, stdout);
      std::exit(0);
    } else if (word == "--ruleset") {
      out.rulesets.push_back(value(word));
    } else if (word == "--seccomp") {
      if (out.filter) die(usage, "--seccomp stands twice");
      out.filter = value(word);
    } else if (word == "--user") {
      if (out.user) die(usage, "--user stands twice");
      const std::string ids = value(word);
      const std::size_t colon = ids.find(':');
      if (colon == std::string::npos) die(usage, "--user takes UID:GID");
      // 4294967295 means "leave it" to setresuid(2)
      out.user = {static_cast<std::uint32_t>(number(word, std::string_view(ids).substr(0, colon), 4294967294)),
                  static_cast<std::uint32_t>(number(word, std::string_view(ids).substr(colon + 1), 4294967294))};
    } else if (word == "--capability") {
      out.capabilities.push_back(value(word));
    } else if (word == "--env") {
      out.set.push_back(value(word));
      if (const std::size_t at = out.set.back().find('='); at == std::string::npos || at == 0)
        die(usage, "--env takes NAME=VALUE");
    } else if (word == "--pass-env") {
      out.pass.push_back(value(word));
    } else if (word == "--rlimit") {
      const std::string text = value(word);
      const std::size_t at = text.find('=');
      if (at == std::string::npos) die(usage, "--rlimit takes NAME=N");
      out.limits.emplace_back(text.substr(0, at), number(word, std::string_view(text).substr(at + 1), RLIM_INFINITY));
    } else if (word == "--directory") {
      out.directory = value(word);
    } else if (word == "--cgroup") {
      out.cgroup = value(word);
    } else {
      die(usage, "unknown argument `" + word + "`; the command stands behind `--`");
    }
  }
  for (; i < count; ++i) out.command.emplace_back(words[i]);
  if (out.command.empty()) die(usage, "no command behind `--`");
  if (out.rulesets.empty()) die(usage, "no --ruleset");
  if (out.rulesets.size() > static_cast<std::size_t>(linux::landlock::max_layers))
    die(usage, "the kernel takes 16 rulesets at most");
  return out;
}

}  // namespace agp::launch
