#include <fmt/format.h>

#include <set>
#include <unordered_map>
#include <utility>

#include "backends/nftables/decode/ruleset.hpp"
#include "backends/nftables/decode/tokens.hpp"

// In: a script as `nft -f` reads it (nft(8)), within docs/reference/nft-subset.md. Out: the rules that are loaded when
// its transaction is over, from nothing. Everything outside the subset is refused by name, with its place: a word that
// is skipped could be the one that matters.
namespace agp::backends::nftables::reading {
namespace {

class Parser {
 public:
  Parser(std::string_view text, model::PacketSpace& space) : tokens_(tokens_of(text)), space_(space) {}

  Ruleset run() {
    try {
      for (stops(); !is(Token::Kind::End); stops()) command();
      for (const auto& [counter, at] : counted_)
        if (!counters_.contains(counter)) {
          last_ = at;
          refuse("no counter of this name is declared in the table");
        }
    } catch (const Refusal& r) {
      const Token& t = tokens_[last_];
      refuse(fmt::format("line {}, column {}: {}", t.line, t.column, r.message));
    }
    return std::move(out_);
  }

 private:
  using Kind = Token::Kind;
  const Token& now() const { return tokens_[at_]; }
  bool is(Kind kind) const { return now().kind == kind; }
  bool is(std::string_view text) const { return (is(Kind::Word) || is(Kind::Sign)) && now().text == text; }
  const Token& next() {
    last_ = at_;
    return is(Kind::End) ? tokens_[at_] : tokens_[at_++];
  }
  bool take(std::string_view text) {
    if (!is(text)) return false;
    next();
    return true;
  }
  void expect(std::string_view text) {
    if (!take(text)) unexpected(fmt::format("`{}` expected", text));
  }
  [[noreturn]] void unexpected(std::string_view what) {
    last_ = at_;
    refuse(is(Kind::End)    ? fmt::format("the script ends where {}", what)
           : is(Kind::Stop) ? fmt::format("the statement ends where {}", what)
                            : fmt::format("`{}` where {}", now().text, what));
  }
  std::string_view word(std::string_view what) {
    if (!is(Kind::Word)) unexpected(what);
    return next().text;
  }
  /// What a comment or a report says.
  std::string_view text(std::string_view what) {
    if (!is(Kind::Word) && !is(Kind::Quoted)) unexpected(what);
    return next().text;
  }
  void stops() {
    while (is(Kind::Stop)) next();
  }
  void lines() {  // inside braces of elements a new line is a space
    while (is(Kind::Stop) && now().text == "\n") next();
  }
  void stop() {
    if (!is(Kind::Stop) && !is(Kind::End)) unexpected("a line or a `;` should end the statement");
  }
  Place here() const { return {now().line, 0}; }

  // tables ------------------------------------------------------------------------------------------------------------

  void command() {
    const bool adds = take("add");
    if (take("table")) return table(adds);
    if (!adds && take("delete")) {
      expect("table");
      const auto gone = table_name();
      if (!out_.find(gone.first, gone.second))
        refuse(fmt::format("there is no table `{} {}` to delete", gone.first, gone.second));
      std::erase_if(out_.tables, [&](const Table& t) { return t.family_word == gone.first && t.name == gone.second; });
      return stop();
    }
    if (!adds && take("flush")) {
      expect("ruleset");
      out_.tables.clear();
      return stop();
    }
    unexpected("only `table`, `delete table` and `flush ruleset` are in the subset");
  }

  std::pair<std::string, std::string> table_name() {
    std::string first(word("the family of a table belongs"));
    if (!is(Kind::Word)) return {"ip", first};
    return {first, std::string(word("the name of a table belongs"))};
  }

