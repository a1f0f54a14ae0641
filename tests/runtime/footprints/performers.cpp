#include "tests/runtime/footprints/performers.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace agp::test {
namespace {

// numbers that Debian 12's headers do not have yet; the same on every architecture (include/uapi/asm-generic/unistd.h)
constexpr long nr_fchmodat2 = 452, nr_setxattrat = 463, nr_removexattrat = 466, nr_file_setattr = 469;

/// 0 for a call that worked, else its errno.
template <class... A>
int call(long number, A... arguments) {
  return syscall(number, arguments...) < 0 ? errno : 0;
}
/// Names are relative to the world's folder, in which the process stands.
const char *file = "file", *inner = "full/file", *marked = "marked", *fresh = "fresh", *name_x = "user.x",
           *name_y = "user.y";

sockaddr_in to(int port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}
sockaddr_un at_path(const char* path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::strncpy(at.sun_path, path, sizeof at.sun_path - 1);
  return at;
}

constexpr std::uint8_t echo[8] = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};

enum class Send { To, Message, Messages };

template <class Address>
int send(long socket, Send how, Address address, int flags = 0) {
  iovec part{const_cast<std::uint8_t*>(echo), sizeof echo};
  mmsghdr message{};
  message.msg_hdr.msg_name = &address;
  message.msg_hdr.msg_namelen = sizeof address;
  message.msg_hdr.msg_iov = &part;
  message.msg_hdr.msg_iovlen = 1;
  switch (how) {
    case Send::To:
      return call(SYS_sendto, socket, echo, sizeof echo, flags, &address, sizeof address);
    case Send::Message:
      return call(SYS_sendmsg, socket, &message.msg_hdr, flags);
    case Send::Messages:
      return call(SYS_sendmmsg, socket, &message, 1, flags);
  }
  return EINVAL;
}

/// A socket, and what is done with it.
template <class F>
int with(int domain, int type, int protocol, F f) {
  const long made = syscall(SYS_socket, domain, type, protocol);
  return made < 0 ? errno : f(made);
}

int opened(long fd, int (*then)(long) = nullptr) { return fd < 0 ? errno : then ? then(fd) : 0; }
int entries(long fd) {
  static char buffer[4096];
  return call(SYS_getdents64, fd, buffer, sizeof buffer);
}

int accepted(long socket, long number) {
  if (syscall(number, socket, nullptr, nullptr, 0) >= 0) return 0;
  return errno == EAGAIN ? 0 : errno;  // nobody has come yet
}
int listens(bool bound, long accept) {
  return with(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, [&](long s) {
    const sockaddr_in any = to(0);
    if (bound)
      if (const int e = call(SYS_bind, s, &any, sizeof any)) return e;
    if (const int e = call(SYS_listen, s, 8)) return e;
    return accepted(s, accept);
  });
}

int run_memfd(const World& w) {
  const long fd = syscall(SYS_memfd_create, "x", 0);
  if (fd < 0) return errno;
  if (const int e = call(SYS_write, fd, w.program.data(), w.program.size())) return e;
  char* const none[] = {nullptr};
  return call(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH);
}

int set_by_fd_free_xattr() {
  const struct {
    std::uint64_t value;
    std::uint32_t size, flags;
  } arguments = {reinterpret_cast<std::uintptr_t>("1"), 1, 0};
  return call(nr_setxattrat, AT_FDCWD, file, 0, name_y, &arguments, sizeof arguments);
}

