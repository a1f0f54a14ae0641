// What a filter costs in the running kernel: an allowed call, one that depends on its arguments, a denied one; without
// a filter, with agp's, with libseccomp's of the same policy. One process for each filter; they take turns, so that
// what disturbs one run disturbs them all. Prints the median of the turns, in nanoseconds a call, and the time to load.
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "backends/seccomp/emit/emit.hpp"
#include "tests/bench/seccomp/peers.hpp"
#include "tests/bench/seccomp/policies.hpp"

namespace agp::bench {
namespace {

constexpr std::size_t rounds = 20;
constexpr int calls = 2'000, turns = 100;  // a turn is shorter than a time slice

struct Kind {
  const char* name;
  long number;
  unsigned long argument;
};

double now() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double load(const test::Bpf& program) {
  static_assert(sizeof(test::Insn) == sizeof(sock_filter));
  const sock_fprog all{static_cast<unsigned short>(program.size()),
                       reinterpret_cast<sock_filter*>(const_cast<test::Insn*>(program.data()))};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const double start = now();
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) != 0) _exit(2);
  return now() - start;
}

double one_turn(const Kind& kind) {
  const double start = now();
  for (int i = 0; i < calls; ++i) syscall(kind.number, kind.argument);
  return (now() - start) / calls;
}

/// A process with a filter that measures when it is told to.
class Runner {
 public:
  Runner(std::string name, test::Bpf program) : name_(std::move(name)) {
    int ask[2], answer[2];
    if (pipe(ask) != 0 || pipe(answer) != 0 || (pid_ = fork()) < 0) std::abort();
    if (pid_ == 0) {
      close(ask[1]);
      close(answer[0]);
      double time = program.empty() ? 0 : load(program);
      write(answer[1], &time, sizeof time);
      for (Kind kind{}; read(ask[0], &kind, sizeof kind) == sizeof kind && kind.number >= 0;) {
        time = one_turn(kind);
        write(answer[1], &time, sizeof time);
      }
      _exit(0);
    }
    close(ask[0]);
    close(answer[1]);
    ask_ = ask[1];
    answer_ = answer[0];
    load_time_ = result();
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner() {
    // Closing the pipe would not do: runners that were made later hold its end too.
    const Kind stop{nullptr, -1, 0};
    write(ask_, &stop, sizeof stop);
    close(ask_);
    close(answer_);
    waitpid(pid_, nullptr, 0);
  }
  double measure(const Kind& kind) const {
    write(ask_, &kind, sizeof kind);
    return result();
  }
  const std::string& name() const { return name_; }
  double load_time() const { return load_time_; }

 private:
  double result() const {
    double time = -1;
    return read(answer_, &time, sizeof time) == sizeof time ? time : -1;
  }
  static void write(int to, const void* data, std::size_t size) {
    if (::write(to, data, size) != static_cast<ssize_t>(size)) _exit(3);
  }

  std::string name_;
  pid_t pid_ = -1;
  int ask_ = -1, answer_ = -1;
  double load_time_ = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

test::Bpf agp_program(const Policy& policy) {
  for (const auto& a : backends::seccomp::emit_filter(as_model(policy), newest(policy)).artifacts)
    if (a.path.ends_with(".bpf")) return test::bpf_from_bytes(a.bytes);
  return {};
}

void compare(const Policy& policy, const std::vector<Kind>& kinds) {
  const std::vector<std::pair<std::string, test::Bpf>> programs = {
      {"no filter", {}},
      {"agp", agp_program(policy)},
      {"libseccomp", libseccomp_program(policy, 1)},
      {"libseccomp, optimize 2", libseccomp_program(policy, 2)}};
  std::vector<std::vector<double>> loads(programs.size());
  std::vector<std::vector<std::vector<double>>> times(programs.size(), std::vector<std::vector<double>>(kinds.size()));
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<std::unique_ptr<Runner>> runners(programs.size());
    for (std::size_t n = 0; n < programs.size(); ++n) {  // each is loaded first, second, … as often as the others
      const std::size_t r = (round + n) % programs.size();
      runners[r] = std::make_unique<Runner>(programs[r].first, programs[r].second);
    }
    for (std::size_t r = 0; r < runners.size(); ++r) loads[r].push_back(runners[r]->load_time());
    for (int turn = 0; turn < turns / static_cast<int>(rounds); ++turn)
      for (std::size_t k = 0; k < kinds.size(); ++k)
        for (std::size_t r = 0; r < runners.size(); ++r) times[r][k].push_back(runners[r]->measure(kinds[k]));
  }
  for (std::size_t r = 0; r < programs.size(); ++r) {
    fmt::print("{:<13}{:<24}{:>6}", policy.name, programs[r].first, programs[r].second.size());
    for (const auto& k : times[r]) fmt::print("{:>13.1f}", median(k));
    fmt::print("{:>12.0f}\n", median(loads[r]) / 1000);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace agp::bench

int main() {
  using namespace agp::bench;
  fmt::print("{:<13}{:<24}{:>6}{:>13}{:>13}{:>13}{:>12}\n", "policy", "filter", "insns", "allowed ns", "argument ns",
             "denied ns", "load us");
  // getppid; personality(query), prctl(PR_GET_DUMPABLE); nfsservctl, which no kernel has had for long and no policy
  // allows
  const std::vector<Kind> docker = {{"allowed", 110, 0}, {"argument", 135, 0xffffffff}, {"denied", 180, 0}};
  const std::vector<Kind> args = {{"allowed", 110, 0}, {"argument", 157, 3}, {"denied", 180, 0}};
  for (const char* name : {"docker_x64", "docker_multi", "args64"}) {
    const auto policy = read_policy(name);
    if (policy)
      compare(*policy, policy->name == "args64" ? args : docker);
    else
      fmt::print("{} skipped: its data are not there\n", name);
  }
}
