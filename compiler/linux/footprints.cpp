// The table of footprints. Values: include/linux/socket.h and net.h, include/uapi/linux/in.h, in6.h and fcntl.h.
#include "compiler/linux/footprints.hpp"

#include <algorithm>
#include <array>

namespace agp::linux {
namespace {

using V = std::uint64_t;

constexpr V unix_domain[] = {1}, inet[] = {2, 10};
constexpr V stream[] = {1}, datagram[] = {2}, any_unix[] = {1, 2, 5}, echo[] = {2, 3};
constexpr V plain_tcp[] = {0, 6}, multipath[] = {262}, plain_udp[] = {0, 17}, icmp[] = {1, 58}, no_protocol[] = {0};
constexpr V fast_open[] = {0x20000000};
constexpr V type_flags = 0x80800;            // SOCK_CLOEXEC | SOCK_NONBLOCK
constexpr V message_flags = ~V{0x20000000};  // whatever else send(2) is given

template <const auto& Domain, const auto& Type, const auto& Protocol>
constexpr std::array<ArgumentFact, 3> socket_of = {ArgumentFact{0, 0, Domain}, ArgumentFact{1, type_flags, Type},
                                                   ArgumentFact{2, 0, Protocol}};
constexpr std::array<ArgumentFact, 1> sendto_fast = {ArgumentFact{3, message_flags, fast_open}};
constexpr std::array<ArgumentFact, 1> sendmsg_fast = {ArgumentFact{2, message_flags, fast_open}};

constexpr CallFact tcp_socket{"socket", socket_of<inet, stream, plain_tcp>};
constexpr CallFact mptcp_socket{"socket", socket_of<inet, stream, multipath>};
constexpr CallFact udp_socket{"socket", socket_of<inet, datagram, plain_udp>};
constexpr CallFact icmp_socket{"socket", socket_of<inet, echo, icmp>};
constexpr CallFact unix_socket{"socket", socket_of<unix_domain, any_unix, no_protocol>};

/// Rows name their calls as lists of static lifetime.
template <CallFact const&... Facts>
constexpr std::array<CallFact, sizeof...(Facts)> list = {Facts...};

#define AGP_CALL(name)          \
  constexpr CallFact c_##name { \
#name, {}                   \
  }
AGP_CALL(open);
AGP_CALL(openat);
AGP_CALL(openat2);
AGP_CALL(creat);
AGP_CALL(getdents64);
AGP_CALL(execve);
AGP_CALL(execveat);
AGP_CALL(memfd_create);
AGP_CALL(write);
AGP_CALL(truncate);
AGP_CALL(mkdir);
AGP_CALL(mkdirat);
AGP_CALL(mknod);
AGP_CALL(mknodat);
AGP_CALL(symlink);
AGP_CALL(symlinkat);
AGP_CALL(link);
AGP_CALL(linkat);
AGP_CALL(unlink);
AGP_CALL(unlinkat);
AGP_CALL(rmdir);
AGP_CALL(rename);
AGP_CALL(renameat);
AGP_CALL(renameat2);
AGP_CALL(chmod);
AGP_CALL(fchmod);
AGP_CALL(fchmodat);
AGP_CALL(fchmodat2);
AGP_CALL(chown);
AGP_CALL(fchown);
AGP_CALL(lchown);
AGP_CALL(fchownat);
AGP_CALL(utime);
AGP_CALL(utimes);
AGP_CALL(futimesat);
AGP_CALL(utimensat);
AGP_CALL(setxattr);
AGP_CALL(lsetxattr);
AGP_CALL(fsetxattr);
AGP_CALL(setxattrat);
AGP_CALL(removexattr);
AGP_CALL(lremovexattr);
AGP_CALL(fremovexattr);
AGP_CALL(removexattrat);
AGP_CALL(file_setattr);
AGP_CALL(connect);
AGP_CALL(sendto);
AGP_CALL(sendmsg);
AGP_CALL(sendmmsg);
AGP_CALL(bind);
AGP_CALL(listen);
AGP_CALL(accept);
AGP_CALL(accept4);
#undef AGP_CALL
constexpr CallFact fast_sendto{"sendto", sendto_fast}, fast_sendmsg{"sendmsg", sendmsg_fast};

constexpr Way canonical = Way::Canonical, usual = Way::Usual, around = Way::Around;

constexpr Footprint footprint_table[] = {
    {Act::Read, "openat to read", canonical, list<c_openat>, "read"},
    {Act::Read, "open to read", usual, list<c_open>, "read"},
    {Act::Read, "openat2 to read", usual, list<c_openat2>, "read"},
    {Act::List, "openat and getdents64", canonical, list<c_openat, c_getdents64>, "list"},
    {Act::List, "open and getdents64", usual, list<c_open, c_getdents64>, "list"},
    {Act::Exec, "execve", canonical, list<c_execve>, "exec"},
    {Act::Exec, "execveat", usual, list<c_execveat>, "exec"},
    {Act::Exec, "execveat of a memfd", around, list<c_memfd_create, c_write, c_execveat>, ""},
    {Act::Modify, "openat to write", canonical, list<c_openat>, "open_write"},
    {Act::Modify, "open to write", usual, list<c_open>, "open_write"},
    {Act::Modify, "openat2 to write", usual, list<c_openat2>, "open_write"},
    {Act::Modify, "creat of a file that is there", usual, list<c_creat>, "open_write"},
    {Act::Modify, "truncate", usual, list<c_truncate>, "truncate"},
    {Act::Attributes, "fchmodat", canonical, list<c_fchmodat>, "attributes"},
    {Act::Attributes, "chmod", usual, list<c_chmod>, "attributes"},
    {Act::Attributes, "fchmod", usual, list<c_fchmod>, "attributes"},
    {Act::Attributes, "fchmodat2", usual, list<c_fchmodat2>, "attributes"},
    {Act::Attributes, "chown", usual, list<c_chown>, "attributes"},
    {Act::Attributes, "fchown", usual, list<c_fchown>, "attributes"},
    {Act::Attributes, "lchown", usual, list<c_lchown>, "attributes"},
    {Act::Attributes, "fchownat", usual, list<c_fchownat>, "attributes"},
    {Act::Attributes, "utime", usual, list<c_utime>, "attributes"},
    {Act::Attributes, "utimes", usual, list<c_utimes>, "attributes"},
    {Act::Attributes, "futimesat", usual, list<c_futimesat>, "attributes"},
    {Act::Attributes, "utimensat", usual, list<c_utimensat>, "attributes"},
    {Act::Attributes, "setxattr", usual, list<c_setxattr>, "attributes"},
    {Act::Attributes, "lsetxattr", usual, list<c_lsetxattr>, "attributes"},
    {Act::Attributes, "fsetxattr", usual, list<c_fsetxattr>, "attributes"},
    {Act::Attributes, "setxattrat", usual, list<c_setxattrat>, "attributes"},
    {Act::Attributes, "removexattr", usual, list<c_removexattr>, "attributes"},
    {Act::Attributes, "lremovexattr", usual, list<c_lremovexattr>, "attributes"},
    {Act::Attributes, "fremovexattr", usual, list<c_fremovexattr>, "attributes"},
    {Act::Attributes, "removexattrat", usual, list<c_removexattrat>, "attributes"},
    {Act::Attributes, "file_setattr", usual, list<c_file_setattr>, "attributes"},
    {Act::Create, "openat with O_CREAT", canonical, list<c_openat>, "make_regular"},
    {Act::Create, "open with O_CREAT", usual, list<c_open>, "make_regular"},
    {Act::Create, "creat", usual, list<c_creat>, "make_regular"},
    {Act::Create, "mkdirat", canonical, list<c_mkdirat>, "make_directory"},
    {Act::Create, "mkdir", usual, list<c_mkdir>, "make_directory"},
    {Act::Create, "mknodat of a pipe", canonical, list<c_mknodat>, "make_fifo"},
    {Act::Create, "mknod of a pipe", usual, list<c_mknod>, "make_fifo"},
    {Act::Create, "symlinkat", canonical, list<c_symlinkat>, "make_symlink"},
    {Act::Create, "symlink", usual, list<c_symlink>, "make_symlink"},
    {Act::Create, "linkat", usual, list<c_linkat>, "make_regular"},
    {Act::Create, "link", usual, list<c_link>, "make_regular"},
    {Act::Create, "linkat from another directory", usual, list<c_linkat>, "refer"},
    {Act::Create, "renameat2 from another directory", usual, list<c_renameat2>, "refer"},
    {Act::Create, "bind of a path", usual, list<unix_socket, c_bind>, "make_socket"},
    {Act::Delete, "unlinkat", canonical, list<c_unlinkat>, "remove_file"},
    {Act::Delete, "unlink", usual, list<c_unlink>, "remove_file"},
    {Act::Delete, "rmdir", usual, list<c_rmdir>, "remove_directory"},
    {Act::Delete, "renameat2", canonical, list<c_renameat2>, "remove_file"},
    {Act::Delete, "renameat", usual, list<c_renameat>, "remove_file"},
    {Act::Delete, "rename", usual, list<c_rename>, "remove_file"},
    {Act::ConnectTcp, "connect", canonical, list<tcp_socket, c_connect>, "", true},
    {Act::ConnectTcp, "connect of MPTCP", around, list<mptcp_socket, c_connect>, "", true},
    {Act::ConnectTcp, "sendto with MSG_FASTOPEN", around, list<tcp_socket, fast_sendto>, "", true},
    {Act::ConnectTcp, "sendmsg with MSG_FASTOPEN", around, list<tcp_socket, fast_sendmsg>, "", true},
    {Act::ConnectUdp, "sendto of UDP", canonical, list<udp_socket, c_sendto>, "", true},
    {Act::ConnectUdp, "connect of UDP", usual, list<udp_socket, c_connect>, "", true},
    {Act::ConnectUdp, "sendmsg of UDP", usual, list<udp_socket, c_sendmsg>, "", true},
    {Act::ConnectUdp, "sendmmsg of UDP", usual, list<udp_socket, c_sendmmsg>, "", true},
    {Act::ConnectIcmp, "sendto of an echo request", canonical, list<icmp_socket, c_sendto>, "", true},
    {Act::ConnectIcmp, "connect of an echo socket", usual, list<icmp_socket, c_connect>, "", true},
    {Act::ConnectIcmp, "sendmsg of an echo request", usual, list<icmp_socket, c_sendmsg>, "", true},
    {Act::ConnectIcmp, "sendmmsg of an echo request", usual, list<icmp_socket, c_sendmmsg>, "", true},
    {Act::ListenTcp, "bind, listen and accept4", canonical, list<tcp_socket, c_bind, c_listen, c_accept4>, "", true},
    {Act::ListenTcp, "bind, listen and accept", usual, list<tcp_socket, c_bind, c_listen, c_accept>, "", true},
    {Act::ListenTcp, "listen without bind", around, list<tcp_socket, c_listen, c_accept4>, "", true},
    {Act::ListenUdp, "bind of UDP", canonical, list<udp_socket, c_bind>, "", true},
    {Act::ConnectUnix, "connect of a path", canonical, list<unix_socket, c_connect>, "connect"},
    {Act::ConnectUnix, "sendto of a path", usual, list<unix_socket, c_sendto>, "connect"},
    {Act::ConnectUnix, "sendmsg of a path", usual, list<unix_socket, c_sendmsg>, "connect"},
    {Act::ConnectUnix, "sendmmsg of a path", usual, list<unix_socket, c_sendmmsg>, "connect"},
    {Act::ListenUnix, "bind of a name", canonical, list<unix_socket, c_bind>, ""},
};
static_assert(std::is_sorted(std::begin(footprint_table), std::end(footprint_table),
                             [](const Footprint& a, const Footprint& b) { return a.act < b.act; }));

constexpr std::string_view acts[] = {"read",       "list",       "exec",         "modify",      "modify",
                                     "create",     "delete",     "connect tcp",  "connect udp", "connect icmp",
                                     "listen tcp", "listen udp", "connect unix", "listen unix"};

}  // namespace

std::string_view to_string(Act act) { return acts[static_cast<std::size_t>(act)]; }

std::span<const Footprint> footprints() { return footprint_table; }

std::span<const Footprint> footprints(Act act) {
  const auto [first, last] = std::equal_range(std::begin(footprint_table), std::end(footprint_table),
                                              Footprint{act, "", Way::Usual, {}, "", false},
                                              [](const Footprint& a, const Footprint& b) { return a.act < b.act; });
  return {first, last};
}

}  // namespace agp::linux
