#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backends/nftables/emit/ruleset.hpp"

// In: a table. Out: libnftables JSON (libnftables-json(5)) of the same ruleset as text.cpp writes. Order: table, chains
// (without their rules, so that a map can go to them), counters, sets, maps, rules.
namespace agp::backends::nftables {
namespace {

using Json = nlohmann::ordered_json;

Json json(const Value& v) {
  switch (v.kind) {
    case Value::Kind::Word:
    case Value::Kind::Quoted:
      return v.text;
    case Value::Kind::Number:
      return v.number;
    case Value::Kind::Prefix:
      return {{"prefix", {{"addr", v.text}, {"len", v.number}}}};
    case Value::Kind::Range:
      return {{"range", Json::array({json(v.parts[0]), json(v.parts[1])})}};
    case Value::Kind::Concat:
      break;
  }
  Json parts = Json::array();
  for (const auto& p : v.parts) parts.push_back(json(p));
  return {{"concat", std::move(parts)}};
}

Json json(const Expr& e) {
  const Json header = {{"payload", {{"protocol", e.base}, {"field", e.field}}}};
  switch (e.kind) {
    case Expr::Kind::Payload:
      return header;
    case Expr::Kind::Meta:
      return {{"meta", {{"key", e.field}}}};
    case Expr::Kind::Ct:
      return {{"ct", {{"key", e.field}}}};
    case Expr::Kind::Flags: {
      Json mask = Json::array();
      for (const auto& flag : e.mask) mask.push_back(flag);
      return {{"&", Json::array({header, std::move(mask)})}};
    }
    case Expr::Kind::Cgroup:  // never asked for, see to_json
    case Expr::Kind::Concat:
      break;
  }
  Json parts = Json::array();
  for (const auto& p : e.parts) parts.push_back(json(p));
  return {{"concat", std::move(parts)}};
}

Json json(const Verdict& v) {
  switch (v.kind) {
    case Verdict::Kind::Accept:
      return {{"accept", nullptr}};
    case Verdict::Kind::Drop:
      return {{"drop", nullptr}};
    case Verdict::Kind::Continue:
      return {{"continue", nullptr}};
    case Verdict::Kind::Goto:
      break;
  }
  return {{"goto", {{"target", v.target}}}};
}

Json json(const Element& e) {
  Json key = json(e.key);
  if (!e.comment.empty()) key = {{"elem", {{"val", std::move(key)}, {"comment", e.comment}}}};
  if (!e.verdict) return key;
  return Json::array({std::move(key), json(*e.verdict)});
}

template <class Item>
Json array(const std::vector<Item>& items) {
  Json out = Json::array();
  for (const auto& item : items) out.push_back(json(item));
  return out;
}

Json match(const Expr& left, std::string_view op, Json right) {
  return {{"match", {{"op", op}, {"left", json(left)}, {"right", std::move(right)}}}};
}

struct JsonWriter {
  Json operator()(const Match& s) const { return match(s.left, s.op, json(s.right)); }
  Json operator()(const MatchAny& s) const { return match(s.left, "==", {{"set", array(s.values)}}); }
  Json operator()(const MatchSet& s) const { return match(s.left, "==", "@" + s.set); }
  Json operator()(const Dispatch& s) const { return {{"vmap", {{"key", json(s.key)}, {"data", "@" + s.map}}}}; }
  Json operator()(const DispatchAny& s) const {
    return {{"vmap", {{"key", json(s.key)}, {"data", {{"set", array(s.elements)}}}}}};
  }
  Json operator()(const Count& s) const { return {{"counter", s.counter.empty() ? Json(nullptr) : Json(s.counter)}}; }
  Json operator()(const Log& s) const { return {{"log", {{"prefix", s.prefix}}}}; }
  Json operator()(const Reject& s) const {
    if (s.tcp_reset) return {{"reject", {{"type", "tcp reset"}}}};
    return {{"reject", {{"type", "icmpx"}, {"expr", "admin-prohibited"}}}};
  }
  Json operator()(const Verdict& s) const { return json(s); }
};

class Document {
 public:
  explicit Document(const Table& table) : table_(table) {}

  std::string write() {
    const Json table = {{"family", "inet"}, {"name", table_.name}};
    command("add", "table", table);
    command("delete", "table", table);
    command("add", "table", table);
    for (const auto& chain : table_.chains) add_chain(chain);
    for (const auto& name : table_.counters) command("add", "counter", object(name));
    for (const bool map : {false, true})
      for (const auto& set : table_.sets)
        if (set.map == map) add_set(set);
    for (const auto& chain : table_.chains)
      for (const auto& rule : chain.rules) add_rule(chain, rule);
    std::string out = "{\"nftables\": [\n";
    for (std::size_t i = 0; i < commands_.size(); ++i)
      out += commands_[i].dump() + (i + 1 < commands_.size() ? ",\n" : "\n");
    return out + "]}\n";
  }

 private:
  Json object(const std::string& name) const { return {{"family", "inet"}, {"table", table_.name}, {"name", name}}; }
  void command(const char* verb, const char* what, Json body) {
    commands_.push_back({{verb, {{what, std::move(body)}}}});
  }

  void add_chain(const Chain& chain) {
    Json body = object(chain.name);
    if (!chain.hook.empty()) {
      body["type"] = "filter";
      body["hook"] = chain.hook;
      body["prio"] = 0;
      body["policy"] = chain.policy;
    }
    command("add", "chain", std::move(body));
  }

  void add_set(const Set& set) {
    Json body = object(set.name);
    body["type"] = set.type.size() == 1 ? Json(set.type[0]) : Json(set.type);
    if (set.map) body["map"] = "verdict";
    if (set.interval) body["flags"] = Json::array({"interval"});
    if (!set.elements.empty()) body["elem"] = array(set.elements);
    command("add", set.map ? "map" : "set", std::move(body));
  }

  void add_rule(const Chain& chain, const Rule& rule) {
    Json body = {{"family", "inet"}, {"table", table_.name}, {"chain", chain.name}};
    if (!rule.comment.empty()) body["comment"] = rule.comment;
    Json expr = Json::array();
    for (const auto& s : rule.statements) expr.push_back(std::visit(JsonWriter{}, s));
    body["expr"] = std::move(expr);
    command("add", "rule", std::move(body));
  }

  const Table& table_;
  std::vector<Json> commands_;
};

}  // namespace

std::string to_json(const Table& table) { return Document(table).write(); }

}  // namespace agp::backends::nftables
