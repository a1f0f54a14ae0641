#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/model/action.hpp"
#include "compiler/model/address.hpp"
#include "compiler/model/path_pattern.hpp"
#include "compiler/model/syscall.hpp"
#include "compiler/source/files.hpp"

/// The meaning of a policy, independent of syntax: rules as sets of actions, and the blocks that are not sets.
namespace agp::model {

using source::Span;

enum class Effect { Deny, Ask, Allow };
enum class Decision { Deny, Ask, Allow };
std::string_view to_string(Effect e);
std::string_view to_string(Decision d);
enum class Risk { Low, Medium, High };

/// Days since 1970-01-01, UTC.
using Day = std::int32_t;
std::string day_text(Day day);  ///< "2027-03-01"

/// A pattern as written in one rule, with its own span.
template <class Pattern>
struct Placed {
  Pattern pattern;
  Span span;
  std::string text;  ///< as a fact: `write "/workspace/**"`, `connect tcp 10.0.1.50:443`, `socket(domain == AF_INET6)`
};

struct FileBody {
  Verbs verbs = 0;
  std::vector<Placed<PathPattern>> patterns;
  std::vector<Placed<PathPattern>> except;
};

/// `*.example.com` (any depth beneath, not the name itself) or one name; lower case.
struct NamePattern {
  std::string name;  ///< without `*.`
  bool beneath = false;
  bool matches(std::string_view host) const;
  std::string to_string() const;
};

/// Addresses × ports, or a name × ports. `ports` is unused where the protocols are only icmp.
struct EndpointPattern {
  AddressSet addresses;             ///< of an address rule
  std::optional<NamePattern> name;  ///< of a name rule; then `addresses` is empty
  PortSet ports;
  bool icmp = false;  ///< icmp is included (port `*` or no port)
};

struct NetBody {
  Direction direction = Direction::Connect;
  Protocols protocols = 0;
  std::vector<Placed<EndpointPattern>> endpoints;
  std::vector<Placed<EndpointPattern>> except;
  std::optional<AddressSet> within;  ///< what a name may resolve to
  std::optional<AddressSet> from;    ///< the peers of a listen
};

struct UnixBody {
  Direction direction = Direction::Connect;
  std::vector<Placed<PathPattern>> paths;
  bool abstract = false;
  std::vector<Placed<PathPattern>> except;
};

struct SyscallBody {
  std::vector<Placed<SyscallPattern>> patterns;
  std::vector<Placed<SyscallPattern>> except;
  Denial denial;
};

struct CapabilityBody {
  std::vector<Placed<std::string>> names;
};

/// `*` in a name pattern of env and tool is any run of characters, dots too; `?` one character.
struct TextBody {
  enum class Sort { Env, Tool };
  Sort sort = Sort::Env;
  std::vector<Placed<std::string>> patterns;
  std::vector<Placed<std::string>> except;
};

using RuleBody = std::variant<FileBody, NetBody, UnixBody, SyscallBody, CapabilityBody, TextBody>;

/// One rule of the source. Its id is its `as` label, else a hash of its normal form: stable under reordering.
struct Rule {
  std::string id;
  Effect effect = Effect::Deny;
  RuleBody body;
  std::string label, because;
  std::optional<Day> until;
  std::optional<Risk> risk;
  Span span;                      ///< the whole rule
  std::vector<Span> included_by;  ///< the `include` statements that brought it, outermost first
  std::string module;             ///< the library module it stands in, or empty
  std::string text;               ///< normal form, one line: `allow connect tcp 10.0.1.50:443`
  bool expired = false;           ///< past its `until` on the build's date: counts for nothing
  bool implied = false;           ///< not written: what LANGUAGE.md adds where a `syscall` block is missing
};

enum class Isolation { Process, Container, MicroVm };
enum class Mode { Enforce, Audit };

struct Limits {  ///< absent: no bound was written
  template <class T>
  struct Bound {
    T value;
    Span span;
  };
  std::optional<Bound<std::uint64_t>> cpu_milli;     ///< thousandths of a core
  std::optional<Bound<std::uint64_t>> memory_bytes;  ///< with swap
  std::optional<Bound<std::uint64_t>> pids;
  std::optional<Bound<std::uint64_t>> time_ms;  ///< wall clock
  std::optional<Bound<std::uint64_t>> files;    ///< open descriptors
};

struct Mount {
  std::optional<std::string> source;  ///< absent: tmpfs
  std::string target;
  bool writable = false;
  std::optional<std::uint64_t> size_bytes;
  Span span;
};

struct User {
  std::uint32_t uid = 0, gid = 0;
  Span span;
};

struct Run {
  std::vector<std::string> command;
  std::optional<std::string> workdir, hostname, cgroup, interface;
  std::string rootfs = "/";
  std::optional<User> user;
  std::vector<Mount> mounts;
  Span span;
};

enum class Severity { P1, P2, P3, P4, P5 };
struct Alert {
  Severity severity = Severity::P1;
  std::vector<std::string> targets;
  Span span;
};  ///< verbs or blocks
struct OnDeny {
  bool log = false;
  std::vector<Alert> alerts;
  Span span;
};

/// `accept unenforced|wider|narrower FACT because "…"`.
struct Accept {
  enum class Kind { Unenforced, Wider, Narrower };
  Kind kind = Kind::Unenforced;
  std::string
      fact;  ///< normal text of the fact: a pattern (`write "/x/**"`), `limit cpu`, `user`, `mount /x`, `mode`, `tool`
  bool block = false;  ///< the fact is a whole block (`tool`, `file`, `net`, `syscall`, `env`, `capability`)
  std::string because;
  std::optional<Day> until;
  bool expired = false;
  Span span, fact_span;
};

struct ModuleRead {
  std::string name;
  std::string sha256;
};  ///< a library module or a project file

struct Policy {
  std::string name;
  std::string doc;
  Span name_span, span;
  std::string owner;
  std::vector<std::string> satisfies;
  Isolation isolation = Isolation::Container;
  bool ephemeral = false;
  Mode mode = Mode::Enforce;
  std::vector<std::string> audit_for;  ///< blocks; empty with Audit: every block
  Span mode_span;

  std::vector<Rule> rules;
  std::vector<Address> resolvers;
  Span resolver_span;
  std::map<std::string, std::string> env_set;
  Limits limits;
  Run run;
  OnDeny on_deny;
  std::vector<Accept> accepts;
  std::vector<ModuleRead> modules;  ///< sorted by name

  bool audits(std::string_view block) const;
};

/// The decision for one action and the rules behind it (indices into `policy.rules`): all rules of the effect that
/// decided; empty when nothing matched. O(rules).
struct Verdict {
  Decision decision = Decision::Deny;
  std::vector<std::size_t> rules;
  std::string note;  ///< what a name's decision depends on, say
};
Verdict decide(const Policy& policy, const Action& action);
/// Does the rule's pattern include the action? Expired rules match nothing.
bool matches(const Rule& rule, const Action& action);

/// What a name rule lets its connections reach: `within` minus never-by-name (unless included) minus address denies
/// for that protocol and port.
AddressSet reachable_by_name(const Policy& policy, const Rule& rule, Protocol protocol, std::uint16_t port);

bool glob_matches(std::string_view pattern, std::string_view text);  ///< `*` and `?` of env and tool patterns
std::string fact_block(const RuleBody& body);  ///< "file", "net", "syscall", "capability", "env", "tool"

}  // namespace agp::model
