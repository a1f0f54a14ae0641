#pragma once
#include <string>
#include <string_view>

#include "compiler/syntax/antlr_adapter.hpp"
#include "compiler/syntax/ast.hpp"
#include "compiler/syntax/lex.hpp"

namespace agp::syntax::detail {

/// What the builder reads: one text, its tokens, and the tree of one phrase of it.
struct Phrase {
  std::string_view text;
  source::FileId file = source::no_file;
  const std::vector<Token>& tokens;
  const std::vector<Token>& comments;
  const Tree& tree;
};

/// Tree -> AST. Each function takes the index of a node of the rule in its name; the tree is one that the parser
/// accepted, so nothing is missing. Mistakes inside literals go to the reports.
class Builder {
 public:
  Builder(const Phrase& phrase, Reports& reports) : p_(phrase), reports_(reports) {}

  Item item(std::uint32_t node);
  Statement statement(std::uint32_t node);
  ActionPattern action_pattern(std::uint32_t node);
  TestLine test_line(std::uint32_t node);
  InvariantLine invariant_line(std::uint32_t node);

  FileRule file_rule(std::uint32_t node);
  void net_entry(std::uint32_t node, NetBlock& out);
  SyscallRule syscall_rule(std::uint32_t node);
  CapabilityRule capability_rule(std::uint32_t node);
  TextRule text_rule(std::uint32_t node);
  void env_entry(std::uint32_t node, EnvBlock& out);
  LimitEntry limit_entry(std::uint32_t node);
  void run_entry(std::uint32_t node, RunBlock& out);
  void on_deny_entry(std::uint32_t node, OnDenyBlock& out);

 private:
  /// The nodes directly beneath one.
  struct Children {
    const Tree& tree;
    std::uint32_t node;
    struct Iterator {
      const Tree& tree;
      std::uint32_t at;
      std::uint32_t operator*() const { return at; }
      Iterator& operator++() {
        at = tree[at].next;
        return *this;
      }
      bool operator!=(const Iterator& other) const { return at != other.at; }
    };
    Iterator begin() const { return {tree, node + 1}; }
    Iterator end() const { return {tree, tree[node].next}; }
  };
  Children children(std::uint32_t node) const { return {p_.tree, node}; }
  bool is(std::uint32_t node, R rule) const { return !p_.tree[node].leaf && p_.tree[node].rule == rule; }
  bool is(std::uint32_t node, T type) const { return p_.tree[node].leaf && type_of(node) == type; }
  T type_of(std::uint32_t node) const { return p_.tokens[p_.tree[node].begin].type; }
  std::uint32_t only_child(std::uint32_t node) const { return node + 1; }
  /// The first child of that rule or type; the tree's size when there is none.
  std::uint32_t find(std::uint32_t node, R rule) const;
  std::uint32_t find(std::uint32_t node, T type) const;
  bool has(std::uint32_t found) const { return found < p_.tree.size(); }
  Span span(std::uint32_t node) const;
  std::string_view raw(std::uint32_t node) const;
  std::string doc(std::uint32_t node) const;

  Use use(std::uint32_t node);
  Parameter parameter(std::uint32_t node);
  std::vector<Argument> arguments(std::uint32_t node);
  Fragment fragment(std::uint32_t node);
  Policy policy(std::uint32_t node);
  Invariant invariant(std::uint32_t node);
  Test test(std::uint32_t node);
  Include include(std::uint32_t node);
  WordHeader words(std::uint32_t node);
  Accept accept(std::uint32_t node);
  void fact(std::uint32_t node, Accept& out);
  void requirement(std::uint32_t node, InvariantLine& out);
  Mount mount(std::uint32_t node);

  RuleHead head(std::uint32_t node);
  NetRule net_rule(std::uint32_t node);
  Modifier modifier(std::uint32_t node);
  void net_pattern(std::uint32_t node, NetRule& out);
  void net_targets(std::uint32_t node, bool unix_socket, std::vector<Endpoint>& endpoints,
                   std::vector<UnixEndpoint>& sockets);
  std::vector<SyscallPattern> syscall_patterns(std::uint32_t node);
  SyscallPattern syscall_pattern(std::uint32_t node);
  std::vector<Condition> conditions(std::uint32_t node);
  Condition condition(std::uint32_t node);
  Constant constant(std::uint32_t node);
  Denial denial(std::uint32_t node);

  Name name(std::uint32_t node) const;
  std::vector<Name> names(std::uint32_t node) const;
  QualifiedName qualified(std::uint32_t node) const;
  String string(std::uint32_t node);
  std::vector<String> strings(std::uint32_t node);
  Number number(std::uint32_t node) const;
  Value value(std::uint32_t node);
  Endpoint endpoint(std::uint32_t node);
  Address address(std::uint32_t node);
  std::vector<Address> address_part(std::uint32_t node);
  std::vector<Address> addresses(std::uint32_t node);
  std::vector<Port> port_part(std::uint32_t node);

  const Phrase& p_;
  Reports& reports_;
};

}  // namespace agp::syntax::detail
