#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// Lines of the kernel's log about what was refused, or would have been: text -> fields. Whoever reads such a log reads
/// what an agent had a hand in: names of programs and paths are its own. The kernel writes them so that they can't
/// break out of their field (audit_log_n_untrustedstring: quoted, or in hexadecimal); here a field is what stands
/// between two spaces, the first of a name counts, and a line that is not the kernel's own is no line.
namespace agp::linux {

/// type=1326, AUDIT_SECCOMP (kernel/auditsc.c, audit_seccomp). There are no arguments in it.
struct LoggedCall {
  std::uint32_t arch = 0;    ///< AUDIT_ARCH_*
  std::uint32_t number = 0;  ///< with x32's bit, where it has one
  std::uint32_t user = 0;    ///< the real user of the process, in the first user namespace
  std::uint32_t code = 0;    ///< SECCOMP_RET_*
};

/// A line of nft's `log prefix` (net/netfilter/nf_log_syslog.c).
struct LoggedPacket {
  std::string policy, rule;  ///< behind `P=` and `R=`, as they are encoded there
  std::string in, out;       ///< interfaces; empty: none
  std::string source, destination;
  std::string protocol;  ///< "TCP", "UDP", "ICMP", "ICMPv6", or a number
  std::optional<std::uint16_t> port;
  std::optional<std::uint8_t> icmp_type;
};

/// type=1423, AUDIT_LANDLOCK_ACCESS (security/landlock/audit.c): one object that was refused, and by what.
struct LoggedAccess {
  std::vector<std::string> blockers;  ///< "fs.read_file", "net.connect_tcp", "scope.signal"
  std::optional<std::string> path;    ///< of the object; for what is made or removed, of the directory
  std::string address;                ///< net
  std::optional<std::uint16_t> port;
};

using KernelLine = std::variant<std::monostate, LoggedCall, LoggedPacket, LoggedAccess>;

/// What one line tells, without its line end; monostate: nothing of this, or not the kernel's. Understood are the
/// kernel's own forms (dmesg, /dev/kmsg), syslog's and the journal's, where the sender is `kernel:`, and auditd's.
/// O(length).
KernelLine read_kernel_line(std::string_view line);

}  // namespace agp::linux
