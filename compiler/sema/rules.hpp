#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/model/policy.hpp"
#include "compiler/sema/scope.hpp"

namespace agp::sema {

/// Turns the patterns of the language into patterns of the model. Used for rules, for the facts of `accept` and for
/// actions. Everything returns what could be resolved; mistakes went to the evaluator's sink.
class Patterns {
 public:
  Patterns(Modules& modules, Evaluator& eval, const Options& options)
      : modules_(modules), eval_(eval), options_(options) {}

  template <class P>
  using List = std::vector<model::Placed<P>>;

  std::optional<model::Verbs> verbs(const std::vector<syntax::Name>& words);
  /// `prefix` begins each fact's text: `write`.
  List<model::PathPattern> paths(const Scope& scope, const std::vector<syntax::String>& strings,
                                 const std::string& prefix);

  struct Net {
    model::Protocols protocols = 0;
    bool unix_socket = false;
  };
  enum class Endpoints { Needed, Optional };
  std::optional<Net> protocols(const std::vector<syntax::Name>& words, Span at);
  /// The protocols of a rule or an action, and whether its endpoints are of their kind and there at all.
  std::optional<Net> net(const syntax::NetRule& rule, Endpoints needed = Endpoints::Needed);
  /// One entry for the addresses of an endpoint and one for each name in it. `protocols` loses icmp where a port was
  /// given.
  List<model::EndpointPattern> endpoints(const Scope& scope, const std::vector<syntax::Endpoint>& list,
                                         model::Protocols protocols, const std::string& prefix);
  /// Endpoints, exceptions and protocols; `icmp` leaves the protocols where no endpoint has it.
  model::NetBody net_body(const Scope& scope, const syntax::NetRule& rule, model::Protocols protocols,
                          const std::string& prefix);
  model::UnixBody unix_body(const Scope& scope, const syntax::NetRule& rule, const std::string& prefix);
  std::optional<model::AddressSet> addresses(const Scope& scope, const std::vector<syntax::Address>& list);
  /// The addresses of resolvers, in order: each is one address, not a prefix. Nothing when a diagnostic was emitted.
  std::optional<std::vector<model::Address>> single_addresses(const Scope& scope,
                                                              const std::vector<syntax::Address>& list);

  /// One pattern for each way in which the selected architectures have the call: registers, constants and widths
  /// differ. A group gives all its patterns, each with the group's text. `in_group` drops calls that no selected
  /// architecture has.
  List<model::SyscallPattern> syscalls(const Scope& scope, const std::vector<syntax::SyscallPattern>& list,
                                       bool in_group = false);
  std::optional<std::uint64_t> constant(const Scope& scope, const syntax::Constant& c, linux::Arch arch);
  /// The register of a named argument.
  std::optional<int> argument(const linux::Syscall& call, const syntax::Name& name);
  const linux::Syscall* find_call(const syntax::Name& name, bool quiet);

  List<std::string> capabilities(const std::vector<syntax::Name>& names);
  List<std::string> globs(const Scope& scope, const std::vector<syntax::String>& strings, const std::string& prefix);

  const std::vector<linux::Arch>& archs() const { return options_.archs; }  ///< the selected ones
  Evaluator& eval() { return eval_; }
  diagnostics::Sink& sink() { return eval_.sink(); }

 private:
  /// Counts a pattern of the policy; false once there are too many of them.
  bool room(Span at);
  struct Host {
    model::NamePattern name;
    Span span;
  };
  struct Hosts {
    model::AddressSet addresses;
    std::vector<Host> names;
    bool failed = false;
  };
  Hosts hosts(const Scope& scope, const std::vector<syntax::Address>& list);
  void add_value(const Value& value, Span at, Hosts& out);
  std::optional<model::PortSet> ports(const Scope& scope, const std::vector<syntax::Port>& list);
  std::vector<model::SyscallPattern> call(const Scope& scope, const syntax::SyscallPattern& p, bool quiet);
  std::optional<model::ArgTest> test(const Scope& scope, const linux::Syscall& call, const syntax::Condition& c);
  List<model::SyscallPattern> group(const syntax::SyscallPattern& p);

  Modules& modules_;
  Evaluator& eval_;
  const Options& options_;
  std::map<std::string, List<model::SyscallPattern>> groups_;
  std::vector<std::string> expanding_;
  std::size_t count_ = 0;
};

/// Is the word a limit? AGP1085 where it is not.
bool is_limit(const syntax::Name& name, diagnostics::Sink& sink);
/// The bound of a limit in the unit of model::Limits. Precondition: is_limit(name). Nothing when a diagnostic was
/// emitted.
std::optional<std::uint64_t> bound(Evaluator& eval, const Scope& scope, const syntax::Name& name,
                                   const syntax::Value& value);
/// The bound as it would be written: `0.5`, `8 GiB`, `10 min`, `256`.
std::string bound_text(std::string_view limit, std::uint64_t bound);

/// The texts of a list, each once, in order (a group's patterns all have the group's text), without the prefix.
template <class P>
std::string joined(const std::vector<model::Placed<P>>& list, std::string_view drop_prefix) {
  std::string out;
  std::string_view last;
  for (const auto& p : list) {
    std::string_view t = p.text;
    if (t.starts_with(drop_prefix)) t.remove_prefix(drop_prefix.size());
    if (t == last) continue;
    if (!out.empty()) out += ", ";
    out += t;
    last = t;
  }
  return out;
}
template <class P>
std::string except_text(const std::vector<model::Placed<P>>& list, std::string_view drop_prefix) {
  return list.empty() ? "" : " except " + joined(list, drop_prefix);
}
/// `connect unix "/a", @abstract except …`.
std::string unix_text(const model::UnixBody& body, const std::string& prefix);

std::string call_text(const syntax::SyscallPattern& p);
/// "did you mean `x`", where names are in capitals.
std::string suggest_capitals(std::string_view word, std::span<const std::string_view> names);
std::string address_text(const model::AddressSet& set);  ///< `10.0.1.50`, `[fd00::/8]`, `any`, `[a, b]`

}  // namespace agp::sema
