// How the time of `find_conflicts` grows with the rules. For each kind of rules and each N: seconds of processor time,
// the cells, the findings; then the exponent between the ends. Run by hand: agp_bench_analysis [LARGEST].
#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "compiler/analysis/conflicts.hpp"
#include "compiler/linux/syscalls.hpp"

namespace {

using namespace agp;
using namespace agp::model;

std::mt19937_64 random_bits(1);
std::size_t below(std::size_t n) { return random_bits() % n; }
std::uint32_t place = 0;

template <class P>
Placed<P> placed(P pattern, std::string text) {
  place += 2;
  return {std::move(pattern), {0, place, place + 1}, std::move(text)};
}

Effect effect(bool planted) { return planted && below(3) == 0 ? Effect::Deny : Effect::Allow; }

/// Prefixes of /16 to /32 in 10.0.0.0/8 and 2001:db8::/32; ports as policies have them, one in ten any.
RuleBody addresses() {
  NetBody body;
  body.protocols = 1;
  EndpointPattern e;
  const unsigned bits = below(4) == 0 ? 8 + static_cast<unsigned>(below(8)) : static_cast<unsigned>(below(8));
  const std::uint32_t host =
      0x0a000000 | (static_cast<std::uint32_t>(random_bits()) & 0x00ffffff & ~((1u << bits) - 1));
  e.addresses = AddressSet::range(Address::v4(host), Address::v4(host | ((1u << bits) - 1)));
  static constexpr std::uint16_t ports[] = {22, 80, 443, 5432, 6379, 8080, 8443, 9092, 27017, 5000};
  const std::uint16_t port = ports[below(10)];
  e.ports = below(10) == 0 ? PortSet::all() : PortSet::range(port, port);
  body.endpoints.push_back(placed(e, "connect tcp " + to_string(e.addresses.ranges()[0].first)));
  return body;
}

/// Trees of projects: nodes, subtrees, one in five with a wildcard in a component, one in two hundred with `**` inside.
RuleBody globs() {
  FileBody body;
  body.verbs = below(2) == 0 ? verbs_read : static_cast<Verbs>(verbs_read | verbs_write);
  std::string path;
  const auto name = [&](const char* stem, std::size_t n) { return stem + std::to_string(below(n)); };
  PathPattern pattern = path_node("/srv/" + name("team", 200) + "/" + name("project", 50) + "/" + name("part", 20));
  const auto add = [&](std::vector<PathToken> tokens) { pattern.components.push_back({false, {std::move(tokens)}}); };
  const std::size_t shape = below(200);
  if (shape == 0) pattern.components.insert(pattern.components.begin() + 2, {true, {}});
  if (shape < 40) {
    std::vector<PathToken> tokens = {{PathToken::Kind::AnyRun, 0}};
    for (const char c : std::string(".") + static_cast<char>('a' + below(6)))
      tokens.push_back({PathToken::Kind::Literal, c});
    add(tokens);
  } else if (shape < 140) {
    pattern.components.push_back({true, {}});
  }
  for (const auto& c : pattern.components) {
    pattern.text += '/';
    if (c.any_depth) pattern.text += "**";
    if (!c.any_depth)
      for (const auto& t : c.alternatives[0]) pattern.text += t.kind == PathToken::Kind::Literal ? t.byte : '*';
  }
  body.patterns.push_back(placed(pattern, "read \"" + pattern.text + "\""));
  return body;
}

RuleBody calls() {
  SyscallBody body;
  const auto all = linux::syscalls(linux::Arch::x86_64);
  SyscallPattern p;
  p.name = all[below(all.size())].name;
  if (below(3) > 0) {
    ArgTest t;
    t.index = static_cast<int>(below(2));
    t.op = below(4) == 0 ? ArgTest::Op::Masked : below(2) == 0 ? ArgTest::Op::Eq : ArgTest::Op::Le;
    t.mask = std::uint64_t{1} << below(6);
    t.values = {t.op == ArgTest::Op::Masked ? 0 : below(4096)};
    p.tests.push_back(t);
  }
  body.patterns.push_back(placed(p, p.name));
  return body;
}

RuleBody mixed() {
  const std::size_t kind = below(3);
  return kind == 0 ? addresses() : kind == 1 ? globs() : calls();
}

double seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<double>(use.ru_utime.tv_sec) + static_cast<double>(use.ru_utime.tv_usec) / 1e6 +
         static_cast<double>(use.ru_stime.tv_sec) + static_cast<double>(use.ru_stime.tv_usec) / 1e6;
}

double run(const std::function<RuleBody()>& make, std::size_t rules, bool planted, std::size_t& findings) {
  Policy policy;
  policy.name = "bench";
  for (std::size_t r = 0; r < rules; ++r) {
    Rule rule;
    rule.effect = effect(planted);
    rule.body = make();
    rule.because = "bench";
    policy.rules.push_back(std::move(rule));
  }
  diagnostics::Sink sink;
  const double start = seconds();
  if (!analysis::find_conflicts(policy, analysis::Space(policy), 0, sink)) std::printf("undecided: ");
  findings = sink.all().size();
  return seconds() - start;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t largest = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const std::pair<const char*, std::function<RuleBody()>> kinds[] = {
      {"addresses", addresses}, {"globs", globs}, {"calls", calls}, {"mixed", mixed}};
  for (const bool planted : {false, true})
    for (const auto& [name, make] : kinds) {
      std::vector<std::pair<double, double>> line;
      std::string text = std::string(name) + (planted ? ", with denies" : "") + ":";
      for (std::size_t rules = 100; rules <= largest; rules *= 10) {
        // the largest stands for files of a thousand rules each
        const std::size_t parts = rules > 10'000 ? rules / 1000 : 1;
        double time = 0;
        std::size_t findings = 0, all = 0;
        for (std::size_t part = 0; part < parts; ++part, all += findings)
          time += run(make, rules / parts, planted, findings);
        line.emplace_back(static_cast<double>(rules), time);
        char buffer[80];
        std::snprintf(buffer, sizeof buffer, " %zu: %.3f s (%zu findings)", rules, time, all);
        text += buffer;
      }
      const auto& first = line[1];
      const auto& last = line.back();
      rusage use{};
      getrusage(RUSAGE_SELF, &use);
      std::printf("result: %s; exponent from 1,000: %.2f; %ld MiB at most\n", text.c_str(),
                  std::log(last.second / first.second) / std::log(last.first / first.first), use.ru_maxrss / 1024);
      std::fflush(stdout);
    }
}
