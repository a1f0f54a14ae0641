#include "compiler/driver/baseline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/diagnostics/text.hpp"
#include "compiler/source/digest.hpp"
#include "compiler/source/disk.hpp"
#include "compiler/source/strict_json.hpp"

namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;
using diagnostics::Diagnostic;
using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view baseline_schema = "agp-baseline/2";
constexpr std::size_t largest_baseline = 64u << 20, most_named = 8, most_alike = 1'000'000;

/// The line, and what the finding says stands there where the line does not: a name that is declared elsewhere stands
/// for another set when its declaration changes.
std::string rule_of(const source::Files& files, source::Span place, const std::string& told) {
  const std::string line = diagnostics::line_text(files, place);
  return diagnostics::valid_utf8(line.find(told) != std::string::npos ? line : fmt::format("{} [{}]", line, told));
}

/// What the message says stands at its place: the first words in backticks.
std::string told_first(const Diagnostic& d) {
  const std::size_t begin = d.message.find('`'), end = d.message.find('`', begin + 1);
  if (begin == std::string::npos || end == std::string::npos) return {};
  return d.message.substr(begin + 1, end - begin - 1);
}

/// The finding, and each that it stands for: a wide grant that is known does not make known what a line that is gone
/// took out of it, and of many places that are told together each has to be known. Of what several rules do together
/// each of the others is a finding with the first: one more is new, one less is not.
std::set<KnownFinding> keys(const source::Files& files, const Diagnostic& d) {
  using diagnostics::valid_utf8;
  const auto path = [&](source::Span place) {
    return place.known() ? valid_utf8(files.get(place.file).path) : std::string();
  };
  KnownFinding one{path(d.primary),
                   valid_utf8(d.policy),
                   diagnostics::code_text(*d.kind),
                   rule_of(files, d.primary, told_first(d)),
                   {}};
  std::set<KnownFinding> out;
  for (const diagnostics::Label& other : d.together_with) {
    one.with = rule_of(files, other.span, other.message);
    out.insert(one);
  }
  one.with.clear();
  if (out.empty()) out.insert(one);
  for (const diagnostics::Kind* k : d.stands_for) {
    one.code = diagnostics::code_text(*k);
    out.insert(one);
  }
  one.code = diagnostics::code_text(*d.kind);
  for (const diagnostics::Label& place : d.elsewhere) {
    one.path = path(place.span);
    one.rule = rule_of(files, place.span, place.message);
    out.insert(one);
  }
  return out;
}

std::optional<Baseline> parse_baseline(const std::string& text, std::string& fault) {
  const auto document = source::parse_strict_json(text, 8, fault);
  if (!document) return std::nullopt;
  const nlohmann::json& value = *document;
  if (value.is_object() && value.value("schema", nlohmann::json()) == "agp-baseline/1") {
    fault = "it is `agp-baseline/1`, which has one rule alone of what several rules do together; write it anew";
    return std::nullopt;
  }
  if (!value.is_object() || value.value("schema", nlohmann::json()) != baseline_schema || !value.contains("findings") ||
      !value["findings"].is_array()) {
    fault = fmt::format("it is no object with `\"schema\": \"{}\"` and `\"findings\"`", baseline_schema);
    return std::nullopt;
  }
  Baseline out;
  for (const nlohmann::json& one : value["findings"]) {
    const auto word = [&](const char* name) {
      const nlohmann::json found = one.is_object() ? one.value(name, nlohmann::json()) : nlohmann::json();
      return found.is_string() ? std::optional(found.get<std::string>()) : std::nullopt;
    };
    const auto path = word("path"), policy = word("policy"), code = word("code"), rule = word("rule");
    const nlohmann::json count = one.is_object() ? one.value("count", nlohmann::json(1u)) : nlohmann::json();
    const auto with = word("with");
    if (!path || !policy || !code || !rule || (one.contains("with") && !with) || !count.is_number_unsigned() ||
        count.get<std::uint64_t>() == 0 || count.get<std::uint64_t>() > most_alike) {
      fault = fmt::format(
          "a finding has no `path`, `policy`, `code` or `rule`, its `with` is no text, or its `count` is not 1 to {}",
          most_alike);
      return std::nullopt;
    }
    const diagnostics::Kind* k = diagnostics::find_kind(*code);
    if (k == nullptr || !diagnostics::is_lint(*k)) {
      fault = fmt::format("`{}` is no lint", *code);
      return std::nullopt;
    }
    out[{*path, *policy, diagnostics::code_text(*k), *rule, with.value_or("")}] += count.get<std::size_t>();
  }
  return out;
}

}  // namespace

