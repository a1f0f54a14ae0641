// Text -> model, as a whole process: how long and with how much memory, at several sizes.
//
//   agp_bench_front_end            the table: each row is a process of its own
//   agp_bench_front_end RULES N    one process: a policy of that many rules; N 0: only its text is made, 1: it is
//   parsed,
//                                  2: parsed and resolved
//
// Time is that of the processor, user and system together, the best of five runs. Memory is the largest resident set
// less that of a process that only made the text and one that parsed an empty policy: what the input costs.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "compiler/sema/sema.hpp"

namespace {

using namespace agp;

/// Rules of every block in the proportions of a large policy, 270 bytes each on average.
std::string policy(int rules) {
  std::string out;
  out.reserve(300 + 300 * static_cast<std::size_t>(rules));
  out += "agp 1\n\n/// Made for a measurement.\npolicy large {\n  owner \"platform\"\n  file {\n";
  const int files = rules / 2, nets = rules * 3 / 10, calls = rules - files - nets;
  static constexpr const char* verbs[] = {"read", "write", "read, write", "exec"};
  for (int i = 0; i < files; ++i)
    out += fmt::format(
        "    {} {} \"/srv/tenants/t{:05}/workspace/projects/**\", \"/srv/tenants/t{:05}/cache/objects/*.bin\"\n"
        "      except \"/srv/tenants/t{:05}/workspace/projects/.git/hooks/**\"\n"
        "      because \"tenant {} of the platform keeps its work there, and nothing else is ever kept anywhere in "
        "there\"\n",
        i % 3 == 0 ? "deny" : "allow", verbs[i % 4], i, i, i, i);
  out += "  }\n  net {\n";
  for (int i = 0; i < nets; ++i)
    out += fmt::format(
        "    {} connect tcp [10.{}.{}.0/24, 192.168.{}.1-192.168.{}.9]:[443, 8000-8{:03}]\n"
        "      except 10.{}.{}.{}:443\n"
        "      as \"gateway {}\" because \"the service {} is asked by every task that the platform runs for a "
        "tenant\"\n",
        i % 4 == 0 ? "deny" : "allow", i / 200 % 250, i % 200, i % 250, i % 250, i % 1000, i / 200 % 250, i % 200,
        i % 250, i, i);
  out += "  }\n  syscall {\n    allow @default\n";
  static constexpr const char* conditions[] = {"socket(domain == AF_UNIX)", "ioctl(cmd in [0x5401, 0x5413])",
                                               "prctl(option == PR_SET_NAME)", "clone(flags & 0x7e020000 == 0)",
                                               "fcntl(cmd != F_SETOWN)"};
  for (int i = 0; i < calls; ++i)
    out += fmt::format(
        "    allow {}\n      because \"call {}: measured with the footprint of the interpreter, kept as narrow as this "
        "program allows on every architecture, and looked at again when either one of the two is changed by "
        "anybody\"\n",
        conditions[i % 5], i);
  return out + "  }\n}\n";
}

struct NoFiles final : sema::ModuleSource {
  std::optional<source::FileId> load(source::FileId, std::string_view, source::Span, diagnostics::Sink&) override {
    return std::nullopt;
  }
};

int one(int rules, int stage) {
  source::Files files;
  diagnostics::Sink sink;
  std::string text = policy(rules);
  if (stage == 3) text.insert(text.find("allow", text.size() / 2) + 2, "q");
  const auto id = files.add("large.agp", std::move(text));
  if (stage == 1) syntax::parse(files, id, sink);
  if (stage >= 2) {
    NoFiles none;
    const auto unit = sema::analyse(files, id, none, {}, sink);
    if (unit.policies.size() != 1 || unit.policies[0].rules.size() < static_cast<std::size_t>(rules) / 2) return 1;
  }
  return sink.all().size() == (stage == 3 ? 1u : 0u) ? 0 : 1;
}

struct Cost {
  double ms = 0;
  double kib = 0;
};
/// The best of some runs of this program.
Cost run(int rules, int stage) {
  Cost best{1e9, 1e9};
  for (int i = 0; i < 5; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      const std::string r = std::to_string(rules), s = std::to_string(stage);
      execl("/proc/self/exe", "front_end", r.c_str(), s.c_str(), nullptr);
      _exit(127);
    }
    int status = 0;
    rusage used{};
    if (wait4(child, &status, 0, &used) != child || status != 0) {
      std::fprintf(stderr, "the run with %d rules failed\n", rules);
      std::exit(1);
    }
    const auto ms = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
    };
    best.ms = std::min(best.ms, ms(used.ru_utime) + ms(used.ru_stime));
    best.kib = std::min(best.kib, static_cast<double>(used.ru_maxrss));
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3) return one(std::atoi(argv[1]), std::atoi(argv[2]));
  std::printf("%8s %10s | %8s %8s %8s | %8s %8s %8s | %8s\n", "rules", "bytes", "parse", "resolve", "mistake", "parse",
              "resolve", "mistake", "process");
  std::printf("%8s %10s | %8s %8s %8s | %8s %8s %8s | %8s\n", "", "", "ms", "ms", "ms", "B/byte", "B/byte", "B/byte",
              "MiB");
  const Cost empty[] = {run(0, 1), run(0, 2)};
  for (const int rules : {1000, 2000, 4000, 8000, 16000, 32000}) {
    const auto bytes = static_cast<double>(policy(rules).size());
    const Cost parsed = run(rules, 1), resolved = run(rules, 2), mistake = run(rules, 3);
    const auto per_byte = [&](const Cost& c, const Cost& base) { return (c.kib - base.kib) * 1024 / bytes; };
    std::printf("%8d %10.0f | %8.1f %8.1f %8.1f | %8.1f %8.1f %8.1f | %8.1f\n", rules, bytes, parsed.ms, resolved.ms,
                mistake.ms, per_byte(parsed, empty[0]), per_byte(resolved, empty[1]), per_byte(mistake, empty[1]),
                resolved.kib / 1024);
  }
}
