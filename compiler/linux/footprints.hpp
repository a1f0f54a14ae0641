#pragma once
#include <cstdint>
#include <span>
#include <string_view>

/// What an action is made of, as layers see it (VERIFICATION.md, "Kernel facts and footprints"). Each row is one
/// *realisation* of an action: a set of facts that must all be permitted for it to happen that way. tests/runtime/
/// footprints makes each row in the running kernel: with these calls alone, and not without any one of them.
namespace agp::linux {

enum class Act : std::uint8_t {
  Read,
  List,
  Exec,
  Modify,      ///< of what is in a file
  Attributes,  ///< mode, owner, times, extended attributes: `modify` too
  Create,
  Delete,
  ConnectTcp,
  ConnectUdp,
  ConnectIcmp,
  ListenTcp,
  ListenUdp,
  ConnectUnix,
  ListenUnix,
};
std::string_view to_string(Act act);  ///< "connect tcp"

/// A condition on one argument: one of `values` once the bits of `optional` are taken away.
struct ArgumentFact {
  std::uint8_t argument = 0;
  std::uint64_t optional = 0;
  std::span<const std::uint64_t> values;
};
/// `sys(call, arguments)`; without conditions: whatever they are.
struct CallFact {
  std::string_view call;
  std::span<const ArgumentFact> arguments;
};

/// How a realisation is counted. A policy's loss is about the canonical one, its conflicts about those that programs
/// use, its excess about all.
enum class Way : std::uint8_t {
  Canonical,  ///< what the C library does on the architectures of the tables; one row of each act at least
  Usual,      ///< another that programs use
  Around,     ///< one that some layer does not see: MSG_FASTOPEN, MPTCP, io_uring, a program that is no file
};

struct Footprint {
  Act act;
  std::string_view name;  ///< of the realisation, unique: "sendto with MSG_FASTOPEN"
  Way way = Way::Usual;
  std::span<const CallFact> calls;
  std::string_view right;  ///< of an inode layer, in the words of model::inode; empty: it decides nothing here
  bool packet = false;     ///< and the new packet at the hook of output, or of input for `listen`
};

/// Every row, by act, the canonical ones of an act first. Static lifetime.
std::span<const Footprint> footprints();
std::span<const Footprint> footprints(Act act);

}  // namespace agp::linux
