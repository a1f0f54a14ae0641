#include "backends/seccomp/emit/profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/seccomp/emit/cubes.hpp"
#include "backends/seccomp/format.hpp"

namespace agp::backends::seccomp {
namespace {

using Json = nlohmann::ordered_json;
using Ref = Diagram::Ref;

/// Calls that share one decision, and so one list of entries.
struct Group {
  Ref root;
  std::vector<const CallDecision*> calls;
};

void set_action(Json& entry, std::uint32_t word) {
  switch (word & format::ret_action) {
    case format::ret_allow:
      entry["action"] = "SCMP_ACT_ALLOW";
      return;
    case format::ret_kill_process:
      entry["action"] = "SCMP_ACT_KILL_PROCESS";
      return;
    case format::ret_trap:
      entry["action"] = "SCMP_ACT_TRAP";
      return;
    case format::ret_log:
      entry["action"] = "SCMP_ACT_LOG";
      return;
    default:
      entry["action"] = "SCMP_ACT_ERRNO";
      entry["errnoRet"] = word & format::ret_data;
  }
}

Json arguments(const Cube& cube) {
  static constexpr const char* ops[] = {"SCMP_CMP_NE", "SCMP_CMP_LE", "SCMP_CMP_GE"};
  Json args = Json::array();
  for (std::size_t i = 0; i < 6; ++i) {
    if (cube.mask[i] != 0)
      args.push_back(
          {{"index", i}, {"value", cube.mask[i]}, {"valueTwo", cube.value[i]}, {"op", "SCMP_CMP_MASKED_EQ"}});
    if (cube.bound && cube.bound->argument == i)
      args.push_back(
          {{"index", i}, {"value", cube.bound->value}, {"op", ops[static_cast<std::size_t>(cube.bound->op)]}});
  }
  return args;
}

class Writer {
 public:
  Writer(Decisions& decisions, const model::Policy& policy, const model::Target& target, Emitted& out)
      : in_(decisions),
        policy_(policy),
        target_(target),
        out_(out),
        default_word_(decisions.audit ? format::ret_log : format::ret_errno | format::eperm) {}

  void run() {
    std::vector<Group> constant, conditional;
    const std::vector<CallDecision> calls = by_name();
    for (const CallDecision& c : calls) {
      if (c.root == Diagram::leaf(default_word_) || !known(*c.call)) continue;
      auto& groups = Diagram::is_leaf(c.root) ? constant : conditional;
      const auto it = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.root == c.root; });
      if (it == groups.end())
        groups.push_back({c.root, {&c}});
      else
        it->calls.push_back(&c);
    }
    for (const Group& g : constant) entry(g, {{}, {}, Diagram::word(g.root), {}});
    const Group* costliest = nullptr;
    std::size_t most = 0;
    for (const Group& g : conditional) {
      const std::size_t before = cost_;
      const auto all = cubes(in_.diagram, g.root, path_limit);
      const auto list = all ? smallest(*all) : std::vector<Cube>();
      if (!all || list.size() > cube_limit) return too_large(g);
      paths_.clear();
      for (const Cube& cube : list) entry(g, cube);
      if (cost_ - before > most) {
        most = cost_ - before;
        costliest = &g;
      }
    }
    if (!out_.problems.empty()) return;
    if (cost_ > format::max_instructions) return too_large(costliest != nullptr ? *costliest : constant.front(), most);
    Json profile;
    if (in_.audit) {  // runc makes no ENOSYS of its own where the default lets calls run
      profile["defaultAction"] = "SCMP_ACT_LOG";
    } else {
      threshold();
      profile["defaultAction"] = "SCMP_ACT_ERRNO";
      profile["defaultErrnoRet"] = format::eperm;
    }
    profile["architectures"] = architectures();
    profile["syscalls"] = std::move(entries_);
    out_.artifacts.push_back({format::profile_path, profile.dump(2) + "\n"});
    for (const auto& [rule, places] : places_)
      for (const std::size_t place : places)
        out_.map.push_back({policy_.rules[rule].id, format::profile_path, fmt::format("/syscalls/{}", place)});
  }

