#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/model/path_classes.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"

/// What Landlock is to be told for a policy. In: policy and ABI. Out: hierarchies with rights, ports, scopes.
/// Afterwards: each permitted subtree is a rule on its directory, each permitted file a rule on itself, with the rights
/// that its verbs need; a pattern with a wildcard inside is widened to the directory before it. What a rule can't hold
/// exactly shows as a difference between `granted` and the policy; nothing here decides whether that is acceptable.
namespace agp::backends::landlock {

/// A pattern of a rule: indices into policy.rules and into its patterns.
struct Cause {
  std::size_t rule = 0, pattern = 0;
  friend auto operator<=>(const Cause&, const Cause&) = default;
};

struct Hierarchy {
  std::string path;        ///< canonical
  bool directory = false;  ///< and everything beneath it; else one file
  std::uint64_t rights = 0;
  std::vector<Cause> causes;
  bool needed = false;  ///< a layer needs it, whatever the rules say: a derived grant
};

struct Ruleset {
  int abi = 1;  ///< the target's, at most the highest known
  std::uint64_t handled_fs = 0, handled_net = 0, scoped = 0;
  std::vector<Hierarchy> hierarchies;                           ///< in path order
  model::PortSet connect_tcp, bind_tcp, connect_udp, bind_udp;  ///< where the right is handled
};

Ruleset make_ruleset(const model::Policy& policy, const model::Target& target);

/// Does the stack apply the rules at all?
bool in_stack(std::string_view stack);

/// The file rules and unix rules of a policy against a ruleset: one class for each combination of patterns and
/// hierarchies that some path matches.
struct Classes {
  struct One {
    std::string path;
    model::Verbs allowed = 0;           ///< by the policy: some allow, no deny, no ask
    model::Verbs refused = 0;           ///< by a rule, not by the absence of one
    std::vector<Cause> matching;        ///< patterns of file rules, exceptions of their rule taken away
    std::vector<Cause> excepted;        ///< patterns that match but for an exception
    std::vector<Cause> sockets;         ///< patterns of unix rules, without exceptions
    std::uint64_t here = 0, entry = 0;  ///< rights on the node itself; on the directory that holds it
    std::vector<std::size_t> sources;   ///< hierarchies that give them
    bool directory = false;             ///< known to be a directory
    bool file = false;                  ///< known to be none, or to lie beneath one
  };
  std::vector<One> plain, listing;  ///< for every verb but `list`; for `list`
  bool undecided = false;
};
Classes classes_of(const model::Policy& policy, const Ruleset& ruleset);

/// Does the layer give `verb` on a path of this class? `undefined`: there is no such action, as reading a directory.
enum class Grant { No, Yes, Undefined };
Grant granted(const Classes::One& c, model::Verb verb, const Ruleset& ruleset);

}  // namespace agp::backends::landlock
