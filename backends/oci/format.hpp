#pragma once
#include <array>
#include <string_view>

#include "backends/containers/format.hpp"

/// Constants of the OCI runtime configuration, from runtime-spec 1.0.2 (config.md, config-linux.md) and Linux.
namespace agp::backends::oci::format {

using namespace containers::format;

inline constexpr std::string_view version = "1.0.2";
inline constexpr std::string_view artifact = "oci/config.json";
inline constexpr std::string_view profile_artifact = "seccomp/profile.json";

// Files of the bundle beside config.json, made by the stack's `prepare`.
inline constexpr std::string_view root = "rootfs";
inline constexpr std::string_view launcher = "landlock-launch";
inline constexpr std::string_view ruleset = "ruleset.json";

// Where the stack `oci+landlock` mounts the launcher and its rules. No Landlock rule is about them: they are out of the
// agent's reach once it runs.
inline constexpr std::string_view launcher_point = "/.agp/landlock-launch";
inline constexpr std::string_view ruleset_point = "/.agp/ruleset.json";

/// What runc masks and write-protects by default (`runc spec`). With `subset=pid` none of it exists; a runtime that
/// does not know the option refuses the mount, and one that drops it still meets these.
inline constexpr std::array<std::string_view, 10> masked_paths{
    "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"};
inline constexpr std::array<std::string_view, 5> readonly_paths{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                                "/proc/sysrq-trigger"};

}  // namespace agp::backends::oci::format
