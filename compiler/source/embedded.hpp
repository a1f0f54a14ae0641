#pragma once
#include <string_view>

namespace agp::embedded {

/// A file that was made part of the binary by `agp_embed`. Both views live as long as the program.
struct File {
  std::string_view path;
  std::string_view bytes;
};

}  // namespace agp::embedded
