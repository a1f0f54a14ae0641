#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "backends/dns/backend.hpp"
#include "backends/nftables/backend.hpp"
#include "tests/support/net_policy.hpp"

// Writes the packet and name artifacts of the policies that the runtime tests load (DIR/POLICY/nftables/egress.nft, …)
// and beside them the attempts to make, each with the decision that the model gives for it (DIR/POLICY/attempts.json).
//   agp_net_policies DIR RESOLVER_UID SEED COUNT     COUNT policies are drawn at random
namespace {

using namespace agp;
using model::PortSet;
using test::PolicyBuilder;
using Json = nlohmann::ordered_json;

struct Case {
  model::Policy policy;
  std::vector<model::NetAction> attempts;
  std::string stack = "oci";
};

void connects(Case& c, model::Protocol p, std::initializer_list<const char*> hosts, std::initializer_list<int> ports) {
  for (const char* host : hosts)
    for (const int port : ports)
      c.attempts.push_back(
          {model::Direction::Connect, p, test::address(host), static_cast<std::uint16_t>(port), {}, {}});
}
void listens(Case& c, model::Protocol p, const char* local, std::initializer_list<const char*> peers,
             std::initializer_list<int> ports) {
  for (const char* peer : peers)
    for (const int port : ports)
      c.attempts.push_back({model::Direction::Listen,
                            p,
                            test::address(local),
                            static_cast<std::uint16_t>(port),
                            {},
                            test::address(peer)});
}

constexpr auto tcp = model::Protocol::Tcp, udp = model::Protocol::Udp, icmp = model::Protocol::Icmp;

Case example() {
  PolicyBuilder p("code-execution");
  p.allow("internal API gateway", test::tcp, {test::at("10.0.1.50", test::port(443))});
  p.allow("package registry", test::tcp, {test::named("registry.internal", test::port(443))}).within =
      test::addresses("10.0.0.0/8");
  p.resolver("10.0.0.53");
  p.get().on_deny.log = true;
  Case c{p.get(), {}};
  connects(c, tcp, {"10.0.1.50", "10.0.1.49", "10.0.1.51", "8.8.8.8", "169.254.169.254", "fd00:1::50"},
           {442, 443, 444, 80, 53});
  connects(c, udp, {"10.0.1.50", "10.0.0.53", "8.8.8.8", "fd00:1::50"}, {443, 53});
  connects(c, icmp, {"10.0.1.50", "fd00:1::50"}, {0});
  connects(c, tcp, {"127.0.0.1", "::1"}, {9000});
  return c;
}

/// Both families, ranges, denies that overlap allows, icmp.
Case shapes() {
  PolicyBuilder p("shapes");
  p.allow("hosts", test::tcp,
          {test::at("10.0.1.0/24", test::ports({{440, 445}})), test::at("10.0.1.40-10.0.1.60", test::port(443)),
           test::at("fd00:1::/64", test::port(443))});
  p.allow("names", test::udp, {test::at("10.0.1.50", test::port(5353)), test::at("fd00:1::50", test::port(5353))});
  p.allow("ping", test::icmp, {test::all_of("10.0.1.50"), test::all_of("fd00:1::50")});
  p.allow("everything on one host", test::any_protocol, {test::all_of("10.0.1.53")});
  p.deny("not 51", test::any_protocol, {test::all_of("10.0.1.51"), test::all_of("fd00:1::51")});
  p.deny("not 444 anywhere", test::tcp, {test::at("any", test::port(444))});
  p.net(model::Effect::Ask, "ask for 445", model::Direction::Connect, test::tcp,
        {test::at("10.0.1.50", test::port(445))});
  auto& carved = p.allow("carved", test::tcp, {test::at("10.0.1.52", PortSet::all())});
  carved.except.push_back({test::at("10.0.0.0/8", test::ports({{8000, 8999}})), {}, ""});
  p.net(model::Effect::Allow, "past its date", model::Direction::Connect, test::tcp,
        {test::at("8.8.8.8", test::port(443))});
  p.get().rules.back().expired = true;
  Case c{p.get(), {}};
  connects(c, tcp,
           {"10.0.0.255", "10.0.1.1", "10.0.1.39", "10.0.1.40", "10.0.1.50", "10.0.1.51", "10.0.1.52", "10.0.1.53",
            "10.0.1.60", "10.0.2.1", "8.8.8.8"},
           {1, 439, 440, 443, 444, 445, 446, 7999, 8000, 8999, 9000, 65535});
  connects(c, tcp, {"fd00:1::", "fd00:1::50", "fd00:1::51", "fd00:1::ffff:ffff:ffff:ffff", "fd00:2::"},
           {442, 443, 444});
  connects(c, udp, {"10.0.1.50", "10.0.1.51", "10.0.1.53", "fd00:1::50", "fd00:1::52"}, {443, 5352, 5353, 65535});
  connects(c, icmp, {"10.0.1.49", "10.0.1.50", "10.0.1.51", "10.0.1.53", "fd00:1::50", "fd00:1::51"}, {0});
  return c;
}

Case listeners() {
  PolicyBuilder p("listens");
  p.listen("service", test::tcp,
           {test::at("10.9.0.2", test::ports({{8080, 8081}})), test::at("fd09::2", test::port(8080))})
      .from = test::addresses("10.9.0.1") | test::addresses("fd09::1");
  p.listen("open", test::tcp_udp, {test::at("any", test::port(9000))});
  p.net(model::Effect::Deny, "not from 4", model::Direction::Listen, test::any_protocol, {test::all_of("any")}).from =
      test::addresses("10.9.0.4");
  p.listen("ping me", test::icmp, {test::all_of("10.9.0.2")}).from = test::addresses("10.9.0.1");
  p.allow("self", test::tcp, {test::at("127.0.0.1", test::ports({{9000, 9001}}))});
  Case c{p.get(), {}};
  listens(c, tcp, "10.9.0.2", {"10.9.0.1", "10.9.0.3", "10.9.0.4"}, {8079, 8080, 8081, 8082, 9000, 9001});
  listens(c, tcp, "fd09::2", {"fd09::1", "fd09::3"}, {8080, 8081, 9000});
  listens(c, udp, "10.9.0.2", {"10.9.0.1", "10.9.0.4"}, {8080, 9000});
  listens(c, icmp, "10.9.0.2", {"10.9.0.1", "10.9.0.3"}, {0});
  connects(c, tcp, {"10.9.0.1", "127.0.0.1"}, {9000, 9002});
  return c;
}

/// What the resolver must tell apart; its attempts are in names.py.
Case names() {
  PolicyBuilder p("names");
  p.resolver("10.0.0.53");
  p.allow("exact", test::tcp, {test::named("registry.internal", test::port(443))});
  p.allow("bounded", test::tcp, {test::named("bounded.internal", test::port(443))}).within =
      test::addresses("10.0.1.50");
  p.allow("wild", test::tcp, {test::named("*.wild.example", test::port(443))});
  p.allow("inner", test::tcp, {test::named("inner.wild.example", test::port(80))});
  p.allow("single label", test::tcp, {test::named("postgres", test::port(5432))});
  p.allow("metadata on purpose", test::tcp, {test::named("meta.internal", test::port(80))}).within =
      test::addresses("169.254.169.254");
  p.allow("alias", test::tcp, {test::named("alias.internal", test::port(443))});
  auto& wide = p.allow("wide", test::tcp, {test::named("*.wide.example", test::port(443))});
  wide.except.push_back({test::named("secret.wide.example", PortSet::all()), {}, ""});
  wide.except.push_back({test::at("10.0.1.61", test::port(443)), {}, ""});
  p.deny("no 52", test::any_protocol, {test::all_of("10.0.1.52")});
  return {p.get(), {}};
}

/// An upstream over IPv6, and a name whose addresses count only where they are IPv6.
Case names_6() {
  PolicyBuilder p("names-6");
  p.resolver("fd00::53");
  p.allow("name", test::tcp, {test::named("six.internal", test::port(443))}).within = test::addresses("fd00::/8");
  return {p.get(), {}};
}

/// Rule names that would end a string, a block or a line.
Case hostile() {
  PolicyBuilder p("hostile");
  p.get().on_deny.log = true;
  const std::vector<std::string> ids = {"a\"; } drop",   "line\nflush ruleset\n", "}",          "$variable",
                                        "back\\slash\\", "\xf0\x9f\x94\x92 lock", "100% %s %n", std::string(300, 'x'),
                                        "\x1b[31m",      "# not a comment",       "",           "\xff\xfe",
                                        "default"};
  Case c;
  int host = 1;
  for (const auto& id : ids) {
    const std::string last = std::to_string(host);
    p.deny(id, test::tcp, {test::at("10.1.0." + last, test::port(443))});
    p.allow("allow " + id, test::tcp, {test::at("10.2.0." + last, test::port(443))});
    p.allow("name " + id, test::tcp, {test::named("h" + last + ".internal", test::port(443))});
    connects(c, tcp, {("10.1.0." + last).c_str(), ("10.2.0." + last).c_str(), ("10.3.0." + last).c_str()}, {443});
    ++host;
  }
  p.resolver("10.0.0.53");
  p.resolver("fd00::53");
  c.policy = p.get();
  return c;
}

Case large() {
  PolicyBuilder p("large");
  for (int i = 0; i < 10000; ++i) {
    const std::string host = "10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256);
    if (i % 2 == 0)
      p.allow("a" + std::to_string(i), test::tcp, {test::at(host, test::ports({{i % 1000 + 1, i % 1000 + 5}}))});
    else
      p.deny("d" + std::to_string(i), test::udp, {test::at(host + "-10.200.0.0", test::port(i))});
  }
  Case c{p.get(), {}};
  connects(c, tcp, {"10.1.0.0", "10.1.39.14"}, {1, 5, 6, 998, 999, 1003, 1004});  // the rules 0 and 9998
  return c;
}

/// Among the host's packets: the agent is told by its user, its cgroup or the interface that it is behind. Listeners
/// are at `local`; by user there are none.
Case attached(const char* form, const char* local_4, const char* local_6) {
  PolicyBuilder p(std::string("by-") + form);
  p.allow("hosts", test::tcp,
          {test::at("10.0.1.0/24", test::ports({{440, 445}})), test::at("fd00:1::/64", test::port(443))});
  p.allow("udp", test::udp, {test::at("10.0.1.50", test::port(5353)), test::at("fd00:1::50", test::port(5353))});
  p.allow("ping", test::icmp, {test::all_of("10.0.1.50"), test::all_of("fd00:1::50")});
  p.deny("not 51", test::any_protocol, {test::all_of("10.0.1.51"), test::all_of("fd00:1::51")});
  p.deny("not 444", test::tcp, {test::at("any", test::port(444))});
  p.allow("loopback", test::tcp, {test::at("127.0.0.1", test::port(9000)), test::at("::1", test::port(9000))});
  Case c{p.get(), {}, "launcher"};
  connects(c, tcp, {"10.0.0.255", "10.0.1.0", "10.0.1.50", "10.0.1.51", "10.0.1.255", "10.0.2.0", "8.8.8.8"},
           {439, 440, 443, 444, 445, 446});
  connects(c, tcp, {"fd00:1::", "fd00:1::50", "fd00:1::51", "fd00:1::ffff:ffff:ffff:ffff", "fd00:2::"},
           {442, 443, 444});
  connects(c, udp, {"10.0.1.50", "10.0.1.51", "fd00:1::50", "fd00:1::52"}, {443, 5352, 5353, 5354});
  connects(c, icmp, {"10.0.1.49", "10.0.1.50", "10.0.1.51", "fd00:1::50", "fd00:1::51"}, {0});
  if (std::string_view(form) != "interface") connects(c, tcp, {"127.0.0.1", "::1"}, {9000, 9001});
  if (!local_4) return c;
  PolicyBuilder more("");
  more.get() = std::move(c.policy);
  more.listen("service", test::tcp_udp,
              {test::at(local_4, test::ports({{8080, 8081}})), test::at(local_6, test::port(8080))})
      .from = test::addresses("10.9.0.1") | test::addresses("fd09::1");
  more.listen("all may", test::tcp, {test::at("any", test::port(9000))});
  more.net(model::Effect::Deny, "not from 4", model::Direction::Listen, test::any_protocol, {test::all_of("any")})
      .from = test::addresses("10.9.0.4");
  c.policy = more.get();
  for (const auto either : {tcp, udp})
    listens(c, either, local_4, {"10.9.0.1", "10.9.0.3", "10.9.0.4"}, {8079, 8080, 8081, 8082});
  listens(c, tcp, local_4, {"10.9.0.1", "10.9.0.3", "10.9.0.4"}, {9000, 9001});
  for (const auto either : {tcp, udp}) listens(c, either, local_6, {"fd09::1", "fd09::3"}, {8079, 8080, 8081});
  return c;
}
Case by_user() { return attached("user", nullptr, nullptr); }
Case by_cgroup() {
  Case c = attached("cgroup", "10.9.0.2", "fd09::2");
  c.policy.run.cgroup = "/agp-test/agent";
  return c;
}
Case by_interface() {
  Case c = attached("interface", "10.8.0.2", "fd08::2");
  c.policy.run.interface = "tap0";
  connects(c, tcp, {"10.8.0.1", "10.9.0.2", "fd08::1", "fd09::2"}, {9000});  // the host itself
  return c;
}

/// The agent's user is the resolver's: the ruleset must not load.
Case same_user(std::uint32_t uid) {
  Case c = example();
  c.policy.name = "same-user";
  c.policy.run.user = model::User{uid, uid, {}};
  return c;
}

/// Few addresses and ports, so that rules meet, touch and overlap, and every attempt is near a border.
Case drawn(int number, std::mt19937& random) {
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  const auto host = [&](bool v6, unsigned n) {
    return model::Address{test::address(v6 ? "fd00:1::" : "10.0.1.0").bits + n};
  };
  const auto port = [&] { return below(2) ? 1 + below(6) : 65530 + below(6); };
  const auto endpoint = [&](bool v6) {
    const unsigned first = below(8), from = port();
    model::EndpointPattern e;
    e.addresses = below(6) == 0 ? (v6 ? model::AddressSet::all_v6() : model::AddressSet::all_v4())
                                : model::AddressSet::range(host(v6, first), host(v6, first + below(8 - first)));
    e.ports = below(5) == 0
                  ? PortSet::all()
                  : PortSet::range(static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(from + below(4)));
    e.icmp = e.ports.is_all();
    return e;
  };
  PolicyBuilder p("random-" + std::to_string(number));
  for (unsigned n = 2 + below(12); n > 0; --n) {
    const bool v6 = below(3) == 0;
    const auto effect =
        std::array{model::Effect::Allow, model::Effect::Allow, model::Effect::Deny, model::Effect::Ask}[below(4)];
    auto& body =
        p.net(effect, "r" + std::to_string(n), model::Direction::Connect,
              std::array{test::tcp, test::tcp, test::udp, test::tcp_udp, test::any_protocol, test::icmp}[below(6)],
              {endpoint(v6), endpoint(v6)});
    if (below(3) == 0) body.except.push_back({endpoint(v6), {}, ""});
  }
  for (unsigned n = below(4); n > 0; --n) {
    const auto first = static_cast<std::uint16_t>(8079 + below(3));
    auto& body = p.net(below(3) ? model::Effect::Allow : model::Effect::Deny, "l" + std::to_string(n),
                       model::Direction::Listen, below(2) ? test::tcp : test::tcp_udp,
                       {{below(2) ? test::addresses("any") : test::addresses("10.9.0.2"),
                         {},
                         PortSet::range(first, static_cast<std::uint16_t>(first + below(3))),
                         false}});
    if (below(3)) body.from = std::array{test::addresses("10.9.0.1"), test::addresses("10.9.0.3-10.9.0.4")}[below(2)];
  }
  Case c{p.get(), {}};
  for (int i = 0; i < 60; ++i) {
    const auto protocol = std::array{tcp, tcp, udp, icmp}[below(4)];
    c.attempts.push_back({model::Direction::Connect,
                          protocol,
                          host(below(3) == 0, below(9)),
                          static_cast<std::uint16_t>(protocol == icmp ? 0 : port()),
                          {},
                          {}});
  }
  for (int i = 0; i < 8; ++i)
    c.attempts.push_back({model::Direction::Listen,
                          below(2) ? tcp : udp,
                          test::address("10.9.0.2"),
                          static_cast<std::uint16_t>(8079 + below(4)),
                          {},
                          model::Address{test::address("10.9.0.1").bits + std::array{0, 2, 3}[below(3)]}});
  return c;
}

bool write(const std::filesystem::path& directory, const backends::Emitted& emitted) {
  for (const auto& problem : emitted.problems) std::cerr << problem.message << '\n';
  for (const auto& artifact : emitted.artifacts) {
    std::filesystem::create_directories((directory / artifact.path).parent_path());
    std::ofstream(directory / artifact.path, std::ios::binary) << artifact.bytes;
  }
  return emitted.problems.empty();
}

Json attempt(const model::Policy& policy, const model::NetAction& a) {
  Json out = {{"what", model::to_string(model::Action(a))},
              {"direction", a.direction == model::Direction::Connect ? "connect" : "listen"},
              {"protocol", model::protocols_text(static_cast<model::Protocols>(a.protocol))},
              {"address", to_string(a.address)},
              {"port", a.port},
              {"permitted", decide(policy, a).decision == model::Decision::Allow}};
  if (a.peer) out["peer"] = to_string(*a.peer);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  std::vector<Case> cases = {example(),
                             shapes(),
                             listeners(),
                             names(),
                             names_6(),
                             hostile(),
                             large(),
                             by_user(),
                             by_cgroup(),
                             by_interface(),
                             same_user(static_cast<std::uint32_t>(std::stoul(argv[2])))};
  std::mt19937 random(static_cast<std::uint32_t>(std::stoul(argv[3])));
  for (int i = 0; i < std::stoi(argv[4]); ++i) cases.push_back(drawn(i, random));
  bool good = true;
  for (const auto& c : cases) {
    const auto directory = std::filesystem::path(argv[1]) / c.policy.name;
    auto target = test::debian_12();
    target.stack = c.stack;
    for (const auto* backend : {&backends::nftables::backend(), &backends::dns::backend()})
      good = write(directory, backend->emit(c.policy, target, {})) && good;
    Json attempts = Json::array();
    for (const auto& a : c.attempts) attempts.push_back(attempt(c.policy, a));
    std::ofstream(directory / "attempts.json") << attempts.dump(1) << '\n';
  }
  return good ? 0 : 1;
}
