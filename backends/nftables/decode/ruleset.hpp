#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compiler/model/packet_layer.hpp"

/// Rulesets as they were read, from either form, before anything is made of them. A namespace of its own: the emitter
/// has types of the same names.
namespace agp::backends::nftables::reading {

/// Why a ruleset is not read on: what stands there, and where. Thrown inside this folder only.
struct Refusal {
  std::string message;
};
[[noreturn]] void refuse(std::string message);

/// Where something stands: a line of a script, or an index into a document's `nftables`; the element counts from 1.
struct Place {
  std::uint32_t at = 0, element = 0;
};

/// The type of one part of a key, as a set declares it and as its constants are written.
enum class Type {
  Ipv4,
  Ipv6,
  Protocol,
  Service,
  State,
  User,
  Interface,
  Kind,
  Nfproto,
  Ethertype,
  Icmp4,
  Icmp6,
  Byte,
  Flags,
  Cgroup
};

/// One thing that is looked at, and what must hold for it to be there at all.
struct Key {
  model::PacketField field = model::PacketField::Protocol;
  Type type = Type::Byte;
  std::optional<model::PacketFamily> family;
  std::optional<std::uint8_t> protocol;
  std::size_t level = 0;  ///< Cgroup
};
using Keys = std::vector<Key>;
/// The expression `BASE FIELD` (`ip daddr`, `meta l4proto`, `ct state`); nothing if it is not in the subset.
std::optional<Key> key_of(std::string_view base, std::string_view field);
/// The type that a set declares by this word.
std::optional<Type> type_of(std::string_view word);
std::string_view word_of(Type type);

struct Interval {
  model::Bits128 first = 0, last = 0;
};
struct Verdict {
  enum class Kind { Accept, Drop, Reject, Continue, Return, Jump, Goto };
  Kind kind = Kind::Accept;
  std::string target;  ///< Jump, Goto
};
struct Element {
  std::vector<Interval> key;  ///< one for each part
  std::optional<Verdict> verdict;
  Place place;
};
struct Set {
  std::string name;  ///< empty: written in place
  std::vector<Type> types;
  bool map = false, interval = false, constant = false, forgets = false;
  std::vector<Element> elements;
  Place place;
};

/// Is the key in the set? `set` is an index into Table::sets.
struct Lookup {
  Keys keys;
  std::size_t set = 0;
  bool negated = false;
};
/// Are the masked bits of the flags this value?
struct Masked {
  Key key;
  std::uint64_t mask = 0, value = 0;
  bool negated = false;
};
/// The verdict of a map, or on to the next rule.
struct Dispatch {
  Keys keys;
  std::size_t set = 0;
};
/// A report; the packet goes on.
struct Log {
  std::string prefix;
};
using Statement = std::variant<Lookup, Masked, Dispatch, Log, Verdict>;

struct Rule {
  std::vector<Statement> statements;
  Place place;
};
struct Base {
  model::Hook hook = model::Hook::Input;
  int priority = 0;
  bool accepts = true;  ///< its policy
  bool policy_said = false;
};
struct Chain {
  std::string name;
  std::optional<Base> base;
  std::vector<Rule> rules;
  Place place;
};
struct Table {
  std::optional<model::PacketFamily> family;  ///< none: inet
  std::string family_word, name;
  std::vector<Chain> chains;
  std::vector<Set> sets;  ///< those with a name and those written in place
};
struct Ruleset {
  std::vector<Table> tables;
  std::vector<std::string> cgroups;  ///< a Cgroup value is an index
  bool document = false;             ///< JSON

  std::string where(const Place& place) const;  ///< "line 12", "/nftables/7, element 3"
  Table* find(std::string_view family, std::string_view name);
};
Chain* find_chain(Table& table, std::string_view name);
/// The named set or map of the table; nothing if there is none.
std::optional<std::size_t> find_set(const Table& table, std::string_view name);

/// A constant of the type, as one word: a value, a prefix or a range. `quoted` words are names.
Interval value_of(Type type, std::string_view word, bool quoted, Ruleset& ruleset, model::PacketSpace& space);
/// A flag or a state of a bit mask.
std::uint64_t mask_of(Type type, std::string_view word);
std::uint64_t number_of(std::string_view word, std::uint64_t most);
/// The base of a chain, checked: only filters at input, forward and output.
Base base_of(std::string_view type, std::string_view hook, int priority, bool accepts);
std::optional<model::PacketFamily> family_of(std::string_view word);
/// `reject` with its type: what must hold for the rule to match at all.
std::optional<Key> reject_needs(std::string_view type, Interval& value);

/// `nft -f` and `nft -j -f`, from nothing: what is loaded when the transaction is over.
Ruleset read_script(std::string_view text, model::PacketSpace& space);
Ruleset read_document(std::string_view text, model::PacketSpace& space);

/// What passes.
model::PacketLayer evaluate(std::string artifact, Ruleset ruleset, std::shared_ptr<model::PacketSpace> space);
/// What passes each hook, or with `counts` what leaves a line in the log whose prefix counts, as formulas; `filled`
/// numbers the sets whose content is not stated, table by table.
std::array<smt::Formula, model::hooks> formulas(const Ruleset& ruleset, const std::vector<std::vector<int>>& filled,
                                                smt::Script& script, std::span<const smt::Formula> members,
                                                const std::function<bool(const std::string&)>* counts);
/// One packet, rule by rule, by comparing numbers.
model::PacketAnswer walk(const Ruleset& ruleset, const model::PacketSpace& space,
                         const std::vector<std::vector<int>>& filled, const model::Packet& packet);

}  // namespace agp::backends::nftables::reading
