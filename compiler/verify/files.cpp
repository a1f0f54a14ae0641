#include "compiler/verify/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "compiler/linux/footprints.hpp"
#include "compiler/linux/landlock.hpp"
#include "compiler/model/grant.hpp"
#include "compiler/model/inode_layer.hpp"
#include "compiler/model/path_classes.hpp"
#include "compiler/verify/gaps.hpp"

// Comes in: file rules as patterns, layers as cells of paths with rights. Goes out: a path and a verb on which they
// differ, or the proof that there is none: every combination of patterns and cells that some path matches is looked at.
namespace agp::verify {
namespace {

using model::Effect;
using model::FileBody;
using model::InodeRights;
using model::PathPattern;
using model::Verb;
using model::Verbs;
namespace inode = model::inode;

constexpr Verb every_verb[] = {Verb::Read, Verb::List, Verb::Exec, Verb::Modify, Verb::Create, Verb::Delete};

/// One combination, from both sides.
struct Place {
  const model::PathClass* path = nullptr;
  Verbs allowed = 0;
  std::vector<std::size_t> allowing, refusing;  ///< rules that match, whatever their verbs
};

class Files {
 public:
  Files(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
        std::vector<const model::InodeLayer*> layers)
      : policy_(policy), target_(target), plan_(plan), layers_(std::move(layers)) {
    for (std::size_t r = 0; r < policy.rules.size(); ++r) {
      const auto* body = std::get_if<FileBody>(&policy.rules[r].body);
      if (!body || policy.rules[r].expired) continue;
      rules_.push_back({r, body, patterns_.size()});
      for (const auto& p : body->patterns) patterns_.push_back(&p.pattern);
      for (const auto& p : body->except) patterns_.push_back(&p.pattern);
    }
    of_rules_ = patterns_.size();
    std::size_t count = 0;
    for (const auto* l : layers_) count += l->cells.size();
    cells_.reserve(2 * count);
    for (const auto* l : layers_)
      for (const auto& c : l->cells) {
        cells_.push_back(model::path_node(c.base));
        cells_.push_back(model::path_subtree(c.base));
      }
    for (const auto& c : cells_) patterns_.push_back(&c);
    losses_.resize(layers_.size());
    collect_accepted();
  }

  std::vector<Obligation> run(bool whole_stack) {
    for (const bool list : {false, true}) {
      std::vector<char> as_list(patterns_.size(), 0);
      std::fill(as_list.begin(), as_list.begin() + static_cast<std::ptrdiff_t>(of_rules_), list);
      const auto cut =
          model::path_classes(patterns_, std::span(reinterpret_cast<const bool*>(as_list.data()), as_list.size()));
      exhausted_ = exhausted_ || cut.exhausted;
      for (const auto& c : cut.classes) look(c, list);
    }
    std::vector<Obligation> out;
    // The layers together: only where each was read can an excess be told from one that another layer closes.
    if (whole_stack || !excess_)
      out.push_back(obligation(*layers_.front(), Direction::Excess, excess_,
                               "no file action is permitted that the policy does not allow"));
    for (std::size_t i = 0; i < layers_.size(); ++i)
      out.push_back(obligation(*layers_[i], Direction::Loss, losses_[i],
                               "every file action that the policy allows is permitted"));
    return out;
  }

 private:
  struct OwnRule {
    std::size_t rule;
    const FileBody* body;
    std::size_t first;  ///< of its patterns; exceptions follow
  };

  Obligation obligation(const model::InodeLayer& layer, Direction d, const std::optional<Witness>& found,
                        std::string statement) const {
    const auto verdict = [&]() -> Verdict {
      if (found) return solver::Refuted<Witness>{*found};
      if (exhausted_)
        return solver::Unknown{"so many patterns overlap that the paths take more classes than the limit"};
      return solver::Proved{"path classes"};
    };
    return {layer.artifact, layer.layer, "", d, std::move(statement), verdict(), "file access"};
  }

