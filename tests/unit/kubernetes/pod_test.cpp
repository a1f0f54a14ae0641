#include <gtest/gtest.h>

#include "compiler/verify/compare.hpp"
#include "tests/unit/kubernetes/support.hpp"

// Pods: what is written is proved; each wrong value, and each field that is absent and whose default permits more, is
// refuted or refused by name. Every case is one that a comparison of strings would let pass or could not see.
namespace agp::test {
namespace {

using Container = model::Container;

Json pod() { return files(example().policy).pod; }

std::string refused(const Json& json) {
  const auto decoded = decode(json.dump(), "");
  return decoded.problems.empty() ? "" : decoded.problems[0].message;
}
std::string refused(const Change& change) {
  Json json = pod();
  change(json);
  return refused(json);
}
std::shared_ptr<const Container> container(const Change& change = {}) {
  Json json = pod();
  if (change) change(json);
  const auto decoded = decode(json.dump(), "");
  for (const auto& p : decoded.problems) ADD_FAILURE() << p.message;
  return decoded.container ? decoded.container : std::make_shared<const Container>();
}
std::string changed(const Change& change, verify::Direction direction) {
  Files f = files(example().policy);
  change(f.pod);
  return verdict(example().policy, f, direction);
}

TEST(Pods, WhatIsEmittedIsProved) {
  const Files f = files(example().policy);
  EXPECT_EQ(excess(example().policy, f), "proved");
  EXPECT_EQ(loss(example().policy, f), "proved");
}

TEST(Pods, TextsAreNotExpanded) {
  EXPECT_EQ(container()->command.back(), "$(HOME) $5 $$");
  EXPECT_EQ(pod()["spec"]["containers"][0]["command"].back(), "$$(HOME) $$5 $$$$");
  // a string comparison with the policy's own text finds nothing wrong here
  EXPECT_TRUE(has(refused([](Json& p) { set(p, "/spec/containers/0/command/2", "$(HOME) $5 $$"); }), "expands"));
  EXPECT_TRUE(has(refused([](Json& p) { set(p, "/spec/containers/0/env/1/value", "$(PATH)"); }), "expands"));
}

TEST(Pods, AbsentFieldsMeanWhatKubernetesSays) {
  const std::string own = "/spec/containers/0/securityContext/";
  EXPECT_TRUE(container()->no_new_privileges);
  EXPECT_FALSE(container([&](Json& p) { remove(p, own + "allowPrivilegeEscalation"); })->no_new_privileges);
  EXPECT_FALSE(container([&](Json& p) { remove(p, own + "readOnlyRootFilesystem"); })->empty_root);
  EXPECT_EQ(container([](Json& p) { remove(p, "/spec/securityContext/runAsGroup"); })->gid, 0u);
  const auto root = container([](Json& p) {
    remove(p, "/spec/securityContext/runAsUser");
    remove(p, "/spec/securityContext/runAsNonRoot");
  });
  EXPECT_EQ(root->uid, 0u);
  const auto given = container([&](Json& p) { remove(p, own + "capabilities"); })->capabilities[Container::Bounding];
  EXPECT_EQ(given.size(), 14u);
  EXPECT_TRUE(given.contains("CAP_NET_RAW"));
  EXPECT_TRUE(has(refused([](Json& p) { remove(p, "/spec/securityContext/seccompProfile"); }), "Unconfined"));
  EXPECT_TRUE(has(refused([](Json& p) { remove(p, "/spec/automountServiceAccountToken"); }), "key to the API server"));
  EXPECT_TRUE(has(refused([](Json& p) { remove(p, "/spec/enableServiceLinks"); }), "enableServiceLinks"));
  EXPECT_TRUE(has(refused([](Json& p) { remove(p, "/spec/restartPolicy"); }), "started again"));
  EXPECT_TRUE(has(refused([](Json& p) { remove(p, "/spec/terminationGracePeriodSeconds"); }), "behind its deadline"));
  EXPECT_TRUE(has(refused([](Json& p) { remove(p, "/spec/containers/0/imagePullPolicy"); }), "fetched"));
  EXPECT_TRUE(has(refused([](Json& p) { remove(p, "/spec/containers/0/command"); }), "image's own"));
  EXPECT_FALSE(container([](Json& p) { remove(p, "/spec/activeDeadlineSeconds"); })->seconds);
  EXPECT_EQ(container([](Json& p) { remove(p, "/spec/hostNetwork"); })->namespaces.count("network"), 1u);
  EXPECT_EQ(container([](Json& p) { set(p, "/spec/hostNetwork", true); })->namespaces.count("network"), 0u);
  // null is absent
  EXPECT_FALSE(container([&](Json& p) { set(p, own + "allowPrivilegeEscalation", nullptr); })->no_new_privileges);
}

TEST(Pods, TheContainersContextWins) {
  const std::string own = "/spec/containers/0/securityContext/";
  EXPECT_EQ(container([&](Json& p) { set(p, own + "runAsUser", 7); })->uid, 7u);
  EXPECT_TRUE(has(refused([&](Json& p) { set(p, own + "runAsUser", 0); }), "contradicts"));
  EXPECT_EQ(container([&](Json& p) {
              set(p, own + "runAsUser", 0);
              set(p, own + "runAsNonRoot", false);
            })->uid,
            0u);
  EXPECT_TRUE(has(refused([&](Json& p) { set(p, own + "seccompProfile", {{"type", "Unconfined"}}); }), "open"));
  const Json right = pod()["spec"]["securityContext"]["seccompProfile"];
  EXPECT_EQ(refused([&](Json& p) {
              set(p, own + "seccompProfile", right);
              set(p, "/spec/securityContext/seccompProfile", {{"type", "RuntimeDefault"}});
            }),
            "");
  // what only a container can say is refused in the pod's context
  EXPECT_TRUE(has(refused([](Json& p) { set(p, "/spec/securityContext/capabilities", Json::object()); }),
                  "`/spec/securityContext/capabilities` is a field"));
}

TEST(Pods, CapabilitiesUnderEverySpelling) {
  const std::string at = "/spec/containers/0/securityContext/capabilities/add";
  const auto with = [&](const char* name) {
    return container([&](Json& p) { set(p, at, Json::array({name})); })->capabilities[Container::Bounding];
  };
  EXPECT_TRUE(container()->capabilities[Container::Bounding].empty());
  EXPECT_EQ(with("ALL"), with("all"));
  EXPECT_TRUE(with("ALL").contains("CAP_SYS_ADMIN"));
  for (const char* name : {"net_raw", "NET_RAW"}) EXPECT_TRUE(with(name).contains("CAP_NET_RAW")) << name;
  EXPECT_TRUE(has(refused([&](Json& p) { set(p, at, Json::array({"NET_RAWR"})); }), "no capability"));
  // nothing is ambient, so that a user other than root loses it, and root does not
  const auto user = container([&](Json& p) { set(p, at, Json::array({"CHOWN"})); });
  EXPECT_TRUE(user->capabilities[Container::Ambient].empty());
  EXPECT_TRUE(has(changed([&](Json& p) { set(p, at, Json::array({"CHOWN"})); }, verify::Direction::Excess),
                  "capability CAP_CHOWN | given"));
}

// containerd makes CAP_CAP_CHOWN of it, and drops nothing: all that it gives by itself would stay
TEST(Pods, ACapabilityWithItsPrefixNamesNothing) {
  const std::string at = "/spec/containers/0/securityContext/capabilities/";
  for (const char* list : {"add", "drop"})
    for (const char* name : {"CAP_CHOWN", "cap_chown"})
      EXPECT_TRUE(has(refused([&](Json& p) { set(p, at + list, Json::array({name})); }), "names no capability"))
          << name;
}

TEST(Pods, RootKeepsWhatIsAdded) {
  FilePolicy b = example();
  b.capability("CAP_CHOWN");
  b.policy.run.user = model::User{0, 0, {}};
  Files f = files(b.policy);
  EXPECT_EQ(f.pod["spec"]["containers"][0]["securityContext"]["capabilities"]["add"], Json::array({"CHOWN"}));
  EXPECT_EQ(excess(b.policy, f), "proved");
  EXPECT_EQ(loss(b.policy, f), "proved");
  remove(f.pod, "/spec/containers/0/securityContext/capabilities/add");
  EXPECT_TRUE(has(loss(b.policy, f), "capability CAP_CHOWN | not given"));
}

TEST(Pods, AnAcceptedVolumeMayBeExecutedAndNoMore) {
  FilePolicy b = example();
  b.allow("read", {"/data/**"});
  Files f = files(b.policy);
  EXPECT_TRUE(has(excess(b.policy, f), "exec \"/data/x\""));
  model::Accept accept;
  accept.kind = model::Accept::Kind::Wider;
  accept.fact = "read \"/data/**\"";
  b.policy.accepts.push_back(accept);
  EXPECT_EQ(excess(b.policy, f), "proved");
  mount(f.pod, "/data")["readOnly"] = false;
  mount(f.pod, "/data").erase("recursiveReadOnly");
  EXPECT_TRUE(has(excess(b.policy, f), "\"/data/x\"")) << excess(b.policy, f);
}

TEST(Pods, QuantitiesAreExact) {
  const auto cpu = [](Json value) {
    return container([&](Json& p) { set(p, "/spec/containers/0/resources/limits/cpu", std::move(value)); })->cpu;
  };
  const auto memory = [](Json value) {
    return container([&](Json& p) { set(p, "/spec/containers/0/resources/limits/memory", std::move(value)); })
        ->memory_bytes;
  };
  using Cpu = std::pair<std::uint64_t, std::uint64_t>;
  EXPECT_EQ(cpu("500m"), Cpu(50000, 100000));
  EXPECT_EQ(cpu(2), Cpu(200000, 100000));
  EXPECT_EQ(cpu("0.5"), cpu("500m"));
  EXPECT_EQ(cpu("1e3"), Cpu(100000000, 100000));
  EXPECT_EQ(cpu("2m"), Cpu(1000, 100000));  // the kubelet gives no less
  EXPECT_EQ(cpu("0"), std::nullopt);        // no limit at all
  EXPECT_EQ(memory("1Gi"), 1073741824u);
  EXPECT_EQ(memory("1G"), 1000000000u);
  EXPECT_EQ(memory("1e3"), 1000u);
  EXPECT_EQ(memory("1E3"), 1000u);
  EXPECT_EQ(memory("0.5Ki"), 512u);
  EXPECT_EQ(memory("1000m"), 1u);
  EXPECT_EQ(memory("0Gi"), std::nullopt);
}

TEST(Pods, WhatIsNoQuantityIsRefused) {
  for (const Json& value : std::vector<Json>{"", "-1", "1.5.5", "1Kib", "Gi", "1 Gi", "0x10", "1e", "1e99", "1500m",
                                             "99999999999Ei", 0.5, -1, true, nullptr, "1,5"}) {
    const std::string why = refused([&](Json& p) { set(p, "/spec/containers/0/resources/limits/memory", value); });
    if (value.is_null())
      EXPECT_EQ(why, "");
    else
      EXPECT_TRUE(has(why, "`/spec/containers/0/resources/limits/memory`")) << value << ": " << why;
  }
  EXPECT_TRUE(has(refused([](Json& p) { set(p, "/spec/containers/0/resources/limits/cpu", "0.0001"); }), "finer"));
  EXPECT_TRUE(has(refused([](Json& p) { set(p, "/spec/containers/0/resources/limits/nvidia.com~1gpu", 1); }), "field"));
}

TEST(Pods, BoundsAreComparedAsNumbers) {
  const std::string memory = "/spec/containers/0/resources/limits/memory";
  EXPECT_EQ(changed([&](Json& p) { set(p, memory, "1Gi"); }, verify::Direction::Excess), "proved");
  EXPECT_EQ(changed([&](Json& p) { set(p, memory, "1024Mi"); }, verify::Direction::Loss), "proved");
  EXPECT_TRUE(has(changed([&](Json& p) { set(p, memory, "1.1Gi"); }, verify::Direction::Excess), "whole number"));
  EXPECT_TRUE(has(changed([&](Json& p) { set(p, memory, "2Gi"); }, verify::Direction::Excess), "limit memory"));
  EXPECT_TRUE(has(changed([&](Json& p) { set(p, memory, "1G"); }, verify::Direction::Loss), "limit memory"));
  EXPECT_TRUE(has(changed([](Json& p) { set(p, "/spec/activeDeadlineSeconds", 601); }, verify::Direction::Excess),
                  "limit time"));
  EXPECT_TRUE(
      has(changed([](Json& p) { remove(p, "/spec/activeDeadlineSeconds"); }, verify::Direction::Excess), "limit time"));
  EXPECT_TRUE(
      has(changed([](Json& p) { set(p, "/spec/activeDeadlineSeconds", 599); }, verify::Direction::Loss), "limit time"));
}

TEST(Pods, WhatAPodCantSayIsNoFile) {
  const auto problem = [](const std::function<void(model::Policy&)>& change) {
    model::Policy p = example().policy;
    change(p);
    const auto out = backends::kubernetes::backend().emit(p, kubernetes(), {});
    EXPECT_EQ(out.artifacts.empty(), !out.problems.empty());
    EXPECT_EQ(out.map.empty(), !out.problems.empty());
    return out.problems.empty() ? std::string() : out.problems[0].message;
  };
  EXPECT_EQ(problem([](auto&) {}), "");
  EXPECT_TRUE(has(problem([](auto& p) { p.name = "Example"; }), "name of a pod"));
  EXPECT_TRUE(has(problem([](auto& p) { p.name = std::string(60, 'a'); }), "name of a pod"));
  EXPECT_EQ(problem([](auto& p) { p.name = std::string(59, 'a'); }), "");
  EXPECT_TRUE(has(problem([](auto& p) { p.run.hostname = "a_b"; }), "host name"));
  EXPECT_TRUE(has(problem([](auto& p) { p.run.command.clear(); }), "command"));
  EXPECT_TRUE(has(problem([](auto& p) { p.run.user->gid = 4000000000u; }), "largest id"));
  EXPECT_TRUE(has(problem([](auto& p) { p.limits.time_ms->value = 1500; }), "whole number of seconds"));
  EXPECT_TRUE(has(problem([](auto& p) { p.limits.time_ms->value = 0; }), "whole number of seconds"));
  EXPECT_TRUE(has(problem([](auto& p) { p.limits.cpu_milli->value = 9; }), "0.01"));
  EXPECT_TRUE(has(problem([](auto& p) { p.limits.memory_bytes->value = 0; }), "no limit"));
  EXPECT_TRUE(has(problem([](auto& p) { p.run.mounts[0].size_bytes = 0; }), "size 0"));
}

TEST(Pods, OtherContainersAreRefusedByName) {
  const Json one = pod()["spec"]["containers"][0];
  for (const char* list : {"initContainers", "ephemeralContainers"})
    EXPECT_TRUE(has(refused([&](Json& p) { p["spec"][list] = Json::array({one}); }), std::string("`/spec/") + list));
  EXPECT_TRUE(has(refused([&](Json& p) { p["spec"]["containers"].push_back(one); }), "has 2 containers"));
}

TEST(Pods, FieldsWithoutAModelAreRefusedByName) {
  for (const char* field :
       {"/metadata/annotations", "/spec/runtimeClassName", "/spec/hostUsers", "/spec/hostAliases", "/spec/dnsConfig",
        "/spec/imagePullSecrets", "/spec/containers/0/ports", "/spec/containers/0/lifecycle",
        "/spec/containers/0/livenessProbe", "/spec/containers/0/envFrom", "/spec/containers/0/volumeDevices",
        "/spec/containers/0/env/0/valueFrom", "/spec/containers/0/securityContext/seLinuxOptions",
        "/spec/containers/0/volumeMounts/0/subPath", "/spec/containers/0/volumeMounts/0/subPathExpr",
        "/spec/volumes/0/configMap", "/spec/volumes/0/secret", "/spec/volumes/0/projected", "/spec/Volumes"})
    EXPECT_TRUE(
        has(refused([&](Json& p) { set(p, field, Json::object()); }), "`" + std::string(field) + "` is a field"))
        << field;
}

TEST(Pods, ValuesThatGiveTheNodeAwayAreRefusedByName) {
  const std::string c = "/spec/containers/0/";
  for (const auto& [field, value] : std::vector<std::pair<std::string, Json>>{
           {c + "securityContext/privileged", true},
           {c + "securityContext/procMount", "Unmasked"},
           {c + "image", "docker.io/library/debian"},
           {c + "imagePullPolicy", "IfNotPresent"},
           {c + "tty", true},
           {c + "stdin", true},
           {c + "command", Json::array()},
           {c + "volumeMounts/0/mountPropagation", "HostToContainer"},
           {c + "volumeMounts/0/mountPath", "/proc/x"},
           {c + "volumeMounts/0/mountPath", "/"},
           {c + "volumeMounts/0/mountPath", "/usr/../etc"},
           {c + "volumeMounts/0/mountPath", "/usr/"},
           {c + "volumeMounts/0/mountPath", "/us:r"},
           {c + "volumeMounts/0/name", "nothing"},
           {c + "terminationMessagePath", "/usr"},
           {"/spec/restartPolicy", "Always"},
           {"/spec/securityContext/seccompProfile/type", "RuntimeDefault"},
           {"/spec/securityContext/seccompProfile/localhostProfile", "agp/another.json"},
           {"/spec/securityContext/runAsUser", -1},
           {"/spec/securityContext/runAsUser", "1000"},
           {"/spec/activeDeadlineSeconds", 0},
           {"/spec/activeDeadlineSeconds", 2147483648},
           {"/spec/securityContext/runAsGroup", 2147483648},
           {"/apiVersion", "v2"},
           {"/kind", "Deployment"}})
    EXPECT_NE(refused([field = field, value = value](Json& p) { set(p, field, value); }), "") << field << " " << value;
}

TEST(Pods, HostileBytes) {
  const std::string good = pod().dump();
  EXPECT_TRUE(has(decode("apiVersion: v1\nkind: Pod\n", "").problems.at(0).message, "not JSON"));
  std::string twice = good;
  twice.insert(1, R"("spec":{},)");
  EXPECT_TRUE(has(decode(twice, "").problems.at(0).message, "twice"));
  for (std::size_t length = 0; length < good.size(); length += 37)
    EXPECT_FALSE(decode(good.substr(0, length) + " ", "").problems.empty()) << length;
  for (const char* text : {"[]", "null", "1", "{}", R"({"kind":"Pod"})", R"({"kind":1})"})
    EXPECT_FALSE(decode(text, "").problems.empty()) << text;
}

TEST(Pods, Volumes) {
  EXPECT_TRUE(has(refused([](Json& p) { mount(p, "/usr").erase("recursiveReadOnly"); }), "stays writable"));
  EXPECT_TRUE(has(refused([](Json& p) { mount(p, "/usr")["recursiveReadOnly"] = "IfPossible"; }), "stays writable"));
  EXPECT_TRUE(has(refused([](Json& p) { volume(p, "/usr")["hostPath"].erase("type"); }), "not what stands there"));
  EXPECT_TRUE(
      has(refused([](Json& p) { volume(p, "/usr")["hostPath"]["type"] = "DirectoryOrCreate"; }), "not what stands"));
  EXPECT_TRUE(has(refused([](Json& p) {
                    p["spec"]["volumes"].push_back({{"name", "x"}, {"emptyDir", Json::object()}});
                  }),
                  "mounted nowhere"));
  EXPECT_TRUE(has(refused([](Json& p) { mount(p, "/usr")["mountPath"] = "/srv"; }), "second mount"));
  EXPECT_TRUE(has(refused([](Json& p) { volume(p, "/work") = {{"name", volume(p, "/work")["name"]}}; }), "not one of"));
  EXPECT_TRUE(has(refused([](Json& p) { volume(p, "/dev")["hostPath"]["path"] = "/var/lib/agp/example/own"; }),
                  "does not make"));
  // another policy's directory is a directory of the node like any other
  EXPECT_TRUE(
      has(changed([](Json& p) { volume(p, "/srv/secret")["hostPath"]["path"] = "/var/lib/agp/other/denied-directory"; },
                  verify::Direction::Excess),
          "/srv/secret"));
}

TEST(Pods, AnEmptyDirStandsAtOnePath) {
  const auto twice = [](const char* path) {
    return [path](Json& p) {
      Json& mounts = p["spec"]["containers"][0]["volumeMounts"];
      mounts.push_back({{"name", volume(p, path)["name"]}, {"mountPath", "/again"}, {"readOnly", true}});
      if (std::string_view(path) == "/usr") mounts.back()["recursiveReadOnly"] = "Enabled";
    };
  };
  EXPECT_TRUE(has(refused(twice("/work")), "is an emptyDir that is mounted already"));
  EXPECT_EQ(refused(twice("/usr")), "");  // the same directory of the node: both mounts say so
}

/// Another name has another profile, and other files of the node.
void rename_pod(Json& p) {
  set(p, "/metadata/name", "b");
  set(p, "/spec/hostname", "example");
  set(p, "/spec/securityContext/seccompProfile/localhostProfile", "agp/b.json");
  for (Json& v : p["spec"]["volumes"])
    if (v.contains("hostPath")) {
      std::string path = v["hostPath"]["path"];
      if (const auto at = path.find("/agp/example"); at != std::string::npos) path.replace(at, 12, "/agp/b");
      v["hostPath"]["path"] = path;
    }
}

/// The filter that it names is whatever the node has under that name.
TEST(Pods, APodOfAnotherNameHasAnotherFilter) {
  EXPECT_TRUE(has(changed(rename_pod, verify::Direction::Excess), "run as the pod \"b\""));
}

/// What a NetworkPolicy selects by, and others decide by, is part of what a pod is; so are its sysctls.
TEST(Pods, ComparedWithAllThatDecides) {
  const auto differs = [](const Change& change) {
    std::string out;
    for (const auto& c : verify::compare_containers(*container(), *container(change)))
      c.verdict.match([](const solver::Proved&) {}, [&](const verify::Difference& d) { out = d.action; },
                      [&](const solver::Unknown&) { out = "unknown"; });
    return out;
  };
  EXPECT_EQ(differs([](Json& p) { p["metadata"]["uid"] = "x"; }), "");
  EXPECT_EQ(differs([](Json& p) { set(p, "/metadata/namespace", "default"); }), "the namespace");
  EXPECT_EQ(differs([](Json& p) { remove(p, "/metadata/namespace"); }), "the namespace");
  EXPECT_EQ(differs([](Json& p) { set(p, "/metadata/labels/agp-policy", "b"); }), "the label `agp-policy`");
  EXPECT_EQ(differs([](Json& p) { set(p, "/metadata/labels/app", "b"); }), "the label `app`");
  EXPECT_EQ(differs([](Json& p) { remove(p, "/metadata/labels"); }), "the label `agp-policy`");
  EXPECT_EQ(differs([](Json& p) { remove(p, "/spec/securityContext/sysctls"); }), "sysctls");
  EXPECT_EQ(differs([](Json& p) { set(p, "/spec/securityContext/sysctls/0/value", "0 9"); }), "sysctls");
  EXPECT_EQ(differs(rename_pod), "the name");
}

/// Where no mount is, an empty root shows nothing, and another one what it has: only there does a mask take something
/// away.
TEST(Pods, AMaskIsComparedWithTheRoot) {
  for (const bool empty : {true, false}) {
    model::Container open = *container(), masked;
    open.empty_root = empty;
    masked = open;
    model::ContainerMount mask;
    mask.target = "/opt/none";
    mask.content = model::ContainerMount::Content::Nothing;
    masked.mounts.push_back(mask);
    const auto found = [](const model::Container& a, const model::Container& b) {
      std::string out;
      for (const auto& c : verify::compare_containers(a, b))
        c.verdict.match([](const solver::Proved&) {},
                        [&](const verify::Difference& d) {
                          out += (c.relation == verify::Relation::Within ? "first: " : "second: ") + d.action;
                        },
                        [&](const solver::Unknown&) { out += "unknown"; });
      return out;
    };
    EXPECT_EQ(found(open, masked), empty ? "" : "first: what stands at \"/opt/none\"");
    EXPECT_EQ(found(masked, open), empty ? "" : "second: what stands at \"/opt/none\"");
  }
}

TEST(Pods, AVolumeOfAParentShowsWhatIsDenied) {
  const std::string witness = changed([](Json& p) { remove_mount(p, "/srv/secret"); }, verify::Direction::Excess);
  EXPECT_TRUE(has(witness, "\"/srv/secret")) << witness;
  // the same directory under another path: the path is not denied, what is there is
  const std::string elsewhere =
      changed([](Json& p) { volume(p, "/usr")["hostPath"]["path"] = "/srv/secret"; }, verify::Direction::Excess);
  EXPECT_TRUE(has(elsewhere, "instead of /usr")) << elsewhere;
}

TEST(Pods, WritableAndUnbounded) {
  EXPECT_TRUE(has(changed(
                      [](Json& p) {
                        mount(p, "/usr")["readOnly"] = false;
                        mount(p, "/usr").erase("recursiveReadOnly");
                      },
                      verify::Direction::Excess),
                  "\"/usr"));
  for (const Json& medium : std::vector<Json>{{{"medium", "Memory"}},
                                              {{"medium", "Memory"}, {"sizeLimit", "2Mi"}},
                                              {{"medium", "Memory"}, {"sizeLimit", "0"}},
                                              {{"sizeLimit", "1Mi"}}})  // a disk's is looked at from time to time
    EXPECT_TRUE(has(changed([&](Json& p) { volume(p, "/work")["emptyDir"] = medium; }, verify::Direction::Excess),
                    "an empty file system"))
        << medium;
}

TEST(Pods, WhatTheRuntimeMountsIsSeenWhereNothingCoversIt) {
  for (const char* path : {"/sys", "/dev", "/dev/shm", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}) {
    const std::string witness = changed([&](Json& p) { remove_mount(p, path); }, verify::Direction::Excess);
    EXPECT_TRUE(has(witness, path)) << path << ": " << witness;
  }
}

TEST(Pods, EachWrongValueIsRefuted) {
  struct Case {
    const char* pointer;
    Json value;
    const char* witness;
  };
  const std::vector<Case> cases{
      {"/spec/hostPID", true, "pid namespace"},
      {"/spec/hostIPC", true, "ipc namespace"},
      {"/spec/hostNetwork", true, "network namespace"},
      {"/spec/shareProcessNamespace", true, "pid namespace"},
      {"/spec/securityContext/runAsUser", 1001, "run user"},
      {"/spec/securityContext/runAsGroup", 0, "run user"},
      {"/spec/securityContext/fsGroup", 5, "run user"},
      {"/spec/securityContext/supplementalGroups", Json::array({0}), "run user"},
      {"/spec/securityContext/sysctls",
       Json::array({{{"name", "net.ipv4.ping_group_range"}, {"value", "1 0"}},
                    {{"name", "kernel.shm_rmid_forced"}, {"value", "0"}}}),
       "sysctl"},
      {"/spec/containers/0/securityContext/allowPrivilegeEscalation", true, "setuid"},
      {"/spec/containers/0/securityContext/capabilities", {{"drop", {"ALL"}}, {"add", {"SYS_ADMIN"}}}, "capability"},
      {"/spec/containers/0/workingDir", "/tmp", "run workdir"},
      {"/spec/containers/0/args", Json::array({"--more"}), "run command"},
      {"/spec/containers/0/env/0/value", "/work", "env \"PATH\""},
      {"/spec/containers/0/env/0/name", "LD_PRELOAD", "env \"LD_PRELOAD\""},
      {"/spec/containers/0/resources", Json::object(), "limit"},
  };
  for (const Case& c : cases) {
    const std::string witness = changed([&](Json& p) { set(p, c.pointer, c.value); }, verify::Direction::Excess);
    EXPECT_TRUE(has(witness, c.witness)) << c.pointer << ": " << witness;
  }
}

TEST(Pods, WhatTheServerWritesDownDecidesNothing) {
  const auto live = [](Json& p) {
    p["status"] = {{"phase", "Running"}};
    p["metadata"]["uid"] = "x";
    p["metadata"]["resourceVersion"] = "1";
    p["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z";
    p["spec"]["nodeName"] = "n";
    p["spec"]["schedulerName"] = "default-scheduler";
    p["spec"]["serviceAccountName"] = "default";
    p["spec"]["tolerations"] = Json::array();
    p["spec"]["containers"][0]["terminationMessagePolicy"] = "File";
    p["spec"]["containers"][0]["resources"]["requests"] = {{"memory", "1Gi"}, {"cpu", "1"}};
  };
  EXPECT_EQ(changed(live, verify::Direction::Excess), "proved");
  EXPECT_EQ(changed(live, verify::Direction::Loss), "proved");
}

}  // namespace
}  // namespace agp::test
