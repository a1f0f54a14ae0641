#include "compiler/linux/multiplexed.hpp"

#include <algorithm>

// SYS_* of include/uapi/linux/net.h; the numbers of include/uapi/linux/ipc.h.
namespace agp::linux {
namespace {

constexpr Multiplexed multiplexed_table[] = {
    {"socket", "socketcall", 1},
    {"bind", "socketcall", 2},
    {"connect", "socketcall", 3},
    {"listen", "socketcall", 4},
    {"accept", "socketcall", 5},
    {"getsockname", "socketcall", 6},
    {"getpeername", "socketcall", 7},
    {"socketpair", "socketcall", 8},
    {"send", "socketcall", 9},
    {"recv", "socketcall", 10},
    {"sendto", "socketcall", 11},
    {"recvfrom", "socketcall", 12},
    {"shutdown", "socketcall", 13},
    {"setsockopt", "socketcall", 14},
    {"getsockopt", "socketcall", 15},
    {"sendmsg", "socketcall", 16},
    {"recvmsg", "socketcall", 17},
    {"accept4", "socketcall", 18},
    {"recvmmsg", "socketcall", 19},
    {"sendmmsg", "socketcall", 20},
    {"semop", "ipc", 1},
    {"semget", "ipc", 2},
    {"semctl", "ipc", 3},
    {"semtimedop", "ipc", 4},
    {"msgsnd", "ipc", 11},
    {"msgrcv", "ipc", 12},
    {"msgget", "ipc", 13},
    {"msgctl", "ipc", 14},
    {"shmat", "ipc", 21},
    {"shmdt", "ipc", 22},
    {"shmget", "ipc", 23},
    {"shmctl", "ipc", 24},
};

}  // namespace

const Multiplexed* find_multiplexed(std::string_view name) {
  const auto* at = std::find_if(std::begin(multiplexed_table), std::end(multiplexed_table),
                                [&](const Multiplexed& m) { return m.name == name; });
  return at == std::end(multiplexed_table) ? nullptr : at;
}

}  // namespace agp::linux
