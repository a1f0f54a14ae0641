#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include "backends/nftables/decode/ruleset.hpp"

// Words of nftables -> numbers: nft(8), and `nft describe` of 1.0.6 for the types' constants.
namespace agp::backends::nftables::reading {
namespace {

using model::PacketFamily;
using model::PacketField;

struct Word {
  std::string_view word;
  std::uint32_t value;
};

constexpr Word protocols[] = {{"icmp", 1},       {"igmp", 2},    {"tcp", 6},    {"udp", 17},
                              {"dccp", 33},      {"gre", 47},    {"esp", 50},   {"ah", 51},
                              {"ipv6-icmp", 58}, {"icmpv6", 58}, {"sctp", 132}, {"udplite", 136}};
constexpr Word states[] = {{"new", 0}, {"established", 1}, {"related", 2}, {"invalid", 3}, {"untracked", 4}};
constexpr Word kinds[] = {{"host", 0}, {"unicast", 0}, {"broadcast", 1}, {"multicast", 2}, {"other", 3}};
constexpr Word nfprotos[] = {{"ipv4", 0}, {"ipv6", 1}};
constexpr Word ethertypes[] = {{"ip", 0}, {"ip6", 1}};
constexpr Word icmp4[] = {
    {"echo-reply", 0},         {"destination-unreachable", 3}, {"source-quench", 4},        {"redirect", 5},
    {"echo-request", 8},       {"router-advertisement", 9},    {"router-solicitation", 10}, {"time-exceeded", 11},
    {"parameter-problem", 12}, {"timestamp-request", 13},      {"timestamp-reply", 14},     {"info-request", 15},
    {"info-reply", 16},        {"address-mask-request", 17},   {"address-mask-reply", 18}};
constexpr Word icmp6[] = {{"destination-unreachable", 1},  {"packet-too-big", 2},         {"time-exceeded", 3},
                          {"parameter-problem", 4},        {"echo-request", 128},         {"echo-reply", 129},
                          {"mld-listener-query", 130},     {"mld-listener-report", 131},  {"mld-listener-done", 132},
                          {"mld-listener-reduction", 132}, {"nd-router-solicit", 133},    {"nd-router-advert", 134},
                          {"nd-neighbor-solicit", 135},    {"nd-neighbor-advert", 136},   {"nd-redirect", 137},
                          {"router-renumbering", 138},     {"ind-neighbor-solicit", 141}, {"ind-neighbor-advert", 142},
                          {"mld2-listener-report", 143}};
constexpr Word flags[] = {{"fin", 1},  {"syn", 2},  {"rst", 4},  {"psh", 8},
                          {"ack", 16}, {"urg", 32}, {"ecn", 64}, {"cwr", 128}};

constexpr int connection_tracking = -200;

constexpr std::pair<std::string_view, Type> types[] = {
    {"ipv4_addr", Type::Ipv4},       {"ipv6_addr", Type::Ipv6},   {"inet_proto", Type::Protocol},
    {"inet_service", Type::Service}, {"ct_state", Type::State},   {"uid", Type::User},
    {"ifname", Type::Interface},     {"pkt_type", Type::Kind},    {"nf_proto", Type::Nfproto},
    {"icmp_type", Type::Icmp4},      {"icmpv6_type", Type::Icmp6}};

std::span<const Word> words(Type type) {
  switch (type) {
    case Type::Protocol:
      return protocols;
    case Type::State:
      return states;
    case Type::Kind:
      return kinds;
    case Type::Nfproto:
      return nfprotos;
    case Type::Ethertype:
      return ethertypes;
    case Type::Icmp4:
      return icmp4;
    case Type::Icmp6:
      return icmp6;
    case Type::Flags:
      return flags;
    default:
      return {};
  }
}

std::optional<std::uint32_t> find(Type type, std::string_view word) {
  for (const Word& w : words(type))
    if (w.word == word) return w.value;
  return std::nullopt;
}

bool digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

[[noreturn]] void no_constant(Type type, std::string_view word) {
  refuse(fmt::format("`{}` is no constant of the type {}", word, word_of(type)));
}

model::Bits128 address(Type type, std::string_view word) {
  if (type == Type::Ipv4) {
    if (const auto a = model::parse_v4(word)) return a->v4_bits();
  } else if (word.find(':') != std::string_view::npos) {
    if (const auto a = model::parse_v6(word)) return a->bits;
  }
  no_constant(type, word);
}

Interval addresses(Type type, std::string_view word) {
  const unsigned width = type == Type::Ipv4 ? 32 : 128;
  if (const auto slash = word.find('/'); slash != std::string_view::npos) {
    const model::Bits128 first = address(type, word.substr(0, slash));
    const std::uint64_t length = number_of(word.substr(slash + 1), width);
    const model::Bits128 host =
        length == 0 && width == 128 ? ~model::Bits128{0} : (model::Bits128{1} << (width - length)) - 1;
    if ((first & host) != 0) refuse(fmt::format("the prefix `{}` has bits beyond its length", word));
    return {first, first | host};
  }
  const auto dash = word.find('-');
  const model::Bits128 first = address(type, word.substr(0, dash));
  return {first, dash == std::string_view::npos ? first : address(type, word.substr(dash + 1))};
}

Interval numbers(Type type, std::string_view word, std::uint64_t most) {
  const auto one = [&](std::string_view text) -> std::uint64_t {
    if (const auto named = find(type, text)) return *named;
    if (!digits(text)) no_constant(type, text);
    return number_of(text, most);
  };
  if (const auto named = find(type, word)) return {*named, *named};  // names have dashes of their own
  if (words(type).data() == states || type == Type::Kind || type == Type::Nfproto) no_constant(type, word);
  const auto dash = word.find('-');
  const std::uint64_t first = one(word.substr(0, dash));
  return {first, dash == std::string_view::npos ? first : one(word.substr(dash + 1))};
}

}  // namespace

void refuse(std::string message) { throw Refusal{std::move(message)}; }

std::optional<Key> key_of(std::string_view base, std::string_view field) {
  using F = PacketField;
  struct Row {
    std::string_view base, field;
    Key key;
  };
  constexpr auto v4 = PacketFamily::V4, v6 = PacketFamily::V6;
  static const Row rows[] = {
      {"ip", "saddr", {F::Source4, Type::Ipv4, v4, {}}},
      {"ip", "daddr", {F::Destination4, Type::Ipv4, v4, {}}},
      {"ip", "protocol", {F::Protocol, Type::Protocol, v4, {}}},
      {"ip", "ttl", {F::Hops, Type::Byte, v4, {}}},
      {"ip6", "saddr", {F::Source6, Type::Ipv6, v6, {}}},
      {"ip6", "daddr", {F::Destination6, Type::Ipv6, v6, {}}},
      {"ip6", "hoplimit", {F::Hops, Type::Byte, v6, {}}},
      {"th", "sport", {F::SourcePort, Type::Service, {}, {}}},
      {"th", "dport", {F::Port, Type::Service, {}, {}}},
      {"tcp", "sport", {F::SourcePort, Type::Service, {}, std::uint8_t{6}}},
      {"tcp", "dport", {F::Port, Type::Service, {}, std::uint8_t{6}}},
      {"tcp", "flags", {F::TcpFlags, Type::Flags, {}, std::uint8_t{6}}},
      {"udp", "sport", {F::SourcePort, Type::Service, {}, std::uint8_t{17}}},
      {"udp", "dport", {F::Port, Type::Service, {}, std::uint8_t{17}}},
      {"icmp", "type", {F::IcmpType, Type::Icmp4, v4, std::uint8_t{1}}},
      {"icmp", "code", {F::IcmpCode, Type::Byte, v4, std::uint8_t{1}}},
      {"icmpv6", "type", {F::IcmpType, Type::Icmp6, v6, std::uint8_t{58}}},
      {"icmpv6", "code", {F::IcmpCode, Type::Byte, v6, std::uint8_t{58}}},
      {"ct", "state", {F::State, Type::State, {}, {}}},
      {"meta", "l4proto", {F::Protocol, Type::Protocol, {}, {}}},
      {"meta", "nfproto", {F::Family, Type::Nfproto, {}, {}}},
      {"meta", "protocol", {F::Family, Type::Ethertype, {}, {}}},
      {"meta", "skuid", {F::User, Type::User, {}, {}}},
      {"meta", "pkttype", {F::Kind, Type::Kind, {}, {}}},
      {"meta", "iifname", {F::In, Type::Interface, {}, {}}},
      {"meta", "oifname", {F::Out, Type::Interface, {}, {}}},
      {"meta", "iif", {F::In, Type::Interface, {}, {}}},
      {"meta", "oif", {F::Out, Type::Interface, {}, {}}},
      {"socket", "cgroupv2", {F::Cgroup, Type::Cgroup, {}, {}}},
  };
  for (const Row& row : rows)
    if (row.base == base && row.field == field) return row.key;
  return std::nullopt;
}

std::optional<Type> type_of(std::string_view word) {
  for (const auto& [name, type] : types)
    if (name == word) return type;
  return std::nullopt;
}

std::string_view word_of(Type type) {
  for (const auto& [name, one] : types)
    if (one == type) return name;
  return type == Type::Ethertype ? "ether_type"
         : type == Type::Flags   ? "tcp_flag"
         : type == Type::Cgroup  ? "cgroupv2"
                                 : "integer";
}

std::uint64_t number_of(std::string_view word, std::uint64_t most) {
  if (word.size() > 1 && word[0] == '0') refuse(fmt::format("`{}` is octal or hexadecimal to nft: say it decimally", word));
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), n);
  if (error != std::errc{} || end != word.data() + word.size() || n > most)
    refuse(fmt::format("`{}` is no number up to {}", word, most));
  return n;
}