  bool excepted(const OwnRule& r, const model::PathClass& c) const {
    for (std::size_t i = 0; i < r.body->except.size(); ++i)
      if (c.hits[r.first + r.body->patterns.size() + i]) return true;
    return false;
  }

  Place place(const model::PathClass& c) const {
    Place out;
    out.path = &c;
    Verbs refused = 0;
    for (const OwnRule& r : rules_) {
      if (excepted(r, c)) continue;
      bool hit = false;
      for (std::size_t i = 0; i < r.body->patterns.size(); ++i) hit = hit || c.hits[r.first + i];
      if (!hit) continue;
      const bool allow = policy_.rules[r.rule].effect == Effect::Allow;
      (allow ? out.allowed : refused) |= r.body->verbs;
      (allow ? out.allowing : out.refusing).push_back(r.rule);
    }
    out.allowed &= static_cast<Verbs>(~refused);
    return out;
  }

  /// The deepest cell at or around the path, and whether it is the path itself. Cells are in path order.
  std::pair<const model::InodeCell*, bool> cell(std::size_t layer, const model::PathClass& c) const {
    std::size_t at = of_rules_;
    for (std::size_t i = 0; i < layer; ++i) at += 2 * layers_[i]->cells.size();
    std::pair<const model::InodeCell*, bool> out{nullptr, false};
    for (const auto& one : layers_[layer]->cells) {
      if (c.hits[at] || c.hits[at + 1]) out = {&one, static_cast<bool>(c.hits[at])};
      at += 2;
    }
    return out;
  }

  void look(const model::PathClass& c, bool list) {
    const Place here = place(c);
    InodeRights all_grant = inode::all, absent = 0;
    std::string where;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const auto [own, at] = cell(i, c);
      const InodeRights granted = !own ? 0 : at ? own->at : own->beneath;
      const InodeRights gone = !own ? 0 : at ? own->absent_at : own->absent_beneath;
      const InodeRights later = !own ? 0 : at ? own->later_at : own->later_beneath;
      all_grant &= granted | later | gone;
      absent |= gone;
      if (own && where.empty()) where = own->place.empty() ? "what no rule names" : own->place;
      for (const Verb v : every_verb)
        if ((v == Verb::List) == list) lost(i, here, v, granted | gone);
    }
    for (const Verb v : every_verb)
      if ((v == Verb::List) == list) exceeds(here, v, all_grant & ~absent, where);
  }

  void lost(std::size_t layer, const Place& p, Verb v, InodeRights granted) {
    InodeRights needed = model::rights_of(v);
    // a kernel that never permits it has nothing to lose it to: see the plan (ABI 1)
    if (v == Verb::Create && target_.landlock_abi >= 2) needed |= inode::refer;
    if (losses_[layer] || !has(p.allowed, v) || (needed & ~granted) == 0) return;
    if (v == Verb::Create && !layers_[layer]->moves && (needed & ~granted) == inode::refer) return;
    if (p.path->path == "/" && (v == Verb::Create || v == Verb::Delete)) return;  // nothing makes or removes the root
    if (subtracted(p, v, false) || pinned(layer, p, v)) return;
    const auto own = cell(layer, *p.path).first;
    losses_[layer] = witness(p, v, own && !own->place.empty() ? own->place : "what no rule names", "refused");
  }

  /// Rights of the verb that all layers grant, each by a realisation that the policy's system calls leave open.
  void exceeds(const Place& p, Verb v, InodeRights granted, const std::string& where) {
    InodeRights over = model::rights_of(v) & granted;
    if (!attributes_open()) over &= ~inode::attributes;
    if (accepted_attributes_) over &= ~(inode::attributes | (target_.landlock_abi < 3 ? inode::truncate : 0));
    if (v == Verb::Create && (granted & inode::make_device) != 0 && may_make_devices()) over |= inode::make_device;
    if (excess_ || over == 0) return;
    if (has(p.allowed, v) && (over & inode::make_device) == 0) return;
    if (subtracted(p, v, true) || derived(v, p.path->path)) return;
    const char* how = (over & ~inode::attributes) == 0 ? "permitted, by changing attributes"
                      : over == inode::truncate        ? "permitted, by truncating"
                      : over == inode::make_device     ? "permitted for devices"
                                                       : "permitted";
    excess_ = witness(p, v, where, how);
  }

