#include "compiler/verify/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "compiler/linux/loader_needs.hpp"
#include "compiler/verify/filter_terms.hpp"
#include "compiler/verify/paths.hpp"
#include "compiler/verify/policy_terms.hpp"
#include "compiler/verify/witness.hpp"

// Comes in: the policy and decoded filters. Goes out: for each filter, the obligations of both directions and of the
// errno. The space of calls is cut by architecture and number: one question for each call of the target's tables whose
// answer depends on arguments (most do not: both sides fold to constants), one for all other numbers of an
// architecture, one for all other architectures. A refutation counts only if its witness gives the same difference when
// policy and graph are evaluated on it.
namespace agp::verify {
namespace {

using solver::Term;

/// Does a stack's loader of this form make calls of its own after the filter is on? The raw filter's do not: whoever
/// loads it (seccomp(2), bwrap) starts the command by a call that the policy has to allow.
bool loaded_by_runc(const std::string& artifact, const model::Target& target) {
  return model::starts_container(target.stack) && artifact.rfind("seccomp/filter", 0) != 0;
}

class FilterCheck {
 public:
  FilterCheck(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
              const backends::DecodedFilter& filter, const Options& options)
      : policy_(policy),
        target_(target),
        plan_(plan),
        filter_(filter),
        options_(options),
        variables_(call_variables(terms_)),
        policy_terms_(policy, plan, terms_, variables_),
        audit_(policy.audits("syscall")) {
    for (const std::string& name : target.archs)
      if (const auto arch = linux::find_arch(name)) archs_.add(*arch);
  }

  std::vector<Obligation> run() {
    if (filter_.graph.nodes.empty())
      return all_unknown("the filter's registers take more distinct states than the limit");
    machine_ = linux::find_arch(filter_.arch);
    if (!machine_) return all_unknown(fmt::format("there is no table of system calls for `{}`", filter_.arch));
    const auto served = [&](linux::Arch arch) { return archs_.has(arch) && linux::machine_of(arch) == *machine_; };
    if (std::none_of(std::begin(linux::all_archs), std::end(linux::all_archs), served))
      return all_unknown(fmt::format("the target has no {}", filter_.arch));
    if (!options_.as_written && loaded_by_runc(filter_.artifact, target_))
      needs_ = linux::profile_needs(target_.stack, {static_cast<std::uint8_t>(target_.runc.major),
                                                    static_cast<std::uint8_t>(target_.runc.minor)})
                   .needs;
    for (const linux::Arch arch : linux::all_archs) {
      if (!archs_.has(arch)) continue;
      clone_ = clone3_wrong_ = terms_.boolean(false);
      for (const linux::Syscall& call : linux::syscalls(arch)) check_call(call);
      if (here(arch)) check_clone3(arch);
    }
    check_other_numbers();
    decide_again();
    std::vector<Obligation> out;
    if (audit_) {
      out.push_back(obligation(Direction::Permits, loss_));
      out.push_back(obligation(Direction::Reports, excess_));
      out.push_back(obligation(Direction::Quiet, quiet_));
      return out;
    }
    out.push_back(obligation(Direction::Excess, excess_));
    out.push_back(obligation(Direction::Loss, loss_));
    // Also where the second solver has something to say about the question whether `clone` has conditions.
    if (clone_has_conditions_ || errno_.disputed || !errno_.open.empty())
      out.push_back(obligation(Direction::Errno, errno_));
    return out;
  }

  Excesses excesses() {
    Excesses out;
    machine_ = linux::find_arch(filter_.arch);
    if (filter_.graph.nodes.empty() || !machine_) return {{}, "the filter is not one that can be decided"};
    for (const linux::Arch arch : linux::all_archs) {
      if (!archs_.has(arch) || !here(arch)) continue;
      clone_ = clone3_wrong_ = terms_.boolean(false);
      for (const linux::Syscall& call : linux::syscalls(arch)) {
        known_ = terms_.boolean(false);
        for (std::size_t n = 0; n < most_witnesses; ++n) {
          excess_ = loss_ = {};
          check_call(call);
          if (out.unknown.empty()) out.unknown = excess_.unknown;
          if (!excess_.refuted || repeated(out.witnesses, *excess_.refuted)) break;
          known_ = terms_.either(known_, alike(call, *excess_.refuted));
          out.witnesses.push_back(std::move(*excess_.refuted));
        }
      }
    }
    return out;
  }

