// The difference of two policies. In: both policies' rules, cut into cells together. A cell whose decision differs is a
// part of the difference; cells become regions by the patterns that changed: first the one that has most of what is
// left, as `PATTERN except …`, where the exceptions are the fewest patterns that take away exactly the rest. Holds
// afterwards (and is checked): the regions are disjoint, and their union is the difference.
#include "compiler/analysis/difference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <queue>
#include <set>
#include <stdexcept>

#include "compiler/analysis/cover.hpp"
#include "compiler/analysis/units.hpp"

namespace agp::analysis {

using namespace model;

namespace {

using Cells = std::vector<std::uint32_t>;

std::string range_key(const std::optional<AddressSet>& set) {
  std::string out = set ? "/" : "-";
  if (set)
    for (const auto& r : set->ranges()) out += to_string(r.first) + "-" + to_string(r.last) + ",";
  return out;
}

/// What a unit says, so that one that stands in both policies has not changed.
std::string key_of(const Rule& rule, const Unit& unit) {
  std::string key = fmt::format("{}|{}|{}|{}", static_cast<int>(rule.effect), unit.except, rule.expired, unit.text);
  if (const auto* net = std::get_if<NetBody>(&rule.body)) key += range_key(net->within) + range_key(net->from);
  return key;
}

class Differ {
 public:
  Differ(const Policy& before, const Policy& after, SpaceLimits limits)
      : before_(before), after_(after), space_(joined(before, after), limits), units_(space_) {
    decide_all();
    limits.whole_names = changed_names();
    if (limits.whole_names.empty()) return;
    // what became of a name may be what an address rule permits anyway: its cells are cut again, with all of them
    space_ = Space(joined(before, after), limits);
    units_ = Units(space_);
    decide_all();
  }

  Difference run() {
    Difference out;
    find_changed();
    Cells wider, narrower;
    std::vector<bool> was(space_.size()), is(space_.size());
    for (std::uint32_t c = 0; c < space_.size(); ++c) {
      if (new_[c] > old_[c]) wider.push_back(c);
      if (new_[c] < old_[c]) narrower.push_back(c);
      was[c] = old_[c] != 0;
      is[c] = new_[c] != 0;
    }
    out.wider = regions(wider, true);
    out.narrower = regions(narrower, false);
    resolving(out);
    out.before = permissiveness(space_, was);
    out.after = permissiveness(space_, is);
    out.undecided = space_.undecided();
    out.cells = space_.size();
    return out;
  }

 private:
  void decide_all() {
    const std::size_t split = before_.rules.size();
    old_ = decisions(space_, 0, split);
    new_ = decisions(space_, split, split + after_.rules.size());
  }

  std::set<std::string> changed_names() const {
    std::set<std::string> out;
    for (std::size_t c = 0; c < space_.size(); ++c)
      if (space_.sort(c) == Sort::Name && old_[c] != new_[c]) out.insert(space_.net(c)->name);
    return out;
  }

  /// That a name resolves is an action too. Where no region has a connection by it (an address rule permits the same),
  /// it is said by itself.
  void resolving(Difference& out) const {
    const auto told = [&](const std::vector<Region>& regions, const std::string& name) {
      return std::any_of(regions.begin(), regions.end(), [&](const Region& r) {
        return std::any_of(r.cells.begin(), r.cells.end(), [&](std::uint32_t c) {
          return space_.sort(c) == Sort::Name && space_.net(c)->name == name;
        });
      });
    };
    std::set<std::string> names;
    for (std::size_t c = 0; c < space_.size(); ++c)
      if (space_.sort(c) == Sort::Name)
        units_.each(c, [&](std::uint32_t u) {
          if (changed_[u]) names.insert(space_.net(c)->name);
        });
    for (const std::string& name : names) {
      const Decision was = decide(before_, ResolveAction{name}).decision;
      const Decision is = decide(after_, ResolveAction{name}).decision;
      if (was == is || told(is > was ? out.wider : out.narrower, name)) continue;
      out.others.push_back(
          {is > was, fmt::format("resolve {}: {}, before {}", name, model::to_string(is), model::to_string(was))});
    }
  }

