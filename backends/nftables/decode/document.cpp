#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "backends/nftables/decode/ruleset.hpp"
#include "compiler/source/strict_json.hpp"

// In: libnftables JSON (libnftables-json(5)): commands for `nft -j -f`, or what `nft -j list ruleset` prints. Out: the
// rules that are loaded then. Members that are not known are refused by name, with the index of the command.
namespace agp::backends::nftables::reading {
namespace {

using Json = nlohmann::json;

const Json& member(const Json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end()) refuse(fmt::format("`{}` is missing", name));
  return *at;
}
std::string text(const Json& value, std::string_view what) {
  if (!value.is_string()) refuse(fmt::format("{} is no string", what));
  return value.get<std::string>();
}
std::string text_of(const Json& object, const char* name) {
  return text(member(object, name), fmt::format("`{}`", name));
}

/// The only member of an object.
std::pair<std::string, const Json*> only(const Json& value, std::string_view what) {
  if (!value.is_object() || value.size() != 1) refuse(fmt::format("{} is no object with one member", what));
  return {value.begin().key(), &value.begin().value()};
}

void known(const Json& object, std::string_view what, std::initializer_list<std::string_view> names) {
  if (!object.is_object()) refuse(fmt::format("{} is no object", what));
  for (const auto& [name, value] : object.items()) {
    bool good = false;
    for (const auto n : names) good = good || n == name;
    if (!good) refuse(fmt::format("`{}` of {} is not in the subset", name, what));
  }
}

class Reader {
 public:
  Reader(std::string_view bytes, model::PacketSpace& space) : bytes_(bytes), space_(space) {}

  Ruleset run() {
    out_.document = true;
    std::string why;
    const auto parsed = source::parse_strict_json(bytes_, 256, why);
    if (!parsed) refuse(why);
    const Json& document = *parsed;
    known(document, "the document", {"nftables"});
    const Json& commands = member(document, "nftables");
    if (!commands.is_array()) refuse("`nftables` is no array");
    try {
      for (const Json& one : commands) {
        command(one);
        ++at_;
      }
    } catch (const Refusal& r) {
      refuse(fmt::format("/nftables/{}: {}", at_, r.message));
    }
    return std::move(out_);
  }

 private:
  struct Index {
    std::unordered_map<std::string, std::size_t> chains, sets;
    std::unordered_set<std::string> counters;
  };
  Place here() const { return {at_, 0}; }

  void command(const Json& one) {
    auto [verb, body] = only(one, "a command");
    if (verb == "metainfo") return;
    if (verb == "flush") {
      const auto [what, which] = only(*body, "`flush`");
      if (what != "ruleset" || !which->is_null()) refuse("only the whole ruleset may be flushed");
      out_.tables.clear();
      return index_.clear();
    }
    if (verb == "delete") return remove(*body);
    if (verb == "add") std::tie(verb, body) = only(*body, "`add`");
    if (verb == "table") return table(*body);
    if (verb == "chain") return chain(*body);
    if (verb == "set" || verb == "map") return set(*body, verb == "map");
    if (verb == "counter") return counter(*body);
    if (verb == "rule") return rule(*body);
    refuse(fmt::format("`{}` is not in the subset", verb));
  }

  void table(const Json& body) {
    known(body, "a table", {"family", "name", "handle", "comment"});
    const std::string family = text_of(body, "family"), name = text_of(body, "name");
    if (!out_.find(family, name)) out_.tables.push_back({family_of(family), family, name, {}, {}});
    if (out_.tables.size() > 64) refuse("there are more than 64 tables");
    index_[family + '\n' + name];
  }
  void remove(const Json& body) {
    const auto [what, table] = only(body, "`delete`");
    if (what != "table") refuse(fmt::format("only a table may be deleted, not a {}", what));
    const std::string family = text_of(*table, "family"), name = text_of(*table, "name");
    if (!out_.find(family, name)) refuse(fmt::format("there is no table `{} {}` to delete", family, name));
    std::erase_if(out_.tables, [&](const Table& t) { return t.family_word == family && t.name == name; });
    index_.erase(family + '\n' + name);
  }
  Table& table_of(const Json& body) {
    if (!body.is_object()) refuse("a command's object is missing");
    const std::string family = text_of(body, "family"), name = text_of(body, "table");
    Table* t = out_.find(family, name);
    if (!t) refuse(fmt::format("there is no table `{} {}`", family, name));
    names_ = &index_[family + '\n' + name];
    return *t;
  }

  void counter(const Json& body) {
    known(body, "a counter", {"family", "table", "name", "handle", "packets", "bytes", "comment"});
    table_of(body);
    names_->counters.insert(text_of(body, "name"));
  }

