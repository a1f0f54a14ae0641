#include "compiler/model/packet_layer.hpp"

#include <algorithm>
#include <unordered_map>

// Fields -> bits. The order decides the size: what few rules ask comes first, addresses before ports so that a set of
// n elements takes about n paths, membership last so that n names are a chain and not 2^n cells.
namespace agp::model {
namespace {

struct FieldPlace {
  std::uint32_t first;
  std::uint32_t width;
};

constexpr FieldPlace place(PacketField f) {
  switch (f) {
    case PacketField::State:
      return {0, 3};
    case PacketField::Family:
      return {3, 1};
    case PacketField::User:
      return {4, 33};
    case PacketField::Cgroup:
      return {37, 8};
    case PacketField::In:
      return {45, 8};
    case PacketField::Out:
      return {53, 8};
    case PacketField::Protocol:
      return {61, 8};
    case PacketField::Kind:
      return {69, 3};
    case PacketField::Hops:
      return {72, 8};
    case PacketField::IcmpType:
      return {80, 8};
    case PacketField::IcmpCode:
      return {88, 8};
    case PacketField::TcpFlags:
      return {96, 8};
    case PacketField::Destination6:
      return {104, 128};
    case PacketField::Destination4:
      return {200, 32};
    case PacketField::Port:
      return {232, 16};
    case PacketField::Source6:
      return {248, 128};
    case PacketField::Source4:
      return {344, 32};
    case PacketField::SourcePort:
      return {376, 16};
  }
  return {0, 0};
}
constexpr std::uint32_t members = 392;
constexpr std::size_t most_names = 250;

constexpr PacketField all_fields[] = {
    PacketField::State,        PacketField::Family,   PacketField::User,     PacketField::Cgroup,
    PacketField::In,           PacketField::Out,      PacketField::Protocol, PacketField::Kind,
    PacketField::Hops,         PacketField::IcmpType, PacketField::IcmpCode, PacketField::TcpFlags,
    PacketField::Destination6, PacketField::Port,     PacketField::Source6,  PacketField::SourcePort};

}  // namespace

Bits128 value_of(const Packet& p, PacketField f) {
  switch (f) {
    case PacketField::State:
      return static_cast<Bits128>(p.state);
    case PacketField::Family:
      return static_cast<Bits128>(p.family);
    case PacketField::User:
      return p.user;
    case PacketField::Cgroup:
      return p.cgroup;
    case PacketField::In:
      return p.in;
    case PacketField::Out:
      return p.out;
    case PacketField::Protocol:
      return p.protocol;
    case PacketField::Kind:
      return p.kind;
    case PacketField::Hops:
      return p.hops;
    case PacketField::IcmpType:
      return p.icmp_type;
    case PacketField::IcmpCode:
      return p.icmp_code;
    case PacketField::TcpFlags:
      return p.tcp_flags;
    case PacketField::Destination4:
    case PacketField::Destination6:
      return p.destination;
    case PacketField::Port:
      return p.port;
    case PacketField::Source4:
    case PacketField::Source6:
      return p.source;
    case PacketField::SourcePort:
      return p.source_port;
  }
  return 0;
}

namespace {

void set(Packet& p, PacketField f, Bits128 v) {
  const auto byte = static_cast<std::uint8_t>(v);
  switch (f) {
    case PacketField::State:
      p.state = static_cast<PacketState>(byte);
      break;
    case PacketField::Family:
      p.family = static_cast<PacketFamily>(byte);
      break;
    case PacketField::User:
      p.user = static_cast<std::uint64_t>(v);
      break;
    case PacketField::Cgroup:
      p.cgroup = byte;
      break;
    case PacketField::In:
      p.in = byte;
      break;
    case PacketField::Out:
      p.out = byte;
      break;
    case PacketField::Protocol:
      p.protocol = byte;
      break;
    case PacketField::Kind:
      p.kind = byte;
      break;
    case PacketField::Hops:
      p.hops = byte;
      break;
    case PacketField::IcmpType:
      p.icmp_type = byte;
      break;
    case PacketField::IcmpCode:
      p.icmp_code = byte;
      break;
    case PacketField::TcpFlags:
      p.tcp_flags = byte;
      break;
    case PacketField::Destination4:
    case PacketField::Destination6:
      p.destination = v;
      break;
    case PacketField::Port:
      p.port = static_cast<std::uint16_t>(v);
      break;
    case PacketField::Source4:
    case PacketField::Source6:
      p.source = v;
      break;
    case PacketField::SourcePort:
      p.source_port = static_cast<std::uint16_t>(v);
      break;
  }
}

/// Is `path` the cgroup `top` or beneath it?
bool at_or_beneath(const std::string& path, const std::string& top) {
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

}  // namespace

std::string_view to_string(Hook h) {
  switch (h) {
    case Hook::Input:
      return "input";
    case Hook::Forward:
      return "forward";
    case Hook::Output:
      return "output";
  }
  return "output";
}

PacketSpace::Ref PacketSpace::masked(PacketField field, Bits128 mask, Bits128 wanted) {
  const auto [first, width] = place(field);
  Ref out = DecisionDiagrams::yes;
  for (std::uint32_t i = 0; i < width; ++i) {  // from the last bit, which is the lowest
    if ((mask >> i & 1) == 0) continue;
    const bool one = (wanted >> i & 1) != 0;
    out = diagrams_.make(first + width - 1 - i, one ? DecisionDiagrams::no : out, one ? out : DecisionDiagrams::no);
  }
  return out;
}

PacketSpace::Ref PacketSpace::between(PacketField field, Bits128 low, Bits128 high) {
  const auto [first, width] = place(field);
  if (low > high) return DecisionDiagrams::no;
  Ref least = DecisionDiagrams::yes, most = DecisionDiagrams::yes, both = DecisionDiagrams::yes;
  // of the last i bits: at least low's, at most high's, between the two
  bool same = true;
  for (std::uint32_t i = 0; i < width; ++i)
    if ((low >> i & 1) != (high >> i & 1)) same = false;
  std::uint32_t split = width;  // the highest bit in which they differ
  if (!same)
    for (std::uint32_t i = width; i-- > 0;)
      if ((low >> i & 1) != (high >> i & 1)) {
        split = i;
        break;
      }
  for (std::uint32_t i = 0; i < width; ++i) {
    const std::uint32_t bit = first + width - 1 - i;
    const bool l = (low >> i & 1) != 0, h = (high >> i & 1) != 0;
    if (!same && i == split) {
      both = diagrams_.make(bit, least, most);
    } else if (same || i > split) {
      both = diagrams_.make(bit, l ? DecisionDiagrams::no : both, l ? both : DecisionDiagrams::no);
    } else {
      least = diagrams_.make(bit, l ? DecisionDiagrams::no : least, l ? least : DecisionDiagrams::yes);
      most = diagrams_.make(bit, h ? DecisionDiagrams::yes : most, h ? most : DecisionDiagrams::no);
    }
  }
  return both;
}

PacketSpace::Ref PacketSpace::ports(PacketField field, const PortSet& some) {
  std::vector<Ref> out;
  for (const PortRange& r : some.ranges()) out.push_back(between(field, r.first, r.last));
  return diagrams_.any(std::move(out));
}

PacketSpace::Ref PacketSpace::addresses(bool source, const AddressSet& some) {
  std::vector<Ref> v4, v6;
  for (const AddressRange& r : some.ranges()) {
    if (r.first.is_v4())
      v4.push_back(
          between(source ? PacketField::Source4 : PacketField::Destination4, r.first.v4_bits(), r.last.v4_bits()));
    else
      v6.push_back(between(source ? PacketField::Source6 : PacketField::Destination6, r.first.bits, r.last.bits));
  }
  return diagrams_.make(place(PacketField::Family).first, diagrams_.any(std::move(v4)), diagrams_.any(std::move(v6)));
}

std::uint32_t PacketSpace::member_bit(std::size_t filled) { return members + static_cast<std::uint32_t>(filled); }
PacketSpace::Ref PacketSpace::member(std::size_t filled) { return diagrams_.bit(member_bit(filled)); }

std::uint8_t PacketSpace::interface(const std::string& name) {
  const auto at = std::find(interfaces_.begin() + 1, interfaces_.end(), name);
  if (at != interfaces_.end()) return static_cast<std::uint8_t>(at - interfaces_.begin());
  if (interfaces_.size() >= most_names) {
    exhausted_names_ = true;
    return 0;
  }
  interfaces_.push_back(name);
  return static_cast<std::uint8_t>(interfaces_.size() - 1);
}

std::uint64_t PacketSpace::user(const std::string& name) {
  auto at = std::find(users_.begin(), users_.end(), name);
  if (at == users_.end()) at = users_.insert(users_.end(), name);
  return no_user + 1 + static_cast<std::uint64_t>(at - users_.begin());
}

void PacketSpace::mention_cgroup(const std::string& path) {
  if (std::find(cgroups_.begin() + 2, cgroups_.end(), path) != cgroups_.end()) return;
  if (cgroups_.size() >= most_names)
    exhausted_names_ = true;
  else
    cgroups_.push_back(path);
}

PacketSpace::Ref PacketSpace::in_cgroup(const std::string& path) {
  std::vector<Ref> out;
  for (std::size_t i = 2; i < cgroups_.size(); ++i)
    if (at_or_beneath(cgroups_[i], path)) out.push_back(equals(PacketField::Cgroup, i));
  return diagrams_.any(std::move(out));
}
std::uint8_t PacketSpace::cgroup_of(const std::string& path) const {
  std::size_t best = 1;
  for (std::size_t i = 2; i < cgroups_.size(); ++i)
    if (at_or_beneath(path, cgroups_[i]) && (best == 1 || cgroups_[i].size() > cgroups_[best].size())) best = i;
  return static_cast<std::uint8_t>(best);
}

PacketSpace::Ref PacketSpace::wellformed() {
  const std::pair<PacketField, Bits128> most[] = {
      {PacketField::State, packet_states - 1},    {PacketField::User, no_user + users_.size()},
      {PacketField::Cgroup, cgroups_.size() - 1}, {PacketField::In, interfaces_.size() - 1},
      {PacketField::Out, interfaces_.size() - 1}, {PacketField::Kind, 3}};
  Ref out = DecisionDiagrams::yes;
  for (const auto& [field, last] : most) out = diagrams_.both(out, between(field, 0, last));
  return out;
}

bool PacketSpace::beneath(std::uint8_t cgroup, const std::string& path) const {
  return cgroup >= 2 && cgroup < cgroups_.size() && at_or_beneath(cgroups_[cgroup], path);
}

bool PacketSpace::holds(Ref r, const Packet& p) const {
  while (!diagrams_.leaf(r)) {
    const auto& n = diagrams_.node(r);
    bool one = false;
    if (n.bit >= members) {
      const std::size_t i = n.bit - members;
      one = i < p.members.size() && p.members[i];
    } else {
      for (const PacketField f : all_fields) {
        const auto [first, width] = place(f);
        if (n.bit >= first && n.bit < first + width) one = (value_of(p, f) >> (first + width - 1 - n.bit) & 1) != 0;
      }
    }
    r = one ? n.high : n.low;
  }
  return r == DecisionDiagrams::yes;
}

std::pair<std::string_view, unsigned> variable_of(PacketField field) {
  constexpr std::pair<std::string_view, unsigned> all[] = {
      {"state", 4},    {"v6", 0},       {"user", 36},  {"cgroup", 8},    {"in", 8},        {"out", 8},
      {"protocol", 8}, {"kind", 4},     {"hops", 8},   {"icmp_type", 8}, {"icmp_code", 8}, {"tcp_flags", 8},
      {"daddr4", 32},  {"daddr6", 128}, {"dport", 16}, {"saddr4", 32},   {"saddr6", 128},  {"sport", 16}};
  return all[static_cast<std::size_t>(field)];
}

smt::Formula between(PacketField field, Bits128 first, Bits128 last) {
  const auto [name, width] = variable_of(field);
  if (field != PacketField::Family) return smt::between(std::string(name), first, last, width);
  return smt::any({first == 0 ? smt::negate("v6") : "false", first <= 1 && last >= 1 ? "v6" : "false"});
}

bool equal(const PacketLayer& a, const PacketLayer& b) {
  const auto same_set = [](const FilledSet& x, const FilledSet& y) {
    return x.name == y.name && x.family == y.family && x.source == y.source && x.forgets == y.forgets;
  };
  if (a.space->users() != b.space->users() || a.space->interfaces() != b.space->interfaces() ||
      a.space->cgroups() != b.space->cgroups() ||
      !std::equal(a.filled.begin(), a.filled.end(), b.filled.begin(), b.filled.end(), same_set))
    return false;
  const DecisionDiagrams &x = a.space->diagrams(), &y = b.space->diagrams();
  std::unordered_map<DecisionDiagrams::Ref, DecisionDiagrams::Ref> known;  // reduced: alike exactly if isomorphic
  const auto alike = [&](const auto& self, DecisionDiagrams::Ref p, DecisionDiagrams::Ref q) -> bool {
    if (x.leaf(p) || y.leaf(q)) return p == q;
    const auto [at, fresh] = known.try_emplace(p, q);
    if (!fresh) return at->second == q;
    const auto &m = x.node(p), &n = y.node(q);
    return m.bit == n.bit && self(self, m.low, n.low) && self(self, m.high, n.high);
  };
  for (std::size_t h = 0; h < hooks; ++h)
    if (!alike(alike, a.accepted[h], b.accepted[h])) return false;
  return true;
}

std::optional<Packet> PacketSpace::example(Ref r, Hook hook, std::size_t filled) const {
  if (r == DecisionDiagrams::no) return std::nullopt;
  std::array<bool, members> bits{};
  Packet p;
  p.hook = hook;
  p.members.assign(filled, false);
  while (!diagrams_.leaf(r)) {
    const auto& n = diagrams_.node(r);
    const bool one = n.low == DecisionDiagrams::no;
    if (n.bit < members)
      bits[n.bit] = one;
    else if (n.bit - members < filled)
      p.members[n.bit - members] = one;
    r = one ? n.high : n.low;
  }
  for (const PacketField f : all_fields) {
    const auto [first, width] = place(f);
    Bits128 v = 0;
    for (std::uint32_t i = 0; i < width; ++i) v = v << 1 | Bits128{bits[first + i]};
    set(p, f, v);
  }
  return p;
}

}  // namespace agp::model
