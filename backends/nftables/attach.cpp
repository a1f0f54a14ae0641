#include "backends/nftables/attach.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace agp::backends::nftables {
namespace {

/// Letters that need no escape in nft's strings, JSON or a path.
bool plain(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           more.find(c) != std::string_view::npos;
  });
}

Attach refused(Form form, std::string fault, std::string help) {
  Attach out;
  out.form = form;
  out.fault = std::move(fault);
  out.help = std::move(help);
  return out;
}

/// `/agents/one`, as /proc/PID/cgroup shows it. The kernel keeps the level in one byte (NFTA_SOCKET_LEVEL is at most
/// 255, net/netfilter/nft_socket.c).
Attach of_cgroup(const std::string& path) {
  if (path.starts_with("/sys/fs/cgroup"))
    return refused(Form::Cgroup, fmt::format("the cgroup `{}` is written with its mount point", path),
                   "write it as `/proc/PID/cgroup` shows it: `cgroup \"/agents/one\"`");
  Attach out;
  out.form = Form::Cgroup;
  out.cgroup = path.substr(std::min<std::size_t>(1, path.size()));
  out.level = 1 + static_cast<std::size_t>(std::count(out.cgroup.begin(), out.cgroup.end(), '/'));
  if (out.cgroup.empty())
    return refused(Form::Cgroup, "every process of the host is in the cgroup `/`", "name a cgroup of the agent's own");
  if (!plain(out.cgroup, "_-./@:") || out.cgroup.size() > 200 || out.level > 255)
    return refused(Form::Cgroup, "the cgroup's path has characters that a packet rule can't carry, or too many",
                   "use at most 200 letters, digits, `_`, `-`, `.`, `@` and `:`");
  return out;
}

/// dev_valid_name in net/core/dev.c, and no `*`, which nft reads as "and whatever follows".
Attach of_interface(const std::string& name) {
  if (name.empty() || name.size() > 15 || !plain(name, "_-.") || name == "." || name == "..")
    return refused(Form::Interface, fmt::format("an interface can't have this name of {} bytes", name.size()),
                   "use 1 to 15 letters, digits, `_`, `-` and `.`");
  if (name == "lo")
    return refused(Form::Interface, "`lo` is the host's own loopback interface", "name the tap of the microVM");
  Attach out;
  out.form = Form::Interface;
  out.interface = name;
  return out;
}

Attach of_user(const model::Policy& policy) {
  if (!policy.run.user)
    return refused(Form::User, "the policy names no cgroup, interface or user by which its packets could be told apart",
                   "add `cgroup \"/agents/NAME\"` or `user UID:GID` to `run`");
  if (policy.run.user->uid == 0)
    return refused(Form::User, "the agent's packets would be those of the host's root", "give the agent its own user");
  Attach out;
  out.form = Form::User;
  out.uid = policy.run.user->uid;
  return out;
}

}  // namespace

bool loaded_by(std::string_view stack) { return model::makes_network(stack) || stack == "launcher"; }

Attach attach_of(const model::Policy& policy, const model::Target& target) {
  if (model::makes_network(target.stack)) return {};
  if (policy.run.interface && policy.run.cgroup)
    return refused(Form::Interface, "the policy names an interface and a cgroup: a packet would be judged twice",
                   "keep the one that the agent is behind");
  if (policy.run.interface) return of_interface(*policy.run.interface);
  return policy.run.cgroup ? of_cgroup(*policy.run.cgroup) : of_user(policy);
}

}  // namespace agp::backends::nftables
