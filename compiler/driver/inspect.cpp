#include "compiler/driver/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "backends/seccomp/decode/measure.hpp"
#include "backends/seccomp/decode/program.hpp"
#include "backends/seccomp/emit/weights.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/source/digest.hpp"
#include "compiler/source/disk.hpp"

// bytes -> checked program -> paths of every call -> means; the rules from the manifest of the directory it stands in.
namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;
namespace seccomp = backends::seccomp;
using Json = nlohmann::json;

constexpr std::size_t largest_filter = 1 << 20, largest_manifest = 64 << 20;

bool refused(const seccomp::CallPath& path) { return !path.may_run; }

InspectedArch summary(const seccomp::ArchPaths& paths, const seccomp::Weights& weights) {
  InspectedArch out;
  out.arch = paths.arch;
  double uniform = 0, weighted = 0, cached = 0, weight = 0;
  for (const seccomp::CallPath& p : paths.calls) {
    out.calls.push_back({std::string(p.call->name), p.call->number, p.shortest, p.longest, p.may_run, p.cacheable});
    out.may_run += p.may_run;
    out.cacheable += p.cacheable;
    const auto length = static_cast<double>(p.longest),
               often = static_cast<double>(weights.of(p.call->name, refused(p)));
    if (p.may_run) uniform += length;
    weighted += often * length;
    if (!p.cacheable) cached += often * length;
    weight += often;
  }
  if (out.may_run > 0) out.uniform = uniform / static_cast<double>(out.may_run);
  if (weight > 0) {
    out.weighted = weighted / weight;
    out.weighted_cached = cached / weight;
  }
  return out;
}

/// How many times a call executes each instruction, by how often calls are made.
std::vector<double> executed(const seccomp::ArchPaths& paths, const seccomp::Weights& weights, std::size_t length) {
  std::vector<double> out(length, 0);
  double sum = 0;
  for (const seccomp::CallPath& p : paths.calls) {
    const auto often = static_cast<double>(weights.of(p.call->name, refused(p)));
    sum += often;
    for (const std::uint32_t pc : p.longest_path) out[pc] += often;
  }
  for (double& one : out) one = sum > 0 ? one / sum : 0;
  return out;
}

/// "insn 3" or "insn 3-7".
std::optional<std::pair<std::size_t, std::size_t>> range_of(const std::string& place) {
  const std::string_view text = std::string_view(place).starts_with("insn ") ? std::string_view(place).substr(5) : "";
  std::size_t first = 0;
  const auto one = std::from_chars(text.data(), text.data() + text.size(), first);
  if (one.ec != std::errc()) return std::nullopt;
  std::size_t last = first;
  if (one.ptr != text.data() + text.size() && *one.ptr == '-')
    std::from_chars(one.ptr + 1, text.data() + text.size(), last);
  return std::pair(first, last);
}

/// The manifest of the output that the file is an artifact of: two levels up, and with the digest of these bytes.
void read_rules(const std::string& file, const std::string& bytes, const std::vector<double>& cost,
                InspectReport& out) {
  const std::size_t name = file.find_last_of('/');
  const std::string folder = name == std::string::npos ? "." : file.substr(0, name);
  const auto disk = source::read_disk(folder + "/../manifest.json", largest_manifest);
  if (disk.outcome != source::DiskRead::Outcome::Read) return;
  const std::string path = "seccomp/" + (name == std::string::npos ? file : file.substr(name + 1));
  const Json manifest = Json::parse(disk.text, nullptr, false);
  const auto at = [](const Json& o, const char* key) { return o.is_object() && o.contains(key) ? o[key] : Json(); };
  const auto text = [&](const Json& o, const char* key) {
    const Json value = at(o, key);
    return value.is_string() ? value.get<std::string>() : std::string();
  };
  bool own = false;
  for (const Json& artifact : at(manifest, "artifacts"))
    own |= text(artifact, "path") == path && text(artifact, "sha256") == source::sha256(bytes);
  if (!own) return;
  out.behind.resize(out.listing.size());
  for (const Json& rule : at(manifest, "rules")) {
    InspectedRule one{text(rule, "id"), text(rule, "text"), 0, 0};
    for (const Json& place : at(rule, "places")) {
      const auto range = text(place, "artifact") == path ? range_of(text(place, "place")) : std::nullopt;
      for (std::size_t i = range ? range->first : 1; range && i <= range->second && i < cost.size(); ++i) {
        ++one.instructions;
        one.weighted += cost[i];
        out.behind[i].push_back(out.rules.size());
      }
    }
    if (one.instructions > 0) out.rules.push_back(std::move(one));
  }
}

std::optional<std::string> read_filter(Session& session, const std::string& file, std::size_t limit) {
  auto disk = source::read_disk(file, limit);
  if (disk.outcome == source::DiskRead::Outcome::Read) return std::move(disk.text);
  if (disk.outcome == source::DiskRead::Outcome::TooLarge)
    session.sink.emit(kind::file_too_large, {}, fmt::format("`{}` has {} bytes, more than {}", file, disk.size, limit));
  else
    session.sink.emit(kind::unreadable_file, {}, fmt::format("`{}` can't be read: {}", file, disk.reason));
  session.unusable = true;
  return std::nullopt;
}

}  // namespace

std::optional<InspectReport> inspect(Session& session, const std::string& file) {
  const auto bytes = read_filter(session, file, largest_filter);
  if (!bytes) return std::nullopt;
  model::Target target;
  if (!read_counts(session, target)) return std::nullopt;
  const auto checked = seccomp::check_program(*bytes);
  if (const auto* rejected = std::get_if<seccomp::Rejected>(&checked)) {
    session.sink.emit(kind::artifact_refused, {},
                      fmt::format("`{}` is refused by the kernel: {}", file, rejected->reason));
    return std::nullopt;
  }
  const auto& program = std::get<seccomp::CheckedProgram>(checked);
  const seccomp::Paths paths = seccomp::measure(program);
  const seccomp::Weights weights(target);
  InspectReport out;
  out.file = file;
  out.longest = paths.longest;
  for (std::size_t i = 0; i < program.instructions.size(); ++i)
    out.listing.push_back(seccomp::operation(program.instructions[i], i));
  for (const auto& arch : paths.archs) out.archs.push_back(summary(arch, weights));
  if (!paths.archs.empty()) read_rules(file, *bytes, executed(paths.archs.front(), weights, out.listing.size()), out);
  return out;
}

}  // namespace agp::driver
