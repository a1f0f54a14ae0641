#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/model/policy.hpp"

/// What files say that no kernel loads: which tools an agent host permits, and which lines of which log raise an alert.
/// Neutral of their formats.
namespace agp::model {

struct ToolRule {
  Effect effect = Effect::Deny;
  std::vector<std::string> tools, except;  ///< globs as model::text_glob reads them
  std::optional<Risk> risk;
  std::optional<Day> until;  ///< the last day on which it counts
  std::string place;         ///< JSON pointer
};
struct ToolLayer {
  std::string artifact;
  std::vector<ToolRule> rules;  ///< decided as LANGUAGE.md decides: deny, ask, allow, else deny
};

/// One kind of line in one log.
struct AlertLine {
  enum class Log { Kernel, Resolver, Audit };
  std::string on;  ///< the verb or block that it is about
  Log log = Log::Kernel;
  std::string text;  ///< Kernel: what the line begins with; Resolver: the regular expression; Audit: the record's type
  Direction direction = Direction::Connect;  ///< Kernel
  std::string place;                         ///< JSON pointer
};
/// What no layer reports of a verb or block.
struct AlertGap {
  std::string on;
  bool all = false;  ///< nothing of it is reported
  std::string place;
};
struct AlertEntry {
  std::optional<Severity> severity;  ///< none: `log`
  std::vector<std::string> on;       ///< of an alert
  std::vector<AlertLine> lines;
  std::vector<AlertGap> gaps;
  std::string place;
};
struct AlertLayer {
  std::string artifact;
  std::optional<AlertEntry> log;
  std::vector<AlertEntry> alerts;
};

}  // namespace agp::model
