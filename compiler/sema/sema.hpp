#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/model/invariant.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/sema/module_source.hpp"
#include "compiler/syntax/ast.hpp"
#include "compiler/syntax/parse.hpp"

/// AST -> model. In: one parsed file and what it uses. Out: its policies with every name resolved, every include
/// unioned in, every value checked; and its tests. What is wrong is reported, once a mistake, and left out: a policy
/// that comes out of a run with errors must not be compiled.
namespace agp::sema {

inline constexpr int language_version = 1;
inline constexpr int library_edition = 1;

/// Modules of the library as they were parsed, to be used again: for one `Files`, which keeps their texts.
struct ParsedLibrary {
  struct Entry {
    source::FileId file = source::no_file;
    std::shared_ptr<const syntax::File> ast;
  };
  std::map<std::string, Entry, std::less<>> modules;  ///< by dotted name
};

struct Options {
  std::map<std::string, std::string> set;                  ///< --set
  model::Day today = 0;                                    ///< what `until` is compared with
  std::vector<linux::Arch> archs = {linux::Arch::x86_64};  ///< the target's
  syntax::Limits limits;
  ParsedLibrary* parsed = nullptr;  ///< null: the library is parsed for each analysis
};

/// One expectation. `actions` are the atomic actions of what was written (`write` is three).
struct TestLine {
  model::Decision expected = model::Decision::Deny;
  std::vector<model::Action> actions;
  std::string text;  ///< normal form
  source::Span span;
};
struct Test {
  model::Policy policy;  ///< with the test's own arguments
  std::vector<TestLine> lines;
  source::Span span;
};

struct Unit {
  std::vector<model::Policy> policies;
  std::vector<Test> tests;
  std::vector<model::Invariant> invariants;  ///< of the file and of every module it uses; to be checked by the caller
  bool failed =
      false;  ///< a mistake was found in the file or in what it uses, perhaps one that another file had already
};

/// `source` answers `use "./file.agp"`. Library modules come from the binary.
Unit analyse(source::Files& files, source::FileId root, ModuleSource& source, const Options& options,
             diagnostics::Sink& sink);

/// The atomic actions of one action as written on a command line; empty when a diagnostic was emitted.
struct ResolvedAction {
  std::vector<model::Action> actions;
  std::string text;
};
std::optional<ResolvedAction> resolve_action(const syntax::ActionPattern& action, const Options& options,
                                             diagnostics::Sink& sink);

/// Days since 1970-01-01 of a date, or nothing when there is no such day.
std::optional<model::Day> to_day(int year, int month, int day);

/// The library's modules, by path ("std/runtime/python.agp"); for `agp version` and tests.
std::vector<std::string> library_modules();

}  // namespace agp::sema
