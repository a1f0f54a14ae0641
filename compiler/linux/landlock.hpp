#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

/// What Landlock can decide, by ABI. Values and versions are those of include/uapi/linux/landlock.h (Linux 7.2) and of
/// Documentation/userspace-api/landlock.rst; a distribution's header may stop earlier (Debian 12's at bit 13).
namespace agp::linux::landlock {

/// The newest ABI of the table. A kernel with a later one decides at least what the table says.
inline constexpr int highest_abi = 10;
/// LANDLOCK_MAX_NUM_LAYERS of security/landlock/limits.h.
inline constexpr int max_layers = 16;

// LANDLOCK_ACCESS_FS_*
inline constexpr std::uint64_t fs_execute = 1, fs_write_file = 2, fs_read_file = 4, fs_read_dir = 8, fs_remove_dir = 16,
                               fs_remove_file = 32, fs_make_char = 64, fs_make_dir = 128, fs_make_reg = 256,
                               fs_make_sock = 512, fs_make_fifo = 1024, fs_make_block = 2048, fs_make_sym = 4096,
                               fs_refer = 8192, fs_truncate = 16384, fs_ioctl_dev = 32768, fs_resolve_unix = 65536;
// LANDLOCK_ACCESS_NET_*: by port alone
inline constexpr std::uint64_t net_bind_tcp = 1, net_connect_tcp = 2, net_bind_udp = 4, net_connect_send_udp = 8;
// LANDLOCK_SCOPE_*: what reaches out of the domain; no exceptions
inline constexpr std::uint64_t scope_abstract_unix_socket = 1, scope_signal = 2;
inline constexpr int abi_of_scopes = 6;

enum class Sort : std::uint8_t { Fs, Net, Scope };

struct Right {
  std::string_view name;  ///< as landlockconfig spells it: the constant's last words in lower case
  Sort sort = Sort::Fs;
  std::uint64_t bit = 0;
  int abi = 1;           ///< the first that has it
  bool on_file = false;  ///< Fs: valid in a rule whose path is no directory (ACCESS_FILE of security/landlock/fs.c);
                         ///< another there is EINVAL
};

/// Every right, by sort and bit.
std::span<const Right> rights();
const Right* find_right(Sort sort, std::string_view name);
const Right* find_right(Sort sort, std::uint64_t bit);

/// All bits of one sort that an ABI has; ABIs above the table are treated as `highest_abi`, below 1 have none.
std::uint64_t all_rights(Sort sort, int abi);
/// Bits of Fs that a rule on a file may have.
std::uint64_t file_rights();
/// The ABI that a kernel needs for all of these bits; at least 1. No value: a bit that the table does not have.
std::optional<int> abi_for(Sort sort, std::uint64_t bits);

/// Beside the calls of Act::Attributes (compiler/linux/footprints.hpp), which no right decides either, ioctl(2) changes
/// a file's attributes with the commands FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR (include/uapi/linux/fs.h).
std::span<const std::uint64_t> attribute_ioctls();

}  // namespace agp::linux::landlock
