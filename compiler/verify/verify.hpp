#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"
#include "compiler/plan/plan.hpp"
#include "compiler/solver/second.hpp"
#include "compiler/solver/solver.hpp"
#include "compiler/solver/verdict.hpp"

/// Artifacts, read back, against the policy (VERIFICATION.md). Comes in: the model and what `Backend::decode` made of
/// the bytes. Goes out: one obligation for each form of a layer and each direction, with a three-valued verdict.
/// Shares nothing with any `emit`: the policy's rules are encoded here a second time.
namespace agp::model {
struct Packet;  // compiler/model/packet_layer.hpp
}  // namespace agp::model

namespace agp::verify {

enum class Direction {
  Excess,  ///< nothing runs that the policy does not allow (nor the loader needs)
  Loss,    ///< everything that the policy allows runs
  Errno,   ///< clone3 answers ENOSYS while `clone` has conditions, so that libc falls back to `clone`
  // The statement of an audited block (LANGUAGE.md, Mode), whose artifacts have none of the above:
  Permits,  ///< every action runs
  Reports,  ///< every action that the policy would refuse is reported
  Quiet     ///< no action that it allows is
};
/// "no excess", "no loss", "errno"; "audit: permits all", "audit: reports every refusal", "audit: reports nothing else"
std::string_view to_string(Direction d);

/// One concrete action on which policy and artifact differ. The first five members are for system calls only.
struct Witness {
  std::uint32_t arch = 0;  ///< AUDIT_ARCH_* word
  std::uint32_t number = 0;
  std::array<std::uint64_t, 6> arguments{};
  std::uint64_t instruction_pointer = 0;
  std::uint32_t answer = 0;  ///< SECCOMP_RET_* word that the artifact gives
  std::string action;        ///< `syscall socket(0x10000000a, 0x1, 0x0)`; `syscall 0x40000029()` without a name
  model::Decision decision = model::Decision::Deny;  ///< the policy's
  std::vector<std::size_t> rules;  ///< that decide it, indices into policy.rules; empty: no rule, or no such call
  std::string place;               ///< where the artifact decides it: "instruction 12"
  std::string observed;            ///< "permitted", "EPERM", "kills the process"
  std::shared_ptr<const model::Packet> packet;  ///< the whole packet, where the action is one
};
using Verdict = solver::Verdict<Witness>;

struct Obligation {
  std::string artifact;  ///< `seccomp/filter.x86_64.bpf`, `oci/config.json#/linux/seccomp`
  std::string layer;     ///< "seccomp"
  std::string arch;
  Direction direction = Direction::Excess;
  std::string statement;  ///< one sentence for reports, lower case
  Verdict verdict;
  std::string_view thing = "system call";  ///< what the layer decides about, as a sentence names one of it
  bool disputed = false;                   ///< two solvers contradict each other: a bug, and the verdict is unknown
  std::string open = {};  ///< why the second solver left a question of it open; empty: it did not, or was not asked
};

struct Options {
  solver::Limits solver;
  std::optional<solver::SecondSolver> second;  ///< decides every question again
  model::Day today = 0;                        ///< artifacts are compared for this day and all later ones
  /// Filters: only calls whose registers have no bit that the kernel ignores, and no loader that makes calls of its
  /// own. For a source that was read as if its comparisons were what the kernel compares.
  bool as_written = false;
};

/// Policy against every filter in `decoded`, both directions and the errno. Gaps that `plan` records as accepted are
/// subtracted, and so is what the form's loader needs (compiler/linux/loader_needs.hpp). An artifact that the decoder
/// refused is not in `filters`: see `report_refused`. Opens a solver::Session only where arguments matter.
std::vector<Obligation> verify_filters(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                       const backends::Decoded& decoded, const Options& options = {});

/// The calls on which a filter permits what the policy does not: of each system call one witness for every value whose
/// register has bits that the kernel ignores, 16 at most, smallest numbers first. `unknown` is not empty where a limit
/// left some of it open.
struct Excesses {
  std::vector<Witness> witnesses;
  std::string unknown;
};
Excesses every_excess(const model::Policy& policy, const model::Target& target, const backends::DecodedFilter& filter,
                      const Options& options = {});

/// Every obligation that is not proved as an AGP50xx diagnostic.
void report(const model::Policy& policy, std::span<const Obligation> obligations, diagnostics::Sink& sink);
/// Every problem that a decoder named, as AGP5004.
void report_refused(const model::Policy& policy, std::string_view layer, const backends::Decoded& decoded,
                    diagnostics::Sink& sink);

}  // namespace agp::verify
