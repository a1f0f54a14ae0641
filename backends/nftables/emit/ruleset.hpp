#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// One nftables table, neutral between its two spellings. Every name and word in it is one that nft accepts unquoted,
/// unless `Value::Quoted`; comments and log prefixes have no `"`, `$`, backslash or control character.
namespace agp::backends::nftables {

/// A constant on the right side of a comparison, or (a part of) a set element's key.
struct Value {
  enum class Kind { Word, Quoted, Number, Prefix, Range, Concat };
  Kind kind = Kind::Word;
  std::string text;          ///< Word, Quoted; the address of a Prefix
  std::uint64_t number = 0;  ///< Number; the length of a Prefix
  std::vector<Value> parts;  ///< Range: two; Concat: two or more
};
Value word(std::string text);
Value quoted(std::string text);
Value number(std::uint64_t n);
Value range(Value first, Value last);
Value concat(std::vector<Value> parts);

/// What is looked at in a packet.
struct Expr {
  enum class Kind { Payload, Meta, Ct, Flags, Cgroup, Concat };
  Kind kind = Kind::Meta;
  std::string base;               ///< Payload, Flags: the header (`ip`, `th`, `tcp`)
  std::string field;              ///< Payload, Flags: its field. Meta, Ct: the key
  std::vector<std::string> mask;  ///< Flags: field & (a | b)
  std::vector<Expr> parts;        ///< Concat
  std::size_t level = 0;          ///< Cgroup: of the socket's cgroup of version 2
};
Expr payload(std::string base, std::string field);
Expr meta(std::string key);
Expr ct(std::string key);
Expr joined(std::vector<Expr> parts);

struct Verdict {
  enum class Kind { Accept, Drop, Continue, Goto };
  Kind kind = Kind::Accept;
  std::string target;  ///< Goto
};

struct Element {
  Value key;
  std::optional<Verdict> verdict;  ///< of a map
  std::string comment;
};

struct Match {
  Expr left;
  std::string op = "==";
  Value right;
};
struct MatchAny {
  Expr left;
  std::vector<Value> values;
};  ///< left is one of these
struct MatchSet {
  Expr left;
  std::string set;
};  ///< left is in the named set
struct Dispatch {
  Expr key;
  std::string map;
};  ///< verdict of the named map, or go on
struct DispatchAny {
  Expr key;
  std::vector<Element> elements;
};
struct Count {
  std::string counter;
};  ///< of the rule's own when without a name
struct Log {
  std::string prefix;
};
struct Reject {
  bool tcp_reset = false;
};  ///< else ICMP "administratively prohibited"
using Statement = std::variant<Match, MatchAny, MatchSet, Dispatch, DispatchAny, Count, Log, Reject, Verdict>;

struct Rule {
  std::vector<Statement> statements;
  std::string comment;
};
struct Chain {
  std::string name;
  std::string hook;  ///< of a base chain (filter, priority 0); else empty
  std::vector<Rule> rules;
  std::string policy = "drop";  ///< of a base chain
};
struct Set {
  std::string name;
  std::vector<std::string> type;
  bool interval = false;
  bool map = false;  ///< to a verdict
  std::vector<Element> elements;
};
struct Table {
  std::string name;
  std::vector<std::string> counters;
  std::vector<Set> sets;      ///< sets first, maps after them
  std::vector<Chain> chains;  ///< a chain stands after those that it goes to
};

/// `nft -f` and `nft -j -f`: the table is replaced in one transaction. No `Cgroup` in JSON: nft 1.0.6 does not read it
/// back ("Invalid socket key value").
std::string to_text(const Table& table);
std::string to_json(const Table& table);

}  // namespace agp::backends::nftables
