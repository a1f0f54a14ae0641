#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/source/files.hpp"

/// The syntax tree: what a file says, name for name, before anything is resolved. Every node has its span. Words that
/// the grammar does not fix (verbs, protocols, limit names, headers) are kept as `Name`: sema checks them, so that a
/// misspelt word gets a suggestion instead of a syntax error.
namespace agp::syntax {

using source::Span;

struct Name {
  std::string text;
  Span span;
};

/// `a.b.c`; never empty.
struct QualifiedName {
  std::vector<Name> parts;
  Span span;
  std::string text() const;  ///< parts joined with dots
};

/// A string literal in pieces. `Text` is as typed: in a pattern its `*`, `?`, `{`, `,` and `}` are pattern characters.
/// `Escaped` came from an escape (`\*`, `\u{41}`): always literal. `Interpolation` is the name inside `${…}`.
struct StringPiece {
  enum class Kind { Text, Escaped, Interpolation };
  Kind kind = Kind::Text;
  std::string text;
  Span span;
};
struct String {
  std::vector<StringPiece> pieces;
  Span span;  ///< with its quotes
};

struct Date {
  int year = 0, month = 0, day = 0;  ///< as written; sema checks that the day exists
  Span span;
};

/// One address-like thing as written; sema turns the text into numbers.
struct Address {
  enum class Kind {
    V4,         ///< 10.0.1.50
    V4Prefix,   ///< 10.0.0.0/8
    V4Range,    ///< 10.0.0.1-10.0.0.9
    V6,         ///< [fd00::7]; text without brackets
    V6Prefix,   ///< [fd00::/8]
    V6Range,    ///< [fd00::1]-[fd00::ff]
    Host,       ///< registry.internal (unquoted, with a dot)
    Text,       ///< "*.example.com", "postgres": `string` is set
    Reference,  ///< a parameter or constant, one identifier
    Any,        ///< any
  };
  Kind kind = Kind::Any;
  std::string text;   ///< first address, prefix, host or name
  std::string text2;  ///< end of a range
  std::optional<String> string;
  Span span;
};

struct Port {
  enum class Kind { Number, Range, Any, Reference };
  Kind kind = Kind::Any;
  std::uint64_t low = 0, high = 0;
  std::string text;  ///< the name of a reference
  Span span;
};

/// `addresses:ports`; both sides may be lists. `ports` is absent where none was written.
struct Endpoint {
  std::vector<Address> addresses;
  std::optional<std::vector<Port>> ports;
  Span span;
};

struct Number {
  std::uint64_t value = 0;
  bool overflow = false;  ///< does not fit 64 bits
  Span span;
};
struct Size {
  std::uint64_t number = 0;
  std::string unit;  ///< B KiB MiB GiB TiB, or whatever identifier stood there
  Span span;
};
struct Duration {
  std::uint64_t number = 0;
  std::string unit;  ///< s min h d
  Span span;
};
struct Decimal {  ///< 0.5
  std::string text;
  Span span;
};

/// The value of a `let`, a parameter's default, an argument, a limit. `number unit` is a Size or Duration by its unit;
/// an unknown unit is kept as a Size for sema to report.
struct Value;
struct List {
  std::vector<Value> values;
  Span span;
};
struct PortRange {
  std::uint64_t low = 0, high = 0;
  Span span;
};
struct Value {
  std::variant<String, Number, Decimal, Size, Duration, Date, Address, PortRange, QualifiedName, List> node;
  Span span;
};

// ---- rules ----------------------------------------------------------------------------------------------------

enum class Effect { Deny, Ask, Allow };

struct Modifier {
  enum class Kind { As, Because, Until, Within, From, Risk };
  Kind kind;
  std::optional<String> string;    ///< as, because
  std::optional<Date> date;        ///< until
  std::vector<Address> addresses;  ///< within, from
  std::optional<Name> word;        ///< risk
  Span span;
};

/// What all rules share. `except` is kept with the body, whose kind of pattern it has.
struct RuleHead {
  Effect effect = Effect::Deny;
  Span effect_span;
  std::vector<Modifier> modifiers;  ///< in source order, duplicates included
  Span span;                        ///< the whole rule
};

struct FileRule {
  RuleHead head;
  std::vector<Name> verbs;
  std::vector<String> patterns;
  std::vector<String> except;
};

/// `"/run/x.sock"` or `@abstract`.
struct UnixEndpoint {
  std::optional<String> path;  ///< absent: @abstract
  Span span;
};

struct NetRule {
  RuleHead head;
  Name verb;                    ///< connect, listen, resolve …
  std::vector<Name> protocols;  ///< tcp, udp, icmp, any, unix; may be empty where none was written
  std::vector<Endpoint> endpoints;
  std::vector<UnixEndpoint> unix_endpoints;
  std::vector<Endpoint> except;
  std::vector<UnixEndpoint> unix_except;
};

/// An integer constant of a condition: `AF_INET`, `0x10`, `(A | B)`.
struct Constant {
  std::vector<std::variant<Name, Number>> terms;  ///< joined by `|`; never empty
  Span span;
};

struct Condition {
  enum class Op { Eq, Ne, Lt, Le, Gt, Ge, In, Masked, Bare };
  Name argument;  ///< empty text for Bare (a value by position, in actions only)
  Op op = Op::Eq;
  std::optional<Constant> mask;  ///< Masked: `argument & mask == values[0]`
  std::vector<Constant> values;  ///< one, or the list of `in`
  Span span;
};

struct SyscallPattern {
  bool group = false;  ///< `@name`
  Name name;
  std::optional<std::vector<Condition>> conditions;  ///< present (maybe empty) when parentheses stood there
  Span span;
};

struct Denial {
  enum class Kind { Errno, Trap, Kill };
  Kind kind = Kind::Errno;
  std::optional<Name> errno_name;
  Span span;
};

struct SyscallRule {
  RuleHead head;
  std::vector<SyscallPattern> patterns;
  std::vector<SyscallPattern> except;
  std::optional<Denial> denial;
};

struct CapabilityRule {
  RuleHead head;
  std::vector<Name> names;
  std::vector<Name> except;
};

/// `env` and `tool` rules: patterns over names.
struct TextRule {
  RuleHead head;
  std::vector<String> patterns;
  std::vector<String> except;
};

struct EnvSet {  ///< set "PATH" = "/usr/bin:/bin"
  String name;
  String value;
  Span span;
};

struct Resolver {
  std::vector<Address> addresses;
  Span span;
};

// ---- blocks ---------------------------------------------------------------------------------------------------

struct FileBlock {
  std::vector<FileRule> rules;
  Span span;
};
struct NetBlock {
  std::vector<NetRule> rules;
  std::vector<Resolver> resolvers;
  Span span;
};
struct SyscallBlock {
  std::vector<SyscallRule> rules;
  Span span;
};
struct CapabilityBlock {
  std::vector<CapabilityRule> rules;
  Span span;
};
struct EnvBlock {
  std::vector<TextRule> rules;
  std::vector<EnvSet> sets;
  Span span;
};
struct ToolBlock {
  std::vector<TextRule> rules;
  Span span;
};

struct LimitEntry {
  Name name;
  Value value;
  Span span;
};
struct LimitBlock {
  std::vector<LimitEntry> entries;
  Span span;
};

struct Mount {
  bool tmpfs = false;
  std::optional<String> source;  ///< absent for tmpfs
  String target;
  std::vector<Name> flags;  ///< readonly, writable
  std::optional<Value> size;
  Span span;
};
struct RunBlock {
  std::optional<std::vector<String>> command;
  Span command_span;
  std::optional<String> workdir, rootfs, hostname, cgroup, interface;
  std::optional<Number> uid, gid;  ///< `user 65534:65534`
  Span user_span;
  std::vector<Mount> mounts;
  Span span;
};

struct Alert {
  Name severity;
  std::vector<Name> targets;
  Span span;
};
struct OnDenyBlock {
  bool log = false;
  Span log_span;
  std::vector<Alert> alerts;
  Span span;
};

struct Argument {
  Name name;
  Value value;
  Span span;
};
struct Include {
  QualifiedName name;
  std::vector<Argument> arguments;
  Span span;
};

/// `owner "x"`, `satisfies "A", "B"`.
struct TextHeader {
  Name keyword;
  std::vector<String> values;
  Span span;
};
/// `isolation container ephemeral`, `mode audit for net, syscall`.
struct WordHeader {
  Name keyword;
  std::vector<Name> words;
  std::vector<Name> for_words;
  Span span;
};

/// The fact of an `accept`, as written: a word and what follows it.
struct Accept {
  Name kind;  ///< unenforced, wider, narrower
  std::variant<std::monostate, FileRule, NetRule, SyscallRule, CapabilityRule, TextRule>
      pattern;                  ///< with head.effect unused
  std::optional<Name> word;     ///< `tool`, `file`, `user`, `mode`, `limit`, `mount` …
  std::optional<Name> limit;    ///< limit NAME
  std::optional<String> mount;  ///< mount PATH
  std::vector<Modifier> modifiers;
  Span fact_span;
  Span span;
};

using Statement = std::variant<FileBlock, NetBlock, SyscallBlock, CapabilityBlock, EnvBlock, ToolBlock, LimitBlock,
                               RunBlock, OnDenyBlock, Include, TextHeader, WordHeader, Accept>;

// ---- actions --------------------------------------------------------------------------------------------------

/// One action or pattern of actions, as in tests, invariants and `agp query`.
struct ActionPattern {
  /// FileRule: verbs and patterns; NetRule: connect/listen/resolve; TextRule with `block` env or tool; …
  std::variant<FileRule, NetRule, SyscallRule, CapabilityRule, TextRule> body;
  Name block;  ///< the first word: write, connect, resolve, syscall, capability, env, tool
  Span span;
};

struct TestLine {
  Effect expected = Effect::Allow;
  ActionPattern action;
  Span span;
};

/// `never A`, `only A`, `never A with B`, `require …`.
struct InvariantLine {
  enum class Kind { Never, Only, Require };
  Kind kind;
  std::vector<ActionPattern> actions;
  std::vector<ActionPattern> with;
  std::vector<Name> require_words;        ///< limit memory …
  std::optional<std::string> require_op;  ///< <= == >=
  std::optional<Value> require_value;
  Span span;
};

// ---- items ----------------------------------------------------------------------------------------------------

struct VersionItem {
  Number number;
  Span span;
};
struct Use {
  std::optional<QualifiedName> module;  ///< std.a.b
  std::optional<String> path;           ///< "./file.agp"
  std::optional<Name> as;
  Span span;
};
struct Type {
  Name name;
  bool list = false;
  Span span;
};
struct Parameter {
  Name name;
  Type type;
  std::optional<Value> fallback;
  std::string doc;
  Span span;
};
struct Let {
  Name name;
  Value value;
  std::string doc;
  Span span;
};
struct Fragment {
  Name name;
  std::vector<Parameter> parameters;
  std::vector<Statement> body;
  std::string doc;
  Span span;
};
struct Policy {
  Name name;
  std::vector<Statement> body;
  std::string doc;
  Span span;
};
struct Invariant {
  Name name;
  std::vector<String> for_globs;
  std::vector<InvariantLine> lines;
  std::string doc;
  Span span;
};
struct Test {
  QualifiedName policy;
  std::vector<Argument> arguments;
  std::vector<TestLine> lines;
  std::string doc;
  Span span;
};
using Item = std::variant<VersionItem, Use, Parameter, Let, Fragment, Policy, Invariant, Test>;

struct File {
  source::FileId id = source::no_file;
  std::vector<Item> items;
  /// Phrases with a diagnostic of their own, disjoint and in order: what was understood of one is a guess, not worth a
  /// second one.
  std::vector<Span> damaged;
  bool lost_item = false;  ///< an item could not be understood at all: any name may be its
};

}  // namespace agp::syntax
