#include "compiler/import/engine_profile.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "compiler/linux/syscalls.hpp"
#include "compiler/source/strict_json.hpp"

namespace agp::imported {
namespace {

using Json = nlohmann::ordered_json;

struct Refused {
  std::string why;
};

/// Go's names of architectures, which conditions are written in (GOARCH).
std::string_view go_name(linux::Arch arch) {
  switch (arch) {
    case linux::Arch::aarch64:
      return "arm64";
    case linux::Arch::riscv64:
      return "riscv64";
    default:
      return "amd64";
  }
}
std::string_view scmp_name(linux::Arch arch) {
  switch (arch) {
    case linux::Arch::aarch64:
      return "SCMP_ARCH_AARCH64";
    case linux::Arch::riscv64:
      return "SCMP_ARCH_RISCV64";
    default:
      return "SCMP_ARCH_X86_64";
  }
}
constexpr std::string_view with_tables[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64",
                                            "SCMP_ARCH_RISCV64"};

std::vector<std::string> texts(const Json& object, const char* key, const std::string& at) {
  std::vector<std::string> out;
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return out;
  if (!it->is_array()) throw Refused{fmt::format("`{}/{}` is not an array", at, key)};
  for (const Json& one : *it) {
    if (!one.is_string()) throw Refused{fmt::format("`{}/{}` holds something else than strings", at, key)};
    out.push_back(one.get<std::string>());
  }
  return out;
}

linux::Version kernel_version(const std::string& text, const std::string& at) {
  linux::Version out;
  const auto dot = text.find('.');
  const char *first = text.data(), *last = first + text.size();
  const auto major = std::from_chars(first, dot == std::string::npos ? last : first + dot, out.major);
  const auto minor = std::from_chars(dot == std::string::npos ? last : first + dot + 1, last, out.minor);
  if (dot == std::string::npos || major.ec != std::errc() || major.ptr != first + dot || minor.ec != std::errc() ||
      minor.ptr != last)
    throw Refused{fmt::format("`{}` is no kernel version", at)};
  return out;
}

/// One `includes` or `excludes`.
struct Condition {
  std::vector<std::string> caps, archs;
  std::optional<std::string> kernel;
  linux::Version at_least;

  /// For a reader, as an `includes` or as an `excludes`.
  std::string text(bool includes) const {
    std::vector<std::string> parts;
    if (!caps.empty()) parts.push_back(fmt::format("{} {}", includes ? "with" : "without", fmt::join(caps, ", ")));
    if (!archs.empty()) parts.push_back(fmt::format("{} {}", includes ? "on" : "not on", fmt::join(archs, ", ")));
    if (kernel) parts.push_back(fmt::format("{} Linux {}", includes ? "from" : "before", *kernel));
    return fmt::format("{}", fmt::join(parts, ", "));
  }
};

Condition condition(const Json& entry, const char* key, const std::string& where) {
  Condition out;
  const auto it = entry.find(key);
  if (it == entry.end() || it->is_null()) return out;
  const std::string at = where + "/" + key;
  if (!it->is_object()) throw Refused{fmt::format("`{}` is not an object", at)};
  for (const auto& [name, value] : it->items())
    if (name != "caps" && name != "arches" && name != "minKernel")
      throw Refused{fmt::format("`{}/{}` is a condition that agp has no model of", at, name)};
  out.caps = texts(*it, "caps", at);
  out.archs = texts(*it, "arches", at);
  if (const auto kernel = it->find("minKernel"); kernel != it->end() && !kernel->is_null()) {
    if (!kernel->is_string()) throw Refused{fmt::format("`{}/minKernel` is not a string", at)};
    out.kernel = kernel->get<std::string>();
    if (out.kernel->empty())
      out.kernel.reset();
    else
      out.at_least = kernel_version(*out.kernel, at + "/minKernel");
  }
  return out;
}

class Engine {
 public:
  explicit Engine(const Machine& machine) : machine_(machine) {}

  EngineProfile run(const Json& source) {
    if (!source.is_object()) throw Refused{"it is not a JSON object"};
    spelt(source, "", {"archMap", "defaultErrno"});
    errno_of(source, "", "defaultErrno", "defaultErrnoRet");
    Json plain = source;
    plain.erase("defaultErrno");
    if (const auto path = source.find("listenerPath"); path != source.end() && path->is_string())
      out_.supervisor = path->get<std::string>();
    architectures(source, plain);
    plain.erase("archMap");
    if (plain.contains("syscalls") && !plain["syscalls"].is_null()) {
      if (!plain["syscalls"].is_array()) throw Refused{"`/syscalls` is not an array"};
      Json kept = Json::array();
      for (std::size_t i = 0; i < plain["syscalls"].size(); ++i) entry(plain["syscalls"][i], i, kept);
      plain["syscalls"] = std::move(kept);
    }
    out_.json = plain.dump(-1, ' ', false, Json::error_handler_t::replace);
    return std::move(out_);
  }

