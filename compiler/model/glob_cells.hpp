#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Texts cut into cells by globs: which sets of globs can match one text, and a shortest text for each. What the names
/// of env and tool, and the components of paths, are compared with.
namespace agp::model {

struct GlobToken {
  enum class Kind : std::uint8_t { Literal, AnyChar, AnyRun };
  Kind kind = Kind::Literal;
  std::uint32_t point = 0;  ///< Literal: a code point, or 0x110000 + byte for a byte that is no part of UTF-8
};
using Glob = std::vector<GlobToken>;

/// A name pattern of env and tool: bytes, `*`, `?`, and `\` before a character that stands for itself.
Glob text_glob(std::string_view pattern);

/// All texts, not empty, that exactly these globs match.
struct GlobCell {
  std::vector<std::uint32_t> globs;  ///< ascending; never empty
  std::string witness;               ///< a shortest one
};

/// The cells that some glob matches, each set once. Exact: one subset construction over all globs. Nothing when more
/// than `limit` states, or fifty times as many steps, would be visited. Linear in the text of the globs while few of
/// them have wildcards at the same place.
std::optional<std::vector<GlobCell>> glob_cells(std::span<const Glob> globs, std::size_t limit = 1'000'000);

/// The states of that construction, each by a shortest text that leads to it, "" first and apart from the others, for
/// it is no name. Whatever character follows, the next state is among them, or nothing that begins so is matched by
/// any.
std::optional<std::vector<std::string>> glob_states(std::span<const Glob> globs, std::size_t limit = 20'000);

}  // namespace agp::model
