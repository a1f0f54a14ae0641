#include "backends/landlock/decode/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "backends/landlock/format.hpp"
#include "compiler/linux/landlock.hpp"
#include "compiler/source/strict_json.hpp"

namespace agp::backends::landlock {
namespace {

using Json = nlohmann::json;
namespace ll = linux::landlock;
using Sort = ll::Sort;

constexpr std::size_t most_paths = 1u << 20;

/// Thrown within this file alone: the first thing that is wrong ends the reading.
struct Refused {
  std::string why;
};
[[noreturn]] void refuse(std::string why) { throw Refused{std::move(why)}; }

Json parse(std::string_view bytes) {
  std::string why;
  auto json = source::parse_strict_json(bytes, 8, why);  // the format has five levels
  if (!json) refuse(why);
  return std::move(*json);
}

class Reader {
 public:
  Config run(std::string_view bytes) {
    const Json json = parse(bytes);
    keys(json, "file", {format::abi, format::variable, format::ruleset, format::path_beneath, format::net_port});
    if (const auto at = json.find(format::abi); at != json.end()) abi(*at);
    each(json, format::variable, [&](const Json& v, const std::string&) { variable(v); });
    each(json, format::ruleset, [&](const Json& r, const std::string&) { handled(r); });
    each(json, format::path_beneath, [&](const Json& r, const std::string& place) { paths(r, place); });
    each(json, format::net_port, [&](const Json& r, const std::string&) { ports(r); });
    if (out_.handled_fs == 0 && out_.handled_net == 0 && out_.scoped == 0) refuse("it restricts nothing");
    return std::move(out_);
  }

 private:
  static void keys(const Json& object, std::string_view what, std::initializer_list<std::string_view> known) {
    if (!object.is_object() || object.empty()) refuse(fmt::format("a {} is not an object with content", what));
    for (const auto& [key, value] : object.items())
      if (std::find(known.begin(), known.end(), key) == known.end()) refuse(fmt::format("unknown key `{}`", key));
  }
  static const Json& list(const Json& value, std::string_view what) {
    if (!value.is_array() || value.empty()) refuse(fmt::format("`{}` is not a list with content", what));
    return value;
  }
  static const Json& member(const Json& object, std::string_view key) {
    const auto at = object.find(key);
    if (at == object.end()) refuse(fmt::format("`{}` is missing", key));
    return list(*at, key);
  }
  static std::string text(const Json& value, std::string_view what) {
    if (!value.is_string()) refuse(fmt::format("`{}` holds something that is no text", what));
    return value.get<std::string>();
  }
  template <class Each>
  static void each(const Json& json, std::string_view key, const Each& f) {
    const auto at = json.find(key);
    if (at == json.end()) return;
    std::size_t i = 0;
    for (const Json& one : list(*at, key)) f(one, fmt::format("/{}/{}", key, i++));
  }

  void abi(const Json& value) {
    if (!value.is_number_integer() || value < 1) refuse("`abi` is not a number from 1");
    if (value > ll::highest_abi)
      refuse(fmt::format("its groups are those of an ABI above {}, the highest known", ll::highest_abi));
    out_.abi = value.get<int>();
  }

  void variable(const Json& v) {
    keys(v, "variable", {format::name, format::literal});
    const auto name = v.find(format::name);
    if (name == v.end()) refuse("a variable has no `name`");
    auto& values = out_.variables[text(*name, format::name)];
    if (v.contains(format::literal))
      for (const Json& l : member(v, format::literal)) values.insert(text(l, format::literal));
  }

  std::uint64_t rights(Sort sort, const Json& names) const {
    std::uint64_t out = 0;
    for (const Json& n : names) {
      const std::string name = text(n, "a list of rights");
      if (const ll::Right* right = ll::find_right(sort, std::string_view(name))) {
        out |= right->bit;
        continue;
      }
      const std::uint64_t all = out_.abi ? ll::all_rights(sort, *out_.abi) : 0;
      const bool fs = sort == Sort::Fs;
      if (name != format::group_all &&
          !(fs && (name == format::group_read_execute || name == format::group_read_write)))
        refuse(fmt::format("unknown right `{}`", name));
      if (!out_.abi) refuse(fmt::format("`{}` needs an `abi`", name));
      out |= name == format::group_all ? all
             : name == format::group_read_write
                 ? all & ~ll::fs_execute
                 : all & (ll::fs_execute | ll::fs_read_file | ll::fs_read_dir | ll::fs_refer);
    }
    return out;
  }

