#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "compiler/linux/landlock.hpp"
#include "tools/landlock-launch/launch.hpp"

// landlockconfig's JSON, strictly: an unknown key, right or variable, a repeated key, an empty list or a rule that
// would allow nothing is an error, never left out. Beyond the schema: `resolve_unix`, `bind_udp` and
// `connect_send_udp`.
namespace agp::launch {
namespace {

using Json = nlohmann::json;
namespace ll = linux::landlock;
using Sort = ll::Sort;

constexpr std::size_t most_bytes = 16u << 20, most_rules = 1u << 20;

class Reader {
 public:
  explicit Reader(const std::string& file) { out_.file = file; }

  Ruleset run() {
    const std::string text = read_file(out_.file, most_bytes);
    const Json json = parse(text);
    keys(json, "", {"abi", "variable", "ruleset", "pathBeneath", "netPort"});
    if (json.contains("abi")) read_abi(json["abi"]);
    if (json.contains("variable"))
      for (const Json& v : list(json["variable"], "variable")) read_variable(v);
    if (json.contains("ruleset"))
      for (const Json& r : list(json["ruleset"], "ruleset")) read_handled(r);
    if (json.contains("pathBeneath"))
      for (const Json& r : list(json["pathBeneath"], "pathBeneath")) read_paths(r);
    if (json.contains("netPort"))
      for (const Json& r : list(json["netPort"], "netPort")) read_ports(r);
    if (out_.handled_fs == 0 && out_.handled_net == 0 && out_.scoped == 0) bad("it restricts nothing");
    out_.needs_abi = std::max({ll::abi_for(Sort::Fs, out_.handled_fs).value_or(1),
                               ll::abi_for(Sort::Net, out_.handled_net).value_or(1),
                               ll::abi_for(Sort::Scope, out_.scoped).value_or(1)});
    return std::move(out_);
  }

 private:
  [[noreturn]] void bad(const std::string& what) const { die(refused, out_.file + ": " + what); }

  Json parse(const std::string& text) const {
    std::vector<std::set<std::string>> open;
    std::string twice;
    const auto watch = [&](int, Json::parse_event_t event, Json& value) {
      if (event == Json::parse_event_t::object_start) open.emplace_back();
      if (event == Json::parse_event_t::object_end) open.pop_back();
      if (event == Json::parse_event_t::key && !open.back().insert(value.get<std::string>()).second)
        twice = value.get<std::string>();
      return true;
    };
    Json json = Json::parse(text, watch, false);
    if (json.is_discarded()) bad("not JSON");
    if (!twice.empty()) bad("the key `" + twice + "` stands twice in one object");
    return json;
  }

  void keys(const Json& object, const std::string& where, std::initializer_list<const char*> known) const {
    if (!object.is_object() || object.empty()) bad("`" + where + "` is not an object with content");
    for (const auto& [key, value] : object.items())
      if (std::find(known.begin(), known.end(), key) == known.end()) bad("unknown key `" + key + "`");
  }
  const Json& list(const Json& value, const std::string& where) const {
    if (!value.is_array() || value.empty()) bad("`" + where + "` is not a list with content");
    return value;
  }
  const Json& member(const Json& object, const char* key) const {
    if (!object.contains(key)) bad(std::string("`") + key + "` is missing");
    return list(object[key], key);
  }
  std::string string(const Json& value, const std::string& where) const {
    if (!value.is_string()) bad("`" + where + "` holds something that is no text");
    return value.get<std::string>();
  }

  void read_abi(const Json& value) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1) bad("`abi` is not a number from 1");
    if (value.get<std::int64_t>() > ll::highest_abi)
      bad("`abi` is newer than this launcher, which knows " + std::to_string(ll::highest_abi));
    abi_ = value.get<int>();
  }

  void read_variable(const Json& v) {
    keys(v, "variable", {"name", "literal"});
    if (!v.contains("name")) bad("a variable has no `name`");
    std::set<std::string>& values = variables_[string(v["name"], "name")];
    if (v.contains("literal"))
      for (const Json& l : list(v["literal"], "literal")) values.insert(string(l, "literal"));
  }

