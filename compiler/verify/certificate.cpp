#include "compiler/verify/certificate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "compiler/diagnostics/text.hpp"
#include "compiler/linux/loader_needs.hpp"
#include "compiler/model/glob_cells.hpp"
#include "compiler/model/inode_layer.hpp"
#include "compiler/model/path_states.hpp"
#include "compiler/source/digest.hpp"
#include "compiler/source/version.hpp"
#include "compiler/verify/advisory.hpp"
#include "compiler/verify/certificate_calls.hpp"
#include "compiler/verify/certificate_names.hpp"
#include "compiler/verify/certificate_packets.hpp"
#include "compiler/verify/certificate_ports.hpp"
#include "compiler/verify/certificate_settings.hpp"
#include "compiler/verify/container_tree.hpp"
#include "compiler/verify/files.hpp"
#include "compiler/verify/names.hpp"

// In: what was proved, and the bytes. Out: the directory of a certificate. A control is found by trying: a policy with
// one rule less, or one more, for which the verifier refutes the same obligation; where no rule could, an answer of the
// filter that the verifier would refute is demanded instead.
namespace agp::verify {
namespace {

using Json = nlohmann::ordered_json;
using model::Effect;

std::string text(std::string_view raw) { return diagnostics::valid_utf8(raw); }

/// The policy with one rule less or one more, and the action on which the artifact then differs from it.
struct Control {
  model::Policy policy;
  std::optional<std::size_t> removed;  ///< index into policy.rules; else the last of them is new
  std::string witness;
  std::string demanded = {};  ///< not empty: the policy is the same, and this answer is demanded of the artifact
};
using Refute = std::function<std::optional<std::string>(const model::Policy&)>;

std::size_t patterns_of(const model::Rule& rule) {
  if (const auto* file = std::get_if<model::FileBody>(&rule.body)) return file->patterns.size();
  if (const auto* calls = std::get_if<model::SyscallBody>(&rule.body)) return calls->patterns.size();
  if (const auto* net = std::get_if<model::NetBody>(&rule.body)) return net->endpoints.size();
  if (const auto* words = std::get_if<model::TextBody>(&rule.body)) return words->patterns.size();
  return 0;
}

model::Rule added_rule(model::RuleBody body, std::string what) {
  model::Rule out;
  out.id = "control";
  out.effect = Effect::Allow;
  out.body = std::move(body);
  out.text = "allow " + std::move(what);
  return out;
}

/// Rules that few policies have: of calls that no rule mentions, of addresses for documentation (RFC 5737), of a name
/// that nobody may have (RFC 6761), of a file.
std::vector<model::Rule> rules_to_add(const model::Policy& policy, const model::Target& target,
                                      std::string_view block) {
  std::vector<model::Rule> out;
  if (block == "file") {
    model::FileBody body;
    body.verbs = static_cast<model::Verbs>(model::Verb::Read);
    body.patterns.push_back({model::path_node("/control"), {}, ""});
    return {added_rule(std::move(body), "read \"/control\"")};
  }
  if (block == "tool") {
    model::TextBody body;
    body.sort = model::TextBody::Sort::Tool;
    body.patterns.push_back({"control", {}, ""});
    return {added_rule(std::move(body), "tool \"control\"")};
  }
  if (block == "name") {
    model::NetBody body;
    body.protocols = static_cast<model::Protocols>(model::Protocol::Tcp);
    body.endpoints.push_back(
        {{{}, model::NamePattern{"control.invalid", false}, model::PortSet::range(9, 9), false}, {}, ""});
    return {added_rule(std::move(body), "connect tcp \"control.invalid\":9")};
  }
  if (block == "net") {
    std::vector<model::Rule> listens;
    for (const char* address : {"192.0.2.1", "198.51.100.1", "203.0.113.1"}) {
      const model::Address a = *model::parse_v4(address);
      model::NetBody body;
      body.protocols = static_cast<model::Protocols>(model::Protocol::Tcp);
      body.endpoints.push_back(
          {{model::AddressSet::range(a, a), std::nullopt, model::PortSet::range(9, 9), false}, {}, ""});
      out.push_back(added_rule(body, fmt::format("connect tcp {}:9", address)));
      body.direction = model::Direction::Listen;
      listens.push_back(added_rule(std::move(body), fmt::format("listen tcp {}:9", address)));
    }
    out.insert(out.end(), listens.begin(), listens.end());
    return out;
  }
  const auto arch = target.archs.empty() ? std::nullopt : linux::find_arch(target.archs.front());
  for (const linux::Syscall& call : arch ? linux::syscalls(*arch) : std::span<const linux::Syscall>{}) {
    if (out.size() == 8) break;
    if (model::KernelVersion{call.since.major, call.since.minor} > target.kernel ||
        backends::may_call(policy, call.name))
      continue;
    model::SyscallBody body;
    body.patterns.push_back({{std::string(call.name), {}, linux::ArchSet::all()}, {}, ""});
    out.push_back(added_rule(std::move(body), std::string(call.name)));
  }
  return out;
}

/// The rule that says least first, so that a control is as close to the obligation as it can be. Names are rules of
/// `net` as packets are; what is added differs.
std::optional<Control> find_control(const model::Policy& policy, const model::Target& target, std::string_view block,
                                    bool excess, const Refute& refute) {
  std::vector<std::size_t> candidates;
  for (std::size_t r = 0; r < policy.rules.size(); ++r) {
    const model::Rule& rule = policy.rules[r];
    if (model::fact_block(rule.body) == (block == "name" ? "net" : block) && !rule.expired &&
        (rule.effect == Effect::Allow) == excess)
      candidates.push_back(r);
  }
  std::stable_sort(candidates.begin(), candidates.end(), [&](std::size_t a, std::size_t b) {
    return patterns_of(policy.rules[a]) < patterns_of(policy.rules[b]);
  });
  constexpr std::size_t most_tries = 16;
  for (std::size_t i = 0; i < std::min(candidates.size(), most_tries); ++i) {
    Control out{policy, candidates[i], {}};
    out.policy.rules[candidates[i]].expired = true;
    if (const auto witness = refute(out.policy)) return (out.witness = *witness, out);
  }
  if (excess) return std::nullopt;
  for (model::Rule& rule : rules_to_add(policy, target, block)) {
    Control out{policy, std::nullopt, {}};
    out.policy.rules.push_back(std::move(rule));
    if (const auto witness = refute(out.policy)) return (out.witness = *witness, out);
  }
  return std::nullopt;
}

class Writer {
 public:
  explicit Writer(const CertificateInput& input) : in_(input), options_(input.options) { options_.second.reset(); }

