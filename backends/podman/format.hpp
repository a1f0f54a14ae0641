#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "backends/containers/format.hpp"

/// Constants of the arguments of `podman run` and `docker run`: one a line, options as `--name=value`, then the image,
/// then the command. From podman-run(1) of Podman 4.3 and docker-run(1) of Docker 20.10, and what the containers of
/// both show (`/proc/self/mountinfo` of one, tried).
namespace agp::backends::podman::format {

using namespace containers::format;

using Names = std::span<const std::string_view>;

/// What an engine is called, and what it adds by itself.
struct Engine {
  std::string_view name, title;  ///< of the stack and the layer; of the engine in a sentence
  std::string_view artifact;
  Names directories;         ///< that it mounts by itself, covered by an empty, read-only file system
  Names denied_directories;  ///< the same in /dev, covered by a directory without any permission bit
  Names files;               ///< that it makes, covered by one without any permission bit
  Names masked;              ///< in /proc; what it masks in /sys is covered
  Names variables;           ///< that it sets when nobody else does
};

namespace tables {
inline constexpr std::array<std::string_view, 2> podman_directories{"/sys", "/sys/fs/cgroup"};
inline constexpr std::array<std::string_view, 2> podman_denied{"/dev/mqueue", "/dev/pts"};
inline constexpr std::array<std::string_view, 6> podman_files{"/etc/group",  "/etc/hostname",    "/etc/hosts",
                                                              "/etc/passwd", "/etc/resolv.conf", "/run/.containerenv"};
// containers/common, pkg/config/default.go
inline constexpr std::array<std::string_view, 8> podman_masked{
    "/proc/acpi",       "/proc/kcore",       "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"};
inline constexpr std::array<std::string_view, 5> podman_variables{"HOME", "HOSTNAME", "PATH", "TERM", "container"};

inline constexpr std::array<std::string_view, 1> docker_directories{"/sys"};
inline constexpr std::array<std::string_view, 4> docker_files{"/.dockerenv", "/etc/hostname", "/etc/hosts",
                                                              "/etc/resolv.conf"};
// moby, oci/defaults.go
inline constexpr std::array<std::string_view, 9> docker_masked{
    "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"};
inline constexpr std::array<std::string_view, 3> docker_variables{"HOME", "HOSTNAME", "PATH"};
}  // namespace tables

inline constexpr Engine podman{"podman",
                               "Podman",
                               "podman/run.args",
                               tables::podman_directories,
                               tables::podman_denied,
                               tables::podman_files,
                               tables::podman_masked,
                               tables::podman_variables};
inline constexpr Engine docker{"docker",
                               "Docker",
                               "docker/run.args",
                               tables::docker_directories,
                               {},
                               tables::docker_files,
                               tables::docker_masked,
                               tables::docker_variables};

/// An image without a file, made by the stack's `prepare`: whatever is visible is a mount. The tag is `latest` in
/// Podman's storage, which is the run's own, and the policy's name in that of Docker's daemon.
inline constexpr std::string_view image = "localhost/agp-root:", tag = "latest";
inline constexpr std::size_t longest_tag = 128;
inline constexpr std::string_view profile = "profile.json";  ///< in the run directory, from seccomp/profile.json
/// Podman joins a network namespace by its path. Docker joins that of another container, which the stack starts.
inline constexpr std::string_view joined_path = "ns:/run/netns/agp-", joined_container = "container:agp-";

/// RLIMIT_NPROC counts the user's processes on the whole host, so it is set as high as process numbers go by default
/// (PID_MAX_DEFAULT, include/linux/threads.h): Podman's own default can be above what the starter may set.
inline constexpr unsigned processes = 32768;
/// xargs is told to give up rather than to start two containers; the kernel's bound is far above both.
inline constexpr unsigned most_arguments = 4096, most_bytes = 100000;

}  // namespace agp::backends::podman::format
