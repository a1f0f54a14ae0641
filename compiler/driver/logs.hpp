#pragma once
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"

/// `agp logs`: lines of the kernel's log -> attempts -> the rule that refuses each, or the smallest missing grant; and
/// the policy's text with those grants.
namespace agp::driver {

/// What the policy says of an attempt that the log shows.
enum class LogAnswer {
  Missing,    ///< no rule is about it: `grant` permits it, and is in the patch
  Forbidden,  ///< no rule is about it, and an invariant forbids what would permit it
  Denied,     ///< `rules` refuse it: no grant can change that
  Allowed,    ///< the policy allows it by now
  Undecided   ///< the line does not show enough, or a person has to decide; `reason` says what
};
std::string_view to_string(LogAnswer a);  ///< "missing", …

struct LogEntry {
  std::string attempt;  ///< `connect tcp 10.0.1.51:8443`, `syscall ptrace`
  LogAnswer answer = LogAnswer::Undecided;
  std::string grant;               ///< the rule that permits it, where one could
  std::vector<std::size_t> rules;  ///< behind a denial, indices into policy.rules
  std::string reason;              ///< a clause
  std::uint64_t count = 0;         ///< lines
};

struct LogCounts {
  std::uint64_t lines = 0;
  std::uint64_t about = 0;         ///< lines about this policy's attempts
  std::uint64_t others = 0;        ///< about other policies or users
  std::uint64_t kernels_own = 0;   ///< packets that no rule can be about, which the kernel sends by itself
  std::uint64_t unknown_rule = 0;  ///< naming a rule that this policy does not have
  std::uint64_t too_long = 0;      ///< longer than a line of the kernel's can be
  std::uint64_t dropped = 0;       ///< past the limit of different attempts
};

struct LogsReport {
  model::Policy policy;
  LogCounts counts;
  std::vector<LogEntry> entries;  ///< by answer, then by attempt
  std::string path;               ///< the policy's file, as messages show it
  std::string before, after;      ///< its text, and with the missing grants; alike if there is none
};

/// At most this many different attempts are kept, and this many bytes of a line read: memory is bounded whatever the
/// log is.
inline constexpr std::size_t most_attempts = 5000, longest_log_line = 8192;

/// `log` is read to its end. Nothing: the policy can't be used, and a finding says why.
std::optional<LogsReport> logs(Session& session, const std::string& file, std::FILE* log);

}  // namespace agp::driver
