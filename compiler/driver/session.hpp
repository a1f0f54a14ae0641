#pragma once
#include <span>
#include <string>

#include "compiler/driver/driver.hpp"
#include "compiler/sema/sema.hpp"

/// What the pipelines share: opening a session, text -> model.
namespace agp::driver {

/// Opens the project of `paths` and chooses the target. False: a finding says why, and the session is unusable.
bool open(Session& session, std::span<const std::string> paths);

/// Reads the file of `--syscall-counts` into the target; true where there is none. False: a finding says why, and the
/// session is unusable.
bool read_counts(Session& session, model::Target& target);

/// parse -> sema of one file.
sema::Unit load(Session& session, source::FileId file);
sema::Options sema_options(const Session& session);

/// How many lines of the unit's `test` blocks fail.
std::size_t failing_lines(const sema::Unit& unit);

/// Which policy of a file a command means: `--policy`, or the only one. Nothing: the file does not resolve, or a
/// finding lists what could be meant and the session is unusable.
std::optional<std::size_t> choose_policy(Session& session, source::FileId file, const sema::Unit& unit);

/// The one policy of a file that a command means: `--policy`, or the only one. Nothing: unusable, and a finding lists
/// them.
std::optional<model::Policy> one_policy(Session& session, const std::string& file);
/// The same with all that stands beside it in the file.
struct ChosenPolicy {
  sema::Unit unit;
  std::size_t index;  ///< into unit.policies
};
std::optional<ChosenPolicy> one_of_unit(Session& session, const std::string& file);

/// The solver's bounds as `--solver-timeout` states them, and the second solver.
verify::Options verify_options(const Session& session);
std::optional<solver::SecondSolver> second_solver(const Session& session);

}  // namespace agp::driver
