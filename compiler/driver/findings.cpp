#include "compiler/driver/findings.hpp"

#include <set>

#include "compiler/analysis/blocks.hpp"
#include "compiler/analysis/conflicts.hpp"
#include "compiler/analysis/invariants.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/source/digest.hpp"
#include "compiler/verify/cells.hpp"

namespace agp::driver {

bool read_invariants(Session& session, std::vector<model::Invariant>& out) {
  bool good = true;
  for (const std::string& path : session.options.invariants) {
    const auto file = session.project->read(path, session.sink);
    if (!file) {
      session.unusable = true;
      good = false;
      continue;
    }
    session.project->begin();
    sema::Unit unit = load(session, *file);
    std::set<source::FileId> read = {*file};
    for (const auto& [id, paths] : session.project->uses()) read.insert(id);
    for (const source::FileId id : read)
      session.inputs.emplace_back(session.project->disk_path(id), source::sha256(session.files.get(id).text));
    good = good && !unit.failed;
    for (auto& invariant : unit.invariants) out.push_back(std::move(invariant));
  }
  return good;
}

analysis::SpaceLimits space_limits(const Session& session) {
  analysis::SpaceLimits out;
  out.archs = sema_options(session).archs;
  out.work = session.project->config().max_work;
  out.call_work = 100'000;
  return out;
}

std::vector<analysis::CountRow> judge(Session& session, const model::Policy& policy, const model::Target& target,
                                      const std::vector<model::Invariant>& own,
                                      const std::vector<model::Invariant>& given) {
  const analysis::SpaceLimits limits = space_limits(session);
  const analysis::Space space(policy, limits);
  analysis::find_conflicts(policy, space, session.options.today, session.sink);
  if (const auto second = second_solver(session)) verify::redecide_cells(policy, space, *second, session.sink);
  analysis::find_block_conflicts(policy, space, target, session.sink, limits);
  std::vector<const model::Invariant*> invariants;
  for (const auto& list : {&own, &given})
    for (const model::Invariant& invariant : *list) invariants.push_back(&invariant);
  analysis::check_invariants(policy, invariants, session.sink, limits);
  return analysis::permissiveness(space).rows();
}

}  // namespace agp::driver
