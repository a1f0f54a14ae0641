// In: a policy's findings. Out: with edits that delete what is of no use, as text: a statement with its line, or an
// element of a list with its comma.
#include "compiler/lint/deletions.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/syntax/comments.hpp"

namespace agp::lint {

using namespace model;
using diagnostics::Diagnostic;
namespace kind = diagnostics::kind;

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool space(char c) { return is_blank(c) || c == '\n'; }
constexpr std::string_view word_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

bool encloses(source::Span outer, source::Span inner) {
  return outer.file == inner.file && outer.begin <= inner.begin && inner.end <= outer.end;
}

/// How many places of the rule grant or deny something.
std::size_t places(const Rule& rule) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> spans;
  const auto take = [&](const auto& list) {
    for (const auto& p : list) spans.emplace_back(p.span.begin, p.span.end);
  };
  std::visit(
      [&](const auto& body) {
        using B = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<B, NetBody>)
          take(body.endpoints);
        else if constexpr (std::is_same_v<B, UnixBody>)
          take(body.paths);
        else if constexpr (std::is_same_v<B, CapabilityBody>)
          take(body.names);
        else
          take(body.patterns);
      },
      rule.body);
  std::sort(spans.begin(), spans.end());
  return static_cast<std::size_t>(std::unique(spans.begin(), spans.end()) - spans.begin());
}

class Deleter {
 public:
  Deleter(const source::Files& files, const Policy& policy) : files_(files), policy_(policy) {}

  void offer(Diagnostic& d) {
    if (!d.edits.empty() || !d.primary.known() || files_.get(d.primary.file).library) return;
    std::optional<source::Span> gone;
    if (d.kind == &kind::redundant_rule && constant(d))
      gone = of_rule(d.primary);
    else if (d.kind == &kind::idle_capability)
      gone = of_rule(d.primary);
    else if (d.kind == &kind::expired_rule && d.severity == diagnostics::Severity::Warning)
      gone = statement(d.primary);
    else if (d.kind == &kind::unused_accept && live(d.primary))
      gone = statement(d.primary);
    if (gone) d.edit(*gone, "");
  }

 private:
  struct Text {
    std::vector<source::Span> comments;
    bool parameters = false;
  };
  const Text& of(source::FileId file) {
    const auto [at, fresh] = known_.try_emplace(file);
    if (!fresh) return at->second;
    const std::string_view text = files_.get(file).text;
    syntax::Comments read = syntax::comments(files_, file);
    at->second.comments = std::move(read.comments);
    at->second.parameters = std::any_of(read.tokens.begin(), read.tokens.end(), [&](std::uint32_t t) {
      const std::string_view word = text.substr(t, text.find_first_not_of(word_characters, t) - t);
      return word == "param";
    });
    return at->second;
  }

  /// No value of a parameter is behind the finding: with another one the rule might be needed.
  bool constant(const Diagnostic& d) {
    return !of(d.primary.file).parameters &&
           std::none_of(d.related.begin(), d.related.end(), [&](const diagnostics::Label& label) {
             return !label.span.known() || of(label.span.file).parameters;
           });
  }

  bool live(source::Span accept) const {
    return std::any_of(policy_.accepts.begin(), policy_.accepts.end(),
                       [&](const Accept& a) { return a.span == accept && !a.expired; });
  }

  /// An element of the policy's own rule, or all of the rule where it is the only one.
  std::optional<source::Span> of_rule(source::Span place) {
    const auto rule = std::find_if(policy_.rules.begin(), policy_.rules.end(),
                                   [&](const Rule& r) { return encloses(r.span, place); });
    if (rule == policy_.rules.end() || !rule->module.empty() || !rule->included_by.empty()) return std::nullopt;
    return places(*rule) == 1 ? statement(rule->span) : element(place);
  }

  /// With the comma behind it, or before it where it is the last one.
  std::optional<source::Span> element(source::Span place) {
    if (commented(place)) return std::nullopt;
    const std::string_view text = files_.get(place.file).text;
    std::uint32_t begin = place.begin, end = place.end;
    while (end < text.size() && space(text[end])) ++end;
    if (end < text.size() && text[end] == ',') {
      ++end;
      while (end < text.size() && space(text[end])) ++end;
      return source::Span{place.file, begin, end};
    }
    while (begin > 0 && space(text[begin - 1])) --begin;
    if (begin == 0 || text[begin - 1] != ',') return std::nullopt;
    return source::Span{place.file, begin - 1, place.end};
  }

  /// With its line, where nothing else stands there, else with the blanks before it.
  std::optional<source::Span> statement(source::Span span) {
    if (commented(span)) return std::nullopt;
    const std::string_view text = files_.get(span.file).text;
    std::uint32_t begin = span.begin, end = span.end;
    while (begin > 0 && is_blank(text[begin - 1])) --begin;
    while (end < text.size() && is_blank(text[end])) ++end;
    const bool first = begin == 0 || text[begin - 1] == '\n', last = end == text.size() || text[end] == '\n';
    if (first && last)
      return source::Span{span.file, begin, std::min(end + 1, static_cast<std::uint32_t>(text.size()))};
    return source::Span{span.file, first ? span.begin : begin, first ? end : span.end};
  }

  /// A comment above it, in it or behind it on its line would be left without what it is about.
  bool commented(source::Span span) {
    const std::string_view text = files_.get(span.file).text;
    const auto only = [&](std::size_t from, std::size_t to, std::size_t lines) {
      const std::string_view between = text.substr(from, to - from);
      return std::all_of(between.begin(), between.end(), space) &&
             static_cast<std::size_t>(std::count(between.begin(), between.end(), '\n')) <= lines;
    };
    const auto& all = of(span.file).comments;
    return std::any_of(all.begin(), all.end(), [&](source::Span c) {
      if (c.end <= span.begin) {  // a line comment may hold its line end
        const std::size_t end = c.end > c.begin && text[c.end - 1] == '\n' ? c.end - 1 : c.end;
        return only(end, span.begin, 1);
      }
      const std::size_t line_end = std::min(text.find('\n', span.end), text.size());
      return c.begin < line_end;
    });
  }

  const source::Files& files_;
  const Policy& policy_;
  std::map<source::FileId, Text> known_;
};

}  // namespace

void offer_deletions(const source::Files& files, const Policy& policy, diagnostics::Sink& sink, std::size_t from) {
  Deleter deleter(files, policy);
  auto& all = sink.all();
  for (std::size_t i = from; i < all.size(); ++i)
    if (all[i].policy == policy.name) deleter.offer(all[i]);
}

}  // namespace agp::lint
