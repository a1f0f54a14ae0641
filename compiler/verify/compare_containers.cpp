#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "compiler/verify/compare.hpp"

// Two containers' configurations: settings are compared as values, mounts at every mount point of either. What has an
// order by how much it permits (a capability, a writable mount, a bound) is compared in that order; anything else that
// differs is a difference in both directions.
namespace agp::verify {
namespace {

using model::Container;
using model::ContainerMount;

class ContainerComparison {
 public:
  ContainerComparison(const Container& first, const Container& second)
      : a_(first), b_(second), first_mounts_(first.mounts), second_mounts_(second.mounts) {}

  std::vector<Comparison> run() {
    section("mounts");
    for (const auto* c : {&a_, &b_})
      for (const ContainerMount& m : c->mounts) mount(m.target);
    if (a_.empty_root != b_.empty_root)
      ordered("what the root shows beside mounts", b_.empty_root, a_.empty_root, root(a_), root(b_),
              a_.by_pointer ? "/root" : "its options");
    section("process");
    value("the command", fmt::format("{}", a_.command), fmt::format("{}", b_.command), "/process/args");
    value("the working directory", a_.workdir, b_.workdir, "/process/cwd");
    value("the user", user(a_), user(b_), "/process/user");
    environment();
    if (a_.no_new_privileges != b_.no_new_privileges)
      ordered("privileges of a setuid program", b_.no_new_privileges, a_.no_new_privileges,
              a_.no_new_privileges ? "not given" : "given", b_.no_new_privileges ? "not given" : "given",
              "/process/noNewPrivileges");
    capabilities();
    bounds();
    section("linux");
    namespaces();
    value("the file mode creation mask", a_.umask ? fmt::format("{:04o}", *a_.umask) : "the runtime's",
          b_.umask ? fmt::format("{:04o}", *b_.umask) : "the runtime's", "/process/user/umask");
    value("the control group", a_.cgroup, b_.cgroup, "/linux/cgroupsPath");
    value("the host name", a_.hostname, b_.hostname, "/hostname");
    value("sysctls", fmt::format("{}", a_.sysctls), fmt::format("{}", b_.sysctls), "/linux/sysctl");
    devices();
    known_as();
    close();
    return std::move(out_);
  }

 private:
  void section(std::string name) {
    close();
    name_ = std::move(name);
  }
  void close() {
    if (name_.empty()) return;
    const auto state = [&](Relation relation, std::optional<Difference>& refuted, const char* from, const char* to) {
      solver::Verdict<Difference> verdict = solver::Proved{"evaluation"};
      if (refuted) verdict = solver::Refuted<Difference>{std::move(*refuted)};
      out_.push_back({a_.layer + "/" + name_, "", relation,
                      fmt::format("what the {} permits, the {} permits", from, to), std::move(verdict)});
      refuted.reset();
    };
    state(Relation::Within, within_, "first", "second");
    state(Relation::Covers, covers_, "second", "first");
    name_.clear();
  }
  void differ(bool first_permits, std::string what, std::string first, std::string second, const std::string& at,
              const std::string& second_at = "") {
    auto& slot = first_permits ? within_ : covers_;
    if (slot) return;
    slot = Difference{std::move(what), std::move(first), place(at), std::move(second),
                      place(second_at.empty() ? at : second_at)};
  }
  /// Settings are named by their JSON pointers in a config.json; in another format by what they are. A mount has a
  /// place of its own.
  std::string place(const std::string& at) const { return a_.by_pointer || name_ == "mounts" ? at : "its options"; }
  /// Without an order: neither is within the other.
  void value(const std::string& what, const std::string& first, const std::string& second, const std::string& at,
             const std::string& second_at = "") {
    if (first == second) return;
    for (const bool first_permits : {true, false}) differ(first_permits, what, first, second, at, second_at);
  }
  void ordered(const std::string& what, bool first_more, bool second_more, const std::string& first,
               const std::string& second, const std::string& at, const std::string& second_at = "") {
    if (first_more) differ(true, what, first, second, at, second_at);
    if (second_more) differ(false, what, first, second, at, second_at);
  }
  template <class Set>
  void members(const std::string& what, const Set& first, const Set& second, const std::string& at) {
    for (const auto& one : first)
      if (!second.contains(one)) differ(true, fmt::format("{} {}", what, one), "permitted", "refused", at);
    for (const auto& one : second)
      if (!first.contains(one)) differ(false, fmt::format("{} {}", what, one), "refused", "permitted", at);
  }

