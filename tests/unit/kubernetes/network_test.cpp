#include <gtest/gtest.h>

#include "compiler/verify/compare.hpp"
#include "tests/unit/kubernetes/support.hpp"

// NetworkPolicies: what is written is proved exactly, and each trap is a policy that looks right and is not. No network
// plugin enforces anything here: the statement is about what Kubernetes says a plugin has to do.
namespace agp::test {
namespace {

PolicyBuilder rich() {
  PolicyBuilder p("rich");
  p.get().run.command = {"/bin/true"};
  p.allow("hosts", tcp, {at("10.0.0.0/8", ports({{440, 445}})), at("fd00::/8", port(443))});
  p.allow("dns", udp, {at("10.0.0.7", port(53))});
  p.deny("not 9", tcp_udp, {at("10.9.0.0/16", model::PortSet::all())});
  p.listen("service", tcp, {at("any", port(8080))}).from = addresses("10.9.0.1");
  return p;
}
PolicyBuilder outside() {
  PolicyBuilder p("outside");
  p.get().run.command = {"/bin/true"};
  auto& body = p.allow("web", tcp, {at("0.0.0.0/0", port(443))});
  body.except.push_back({at("10.0.0.0/8", model::PortSet::all()), {}, ""});
  return p;
}

std::string changed(PolicyBuilder b, const Change& change, verify::Direction direction) {
  Files f = files(b.get());
  change(f.network);
  return verdict(b.get(), f, direction);
}
std::string over(PolicyBuilder b, const Change& change) {
  return changed(std::move(b), change, verify::Direction::Excess);
}
std::string under(PolicyBuilder b, const Change& change) {
  return changed(std::move(b), change, verify::Direction::Loss);
}
std::string refused(const Change& change) {
  Json json = files(rich().get()).network;
  change(json);
  const auto decoded = decode("", json.dump());
  return decoded.problems.empty() ? "" : decoded.problems[0].message;
}

TEST(NetworkPolicies, WhatIsEmittedIsProved) {
  PolicyBuilder any("any"), nothing("nothing"), six("six"), self("self");
  for (PolicyBuilder* b : {&any, &nothing, &six, &self}) b->get().run.command = {"/bin/true"};
  any.allow("all", tcp_udp, {at("any", model::PortSet::all())});
  any.listen("all", tcp_udp, {at("any", model::PortSet::all())});
  six.allow("web", tcp, {at("::/0", port(443))});
  six.listen("v6", udp, {at("::/0", port(53))});
  self.allow("self", tcp, {at("127.0.0.1", port(8080))});
  self.listen("self", tcp, {at("127.0.0.1", port(8080))});
  for (PolicyBuilder b : {rich(), outside(), any, nothing, six, self}) {
    EXPECT_EQ(excess(b.get(), files(b.get())), "proved") << b.get().name;
    EXPECT_EQ(loss(b.get(), files(b.get())), "proved") << b.get().name;
  }
}

TEST(NetworkPolicies, BlocksAreShort) {
  const Json egress = files(outside().get()).network["spec"]["egress"];
  EXPECT_EQ(
      egress.dump(),
      R"([{"to":[{"ipBlock":{"cidr":"0.0.0.0/0","except":["10.0.0.0/8"]}}],"ports":[{"protocol":"TCP","port":443}]}])");
  PolicyBuilder any("any");
  any.get().run.command = {"/bin/true"};
  any.allow("all", tcp, {at("any", port(1))});
  EXPECT_EQ(files(any.get()).network["spec"]["egress"][0]["to"].dump(),
            R"([{"ipBlock":{"cidr":"0.0.0.0/0"}},{"ipBlock":{"cidr":"::/0"}}])");
}

TEST(NetworkPolicies, NothingPermittedIsTwoEmptyLists) {
  PolicyBuilder b("nothing");
  b.get().run.command = {"/bin/true"};
  const Json spec = files(b.get()).network["spec"];
  EXPECT_EQ(spec["egress"], Json::array());
  EXPECT_EQ(spec["ingress"], Json::array());
  EXPECT_EQ(spec["policyTypes"], Json::array({"Ingress", "Egress"}));
  // Without the types an empty list of what goes out isolates nothing: the bytes of both lists are the same.
  const std::string out = over(b, [](Json& n) { remove(n, "/spec/policyTypes"); });
  EXPECT_TRUE(has(out, "connect")) << out;
  const std::string in = over(b, [](Json& n) { set(n, "/spec/policyTypes", Json::array({"Egress"})); });
  EXPECT_TRUE(has(in, "listen")) << in;
  EXPECT_EQ(over(b,
                 [](Json& n) {
                   remove(n, "/spec/ingress");
                   remove(n, "/spec/egress");
                 }),
            "proved");
  // An empty rule is everything; a rule without ports is every port.
  EXPECT_TRUE(has(over(b, [](Json& n) { n["spec"]["egress"].push_back(Json::object()); }), "connect"));
  EXPECT_TRUE(has(over(b, [](Json& n) { n["spec"]["ingress"].push_back({{"from", Json::array()}}); }), "listen"));
}

TEST(NetworkPolicies, AnotherFamilyIsOpenOnlyWhereABlockSaysSo) {
  EXPECT_EQ(over(outside(), [](Json&) {}), "proved");
  const std::string six = over(outside(), [](Json& n) {
    n["spec"]["egress"][0]["to"].push_back({{"ipBlock", {{"cidr", "::/0"}}}});
  });
  EXPECT_TRUE(has(six, "connect tcp [")) << six;
  const std::string ten = over(outside(), [](Json& n) { remove(n, "/spec/egress/0/to/0/ipBlock/except"); });
  EXPECT_TRUE(has(ten, "connect tcp 10.")) << ten;
  const std::string narrow =
      over(outside(), [](Json& n) { set(n, "/spec/egress/0/to/0/ipBlock/except/0", "10.0.0.0/9"); });
  EXPECT_TRUE(has(narrow, "connect tcp 10.128.")) << narrow;
  // Exceptions are within one block: the next one has them again.
  const std::string again = over(outside(), [](Json& n) {
    n["spec"]["egress"][0]["to"].push_back({{"ipBlock", {{"cidr", "10.0.0.0/8"}}}});
  });
  EXPECT_TRUE(has(again, "connect tcp 10.")) << again;
  EXPECT_TRUE(has(under(outside(), [](Json& n) { set(n, "/spec/egress/0/to/0/ipBlock/except/0", "8.0.0.0/6"); }),
                  "connect tcp"));
}

TEST(NetworkPolicies, PortsAndProtocols) {
  const std::string first = "/spec/egress/0/ports/0/";
  EXPECT_TRUE(has(over(outside(), [&](Json& n) { set(n, first + "endPort", 444); }), ":444"));
  EXPECT_TRUE(has(over(outside(), [&](Json& n) { remove(n, first + "port"); }), "connect tcp"));
  EXPECT_TRUE(has(over(outside(), [&](Json& n) { set(n, first + "protocol", "UDP"); }), "connect udp"));
  EXPECT_TRUE(has(over(outside(), [&](Json& n) { set(n, first + "protocol", "SCTP"); }), "protocol 132"));
  EXPECT_EQ(over(outside(), [&](Json& n) { remove(n, first + "protocol"); }), "proved");  // TCP
  EXPECT_TRUE(has(over(outside(), [](Json& n) { set(n, "/spec/egress/0/ports", Json::array()); }), "connect"));
  for (const Json& port : std::vector<Json>{0, 65536, -1, "https", "443", 4.5})
    EXPECT_TRUE(has(refused([&](Json& n) { set(n, first + "port", port); }), "`/spec/egress/0/ports/0/port`")) << port;
  EXPECT_TRUE(has(refused([&](Json& n) { set(n, first + "endPort", 1); }), "smaller"));
  EXPECT_TRUE(has(refused([&](Json& n) { set(n, "/spec/egress/0/ports/0", {{"endPort", 9}}); }), "no `port`"));
  EXPECT_TRUE(has(refused([&](Json& n) { set(n, first + "protocol", "tcp"); }), "none of"));
}

TEST(NetworkPolicies, OnlyThoseThatSelectThePodCount) {
  EXPECT_TRUE(
      has(over(rich(), [](Json& n) { set(n, "/spec/podSelector/matchLabels/agp-policy", "other"); }), "connect"));
  EXPECT_TRUE(has(over(rich(), [](Json& n) { set(n, "/metadata/namespace", "default"); }), "connect"));
  const auto selector = [](Json value) { return [value](Json& n) { set(n, "/spec/podSelector", value); }; };
  const auto expression = [&](const char* op, Json values) {
    Json one{{"key", "agp-policy"}, {"operator", op}};
    if (!values.is_null()) one["values"] = values;
    return over(rich(), selector({{"matchExpressions", Json::array({one})}}));
  };
  EXPECT_EQ(over(rich(), selector(Json::object())), "proved");  // every pod of the namespace
  EXPECT_EQ(expression("In", {"a", "rich"}), "proved");
  EXPECT_EQ(expression("Exists", nullptr), "proved");
  EXPECT_NE(expression("NotIn", {"rich"}), "proved");
  EXPECT_NE(expression("DoesNotExist", nullptr), "proved");
  // A pod without the file is open.
  Files f = files(rich().get());
  f.network = nullptr;
  EXPECT_TRUE(has(excess(rich().get(), f), "connect"));
}

/// Where one has a namespace and the other has none, the other's is whoever's who creates it.
TEST(NetworkPolicies, APodAndItsPolicyBothSayTheirNamespaceOrNeither) {
  const auto nowhere = [](Json& n) { remove(n, "/metadata/namespace"); };
  EXPECT_TRUE(has(over(rich(), nowhere), "`rich` has no namespace and the pod the namespace `agp-rich`"));
  // one of a list that opens everything would not count either
  const std::string open = over(rich(), [&](Json& n) {
    Json second = n;
    nowhere(second);
    second["spec"]["egress"].push_back(Json::object());
    n = {{"apiVersion", "v1"}, {"kind", "List"}, {"items", Json::array({n, second})}};
  });
  EXPECT_TRUE(has(open, "no namespace")) << open;
  Files f = files(rich().get());
  nowhere(f.pod);
  EXPECT_TRUE(has(excess(rich().get(), f), "has the namespace `agp-rich` and the pod no namespace"));
  nowhere(f.network);
  EXPECT_EQ(excess(rich().get(), f), "proved");
}

TEST(NetworkPolicies, SeveralAddUp) {
  const auto together = [](const Change& change) {
    return [change](Json& n) {
      Json second = n;
      change(second);
      n = {{"apiVersion", "v1"}, {"kind", "List"}, {"items", Json::array({n, second})}};
    };
  };
  EXPECT_EQ(over(rich(), together([](Json&) {})), "proved");
  const auto open = [](Json& n) { n["spec"]["egress"].push_back(Json::object()); };
  EXPECT_TRUE(has(over(rich(), together(open)), "connect"));
  EXPECT_EQ(over(rich(), together([&](Json& n) {
                   open(n);
                   set(n, "/metadata/namespace", "default");
                 })),
            "proved");
}

/// Two files against each other, without a pod: "equal", "different", or why it is not decided.
std::string compared(const Json& first, const Json& second) {
  const backends::Artifact both[] = {{"kubernetes/network-policy.json", first.dump()},
                                     {"kubernetes/network-policy.json", second.dump()}};
  const auto decoded = backends::kubernetes::backend().decode(both, kubernetes());
  if (!decoded.problems.empty()) return decoded.problems[0].message;
  std::string out = "equal";
  for (const auto& c : verify::compare_packets(*decoded.packets.at(0), *decoded.packets.at(1)))
    c.verdict.match([](const solver::Proved&) {}, [&](const verify::Difference&) { out = "different"; },
                    [&](const solver::Unknown& u) { out = u.reason; });
  return out;
}

TEST(NetworkPolicies, OnlyThoseThatSelectTheSamePodsAreCompared) {
  const Json first = files(rich().get()).network;
  const auto with = [&](const Change& change) {
    Json out = first;
    change(out);
    return out;
  };
  EXPECT_EQ(compared(first, first), "equal");
  EXPECT_EQ(compared(first, with([](Json& n) { set(n, "/metadata/name", "another"); })), "equal");
  EXPECT_EQ(compared(first, with([](Json& n) { set(n, "/spec/egress", Json::array()); })), "different");
  EXPECT_EQ(compared(first, with([](Json& n) { set(n, "/spec/podSelector/matchLabels/agp-policy", "other"); })),
            R"(the first is about pods with "agp-policy" = "rich" of the namespace `agp-rich`, the second about pods with )"
            R"("agp-policy" = "other" of the namespace `agp-rich`)");
  const auto labels = [&](Json all) {
    return with([&](Json& n) { set(n, "/spec/podSelector", {{"matchLabels", std::move(all)}}); });
  };
  EXPECT_TRUE(has(compared(labels({{"a", "b, c = d"}}), labels({{"a", "b"}, {"c", "d"}})), "about pods with"));
  EXPECT_TRUE(has(compared(first, with([](Json& n) { set(n, "/metadata/namespace", "default"); })), "`default`"));
  EXPECT_TRUE(has(compared(first, with([](Json& n) { set(n, "/spec/podSelector", Json::object()); })), "every pod"));
  const auto expressions = [&](Json list) {
    return with([&](Json& n) { set(n, "/spec/podSelector", {{"matchExpressions", std::move(list)}}); });
  };
  const Json a{{"key", "a"}, {"operator", "In"}, {"values", {"x", "y"}}}, b{{"key", "b"}, {"operator", "Exists"}};
  const Json y{{"key", "a"}, {"operator", "In"}, {"values", {"y", "x"}}};
  EXPECT_EQ(compared(expressions(Json::array({a, b})), expressions(Json::array({b, y}))), "equal");
  EXPECT_TRUE(has(compared(expressions(Json::array({a})), expressions(Json::array({a, b}))), "about pods with"));
}

TEST(NetworkPolicies, AListWithoutAPodHasOneSelector) {
  const auto list = [](const Change& change) {
    return refused([&](Json& n) {
      Json second = n;
      change(second);
      n = {{"apiVersion", "v1"}, {"kind", "List"}, {"items", Json::array({n, second})}};
    });
  };
  EXPECT_EQ(list([](Json& n) { set(n, "/spec/egress", Json::array()); }), "");
  EXPECT_TRUE(has(list([](Json& n) { set(n, "/spec/podSelector", Json::object()); }), "no pod tells which"));
  EXPECT_TRUE(has(list([](Json& n) { set(n, "/metadata/namespace", "default"); }), "no pod tells which"));
}

TEST(NetworkPolicies, AnExceptionIsWithinItsBlockWhateverOthersLeaveOfIt) {
  const auto with = [](std::vector<std::string> except) {
    Json n = files(outside().get()).network;
    set(n, "/spec/egress/0/to/0/ipBlock", {{"cidr", "10.0.0.0/8"}, {"except", std::move(except)}});
    return n;
  };
  const Json one = with({"10.1.0.0/16"});
  EXPECT_EQ(compared(one, with({"10.1.0.0/16", "10.1.2.0/24"})), "equal");
  EXPECT_EQ(compared(one, with({"10.1.2.0/24", "10.1.0.0/16", "10.1.0.0/16"})), "equal");
  EXPECT_EQ(compared(one, with({"10.1.0.0/17", "10.1.128.0/17"})), "equal");
  EXPECT_EQ(compared(one, with({"10.1.2.0/24"})), "different");
  EXPECT_TRUE(has(compared(one, with({"10.1.0.0/16", "10.0.0.0/8"})), "not within the block"));
}

TEST(NetworkPolicies, PeersThatAreNoBlockAreRefusedByName) {
  const std::string peer = "/spec/egress/0/to/0";
  EXPECT_TRUE(has(refused([&](Json& n) { set(n, peer, {{"podSelector", Json::object()}}); }), "podSelector"));
  EXPECT_TRUE(has(refused([&](Json& n) {
                    set(n, peer, {{"namespaceSelector", Json::object()}});
                  }),
                  "namespaceSelector"));
  EXPECT_TRUE(has(refused([&](Json& n) { set(n, peer, Json::object()); }), "ipBlock"));
  for (const char* cidr : {"10.0.0.1/8", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/08", "010.0.0.0/8", "10.0.0.0/", "any",
                           "::ffff:10.0.0.0/104", "fd00::/129", "fd00::1/8", "10.0.0.0/8 ", "fe80::%eth0/64", ""})
    EXPECT_TRUE(
        has(refused([&](Json& n) { set(n, peer + "/ipBlock/cidr", cidr); }), "`/spec/egress/0/to/0/ipBlock/cidr`"))
        << cidr;
  for (const char* except : {"11.0.0.0/16", "10.0.0.0/8", "0.0.0.0/0", "fd00::/16"})
    EXPECT_TRUE(has(refused([&](Json& n) {
                      set(n, peer + "/ipBlock", {{"cidr", "10.0.0.0/8"}, {"except", {except}}});
                    }),
                    "within the block"))
        << except;
  EXPECT_TRUE(has(refused([](Json& n) { set(n, "/spec/policyTypes", Json::array({"egress"})); }), "unknown"));
  EXPECT_TRUE(has(refused([](Json& n) { set(n, "/spec/Egress", Json::array()); }), "`/spec/Egress` is a field"));
  EXPECT_TRUE(has(refused([](Json& n) { set(n, "/kind", "CiliumNetworkPolicy"); }), "no NetworkPolicy"));
}

TEST(NetworkPolicies, PingsAreTheSocketsBusiness) {
  Files f = files(rich().get());
  EXPECT_EQ(excess(rich().get(), f), "proved");
  Files open = f;
  remove(open.pod, "/spec/securityContext/sysctls");  // containerd 2: every group may
  EXPECT_TRUE(has(excess(rich().get(), open), "icmp")) << excess(rich().get(), open);
  Files wide = f;
  set(wide.pod, "/spec/securityContext/sysctls/0/value", "0 2147483647");
  EXPECT_NE(excess(rich().get(), wide), "proved");
}

TEST(NetworkPolicies, TheFilesOwnInterpreterAgreesWithItsSets) {
  const Files f = files(rich().get());
  const auto decoded = decode(f.pod.dump(), f.network.dump());
  const model::PacketLayer& layer = *decoded.packets.at(0);
  std::size_t accepted = 0, seen = 0;
  for (const model::Hook hook : {model::Hook::Input, model::Hook::Output, model::Hook::Forward})
    for (int state = 0; state < 5; ++state)
      for (const int protocol : {1, 6, 17, 47, 58, 132})
        for (const char* where : {"10.0.0.7", "10.9.0.1", "11.0.0.1", "fd00::1", "fe00::1"})
          for (const int port : {0, 53, 439, 440, 443, 445, 446, 8080})
            for (const int by : {0, 1})
              for (const int type : {0, 3, 135}) {
                model::Packet p;
                p.hook = hook;
                p.state = static_cast<model::PacketState>(state);
                const model::Address a = address(where);
                p.family = a.is_v4() ? model::PacketFamily::V4 : model::PacketFamily::V6;
                p.destination = p.source = a.is_v4() ? model::Bits128{a.v4_bits()} : a.bits;
                p.protocol = static_cast<std::uint8_t>(protocol);
                p.port = static_cast<std::uint16_t>(port);
                (hook == model::Hook::Input ? p.in : p.out) = static_cast<std::uint8_t>(by);
                p.icmp_type = static_cast<std::uint8_t>(type);
                p.hops = type == 135 ? 255 : 64;
                const bool in_set = layer.space->holds(layer.accepted[static_cast<std::size_t>(hook)], p);
                EXPECT_EQ(in_set, layer.decide(p).accepted);
                accepted += in_set ? 1 : 0, ++seen;
              }
  EXPECT_GT(accepted, seen / 10);
  EXPECT_LT(accepted, seen - seen / 10);
}

/// Gaps that the plan names: "holds fact".
std::vector<std::string> gaps(const model::Policy& policy) {
  diagnostics::Sink sink;
  std::vector<std::string> out;
  constexpr const char* words[] = {"exact", "wider", "narrower", "unenforced", ""};
  for (const plan::Row& row : plan::make_plan(policy, kubernetes(), sink).rows)
    if (row.holds != plan::Holds::Exact)
      out.push_back(std::string(words[static_cast<std::size_t>(row.holds)]) + " " + row.fact.text);
  return out;
}

TEST(Gaps, WhatAPodCantHoldIsNamed) {
  FilePolicy f;
  f.allow("read", {"/data/**"})
      .allow("read write", {"/work/**"})
      .name_rule("registry.internal")
      .capability("CAP_CHOWN");
  f.tmpfs("/work");
  f.policy.limits.pids = {64, {}};
  f.policy.limits.files = {64, {}};
  f.policy.limits.time_ms = {1000, {}};
  EXPECT_EQ(gaps(f.policy),
            (std::vector<std::string>{"wider read \"/data/**\"", "wider read write \"/work/**\"",
                                      "narrower connect tcp registry.internal:443", "narrower CAP_CHOWN",
                                      "unenforced limit pids", "unenforced limit files"}));
}

TEST(Gaps, OfTheNetwork) {
  const auto of = [](const std::function<void(PolicyBuilder&)>& rule) {
    PolicyBuilder b("gaps");
    b.get().run.command = {"/bin/true"};
    b.get().run.user.reset();
    rule(b);
    const auto out = gaps(b.get());
    return out.empty() ? std::string("exact") : out.front().substr(0, out.front().find(' '));
  };
  EXPECT_EQ(of([](auto& b) { b.allow("a", tcp, {at("10.0.0.1", port(1))}); }), "exact");
  EXPECT_EQ(of([](auto& b) { b.allow("a", icmp, {all_of("10.0.0.1")}); }), "narrower");
  EXPECT_EQ(of([](auto& b) { b.deny("a", icmp, {all_of("10.0.0.1")}); }), "exact");
  EXPECT_EQ(of([](auto& b) { b.deny("a", tcp, {at("10.0.0.0/8", port(1))}); }), "exact");
  EXPECT_EQ(of([](auto& b) { b.deny("a", tcp, {at("127.0.0.0/8", port(1))}); }), "wider");
  EXPECT_EQ(of([](auto& b) { b.deny("a", tcp, {named("x.example", port(1))}); }), "unenforced");
  EXPECT_EQ(of([](auto& b) { b.listen("a", tcp, {at("any", port(1))}); }), "exact");
  EXPECT_EQ(of([](auto& b) { b.listen("a", tcp, {at("10.0.0.1", port(1))}); }), "narrower");
  EXPECT_EQ(of([](auto& b) { b.listen("a", icmp, {all_of("any")}); }), "exact");
  EXPECT_EQ(
      of([](auto& b) { b.net(model::Effect::Deny, "a", model::Direction::Listen, tcp, {at("10.0.0.1", port(1))}); }),
      "wider");
}

TEST(Gaps, WhatIsAcceptedIsSubtractedAndNoMore) {
  PolicyBuilder b = rich();
  b.listen("own", tcp, {at("10.0.0.1", port(22))});
  std::get<model::NetBody>(b.get().rules.back().body).endpoints[0].text = "listen tcp 10.0.0.1:22";
  EXPECT_TRUE(has(loss(b.get(), files(b.get())), "listen tcp 10.0.0.1:22"));
  model::Accept accept;
  accept.kind = model::Accept::Kind::Narrower;
  accept.fact = "listen tcp 10.0.0.1:22";
  b.get().accepts.push_back(accept);
  EXPECT_EQ(loss(b.get(), files(b.get())), "proved");
  EXPECT_TRUE(has(changed(
                      b, [](Json& n) { set(n, "/spec/ingress", Json::array()); }, verify::Direction::Loss),
                  "8080"));
}

}  // namespace
}  // namespace agp::test
