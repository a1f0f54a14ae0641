// Conflicts across blocks. Each check asks what an action needs of another block (compiler/linux/footprints) and
// whether anything that would do is permitted there.
#include "compiler/analysis/blocks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/analysis/cover.hpp"
#include "compiler/analysis/units.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/tree_kinds.hpp"
#include "compiler/linux/capability_calls.hpp"
#include "compiler/linux/footprints.hpp"
#include "compiler/linux/loader_needs.hpp"

namespace agp::analysis {

using namespace model;
namespace kind = diagnostics::kind;

namespace {

constexpr std::uint64_t af_inet = 2;  // include/linux/socket.h

bool grants(const Rule& rule) { return rule.effect != Effect::Deny && !rule.expired; }

/// A call and the values of its arguments that would serve, or any.
struct Need {
  std::string call;
  std::vector<std::vector<std::uint64_t>> arguments;  ///< alternatives; empty: whatever they are
};

class Blocks {
 public:
  Blocks(const Policy& policy, const Space& space, const Target& target, diagnostics::Sink& sink, SpaceLimits limits)
      : policy_(policy), space_(space), target_(target), sink_(sink), limits_(limits) {
    for (const Rule& rule : policy.rules)
      if (std::holds_alternative<SyscallBody>(rule.body) && !written_ && !rule.implied && rule.module.empty())
        written_ = &rule;
    for (std::size_t c = 0; c < space.size(); ++c) {
      if (space.sort(c) != Sort::Syscall) continue;
      bool deny = false, grant = false;
      space.each_rule(c, [&](std::uint32_t r, bool matches) {
        if (matches) (space.rule(r).effect == Effect::Deny ? deny : grant) = true;
      });
      if (grant && !deny) permitted_.insert(std::get<SyscallAction>(space.witness(c)).name);
    }
  }

  bool run() {
    mounts();
    tmpfs();
    command();
    for (const auto& [sort, why] : space_.undecided()) {
      if (sort != Sort::Syscall) continue;
      sink_
          .emit(kind::undecided_check, policy_.name_span,
                fmt::format("whether the system calls of `{}` serve its other rules is not decided: {}", policy_.name,
                            why))
          .about(policy_.name);
      return false;
    }
    sockets();
    exec();
    capabilities();
    loader();
    return true;
  }

 private:
  bool serves(const Need& need) const {
    if (need.arguments.empty()) return permitted_.contains(need.call);
    if (!permitted_.contains(need.call)) return false;
    return std::any_of(need.arguments.begin(), need.arguments.end(), [&](const auto& values) {
      SyscallAction action;
      action.name = need.call;
      std::copy(values.begin(), values.end(), action.args.begin());
      return decide(policy_, action).decision != Decision::Deny;
    });
  }
  /// Why no call of a need is permitted: the denies that match, or that no rule allows it.
  void blame(diagnostics::Diagnostic& d, const Need& need) const {
    SyscallAction action;
    action.name = need.call;
    if (!need.arguments.empty()) std::copy(need.arguments[0].begin(), need.arguments[0].end(), action.args.begin());
    const Verdict verdict = decide(policy_, action);
    d.witnessed(to_string(Action(action)));
    if (verdict.decision == Decision::Deny && !verdict.rules.empty()) {
      const Rule& rule = policy_.rules[verdict.rules.front()];
      d.relate(rule.span, "refused here");
      for (const auto& include : rule.included_by) d.relate(include, "brought by this `include`");
      return;
    }
    if (written_)
      d.relate(written_->span, fmt::format("the system calls are listed here, and `{}` is not among them", need.call));
    d.helped(fmt::format("add `allow {}` to the `syscall` block", need.call == "socket" ? "@default" : need.call));
  }

  /// A call of a realisation, with every choice of the arguments that it names. `four`: IPv4 is wanted, which a socket
  /// for IPv6 reaches too, by mapped addresses; else only that one will do.
  static Need need_of(const linux::CallFact& fact, bool four) {
    Need out{std::string(fact.call), {}};
    if (fact.arguments.empty()) return out;
    out.arguments = {{0, 0, 0, 0, 0, 0}};
    for (const linux::ArgumentFact& argument : fact.arguments) {
      // what is optional has two bits at most where a conflict looks: SOCK_CLOEXEC and SOCK_NONBLOCK
      const std::uint64_t low = argument.optional & -argument.optional;
      std::vector<std::uint64_t> flags = {0};
      if (argument.optional != 0) flags = {0, low, argument.optional & ~low, argument.optional};
      std::vector<std::vector<std::uint64_t>> more;
      for (const auto& values : out.arguments)
        for (const std::uint64_t value : argument.values) {
          if (!four && fact.call == "socket" && argument.argument == 0 && value == af_inet) continue;
          for (const std::uint64_t flag : flags) {
            more.push_back(values);
            more.back()[argument.argument] = value | flag;
          }
        }
      out.arguments = std::move(more);
    }
    return out;
  }

