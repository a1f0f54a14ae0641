#pragma once
#include <string>

#include "compiler/model/policy.hpp"

/// Renames and hard links as the actions they are made of (LANGUAGE.md, Paths). They are no actions of their own: there
/// is no rule about them, and what a policy says of them follows from its rules on paths.
namespace agp::model {

/// To rename `from` to `to`. Both are absolute and canonical, and neither is beneath the other.
struct Rename {
  std::string from, to;
  bool directory = false;  ///< `from` is a directory: what is or could be beneath it moves too
  bool replaces = false;   ///< something is at `to` already
};
/// To make a hard link at `to` to the file at `from`.
struct Link {
  std::string from, to;
};

struct MoveVerdict {
  Decision decision = Decision::Deny;
  std::string why;       ///< of a denial: the action that is not permitted, or the verb that would be gained
  bool unknown = false;  ///< a bound on the search was reached: `decision` is Deny, and nothing is known
};

/// `delete` of `from` and of everything beneath it, `create` of the same at `to`, `delete` of what is replaced; and
/// nothing that moves may gain a verb that it did not have (the kernel's rule for Landlock's REFER:
/// Documentation/userspace-api/landlock.rst, "File renames and links"). The strictest decision counts. Exact; for a
/// directory one product automaton for each verb.
MoveVerdict decide(const Policy& policy, const Rename& rename);
/// `create` of `to`, and the file may not gain a verb there.
MoveVerdict decide(const Policy& policy, const Link& link);

}  // namespace agp::model
