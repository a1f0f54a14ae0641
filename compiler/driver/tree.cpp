#include "compiler/driver/tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/tree_kinds.hpp"
#include "compiler/driver/baseline.hpp"
#include "compiler/driver/budget.hpp"
#include "compiler/driver/check.hpp"
#include "compiler/driver/progress.hpp"
#include "compiler/driver/workers.hpp"
#include "compiler/plan/stack.hpp"
#include "compiler/project/cache.hpp"
#include "compiler/sema/library.hpp"
#include "compiler/source/digest.hpp"

// Each file is checked by itself, into a record; records are joined in the order of the files. So it is one to the
// report where a record comes from: this process, another one, or the cache.
//
// What is kept is kept by: the program's own bytes, the options, every file beside the policies (agp.toml, target,
// invariants), and the file's path and text. What the file uses is not known before it was read: the record says by
// which paths it was reached and what it said, and a record is good while the same paths lead to the same bytes. A file
// that did not resolve is never kept, since what was missing may be there the next time.
namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;
using diagnostics::Diagnostic;
using source::FileId;

template <class Visit>
void each_span(Diagnostic& d, const Visit& visit) {
  visit(d.primary);
  for (auto& label : d.related) visit(label.span);
  for (auto& edit : d.edits) visit(edit.span);
  for (auto& label : d.elsewhere) visit(label.span);
  for (auto& label : d.together_with) visit(label.span);
}

class Tree {
 public:
  Tree(Session& session, const CheckInput& input, const TreeOptions& options)
      : session_(session), input_(input), options_(options) {}

  TreeReport run() {
    TreeReport report;
    report.files = input_.files.size();
    open_cache();
    std::vector<std::optional<FileRecord>> records(input_.files.size());
    std::vector<std::size_t> open;
    Progress::begin(session_.progress, "checking", input_.files.size());
    for (std::size_t i = 0; i < input_.files.size(); ++i) {
      if (cache_) records[i] = kept(input_.files[i]);
      if (records[i])
        Progress::advance(session_.progress);
      else
        open.push_back(i);
    }
    report.kept = input_.files.size() - open.size();
    const FileId shared = static_cast<FileId>(session_.files.size());
    const Gathered gathered = in_workers(
        open.size(), options_.jobs, [&](std::size_t t) { return encode(record(input_.files[open[t]], shared)); },
        [&] { Progress::advance(session_.progress); });
    for (std::size_t t = 0; t < open.size(); ++t) {
      if (gathered.results[t].empty()) continue;
      records[open[t]] = decode(gathered.results[t]);
      if (!records[open[t]])
        lose(input_.files[open[t]], "internal error: what came of it can't be read");
      else if (cache_)
        keep(input_.files[open[t]], *records[open[t]]);
    }
    for (const LostTask& lost : gathered.lost) lose(input_.files[open[lost.task]], lost.how);
    for (FileId id = 0; id < session_.files.size(); ++id)
      texts_.try_emplace({session_.files.get(id).library, session_.files.get(id).path}, id);
    std::vector<bool> resolved;
    for (auto& one : records) {
      resolved.push_back(one && one->resolved);
      if (one) join(std::move(*one), report);
    }
    session_.sink.drop_repeated();
    std::vector<std::string> names;
    for (const CheckedPolicy& policy : report.policies) names.push_back(policy.name);
    check_whole(session_, input_, names);
    std::set<std::string> looked_at(names.begin(), names.end());
    for (std::size_t i = 0; i < records.size(); ++i)
      if (resolved[i]) looked_at.insert(session_.files.get(input_.files[i]).path);
    const bool whole = !resolved.empty() && std::find(resolved.begin(), resolved.end(), false) == resolved.end();
    if (options_.take_baseline && whole)
      report.baseline = take_baseline(session_);
    else if (!options_.take_baseline)
      apply_baseline(session_, looked_at);
    check_budget(session_, report.policies);
    return report;
  }

 private:
  /// Checks one file with a sink of its own. Texts from `shared` on are not known to whoever reads the record.
  FileRecord record(FileId file, FileId shared) {
    diagnostics::Sink outer = std::exchange(session_.sink, {});
    session_.project->begin();
    const FileId before = static_cast<FileId>(session_.files.size());
    CheckedFile checked = check_file(session_, file, input_.given);
    FileRecord out;
    out.findings = std::move(session_.sink.all());
    session_.sink = std::move(outer);
    out.resolved = !checked.unit.failed;
    for (const Diagnostic& d : out.findings)  // another program's failure may be over the next time
      if (d.kind == &kind::second_solver_unknown) out.resolved = false;
    std::vector<FileId> ids = {file};
    const auto index = [&](FileId id) {
      const auto at = static_cast<std::size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
      if (at == ids.size()) ids.push_back(id);
      return static_cast<FileId>(at);
    };
    for (const auto& [id, paths] : session_.project->uses()) index(id);
    for (FileId id = before; id < session_.files.size(); ++id)
      if (session_.files.get(id).library) index(id);
    for (Diagnostic& d : out.findings)
      each_span(d, [&](source::Span& span) {
        if (span.known()) span.file = index(span.file);
      });
    for (PolicyReport& policy : checked.policies) {
      Described said = options_.describe(policy, plan::target_for(policy.policy, *session_.target));
      source::Span span = policy.policy.name_span;
      if (span.known()) span.file = index(span.file);
      out.policies.push_back(
          {policy.policy.name, span, std::move(said.text), std::move(said.json), std::move(policy.counts)});
    }
    for (const FileId id : ids) {
      const source::File& text = session_.files.get(id);
      out.dated = out.dated || text.text.find("until") != std::string::npos;
      TextRead read{text.path, {}, {}, id >= shared && !text.library ? text.text : "", text.library};
      if (!text.library && cache_) read.sha256 = source::sha256(text.text);
      if (const auto use = session_.project->uses().find(id); use != session_.project->uses().end())
        read.spelled.assign(use->second.begin(), use->second.end());
      out.read.push_back(std::move(read));
    }
    return out;
  }

