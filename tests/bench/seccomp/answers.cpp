#include "tests/bench/seccomp/answers.hpp"

#include <fmt/format.h>

#include <random>
#include <set>

#include "compiler/linux/syscalls.hpp"
#include "tests/bench/seccomp/peers.hpp"

namespace agp::bench {
namespace {

constexpr std::uint32_t allow = 0x7fff0000, x32_bit = 0x40000000;

/// Not a call that is newer than this libseccomp.
bool known(std::uint32_t audit_arch, std::uint32_t number) {
  for (const linux::Arch arch : {linux::Arch::x86_64, linux::Arch::i386, linux::Arch::x32})
    if (linux::audit_arch(arch) == audit_arch)
      if (linux::find_syscall(arch, number) != nullptr) return libseccomp_knows(arch, number);
  return true;
}

/// The values that decide a comparison, and their neighbours.
void near(const Comparison& c, std::set<std::uint64_t>& out) {
  const std::uint64_t v = c.op == "MEQ" ? c.second : c.value;
  for (const std::uint64_t delta : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) out.insert(v + delta);
  if (c.op == "MEQ")
    for (int bit = 0; bit < 64; ++bit)
      if ((c.value >> bit & 1) != 0) out.insert(v ^ std::uint64_t{1} << bit);
  out.insert(c.value);
  out.insert(v | std::uint64_t{1} << 32);
}

class Comparer {
 public:
  Comparer(const test::Bpf& ours, const test::Bpf& theirs) : ours_(ours), theirs_(theirs) {}
  void call(std::uint32_t arch, std::uint32_t number, const std::array<std::uint64_t, 6>& arguments) {
    const test::CallData data(arch, number, arguments);
    const std::uint32_t a = test::bpf_run(ours_, data).result, b = test::bpf_run(theirs_, data).result;
    ++out_.compared;
    if (a == b) return;
    if (a != allow && b != allow) {
      ++out_.other_refusals;
      return;
    }
    if (out_.wrong++ == 0)
      out_.first_wrong = fmt::format("call {} of {:#x} ({:#x}, {:#x}, {:#x}): {:#x} and {:#x}", number, arch,
                                     arguments[0], arguments[1], arguments[2], a, b);
  }
  void unknown() { ++out_.unknown; }
  Answers run() { return std::move(out_); }

 private:
  const test::Bpf &ours_, &theirs_;
  Answers out_;
};

/// Combinations of deciding values for the calls that have conditions.
void boundaries(const Policy& policy, linux::Arch arch, Comparer& to) {
  std::map<std::string, std::array<std::set<std::uint64_t>, 6>> values;
  for (const Line& line : policy.lines)
    for (const Comparison& c : line.tests) near(c, values[line.call][c.argument]);
  std::mt19937_64 random(1);
  for (auto& [name, sets] : values) {
    const linux::Syscall* call = linux::find_syscall(arch, name);
    if (call == nullptr) continue;
    for (int n = 0; n < 500; ++n) {
      std::array<std::uint64_t, 6> arguments{};
      for (std::size_t i = 0; i < 6; ++i) {
        sets[i].insert({0, ~std::uint64_t{0}});
        auto it = sets[i].begin();
        std::advance(it, static_cast<std::ptrdiff_t>(random() % sets[i].size()));
        arguments[i] = *it & call->arguments[i].effective_mask;
      }
      to.call(linux::audit_arch(arch), call->number, arguments);
    }
  }
}

}  // namespace

Answers compare_answers(const Policy& policy, const test::Bpf& ours, const test::Bpf& theirs) {
  Comparer out(ours, theirs);
  for (const char* kind : {"uni", "trace"})
    for (const Call& c : read_calls(policy.name, kind))
      if (known(c.arch, c.number))
        out.call(c.arch, c.number, c.arguments);
      else
        out.unknown();
  for (const auto& name : policy.archs) {
    const linux::Arch arch = *linux::find_arch(name == "x86" ? "i386" : name);
    const std::uint32_t bits = arch == linux::Arch::x32 ? x32_bit : 0;
    for (std::uint32_t number = 0; number <= 600; ++number) {
      if (known(linux::audit_arch(arch), number | bits))
        out.call(linux::audit_arch(arch), number | bits, {});
      else
        out.unknown();
    }
    for (const std::uint32_t number : {x32_bit - 1, x32_bit, x32_bit + 59, 0x7fffffffu, 0x80000000u, 0xffffffffu})
      out.call(linux::audit_arch(arch), number, {});
    boundaries(policy, arch, out);
  }
  out.call(0xc00000b7, 0, {});  // another machine's
  return out.run();
}

}  // namespace agp::bench
