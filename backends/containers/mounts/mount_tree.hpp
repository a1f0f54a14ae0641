#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/policy.hpp"

/// The mounts that hold a policy's file rules over an empty root. In: a policy. Out: a list of mounts in the order in
/// which they must be made. Afterwards: every subtree on which the rules agree is shown by exactly one mount, with the
/// least rights a mount can have that include what the rules permit there; a mount beneath a writable one can't be
/// renamed away, because each directory between is a mount point too. What a mount can't hold exactly shows as a
/// difference between `granted` and `model::decide`; nothing here decides whether that is acceptable.
namespace agp::backends::containers {

/// A pattern of a rule (an index into policy.rules and into its patterns), or a mount of `run`.
struct Cause {
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::size_t rule = none, pattern = 0;
  std::size_t run_mount = none;
  friend auto operator<=>(const Cause&, const Cause&) = default;
};

struct TreeMount {
  enum class From {
    Bind,    ///< a host path
    Tmpfs,   ///< an empty file system
    Device,  ///< a device node of the host, by its well-known path
    Denied,  ///< a file or directory without any permission bit, from the bundle
    Empty,   ///< an empty file, from the bundle
    Bundle,  ///< another file or directory of the bundle: /dev, /etc/resolv.conf
    Proc,    ///< proc, read-only, processes only
  };
  std::string target;
  From from = From::Bind;
  std::string source;  ///< Bind, Device: absolute host path; Bundle: name in the bundle
  bool directory = false;
  bool writable = false;
  bool exec = false;
  bool masked = false;       ///< nothing beneath or in it can be opened, not even by listing it
  bool socket = false;       ///< one node that only a rule about unix sockets names
  bool pinned = false;       ///< there only so that what is beneath can't be renamed away
  bool needed = false;       ///< the runtime or a layer needs it, whatever the rules say: a derived grant
  bool in_writable = false;  ///< its mount point lies in a writable mount: it can't be renamed or removed there
  bool narrows = false;      ///< has fewer rights than the mount around it
  bool refused = false;      ///< some of its causes are deny or ask rules
  std::optional<std::uint64_t> size;
  std::size_t around = Cause::none;  ///< index of the mount in which its mount point lies
  std::vector<Cause> grants;         ///< allow patterns that it serves
  std::vector<Cause> causes;         ///< why it differs from the mount around it: deny patterns, exceptions, mounts
};

struct MountTree {
  std::vector<TreeMount> mounts;  ///< in path order, which is mounting order: a directory before what lies in it
  bool resolver = false;          ///< the generated resolv.conf is mounted
};

/// Precondition: paths are absolute and canonical (the language's checks). Expired rules count for nothing.
MountTree mount_tree(const model::Policy& policy);

enum class Grant { No, Yes, Any };  ///< Any: no such action exists there (reading a directory, listing a file)

/// Index of the mount that shows `path`, or Cause::none: nothing is mounted there. O(depth × log n).
std::size_t governing(const MountTree& tree, std::string_view path);
/// What a mount grants on its own root (`at_root`) or beneath it.
Grant granted(const TreeMount& mount, bool at_root, model::Verb verb);
/// Is a loss there the doing of what caused the mount, so that the causes answer for it? On its root, when its mount
/// point lies in a writable mount; beneath, when a deny or ask made it give less than the mount around it.
bool answered_by_causes(const TreeMount& mount, bool at_root);
/// Is `path` a directory only because a mount lies beneath it? It can be listed and nothing else.
bool is_scaffold(const MountTree& tree, std::string_view path);

/// Order by component, so that a directory stands before what it holds and nothing stands between them.
bool path_less(std::string_view a, std::string_view b);
struct PathOrder {
  bool operator()(const std::string& a, const std::string& b) const { return path_less(a, b); }
};
/// The mount of `run` that `path` is or lies in, the innermost; Cause::none when it belongs to `run.rootfs`.
std::size_t run_mount_of(const model::Policy& policy, std::string_view path);
/// Does some rule let connections go to a name? Then the generated resolver's address is mounted at /etc/resolv.conf.
bool has_name_rule(const model::Policy& policy);
model::User run_user(const model::Policy& policy);  ///< 65534:65534 when the policy names none

}  // namespace agp::backends::containers
