#include "compiler/verify/container.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>

#include "compiler/plan/stack.hpp"

// Comes in: a policy and what a runtime makes of a configuration. Goes out: for each section of it and each direction
// one obligation. The values expected here are written from LANGUAGE.md and the OCI specification, not from `emit`.
namespace agp::verify {
namespace {

using model::Container;
using model::Decision;

/// Whom the agent is when the policy names nobody: the overflow ids, which own nothing (LANGUAGE.md, run).
constexpr std::uint32_t nobody = 65534;

/// What a new network namespace has, unless its maker says otherwise: no group may open a ping socket
/// (Documentation/networking/ip-sysctl.rst). It takes a way out and opens none.
constexpr std::pair<std::string_view, std::string_view> no_ping_sockets{"net.ipv4.ping_group_range", "1 0"};

class ContainerCheck {
 public:
  ContainerCheck(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                 const Container& container)
      : policy_(policy), target_(target), plan_(plan), container_(container) {}

  std::vector<Obligation> run() {
    section("/process/capabilities", "no capability beyond the policy's", "every capability that the policy permits");
    capabilities();
    section("/process/env", "no variable beyond the policy's", "every variable that the policy sets");
    environment();
    section("/process", "nothing but the policy's command starts, as its user", "the policy's command starts");
    process();
    section("/linux/resources", "no bound above the policy's", "no bound below the policy's");
    limits();
    section("/linux/namespaces", "nothing of the host's is shared", "");
    isolation();
    close();
    return std::move(out_);
  }

 private:
  void section(const char* pointer, const char* no_excess, const char* no_loss) {
    close();
    excess_ = loss_ = std::nullopt;
    pointer_ = pointer;
    no_excess_ = no_excess;
    no_loss_ = no_loss;
  }
  void close() {
    if (pointer_.empty()) return;
    const auto state = [&](Direction direction, const std::string& statement, std::optional<Witness>& witness) {
      if (statement.empty()) return;
      Verdict verdict = solver::Proved{"evaluation"};
      if (witness) verdict = solver::Refuted<Witness>{std::move(*witness)};
      out_.push_back({where(), container_.layer, "", direction, statement, std::move(verdict),
                      pointer_.starts_with("/mounts") ? "file access" : "setting"});
    };
    state(Direction::Excess, no_excess_, excess_);
    state(Direction::Loss, no_loss_, loss_);
    pointer_.clear();
  }

  /// The section, as a JSON pointer where the artifact is JSON.
  std::string where(const std::string& at = "") const {
    if (container_.by_pointer) return container_.artifact + "#" + pointer_ + at;
    return fmt::format("{} ({})", container_.artifact, pointer_.substr(pointer_.rfind('/') + 1));
  }

  void differs(std::optional<Witness>& slot, std::string action, std::string observed, const std::string& at = "",
               model::Verdict decided = {}) {
    if (slot) return;
    Witness w;
    w.action = std::move(action);
    w.decision = decided.decision;
    w.rules = std::move(decided.rules);
    w.place = where(at);
    w.observed = std::move(observed);
    slot = std::move(w);
  }
  /// A difference from the one value that the policy permits: more than that, and without what it asks for.
  void other_value(const std::string& what, const std::string& observed, const std::string& at) {
    model::Verdict asked;
    differs(excess_, what, observed, at, asked);
    asked.decision = Decision::Allow;
    differs(loss_, what, observed, at, asked);
  }

  bool accepted(const std::string& fact) const {
    return std::any_of(plan_.rows.begin(), plan_.rows.end(),
                       [&](const plan::Row& r) { return r.accept && r.fact.text == fact; });
  }

  bool derived(const std::string& grant) const {
    return std::any_of(plan_.derived.begin(), plan_.derived.end(), [&](const auto& d) { return d.grant == grant; });
  }

  void capabilities() {
    constexpr const char* names[] = {"/bounding", "/effective", "/inheritable", "/permitted", "/ambient"};
    for (std::size_t i = 0; i < container_.capabilities.size(); ++i)
      for (const std::string& name : container_.capabilities[i]) {
        const model::Action action = model::CapabilityAction{name};
        auto decided = model::decide(policy_, action);
        if (decided.decision != Decision::Allow)
          differs(excess_, model::to_string(action), "given", names[i], std::move(decided));
      }
    for (const model::Rule& rule : policy_.rules) {
      const auto* body = std::get_if<model::CapabilityBody>(&rule.body);
      if (!body || rule.expired || rule.effect != model::Effect::Allow) continue;
      for (const auto& name : body->names) {
        const model::Action action = model::CapabilityAction{name.pattern};
        auto decided = model::decide(policy_, action);
        if (decided.decision != Decision::Allow || accepted(name.text)) continue;
        // Without the ambient set a user other than root loses a capability at execve (capabilities(7)).
        for (std::size_t i = 0; i < container_.capabilities.size(); ++i)
          if (!container_.capabilities[i].contains(name.pattern))
            differs(loss_, model::to_string(action), "not given", names[i], decided);
      }
    }
  }

