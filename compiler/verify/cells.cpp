// In: the space's cells, and the patterns as formulas that share nothing with how the cells were made. For each system
// call, and for each protocol and direction, two questions that must have no answer: an action whose patterns are those
// of no cell; and a cell whose witness has other patterns than the cell.
#include "compiler/verify/cells.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/verify/policy_terms.hpp"

namespace agp::verify {
namespace {

using analysis::Sort;
using analysis::Space;
using solver::Op;
using solver::Term;

namespace kind = diagnostics::kind;

/// A pattern of the space and when an action has it.
struct Member {
  std::uint32_t pattern;
  Term holds;
};

/// One system call of one architecture, or one direction and protocol.
struct Group {
  std::string name;  ///< "the rules on `ioctl`"
  std::vector<Member> members;
  std::vector<std::size_t> cells;
};

/// Cells times patterns, for one group: beyond that the formula is too large to be worth its time.
constexpr std::size_t largest = 200'000;

class Redecide {
 public:
  Redecide(const model::Policy& policy, const Space& space, const solver::SecondSolver& solver, diagnostics::Sink& sink)
      : policy_(policy),
        space_(space),
        solver_(solver),
        sink_(sink),
        variables_(call_variables(terms_)),
        calls_(policy, {}, terms_, variables_) {}

  void run() {
    for (std::size_t c = 0; c < space_.size(); ++c) place(c);
    for (std::uint32_t p = 0; p < space_.patterns().size(); ++p) member(p);
    for (const auto& [key, group] : groups_) ask(group);
    const solver::Opinions opinions = solver::second_opinion(terms_, questions_, solver_);
    const auto disputed = std::find(opinions.said.begin(), opinions.said.end(), solver::Said::Sat);
    if (disputed != opinions.said.end())
      sink_
          .emit(kind::solvers_disagree, policy_.name_span,
                fmt::format("`{}` finds {} of `{}` that agp's own engine does not", solver_.program,
                            said_[static_cast<std::size_t>(disputed - opinions.said.begin())], policy_.name))
          .about(policy_.name)
          .note("one of them has a bug: no verdict about this policy can be relied on")
          .helped("please report it with the policy");
    if (std::find(opinions.said.begin(), opinions.said.end(), solver::Said::Unknown) != opinions.said.end())
      unknown(opinions.fault);
    if (too_large_) unknown("there are too many cells to state them in one question");
  }

 private:
  using Key = std::pair<int, std::string>;  // the architecture, or -1 and the plane

  void unknown(const std::string& why) {
    sink_
        .emit(
            kind::second_solver_unknown, policy_.name_span,
            fmt::format("what is said of `{}` was not all decided again: `{}`: {}", policy_.name, solver_.program, why))
        .about(policy_.name);
  }

  void place(std::size_t c) {
    if (!space_.whole(c)) {
      too_large_ = true;
      return;
    }
    if (space_.sort(c) == Sort::Syscall) {
      const auto action = std::get<model::SyscallAction>(space_.witness(c));
      Group& group = groups_[{static_cast<int>(action.arch), action.name}];
      group.name = fmt::format("an action among the rules on `{}`", action.name);
      group.cells.push_back(c);
    } else if (space_.sort(c) == Sort::Net) {
      const Space::NetShape& shape = *space_.net(c);
      Group& group = groups_[net_key(shape.direction, shape.protocol)];
      group.name = fmt::format("an action among the rules on `{} {}`",
                               shape.direction == model::Direction::Connect ? "connect" : "listen",
                               model::protocols_text(static_cast<model::Protocols>(shape.protocol)));
      group.cells.push_back(c);
    }
  }
  static Key net_key(model::Direction direction, model::Protocol protocol) {
    return {-1, fmt::format("{} {}", static_cast<int>(direction), static_cast<int>(protocol))};
  }

  void member(std::uint32_t p) {
    const analysis::PatternRef& ref = space_.patterns()[p];
    const model::Rule& rule = space_.rule(ref.rule);
    if (rule.expired) return;
    if (const auto* body = std::get_if<model::SyscallBody>(&rule.body)) {
      const auto& pattern = (ref.except ? body->except : body->patterns)[ref.pattern].pattern;
      const bool refuses = (rule.effect != model::Effect::Allow) != ref.except;
      for (const linux::Arch arch : linux::all_archs) {
        const auto group = groups_.find({static_cast<int>(arch), pattern.name});
        const linux::Syscall* call = linux::find_syscall(arch, pattern.name);
        if (group != groups_.end() && call) group->second.members.push_back({p, calls_.on(pattern, *call, refuses)});
      }
    } else if (const auto* net = std::get_if<model::NetBody>(&rule.body)) {
      const auto& endpoint = (ref.except ? net->except : net->endpoints)[ref.pattern].pattern;
      if (endpoint.name) return;
      for (const auto protocol : {model::Protocol::Tcp, model::Protocol::Udp, model::Protocol::Icmp}) {
        const auto group = groups_.find(net_key(net->direction, protocol));
        if (group == groups_.end() || !model::has(net->protocols, protocol)) continue;
        group->second.members.push_back({p, endpoint_term(*net, endpoint, protocol)});
      }
    }
  }