 private:
  static void spelt(const Json& object, const std::string& at, std::initializer_list<std::string_view> known) {
    if (const auto key = source::misspelt(object, known))
      throw Refused{fmt::format("`{}/{}` is a field in another spelling", at, *key)};
  }
  /// Podman reads the name of an errno where Docker reads the number alone: they must say the same.
  static void errno_of(const Json& object, const std::string& at, const char* name, const char* number) {
    const auto text = object.find(name);
    if (text == object.end() || text->is_null() || *text == "") return;
    const auto value = text->is_string() ? linux::find_errno(text->get<std::string>()) : std::nullopt;
    if (!value) throw Refused{fmt::format("`{}/{}` is no errno", at, name)};
    const auto other = object.find(number);
    if (other == object.end() || !other->is_number_integer() || other->get<std::int64_t>() != *value)
      throw Refused{fmt::format("`{0}/{1}` says {2}, and `{0}/{3}` does not: engines differ in which they read", at,
                                name, text->get<std::string>(), number)};
  }

  void architectures(const Json& source, Json& plain) {
    const auto map = source.find("archMap");
    if (map != source.end() && map->is_array() && !map->empty()) {
      if (source.contains("architectures") && !source["architectures"].empty())
        throw Refused{"it has both `architectures` and `archMap`"};
      Json list = Json::array();
      for (const Json& row : *map)
        if (row.is_object() && row.value("architecture", "") == scmp_name(machine_.arch)) {
          list.push_back(row["architecture"]);
          for (const std::string& sub : texts(row, "subArchitectures", "/archMap")) list.push_back(sub);
        }
      plain["architectures"] = std::move(list);
    }
    if (!plain.contains("architectures") || !plain["architectures"].is_array()) return;
    Json known = Json::array();
    for (const Json& name : plain["architectures"])
      if (std::find(std::begin(with_tables), std::end(with_tables), name) != std::end(with_tables))
        known.push_back(name);
      else
        out_.dropped.push_back(name.is_string() ? name.get<std::string>() : name.dump());
    plain["architectures"] = std::move(known);
  }

  void entry(Json entry, std::size_t index, Json& kept) {
    const std::string at = fmt::format("/syscalls/{}", index);
    if (!entry.is_object()) throw Refused{fmt::format("`{}` is not an object", at)};
    spelt(entry, at, {"name", "includes", "excludes", "comment", "errno"});
    errno_of(entry, at, "errno", "errnoRet");
    entry.erase("errno");
    if (const auto name = entry.find("name"); name != entry.end() && name->is_string() && *name != "") {
      if (entry.contains("names") && !entry["names"].empty())
        throw Refused{fmt::format("`{}` has both `name` and `names`", at)};
      entry["names"] = Json::array({*name});
    }
    const Condition includes = condition(entry, "includes", at), excludes = condition(entry, "excludes", at);
    std::string why;
    const auto add = [&](std::string part) {
      if (!part.empty()) why += (why.empty() ? "" : "; ") + part;
    };
    add(includes.text(true));
    add(excludes.text(false));
    const std::string conditions = why;
    if (const auto comment = entry.find("comment"); comment != entry.end() && comment->is_string())
      add(comment->get<std::string>());
    for (const char* key : {"name", "includes", "excludes", "comment"}) entry.erase(key);
    const auto names = texts(entry, "names", at);
    if (counts(includes, excludes)) {
      out_.entries.push_back({index, why, names});
      kept.push_back(std::move(entry));
      return;
    }
    out_.left_out.push_back(fmt::format("syscalls[{}] ({}): {}", index, conditions, fmt::join(names, ", ")));
  }

  bool counts(const Condition& includes, const Condition& excludes) const {
    const auto here = [&](const std::vector<std::string>& archs) {
      return std::find(archs.begin(), archs.end(), go_name(machine_.arch)) != archs.end();
    };
    const auto has = [&](const std::string& cap) { return machine_.caps.contains(cap); };
    const auto reached = [&](const Condition& c) { return c.at_least <= machine_.kernel; };
    if (here(excludes.archs) || std::any_of(excludes.caps.begin(), excludes.caps.end(), has)) return false;
    if (excludes.kernel && reached(excludes)) return false;
    if (!includes.archs.empty() && !here(includes.archs)) return false;
    if (!std::all_of(includes.caps.begin(), includes.caps.end(), has)) return false;
    return !includes.kernel || reached(includes);
  }

  const Machine& machine_;
  EngineProfile out_;
};

}  // namespace

std::variant<EngineProfile, std::string> resolve_engine_profile(std::string_view json, const Machine& machine) {
  // The decoder of the result refuses a key that stands twice; here the source would already have lost one of them.
  std::string why;
  const auto document = source::parse_strict_json(json, 16, why);
  if (!document) return why;
  try {
    return Engine(machine).run(*document);
  } catch (const Refused& refused) {
    return refused.why;
  } catch (const Json::exception& e) {
    return fmt::format("it can't be read: {}", e.what());
  }
}

}  // namespace agp::imported
