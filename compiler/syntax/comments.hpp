#pragma once
#include <vector>

#include "compiler/source/files.hpp"

namespace agp::syntax {

/// The comments of a text in order, and where its other tokens begin, ascending. Of a text with mistakes: what can be
/// told apart. Nothing is reported.
struct Comments {
  std::vector<source::Span> comments;
  std::vector<std::uint32_t> tokens;
};
Comments comments(const source::Files& files, source::FileId id);

}  // namespace agp::syntax