  /// The bits of a list of names; groups by the file's own `abi`.
  std::uint64_t rights(Sort sort, const Json& names, const char* where) const {
    std::uint64_t out = 0;
    for (const Json& n : list(names, where)) {
      const std::string name = string(n, where);
      if (const ll::Right* right = ll::find_right(sort, std::string_view(name))) {
        out |= right->bit;
        continue;
      }
      if (name.rfind("abi.", 0) == 0 && !abi_) bad("`" + name + "` needs an `abi`");
      const std::uint64_t all = abi_ ? ll::all_rights(sort, *abi_) : 0;
      if (name == "abi.all")
        out |= all;
      else if (sort == Sort::Fs && name == "abi.read_execute")
        out |= all & (ll::fs_execute | ll::fs_read_file | ll::fs_read_dir | ll::fs_refer);
      else if (sort == Sort::Fs && name == "abi.read_write")
        out |= all & ~ll::fs_execute;
      else
        bad("unknown right `" + name + "`");
    }
    return out;
  }

  void read_handled(const Json& r) {
    keys(r, "ruleset", {"handledAccessFs", "handledAccessNet", "scoped"});
    if (r.contains("handledAccessFs")) out_.handled_fs |= rights(Sort::Fs, r["handledAccessFs"], "handledAccessFs");
    if (r.contains("handledAccessNet"))
      out_.handled_net |= rights(Sort::Net, r["handledAccessNet"], "handledAccessNet");
    if (r.contains("scoped")) out_.scoped |= rights(Sort::Scope, r["scoped"], "scoped");
  }

  void read_paths(const Json& r) {
    keys(r, "pathBeneath", {"allowedAccess", "parent"});
    const std::uint64_t allowed = rights(Sort::Fs, member(r, "allowedAccess"), "allowedAccess");
    if (allowed == 0) bad("a rule on paths allows nothing");
    out_.handled_fs |= allowed;  // as landlockconfig does: what a rule allows is decided
    for (const Json& parent : member(r, "parent"))
      for (const std::string& path : expand(string(parent, "parent"))) add_path(path, allowed);
  }

  /// `$$` is a dollar, `${name}` each value of a variable.
  std::vector<std::string> expand(const std::string& text) const {
    std::vector<std::string> out = {""};
    const auto append = [&](const std::set<std::string>& values) {
      std::vector<std::string> next;
      for (const std::string& head : out)
        for (const std::string& v : values) next.push_back(head + v);
      if (next.size() > most_rules) bad("variables make more than a million paths");
      out = std::move(next);
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '$' || i + 1 == text.size() || (text[i + 1] != '$' && text[i + 1] != '{')) {
        append({text.substr(i, 1)});
        continue;
      }
      if (text[++i] == '$') {
        append({"$"});
        continue;
      }
      const std::size_t end = text.find('}', i);
      if (end == std::string::npos) bad("`" + text + "` has a variable without an end");
      const auto found = variables_.find(text.substr(i + 1, end - i - 1));
      if (found == variables_.end() || found->second.empty()) bad("`" + text + "` names a variable without a value");
      append(found->second);
      i = end;
    }
    return out;
  }

  void add_path(const std::string& path, std::uint64_t allowed) {
    if (path.empty() || path[0] != '/') bad("`" + path + "` is not an absolute path");
    if (path.find('\0') != std::string::npos) bad("a path holds a zero byte");
    const bool directory = path.back() == '/' || (allowed & ~ll::file_rights()) != 0;
    out_.rules.push_back({path, directory, allowed});
    if (out_.rules.size() > most_rules) bad("more than a million rules");
  }

  void read_ports(const Json& r) {
    keys(r, "netPort", {"allowedAccess", "port"});
    const std::uint64_t allowed = rights(Sort::Net, member(r, "allowedAccess"), "allowedAccess");
    if (allowed == 0) bad("a rule on ports allows nothing");
    out_.handled_net |= allowed;
    for (const Json& p : member(r, "port")) {
      if (!p.is_number_unsigned() || p.get<std::uint64_t>() > 65535) bad("`port` holds something that is no port");
      out_.ports.emplace_back(p.get<std::uint64_t>(), allowed);
    }
  }

  Ruleset out_;
  std::optional<int> abi_;
  std::map<std::string, std::set<std::string>> variables_;
};

}  // namespace

std::string read_file(const std::string& path, std::size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) die(refused, path, errno);
  std::string out;
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) die(refused, path, errno);
    if (got == 0) break;
    out.append(buffer, static_cast<std::size_t>(got));
    if (out.size() > limit) die(refused, path + ": larger than " + std::to_string(limit) + " bytes");
  }
  ::close(fd);
  return out;
}

Ruleset read_ruleset(const std::string& file) { return Reader(file).run(); }

}  // namespace agp::launch
