#include "compiler/driver/compare.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/artifact_file.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/verify/stack.hpp"

// read -> kind -> decode -> compare.
namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;
using backends::Artifact;
using verify::Comparison;
using verify::Relation;

struct Input {
  std::string path, bytes;
  ArtifactKind kind = ArtifactKind::Oci;
};

std::optional<Input> read_input(Session& session, const std::string& path) {
  std::vector<Artifact> one;
  if (!read_artifact(session, path, path, one)) return std::nullopt;
  const auto known = kind_of(one[0].bytes);
  if (const auto* why = std::get_if<std::string>(&known)) {
    session.sink.emit(kind::unknown_artifact, {}, fmt::format("`{}` is no artifact that agp reads: {}", path, *why))
        .helped(
            "compared are seccomp filters and profiles, nftables scripts and JSON, Landlock rulesets, config.json, "
            "podman/run.args, docker/run.args, pods and NetworkPolicies");
    return std::nullopt;
  }
  return Input{path, std::move(one[0].bytes), std::get<ArtifactKind>(known)};
}

class Run {
 public:
  Run(Session& session, std::array<Input, 2> inputs) : session_(session), inputs_(std::move(inputs)) {
    target_ = *session.target;
    // No target is meant by a ruleset alone: what is compared is what it says, on a kernel that has all of it.
    target_.landlock_abi = 1000;
  }

