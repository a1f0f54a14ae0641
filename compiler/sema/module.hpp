#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/sema/sema.hpp"
#include "compiler/sema/values.hpp"

namespace agp::sema {

/// One file with its names. `name` is what its own item is called: `python` for std/runtime/python.agp.
struct Module {
  std::string path;  ///< "std.runtime.python", or the file's path
  std::string name;
  source::FileId file = source::no_file;
  bool library = false;
  std::vector<Span> used_by;  ///< the `use` items by which it was first reached, outermost first
  std::shared_ptr<const syntax::File> ast = std::make_shared<const syntax::File>();  ///< never null
  std::map<std::string, const syntax::Item*> items;  ///< params, lets, fragments, policies, invariants by name
  std::map<std::string, const Module*> uses;         ///< as they are written here: `std.a.b`, an alias, a stem
  std::map<std::string, Span> use_spans;
  std::set<std::string> missing;  ///< names of uses that failed: what they bring is not reported again
  std::string_view text;
  bool broken = false;  ///< the text has syntax errors, so items may have been left out

  /// The name may have been declared in an item that did not parse: that it is unknown was reported as a syntax error.
  bool lost(std::string_view item) const;
};

/// Loads a file and everything it uses, each once. Cycles, unknown modules and duplicate names are reported.
class Modules {
 public:
  Modules(source::Files& files, ModuleSource& source, const Options& options, diagnostics::Sink& sink)
      : files_(files), source_(source), limits_(options.limits), parsed_(options.parsed), sink_(sink) {}

  const Module* load_root(source::FileId file);
  /// A module of the library by its dotted name, for `@group` and what a missing block implies; nothing if there is
  /// none.
  const Module* load_library(std::string_view dotted);
  /// Name and digest of every module read, sorted by name.
  std::vector<model::ModuleRead> read() const;
  /// Every module loaded so far.
  const std::deque<Module>& all() const { return modules_; }

 private:
  /// `ast`: what the file was parsed to before.
  Module* load(source::FileId file, std::string path, std::string name, bool library,
               std::shared_ptr<const syntax::File> ast = nullptr);
  void declare(Module& module);
  void resolve_use(Module& module, const syntax::Use& use);
  const Module* used_library(const syntax::QualifiedName& name);
  const Module* used_file(const Module& module, const syntax::Use& use, std::string& path);
  bool may_enter(const std::string& path, Span at);

  source::Files& files_;
  ModuleSource& source_;
  const syntax::Limits& limits_;
  ParsedLibrary* parsed_;
  diagnostics::Sink& sink_;
  std::deque<Module> modules_;
  std::map<std::string, Module*> by_path_;
  mutable std::map<source::FileId, std::string> digests_;  ///< every policy of a file lists all modules
  std::vector<std::string> loading_;                       ///< for cycles, outermost first
  std::vector<Span> using_;                                ///< the `use` items at hand, outermost first
};

/// `a.b.item` in a module: the fragment or policy it names, and where it stands.
struct Found {
  const Module* module = nullptr;
  const syntax::Item* item = nullptr;
};
Found find_item(const Module& from, const syntax::QualifiedName& name);
/// What `find_item` did not find because of a mistake that was reported already: a failed `use`, an item that did not
/// parse.
bool is_lost(const Module& from, const syntax::QualifiedName& name);

}  // namespace agp::sema
