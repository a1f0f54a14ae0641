#include "compiler/driver/layers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/artifact_file.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/model/advisory_layer.hpp"
#include "compiler/model/container.hpp"
#include "compiler/model/inode_layer.hpp"
#include "compiler/model/name_layer.hpp"
#include "compiler/model/packet_layer.hpp"
#include "compiler/plan/stack.hpp"
#include "compiler/verify/container_tree.hpp"
#include "compiler/verify/filter_terms.hpp"

// Comes in: decoded layers and one action. Goes out: what each layer that decides about it does. Evaluation only.
namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;
using model::Direction;
using model::Hook;
using model::PacketField;
using Ref = model::DecisionDiagrams::Ref;

class Answers {
 public:
  Answers(const DecodedStack& stack, const model::Policy& policy) : stack_(stack), policy_(policy) {}

  std::vector<LayerAnswer> run(const model::Action& action) {
    std::visit([&](const auto& a) { on(a); }, action);
    return std::move(out_);
  }

 private:
  bool loads(const std::string& artifact) const {
    const std::string file = artifact.substr(0, artifact.find('#'));
    return std::find(stack_.loaded.begin(), stack_.loaded.end(), file) != stack_.loaded.end();
  }
  void add(std::string layer, std::string artifact, bool permits, std::string observed, std::string place) {
    out_.push_back({std::move(layer), std::move(artifact), permits, false, std::move(observed), std::move(place)});
  }

  void on(const model::SyscallAction& a) {
    const linux::Syscall* call = linux::find_syscall(a.arch, a.name);
    if (!call) return;
    std::uint32_t words[16] = {call->number, linux::audit_arch(a.arch)};
    for (std::size_t i = 0; i < 6; ++i) {
      words[4 + 2 * i] = static_cast<std::uint32_t>(a.args[i]);
      words[5 + 2 * i] = static_cast<std::uint32_t>(a.args[i] >> 32);
    }
    for (const auto& r : stack_.readings)
      for (const auto& f : r.decoded.filters) {
        if (!loads(f.artifact) || linux::find_arch(f.arch) != linux::machine_of(a.arch) || f.graph.nodes.empty())
          continue;
        const model::Evaluated e = model::evaluate_at(f.graph, words);
        const std::uint32_t at = f.graph.nodes[e.node].place;
        add("seccomp", f.artifact, verify::reaction(e.word) == verify::Reaction::Runs, verify::reaction_text(e.word),
            at == model::FilterGraph::default_place ? "the default action"
                                                    : fmt::format("{} {}", f.graph.place_name, at));
      }
  }

  void rights(const std::string& path, model::InodeRights wanted) {
    const auto ask = [&](const model::InodeLayer& layer) {
      const model::InodeAnswer a = rights_at(layer, path, false);
      const model::InodeRights lacking = wanted & ~a.granted & ~a.absent;
      const bool nothing_there = (wanted & ~a.absent) == 0;
      const bool permits = lacking == 0 && !nothing_there;
      add(layer.layer, layer.artifact, permits,
          permits         ? "permitted"
          : nothing_there ? "impossible there"
                          : fmt::format("refused: {}", model::right_name(lacking)),
          a.place);
    };
    for (const auto& r : stack_.readings) {
      for (const auto& layer : r.decoded.inodes)
        if (loads(layer->artifact)) ask(*layer);
      if (r.decoded.container && loads(r.decoded.container->artifact))
        ask(verify::container_tree(policy_, stack_.target, *r.decoded.container).layer);
    }
  }
  void on(const model::FileAction& a) { rights(a.path, model::rights_of(a.verb)); }
  void on(const model::UnixAction& a) {
    if (a.path) rights(*a.path, a.direction == Direction::Connect ? model::inode::connect : model::inode::make_socket);
  }

  // packets and names
  // ---------------------------------------------------------------------------------------------------

  void on(const model::NetAction& a) {
    ports(a.direction, a.protocol, a.port);
    each_ruleset([&](const model::PacketLayer& layer) {
      std::vector<Ref> parts{to(layer, model::AddressSet::range(a.address, a.address))};
      if (a.peer) parts.push_back(layer.space->addresses(true, model::AddressSet::range(*a.peer, *a.peer)));
      packet(layer, a.direction, a.protocol, a.port, a.name, std::move(parts));
    });
  }
  void on(const model::NameAction& a) {
    resolves(a.name);
    ports(Direction::Connect, a.protocol, a.port);
    each_ruleset(
        [&](const model::PacketLayer& layer) { packet(layer, Direction::Connect, a.protocol, a.port, a.name, {}); });
  }
  void on(const model::ResolveAction& a) { resolves(a.name); }

  template <class Each>
  void each_ruleset(const Each& each) {
    for (const auto& r : stack_.readings)
      for (const auto& layer : r.decoded.packets)
        if (loads(layer->artifact)) each(*layer);
  }
  static Ref to(const model::PacketLayer& layer, const model::AddressSet& set) {
    return layer.space->addresses(false, set);
  }

