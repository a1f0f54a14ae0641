// Each rule -> attempts inside it and just outside. Afterwards: a boundary stands in the suite only where the model's
// decision really changes there; where a neighbour is permitted by another rule there is nothing to try.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/analysis/probe_suite.hpp"

namespace agp::analysis {

using namespace model;

namespace {

struct VerbKind {
  Verb verb;
  const char* kind;
};
constexpr VerbKind verb_kinds[] = {{Verb::Read, "read"},     {Verb::List, "list"},     {Verb::Modify, "modify"},
                                   {Verb::Create, "create"}, {Verb::Delete, "delete"}, {Verb::Exec, "exec"}};

/// What must be there before the attempt: the executor makes it where the policy lets it, else whoever starts the
/// sandbox.
const char* needs(const Suite& suite, const VerbKind& v, const std::string& path) {
  if (v.verb == Verb::Create || v.verb == Verb::List) return nullptr;
  const bool can_make = suite.permits(FileAction{Verb::Create, path}) &&
                        suite.permits(FileAction{Verb::Delete, path}) && suite.permits(FileAction{Verb::Modify, path});
  return can_make ? "make" : "file";
}

std::string file_text(const VerbKind& v, const std::string& path) {
  const std::string text = to_string(FileAction{v.verb, path});
  return v.kind + text.substr(text.find(' '));
}

void add_file(Suite& suite, std::optional<Expected> only, const VerbKind& v, const std::string& path,
              const char* about) {
  const std::vector<Action> actions{FileAction{v.verb, path}};
  Attempt attempt = file_attempt(v.kind, path, needs(suite, v, path));
  if (only)
    suite.add_if(*only, file_text(v, path), about, actions, std::move(attempt));
  else
    suite.add(file_text(v, path), about, actions, std::move(attempt));
}

/// Names of the suite's own: what is created must not be there before, what is read must.
std::string node_name(Verb verb) { return verb == Verb::Create ? "/agp-probe-new" : "/agp-probe"; }

/// A path of the pattern: one on which the rule decides, if there is one.
std::optional<std::string> sample(const Suite& suite, const Rule& rule, const PathPattern& pattern, Verb verb) {
  const Decision wanted = rule.effect == Effect::Allow ? Decision::Allow : Decision::Deny;
  const auto decided = [&](const std::string& path) {
    return pattern.matches(path) && decide(suite.policy(), FileAction{verb, path}).decision == wanted;
  };
  if (pattern.shape() != PathPattern::Shape::Other) {
    const std::string base = pattern.base();
    const std::string path =
        pattern.shape() == PathPattern::Shape::Node ? base : (base == "/" ? "" : base) + node_name(verb);
    if (decided(path)) return path;
  }
  // For a deny: first where an allow rule would permit it, since elsewhere it is refused without the rule as well.
  std::vector<const PathPattern*> patterns{&pattern};
  std::vector<bool> denies{false};
  for (const Rule& other : suite.policy().rules) {
    const auto* body = std::get_if<FileBody>(&other.body);
    if (body == nullptr || other.expired || &other == &rule || !has(body->verbs, verb)) continue;
    for (const auto& p : body->patterns) {
      patterns.push_back(&p.pattern);
      denies.push_back(other.effect == Effect::Deny);
    }
  }
  const auto wants = [&](const std::vector<bool>& hit, bool through_allow) {
    bool allowed = false, denied = false;
    for (std::size_t i = 1; i < hit.size(); ++i) (denies[i] ? denied : allowed) |= hit[i];
    return hit[0] && !denied && (!through_allow || allowed);
  };
  for (const bool through_allow : {rule.effect == Effect::Deny, false}) {
    const PathSearch found =
        find_path(patterns, [&](const std::vector<bool>& hit) { return wants(hit, through_allow); });
    if (found.witness && decided(*found.witness)) return found.witness;
  }
  return {};
}

/// A denied place beneath a writable directory, reached by moving a directory between them out of the way.
void add_renames(Suite& suite, const std::string& base, const std::string& inside) {
  for (std::string move = base; move != "/" && suite.permits(FileAction{Verb::Create, move});
       move = parent_path(move)) {
    const std::string to = (parent_path(move) == "/" ? "" : parent_path(move)) + "/agp-probe-moved";
    suite.add(fmt::format("mv {} {}; mkdir -p; create {}", move, to, inside), "a directory on the way moved away",
              {FileAction{Verb::Delete, move}, FileAction{Verb::Create, to}, FileAction{Verb::Create, move},
               FileAction{Verb::Delete, inside}, FileAction{Verb::Create, inside}},
              {"rename-create", {{"path", inside}, {"move", move}, {"to", to}}});
  }
}

/// Renames and hard links into the directory of a pattern: of what is there already, and of what other rules are about.
/// Between two places that differ a layer may refuse more than it has to (a mount point is in the way): there only what
/// must be refused is tried.
void add_moves(Suite& suite, const Rule& rule, const std::string& base) {
  for (const bool link : {false, true}) {
    const std::string to = base + (link ? "/agp-probe-linked" : "/agp-probe-moved");
    suite.add_move_if(Expected::Permitted, link, base + "/agp-probe", to, "within the directory", "make");
    for (const Rule& other : suite.policy().rules) {
      const auto* body = std::get_if<FileBody>(&other.body);
      if (body == nullptr || other.expired || &other == &rule || other.effect != Effect::Allow || !other.module.empty())
        continue;
      for (const auto& p : body->patterns) {
        const bool node = p.pattern.shape() == PathPattern::Shape::Node;
        if (!node && p.pattern.shape() != PathPattern::Shape::Subtree) continue;
        const std::string from = (p.pattern.base() == "/" ? "" : p.pattern.base()) + (node ? "" : "/agp-probe");
        suite.add_move_if(Expected::Denied, link, from, to, "it would gain a verb, or leave where it must stay",
                          needs(suite, verb_kinds[0], from));
      }
    }
  }
}

void allowed_path(Suite& suite, const Rule& rule, const FileBody& body, const PathPattern& pattern) {
  const bool library = !rule.module.empty(), node = pattern.shape() == PathPattern::Shape::Node;
  const bool shaped = pattern.shape() != PathPattern::Shape::Other;
  for (const VerbKind& v : verb_kinds) {
    if (!has(body.verbs, v.verb)) continue;
    if (v.verb == Verb::List) {
      if (shaped && !node) add_file(suite, {}, v, pattern.base(), "the directory of the pattern");
      continue;
    }
    // No file beneath a directory of the library is known by name, and none may be made there.
    if ((library && !node) || (v.verb == Verb::Exec && !node)) continue;
    if (const auto path = sample(suite, rule, pattern, v.verb))
      add_file(suite, Expected::Permitted, v, *path, "inside");
  }
  if (!shaped || pattern.base() == "/") return;
  if (has(body.verbs, Verb::Create) && pattern.shape() == PathPattern::Shape::Subtree)
    add_moves(suite, rule, pattern.base());
  const VerbKind& strongest = has(body.verbs, Verb::Create) ? verb_kinds[3]
                              : has(body.verbs, Verb::Read) ? verb_kinds[0]
                                                            : verb_kinds[5];
  const std::string base = pattern.base(), up = parent_path(base) == "/" ? "" : parent_path(base);
  add_file(suite, Expected::Denied, strongest, base + (node ? "2" : "2" + node_name(strongest.verb)),
           "the same prefix");
  if (!library) add_file(suite, Expected::Denied, strongest, up + node_name(strongest.verb), "beside the directory");
  for (const VerbKind& v : {verb_kinds[0], verb_kinds[3], verb_kinds[5]})
    if (!has(body.verbs, v.verb) && !(library && v.verb == Verb::Exec) && !(node && v.verb == Verb::Create))
      add_file(suite, Expected::Denied, v, node ? base : base + node_name(v.verb), "another verb");
}

void denied_path(Suite& suite, const Rule& rule, const FileBody& body, const PathPattern& pattern) {
  for (const VerbKind& v : verb_kinds) {
    if (!has(body.verbs, v.verb) || v.verb == Verb::List || v.verb == Verb::Modify || v.verb == Verb::Delete) continue;
    const auto path = sample(suite, rule, pattern, v.verb);
    if (!path) continue;
    add_file(suite, Expected::Denied, v, *path, "inside the denial");
    if (v.verb == Verb::Create && pattern.shape() != PathPattern::Shape::Other)
      add_renames(suite, pattern.base(), *path);
  }
  if (pattern.shape() == PathPattern::Shape::Other || pattern.base() == "/" || !has(body.verbs, Verb::Create)) return;
  add_file(suite, Expected::Permitted, verb_kinds[3], pattern.base() + "2", "beside the denial");
}

// --- net

std::string host(Address a) { return to_string(a); }

void add_connect(Suite& suite, std::optional<Expected> only, Protocol protocol, Address a, std::uint16_t port,
                 const char* about) {
  const NetAction action{Direction::Connect, protocol, a, protocol == Protocol::Icmp ? std::uint16_t{0} : port, {}, {}};
  const auto actions = connect_actions(protocol, !a.is_v4(), action);
  Attempt attempt = connect_attempt(protocol, host(a), action.port);
  if (only)
    suite.add_if(*only, to_string(action), about, actions, std::move(attempt));
  else
    suite.add(to_string(action), about, actions, std::move(attempt));
}

/// The same IPv4 endpoint through an IPv6 socket (RFC 4291, 2.5.5.2).
void add_mapped(Suite& suite, Protocol protocol, Address a, std::uint16_t port) {
  const NetAction action{Direction::Connect, protocol, a, port, {}, {}};
  const std::string mapped = "::ffff:" + host(a);
  suite.add(fmt::format("connect {} [{}]:{}", protocols_text(static_cast<Protocols>(protocol)), mapped, port),
            "the same address, mapped", connect_actions(protocol, true, action),
            connect_attempt(protocol, mapped, port));
}

std::uint16_t a_port(const PortSet& ports) {
  for (const std::uint16_t usual : std::initializer_list<std::uint16_t>{443, 80, 53})
    if (ports.contains(usual)) return usual;
  return ports.empty() ? std::uint16_t{443} : ports.ranges().front().first;
}

std::vector<std::uint16_t> ports_beside(const PortSet& ports) {
  std::vector<std::uint16_t> out;
  for (const PortRange& r : ports.ranges()) {
    if (r.first > 1) out.push_back(static_cast<std::uint16_t>(r.first - 1));
    if (r.last < 65535) out.push_back(static_cast<std::uint16_t>(r.last + 1));
  }
  return out;
}

constexpr Protocol all_protocols[] = {Protocol::Tcp, Protocol::Udp, Protocol::Icmp};

/// 2001:db8::/32 is for documentation (RFC 3849): no real host has it.
Address documentation_v6(std::uint32_t low) { return {static_cast<Bits128>(0x20010db8) << 96 | low}; }

void connect_to_addresses(Suite& suite, const Rule& rule, const NetBody& body, const EndpointPattern& e) {
  if (e.addresses.empty()) return;
  const bool allow = rule.effect == Effect::Allow;
  const AddressRange range = e.addresses.ranges().front();
  const Address last = e.addresses.ranges().back().last;
  const std::uint16_t port = a_port(e.ports);
  const Expected outside = allow ? Expected::Denied : Expected::Permitted;
  for (const Protocol p : all_protocols)
    if (has(body.protocols, p) && (p != Protocol::Icmp || e.icmp))
      add_connect(suite, {}, p, range.first, port, allow ? "inside" : "inside the denial");
  const Protocol p = has(body.protocols, Protocol::Tcp) ? Protocol::Tcp : Protocol::Udp;
  if (allow && has(body.protocols, p)) {
    add_connect(suite, Expected::Permitted, p, last, port, "the last address");
    for (const PortRange& r : e.ports.ranges())
      for (const std::uint16_t end : {r.first, r.last})
        add_connect(suite, Expected::Permitted, p, range.first, end, "the end of a port range");
  }
  for (const std::uint16_t other : ports_beside(e.ports))
    add_connect(suite, outside, p, range.first, other, "the next port");
  if (range.first.bits != 0) add_connect(suite, outside, p, {range.first.bits - 1}, port, "the address before");
  if (last.bits != ~Bits128{0}) add_connect(suite, outside, p, {last.bits + 1}, port, "the address after");
  if (!allow) return;
  for (const Protocol other : all_protocols)
    if (!has(body.protocols, other)) add_connect(suite, outside, other, range.first, port, "another protocol");
  if (!range.first.is_v4()) return;
  add_mapped(suite, p, range.first, port);
  add_connect(suite, outside, p, documentation_v6(range.first.v4_bits()), port, "an IPv6 address");
}

/// Some address of the set, away from its edge where there is room: `.0` is no host.
std::optional<Address> an_address(const AddressSet& set) {
  const AddressSet four = set.v4();
  const AddressSet& from = four.empty() ? set : four;
  if (from.empty()) return {};
  const AddressRange& r = from.ranges().front();
  const Address inside{r.first.bits + 0x4d0a0a};
  return r.last.bits - r.first.bits >= 0x4d0a0a ? inside : r.first;
}

Attempt connect_name_attempt(const std::string& name, Protocol p, std::uint16_t port, const char* type) {
  Attempt a = name_attempt("connect-name", name, type);
  a.parameters.emplace_back("protocol", protocols_text(static_cast<Protocols>(p)));
  a.parameters.emplace_back("port", static_cast<std::uint64_t>(port));
  return a;
}

void add_name(Suite& suite, const std::string& name, Protocol p, std::uint16_t port,
              const std::optional<Address>& answer, const char* about) {
  const NameAction action{p, name, port};
  std::vector<Action> actions{ResolveAction{name}};
  // With the address in hand the decision is about it too: an address rule may permit what no name rule does.
  Action connection = answer ? Action{NetAction{Direction::Connect, p, *answer, port, name, {}}} : Action{action};
  for (Action& a : connect_actions(p, answer && !answer->is_v4(), std::move(connection)))
    actions.push_back(std::move(a));
  Attempt attempt = connect_name_attempt(name, p, port, "A");
  // What a stand-in for the resolver is to answer; the executor takes what it is given.
  if (answer) attempt.parameters.emplace_back("answer", host(*answer));
  suite.add(to_string(action), about, actions, std::move(attempt));
}

/// Connections to a name, and the questions about it and its neighbours.
void connect_to_name(Suite& suite, const Rule& rule, const NetBody& body, const EndpointPattern& e) {
  if (rule.effect != Effect::Allow) return;
  const std::string name = e.name->beneath ? "agp-probe." + e.name->name : e.name->name;
  const Protocol p = has(body.protocols, Protocol::Tcp) ? Protocol::Tcp : Protocol::Udp;
  const std::uint16_t port = a_port(e.ports);
  const AddressSet reach = reachable_by_name(suite.policy(), rule, p, port);
  const auto answer = an_address(reach);
  suite.add(to_string(ResolveAction{name}), "the name", {ResolveAction{name}}, name_attempt("resolve", name));
  add_name(suite, name, p, port, answer, "inside");
  for (const std::uint16_t other : ports_beside(e.ports))
    if (!suite.permits(NameAction{p, name, other})) add_name(suite, name, p, other, answer, "the next port");
  const Protocol another = p == Protocol::Tcp ? Protocol::Udp : Protocol::Tcp;
  if (!suite.permits(NameAction{another, name, port})) add_name(suite, name, another, port, answer, "another protocol");

  // 203.0.113.0/24 is for documentation (RFC 5737); an answer outside `within` must not open it.
  const Address elsewhere = *parse_v4("203.0.113.7");
  const NetAction outside{Direction::Connect, p, elsewhere, port, name, {}};
  if (!suite.permits(outside)) {
    Attempt attempt = connect_name_attempt(name, p, port, "A");
    attempt.parameters.emplace_back("address", host(elsewhere));
    auto actions = connect_actions(p, false, outside);
    suite.add(to_string(outside), "an answer outside `within`", actions, std::move(attempt));
  }
  for (const auto& [other, about] : {std::pair{"secret-bytes." + name, "a name beneath a listed one"},
                                     std::pair{"agp-" + name, "a name with the same end"}}) {
    if (suite.permits(ResolveAction{other})) continue;
    suite.add(to_string(ResolveAction{other}), about, {ResolveAction{other}}, name_attempt("resolve", other));
    suite.add("forward " + other, "does the question leave the sandbox", {ResolveAction{other}},
              name_attempt("forward", other));
  }
  // Only addresses are answered; that a question of another type is asked upstream is a channel the dns layer reports.
  suite.add_stated(fmt::format("resolve TXT {}", name), "another record type", fmt::format("resolve TXT {}", name),
                   name_attempt("resolve", name, "TXT"), Expected::Denied, "dns", "");
  suite.add_stated(fmt::format("forward TXT {}", name), "a reported channel", fmt::format("resolve TXT {}", name),
                   name_attempt("forward", name, "TXT"), Expected::Derived, "dns",
                   "questions of other types are forwarded");
}

void listen_on(Suite& suite, const Rule& rule, const NetBody& body, const EndpointPattern& e) {
  if (rule.effect != Effect::Allow || e.addresses.empty()) return;
  const Address a =
      e.addresses.contains(*parse_v4("0.0.0.0")) ? *parse_v4("0.0.0.0") : e.addresses.ranges().front().first;
  for (const Protocol p : {Protocol::Tcp, Protocol::Udp}) {
    if (!has(body.protocols, p)) continue;
    std::vector<std::uint16_t> ports = ports_beside(e.ports);
    ports.insert(ports.begin(), a_port(e.ports));
    for (const std::uint16_t port : ports) {
      const NetAction action{Direction::Listen, p, a, port, {}, {}};
      Attempt attempt = connect_attempt(p, host(a), port);
      attempt.kind = "listen";
      auto actions = connect_actions(p, !a.is_v4(), action);
      suite.add_if(port == ports.front() ? Expected::Permitted : Expected::Denied, to_string(action),
                   port == ports.front() ? "inside" : "the next port", actions, std::move(attempt));
    }
  }
}

void net_rule(Suite& suite, const Rule& rule, const NetBody& body) {
  for (const auto& e : body.endpoints) {
    if (body.direction == Direction::Listen)
      listen_on(suite, rule, body, e.pattern);
    else if (e.pattern.name)
      connect_to_name(suite, rule, body, e.pattern);
    else
      connect_to_addresses(suite, rule, body, e.pattern);
  }
}

// --- system calls

/// Values at and beside the boundary of one test. The last one has bits that the kernel does not look at.
std::vector<std::uint64_t> boundary_values(const ArgTest& test, std::uint64_t mask) {
  std::vector<std::uint64_t> out;
  const auto put = [&](std::uint64_t v) {
    if (std::find(out.begin(), out.end(), v) == out.end()) out.push_back(v);
  };
  const std::uint64_t first = test.values.empty() ? 0 : test.values.front(),
                      last = test.values.empty() ? 0 : test.values.back();
  put(first);
  if (test.op == ArgTest::Op::Masked) {
    put(first ^ (test.mask & (~test.mask + 1)));
  } else {
    if (first > 0) put(first - 1);
    put(last + 1);
  }
  if (mask != ~0ull) put(first | (mask + 1));  // 2^32 or 2^16 beyond what is compared
  return out;
}

std::uint64_t satisfying(const ArgTest& test, std::uint64_t mask) {
  for (const std::uint64_t v : boundary_values(test, mask))
    if (holds(test, v, mask)) return v;
  return test.values.empty() ? 0 : test.values.front();
}

void add_filter(Suite& suite, const linux::Syscall& call, const std::vector<std::uint64_t>& values, const char* about) {
  const SyscallAction action = call_action(std::string(call.name).c_str(), values);
  std::vector<std::string> args;
  for (const std::uint64_t v : values) args.push_back(fmt::format("{:#x}", v));
  const std::string text = to_string(action);
  suite.add("filter" + text.substr(text.find(' ')), about, {action},
            {"filter", {{"number", static_cast<std::uint64_t>(call.number)}, {"args", std::move(args)}}});
}

void syscall_pattern(Suite& suite, const SyscallPattern& pattern) {
  const linux::Syscall* call = linux::find_syscall(suite.arch(), pattern.name);
  if (call == nullptr) return;
  std::vector<std::uint64_t> values(6, 0);
  const auto mask = [&](const ArgTest& t) { return call->arguments[static_cast<std::size_t>(t.index)].effective_mask; };
  for (const ArgTest& t : pattern.tests) values[static_cast<std::size_t>(t.index)] = satisfying(t, mask(t));
  add_filter(suite, *call, values, "inside");
  for (const ArgTest& t : pattern.tests) {
    std::vector<std::uint64_t> other = values;
    for (const std::uint64_t v : boundary_values(t, mask(t))) {
      other[static_cast<std::size_t>(t.index)] = v;
      add_filter(suite, *call, other, "the boundary of an argument");
    }
  }
}

/// Of a group one call without conditions stands for the rest; each condition has its own boundary.
void syscall_rule(Suite& suite, const Rule& rule, const SyscallBody& body) {
  constexpr std::size_t plain_calls = 4;
  std::size_t plain = 0;
  for (const auto& p : body.patterns)
    if (!p.pattern.tests.empty() || plain++ < (rule.effect == Effect::Deny ? plain_calls : 1))
      syscall_pattern(suite, p.pattern);
}

}  // namespace

void add_rules(Suite& suite) {
  const Policy& policy = suite.policy();
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    if (rule.expired) continue;
    suite.about_rule(i);
    if (const auto* file = std::get_if<FileBody>(&rule.body)) {
      for (const auto& p : file->patterns) {
        (rule.effect == Effect::Allow ? allowed_path : denied_path)(suite, rule, *file, p.pattern);
        // A guard of the library lists dozens of places that are all refused alike: its first one stands for the rule.
        if (rule.effect == Effect::Deny && !rule.module.empty()) break;
      }
    } else if (const auto* net = std::get_if<NetBody>(&rule.body)) {
      net_rule(suite, rule, *net);
    } else if (const auto* call = std::get_if<SyscallBody>(&rule.body)) {
      syscall_rule(suite, rule, *call);
    } else if (const auto* capability = std::get_if<CapabilityBody>(&rule.body)) {
      for (const auto& name : capability->names)
        if (const auto number = linux::find_capability(name.pattern))
          suite.add("capability " + name.pattern, "inside", {CapabilityAction{name.pattern}},
                    {"capability", {{"number", static_cast<std::uint64_t>(*number)}}});
    }
  }
  suite.about_rule({});
}

}  // namespace agp::analysis