  Witness witness(const Place& p, Verb v, const std::string& where, const char* observed) const {
    Witness w;
    const model::Action action = model::FileAction{v, p.path->path};
    w.action = model::to_string(action);
    const model::Verdict verdict = model::decide(policy_, action);
    w.decision = verdict.decision;
    w.rules = verdict.rules;
    w.place = where;
    w.observed = observed;
    return w;
  }

  bool may_make_devices() const {
    return model::decide(policy_, model::CapabilityAction{"CAP_MKNOD"}).decision == model::Decision::Allow;
  }

  /// May mode, owner, times or attributes be changed at all? A call that the policy refuses whatever its arguments is
  /// the system-call layer's to hold; a rule with conditions is taken to leave it open.
  bool attributes_open() {
    if (attributes_) return *attributes_;
    const auto open = [&](std::string_view name) {
      bool allowed = false;
      for (const model::Rule& rule : policy_.rules) {
        const auto* body = std::get_if<model::SyscallBody>(&rule.body);
        if (rule.expired || !body) continue;
        for (const auto& p : body->patterns) {
          if (p.pattern.name != name) continue;
          if (rule.effect == Effect::Allow)
            allowed = true;
          else if (p.pattern.tests.empty() && body->except.empty())
            return false;
        }
      }
      return allowed;
    };
    const auto ways = linux::footprints(linux::Act::Attributes);
    const auto commands = linux::landlock::attribute_ioctls();
    attributes_ =
        std::any_of(ways.begin(), ways.end(), [&](const linux::Footprint& way) { return open(way.calls[0].call); }) ||
        std::any_of(commands.begin(), commands.end(), [&](std::uint64_t c) {
          return model::decide(policy_, model::SyscallAction{"ioctl", {3, c}}).decision == model::Decision::Allow;
        });
    return *attributes_;
  }

  void collect_accepted() {
    for (std::size_t m = 0; m < policy_.run.mounts.size(); ++m)
      if (pinned_mount(plan_, m)) pins_.push_back(policy_.run.mounts[m].target);
    for (const FileGap& gap : file_gaps(policy_, plan_)) {
      accepted_.push_back(gap);
      accepted_attributes_ = accepted_attributes_ || gap.attributes;
      const model::Rule& rule = policy_.rules[gap.rule];
      if (gap.narrower && rule.effect != Effect::Allow)
        pins_.push_back(model::literal_directory(std::get<FileBody>(rule.body).patterns[gap.pattern].pattern));
    }
  }

  /// Is the difference within a gap that was accepted? Wider, for a refusal: what it names; for an allow: what stands
  /// beneath the directory before its first wildcard, which is all that a rule on a directory can tell apart. Narrower,
  /// for a refusal of one node: also what would stand beneath it, since the read-only mount that holds it is the
  /// node's.
  bool subtracted(const Place& p, Verb v, bool excess) const {
    return std::any_of(accepted_.begin(), accepted_.end(), [&](const FileGap& a) {
      const model::Rule& rule = policy_.rules[a.rule];
      const FileBody& body = std::get<FileBody>(rule.body);
      if (!has(a.verbs, v) || !(excess ? a.wider : a.narrower)) return false;
      const PathPattern& pattern = body.patterns[a.pattern].pattern;
      const std::string& path = p.path->path;
      if (excess && rule.effect == Effect::Allow) {
        const std::string base = model::literal_directory(pattern);
        return path == base || model::is_beneath(path, base);
      }
      if (!excess && rule.effect != Effect::Allow && pattern.shape() == PathPattern::Shape::Node &&
          model::is_beneath(path, pattern.base()))
        return true;
      return v == Verb::List ? pattern.matches_list(path) : pattern.matches(path);
    });
  }

