#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/analysis/permissiveness.hpp"
#include "compiler/diagnostics/diagnostic.hpp"

/// What checking one file came to, without the model: a value that a worker process hands to its parent, and that a
/// cache keeps.
namespace agp::driver {

/// One policy as far as a report needs it.
struct CheckedPolicy {
  std::string name;
  source::Span span;                       ///< of the name; its file is an index into `FileRecord::read`
  std::string text, json;                  ///< what the caller's `Describe` made of its plan
  std::vector<analysis::CountRow> counts;  ///< by name
};

/// A text that took part. The file itself is the first.
struct TextRead {
  std::string path;                  ///< as in source::File
  std::vector<std::string> spelled;  ///< the paths from the root, links in them, by which others use it
  std::string sha256;
  std::string text;  ///< empty where whoever reads the record has it or can get it
  bool library = false;
};

struct FileRecord {
  std::vector<TextRead> read;
  std::vector<CheckedPolicy> policies;
  std::vector<diagnostics::Diagnostic> findings;  ///< the file of a span is an index into `read`
  bool resolved = true;  ///< false: something kept it from resolving, perhaps what is not there; never kept
  bool dated = false;    ///< one of the texts has the word `until`: the findings hold on one day
};

std::string encode(FileRecord record);
/// Nothing when the bytes are not what `encode` made: no byte of them is trusted.
std::optional<FileRecord> decode(std::string_view bytes);

}  // namespace agp::driver
