#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "compiler/model/policy.hpp"

/// Endpoints as boxes protocol × addresses × ports, and their decomposition into disjoint ones. What a layer that looks
/// up one key (nftables' concatenated interval sets refuse overlaps) needs, and a normal form to compare regions by.
namespace agp::model {

/// Addresses of one family only. Ports are {0, 0} for icmp, which has none. `owner` says whose box it is.
struct EndpointBox {
  Protocol protocol = Protocol::Tcp;
  AddressRange addresses;
  PortRange ports;
  std::size_t owner = 0;
  friend bool operator==(const EndpointBox&, const EndpointBox&) = default;
};

/// The same points as disjoint boxes; a point covered several times belongs to the smallest owner. A normal form: two
/// lists that give every point the same owner give the same result. Sorted by protocol, address, port. Nothing when
/// more than `limit` boxes (or a proportional amount of work) would be needed: n boxes that cross can make n² pieces.
std::optional<std::vector<EndpointBox>> disjoint(std::vector<EndpointBox> boxes, std::size_t limit = 200000);

/// The boxes of one address endpoint of a rule, minus the rule's `except` addresses, under `owner`. `addresses`
/// replaces the endpoint's own set where it is given: what a name may stand for. `except` names are not looked at.
std::vector<EndpointBox> boxes_of(const NetBody& body, const EndpointPattern& endpoint, std::size_t owner,
                                  const AddressSet* addresses = nullptr);

}  // namespace agp::model
