// Myers' greedy algorithm (An O(ND) difference algorithm and its variations, 1986) over the lines between the common
// beginning and the common end.
#include "compiler/cli/unified_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "compiler/diagnostics/formats.hpp"

namespace agp::cli {
namespace {

using Lines = std::vector<std::string_view>;
constexpr int longest_script = 4000;
constexpr std::size_t context_lines = 3;

Lines split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

/// One step of the script: a line kept, taken away or added.
struct Step {
  char sign;
  std::size_t line;  ///< of `before` for ' ' and '-', of `after` for '+'
};

std::vector<Step> script(const Lines& a, const Lines& b) {
  std::size_t head = 0, tail = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  while (tail < a.size() - head && tail < b.size() - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
  const int n = static_cast<int>(a.size() - head - tail), m = static_cast<int>(b.size() - head - tail);
  // reach[d][k + d]: how far in `a` the furthest path with d changes on diagonal k comes.
  std::vector<std::vector<int>> reach;
  const auto at = [&](int d, int k) {
    return k < -d || k > d ? -1 : reach[static_cast<std::size_t>(d)][static_cast<std::size_t>(k + d)];
  };
  int found = -1;
  for (int d = 0; d <= std::min(n + m, longest_script) && found < 0; ++d) {
    reach.emplace_back(2 * d + 1, 0);
    for (int k = -d; k <= d && found < 0; k += 2) {
      int x = 0;
      if (d > 0)
        x = k == -d || (k != d && at(d - 1, k - 1) < at(d - 1, k + 1)) ? at(d - 1, k + 1) : at(d - 1, k - 1) + 1;
      while (x < n && x - k < m && x - k >= 0 && a[head + x] == b[head + (x - k)]) ++x;
      reach.back()[static_cast<std::size_t>(k + d)] = x;
      if (x >= n && x - k >= m) found = d;
    }
  }
  std::vector<Step> middle;
  if (found < 0) {
    for (int i = m; i > 0; --i) middle.push_back({'+', head + i - 1});
    for (int i = n; i > 0; --i) middle.push_back({'-', head + i - 1});
  } else {
    int x = n, y = m;
    for (int d = found; d > 0; --d) {
      const int k = x - y;
      const bool down = k == -d || (k != d && at(d - 1, k - 1) < at(d - 1, k + 1));
      const int from_k = down ? k + 1 : k - 1, from_x = at(d - 1, from_k), from_y = from_x - from_k;
      while (x > from_x + (down ? 0 : 1) && y > from_y + (down ? 1 : 0)) middle.push_back({' ', head + --x}), --y;
      middle.push_back(down ? Step{'+', head + from_y} : Step{'-', head + from_x});
      x = from_x;
      y = from_y;
    }
    while (x > 0) middle.push_back({' ', head + --x});
  }
  std::vector<Step> steps;
  for (std::size_t i = 0; i < head; ++i) steps.push_back({' ', i});
  steps.insert(steps.end(), middle.rbegin(), middle.rend());
  for (std::size_t i = a.size() - tail; i < a.size(); ++i) steps.push_back({' ', i});
  return steps;
}

std::string shown(char sign, std::string_view line) {
  const bool ended = line.ends_with('\n');
  if (ended) line.remove_suffix(1);
  std::string text;
  for (const diagnostics::Glyph& glyph : diagnostics::glyphs(line))
    text += line[glyph.begin] == '\t' ? "\t" : glyph.shown;
  // A context line begins with a space, which build servers skip before they look for a command.
  const std::size_t first = text.find_first_not_of(" \t");
  if (first != std::string::npos && text[first] == ':') text.replace(first, 1, "\\u{3a}");
  return fmt::format("{}{}\n{}", sign, text, ended ? "" : "\\ No newline at end of file\n");
}

}  // namespace

std::string unified_diff(std::string_view name, std::string_view before, std::string_view after) {
  if (before == after) return {};
  const Lines a = split(before), b = split(after);
  const std::vector<Step> steps = script(a, b);
  std::string out = fmt::format("--- {0}\n+++ {0}\n", name);
  std::size_t line_a = 0, line_b = 0, i = 0;
  while (i < steps.size()) {
    std::size_t change = i;
    while (change < steps.size() && steps[change].sign == ' ') ++change;
    if (change == steps.size()) break;
    const std::size_t begin = std::max(i, change > context_lines ? change - context_lines : 0);
    std::size_t end = change, quiet = 0;
    while (end < steps.size() && quiet <= 2 * context_lines) quiet = steps[end++].sign == ' ' ? quiet + 1 : 0;
    end -= std::min(quiet, std::max(quiet, context_lines) - context_lines);
    line_a += begin - i;
    line_b += begin - i;
    std::size_t count_a = 0, count_b = 0;
    std::string body;
    for (std::size_t s = begin; s < end; ++s) {
      if (steps[s].sign != '+') ++count_a;
      if (steps[s].sign != '-') ++count_b;
      body += shown(steps[s].sign, steps[s].sign == '+' ? b[steps[s].line] : a[steps[s].line]);
    }
    out += fmt::format("@@ -{},{} +{},{} @@\n{}", line_a + (count_a > 0 ? 1 : 0), count_a,
                       line_b + (count_b > 0 ? 1 : 0), count_b, body);
    line_a += count_a;
    line_b += count_b;
    i = end;
  }
  return out;
}

}  // namespace agp::cli
