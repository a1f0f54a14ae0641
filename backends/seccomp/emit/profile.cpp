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

constexpr std::uint32_t default_word = format::ret_errno | format::eperm;

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
    default:
      entry["action"] = "SCMP_ACT_ERRNO";
      entry["errnoRet"] = word & format::ret_data;
  }
}

Json arguments(const Cube& cube) {
  Json args = Json::array();
  for (std::size_t i = 0; i < 6; ++i)
    if (cube.mask[i] != 0)
      args.push_back(
          {{"index", i}, {"value", cube.mask[i]}, {"valueTwo", cube.value[i]}, {"op", "SCMP_CMP_MASKED_EQ"}});
  return args;
}

class Writer {
 public:
  Writer(const Decisions& decisions, const model::Policy& policy, const model::Target& target, Emitted& out)
      : in_(decisions), policy_(policy), target_(target), out_(out) {}

  void run() {
    std::vector<Group> constant, conditional;
    for (const CallDecision& c : in_.archs.front().calls) {
      if (c.root == Diagram::leaf(default_word) || !known(*c.call)) continue;
      auto& groups = Diagram::is_leaf(c.root) ? constant : conditional;
      const auto it = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.root == c.root; });
      if (it == groups.end())
        groups.push_back({c.root, {&c}});
      else
        it->calls.push_back(&c);
    }
    for (const Group& g : constant) entry(g, {{}, {}, Diagram::word(g.root)});
    for (const Group& g : conditional) {
      const auto list = cubes(in_.diagram, g.root, default_word, cube_limit);
      if (!list) return too_large(g);
      paths_.clear();
      for (const Cube& cube : *list) entry(g, cube);
    }
    if (cost_ > format::max_instructions) return too_large({});
    threshold();
    const Json profile = {{"defaultAction", "SCMP_ACT_ERRNO"},
                          {"defaultErrnoRet", format::eperm},
                          {"architectures", Json::array({"SCMP_ARCH_X86_64"})},
                          {"syscalls", std::move(entries_)}};
    out_.artifacts.push_back({format::profile_path, profile.dump(2) + "\n"});
    for (const auto& [rule, places] : places_)
      for (const std::size_t place : places)
        out_.map.push_back({policy_.rules[rule].id, format::profile_path, fmt::format("/syscalls/{}", place)});
  }

 private:
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
    for (const CallDecision* c : group.calls) last_named_ = std::max(last_named_, c->call->number);
    entries_.push_back(std::move(e));
  }

  bool known(const linux::Syscall& call) const {
    return model::KernelVersion{call.since.major, call.since.minor} <= target_.libseccomp_names;
  }

  /// libseccomp compares an entry's arguments word by word, high before low, and entries of one call share the words
  /// they begin with; each word is loaded, masked and compared. How many words does this entry add?
  std::size_t new_words(const Cube& cube) {
    std::vector<std::uint32_t> path;
    std::size_t added = 0;
    for (std::size_t i = 0; i < 6; ++i) {
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
    const CallDecision* last = nullptr;
    for (const CallDecision& c : in_.archs.front().calls)
      if (known(*c.call)) last = &c;
    if (!last || last->call->number <= last_named_) return;
    entries_.push_back(
        {{"names", Json::array({last->call->name})}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", format::eperm}});
  }

  void too_large(const Group& group) {
    std::string names;
    std::optional<std::size_t> rule;
    for (const CallDecision* c : group.calls) {
      names += fmt::format("{}`{}`", names.empty() ? "" : ", ", c->call->name);
      for (const std::size_t r : c->rules)
        if (!rule || policy_.rules[r].effect != model::Effect::Allow) rule = r;
    }
    if (!names.empty())
      out_.problems.push_back({fmt::format("the conditions on {} need more than {} entries in an OCI profile, which "
                                           "can only compare bits for equality",
                                           names, cube_limit),
                               rule, "compare with `==` or with masks instead of ranges"});
    else
      out_.problems.push_back(
          {fmt::format(
               "the OCI profile's conditions need up to {} instructions, more than the {} that the kernel takes", cost_,
               format::max_instructions),
           std::nullopt, "compare with `==` or with masks instead of ranges"});
  }

  static constexpr std::size_t cube_limit = 2000;

  const Decisions& in_;
  const model::Policy& policy_;
  const model::Target& target_;
  Emitted& out_;
  Json entries_ = Json::array();
  std::map<std::size_t, std::set<std::size_t>> places_;
  std::set<std::vector<std::uint32_t>> paths_;  ///< of the group at hand
  std::size_t cost_ = 16;                       // architecture, x32, runc's own prefix, returns
  std::uint32_t last_named_ = 0;
};

}  // namespace

void emit_profile(const Decisions& decisions, const model::Policy& policy, const model::Target& target, Emitted& out) {
  Writer(decisions, policy, target, out).run();
}

}  // namespace agp::backends::seccomp
