#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/verify/compare.hpp"

// Packets, file rights and ports of two layers, by comparing sets: exact, without a solver.
namespace agp::verify {
namespace {

using model::DecisionDiagrams;
using model::Hook;
using model::Packet;
using model::PacketFamily;
using model::PacketField;
using model::PacketLayer;
using Ref = DecisionDiagrams::Ref;

struct Found {
  std::optional<Difference> within, covers;
  std::string unknown;

  std::optional<Difference>& slot(bool first_permits) { return first_permits ? within : covers; }
  std::vector<Comparison> both(const char* layer, const char* thing, const char* by) const {
    const auto one = [&](Relation relation, const std::optional<Difference>& refuted, std::string statement) {
      const auto verdict = [&]() -> solver::Verdict<Difference> {
        if (refuted) return solver::Refuted<Difference>{*refuted};
        if (!unknown.empty()) return solver::Unknown{unknown};
        return solver::Proved{by};
      };
      return Comparison{layer, "", relation, std::move(statement), verdict()};
    };
    return {one(Relation::Within, within, fmt::format("every {} that the first permits, the second permits", thing)),
            one(Relation::Covers, covers, fmt::format("every {} that the second permits, the first permits", thing))};
  }
};

class PacketComparison {
 public:
  PacketComparison(const PacketLayer& first, const PacketLayer& second)
      : layers_{&first, &second}, space_(*first.space), d_(space_.diagrams()) {}

  Found run() {
    if (layers_[0]->selects != layers_[1]->selects)
      return {
          {}, {}, fmt::format("the first is about {}, the second about {}", layers_[0]->selects, layers_[1]->selects)};
    members_ = std::max(layers_[0]->filled.size(), layers_[1]->filled.size());
    const std::array<std::array<Ref, model::hooks>, 2> passes{contents(0), contents(1)};
    const Ref wellformed = space_.wellformed();
    for (const Hook hook : {Hook::Output, Hook::Input, Hook::Forward}) {
      // a packet that goes out has come from nowhere, and one that comes in goes nowhere yet
      Ref real = wellformed;
      if (hook == Hook::Output) real = d_.both(real, space_.equals(PacketField::In, 0));
      if (hook == Hook::Input) real = d_.both(real, space_.equals(PacketField::Out, 0));
      const auto h = static_cast<std::size_t>(hook);
      for (const std::size_t side : {0u, 1u})
        ask(side == 0, hook, d_.both(real, d_.minus(passes[side][h], passes[1 - side][h])));
    }
    if (space_.exhausted()) return {{}, {}, "the rules together distinguish more packets than the limit"};
    return std::move(found_);
  }

 private:
  /// A set of the other side with this name, and the same elements from the beginning.
  std::optional<std::size_t> same_set(const model::FilledSet& set, std::size_t side) const {
    const auto& others = layers_[1 - side]->filled;
    for (std::size_t i = 0; i < others.size(); ++i) {
      const auto& o = others[i];
      if (o.table != set.table || o.name != set.name || o.family != set.family || o.source != set.source) continue;
      const std::set<model::Bits128> a(set.elements.begin(), set.elements.end()),
          b(o.elements.begin(), o.elements.end());
      return a == b ? std::optional(i) : std::nullopt;
    }
    return std::nullopt;
  }

  /// Has the other side a set with this name?
  bool named(const model::FilledSet& set, std::size_t side) const {
    const auto& others = layers_[1 - side]->filled;
    return std::any_of(others.begin(), others.end(), [&](const model::FilledSet& o) {
      return o.table == set.table && o.name == set.name && o.family == set.family && o.source == set.source;
    });
  }