 private:
  /// What is known so far of one obligation.
  struct Finding {
    std::optional<Witness> refuted;
    std::string unknown;
    bool solved = false;  ///< the solver was asked
    bool disputed = false;
    std::string open;  ///< why the second solver left a question open
  };

  std::vector<Obligation> all_unknown(const std::string& why) {
    Finding f;
    f.unknown = why;
    if (audit_)
      return {obligation(Direction::Permits, f), obligation(Direction::Reports, f), obligation(Direction::Quiet, f)};
    return {obligation(Direction::Excess, f), obligation(Direction::Loss, f)};
  }

  Obligation obligation(Direction d, const Finding& f) {
    const auto verdict = [&]() -> Verdict {
      if (f.refuted) return solver::Refuted<Witness>{*f.refuted};
      if (!f.unknown.empty()) return solver::Unknown{f.unknown};
      if (!f.solved || !session_) return solver::Proved{"evaluation"};
      return solver::Proved{session_->version() +
                            (options_.second && f.open.empty() ? " and " + options_.second->program : "")};
    };
    Obligation out{filter_.artifact, "seccomp", filter_.arch, d, statement(d), verdict()};
    out.disputed = f.disputed;
    out.open = f.open;
    return out;
  }
  static std::string statement(Direction d) {
    switch (d) {
      case Direction::Excess:
        return "no system call runs that the policy does not allow";
      case Direction::Loss:
        return "every system call that the policy allows runs";
      case Direction::Permits:
        return "every system call of the target's architectures runs";
      case Direction::Reports:
        return "every system call that the policy would refuse is reported";
      case Direction::Quiet:
        return "no system call is reported that the policy allows";
      default:
        return "a refused `clone3` answers ENOSYS while `clone` depends on its arguments";
    }
  }

  /// The loader's own calls of this system call.
  Term needed(const linux::Syscall& call) {
    const auto need =
        std::find_if(needs_.begin(), needs_.end(), [&](const linux::LoaderNeed& n) { return n.call == call.name; });
    if (need == needs_.end()) return terms_.boolean(false);
    if (need->argument < 0) return terms_.boolean(true);
    const Term argument = variables_.arguments[static_cast<std::size_t>(need->argument)];
    return terms_.equal(terms_.binary(solver::Op::BvAnd, argument, terms_.constant(64, need->mask)),
                        terms_.constant(64, 0));
  }
  /// Can the machine that the filter is loaded on make calls of this architecture?
  bool here(linux::Arch arch) const { return linux::machine_of(arch) == *machine_; }
  bool exists(const linux::Syscall& call) const {
    return model::KernelVersion{call.since.major, call.since.minor} <= target_.kernel;
  }

  /// Path by path where the filter has few enough of them, else in one question.
  void check_call(const linux::Syscall& call) {
    const auto on_path = [&](const FilterPath& path) {
      compare(call, policy_terms_.on(call, &path.facts), path.answer, path.condition);
    };
    const std::uint32_t arch = linux::audit_arch(call.arch);
    if (!each_path(filter_.graph, terms_, variables_, call.number, arch, path_limit, on_path))
      compare(call, policy_terms_.on(call), filter_terms(filter_.graph, terms_, variables_, call.number, arch),
              terms_.boolean(true));
    if (call.name == "clone") {
      const PolicyOnCall p = policy_terms_.on(call);
      clone_ = terms_.both(p.allow, terms_.negate(terms_.either(p.ask, p.deny)));
    }
  }

