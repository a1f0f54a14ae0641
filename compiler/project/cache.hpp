#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace agp::project {

/// A directory of results, each by the digest of all that it depends on (`--cache DIR`). Any number of processes may
/// use it at once, on one machine or over a file system that renames in one step: an entry appears whole or not at all.
/// An entry says what it is the entry of and carries the digest of its bytes: one that was cut, changed or renamed is
/// none. Whoever may write into the directory may forge entries: it is as trusted as the binary.
class Cache {
 public:
  /// Makes the directory where there is none. Nothing, and why, when it can't be used.
  static std::optional<Cache> open(const std::string& directory, std::string& reason);

  /// The bytes kept by `key` (64 hexadecimal digits), or nothing.
  std::optional<std::string> get(const std::string& key) const;
  /// False, and why, when they could not be kept; then nothing was.
  bool put(const std::string& key, std::string_view bytes, std::string& reason) const;

 private:
  explicit Cache(std::string directory) : directory_(std::move(directory)) {}
  std::string place(const std::string& key) const;
  std::string directory_;
};

/// The digest of the program's own file: what stands for every version of every rule in it. Empty where the system has
/// no way to ask for it; nothing can be kept then.
std::string program_digest();

}  // namespace agp::project
