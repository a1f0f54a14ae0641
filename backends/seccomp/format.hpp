#pragma once
#include <cstddef>
#include <cstdint>

/// Constants of the formats: classic BPF (include/uapi/linux/{filter,bpf_common}.h), what seccomp makes of it
/// (include/uapi/linux/seccomp.h, seccomp(2)), and the file names of this backend. Nothing else is shared by emit and
/// decode.
namespace agp::backends::seccomp::format {

// struct sock_filter { u16 code; u8 jt, jf; u32 k; }, in the host's byte order; every supported host is little-endian.
inline constexpr std::size_t instruction_bytes = 8;
inline constexpr std::size_t max_instructions = 4096;  // BPF_MAXINSNS
inline constexpr unsigned scratch_words = 16;          // BPF_MEMWORDS

// Instruction codes: class | size or operation | mode or source.
enum Code : std::uint16_t {
  ld_abs = 0x20,
  ld_imm = 0x00,
  ld_mem = 0x60,
  ld_len = 0x80,
  ldx_imm = 0x01,
  ldx_mem = 0x61,
  ldx_len = 0x81,
  st = 0x02,
  stx = 0x03,
  add_k = 0x04,
  add_x = 0x0c,
  sub_k = 0x14,
  sub_x = 0x1c,
  mul_k = 0x24,
  mul_x = 0x2c,
  div_k = 0x34,
  div_x = 0x3c,
  or_k = 0x44,
  or_x = 0x4c,
  and_k = 0x54,
  and_x = 0x5c,
  lsh_k = 0x64,
  lsh_x = 0x6c,
  rsh_k = 0x74,
  rsh_x = 0x7c,
  neg = 0x84,
  xor_k = 0xa4,
  xor_x = 0xac,
  ja = 0x05,
  jeq_k = 0x15,
  jeq_x = 0x1d,
  jgt_k = 0x25,
  jgt_x = 0x2d,
  jge_k = 0x35,
  jge_x = 0x3d,
  jset_k = 0x45,
  jset_x = 0x4d,
  ret_k = 0x06,
  ret_a = 0x16,
  tax = 0x07,
  txa = 0x87,
};

// struct seccomp_data { int nr; u32 arch; u64 instruction_pointer; u64 args[6]; }, byte offsets.
inline constexpr std::uint32_t data_bytes = 64, offset_nr = 0, offset_arch = 4, offset_ip = 8, offset_args = 16;
constexpr std::uint32_t offset_low(unsigned argument) { return offset_args + 8 * argument; }
constexpr std::uint32_t offset_high(unsigned argument) { return offset_args + 8 * argument + 4; }

// Return words: the action is the upper half, the data the lower.
inline constexpr std::uint32_t ret_kill_process = 0x80000000, ret_kill_thread = 0x00000000, ret_trap = 0x00030000,
                               ret_errno = 0x00050000, ret_user_notif = 0x7fc00000, ret_trace = 0x7ff00000,
                               ret_log = 0x7ffc0000, ret_allow = 0x7fff0000;
inline constexpr std::uint32_t ret_action = 0xffff0000, ret_data = 0x0000ffff;
inline constexpr std::uint32_t max_errno = 4095;  // MAX_ERRNO, include/linux/err.h

inline constexpr std::uint32_t arch_x86_64 = 0xc000003e;  // AUDIT_ARCH_X86_64
inline constexpr std::uint32_t x32_bit = 0x40000000;      // __X32_SYSCALL_BIT
inline constexpr std::uint32_t eperm = 1, enosys = 38;

inline constexpr const char* filter_path = "seccomp/filter.x86_64.bpf";
inline constexpr const char* listing_path = "seccomp/filter.x86_64.txt";
inline constexpr const char* profile_path = "seccomp/profile.json";
inline constexpr const char* config_path = "oci/config.json";
inline constexpr const char* config_pointer = "/linux/seccomp";

}  // namespace agp::backends::seccomp::format