  void chain(const Json& body) {
    known(body, "a chain", {"family", "table", "name", "handle", "type", "hook", "prio", "policy", "comment"});
    Table& t = table_of(body);
    Chain made{text_of(body, "name"), {}, {}, here()};
    if (body.contains("hook")) {
      const Json& priority = member(body, "prio");
      if (!priority.is_number_integer()) refuse("`prio` is no number");
      const std::string policy = body.contains("policy") ? text_of(body, "policy") : "accept";
      if (policy != "accept" && policy != "drop") refuse(fmt::format("`{}` is no policy", policy));
      if (priority > std::numeric_limits<int>::max() || priority < std::numeric_limits<int>::min())
        refuse("`prio` is no priority");
      made.base = base_of(text_of(body, "type"), text_of(body, "hook"), priority.get<int>(), policy == "accept");
    } else if (body.contains("policy") || body.contains("type") || body.contains("prio")) {
      refuse("a chain without a hook has no type, priority or policy");
    }
    if (!names_->chains.try_emplace(made.name, t.chains.size()).second)
      refuse(fmt::format("the chain `{}` is declared twice", made.name));
    t.chains.push_back(std::move(made));
  }

  // sets --------------------------------------------------------------------------------------------------------------

  void set(const Json& body, bool map) {
    known(body, map ? "a map" : "a set",
          {"family", "table", "name", "handle", "type", "map", "flags", "elem", "comment", "timeout"});
    Table& t = table_of(body);
    Set made;
    made.name = text_of(body, "name");
    made.map = map;
    made.place = here();
    const Json& type = member(body, "type");
    for (const Json& one : type.is_array() ? type : Json::array({type})) {
      const std::string word = text(one, "a type");
      const auto found = type_of(word);
      if (!found) refuse(fmt::format("the type `{}` is not in the subset", word));
      made.types.push_back(*found);
    }
    if (made.types.empty()) refuse("the set has no type");
    if (map && text_of(body, "map") != "verdict") refuse("only maps to verdicts are in the subset");
    made.forgets = body.contains("timeout");
    if (body.contains("flags")) {
      const Json& flags = body["flags"];
      for (const Json& one : flags.is_array() ? flags : Json::array({flags})) {
        const std::string flag = text(one, "a flag");
        if (flag == "interval")
          made.interval = true;
        else if (flag == "constant")
          made.constant = true;
        else if (flag == "timeout")
          made.forgets = true;
        else
          refuse(fmt::format("the flag `{}` of a set is not in the subset", flag));
      }
    }
    if (body.contains("elem")) elements(made, body["elem"]);
    if (!names_->sets.try_emplace(made.name, t.sets.size()).second)
      refuse(fmt::format("the set `{}` is declared twice", made.name));
    t.sets.push_back(std::move(made));
  }

  void elements(Set& made, const Json& list) {
    if (!list.is_array()) refuse("the elements are no array");
    for (const Json& one : list) {
      Element e;
      e.place = {at_, static_cast<std::uint32_t>(made.elements.size() + 1)};
      const Json* key = &one;
      if (made.map) {
        if (!one.is_array() || one.size() != 2) refuse("an element of a map is no pair");
        key = &one[0];
        auto v = verdict(one[1]);
        if (!v) refuse("an element's value is no verdict");
        e.verdict = std::move(*v);
      }
      if (key->is_object() && key->contains("elem")) {
        const Json& inner = (*key)["elem"];
        known(inner, "an element", {"val", "comment", "timeout", "expires", "counter"});
        made.forgets = made.forgets || inner.contains("timeout") || inner.contains("expires");
        key = &member(inner, "val");
      }
      e.key = constants(made.types, *key);
      made.elements.push_back(std::move(e));
    }
  }

  std::vector<Interval> constants(const std::vector<Type>& types, const Json& value) {
    if (types.size() == 1) return {constant(types[0], value)};
    if (!value.is_object() || !value.contains("concat") || !value["concat"].is_array() ||
        value["concat"].size() != types.size())
      refuse(fmt::format("a constant of {} parts is missing", types.size()));
    std::vector<Interval> out;
    for (std::size_t i = 0; i < types.size(); ++i) out.push_back(constant(types[i], value["concat"][i]));
    return out;
  }