  void resolves(const std::string& name) {
    bool any = false;
    for (const auto& r : stack_.readings)
      for (const auto& layer : r.decoded.names) {
        if (layer->servers) continue;
        any = true;
        const model::NameRule* rule = layer->rule_for(name);
        const bool asked = rule ? rule->what != model::NameRule::What::Nothing : layer->rest.has_value();
        add("dns", layer->artifact, asked, asked ? "resolved" : "NXDOMAIN",
            rule ? fmt::format("line {}", rule->line) : "no line");
      }
    if (!any) add("dns", "dns/dnsmasq.conf", false, "not resolved: there is no resolver", "");
  }

  /// Sets that the resolver fills with the addresses of this name.
  std::set<std::pair<std::string, std::string>> filled_by(const std::string& name) const {
    std::set<std::pair<std::string, std::string>> out;
    for (const auto& r : stack_.readings)
      for (const auto& layer : r.decoded.names)
        if (const model::NameFill* fill = layer->servers ? nullptr : layer->fill_for(name))
          for (const auto& into : fill->into) out.emplace(into.table, into.set);
    return out;
  }

  /// An ordinary first packet, at the hook that it comes by.
  void packet(const model::PacketLayer& layer, Direction direction, model::Protocol protocol, std::uint16_t port,
              const std::optional<std::string>& name, std::vector<Ref> parts) {
    model::PacketSpace& space = *layer.space;
    auto& d = space.diagrams();
    const bool sends = direction == Direction::Connect, own = model::starts_container(stack_.target.stack);
    const bool forwards = !own && policy_.run.interface;
    if (!own && !forwards && !policy_.run.cgroup && !sends) return;  // by user: what comes in is left open
    const Hook hook = forwards ? Hook::Forward : sends ? Hook::Output : Hook::Input;
    const auto is = [&](PacketField f, model::Bits128 value) { parts.push_back(space.equals(f, value)); };
    is(PacketField::State, 0);
    is(PacketField::Kind, 0);
    is(PacketField::Hops, 64);
    is(PacketField::SourcePort, 40000);
    is(PacketField::TcpFlags, 2);
    if (protocol == model::Protocol::Icmp) {
      parts.push_back(
          d.either(d.both(d.both(space.equals(PacketField::Family, 0), space.equals(PacketField::Protocol, 1)),
                          space.equals(PacketField::IcmpType, 8)),
                   d.both(d.both(space.equals(PacketField::Family, 1), space.equals(PacketField::Protocol, 58)),
                          space.equals(PacketField::IcmpType, 128))));
      is(PacketField::IcmpCode, 0);
    } else {
      is(PacketField::Protocol, protocol == model::Protocol::Tcp ? 6 : 17);
      is(PacketField::Port, port);
    }
    if (sends && !forwards) is(PacketField::User, backends::agent_user(policy_).uid);
    if (!own && policy_.run.cgroup) {
      const std::string group = policy_.run.cgroup->substr(1);
      parts.push_back(d.either(space.in_cgroup(group), space.equals(PacketField::Cgroup, space.cgroup_of(group))));
    }
    const Ref local =
        to(layer, model::AddressSet::range(*model::parse_v4("127.0.0.0"), *model::parse_v4("127.255.255.255")) |
                      model::AddressSet::range(*model::parse_v6("::1"), *model::parse_v6("::1")));
    if (forwards) {
      is(sends ? PacketField::In : PacketField::Out, space.interface(*policy_.run.interface));
    } else {
      is(sends ? PacketField::In : PacketField::Out, 0);
      const PacketField by = sends ? PacketField::Out : PacketField::In;
      parts.push_back(d.choose(local, space.equals(by, 1), space.equals(by, 0)));
    }
    const auto fills = name ? filled_by(*name) : std::set<std::pair<std::string, std::string>>{};
    for (std::size_t i = 0; i < layer.filled.size(); ++i) {
      const auto& set = layer.filled[i];
      Ref in = model::DecisionDiagrams::no;
      if (fills.contains({set.table, set.name})) {
        in = model::DecisionDiagrams::yes;
      } else {
        std::vector<Ref> elements;
        const bool v4 = set.family == model::PacketFamily::V4;
        for (const auto e : set.elements)
          elements.push_back(space.equals(set.source ? (v4 ? PacketField::Source4 : PacketField::Source6)
                                                     : (v4 ? PacketField::Destination4 : PacketField::Destination6),
                                          e));
        in = d.any(std::move(elements));
      }
      const Ref member = space.member(i);
      parts.push_back(d.choose(in, member, d.negate(member)));
    }
    Ref all = space.wellformed();
    for (const Ref part : parts) all = d.both(all, part);
    const Ref passing = d.both(all, layer.accepted[static_cast<std::size_t>(hook)]);
    const auto example =
        space.example(passing != model::DecisionDiagrams::no ? passing : all, hook, layer.filled.size());
    if (!example) return;
    const model::PacketAnswer answer = layer.decide(*example);
    add(layer.layer, layer.artifact, answer.accepted, answer.observed, answer.place);
  }