  void environment() {
    std::size_t index = 0;
    for (const auto& [name, value] : container_.environment) {
      const std::string at = fmt::format("/{}", index++);
      const model::Action action = model::EnvAction{name};
      const auto set = policy_.env_set.find(name);
      if (set != policy_.env_set.end()) {
        if (set->second != value) other_value(model::to_string(action), "set to another value", at);
        continue;
      }
      auto decided = model::decide(policy_, action);
      // What a runtime sets has a value of the runtime's own, which no artifact states: a stated one is the artifact's.
      if (decided.decision != Decision::Allow && !(value.empty() && derived(fmt::format("env \"{}\"", name))))
        differs(excess_, model::to_string(action), "set", at, std::move(decided));
    }
    for (const auto& set : policy_.env_set) {
      const auto& have = container_.environment;
      // Of two entries with one name the C library sees the first and a shell the last.
      const auto times = std::count_if(have.begin(), have.end(), [&](const auto& e) { return e.first == set.first; });
      if (times != 1)
        differs(loss_, model::to_string(model::Action{model::EnvAction{set.first}}),
                times == 0 ? "not set" : "set more than once", "", {Decision::Allow, {}, ""});
    }
  }

  /// The policy's command, or in the stack `oci+landlock` the launcher with its rules, the policy's capabilities and,
  /// behind `--`, that command.
  bool starts_command() const {
    std::span<const std::string> words = container_.command;
    if (target_.stack == "oci+landlock") {
      const std::array<std::string_view, 5> first{plan::launcher_point, "--ruleset", plan::ruleset_point, "--pass-env",
                                                  "*"};
      if (words.size() < first.size() || !std::equal(first.begin(), first.end(), words.begin())) return false;
      words = words.subspan(first.size());
      while (words.size() > 1 && words[0] == "--capability") {
        const model::Action kept = model::CapabilityAction{words[1]};
        if (model::decide(policy_, kept).decision != Decision::Allow) return false;
        words = words.subspan(2);
      }
      if (words.empty() || words[0] != "--") return false;
      words = words.subspan(1);
    }
    return std::equal(words.begin(), words.end(), policy_.run.command.begin(), policy_.run.command.end());
  }

  /// In the stack `oci+landlock`: what stands where the command line names the launcher and its rules.
  void launcher() {
    if (target_.stack != "oci+landlock") return;
    for (const std::string_view point : {plan::launcher_point, plan::ruleset_point}) {
      const model::ContainerMount* m = model::mount_at(container_, point);
      const std::string_view name = point.substr(point.rfind('/') + 1);
      if (m && m->target == point && m->content == model::ContainerMount::Content::Starter && m->source == name)
        continue;
      const std::string other = m ? m->source.empty() ? "another mount" : m->source : "nothing";
      other_value(fmt::format("the stack's own `{}` at \"{}\"", name, point), other, m ? " (" + m->place + ")" : "");
    }
  }

  void process() {
    launcher();
    if (!starts_command())
      other_value(fmt::format("run command \"{}\"", fmt::join(policy_.run.command, "\", \"")),
                  fmt::format("\"{}\"", fmt::join(container_.command, "\", \"")), "/args");
    if (container_.workdir != policy_.run.workdir.value_or("/"))
      other_value(fmt::format("run workdir \"{}\"", policy_.run.workdir.value_or("/")), container_.workdir, "/cwd");
    const std::uint32_t uid = policy_.run.user ? policy_.run.user->uid : nobody;
    const std::uint32_t gid = policy_.run.user ? policy_.run.user->gid : nobody;
    if (container_.uid != uid || container_.gid != gid || !container_.groups.empty())
      other_value(fmt::format("run user {}:{}", uid, gid),
                  container_.groups.empty() ? fmt::format("{}:{}", container_.uid, container_.gid)
                                            : fmt::format("{}:{} with groups {}", container_.uid, container_.gid,
                                                          fmt::join(container_.groups, ", ")),
                  "/user");
    // The root is of the image, and no mount says who may write in it.
    if (!container_.empty_root)
      differs(excess_, model::to_string(model::Action{model::FileAction{model::Verb::Create, "/x"}}), "permitted",
              "/root");
    if (!container_.no_new_privileges) differs(excess_, "privileges of a setuid program", "given", "/noNewPrivileges");
    pod_name();
  }

  /// A pod's name is that of its filter on the node: the stack puts there the one that bears the policy's.
  void pod_name() {
    const auto name = container_.seen_as.find("name");
    if (name != container_.seen_as.end() && name->second != policy_.name)
      differs(excess_, fmt::format("run as the pod \"{}\"", name->second), "with the filter of that name");
  }