  void table(bool adds) {
    const auto [family, called] = table_name();
    if (!out_.find(family, called)) {
      out_.tables.push_back({family_of(family), family, called, {}, {}});
      if (out_.tables.size() > 64) refuse("there are more than 64 tables");
    }
    table_ = out_.find(family, called);
    chains_.clear();
    sets_.clear();
    for (std::size_t i = 0; i < table_->chains.size(); ++i) chains_[table_->chains[i].name] = i;
    for (std::size_t i = 0; i < table_->sets.size(); ++i)
      if (!table_->sets[i].name.empty()) sets_[table_->sets[i].name] = i;
    if (adds && !is("{")) return stop();
    expect("{");
    for (stops(); !take("}"); stops()) {
      item();
      stop();
    }
  }

  void item() {
    if (take("chain")) return chain();
    if (take("set")) return set(false);
    if (take("map")) return set(true);
    if (take("counter")) return counter();
    if (take("comment")) return void(text("a comment belongs"));
    unexpected("only `chain`, `set`, `map` and `counter` are in the subset");
  }

  /// Of this table.
  std::pair<std::string, std::string> counter_named(std::string_view called) const {
    return {table_->family_word + ' ' + table_->name, std::string(called)};
  }
  void counter() {
    counters_.insert(counter_named(word("the name of a counter belongs")));
    expect("{");
    for (stops(); !take("}"); stops()) {
      const std::string_view w = word("a counter ends");
      if (w == "comment")
        text("a comment belongs");
      else if (w == "packets" || w == "bytes")
        number_of(word("a number belongs"), ~std::uint64_t{0});
      else
        refuse(fmt::format("`{}` is no part of a counter", w));
    }
  }

  // sets --------------------------------------------------------------------------------------------------------------

  void set(bool map) {
    Set made;
    made.place = here();
    made.name = word("the name of a set belongs");
    made.map = map;
    if (sets_.contains(made.name)) refuse(fmt::format("the set `{}` is declared twice", made.name));
    expect("{");
    std::set<std::string_view> said;
    for (stops(); !take("}"); stops()) {
      if (is(Kind::Word) && !said.insert(now().text).second)
        refuse(fmt::format("`{}` of a set stands there twice, and of some words nft keeps the last alone", now().text));
      property(made);
    }
    if (made.types.empty()) refuse(fmt::format("the set `{}` has no type", made.name));
    sets_[made.name] = table_->sets.size();
    table_->sets.push_back(std::move(made));
  }

  void property(Set& made) {
    const std::string_view w = word("a property of a set belongs");
    if (w == "type") {
      do {
        const std::string_view t = word("a type belongs");
        const auto type = type_of(t);
        if (!type) refuse(fmt::format("the type `{}` is not in the subset", t));
        made.types.push_back(*type);
      } while (take("."));
      if (made.map) {
        expect(":");
        const std::string_view data = word("`verdict` belongs");
        if (data != "verdict") refuse(fmt::format("a map to `{}` is not in the subset: only to verdicts", data));
      }
    } else if (w == "flags") {
      do {
        const std::string_view flag = word("a flag of a set belongs");
        if (flag == "interval")
          made.interval = true;
        else if (flag == "constant")
          made.constant = true;
        else if (flag == "timeout")
          made.forgets = true;
        else
          refuse(fmt::format("the flag `{}` of a set is not in the subset", flag));
      } while (take(","));
    } else if (w == "timeout") {
      made.forgets = true;
      word("a time belongs");
    } else if (w == "comment") {
      text("a comment belongs");
    } else if (w == "elements") {
      if (made.types.empty()) refuse("the elements stand before their type");
      expect("=");
      return elements(made);  // which may stand before the closing brace
    } else {
      refuse(fmt::format("`{}` of a set is not in the subset", w));
    }
    stop();
  }

  void elements(Set& made) {
    expect("{");
    for (lines(); !take("}"); lines()) {
      Element e;
      e.place = here();
      for (std::size_t i = 0; i < made.types.size(); ++i) {
        if (i > 0) {
          lines();
          expect(".");
          lines();
        }
        e.key.push_back(constant(made.types[i]));
      }
      for (;;) {
        if (take("comment"))
          text("a comment belongs");
        else if (take("timeout") || take("expires")) {
          word("a time belongs");
          made.forgets = true;
        } else if (take("counter")) {
          if (take("packets")) word("a number belongs");
          if (take("bytes")) word("a number belongs");
        } else {
          break;
        }
      }
      if (made.map) {
        lines();
        expect(":");
        lines();
        e.verdict = verdict();
        if (!e.verdict) unexpected("a verdict belongs");
      }
      made.elements.push_back(std::move(e));
      lines();
      if (!is("}")) expect(",");
    }
  }

