#include "compiler/linux/landlock.hpp"

#include <algorithm>

namespace agp::linux::landlock {
namespace {

constexpr Right right_table[] = {
    {"execute", Sort::Fs, fs_execute, 1, true},
    {"write_file", Sort::Fs, fs_write_file, 1, true},
    {"read_file", Sort::Fs, fs_read_file, 1, true},
    {"read_dir", Sort::Fs, fs_read_dir, 1, false},
    {"remove_dir", Sort::Fs, fs_remove_dir, 1, false},
    {"remove_file", Sort::Fs, fs_remove_file, 1, false},
    {"make_char", Sort::Fs, fs_make_char, 1, false},
    {"make_dir", Sort::Fs, fs_make_dir, 1, false},
    {"make_reg", Sort::Fs, fs_make_reg, 1, false},
    {"make_sock", Sort::Fs, fs_make_sock, 1, false},
    {"make_fifo", Sort::Fs, fs_make_fifo, 1, false},
    {"make_block", Sort::Fs, fs_make_block, 1, false},
    {"make_sym", Sort::Fs, fs_make_sym, 1, false},
    {"refer", Sort::Fs, fs_refer, 2, false},
    {"truncate", Sort::Fs, fs_truncate, 3, true},
    {"ioctl_dev", Sort::Fs, fs_ioctl_dev, 5, true},
    {"resolve_unix", Sort::Fs, fs_resolve_unix, 9, true},
    {"bind_tcp", Sort::Net, net_bind_tcp, 4, false},
    {"connect_tcp", Sort::Net, net_connect_tcp, 4, false},
    {"bind_udp", Sort::Net, net_bind_udp, 10, false},
    {"connect_send_udp", Sort::Net, net_connect_send_udp, 10, false},
    {"abstract_unix_socket", Sort::Scope, scope_abstract_unix_socket, 6, false},
    {"signal", Sort::Scope, scope_signal, 6, false},
};

constexpr std::uint64_t attribute_ioctl_table[] = {0x40086602, 0x401c5820};

}  // namespace

std::span<const std::uint64_t> attribute_ioctls() { return attribute_ioctl_table; }

std::span<const Right> rights() { return right_table; }

const Right* find_right(Sort sort, std::string_view name) {
  const auto at = std::find_if(std::begin(right_table), std::end(right_table),
                               [&](const Right& r) { return r.sort == sort && r.name == name; });
  return at == std::end(right_table) ? nullptr : at;
}

const Right* find_right(Sort sort, std::uint64_t bit) {
  const auto at = std::find_if(std::begin(right_table), std::end(right_table),
                               [&](const Right& r) { return r.sort == sort && r.bit == bit; });
  return at == std::end(right_table) ? nullptr : at;
}

std::uint64_t all_rights(Sort sort, int abi) {
  std::uint64_t out = 0;
  for (const Right& r : right_table)
    if (r.sort == sort && r.abi <= abi) out |= r.bit;
  return out;
}

std::uint64_t file_rights() {
  std::uint64_t out = 0;
  for (const Right& r : right_table)
    if (r.on_file) out |= r.bit;
  return out;
}

std::optional<int> abi_for(Sort sort, std::uint64_t bits) {
  int abi = 1;
  for (const Right& r : right_table)
    if (r.sort == sort && (bits & r.bit) != 0) abi = std::max(abi, r.abi), bits &= ~r.bit;
  if (bits != 0) return std::nullopt;
  return abi;
}

}  // namespace agp::linux::landlock
