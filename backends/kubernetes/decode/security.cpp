#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backends/kubernetes/decode/parts.hpp"
#include "backends/kubernetes/format.hpp"
#include "compiler/linux/syscalls.hpp"

// securityContext of the pod and of the container. What is absent in both: root, the image's group, no filter,
// containerd's capabilities, privileges of setuid programs, a writable root.
namespace agp::backends::kubernetes {
namespace {

/// containerd's own set (pkg/oci, defaultUnixCaps).
constexpr std::string_view default_capabilities[] = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
    "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
    "CAP_KILL",    "CAP_AUDIT_WRITE"};

std::uint32_t id(const Section& s) {
  const std::uint64_t n = s.number();
  if (n > format::most) s.refuse("is no user or group id, which Kubernetes bounds by 2^31 - 1");
  return static_cast<std::uint32_t>(n);
}

/// Runtimes take a name in any case. containerd puts `CAP_` before each (internal/cri/opts, WithCapabilities), so that
/// one which has it names nothing, and is neither given nor taken away; CRI-O takes it as it is.
std::string capability(const Section& s) {
  std::string name = s.text();
  for (char& c : name)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (name == "ALL") return name;
  if (name.starts_with("CAP_")) s.refuse("begins with `CAP_`, and names no capability to containerd");
  name = "CAP_" + name;
  if (!linux::find_capability(name)) s.refuse("is no capability");
  return name;
}

void read_capabilities(const Section& context, Pod& out) {
  std::set<std::string> given(std::begin(default_capabilities), std::end(default_capabilities));
  if (const auto list = context.find("capabilities")) {
    list->only({"add", "drop"});
    std::set<std::string> add, drop;
    for (const auto& [key, into] : {std::pair{"add", &add}, {"drop", &drop}})
      if (const auto names = list->find(key))
        for (const Section& name : names->list()) into->insert(capability(name));
    if (drop.contains("ALL")) given.clear();
    for (const std::string& name : drop) given.erase(name);
    given.insert(add.begin(), add.end());
    if (given.erase("ALL") > 0)  // runtimes differ in whether `drop: [ALL]` takes it back
      for (const std::string_view name : linux::capability_names()) given.insert(std::string(name));
  }
  // Nothing is ambient, and root needs no more: at execve it gets all of the bounding set (capabilities(7)).
  model::Container& c = out.container;
  using Set = model::Container::Set;
  for (const Set set : {Set::Bounding, Set::Effective, Set::Permitted, Set::Inheritable, Set::Ambient})
    if (c.uid == 0 || (set != Set::Inheritable && set != Set::Ambient)) c.capabilities[set] = given;
}

void read_sysctls(const Section& list, Pod& out) {
  for (const Section& one : list.list()) {
    one.only({"name", "value"});
    const std::string name = one.need("name").text(), value = one.need("value").text();
    if (name == format::ping_sysctl && value == format::no_ping) out.pings = false;
    if (!out.container.sysctls.insert({name, value}).second) one.refuse("is a second one of one name");
  }
}

void read_profile(const Section& profile, std::string_view name) {
  profile.only({"type", "localhostProfile"});
  const std::string type = profile.need("type").text();
  if (type != "Localhost")
    profile.refuse(fmt::format("is of type `{}`: {}", type,
                               type == "Unconfined" ? "every system call is open" : "it is not the policy's filter"));
  const Section file = profile.need("localhostProfile");
  if (file.text() != format::profile(name)) file.refuse("is not the file that the stack puts there");
}

}  // namespace

void read_security(const Section& spec, const Section& container, Pod& out) {
  const auto pod = spec.find("securityContext"), own = container.find("securityContext");
  if (pod)
    pod->only({"runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "sysctls", "supplementalGroups",
               "supplementalGroupsPolicy", "fsGroup"});
  if (own)
    own->only({"privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities", "runAsUser",
               "runAsGroup", "runAsNonRoot", "seccompProfile", "procMount"});
  const auto either = [&](const char* key) -> std::optional<Section> {
    if (own)
      if (auto found = own->find(key)) return found;
    return pod ? pod->find(key) : std::nullopt;
  };
  model::Container& c = out.container;
  if (const auto user = either("runAsUser")) c.uid = id(*user);
  if (const auto group = either("runAsGroup")) c.gid = id(*group);
  if (const auto flag = either("runAsNonRoot"); flag && flag->flag() && c.uid == 0)
    flag->refuse("contradicts the user, which is root: the kubelet does not start it");
  if (pod) {
    if (const auto groups = pod->find("supplementalGroups"))
      for (const Section& g : groups->list()) c.groups.push_back(id(g));
    if (const auto group = pod->find("fsGroup")) c.groups.push_back(id(*group));
    if (const auto merge = pod->find("supplementalGroupsPolicy")) merge->text();  // the empty image names no groups
    if (const auto sysctls = pod->find("sysctls")) read_sysctls(*sysctls, out);
  }
  const auto profile = either("seccompProfile");
  if (!profile) spec.refuse("has no `seccompProfile`: every system call is open (Unconfined)");
  read_profile(*profile, out.named.name);

  if (own) {
    own->never("privileged", "gives the container the node");
    if (const auto mount = own->find("procMount"); mount && mount->text() != "Default")
      mount->refuse("shows what the runtime masks in /proc");
    read_capabilities(*own, out);
  } else {
    read_capabilities(container, out);  // nothing stands there: the defaults
  }
  const auto says = [&](const char* key) {
    const auto flag = own ? own->find(key) : std::nullopt;
    return flag ? std::optional<bool>(flag->flag()) : std::nullopt;
  };
  c.no_new_privileges = says("allowPrivilegeEscalation") == false;
  c.empty_root = says("readOnlyRootFilesystem") == true;
}

}  // namespace agp::backends::kubernetes