  /// What passes, with membership by common numbers beyond those of either layer.
  std::array<Ref, model::hooks> contents(std::size_t side) {
    auto out = layers_[side]->accepted;
    const auto& filled = layers_[side]->filled;
    for (std::size_t i = 0; i < filled.size(); ++i) {
      const auto& set = filled[i];
      Ref in = DecisionDiagrams::no;
      // Something else fills it, so that it may hold anything; but a live listing has what it holds at that time.
      if (same_set(set, side) || set.elements.empty() || !named(set, side)) {
        in = space_.member(common(set));
      } else {
        const bool v4 = set.family == PacketFamily::V4;
        std::vector<Ref> elements;
        for (const auto a : set.elements)
          elements.push_back(space_.equals(set.source ? (v4 ? PacketField::Source4 : PacketField::Source6)
                                                      : (v4 ? PacketField::Destination4 : PacketField::Destination6),
                                           a));
        in = d_.any(std::move(elements));
        stated_[side].insert(i);
      }
      const std::uint32_t bit = model::PacketSpace::member_bit(i);
      for (Ref& hook : out) hook = d_.choose(in, d_.fix(hook, bit, true), d_.fix(hook, bit, false));
    }
    return out;
  }
  std::size_t common(const model::FilledSet& set) {
    const auto [at, fresh] = common_.emplace(std::tuple(set.table, set.name, set.family, set.source), common_.size());
    return members_ + at->second;
  }

  void ask(bool first_permits, Hook hook, Ref difference) {
    auto& slot = found_.slot(first_permits);
    if (slot || difference == DecisionDiagrams::no || space_.exhausted()) return;
    const Ref wishes[] = {space_.equals(PacketField::State, 0),
                          space_.equals(PacketField::Family, 0),
                          space_.equals(PacketField::Protocol, 6),
                          space_.equals(PacketField::Hops, 64),
                          space_.equals(PacketField::Kind, 0),
                          space_.equals(PacketField::TcpFlags, 2),
                          space_.equals(PacketField::Out, 0),
                          space_.equals(PacketField::In, 0),
                          space_.equals(PacketField::SourcePort, 40000),
                          d_.negate(space_.equals(PacketField::Port, 0))};
    for (const Ref wish : wishes)
      if (const Ref both = d_.both(difference, wish); both != DecisionDiagrams::no) difference = both;
    const Packet packet = *space_.example(difference, hook, members_ + common_.size());
    Difference out;
    out.action = text(packet);
    const auto answer = [&](std::size_t side) { return layers_[side]->decide(seen_by(side, packet)); };
    const auto a = answer(0), b = answer(1);
    if (a.accepted == b.accepted || a.accepted != first_permits) {
      found_.unknown =
          fmt::format("the witness `{}` shows no difference when it is followed: this is a bug in agp", out.action);
      return;
    }
    out.first = a.observed;
    out.first_place = a.place;
    out.second = b.observed;
    out.second_place = b.place;
    slot = std::move(out);
  }

  /// The packet with the membership that this layer's own numbers stand for.
  Packet seen_by(std::size_t side, Packet p) const {
    std::vector<bool> members(layers_[side]->filled.size());
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto& set = layers_[side]->filled[i];
      if (stated_[side].contains(i)) {
        const auto address = set.source ? p.source : p.destination;
        members[i] = set.family == p.family &&
                     std::find(set.elements.begin(), set.elements.end(), address) != set.elements.end();
      } else {
        members[i] = p.members[members_ + common_.at(std::tuple(set.table, set.name, set.family, set.source))];
      }
    }
    p.members = std::move(members);
    return p;
  }

  static std::string address(PacketFamily family, model::Bits128 bits) {
    return to_string(family == PacketFamily::V4 ? model::Address::v4(static_cast<std::uint32_t>(bits))
                                                : model::Address{bits});
  }
  std::string text(const Packet& p) const {
    constexpr std::string_view states[] = {"new", "established", "related", "invalid", "untracked"};
    const bool ports = p.protocol == 6 || p.protocol == 17;
    std::string out =
        fmt::format("a {} packet of {} at {} from {} to {}", states[static_cast<std::size_t>(p.state)],
                    p.protocol == 6    ? "tcp"
                    : p.protocol == 17 ? "udp"
                                       : fmt::format("IP protocol {}", p.protocol),
                    model::to_string(p.hook), address(p.family, p.source), address(p.family, p.destination));
    if (ports) out += fmt::format(" port {}", p.port);
    if (p.protocol == 1 || p.protocol == 58) out += fmt::format(" of type {}", p.icmp_type);
    if (p.in != 0) out += " in by " + space_.interfaces()[p.in];
    if (p.out != 0) out += " out by " + space_.interfaces()[p.out];
    for (const auto& [set, number] : common_)
      if (p.members[members_ + number]) out += fmt::format(", its address in the set {}", std::get<1>(set));
    return out;
  }

