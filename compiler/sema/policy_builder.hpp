#pragma once
#include <set>
#include <string>
#include <vector>

#include "compiler/sema/rules.hpp"

namespace agp::sema {

/// One policy of a file -> model::Policy: its statements, and those of every fragment it includes, in one pass.
class PolicyBuilder {
 public:
  PolicyBuilder(Modules& modules, const Module& root, Evaluator& eval, const Options& options)
      : modules_(modules), root_(root), patterns_(modules, eval, options), options_(options) {}

  model::Policy build(const syntax::Policy& policy);
  /// The rules of a fragment of the root file for their own sake, with the defaults of its parameters. What only a
  /// whole policy must have (a resolver, say) is not asked for.
  void check_fragment(const syntax::Fragment& fragment);
  /// The fragments whose rules were read.
  const std::set<const syntax::Item*>& visited() const { return visited_; }

 private:
  /// Where the statements at hand stand: whose names they see and which `include`s brought them.
  struct Place {
    Scope scope;
    std::vector<Span> includes;
    std::string module;  ///< the library module, or empty
    bool fragment = false;
  };
  struct Modifiers {
    std::string label, because;
    std::optional<model::Day> until;
    std::optional<model::AddressSet> within, from;
    std::optional<model::Risk> risk;
    std::string text;  ///< normal form of those that change the meaning
  };

  void statements(const std::vector<syntax::Statement>& list, const Place& place);
  void statement(const syntax::FileBlock& block, const Place& place);
  void statement(const syntax::NetBlock& block, const Place& place);
  void statement(const syntax::SyscallBlock& block, const Place& place);
  void statement(const syntax::CapabilityBlock& block, const Place& place);
  void statement(const syntax::EnvBlock& block, const Place& place);
  void statement(const syntax::ToolBlock& block, const Place& place);
  void statement(const syntax::LimitBlock& block, const Place& place);
  void statement(const syntax::RunBlock& block, const Place& place);
  void statement(const syntax::OnDenyBlock& block, const Place& place);
  void statement(const syntax::Include& include, const Place& place);
  void statement(const syntax::TextHeader& header, const Place& place);
  void statement(const syntax::WordHeader& header, const Place& place);
  void statement(const syntax::Accept& accept, const Place& place);

  void net_rule(const syntax::NetRule& rule, const Place& place);
  void text_rule(const syntax::TextRule& rule, model::TextBody::Sort sort, const Place& place);
  Modifiers modifiers(const syntax::RuleHead& head, const Place& place, std::string_view allowed);
  void add(const syntax::RuleHead& head, const Place& place, Modifiers mods, model::RuleBody body, std::string text);
  bool only_in_policy(const Place& place, Span at, std::string_view what);
  bool once(const std::string& header, Span at);
  void mount(const syntax::Mount& m, const Place& place);

  void complete(const syntax::Policy& policy);  ///< what holds for the policy as a whole
  void imply_syscalls(const syntax::Policy& policy);
  void check_names();
  void check_denials();

  diagnostics::Sink& sink() { return patterns_.sink(); }

  Modules& modules_;
  const Module& root_;
  Patterns patterns_;
  const Options& options_;
  model::Policy out_;
  std::map<std::string, Span> headers_;
  std::set<std::string> included_;              ///< fragment and arguments: twice is once
  std::vector<const syntax::Item*> including_;  ///< for recursion
  std::set<std::string> seen_rules_;
  std::set<const syntax::Item*> visited_;
  bool has_syscall_block_ = false;
  bool resolver_failed_ = false;  ///< a `resolver` stood there: what is wrong with it was reported
  bool too_large_ = false;        ///< reported once
};

/// The facts an `accept` names, as model::Fact::text has them; `block` is set where it names a whole block.
struct AcceptedFact {
  std::string text;
  bool block = false;
};
std::vector<AcceptedFact> accepted_facts(Patterns& patterns, const Scope& scope, const syntax::Accept& accept);

/// The atomic actions of one written action.
std::optional<ResolvedAction> actions(Patterns& patterns, const Scope& scope, const syntax::ActionPattern& action);

}  // namespace agp::sema