Interval value_of(Type type, std::string_view word, bool quoted, Ruleset& ruleset, model::PacketSpace& space) {
  if (quoted && type != Type::User && type != Type::Interface && type != Type::Cgroup) no_constant(type, word);
  if (word.empty()) no_constant(type, word);
  Interval out;
  switch (type) {
    case Type::Ipv4:
    case Type::Ipv6:
      out = addresses(type, word);
      break;
    case Type::Service:
      out = numbers(type, word, 65535);
      break;
    case Type::Interface: {
      if (word.back() == '*') refuse(fmt::format("`{}` stands for many interfaces, which is not in the subset", word));
      if (digits(word)) refuse(fmt::format("`{}` may be an interface's index, which is not in the subset: say its name", word));
      const auto i = space.interface(std::string(word));
      out = {i, i};
      break;
    }
    case Type::User: {
      if (digits(word) || (!quoted && word.find('-') != std::string_view::npos && word[0] <= '9')) {
        out = numbers(type, word, 0xffffffffu);
      } else {
        const auto u = space.user(std::string(word));
        out = {u, u};
      }
      break;
    }
    case Type::Cgroup: {
      // nft resolves it as a path beneath the root of the control groups, and keeps the number of what stands there
      const std::string path = fmt::format("/{}/", word);
      for (const char* odd : {"//", "/./", "/../"})
        if (path.find(odd) != std::string::npos)
          refuse(fmt::format("`{}` is no plain path of a control group", word));
      auto at = std::find(ruleset.cgroups.begin(), ruleset.cgroups.end(), word);
      if (at == ruleset.cgroups.end()) at = ruleset.cgroups.insert(at, std::string(word));
      const auto i = static_cast<model::Bits128>(at - ruleset.cgroups.begin());
      out = {i, i};
      break;
    }
    default:
      out = numbers(type, word, 255);
  }
  if (out.first > out.last) refuse(fmt::format("the range `{}` ends before it begins", word));
  return out;
}

