#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/model/address.hpp"
#include "compiler/model/container.hpp"
#include "compiler/model/packet_layer.hpp"
#include "compiler/source/json_section.hpp"

/// What the parts of this folder hand each other.
namespace agp::backends::kubernetes {

using source::Refusal;
using source::Section;

/// The part of an object's metadata that decides something; the rest is the API server's own record.
struct Named {
  std::string name, name_space;
  std::map<std::string, std::string> labels;
};
Named read_metadata(const Section& object);

struct Pod {
  Named named;
  model::Container container;
  bool pings = true;  ///< some group may open a ping socket
};
Pod read_pod(const Section& object);

/// The security contexts of pod and container; where both say something, the container's counts.
void read_security(const Section& spec, const Section& container, Pod& out);

/// Volumes, where they are mounted, and what the kubelet and the runtime mount where none is.
void read_volumes(const Section& spec, const Section& container, Pod& out);

/// One rule: a peer of it, and a port of it.
struct NetRule {
  std::string place;
  std::optional<model::AddressSet> peers;  ///< absent: everybody
  struct Port {
    int protocol = 6;
    std::uint16_t first = 1, last = 65535;
    bool every = false;  ///< no number is named: port 0 too
  };
  std::vector<Port> ports;  ///< empty: every protocol
};
struct NetPolicy {
  Named named;
  struct Expression {
    std::string key, op;
    std::vector<std::string> values;
  };
  std::map<std::string, std::string> match;
  std::vector<Expression> expressions;
  bool isolates_in = false, isolates_out = false;
  std::vector<NetRule> in, out;

  bool selects(const Named& pod) const;  ///< a pod of its own namespace with such labels
  std::string selector() const;  ///< "pods with a = b of the namespace `n`": alike for two that select the same pods
};
std::vector<NetPolicy> read_policies(const Section& object);

/// Protocols that they decide about.
inline constexpr int transports[] = {6, 17, 132};

/// Those that select the pod. `opens_raw`, `pings`: sockets whose packets no policy decides.
struct Policies {
  std::vector<NetPolicy> list;
  bool opens_raw = false, pings = false;
  bool isolates(bool out) const;  ///< does one of them, in that direction
};
/// What passes each hook, with a definition in the script for each rule.
std::array<smt::Formula, model::hooks> formulas(const Policies& policies, smt::Script& script);

/// What the policies that select the pod let pass.
model::PacketLayer evaluate(std::string artifact, std::vector<NetPolicy> policies, bool opens_raw, bool pings,
                            std::shared_ptr<model::PacketSpace> space);

}  // namespace agp::backends::kubernetes
