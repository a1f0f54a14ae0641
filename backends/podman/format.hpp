#pragma once
#include <array>
#include <string_view>

#include "backends/containers/format.hpp"

/// Constants of the arguments of `podman run`: one a line, options as `--name=value`, then the image, then the command.
/// From podman-run(1) of Podman 4.3, and what its containers show (`/proc/self/mountinfo` of one, tried).
namespace agp::backends::podman::format {

using namespace containers::format;

inline constexpr std::string_view artifact = "podman/run.args";
/// An image without a file, made by the stack's `prepare`: whatever is visible is a mount.
inline constexpr std::string_view image = "localhost/agp-root:latest";
inline constexpr std::string_view profile = "profile.json";  ///< in the run directory, from seccomp/profile.json

/// Directories that the runtime mounts by itself, and that are covered by an empty, read-only file system.
inline constexpr std::array<std::string_view, 2> covered_directories{"/sys", "/sys/fs/cgroup"};
/// The same in /dev, covered by a directory without any permission bit.
inline constexpr std::array<std::string_view, 2> denied_directories{"/dev/mqueue", "/dev/pts"};
/// Files that the runtime makes, covered by one without any permission bit.
inline constexpr std::array<std::string_view, 6> covered_files{"/etc/group",  "/etc/hostname",    "/etc/hosts",
                                                               "/etc/passwd", "/etc/resolv.conf", "/run/.containerenv"};

/// What containers/common (pkg/config/default.go, moby's oci/defaults.go) masks and write-protects in /proc; /sys is
/// covered as a whole.
inline constexpr std::array<std::string_view, 8> masked_paths{
    "/proc/acpi",       "/proc/kcore",       "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"};

/// Variables that Podman sets when nobody else does.
inline constexpr std::array<std::string_view, 5> variables{"HOME", "HOSTNAME", "PATH", "TERM", "container"};

/// RLIMIT_NPROC counts the user's processes on the whole host, so it is set as high as process numbers go by default
/// (PID_MAX_DEFAULT, include/linux/threads.h): Podman's own default can be above what the starter may set.
inline constexpr unsigned processes = 32768;
/// xargs is told to give up rather than to start two containers; the kernel's bound is far above both.
inline constexpr unsigned most_arguments = 4096, most_bytes = 100000;

}  // namespace agp::backends::podman::format
