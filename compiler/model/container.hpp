#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/model/path_pattern.hpp"

/// What a container runtime makes of one configuration, whoever wrote it: the file tree it shows and what the first
/// process gets. Independent of any runtime's format.
namespace agp::model {

/// One mount, in mounting order: it hides whatever earlier ones show at its target and beneath it.
struct ContainerMount {
  enum class Content {
    Host,       ///< a file or directory of the host, `source`
    Tmpfs,      ///< a new, empty file system
    Processes,  ///< proc
    Device,     ///< a device node that can be opened whatever the mount's flags say
    Nothing,    ///< a node without any permission bit, or a masked one
    EmptyFile,  ///< one empty file
    EmptyTree,  ///< a directory that holds mount points only
    Resolver,   ///< the generated resolv.conf
    Starter,    ///< a program or file of the one that starts the command: the launcher, its rules
  };
  std::string target;  ///< absolute, canonical
  Content content = Content::Host;
  std::string source;  ///< Host, Device: absolute
  bool writable = false, exec = false;
  bool only_own_processes = false;  ///< Processes: `subset=pid`, nothing of the kernel's own files
  std::optional<std::uint64_t> size;
  std::optional<std::uint32_t> uid, gid, mode;  ///< Tmpfs
  std::string place;                            ///< JSON pointer of what makes it
  bool setuid = false;  ///< set-user-ID bits and file capabilities count, unless no_new_privileges is set
};

struct Container {
  enum Set { Bounding, Effective, Inheritable, Permitted, Ambient };
  struct Bound {
    std::uint64_t soft = 0, hard = 0;
  };
  std::string artifact;
  std::string layer = "oci";  ///< the backend's name
  bool by_pointer = false;    ///< laid out as the OCI configuration: its settings have JSON pointers of their own
  std::vector<ContainerMount> mounts;
  bool empty_root = false;  ///< the root shows nothing but mounts, and is read-only

  std::vector<std::string> command;
  std::string workdir, hostname;
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;
  std::optional<std::uint32_t> umask;  ///< the runtime's own where there is none
  std::string cgroup;                  ///< its path, as the runtime takes it
  /// By what others know it, and may decide about it: the name, the namespace and the labels of a pod.
  std::map<std::string, std::string> seen_as;
  std::vector<std::pair<std::string, std::string>> environment;
  std::array<std::set<std::string>, 5> capabilities;
  bool no_new_privileges = false;
  std::map<std::string, Bound> rlimits;           ///< by RLIMIT_* name
  std::map<std::string, std::string> namespaces;  ///< type -> path to join; empty: a new one. Others: the host's
  std::map<std::string, std::string> sysctls;

  // Bounds of the control group; absent: none.
  std::optional<std::uint64_t> memory_bytes, memory_and_swap_bytes, pids;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> cpu;  ///< quota and period, microseconds
  std::optional<std::uint64_t> seconds;                        ///< after which the runtime itself ends it
  bool holds_time = false;                                     ///< the runtime can: no command of the stack's does
  std::set<std::string> devices;  ///< nodes that the device controller lets be opened, `*` for all
};

/// Mounts by their targets, in mounting order. They must outlive it.
class MountIndex {
 public:
  MountIndex() = default;
  explicit MountIndex(const std::vector<ContainerMount>& mounts) {
    for (const ContainerMount& m : mounts) add(m);
  }
  /// The next in mounting order: it hides what earlier ones show at its target and beneath it.
  void add(const ContainerMount& mount) { last_.insert_or_assign(mount.target, Entry{count_++, &mount}); }
  /// The mount that shows `path`: the last one at it or above it. Nothing: no mount does. O(depth).
  const ContainerMount* at(std::string_view path) const;

 private:
  struct Entry {
    std::size_t number;
    const ContainerMount* mount;
  };
  std::unordered_map<std::string_view, Entry> last_;
  std::size_t count_ = 0;
};

/// The same for one path.
const ContainerMount* mount_at(const Container& container, std::string_view path);

}  // namespace agp::model