  /// A mount point can't be made, removed or renamed. Where a refusal or a mount needs one, and every directory above
  /// it, to be one, that loss is the gap that was accepted for it (VERIFICATION.md, known traps).
  bool pinned(std::size_t layer, const Place& p, Verb v) const {
    const auto [own, at] = cell(layer, *p.path);
    if (!own || !at || !layers_[layer]->mounts) return false;
    const bool entry = v == Verb::Create || v == Verb::Delete;  // and the refused directory's own attributes
    return std::any_of(pins_.begin(), pins_.end(), [&](const std::string& pin) {
      return (pin == p.path->path && (entry || v == Verb::Modify)) || (entry && model::is_beneath(pin, p.path->path));
    });
  }

  bool derived(Verb v, const std::string& path) const {
    const std::string text = model::to_string(model::Action{model::FileAction{v, path}});
    // `read` of a file is what the policy's word for opening it is
    const std::string read = v == Verb::Read ? "read" + text.substr(text.find(' ')) : text;
    return std::any_of(plan_.derived.begin(), plan_.derived.end(), [&](const auto& d) {
      return d.grant == text || d.grant == read || model::covers(d.grant, {v, path});
    });
  }

  const model::Policy& policy_;
  const model::Target& target_;
  const plan::Plan& plan_;
  std::vector<const model::InodeLayer*> layers_;
  std::vector<OwnRule> rules_;
  std::vector<const PathPattern*> patterns_;
  std::vector<PathPattern> cells_;
  std::size_t of_rules_ = 0;
  std::vector<FileGap> accepted_;
  std::vector<std::string> pins_;  ///< where mount points are accepted, and on the way there
  bool accepted_attributes_ = false;
  std::optional<bool> attributes_;
  std::optional<Witness> excess_;
  std::vector<std::optional<Witness>> losses_;
  bool exhausted_ = false;
};

}  // namespace

std::vector<Obligation> verify_files(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                     std::span<const std::shared_ptr<const model::InodeLayer>> layers) {
  if (layers.empty()) return {};
  std::vector<const model::InodeLayer*> all;
  for (const auto& l : layers) all.push_back(l.get());
  const bool mounts = std::any_of(all.begin(), all.end(), [](const auto* l) { return l->mounts; });
  return Files(policy, target, plan, std::move(all)).run(mounts || target.stack != "oci+landlock");
}

