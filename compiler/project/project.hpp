#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/sema/module_source.hpp"
#include "compiler/syntax/parse.hpp"

namespace agp::project {

/// What `agp.toml` says. Unknown keys are AGP0005.
struct Config {
  std::string path;                   ///< relative to the root; empty when there is no file
  std::string root = ".";             ///< the project root, relative to the file's directory and within it
  std::optional<std::string> target;  ///< a target's name
  std::vector<std::string> exclude;   ///< path patterns relative to the root: `*`, `?`, `**`
  syntax::Limits limits;              ///< `[limits] file-size`, `nesting`
  std::size_t max_files = 100000;     ///< `[limits] files`: how many one run reads
  std::size_t max_work = 60'000'000;  ///< `[limits] cells`: places where a pattern lies over a cell, for one check
};

struct Options {
  std::optional<std::string> root;        ///< --project-root
  std::optional<std::string> config;      ///< --config
  bool no_config = false;                 ///< --no-config
  std::optional<std::string> stdin_name;  ///< --stdin-name: what `-` is called
  std::string stdin_text;                 ///< the text of `-`
  /// Texts that count instead of what is on disk, by path with links resolved (`check --fix --dry-run`).
  std::map<std::string, std::string> instead;
};

/// The files of one run, all within one root: `--project-root`, else the nearest ancestor of the first path with
/// `agp.toml`, else with `.git`, else the first path's directory. Nothing is read outside the root after links are
/// resolved (AGP0006), except an `--config` file.
class Project final : public sema::ModuleSource {
 public:
  /// Finds the root for `paths` (as on the command line; none: the working directory) and reads its `agp.toml`. Nothing
  /// when the root or the configuration can't be used: a diagnostic was emitted.
  static std::optional<Project> open(std::span<const std::string> paths, const Options& options, source::Files& files,
                                     diagnostics::Sink& sink);

  const Config& config() const { return config_; }
  const std::string& root() const { return root_; }  ///< absolute, links resolved; never to be printed into an artifact

  /// Paths of the command line -> files to read, sorted by path, each once: a file as named; a directory walked for
  /// `*.agp` without dot-directories, excluded paths and symbolic links; none: the root, walked. `-` is standard input.
  std::vector<source::FileId> collect(std::span<const std::string> paths, diagnostics::Sink& sink);

  /// One file as named on the command line. Nothing when a diagnostic was emitted.
  std::optional<source::FileId> read(std::string_view path, diagnostics::Sink& sink);

  std::optional<source::FileId> load(source::FileId importer, std::string_view path, source::Span at,
                                     diagnostics::Sink& sink) override;

  /// Where a file of this project is on disk; empty for standard input and library modules.
  std::string disk_path(source::FileId id) const;

  /// The files that `load` gave since the last `begin`, each with the paths from the root that led to it. The limit of
  /// files counts what the run names and what one file uses, so that it does not matter which process reads what.
  using Uses = std::map<source::FileId, std::set<std::string>>;
  void begin() { uses_.clear(); }
  const Uses& uses() const { return uses_; }

  /// The file that the path `spelled` from the root leads to now, if that is the one called `path`. No findings.
  std::optional<source::FileId> again(const std::string& spelled, const std::string& path);
  /// A file of this project that another process read.
  source::FileId adopt(const std::string& path, std::string text);
  bool reads_stdin() const { return stdin_file_.has_value(); }

 private:
  explicit Project(source::Files& files) : files_(&files) {}
  bool configure(diagnostics::Sink& sink);
  std::optional<source::FileId> read_stdin(diagnostics::Sink& sink);
  bool fits(const std::string& name, std::size_t size, source::Span at, diagnostics::Sink& sink) const;
  std::string neighbour(const std::string& missing) const;
  std::optional<source::FileId> add(const std::string& real, source::Span at, diagnostics::Sink& sink);
  std::optional<source::FileId> use(source::FileId id, const std::string& spelled, source::Span at,
                                    diagnostics::Sink& sink);
  bool room(std::size_t files, source::Span at, diagnostics::Sink& sink) const;
  void walk(const std::string& directory, std::vector<std::string>& found, diagnostics::Sink& sink) const;
  std::string shown(const std::string& real) const;

  source::Files* files_;
  Config config_;
  Options options_;
  std::string root_;
  std::map<std::string, source::FileId> by_real_path_;
  std::map<source::FileId, std::string> on_disk_;
  std::optional<source::FileId> stdin_file_;
  std::size_t named_ = 0;  ///< files that the run names
  Uses uses_;
};

}  // namespace agp::project
