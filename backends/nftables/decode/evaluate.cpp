#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>

#include "backends/nftables/decode/ruleset.hpp"

// In: a ruleset. Out: for each hook the packets that pass. A chain is folded from its last rule to its first: what
// happens to packets that a rule does not decide is known before the rule is looked at. A packet passes a hook when
// every base chain there lets it pass: an `accept` ends its own base chain only (nft(8), "Chains"). Folded the same way
// with other ends, the packets that some `log` sees: of a packet that passes, every base chain's count.
namespace agp::backends::nftables::reading {
namespace {

using model::DecisionDiagrams;
using model::PacketField;
using Ref = DecisionDiagrams::Ref;

/// NFT_JUMP_STACK_SIZE, include/net/netfilter/nf_tables.h: the kernel refuses deeper chains when they are loaded.
constexpr std::size_t deepest = 16;

std::optional<model::FilledSet> fillable(const Table& table, const Set& s, const Key& key) {
  const bool address = key.field == PacketField::Destination4 || key.field == PacketField::Destination6 ||
                       key.field == PacketField::Source4 || key.field == PacketField::Source6;
  const bool ranges = s.interval && !s.elements.empty();
  if (s.name.empty() || s.map || s.constant || ranges || s.types.size() != 1 || !address) return std::nullopt;
  model::FilledSet out;
  out.table = table.name;
  out.name = s.name;
  out.family = *key.family;
  out.source = key.field == PacketField::Source4 || key.field == PacketField::Source6;
  out.forgets = s.forgets;
  for (const Element& e : s.elements) out.elements.push_back(e.key[0].first);
  return out;
}

class Evaluator {
 public:
  Evaluator(const Ruleset& ruleset, model::PacketSpace& space, std::vector<std::vector<int>>& filled,
            model::PacketLayer& layer)
      : ruleset_(ruleset), space_(space), d_(space.diagrams()), filled_(filled), layer_(layer) {}

  /// For each hook the packets that a `log` sees whose prefix counts. After `run` of another one on the same layer.
  std::array<Ref, model::hooks> reported(const std::function<bool(const std::string&)>& counts) {
    counts_ = &counts;
    passes_ = DecisionDiagrams::no;
    tables();
    return reported_;
  }

  void run() {
    for (const std::string& path : ruleset_.cgroups) space_.mention_cgroup(path);
    layer_.accepted.fill(DecisionDiagrams::yes);
    filled_.resize(ruleset_.tables.size());
    for (std::size_t t = 0; t < ruleset_.tables.size(); ++t) filled_[t].assign(ruleset_.tables[t].sets.size(), -1);
    tables();
    users();
  }

 private:
  void tables() {
    for (std::size_t t = 0; t < ruleset_.tables.size(); ++t) {
      const Table& table = ruleset_.tables[t];
      table_ = &table;
      table_number_ = t;
      chains_.clear();
      known_.clear();
      conditions_.clear();
      for (std::size_t c = 0; c < table.chains.size(); ++c) chains_[table.chains[c].name] = c;
      for (const Chain& chain : table.chains)
        if (chain.base) base(chain);
    }
  }

  void base(const Chain& chain) {
    const auto h = static_cast<std::size_t>(chain.base->hook);
    if (counts_) {
      Ref seen = chain_of(static_cast<std::size_t>(&chain - table_->chains.data()), DecisionDiagrams::no);
      if (table_->family) seen = d_.both(seen, space_.equals(PacketField::Family, static_cast<int>(*table_->family)));
      reported_[h] = d_.either(reported_[h], seen);
      return;
    }
    const Ref end = chain.base->accepts ? DecisionDiagrams::yes : DecisionDiagrams::no;
    Ref passes = chain_of(static_cast<std::size_t>(&chain - table_->chains.data()), end);
    if (table_->family)  // packets of the other family do not come here
      passes = d_.either(passes, d_.negate(space_.equals(PacketField::Family, static_cast<int>(*table_->family))));
    layer_.hooked[h] = true;
    layer_.accepted[h] = d_.both(layer_.accepted[h], passes);
  }

  /// What passes when the chain is entered and `end` is what passes after its last rule.
  Ref chain_of(std::size_t number, Ref end) {
    const std::uint64_t key = std::uint64_t{number} << 32 | end;
    if (const auto it = known_.find(key); it != known_.end()) return it->second;
    if (depth_ >= deepest) refuse(fmt::format("chains go to one another more than {} deep", deepest));
    ++depth_;
    Ref next = end;
    const auto& rules = table_->chains[number].rules;
    for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) next = rule_of(*rule, 0, next, end);
    --depth_;
    return known_[key] = next;
  }

