// Net rules -> cells: direction, protocol and peer apart; then ports; then addresses. A connection by name is one more
// dimension: for each set of names that rules can tell apart, one name of it is taken, and the rules that state it meet
// the address rules that can refuse it.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "compiler/analysis/space.hpp"
#include "compiler/model/interval_cells.hpp"

namespace agp::analysis {

using namespace model;

namespace {

Numbers numbers_of(const AddressSet& set) {
  Numbers out;
  for (const auto& r : set.ranges()) {
    // the set keeps IPv4 apart from its neighbours; as numbers they may touch
    if (!out.empty() && out.back().last + 1 == r.first.bits)
      out.back().last = r.last.bits;
    else
      out.push_back({r.first.bits, r.last.bits});
  }
  return out;
}

const EndpointPattern& endpoint(const NetBody& body, const PatternRef& ref) {
  return (ref.except ? body.except : body.endpoints)[ref.pattern].pattern;
}

}  // namespace

class NetCutter {
 public:
  explicit NetCutter(Space& space) : space_(space), work_(space.limits_.work) {}

  void run() {
    collect();
    for (const Direction d : {Direction::Connect, Direction::Listen})
      if (!peers(d)) return space_.give_up(Sort::Net, "too many endpoints overlap each other");
    if (!named_.empty() && !names()) space_.give_up(Sort::Name, "too many names and addresses overlap each other");
  }

 private:
  struct Box {
    std::uint32_t pattern;
    const NetBody* body;
    const EndpointPattern* endpoint;
    bool refuses;  ///< it can make a connection by name less than allowed, or it asks about all of them
    Numbers addresses;
  };

  void collect() {
    for (std::uint32_t p = 0; p < space_.patterns_.size(); ++p) {
      const PatternRef& ref = space_.patterns_[p];
      const Rule& rule = *space_.rules_[ref.rule];
      const auto* body = std::get_if<NetBody>(&rule.body);
      if (!body || rule.expired) continue;
      const EndpointPattern& e = endpoint(*body, ref);
      const bool question = ref.rule >= space_.questions_;
      const bool takes = ref.except && std::any_of(body->endpoints.begin(), body->endpoints.end(),
                                                   [](const auto& own) { return own.pattern.name.has_value(); });
      Box box{p, body, &e, rule.effect != Effect::Allow || question || takes, {}};
      if (!e.name) {
        box.addresses = numbers_of(e.addresses);
        plain_[static_cast<std::size_t>(body->direction)].push_back(std::move(box));
        continue;
      }
      // a grant stands for what the name may resolve to; a refusal for whatever it does
      const bool grants = rule.effect != Effect::Deny && !question && !ref.except;
      box.addresses = numbers_of(!grants        ? AddressSet::all()
                                 : body->within ? *body->within
                                                : AddressSet::all() - never_by_name());
      named_.push_back(std::move(box));
    }
  }

  /// The peers of listeners that `from` tells apart; a connection has none.
  bool peers(Direction d) {
    const auto& boxes = plain_[static_cast<std::size_t>(d)];
    std::vector<OwnedInterval> owned;
    for (std::uint32_t b = 0; b < boxes.size(); ++b)
      if (boxes[b].body->from)
        for (const auto& i : numbers_of(*boxes[b].body->from)) owned.push_back({i.first, i.last, b});
    std::vector<const Box*> all;
    if (owned.empty()) {
      for (const Box& b : boxes) all.push_back(&b);
      return protocols(d, all, {}, "");
    }
    const auto everyone = static_cast<std::uint32_t>(boxes.size());
    owned.push_back({0, ~static_cast<Bits128>(0), everyone});
    const auto cells = interval_cells(owned, work_);
    if (!cells) return false;
    for (const IntervalCell& cell : *cells) {
      all.clear();
      for (std::uint32_t b = 0; b < boxes.size(); ++b)
        if (!boxes[b].body->from || std::binary_search(cell.owners.begin(), cell.owners.end(), b))
          all.push_back(&boxes[b]);
      if (!protocols(d, all, cell.numbers, "")) return false;
    }
    return true;
  }

