#pragma once
#include <optional>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "compiler/model/endpoint_cells.hpp"

/// What a policy asks of packets: its `net` rules as disjoint boxes, in an order that does not depend on the source's.
namespace agp::backends::nftables {

/// A box's owner is an index into `Demand::rules`.
using Boxes = std::vector<model::EndpointBox>;

/// One endpoint of an `allow` on a name: the set that the resolver fills, and the bounds on what it may contain.
struct NameDemand {
  std::size_t rule = 0;
  std::string set_4, set_6;
  Boxes boxes;                ///< protocols × addresses × ports it stands for
  bool bounded = false;       ///< the boxes' addresses matter: `within`, or an address in `except`
  bool before_never = false;  ///< its `within` includes addresses that a name never stands for otherwise
};

/// `listen` rules with the same peers.
struct ListenDemand {
  std::optional<model::AddressSet> from;
  Boxes refuse, allow;  ///< local addresses and ports
};

struct Demand {
  std::vector<const model::Rule*> rules;  ///< not expired, of `net`, by id and text
  std::vector<std::size_t> index;         ///< of each in policy.rules
  Boxes refuse;                           ///< connections that a `deny` or `ask` on addresses matches
  Boxes allow;
  std::vector<NameDemand> names;
  std::vector<ListenDemand> listens;
  std::vector<Problem> problems;  ///< not empty: the rest means nothing
};

/// `ask` counts as a refusal: no layer can put the question (LANGUAGE.md, Gaps). Without `names`, rules on names ask
/// for nothing: there is no resolver that would fill their sets.
Demand demand_of(const model::Policy& policy, const model::Target& target, bool names);

}  // namespace agp::backends::nftables