  Ref rule_of(const Rule& rule, std::size_t statement, Ref next, Ref end) {
    if (statement == rule.statements.size()) return next;
    const Statement& s = rule.statements[statement];
    if (const auto* v = std::get_if<Verdict>(&s)) return verdict(*v, rule, statement, next, end);
    if (const auto* d = std::get_if<Dispatch>(&s)) return dispatch(*d, rule, statement, next, end);
    if (const auto* l = std::get_if<Log>(&s))
      return counts_ && (*counts_)(l->prefix) ? DecisionDiagrams::yes : rule_of(rule, statement + 1, next, end);
    const Ref condition = condition_of(s);
    if (condition == DecisionDiagrams::no) return next;
    return d_.choose(condition, rule_of(rule, statement + 1, next, end), next);
  }

  Ref verdict(const Verdict& v, const Rule& rule, std::size_t statement, Ref next, Ref end) {
    switch (v.kind) {
      case Verdict::Kind::Accept:
        return passes_;
      case Verdict::Kind::Drop:
      case Verdict::Kind::Reject:
        return DecisionDiagrams::no;
      case Verdict::Kind::Continue:
        return rule_of(rule, statement + 1, next, end);
      case Verdict::Kind::Return:
        return end;
      case Verdict::Kind::Jump:
      case Verdict::Kind::Goto:
        break;
    }
    const auto at = chains_.find(v.target);
    if (at == chains_.end()) refuse(fmt::format("{}: there is no chain `{}`", ruleset_.where(rule.place), v.target));
    if (table_->chains[at->second].base)
      refuse(fmt::format("{}: `{}` is a base chain, to which nothing can go", ruleset_.where(rule.place), v.target));
    return chain_of(at->second, v.kind == Verdict::Kind::Jump ? next : end);
  }

  /// Elements with the same outcome together: a map with ten thousand targets that all refuse has one.
  Ref dispatch(const Dispatch& d, const Rule& rule, std::size_t statement, Ref next, Ref end) {
    const Set& set = table_->sets[d.set];
    lasting(set);
    std::map<Ref, std::vector<Ref>> outcomes;
    for (const Element& e : set.elements)
      outcomes[verdict(*e.verdict, rule, statement, next, end)].push_back(element(d.keys, e));
    Ref out = next, seen = DecisionDiagrams::no;
    for (auto& [outcome, elements] : outcomes) {
      const Ref where = d_.any(std::move(elements));
      if (d_.both(where, seen) != DecisionDiagrams::no)
        refuse(fmt::format("{}: elements of the map overlap and do different things", ruleset_.where(set.place)));
      seen = d_.either(seen, where);
      out = d_.choose(d_.both(where, there(d.keys)), outcome, out);
    }
    return out;
  }

  /// What the artifact states and the kernel forgets holds at first only: a refusal by it ends by itself.
  void lasting(const Set& set) const {
    if (set.forgets && !set.elements.empty())
      refuse(fmt::format("{}: elements that expire are in the subset for sets of single addresses only",
                         ruleset_.where(set.place)));
  }

  Ref element(const Keys& keys, const Element& e) {
    Ref out = DecisionDiagrams::yes;
    for (std::size_t i = keys.size(); i-- > 0;) {
      const Interval& v = e.key[i];
      if (keys[i].type != Type::Cgroup) {
        out = d_.both(space_.between(keys[i].field, v.first, v.last), out);
        continue;
      }
      const std::string& path = ruleset_.cgroups[static_cast<std::size_t>(v.first)];
      const auto level = 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
      // the cgroup at another level of its path is never this one
      out = level == keys[i].level ? d_.both(space_.in_cgroup(path), out) : DecisionDiagrams::no;
    }
    return out;
  }

  /// What must hold for the keys to be there: the header of the family, of the transport, a socket with an owner.
  Ref there(const Keys& keys) {
    Ref out = DecisionDiagrams::yes;
    for (const Key& k : keys) {
      if (k.protocol) out = d_.both(out, space_.equals(PacketField::Protocol, *k.protocol));
      if (k.family) out = d_.both(out, space_.equals(PacketField::Family, static_cast<int>(*k.family)));
      if (k.field == PacketField::User) out = d_.minus(out, space_.equals(PacketField::User, model::no_user));
    }
    return out;
  }