  /// What the canonical realisation of an act lacks, where no other that programs use is permitted whole. Many rules
  /// need the same.
  const std::optional<Need>& unmet(linux::Act act, bool four = true) {
    const auto [known, fresh] = unmet_.try_emplace({act, four});
    if (fresh) known->second = find_unmet(act, four);
    return known->second;
  }
  std::optional<Need> find_unmet(linux::Act act, bool four) const {
    std::optional<Need> out;
    for (const linux::Footprint& row : linux::footprints(act)) {
      if (row.way == linux::Way::Around) continue;
      std::optional<Need> lacks;
      for (const linux::CallFact& fact : row.calls)
        if (Need need = need_of(fact, four); !lacks && !serves(need)) lacks = std::move(need);
      if (!lacks) return std::nullopt;
      if (!out) out = std::move(lacks);
    }
    return out;
  }

  static bool reaches_ipv4(const NetBody& body) {
    return std::any_of(body.endpoints.begin(), body.endpoints.end(),
                       [](const auto& e) { return e.pattern.name || !e.pattern.addresses.v4().empty(); });
  }
  static linux::Act act_of(Direction direction, Protocol protocol) {
    if (direction == Direction::Listen)
      return protocol == Protocol::Tcp ? linux::Act::ListenTcp : linux::Act::ListenUdp;
    return protocol == Protocol::Tcp   ? linux::Act::ConnectTcp
           : protocol == Protocol::Udp ? linux::Act::ConnectUdp
                                       : linux::Act::ConnectIcmp;
  }

  void sockets() {
    std::set<std::string> said;  // one finding for one cause
    for (const Rule& rule : policy_.rules) {
      if (!grants(rule)) continue;
      std::optional<Need> need;
      std::string word;
      if (const auto* net = std::get_if<NetBody>(&rule.body)) {
        std::size_t protocols = 0, failed = 0;
        for (const Protocol p : {Protocol::Tcp, Protocol::Udp, Protocol::Icmp}) {
          if (!has(net->protocols, p)) continue;
          // the kernel itself answers what is asked of it by ICMP
          if (p == Protocol::Icmp && net->direction == Direction::Listen) continue;
          ++protocols;
          if (const auto& unserved = unmet(act_of(net->direction, p), reaches_ipv4(*net))) {
            ++failed;
            need = unserved;
          }
        }
        if (failed < protocols) need.reset();
      } else if (const auto* local = std::get_if<UnixBody>(&rule.body)) {
        need = unmet(local->direction == Direction::Listen ? linux::Act::ListenUnix : linux::Act::ConnectUnix);
      }
      if (!need ||
          !said.insert(need->call + (need->arguments.empty() ? "" : std::to_string(need->arguments[0][0]))).second)
        continue;
      auto& d =
          sink_.emit(kind::socket_refused, rule.span,
                     fmt::format("`{}` can't take effect: no `{}` that it needs is permitted", rule.text, need->call));
      d.about(policy_.name);
      blame(d, *need);
    }
  }

  void exec() {
    const std::optional<Need> need = unmet(linux::Act::Exec);
    if (!need) return;
    for (const Rule& rule : policy_.rules) {
      const auto* body = std::get_if<FileBody>(&rule.body);
      if (!body || !grants(rule) || !has(body->verbs, Verb::Exec)) continue;
      auto& d = sink_.emit(kind::exec_refused, rule.span,
                           fmt::format("`{}` can't take effect: no `{}` is permitted", rule.text, need->call));
      d.about(policy_.name);
      blame(d, *need);
      return;
    }
  }

