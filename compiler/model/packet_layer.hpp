#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/model/address.hpp"
#include "compiler/model/decision_diagram.hpp"
#include "compiler/model/smt_text.hpp"

/// What a packet layer permits, neutral of its format: for each hook the set of packets that pass, as a decision
/// diagram over everything the layer looks at. The paths of a diagram are disjoint cells.
namespace agp::model {

enum class Hook : std::uint8_t { Input, Forward, Output };
inline constexpr std::size_t hooks = 3;
std::string_view to_string(Hook h);

/// The state that connection tracking gives a packet (enum ip_conntrack_info, nf_conntrack_common.h, as nft sees it).
enum class PacketState : std::uint8_t { New, Established, Related, Invalid, Untracked };
inline constexpr std::size_t packet_states = 5;

/// Whether the address is IPv4 or IPv6 on the wire. A mapped address (::ffff:a.b.c.d) in an IPv6 header is an IPv6
/// packet, unlike model::Address, which counts it as IPv4.
enum class PacketFamily : std::uint8_t { V4, V6 };

/// One concrete packet at one hook.
struct Packet {
  Hook hook = Hook::Output;
  PacketState state = PacketState::New;
  PacketFamily family = PacketFamily::V4;
  std::uint64_t user = 0;        ///< of the socket that sends it: a number, `no_user`, or a name (PacketSpace::user)
  std::uint8_t cgroup = 0;       ///< of the socket, an index of PacketSpace
  std::uint8_t in = 0, out = 0;  ///< interfaces, indices of PacketSpace
  std::uint8_t kind = 0;         ///< PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3 (if_packet.h)
  std::uint8_t protocol = 6;     ///< of the transport header
  Bits128 destination = 0;       ///< IPv4: its 32 bits
  std::uint16_t port = 0;        ///< bytes 2 and 3 of the transport header, whatever the protocol
  Bits128 source = 0;
  std::uint16_t source_port = 0;
  std::uint8_t hops = 64;  ///< TTL, hop limit
  std::uint8_t icmp_type = 0, icmp_code = 0;
  std::uint8_t tcp_flags = 2;  ///< SYN
  std::vector<bool> members;   ///< is it in the i-th filled set?
};
inline constexpr std::uint64_t no_user = std::uint64_t{1} << 32;

enum class PacketField : std::uint8_t {
  State,
  Family,
  User,
  Cgroup,
  In,
  Out,
  Protocol,
  Kind,
  Hops,
  IcmpType,
  IcmpCode,
  TcpFlags,
  Destination4,
  Destination6,
  Port,
  Source4,
  Source6,
  SourcePort
};

/// The fields as bits of a diagram, and the names that packets of this space can bear.
class PacketSpace {
 public:
  using Ref = DecisionDiagrams::Ref;

  DecisionDiagrams& diagrams() { return diagrams_; }
  Ref equals(PacketField field, Bits128 value) { return masked(field, ~Bits128{0}, value); }
  Ref masked(PacketField field, Bits128 mask, Bits128 value);   ///< field & mask == value & mask
  Ref between(PacketField field, Bits128 first, Bits128 last);  ///< inclusive
  Ref ports(PacketField field, const PortSet& set);
  Ref addresses(bool source, const AddressSet& set);  ///< with their families; no mapped ones on the wire
  Ref member(std::size_t filled);                     ///< of the set with this number
  static std::uint32_t member_bit(std::size_t filled);

  /// Interfaces: 0 is any that no rule mentions, or none; 1 is `lo`. At most 250 names; then 0 and `exhausted_names`.
  std::uint8_t interface(const std::string& name);
  /// The named user; numbers are themselves.
  std::uint64_t user(const std::string& name);
  const std::vector<std::string>& users() const { return users_; }
  const std::vector<std::string>& interfaces() const { return interfaces_; }
  const std::vector<std::string>& cgroups() const { return cgroups_; }
  /// Cgroups, relative to their root: 0 is no socket, 1 a socket in no mentioned cgroup. Mention all before asking.
  void mention_cgroup(const std::string& path);
  /// Sockets in the cgroup or beneath it; its level is the number of its components.
  Ref in_cgroup(const std::string& path);
  bool exhausted() const { return diagrams_.exhausted() || exhausted_names_; }