  void ports(Direction direction, model::Protocol protocol, std::uint16_t port) {
    if (protocol == model::Protocol::Icmp) return;
    const bool tcp = protocol == model::Protocol::Tcp, sends = direction == Direction::Connect;
    for (const auto& r : stack_.readings)
      for (const auto& layer : r.decoded.ports) {
        if (!loads(layer->artifact)) continue;
        const auto& decided =
            tcp ? (sends ? layer->connect_tcp : layer->listen_tcp) : (sends ? layer->connect_udp : layer->listen_udp);
        if (!decided) continue;
        const bool permits = decided->contains(port);
        add(layer->layer, layer->artifact, permits, permits ? "permitted" : "refused", "its rules on ports");
      }
  }

  // settings
  // ------------------------------------------------------------------------------------------------------------

  void on(const model::CapabilityAction& a) {
    for (const auto& r : stack_.readings) {
      if (!r.decoded.container) continue;
      const auto& sets = r.decoded.container->capabilities;
      const bool permits = std::all_of(sets.begin(), sets.end(), [&](const auto& s) { return s.contains(a.name); });
      add(r.decoded.container->layer, r.decoded.container->artifact, permits, permits ? "given" : "not given",
          "/process/capabilities");
    }
  }
  /// A variable that the configuration does not set may still be added by whoever starts it.
  void on(const model::EnvAction& a) {
    for (const auto& r : stack_.readings) {
      if (!r.decoded.container) continue;
      for (const auto& [name, value] : r.decoded.container->environment)
        if (name == a.name)
          return add(r.decoded.container->layer, r.decoded.container->artifact, true, "set", "/process/env");
    }
  }
  void on(const model::ToolAction& a) {
    for (const auto& r : stack_.readings)
      for (const auto& layer : r.decoded.tools) tool(*layer, a.name);
  }
  void tool(const model::ToolLayer& layer, const std::string& name) {
    using model::Effect;
    const auto matches = [&](const std::vector<std::string>& globs) {
      return std::any_of(globs.begin(), globs.end(),
                         [&](const std::string& g) { return model::glob_matches(g, name); });
    };
    for (const Effect effect : {Effect::Deny, Effect::Ask, Effect::Allow})
      for (const model::ToolRule& rule : layer.rules) {
        if (rule.effect != effect || !matches(rule.tools) || matches(rule.except)) continue;
        add("approvals", layer.artifact, effect == Effect::Allow,
            effect == Effect::Allow ? "permitted"
            : effect == Effect::Ask ? "asked about"
                                    : "denied",
            rule.place);
        out_.back().asks = effect == Effect::Ask;
        return;
      }
    add("approvals", layer.artifact, false, "denied", "no rule");
  }

  const DecodedStack& stack_;
  const model::Policy& policy_;
  std::vector<LayerAnswer> out_;
};

}  // namespace

std::optional<DecodedStack> decode_stack(Session& session, const model::Policy& policy, const std::string& directory) {
  const auto artifacts = read_artifacts(session, directory);
  if (session.unusable || artifacts.empty()) {
    if (!session.unusable) session.sink.emit(kind::nothing_to_do, {}, fmt::format("`{}` holds no artifact", directory));
    session.unusable = true;
    return std::nullopt;
  }
  DecodedStack out{plan::target_for(policy, *session.target), {}, {}};
  out.loaded = plan::loaded_files(policy, out.target);
  for (const std::string& file : out.loaded)
    if (std::none_of(artifacts.begin(), artifacts.end(), [&](const auto& a) { return a.path == file; })) {
      session.sink
          .emit(kind::missing_artifact, {},
                fmt::format("the stack `{}` loads `{}`, which is not there", out.target.stack, file))
          .about(policy.name);
      return std::nullopt;
    }
  out.readings = verify::read_back(artifacts, out.target);
  const std::size_t before = session.sink.errors();
  for (const auto& r : out.readings) verify::report_refused(policy, r.layer, r.decoded, session.sink);
  if (session.sink.errors() > before) return std::nullopt;
  return out;
}

std::vector<LayerAnswer> layer_answers(const DecodedStack& stack, const model::Policy& policy,
                                       const model::Action& action) {
  return Answers(stack, policy).run(action);
}

std::optional<model::Decision> decision_of(const std::vector<LayerAnswer>& answers) {
  if (answers.empty()) return std::nullopt;
  model::Decision out = model::Decision::Allow;
  for (const LayerAnswer& a : answers)
    out = std::min(out, a.permits ? model::Decision::Allow : a.asks ? model::Decision::Ask : model::Decision::Deny);
  return out;
}

}  // namespace agp::driver
