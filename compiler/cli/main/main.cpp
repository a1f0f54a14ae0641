#include <csignal>
#include <span>
#include <string>
#include <vector>

#include "compiler/cli/commands.hpp"

int main(int argc, char** argv) {
  // A reader that closed the pipe ends the run without a message, also where the caller ignores SIGPIPE; a file that
  // grows past its limit is a write that fails.
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_IGN);
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return agp::cli::run(arguments);
}