std::optional<Baseline> read_baseline(Session& session) {
  if (!session.options.baseline) return std::nullopt;
  const std::string& path = *session.options.baseline;
  const source::Resolved real = source::resolve(path);
  const source::DiskRead file = real.path ? source::read_disk(*real.path, largest_baseline)
                                          : source::DiskRead{source::DiskRead::Outcome::Failed, {}, real.reason};
  std::string fault;
  std::optional<Baseline> out;
  if (file.outcome != source::DiskRead::Outcome::Read)
    fault = file.reason.empty() ? "it is larger than 64 MiB" : file.reason;
  else
    out = parse_baseline(file.text, fault);
  if (out)
    session.inputs.emplace_back(*real.path, source::sha256(file.text));
  else
    session.sink.emit(kind::invalid_baseline, {}, fmt::format("`{}` can't be used: {}", path, fault))
        .helped(fmt::format("`agp check --write-baseline {}` writes one", path));
  session.unusable = session.unusable || !out;
  return out;
}

void leave_out(const source::Files& files, std::vector<Diagnostic>& findings, Baseline& left) {
  std::erase_if(findings, [&](const Diagnostic& d) {
    if (!diagnostics::is_lint(*d.kind)) return false;
    const std::set<KnownFinding> all = keys(files, d);
    const bool known = std::all_of(all.begin(), all.end(), [&](const KnownFinding& one) {
      const auto at = left.find(one);
      return at != left.end() && at->second > 0;
    });
    if (known)
      for (const KnownFinding& one : all) --left[one];
    return known;
  });
}

void apply_baseline(Session& session, const std::set<std::string>& looked_at) {
  auto left = read_baseline(session);
  if (!left) return;
  leave_out(session.files, session.sink.all(), *left);
  session.sink.drop_repeated();  // which counts the errors again
  std::vector<std::string> gone;
  std::size_t count = 0;
  for (const auto& [known, unmet] : *left) {
    if (unmet == 0 || !looked_at.contains(known.policy.empty() ? known.path : known.policy)) continue;
    count += unmet;
    gone.push_back(fmt::format("{} of `{}` in {}: `{}`", known.code, known.policy, known.path, known.rule));
    if (!known.with.empty()) gone.back() += fmt::format(" with `{}`", known.with);
  }
  if (gone.empty()) return;
  auto& d = session.sink.emit(
      kind::baseline_outgrown, {},
      fmt::format("{} of `{}` {} not found any more", count == 1 ? "a finding" : fmt::format("{} findings", count),
                  *session.options.baseline, count == 1 ? "is" : "are"));
  for (std::size_t i = 0; i < gone.size() && i < most_named; ++i) d.note(std::move(gone[i]));
  d.helped(fmt::format("`agp check --write-baseline {}` takes them out", *session.options.baseline));
}

std::string take_baseline(Session& session) {
  Baseline known;
  std::erase_if(session.sink.all(), [&](const Diagnostic& d) {
    if (!diagnostics::is_lint(*d.kind)) return false;
    for (const KnownFinding& one : keys(session.files, d)) ++known[one];
    return true;
  });
  session.sink.drop_repeated();
  OrderedJson findings = OrderedJson::array();
  for (const auto& [one, count] : known) {
    findings.push_back({{"path", one.path}, {"policy", one.policy}, {"code", one.code}, {"rule", one.rule}});
    if (!one.with.empty()) findings.back()["with"] = one.with;
    findings.back()["count"] = count;
  }
  return OrderedJson{{"schema", baseline_schema}, {"findings", findings}}.dump(2) + "\n";
}

}  // namespace agp::driver
