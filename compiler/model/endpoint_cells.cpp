#include "compiler/model/endpoint_cells.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

// In: boxes that may overlap. Out: disjoint boxes over the same points, each with the smallest owner.
// How: boxes of one protocol whose addresses touch form a component, which is cut along the ports at which a box begins
// or ends. Between two cuts the active boxes lie side by side on the line of addresses and are merged there; a segment
// that goes on unchanged past a cut is extended. Maximal segments and maximal runs make the result canonical.
namespace agp::model {
namespace {

struct Segment {
  Bits128 first, last;
  std::size_t owner;
  std::uint32_t from = 0;  ///< the port at which it began
  bool same(const Segment& o) const { return first == o.first && last == o.last && owner == o.owner; }
};

/// The boxes of one protocol that meet one another, directly or through others.
class Component {
 public:
  Component(const EndpointBox* begin, const EndpointBox* end, std::size_t limit, std::size_t& work,
            std::vector<EndpointBox>& out)
      : begin_(begin), count_(static_cast<std::size_t>(end - begin)), limit_(limit), work_(work), out_(out) {}

  bool run() {
    struct Event {
      std::uint32_t port;
      bool opens;
      std::size_t box;
    };
    std::vector<Event> events;
    for (std::size_t i = 0; i < count_; ++i) {
      events.push_back({begin_[i].ports.first, true, i});
      events.push_back({begin_[i].ports.last + 1u, false, i});
    }
    std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.port < b.port; });
    for (std::size_t i = 0; i < events.size();) {
      const std::uint32_t port = events[i].port;
      for (; i < events.size() && events[i].port == port; ++i)
        if (events[i].opens)
          active_.insert(events[i].box);
        else
          active_.erase(events[i].box);
      work_ += active_.size();
      if (work_ > limit_ * 100 || !cut(port, slice())) return false;
    }
    return true;
  }

 private:
  /// Maximal segments of the active boxes, ascending. Boxes are numbered by their first address.
  std::vector<Segment> slice() const {
    std::vector<Bits128> cuts;
    for (const std::size_t b : active_) {
      cuts.push_back(begin_[b].addresses.first.bits);
      if (begin_[b].addresses.last.bits != ~static_cast<Bits128>(0)) cuts.push_back(begin_[b].addresses.last.bits + 1);
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    std::vector<Segment> out;
    std::set<std::pair<std::size_t, std::size_t>> open;  // owner, box
    std::set<std::pair<Bits128, std::pair<std::size_t, std::size_t>>> ends;
    auto next = active_.begin();
    for (std::size_t c = 0; c < cuts.size(); ++c) {
      const Bits128 at = cuts[c];
      while (!ends.empty() && ends.begin()->first < at) {
        open.erase(ends.begin()->second);
        ends.erase(ends.begin());
      }
      for (; next != active_.end() && begin_[*next].addresses.first.bits == at; ++next) {
        const std::pair key{begin_[*next].owner, *next};
        open.insert(key);
        ends.insert({begin_[*next].addresses.last.bits, key});
      }
      if (open.empty()) continue;
      const Bits128 last = c + 1 < cuts.size() ? cuts[c + 1] - 1 : ends.rbegin()->first;
      const std::size_t owner = open.begin()->first;
      if (!out.empty() && out.back().owner == owner && out.back().last + 1 == at)
        out.back().last = last;
      else
        out.push_back({at, last, owner});
    }
    return out;
  }

  /// Closes what does not go on at `port`, opens what is new there.
  bool cut(std::uint32_t port, std::vector<Segment> now) {
    std::size_t o = 0;
    for (auto& segment : now) {
      while (o < open_.size() && open_[o].first < segment.first) close(open_[o++], port);
      if (o < open_.size() && open_[o].same(segment))
        segment.from = open_[o++].from;
      else
        segment.from = port;
    }
    while (o < open_.size()) close(open_[o++], port);
    open_ = std::move(now);
    return out_.size() + open_.size() <= limit_;
  }

  void close(const Segment& s, std::uint32_t port) {
    out_.push_back({begin_->protocol,
                    {{s.first}, {s.last}},
                    {static_cast<std::uint16_t>(s.from), static_cast<std::uint16_t>(port - 1)},
                    s.owner});
  }

  const EndpointBox* begin_;
  std::size_t count_, limit_;
  std::size_t& work_;
  std::vector<EndpointBox>& out_;
  std::set<std::size_t> active_;
  std::vector<Segment> open_;
};

auto key(const EndpointBox& b) {
  return std::tuple(b.protocol, b.addresses.first.bits, b.addresses.last.bits, b.ports.first, b.owner);
}

bool same_family(const EndpointBox& a, const EndpointBox& b) {
  return a.addresses.first.is_v4() == b.addresses.first.is_v4();
}

}  // namespace

std::optional<std::vector<EndpointBox>> disjoint(std::vector<EndpointBox> boxes, std::size_t limit) {
  std::sort(boxes.begin(), boxes.end(), [](const auto& a, const auto& b) { return key(a) < key(b); });
  std::vector<EndpointBox> out;
  std::size_t work = 0;
  for (std::size_t begin = 0; begin < boxes.size();) {
    std::size_t end = begin + 1;
    Bits128 reach = boxes[begin].addresses.last.bits;
    // neighbours join too: two halves of one range are one segment
    while (end < boxes.size() && boxes[end].protocol == boxes[begin].protocol &&
           same_family(boxes[end], boxes[begin]) &&
           (boxes[end].addresses.first.bits <= reach || boxes[end].addresses.first.bits - 1 == reach)) {
      reach = std::max(reach, boxes[end].addresses.last.bits);
      ++end;
    }
    if (!Component(boxes.data() + begin, boxes.data() + end, limit, work, out).run()) return std::nullopt;
    begin = end;
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return key(a) < key(b); });
  return out;
}

std::vector<EndpointBox> boxes_of(const NetBody& body, const EndpointPattern& endpoint, std::size_t owner,
                                  const AddressSet* addresses) {
  std::vector<EndpointBox> out;
  const AddressSet& all = addresses ? *addresses : endpoint.addresses;
  const auto add = [&](Protocol protocol, const AddressSet& set, PortRange ports) {
    for (const auto& range : set.ranges()) out.push_back({protocol, range, ports, owner});
  };
  if (has(body.protocols, Protocol::Icmp) && endpoint.icmp) {
    AddressSet left = all;
    for (const auto& e : body.except)
      if (e.pattern.icmp && !e.pattern.name) left = left - e.pattern.addresses;
    add(Protocol::Icmp, left, {0, 0});
  }
  // ports between two ends of a range behave alike
  std::vector<std::uint32_t> cuts;
  const auto cut_at = [&](const PortSet& ports) {
    for (const auto& r : ports.ranges()) {
      cuts.push_back(r.first);
      cuts.push_back(r.last + 1u);
    }
  };
  cut_at(endpoint.ports);
  for (const auto& e : body.except)
    if (!e.pattern.name) cut_at(e.pattern.ports);
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    const PortRange ports{static_cast<std::uint16_t>(cuts[i]), static_cast<std::uint16_t>(cuts[i + 1] - 1)};
    if (!endpoint.ports.contains(ports.first)) continue;
    AddressSet left = all;
    for (const auto& e : body.except)
      if (!e.pattern.name && e.pattern.ports.contains(ports.first)) left = left - e.pattern.addresses;
    for (const Protocol protocol : std::array{Protocol::Tcp, Protocol::Udp})
      if (has(body.protocols, protocol)) add(protocol, left, ports);
  }
  return out;
}

}  // namespace agp::model