  Certificate run() {
    for (const Obligation& o : in_.obligations) {
      const std::string why = certify_one(o);
      if (why.empty()) continue;
      missing_.push_back(row_of(o));
      missing_.back()["reason"] = why;
      out_.not_certified.push_back(fmt::format("{}: {}", text(shown(o)), why));
    }
    for (const std::string& path : not_verified(in_.readings)) {
      missing_.push_back({{"artifact", text(path)}, {"direction", nullptr}, {"reason", "it is not verified"}});
      out_.not_certified.push_back(fmt::format("{}: it is not verified", text(name(path))));
    }
    finish();
    return std::move(out_);
  }

 private:
  std::string certify_one(const Obligation& o) {
    const bool audited =
        o.direction == Direction::Permits || o.direction == Direction::Reports || o.direction == Direction::Quiet;
    if (audited && o.layer != "seccomp" && o.layer != "nftables" &&
        (o.thing != "connection" || o.statement == statement_of_all_ports))
      return "what an audited block of this layer does has no form as a certificate yet";
    for (const Reading& reading : in_.readings) {
      for (const backends::DecodedFilter& filter : reading.decoded.filters)
        if (o.layer == "seccomp" && filter.artifact == o.artifact && filter.arch == o.arch) return calls(o, filter);
      for (const auto& layer : reading.decoded.packets)
        if (layer->artifact == o.artifact && o.thing == "packet") return packets(o, *layer, reading);
      for (const auto& layer : reading.decoded.ports)
        if (layer->artifact == o.artifact && o.thing == "connection")
          return o.statement == statement_of_ports ? ports(o, *layer) : settings(o, scope_settings(o, *layer));
      for (const auto& layer : reading.decoded.names)
        if (o.layer == "dns" && layer->artifact == o.artifact)
          return layer->servers ? settings(o, resolver_settings(o, in_.policy, *layer)) : names(o, *layer);
      for (const auto& layer : reading.decoded.alerts)
        if (o.layer == "alerts" && layer->artifact == o.artifact)
          return settings(o, alert_settings(o, alert_lists(in_.policy, in_.target, *layer, demands(o.direction))));
      for (const auto& layer : reading.decoded.tools)
        if (o.layer == "approvals" && layer->artifact == o.artifact) return tools(o, *layer);
      const auto& container = reading.decoded.container;
      if (!container || file_of(o.artifact) != container->artifact) continue;
      if (const auto* bytes = bytes_of(o.artifact); bytes && text(*bytes) != *bytes)
        return "texts that are not UTF-8 have no form as a certificate";
      if (o.thing == "setting") return settings(o, container_settings(o, in_.policy, in_.target, in_.plan, *container));
      if (o.artifact.ends_with(" (sources)"))
        return settings(o, source_settings(o, container_tree(in_.policy, in_.target, *container)));
      if (o.thing == "file access") return paths(o);
    }
    if (o.layer == "landlock" && o.thing == "file access") return paths(o);
    return fmt::format("the layer `{}` has no form as a certificate yet", o.layer);
  }