std::map<std::string_view, Performer> file_performers() {
  static const std::uint64_t how_read[3] = {O_RDONLY, 0, 0}, how_write[3] = {O_WRONLY, 0, 0};
  static char* const none[] = {nullptr};
  using W = const World&;
  return {
      {"openat to read", [](W) { return call(SYS_openat, AT_FDCWD, file, O_RDONLY); }},
      {"open to read", [](W) { return call(SYS_open, file, O_RDONLY); }},
      {"openat2 to read", [](W) { return call(SYS_openat2, AT_FDCWD, file, how_read, sizeof how_read); }},
      {"openat and getdents64", [](W) { return opened(syscall(SYS_openat, AT_FDCWD, ".", O_DIRECTORY), entries); }},
      {"open and getdents64", [](W) { return opened(syscall(SYS_open, ".", O_DIRECTORY), entries); }},
      {"execve", [](W w) { return call(SYS_execve, w.nothing.c_str(), none, none); }},
      {"execveat", [](W w) { return call(SYS_execveat, AT_FDCWD, w.nothing.c_str(), none, none, 0); }},
      {"execveat of a memfd", run_memfd},
      {"openat to write", [](W) { return call(SYS_openat, AT_FDCWD, file, O_WRONLY); }},
      {"open to write", [](W) { return call(SYS_open, file, O_WRONLY); }},
      {"openat2 to write", [](W) { return call(SYS_openat2, AT_FDCWD, file, how_write, sizeof how_write); }},
      {"creat of a file that is there", [](W) { return call(SYS_creat, file, 0600); }},
      {"truncate", [](W) { return call(SYS_truncate, file, 0); }},
      {"fchmodat", [](W) { return call(SYS_fchmodat, AT_FDCWD, file, 0600); }},
      {"chmod", [](W) { return call(SYS_chmod, file, 0600); }},
      {"fchmod", [](W w) { return call(SYS_fchmod, w.file, 0600); }},
      {"fchmodat2", [](W) { return call(nr_fchmodat2, AT_FDCWD, file, 0600, 0); }},
      {"chown", [](W) { return call(SYS_chown, file, -1, -1); }},
      {"fchown", [](W w) { return call(SYS_fchown, w.file, -1, -1); }},
      {"lchown", [](W) { return call(SYS_lchown, file, -1, -1); }},
      {"fchownat", [](W) { return call(SYS_fchownat, AT_FDCWD, file, -1, -1, 0); }},
      {"utime", [](W) { return call(SYS_utime, file, nullptr); }},
      {"utimes", [](W) { return call(SYS_utimes, file, nullptr); }},
      {"futimesat", [](W) { return call(SYS_futimesat, AT_FDCWD, file, nullptr); }},
      {"utimensat", [](W) { return call(SYS_utimensat, AT_FDCWD, file, nullptr, 0); }},
      {"setxattr", [](W) { return call(SYS_setxattr, file, name_y, "1", 1, 0); }},
      {"lsetxattr", [](W) { return call(SYS_lsetxattr, file, name_y, "1", 1, 0); }},
      {"fsetxattr", [](W w) { return call(SYS_fsetxattr, w.file, name_y, "1", 1, 0); }},
      {"setxattrat", [](W) { return set_by_fd_free_xattr(); }},
      {"removexattr", [](W) { return call(SYS_removexattr, marked, name_x); }},
      {"lremovexattr", [](W) { return call(SYS_lremovexattr, marked, name_x); }},
      {"fremovexattr", [](W w) { return call(SYS_fremovexattr, w.file, name_x); }},
      {"removexattrat", [](W) { return call(nr_removexattrat, AT_FDCWD, marked, 0, name_x); }},
      {"file_setattr",
       [](W) {
         const std::uint64_t none_of[3] = {};
         return call(nr_file_setattr, AT_FDCWD, file, none_of, sizeof none_of, 0);
       }},
      {"openat with O_CREAT", [](W) { return call(SYS_openat, AT_FDCWD, fresh, O_CREAT | O_EXCL, 0600); }},
      {"open with O_CREAT", [](W) { return call(SYS_open, fresh, O_CREAT | O_EXCL, 0600); }},
      {"creat", [](W) { return call(SYS_creat, fresh, 0600); }},
      {"mkdirat", [](W) { return call(SYS_mkdirat, AT_FDCWD, fresh, 0700); }},
      {"mkdir", [](W) { return call(SYS_mkdir, fresh, 0700); }},
      {"mknodat of a pipe", [](W) { return call(SYS_mknodat, AT_FDCWD, fresh, S_IFIFO | 0600, 0); }},
      {"mknod of a pipe", [](W) { return call(SYS_mknod, fresh, S_IFIFO | 0600, 0); }},
      {"symlinkat", [](W) { return call(SYS_symlinkat, file, AT_FDCWD, fresh); }},
      {"symlink", [](W) { return call(SYS_symlink, file, fresh); }},
      {"linkat", [](W) { return call(SYS_linkat, AT_FDCWD, file, AT_FDCWD, fresh, 0); }},
      {"link", [](W) { return call(SYS_link, file, fresh); }},
      {"linkat from another directory", [](W) { return call(SYS_linkat, AT_FDCWD, inner, AT_FDCWD, fresh, 0); }},
      {"renameat2 from another directory", [](W) { return call(SYS_renameat2, AT_FDCWD, inner, AT_FDCWD, fresh, 0); }},
      {"unlinkat", [](W) { return call(SYS_unlinkat, AT_FDCWD, file, 0); }},
      {"unlink", [](W) { return call(SYS_unlink, file); }},
      {"rmdir", [](W) { return call(SYS_rmdir, "empty"); }},
      {"renameat2", [](W) { return call(SYS_renameat2, AT_FDCWD, file, AT_FDCWD, fresh, 0); }},
      {"renameat", [](W) { return call(SYS_renameat, AT_FDCWD, file, AT_FDCWD, fresh); }},
      {"rename", [](W) { return call(SYS_rename, file, fresh); }},
  };
}

template <class F>
Performer tcp(int protocol, F f) {
  return [=](const World& w) {
    return with(AF_INET, SOCK_STREAM, protocol, [&](long s) { return f(s, to(w.tcp_port)); });
  };
}
template <class F>
Performer udp(F f) {
  return [=](const World& w) { return with(AF_INET, SOCK_DGRAM, 0, [&](long s) { return f(s, to(w.udp_port)); }); };
}
template <class F>
Performer icmp(F f) {
  return [=](const World&) { return with(AF_INET, SOCK_RAW, IPPROTO_ICMP, [&](long s) { return f(s, to(0)); }); };
}
template <class F>
Performer local(int type, F f) {
  return [=](const World& w) {
    const std::string& path = type == SOCK_STREAM ? w.stream_path : w.datagram_path;
    return with(AF_UNIX, type, 0, [&](long s) { return f(s, at_path(path.c_str())); });
  };
}