  std::vector<Comparison> run() {
    const std::string_view what = family(inputs_[0].kind);
    if (what == "seccomp") return filters();
    std::vector<Comparison> out;
    // Rulesets are read in one call, into one space; of other kinds each has a call of its own.
    if (what == "nftables" || what == "network policy") {
      const auto both = decoded({artifact(0, ""), artifact(1, "")});
      std::vector<std::shared_ptr<const model::PacketLayer>> layers;
      for (const auto& r : both) layers.insert(layers.end(), r.decoded.packets.begin(), r.decoded.packets.end());
      if (refused(both) || layers.size() != 2) return out;
      const bool swapped = inputs_[0].kind == ArtifactKind::NftDocument && inputs_[1].kind == ArtifactKind::NftScript;
      return verify::compare_packets(*layers[swapped ? 1 : 0], *layers[swapped ? 0 : 1]);
    }
    const auto first = decoded({artifact(0, "")}), second = decoded({artifact(1, "")});
    if (refused(first) || refused(second)) return out;
    const auto take = [&](std::vector<Comparison> some) {
      out.insert(out.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    };
    for (std::size_t i = 0; i < first.size(); ++i) {
      const auto &a = first[i].decoded, &b = second[i].decoded;
      if (a.container && b.container) take(verify::compare_containers(*a.container, *b.container));
      if (a.inodes.size() == 1 && b.inodes.size() == 1) take(verify::compare_files(*a.inodes[0], *b.inodes[0]));
      if (a.ports.size() == 1 && b.ports.size() == 1) take(verify::compare_ports(*a.ports[0], *b.ports[0]));
      take(pairs(a.filters, b.filters));
    }
    return out;
  }

 private:
  Artifact artifact(std::size_t side, std::string_view arch) const {
    return {artifact_path(inputs_[side].kind, arch), inputs_[side].bytes};
  }
  std::vector<verify::Reading> decoded(const std::vector<Artifact>& artifacts) const {
    return verify::read_back(artifacts, target_);
  }
  /// Says once what a decoder does not take.
  bool refused(const std::vector<verify::Reading>& readings) {
    bool any = false;
    for (const auto& r : readings)
      for (const auto& problem : r.decoded.problems) {
        auto& d = session_.sink.emit(kind::comparison_undecided, {}, shown(problem.message));
        if (!problem.help.empty()) d.helped(problem.help);
        any = true;
      }
    return any;
  }
  /// The files' own names, where a decoder speaks of a place in the layout.
  std::string shown(std::string text) const {
    for (const Input& input : inputs_)
      for (const char* arch : {"x86_64", "aarch64", "riscv64"})
        if (const std::string place = "`" + artifact_path(input.kind, arch) + "`"; text.starts_with(place))
          return "`" + input.path + "`" + text.substr(place.size());
    return text;
  }

  /// Machine by machine: a raw filter is loaded on the one that `--arch` names, a profile on every one of the target.
  std::vector<Comparison> filters() {
    std::vector<Comparison> out;
    for (const std::string& name : target_.archs) {
      const auto arch = linux::find_arch(name);
      if (!arch || linux::machine_of(*arch) != *arch) continue;
      std::array<std::vector<backends::DecodedFilter>, 2> sides;
      bool good = true;
      for (const std::size_t side : {0u, 1u}) {
        const auto readings = decoded({artifact(side, name)});
        good = !refused(readings) && good;
        for (const auto& r : readings)
          for (const auto& f : r.decoded.filters)
            if (f.arch == name) sides[side].push_back(f);
      }
      if (!good) return {};
      auto some = pairs(sides[0], sides[1]);
      out.insert(out.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    }
    return out;
  }
  std::vector<Comparison> pairs(const std::vector<backends::DecodedFilter>& a,
                                const std::vector<backends::DecodedFilter>& b) const {
    std::vector<Comparison> out;
    const auto limits = verify_options(session_).solver;
    for (const auto& first : a)
      for (const auto& second : b)
        if (const auto machine = linux::find_arch(first.arch); machine && first.arch == second.arch)
          for (auto& c : verify::compare_filters(first.graph, second.graph, *machine, limits))
            out.push_back(std::move(c));
    return out;
  }

  Session& session_;
  std::array<Input, 2> inputs_;
  model::Target target_;
};

void say(Session& session, const std::array<Input, 2>& inputs, const Comparison& c) {
  const std::string &a = inputs[0].path, &b = inputs[1].path;
  c.verdict.match([](const solver::Proved&) {},
                  [&](const verify::Difference& d) {
                    const std::string message =
                        c.relation == Relation::Within   ? fmt::format("`{}` permits more than `{}`", a, b)
                        : c.relation == Relation::Covers ? fmt::format("`{}` permits less than `{}`", a, b)
                                                         : fmt::format("`{}` answers otherwise than `{}`", a, b);
                    session.sink.emit(kind::artifacts_differ, {}, c.arch.empty() ? message : message + " on " + c.arch)
                        .witnessed(d.action)
                        .note(fmt::format("in `{}` it is {}, at {}", a, d.first, d.first_place))
                        .note(fmt::format("in `{}` it is {}, at {}", b, d.second, d.second_place));
                  },
                  [&](const solver::Unknown& u) {
                    session.sink.emit(kind::comparison_undecided, {},
                                      fmt::format("`{}` and `{}` could not be compared: {}", a, b, u.reason));
                    session.undecided = true;
                  });
}

}  // namespace

CompareReport compare(Session& session, const std::string& first, const std::string& second, bool subset) {
  CompareReport report;
  if (!open(session, {})) return report;
  auto a = read_input(session, first), b = read_input(session, second);
  if (!a || !b) {
    session.unusable = true;
    return report;
  }
  if (family(a->kind) != family(b->kind)) {
    session.sink
        .emit(kind::unlike_artifacts, {},
              fmt::format("`{}` is {}, and `{}` is {}", first, to_string(a->kind), second, to_string(b->kind)))
        .helped("compare two of one kind; to compare what a whole policy permits, use `agp diff`");
    session.unusable = true;
    return report;
  }
  const std::array<Input, 2> inputs{std::move(*a), std::move(*b)};
  for (Comparison& c : Run(session, inputs).run())
    if (!subset || c.relation == Relation::Within) report.comparisons.push_back(std::move(c));
  for (const Comparison& c : report.comparisons) say(session, inputs, c);
  if (report.comparisons.empty()) session.undecided = true;
  return report;
}

}  // namespace agp::driver
