#pragma once
#include <string>

/// Completion files, whole and for one shell each, made from the tables of commands and options. They ask nothing of
/// agp when they run: words are those of the binary that wrote them.
namespace agp::cli {

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

}  // namespace agp::cli