std::map<std::string_view, Performer> socket_performers() {
  const auto connects = [](long s, auto at) { return call(SYS_connect, s, &at, sizeof at); };
  const auto sends = [](Send how, int flags = 0) { return [=](long s, auto at) { return send(s, how, at, flags); }; };
  const auto binds = [](long s, auto at) { return call(SYS_bind, s, &at, sizeof at); };
  return {
      {"bind of a path",
       [=](const World&) { return with(AF_UNIX, SOCK_STREAM, 0, [&](long s) { return binds(s, at_path(fresh)); }); }},
      {"connect", tcp(0, connects)},
      {"connect of MPTCP", tcp(262, connects)},
      {"sendto with MSG_FASTOPEN", tcp(0, sends(Send::To, MSG_FASTOPEN))},
      {"sendmsg with MSG_FASTOPEN", tcp(0, sends(Send::Message, MSG_FASTOPEN))},
      {"sendto of UDP", udp(sends(Send::To))},
      {"connect of UDP", udp(connects)},
      {"sendmsg of UDP", udp(sends(Send::Message))},
      {"sendmmsg of UDP", udp(sends(Send::Messages))},
      {"sendto of an echo request", icmp(sends(Send::To))},
      {"connect of an echo socket", icmp(connects)},
      {"sendmsg of an echo request", icmp(sends(Send::Message))},
      {"sendmmsg of an echo request", icmp(sends(Send::Messages))},
      {"bind, listen and accept4", [](const World&) { return listens(true, SYS_accept4); }},
      {"bind, listen and accept", [](const World&) { return listens(true, SYS_accept); }},
      {"listen without bind", [](const World&) { return listens(false, SYS_accept4); }},
      {"bind of UDP",
       [=](const World&) { return with(AF_INET, SOCK_DGRAM, 0, [&](long s) { return binds(s, to(0)); }); }},
      {"connect of a path", local(SOCK_STREAM, connects)},
      {"sendto of a path", local(SOCK_DGRAM, sends(Send::To))},
      {"sendmsg of a path", local(SOCK_DGRAM, sends(Send::Message))},
      {"sendmmsg of a path", local(SOCK_DGRAM, sends(Send::Messages))},
      {"bind of a name",
       [](const World&) {
         return with(AF_UNIX, SOCK_STREAM, 0, [](long s) {
           const sa_family_t any = AF_UNIX;  // the kernel finds a name without a path
           return call(SYS_bind, s, &any, sizeof any);
         });
       }},
  };
}

int bound(int type, const sockaddr* at, socklen_t size) {
  const int s = socket(at->sa_family, type, 0);
  if (s < 0 || bind(s, at, size) != 0 || (type == SOCK_STREAM && listen(s, 64) != 0))
    throw std::runtime_error("socket");
  return s;
}
int bound_port(int type) {
  sockaddr_in at = to(0);
  socklen_t size = sizeof at;
  const int s = bound(type, reinterpret_cast<sockaddr*>(&at), size);
  getsockname(s, reinterpret_cast<sockaddr*>(&at), &size);
  return ntohs(at.sin_port);
}

}  // namespace

World make_world(const std::string& folder, const std::string& nothing) {
  World w;
  w.folder = folder;
  w.nothing = nothing;
  std::ifstream in(nothing, std::ios::binary);
  w.program.assign(std::istreambuf_iterator<char>(in), {});
  for (const char* name : {"/empty", "/full"}) mkdir((folder + name).c_str(), 0700);
  for (const char* name : {file, marked, inner}) std::ofstream(folder + "/" + name) << "text";
  setxattr((folder + "/" + marked).c_str(), name_x, "1", 1, 0);
  w.file = open((folder + "/" + marked).c_str(), O_RDWR | O_CLOEXEC);
  w.tcp_port = bound_port(SOCK_STREAM);
  w.udp_port = bound_port(SOCK_DGRAM);
  w.stream_path = folder + "/stream";
  w.datagram_path = folder + "/datagram";
  for (const auto& [path, type] : {std::pair{w.stream_path, SOCK_STREAM}, std::pair{w.datagram_path, SOCK_DGRAM}}) {
    const sockaddr_un at = at_path(path.c_str());
    bound(type, reinterpret_cast<const sockaddr*>(&at), sizeof at);
  }
  return w;
}

const std::map<std::string_view, Performer>& performers() {
  static const std::map<std::string_view, Performer> all = [] {
    auto out = file_performers();
    out.merge(socket_performers());
    return out;
  }();
  return all;
}

}  // namespace agp::test
