// In: a path. Out: whether a build may put its output there. agp replaces only what its own manifest says it wrote:
// there is no --force, so this question has to be answered exactly. A symbolic link or a special file is never ours.
#include "compiler/bundle/ownership.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace agp::bundle {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t largest_manifest = 256u << 20;

constexpr std::string_view manifest_name = "manifest.json", certificate_name = "certificate.json";

/// The files that a manifest or the index of a certificate lists, or nothing when it is not one of ours.
std::optional<std::set<std::string>> listed_files(const fs::path& manifest) {
  std::error_code error;
  if (!fs::is_regular_file(fs::symlink_status(manifest, error)) || fs::file_size(manifest, error) > largest_manifest)
    return std::nullopt;
  std::ifstream stream(manifest, std::ios::binary);
  const auto value = nlohmann::json::parse(stream, nullptr, false);
  const std::string_view schema = manifest.filename() == certificate_name ? "agp-certificate/1" : "agp-manifest/1";
  if (!value.is_object() || value.value("schema", nlohmann::json()) != schema) return std::nullopt;
  const auto files = value.find("files");
  if (files == value.end() || !files->is_array()) return std::nullopt;
  std::set<std::string> names;
  for (const auto& name : *files) {
    if (!name.is_string()) return std::nullopt;
    names.insert(name.get<std::string>());
  }
  return names;
}

Place foreign(std::string reason) { return {Place::State::Foreign, std::move(reason)}; }

/// A policy's directory, or a certificate: its index and exactly the files that it lists.
Place policy_directory(const fs::path& directory, const std::string& shown, std::string_view index = manifest_name) {
  const auto listed = listed_files(directory / index);
  if (!listed) return foreign(fmt::format("`{}{}` is not a manifest of agp", shown, index));
  std::error_code error;
  std::size_t seen = 0;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().lexically_relative(directory).generic_string();
    const fs::file_status status = at->symlink_status(error);
    if (error) break;
    if (fs::is_directory(status)) {
      const auto below = listed->lower_bound(name + '/');
      if (below == listed->end() || !below->starts_with(name + '/'))
        return foreign(fmt::format("`{}{}/` is in it and not in its manifest", shown, name));
    } else if (!fs::is_regular_file(status) || listed->count(name) == 0) {
      return foreign(fmt::format("`{}{}` is in it and not in its manifest", shown, name));
    } else {
      ++seen;
    }
  }
  if (error) return foreign(fmt::format("it can't be read: {}", error.message()));
  if (seen != listed->size()) return foreign(fmt::format("files of `{}{}` are missing", shown, index));
  return {Place::State::Ours, {}};
}

}  // namespace

Place look_at(const std::string& directory) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(directory, error);
  if (status.type() == fs::file_type::not_found) return {Place::State::Absent, {}};
  if (!fs::is_directory(status)) return foreign("it is not a directory");
  fs::directory_iterator entries(directory, error);
  if (error) return foreign(fmt::format("it can't be read: {}", error.message()));
  if (entries == fs::directory_iterator()) return {Place::State::Empty, {}};
  for (const std::string_view index : {manifest_name, certificate_name})
    if (fs::exists(fs::symlink_status(fs::path(directory) / index, error)))
      return policy_directory(directory, "", index);
  // `build --all`: one directory for each policy, and nothing else.
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (!fs::is_directory(entry.symlink_status(error)))
      return foreign(fmt::format("`{}` is in it, and no manifest", name));
    if (Place place = policy_directory(entry.path(), name + '/'); place.state != Place::State::Ours) return place;
  }
  return {Place::State::Ours, {}};
}

}  // namespace agp::bundle
