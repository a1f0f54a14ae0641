// Trials on sockets; only local ones, that carry nothing out of this process.
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/unit/linux/mask_trials.hpp"

namespace agp::linux::trials {
namespace {

using u64 = std::uint64_t;

long option_of(long fd, int option) {
  if (fd < 0) return fd;
  int value = -1;
  socklen_t size = sizeof value;
  getsockopt(static_cast<int>(fd), SOL_SOCKET, option, &value, &size);
  close(static_cast<int>(fd));
  return value;
}

struct Pair {
  int ends[2];
  Pair() {
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) ends[0] = ends[1] = -1;
  }
  ~Pair() {
    close(ends[0]);
    close(ends[1]);
  }
};

long through_pair(const std::function<long(const int*)>& call) {
  const Pair pair;
  return call(pair.ends);
}

}  // namespace

std::vector<Trial> socket_trials() {
  return {
      {"socket", "domain", AF_UNIX, AF_INET,
       [](u64 v) { return option_of(sys(SYS_socket, v, SOCK_DGRAM, 0), SO_DOMAIN); }},
      {"socket", "type", SOCK_STREAM, SOCK_DGRAM,
       [](u64 v) { return option_of(sys(SYS_socket, AF_UNIX, v, 0), SO_TYPE); }},
      {"socket", "protocol", IPPROTO_TCP, IPPROTO_UDP,
       [](u64 v) { return option_of(sys(SYS_socket, AF_INET, SOCK_STREAM, v), SO_PROTOCOL); }},
      {"socketpair", "domain", AF_UNIX, AF_INET,
       [](u64 v) {
         int ends[2];
         const long result = sys(SYS_socketpair, v, SOCK_DGRAM, 0, ends);
         if (result < 0) return result;
         close(ends[1]);
         return option_of(ends[0], SO_DOMAIN);
       }},
      {"sendto", "flags", MSG_DONTWAIT, MSG_OOB,
       [](u64 v) { return through_pair([v](const int* e) { return sys(SYS_sendto, e[0], "a", 1, v, 0, 0); }); }},
      {"recvfrom", "flags", MSG_DONTWAIT, MSG_OOB | MSG_DONTWAIT,
       [](u64 v) {
         char byte = 0;
         return through_pair([&](const int* e) { return sys(SYS_recvfrom, e[0], &byte, 1, v, 0, 0); });
       }},
      {"setsockopt", "optname", SO_PASSCRED, 999,
       [](u64 v) {
         int one = 1;
         return through_pair([&](const int* e) { return sys(SYS_setsockopt, e[0], SOL_SOCKET, v, &one, 4); });
       }},
      {"setsockopt", "level", SOL_SOCKET, 17,
       [](u64 v) {
         int one = 1;
         return through_pair([&](const int* e) { return sys(SYS_setsockopt, e[0], v, SO_PASSCRED, &one, 4); });
       }},
      {"shutdown", "how", SHUT_RD, 99,
       [](u64 v) { return through_pair([v](const int* e) { return sys(SYS_shutdown, e[0], v); }); }},
      {"listen", "sockfd", ~0u, 0, [](u64 v) { return sys(SYS_listen, v, 1); }},
  };
}

}  // namespace agp::linux::trials