  void join(FileRecord record, TreeReport& report) {
    std::vector<FileId> ids;
    for (TextRead& read : record.read) {
      const auto [at, fresh] = texts_.try_emplace({read.library, read.path});
      if (fresh)
        at->second = read.library ? session_.files.add(read.path, sema::library_text(read.path), true)
                                  : session_.project->adopt(read.path, std::move(read.text));
      ids.push_back(at->second);
    }
    for (Diagnostic& d : record.findings) {
      each_span(d, [&](source::Span& span) {
        if (span.known()) span.file = ids[span.file];
      });
      session_.sink.emit(std::move(d));
    }
    for (CheckedPolicy& policy : record.policies) {
      if (policy.span.known()) policy.span.file = ids[policy.span.file];
      report.policies.push_back(std::move(policy));
    }
  }

  void lose(FileId file, const std::string& how) {
    session_.sink.emit(kind::check_lost, {file, 0, 0}, fmt::format("the check of this file was lost: {}", how))
        .note("nothing is known about it; what is said about other files holds")
        .helped("where memory is short, use fewer processes: `--jobs 1`; else please report it with the file");
  }

  void open_cache() {
    if (!options_.cache || session_.project->reads_stdin()) return;
    std::string reason;
    cache_ = project::Cache::open(*options_.cache, reason);
    if (!cache_) {
      session_.sink.emit(kind::cache_unusable, {},
                         fmt::format("the cache `{}` can't be used: {}", *options_.cache, reason));
      return;
    }
    const std::string program = project::program_digest();
    if (program.empty()) {
      cache_.reset();
      complain("this system does not say which program runs");
      return;
    }
    run_ = fmt::format("agp-check/1\n{}\n{}\n", program, session_.options.words);
    for (const auto& [path, digest] : session_.inputs) run_ += digest + '\n';
  }

  std::string key(FileId file) const {
    const source::File& text = session_.files.get(file);
    return source::sha256(fmt::format("{}{}\n{}\n{}", run_, text.path.size(), text.path, source::sha256(text.text)));
  }

  std::optional<FileRecord> kept(FileId file) {
    const auto bytes = cache_->get(key(file));
    auto record = bytes ? decode(bytes->substr(std::min(date_size, bytes->size()))) : std::nullopt;
    if (!record || (record->dated && bytes->substr(0, date_size) != date())) return std::nullopt;
    if (record->read.front().path != session_.files.get(file).path) return std::nullopt;
    session_.project->begin();
    if (input_.files.size() + record->read.size() > session_.project->config().max_files) return std::nullopt;
    for (std::size_t i = 1; i < record->read.size(); ++i)
      if (!record->read[i].library && !unchanged(record->read[i])) return std::nullopt;
    return record;
  }

  bool unchanged(const TextRead& read) {
    // a file that no `use` led to is one of the run's inputs, whose digests are part of the key
    const std::vector<std::string> itself = {read.path};
    const auto& paths = read.spelled.empty() ? itself : read.spelled;
    return std::all_of(paths.begin(), paths.end(), [&](const std::string& spelled) {
      const auto id = session_.project->again(spelled, read.path);
      if (!id) return false;
      const auto [at, fresh] = digests_.try_emplace(*id);
      if (fresh) at->second = source::sha256(session_.files.get(*id).text);
      return at->second == read.sha256;
    });
  }

  void keep(FileId file, FileRecord record) {
    if (!record.resolved) return;
    for (TextRead& read : record.read) read.text.clear();
    std::string reason;
    if (!cache_->put(key(file), date() + encode(std::move(record)), reason)) complain(reason);
  }

  std::string date() const { return fmt::format("{:>12}", session_.options.today); }

  /// Once: the findings are right without it.
  void complain(const std::string& reason) {
    if (std::exchange(complained_, true)) return;
    Diagnostic d(kind::cache_unusable, {},
                 fmt::format("nothing is kept in the cache `{}`: {}", *options_.cache, reason));
    d.severity = diagnostics::Severity::Warning;
    session_.sink.emit(std::move(d));
  }

  static constexpr std::size_t date_size = 12;
  Session& session_;
  const CheckInput& input_;
  const TreeOptions& options_;
  std::optional<project::Cache> cache_;
  std::string run_;  ///< what is the same for every file of this run, for the keys
  std::map<FileId, std::string> digests_;
  std::map<std::pair<bool, std::string>, FileId> texts_;  ///< by `library` and path
  bool complained_ = false;
};

}  // namespace

TreeReport check_tree(Session& session, std::span<const std::string> paths, const TreeOptions& options) {
  const auto input = check_input(session, paths);
  return input ? Tree(session, *input, options).run() : TreeReport{};
}

}  // namespace agp::driver
