#include "compiler/model/interval_cells.hpp"

#include <algorithm>
#include <unordered_map>

// A sweep over the ends of the intervals with the set of open owners.
namespace agp::model {
namespace {

struct Event {
  Bits128 at;
  bool opens;
  std::uint32_t owner;
};

struct OwnersHash {
  std::size_t operator()(const std::vector<std::uint32_t>& set) const {
    std::size_t h = set.size();
    for (const std::uint32_t o : set) h = (h ^ o) * 0x9e3779b97f4a7c15ull + (h >> 29);
    return h;
  }
};

/// The owners whose intervals are open, each with how many of them.
class Open {
 public:
  void apply(const Event& e) {
    const auto at = std::lower_bound(owners_.begin(), owners_.end(), e.owner);
    const auto count = counts_.begin() + (at - owners_.begin());
    const bool known = at != owners_.end() && *at == e.owner;
    if (e.opens && known) {
      ++*count;
    } else if (e.opens) {
      counts_.insert(count, 1);
      owners_.insert(at, e.owner);
    } else if (--*count == 0) {
      counts_.erase(count);
      owners_.erase(at);
    }
  }
  const std::vector<std::uint32_t>& owners() const { return owners_; }

 private:
  std::vector<std::uint32_t> owners_, counts_;
};

}  // namespace

std::optional<std::vector<IntervalCell>> interval_cells(std::span<const OwnedInterval> owned, std::size_t& work) {
  constexpr Bits128 greatest = ~static_cast<Bits128>(0);
  std::vector<Event> events;
  events.reserve(owned.size() * 2);
  for (const OwnedInterval& o : owned) {
    events.push_back({o.first, true, o.owner});
    if (o.last != greatest) events.push_back({o.last + 1, false, o.owner});
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return a.at != b.at ? a.at < b.at : a.owner != b.owner ? a.owner < b.owner : a.opens > b.opens;
  });
  std::vector<IntervalCell> out;
  std::unordered_map<std::vector<std::uint32_t>, std::size_t, OwnersHash> known;
  Open open;
  for (std::size_t i = 0; i < events.size();) {
    const Bits128 at = events[i].at;
    for (; i < events.size() && events[i].at == at; ++i) open.apply(events[i]);
    if (open.owners().empty()) continue;
    if (work < open.owners().size() + 1) return std::nullopt;
    work -= open.owners().size() + 1;
    const Bits128 last = i < events.size() ? events[i].at - 1 : greatest;
    const auto [cell, fresh] = known.emplace(open.owners(), out.size());
    if (fresh) out.push_back({{}, open.owners()});
    Numbers& numbers = out[cell->second].numbers;
    if (!numbers.empty() && numbers.back().last + 1 == at)
      numbers.back().last = last;
    else
      numbers.push_back({at, last});
  }
  return out;
}

Bits128 size_of(const Numbers& numbers) {
  constexpr Bits128 greatest = ~static_cast<Bits128>(0);
  Bits128 sum = 0;
  for (const auto& n : numbers) {
    const Bits128 size = n.last - n.first == greatest ? greatest : n.last - n.first + 1;
    sum = sum > greatest - size ? greatest : sum + size;
  }
  return sum;
}

}  // namespace agp::model