 private:
  /// A profile decides by names, for all its architectures at once: the decision of the first that has the name, if
  /// every other one's is the same. A 32-bit register is a word whose high half is 0.
  std::vector<CallDecision> by_name() {
    std::vector<CallDecision> out;
    std::map<std::string_view, std::size_t> at;
    for (const ArchDecisions& arch : in_.archs)
      for (const CallDecision& c : arch.calls) {
        const auto [it, fresh] = at.try_emplace(c.call->name, out.size());
        if (fresh) {
          out.push_back(c);
          continue;
        }
        CallDecision& first = out[it->second];
        if (first.root != c.root && low_words(first.root) != low_words(c.root)) differs(first, c);
        for (const std::size_t rule : c.rules)
          if (std::find(first.rules.begin(), first.rules.end(), rule) == first.rules.end()) first.rules.push_back(rule);
      }
    return out;
  }
  /// The decision where every high word is 0.
  Ref low_words(Ref r) {
    if (Diagram::is_leaf(r)) return r;
    if (const auto it = low_.find(r); it != low_.end()) return it->second;
    const Diagram::Node node = in_.diagram.node(r);  // a copy: the diagram grows
    if (!node.view.low) return low_[r] = low_words(node.edges.front().to);
    auto edges = node.edges;
    for (auto& e : edges) e.to = low_words(e.to);
    return low_[r] = in_.diagram.make(node.view, std::move(edges));
  }
  void differs(const CallDecision& a, const CallDecision& b) {
    out_.problems.push_back(
        {fmt::format("an OCI profile decides by names, and the conditions on `{}` differ between {} and {}",
                     a.call->name, linux::to_string(a.call->arch), linux::to_string(b.call->arch)),
         a.rules.empty() ? std::nullopt : std::optional(a.rules.front()),
         "build for one architecture at a time with `--arch`"});
  }
  Json architectures() const {
    static constexpr const char* names[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64",
                                            "SCMP_ARCH_RISCV64"};
    Json out = Json::array();
    for (const ArchDecisions& arch : in_.archs) out.push_back(names[static_cast<std::size_t>(arch.arch)]);
    return out;
  }

  void entry(const Group& group, const Cube& cube) {
    Json e;
    std::vector<std::string_view> names;
    for (const CallDecision* c : group.calls) names.push_back(c->call->name);
    std::sort(names.begin(), names.end());
    e["names"] = names;
    set_action(e, cube.word);
    if (Json args = arguments(cube); !args.empty()) e["args"] = std::move(args);
    for (const CallDecision* c : group.calls)
      for (const std::size_t r : c->rules) places_[r].insert(entries_.size());
    cost_ += group.calls.size() * (1 + 3 * new_words(cube));
    for (const CallDecision* c : group.calls) named_.insert(c->call->name);
    entries_.push_back(std::move(e));
  }

  bool known(const linux::Syscall& call) const {
    const linux::Version since = linux::name_since(call);
    return model::KernelVersion{since.major, since.minor} <= target_.libseccomp_names;
  }

  /// The fewest cubes, but where the disjoint ones make fewer instructions: those begin alike, and compare whole words.
  std::vector<Cube> smallest(const std::vector<Cube>& all) const {
    std::vector<Cube> fewer = fewest(all, default_word_, whole_registers()), given;
    for (const Cube& c : all)
      if (c.word != default_word_) given.push_back(c);
    return instructions(given) < instructions(fewer) ? given : fewer;
  }
  /// What libseccomp makes of a list, about: words that are compared whole are loaded once for all values of a place.
  static std::size_t instructions(const std::vector<Cube>& list) {
    std::set<std::vector<std::uint32_t>> paths;
    std::size_t out = 0;
    for (const Cube& c : list) {
      std::vector<std::uint32_t> path;
      if (c.bound) out += 5;
      for (std::uint32_t i = 0; i < 6; ++i)
        for (const int shift : {32, 0}) {
          if (c.mask[i] == 0) continue;
          const auto mask = static_cast<std::uint32_t>(c.mask[i] >> shift);
          path.insert(path.end(), {i, mask});
          if (mask == 0xffffffff && paths.insert(path).second) ++out;
          path.push_back(static_cast<std::uint32_t>(c.value[i] >> shift));
          if (paths.insert(path).second) out += mask == 0xffffffff ? 1 : 3;
        }
    }
    return out;
  }

