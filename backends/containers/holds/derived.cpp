#include <fmt/format.h>

#include <set>

#include "backends/containers/holds/context.hpp"

// What stays permitted because runc or the layer itself needs it. Found by trying each on runc 1.1.5: without /proc the
// start fails (open /proc/self/fd), without /dev/null too (stat /dev/null), and HOME is set from the root's user.
namespace agp::backends::containers {
namespace {

using model::Verb;

class Collector {
 public:
  explicit Collector(const Context& c)
      : c_(c), layer_(c.runtime.layer), runc_(c.runtime.program), connects_(may_call(c.policy, "connect")) {
    for (const model::Rule& rule : c.policy.rules)
      if (std::holds_alternative<model::UnixBody>(rule.body)) sockets_.rules.push_back(rule);
  }

  std::vector<DerivedGrant> run() {
    scaffold();
    for (const TreeMount& m : c_.tree.mounts) mount(m);
    processes();
    if (!c_.policy.env_set.contains("HOME")) add("env \"HOME\"", runc_, "set to the user's home directory, or `/`");
    return std::move(out_);
  }

 private:
  void add(std::string grant, std::string layer, std::string reason) {
    if (seen_.insert(grant).second) out_.push_back({std::move(grant), std::move(layer), std::move(reason)});
  }
  void file(Verb verb, const std::string& path, std::string layer, std::string reason) {
    const model::FileAction action{verb, path};
    if (c_.comparison.decide(action) != model::Decision::Allow)
      add(action_text(action), std::move(layer), std::move(reason));
  }

  void processes() {
    if (c_.runtime.whole_proc) {
      std::string grant = "read, list, modify \"/proc/**\"";
      for (std::size_t i = 0; i < c_.runtime.covered.size(); ++i)
        grant += fmt::format("{}\"{}\", \"{}/**\"", i == 0 ? " except " : ", ", c_.runtime.covered[i],
                             c_.runtime.covered[i]);
      return add(std::move(grant), runc_,
                 "the runtime mounts /proc as the kernel shows it: processes, which name host paths, and the machine");
    }
    file(Verb::List, "/proc", runc_, "runc needs /proc; it is read-only and shows the container's own processes");
    file(Verb::Read, "/proc/self/mountinfo", runc_,
         "and what else /proc holds of them: their memory, environment and mounts, which name host paths");
  }

  void scaffold() {
    std::set<std::string> directories;
    for (const TreeMount& m : c_.tree.mounts)
      for (std::string d = m.target; d != "/";) {
        d = model::parent_path(d);
        if (governing(c_.tree, d) == Cause::none) directories.insert(d);
      }
    for (const std::string& d : directories) file(Verb::List, d, layer_, "it leads to a mount");
  }

  void mount(const TreeMount& m) {
    if (m.needed && m.target != "/proc") {
      const bool resolver = m.target == "/etc/resolv.conf";
      const std::string layer = resolver ? "dns" : m.target == "/dev" ? layer_ : runc_;
      const std::string reason = resolver             ? "it names the generated resolver"
                                 : m.target == "/dev" ? "it leads to a mount"
                                                      : "runc opens it before it starts the command";
      file(m.directory ? Verb::List : Verb::Read, m.target, layer, reason);
      if (m.target == "/dev/null") file(Verb::Modify, m.target, layer, reason);
      return;
    }
    if (m.masked || !m.directory) return;
    if (m.writable) file(Verb::Modify, m.target, layer_, "the agent owns the directory that it may write in");
    if (m.pinned && m.size)
      add(fmt::format("limit of {} bytes on {} for itself", *m.size, quoted(m.target)), layer_,
          "a directory that can't be renamed is a file system of its own, with the same bound");
    if (m.from == TreeMount::From::Bind && connects_) socket(m);
  }

  /// A socket of the host's that lies in a mounted directory can be connected to, read-only or not.
  void socket(const TreeMount& m) {
    const std::string sample = m.target + "/x";
    if (model::decide(sockets_, model::UnixAction{model::Direction::Connect, sample}).decision ==
        model::Decision::Allow)
      return;
    add("connect unix " + quoted(m.target + "/**"), layer_,
        "a mount does not stop connecting to a socket that a host process listens on there");
  }

  const Context& c_;
  std::string layer_, runc_;
  bool connects_;
  model::Policy sockets_;  ///< the rules about unix sockets alone
  std::set<std::string> seen_;
  std::vector<DerivedGrant> out_;
};

}  // namespace

std::vector<DerivedGrant> derived_grants(const Context& c) { return Collector(c).run(); }

}  // namespace agp::backends::containers