  /// The questions about one call where `where` holds; `p` and `f` need be right only there.
  void compare(const linux::Syscall& call, const PolicyOnCall& p, const FilterOnCall& f, Term where) {
    const Term refused = terms_.either(p.ask, p.deny);
    const Term allowed = terms_.both(p.allow, terms_.negate(refused));
    const Term may_run = terms_.both(terms_.either(p.allow, needed(call)), terms_.negate(refused));
    const auto question = [&](Finding& finding, Term difference, Direction direction) {
      if (!terms_.is_false(difference)) ask(finding, terms_.both(where, difference), &call, direction);
    };
    if (options_.as_written) where = terms_.both(where, as_written(call));
    if (audit_) {
      const Term silent = terms_.both(f.permitted, terms_.negate(f.logged));
      question(excess_, terms_.both(silent, terms_.negate(terms_.either(may_run, p.may_exceed))), Direction::Reports);
      if (!exists(call) || !here(call.arch)) return;  // the kernel has no such call: it can neither run nor be missed
      question(loss_, terms_.negate(f.runs), Direction::Permits);
      question(quiet_, terms_.both(f.logged, terms_.both(allowed, terms_.negate(p.may_lack))), Direction::Quiet);
      return;
    }
    const Term beyond = terms_.negate(terms_.either(may_run, p.may_exceed));
    question(excess_, terms_.both(terms_.both(f.permitted, beyond), terms_.negate(known_)), Direction::Excess);
    // On a kernel without the call nothing can be lost, nor on a machine that can't make it.
    if (exists(call) && here(call.arch))
      question(loss_, terms_.both(allowed, terms_.negate(terms_.either(f.runs, p.may_lack))), Direction::Loss);
    if (call.name != "clone3") return;
    const Term by_default = terms_.negate(terms_.either(p.named_denial, may_run));
    const Term wrong = terms_.both(by_default, terms_.both(terms_.negate(f.permitted), terms_.negate(f.enosys)));
    clone3_wrong_ = terms_.either(clone3_wrong_, terms_.both(where, wrong));
  }

  /// Numbers outside the tables, the x32 range among them, and every other architecture: nothing of it is an action of
  /// the policy, so nothing may run; in audit, nothing unreported. An audited filter may refuse it: libseccomp's do.
  void check_other_numbers() {
    const Direction direction = audit_ ? Direction::Reports : Direction::Excess;
    const auto slips = [&](const FilterOnCall& f) {
      return audit_ ? terms_.both(f.permitted, terms_.negate(f.logged)) : f.permitted;
    };
    Term foreign = terms_.boolean(true);
    std::vector<std::uint32_t> seen;
    for (const linux::Arch arch : linux::all_archs) {
      const std::uint32_t audit = linux::audit_arch(arch);
      if (!archs_.has(arch) || std::find(seen.begin(), seen.end(), audit) != seen.end()) continue;
      seen.push_back(audit);
      foreign = terms_.both(foreign, terms_.negate(terms_.equal(variables_.arch, terms_.constant(32, audit))));
      const FilterOnCall f = filter_terms(filter_.graph, terms_, variables_, std::nullopt, audit);
      ask(excess_, terms_.both(terms_.negate(known_numbers(audit)), slips(f)), nullptr, direction, audit);
    }
    const FilterOnCall anywhere = filter_terms(filter_.graph, terms_, variables_, std::nullopt, std::nullopt);
    ask(excess_, terms_.both(foreign, slips(anywhere)), nullptr, direction);
  }

  /// The number is one of the tables that share this AUDIT_ARCH_* word; neighbours in one comparison.
  Term known_numbers(std::uint32_t audit) {
    Term inside = terms_.boolean(false);
    for (const linux::Arch arch : linux::all_archs) {
      if (!archs_.has(arch) || linux::audit_arch(arch) != audit) continue;
      const auto calls = linux::syscalls(arch);
      for (std::size_t first = 0, next = 0; first < calls.size(); first = next) {
        for (next = first + 1; next < calls.size() && calls[next].number == calls[next - 1].number + 1;) ++next;
        const Term low = terms_.constant(32, calls[first].number), high = terms_.constant(32, calls[next - 1].number);
        inside = terms_.either(
            inside, terms_.both(terms_.less_equal(low, variables_.number), terms_.less_equal(variables_.number, high)));
      }
    }
    return inside;
  }