  Interval constant(Type type, const Json& value) {
    if (value.is_number_unsigned())
      return value_of(type, std::to_string(value.get<std::uint64_t>()), false, out_, space_);
    if (value.is_string()) {
      const std::string word = value.get<std::string>();
      return value_of(type, word, type == Type::Interface || type == Type::Cgroup, out_, space_);
    }
    if (!value.is_object() || value.size() != 1) refuse("a constant is no value, prefix or range");
    if (value.contains("prefix")) {
      const Json& p = value["prefix"];
      known(p, "a prefix", {"addr", "len"});
      const Json& length = member(p, "len");
      if (!length.is_number_unsigned()) refuse("a prefix's length is no number");
      return value_of(type, fmt::format("{}/{}", text_of(p, "addr"), length.get<std::uint64_t>()), false, out_, space_);
    }
    if (!value.contains("range")) refuse(fmt::format("`{}` is not in the subset", value.begin().key()));
    const Json& r = value["range"];
    if (!r.is_array() || r.size() != 2) refuse("a range is no pair");
    const Interval first = constant(type, r[0]), last = constant(type, r[1]);
    if (first.first > last.last) refuse("a range ends before it begins");
    return {first.first, last.last};
  }

  // rules -------------------------------------------------------------------------------------------------------------

  void rule(const Json& body) {
    known(body, "a rule", {"family", "table", "chain", "handle", "comment", "expr"});
    Table& t = table_of(body);
    table_ = &t;
    const std::string chain = text_of(body, "chain");
    const auto at = names_->chains.find(chain);
    if (at == names_->chains.end()) refuse(fmt::format("there is no chain `{}`", chain));
    rule_ = {};
    rule_.place = here();
    const Json& list = member(body, "expr");
    if (!list.is_array()) refuse("`expr` is no array");
    for (const Json& one : list) statement(one);
    t.chains[at->second].rules.push_back(std::move(rule_));
  }

  std::optional<Verdict> verdict(const Json& value) {
    const auto [word, body] = only(value, "a verdict");
    if (word == "accept") return Verdict{Verdict::Kind::Accept, {}};
    if (word == "drop") return Verdict{Verdict::Kind::Drop, {}};
    if (word == "continue") return Verdict{Verdict::Kind::Continue, {}};
    if (word == "return") return Verdict{Verdict::Kind::Return, {}};
    if (word == "jump" || word == "goto")
      return Verdict{word == "jump" ? Verdict::Kind::Jump : Verdict::Kind::Goto, text_of(*body, "target")};
    return std::nullopt;
  }

  void statement(const Json& one) {
    const auto [word, body] = only(one, "a statement");
    if (word == "match") return match(*body);
    if (word == "vmap") return dispatch(*body);
    if (word == "reject") return reject(*body);
    if (word == "counter") {
      if (body->is_string() && !names_->counters.contains(body->get<std::string>()))
        refuse(fmt::format("there is no counter `{}`", body->get<std::string>()));
      return;
    }
    if (word == "log") return log(*body);
    if (auto v = verdict(one)) return void(rule_.statements.emplace_back(std::move(*v)));
    refuse(fmt::format("`{}` is not in the subset", word));
  }

  void log(const Json& body) {
    // a group's reports go to whoever listens there, and `audit` is another log (nft(8))
    if (!body.is_null()) known(body, "`log`", {"prefix", "level", "flags", "group", "snaplen", "queue-threshold"});
    if (body.contains("group") && (body.contains("level") || body.contains("flags")))
      refuse("a report goes to a group or has a level, not both");
    const bool elsewhere =
        body.is_object() && (body.contains("group") || body.value("level", Json("")) == Json("audit"));
    const bool named = body.is_object() && body.contains("prefix") && !elsewhere;
    rule_.statements.emplace_back(Log{named ? text_of(body, "prefix") : std::string()});
  }

  void reject(const Json& body) {
    if (body.is_object() && body.contains("type")) {
      Interval value;
      if (const auto key = reject_needs(text_of(body, "type"), value)) in_place({*key}, {{{value}, {}, here()}}, false);
    }
    rule_.statements.emplace_back(Verdict{Verdict::Kind::Reject, {}});
  }

  void in_place(Keys keys, std::vector<Element> elements, bool negated) {
    Set s;
    for (const Key& k : keys) s.types.push_back(k.type);
    s.elements = std::move(elements);
    s.place = here();
    rule_.statements.emplace_back(Lookup{std::move(keys), table_->sets.size(), negated});
    table_->sets.push_back(std::move(s));
  }

  Keys keys(const Json& left) {
    if (left.is_object() && left.contains("concat")) {
      Keys out;
      if (!left["concat"].is_array()) refuse("`concat` is no array");
      for (const Json& one : left["concat"]) out.push_back(key(one));
      return out;
    }
    return {key(left)};
  }
  Key key(const Json& left) {
    const auto [word, body] = only(left, "what a comparison looks at");
    std::string base, field;
    if (word == "payload") {
      known(*body, "`payload`", {"protocol", "field"});
      base = text_of(*body, "protocol");
      field = text_of(*body, "field");
    } else if (word == "meta" || word == "ct") {
      known(*body, fmt::format("`{}`", word), {"key"});
      base = word;
      field = text_of(*body, "key");
    } else if (word == "socket") {
      refuse("libnftables' JSON does not say the level of a cgroup: give the script instead");
    } else {
      refuse(fmt::format("`{}` is not in the subset", word));
    }
    const auto found = key_of(base, field);
    if (!found) refuse(fmt::format("`{} {}` is not in the subset", base, field));
    return *found;
  }

