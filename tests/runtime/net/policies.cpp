#include <filesystem>
#include <fstream>
#include <iostream>

#include "backends/dns/backend.hpp"
#include "backends/nftables/backend.hpp"
#include "tests/support/net_policy.hpp"

// Writes the packet and name artifacts of the policies that the runtime tests load: DIR/POLICY/nftables/egress.nft, ….
namespace {

using namespace agp;
using test::PolicyBuilder;

model::Policy example() {
  PolicyBuilder p("code-execution");
  p.allow("internal API gateway", test::tcp, {test::at("10.0.1.50", test::port(443))});
  p.allow("package registry", test::tcp, {test::named("registry.internal", test::port(443))}).within = test::addresses("10.0.0.0/8");
  p.resolver("10.0.0.53");
  p.get().on_deny.log = true;
  return p.get();
}

/// Both families, ranges, denies that overlap allows, icmp.
model::Policy shapes() {
  PolicyBuilder p("shapes");
  p.allow("hosts", test::tcp, {test::at("10.0.1.0/24", test::ports({{440, 445}})), test::at("10.0.1.40-10.0.1.60", test::port(443)),
                               test::at("fd00:1::/64", test::port(443))});
  p.allow("names", test::udp, {test::at("10.0.1.50", test::port(5353)), test::at("fd00:1::50", test::port(5353))});
  p.allow("ping", test::icmp, {test::all_of("10.0.1.50"), test::all_of("fd00:1::50")});
  p.allow("everything on one host", test::any_protocol, {test::all_of("10.0.1.53")});
  p.deny("not 51", test::any_protocol, {test::all_of("10.0.1.51"), test::all_of("fd00:1::51")});
  p.deny("not 444 anywhere", test::tcp, {test::at("any", test::port(444))});
  p.net(model::Effect::Ask, "ask for 445", model::Direction::Connect, test::tcp, {test::at("10.0.1.50", test::port(445))});
  auto& carved = p.allow("carved", test::tcp, {test::at("10.0.1.52", model::PortSet::all())});
  carved.except.push_back({test::at("10.0.0.0/8", test::ports({{8000, 8999}})), {}, ""});
  return p.get();
}

model::Policy listens() {
  PolicyBuilder p("listens");
  p.listen("service", test::tcp, {test::at("10.0.1.2", test::ports({{8080, 8081}}))}).from = test::addresses("10.0.1.50");
  p.listen("open", test::tcp_udp, {test::at("any", test::port(9000))});
  p.net(model::Effect::Deny, "not from 51", model::Direction::Listen, test::any_protocol, {test::all_of("any")}).from =
      test::addresses("10.0.1.51");
  p.allow("self", test::tcp, {test::at("127.0.0.1", test::ports({{9000, 9001}}))});
  p.listen("ping me", test::icmp, {test::all_of("10.0.1.2")}).from = test::addresses("10.0.1.50");
  return p.get();
}

/// What the resolver must tell apart.
model::Policy names() {
  PolicyBuilder p("names");
  p.resolver("10.0.0.53");
  p.allow("exact", test::tcp, {test::named("registry.internal", test::port(443))});
  p.allow("bounded", test::tcp, {test::named("bounded.internal", test::port(443))}).within = test::addresses("10.0.1.50");
  p.allow("wild", test::tcp, {test::named("*.wild.example", test::port(443))});
  p.allow("inner", test::tcp, {test::named("inner.wild.example", test::port(80))});
  p.allow("single label", test::tcp, {test::named("postgres", test::port(5432))});
  p.allow("metadata on purpose", test::tcp, {test::named("meta.internal", test::port(80))}).within = test::addresses("169.254.169.254");
  p.allow("alias", test::tcp, {test::named("alias.internal", test::port(443))});
  auto& wide = p.allow("wide", test::tcp, {test::named("*.wide.example", test::port(443))});
  wide.except.push_back({test::named("secret.wide.example", model::PortSet::all()), {}, ""});
  p.deny("no 52", test::any_protocol, {test::all_of("10.0.1.52")});
  return p.get();
}

/// Rule names that would end a string, a block or a line.
model::Policy hostile() {
  PolicyBuilder p("hostile");
  p.get().on_deny.log = true;
  const std::vector<std::string> ids = {"a\"; } drop", "line\nflush ruleset\n", "}", "$variable", "back\\slash\\", "\xf0\x9f\x94\x92 lock",
                                        "100% %s %n", std::string(300, 'x'), "\x1b[31m", "# not a comment", "", "\xff\xfe", "default"};
  int host = 1;
  for (const auto& id : ids) {
    p.deny(id, test::tcp, {test::at("10.1.0." + std::to_string(host), test::port(443))});
    p.allow("allow " + id, test::tcp, {test::at("10.2.0." + std::to_string(host++), test::port(443))});
    p.allow("name " + id, test::tcp, {test::named("h" + std::to_string(host) + ".internal", test::port(443))});
  }
  p.resolver("10.0.0.53");
  p.resolver("fd00::53");
  return p.get();
}

model::Policy large() {
  PolicyBuilder p("large");
  for (int i = 0; i < 10000; ++i) {
    const std::string host = "10." + std::to_string(i / 65536 + 1) + "." + std::to_string(i / 256 % 256) + "." + std::to_string(i % 256);
    if (i % 2 == 0) p.allow("a" + std::to_string(i), test::tcp, {test::at(host, test::ports({{i % 1000 + 1, i % 1000 + 5}}))});
    else p.deny("d" + std::to_string(i), test::udp, {test::at(host + "-10.200.0.0", test::port(i))});
  }
  return p.get();
}

bool write(const std::filesystem::path& directory, const backends::Emitted& emitted) {
  for (const auto& problem : emitted.problems) std::cerr << problem.message << '\n';
  for (const auto& artifact : emitted.artifacts) {
    std::filesystem::create_directories((directory / artifact.path).parent_path());
    std::ofstream(directory / artifact.path, std::ios::binary) << artifact.bytes;
  }
  return emitted.problems.empty();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  bool good = true;
  for (const auto& policy : {example(), shapes(), listens(), names(), hostile(), large()}) {
    const auto directory = std::filesystem::path(argv[1]) / policy.name;
    for (const auto* backend : {&backends::nftables::backend(), &backends::dns::backend()})
      good = write(directory, backend->emit(policy, test::debian_12(), {})) && good;
  }
  return good ? 0 : 1;
}