  std::array<const PacketLayer*, 2> layers_;
  model::PacketSpace& space_;
  DecisionDiagrams& d_;
  std::size_t members_ = 0;
  std::map<std::tuple<std::string, std::string, PacketFamily, bool>, std::size_t> common_;
  std::array<std::set<std::size_t>, 2> stated_;  ///< sets of each side that hold what is written
  Found found_;
};

// files and ports -----------------------------------------------------------------------------------------------------

void compare_ports_of(Found& found, const char* action, const std::optional<model::PortSet>& first,
                      const std::optional<model::PortSet>& second) {
  const model::PortSet all = model::PortSet::all();
  const model::PortSet a = first.value_or(all), b = second.value_or(all);
  for (const bool first_permits : {true, false}) {
    const model::PortSet more = first_permits ? a - b : b - a;
    auto& slot = found.slot(first_permits);
    if (slot || more.empty()) continue;
    const std::string text = model::to_string(more);
    slot = Difference{fmt::format("{} port {}", action, text.substr(0, text.find_first_of(",-"))),
                      first_permits ? "permitted" : "refused", "its rules on ports",
                      first_permits ? "refused" : "permitted", "its rules on ports"};
    if (text == "*") slot->action = fmt::format("{} port 1", action);
  }
}

}  // namespace

std::vector<Comparison> compare_packets(const PacketLayer& first, const PacketLayer& second) {
  return PacketComparison(first, second).run().both(first.layer.c_str(), "packet", "decision diagrams");
}

std::vector<Comparison> compare_files(const model::InodeLayer& first, const model::InodeLayer& second) {
  Found found;
  std::set<std::string> bases{"/"};
  for (const auto* layer : {&first, &second})
    for (const auto& cell : layer->cells) bases.insert(cell.base);
  for (const std::string& base : bases)
    for (const bool beneath : {false, true}) {
      const model::InodeAnswer a = rights_at(first, base, beneath), b = rights_at(second, base, beneath);
      for (const bool first_permits : {true, false}) {
        auto& slot = found.slot(first_permits);
        const model::InodeRights more =
            (first_permits ? a.granted & ~b.granted : b.granted & ~a.granted) & ~(a.absent | b.absent);
        if (slot || more == 0) continue;
        const std::string path = !beneath ? base : (base == "/" ? "" : base) + "/agp-other";
        const auto place = [](const model::InodeAnswer& r) {
          return r.place.empty() ? std::string("no rule") : r.place;
        };
        slot =
            Difference{fmt::format("{} \"{}\"", model::right_name(more), path), first_permits ? "permitted" : "refused",
                       place(a), first_permits ? "refused" : "permitted", place(b)};
      }
    }
  return found.both("landlock", "file access", "evaluation");
}

std::vector<Comparison> compare_ports(const model::PortLayer& first, const model::PortLayer& second) {
  Found found;
  compare_ports_of(found, "connect tcp", first.connect_tcp, second.connect_tcp);
  compare_ports_of(found, "listen tcp", first.listen_tcp, second.listen_tcp);
  compare_ports_of(found, "connect udp", first.connect_udp, second.connect_udp);
  compare_ports_of(found, "listen udp", first.listen_udp, second.listen_udp);
  const auto scope = [&](const char* action, bool a, bool b) {
    auto& slot = found.slot(a);
    if (a != b && !slot)
      slot = Difference{action, a ? "permitted" : "refused", "its scopes", b ? "permitted" : "refused", "its scopes"};
  };
  scope("connect to an abstract socket of a process outside", first.outside_sockets, second.outside_sockets);
  scope("a signal to a process outside", first.outside_signals, second.outside_signals);
  return found.both("landlock", "connection", "evaluation");
}

}  // namespace agp::verify
