#pragma once
#include <vector>

#include "compiler/lint/finding.hpp"

namespace agp::lint {

/// AGP3294: texts in a file that have the form of a key or token. The finding never has the text itself.
std::vector<Finding> find_secrets(const source::Files& files, source::FileId file);

}  // namespace agp::lint
