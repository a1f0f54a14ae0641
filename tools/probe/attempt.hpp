#pragma once
#include <string>
#include <string_view>

#include "tools/probe/line.hpp"

namespace agp::probe {

/// What became of one attempt. `outcome` is `ok`, the name of the errno that refused it, or one of the words beneath;
/// a child's death adds `SIG…` and `timeout` (main.cpp). Whether that is what was expected is for the caller to say.
struct Outcome {
  std::string outcome;
  std::string detail;
};
Outcome ok(std::string detail = {});
Outcome refused(int error, std::string detail = {});  ///< the errno's name
Outcome unprepared(std::string why);                  ///< what must come before the attempt failed: it shows nothing
inline constexpr const char* absent = "ABSENT";       ///< env, capability: not there
inline constexpr const char* masked = "MASKED";       ///< read, list: an empty thing lies over the node
inline constexpr const char* empty_answer = "EMPTY";  ///< resolve: no record of the type asked for

/// The parameters of one attempt: the fields beneath `attempt.`.
class Arguments {
 public:
  explicit Arguments(const Fields& fields) : fields_(fields) {}
  std::string text(const char* name, std::string otherwise = {}) const;
  bool has(const char* name) const;
  bool flag(const char* name) const { return text(name) == "true"; }
  /// Decimal or 0x…; `otherwise` when the field is absent or no number.
  std::uint64_t number(const char* name, std::uint64_t otherwise = 0) const;

 private:
  const Fields& fields_;
};
/// Decimal or 0x…
std::optional<std::uint64_t> parse_number(std::string_view text);

/// Runs in a child of its own that is killed when its time is over. Each leaves nothing behind, also when it succeeds.
Outcome attempt_file(std::string_view kind, const Arguments& arguments);
Outcome attempt_net(std::string_view kind, const Arguments& arguments);
Outcome attempt_call(std::string_view kind, const Arguments& arguments);
Outcome attempt_limit(std::string_view kind, const Arguments& arguments);

}  // namespace agp::probe
