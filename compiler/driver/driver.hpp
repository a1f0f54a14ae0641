#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/analysis/permissiveness.hpp"
#include "compiler/bundle/bundle.hpp"
#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"
#include "compiler/plan/plan.hpp"
#include "compiler/project/project.hpp"
#include "compiler/sema/sema.hpp"
#include "compiler/verify/verify.hpp"

/// The pipelines behind the commands, each readable on one screen. Nothing here prints or exits: findings go to the
/// session's sink, answers are returned, and the caller turns both into streams and an exit code.
namespace agp::driver {

/// What every command that reads policies takes.
struct Options {
  project::Options project;
  std::map<std::string, std::string> set;     ///< --set K=V
  std::optional<std::string> policy;          ///< --policy
  std::optional<std::string> target;          ///< --target: a built-in name; else agp.toml's, else debian-12
  std::vector<std::string> archs;             ///< --arch; empty: the target's
  std::optional<std::string> syscall_counts;  ///< --syscall-counts: a file
  model::Day today = 0;                       ///< --at, else SOURCE_DATE_EPOCH, else today: the caller decides
  std::uint64_t solver_timeout_ms = 10000;    ///< --solver-timeout, per query
  std::optional<std::string> second_solver;   ///< --second-solver: the path of a program
  std::vector<std::string> invariants;        ///< --invariants: files whose invariants concern every policy
  std::optional<std::string> budget;          ///< --budget: a file of counts that no policy may exceed
  std::optional<std::string> baseline;        ///< --baseline: a file of findings that are known
  /// The options as given, but those that concern the run and its output alone: two runs over the same files whose
  /// words are equal find the same.
  std::string words;
};

struct Progress;  // compiler/driver/progress.hpp

/// One run: its texts, its findings. `unusable` is exit 2 (nothing to do, an output that can't be written, a policy
/// that must be named), `undecided` exit 3; findings are in the sink.
struct Session {
  explicit Session(Options o) : options(std::move(o)) {}
  Options options;
  source::Files files;
  sema::ParsedLibrary library;  ///< over `files`
  diagnostics::Sink sink;
  std::optional<project::Project> project;
  std::optional<model::Target> target;
  bool unusable = false;
  bool undecided = false;
  Progress* progress = nullptr;  ///< where a run says how far it is; may be null
  /// Files on disk that the findings depend on beside the policies (agp.toml, a target record, counts, invariants):
  /// path and SHA-256.
  std::vector<std::pair<std::string, std::string>> inputs;
};

/// One policy as far as it could be understood.
struct PolicyReport {
  model::Policy policy;
  plan::Plan plan;
  std::vector<analysis::CountRow> counts;  ///< how much it permits
};

struct CheckReport {
  std::size_t files = 0;
  std::vector<PolicyReport> policies;
};
/// parse -> sema -> analysis -> plan, for every policy of every file, with their models, which `build` goes on with. No
/// `.agp` file found: unusable. `check_tree` (compiler/driver/tree.hpp) does the same for many files at once.
CheckReport check(Session& session, std::span<const std::string> paths);

struct BuildOptions {
  std::string directory;          ///< -o
  bool all = false;               ///< --all: DIR/POLICY/…
  bool verify = true;             ///< --no-verify
  std::vector<std::string> emit;  ///< --emit: backend names; empty: all
  /// --fail-on: with a finding of this severity nothing is written; nothing: findings of no severity stop it, but
  /// errors always do.
  std::optional<diagnostics::Severity> fail_on = diagnostics::Severity::Error;
};
struct BuiltPolicy {
  model::Policy policy;
  plan::Plan plan;
  std::vector<std::string> artifacts;  ///< paths below the policy's directory, sorted
  std::vector<std::string> not_verified;
  std::vector<verify::Obligation> obligations;
  bool proofs_skipped = false;
};
struct BuildReport {
  std::vector<BuiltPolicy> policies;
  bool written = false;  ///< only then something new is on disk
};
/// check -> emit -> decode -> compare -> put in place. Anything but a clean run leaves the old directory untouched.
BuildReport build(Session& session, std::span<const std::string> paths, const BuildOptions& options);

/// `agp verify FILE DIR` or `agp verify FILE --seccomp F …`: exactly one of them is set.
struct VerifyInput {
  std::optional<std::string> directory;
  std::optional<std::string> seccomp, oci_seccomp, oci, podman,
      docker;  ///< single artifacts; `arch` goes with `seccomp`
  std::optional<std::string> nft, nft_json, landlock;
  std::string arch = "x86_64";
  std::optional<std::string> rootfs;       ///< where assumptions about files are looked at
  std::optional<std::string> certificate;  ///< a directory to write, where everything is proved
};
struct VerifyReport {
  std::optional<PolicyReport> policy;
  std::vector<verify::Obligation> obligations;
  std::vector<std::string> not_verified;   ///< artifacts without a decoder: never "proved"; makes the run undecided
  std::vector<std::string> discharged;     ///< assumptions that `rootfs` was looked at for, and that hold there
  bool certified = false;                  ///< the certificate is written
  std::vector<std::string> not_certified;  ///< which proofs it does not have, and why
};
VerifyReport verify(Session& session, const std::string& file, const VerifyInput& input);

/// What one layer of the artifacts does with an action.
struct LayerAnswer {
  std::string layer;     ///< "oci", "nftables", …
  std::string artifact;  ///< which form of it
  bool permits = false;
  bool asks = false;     ///< `permits` is false until somebody agrees
  std::string observed;  ///< "permitted", "EPERM", "dropped"
  std::string place;     ///< in the artifact; may be empty
};

/// One decided action. `write` and `read` are several actions: the strictest decides, the parts are listed.
struct Decided {
  model::Action action;
  model::Verdict verdict;
};
struct QueryReport {
  model::Policy policy;
  std::string action;  ///< normal form of what was asked
  model::Decision decision = model::Decision::Deny;
  std::vector<Decided> parts;                   ///< one at least
  std::vector<std::size_t> why;                 ///< a minimal set of rules behind the decision (analysis/why.hpp)
  std::vector<backends::DerivedGrant> derived;  ///< of the target's stack
  /// With artifacts: what each layer does with each of `parts`, and what follows for all of them together.
  std::vector<std::vector<LayerAnswer>> layers;
  std::optional<model::Decision> by_artifacts;
};
/// With `artifacts`, a built directory, the answer is what its layers do, read back from the bytes; where that is not
/// the policy's decision, a finding says so.
std::optional<QueryReport> query(Session& session, const std::string& file, const std::string& action,
                                 const std::optional<std::string>& artifacts = {});

struct TestResult {
  source::Span span;  ///< the line of the test
  std::string policy, action;
  model::Decision expected = model::Decision::Allow, observed = model::Decision::Allow;
  std::vector<source::Span> rules;  ///< behind the observed decision
  std::vector<LayerAnswer> layers;  ///< with artifacts: what decides
  bool undecided = false;           ///< with artifacts: they could not be read, or no layer decides
  bool passed() const { return !undecided && expected == observed; }
};
struct TestReport {
  std::vector<TestResult> results;
};
/// Runs the `test` blocks. A failed line is an error in the sink as well. None found: unusable.
/// With `artifacts` what is observed is what the layers of a built directory do; of `build --all`, of DIR/POLICY.
TestReport test(Session& session, std::span<const std::string> paths, const std::optional<std::string>& artifacts = {});

/// The escape suite as JSON lines (agp-probe/1).
std::optional<std::string> probe(Session& session, const std::string& file);

}  // namespace agp::driver