std::uint64_t mask_of(Type type, std::string_view word) {
  const auto named = find(type, word);
  if (!named) no_constant(type, word);
  return *named;
}

Base base_of(std::string_view type, std::string_view hook, int priority, bool accepts) {
  if (type != "filter")
    refuse(fmt::format("a chain of the type `{}` changes packets or routes: only `filter` is read", type));
  // what goes out has a state from -200 on (NF_IP_PRI_CONNTRACK), what comes in or is passed on at every priority
  if (hook == to_string(model::Hook::Output) && priority <= connection_tracking)
    refuse(fmt::format("at the priority {} no packet that goes out has a `ct state` yet, which is not in the subset", priority));
  for (const auto h : {model::Hook::Input, model::Hook::Forward, model::Hook::Output})
    if (to_string(h) == hook) return {h, priority, accepts};
  refuse(fmt::format("the hook `{}` is not in the subset: input, forward and output are", hook));
}

std::optional<PacketFamily> family_of(std::string_view word) {
  if (word == "inet") return std::nullopt;
  if (word == "ip") return PacketFamily::V4;
  if (word == "ip6") return PacketFamily::V6;
  refuse(fmt::format("tables of the family `{}` are not in the subset: inet, ip and ip6 are", word));
}

std::optional<Key> reject_needs(std::string_view type, Interval& value) {
  if (type == "tcp reset") {
    value = {6, 6};
    return Key{PacketField::Protocol, Type::Protocol, {}, {}};
  }
  if (type == "icmp" || type == "icmpv6") {
    value.first = value.last = type == "icmp" ? 0 : 1;
    return Key{PacketField::Family, Type::Nfproto, {}, {}};
  }
  if (type != "icmpx") refuse(fmt::format("`reject with {}` is not known", type));
  return std::nullopt;
}

std::string Ruleset::where(const Place& place) const {
  if (!document) return fmt::format("line {}", place.at);
  return place.element == 0 ? fmt::format("/nftables/{}", place.at)
                            : fmt::format("/nftables/{}, element {}", place.at, place.element);
}

Table* Ruleset::find(std::string_view family, std::string_view name) {
  for (Table& t : tables)
    if (t.family_word == family && t.name == name) return &t;
  return nullptr;
}

Chain* find_chain(Table& table, std::string_view name) {
  for (Chain& c : table.chains)
    if (c.name == name) return &c;
  return nullptr;
}

std::optional<std::size_t> find_set(const Table& table, std::string_view name) {
  for (std::size_t i = 0; i < table.sets.size(); ++i)
    if (!table.sets[i].name.empty() && table.sets[i].name == name) return i;
  return std::nullopt;
}

}  // namespace agp::backends::nftables::reading
