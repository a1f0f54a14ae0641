#include "backends/oci/decode/decode.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "backends/oci/decode/mounts.hpp"
#include "backends/oci/format.hpp"
#include "compiler/source/strict_json.hpp"

namespace agp::backends::oci {
namespace {

using Json = nlohmann::json;

std::uint32_t id(const Section& s) {
  const std::uint64_t n = s.number();
  if (n > 0xfffffffe) s.refuse("is no user or group id");
  return static_cast<std::uint32_t>(n);
}

void read_user(const Section& user, model::Container& out) {
  user.only({"uid", "gid", "umask", "additionalGids"});
  out.uid = id(user.need("uid"));
  out.gid = id(user.need("gid"));
  if (const auto mask = user.find("umask")) {
    const std::uint64_t bits = mask->number();
    if (bits > 0777) mask->refuse("is no file mode creation mask");
    out.umask = static_cast<std::uint32_t>(bits);
  }
  if (const auto groups = user.find("additionalGids"))
    for (const Section& g : groups->list()) out.groups.push_back(id(g));
}

void read_capabilities(const Section& sets, model::Container& out) {
  sets.only({"bounding", "effective", "inheritable", "permitted", "ambient"});
  constexpr const char* names[] = {"bounding", "effective", "inheritable", "permitted", "ambient"};
  for (std::size_t i = 0; i < 5; ++i)
    if (const auto set = sets.find(names[i]))
      for (std::string& name : set->texts()) out.capabilities[i].insert(std::move(name));
}

void read_process(const Section& process, model::Container& out) {
  process.only({"terminal", "user", "args", "env", "cwd", "capabilities", "rlimits", "noNewPrivileges"});
  if (const auto terminal = process.find("terminal"); terminal && terminal->flag())
    terminal->refuse("gives the agent a terminal of the host's");
  read_user(process.need("user"), out);
  out.command = process.need("args").texts();
  out.workdir = process.need("cwd").text();
  if (const auto env = process.find("env"))
    for (const Section& entry : env->list()) {
      const std::string text = entry.text();
      const auto equal = text.find('=');
      if (equal == std::string::npos || equal == 0) entry.refuse("is not NAME=VALUE");
      out.environment.emplace_back(text.substr(0, equal), text.substr(equal + 1));
    }
  if (const auto sets = process.find("capabilities")) read_capabilities(*sets, out);
  if (const auto limits = process.find("rlimits"))
    for (const Section& l : limits->list()) {
      l.only({"type", "soft", "hard"});
      const std::string type = l.need("type").text();
      const model::Container::Bound bound{l.need("soft").number(), l.need("hard").number()};
      if (bound.soft > bound.hard) l.refuse("has a soft limit above the hard one, which the kernel refuses");
      if (!out.rlimits.insert({type, bound}).second) l.refuse("is a second limit of one kind, which runc refuses");
    }
  if (const auto flag = process.find("noNewPrivileges")) out.no_new_privileges = flag->flag();
}

/// A negative or absent number is no bound (config-linux.md, Control groups).
std::optional<std::uint64_t> bound(const Section& group, const char* key) {
  const auto s = group.find(key);
  if (!s) return std::nullopt;
  const std::int64_t n = s->any_number();
  return n > 0 ? std::optional<std::uint64_t>(static_cast<std::uint64_t>(n)) : std::nullopt;
}

/// The list is walked in order, a later entry overrides; runc adds its default nodes at the end.
void read_devices(const Section& devices, model::Container& out) {
  bool first = true;
  for (const Section& d : devices.list()) {
    d.only({"allow", "type", "major", "minor", "access"});
    const bool allow = d.need("allow").flag(), whole = !d.find("type") && !d.find("major") && !d.find("minor");
    if (whole) {
      out.devices.clear();
      if (allow) out.devices.insert("*");
    } else if (!allow) {
      d.refuse("takes one device away, which agp has no model of");
    } else {
      const auto major = d.need("major").any_number(), minor = d.need("minor").any_number();
      const std::string type = d.need("type").text();
      std::string node = fmt::format("{} {}:{}", type, major, minor);
      for (const format::Device& known : format::devices)
        if (type == "c" && major == known.major && minor == known.minor) node = known.path;
      out.devices.insert(node);
    }
    if (first && !whole) d.refuse("stands before the entry that refuses all devices");
    first = false;
  }
}

void read_resources(const Section& resources, model::Container& out) {
  resources.only({"devices", "memory", "cpu", "pids"});
  if (const auto devices = resources.find("devices")) read_devices(*devices, out);
  if (const auto memory = resources.find("memory")) {
    memory->only({"limit", "swap"});
    out.memory_bytes = bound(*memory, "limit");
    out.memory_and_swap_bytes = bound(*memory, "swap");
  }
  if (const auto cpu = resources.find("cpu")) {
    cpu->only({"quota", "period"});
    const auto quota = bound(*cpu, "quota"), period = bound(*cpu, "period");
    if (quota) out.cpu = {*quota, period.value_or(100000)};  // the kernel's default period
  }
  if (const auto pids = resources.find("pids")) {
    pids->only({"limit"});
    out.pids = bound(*pids, "limit");
  }
}

void read_linux(const Section& linux, model::Container& out) {
  linux.only({"namespaces", "cgroupsPath", "resources", "maskedPaths", "readonlyPaths", "seccomp", "sysctl"});
  out.devices.insert("*");
  if (const auto path = linux.find("cgroupsPath")) out.cgroup = path->text();
  if (const auto list = linux.find("namespaces"))
    for (const Section& n : list->list()) {
      n.only({"type", "path"});
      const auto path = n.find("path");
      if (const std::string type = n.need("type").text(); type == "user" || type == "time")
        n.refuse(fmt::format("is a {} namespace, whose {} are not read here", type, type == "user" ? "ids" : "clocks"));
      if (!out.namespaces.insert({n.need("type").text(), path ? path->text() : ""}).second)
        n.refuse("is a second namespace of one kind, which runc refuses");
    }
  if (const auto resources = linux.find("resources")) read_resources(*resources, out);
  if (const auto sysctls = linux.find("sysctl"))
    for (const auto& [key, value] : sysctls->members()) out.sysctls[key] = value.text();
}

Json parse(const std::string& bytes) {
  std::string why;
  auto out = source::parse_strict_json(bytes, 64, why);  // what is read here has less than ten levels
  if (!out) throw Refusal{why};
  return std::move(*out);
}

model::Container read(const std::string& bytes) {
  const Json json = parse(bytes);
  const Section config(json, "");
  config.only({"ociVersion", "process", "root", "hostname", "mounts", "linux"});
  model::Container out;
  config.need("ociVersion").text();
  read_process(config.need("process"), out);
  if (const auto name = config.find("hostname")) out.hostname = name->text();
  if (const auto linux = config.find("linux")) read_linux(*linux, out);
  read_tree(config, out);
  return out;
}

}  // namespace

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  for (const Artifact& a : artifacts) {
    if (a.path != format::artifact) continue;
    try {
      auto container = std::make_shared<model::Container>(read(a.bytes));
      container->artifact = a.path;
      container->by_pointer = true;
      out.container = std::move(container);
    } catch (const Refusal& refusal) {
      out.problems.push_back({fmt::format("`{}`: {}", a.path, refusal.text), std::nullopt, ""});
    }
  }
  return out;
}

}  // namespace agp::backends::oci
