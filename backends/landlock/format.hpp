#pragma once
#include <string_view>

/// Constants of landlockconfig's JSON (its schema/landlockconfig.json). Names of rights: compiler/linux/landlock.hpp;
/// `resolve_unix`, `bind_udp` and `connect_send_udp` (ABI 9 and 10) are spelled in the same way though the schema ends
/// at ABI 8, so a loader that does not know them refuses the file.
namespace agp::backends::landlock::format {

inline constexpr std::string_view artifact = "landlock/ruleset.json";

inline constexpr std::string_view abi = "abi", variable = "variable", ruleset = "ruleset", path_beneath = "pathBeneath",
                                  net_port = "netPort";
inline constexpr std::string_view handled_fs = "handledAccessFs", handled_net = "handledAccessNet", scoped = "scoped";
inline constexpr std::string_view allowed = "allowedAccess", parent = "parent", port = "port";
inline constexpr std::string_view name = "name", literal = "literal";
/// Groups of rights, by the file's own `abi`.
inline constexpr std::string_view group_all = "abi.all", group_read_execute = "abi.read_execute",
                                  group_read_write = "abi.read_write";

/// In a path `${name}` is a variable and `$$` one dollar sign.
inline constexpr std::string_view dollar = "$$";

}  // namespace agp::backends::landlock::format
