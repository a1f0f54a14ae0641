#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
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
  std::vector<ContainerMount> mounts;
  bool empty_root = false;  ///< the root shows nothing but mounts, and is read-only

  std::vector<std::string> command;
  std::string workdir, hostname;
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;
  std::optional<std::uint32_t> umask;  ///< the runtime's own where there is none
  std::string cgroup;                  ///< its path, as the runtime takes it
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
  std::set<std::string> devices;  ///< nodes that the device controller lets be opened, `*` for all
};

/// The mount that shows `path`: the last one in mounting order at it or above it. Nothing: no mount does.
const ContainerMount* mount_at(const Container& container, std::string_view path);

}  // namespace agp::model