  void match(const Json& body) {
    known(body, "`match`", {"op", "left", "right"});
    const std::string op = text_of(body, "op");
    const Json &left = member(body, "left"), &right = member(body, "right");
    if (op != "==" && op != "!=" && op != "in") refuse(fmt::format("the comparison `{}` is not in the subset", op));
    if (left.is_object() && left.contains("&")) return masked(left["&"], right, op);
    Keys looked = keys(left);
    if (op == "in") return bits(looked, right);
    const bool negated = op == "!=";
    if (right.is_string() && right.get<std::string>().starts_with('@')) {
      const std::size_t at = named(looked, right.get<std::string>(), false);
      rule_.statements.emplace_back(Lookup{std::move(looked), at, negated});
      return;
    }
    Set s;
    for (const Key& k : looked) s.types.push_back(k.type);
    if (right.is_object() && right.contains("set"))
      elements(s, right["set"].is_array() ? right["set"] : Json::array({right["set"]}));
    else
      s.elements.push_back({constants(s.types, right), {}, here()});
    in_place(std::move(looked), std::move(s.elements), negated);
  }

  std::uint64_t mask(Type type, const Json& value) {
    if (value.is_number_unsigned() && type == Type::Flags) return value.get<std::uint64_t>();
    std::uint64_t out = 0;
    for (const Json& one : value.is_array() ? value : Json::array({value})) {
      const std::uint64_t m = mask_of(type, text(one, "a flag"));
      out |= type == Type::State ? std::uint64_t{1} << m : m;
    }
    return out;
  }
  void masked(const Json& operands, const Json& right, const std::string& op) {
    if (!operands.is_array() || operands.size() != 2) refuse("`&` has no two operands");
    const Key looked = key(operands[0]);
    if (looked.type != Type::Flags || op == "in") refuse("a mask of this key is not in the subset");
    rule_.statements.emplace_back(Masked{looked, mask(looked.type, operands[1]), mask(looked.type, right), op == "!="});
  }
  void bits(const Keys& looked, const Json& right) {
    if (looked.size() != 1 || (looked[0].type != Type::Flags && looked[0].type != Type::State))
      refuse("the comparison `in` is for flags and states");
    const std::uint64_t m = mask(looked[0].type, right);
    if (looked[0].type == Type::Flags) return void(rule_.statements.emplace_back(Masked{looked[0], m, 0, true}));
    std::vector<Element> states;
    for (unsigned s = 0; s < model::packet_states; ++s)
      if ((m >> s & 1) != 0) states.push_back({{{s, s}}, {}, here()});
    in_place(looked, std::move(states), false);
  }

  std::size_t named(const Keys& looked, const std::string& reference, bool map) {
    const std::string name = reference.substr(1);
    const auto at = names_->sets.find(name);
    if (at == names_->sets.end()) refuse(fmt::format("there is no set `{}`", name));
    const Set& s = table_->sets[at->second];
    if (s.map != map) refuse(fmt::format("`{}` is {} map", name, s.map ? "a" : "no"));
    bool same = looked.size() == s.types.size();
    for (std::size_t i = 0; same && i < looked.size(); ++i) same = looked[i].type == s.types[i];
    if (!same) refuse(fmt::format("the set `{}` is of another type than what is looked up in it", name));
    return at->second;
  }

  void dispatch(const Json& body) {
    known(body, "`vmap`", {"key", "data"});
    Keys looked = keys(member(body, "key"));
    const Json& data = member(body, "data");
    if (data.is_string()) {
      if (!data.get<std::string>().starts_with('@')) refuse("`data` names no map");
      const std::size_t at = named(looked, data.get<std::string>(), true);
      rule_.statements.emplace_back(Dispatch{std::move(looked), at});
      return;
    }
    Set s;
    s.map = true;
    s.place = here();
    for (const Key& k : looked) s.types.push_back(k.type);
    elements(s, member(data, "set"));
    rule_.statements.emplace_back(Dispatch{std::move(looked), table_->sets.size()});
    table_->sets.push_back(std::move(s));
  }

  std::string_view bytes_;
  model::PacketSpace& space_;
  std::uint32_t at_ = 0;
  Ruleset out_;
  std::unordered_map<std::string, Index> index_;
  Index* names_ = nullptr;
  Table* table_ = nullptr;
  Rule rule_;
};

}  // namespace

Ruleset read_document(std::string_view text, model::PacketSpace& space) { return Reader(text, space).run(); }

}  // namespace agp::backends::nftables::reading