  std::string calls(const Obligation& o, const backends::DecodedFilter& filter) {
    const bool raw = filter.artifact.starts_with("seccomp/filter");
    const auto bytes = bytes_of(o.artifact);
    const auto machine = linux::find_arch(filter.arch);
    if (!bytes || !machine) return "its bytes are not there";
    std::vector<linux::LoaderNeed> needs;
    if (!raw && model::starts_container(in_.target.stack))
      needs = linux::profile_needs(in_.target.stack, {static_cast<std::uint8_t>(in_.target.runc.major),
                                                      static_cast<std::uint8_t>(in_.target.runc.minor)})
                  .needs;
    const auto gaps = call_gaps(in_.policy, in_.plan);
    const auto script = [&](smt::Script& s, const model::Policy& policy, bool other_answer) -> std::string {
      const Answers answers = answers_of(o.direction, other_answer);
      declare_call(s, o.direction);
      s.remark(raw ? "the program, from its bytes" : "the profile, as runc and libseccomp load it");
      if (!raw) state_graph(s, filter.graph, answers);
      if (std::string why = raw ? state_program(s, *bytes, answers) : std::string(); !why.empty()) return why;
      s.remark("the policy, call by call, under the bits that the kernel looks at");
      state_calls(s, {policy, in_.target, gaps, needs, *machine}, o.direction);
      return {};
    };
    const auto verify_one = [&](const model::Policy& policy, const backends::DecodedFilter& one) {
      backends::Decoded decoded;
      decoded.filters.push_back(one);
      return refuted(verify_filters(policy, in_.target, in_.plan, decoded, options_), o.direction);
    };
    std::optional<Control> control;
    if (const std::string_view demanded = demanded_by_control(o.direction); demanded.empty())
      control = find_control(in_.policy, in_.target, "syscall", !demands(o.direction),
                             [&](const model::Policy& policy) { return verify_one(policy, filter); });
    else if (const auto witness = verify_one(in_.policy, refusing(filter, o.direction)))
      control = Control{in_.policy, std::nullopt, *witness, std::string(demanded)};
    return add(o, raw ? "seccomp-program" : "seccomp-profile", script, std::move(control));
  }