  /// No register of the call has a bit that the kernel ignores.
  Term as_written(const linux::Syscall& call) {
    Term out = terms_.boolean(true);
    for (std::size_t i = 0; i < 6; ++i)
      if (const std::uint64_t ignored = ~call.arguments[i].effective_mask; ignored != 0)
        out = terms_.both(
            out, terms_.equal(terms_.binary(solver::Op::BvAnd, variables_.arguments[i], terms_.constant(64, ignored)),
                              terms_.constant(64, 0)));
    return out;
  }

  static bool repeated(const std::vector<Witness>& list, const Witness& w) {
    return std::any_of(list.begin(), list.end(), [&](const Witness& other) { return other.action == w.action; });
  }
  /// Calls with the same values, as the kernel sees them, in the registers that have bits which it ignores; of a call
  /// without such bits, every call.
  Term alike(const linux::Syscall& call, const Witness& w) {
    Term out = terms_.boolean(true);
    for (std::size_t i = 0; i < 6; ++i) {
      const std::uint64_t seen = call.arguments[i].effective_mask;
      if ((w.arguments[i] & ~seen) != 0)
        out = terms_.both(
            out, terms_.equal(terms_.binary(solver::Op::BvAnd, variables_.arguments[i], terms_.constant(64, seen)),
                              terms_.constant(64, w.arguments[i] & seen)));
    }
    return out;
  }

  void check_clone3(linux::Arch arch) {
    if (audit_ || terms_.is_true(clone_) || terms_.is_false(clone_)) return;
    if (satisfiable(errno_, clone_) && satisfiable(errno_, terms_.negate(clone_))) {
      clone_has_conditions_ = true;
      ask(errno_, clone3_wrong_, linux::find_syscall(arch, "clone3"), Direction::Errno);
    }
  }

  /// Unknown counts as satisfiable: the obligation is then stated, not skipped.
  bool satisfiable(Finding& finding, Term t) {
    return !std::holds_alternative<solver::Unsat>(solve(finding, t, "clone"));
  }

  solver::Answer solve(Finding& finding, Term t, std::string_view about) {
    if (!session_) session_ = std::make_unique<solver::Session>(terms_, options_.solver);
    solver::Answer answer = session_->check(t);
    if (options_.second && !std::holds_alternative<solver::Undecided>(answer)) {
      questions_.push_back(t);
      asked_.push_back({&finding, std::holds_alternative<solver::Sat>(answer), std::string(about)});
    }
    return answer;
  }

  /// The second solver gets every question that the first one answered. Where they differ nothing is known.
  void decide_again() {
    if (!options_.second) return;
    const solver::Opinions opinions = solver::second_opinion(terms_, questions_, *options_.second);
    for (std::size_t q = 0; q < questions_.size(); ++q) {
      const auto& [finding, satisfied, about] = asked_[q];
      if (opinions.said[q] == solver::Said::Unknown) {
        finding->open = opinions.fault;
      } else if ((opinions.said[q] == solver::Said::Sat) != satisfied) {
        finding->disputed = true;
        finding->refuted.reset();
        finding->unknown =
            fmt::format("{}: {} finds {}, `{}` {}", about, session_->version(), satisfied ? "a difference" : "none",
                        options_.second->program, satisfied ? "none" : "one");
      }
    }
  }

