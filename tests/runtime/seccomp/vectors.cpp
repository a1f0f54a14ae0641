// vectors MACHINE ARCHS COUNT FOLDER: filters for a machine (`x86_64`), made for the architectures ARCHS
// (`x86_64,i386`), and calls of its last architecture with what the filter must answer. Writes FOLDER/N.bpf and
// FOLDER/N.txt (foreign.c says what a line is). The answers come from the tests' interpreter, and must agree with the
// policy's decision.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "backends/seccomp/emit/emit.hpp"
#include "compiler/linux/syscalls.hpp"
#include "tests/support/bpf.hpp"
#include "tests/support/policies.hpp"

namespace {

using namespace agp;
using Arguments = std::array<std::uint64_t, 6>;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "vectors: %s\n", what);
  std::exit(1);
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string one; std::getline(in, one, ',');) out.push_back(one);
  return out;
}

/// Every call of the architecture, those that the policy speaks of at and around its constants, and numbers of none.
std::vector<std::pair<std::uint32_t, Arguments>> calls(const model::Policy& policy, linux::Arch arch,
                                                       std::mt19937_64& random) {
  std::vector<std::pair<std::uint32_t, Arguments>> out;
  for (const linux::Syscall& call : linux::syscalls(arch)) {
    if (call.name == "uretprobe" || call.name == "uprobe") continue;  // they never ask a filter
    if (call.name == "seccomp") continue;                             // the outer filter's own
    out.push_back({call.number, {}});
    bool spoken = false;
    for (const auto& rule : policy.rules)
      if (const auto* body = std::get_if<model::SyscallBody>(&rule.body))
        for (const auto& p : body->patterns) spoken = spoken || p.pattern.name == call.name;
    if (!spoken) continue;
    for (const Arguments& a : test::boundary_arguments(policy, std::string(call.name), random, 12))
      out.push_back({call.number, a});
  }
  for (const std::uint32_t number : {600u, 1000u, 0x3fffffffu}) out.push_back({number, {}});
  return out;
}

void write(const model::Policy& policy, const std::string& machine, const std::vector<std::string>& archs,
           const std::string& stem, std::mt19937_64& random) {
  model::Target target = test::debian12();
  target.archs = archs;
  target.stack = "launcher";
  const auto emitted = backends::seccomp::emit_filter(policy, target);
  if (!emitted.problems.empty()) fail(emitted.problems.front().message.c_str());
  const std::string path = "seccomp/filter." + machine + ".bpf";
  const linux::Arch arch = linux::find_arch(archs.back()).value();
  for (const auto& artifact : emitted.artifacts) {
    if (artifact.path != path) continue;
    std::ofstream(stem + ".bpf", std::ios::binary) << artifact.bytes;
    const test::Bpf program = test::bpf_from_bytes(artifact.bytes);
    std::ofstream out(stem + ".txt");
    out << std::hex;
    for (const auto& [number, a] : calls(policy, arch, random)) {
      const std::uint32_t word = test::bpf_run(program, test::CallData(linux::audit_arch(arch), number, a)).result;
      const linux::Syscall* call = linux::find_syscall(arch, number);
      const bool allowed =
          call && model::decide(policy, model::SyscallAction{std::string(call->name), a, arch}).decision ==
                      model::Decision::Allow;
      const bool exists = !call || model::KernelVersion{call->since.major, call->since.minor} <= target.kernel;
      if (exists && allowed != (word == 0x7fff0000)) fail("the filter and the policy disagree");
      out << number;
      for (const std::uint64_t value : a) out << ' ' << value;
      out << ' ' << word << '\n';
    }
    return;
  }
  fail("no filter for this machine");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) fail("MACHINE ARCHS COUNT FOLDER");
  std::mt19937_64 random(7);
  for (int n = 0; n < std::atoi(argv[3]); ++n)
    write(test::random_policy(random, 2 + n % 8), argv[1], split(argv[2]),
          std::string(argv[4]) + "/" + std::to_string(n), random);
}