  Ref condition_of(const Statement& s) {
    const auto [it, fresh] = conditions_.try_emplace(&s, DecisionDiagrams::no);
    if (!fresh) return it->second;
    const Ref made = std::visit([this](const auto& one) { return condition(one); }, s);
    return conditions_[&s] = made;
  }
  Ref condition(const Lookup& l) {
    const Set& set = table_->sets[l.set];
    Ref in = DecisionDiagrams::no;
    if (const auto filled = l.keys.size() == 1 ? fillable(*table_, set, l.keys[0]) : std::nullopt) {
      in = space_.member(member(*filled, l.set));
    } else {
      lasting(set);
      std::vector<Ref> elements;
      elements.reserve(set.elements.size());
      for (const Element& e : set.elements) elements.push_back(element(l.keys, e));
      in = d_.any(std::move(elements));
    }
    if (l.negated && std::any_of(l.keys.begin(), l.keys.end(), [](const Key& k) { return k.type == Type::Cgroup; }))
      refuse(fmt::format("{}: `socket cgroupv2 … !=` is not in the subset", ruleset_.where(set.place)));
    return l.negated ? d_.minus(there(l.keys), in) : d_.both(there(l.keys), in);
  }
  Ref condition(const Masked& m) {
    const Ref in = (m.value & ~m.mask) != 0 ? DecisionDiagrams::no : space_.masked(m.key.field, m.mask, m.value);
    return m.negated ? d_.minus(there({m.key}), in) : d_.both(there({m.key}), in);
  }
  Ref condition(const Dispatch&) { return DecisionDiagrams::no; }
  Ref condition(const Log&) { return DecisionDiagrams::yes; }
  Ref condition(const Verdict&) { return DecisionDiagrams::yes; }

  std::size_t member(const model::FilledSet& filled, std::size_t set) {
    int& number = filled_[table_number_][set];
    if (number >= 0) {
      if (!counts_ && layer_.filled[static_cast<std::size_t>(number)].source != filled.source)
        refuse(fmt::format("the set `{}` is looked up by source and by destination", filled.name));
      return static_cast<std::size_t>(number);
    }
    number = static_cast<int>(layer_.filled.size());
    layer_.filled.push_back(filled);
    return static_cast<std::size_t>(number);
  }

  void users() {
    for (const Table& t : ruleset_.tables)
      for (const Chain& c : t.chains)
        for (const Rule& r : c.rules)
          for (const Statement& s : r.statements) {
            const auto* l = std::get_if<Lookup>(&s);
            const auto* d = std::get_if<Dispatch>(&s);
            const Keys* keys = l ? &l->keys : d ? &d->keys : nullptr;
            for (std::size_t k = 0; keys && k < keys->size(); ++k)
              if ((*keys)[k].type == Type::User)
                for (const Element& e : t.sets[l ? l->set : d->set].elements)
                  layer_.users.push_back(static_cast<std::uint64_t>(e.key[k].first));
          }
    std::sort(layer_.users.begin(), layer_.users.end());
    layer_.users.erase(std::unique(layer_.users.begin(), layer_.users.end()), layer_.users.end());
  }

  const Ruleset& ruleset_;
  model::PacketSpace& space_;
  DecisionDiagrams& d_;
  std::vector<std::vector<int>>& filled_;
  model::PacketLayer& layer_;
  const Table* table_ = nullptr;
  std::size_t table_number_ = 0, depth_ = 0;
  std::unordered_map<std::string, std::size_t> chains_;
  std::unordered_map<std::uint64_t, Ref> known_;
  std::unordered_map<const Statement*, Ref> conditions_;
  Ref passes_ = DecisionDiagrams::yes;                               ///< what an `accept` ends with
  const std::function<bool(const std::string&)>* counts_ = nullptr;  ///< of reports; without it: what passes
  std::array<Ref, model::hooks> reported_{};
};

}  // namespace

model::PacketLayer evaluate(std::string artifact, Ruleset ruleset, std::shared_ptr<model::PacketSpace> space) {
  model::PacketLayer layer;
  layer.artifact = std::move(artifact);
  layer.space = space;
  const auto rules = std::make_shared<const Ruleset>(std::move(ruleset));
  const auto filled = std::make_shared<std::vector<std::vector<int>>>();
  Evaluator(*rules, *space, *filled, layer).run();
  if (space->exhausted()) refuse("it distinguishes more packets than the limit");
  // the layer holds the space: a reference is enough here, and no circle
  layer.decide = [rules, filled, named = space.get()](const model::Packet& p) {
    return walk(*rules, *named, *filled, p);
  };
  layer.state = [rules, filled](smt::Script& script, std::span<const smt::Formula> members,
                                const std::function<bool(const std::string&)>* counts) {
    return formulas(*rules, *filled, script, members, counts);
  };
  layer.reported = [rules, filled, named = space.get()](const std::function<bool(const std::string&)>& counts) {
    model::PacketLayer known;  // every set has its number
    return Evaluator(*rules, *named, *filled, known).reported(counts);
  };
  return layer;
}

}  // namespace agp::backends::nftables::reading
