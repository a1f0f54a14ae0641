#pragma once
#include <array>
#include <string_view>

/// Constants of the OCI runtime configuration, from runtime-spec 1.0.2 (config.md, config-linux.md) and Linux.
namespace agp::backends::oci::format {

inline constexpr std::string_view version = "1.0.2";
inline constexpr std::string_view artifact = "oci/config.json";
inline constexpr std::string_view profile_artifact = "seccomp/profile.json";

// Files of the bundle beside config.json, made by the stack's `prepare`.
inline constexpr std::string_view root = "rootfs";
inline constexpr std::string_view dev = "dev";                            ///< a directory with mount points only
inline constexpr std::string_view denied_directory = "denied-directory";  ///< empty, of mode 0
inline constexpr std::string_view denied_file = "denied-file";            ///< empty, of mode 0
inline constexpr std::string_view empty_file = "empty-file";              ///< of mode 0444
inline constexpr std::string_view resolv_conf = "resolv.conf";
inline constexpr std::string_view launcher = "landlock-launch";
inline constexpr std::string_view ruleset = "ruleset.json";

// Where the stack `oci+landlock` mounts the launcher and its rules. No Landlock rule is about them: they are out of the
// agent's reach once it runs.
inline constexpr std::string_view launcher_point = "/.agp/landlock-launch";
inline constexpr std::string_view ruleset_point = "/.agp/ruleset.json";

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

/// What runc masks and write-protects by default (`runc spec`). With `subset=pid` none of it exists; a runtime that
/// does not know the option refuses the mount, and one that drops it still meets these.
inline constexpr std::array<std::string_view, 10> masked_paths{
    "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"};
inline constexpr std::array<std::string_view, 5> readonly_paths{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                                "/proc/sysrq-trigger"};

/// What proc(5) shows of a process that an agent without capabilities can read of its own, with `subset=pid`.
inline constexpr std::array<std::string_view, 22> proc_files{
    "environ",   "cmdline",   "comm",      "status",  "stat",   "statm",  "maps", "smaps",
    "mem",       "mounts",    "mountinfo", "cgroup",  "limits", "auxv",   "io",   "wchan",
    "oom_score", "sessionid", "uid_map",   "gid_map", "fdinfo", "net/dev"};

}  // namespace agp::backends::oci::format
