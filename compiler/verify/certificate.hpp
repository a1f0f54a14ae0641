#pragma once
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compiler/verify/stack.hpp"

/// Proofs that somebody else can check: what was proved, stated over the input of each layer as SMT-LIB 2, for solvers
/// and scripts that share nothing with agp (docs/guides/certificates.md).
namespace agp::verify {

/// What the obligations are about. `artifacts` are the bytes, `readings` what was made of them, `obligations` what was
/// proved about them, and `shown` how artifacts are called instead of their place in the layout (may be empty).
struct CertificateInput {
  const model::Policy& policy;
  const model::Target& target;
  const plan::Plan& plan;
  std::span<const backends::Artifact> artifacts;
  std::span<const Reading> readings;
  std::span<const Obligation> obligations;
  std::span<const std::pair<std::string, std::string>> shown;
  const Options& options;
};

struct Certificate {
  std::vector<backends::Artifact> files;   ///< sorted by path, `certificate.json` among them
  std::vector<std::string> not_certified;  ///< one line for each obligation that has no form yet: which, and why
};

/// One SMT-LIB 2 file for each obligation that has a form, and one for its control: the same with a rule of the policy
/// left out or added, chosen so that the verifier refutes it. Precondition: every obligation is proved.
/// Asks the verifier once for each rule that is tried as a control.
Certificate certify(const CertificateInput& input);

/// `policy.json`: the rules as they count on this day, with names replaced by what they stand for, the tables of system
/// calls, what loaders need, and accepted gaps. All that a checker has to know about the policy and the target.
std::string certified_policy(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                             model::Day today);
/// One rule of it, as an object in JSON; and where each rule of the policy stands in its `rules`.
std::string certified_rule(const model::Rule& rule);
std::map<std::size_t, std::size_t> rule_numbers(const model::Policy& policy);

}  // namespace agp::verify
