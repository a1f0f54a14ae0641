#pragma once
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "compiler/driver/logs.hpp"
#include "compiler/linux/kernel_log.hpp"

namespace agp::driver {

/// One attempt that could be permitted by a rule, or not.
struct LogAttempt {
  LogEntry entry;
  std::string block;                   ///< "net", "syscall", "file": where the grant belongs
  std::vector<model::Action> actions;  ///< that the grant must permit; of a call whose arguments don't show, one
  bool any_arguments = false;          ///< a call: the grant must permit it whatever its arguments
};

/// Reads a log line by line and gathers what it says of one policy. Memory is bounded: see logs.hpp.
class LogReader {
 public:
  /// The references must outlive this object.
  LogReader(const model::Policy& policy, const model::Target& target);
  /// To the end of the stream; false when reading fails.
  bool read(std::FILE* log);

  LogCounts counts;
  std::map<std::string, LogAttempt> attempts;  ///< by their text

 private:
  void line(std::string_view text);
  void packet(const linux::LoggedPacket& p);
  void call(const linux::LoggedCall& c);
  void access(const linux::LoggedAccess& a);
  void net(const model::NetAction& action, bool unasked);
  void file(model::Verb verb, const std::string& path, bool beneath);
  LogAttempt* attempt(const std::string& text);
  void undecided(const std::string& text, std::string reason);

  const model::Policy& policy_;
  const model::Target& target_;
  std::map<std::string, std::size_t> rules_;  ///< what stands behind `R=` -> index into policy.rules
  std::string name_;                          ///< what stands behind `P=`
  std::uint32_t user_;
};

}  // namespace agp::driver
