#pragma once
#include <string>
#include <vector>

#include "compiler/linux/arch.hpp"
#include "compiler/model/container.hpp"
#include "compiler/model/filter_graph.hpp"
#include "compiler/model/inode_layer.hpp"
#include "compiler/model/packet_layer.hpp"
#include "compiler/solver/solver.hpp"
#include "compiler/solver/verdict.hpp"

/// Two artifacts of one kind against each other, without a policy. Both come decoded; nothing here knows a format.
/// What is compared is what a layer answers to every input, bit by bit: of a system call all 64 bits of each register.
namespace agp::verify {

enum class Relation {
  Within,  ///< what the first permits, the second permits
  Covers,  ///< what the second permits, the first permits
  Answers  ///< what both treat alike they answer alike: the same errno, the same report
};

/// One concrete thing that the two treat differently.
struct Difference {
  std::string action;
  std::string first, first_place;    ///< what the first artifact does, and where it decides so
  std::string second, second_place;  ///< the same of the second
};

struct Comparison {
  std::string layer;  ///< "seccomp", "nftables", …
  std::string arch;   ///< of a filter: the machine that it is loaded on
  Relation relation = Relation::Within;
  std::string statement;  ///< one sentence, lower case
  solver::Verdict<Difference> verdict;
};

/// Over every input that a kernel of this machine can give a filter. Each graph is cut by system-call number into cells
/// on which all of its tests on the number agree, and both are followed together through each: the solver is asked only
/// about pairs of ends that differ. Unknown past the limits, and for a graph without nodes.
std::vector<Comparison> compare_filters(const model::FilterGraph& first, const model::FilterGraph& second,
                                        linux::Arch machine, const solver::Limits& limits);

/// Over every packet and connection state, at each hook. Both layers were read into one space (Backend::decode of both
/// in one call). A set of both that starts with the same elements is taken to hold the same whatever fills it; of
/// one of both that starts with others, these are compared; one of a single side may hold anything. Unknown where the
/// two judge the packets of different senders.
std::vector<Comparison> compare_packets(const model::PacketLayer& first, const model::PacketLayer& second);

std::vector<Comparison> compare_files(const model::InodeLayer& first, const model::InodeLayer& second);
std::vector<Comparison> compare_ports(const model::PortLayer& first, const model::PortLayer& second);

/// What the first process gets and sees, setting by setting and mount by mount.
std::vector<Comparison> compare_containers(const model::Container& first, const model::Container& second);

}  // namespace agp::verify
