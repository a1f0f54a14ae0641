#include "compiler/driver/artifact_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/source/disk.hpp"

namespace agp::driver {
namespace {

namespace fs = std::filesystem;
namespace kind = diagnostics::kind;
using backends::Artifact;
using Json = nlohmann::json;

/// Larger files and trees are refused: no artifact of agp comes near.
constexpr std::size_t max_file_bytes = 64u << 20;
constexpr std::size_t max_files = 1000;

std::variant<ArtifactKind, std::string> kind_of_json(std::string_view bytes) {
  // only the keys of the outermost object are looked at
  const auto outermost = [](int depth, Json::parse_event_t, Json&) { return depth <= 1; };
  const Json json = Json::parse(bytes.begin(), bytes.end(), outermost, false);
  if (json.is_discarded()) return "it begins like JSON and is none";
  std::vector<ArtifactKind> found;
  const auto has = [&](std::initializer_list<const char*> keys) {
    return std::any_of(keys.begin(), keys.end(), [&](const char* key) { return json.contains(key); });
  };
  if (has({"nftables"})) found.push_back(ArtifactKind::NftDocument);
  if (has({"ociVersion", "process", "mounts"})) found.push_back(ArtifactKind::Oci);
  if (has({"defaultAction"})) found.push_back(ArtifactKind::SeccompProfile);
  if (has({"ruleset", "pathBeneath", "netPort"})) found.push_back(ArtifactKind::Landlock);
  // an object of Kubernetes says what it is; of lists only those of policies are read
  if (const auto kind = json.find("kind"); has({"apiVersion"}) && kind != json.end() && kind->is_string()) {
    if (*kind == "Pod") found.push_back(ArtifactKind::Pod);
    if (*kind == "NetworkPolicy" || *kind == "List") found.push_back(ArtifactKind::NetworkPolicy);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) return "it is JSON without a key of an artifact that agp reads";
  return fmt::format("it has keys of {} and of {}", to_string(found[0]), to_string(found[1]));
}

/// The words that a statement of `nft -f` begins with.
bool begins_script(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (line.empty() || line.front() == '#') continue;
    const std::string_view word = line.substr(0, std::min(line.find_first_of(" \t;"), line.size()));
    for (const std::string_view known : {"table", "add", "create", "flush", "destroy", "delete", "insert", "replace"})
      if (word == known) return true;
    return false;
  }
  return false;
}

}  // namespace

std::string_view to_string(ArtifactKind k) {
  constexpr std::string_view names[] = {"a seccomp filter",        "a seccomp profile",       "an nftables script",
                                        "an nftables document",    "a Landlock ruleset",      "an OCI configuration",
                                        "arguments of podman run", "arguments of docker run", "a pod",
                                        "a NetworkPolicy"};
  return names[static_cast<std::size_t>(k)];
}

std::string_view family(ArtifactKind k) {
  constexpr std::string_view names[] = {"seccomp", "seccomp", "nftables", "nftables", "landlock",
                                        "oci",     "podman",  "docker",   "pod",      "network policy"};
  return names[static_cast<std::size_t>(k)];
}

std::string artifact_path(ArtifactKind k, std::string_view arch) {
  switch (k) {
    case ArtifactKind::SeccompFilter:
      return fmt::format("seccomp/filter.{}.bpf", arch);
    case ArtifactKind::SeccompProfile:
      return "seccomp/profile.json";
    case ArtifactKind::NftScript:
      return "nftables/egress.nft";
    case ArtifactKind::NftDocument:
      return "nftables/egress.json";
    case ArtifactKind::Landlock:
      return "landlock/ruleset.json";
    case ArtifactKind::Podman:
      return "podman/run.args";
    case ArtifactKind::Docker:
      return "docker/run.args";
    case ArtifactKind::Pod:
      return "kubernetes/pod.json";
    case ArtifactKind::NetworkPolicy:
      return "kubernetes/network-policy.json";
    case ArtifactKind::Oci:
      break;
  }
  return "oci/config.json";
}

std::variant<ArtifactKind, std::string> kind_of(std::string_view bytes) {
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "it is empty";
  // A `struct sock_filter` of any program has a zero byte: the code's upper half.
  if (bytes.find('\0') != std::string_view::npos) {
    if (bytes.size() % 8 == 0) return ArtifactKind::SeccompFilter;
    return fmt::format("its {} bytes are neither text nor a whole number of 8-byte instructions", bytes.size());
  }
  if (bytes[first] == '{') return kind_of_json(bytes);
  if (bytes.starts_with("--")) {  // an option for each line, and these are Podman's alone
    const auto says = [&](const std::string& option) {
      return bytes.starts_with(option) || bytes.find("\n" + option) != std::string_view::npos;
    };
    return says("--read-only-tmpfs") || says("--network=ns:") ? ArtifactKind::Podman : ArtifactKind::Docker;
  }
  if (begins_script(bytes)) return ArtifactKind::NftScript;
  return "it is neither JSON, an nftables script, arguments of podman run or docker run, nor a filter's instructions";
}

bool read_artifact(Session& session, const std::string& path, const std::string& shown, std::vector<Artifact>& out) {
  const source::Resolved real = source::resolve(path);
  source::DiskRead read = real.path ? source::read_disk(*real.path, max_file_bytes)
                                    : source::DiskRead{source::DiskRead::Outcome::Failed, {}, real.reason};
  if (read.outcome == source::DiskRead::Outcome::TooLarge)
    session.sink.emit(kind::file_too_large, {}, fmt::format("`{}` is larger than 64 MiB", shown));
  else if (read.outcome == source::DiskRead::Outcome::Failed)
    session.sink.emit(kind::unreadable_file, {}, fmt::format("`{}` can't be read: {}", shown, read.reason));
  else
    out.push_back({shown, std::move(read.text)});
  return read.outcome == source::DiskRead::Outcome::Read;
}

/// Every regular file below the directory, paths relative to it, sorted. Who loads one follows a link, and what stands
/// behind it may be another file by then: one is refused, a manifest's too, whose commands would not be looked at.
std::vector<Artifact> read_artifacts(Session& session, const std::string& directory) {
  std::vector<Artifact> out;
  std::error_code error;
  fs::recursive_directory_iterator at(directory, fs::directory_options::none, error), end;
  if (error) {
    session.sink.emit(kind::unreadable_file, {}, fmt::format("the directory `{}` can't be read", directory));
    session.unusable = true;
    return out;
  }
  for (; at != end && !error; at.increment(error)) {
    if (at->is_symlink(error)) {
      session.sink.emit(kind::unreadable_file, {},
                        fmt::format("`{}` is a link, and who loads it follows it",
                                    at->path().lexically_relative(directory).generic_string()));
      session.unusable = true;
      return {};
    }
    if (!at->is_regular_file(error)) continue;
    if (out.size() >= max_files) {
      session.sink.emit(kind::too_many_files, {}, fmt::format("`{}` holds more than {} files", directory, max_files));
      session.unusable = true;
      return {};
    }
    if (!read_artifact(session, at->path().string(), fs::relative(at->path(), directory, error).generic_string(),
                       out)) {
      session.unusable = true;
      return {};
    }
  }
  if (error) {
    session.sink.emit(kind::unreadable_file, {}, fmt::format("the directory `{}` can't be read", directory));
    session.unusable = true;
    return {};
  }
  std::sort(out.begin(), out.end(), [](const Artifact& a, const Artifact& b) { return a.path < b.path; });
  return out;
}

}  // namespace agp::driver
