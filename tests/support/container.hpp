#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compiler/model/policy.hpp"

/// One container under the real runc, started by the stack's own commands. Needs root. Everything it makes (a
/// directory, a network namespace, a container) is gone when it is destroyed.
namespace agp::test {

using Mutation = std::function<void(nlohmann::ordered_json&)>;

struct Outcome {
  int status = 0;  ///< exit status, 128 + signal; -1 when `prepare` failed
  std::string out, err;
  std::string failed;                   ///< the command of `prepare` that failed
  std::vector<std::string> unfinished;  ///< commands of `finally` that failed
};

/// Runs one program to its end. Empty `input` of the environment: inherited.
Outcome execute(const std::vector<std::string>& words);

/// Emits the policy, runs prepare, run, finally. `mutate` changes the run directory's config.json between the first
/// two: a control shows that a refusal is the changed line's.
Outcome run_container(model::Policy policy, const Mutation& mutate = {}, const std::string& stack = "oci");

/// A policy's attempts by name, each a line for busybox' shell, all run in one container: 0 when it succeeded.
std::map<std::string, int> attempt(const model::Policy& policy,
                                   const std::vector<std::pair<std::string, std::string>>& attempts,
                                   const Mutation& mutate = {}, const std::string& stack = "oci");

/// Index of the mount at `destination` in a config.json; fails the test when there is none.
nlohmann::ordered_json& mount_at(nlohmann::ordered_json& config, const std::string& destination);
void remove_mount(nlohmann::ordered_json& config, const std::string& destination);
void replace_option(nlohmann::ordered_json& config, const std::string& destination, const std::string& from,
                    const std::string& to);

/// A directory of its own under the system's temporary one, removed with what it holds.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  std::string path(const std::string& name = "") const;
  std::string file(const std::string& name, const std::string& text, int mode = 0644) const;
  std::string directory(const std::string& name, int mode = 0755) const;

 private:
  std::filesystem::path root_;
};

}  // namespace agp::test
