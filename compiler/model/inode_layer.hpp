#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/action.hpp"
#include "compiler/model/address.hpp"

namespace agp::model {

/// What a process can do to one path, as finely as the layers below decide it. Making, removing and moving are about
/// the entry in the directory around it; wherever the layer takes that decision, here it stands at the entry's own
/// path.
using InodeRights = std::uint32_t;
namespace inode {
inline constexpr InodeRights read = 1,  ///< open for reading
    list = 2,                           ///< open a directory
    exec = 4,                           ///< execve, and use as a program interpreter
    open_write = 8,                     ///< open for writing
    truncate = 16,                      ///< truncate(2), O_TRUNC
    attributes = 32,                    ///< mode, owner, times, extended attributes
    make_regular = 64, make_directory = 128, make_socket = 256, make_fifo = 512, make_symlink = 1024,
                             make_device = 2048,  ///< no policy permits it
    remove_file = 4096, remove_directory = 8192,
                             refer = 16384,  ///< rename or link from or to another directory, given the other rights
    connect = 32768,                         ///< connect to, or send to, a socket there
    ioctl = 65536;                           ///< ioctl on a device: an action of system calls, not of files
inline constexpr InodeRights all = 131071;
inline constexpr InodeRights modify = open_write | truncate | attributes;
inline constexpr InodeRights create = make_regular | make_directory | make_socket | make_fifo | make_symlink;
inline constexpr InodeRights remove = remove_file | remove_directory;
}  // namespace inode

/// The rights that a verb is made of: any of them is an excess where the verb is refused, and the lack of any a loss
/// where it is permitted.
constexpr InodeRights rights_of(Verb verb) {
  switch (verb) {
    case Verb::Read:
      return inode::read;
    case Verb::List:
      return inode::list;
    case Verb::Exec:
      return inode::exec;
    case Verb::Modify:
      return inode::modify;
    case Verb::Create:
      return inode::create;
    case Verb::Delete:
      return inode::remove;
  }
  return 0;
}

/// One directory or file that the layer names, and what lies beneath it down to the next that it names. `absent` are
/// rights to what can't be there: reading a directory, anything beneath a file; they count neither as granted nor as
/// refused. `later` are rights that a process does not have and can give itself, by changing the mode of what it owns:
/// no action is permitted that needs them, and none is kept from it.
struct InodeCell {
  std::string base;  ///< canonical
  InodeRights at = 0, beneath = 0;
  InodeRights absent_at = 0, absent_beneath = 0;
  std::string place;  ///< in the artifact: JSON pointers of what grants here, or ""
  InodeRights later_at = 0, later_beneath = 0;
};

/// What a layer of files permits, read back from one artifact. Neutral: mounts and Landlock rules have the same form.
struct InodeLayer {
  std::string artifact;
  std::string layer;             ///< the backend's name
  std::vector<InodeCell> cells;  ///< in path order, `/` first, no two of one base
  bool mounts = false;  ///< made of mounts: a mount point can't be made, removed or renamed
  bool moves = false;   ///< decides moves from one directory to another by a right of their own, `inode::refer`
};

/// What the layer grants at a path, or to what no cell names beneath it. O(cells).
struct InodeAnswer {
  InodeRights granted = 0, absent = 0;
  std::string place;
};
InodeAnswer rights_at(const InodeLayer& layer, std::string_view path, bool beneath);
std::string_view right_name(InodeRights right);  ///< of the lowest bit: "read", "open for writing", …

/// The ports that a layer without addresses lets TCP and UDP use (no value: not decided), and what it lets a process do
/// to those outside of it.
struct PortLayer {
  std::string artifact;
  std::string layer;
  std::optional<PortSet> connect_tcp, listen_tcp, connect_udp, listen_udp;
  /// Of processes outside the layer: their abstract sockets may be connected to, they may be sent signals
  /// (landlock(7)).
  bool outside_sockets = true, outside_signals = true;
};

}  // namespace agp::model
