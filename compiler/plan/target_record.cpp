#include "compiler/plan/target_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>

#include "compiler/plan/plan.hpp"
#include "compiler/source/strict_json.hpp"

namespace agp::plan {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view schema = "agp-target/1";

std::string version_text(const model::KernelVersion& version) {
  return fmt::format("{}.{}", version.major, version.minor);
}

struct Wrong {
  std::string text;
};

/// Throws Wrong, within this file only.
class Reader {
 public:
  model::Target read(const Json& record) {
    object(record, "",
           {"schema", "name", "kernel", "landlock_abi", "arch", "stack", "loaders", "nft", "resolver",
            "libseccomp_names"});
    if (text(record, "", "schema") != schema) throw Wrong{fmt::format("`schema` is not \"{}\"", schema)};
    model::Target out;
    out.name = text(record, "", "name");
    out.kernel = version(record, "", "kernel");
    const Json& abi = record["landlock_abi"];
    if (!abi.is_number_unsigned() || abi.get<std::uint64_t>() > 1000)
      throw Wrong{"`landlock_abi` is not a number from 0 to 1000"};
    out.landlock_abi = abi.get<int>();
    const Json& archs = record["arch"];
    if (!archs.is_array() || archs.empty()) throw Wrong{"`arch` is not a list with an architecture in it"};
    for (const Json& arch : archs) {
      if (!arch.is_string()) throw Wrong{"`arch` holds something that is not a name"};
      out.archs.push_back(arch.get<std::string>());
    }
    out.stack = text(record, "", "stack");
    const auto known = stacks();
    if (std::find(known.begin(), known.end(), out.stack) == known.end())
      throw Wrong{fmt::format("`stack` is \"{}\"; stacks are {}", out.stack, fmt::join(known, ", "))};
    object(record["loaders"], "loaders.", {"runc"});
    out.runc = version(record["loaders"], "loaders.", "runc");
    out.nft = version(record, "", "nft");
    object(record["resolver"], "resolver.", {"dnsmasq", "user"});
    out.dnsmasq = version(record["resolver"], "resolver.", "dnsmasq");
    out.dns_user = text(record["resolver"], "resolver.", "user");
    out.libseccomp_names = version(record, "", "libseccomp_names");
    return out;
  }

 private:
  static void object(const Json& value, const std::string& where, std::initializer_list<std::string_view> keys) {
    if (!value.is_object())
      throw Wrong{where.empty() ? "the record is not a JSON object"
                                : fmt::format("`{}` is not an object", where.substr(0, where.size() - 1))};
    for (const auto& item : value.items())
      if (std::find(keys.begin(), keys.end(), item.key()) == keys.end())
        throw Wrong{fmt::format("`{}{}` is no key of a target record", where, item.key())};
    for (const std::string_view key : keys)
      if (!value.contains(key)) throw Wrong{fmt::format("`{}{}` is missing", where, key)};
  }
  static std::string text(const Json& object, const std::string& where, const char* key) {
    const Json& value = object[key];
    const std::string out = value.is_string() ? value.get<std::string>() : "";
    const auto plain = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             std::string_view("-_.+/").find(c) != std::string_view::npos;
    };
    if (out.empty() || out.size() > 64 || !std::all_of(out.begin(), out.end(), plain))
      throw Wrong{fmt::format("`{}{}` is not a word of at most 64 letters, digits and -_.+/", where, key)};
    return out;
  }
  static model::KernelVersion version(const Json& object, const std::string& where, const char* key) {
    const Json& value = object[key];
    const auto out = value.is_string() ? read_version(value.get<std::string>()) : std::nullopt;
    if (!out) throw Wrong{fmt::format("`{}{}` is not a version such as \"6.12\"", where, key)};
    return *out;
  }
};

}  // namespace

Json target_record(const model::Target& target) {
  return {{"schema", schema},
          {"name", target.name},
          {"kernel", version_text(target.kernel)},
          {"landlock_abi", target.landlock_abi},
          {"arch", target.archs},
          {"stack", target.stack},
          {"loaders", {{"runc", version_text(target.runc)}}},
          {"nft", version_text(target.nft)},
          {"resolver", {{"dnsmasq", version_text(target.dnsmasq)}, {"user", target.dns_user}}},
          {"libseccomp_names", version_text(target.libseccomp_names)}};
}

std::optional<model::KernelVersion> read_version(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view digits) -> std::optional<int> {
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = error == std::errc() && end == digits.data() + digits.size();
    if (!whole || digits.size() > 4 || value < 0 || digits.front() == '-') return std::nullopt;
    return value;
  };
  if (dot == 0 || dot + 1 == text.size()) return std::nullopt;
  const auto major = number(text.substr(0, dot)), minor = number(text.substr(dot + 1));
  if (!major || !minor) return std::nullopt;
  return model::KernelVersion{*major, *minor};
}

std::variant<model::Target, std::string> read_target(std::string_view text) {
  std::string why;
  const auto record = source::parse_strict_json(text, 16, why);
  if (!record) return why;
  try {
    return Reader().read(*record);
  } catch (const Wrong& wrong) {
    return wrong.text;
  }
}

std::optional<model::KernelVersion> libseccomp_names(int major, int minor, int patch) {
  struct Release {
    int major, minor, patch;
    model::KernelVersion kernel;
  };
  constexpr Release rows[] = {{2, 5, 0, {5, 8}}, {2, 5, 2, {5, 14}}, {2, 5, 3, {5, 15}}, {2, 5, 4, {5, 17}},
                              {2, 5, 5, {6, 7}}, {2, 5, 6, {6, 13}}, {2, 6, 0, {6, 13}}, {2, 6, 1, {7, 1}}};
  std::optional<model::KernelVersion> out;
  for (const Release& row : rows)
    if (std::tuple{row.major, row.minor, row.patch} <= std::tuple{major, minor, patch}) out = row.kernel;
  return out;
}

}  // namespace agp::plan
