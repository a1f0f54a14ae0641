#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/model/policy.hpp"

/// What every policy checked with it must satisfy (LANGUAGE.md, Invariants), resolved with the values of the build.
/// Independent of any one policy; what it says of a policy is decided elsewhere.
namespace agp::model {

/// `resolve registry.internal`: stands in invariants and never in a rule. A name resolves exactly when some rule allows
/// connecting to it.
struct ResolveBody {
  std::vector<Placed<NamePattern>> names;
};

/// A set of actions, `except` included, in the bodies that rules have. Differences to a rule's body: `within` and
/// `from` are never set; an endpoint that was left out is every address and every port (and icmp where the protocols
/// have it), and for `unix` every path and `@abstract`. A pattern on a name is about the connections to it, whatever
/// their address. Conditions by position are tests like those by name.
struct ActionSet {
  std::variant<FileBody, NetBody, UnixBody, SyscallBody, CapabilityBody, TextBody, ResolveBody> body;
  Span span;
  std::string text;  ///< normal form: `read "/home/*/.ssh/**"`
};

/// Does the set include the action? The definition is that of rules. Where it is not known for sure which bits of an
/// argument the kernel looks at, a set that `forbids` includes what it does under either reading, another (`only`) what
/// it does under both. Copies the set: for single questions, like checking a witness.
bool includes(const ActionSet& set, const Action& action, bool forbids);

/// `never A`: no permitted action (`ask` counts as permitted) is in `a`.
struct Never {
  ActionSet a;
};
/// `never A with B`: no policy permits both an action in `a` and one in `b`.
struct NeverWith {
  ActionSet a, b;
};
/// `only A, …`: every permitted action whose verb one of `sets` has is in one of them. The verb of a file action is
/// the atomic one (`only write` is about modify, create and delete); `connect` and `listen` are one verb each for tcp,
/// udp, icmp and local sockets together; system calls, capabilities, variables and tools are one verb each.
struct Only {
  std::vector<ActionSet> sets;  ///< one at least
};
struct Require {
  enum class What { Limit, Enforce, Isolation, Ephemeral, Owner, RunUser };
  enum class Comparison { Eq, Ne, Lt, Le, Gt, Ge };
  What what = What::Owner;
  std::string limit;                     ///< Limit: cpu, memory, pids, time, files; a missing bound fails
  std::optional<Comparison> comparison;  ///< Limit: the policy's bound COMPARISON `bound`; absent: any bound will do
  std::uint64_t bound = 0;               ///< Limit: in the unit of model::Limits (thousandths of a core, bytes, ms, 1)
  Isolation isolation = Isolation::Process;  ///< Isolation: at least this one
};

struct InvariantLine {
  std::variant<Never, NeverWith, Only, Require> body;
  Span span;
  std::string text;  ///< normal form, one line: `never connect any except connect any 10.0.0.0/8:*`
};

struct Invariant {
  std::string name;
  std::string doc;
  std::vector<Placed<std::string>> policies;  ///< `for "GLOB", …` with `*` and `?`; empty: every policy
  std::vector<InvariantLine> lines;
  Span name_span, span;
  std::string module;         ///< the library module it stands in, or empty
  std::vector<Span> used_by;  ///< the `use` items that brought its file, outermost first; empty: the checked file's own

  bool concerns(const Policy& policy) const;  ///< is the policy one of `policies`
};

}  // namespace agp::model
