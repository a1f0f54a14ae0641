#pragma once
#include <string_view>
#include <utility>

#include "compiler/model/action.hpp"

/// The format of the toy's artifact: a list of what may be done where, as a path-based security module would load it.
/// The deepest line at or above a path decides; what no line names is refused.
///
///     toy 1
///     / - -
///     /workspace rl rlmcd
///
/// One line a base, in path order: the base, the verbs at it, the verbs beneath it; `-` for none. In a base a backslash
/// stands before a space, a line end (written `n`) and a backslash.
namespace toy::format {

inline constexpr std::string_view path = "toy/paths.txt";
inline constexpr std::string_view header = "toy 1";
inline constexpr std::pair<char, agp::model::Verb> verbs[] = {
    {'r', agp::model::Verb::Read},   {'l', agp::model::Verb::List},   {'x', agp::model::Verb::Exec},
    {'m', agp::model::Verb::Modify}, {'c', agp::model::Verb::Create}, {'d', agp::model::Verb::Delete}};

/// What the second toy writes; nothing reads it back.
inline constexpr std::string_view note_path = "toy/note.txt";

}  // namespace toy::format