  Interval constant(Type type) {
    if (!is(Kind::Word) && !is(Kind::Quoted)) unexpected("a constant belongs");
    const Token& t = next();
    return value_of(type, t.text, t.kind == Kind::Quoted, out_, space_);
  }

  // chains ------------------------------------------------------------------------------------------------------------

  void chain() {
    const Place place = here();
    const std::string called(word("the name of a chain belongs"));
    const auto [at, fresh] = chains_.try_emplace(called, table_->chains.size());
    if (fresh) table_->chains.push_back({called, {}, {}, place});
    chain_ = &table_->chains[at->second];
    expect("{");
    for (stops(); !take("}"); stops()) {
      if (is(Kind::End)) unexpected("`}` belongs");  // an empty rule would be read for ever
      if (take("type"))
        base();
      else if (take("policy"))
        policy();
      else if (take("comment"))
        text("a comment belongs");
      else
        rule();
      stop();
    }
  }

  void base() {
    const std::string_view type = word("the type of a chain belongs");
    expect("hook");
    const std::string_view hook = word("a hook belongs");
    expect("priority");
    const int priority = priority_of();
    if (chain_->base) refuse("the chain has a hook already");
    chain_->base = base_of(type, hook, priority, true);
  }
  void policy() {
    const std::string_view w = word("a policy belongs");
    if (!chain_->base || (w != "accept" && w != "drop")) refuse(fmt::format("`policy {}` of this chain", w));
    if (std::exchange(chain_->base->policy_said, true)) refuse("the chain has a policy already");
    chain_->base->accepts = w == "accept";
  }

  /// A number, or a name with an offset: `filter`, `filter - 5`. Names: nft(8), standard priorities, those of these hooks.
  int priority_of() {
    const std::string_view w = word("a priority belongs");
    constexpr std::pair<std::string_view, int> names[] = {
        {"raw", -300}, {"mangle", -150}, {"filter", 0}, {"security", 50}};
    const auto number = [](std::string_view text) {
      const bool negative = text.starts_with('-');
      const int n = static_cast<int>(number_of(text.substr(negative ? 1 : 0), 1'000'000));
      return negative ? -n : n;
    };
    for (const auto& [called, value] : names)
      if (called == w) {
        if (take("+")) return value + number(word("a number belongs"));
        if (take("-")) return value - number(word("a number belongs"));
        return value;
      }
    return number(w);
  }

  // rules -------------------------------------------------------------------------------------------------------------

  void rule() {
    rule_ = {};
    rule_.place = here();
    while (!is(Kind::Stop) && !is("}") && !is(Kind::End)) statement();
    chain_->rules.push_back(std::move(rule_));
  }

  void statement() {
    if (auto v = verdict()) {
      rule_.statements.emplace_back(std::move(*v));
    } else if (take("reject")) {
      reject();
    } else if (take("counter")) {
      if (take("name"))
        counted_.emplace_back(counter_named(text("the name of a counter belongs")), last_);
      else if (take("packets")) {
        word("a number belongs");
        expect("bytes");
        word("a number belongs");
      }
    } else if (take("log")) {
      log();
    } else if (take("comment")) {
      text("a comment belongs");
    } else {
      match();
    }
  }

  std::optional<Verdict> verdict() {
    if (take("accept")) return Verdict{Verdict::Kind::Accept, {}};
    if (take("drop")) return Verdict{Verdict::Kind::Drop, {}};
    if (take("continue")) return Verdict{Verdict::Kind::Continue, {}};
    if (take("return")) return Verdict{Verdict::Kind::Return, {}};
    if (take("jump")) return Verdict{Verdict::Kind::Jump, std::string(word("the name of a chain belongs"))};
    if (take("goto")) return Verdict{Verdict::Kind::Goto, std::string(word("the name of a chain belongs"))};
    return std::nullopt;
  }

