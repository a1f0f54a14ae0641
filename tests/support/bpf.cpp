#include "tests/support/bpf.hpp"

#include <cstring>

namespace agp::test {

Bpf bpf_from_bytes(std::string_view bytes) {
  Bpf out(bytes.size() / sizeof(Insn));
  static_assert(sizeof(Insn) == 8);
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(Insn));
  return out;
}

std::string bpf_to_bytes(const Bpf& program) {
  return {reinterpret_cast<const char*>(program.data()), program.size() * sizeof(Insn)};
}

CallData::CallData(std::uint32_t arch, std::uint32_t number, const std::array<std::uint64_t, 6>& arguments,
                   std::uint64_t instruction_pointer) {
  words[0] = number;
  words[1] = arch;
  words[2] = static_cast<std::uint32_t>(instruction_pointer);
  words[3] = static_cast<std::uint32_t>(instruction_pointer >> 32);
  for (unsigned i = 0; i < 6; ++i) {
    words[4 + 2 * i] = static_cast<std::uint32_t>(arguments[i]);
    words[5 + 2 * i] = static_cast<std::uint32_t>(arguments[i] >> 32);
  }
}

BpfRun bpf_run(const Bpf& program, const CallData& data) {
  std::uint32_t a = 0, x = 0, m[16]{};
  BpfRun run;
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const Insn& i = program[pc];
    ++run.steps;
    const unsigned klass = i.code & 0x07, mode = i.code & 0xe0, operation = i.code & 0xf0;
    const std::uint32_t source = (i.code & 0x08) != 0 ? x : i.k;
    switch (klass) {
      case 0:
      case 1: {  // BPF_LD, BPF_LDX
        std::uint32_t& into = klass == 0 ? a : x;
        if (mode == 0x20)
          into = data.words[i.k / 4];  // BPF_ABS
        else if (mode == 0x60)
          into = m[i.k];  // BPF_MEM
        else if (mode == 0x80)
          into = 64;  // BPF_LEN
        else
          into = i.k;  // BPF_IMM
        break;
      }
      case 2:
        m[i.k] = a;
        break;
      case 3:
        m[i.k] = x;
        break;
      case 4:
        switch (operation) {
          case 0x00:
            a += source;
            break;
          case 0x10:
            a -= source;
            break;
          case 0x20:
            a *= source;
            break;
          case 0x30:
            if (source == 0) return {0, pc, run.steps};
            a /= source;
            break;
          case 0x40:
            a |= source;
            break;
          case 0x50:
            a &= source;
            break;
          case 0x60:
            a <<= source % 32;
            break;
          case 0x70:
            a >>= source % 32;
            break;
          case 0x80:
            a = ~a + 1;
            break;
          case 0xa0:
            a ^= source;
            break;
        }
        break;
      case 5: {
        bool taken = false;
        switch (operation) {
          case 0x00:
            pc += i.k;
            continue;
          case 0x10:
            taken = a == source;
            break;
          case 0x20:
            taken = a > source;
            break;
          case 0x30:
            taken = a >= source;
            break;
          case 0x40:
            taken = (a & source) != 0;
            break;
        }
        pc += taken ? i.jt : i.jf;
        break;
      }
      case 6:
        run.result = (i.code & 0x18) == 0x10 ? a : i.k;
        run.last = pc;
        return run;
      case 7:
        ((i.code & 0x80) != 0 ? a : x) = (i.code & 0x80) != 0 ? x : a;
        break;
    }
  }
  return run;
}

bool constant_allow(const Bpf& program, std::uint32_t arch, std::uint32_t number) {
  std::uint32_t a = 0;
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const Insn& i = program[pc];
    bool taken = false;
    switch (i.code) {
      case 0x20:
        if (i.k != 0 && i.k != 4) return false;
        a = i.k == 0 ? number : arch;
        continue;
      case 0x06:
        return i.k == 0x7fff0000;
      case 0x05:
        pc += i.k;
        continue;
      case 0x54:
        a &= i.k;
        continue;
      case 0x15:
        taken = a == i.k;
        break;
      case 0x25:
        taken = a > i.k;
        break;
      case 0x35:
        taken = a >= i.k;
        break;
      case 0x45:
        taken = (a & i.k) != 0;
        break;
      default:
        return false;
    }
    pc += taken ? i.jt : i.jf;
  }
  return false;
}

}  // namespace agp::test
