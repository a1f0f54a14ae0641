#pragma once
#include <map>
#include <optional>
#include <span>

#include "compiler/analysis/space.hpp"
#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/model/policy.hpp"

/// Least privilege (AGP3xxx): grants that are broad, forgotten or defeat the sandbox. Three kinds: a *reach* is a row
/// of rows.cpp (a set of actions, which is a guard of the library, that a policy permits a part of); a *shape* is about
/// one rule or the policy's bounds; a *chain* is about grants that are harmless one by one. docs/reference/lints.md
/// lists them and the scheme of their numbers.
namespace agp::lint {

/// Severities by code, as `[lints]` of agp.toml states them; nothing in the optional: off.
using Levels = std::map<int, std::optional<diagnostics::Severity>>;

struct Options {
  Levels levels;
  model::Day today = 0;  ///< what the expiry of a suppression is compared with
  analysis::SpaceLimits limits;
};

/// Looks at all policies of one file, and at the suppressions (`// agp-allow NAME until DATE: reason`) written in it.
/// A rule of the library is never the subject: what it grants is granted by its `include`. False when a limit left
/// something undecided (AGP2018 says what). O(lints × the cost of the policy's cells).
bool check(const source::Files& files, source::FileId file, std::span<const model::Policy* const> policies,
           const Options& options, diagnostics::Sink& sink);

}  // namespace agp::lint
