// Every effective mask that can be tried without harm, on the running kernel: bits above the mask must change nothing,
// and where the table says that all 64 bits count, a high bit must change something.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <bit>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "compiler/linux/syscalls.hpp"
#include "tests/unit/linux/mask_trials.hpp"

namespace agp::linux {
namespace trials {

long in_child(const std::function<long()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return not_here;
  const pid_t child = fork();
  if (child == 0) {
    const long result = body();
    _exit(write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
  }
  close(ends[1]);
  long result = not_here;
  const bool answered = read(ends[0], &result, sizeof result) == sizeof result;
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return answered ? result : not_here;
}

const std::string& directory() {
  static const struct Directory {
    Directory() {
      path = testing::TempDir() + "agp-masks-XXXXXX";
      if (!mkdtemp(path.data())) std::abort();
    }
    ~Directory() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    std::string path;
  } own;
  return own.path;
}

std::string fresh_path() {
  static int n = 0;
  return directory() + "/" + std::to_string(n++);
}

}  // namespace trials

namespace {

using trials::Trial;

std::vector<Trial> all_trials() {
  std::vector<Trial> all;
  for (auto* part : {trials::file_trials, trials::memory_trials, trials::process_trials, trials::socket_trials})
    for (Trial& trial : part()) all.push_back(std::move(trial));
  return all;
}

/// Tries one row; false where it can't be tried here.
bool try_mask(const Trial& trial, const Argument& argument) {
  const long base = trial.outcome(trial.value);
  if (base == trials::not_here) return false;
  const std::uint64_t mask = argument.effective_mask;
  if (trial.contrast != trial.value) {
    EXPECT_NE(trial.outcome(trial.contrast), base) << "the outcome does not depend on the argument";
  }
  if (mask == ~0ull) {
    EXPECT_NE(trial.outcome(trial.value | 1ull << 32), base) << "bit 32 changed nothing";
    return true;
  }
  const std::uint64_t lowest = mask + 1;
  for (const std::uint64_t high :
       std::initializer_list<std::uint64_t>{lowest, lowest << 1, 1ull << 32, 1ull << 63, ~mask})
    EXPECT_EQ(trial.outcome(trial.value | high), base) << "with " << std::hex << high;
  return true;
}

TEST(Masks, OnTheRunningKernel) {
  unsigned tried = 0, skipped = 0;
  for (const Trial& trial : all_trials()) {
    SCOPED_TRACE(std::string(trial.call) + " " + trial.argument);
    const Syscall* call = find_syscall(Arch::x86_64, std::string_view{trial.call});
    ASSERT_NE(call, nullptr);
    const auto index = find_argument(*call, trial.argument);
    ASSERT_TRUE(index);
    const Argument& argument = call->arguments[*index];
    ASSERT_TRUE(argument.classified && !argument.pointer);
    const bool done = try_mask(trial, argument);
    ++(done ? tried : skipped);
    std::cout << trial.call << ' ' << trial.argument << ": " << std::popcount(argument.effective_mask) << " bits"
              << (done ? "" : ", skipped: missing or not permitted here") << '\n';
  }
  std::cout << tried << " masks tried, " << skipped << " skipped\n";
  EXPECT_GE(tried, 40u);
}

/// A mask that the declared type does not give is a claim about the kernel's code: each has its trial.
TEST(Masks, EveryNarrowedArgumentHasATrial) {
  std::set<std::pair<std::string, std::string>> trials;
  for (const Trial& trial : all_trials()) trials.insert({trial.call, trial.argument});
  std::ifstream table(std::string(AGP_SOURCE_DIR) + "/tools/data/masks.tsv");
  ASSERT_TRUE(table);
  unsigned rows = 0;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    std::string call, argument, bits;
    fields >> call >> argument >> bits;
    if (bits == "?") continue;
    ++rows;
    EXPECT_TRUE(trials.contains({call, argument})) << call << ' ' << argument;
  }
  EXPECT_GE(rows, 25u);
}

}  // namespace
}  // namespace agp::linux