  void reject() {
    if (take("with")) {
      std::string type(word("a way to reject belongs"));
      if (type == "tcp") {
        expect("reset");
        type = "tcp reset";
      } else {
        take("type");
        word("the type of an error belongs");
      }
      Interval value;
      if (const auto key = reject_needs(type, value)) in_place({*key}, {{{value}, {}, here()}}, false);
    }
    rule_.statements.emplace_back(Verdict{Verdict::Kind::Reject, {}});
  }

  void log() {
    Log& made = std::get<Log>(rule_.statements.emplace_back(Log{}));
    bool elsewhere = false, group = false, kernels = false;  // a group's reports go to whoever listens there, and
    for (;;) {                                               // `audit` is another log (nft(8))
      if (elsewhere) made.prefix.clear();
      if (group && kernels) refuse("a report goes to a group or has a level, not both");
      if (take("prefix"))
        made.prefix = text("a prefix belongs");
      else if (take("level")) {
        elsewhere = word("a value belongs") == "audit" || elsewhere;
        kernels = true;
      } else if (take("group")) {
        word("a value belongs");
        elsewhere = group = true;
      }
      else if (take("snaplen") || take("queue-threshold"))
        word("a value belongs");
      else if (take("flags")) {
        kernels = true;
        word("a flag belongs");
        while (take(",")) word("a flag belongs");
      } else {
        return;
      }
    }
  }

  /// A set that has no name, as the target of a comparison.
  void in_place(Keys keys, std::vector<Element> elements, bool negated) {
    Set s;
    for (const Key& k : keys) s.types.push_back(k.type);
    s.elements = std::move(elements);
    s.place = rule_.place;
    rule_.statements.emplace_back(Lookup{std::move(keys), table_->sets.size(), negated});
    table_->sets.push_back(std::move(s));
  }

  Key key() {
    std::string base(word("something to look at belongs"));
    std::string field;
    for (const char* bare : {"iifname", "oifname", "iif", "oif", "skuid", "pkttype"})
      if (base == bare) field = std::exchange(base, "meta");
    if (field.empty()) {
      if (!key_base(base)) refuse(fmt::format("`{}` is not in the subset", base));
      field = word("a field belongs");
    }
    auto found = key_of(base, field);
    if (!found) refuse(fmt::format("`{} {}` is not in the subset", base, field));
    if (found->type == Type::Cgroup) {
      expect("level");
      found->level = number_of(word("a level belongs"), 255);
    }
    return *found;
  }
  static bool key_base(std::string_view base) {
    for (const char* known : {"ip", "ip6", "th", "tcp", "udp", "icmp", "icmpv6", "ct", "meta", "socket"})
      if (base == known) return true;
    return false;
  }

  void match() {
    Keys keys{key()};
    while (take(".")) keys.push_back(key());
    if (take("vmap")) return dispatch(std::move(keys));
    if (keys.size() == 1 && (keys[0].type == Type::Flags || keys[0].type == Type::State) && !is("{"))
      if (bits(keys[0])) return;
    const bool negated = take("!=");
    if (!negated) take("==");
    if (is("{")) {
      Set s;
      s.place = here();
      for (const Key& k : keys) s.types.push_back(k.type);
      elements(s);
      in_place(std::move(keys), std::move(s.elements), negated);
    } else if (is(Kind::Word) && now().text.starts_with('@')) {
      const std::size_t at = named(keys, false);
      rule_.statements.emplace_back(Lookup{std::move(keys), at, negated});
    } else {
      Element e;
      e.place = here();
      for (std::size_t i = 0; i < keys.size(); ++i) {
        if (i > 0) expect(".");
        e.key.push_back(constant(keys[i].type));
      }
      in_place(std::move(keys), {std::move(e)}, negated);
    }
  }

