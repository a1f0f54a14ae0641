#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "backends/containers/format.hpp"

/// Constants of the arguments of `podman run` and `docker run`: one a line, options as `--name=value`, then the image,
/// then the command. From podman-run(1) of Podman 4.3 and docker-run(1) of Docker 20.10, and what the containers of
/// both show (`/proc/self/mountinfo` of one, tried). Where the two differ: docs/decisions/0018.
namespace agp::backends::podman::format {

using namespace containers::format;

enum class Engine { Podman, Docker };
inline constexpr std::string_view name(Engine e) { return e == Engine::Docker ? "docker" : "podman"; }
inline constexpr std::string_view title(Engine e) { return e == Engine::Docker ? "Docker" : "Podman"; }
inline constexpr std::string_view artifact(Engine e) {
  return e == Engine::Docker ? "docker/run.args" : "podman/run.args";
}
/// Docker joins no namespace by its path, but that of another container: the stack's own, named like the namespace.
inline constexpr std::string_view namespaces = "/run/netns/", other_container = "container:";
inline std::string holder(std::string_view policy) { return "agp-" + std::string(policy); }
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

/// Docker's, and the mark that it leaves in the root.
inline constexpr std::array<std::string_view, 4> docker_files{"/.dockerenv", "/etc/hostname", "/etc/hosts",
                                                              "/etc/resolv.conf"};
/// A mount at /dev leaves out what Docker has beneath it, and one at /sys covers what it has there.
inline constexpr std::array<std::string_view, 1> docker_directories{"/sys"};

/// What containers/common (pkg/config/default.go, moby's oci/defaults.go) masks and write-protects in /proc; /sys is
/// covered as a whole. Docker masks no less.
inline constexpr std::array<std::string_view, 8> masked_paths{
    "/proc/acpi",       "/proc/kcore",       "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"};

/// Variables that Podman sets when nobody else does.
inline constexpr std::array<std::string_view, 5> variables{"HOME", "HOSTNAME", "PATH", "TERM", "container"};

inline constexpr std::array<std::string_view, 3> docker_variables{"HOME", "HOSTNAME", "PATH"};

inline constexpr std::span<const std::string_view> files_of(Engine e) {
  return e == Engine::Docker ? std::span<const std::string_view>(docker_files) : covered_files;
}
inline constexpr std::span<const std::string_view> directories_of(Engine e) {
  return e == Engine::Docker ? std::span<const std::string_view>(docker_directories) : covered_directories;
}
inline constexpr std::span<const std::string_view> variables_of(Engine e) {
  return e == Engine::Docker ? std::span<const std::string_view>(docker_variables) : variables;
}

/// RLIMIT_NPROC counts the user's processes on the whole host, so it is set as high as process numbers go by default
/// (PID_MAX_DEFAULT, include/linux/threads.h): Podman's own default can be above what the starter may set.
inline constexpr unsigned processes = 32768;
/// xargs is told to give up rather than to start two containers; the kernel's bound is far above both.
inline constexpr unsigned most_arguments = 4096, most_bytes = 100000;

}  // namespace agp::backends::podman::format
