#include "compiler/analysis/units.hpp"

// Patterns -> units. Patterns of one place are neighbours in the space's numbering, so the units over a cell ascend
// with its patterns.
namespace agp::analysis {

using namespace model;

namespace {

struct Place {
  source::Span span;
  const std::string* text = nullptr;  ///< null: `@abstract`
  bool named = false;
};

Place place_of(const Rule& rule, const PatternRef& ref) {
  return std::visit(
      [&](const auto& body) -> Place {
        using B = std::decay_t<decltype(body)>;
        const auto take = [&](const auto& list) {
          return Place{list[ref.pattern].span, &list[ref.pattern].text, false};
        };
        if constexpr (std::is_same_v<B, CapabilityBody>) {
          return take(body.names);
        } else if constexpr (std::is_same_v<B, NetBody>) {
          const auto& list = ref.except ? body.except : body.endpoints;
          Place place = take(list);
          place.named = list[ref.pattern].pattern.name.has_value();
          return place;
        } else {
          if (ref.except) return take(body.except);
          if constexpr (std::is_same_v<B, UnixBody>) {
            if (ref.pattern < body.paths.size()) return take(body.paths);
            return {rule.span, nullptr, false};
          } else {
            return take(body.patterns);
          }
        }
      },
      rule.body);
}

std::string text_of(const Rule& rule, const Place& place) {
  if (place.text) return *place.text;
  const bool connects = std::get<UnixBody>(rule.body).direction == Direction::Connect;
  return std::string(connects ? "connect" : "listen") + " unix @abstract";
}

}  // namespace

Units::Units(const Space& space) : space_(&space) {
  for (std::uint32_t p = 0; p < space.patterns().size(); ++p) {
    const PatternRef& ref = space.patterns()[p];
    const Place place = place_of(space.rule(ref.rule), ref);
    const bool same = !units_.empty() && units_.back().rule == ref.rule && units_.back().except == ref.except &&
                      place.span.known() && units_.back().span == place.span;
    if (!same) units_.push_back({ref.rule, ref.except, place.named, place.span, text_of(space.rule(ref.rule), place)});
    of_pattern_.push_back(static_cast<std::uint32_t>(units_.size() - 1));
  }
  begin_.assign(units_.size() + 1, 0);
  for (std::size_t c = 0; c < space.size(); ++c) each(c, [&](std::uint32_t u) { ++begin_[u + 1]; });
  for (std::size_t u = 0; u < units_.size(); ++u) begin_[u + 1] += begin_[u];
  cells_.resize(begin_.back());
  std::vector<std::size_t> next(begin_.begin(), begin_.end() - 1);
  for (std::uint32_t c = 0; c < space.size(); ++c) each(c, [&](std::uint32_t u) { cells_[next[u]++] = c; });
}

}  // namespace agp::analysis
