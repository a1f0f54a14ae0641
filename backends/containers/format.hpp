#pragma once
#include <array>
#include <string>
#include <string_view>

/// Constants that the formats of container runtimes share, from Linux and from what the stacks' `prepare` makes.
namespace agp::backends::containers::format {

// Files of the run directory, made by the stack's `prepare`.
inline constexpr std::string_view dev = "dev";                            ///< a directory with mount points only
inline constexpr std::string_view denied_directory = "denied-directory";  ///< empty, of mode 0
inline constexpr std::string_view denied_file = "denied-file";            ///< empty, of mode 0
inline constexpr std::string_view empty_file = "empty-file";              ///< of mode 0444
inline constexpr std::string_view resolv_conf = "resolv.conf";

/// Where they are for a runtime that wants absolute paths: one directory of the host's for each policy.
inline std::string host_directory(std::string_view policy) { return "/var/lib/agp/" + std::string(policy); }

struct Device {
  std::string_view path;
  int major, minor;
};
/// Documentation/admin-guide/devices.txt: the character devices that a program may need and that reach no hardware.
inline constexpr std::array<Device, 6> devices{{{"/dev/full", 1, 7},
                                                {"/dev/null", 1, 3},
                                                {"/dev/random", 1, 8},
                                                {"/dev/tty", 5, 0},
                                                {"/dev/urandom", 1, 9},
                                                {"/dev/zero", 1, 5}}};

/// What proc(5) shows of a process that an agent without capabilities can read of its own, with `subset=pid`.
inline constexpr std::array<std::string_view, 22> proc_files{
    "environ",   "cmdline",   "comm",      "status",  "stat",   "statm",  "maps", "smaps",
    "mem",       "mounts",    "mountinfo", "cgroup",  "limits", "auxv",   "io",   "wchan",
    "oom_score", "sessionid", "uid_map",   "gid_map", "fdinfo", "net/dev"};

}  // namespace agp::backends::containers::format