  /// What the stack starts is executed behind its own layers. A policy that permits no `exec` at all is not finished:
  /// it has no finding here.
  void command() {
    if (policy_.run.command.empty() || policy_.audits("file")) return;
    if (std::none_of(policy_.rules.begin(), policy_.rules.end(), [](const Rule& rule) {
          const auto* body = std::get_if<FileBody>(&rule.body);
          return body && grants(rule) && has(body->verbs, Verb::Exec);
        }))
      return;
    const std::string& program = policy_.run.command.front();
    const FileAction action{Verb::Exec, program};
    const Verdict verdict = decide(policy_, action);
    if (verdict.decision != Decision::Deny) return;
    auto& d =
        sink_.emit(kind::command_refused, policy_.run.span,
                   fmt::format("`{}` can't start: no rule permits `{}`", policy_.name, to_string(Action(action))));
    d.about(policy_.name).witnessed(to_string(Action(action)));
    if (!verdict.rules.empty()) d.message = fmt::format("`{}` can't start: its command is denied", policy_.name);
    for (const std::size_t r : verdict.rules) d.relate(policy_.rules[r].span, "denied here");
    d.note("a path that is a symbolic link is decided by where it leads");
    d.helped(verdict.rules.empty() ? fmt::format("add `allow exec \"{}\"` to the `file` block", program)
                                   : "narrow the deny with `except`, or correct the command");
  }

  /// The mount that holds a path, by the longest target; nothing: the root.
  const Mount* holder(const std::string& path) const {
    const Mount* out = nullptr;
    for (const Mount& m : policy_.run.mounts)
      if ((m.target == path || is_beneath(path, m.target)) && (!out || m.target.size() > out->target.size())) out = &m;
    return out;
  }

  void mounts() {
    for (const Rule& rule : policy_.rules) {
      const auto* body = std::get_if<FileBody>(&rule.body);
      // a fragment may grant more than this policy has a place for
      if (!body || !grants(rule) || (body->verbs & verbs_write) == 0 || !rule.included_by.empty()) continue;
      for (const auto& placed : body->patterns) readonly(rule, *body, placed);
    }
    for (const Mount& mount : policy_.run.mounts)
      if (!reached(mount) && !accepted(fmt::format("mount \"{}\"", mount.target)))
        sink_
            .emit(kind::unreached_mount, mount.span,
                  fmt::format("no rule permits anything at `{}`: the mount is of no use", mount.target))
            .about(policy_.name)
            .helped(fmt::format("delete it, or add `allow read \"{}/**\"`", mount.target == "/" ? "" : mount.target));
  }

  void readonly(const Rule& rule, const FileBody& body, const Placed<PathPattern>& placed) {
    if (placed.pattern.shape() == PathPattern::Shape::Other) return;  // it may well reach elsewhere
    const std::string base = placed.pattern.base();
    const Mount* mount = holder(base);
    if (!mount || mount->writable || accepted(placed.text)) return;
    if (placed.pattern.shape() == PathPattern::Shape::Subtree)
      for (const Mount& inner : policy_.run.mounts)
        if (inner.writable && is_beneath(inner.target, base)) return;
    const auto verbs = static_cast<Verbs>(body.verbs & verbs_write);
    sink_
        .emit(kind::write_on_readonly, placed.span,
              fmt::format("`{} {}` can't take effect: `{}` is mounted read-only", to_string(rule.effect), placed.text,
                          mount->target))
        .about(policy_.name)
        .witnessed(
            to_string(Action(FileAction{static_cast<Verb>(verbs & -verbs),
                                        placed.pattern.shape() == PathPattern::Shape::Node ? base : base + "/x"})))
        .relate(mount->span, "mounted here")
        .helped("mount it `writable`, or permit `read` only");
  }

  /// Somebody has said that the fact is held more narrowly than it says.
  bool accepted(const std::string& fact) const {
    return std::any_of(policy_.accepts.begin(), policy_.accepts.end(),
                       [&](const Accept& a) { return !a.expired && a.fact == fact; });
  }

  bool reached(const Mount& mount) const {
    const PathPattern node = path_node(mount.target), beneath = path_subtree(mount.target);
    const auto meets = [&](const PathPattern& p) {
      if (p.shape() != PathPattern::Shape::Other) {
        const std::string base = p.base();
        const bool subtree = p.shape() == PathPattern::Shape::Subtree;
        return base == mount.target || is_beneath(base, mount.target) || (subtree && is_beneath(mount.target, base));
      }
      const PathPattern* const all[] = {&p, &node, &beneath};
      return find_path(all, [](const std::vector<bool>& in) { return in[0] && (in[1] || in[2]); }).witness.has_value();
    };
    return std::any_of(policy_.rules.begin(), policy_.rules.end(), [&](const Rule& rule) {
      if (!grants(rule)) return false;
      if (const auto* file = std::get_if<FileBody>(&rule.body))
        return std::any_of(file->patterns.begin(), file->patterns.end(),
                           [&](const auto& p) { return meets(p.pattern); });
      if (const auto* local = std::get_if<UnixBody>(&rule.body))
        return std::any_of(local->paths.begin(), local->paths.end(), [&](const auto& p) { return meets(p.pattern); });
      return false;
    });
  }

