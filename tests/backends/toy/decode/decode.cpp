#include "tests/backends/toy/decode/decode.hpp"

#include <algorithm>

#include "compiler/model/inode_layer.hpp"
#include "compiler/model/path_pattern.hpp"
#include "tests/backends/toy/format.hpp"

namespace toy {
namespace {

using namespace agp;

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t end = text.find(at);
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

std::optional<model::InodeRights> rights(std::string_view letters) {
  model::InodeRights out = 0;
  if (letters == "-") return out;
  if (letters.empty()) return std::nullopt;
  for (const char c : letters) {
    const auto* at =
        std::find_if(std::begin(format::verbs), std::end(format::verbs), [&](const auto& v) { return v.first == c; });
    if (at == std::end(format::verbs)) return std::nullopt;
    out |= model::rights_of(at->second);
  }
  return out;
}

/// The base, and what is left of the line behind it.
std::optional<std::pair<std::string, std::string_view>> base_of(std::string_view line) {
  std::string base;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ' ') return std::pair{base, line.substr(i + 1)};
    if (line[i] == '\\' && ++i == line.size()) return std::nullopt;
    base += line[i - 1] == '\\' && line[i] == 'n' ? '\n' : line[i];
  }
  return std::nullopt;
}

std::optional<model::InodeCell> cell(std::string_view line) {
  const auto start = base_of(line);
  if (!start || !model::is_canonical_path(start->first)) return std::nullopt;
  const auto words = split(start->second, ' ');
  if (words.size() != 2) return std::nullopt;
  const auto at = rights(words[0]), beneath = rights(words[1]);
  if (!at || !beneath) return std::nullopt;
  model::InodeCell out;
  out.base = start->first;
  out.at = *at;
  out.beneath = *beneath;
  return out;
}

void read(const backends::Artifact& artifact, backends::Decoded& out) {
  const auto refuse = [&](std::size_t line, const char* what) {
    out.problems.push_back(
        {"`" + artifact.path + "` is refused: line " + std::to_string(line) + " " + what, std::nullopt, ""});
  };
  auto lines = split(artifact.bytes, '\n');
  if (lines.front() != format::header) return refuse(1, "is not `toy 1`");
  if (!lines.back().empty()) return refuse(lines.size(), "has no end");
  lines.pop_back();
  auto layer = std::make_shared<model::InodeLayer>();
  layer->artifact = artifact.path;
  layer->layer = "toy";
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto one = cell(lines[i]);
    if (!one) return refuse(i + 1, "is not a base with two lists of verbs");
    if (layer->cells.empty() ? one->base != "/" : one->base <= layer->cells.back().base)
      return refuse(i + 1, "is not in path order from `/`");
    one->place = "line " + std::to_string(i + 1);
    layer->cells.push_back(std::move(*one));
  }
  if (layer->cells.empty()) return refuse(1, "has nothing below it");
  out.inodes.push_back(std::move(layer));
}

}  // namespace

backends::Decoded decode(std::span<const backends::Artifact> artifacts) {
  backends::Decoded out;
  for (const auto& a : artifacts)
    if (a.path == format::path) read(a, out);
  return out;
}

}  // namespace toy