  /// The filter with EPERM wherever it gives the answer that only a control refuses: calls on which the two differ are
  /// those on which a control is satisfied.
  static backends::DecodedFilter refusing(const backends::DecodedFilter& filter, Direction direction) {
    using Graph = model::FilterGraph;
    constexpr std::uint32_t eperm = 0x00050001, enosys = 0x00050026, log = 0x7ffc0000;  // SECCOMP_RET_ERRNO | errno
    backends::DecodedFilter out = filter;
    const auto other = static_cast<std::uint32_t>(out.graph.exprs.size());
    out.graph.exprs.push_back({Graph::Expr::Op::Const, 0, 0, eperm});
    for (Graph::Node& node : out.graph.nodes) {
      const Graph::Expr& answer = out.graph.exprs[node.lhs];
      if (node.kind == Graph::Node::Kind::Leaf && answer.op == Graph::Expr::Op::Const &&
          (direction == Direction::Errno ? answer.value == enosys : (answer.value & 0xffff0000) == log))
        node.lhs = other;
    }
    return out;
  }

  std::string ports(const Obligation& o, const model::PortLayer& layer) {
    if (!bytes_of(o.artifact)) return "its bytes are not there";
    const auto script = [&](smt::Script& s, const model::Policy& policy, bool) {
      state_ports(s, policy, layer);
      return std::string();
    };
    return add(o, "ports", script, find_control(in_.policy, in_.target, "net", false, [&](const model::Policy& policy) {
                 std::vector<Obligation> again = verify_ports(policy, in_.target, in_.plan, in_.readings);
                 std::erase_if(again, [&](const Obligation& one) {
                   return one.artifact != o.artifact || one.statement != o.statement;
                 });
                 return refuted(again, o.direction);
               }));
  }

  std::string packets(const Obligation& o, const model::PacketLayer& layer, const Reading& reading) {
    const std::string_view kind = o.layer == "nftables" ? "nftables" : "network-policy";
    if (kind == "network-policy") {  // whom it selects, and which sockets there are, says the pod
      const auto& pod = reading.decoded.container;
      if (!pod || pod->artifact == o.artifact)
        return "without a pod and a NetworkPolicy it has no form as a certificate";
      if (!bytes_of(pod->artifact)) return "its bytes are not there";
    }
    if (!bytes_of(o.artifact)) return "its bytes are not there";
    const auto fills = resolver_fills(in_.readings);
    const auto script = [&](smt::Script& s, const model::Policy& policy, bool other_answer) {
      return state_packets(s,
                           {in_.policy, policy, in_.target, in_.plan, layer, fills, packet_needs(in_.policy, in_.plan)},
                           o.direction, other_answer);
    };
    const auto refute = [&](const model::Policy& policy) {
      return refuted(verify_packets(policy, in_.target, in_.plan, layer, fills), o.direction);
    };
    smt::Script probe;  // before rules are tried for nothing
    if (std::string why = script(probe, in_.policy, false); !why.empty()) return why;
    if (o.direction == Direction::Permits)  // no rule decides it
      return add(o, kind, script, Control{in_.policy, std::nullopt, "any packet that is reported", "NO_REPORT"});
    auto control = find_control(in_.policy, in_.target, "net", !demands(o.direction), refute);
    // Where no rule permits anything the answers to what nobody may ask still pass.
    const bool passes = std::any_of(layer.accepted.begin(), layer.accepted.end(),
                                    [](auto hook) { return hook != model::DecisionDiagrams::no; });
    if (!control && o.direction == Direction::Excess && passes)
      control = Control{in_.policy, std::nullopt, "any packet that passes", "NOTHING"};
    return add(o, kind, script, std::move(control));
  }

  using InodeLayers = std::vector<std::shared_ptr<const model::InodeLayer>>;
  InodeLayers inode_layers(const model::Policy& policy) const {
    InodeLayers out;
    for (const Reading& r : in_.readings) {
      out.insert(out.end(), r.decoded.inodes.begin(), r.decoded.inodes.end());
      if (r.decoded.container)
        out.push_back(
            std::make_shared<model::InodeLayer>(container_tree(policy, in_.target, *r.decoded.container).layer));
    }
    return out;
  }

