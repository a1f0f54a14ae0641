#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backends/kubernetes/decode/parts.hpp"
#include "backends/kubernetes/decode/quantity.hpp"
#include "backends/kubernetes/format.hpp"

// A Pod of core/v1: what the kubelet gives the one container of it. Fields that say where a pod is scheduled, and what
// the API server writes down about it, decide nothing here and are passed over by name.
namespace agp::backends::kubernetes {
namespace {

void must_be(const Section& object, const char* key, std::string_view value, std::string_view what) {
  const auto found = object.find(key);
  if (!found) object.refuse(fmt::format("has no `{}`: {}", key, what));
  if (found->text() != value) found->refuse(what);
}

/// `$(NAME)` is expanded, `$$` is one `$`, and any other `$` itself (third_party/forked/golang/expansion).
std::string literal(const Section& s) {
  const std::string text = s.text();
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$' && i + 1 < text.size()) {
      if (text[i + 1] == '(') s.refuse("has `$(`, which the kubelet expands: write `$$(` for the text itself");
      if (text[i + 1] == '$') ++i;
    }
    out += text[i];
  }
  return out;
}

void read_environment(const Section& container, model::Container& out) {
  if (const auto env = container.find("env"))
    for (const Section& variable : env->list()) {
      variable.only({"name", "value"});  // valueFrom is somebody else's value
      const std::string name = variable.need("name").text();
      if (name.empty() || name.find('=') != std::string::npos) variable.refuse("has no name of a variable");
      const auto value = variable.find("value");
      const std::string text = value ? literal(*value) : "";
      // of two with one name the kubelet takes the last
      const auto same = [&](const auto& v) { return v.first == name; };
      if (std::any_of(out.environment.begin(), out.environment.end(), same))
        variable.refuse("is a second variable of one name");
      out.environment.emplace_back(name, text);
    }
  for (const std::string_view name : format::variables) {
    const auto is = [&](const auto& v) { return v.first == name; };
    if (std::none_of(out.environment.begin(), out.environment.end(), is)) out.environment.emplace_back(name, "");
  }
}

/// A limit of 0 is none. Requests are the scheduler's business; an absent one is the limit.
void read_resources(const Section& container, model::Container& out) {
  const auto resources = container.find("resources");
  if (!resources) return;
  resources->only({"limits", "requests"});
  for (const char* list : {"limits", "requests"}) {
    const auto bounds = resources->find(list);
    if (!bounds) continue;
    bounds->only({"cpu", "memory", "ephemeral-storage"});
    const auto cpu = bounds->find("cpu"), memory = bounds->find("memory"), disk = bounds->find("ephemeral-storage");
    if (disk) whole(*disk);  // looked at from time to time; the root is read-only, and what is written is a mount
    const std::uint64_t milli = cpu ? thousandths(*cpu) : 0, bytes = memory ? whole(*memory) : 0;
    if (list == std::string_view("requests")) continue;
    // pkg/kubelet/cm: MilliCPUToQuota
    if (milli > 0)
      out.cpu = {std::max<std::uint64_t>(milli * (format::cpu_period / 1000), format::least_quota), format::cpu_period};
    // without swap: NoSwap is the kubelet's default
    if (bytes > 0) out.memory_bytes = out.memory_and_swap_bytes = bytes;
  }
}

void read_container(const Section& container, Pod& out) {
  container.only({"name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "resources",
                  "securityContext", "terminationMessagePath", "terminationMessagePolicy", "volumeMounts", "stdin",
                  "stdinOnce", "tty"});
  container.need("name").text();
  const Section image = container.need("image");
  if (image.text() != format::image) image.refuse("is not the empty image: its files are not decided here");
  must_be(container, "imagePullPolicy", "Never", "another image may be fetched");
  container.never("stdin", "keeps a way in open");
  container.never("stdinOnce", "keeps a way in open");
  container.never("tty", "gives the agent a terminal");
  model::Container& c = out.container;
  for (const char* key : {"command", "args"}) {
    const auto words = container.find(key);
    if (!words) continue;
    for (const Section& word : words->list()) c.command.push_back(literal(word));
    if (key == std::string_view("command") && c.command.empty()) words->refuse("is empty: the image's own would start");
  }
  if (!container.find("command")) container.refuse("has no `command`: the image's own would start");
  const auto workdir = container.find("workingDir");
  c.workdir = workdir && !workdir->text().empty() ? workdir->text() : "/";
  read_environment(container, c);
  read_resources(container, c);
}