  /// `*` stands for every device.
  void devices() {
    const std::string what = "open the device", at = "/linux/resources/devices";
    const bool first_all = a_.devices.contains("*"), second_all = b_.devices.contains("*");
    if (first_all != second_all)
      return ordered(what + " *", first_all, second_all, first_all ? "permitted" : "refused",
                     second_all ? "permitted" : "refused", at);
    if (!first_all) members(what, a_.devices, b_.devices, at);
  }

  void known_as() {
    std::set<std::string> keys;
    for (const auto* c : {&a_, &b_})
      for (const auto& [key, is] : c->seen_as) keys.insert(key);
    const auto text = [](const Container& c, const std::string& key) {
      const auto at = c.seen_as.find(key);
      return at == c.seen_as.end() ? "none" : "\"" + at->second + "\"";
    };
    for (const std::string& key : keys) value(fmt::format("the {}", key), text(a_, key), text(b_, key), "/metadata");
  }

  static std::string root(const Container& c) { return c.empty_root ? "nothing, read-only" : "a file tree"; }
  static std::string user(const Container& c) {
    return fmt::format("{}:{} with groups {}", c.uid, c.gid, fmt::join(c.groups, ", "));
  }

  static std::string shown(const Container& c, const ContainerMount* m, const std::string& path) {
    if (!m) return c.empty_root ? "nothing" : "what the root has there";
    using Content = ContainerMount::Content;
    const std::string below = path.size() > m->target.size() && m->target != "/" ? path.substr(m->target.size()) : "";
    switch (m->content) {
      case Content::Host:
        return fmt::format("\"{}{}\" of the host", m->source, below);
      case Content::Device:
        return fmt::format("the device \"{}\"", m->source);
      case Content::Tmpfs: {
        std::string out = "a tmpfs";
        if (m->size) out += fmt::format(" of {} bytes", *m->size);
        if (m->uid || m->gid) out += fmt::format(" of {}:{}", m->uid.value_or(0), m->gid.value_or(0));
        if (m->mode) out += fmt::format(", mode {:o}", *m->mode);
        return out;
      }
      case Content::Processes:
        return m->only_own_processes ? "proc, processes only" : "proc";
      case Content::Nothing:
        return "nothing";
      case Content::EmptyFile:
        return "an empty file";
      case Content::EmptyTree:
        return "directories of mount points";
      case Content::Resolver:
        return "the resolver's resolv.conf";
      case Content::Starter:
        return "a file of the one that starts the command";
    }
    return "nothing";
  }

  void mount(const std::string& path) {
    const ContainerMount *a = first_mounts_.at(path), *b = second_mounts_.at(path);
    const std::string first = shown(a_, a, path), second = shown(b_, b, path);
    const std::string first_at = a ? a->place : "no mount", second_at = b ? b->place : "no mount";
    const std::string what = fmt::format("what stands at \"{}\"", path);
    if (first != second) {
      if (first != "nothing" && second != "nothing") return value(what, first, second, first_at, second_at);
      return differ(second == "nothing", what, first, second, first_at, second_at);
    }
    if (!a || !b || first == "nothing") return;
    const auto can = [](bool yes) { return yes ? "permitted" : "refused"; };
    ordered(fmt::format("write \"{}\"", path), a->writable && !b->writable, b->writable && !a->writable,
            can(a->writable), can(b->writable), first_at, second_at);
    ordered(fmt::format("exec \"{}\"", path), a->exec && !b->exec, b->exec && !a->exec, can(a->exec), can(b->exec),
            first_at, second_at);
    // Without no_new_privileges a program's set-user-ID bit counts unless the mount says otherwise (mount(2),
    // MS_NOSUID).
    const bool counts = a->exec && b->exec && !a_.no_new_privileges && !b_.no_new_privileges;
    const bool first_gives = counts && a->setuid, second_gives = counts && b->setuid;
    ordered(fmt::format("gain privileges by exec of \"{}\"", path), first_gives && !second_gives,
            second_gives && !first_gives, can(first_gives), can(second_gives), first_at, second_at);
  }

