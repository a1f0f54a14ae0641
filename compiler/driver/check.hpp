#pragma once
#include <span>
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"
#include "compiler/driver/session.hpp"

/// The passes of `check` over one file, for those who run them over many.
namespace agp::driver {

/// What is the same for every file of a run.
struct CheckInput {
  std::vector<source::FileId> files;
  std::vector<model::Invariant> given;  ///< --invariants
};
/// Opens the session and finds the files. Nothing: a finding says why.
std::optional<CheckInput> check_input(Session& session, std::span<const std::string> paths);

struct CheckedFile {
  sema::Unit unit;  ///< its policies have been moved away
  std::vector<PolicyReport> policies;
};
/// parse -> sema -> analysis -> plan -> emit, for every policy of one file. Findings go to the session's sink.
CheckedFile check_file(Session& session, source::FileId file, const std::vector<model::Invariant>& given);

/// What is said once about a run: that nothing was found, that no policy has the name, that an invariant concerns none.
void check_whole(Session& session, const CheckInput& input, std::span<const std::string> policies);

}  // namespace agp::driver
