#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"
#include "compiler/plan/plan.hpp"

/// Artifacts -> a directory. `files` is a function of its argument alone: no clock, no environment, no absolute path
/// (`report.json` apart, which repeats what it is given). `write` is the only code of the product that changes a disk,
/// `agp fmt` and `--report` apart.
namespace agp::bundle {

/// One obligation that a prover decided, for `report.json`.
struct ProofRow {
  std::string artifact;         ///< path, and JSON pointer where it is a section
  std::string statement;        ///< "no excess", "no loss", …
  std::string verdict;          ///< "proved", "refuted", "unknown"
  std::string witness, reason;  ///< may be empty
  std::uint64_t milliseconds = 0;
};

/// Everything one policy directory is made of. The pointers must outlive the call that takes it.
struct Content {
  const source::Files* files = nullptr;  ///< for the lines of the source map
  const model::Policy* policy = nullptr;
  const model::Target* target = nullptr;
  const plan::Plan* plan = nullptr;
  plan::StackCommands commands;
  std::vector<backends::Artifact> artifacts;
  std::vector<backends::MapEntry> map;
  std::vector<std::string> not_verified;          ///< artifacts without a decoder, by path
  bool proofs_skipped = false;                    ///< `--no-verify`
  std::map<std::string, std::string> parameters;  ///< what `--set` gave
  model::Day date = 0;                            ///< the day that `until` was compared with

  // report.json only
  std::string solver;  ///< "Z3 4.8.12"; empty when none was asked
  std::vector<ProofRow> proofs;
  std::uint64_t milliseconds = 0;  ///< the whole build of this policy
};

/// The files of a policy directory, sorted by path: the artifacts, `manifest.json` (agp-manifest/1), `report.json`.
std::vector<backends::Artifact> files(const Content& content);

/// `manifest.json` alone.
std::string manifest(const Content& content);

/// The lists ("prepare", "run", "finally") in which a manifest has other commands than these: whoever starts the sandbox
/// with it starts another one. All of them where it has none.
std::vector<std::string> changed_commands(std::string_view manifest, const plan::StackCommands& commands);

/// Puts `tree` in place of `directory`: all or nothing. `directory` must not exist, be empty, or be an earlier output
/// of agp (each manifest in it lists exactly the files beside it). With `build --all` the paths begin with `POLICY/`.
/// Files get mode 0644 and directories 0755 whatever the umask. The tree is written beside the old one, synced, and
/// exchanged with it under a lock; SIGINT, SIGTERM and SIGHUP meanwhile leave nothing behind and then end the process
/// as they would have. False when a diagnostic was emitted (AGP0008, AGP0009): the old tree is then untouched.
bool write(const std::string& directory, std::span<const backends::Artifact> tree, diagnostics::Sink& sink);

/// The same question without writing, for a build to ask before it works: may `directory` be replaced?
bool may_replace(const std::string& directory, diagnostics::Sink& sink);

}  // namespace agp::bundle