  void handled(const Json& r) {
    keys(r, "ruleset", {format::handled_fs, format::handled_net, format::scoped});
    if (r.contains(format::handled_fs)) out_.handled_fs |= rights(Sort::Fs, member(r, format::handled_fs));
    if (r.contains(format::handled_net)) out_.handled_net |= rights(Sort::Net, member(r, format::handled_net));
    if (r.contains(format::scoped)) out_.scoped |= rights(Sort::Scope, member(r, format::scoped));
  }

  /// What a rule allows is handled too, as landlockconfig has it.
  void paths(const Json& r, const std::string& place) {
    keys(r, "rule on paths", {format::allowed, format::parent});
    const std::uint64_t allowed = rights(Sort::Fs, member(r, format::allowed));
    if (allowed == 0) refuse("a rule on paths allows nothing");
    out_.handled_fs |= allowed;
    std::size_t i = 0;
    for (const Json& p : member(r, format::parent)) {
      Config::Rule& rule = out_.paths[text(p, format::parent)];
      rule.rights |= allowed;
      if (!rule.place.empty()) rule.place += ", ";
      rule.place += fmt::format("{}/{}/{}", place, format::parent, i++);
    }
  }

  void ports(const Json& r) {
    keys(r, "rule on ports", {format::allowed, format::port});
    const std::uint64_t allowed = rights(Sort::Net, member(r, format::allowed));
    if (allowed == 0) refuse("a rule on ports allows nothing");
    out_.handled_net |= allowed;
    for (const Json& p : member(r, format::port)) {
      if (!p.is_number_unsigned() || p > 65535) refuse("`port` holds something that is no port");
      out_.ports[p.get<std::uint16_t>()] |= allowed;
    }
  }

  Config out_;
};

}  // namespace

ReadConfig read_config(std::string_view bytes) {
  try {
    return {Reader().run(bytes), ""};
  } catch (const Refused& r) {
    return {std::nullopt, r.why};
  }
}

Config compose(const Config& a, const Config& b) {
  Config out;
  out.handled_fs = a.handled_fs & b.handled_fs;
  out.handled_net = a.handled_net & b.handled_net;
  out.scoped = a.scoped & b.scoped;
  if (a.abi || b.abi) out.abi = a.abi && b.abi ? std::min(*a.abi, *b.abi) : a.abi ? a.abi : b.abi;
  for (const Config* from : {&a, &b}) {
    for (const auto& [path, rule] : from->paths) {
      if ((rule.rights & out.handled_fs) == 0) continue;
      Config::Rule& into = out.paths[path];
      into.rights |= rule.rights & out.handled_fs;
      into.place = rule.place;
    }
    for (const auto& [port, rights] : from->ports)
      if ((rights & out.handled_net) != 0) out.ports[port] |= rights & out.handled_net;
    for (const auto& [name, values] : from->variables) out.variables[name].insert(values.begin(), values.end());
  }
  return out;
}

std::optional<std::vector<std::string>> expand(const std::string& text, const Config& config) {
  std::vector<std::string> out = {""};
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '$' || (next != '$' && next != '{')) {
      for (std::string& s : out) s += text[i];
      continue;
    }
    ++i;
    if (next == '$') {
      for (std::string& s : out) s += '$';
      continue;
    }
    const std::size_t end = text.find('}', i);
    if (end == std::string::npos) return std::nullopt;
    const auto found = config.variables.find(text.substr(i + 1, end - i - 1));
    if (found == config.variables.end() || found->second.empty() || out.size() * found->second.size() > most_paths)
      return std::nullopt;
    std::vector<std::string> more;
    for (const std::string& head : out)
      for (const std::string& v : found->second) more.push_back(head + v);
    out = std::move(more);
    i = end;
  }
  return out;
}

}  // namespace agp::backends::landlock
