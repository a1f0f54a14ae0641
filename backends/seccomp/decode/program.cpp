#include "backends/seccomp/decode/program.hpp"

#include <fmt/format.h>

#include <optional>

#include "backends/seccomp/format.hpp"

namespace agp::backends::seccomp {
namespace {

using Result = std::optional<std::string>;  // what is wrong

bool is_branch_code(std::uint16_t code) {
  switch (code) {
    case format::jeq_k:
    case format::jeq_x:
    case format::jgt_k:
    case format::jgt_x:
    case format::jge_k:
    case format::jge_x:
    case format::jset_k:
    case format::jset_x:
      return true;
    default:
      return false;
  }
}

/// One instruction by itself.
Result check_one(const CheckedInstruction& i, std::size_t at, std::size_t length) {
  const std::size_t left = length - at - 1;  // instructions behind this one
  switch (i.code) {
    case format::ld_abs:
      if (i.k >= format::data_bytes)
        return fmt::format("loads byte {}, past the {} bytes of seccomp_data", i.k, format::data_bytes);
      if (i.k % 4 != 0) return fmt::format("loads byte {}, which is not a multiple of 4", i.k);
      return {};
    case format::ld_mem:
    case format::ldx_mem:
    case format::st:
    case format::stx:
      if (i.k >= format::scratch_words) return fmt::format("names scratch word {} of {}", i.k, format::scratch_words);
      return {};
    case format::div_k:
      if (i.k == 0) return "divides by zero";
      return {};
    case format::lsh_k:
    case format::rsh_k:
      if (i.k >= 32) return fmt::format("shifts by {} bits", i.k);
      return {};
    case format::ja:
      if (i.k >= left) return "jumps past the end";
      return {};
    case format::jeq_k:
    case format::jeq_x:
    case format::jgt_k:
    case format::jgt_x:
    case format::jge_k:
    case format::jge_x:
    case format::jset_k:
    case format::jset_x:
      if (i.jt >= left || i.jf >= left) return "jumps past the end";
      return {};
    case format::ld_imm:
    case format::ld_len:
    case format::ldx_imm:
    case format::ldx_len:
    case format::add_k:
    case format::add_x:
    case format::sub_k:
    case format::sub_x:
    case format::mul_k:
    case format::mul_x:
    case format::div_x:
    case format::or_k:
    case format::or_x:
    case format::and_k:
    case format::and_x:
    case format::lsh_x:
    case format::rsh_x:
    case format::neg:
    case format::xor_k:
    case format::xor_x:
    case format::ret_k:
    case format::ret_a:
    case format::tax:
    case format::txa:
      return {};
    default:
      return fmt::format("has code {:#04x}, which seccomp does not take", i.code);
  }
}

/// Scratch memory must be written on every path before it is read. Follows the kernel's own sweep, which is a little
/// stricter than the paths: after a jump nothing is taken as written unless every jump to the place had written it, and
/// a return hands its state to the instruction behind it.
Result check_scratch(const std::vector<CheckedInstruction>& program, std::size_t& where) {
  std::vector<std::uint32_t> incoming(program.size(), 0xffff);
  std::uint32_t written = 0;
  for (where = 0; where < program.size(); ++where) {
    const CheckedInstruction& i = program[where];
    written &= incoming[where];
    if (i.code == format::st || i.code == format::stx) {
      written |= 1u << i.k;
    } else if (i.code == format::ld_mem || i.code == format::ldx_mem) {
      if ((written & 1u << i.k) == 0)
        return fmt::format("reads scratch word {} before it is written on every path", i.k);
    } else if (i.code == format::ja) {
      incoming[where + 1 + i.k] &= written;
      written = 0xffff;
    } else if (is_branch_code(i.code)) {
      incoming[where + 1 + i.jt] &= written;
      incoming[where + 1 + i.jf] &= written;
      written = 0xffff;
    }
  }
  return {};
}

}  // namespace

std::variant<CheckedProgram, Rejected> check_program(std::string_view bytes) {
  if (bytes.empty()) return Rejected{"the filter is empty"};
  if (bytes.size() % format::instruction_bytes != 0)
    return Rejected{fmt::format("{} bytes are not a whole number of {}-byte instructions", bytes.size(),
                                format::instruction_bytes)};
  const std::size_t length = bytes.size() / format::instruction_bytes;
  if (length > format::max_instructions)
    return Rejected{
        fmt::format("{} instructions are more than the {} that the kernel takes", length, format::max_instructions)};

  CheckedProgram out;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
  for (std::size_t n = 0; n < length; ++n) {
    const std::size_t b = n * format::instruction_bytes;
    out.instructions.push_back({static_cast<std::uint16_t>(byte(b) | byte(b + 1) << 8),
                                static_cast<std::uint8_t>(byte(b + 2)), static_cast<std::uint8_t>(byte(b + 3)),
                                byte(b + 4) | byte(b + 5) << 8 | byte(b + 6) << 16 | byte(b + 7) << 24});
  }
  for (std::size_t n = 0; n < length; ++n)
    if (const Result wrong = check_one(out.instructions[n], n, length))
      return Rejected{fmt::format("instruction {} {}", n, *wrong)};
  const std::uint16_t last = out.instructions.back().code;
  if (last != format::ret_k && last != format::ret_a)
    return Rejected{fmt::format("instruction {}, the last, is not a return", length - 1)};
  std::size_t where = 0;
  if (const Result wrong = check_scratch(out.instructions, where))
    return Rejected{fmt::format("instruction {} {}", where, *wrong)};
  return out;
}

}  // namespace agp::backends::seccomp
