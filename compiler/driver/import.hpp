#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"

/// `agp import --from oci-seccomp`: a foreign profile as a policy.
namespace agp::driver {

struct ImportReport {
  std::string text;                             ///< the policy, in canonical layout
  std::vector<verify::Obligation> obligations;  ///< of the source against the text, registers as written
  std::size_t wider = 0;                        ///< system calls of which the source permits more than it looks
  std::size_t dropped = 0;                      ///< what is not carried over
};
/// read -> what the engine gives to the runtime -> decode -> text -> parse the text -> prove. `caps`: what the
/// container has, for conditions on it. Findings: what is not carried over, where the source is wider than it looks,
/// what is not equal. Nothing: the file can't be read as a profile, and a finding says why.
std::optional<ImportReport> import_profile(Session& session, const std::string& file,
                                           const std::vector<std::string>& caps);

}  // namespace agp::driver