  static std::vector<const Rule*> joined(const Policy& before, const Policy& after) {
    std::vector<const Rule*> out;
    for (const Rule& r : before.rules) out.push_back(&r);
    for (const Rule& r : after.rules) out.push_back(&r);
    return out;
  }
  bool is_new(std::uint32_t unit) const { return units_[unit].rule >= before_.rules.size(); }

  void find_changed() {
    std::map<std::string, int> sides;
    std::vector<std::string> keys;
    for (std::uint32_t u = 0; u < units_.size(); ++u) {
      keys.push_back(key_of(space_.rule(units_[u].rule), units_[u]));
      sides[keys.back()] |= is_new(u) ? 2 : 1;
    }
    changed_.resize(units_.size());
    std::map<std::string, std::set<std::string>> by_text;
    for (std::uint32_t u = 0; u < units_.size(); ++u) {
      changed_[u] = sides[keys[u]] != 3;
      if (units_[u].named) by_text[units_[u].text].insert(keys[u]);
    }
    for (const auto& [text, with] : by_text)
      if (with.size() > 1) twins_.insert(text);
  }

  /// Lazy greedy: the unit with most cells of what is left; changed ones first, then those with the fewest others.
  std::vector<Region> regions(const Cells& all, bool wider) {
    std::vector<Region> out;
    std::set<std::uint32_t> left(all.begin(), all.end());
    std::vector<std::uint32_t> counts(units_.size());
    for (const std::uint32_t c : all) units_.each(c, [&](std::uint32_t u) { ++counts[u]; });
    using Key = std::tuple<bool, std::uint32_t, std::int64_t, std::int64_t>;  // greatest first
    std::priority_queue<Key> queue;
    const auto push = [&](std::uint32_t u) {
      queue.push(
          {changed_[u], counts[u], -static_cast<std::int64_t>(units_.cells(u).size()), -static_cast<std::int64_t>(u)});
    };
    for (std::uint32_t u = 0; u < units_.size(); ++u)
      if (counts[u] > 0) push(u);
    while (!left.empty()) {
      const auto [changed, count, size, minus] = queue.top();
      const auto u = static_cast<std::uint32_t>(-minus);
      queue.pop();
      if (counts[u] != count) {
        if (counts[u] > 0) push(u);
        continue;
      }
      Cells taken;
      for (const std::uint32_t c : units_.cells(u))
        if (left.contains(c)) taken.push_back(c);
      for (const std::uint32_t c : taken) {
        left.erase(c);
        units_.each(c, [&](std::uint32_t v) { --counts[v]; });
      }
      describe(u, std::move(taken), wider, out);
    }
    check(all, out);
    return out;
  }

  struct Written {
    std::vector<std::uint32_t> within, except;
  };

  /// `base` without `rest`, whose cells are `region`: exceptions alone, or within some patterns as well. Nothing: no
  /// such patterns.
  std::optional<Written> write(const Cells& region, const Cells& rest) const {
    const std::set<std::uint32_t> touched = units_over(region);
    std::vector<Cells> excepts;
    Cells stubborn;
    for (const std::uint32_t c : rest) {
      Cells clean;
      units_.each(c, [&](std::uint32_t u) {
        if (!touched.contains(u)) clean.push_back(u);
      });
      if (clean.empty())
        stubborn.push_back(c);
      else
        excepts.push_back(std::move(clean));
    }
    if (stubborn.empty()) return Written{{}, smallest_cover(std::move(excepts))};
    const std::set<std::uint32_t> foreign = units_over(stubborn);
    std::vector<Cells> withins;
    for (const std::uint32_t c : region) {
      Cells own;
      units_.each(c, [&](std::uint32_t u) {
        if (!foreign.contains(u)) own.push_back(u);
      });
      if (own.empty()) return std::nullopt;
      withins.push_back(std::move(own));
    }
    Written out;
    out.within = smallest_cover(std::move(withins));
    excepts.clear();
    for (const std::uint32_t c : rest) {
      bool inside = false;
      Cells clean;
      units_.each(c, [&](std::uint32_t u) {
        inside = inside || std::binary_search(out.within.begin(), out.within.end(), u);
        if (!touched.contains(u)) clean.push_back(u);
      });
      if (inside) excepts.push_back(std::move(clean));
    }
    out.except = smallest_cover(std::move(excepts));
    return out;
  }