  void environment() {
    const std::set<std::pair<std::string, std::string>> first(a_.environment.begin(), a_.environment.end()),
        second(b_.environment.begin(), b_.environment.end());
    const auto one = [&](const auto& from, const auto& to, bool first_permits) {
      for (const auto& [name, text] : from)
        if (!to.contains({name, text}))
          differ(first_permits, fmt::format("env \"{}\"", name), first_permits ? "set" : "not set so",
                 first_permits ? "not set so" : "set", "/process/env");
    };
    one(first, second, true);
    one(second, first, false);
  }

  void capabilities() {
    constexpr const char* sets[] = {"bounding", "effective", "inheritable", "permitted", "ambient"};
    for (std::size_t i = 0; i < a_.capabilities.size(); ++i)
      members("capability", a_.capabilities[i], b_.capabilities[i], fmt::format("/process/capabilities/{}", sets[i]));
  }

  /// The greater bound permits more; none the most.
  void bound(const std::string& what, std::optional<std::uint64_t> first, std::optional<std::uint64_t> second,
             const std::string& at) {
    const auto text = [](std::optional<std::uint64_t> n) { return n ? std::to_string(*n) : std::string("no bound"); };
    const auto more = [](std::optional<std::uint64_t> x, std::optional<std::uint64_t> y) {
      return y && (!x || *x > *y);
    };
    ordered(what, more(first, second), more(second, first), text(first), text(second), at);
  }
  void bounds() {
    bound("memory", a_.memory_bytes, b_.memory_bytes, "/linux/resources/memory/limit");
    bound("memory and swap", a_.memory_and_swap_bytes, b_.memory_and_swap_bytes, "/linux/resources/memory/swap");
    bound("seconds until it is ended", a_.seconds, b_.seconds, "/spec/activeDeadlineSeconds");
    bound("processes", a_.pids, b_.pids, "/linux/resources/pids/limit");
    __extension__ typedef unsigned __int128 Wide;  // both factors may need 64 bits
    const auto share = [](const auto& x, const auto& y) { return Wide{x->first} * y->second; };
    const auto text = [](const auto& c) {
      return c ? fmt::format("{} of {} microseconds", c->first, c->second) : std::string("no bound");
    };
    const bool first_more = b_.cpu && (!a_.cpu || share(a_.cpu, b_.cpu) > share(b_.cpu, a_.cpu));
    const bool second_more = a_.cpu && (!b_.cpu || share(b_.cpu, a_.cpu) > share(a_.cpu, b_.cpu));
    ordered("processor time", first_more, second_more, text(a_.cpu), text(b_.cpu), "/linux/resources/cpu");
    std::set<std::string> names;
    for (const auto* c : {&a_, &b_})
      for (const auto& [name, at] : c->rlimits) names.insert(name);
    for (const std::string& name : names) {
      const auto part = [&](const Container& c, bool hard) -> std::optional<std::uint64_t> {
        const auto at = c.rlimits.find(name);
        if (at == c.rlimits.end()) return std::nullopt;
        return hard ? at->second.hard : at->second.soft;
      };
      for (const bool hard : {false, true})
        bound(fmt::format("{} {}", hard ? "hard" : "soft", name), part(a_, hard), part(b_, hard), "/process/rlimits");
    }
  }

  /// The host's own permits more than one that is joined, and that than a new one.
  void namespaces() {
    for (const char* type : {"pid", "mount", "ipc", "uts", "network", "cgroup", "user", "time"}) {
      const auto a = a_.namespaces.find(type), b = b_.namespaces.find(type);
      const auto text = [](const auto& at, const auto& end) {
        return at == end ? std::string("the host's") : at->second.empty() ? "a new one" : "\"" + at->second + "\"";
      };
      const std::string first = text(a, a_.namespaces.end()), second = text(b, b_.namespaces.end());
      if (first == second) continue;
      const std::string what = fmt::format("the {} namespace", type), at = "/linux/namespaces";
      if (std::string_view(type) == "user" || (first.front() == '"' && second.front() == '"')) {
        value(what, first, second, at);
        continue;
      }
      const auto rank = [](const std::string& s) { return s == "the host's" ? 2 : s == "a new one" ? 0 : 1; };
      ordered(what, rank(first) > rank(second), rank(second) > rank(first), first, second, at);
    }
  }

  const Container &a_, &b_;
  const model::MountIndex first_mounts_, second_mounts_;
  std::string name_;
  std::optional<Difference> within_, covers_;
  std::vector<Comparison> out_;
};

}  // namespace

std::vector<Comparison> compare_containers(const Container& first, const Container& second) {
  return ContainerComparison(first, second).run();
}

}  // namespace agp::verify