  /// Is there an input for which `difference` holds? `call` is null for numbers outside the table.
  void ask(Finding& finding, Term difference, const linux::Syscall* call, Direction direction,
           std::optional<std::uint32_t> arch = {}) {
    if (terms_.is_false(difference) || finding.refuted) return;
    CallInput input;
    input.arch = call ? linux::audit_arch(call->arch) : arch.value_or(0);
    if (call) input.number = call->number;
    if (!terms_.is_true(difference)) {
      finding.solved = true;
      const solver::Answer answer =
          solve(finding, difference, call ? fmt::format("`{}`", call->name) : "numbers of no system call");
      if (std::holds_alternative<solver::Unsat>(answer)) return;
      if (const auto* undecided = std::get_if<solver::Undecided>(&answer)) {
        if (finding.unknown.empty())
          finding.unknown = call ? fmt::format("`{}`: {}", call->name, undecided->reason) : undecided->reason;
        return;
      }
      read(std::get<solver::Sat>(answer), input, call != nullptr, arch.has_value() || call != nullptr);
    }
    finding.refuted = confirm({policy_, plan_, filter_.graph, archs_, needs_}, direction, input);
    if (!finding.refuted && finding.unknown.empty())
      finding.unknown =
          fmt::format("the solver's witness `{}` shows no difference when it is evaluated: this is a bug in agp",
                      call_text(input, archs_));
  }

  void read(const solver::Sat& sat, CallInput& input, bool number_fixed, bool arch_fixed) {
    const auto value = [&](Term t) {
      const auto it = sat.values.find(terms_.name(terms_.node(t)));
      return it == sat.values.end() ? std::uint64_t{0} : it->second;
    };
    for (std::size_t i = 0; i < 6; ++i) input.arguments[i] = value(variables_.arguments[i]);
    input.instruction_pointer = value(variables_.instruction_pointer);
    if (!number_fixed) input.number = static_cast<std::uint32_t>(value(variables_.number));
    if (!arch_fixed) input.arch = static_cast<std::uint32_t>(value(variables_.arch));
  }

  static constexpr std::size_t path_limit = 20'000, most_witnesses = 16;  ///< the second: of one system call

  const model::Policy& policy_;
  const model::Target& target_;
  const plan::Plan& plan_;
  const backends::DecodedFilter& filter_;
  const Options& options_;
  solver::Terms terms_;
  CallVariables variables_;
  PolicyTerms policy_terms_;
  const bool audit_;  ///< the statement is an audited block's
  std::vector<linux::LoaderNeed> needs_;
  linux::ArchSet archs_;                ///< the target's
  std::optional<linux::Arch> machine_;  ///< that the filter is loaded on
  std::unique_ptr<solver::Session> session_;
  /// One question that the first solver answered.
  struct Asked {
    Finding* finding;
    bool satisfied;
    std::string about;
  };
  std::vector<Term> questions_;
  std::vector<Asked> asked_;
  Finding excess_, loss_, errno_, quiet_;
  Term clone_{0}, clone3_wrong_{0}, known_{terms_.boolean(false)};  ///< known_: calls that need no further witness
  bool clone_has_conditions_ = false;
};

}  // namespace

std::string_view to_string(Direction d) {
  switch (d) {
    case Direction::Excess:
      return "no excess";
    case Direction::Loss:
      return "no loss";
    case Direction::Permits:
      return "audit: permits all";
    case Direction::Reports:
      return "audit: reports every refusal";
    case Direction::Quiet:
      return "audit: reports nothing else";
    default:
      return "errno";
  }
}

Excesses every_excess(const model::Policy& policy, const model::Target& target, const backends::DecodedFilter& filter,
                      const Options& options) {
  const plan::Plan nothing_accepted;
  return FilterCheck(policy, target, nothing_accepted, filter, options).excesses();
}

std::vector<Obligation> verify_filters(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                       const backends::Decoded& decoded, const Options& options) {
  std::vector<Obligation> out;
  for (const backends::DecodedFilter& filter : decoded.filters)
    for (Obligation& o : FilterCheck(policy, target, plan, filter, options).run()) out.push_back(std::move(o));
  return out;
}

}  // namespace agp::verify