  std::set<std::uint32_t> units_over(const Cells& cells) const {
    std::set<std::uint32_t> out;
    for (const std::uint32_t c : cells) units_.each(c, [&](std::uint32_t u) { out.insert(u); });
    return out;
  }

  void describe(std::uint32_t base, Cells region, bool wider, std::vector<Region>& out) {
    std::set<std::uint32_t> planes;
    for (const std::uint32_t c : region) planes.insert(space_.plane(c));
    Cells rest;
    std::set_difference(units_.cells(base).begin(), units_.cells(base).end(), region.begin(), region.end(),
                        std::back_inserter(rest));
    std::erase_if(rest, [&](std::uint32_t c) { return !planes.contains(space_.plane(c)); });
    if (const auto written = write(region, rest)) {
      out.push_back(finish(base, *written, std::move(region), wider));
      return;
    }
    // no few patterns say it: cells by the patterns over them, each set of which is an intersection
    std::map<Cells, Cells> groups;
    for (const std::uint32_t c : region) {
      Cells over;
      units_.each(c, [&](std::uint32_t u) { over.push_back(u); });
      groups[over].push_back(c);
    }
    for (auto& [over, cells] : groups) {
      Written one;
      one.within = over;
      std::set<std::uint32_t> others = units_over(units_cells(base));
      for (const std::uint32_t u : over) others.erase(u);
      one.except.assign(others.begin(), others.end());
      out.push_back(finish(base, one, std::move(cells), wider, " and "));
    }
  }
  Cells units_cells(std::uint32_t u) const { return {units_.cells(u).begin(), units_.cells(u).end()}; }

  Region finish(std::uint32_t base, const Written& written, Cells cells, bool wider,
                const char* within = " or ") const {
    Region out;
    out.text = pattern_text(base, cells);
    const auto list = [&](const std::vector<std::uint32_t>& units, const char* word, const char* between) {
      for (std::size_t i = 0; i < units.size(); ++i) out.text += (i == 0 ? word : between) + text_of(units[i]);
    };
    list(written.within, " within ", within);
    list(written.except, " except ", ", ");
    out.witness = space_.witness_text(cells.front());
    out.before = words(old_, cells);
    out.after = words(new_, cells);
    Count size;
    bool counted = true;
    for (const std::uint32_t c : cells) {
      const auto n = space_.count(c);
      counted = counted && n;
      // a connection by name is one by address too
      if (n && space_.sort(c) != Sort::Name) size += *n;
    }
    if (counted && !size.zero()) out.size = size;
    out.rules.push_back(responsible(base));
    for (const std::uint32_t u : grants(cells, wider))
      if (u != base) out.rules.push_back(responsible(u));
    out.cells = std::move(cells);
    return out;
  }

  static std::string words(const std::vector<std::uint8_t>& decisions, const Cells& cells) {
    static constexpr const char* names[] = {"deny", "ask", "allow"};
    bool seen[3] = {};
    for (const std::uint32_t c : cells) seen[decisions[c]] = true;
    std::string out;
    for (int d = 0; d < 3; ++d)
      if (seen[d]) out += (out.empty() ? "" : " or ") + std::string(names[d]);
    return out;
  }

  Responsible responsible(std::uint32_t u) const {
    const bool of_new = is_new(u);
    const std::uint32_t rule = units_[u].rule - (of_new ? static_cast<std::uint32_t>(before_.rules.size()) : 0);
    const Rule& r = space_.rule(units_[u].rule);
    const std::string word = units_[u].except ? fmt::format("except {} in {}", units_[u].text, r.text)
                                              : fmt::format("{} {}", to_string(r.effect), units_[u].text);
    return {of_new, rule, units_[u].span, word};
  }

  /// The fewest units that permit the region: in the new policy where it became permitted, else in the old one.
  Cells grants(const Cells& cells, bool wider) const {
    std::vector<Cells> lists;
    for (const std::uint32_t c : cells) {
      Cells here;
      std::set<std::uint32_t> matching;
      space_.each_rule(c, [&](std::uint32_t r, bool matches) {
        if (matches) matching.insert(r);
      });
      units_.each(c, [&](std::uint32_t u) {
        if (!units_[u].except && is_new(u) == wider && matching.contains(units_[u].rule) &&
            space_.rule(units_[u].rule).effect != Effect::Deny)
          here.push_back(u);
      });
      if (here.empty()) return {};
      lists.push_back(std::move(here));
    }
    return smallest_cover(std::move(lists));
  }

