#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// One file of landlockconfig, as it is written and as its `compose` joins several. Variables are not replaced yet.
namespace agp::backends::landlock {

struct Config {
  struct Rule {
    std::uint64_t rights = 0;
    std::string place;  ///< JSON pointer of the path; those of several, joined by `, `
  };
  std::optional<int> abi;
  std::map<std::string, std::set<std::string>> variables;
  std::uint64_t handled_fs = 0, handled_net = 0, scoped = 0;
  std::map<std::string, Rule> paths;  ///< by the path as written
  std::map<std::uint16_t, std::uint64_t> ports;
};

struct ReadConfig {
  std::optional<Config> config;
  std::string refused;  ///< why there is none
};
/// Strict: what the launcher would refuse is refused. O(bytes).
ReadConfig read_config(std::string_view bytes);

/// What landlockconfig's `compose` makes of two (its src/config.rs): rights are handled only if both handle them, rules
/// are added up and cut to the common rights. So another file can permit more than each of the two alone.
Config compose(const Config& a, const Config& b);

/// `$$` is a dollar, `${name}` each value of a variable. Nothing: a variable without a value, an open brace, or more
/// than a million paths.
std::optional<std::vector<std::string>> expand(const std::string& text, const Config& config);

}  // namespace agp::backends::landlock