  /// Rights on paths: an inductive set of states of the automaton over all patterns of both sides. Of two layers what
  /// is too much has to be granted by both; what is lost is lost to one.
  std::string paths(const Obligation& o) {
    InodeLayers layers = inode_layers(in_.policy);
    const bool excess = o.direction == Direction::Excess;
    if (!excess) std::erase_if(layers, [&](const auto& layer) { return layer->artifact != o.artifact; });
    for (const auto& layer : layers)
      if (!bytes_of(layer->artifact)) return "its bytes are not there";
    auto control = find_control(in_.policy, in_.target, "file", excess, [&](const model::Policy& policy) {
      std::vector<Obligation> again = verify_files(policy, in_.target, in_.plan, inode_layers(policy));
      if (!excess) std::erase_if(again, [&](const Obligation& one) { return one.artifact != o.artifact; });
      return refuted(again, o.direction);
    });
    if (!control && excess)  // no rule that permits anything, or each within another one
      control = Control{in_.policy, std::nullopt, "any file access that the policy does not allow", "EVERYTHING"};
    if (!control) return no_control;
    std::vector<model::PathPattern> cells;
    std::vector<const model::PathPattern*> patterns;
    for (const model::Rule& rule : in_.policy.rules)
      if (const auto* body = std::get_if<model::FileBody>(&rule.body); body && !rule.expired)
        for (const auto* list : {&body->patterns, &body->except})
          for (const auto& p : *list) patterns.push_back(&p.pattern);
    for (const auto& layer : layers)
      for (const model::InodeCell& cell : layer->cells) {
        cells.push_back(model::path_node(cell.base));
        cells.push_back(model::path_subtree(cell.base));
      }
    for (const model::PathPattern& cell : cells) patterns.push_back(&cell);
    const auto states = model::path_states(patterns);
    if (!states) return "its patterns have more states than the limit of this form";
    for (const std::string& one : *states)
      if (diagnostics::valid_utf8(one) != one) return "paths that are not UTF-8 have no form as a certificate yet";
    document(o,
             layers.size() > 1       ? "files"
             : o.layer == "landlock" ? "paths"
                                     : "mounts",
             "inductive", {{"statement", o.statement + ", changing attributes apart"}, {"states", *states}},
             changed(*control, "violated"));
    return {};
  }

  /// The same of names, read from their end.
  std::string names(const Obligation& o, const model::NameLayer& layer) {
    if (!bytes_of(o.artifact)) return "its bytes are not there";
    const auto control = find_control(in_.policy, in_.target, "name", o.direction == Direction::Excess,
                                      [&](const model::Policy& policy) {
                                        return refuted(verify_names(policy, in_.target, in_.plan, layer), o.direction);
                                      });
    if (!control) return no_control;
    document(o, "names", "inductive", {{"statement", o.statement}, {"states", name_endings(in_.policy, layer)}},
             changed(*control, "violated"));
    return {};
  }

  /// The same of tools, whose names are texts.
  std::string tools(const Obligation& o, const model::ToolLayer& layer) {
    if (!bytes_of(o.artifact)) return "its bytes are not there";
    auto control = find_control(
        in_.policy, in_.target, "tool", o.direction == Direction::Excess,
        [&](const model::Policy& policy) { return refuted(verify_tools(policy, layer, options_.today), o.direction); });
    if (!control && o.direction == Direction::Excess)
      control = Control{in_.policy, std::nullopt, "any tool call that the policy does not allow", "EVERYTHING"};
    if (!control) return no_control;
    std::vector<model::Glob> globs;
    for (const model::Rule& rule : in_.policy.rules)
      if (const auto* body = std::get_if<model::TextBody>(&rule.body);
          body && body->sort == model::TextBody::Sort::Tool && !rule.expired)
        for (const auto* list : {&body->patterns, &body->except})
          for (const auto& p : *list) globs.push_back(model::text_glob(p.pattern));
    for (const model::ToolRule& rule : layer.rules)
      for (const auto* list : {&rule.tools, &rule.except})
        for (const std::string& p : *list) globs.push_back(model::text_glob(p));
    const auto states = model::glob_states(globs);
    if (!states) return "its patterns have more states than the limit of this form";
    for (const std::string& one : *states)
      if (diagnostics::valid_utf8(one) != one) return "names that are not ASCII have no form as a certificate yet";
    document(o, "tools", "inductive", {{"statement", o.statement}, {"states", *states}}, changed(*control, "violated"));
    return {};
  }

