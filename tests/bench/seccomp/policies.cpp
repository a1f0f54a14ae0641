#include "tests/bench/seccomp/policies.hpp"

#include <fstream>
#include <map>
#include <sstream>

#include "compiler/linux/syscalls.hpp"
#include "tests/support/policies.hpp"

namespace agp::bench {
namespace {

linux::Arch arch_of(const std::string& name) { return *linux::find_arch(name == "x86" ? "i386" : name); }

model::ArgTest test_of(const Comparison& c) {
  using Op = model::ArgTest::Op;
  static const std::map<std::string, Op> ops = {{"EQ", Op::Eq}, {"NE", Op::Ne}, {"LT", Op::Lt},
                                                {"LE", Op::Le}, {"GT", Op::Gt}, {"GE", Op::Ge}};
  const int index = static_cast<int>(c.argument);
  return c.op == "MEQ" ? test::masked(index, c.value, c.second) : test::is(index, ops.at(c.op), c.value);
}

}  // namespace

std::optional<Policy> read_policy(const std::string& name) {
  std::ifstream in(std::string(AGP_BENCH_DATA "/") + name + ".ls");
  if (!in) return std::nullopt;
  Policy out;
  out.name = name;
  for (std::string text; std::getline(in, text);) {
    std::istringstream words(text);
    std::string what, action;
    words >> what;
    if (what == "arch") words >> out.archs.emplace_back();
    if (what == "default") words >> out.default_errno;
    if (what != "rule") continue;
    Line line;
    std::size_t count = 0;
    words >> action >> line.call >> count;
    line.allow = action == "ALLOW";
    if (!line.allow) line.errno_value = std::stoi(action.substr(action.find(':') + 1));
    for (Comparison c; count > 0 && words >> c.argument >> c.op >> c.value >> c.second; --count)
      line.tests.push_back(c);
    out.lines.push_back(std::move(line));
  }
  return out;
}

std::vector<Call> read_calls(const std::string& name, const std::string& kind) {
  std::ifstream in(std::string(AGP_BENCH_DATA "/") + name + "." + kind);
  std::vector<Call> out;
  for (Call c; in >> std::dec >> c.weight >> c.number >> c.arch;) {
    in >> std::hex;
    for (auto& argument : c.arguments) in >> argument;
    out.push_back(c);
  }
  return out;
}

std::map<std::string, std::uint64_t> read_counts(const std::string& path) {
  std::map<std::string, std::uint64_t> out;
  std::ifstream in(path);
  std::string name;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::uint64_t count = 0;
    if (words >> count >> name && name != "total") out[name] += count;
  }
  return out;
}

model::Policy as_model(const Policy& policy) {
  model::Policy out;
  out.name = policy.name;
  for (const Line& line : policy.lines) {
    bool known = false;
    for (const auto& arch : policy.archs) known |= linux::find_syscall(arch_of(arch), line.call) != nullptr;
    if (!known) continue;
    std::vector<model::ArgTest> tests;
    for (const Comparison& c : line.tests) tests.push_back(test_of(c));
    test::add_rule(out, line.allow ? model::Effect::Allow : model::Effect::Deny,
                   {test::call(line.call, std::move(tests))}, {},
                   {model::Denial::Kind::Errno, line.allow ? 0 : line.errno_value});
  }
  return out;
}

model::Target newest(const Policy& policy) {
  model::Target out = test::debian12();
  out.kernel = {255, 0};
  out.archs.clear();
  for (const auto& arch : policy.archs) out.archs.emplace_back(linux::to_string(arch_of(arch)));
  return out;
}

}  // namespace agp::bench
