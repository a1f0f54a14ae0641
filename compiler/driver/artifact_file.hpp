#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "backends/backend.hpp"
#include "compiler/driver/driver.hpp"

/// Artifacts as files of the disk: reading them, and telling what they are by what is in them.
namespace agp::driver {

enum class ArtifactKind {
  SeccompFilter,
  SeccompProfile,
  NftScript,
  NftDocument,
  Landlock,
  Oci,
  Podman,
  Docker,
  Pod,
  NetworkPolicy
};
std::string_view to_string(ArtifactKind k);  ///< "a seccomp filter", …
/// What can be compared with each other: the two forms of a filter, the two of a ruleset.
std::string_view family(ArtifactKind k);
/// The path by which a backend knows an artifact of this kind.
std::string artifact_path(ArtifactKind k, std::string_view arch);

/// By content alone; or why it is none of them, or more than one.
std::variant<ArtifactKind, std::string> kind_of(std::string_view bytes);

/// One file, at most 64 MiB, under the name `shown`. False: a finding says why.
bool read_artifact(Session& session, const std::string& path, const std::string& shown,
                   std::vector<backends::Artifact>& out);
/// Every regular file below the directory, paths relative to it, sorted; links are not followed. Empty where it can't
/// be read: a finding says why, and the session is unusable.
std::vector<backends::Artifact> read_artifacts(Session& session, const std::string& directory);

}  // namespace agp::driver
