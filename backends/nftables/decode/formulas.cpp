#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "backends/nftables/decode/ruleset.hpp"

// In: a ruleset that evaluate() took. Out: what passes each hook, as text of SMT-LIB 2 for whoever wants to decide it
// by other means. Rules and elements one by one, as they stand: nothing is cut into cells.
namespace agp::backends::nftables::reading {
namespace {

using model::Hook;
using model::PacketField;
using smt::Formula;

/// Names of nft are names of formulas but for a character or two.
std::string plain(std::string name) {
  for (char& c : name)
    if (!(('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9'))) c = '_';
  return name;
}

class Writer {
 public:
  Writer(const Ruleset& ruleset, const std::vector<std::vector<int>>& filled, smt::Script& script,
         std::span<const Formula> members, const std::function<bool(const std::string&)>* counts)
      : ruleset_(ruleset),
        filled_(filled),
        script_(script),
        members_(members),
        counts_(counts),
        accepted_(counts ? "false" : "true") {}

  std::array<Formula, model::hooks> run() {
    std::array<Formula, model::hooks> out;
    out.fill(accepted_);
    for (number_ = 0; number_ < ruleset_.tables.size(); ++number_) {
      table_ = &ruleset_.tables[number_];
      known_.clear();
      for (const Chain& chain : table_->chains) {
        if (!chain.base) continue;
        const Formula here = chain_of(chain, chain.base->accepts ? accepted_ : "false");
        const Formula comes = !table_->family ? "true"
                                              : model::between(PacketField::Family, static_cast<int>(*table_->family),
                                                               static_cast<int>(*table_->family));
        Formula& hook = out[static_cast<std::size_t>(chain.base->hook)];
        hook = counts_ ? smt::any({hook, smt::all({comes, here})})
                       : smt::all({hook, smt::any({here, smt::negate(comes)})});
      }
    }
    return out;
  }

 private:
  /// What passes when the chain is entered and `end` is what passes behind its last rule.
  Formula chain_of(const Chain& chain, const Formula& end) {
    const auto [at, fresh] = known_.try_emplace({chain.name, end}, "");
    if (!fresh) return at->second;
    const std::string name = fmt::format("{}{}.{}.{}", counts_ ? "r" : "t", number_, plain(chain.name), known_.size());
    Formula next = end;
    for (std::size_t r = chain.rules.size(); r-- > 0;) {
      const Formula here = rule_of(chain.rules[r], 0, next, end);
      script_.remark(fmt::format("chain {}, {}", chain.name, ruleset_.where(chain.rules[r].place)));
      next = script_.define(fmt::format("{}.{}", name, r + 1), 0, here);
    }
    return known_[{chain.name, end}] = next;
  }

  Formula rule_of(const Rule& rule, std::size_t statement, const Formula& next, const Formula& end) {
    if (statement == rule.statements.size()) return next;
    const Statement& s = rule.statements[statement];
    const auto rest = [&] { return rule_of(rule, statement + 1, next, end); };
    if (const auto* v = std::get_if<Verdict>(&s)) return verdict(*v, rule, statement, next, end);
    if (const auto* l = std::get_if<Lookup>(&s)) return smt::choose(lookup(*l), rest(), next);
    if (const auto* m = std::get_if<Masked>(&s)) return smt::choose(masked(*m), rest(), next);
    if (const auto* d = std::get_if<Dispatch>(&s)) {
      // elements do not overlap where they differ, evaluate() has seen to it: those with one outcome together
      std::map<Formula, std::vector<Formula>> outcomes;
      for (const Element& e : table_->sets[d->set].elements)
        outcomes[verdict(*e.verdict, rule, statement, next, end)].push_back(element(d->keys, e));
      Formula out = next;
      for (const auto& [outcome, elements] : outcomes)
        out = smt::choose(smt::all({there(d->keys), smt::any(elements)}), outcome, out);
      return out;
    }
    return counts_ && (*counts_)(std::get<Log>(s).prefix) ? "true" : rest();
  }

  Formula verdict(const Verdict& v, const Rule& rule, std::size_t statement, const Formula& next, const Formula& end) {
    switch (v.kind) {
      case Verdict::Kind::Accept:
        return accepted_;
      case Verdict::Kind::Drop:
      case Verdict::Kind::Reject:
        return "false";
      case Verdict::Kind::Continue:
        return rule_of(rule, statement + 1, next, end);
      case Verdict::Kind::Return:
        return end;
      case Verdict::Kind::Jump:
      case Verdict::Kind::Goto:
        break;
    }
    for (const Chain& chain : table_->chains)
      if (chain.name == v.target) return chain_of(chain, v.kind == Verdict::Kind::Jump ? next : end);
    return "false";
  }

  Formula lookup(const Lookup& l) {
    const int number = filled_[number_][l.set];
    std::vector<Formula> some;
    if (number >= 0)
      some.push_back(members_[static_cast<std::size_t>(number)]);
    else
      for (const Element& e : table_->sets[l.set].elements) some.push_back(element(l.keys, e));
    return smt::all({there(l.keys), l.negated ? smt::negate(smt::any(some)) : smt::any(some)});
  }

  Formula masked(const Masked& m) {
    const auto [name, width] = model::variable_of(m.key.field);
    const Formula value =
        smt::equal(fmt::format("(bvand {} {})", name, smt::bits(m.mask, width)), smt::bits(m.value, width));
    return smt::all({there({m.key}), m.negated ? smt::negate(value) : value});
  }

  Formula element(const Keys& keys, const Element& e) const {
    std::vector<Formula> parts;
    for (std::size_t i = 0; i < keys.size(); ++i)
      parts.push_back(keys[i].type == Type::Cgroup
                          ? cgroup(keys[i].level, ruleset_.cgroups[static_cast<std::size_t>(e.key[i].first)])
                          : model::between(keys[i].field, e.key[i].first, e.key[i].last));
    return smt::all(parts);
  }
  /// At another level than its own no cgroup has this name.
  static Formula cgroup(std::size_t level, const std::string& path) {
    return level == 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) ? "cgroup" : "false";
  }

  static Formula there(const Keys& keys) {
    std::vector<Formula> parts;
    for (const Key& k : keys) {
      if (k.protocol) parts.push_back(model::between(PacketField::Protocol, *k.protocol, *k.protocol));
      if (k.family)
        parts.push_back(model::between(PacketField::Family, static_cast<int>(*k.family), static_cast<int>(*k.family)));
      if (k.field == PacketField::User)
        parts.push_back(smt::negate(model::between(PacketField::User, model::no_user, model::no_user)));
    }
    return smt::all(parts);
  }

  const Ruleset& ruleset_;
  const std::vector<std::vector<int>>& filled_;
  smt::Script& script_;
  std::span<const Formula> members_;
  const std::function<bool(const std::string&)>* counts_;  ///< of reports; without it: what passes
  const Formula accepted_;                                 ///< what an `accept` ends with
  const Table* table_ = nullptr;
  std::size_t number_ = 0;
  std::map<std::pair<std::string, Formula>, Formula> known_;
};

}  // namespace

std::array<Formula, model::hooks> formulas(const Ruleset& ruleset, const std::vector<std::vector<int>>& filled,
                                           smt::Script& script, std::span<const Formula> members,
                                           const std::function<bool(const std::string&)>* counts) {
  return Writer(ruleset, filled, script, members, counts).run();
}

}  // namespace agp::backends::nftables::reading
