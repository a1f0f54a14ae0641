#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/model/packet_layer.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"
#include "compiler/plan/plan.hpp"

namespace agp::verify {

/// Whose packets the table judges: backends.md, "nftables"; the policy's `run` block and the target's stack say.
enum class PacketForm { Namespace, Cgroup, User, Interface };
PacketForm packet_form(const model::Policy& policy, const model::Target& target);

/// The prefixes of lines in the log that name this policy and one of its rules on packets, or none of them.
std::set<std::string> packet_reports(const model::Policy& policy);

/// What a policy says about packets, as diagrams of a layer's space. An address is taken as it stands on the wire; a
/// name is taken as membership in the set that its rule's answers fill (backends::name_set).
class PacketTerms {
 public:
  using Ref = model::DecisionDiagrams::Ref;
  enum class Way {
    There,  ///< packets of whoever connects: the endpoint is the destination, a listener's peer the source
    Back    ///< the answers: the other way round, and a name's addresses are any within its bounds
  };

  PacketTerms(const model::Policy& policy, const plan::Plan& plan, const model::PacketLayer& layer);

  Ref connects(Way way);  ///< `ask` is refused (LANGUAGE.md, Gaps)
  Ref listens(Way way);
  /// Regions of accepted gaps: what may be permitted beyond the policy, and what may lack.
  Ref may_exceed(model::Direction direction);
  Ref may_lack(model::Direction direction);

  /// The rule and its endpoint for which the i-th filled set stands.
  std::optional<std::pair<std::size_t, std::size_t>> meaning(std::size_t filled) const;
  /// Filled sets of the layer, and those that rules need and the layer does not have.
  std::size_t members() const { return members_; }

 private:
  Ref region(const model::NetBody& body, std::size_t rule, std::size_t endpoint, Way way);
  Ref pattern(const model::NetBody& body, const model::EndpointPattern& e, const model::AddressSet& addresses, Way way);
  Ref permitted(model::Direction direction, Way way);
  Ref gaps(model::Direction direction, bool exceeds);
  Ref member(std::size_t rule, std::size_t endpoint, model::PacketFamily family);

  const model::Policy& policy_;
  const plan::Plan& plan_;
  model::PacketSpace& space_;
  model::DecisionDiagrams& d_;
  std::size_t members_;
  std::map<std::pair<std::string, model::PacketFamily>, std::size_t> sets_;
  std::map<std::size_t, std::pair<std::size_t, std::size_t>> meanings_;
};

}  // namespace agp::verify