void read_namespaces(const Section& spec, model::Container& out) {
  for (const char* type : {"mount", "uts", "cgroup"}) out.namespaces[type] = "";
  for (const auto& [key, type] : {std::pair{"hostNetwork", "network"}, {"hostPID", "pid"}, {"hostIPC", "ipc"}}) {
    const auto found = spec.find(key);
    if (!found || !found->flag()) out.namespaces[type] = "";
  }
  if (const auto shared = spec.find("shareProcessNamespace"); shared && shared->flag())
    out.namespaces["pid"] = "the pod's";
}

}  // namespace

Named read_metadata(const Section& object) {
  const Section metadata = object.need("metadata");
  // annotations are missing: runtimes and plugins take orders from them
  metadata.only({"name", "namespace", "labels", "uid", "resourceVersion", "creationTimestamp", "generation",
                 "managedFields", "selfLink"});
  Named out;
  out.name = metadata.need("name").text();
  if (const auto space = metadata.find("namespace")) out.name_space = space->text();
  if (const auto labels = metadata.find("labels"))
    for (const auto& [key, value] : labels->members()) out.labels[key] = value.text();
  return out;
}

Pod read_pod(const Section& object) {
  object.only({"apiVersion", "kind", "metadata", "spec", "status"});
  must_be(object, "apiVersion", "v1", "it is no Pod of core/v1");
  must_be(object, "kind", "Pod", "it is no Pod of core/v1");
  Pod out;
  out.named = read_metadata(object);
  const Section spec = object.need("spec");
  spec.only({"activeDeadlineSeconds", "automountServiceAccountToken", "containers", "dnsPolicy", "enableServiceLinks",
             "hostIPC", "hostNetwork", "hostPID", "hostname", "restartPolicy", "securityContext",
             "shareProcessNamespace", "terminationGracePeriodSeconds", "volumes",
             // where it runs, and what the API server fills in
             "affinity", "nodeName", "nodeSelector", "preemptionPolicy", "priority", "priorityClassName",
             "schedulerName", "serviceAccount", "serviceAccountName", "tolerations", "topologySpreadConstraints"});
  const auto token = spec.find("automountServiceAccountToken");
  if (!token || token->flag())
    spec.refuse("has no `automountServiceAccountToken: false`: the container gets a key to the API server");
  const auto links = spec.find("enableServiceLinks");
  if (!links || links->flag())
    spec.refuse("has no `enableServiceLinks: false`: the container gets variables of every service");
  must_be(spec, "restartPolicy", "Never", "the container is started again");
  const auto containers = spec.need("containers").list();
  if (containers.size() != 1) spec.refuse(fmt::format("has {} containers, and one is understood", containers.size()));
  if (const auto deadline = spec.find("activeDeadlineSeconds")) {
    out.container.seconds = deadline->number();
    if (*out.container.seconds == 0 || *out.container.seconds > format::most)
      deadline->refuse("is no deadline that the API server takes");
  }
  if (const auto grace = spec.find("terminationGracePeriodSeconds"); !grace || grace->number() > 2)
    spec.refuse("has no `terminationGracePeriodSeconds` of at most 2: the container goes on behind its deadline");
  out.container.hostname = out.named.name;
  out.container.seen_as = {{"name", out.named.name}, {"namespace", out.named.name_space}};
  for (const auto& [key, value] : out.named.labels) out.container.seen_as[fmt::format("label `{}`", key)] = value;
  if (const auto name = spec.find("hostname"); name && !name->text().empty()) out.container.hostname = name->text();
  read_namespaces(spec, out.container);
  read_container(containers.front(), out);
  read_security(spec, containers.front(), out);
  read_volumes(spec, containers.front(), out);
  return out;
}

}  // namespace agp::backends::kubernetes
