#include "compiler/driver/machine.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include "compiler/linux/arch.hpp"
#include "compiler/plan/target_record.hpp"

// What a machine says of itself -> a target record. Only `agp targets --probe` comes here: no other command looks at
// the machine that it runs on.
namespace agp::driver {
namespace {

/// landlock_create_ruleset: the same number on every architecture (include/uapi/asm-generic/unistd.h and the tables of
/// x86); with no attributes, size 0 and LANDLOCK_CREATE_RULESET_VERSION it answers the ABI.
constexpr long landlock_create_ruleset = 444, ask_version = 1;

std::optional<linux::Arch> arch_of(const std::string& machine) { return linux::find_arch(machine); }

/// What `program --version` writes to its standard output, at most 64 KiB; nothing when it is not there or fails.
std::optional<std::string> version_of(const char* program) {
  constexpr std::array<const char*, 4> directories = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
  std::string path;
  for (const char* directory : directories)
    if (path.empty() && ::access(fmt::format("{}/{}", directory, program).c_str(), X_OK) == 0)
      path = fmt::format("{}/{}", directory, program);
  int ends[2];
  if (path.empty() || ::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::string name = program, option = "--version", locale = "LC_ALL=C";
  char* arguments[] = {name.data(), option.data(), nullptr};
  char* environment[] = {locale.data(), nullptr};
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, path.c_str(), &actions, nullptr, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string out;
  std::array<char, 4096> buffer;
  for (ssize_t n; failed == 0 && out.size() < 65536 && (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    out.append(buffer.data(), static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  if (failed != 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return std::nullopt;
  return out;
}

void programs(Machine& m) {
  const auto found = [&](const char* program, const std::string& after, model::KernelVersion& to) {
    const auto text = version_of(program);
    const auto version = text ? find_version(*text, after) : std::nullopt;
    if (version)
      to = {version->major, version->minor};
    else
      m.remarks.push_back(fmt::format("`{}` was not found: its version in the record is 0.0", program));
    return text;
  };
  const auto runc = found("runc", "runc version", m.target.runc);
  found("nft", "nftables v", m.target.nft);
  found("dnsmasq", "version", m.target.dnsmasq);
  m.target.libseccomp_names = {0, 0};
  const auto library = runc ? find_version(*runc, "libseccomp:") : std::nullopt;
  const auto names = library ? plan::libseccomp_names(library->major, library->minor, library->patch) : std::nullopt;
  if (names)
    m.target.libseccomp_names = *names;
  else
    m.remarks.push_back("runc does not say which libseccomp it has, or one older than 2.5.0: no name counts as known");
}

}  // namespace

std::optional<ProgramVersion> find_version(const std::string& text, const std::string& after) {
  const std::size_t start = text.find(after);
  if (start == std::string::npos) return std::nullopt;
  std::size_t at = start + after.size();
  while (at < text.size() && text[at] == ' ') ++at;
  std::array<int, 3> numbers{};
  std::size_t count = 0;
  while (count < 3 && at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) {
    for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) && numbers[count] < 1000; ++at)
      numbers[count] = numbers[count] * 10 + (text[at] - '0');
    ++count;
    if (at >= text.size() || text[at] != '.') break;
    ++at;
  }
  if (count < 2) return std::nullopt;
  return ProgramVersion{numbers[0], numbers[1], numbers[2]};
}

std::optional<Machine> probe_machine() {
  utsname names{};
  if (::uname(&names) != 0 || std::string_view(names.sysname) != "Linux") return std::nullopt;
  const auto arch = arch_of(names.machine);
  const auto kernel = find_version(names.release, "");
  if (!arch || !kernel) return std::nullopt;
  Machine m;
  m.target.name = "this-machine";
  m.target.kernel = {kernel->major, kernel->minor};
  m.target.archs = {std::string(linux::to_string(*arch))};
  m.target.stack = "oci";
  m.landlock_abi = static_cast<int>(std::max(0L, ::syscall(landlock_create_ruleset, nullptr, 0, ask_version)));
  m.target.landlock_abi = std::min(m.landlock_abi, plan::highest_landlock_abi);
  if (m.landlock_abi > plan::highest_landlock_abi)
    m.remarks.push_back(fmt::format("the kernel has Landlock ABI {}; this agp knows {} and the record says so",
                                    m.landlock_abi, plan::highest_landlock_abi));
  programs(m);
  return m;
}

}  // namespace agp::driver
