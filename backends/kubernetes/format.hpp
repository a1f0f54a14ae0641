#pragma once
#include <array>
#include <string>
#include <string_view>

#include "backends/containers/format.hpp"

/// Constants of a pod and of the NetworkPolicy that selects it, as JSON (which `kubectl create -f` takes), from the API
/// reference of Kubernetes 1.33 (core/v1 Pod, networking.k8s.io/v1 NetworkPolicy), and of what the kubelet and
/// containerd's CRI plugin add. See docs/decisions/0020 for where each is from.
namespace agp::backends::kubernetes::format {

using namespace containers::format;

inline constexpr std::string_view stack = "kubernetes";
inline constexpr std::string_view pod = "kubernetes/pod.json";
inline constexpr std::string_view network_policy = "kubernetes/network-policy.json";

/// An image without a file, made on the node by the stack's `prepare`: whatever is visible is a mount.
inline constexpr std::string_view image = "localhost/agp-root:latest";
inline constexpr std::string_view container = "agent";
inline constexpr std::string_view label = "agp-policy";  ///< of the pod; its value is the policy's name
inline constexpr std::string_view sys = "sys";           ///< of the node's directory: mount points, and nothing else

/// Object names become host names and label values: RFC 1123 labels.
inline constexpr std::size_t longest_name = 63;
inline std::string name_space(std::string_view policy) { return "agp-" + std::string(policy); }
/// Beneath the kubelet's directory of profiles, /var/lib/kubelet/seccomp.
inline std::string profile(std::string_view policy) { return "agp/" + std::string(policy) + ".json"; }
inline constexpr std::string_view profiles = "/var/lib/kubelet/seccomp";

/// Files that the kubelet or containerd mount where no volume is; a volume at the same path takes their place.
inline constexpr std::array<std::string_view, 3> runtime_files{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"};
inline constexpr std::string_view shared_memory = "/dev/shm";
/// The kubelet's file for a last word, of mode 0666: nothing takes its place.
inline constexpr std::string_view termination_log = "/dev/termination-log";

/// What every supported kubelet asks the runtime to mask in /proc (procMount: Default).
inline constexpr std::array<std::string_view, 9> masked_paths{
    "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"};

/// Variables that containerd, runc and the kubelet set when nobody else does. The kubelet's are those of the service
/// `kubernetes`, which `enableServiceLinks: false` leaves.
inline constexpr std::array<std::string_view, 11> variables{"HOME",
                                                            "HOSTNAME",
                                                            "PATH",
                                                            "KUBERNETES_SERVICE_HOST",
                                                            "KUBERNETES_SERVICE_PORT",
                                                            "KUBERNETES_SERVICE_PORT_HTTPS",
                                                            "KUBERNETES_PORT",
                                                            "KUBERNETES_PORT_443_TCP",
                                                            "KUBERNETES_PORT_443_TCP_PROTO",
                                                            "KUBERNETES_PORT_443_TCP_PORT",
                                                            "KUBERNETES_PORT_443_TCP_ADDR"};

/// No group may open a ping socket. containerd 2 lets every group do so where a pod does not say otherwise.
inline constexpr std::string_view ping_sysctl = "net.ipv4.ping_group_range", no_ping = "1 0";

/// User and group ids, and a deadline in seconds, are numbers of 31 bits.
inline constexpr unsigned long long most = 0x7fffffff;

/// The kubelet's period of processor time, and the least of it that it gives, in microseconds.
inline constexpr unsigned cpu_period = 100000, least_quota = 1000;

}  // namespace agp::backends::kubernetes::format