  void tmpfs() {
    const auto& memory = policy_.limits.memory_bytes;
    if (!memory) return;
    for (const Mount& mount : policy_.run.mounts)
      if (!mount.source && mount.size_bytes && *mount.size_bytes > memory->value)
        sink_
            .emit(kind::tmpfs_over_memory, mount.span,
                  fmt::format("the tmpfs at `{}` may hold more than the whole sandbox may use", mount.target))
            .about(policy_.name)
            .relate(memory->span, "the memory limit; files in a tmpfs count towards it")
            .helped("make the `size` smaller than `memory`");
  }

  void capabilities() {
    for (const Rule& rule : policy_.rules) {
      const auto* body = std::get_if<CapabilityBody>(&rule.body);
      if (!body || !grants(rule) || !rule.module.empty()) continue;
      for (const auto& name : body->names) {
        const auto calls = linux::capability_calls(name.pattern);
        if (calls.empty() || std::any_of(calls.begin(), calls.end(),
                                         [&](std::string_view call) { return permitted_.contains(std::string(call)); }))
          continue;
        auto& d = sink_.emit(kind::idle_capability, name.span,
                             fmt::format("no permitted system call can make use of `{}`", name.pattern));
        d.about(policy_.name);
        blame(d, {std::string(calls.front()), {}});
        d.helped("delete it");
      }
    }
  }

  /// A deny that matches what runc itself calls behind the filter. Without one, the need is a derived grant.
  void loader() {
    if (!model::starts_container(target_.stack)) return;
    for (const auto& need : linux::runc_needs(
             {static_cast<std::uint8_t>(target_.runc.major), static_cast<std::uint8_t>(target_.runc.minor)})) {
      Rule asked;
      SyscallBody body;
      SyscallPattern pattern;
      pattern.name = need.call;
      if (need.argument >= 0) pattern.tests.push_back({need.argument, ArgTest::Op::Masked, need.mask, {0}});
      body.patterns.push_back({std::move(pattern), {}, std::string(need.call)});
      asked.body = std::move(body);
      std::vector<const Rule*> rules;
      for (const Rule& rule : policy_.rules) {
        const auto* calls = std::get_if<SyscallBody>(&rule.body);
        if (calls && rule.effect == Effect::Deny && !rule.implied &&
            std::any_of(calls->patterns.begin(), calls->patterns.end(),
                        [&](const auto& p) { return p.pattern.name == need.call; }))
          rules.push_back(&rule);
      }
      if (rules.empty()) continue;
      rules.push_back(&asked);
      const std::size_t question = rules.size() - 1;
      denied(need, Space(std::move(rules), limits_, question));
    }
  }

  void denied(const linux::LoaderNeed& need, const Space& space) {
    const Units units(space);
    const auto question = static_cast<std::uint32_t>(space.rule_count() - 1);
    for (std::size_t c = 0; c < space.size(); ++c) {
      bool asked = false;
      std::optional<std::uint32_t> by;
      space.each_rule(c, [&](std::uint32_t r, bool matches) {
        if (!matches) return;
        if (r == question)
          asked = true;
        else if (!by)
          by = r;
      });
      if (!asked || !by) continue;
      const Rule& rule = space.rule(*by);
      source::Span span = rule.span;
      units.each(c, [&](std::uint32_t u) {
        if (units[u].rule == *by && !units[u].except) span = units[u].span;
      });
      auto& d = sink_.emit(kind::loader_denied, span,
                           fmt::format("`{}` stops the loader: runc {}.{} {} behind the filter", rule.text,
                                       target_.runc.major, target_.runc.minor, need.reason));
      d.about(policy_.name).witnessed(space.witness_text(c));
      for (const auto& include : rule.included_by) d.relate(include, "brought by this `include`");
      d.helped(fmt::format("take `{}` out of the rule, or use a stack that does not need it", need.call));
      return;
    }
  }

  const Policy& policy_;
  const Space& space_;
  const Target& target_;
  diagnostics::Sink& sink_;
  SpaceLimits limits_;
  std::set<std::string> permitted_;
  std::map<std::pair<linux::Act, bool>, std::optional<Need>> unmet_;
  const Rule* written_ = nullptr;
};

}  // namespace

bool find_block_conflicts(const Policy& policy, const Space& space, const Target& target, diagnostics::Sink& sink,
                          SpaceLimits limits) {
  return Blocks(policy, space, target, sink, limits).run();
}

}  // namespace agp::analysis