namespace {

Verdict refused_at_port(const model::Action& action, const model::Verdict& verdict) {
  Witness w;
  w.action = model::to_string(action);
  w.decision = verdict.decision;
  w.rules = verdict.rules;
  w.place = "/netPort";
  w.observed = "refused";
  return solver::Refuted<Witness>{w};
}

/// A port at which the rules permit something and the layer nothing; unknown where a refusal may explain it.
Verdict lost_port(const model::Policy& policy, const model::PortLayer& layer) {
  for (const model::Rule& rule : policy.rules) {
    const auto* body = std::get_if<model::NetBody>(&rule.body);
    if (!body || rule.expired || rule.effect != Effect::Allow) continue;
    const bool connect = body->direction == model::Direction::Connect;
    for (const model::Protocol p : {model::Protocol::Tcp, model::Protocol::Udp}) {
      const auto& set = p == model::Protocol::Tcp ? (connect ? layer.connect_tcp : layer.listen_tcp)
                                                  : (connect ? layer.connect_udp : layer.listen_udp);
      if (!has(body->protocols, p) || !set) continue;
      for (const auto& e : body->endpoints) {
        const model::PortSet missing = e.pattern.ports - *set;
        if (missing.empty()) continue;
        const std::uint16_t port = missing.ranges().front().first;
        model::Action action = model::NameAction{p, "", port};
        if (e.pattern.name)
          std::get<model::NameAction>(action).name = (e.pattern.name->beneath ? "x." : "") + e.pattern.name->name;
        else
          action = model::NetAction{body->direction, p,           e.pattern.addresses.ranges().front().first, port,
                                    std::nullopt,    std::nullopt};
        const model::Verdict verdict = model::decide(policy, action);
        if (verdict.decision != model::Decision::Allow)
          return solver::Unknown{fmt::format("whether every address at port {} is refused", port)};
        return refused_at_port(action, verdict);
      }
    }
  }
  return solver::Proved{"evaluation"};
}

/// Of an audited `net`: a port that the layer refuses, whoever's it is.
Verdict refused_port(const model::Policy& policy, const model::PortLayer& layer) {
  using model::Direction;
  using model::Protocol;
  const std::tuple<const std::optional<model::PortSet>&, Direction, Protocol> all[] = {
      {layer.connect_tcp, Direction::Connect, Protocol::Tcp},
      {layer.listen_tcp, Direction::Listen, Protocol::Tcp},
      {layer.connect_udp, Direction::Connect, Protocol::Udp},
      {layer.listen_udp, Direction::Listen, Protocol::Udp}};
  for (const auto& [set, direction, protocol] : all) {
    if (!set) continue;
    const model::PortSet refused = model::PortSet::range(1, 65535) - *set;
    if (refused.empty()) continue;
    const model::Action action =
        model::NetAction{direction,    protocol,    model::Address::v4(0x7f000001), refused.ranges().front().first,
                         std::nullopt, std::nullopt};
    return refused_at_port(action, model::decide(policy, action));
  }
  return solver::Proved{"evaluation"};
}

/// Does the layer answer for abstract sockets?
bool holds_abstract(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                    const std::string& layer) {
  if (target.stack == "launcher" && target.landlock_abi >= linux::landlock::abi_of_scopes) return true;
  return std::any_of(plan.rows.begin(), plan.rows.end(), [&](const plan::Row& row) {
    if (row.layer != layer || row.holds != backends::Holds::Exact || row.fact.kind != model::Fact::Kind::Pattern)
      return false;
    const auto* body = std::get_if<model::UnixBody>(&policy.rules[row.fact.rule].body);
    return body && body->direction == model::Direction::Connect && row.fact.pattern >= body->paths.size();
  });
}

/// Connecting to an abstract socket of a process outside.
void verify_abstract(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                     const model::PortLayer& layer, std::vector<Obligation>& out) {
  const model::Action action = model::UnixAction{model::Direction::Connect, std::nullopt};
  const model::Verdict decided = model::decide(policy, action);
  const bool permitted = decided.decision != model::Decision::Deny;
  const auto answer = [&](bool good) -> Verdict {
    if (good) return solver::Proved{"evaluation"};
    Witness w;
    w.action = model::to_string(action);
    w.decision = decided.decision;
    w.rules = decided.rules;
    w.place = "/ruleset/scoped";
    w.observed = layer.outside_sockets ? "permitted" : "refused";
    return solver::Refuted<Witness>{w};
  };
  if (policy.audits("net"))
    out.push_back({layer.artifact, layer.layer, "", Direction::Permits, "every abstract socket is permitted",
                   answer(layer.outside_sockets), "connection"});
  else if (permitted)
    out.push_back({layer.artifact, layer.layer, "", Direction::Loss,
                   "abstract sockets that the policy allows are permitted", answer(layer.outside_sockets),
                   "connection"});
  else if (holds_abstract(policy, target, plan, layer.layer))
    out.push_back({layer.artifact, layer.layer, "", Direction::Excess, "no abstract socket of a process outside",
                   answer(!layer.outside_sockets), "connection"});
}

}  // namespace

std::vector<Obligation> verify_ports(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                     std::span<const Reading> readings) {
  std::vector<Obligation> out;
  for (const Reading& r : readings)
    for (const auto& l : r.decoded.ports) {
      verify_abstract(policy, target, plan, *l, out);
      if (!l->connect_tcp && !l->listen_tcp && !l->connect_udp && !l->listen_udp) continue;
      if (policy.audits("net"))
        out.push_back({l->artifact, l->layer, "", Direction::Permits, std::string(statement_of_all_ports),
                       refused_port(policy, *l), "connection"});
      else
        out.push_back({l->artifact, l->layer, "", Direction::Loss, std::string(statement_of_ports),
                       lost_port(policy, *l), "connection"});
    }
  return out;
}

}  // namespace agp::verify
