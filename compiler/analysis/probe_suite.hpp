#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/analysis/probes.hpp"
#include "compiler/linux/syscalls.hpp"

/// Inside of the suite: what its two lists (rules, fixed) share.
namespace agp::analysis {

/// Collects probes; decides what is expected of each, who decides it and which layer holds it.
class Suite {
 public:
  Suite(const model::Policy& policy, const model::Target& target, std::span<const ProbeGrant> derived);

  const model::Policy& policy() const { return policy_; }
  /// The backend whose artifact makes the container.
  const char* container_layer() const {
    return stack_ == "podman" || stack_ == "docker" ? stack_.c_str() : stack_ == "kubernetes" ? "kubernetes" : "oci";
  }
  const char* packet_layer() const { return stack_ == "kubernetes" ? "kubernetes" : "nftables"; }
  linux::Arch arch() const { return arch_; }
  std::span<const ProbeGrant> derived() const { return derived_; }
  std::vector<Probe> take() { return std::move(out_); }

  /// The rule whose boundaries follow, or none for the fixed list.
  void about_rule(std::optional<std::size_t> rule) { rule_ = rule; }

  /// An attempt that is these actions. An attempt with the same id is added once.
  void add(std::string id, std::string about, const std::vector<model::Action>& actions, Attempt attempt);
  /// The same, if the model's answer is the one named: a boundary is one only where the decision differs.
  void add_if(Expected expected, std::string id, std::string about, const std::vector<model::Action>& actions,
              Attempt attempt);
  /// To rename or to hard-link `from`, which is made first or provided, to `to`, if the model's answer is the one
  /// named: the actions are not all, nothing may gain a verb (model/move.hpp).
  void add_move_if(Expected expected, bool link, const std::string& from, const std::string& to, std::string about,
                   const char* needs);
  /// An attempt that the notation of actions has no word for: a bound of `limit`, another record type.
  void add_stated(std::string id, std::string about, std::string action, Attempt attempt, Expected expected,
                  std::string layer, std::string part);

  bool permits(const model::Action& action) const;
  /// A call for the current architecture by its kernel name, `filter` unless `kind` says otherwise; nothing where the
  /// architecture has no such call. `text` stands for the call in the id.
  void add_call(const char* name, std::vector<std::uint64_t> values, std::string text, std::string about,
                std::vector<std::string> args = {});

 private:
  struct Judged {
    Expected expected = Expected::Permitted;
    std::vector<std::string> decided_by;
    std::string layer, part;
  };
  Judged judge(const std::vector<model::Action>& actions) const;
  const ProbeGrant* grant_for(const model::Action& action) const;
  void holder(const model::Action& action, Judged& judged) const;
  void put(Probe probe);
  void put(std::string id, std::string about, const std::vector<model::Action>& actions, Attempt attempt,
           Judged judged);

  const model::Policy& policy_;
  std::string stack_;
  linux::Arch arch_;
  std::span<const ProbeGrant> derived_;
  std::optional<std::size_t> rule_;
  std::set<std::string> seen_;
  std::vector<Probe> out_;
};

model::SyscallAction call_action(const char* name, const std::vector<std::uint64_t>& values);
/// The calls that come before a connection, and the connection.
std::vector<model::Action> connect_actions(model::Protocol protocol, bool six, model::Action connection);
Attempt file_attempt(const char* kind, const std::string& path, const char* needs = nullptr);
Attempt connect_attempt(model::Protocol protocol, const std::string& address, std::uint16_t port);
Attempt name_attempt(const char* kind, const std::string& name, const char* type = "A");

void add_rules(Suite& suite);    ///< per rule one attempt inside and one at each boundary outside
void add_limits(Suite& suite);   ///< each bound of `limit` and the environment
void add_derived(Suite& suite);  ///< what the stack needs beyond the policy: shown to be as wide as it is stated
void add_fixed(Suite& suite);    ///< the ways out that are tried whatever the policy says

}  // namespace agp::analysis
