#include "backends/landlock/emit/emit.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "backends/landlock/format.hpp"
#include "backends/landlock/rules/calls.hpp"
#include "backends/landlock/rules/ruleset.hpp"
#include "compiler/linux/landlock.hpp"

// In: a policy. Out: the JSON of landlockconfig: every right that the ABI has is handled, so that what no rule names is
// refused. A directory is written with a final slash: opening it fails where a file stands in its place, and the
// launcher takes a path without one for a file.
namespace agp::backends::landlock {
namespace {

using Json = nlohmann::ordered_json;
namespace ll = linux::landlock;
using model::Verb;

Json names(ll::Sort sort, std::uint64_t bits) {
  Json out = Json::array();
  for (const ll::Right& r : ll::rights())
    if (r.sort == sort && (bits & r.bit) != 0) out.push_back(r.name);
  return out;
}

std::string written(const Hierarchy& h) {
  std::string out;
  for (const char c : h.path) {
    if (c == '$')
      out += format::dollar;
    else
      out += c;
  }
  if (h.directory && h.path != "/") out += '/';
  return out;
}

/// JSON can carry UTF-8 alone, and a path can't hold a zero byte.
bool can_be_written(const std::string& path) {
  return Json(path).dump(-1, ' ', false, Json::error_handler_t::replace) ==
             Json(path).dump(-1, ' ', false, Json::error_handler_t::ignore) &&
         path.find('\0') == std::string::npos;
}

class Writer {
 public:
  Writer(const model::Policy& policy, const Ruleset& ruleset) : policy_(policy), ruleset_(ruleset) {}

  Emitted run() {
    Json handled = Json::object();
    handled[format::handled_fs] = names(ll::Sort::Fs, ruleset_.handled_fs);
    if (ruleset_.handled_net != 0) handled[format::handled_net] = names(ll::Sort::Net, ruleset_.handled_net);
    if (ruleset_.scoped != 0) handled[format::scoped] = names(ll::Sort::Scope, ruleset_.scoped);
    json_[format::abi] = ruleset_.abi;
    json_[format::ruleset] = Json::array({std::move(handled)});
    paths();
    ports();
    map_others();
    if (out_.problems.empty()) out_.artifacts.push_back({std::string(format::artifact), json_.dump(2) + "\n"});
    return std::move(out_);
  }

 private:
  void map(std::size_t rule, std::string place) {
    mapped_.insert(mapped_.end(), rule);
    out_.map.push_back({policy_.rules[rule].id, std::string(format::artifact), std::move(place)});
  }

  /// One entry for each combination of rights, most rights last.
  void paths() {
    std::map<std::uint64_t, std::vector<const Hierarchy*>> groups;
    for (const Hierarchy& h : ruleset_.hierarchies) {
      if (!can_be_written(h.path)) {
        out_.problems.push_back({fmt::format("the path of a rule is not UTF-8 text, which JSON can't carry"),
                                 h.causes.empty() ? std::nullopt : std::optional(h.causes[0].rule), ""});
        continue;
      }
      groups[h.rights].push_back(&h);
    }
    Json list = Json::array();
    for (const auto& [rights, hierarchies] : groups) {
      Json parents = Json::array();
      for (const Hierarchy* h : hierarchies) {
        const std::string place =
            fmt::format("/{}/{}/{}/{}", format::path_beneath, list.size(), format::parent, parents.size());
        std::size_t last = policy_.rules.size();
        for (const Cause& c : h->causes)
          if (c.rule != last) map(last = c.rule, place);
        parents.push_back(written(*h));
      }
      list.push_back({{format::allowed, names(ll::Sort::Fs, rights)}, {format::parent, std::move(parents)}});
    }
    if (!list.empty()) json_[format::path_beneath] = std::move(list);
  }

  void ports() {
    Json list = Json::array();
    const auto add = [&](std::uint64_t right, const model::PortSet& ports) {
      if ((ruleset_.handled_net & right) == 0 || ports.empty()) return;
      Json numbers = Json::array();
      for (const auto& r : ports.ranges())
        for (unsigned p = r.first; p <= r.last; ++p) numbers.push_back(p);
      list.push_back({{format::allowed, names(ll::Sort::Net, right)}, {format::port, std::move(numbers)}});
    };
    add(ll::net_connect_tcp, ruleset_.connect_tcp);
    add(ll::net_bind_tcp, ruleset_.bind_tcp);
    add(ll::net_connect_send_udp, ruleset_.connect_udp);
    add(ll::net_bind_udp, ruleset_.bind_udp);
    if (!list.empty()) json_[format::net_port] = std::move(list);
  }

  /// A refusal is held by what no entry names; a rule on ports by the entries of its direction.
  void map_others() {
    for (std::size_t i = 0; i < policy_.rules.size(); ++i) {
      const model::Rule& rule = policy_.rules[i];
      if (rule.expired || std::find(mapped_.begin(), mapped_.end(), i) != mapped_.end()) continue;
      if (std::holds_alternative<model::FileBody>(rule.body)) map(i, fmt::format("/{}", format::path_beneath));
      if (std::holds_alternative<model::NetBody>(rule.body) && json_.contains(format::net_port))
        map(i, fmt::format("/{}", format::net_port));
    }
  }

  const model::Policy& policy_;
  const Ruleset& ruleset_;
  Json json_ = Json::object();
  Emitted out_;
  std::vector<std::size_t> mapped_;
};

/// What stops the launcher from starting the command, whatever the host is like.
std::vector<Problem> unstartable(const model::Policy& policy, const model::Target& target) {
  std::vector<Problem> out;
  const auto add = [&](std::string message, std::string help) {
    out.push_back({std::move(message), std::nullopt, std::move(help)});
  };
  if (!may_call(policy, "execve"))
    add("the launcher starts the command by `execve`, which the policy does not permit", "syscall { allow execve }");
  if (policy.run.command.empty()) {
    add("the launcher needs a command to start", "run { command \"/usr/bin/python3.11\", \"-I\", \"/task/main.py\" }");
    return out;
  }
  for (const Verb verb : {Verb::Read, Verb::Exec})
    if (model::decide(policy, model::FileAction{verb, policy.run.command[0]}).decision != model::Decision::Allow) {
      add(fmt::format("the launcher executes `{}` under the rules, which do not permit it", policy.run.command[0]),
          fmt::format("file {{ allow read, exec \"{}\" }}", policy.run.command[0]));
      break;
    }
  if (target.stack != "launcher") return out;
  if (policy.run.rootfs != "/")
    add("the agent runs in the host's own file system: `rootfs` has no meaning here", "isolation container");
  std::vector<std::string> words = policy.run.command;
  for (const auto& [name, value] : policy.env_set) words.push_back(name + "=" + value);
  if (policy.run.workdir) words.push_back(*policy.run.workdir);
  if (policy.run.cgroup) words.push_back(*policy.run.cgroup);
  for (const std::string& word : words)
    for (const char* own : {"{dir}", "{run}", "{id}", "{launcher}"})
      if (word.find(own) != std::string::npos)
        add(fmt::format("`{}` contains `{}`, a word that the stack's commands fill in", word, own), "");
  return out;
}

}  // namespace

Emitted emit(const model::Policy& policy, const model::Target& target) {
  const Ruleset ruleset = make_ruleset(policy, target);
  Emitted out;
  out.problems = unstartable(policy, target);
  if (!out.problems.empty()) return out;
  return Writer(policy, ruleset).run();
}

}  // namespace agp::backends::landlock
