#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"

/// What a repository had when lints were switched on (`--baseline`): findings that are known and left out. Only lints
/// can be; a conflict, a gap or a failed proof can't.
namespace agp::driver {

/// What a finding is recognised by, wherever its line moves: `rule` is the line, and what it stands for. Of what
/// several rules do together `with` is another of them, and each of the others has an entry; else it is empty.
struct KnownFinding {
  std::string path, policy, code, rule, with;
  auto operator<=>(const KnownFinding&) const = default;
};
/// How many of each.
using Baseline = std::map<KnownFinding, std::size_t>;

/// Of `--baseline`, or nothing where there is none. What is wrong with it is a finding, and the session is unusable.
std::optional<Baseline> read_baseline(Session& session);

/// Takes the known findings out of a list, and each from what the baseline has left.
void leave_out(const source::Files& files, std::vector<diagnostics::Diagnostic>& findings, Baseline& left);

/// At the end of a check: leaves out what `--baseline` has, and says what of it is gone, of the policies and files in
/// `looked_at`.
void apply_baseline(Session& session, const std::set<std::string>& looked_at);

/// The findings of lints as a baseline (agp-baseline/2); they are known from then on, and taken out.
std::string take_baseline(Session& session);

}  // namespace agp::driver