  Term address_term(const char* which, const model::AddressSet& set) {
    const Term high = terms_.variable(std::string(which) + "_high", 64),
               low = terms_.variable(std::string(which) + "_low", 64);
    const auto at_least = [&](Term h, Term l, Term x, Term y) {  // (x, y) <= (h, l)
      return terms_.either(terms_.less(x, h), terms_.both(terms_.equal(x, h), terms_.less_equal(y, l)));
    };
    Term any = terms_.boolean(false);
    for (const auto& r : set.ranges()) {
      const auto half = [&](model::Bits128 bits, int shift) {
        return terms_.constant(64, static_cast<std::uint64_t>(bits >> shift));
      };
      any = terms_.either(any, terms_.both(at_least(high, low, half(r.first.bits, 64), half(r.first.bits, 0)),
                                           at_least(half(r.last.bits, 64), half(r.last.bits, 0), high, low)));
    }
    return any;
  }

  Term endpoint_term(const model::NetBody& body, const model::EndpointPattern& e, model::Protocol protocol) {
    Term out = terms_.boolean(e.icmp);
    if (protocol != model::Protocol::Icmp) {
      const Term port = terms_.variable("port", 16);
      out = terms_.boolean(false);
      for (const auto& r : e.ports.ranges())
        out = terms_.either(out, terms_.both(terms_.less_equal(terms_.constant(16, r.first), port),
                                             terms_.less_equal(port, terms_.constant(16, r.last))));
    }
    out = terms_.both(out, address_term("address", e.addresses));
    return body.from ? terms_.both(out, address_term("peer", *body.from)) : out;
  }

  Term is_address(const char* which, model::Address address) {
    return address_term(which, model::AddressSet::range(address, address));
  }

  Term is_witness(std::size_t c) {
    const model::Action action = space_.witness(c);
    if (const auto* call = std::get_if<model::SyscallAction>(&action)) {
      Term out = terms_.boolean(true);
      for (std::size_t i = 0; i < 6; ++i)
        out = terms_.both(out, terms_.equal(variables_.arguments[i], terms_.constant(64, call->args[i])));
      return out;
    }
    const auto& net = std::get<model::NetAction>(action);
    Term out = terms_.both(is_address("address", net.address),
                           terms_.equal(terms_.variable("port", 16), terms_.constant(16, net.port)));
    return net.peer ? terms_.both(out, is_address("peer", *net.peer)) : out;
  }

  /// The action has the patterns over the cell, and no other of the group's.
  Term exactly(const Group& group, std::size_t c) {
    const auto over = space_.over(c);
    Term out = terms_.boolean(true);
    for (const Member& m : group.members)
      out =
          terms_.both(out, std::binary_search(over.begin(), over.end(), m.pattern) ? m.holds : terms_.negate(m.holds));
    return out;
  }

  void ask(const Group& group) {
    if (group.cells.size() * group.members.size() > largest) {
      too_large_ = true;
      return;
    }
    Term some = terms_.boolean(false), inside = terms_.boolean(false), wrong = terms_.boolean(false);
    for (const Member& m : group.members) some = terms_.either(some, m.holds);
    for (const std::size_t c : group.cells) {
      const Term exact = exactly(group, c);
      inside = terms_.either(inside, exact);
      wrong = terms_.either(wrong, terms_.both(is_witness(c), terms_.negate(exact)));
    }
    for (const Term question : {terms_.both(some, terms_.negate(inside)), wrong}) {
      if (terms_.is_false(question)) continue;
      questions_.push_back(question);
      said_.push_back(group.name);
    }
  }

  const model::Policy& policy_;
  const Space& space_;
  const solver::SecondSolver& solver_;
  diagnostics::Sink& sink_;
  solver::Terms terms_;
  CallVariables variables_;
  PolicyTerms calls_;
  std::map<Key, Group> groups_;
  std::vector<Term> questions_;
  std::vector<std::string> said_;  ///< by question
  bool too_large_ = false;
};

}  // namespace

void redecide_cells(const model::Policy& policy, const analysis::Space& space, const solver::SecondSolver& solver,
                    diagnostics::Sink& sink) {
  Redecide(policy, space, solver, sink).run();
}

}  // namespace agp::verify