  std::string settings(const Obligation& o, const Settings& both) {
    if (!both.reason.empty()) return both.reason;
    if (!bytes_of(o.artifact)) return "its bytes are not there";
    document(o, "settings", "holds", Json::parse(both.document),
             {{"expected", "violated"}, {"witness", both.witness}, {"instead", Json::parse(both.control)}});
    return {};
  }

  /// Writes what no solver is asked about, and the row about it.
  void document(const Obligation& o, std::string_view kind, std::string_view expected, const Json& content,
                Json control) {
    const std::string file = fmt::format("{:02}.json", ++count_);
    out_.files.push_back({file, content.dump(1) + "\n"});
    state(o, kind, file, expected, std::move(control));
  }

  static std::optional<std::string> refuted(const std::vector<Obligation>& obligations, Direction direction) {
    for (const Obligation& o : obligations)
      if (o.direction == direction)
        return o.verdict.match([](const solver::Proved&) { return std::optional<std::string>(); },
                               [](const Witness& w) { return std::optional(w.action); },
                               [](const solver::Unknown&) { return std::optional<std::string>(); });
    return std::nullopt;
  }

  /// Writes a statement about this policy, with the answer that a control demands (true) or the right one.
  using Fill = std::function<std::string(smt::Script&, const model::Policy&, bool)>;

  static constexpr const char* no_control =
      "no rule was found whose absence, or presence, would refute it: it has no control";

  /// What a control changes, for the index.
  Json changed(const Control& control, std::string_view expected) const {
    Json out = {{"expected", expected}, {"witness", text(control.witness)}};
    if (!control.demanded.empty()) {
      out["demanded"] = control.demanded;
      return out;
    }
    if (!control.removed) {
      out["added"] = Json::parse(certified_rule(control.policy.rules.back()));
      return out;
    }
    const model::Rule& rule = in_.policy.rules[*control.removed];
    out["removed"] = {
        {"rule", rule_numbers(in_.policy).at(*control.removed)}, {"id", text(rule.id)}, {"text", text(rule.text)}};
    return out;
  }

  /// A row of the index about the file that was made last.
  void state(const Obligation& o, std::string_view kind, const std::string& file, std::string_view expected,
             Json control) {
    const auto at = std::find_if(out_.files.begin(), out_.files.end(), [&](const auto& f) { return f.path == file; });
    obligations_.push_back(row_of(o));
    obligations_.back().update({{"kind", kind},
                                {"file", file},
                                {"sha256", source::sha256(at->bytes)},
                                {"expected", expected},
                                {"control", std::move(control)}});
  }

  /// What the index says of every obligation, whether it is certified or not.
  static Json row_of(const Obligation& o) {
    return {{"artifact", text(o.artifact)},
            {"arch", o.arch.empty() ? Json(nullptr) : Json(o.arch)},
            {"about", o.thing},
            {"direction", to_string(o.direction)},
            {"statement", o.statement}};
  }
  std::string shown(const Obligation& o) const {
    return fmt::format("{}{}: {}: {}", name(o.artifact), o.arch.empty() ? "" : " (" + o.arch + ")",
                       to_string(o.direction), o.statement);
  }