  bool protocols(Direction d, const std::vector<const Box*>& boxes, const Numbers& peers, const std::string& name) {
    for (std::uint16_t i = 0; i < 3; ++i) {
      const auto protocol = static_cast<Protocol>(1u << i);
      std::vector<OwnedInterval> owned;
      std::vector<std::uint32_t> icmp;
      for (std::uint32_t b = 0; b < boxes.size(); ++b) {
        if (!has(boxes[b]->body->protocols, protocol)) continue;
        if (protocol != Protocol::Icmp)
          for (const auto& r : boxes[b]->endpoint->ports.ranges()) owned.push_back({r.first, r.last, b});
        else if (boxes[b]->endpoint->icmp)
          owned.push_back({0, 0, b});
      }
      if (owned.empty()) continue;
      const auto cells = interval_cells(owned, work_);
      if (!cells) return false;
      const auto plane = static_cast<std::uint16_t>(static_cast<unsigned>(d) * 3u + i);
      for (const IntervalCell& ports : *cells)
        if (!addresses({d, protocol, {}, ports.numbers, peers, name}, plane, boxes, ports.owners)) return false;
    }
    return true;
  }

  bool addresses(Space::NetShape shape, std::uint16_t plane, const std::vector<const Box*>& boxes,
                 const std::vector<std::uint32_t>& here) {
    if (!shape.name.empty() &&
        std::none_of(here.begin(), here.end(), [&](std::uint32_t b) { return boxes[b]->endpoint->name.has_value(); }))
      return true;
    std::vector<OwnedInterval> owned;
    for (const std::uint32_t b : here)
      for (const auto& i : boxes[b]->addresses) owned.push_back({i.first, i.last, boxes[b]->pattern});
    auto cells = interval_cells(owned, work_);
    if (!cells) return false;
    for (IntervalCell& cell : *cells) {
      if (!shape.name.empty() &&
          std::none_of(cell.owners.begin(), cell.owners.end(), [&](std::uint32_t p) { return is_named_.contains(p); }))
        continue;
      shape.addresses = std::move(cell.numbers);
      space_.nets_.push_back(shape);
      if (!space_.add(shape.name.empty() ? Sort::Net : Sort::Name, 0, plane,
                      static_cast<std::uint32_t>(space_.nets_.size() - 1), cell.owners))
        return false;
    }
    return true;
  }

  /// For each set of names that the rules tell apart, one name: those stated, and one beneath each `*.`.
  std::vector<std::string> atoms() const {
    std::set<std::string> out;
    for (const Box& b : named_)
      if (!b.endpoint->name->beneath) out.insert(b.endpoint->name->name);
    std::set<std::string> fresh;
    for (const Box& b : named_)
      if (b.endpoint->name->beneath) {
        std::string label = "x";
        while (out.contains(label + "." + b.endpoint->name->name)) label += 'x';
        fresh.insert(label + "." + b.endpoint->name->name);
      }
    std::vector<std::string> all(out.begin(), out.end());
    all.insert(all.end(), fresh.begin(), fresh.end());
    return all;
  }

  bool names() {
    std::unordered_map<std::string, std::vector<const Box*>> exact, beneath;
    for (const Box& b : named_) {
      (b.endpoint->name->beneath ? beneath : exact)[b.endpoint->name->name].push_back(&b);
      is_named_.insert(b.pattern);
    }
    std::vector<const Box*> refusing, all;
    for (const Box& b : plain_[0]) {
      all.push_back(&b);
      if (b.refuses) refusing.push_back(&b);
    }
    for (const std::string& name : atoms()) {
      std::vector<const Box*> here;
      if (const auto at = exact.find(name); at != exact.end()) here = at->second;
      for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
        if (const auto at = beneath.find(name.substr(dot + 1)); at != beneath.end())
          here.insert(here.end(), at->second.begin(), at->second.end());
      const bool refused = space_.limits_.whole_names.contains(name) ||
                           std::any_of(here.begin(), here.end(),
                                       [&](const Box* b) { return b->refuses || space_.patterns_[b->pattern].except; });
      const auto& others = refused ? all : refusing;
      here.insert(here.end(), others.begin(), others.end());
      if (!protocols(Direction::Connect, here, {}, name)) return false;
    }
    return true;
  }

  Space& space_;
  std::size_t work_;
  std::vector<Box> plain_[2], named_;
  std::unordered_set<std::uint32_t> is_named_;
};

void Space::cut_net() { NetCutter(*this).run(); }

}  // namespace agp::analysis
