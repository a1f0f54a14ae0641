#include <algorithm>

#include "backends/landlock/rules/ruleset.hpp"
#include "compiler/linux/landlock.hpp"

// Patterns of the policy and hierarchies of the ruleset, cut into classes of paths.
namespace agp::backends::landlock {
namespace {

namespace ll = linux::landlock;
using model::PathPattern;
using model::Verb;
using model::Verbs;

class Cutter {
 public:
  Cutter(const model::Policy& policy, const Ruleset& ruleset) : policy_(policy), ruleset_(ruleset) {
    for (std::size_t r = 0; r < policy.rules.size(); ++r) {
      if (policy.rules[r].expired) continue;
      if (const auto* file = std::get_if<model::FileBody>(&policy.rules[r].body))
        add_rule(r, file->patterns, file->except, false);
      if (const auto* sock = std::get_if<model::UnixBody>(&policy.rules[r].body))
        add_rule(r, sock->paths, sock->except, true);
    }
    hierarchies_from_ = patterns_.size();
    own_.reserve(2 * ruleset.hierarchies.size());
    for (const Hierarchy& h : ruleset.hierarchies) {
      own_.push_back(model::path_node(h.path));
      own_.push_back(model::path_subtree(h.path));
    }
    for (const PathPattern& p : own_) patterns_.push_back(&p);
  }

  Classes run() const {
    Classes out;
    for (const bool list : {false, true}) {
      std::vector<char> lists(patterns_.size(), 0);
      std::fill(lists.begin(), lists.begin() + static_cast<std::ptrdiff_t>(hierarchies_from_), list);
      const model::PathClasses cut =
          model::path_classes(patterns_, std::span(reinterpret_cast<const bool*>(lists.data()), lists.size()));
      out.undecided = out.undecided || cut.exhausted;
      for (const model::PathClass& c : cut.classes) (list ? out.listing : out.plain).push_back(one(c));
    }
    return out;
  }

 private:
  struct Entry {
    std::size_t rule, first, count, except;  ///< its patterns start at `first`, its exceptions follow them
    bool socket;
  };
  void add_rule(std::size_t rule, const std::vector<model::Placed<PathPattern>>& patterns,
                const std::vector<model::Placed<PathPattern>>& except, bool socket) {
    rules_.push_back({rule, patterns_.size(), patterns.size(), except.size(), socket});
    for (const auto& p : patterns) patterns_.push_back(&p.pattern);
    for (const auto& p : except) patterns_.push_back(&p.pattern);
  }

  Classes::One one(const model::PathClass& c) const {
    Classes::One out;
    out.path = c.path;
    for (const Entry& e : rules_) {
      bool excepted = false, any = false;
      for (std::size_t i = 0; i < e.except; ++i) excepted = excepted || c.hits[e.first + e.count + i];
      for (std::size_t i = 0; i < e.count; ++i) {
        if (!c.hits[e.first + i]) continue;
        (excepted ? out.excepted : e.socket ? out.sockets : out.matching).push_back({e.rule, i});
        any = any || !excepted;
      }
      if (!any || e.socket) continue;
      const model::Rule& rule = policy_.rules[e.rule];
      (rule.effect == model::Effect::Allow ? out.allowed : out.refused) |= std::get<model::FileBody>(rule.body).verbs;
    }
    out.allowed &= ~out.refused;
    for (std::size_t h = 0; h < ruleset_.hierarchies.size(); ++h) {
      const Hierarchy& from = ruleset_.hierarchies[h];
      const bool node = c.hits[hierarchies_from_ + 2 * h], under = c.hits[hierarchies_from_ + 2 * h + 1];
      out.directory = out.directory || (node && from.directory);
      out.file = out.file || (!from.directory && (node || under));
      if (!node && !(under && from.directory)) continue;
      out.here |= from.rights;
      if (under) out.entry |= from.rights;
      out.sources.push_back(h);
    }
    return out;
  }

  const model::Policy& policy_;
  const Ruleset& ruleset_;
  std::vector<const PathPattern*> patterns_;
  std::vector<Entry> rules_;
  std::vector<PathPattern> own_;
  std::size_t hierarchies_from_ = 0;
};

}  // namespace

Classes classes_of(const model::Policy& policy, const Ruleset& ruleset) { return Cutter(policy, ruleset).run(); }

Grant granted(const Classes::One& c, Verb verb, const Ruleset& ruleset) {
  const auto all = [&](std::uint64_t have, std::uint64_t rights) {
    rights &= ruleset.handled_fs;
    return (have & rights) == rights ? Grant::Yes : Grant::No;
  };
  switch (verb) {
    case Verb::Read:
      return c.directory ? Grant::Undefined : all(c.here, ll::fs_read_file);
    case Verb::List:
      return c.file ? Grant::Undefined : all(c.here, ll::fs_read_dir);
    case Verb::Exec:  // the kernel opens what it executes for reading too (do_open_execat in fs/exec.c)
      return c.directory ? Grant::Undefined : all(c.here, ll::fs_execute | ll::fs_read_file);
    case Verb::Modify:
      return c.directory ? Grant::Undefined : all(c.here, ll::fs_write_file | ll::fs_truncate);
    case Verb::Create:
      return all(c.entry, ll::fs_make_dir | ll::fs_make_reg);
    case Verb::Delete:
      return all(c.entry, ll::fs_remove_dir | ll::fs_remove_file);
  }
  return Grant::No;
}

}  // namespace agp::backends::landlock
