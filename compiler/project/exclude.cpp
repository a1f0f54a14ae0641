#include "compiler/project/exclude.hpp"

#include <cstddef>

namespace agp::project {
namespace {

std::string_view take_component(std::string_view& path) {
  const std::size_t end = path.find('/');
  const std::string_view component = path.substr(0, end);
  path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  return component;
}

/// `*` and `?` within one component. Greedy with one place to go back to: O(pattern × text).
bool component_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool excluded(std::string_view pattern, std::string_view path) {
  // The same greedy walk over components, with `**` as the star.
  std::string_view after_star, retry;
  bool star = false;
  while (!path.empty()) {
    std::string_view rest = pattern, path_rest = path;
    const std::string_view component = take_component(rest);
    if (!pattern.empty() && component == "**") {
      if (rest.empty()) return true;  // `a/**`: everything beneath `a`; there is at least one component left
      star = true;
      after_star = rest;
      retry = path;
      pattern = rest;
    } else if (!pattern.empty() && component_matches(component, take_component(path_rest))) {
      pattern = rest;
      path = path_rest;
    } else if (star) {
      take_component(retry);
      pattern = after_star;
      path = retry;
    } else {
      return false;
    }
  }
  return pattern.empty();
}

std::string_view exclude_fault(std::string_view pattern) {
  if (pattern.empty()) return "is empty";
  if (pattern.front() == '/') return "begins with `/`: patterns are relative to the project root";
  if (pattern.back() == '/') return "ends with `/`: name the directory itself, or what is in it with `/**`";
  while (!pattern.empty()) {
    const std::string_view component = take_component(pattern);
    if (component.empty()) return "has an empty component";
    if (component == "." || component == "..") return "has a `.` or `..` in it";
    if (component != "**" && component.find("**") != std::string_view::npos) return "has `**` beside other characters";
  }
  return {};
}

}  // namespace agp::project
