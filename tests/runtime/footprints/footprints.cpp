// footprints NOTHING: makes every row of the table of footprints in the running kernel, each in a process and a
// directory of its own. It must work with nothing in the way; with its calls alone (so that they suffice); not without
// any one of them (so that each is needed); and not without its right, where Landlock has that here.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include "compiler/linux/landlock.hpp"
#include "tests/runtime/footprints/filter.hpp"
#include "tests/runtime/footprints/performers.hpp"

namespace {

using namespace agp;
namespace fs = std::filesystem;

struct Counts {
  int rows = 0, alone = 0, without = 0, rights = 0, skipped = 0, failed = 0;
} counts;

/// The errno of the realisation behind `put_on`, 0 when it was made, -1 when the layer could not be put on.
int perform(const linux::Footprint& row, const std::string& nothing, const std::function<int()>& put_on) {
  char folder[] = "/tmp/agp-footprint.XXXXXX";
  if (!mkdtemp(folder)) return -1;
  const test::World world = test::make_world(folder, nothing);
  const test::Performer& make = test::performers().at(row.name);
  const pid_t pid = fork();
  if (pid == 0) {
    if (chdir(folder) != 0 || put_on() != 0) _exit(255);
    _exit(make(world));  // exit_group; an exec that worked ends with 0 by itself
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  for (int fd = 3; fd < 64; ++fd) close(fd);  // the world's
  fs::remove_all(folder);
  if (!WIFEXITED(status)) return -2;
  return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

void expect(bool holds, const linux::Footprint& row, const std::string& what, int got, int& counter) {
  if (holds) {
    ++counter;
    return;
  }
  ++counts.failed;
  fmt::print("failed: {}: {}: {}\n", row.name, what, got > 0 ? std::strerror(got) : std::to_string(got));
}

/// Landlock's bit of a right, where this kernel's ABI has it.
std::uint64_t landlock_bit(std::string_view right) {
  using namespace linux::landlock;
  static constexpr std::pair<std::string_view, std::uint64_t> bits[] = {{"read", fs_read_file},
                                                                        {"list", fs_read_dir},
                                                                        {"exec", fs_execute},
                                                                        {"open_write", fs_write_file},
                                                                        {"truncate", fs_truncate},
                                                                        {"make_regular", fs_make_reg},
                                                                        {"make_directory", fs_make_dir},
                                                                        {"make_socket", fs_make_sock},
                                                                        {"make_fifo", fs_make_fifo},
                                                                        {"make_symlink", fs_make_sym},
                                                                        {"remove_file", fs_remove_file},
                                                                        {"remove_directory", fs_remove_dir},
                                                                        {"refer", fs_refer},
                                                                        {"connect", fs_resolve_unix}};
  const auto* at = std::find_if(std::begin(bits), std::end(bits), [&](const auto& b) { return b.first == right; });
  const long abi = syscall(444, nullptr, 0, 1);  // landlock_create_ruleset, LANDLOCK_CREATE_RULESET_VERSION
  if (at == std::end(bits) || abi < 1) return 0;
  return at->second & all_rights(Sort::Fs, static_cast<int>(abi));
}

void check(const linux::Footprint& row, const std::string& nothing) {
  const int plain = perform(row, nothing, [] { return 0; });
  if (plain == ENOSYS || plain == EOPNOTSUPP || plain == EPROTONOSUPPORT || plain == EPERM) {
    ++counts.skipped;
    fmt::print("skipped: {}: with nothing in the way: {}\n", row.name, std::strerror(plain));
    return;
  }
  expect(plain == 0, row, "with nothing in the way", plain, counts.rows);
  if (plain != 0) return;
  const int alone = perform(row, nothing, [&] { return test::put_on(test::only(row.calls)); });
  expect(alone == 0, row, "with its calls alone", alone, counts.alone);
  for (const linux::CallFact& fact : row.calls) {
    const int got = perform(row, nothing, [&] { return test::put_on(test::without(fact.call)); });
    expect(got == test::refused, row, fmt::format("without `{}`", fact.call), got, counts.without);
  }
  if (row.right.empty() || row.right == "attributes") return;  // a right of mounts alone
  const std::uint64_t bit = landlock_bit(row.right);
  if (bit == 0) {
    ++counts.skipped;
    fmt::print("skipped: {}: this kernel's Landlock has no `{}`\n", row.name, row.right);
    return;
  }
  const int got = perform(row, nothing, [&] { return test::take_right(bit); });
  // The kernel says EXDEV where nothing but `refer` is missing (Documentation/userspace-api/landlock.rst).
  expect(got == (row.right == "refer" ? EXDEV : EACCES), row, fmt::format("without the right `{}`", row.right), got,
         counts.rights);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::set<std::string_view> names;
  for (const linux::Footprint& row : linux::footprints()) {
    if (!names.insert(row.name).second || test::performers().count(row.name) == 0) {
      fmt::print("failed: {}: nothing makes it, or it stands twice\n", row.name);
      ++counts.failed;
      continue;
    }
    check(row, argv[1]);
  }
  fmt::print(
      "{} rows, {} made with their calls alone, {} refused without one of them, {} refused without their right; "
      "{} failed, {} skipped\n",
      counts.rows, counts.alone, counts.without, counts.rights, counts.failed, counts.skipped);
  return counts.failed != 0 ? 1 : counts.rows == 0 ? 77 : 0;
}
