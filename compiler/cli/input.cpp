#include "compiler/cli/input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace agp::cli {
namespace {

constexpr std::size_t largest_stdin = std::size_t{1}
                                      << 30;  ///< offsets in spans have 32 bits; the file limit comes later

std::optional<std::string> read_stream(std::FILE* stream) {
  std::string text;
  char block[65536];
  for (std::size_t count; (count = std::fread(block, 1, sizeof block, stream)) > 0;) {
    text.append(block, count);
    if (text.size() > largest_stdin) break;
  }
  return std::ferror(stream) != 0 ? std::nullopt : std::optional(std::move(text));
}

/// Null characters end paths where there is one; else line ends do.
void add_paths(std::string_view text, std::vector<std::string>& paths) {
  const char end = text.find('\0') != std::string_view::npos ? '\0' : '\n';
  while (!text.empty()) {
    const std::size_t stop = std::min(text.find(end), text.size());
    std::string_view path = text.substr(0, stop);
    if (end == '\n' && path.ends_with('\r')) path.remove_suffix(1);
    if (!path.empty()) paths.emplace_back(path);
    text.remove_prefix(std::min(stop + 1, text.size()));
  }
}

}  // namespace

std::optional<UsageError> try_reports(const Settings& settings) {
  for (const auto& [format, path] : settings.reports) {
    std::FILE* file = std::fopen(path.c_str(), "abe");
    if (file == nullptr || std::fclose(file) != 0) return UsageError{fmt::format("`{}` can't be written", path), {}};
  }
  return std::nullopt;
}

std::optional<UsageError> read_input(Settings& settings, bool log_follows) {
  bool stdin_taken = false;
  if (settings.files_from) {
    stdin_taken = *settings.files_from == "-";
    std::FILE* file = stdin_taken ? stdin : std::fopen(settings.files_from->c_str(), "rbe");
    const auto text = file == nullptr ? std::nullopt : read_stream(file);
    if (file != nullptr && !stdin_taken) std::fclose(file);
    if (!text) return UsageError{fmt::format("`{}` can't be read", *settings.files_from), {}};
    const std::size_t before = settings.arguments.size();
    add_paths(*text, settings.arguments);
    if (settings.arguments.size() == before)
      return UsageError{fmt::format("`{}` names no path", *settings.files_from), {}};
  }
  const auto& words = settings.arguments;
  const auto end = log_follows && words.size() > 1 ? words.begin() + 1 : words.end();
  if (std::find(words.begin(), end, "-") == end) {
    if (settings.driver.project.stdin_name) return UsageError{"`--stdin-name` is given and `-` is not", {}};
    return std::nullopt;
  }
  if (stdin_taken) return UsageError{"standard input can't be both the paths and a policy", {}};
  auto text = read_stream(stdin);
  if (!text) return UsageError{"standard input can't be read", {}};
  settings.driver.project.stdin_text = std::move(*text);
  return std::nullopt;
}

}  // namespace agp::cli
