#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/fact.hpp"
#include "compiler/model/filter_graph.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"

/// The interface of a backend, final. A backend knows the model and the Linux facts; never another backend, the solver,
/// the syntax or the rendering of a diagnostic. Its `emit/` and `decode/` are separate libraries that share only
/// `format.hpp`, the constants of the format.
namespace agp::model {
struct PacketLayer;  // compiler/model/packet_layer.hpp
struct NameLayer;    // compiler/model/name_layer.hpp
struct InodeLayer;   // compiler/model/inode_layer.hpp
struct PortLayer;    // compiler/model/inode_layer.hpp
struct Container;    // compiler/model/container.hpp
struct ToolLayer;    // compiler/model/advisory_layer.hpp
struct AlertLayer;   // compiler/model/advisory_layer.hpp
}  // namespace agp::model

namespace agp::backends {

/// How a layer holds a fact (VERIFICATION.md). Exact; Wider: permits more; Narrower: permits less; Not: can't express
/// it at all; Elsewhere: not this layer's business.
enum class Holds { Exact, Wider, Narrower, Not, Elsewhere };

struct Capability {
  Holds holds = Holds::Elsewhere;
  std::string reason;  ///< one clause, lower case: "a mount is read-only or writable as a whole"
  std::string slips;   ///< an action that slips through (Wider, Not) or is lost (Narrower), as `agp query` writes it
  std::string help;    ///< what to type instead, where there is something
  model::Verbs also = 0;  ///< of a file allow that is held too widely: what the layer gives with it wherever it gives it
  bool attributes = false;  ///< of a file rule that is held too widely: mode, owner and times change wherever a call can
};

/// What a loader or a layer needs beyond the policy; named in check, query, diff and every report.
struct DerivedGrant {
  std::string grant;  ///< `list "/workspace"`, `execve`
  std::string layer;  ///< "oci", "runc 1.1", "dns"
  std::string reason;
};

struct Capabilities {
  std::vector<Capability> facts;  ///< one for each fact given, in order
  std::vector<DerivedGrant> derived;
  std::vector<std::string> assumptions;  ///< "A1", "A6", …
  std::vector<std::string> reports;      ///< blocks whose refusals this layer can report: "net"
};

/// One file of the output. `path` is relative to the policy's directory: `seccomp/profile.json`.
struct Artifact {
  std::string path;
  std::string bytes;
};

/// Where a rule went: `place` is "insn 12-15", "rule 3", "set n_…", a JSON pointer.
struct MapEntry {
  std::string rule;  ///< Rule::id
  std::string artifact;
  std::string place;
};

/// Something that makes the artifact impossible: too many instructions, say. `rule` is an index into policy.rules.
struct Problem {
  std::string message;
  std::optional<std::size_t> rule;
  std::string help;
};

struct Emitted {
  std::vector<Artifact> artifacts;
  std::vector<MapEntry> map;
  std::vector<Problem> problems;  ///< not empty: nothing may be written
};

/// What a loader of the artifacts permits, as far as this backend's artifacts decide it. One graph for each alternative
/// form of a layer: each is proved alone.
struct DecodedFilter {
  std::string artifact;  ///< path, and JSON pointer where it is a section
  std::string arch;      ///< what it was decoded for
  model::FilterGraph graph;
};
struct Decoded {
  std::vector<DecodedFilter> filters;
  std::vector<std::shared_ptr<const model::PacketLayer>> packets;  ///< one for each alternative form
  std::vector<std::shared_ptr<const model::NameLayer>> names;
  std::vector<std::shared_ptr<const model::InodeLayer>> inodes;  ///< each is a layer of its own: all must permit
  std::vector<std::shared_ptr<const model::PortLayer>> ports;
  std::shared_ptr<const model::Container> container;
  std::vector<std::shared_ptr<const model::ToolLayer>> tools;
  std::vector<std::shared_ptr<const model::AlertLayer>> alerts;
  std::vector<std::string> not_verified;  ///< artifacts without a decoder, by path: never "proved"
  std::vector<Problem> problems;          ///< refused input, by name
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;     ///< "seccomp", "oci", …
  virtual std::string_view summary() const = 0;  ///< one line for `agp backends`
  /// Does a stack load this backend's artifacts? One that no stack loads is advisory.
  virtual bool in_stack(std::string_view stack) const = 0;
  /// How this layer holds each fact. O(facts) calls into the model.
  virtual Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                                    const model::Target& target) const = 0;
  /// Model -> bytes. `earlier` holds the artifacts of the backends registered before this one (oci embeds the
  /// seccomp profile). A function of its arguments only: no clock, no environment, no file system.
  virtual Emitted emit(const model::Policy& policy, const model::Target& target,
                       std::span<const Artifact> earlier) const = 0;
  /// Why `emit` could not make its artifacts, whatever stands in `earlier`. Where that can be told without making them,
  /// a backend says so here: it is asked at every check.
  virtual std::vector<Problem> problems(const model::Policy& policy, const model::Target& target) const {
    return emit(policy, target, {}).problems;
  }
  /// Bytes -> what a loader of them permits. Looks only at the artifacts it knows; never at the policy.
  virtual Decoded decode(std::span<const Artifact> artifacts, const model::Target& target) const = 0;
};

/// All backends of the product, in the order in which they emit. Static lifetime.
std::span<const Backend* const> all();

/// The nft set that the resolver fills for one endpoint of one name rule: what nftables and dnsmasq must agree on.
/// `n_` + id shortened + `_` + endpoint + `_4` or `_6`: at most 31 characters of [a-z0-9_].
std::string name_set(const model::Rule& rule, std::size_t endpoint, int family);
/// The one nft table of a policy: `agp_` + the policy's name with `-` as `_`, shortened by a hash past 60 characters.
std::string table_name(const model::Policy& policy);
/// A short stable name for a text: 16 hexadecimal digits (FNV-1a). Not a secret and no integrity check.
std::string short_name(std::string_view text);
/// What stands before a line of the kernel's log about a denial: `agp P=<policy> R=<rule> `, R=default without a rule.
/// At most 127 bytes (nft's bound). Bytes outside [A-Za-z0-9_.:/@,+-] are written as %XX; a part that is too long for
/// the bound is `#` and its short_name.
std::string log_prefix(const model::Policy& policy, std::optional<std::string_view> rule_id);
/// The word after `R=` in that prefix, also what comments in artifacts call the rule. Never `default`.
std::string log_rule(const model::Policy& policy, std::string_view rule_id);
/// Whom the agent runs as: the policy's `run user`, else 65534:65534.
model::User agent_user(const model::Policy& policy);
/// Does the policy need the generated resolver: is there an `allow connect` on a name?
bool needs_resolver(const model::Policy& policy);
/// May the policy's processes make this call in some form? A refusal with conditions, or with an exception, is taken to
/// leave some of it. O(rules × patterns).
bool may_call(const model::Policy& policy, std::string_view name);
/// Do denials have to be reported at all?
bool reports_denials(const model::Policy& policy);
/// The network namespace the `oci` stack joins by path: "agp-" + policy name.
std::string netns_name(const model::Policy& policy);

}  // namespace agp::backends
