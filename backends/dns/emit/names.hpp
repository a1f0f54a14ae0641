#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "compiler/model/endpoint_cells.hpp"

/// Which names of a policy resolve, and which sets their answers fill, as far as dnsmasq can tell names apart.
namespace agp::backends::dns {

/// One endpoint of an `allow connect` on a name.
struct NameGrant {
  std::size_t rule = 0, endpoint = 0;  ///< indices into policy.rules and the body's endpoints
  model::NamePattern pattern;
  std::vector<model::EndpointBox> boxes;  ///< disjoint, owner 0
};

/// A domain that some rule mentions. dnsmasq tells `domain` itself from the names beneath it when it forwards, but
/// fills the same sets for both.
struct Domain {
  bool self = false, beneath = false;  ///< forwarded to the upstream
  std::vector<std::size_t> fill;       ///< indices into Names::grants: whose sets an answer fills
};

struct Names {
  std::vector<NameGrant> grants;
  std::map<std::string, Domain> domains;
  /// Of each grant that loses something: a host it permits and that resolves not at all or not for all of its ports.
  std::map<std::size_t, model::NameAction> lost;
  std::vector<Problem> problems;
};

/// Holds afterwards: an answer for any name fills only sets of rules that permit that name, so nothing is wider.
Names names_of(const model::Policy& policy);

}  // namespace agp::backends::dns