  std::size_t named(const Keys& keys, bool map) {
    const std::string called(next().text.substr(1));
    const auto at = sets_.find(called);
    if (at == sets_.end()) refuse(fmt::format("there is no set `{}`", called));
    const Set& s = table_->sets[at->second];
    if (s.map != map) refuse(fmt::format("`{}` is {} map", called, s.map ? "a" : "no"));
    fits(keys, s);
    return at->second;
  }
  static void fits(const Keys& keys, const Set& s) {
    bool same = keys.size() == s.types.size();
    for (std::size_t i = 0; same && i < keys.size(); ++i) same = keys[i].type == s.types[i];
    if (!same) refuse(fmt::format("the set `{}` is of another type than what is looked up in it", s.name));
  }

  void dispatch(Keys keys) {
    if (is(Kind::Word) && now().text.starts_with('@')) {
      const std::size_t at = named(keys, true);
      rule_.statements.emplace_back(Dispatch{std::move(keys), at});
      return;
    }
    Set s;
    s.place = here();
    s.map = true;
    for (const Key& k : keys) s.types.push_back(k.type);
    elements(s);
    rule_.statements.emplace_back(Dispatch{std::move(keys), table_->sets.size()});
    table_->sets.push_back(std::move(s));
  }

  /// Comparisons of bit masks: `ct state established,related`, `tcp flags syn`, `tcp flags & (syn | rst) == rst`,
  /// `tcp flags rst / syn,rst`. False, and nothing read, if it is a comparison with one value.
  bool bits(const Key& key) {
    const Type type = key.type;
    const auto mask = [&](std::string_view separator) {
      std::uint64_t m = bit(type);
      while (take(separator)) m |= bit(type);
      return m;
    };
    if (take("&")) {
      if (type != Type::Flags) refuse("a mask of this key is not in the subset");
      const bool braced = take("(");
      const std::uint64_t m = braced ? mask("|") : bit(type);
      if (braced) expect(")");
      if (is("|")) refuse("nft applies `&` before `|`: put the mask in parentheses");
      const bool negated = take("!=");
      if (!negated) expect("==");
      std::uint64_t value = 0;
      if (is("0") || is("0x0")) {
        next();
      } else {
        const bool inner = take("(");
        value = mask("|");
        if (inner) expect(")");
      }
      rule_.statements.emplace_back(Masked{key, m, value, negated});
      return true;
    }
    if (!is(Kind::Word) || now().text.starts_with('@')) return false;
    std::uint64_t first = mask(",");
    if (take("/")) {
      if (type != Type::Flags) refuse("a mask of this key is not in the subset");
      rule_.statements.emplace_back(Masked{key, mask(","), first, false});
      return true;
    }
    if (type == Type::Flags) {
      rule_.statements.emplace_back(Masked{key, first, 0, true});
      return true;
    }
    std::vector<Element> states;
    for (unsigned s = 0; s < model::packet_states; ++s)
      if ((first >> s & 1) != 0) states.push_back({{{s, s}}, {}, here()});
    in_place({key}, std::move(states), false);
    return true;
  }
  std::uint64_t bit(Type type) {
    const std::uint64_t value = mask_of(type, word("a flag belongs"));
    return type == Type::State ? std::uint64_t{1} << value : value;
  }

  std::vector<Token> tokens_;
  model::PacketSpace& space_;
  std::size_t at_ = 0, last_ = 0;
  Ruleset out_;
  Table* table_ = nullptr;
  Chain* chain_ = nullptr;
  Rule rule_;
  std::unordered_map<std::string, std::size_t> chains_, sets_;
  std::set<std::pair<std::string, std::string>> counters_;
  std::vector<std::pair<std::pair<std::string, std::string>, std::size_t>> counted_;  ///< and the token
};

}  // namespace

Ruleset read_script(std::string_view text, model::PacketSpace& space) { return Parser(text, space).run(); }

}  // namespace agp::backends::nftables::reading