  void bound(const char* name, std::optional<std::uint64_t> written, std::optional<std::uint64_t> observed,
             const char* at) {
    if (accepted(fmt::format("limit {}", name))) return;
    const auto text = [](std::optional<std::uint64_t> n) { return n ? std::to_string(*n) : std::string("no bound"); };
    const std::string what = fmt::format("limit {} {}", name, text(written));
    if (written && (!observed || *observed > *written)) differs(excess_, what, text(observed), at);
    if (observed && (!written || *observed < *written))
      differs(loss_, what, text(observed), at, {Decision::Allow, {}, ""});
  }

  void limits() {
    const auto value = [](const auto& b) { return b ? std::optional<std::uint64_t>(b->value) : std::nullopt; };
    const model::Limits& l = policy_.limits;
    bound("memory", value(l.memory_bytes), container_.memory_bytes, "/memory/limit");
    bound("memory", value(l.memory_bytes), container_.memory_and_swap_bytes, "/memory/swap");
    bound("pids", value(l.pids), container_.pids, "/pids/limit");
    if (container_.holds_time) deadline();
    cpu();
    for (const auto& [name, b] : container_.rlimits) {
      if (name == "RLIMIT_CORE") continue;  // a file that nobody reads; no action of a policy needs one
      if (name != "RLIMIT_NOFILE" || !l.files)
        differs(loss_, fmt::format("no bound on {}", name), fmt::format("{}", b.soft), " (/process/rlimits)",
                {Decision::Allow, {}, ""});
    }
    const auto files = container_.rlimits.find("RLIMIT_NOFILE");
    const bool bounded = files != container_.rlimits.end();
    bound("files", value(l.files), bounded ? std::optional(files->second.hard) : std::nullopt, " (/process/rlimits)");
    bound("files", value(l.files), bounded ? std::optional(files->second.soft) : std::nullopt, " (/process/rlimits)");
  }

  /// Where the runtime itself holds the time, and not the stack's command.
  void deadline() {
    const auto& written = policy_.limits.time_ms;
    const auto& given = container_.seconds;
    const auto ms = [](std::uint64_t seconds) { return seconds > UINT64_MAX / 1000 ? UINT64_MAX : seconds * 1000; };
    bound("time", written ? std::optional(written->value) : std::nullopt,
          given ? std::optional(ms(*given)) : std::nullopt, "/activeDeadlineSeconds");
  }

  /// Thousandths of a core against quota / period, without rounding.
  void cpu() {
    const auto& written = policy_.limits.cpu_milli;
    if (accepted("limit cpu") || (!written && !container_.cpu)) return;
    const std::string what = written ? fmt::format("limit cpu {}m", written->value) : "limit cpu no bound";
    if (!container_.cpu) return differs(excess_, what, "no bound", "/cpu");
    const auto [quota, period] = *container_.cpu;
    __extension__ typedef unsigned __int128 Wide;  // both factors may need 64 bits
    const Wide given = Wide{quota} * 1000, asked = written ? Wide{written->value} * period : Wide{0};
    const std::string observed = fmt::format("{} of {} microseconds", quota, period);
    if (written && given > asked) differs(excess_, what, observed, "/cpu");
    if (!written || given < asked) differs(loss_, what, observed, "/cpu", {Decision::Allow, {}, ""});
  }

  /// The namespace that the stack has made, by its path; a new one where the runtime makes it, and a layer of its own
  /// says what passes there.
  std::string network() const { return model::makes_network(target_.stack) ? "/run/netns/agp-" + policy_.name : ""; }

  void isolation() {
    for (const char* type : {"pid", "mount", "ipc", "uts", "network", "cgroup"}) {
      const auto at = container_.namespaces.find(type);
      if (at == container_.namespaces.end())
        differs(excess_, fmt::format("the host's {} namespace", type), "shared");
      else if (!at->second.empty() && std::string_view(type) != "network")
        differs(excess_, fmt::format("the {} namespace \"{}\"", type, at->second), "joined");
      else if (std::string_view(type) == "network" && at->second != network())
        // A new, empty one would hold no packet rules and reach nothing; another one holds somebody else's.
        differs(excess_, fmt::format("the network namespace \"{}\"", at->second), "joined");
    }
    for (const auto& [key, value] : container_.sysctls)
      if (std::pair<std::string_view, std::string_view>(key, value) != no_ping_sockets)
        differs(excess_, fmt::format("sysctl {} = {}", key, value), "set", " (/linux/sysctl)");
    if (container_.devices.contains("*") && container_.capabilities[Container::Bounding].contains("CAP_MKNOD"))
      differs(excess_, "every device of the host", "can be made and opened", " (/linux/resources/devices)");
  }

  const model::Policy& policy_;
  const model::Target& target_;
  const plan::Plan& plan_;
  const Container& container_;
  std::string pointer_, no_excess_, no_loss_;
  std::optional<Witness> excess_, loss_;
  std::vector<Obligation> out_;
};

}  // namespace

std::vector<Obligation> verify_container(const model::Policy& policy, const model::Target& target,
                                         const plan::Plan& plan, const model::Container& container) {
  return ContainerCheck(policy, target, plan, container).run();
}

}  // namespace agp::verify