  /// Patterns on one name may differ in nothing but the addresses that their rules take it for.
  std::string text_of(std::uint32_t unit) const {
    std::string out = units_[unit].text;
    const auto* body = std::get_if<NetBody>(&space_.rule(units_[unit].rule).body);
    if (!body || !body->within || !twins_.contains(out)) return out;
    const char* word = " within ";
    for (const auto& range : body->within->ranges()) {
      out += fmt::format("{}{}-{}", word, model::to_string(range.first), model::to_string(range.last));
      word = " or ";
    }
    return out;
  }

  /// The pattern with the verbs or protocols that the cells have, which may be fewer than the rule's.
  std::string pattern_text(std::uint32_t unit, const Cells& cells) const {
    const std::string text = text_of(unit);
    if (space_.sort(cells.front()) == Sort::File) {
      Verbs verbs = 0;
      for (const std::uint32_t c : cells) verbs |= space_.verbs(c);
      const std::size_t quote = text.find('"');
      return quote == std::string::npos ? text : verb_words(verbs) + " " + text.substr(quote);
    }
    if (const auto* first = space_.net(cells.front())) {
      Protocols protocols = 0;
      for (const std::uint32_t c : cells) protocols |= static_cast<Protocols>(space_.net(c)->protocol);
      std::size_t at = text.find(' ');
      if (at == std::string::npos) return text;
      const std::string direction = first->direction == Direction::Connect ? "connect " : "listen ";
      for (const char* word : {" tcp,", " udp,", " tcp", " udp", " icmp", " any"})
        if (text.compare(at, std::string_view(word).size(), word) == 0) at += std::string_view(word).size();
      if (text.compare(0, direction.size(), direction) == 0 && at < text.size())
        return direction + protocols_text(protocols) + text.substr(at);
    }
    return text;
  }

  void check(const Cells& all, const std::vector<Region>& regions) const {
    Cells together;
    for (const Region& r : regions) together.insert(together.end(), r.cells.begin(), r.cells.end());
    std::sort(together.begin(), together.end());
    if (together != all) throw std::logic_error("the regions of a difference are not the difference");
  }

