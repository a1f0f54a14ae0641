#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace agp::test {

/// What a realisation finds: a directory of its own, and sockets to talk to.
struct World {
  std::string folder;   ///< holds `file`, `marked` (with user.x), the empty directory `empty`, `full/file`
  std::string nothing;  ///< a static program
  std::string program;  ///< its bytes
  int file = -1;        ///< `marked`, open to read and write
  int tcp_port = 0, udp_port = 0;
  std::string stream_path, datagram_path;
};
/// Made in FOLDER, whose sockets are listened to by this process.
World make_world(const std::string& folder, const std::string& nothing);

/// Makes one realisation, by its name in the table, with raw system calls alone: 0, or the errno of the call that
/// failed. Nothing is allocated; the process is at its end afterwards.
using Performer = std::function<int(const World&)>;
const std::map<std::string_view, Performer>& performers();

}  // namespace agp::test