  bool holds(Ref r, const Packet& p) const;
  /// One packet that is in `r`, as small as it gets in the order of the fields; `hook` is the caller's.
  std::optional<Packet> example(Ref r, Hook hook, std::size_t filled) const;
  /// The index of a socket in this cgroup: the deepest mentioned one that it is in or beneath, else 1.
  std::uint8_t cgroup_of(const std::string& path) const;
  Ref wellformed();  ///< values that no packet has are left out
  /// Is the cgroup with this index `path` or beneath it?
  bool beneath(std::uint8_t cgroup, const std::string& path) const;

 private:
  DecisionDiagrams diagrams_;
  std::vector<std::string> interfaces_{"", "lo"}, cgroups_{"", ""}, users_;
  bool exhausted_names_ = false;
};

struct PacketAnswer {
  bool accepted = false;
  std::string place;                 ///< "line 12", "/nftables/7"
  std::string observed;              ///< "accepted", "dropped", "rejected"
  std::vector<std::string> reports;  ///< the prefixes of the log lines that it leaves, "" for none, in order
};

/// A named set of single addresses, which something may fill while the rules are loaded.
struct FilledSet {
  std::string table, name;
  PacketFamily family = PacketFamily::V4;
  bool source = false;            ///< looked up by source and not by destination
  bool forgets = false;           ///< its elements expire
  std::vector<Bits128> elements;  ///< what it holds from the beginning
};

struct PacketLayer {
  std::string artifact;
  std::string layer = "nftables";  ///< the backend's name
  std::string selects;             ///< whose packets it judges, where the artifact says so and nothing else does
  std::shared_ptr<PacketSpace> space;
  std::array<DecisionDiagrams::Ref, hooks> accepted{};  ///< `yes` where nothing is hooked
  std::array<bool, hooks> hooked{};
  std::vector<FilledSet> filled;     ///< membership of the i-th is the space's i-th member
  std::vector<std::uint64_t> users;  ///< that rules compare with
  /// One packet, rule by rule, without diagrams.
  std::function<PacketAnswer(const Packet&)> decide;
  /// For each hook the packets that leave a log line whose prefix counts; right for those that pass. As costly as
  /// `accepted`, and made only when it is asked for: what is enforced needs no reports to be proved.
  std::function<std::array<DecisionDiagrams::Ref, hooks>(const std::function<bool(const std::string&)>& counts)>
      reported;
  /// For each hook what passes, as a formula that is folded from the rules one by one, without diagrams; `members` says
  /// what being in each filled set means. Defines each rule in the script. With `counts`: what is `reported`. Cgroups
  /// are the Boolean `cgroup`, for the one path that the rules name.
  std::function<std::array<smt::Formula, hooks>(smt::Script& script, std::span<const smt::Formula> members,
                                                const std::function<bool(const std::string&)>* counts)>
      state;
};

/// What a packet has in a field, as a number; `Family` and `State` by their place among their values.
Bits128 value_of(const Packet& packet, PacketField field);
/// The name of a field as a variable of formulas, and its width there; `Family` is the Boolean `v6`.
std::pair<std::string_view, unsigned> variable_of(PacketField field);
/// first <= field <= last, as a formula.
smt::Formula between(PacketField field, Bits128 first, Bits128 last);

/// Do two layers let the same packets pass, at every hook? Only layers whose names and sets came in the same order can
/// be equal. Linear in the smaller of the two.
bool equal(const PacketLayer& a, const PacketLayer& b);

}  // namespace agp::model
