// Writes what is made from the tables of commands and options beneath the directory that is named: man/man1/*.1,
// doc/agp/cli.md, and the completion files of the three shells, each where its shell looks beneath a `share`.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "compiler/cli/completion.hpp"
#include "compiler/cli/manual.hpp"

namespace {

namespace fs = std::filesystem;

bool failed = false;

void write(const fs::path& path, const std::string& text) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return;
  std::fprintf(stderr, "agp-reference: %s can't be written\n", path.c_str());
  failed = true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: agp-reference DIR\n");
    return 2;
  }
  namespace cli = agp::cli;
  const fs::path share = argv[1];
  fs::remove_all(share / "man");  // a command that is gone leaves no page
  write(share / "man/man1/agp.1", cli::man_overview());
  for (const cli::CommandRow& row : cli::command_table())
    write(share / ("man/man1/agp-" + std::string(row.name) + ".1"), cli::man_command(row));
  write(share / "doc/agp/cli.md", cli::reference_page());
  write(share / "bash-completion/completions/agp", cli::bash_completion());
  write(share / "zsh/vendor-completions/_agp", cli::zsh_completion());
  write(share / "fish/vendor_completions.d/agp.fish", cli::fish_completion());
  return failed ? 1 : 0;
}
