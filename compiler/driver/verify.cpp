#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/artifact_file.hpp"
#include "compiler/driver/rootfs.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/plan/stack.hpp"
#include "compiler/source/digest.hpp"
#include "compiler/verify/certificate.hpp"
#include "compiler/verify/stack.hpp"

// Artifacts as files, whoever wrote them, against the policy: read -> decode -> compare. The manifest is output: its
// digests are compared, and its commands with those that the policy and the target make; nothing in it is believed.
namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;
using backends::Artifact;

const Artifact* find(std::span<const Artifact> artifacts, std::string_view path) {
  const auto at = std::find_if(artifacts.begin(), artifacts.end(), [&](const Artifact& a) { return a.path == path; });
  return at == artifacts.end() ? nullptr : &*at;
}

/// What the stack's commands open, from the policy alone: without it there is no sandbox to speak about.
void check_present(Session& session, const model::Policy& policy, const model::Target& target,
                   std::span<const Artifact> artifacts) {
  for (const auto& path : plan::loaded_files(policy, target))
    if (!find(artifacts, path))
      session.sink
          .emit(kind::missing_artifact, {},
                fmt::format("the stack `{}` loads `{}`, which is not there", target.stack, path))
          .about(policy.name);
}

/// What starts the sandbox is no layer, and decides which of them are there: without `nft -f` there are no packet rules.
void check_commands(Session& session, const model::Policy& policy, const model::Target& target,
                    const Artifact& manifest) {
  for (const std::string& list : bundle::changed_commands(manifest.bytes, plan::stack_commands(policy, target)))
    session.sink
        .emit(kind::changed_commands, {},
              fmt::format("the commands `{}` in `manifest.json` are not those of the stack `{}`", list, target.stack))
        .about(policy.name)
        .note("the proof is about the stack that its own commands start");
}

void check_manifest(Session& session, const model::Policy& policy, const model::Target& target,
                    std::span<const Artifact> artifacts) {
  const Artifact* manifest = find(artifacts, "manifest.json");
  if (!manifest) return;
  const auto json = nlohmann::json::parse(manifest->bytes, nullptr, false);
  if (!json.is_object() || !json.contains("artifacts") || !json["artifacts"].is_array()) {
    session.sink
        .emit(kind::changed_artifact, {}, "`manifest.json` is not a manifest of agp: no digest could be compared")
        .about(policy.name);
    return;
  }
  check_commands(session, policy, target, *manifest);
  for (const auto& row : json["artifacts"]) {
    if (!row.is_object() || !row.contains("path") || !row["path"].is_string() || !row.contains("sha256") ||
        !row["sha256"].is_string())
      continue;
    const Artifact* file = find(artifacts, row["path"].get<std::string>());
    if (file && source::sha256(file->bytes) != row["sha256"].get<std::string>())
      session.sink
          .emit(kind::changed_artifact, {},
                fmt::format("`{}` is not the file that the manifest names: its digest differs", file->path))
          .about(policy.name)
          .note("the proof is about the file as it is");
  }
}

/// A single file is known to its decoder by its place in the layout, and to its reader by its own name.
struct Shown {
  std::string place, name;
};

void show_names(std::span<const Shown> shown, std::string& artifact) {
  for (const Shown& one : shown)
    if (artifact.starts_with(one.place)) {
      artifact.replace(0, one.place.size(), one.name);
      return;
    }
}

/// Of proofs alone: nothing where one is missing.
std::vector<Artifact> certify(const Session& session, const PolicyReport& checked, const model::Target& target,
                              std::span<const Artifact> artifacts, std::span<const verify::Reading> readings,
                              std::span<const Shown> shown, VerifyReport& report) {
  const auto proved = [](const verify::Obligation& o) { return o.verdict.proved(); };
  if (session.sink.errors() > 0 || !std::all_of(report.obligations.begin(), report.obligations.end(), proved))
    return {};
  std::vector<std::pair<std::string, std::string>> names;
  for (const Shown& one : shown) names.emplace_back(one.place, one.name);
  const verify::Options options = verify_options(session);
  verify::Certificate made =
      verify::certify({checked.policy, target, checked.plan, artifacts, readings, report.obligations, names, options});
  report.not_certified = std::move(made.not_certified);
  return std::move(made.files);
}

void decide(Session& session, const PolicyReport& checked, const model::Target& target,
            std::span<const Artifact> artifacts, std::span<const Shown> shown, VerifyReport& report,
            std::vector<Artifact>* certificate) {
  const auto readings = verify::read_back(artifacts, target);
  for (const auto& r : readings) verify::report_refused(checked.policy, r.layer, r.decoded, session.sink);
  report.not_verified = verify::not_verified(readings);
  report.obligations = verify::verify_stack(checked.policy, target, checked.plan, readings, verify_options(session));
  if (certificate) *certificate = certify(session, checked, target, artifacts, readings, shown, report);
  for (std::string& artifact : report.not_verified) show_names(shown, artifact);
  for (auto& o : report.obligations) show_names(shown, o.artifact);
  verify::report(checked.policy, report.obligations, session.sink);
  for (const auto& o : report.obligations)
    if (o.verdict.word() == "unknown") session.undecided = true;
  if (!report.not_verified.empty()) session.undecided = true;
}

}  // namespace

VerifyReport verify(Session& session, const std::string& file, const VerifyInput& input) {
  VerifyReport report;
  if (input.certificate && !bundle::may_replace(*input.certificate, session.sink)) {
    session.unusable = true;
    return report;
  }
  auto policy = one_policy(session, file);
  if (!policy) return report;
  std::vector<Artifact> artifacts;
  std::vector<Shown> shown;
  const auto single = [&](const std::optional<std::string>& path, const std::string& as) {
    std::vector<Artifact> one;
    if (!path || !read_artifact(session, *path, *path, one)) return;
    artifacts.push_back({as, std::move(one[0].bytes)});
    shown.push_back({as, *path});
  };
  single(input.seccomp, fmt::format("seccomp/filter.{}.bpf", input.arch));
  single(input.oci_seccomp, "seccomp/profile.json");
  single(input.oci, "oci/config.json");
  single(input.podman, "podman/run.args");
  single(input.docker, "docker/run.args");
  single(input.nft, "nftables/egress.nft");
  single(input.nft_json, "nftables/egress.json");
  single(input.landlock, "landlock/ruleset.json");
  if (input.directory) artifacts = read_artifacts(session, *input.directory);
  if (session.unusable) return report;

  const model::Target target = plan::target_for(*policy, *session.target);
  plan::Plan plan = plan::make_plan(*policy, target, session.sink);
  report.policy = PolicyReport{std::move(*policy), std::move(plan), {}};
  if (input.directory) {
    check_present(session, report.policy->policy, target, artifacts);
    check_manifest(session, report.policy->policy, target, artifacts);
  }
  std::vector<Artifact> certificate;
  decide(session, *report.policy, target, artifacts, shown, report, input.certificate ? &certificate : nullptr);
  if (input.rootfs) report.discharged = look_at_rootfs(session, report.policy->policy, *input.rootfs);
  if (report.obligations.empty() && report.not_verified.empty() && session.sink.errors() == 0) {
    session.sink.emit(kind::nothing_to_do, {}, "there is no artifact to verify");
    session.unusable = true;
  }
  if (session.sink.errors() == 0 && !session.unusable && !session.undecided && !certificate.empty()) {
    report.certified = bundle::write(*input.certificate, certificate, session.sink);
    if (!report.certified) session.unusable = true;
  }
  return report;
}

}  // namespace agp::driver
