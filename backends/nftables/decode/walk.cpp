#include <fmt/format.h>

#include <algorithm>

#include "backends/nftables/decode/ruleset.hpp"

// In: a ruleset and one packet. Out: its verdict and the rule of a base chain that led to it. Compares numbers and
// knows nothing of diagrams: what these say can be checked against it, packet by packet.
namespace agp::backends::nftables::reading {
namespace {

using model::Packet;
using model::PacketField;

std::optional<model::Bits128> value(const Packet& p, const Key& k) {
  if (k.family && *k.family != p.family) return std::nullopt;
  if (k.protocol && *k.protocol != p.protocol) return std::nullopt;
  if (k.field == PacketField::User && p.user == model::no_user) return std::nullopt;
  return model::value_of(p, k.field);
}

class Walker {
 public:
  Walker(const Ruleset& ruleset, const model::PacketSpace& space, const std::vector<std::vector<int>>& filled,
         const Packet& packet)
      : ruleset_(ruleset), space_(space), filled_(filled), packet_(packet) {}

  model::PacketAnswer run() {
    model::PacketAnswer answer{true, "no rule at this hook", "accepted", {}};
    std::vector<std::pair<std::size_t, const Chain*>> bases;
    for (std::size_t t = 0; t < ruleset_.tables.size(); ++t)
      for (const Chain& c : ruleset_.tables[t].chains)
        if (c.base && c.base->hook == packet_.hook &&
            (!ruleset_.tables[t].family || *ruleset_.tables[t].family == packet_.family))
          bases.emplace_back(t, &c);
    std::stable_sort(bases.begin(), bases.end(),
                     [](const auto& a, const auto& b) { return a.second->base->priority < b.second->base->priority; });
    for (const auto& [t, chain] : bases) {
      table_ = &ruleset_.tables[t];
      members_ = &filled_[t];
      top_ = element_ = nullptr;
      const Outcome o = enter(*chain, 0);
      const bool passes = o == Outcome::Accept || (o == Outcome::End && chain->base->accepts);
      answer.accepted = passes;
      answer.observed = passes ? "accepted" : o == Outcome::Reject ? "rejected" : "dropped";
      answer.place = o == Outcome::End ? fmt::format("the policy of the chain `{}`", chain->name)
                     : element_ ? fmt::format("{} of the chain `{}`, by the element of {}", ruleset_.where(*top_),
                                              chain->name, ruleset_.where(*element_))
                                : fmt::format("{} of the chain `{}`", ruleset_.where(*top_), chain->name);
      if (!passes) break;
    }
    answer.reports = std::move(reports_);
    return answer;
  }

 private:
  enum class Outcome { Accept, Drop, Reject, End };

  Outcome enter(const Chain& chain, int depth) {
    for (const Rule& rule : chain.rules) {
      if (depth == 0) {
        top_ = &rule.place;
        element_ = nullptr;
      }
      const auto outcome = follow(rule, depth);
      if (outcome) return *outcome;
    }
    return Outcome::End;
  }

  /// Nothing: on to the next rule.
  std::optional<Outcome> follow(const Rule& rule, int depth) {
    for (const Statement& s : rule.statements) {
      const Verdict* verdict = std::get_if<Verdict>(&s);
      if (const auto* l = std::get_if<Lookup>(&s)) {
        if (!holds(*l)) return std::nullopt;
      } else if (const auto* log = std::get_if<Log>(&s)) {
        reports_.push_back(log->prefix);
      } else if (const auto* m = std::get_if<Masked>(&s)) {
        const auto v = value(packet_, m->key);
        if (!v || ((static_cast<std::uint64_t>(*v) & m->mask) == m->value) == m->negated) return std::nullopt;
      } else if (const auto* d = std::get_if<Dispatch>(&s)) {
        const Element* e = find(d->keys, table_->sets[d->set]);
        if (!e) return std::nullopt;
        if (depth == 0 && !table_->sets[d->set].name.empty()) element_ = &e->place;
        verdict = &*e->verdict;
      }
      if (!verdict) continue;
      switch (verdict->kind) {
        case Verdict::Kind::Accept:
          return Outcome::Accept;
        case Verdict::Kind::Drop:
          return Outcome::Drop;
        case Verdict::Kind::Reject:
          return Outcome::Reject;
        case Verdict::Kind::Return:
          return Outcome::End;
        case Verdict::Kind::Continue:
          continue;
        case Verdict::Kind::Jump:
        case Verdict::Kind::Goto:
          break;
      }
      for (const Chain& c : table_->chains)
        if (c.name == verdict->target) {
          const Outcome o = enter(c, depth + 1);
          if (o != Outcome::End) return o;
          return verdict->kind == Verdict::Kind::Goto ? std::optional(Outcome::End) : std::nullopt;
        }
      return Outcome::Drop;  // evaluate() refused such a ruleset
    }
    return std::nullopt;
  }

  bool holds(const Lookup& l) {
    const Set& set = table_->sets[l.set];
    for (const Key& k : l.keys)
      if (!value(packet_, k)) return false;
    const int member = (*members_)[l.set];
    const bool in = member >= 0 ? static_cast<std::size_t>(member) < packet_.members.size() &&
                                      packet_.members[static_cast<std::size_t>(member)]
                                : find(l.keys, set) != nullptr;
    return in != l.negated;
  }

  const Element* find(const Keys& keys, const Set& set) const {
    std::vector<model::Bits128> wanted;
    for (const Key& k : keys) {
      const auto v = value(packet_, k);
      if (!v) return nullptr;
      wanted.push_back(*v);
    }
    for (const Element& e : set.elements) {
      bool all = true;
      for (std::size_t i = 0; all && i < keys.size(); ++i)
        all = keys[i].type == Type::Cgroup ? cgroup(keys[i], e.key[i])
                                           : e.key[i].first <= wanted[i] && wanted[i] <= e.key[i].last;
      if (all) return &e;
    }
    return nullptr;
  }
  bool cgroup(const Key& key, const Interval& wanted) const {
    const std::string& path = ruleset_.cgroups[static_cast<std::size_t>(wanted.first)];
    return 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) == key.level &&
           space_.beneath(packet_.cgroup, path);
  }

  const Ruleset& ruleset_;
  const model::PacketSpace& space_;
  const std::vector<std::vector<int>>& filled_;
  const Packet& packet_;
  const Table* table_ = nullptr;
  const std::vector<int>* members_ = nullptr;
  const Place *top_ = nullptr, *element_ = nullptr;
  std::vector<std::string> reports_;
};

}  // namespace

model::PacketAnswer walk(const Ruleset& ruleset, const model::PacketSpace& space,
                         const std::vector<std::vector<int>>& filled, const model::Packet& packet) {
  return Walker(ruleset, space, filled, packet).run();
}

}  // namespace agp::backends::nftables::reading
