#include "backends/nftables/emit/demand.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

// In: a policy. Out: what its rules on addresses, names and listeners permit and refuse, as disjoint boxes; or
// problems. A rule on a name is a grant only; what a `deny` or `ask` on a name refuses, packets do not show
// (`capabilities`).
namespace agp::backends::nftables {
namespace {

using model::AddressSet;
using model::Direction;
using model::Effect;
using model::NetBody;

constexpr std::string_view too_many = "the endpoints of this policy cut one another into more than 200000 pieces";

class Collector {
 public:
  Collector(const model::Policy& policy, const model::Target& target, bool names)
      : policy_(policy), target_(target), with_names_(names) {}

  Demand run() {
    order();
    for (std::size_t i = 0; i < out_.rules.size(); ++i) rule(i, std::get<NetBody>(out_.rules[i]->body));
    settle(out_.refuse);
    settle(out_.allow);
    for (auto& name : out_.names) settle(name.boxes);
    for (auto& listen : out_.listens) {
      settle(listen.refuse);
      settle(listen.allow);
    }
    if (!out_.names.empty()) resolver();
    return std::move(out_);
  }

 private:
  void order() {
    for (std::size_t i = 0; i < policy_.rules.size(); ++i)
      if (!policy_.rules[i].expired && std::holds_alternative<NetBody>(policy_.rules[i].body)) out_.index.push_back(i);
    std::sort(out_.index.begin(), out_.index.end(), [&](std::size_t a, std::size_t b) {
      const auto& x = policy_.rules[a];
      const auto& y = policy_.rules[b];
      return std::tie(x.id, x.text, a) < std::tie(y.id, y.text, b);
    });
    for (const std::size_t i : out_.index) out_.rules.push_back(&policy_.rules[i]);
  }

  void problem(std::string message, std::string help = {}, std::optional<std::size_t> rule = std::nullopt) {
    out_.problems.push_back({std::move(message), rule, std::move(help)});
  }

  void settle(Boxes& boxes) {
    auto cells = model::disjoint(std::move(boxes));
    if (cells)
      boxes = std::move(*cells);
    else
      problem(std::string(too_many), "state them as fewer, larger or separate ranges");
  }

  void rule(std::size_t owner, const NetBody& body) {
    const bool allows = out_.rules[owner]->effect == Effect::Allow;
    for (std::size_t e = 0; e < body.endpoints.size(); ++e) {
      const auto& endpoint = body.endpoints[e].pattern;
      if (endpoint.name) {
        if (body.direction == Direction::Listen)
          problem("a listener's endpoint is an address of the sandbox, not a name", "write the address",
                  out_.index[owner]);
        else if (allows && with_names_)
          name(owner, body, e);
        continue;
      }
      auto boxes = model::boxes_of(body, endpoint, owner);
      Boxes& into = body.direction == Direction::Connect ? (allows ? out_.allow : out_.refuse)
                    : allows                             ? listen(body).allow
                                                         : listen(body).refuse;
      into.insert(into.end(), boxes.begin(), boxes.end());
    }
  }

  void name(std::size_t owner, const NetBody& body, std::size_t e) {
    NameDemand out;
    out.rule = owner;
    out.set_4 = name_set(*out_.rules[owner], e, 4);
    out.set_6 = name_set(*out_.rules[owner], e, 6);
    const AddressSet& never = model::never_by_name();
    const AddressSet stands_for = body.within ? *body.within : AddressSet::all() - never;
    out.bounded = body.within.has_value() ||
                  std::any_of(body.except.begin(), body.except.end(), [](const auto& x) { return !x.pattern.name; });
    out.before_never = !(stands_for & never).empty();
    out.boxes = model::boxes_of(body, body.endpoints[e].pattern, owner, &stands_for);
    out_.names.push_back(std::move(out));
  }

  ListenDemand& listen(const NetBody& body) {
    for (auto& l : out_.listens)
      if (l.from == body.from) return l;
    out_.listens.push_back({body.from, {}, {}});
    return out_.listens.back();
  }

  void resolver() {
    if (policy_.resolvers.empty()) problem("a rule on a name needs a `resolver`", "add `resolver ADDRESS` to `net`");
    for (const model::Address a : policy_.resolvers) {
      const bool v4 = a.is_v4();
      const auto within = [&](std::string_view first, std::string_view last) {
        const auto parse = [](std::string_view t) {
          return t.find(':') == t.npos ? *model::parse_v4(t) : *model::parse_v6(t);
        };
        return AddressSet::range(parse(first), parse(last)).contains(a);
      };
      if (v4 ? within("127.0.0.0", "127.255.255.255") : within("::1", "::1"))
        problem(
            fmt::format("the resolver {} is loopback, and in the sandbox's own network namespace nothing answers there",
                        to_string(a)),
            "state an address that the namespace can reach");
      else if (v4 ? within("0.0.0.0", "0.255.255.255") || within("224.0.0.0", "255.255.255.255")
                  : within("::", "::") || within("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
        problem(fmt::format("the resolver {} is not the address of one host", to_string(a)), "state a unicast address");
      else if (!v4 && within("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
        problem(fmt::format("the resolver {} is link-local and means nothing without an interface", to_string(a)),
                "state a global or unique local address");
    }
    user();
  }

  /// Whoever is the resolver's user may reach the upstream; the agent may not.
  void user() {
    const std::string& name = target_.dns_user;
    const auto in = [](char c, std::string_view set) { return set.find(c) != std::string_view::npos; };
    const bool plain =
        !name.empty() && name.size() <= 32 && name[0] != '-' && std::all_of(name.begin(), name.end(), [&](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || in(c, "_-");
        });
    if (!plain) return problem(fmt::format("the target's `dns_user` is not the name of a user: {} bytes", name.size()));
    const auto uid = agent_user(policy_).uid;
    if ((uid == 65534 && name == "nobody") || (uid == 0 && name == "root") || name == fmt::format("{}", uid))
      problem(fmt::format("the agent and the generated resolver are the same user ({}, {})", uid, name),
              "run the agent as another user, or name another `dns_user` in the target");
  }

  const model::Policy& policy_;
  const model::Target& target_;
  bool with_names_;
  Demand out_;
};

}  // namespace

Demand demand_of(const model::Policy& policy, const model::Target& target, bool names) {
  return Collector(policy, target, names).run();
}

}  // namespace agp::backends::nftables