  const Policy& before_;
  const Policy& after_;
  Space space_;
  Units units_;
  std::vector<std::uint8_t> old_, new_;
  std::vector<bool> changed_;
  std::set<std::string> twins_;  ///< texts that several different patterns have
};

/// One setting in place of another, neither of which is within the other: told in both directions.
void replaced(const std::string& before, const std::string& after, std::vector<OtherChange>& out) {
  if (before == after) return;
  out.push_back({true, after});
  out.push_back({false, "no longer: " + before});
}

/// Without a mount there is what the root file system holds at its target, so neither more nor less than with it.
void mounts(const Run& a, const Run& b, std::vector<OtherChange>& out) {
  const auto text = [](const Mount& m) {
    return fmt::format("mount {} at \"{}\" {}", m.source ? "\"" + *m.source + "\"" : "tmpfs", m.target,
                       m.writable ? "writable" : "readonly");
  };
  const auto unmounted = [](const Mount& m) { return fmt::format("what is at \"{}\" without a mount", m.target); };
  std::map<std::string, const Mount*> before, after;
  for (const Mount& m : a.mounts) before.emplace(m.target, &m);
  for (const Mount& m : b.mounts) after.emplace(m.target, &m);
  for (const auto& [target, m] : after) {
    const auto at = before.find(target);
    replaced(at == before.end() ? unmounted(*m) : text(*at->second), text(*m), out);
    if (at == before.end() || at->second->source || m->source) continue;
    const auto &old_size = at->second->size_bytes, &size = m->size_bytes;
    const auto value = [](const auto& v) { return v ? std::to_string(*v) : std::string("none"); };
    if (size != old_size)
      out.push_back(
          {!size || (old_size && *size > *old_size),
           fmt::format("size of the tmpfs at \"{}\" (bytes): {}, before {}", target, value(size), value(old_size))});
  }
  for (const auto& [target, m] : before)
    if (!after.contains(target)) replaced(text(*m), unmounted(*m), out);
}

/// Another user, root file system or program is not more and not less: each is told in both directions. Root is no
/// exception: without capabilities it can't open what only another user may.
void run_settings(const Run& a, const Run& b, std::vector<OtherChange>& out) {
  const auto user = [](const Run& r) {
    return r.user ? fmt::format("user {}:{}", r.user->uid, r.user->gid) : std::string("user none");
  };
  const auto command = [](const Run& r) {
    std::string text = "command";
    for (const std::string& word : r.command) text += fmt::format("{} \"{}\"", &word == &r.command[0] ? "" : ",", word);
    return r.command.empty() ? text + " none" : text;
  };
  const auto setting = [&](const char* name, const std::optional<std::string>& x, const std::optional<std::string>& y) {
    const auto text = [&](const auto& v) { return fmt::format("{} {}", name, v ? "\"" + *v + "\"" : "none"); };
    replaced(text(x), text(y), out);
  };
  replaced(user(a), user(b), out);
  setting("rootfs", a.rootfs, b.rootfs);
  replaced(command(a), command(b), out);
  setting("workdir", a.workdir, b.workdir);
  setting("hostname", a.hostname, b.hostname);
  setting("cgroup", a.cgroup, b.cgroup);
  setting("interface", a.interface, b.interface);
  mounts(a, b, out);
}

/// Bounds, mode and what is run: what is no set of actions.
void others(const Policy& a, const Policy& b, std::vector<OtherChange>& out) {
  const auto limit = [&](const char* name, const auto& x, const auto& y) {
    if (x && y && x->value == y->value) return;
    if (!x && !y) return;
    const auto value = [](const auto& v) { return v ? std::to_string(v->value) : std::string("none"); };
    out.push_back({!y || (x && y->value > x->value), fmt::format("limit {}: {}, before {}", name, value(y), value(x))});
  };
  limit("cpu (thousandths)", a.limits.cpu_milli, b.limits.cpu_milli);
  limit("memory (bytes)", a.limits.memory_bytes, b.limits.memory_bytes);
  limit("pids", a.limits.pids, b.limits.pids);
  limit("time (ms)", a.limits.time_ms, b.limits.time_ms);
  limit("files", a.limits.files, b.limits.files);
  for (const char* block : {"file", "net", "syscall", "capability", "env", "tool"})
    if (a.audits(block) != b.audits(block))
      out.push_back(
          {b.audits(block),
           fmt::format("mode of {}: {}", block, b.audits(block) ? "audit, before enforce" : "enforce, before audit")});
  if (a.isolation != b.isolation) {
    static constexpr const char* names[] = {"process", "container", "microvm"};
    out.push_back(
        {b.isolation < a.isolation, fmt::format("isolation {}, before {}", names[static_cast<int>(b.isolation)],
                                                names[static_cast<int>(a.isolation)])});
  }
  if (a.ephemeral != b.ephemeral)
    out.push_back({a.ephemeral, b.ephemeral ? "ephemeral, before not" : "no longer ephemeral"});
  run_settings(a.run, b.run, out);
  for (const auto& [name, value] : b.env_set) {
    const auto at = a.env_set.find(name);
    if (at == a.env_set.end()) {
      out.push_back({true, fmt::format("env \"{}\" is set", name)});
    } else if (at->second != value) {
      out.push_back({true, fmt::format("env \"{}\" is set to another value", name)});
      out.push_back({false, fmt::format("no longer: env \"{}\" set to the value before", name)});
    }
  }
  for (const auto& [name, value] : a.env_set)
    if (!b.env_set.contains(name)) out.push_back({false, fmt::format("env \"{}\" is no longer set", name)});
  if (a.resolvers != b.resolvers) out.push_back({true, "another resolver"});
}

}  // namespace

Difference difference(const Policy& before, const Policy& after, SpaceLimits limits) {
  limits.call_work = ~std::size_t{0};  // a region is all of its cells
  Difference out = Differ(before, after, std::move(limits)).run();
  others(before, after, out.others);
  return out;
}

}  // namespace agp::analysis
