#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "compiler/linux/arch.hpp"
#include "compiler/model/address.hpp"

namespace agp::model {

/// The atomic file verbs. `read` in a policy is Read and List; `write` is Modify, Create and Delete.
enum class Verb : std::uint8_t { Read = 1, List = 2, Exec = 4, Modify = 8, Create = 16, Delete = 32 };
using Verbs = std::uint8_t;  ///< bits of Verb
inline constexpr Verbs verbs_read = 1 | 2, verbs_write = 8 | 16 | 32, verbs_all = 63;
constexpr bool has(Verbs set, Verb v) { return (set & static_cast<Verbs>(v)) != 0; }
std::string verbs_text(Verbs set);  ///< "read, write", "list", "modify, create"

enum class Protocol : std::uint8_t { Tcp = 1, Udp = 2, Icmp = 4 };
using Protocols = std::uint8_t;
inline constexpr Protocols protocols_all = 7;
constexpr bool has(Protocols set, Protocol p) { return (set & static_cast<Protocols>(p)) != 0; }
std::string protocols_text(Protocols set);  ///< "tcp", "tcp, udp", "any"

enum class Direction { Connect, Listen };

// One thing an agent can attempt.
struct FileAction {
  Verb verb = Verb::Read;
  std::string path;
};
/// `name` is set when the address came from the policy's resolver for that name. Port 0 only for icmp.
/// For Listen: the local endpoint, and `peer` if the question is about one.
struct NetAction {
  Direction direction = Direction::Connect;
  Protocol protocol = Protocol::Tcp;
  Address address;
  std::uint16_t port = 0;
  std::optional<std::string> name;
  std::optional<Address> peer;
};
/// A connection to a name, whatever address it resolves to.
struct NameAction {
  Protocol protocol = Protocol::Tcp;
  std::string name;
  std::uint16_t port = 0;
};
struct ResolveAction {
  std::string name;
};
struct UnixAction {
  Direction direction = Direction::Connect;
  std::optional<std::string> path;
};  ///< no path: @abstract
struct SyscallAction {
  std::string name;
  std::array<std::uint64_t, 6> args{};
  linux::Arch arch = linux::Arch::x86_64;  ///< whose registers and widths these are
};
struct CapabilityAction {
  std::string name;
};
struct EnvAction {
  std::string name;
};
struct ToolAction {
  std::string name;
};

using Action = std::variant<FileAction, NetAction, NameAction, ResolveAction, UnixAction, SyscallAction,
                            CapabilityAction, EnvAction, ToolAction>;

/// As it would be written in a policy or on the command line: `write "/workspace/a"`, `connect tcp 10.0.1.50:443`.
std::string to_string(const Action& action);

}  // namespace agp::model
