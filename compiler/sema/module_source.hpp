#pragma once
#include <optional>
#include <string_view>

#include "compiler/diagnostics/diagnostic.hpp"

namespace agp::sema {

/// Where the text of `use "./file.agp"` comes from. Sema asks; what stands above it (a project on disk, a test's map of
/// texts) answers. Library modules are sema's own business and never asked for here.
class ModuleSource {
 public:
  virtual ~ModuleSource() = default;

  /// The file that `path`, written in `importer` at `at`, names: read once, the same id each time. `path` is relative
  /// to the importer's directory. Nothing when a diagnostic was emitted: unreadable, too large, or out of the project
  /// root.
  virtual std::optional<source::FileId> load(source::FileId importer, std::string_view path, source::Span at,
                                             diagnostics::Sink& sink) = 0;
};

}  // namespace agp::sema
