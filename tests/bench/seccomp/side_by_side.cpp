// Each policy of seccomp-bench through agp and through libseccomp, in one table: instructions, means, compile time, and
// whether the filters decide alike. Those policies say `default 1`, and that is what the others compile: EPERM for
// whatever they do not name. (libseccomp also kills numbers of x32 where the policy has none, kafel and minijail do
// not.) agp answers ENOSYS for some of it by itself; "EPERM for all else" is agp's program of the policy as it is
// written there, which the figures to reach are about; its time is without the listing and the source map.
// An argument is a file of counts as `strace -c -U calls,name` writes it: then also the means over those calls.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>

#include "backends/seccomp/backend.hpp"
#include "backends/seccomp/emit/decisions.hpp"
#include "backends/seccomp/emit/dispatch.hpp"
#include "backends/seccomp/emit/emit.hpp"
#include "backends/seccomp/emit/program.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/verify/verify.hpp"
#include "tests/bench/seccomp/answers.hpp"
#include "tests/bench/seccomp/measures.hpp"
#include "tests/bench/seccomp/peers.hpp"
#include "tests/unit/seccomp/oci.hpp"

namespace agp::bench {
namespace {

test::Bpf agp_program(const model::Policy& policy, const model::Target& target) {
  const auto emitted = backends::seccomp::emit_filter(policy, target);
  for (const auto& p : emitted.problems) fmt::print("  problem: {}\n", p.message);
  for (const auto& a : emitted.artifacts)
    if (a.path.ends_with(".bpf")) return test::bpf_from_bytes(a.bytes);
  return {};
}

/// Processor time of this process, in microseconds: other work on the machine does not count.
double now() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

/// The best of several runs, in microseconds.
double microseconds(const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < 60; ++i) {
    const auto start = now();
    work();
    best = std::min(best, now() - start);
  }
  return best;
}

std::map<std::string, std::uint64_t> counts_of(const std::vector<Call>& calls) {
  std::map<std::string, std::uint64_t> out;
  for (const Call& c : calls)
    if (const auto* call = linux::find_syscall(linux::Arch::x86_64, c.number)) out[std::string(call->name)] += c.weight;
  return out;
}

void row(const std::string& policy, const std::string& compiler, const Measures& m, double time) {
  fmt::print("{:<13}{:<26}{:>6}{:>9.2f}{:>9.2f}{:>9.3f}{:>10.0f}{:>9}\n", policy, compiler, m.instructions, m.uniform,
             m.trace, m.cached, time, m.longest_cacheable);
}

/// Calls without arguments, those of the counts that the policy names without conditions.
std::vector<Call> calls_of(const Policy& policy, const std::map<std::string, std::uint64_t>& counts) {
  std::vector<Call> out;
  for (const Line& line : policy.lines)
    if (const auto it = counts.find(line.call); it != counts.end() && line.allow && line.tests.empty())
      if (const auto* call = linux::find_syscall(linux::Arch::x86_64, line.call))
        out.push_back({it->second, call->number, test::x86_64_arch, {}});
  return out;
}

/// The policy as it is written: its default for everything that it does not name.
test::Bpf as_written(const Policy& policy, const model::Policy& model, const model::Target& target) {
  using backends::seccomp::Diagram;
  auto decisions = backends::seccomp::decide_calls(model, target, {}, backends::seccomp::WordChoice::Cheapest);
  const auto refusal = Diagram::leaf(0x50000u | static_cast<std::uint32_t>(policy.default_errno));
  decisions.no_call = refusal;
  for (auto& arch : decisions.archs)
    for (auto& call : arch.calls)
      if (call.rules.empty()) call.root = refusal;
  test::Bpf out;
  for (const auto& i : backends::seccomp::assemble(decisions, target).instructions)
    out.push_back({i.code, i.yes, i.no, i.k});
  return out;
}

/// The OCI profile, and what libseccomp makes of it with runc's own prefix.
void profile(const std::string& name, const model::Policy& model, const model::Target& target) {
  for (const auto& a : backends::seccomp::emit(model, target).artifacts) {
    if (a.path != "seccomp/profile.json") continue;
    const auto json = nlohmann::json::parse(a.bytes);
    std::size_t conditions = 0;
    for (const auto& e : json["syscalls"]) conditions += e.contains("args") ? e["args"].size() : 0;
    fmt::print("{:<13}OCI profile: {} entries, {} conditions, {} instructions by libseccomp\n", name,
               json["syscalls"].size(), conditions, test::runc_program(a.bytes).size());
  }
}

/// What the verifier says of the program (of what it permits alone, where it is `as_written`), and how many calls that
/// always run the kernel can't answer from its bitmaps.
void proofs(const Policy& policy, const model::Policy& model, const model::Target& target, const test::Bpf& program,
            bool written = false) {
  const backends::Artifact artifact{"seccomp/filter.x86_64.bpf", test::bpf_to_bytes(program)};
  const auto decoded = backends::seccomp::backend().decode({&artifact, 1}, target);
  std::size_t obligations = 0, proved = 0, always = 0, uncached = 0;
  for (const auto& o : verify::verify_filters(model, target, {}, decoded)) {
    if (written && o.direction != verify::Direction::Excess && o.direction != verify::Direction::Loss) continue;
    ++obligations;
    proved += o.verdict.word() == "proved";
  }
  for (const std::string& name : target.archs) {
    const linux::Arch arch = *linux::find_arch(name);
    if (arch == linux::Arch::x32) continue;  // in no bitmap
    for (const Line& line : policy.lines)
      if (const auto* call = linux::find_syscall(arch, line.call);
          call != nullptr && line.allow && line.tests.empty()) {
        ++always;
        uncached += !test::constant_allow(program, linux::audit_arch(arch), call->number);
      }
  }
  fmt::print("{:<13}{} of {} obligations proved; {} of {} calls that always run are not cacheable\n", policy.name,
             proved, obligations, uncached, always);
}

/// How few `<` and `==` tests can tell the outcomes of x86_64's numbers apart, in a tree or sharing whatever they like:
/// between two numbers with different outcomes that no equality takes out stands a `<` of its own. Each range is kept
/// or, where it is one number, taken out.
std::size_t fewest_compares(const backends::seccomp::Section& s) {
  using Ref = backends::seccomp::Diagram::Ref;
  std::map<Ref, std::size_t> best;  // by the outcome of the last kept range
  for (std::size_t r = 0; r < s.ranges.size(); ++r) {
    const auto& range = s.ranges[r];
    std::map<Ref, std::size_t> next;
    const auto offer = [&](Ref last, std::size_t tests) {
      const auto it = next.try_emplace(last, tests).first;
      it->second = std::min(it->second, tests);
    };
    if (r == 0) offer(range.to, 0);
    for (const auto& [last, tests] : best) {
      offer(range.to, tests + (last == range.to ? 0 : 1));
      if (range.first == range.last) offer(last, tests + 1);
    }
    best = std::move(next);
  }
  std::size_t out = ~std::size_t{0};
  for (const auto& [last, tests] : best) out = std::min(out, tests);
  return out;
}

void bound(const std::string& name, const model::Policy& model, const model::Target& target) {
  const auto decisions = backends::seccomp::decide_calls(model, target, {}, backends::seccomp::WordChoice::Cheapest);
  const auto sections = backends::seccomp::sections(decisions, backends::seccomp::Weights(target));
  fmt::print(
      "{:<13}{} `<` and `==` tests at least tell x86_64's numbers apart; the tree has {} tests, before they are "
      "joined\n",
      name, fewest_compares(sections.front()), sections.front().tree.tests.size());
}

bool compare(const std::string& name, const std::map<std::string, std::uint64_t>& others) {
  const auto policy = read_policy(name);
  if (!policy) return false;
  const auto uniform = read_calls(name, "uni"), trace = read_calls(name, "trace");
  test::Bpf peers[2];
  for (const unsigned optimize : {1u, 2u}) {
    test::Bpf& program = peers[optimize - 1];
    const double time = microseconds([&] { program = libseccomp_program(*policy, optimize); });
    row(name, optimize == 1 ? "libseccomp" : "libseccomp, optimize 2", measure(program, uniform, trace), time);
  }
  const model::Policy model = as_model(*policy);
  model::Target target = newest(*policy);
  const auto agp = [&](const std::string& weights, const std::map<std::string, std::uint64_t>& counts) {
    target.syscall_counts = counts;
    test::Bpf program;
    const double time = microseconds([&] { program = agp_program(model, target); });
    row(name, "agp, " + weights, measure(program, uniform, trace), time);
    proofs(*policy, model, target, program);
    test::Bpf written;
    const double short_time = microseconds([&] { written = as_written(*policy, model, target); });
    row(name, "  EPERM for all else", measure(written, uniform, trace), short_time);
    proofs(*policy, model, target, written, true);
    return program;
  };
  const test::Bpf by_default = agp("by default", {});
  agp("weighted uniformly", counts_of(uniform));
  agp("weighted by the trace", counts_of(trace));
  if (!others.empty()) {
    const auto calls = calls_of(*policy, others);
    row(name, "agp, default; other calls", measure(by_default, calls, calls), 0);
    target.syscall_counts = others;
    row(name, "agp, weighted; other calls", measure(agp_program(model, target), calls, calls), 0);
  }
  target.syscall_counts = {};
  profile(name, model, target);
  bound(name, model, target);
  for (const test::Bpf& ours : {by_default, as_written(*policy, model, target)})
    for (const test::Bpf& theirs : peers) {
      const Answers a = compare_answers(*policy, ours, theirs);
      fmt::print(
          "{:<13}{} calls compared with libseccomp, {} decided otherwise, {} refused otherwise, {} unknown to it {}\n",
          name, a.compared, a.wrong, a.other_refusals, a.unknown, a.first_wrong);
    }
  return true;
}

}  // namespace
}  // namespace agp::bench

int main(int argc, char** argv) {
  fmt::print("{:<13}{:<26}{:>6}{:>9}{:>9}{:>9}{:>10}{:>9}\n", "policy", "compiler", "insns", "uniform", "trace",
             "cached", "us", "longest");
  const auto others = argc > 1 ? agp::bench::read_counts(argv[1]) : std::map<std::string, std::uint64_t>();
  int missing = 0;
  for (const char* name : {"docker_x64", "docker_multi", "allow60", "args64"})
    if (!agp::bench::compare(name, others)) ++missing;
  if (missing > 0) fmt::print("{} policies skipped: their data are not there\n", missing);
}
