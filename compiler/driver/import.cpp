#include "compiler/driver/import.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/seccomp/decode/profile.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/driver/artifact_file.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/import/engine_profile.hpp"
#include "compiler/import/policy_text.hpp"
#include "compiler/linux/multiplexed.hpp"
#include "compiler/source/strict_json.hpp"
#include "compiler/syntax/format.hpp"

// The text is proved, not what it was made from: it goes through the same parser as any policy, and its meaning is
// compared with the decoded source.
namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;
namespace seccomp = backends::seccomp;

/// `seccomp-default.json` -> `seccomp-default`: an identifier of the language.
std::string policy_name(const std::string& file) {
  std::string name = file.substr(file.find_last_of('/') + 1);
  if (const auto dot = name.find('.'); dot != std::string::npos) name.resize(dot);
  for (char& c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) c = '-';
  while (name.ends_with('-')) name.pop_back();
  const bool letter = !name.empty() && ((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z'));
  if (!letter || name == "allow" || name == "ask" || name == "deny" || name == "any") name = "imported-" + name;
  while (name.ends_with('-')) name.pop_back();
  return name;
}

imported::SourceTest::Op op(seccomp::Comparison::Op o) { return static_cast<imported::SourceTest::Op>(o); }
static_assert(static_cast<int>(seccomp::Comparison::Op::Ge) == static_cast<int>(imported::SourceTest::Op::Ge) &&
              static_cast<int>(seccomp::Comparison::Op::Ne) == static_cast<int>(imported::SourceTest::Op::Ne) &&
              static_cast<int>(seccomp::Comparison::Op::Lt) == static_cast<int>(imported::SourceTest::Op::Lt));

class Import {
 public:
  Import(Session& session, const std::string& file, const std::vector<std::string>& caps)
      : session_(session), file_(file), target_(*session.target) {
    machine_.caps.insert(caps.begin(), caps.end());
  }

  std::optional<ImportReport> run() {
    if (!one_machine() || !read()) return std::nullopt;
    const imported::Source source = rules();
    if (session_.unusable) return std::nullopt;
    const imported::PolicyText made = imported::policy_text(source);
    for (const std::string& what : made.dropped) dropped(what);
    return prove(made.text);
  }

 private:
  std::nullopt_t refuse(const diagnostics::Kind& k, std::string message, std::string help = "") {
    session_.sink.emit(k, {}, std::move(message)).helped(std::move(help));
    session_.unusable = true;
    return std::nullopt;
  }
  void dropped(const std::string& what) {
    session_.sink.emit(kind::import_dropped, {}, fmt::format("`{}`: {}", file_, what));
    ++out_.dropped;
  }

  /// An engine decides conditions for the machine that it runs on.
  bool one_machine() {
    for (const std::string& name : target_.archs) {
      const auto arch = linux::find_arch(name);
      if (!arch) continue;
      archs_.push_back(*arch);
      machine_.arch = linux::machine_of(archs_.front());
      if (linux::machine_of(*arch) == machine_.arch) continue;
      refuse(kind::unlike_artifacts, fmt::format("`{}` and `{}` are two machines", target_.archs.front(), name),
             "import for one of them: a profile's conditions are decided for each machine by itself");
      return false;
    }
    machine_.kernel = {static_cast<std::uint8_t>(target_.kernel.major),
                       static_cast<std::uint8_t>(target_.kernel.minor)};
    return !archs_.empty();
  }

  bool read() {
    std::vector<backends::Artifact> one;
    if (!read_artifact(session_, file_, file_, one)) {
      session_.unusable = true;
      return false;
    }
    std::string bytes = std::move(one[0].bytes);
    const auto known = kind_of(bytes);
    if (const auto* k = std::get_if<ArtifactKind>(&known); k && *k == ArtifactKind::Oci) {
      std::string why;
      const auto json = source::parse_strict_json(bytes, 32, why);
      const nlohmann::json::json_pointer section("/linux/seccomp");
      if (!json || !json->is_object() || !json->contains(section)) {
        refuse(kind::unknown_artifact, fmt::format("`{}`: {}", file_, json ? "it has no `/linux/seccomp`" : why));
        return false;
      }
      bytes = json->at(section).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    auto resolved = imported::resolve_engine_profile(bytes, machine_);
    if (const auto* why = std::get_if<std::string>(&resolved)) {
      refuse(kind::unknown_artifact, fmt::format("`{}` is no seccomp profile: {}", file_, *why));
      return false;
    }
    engine_ = std::get<imported::EngineProfile>(std::move(resolved));
    auto profile = seccomp::read_profile(engine_.json, "", target_, machine_.arch);
    if (const auto* rejected = std::get_if<seccomp::Rejected>(&profile)) {
      refuse(kind::unknown_artifact, fmt::format("`{}` is not one that a runtime loads: {}", file_, rejected->reason));
      return false;
    }
    profile_ = std::get<seccomp::Profile>(std::move(profile));
    carry_over();
    if (session_.unusable) return false;
    auto graph = seccomp::profile_graph(profile_);
    if (const auto* rejected = std::get_if<seccomp::Rejected>(&graph)) {
      refuse(kind::unknown_artifact, fmt::format("`{}` has no one meaning: {}", file_, rejected->reason));
      return false;
    }
    filter_ = {file_, std::string(linux::to_string(machine_.arch)), std::get<model::FilterGraph>(std::move(graph))};
    return true;
  }

  /// What is proved is about the architectures of the policy; the others of the source are said to be left behind.
  void carry_over() {
    const auto among = [](const std::vector<linux::Arch>& list, linux::Arch arch) {
      return std::find(list.begin(), list.end(), arch) != list.end();
    };
    for (const linux::Arch arch : archs_)
      if (!among(profile_.archs, arch))
        refuse(kind::unlike_artifacts, fmt::format("`{}` is not for {}", file_, linux::to_string(arch)),
               "leave the architecture out of `--arch`");
    for (const linux::Arch arch : profile_.archs)
      if (!among(archs_, arch))
        dropped(fmt::format("the calls of {} are not carried over: `--arch {},{}` would", linux::to_string(arch),
                            fmt::join(target_.archs, ","), linux::to_string(arch)));
    std::erase_if(profile_.archs, [&](linux::Arch arch) { return !among(archs_, arch); });
    std::erase_if(profile_.rules, [&](const seccomp::ProfileRule& r) { return !among(archs_, r.arch); });
  }

  imported::Source rules() {
    imported::Source out;
    out.policy = policy_name(file_);
    out.title = fmt::format("Imported from {} (oci-seccomp).", file_.substr(file_.find_last_of('/') + 1));
    out.archs = archs_;
    out.default_word = profile_.default_word;
    out.notes.push_back(fmt::format(
        "For {}, Linux {}.{}, {}.", fmt::join(target_.archs, ", "), target_.kernel.major, target_.kernel.minor,
        machine_.caps.empty() ? std::string("a container without the capabilities that entries ask for")
                              : fmt::format("a container with {}", fmt::join(machine_.caps, ", "))));
    for (const auto& entry : engine_.left_out) out.notes.push_back("Left out: " + entry + ".");
    if (!engine_.supervisor.empty())
      dropped(fmt::format("`listenerPath`, `{}`: a policy has no supervisor", engine_.supervisor));
    for (const auto& arch : engine_.dropped) dropped(fmt::format("`{}`, of whose calls there is no table", arch));
    for (const auto& entry : engine_.entries)
      out.places.push_back(fmt::format("syscalls[{}]{}", entry.index, entry.why.empty() ? "" : ", " + entry.why));
    without_call(out.notes);
    // The first entry without conditions on a call is what the runtime's library keeps of it.
    std::map<const linux::Syscall*, std::size_t> whole;
    const auto& rules = profile_.rules;
    for (std::size_t i = 0; i < rules.size(); ++i)
      if (const auto* call = linux::find_syscall(rules[i].arch, rules[i].number); call && rules[i].comparisons.empty())
        whole.try_emplace(call, i);
    std::map<std::pair<std::size_t, std::size_t>, std::set<std::string_view>> without_effect;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const seccomp::ProfileRule& r = rules[i];
      const linux::Syscall* call = linux::find_syscall(r.arch, r.number);
      if (!call) continue;
      if (const auto kept = whole.find(call); kept != whole.end() && kept->second != i) {
        if (rules[kept->second].word != r.word) without_effect[{r.entry, rules[kept->second].entry}].insert(call->name);
        continue;
      }
      imported::SourceRule rule{call, {}, r.word, r.entry};
      for (const auto& c : r.comparisons) rule.tests.push_back({c.argument, op(c.op), c.mask, c.value});
      out.rules.push_back(std::move(rule));
    }
    for (const auto& [entries, names] : without_effect)
      out.notes.push_back(fmt::format("Without effect: {} on {}, which syscalls[{}] decides.",
                                      out.places[entries.first], fmt::join(names, ", "),
                                      engine_.entries[entries.second].index));
    return out;
  }

  bool has_call(const std::string& name) const {
    return std::any_of(archs_.begin(), archs_.end(), [&](linux::Arch arch) {
      return linux::find_syscall(arch, name) || (arch == linux::Arch::i386 && linux::find_multiplexed(name));
    });
  }
  /// A runtime passes over a name that its library has no number of, a misspelt one too.
  void without_call(std::vector<std::string>& notes) {
    std::set<std::string> unknown;
    for (const auto& entry : engine_.entries) {
      std::vector<std::string> here;
      std::copy_if(entry.names.begin(), entry.names.end(), std::back_inserter(here),
                   [&](const std::string& name) { return !has_call(name); });
      for (const std::string& name : here)
        if (!linux::known_anywhere(name) && !linux::find_multiplexed(name)) unknown.insert(name);
      if (!here.empty())
        notes.push_back(fmt::format("Without a call here: syscalls[{}]: {}.", entry.index, fmt::join(here, ", ")));
    }
    if (unknown.empty()) return;
    std::vector<std::string_view> calls;
    for (const linux::Arch arch : archs_)
      for (const linux::Syscall& call : linux::syscalls(arch)) calls.push_back(call.name);
    constexpr std::size_t most_named = 32;  // Podman's profile has six
    std::vector<std::string> named(
        unknown.begin(), std::next(unknown.begin(), static_cast<std::ptrdiff_t>(std::min(unknown.size(), most_named))));
    auto& finding = session_.sink.emit(
        kind::import_without_call, {},
        fmt::format("`{}` names what is no system call of {}, nor of another architecture that agp has a table of: "
                    "`{}`{}",
                    file_, fmt::join(target_.archs, ", "), fmt::join(named, "`, `"),
                    unknown.size() > named.size() ? fmt::format(" and {} more", unknown.size() - named.size()) : ""));
    finding.note("a runtime passes over a name that its library does not know, without a word");
    for (const std::string& name : named)
      if (const auto near = diagnostics::closest(name, calls))
        finding.note(fmt::format("`{}`: did you mean `{}`", name, *near));
  }

  std::optional<ImportReport> prove(const std::string& text) {
    const std::string name = policy_name(file_) + ".agp";
    const source::FileId raw = session_.files.add(name, text);
    const auto laid_out = syntax::format(session_.files, raw, session_.sink);
    if (!laid_out) return std::nullopt;  // its own text does not parse: findings say where
    out_.text = *laid_out;
    sema::Unit unit = load(session_, session_.files.add(name, out_.text));
    if (session_.sink.errors() > 0 || unit.policies.size() != 1) return std::move(out_);
    const model::Policy& policy = unit.policies.front();
    backends::Decoded decoded;
    decoded.filters.push_back(filter_);
    verify::Options options = verify_options(session_);
    options.as_written = true;
    out_.obligations = verify::verify_filters(policy, target_, {}, decoded, options);
    std::erase_if(out_.obligations, [](const auto& o) { return o.direction == verify::Direction::Errno; });
    verify::report(policy, out_.obligations, session_.sink);
    options.as_written = false;
    const verify::Excesses wider = verify::every_excess(policy, target_, filter_, options);
    if (!wider.unknown.empty()) {
      session_.sink.emit(kind::comparison_undecided, {}, fmt::format("`{}`: {}", file_, wider.unknown));
      session_.undecided = true;
    }
    const bool equal =
        std::all_of(out_.obligations.begin(), out_.obligations.end(), [](const auto& o) { return o.verdict.proved(); });
    // where the two differ anyway, a witness says nothing about bits that the kernel ignores
    for (const verify::Witness& w : equal ? wider.witnesses : std::vector<verify::Witness>{}) {
      session_.sink
          .emit(kind::import_wider, {},
                fmt::format("`{}` permits `{}`, which its conditions look like refusing", file_, w.action))
          .witnessed(w.action)
          .note(fmt::format("in the source it is {}, at {}", w.observed, w.place))
          .note(
              "the runtime compares all 64 bits of a register, and the kernel takes fewer: the bits above slip through")
          .helped(
              "the policy is compared as the kernel sees its arguments, and refuses it; so does what is built of it");
      ++out_.wider;
    }
    return std::move(out_);
  }

  Session& session_;
  const std::string& file_;
  model::Target target_;
  imported::Machine machine_;
  std::vector<linux::Arch> archs_;
  imported::EngineProfile engine_;
  seccomp::Profile profile_;
  backends::DecodedFilter filter_;
  ImportReport out_;
};

}  // namespace

std::optional<ImportReport> import_profile(Session& session, const std::string& file,
                                           const std::vector<std::string>& caps) {
  if (!open(session, {})) return std::nullopt;
  return Import(session, file, caps).run();
}

}  // namespace agp::driver