  std::string add(const Obligation& o, std::string_view kind, const Fill& fill, std::optional<Control> control) {
    if (!control) return no_control;
    std::string change;
    if (!control->demanded.empty()) {
      change = fmt::format("Control, where {} is demanded", control->demanded);
    } else {
      const model::Rule& rule = control->removed ? in_.policy.rules[*control->removed] : control->policy.rules.back();
      change =
          fmt::format("Control, {} {}: {}", control->removed ? "without the rule" : "with a rule", rule.id, rule.text);
    }
    const std::string number = fmt::format("{:02}", ++count_);
    const auto write = [&](const std::string& path, const model::Policy& policy, std::string_view expected,
                           const std::string& remark) -> std::string {
      smt::Script script;
      script.remark(shown(o));
      if (!remark.empty()) script.remark(remark);
      script.remark(fmt::format("Expected: {}.", expected));
      if (std::string why = fill(script, policy, !remark.empty() && !control->demanded.empty()); !why.empty())
        return why;
      const bool demanded = demands(o.direction);
      out_.files.push_back(
          {path, std::move(script).violation(demanded ? "policy" : "artifact", demanded ? "artifact" : "policy")});
      return {};
    };
    const std::string file = number + ".smt2", control_file = number + ".control.smt2";
    if (std::string why = write(file, in_.policy, "unsat", ""); !why.empty()) return why;
    if (std::string why = write(control_file, control->policy, "sat", change); !why.empty()) return why;
    Json row = changed(*control, "sat");
    row["file"] = control_file;
    row["sha256"] = source::sha256(out_.files.back().bytes);
    state(o, kind, file, "unsat", std::move(row));
    return {};
  }

  /// Without the section: `#/POINTER`, or a word in parentheses.
  static std::string_view file_of(std::string_view artifact) {
    return artifact.substr(0, std::min(artifact.find('#'), artifact.find(" (")));
  }

  const std::string* bytes_of(std::string_view artifact) {
    const std::string_view path = file_of(artifact);
    const auto at = std::find_if(in_.artifacts.begin(), in_.artifacts.end(),
                                 [&](const backends::Artifact& a) { return a.path == path; });
    if (at == in_.artifacts.end()) return nullptr;
    used_.insert(at->path);
    return &at->bytes;
  }

  std::string name(const std::string& artifact) const {
    for (const auto& [place, shown] : in_.shown)
      if (artifact.starts_with(place)) return shown + artifact.substr(place.size());
    return artifact;
  }

  void finish() {
    out_.files.push_back({"policy.json", certified_policy(in_.policy, in_.target, in_.plan, options_.today)});
    Json modules = Json::array(), artifacts = Json::array(), files = Json::array({"certificate.json"});
    for (const model::ModuleRead& m : in_.policy.modules)
      modules.push_back({{"name", text(m.name)}, {"sha256", m.sha256}});
    for (const backends::Artifact& a : in_.artifacts)
      if (used_.contains(a.path))
        artifacts.push_back({{"artifact", a.path}, {"path", text(name(a.path))}, {"sha256", source::sha256(a.bytes)}});
    for (const backends::Artifact& a : out_.files) files.push_back(a.path);
    const Json index = {{"schema", "agp-certificate/1"},
                        {"agp", version},
                        {"policy",
                         {{"name", in_.policy.name},
                          {"file", "policy.json"},
                          {"sha256", source::sha256(out_.files.back().bytes)},
                          {"modules", std::move(modules)}}},
                        {"artifacts", std::move(artifacts)},
                        {"obligations", std::move(obligations_)},
                        {"not_certified", std::move(missing_)},
                        {"files", std::move(files)}};
    out_.files.push_back({"certificate.json", index.dump(2) + "\n"});
    std::sort(out_.files.begin(), out_.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  }

  const CertificateInput& in_;
  Options options_;
  Certificate out_;
  Json obligations_ = Json::array(), missing_ = Json::array();
  std::set<std::string> used_;
  int count_ = 0;
};

}  // namespace

Certificate certify(const CertificateInput& input) { return Writer(input).run(); }

}  // namespace agp::verify
