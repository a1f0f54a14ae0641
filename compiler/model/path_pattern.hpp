#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agp::model {

/// One component of a path pattern: alternatives of token strings, or `**`.
struct PathToken {
  enum class Kind { Literal, AnyChar, AnyRun };  ///< a byte, `?` (one code point), `*`
  Kind kind = Kind::Literal;
  char byte = 0;
  friend bool operator==(const PathToken&, const PathToken&) = default;
};
struct PathComponent {
  bool any_depth = false;                            ///< `**`
  std::vector<std::vector<PathToken>> alternatives;  ///< after `{a,b}` is expanded; one at least unless any_depth
  bool literal() const;                              ///< one alternative without wildcards
  std::string literal_text() const;                  ///< precondition: literal()
  friend bool operator==(const PathComponent&, const PathComponent&) = default;
};

/// A set of absolute canonical paths (LANGUAGE.md, Paths). `**` at the end: everything strictly beneath; in the middle:
/// any number of components, also none. The root `/` is the pattern without components.
struct PathPattern {
  std::vector<PathComponent> components;
  std::string text;  ///< canonical spelling with pattern characters escaped where literal

  bool matches(std::string_view path) const;
  /// For the verb `list` only: `D/**` and `D/*` include D itself.
  bool matches_list(std::string_view path) const;

  /// The pattern is one node (`/a/b`), everything strictly beneath a node (`/a/**`), or neither.
  enum class Shape { Node, Subtree, Other };
  Shape shape() const;
  /// The literal path of a Node, or D of a Subtree `D/**` ("/" for `/**`). Precondition: shape() is not Other.
  std::string base() const;
  friend bool operator==(const PathPattern& a, const PathPattern& b) { return a.components == b.components; }
};

/// The pattern of exactly this path / of everything strictly beneath it. Precondition: absolute and canonical.
PathPattern path_node(std::string_view path);
PathPattern path_subtree(std::string_view path);

/// Is there a path for which `accept` holds, given which patterns match it? Exact: one product automaton over all
/// patterns; the shortest such path is returned. `as_list[i]` (if given) uses `matches_list` for pattern i. Visits at
/// most `state_limit` states, and fifty times as many steps; past them `exhausted` is set and nothing returned, which
/// callers must treat as unknown.
struct PathSearch {
  std::optional<std::string> witness;
  bool exhausted = false;
};
PathSearch find_path(std::span<const PathPattern* const> patterns,
                     const std::function<bool(const std::vector<bool>&)>& accept, std::size_t state_limit = 200000,
                     std::span<const bool> as_list = {});

bool is_canonical_path(std::string_view path);
/// True when `path` is strictly beneath `directory` ("/" has everything beneath it).
bool is_beneath(std::string_view path, std::string_view directory);
std::string parent_path(std::string_view path);  ///< "/" for "/a" and "/"

}  // namespace agp::model