  /// For i386 and x32 libseccomp compares the low word alone.
  bool whole_registers() const {
    return std::none_of(in_.archs.begin(), in_.archs.end(), [](const ArchDecisions& a) {
      return a.arch == linux::Arch::i386 || a.arch == linux::Arch::x32;
    });
  }

  /// libseccomp compares an entry's arguments word by word, high before low, and entries of one call share the words
  /// they begin with; each word is loaded, masked and compared. How many words does this entry add?
  std::size_t new_words(const Cube& cube) {
    std::vector<std::uint32_t> path;
    std::size_t added = 0;
    for (std::size_t i = 0; i < 6; ++i) {
      if (cube.bound && cube.bound->argument == i) added += 3;  // two compares of the high word, one of the low one
      if (cube.mask[i] == 0) continue;
      for (const int shift : {32, 0}) {
        path.insert(path.end(), {static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(cube.mask[i] >> shift),
                                 static_cast<std::uint32_t>(cube.value[i] >> shift)});
        added += paths_.insert(path).second;
      }
    }
    return added;
  }

  /// runc answers ENOSYS to every number above the largest that a profile names (libcontainer/seccomp/patchbpf), and
  /// counts entries that say the same as the default too. So the last call of libseccomp's table is named: the calls
  /// below it that are refused get EPERM, the newer ones ENOSYS.
  void threshold() {
    for (const ArchDecisions& arch : in_.archs) {
      const CallDecision *last = nullptr, *named = nullptr;
      for (const CallDecision& c : arch.calls) {
        if (!known(*c.call)) continue;
        last = &c;
        if (named_.count(c.call->name) != 0) named = &c;
      }
      if (!last || last == named) continue;
      named_.insert(last->call->name);
      entries_.push_back(
          {{"names", Json::array({last->call->name})}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", format::eperm}});
    }
  }

  /// `instructions`: of all that the profile needs, where these calls are not too much by themselves.
  void too_large(const Group& group, std::size_t instructions = 0) {
    std::string names;
    std::optional<std::size_t> rule;
    for (const CallDecision* c : group.calls) {
      names += fmt::format("{}`{}`", names.empty() ? "" : ", ", c->call->name);
      for (const std::size_t r : c->rules)
        if (!rule || policy_.rules[r].effect != model::Effect::Allow) rule = r;
    }
    const std::string what =
        instructions == 0
            ? fmt::format(
                  "the conditions on {} need more than {} entries in an OCI profile, which can only compare "
                  "bits for equality",
                  names, cube_limit)
            : fmt::format(
                  "the OCI profile's conditions need up to {} instructions, more than the {} that the kernel "
                  "takes; {} of them are for {}",
                  cost_, format::max_instructions, instructions, names);
    out_.problems.push_back({what, rule, "compare with `==` or with masks instead of ranges"});
  }

  static constexpr std::size_t cube_limit = 2000, path_limit = 20'000;

  Decisions& in_;
  const model::Policy& policy_;
  const model::Target& target_;
  Emitted& out_;
  const std::uint32_t default_word_;  ///< what the profile answers to what it does not name
  Json entries_ = Json::array();
  std::map<std::size_t, std::set<std::size_t>> places_;
  std::set<std::vector<std::uint32_t>> paths_;  ///< of the group at hand
  std::size_t cost_ = 16;                       // architecture, x32, runc's own prefix, returns
  std::set<std::string_view> named_;
  std::map<Ref, Ref> low_;
};

}  // namespace

void emit_profile(Decisions& decisions, const model::Policy& policy, const model::Target& target, Emitted& out) {
  Writer(decisions, policy, target, out).run();
}

}  // namespace agp::backends::seccomp
