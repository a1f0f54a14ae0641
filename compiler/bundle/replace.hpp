#pragma once
#include <string>

namespace agp::bundle {

/// Puts `after` in place of a file that holds `before`, as a whole: written beside it, synced, renamed. Mode and, where
/// permitted, owner stay. Says why it did not happen, or nothing; the file is then as it was. A file that changed since
/// it was read is left alone.
std::string replace_file(const std::string& path, const std::string& before, const std::string& after);

}  // namespace agp::bundle
