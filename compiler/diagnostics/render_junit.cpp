// JUnit XML, in the subset that Jenkins, GitLab and GitHub's reporters read: a suite for each file that was read, a
// case for each test and each finding. A finding is a failure where it makes the run fail (`fail_on`), else a case that
// passes and says what was found; a test that nothing decides is an error, since readers show what is skipped as well.
// A file without either is one case that passes, so that a report shows what was looked at. Nothing varies from run to
// run: there are no times and no host.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/diagnostics/formats.hpp"

namespace agp::diagnostics {
namespace {

/// Text as XML holds it, in an attribute or between tags. What `visible` leaves is printable; the two characters of
/// Unicode that XML 1.0 has not are replaced.
std::string xml(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (text.substr(i, 2) == "\xEF\xBF" && i + 2 < text.size() && (text[i + 2] & 0xFE) == 0xBE) {
          out += "\xEF\xBF\xBD";
          i += 2;
        } else {
          out += text[i];
        }
    }
  }
  return out;
}

std::string one_line(std::string_view text) { return xml(visible(text)); }

/// Message, place, witness, notes and help, each on a line that no build server obeys.
std::string body(const Diagnostic& d, std::string_view place) {
  std::string out = fmt::format("{}: {}[{}]: {}\n", xml(line_start(place)), severity_word(d.severity),
                                code_text(*d.kind), one_line(d.message));
  const auto line = [&](std::string_view word, std::string_view text) {
    if (!text.empty()) out += fmt::format("{}: {}\n", word, one_line(text));
  };
  line("witness", d.witness);
  for (const std::string& note : d.notes) line("note", note);
  line("help", d.help);
  return out;
}

struct Suite {
  std::string cases;
  std::size_t count = 0, failures = 0, errors = 0;

  void add(std::string_view file, std::string_view name, std::string_view inside, TestCase::Outcome outcome) {
    ++count;
    failures += outcome == TestCase::Outcome::Failed ? 1 : 0;
    errors += outcome == TestCase::Outcome::Undecided ? 1 : 0;
    cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\"", xml(file), xml(name));
    cases += inside.empty() ? "/>\n" : fmt::format(">\n{}    </testcase>\n", inside);
  }
};

class Writer {
 public:
  Writer(const source::Files& files, const RenderOptions& options)
      : files_(files), options_(options), locator_(files) {}

  void test(const TestCase& test, std::span<const Diagnostic> list) {
    using Outcome = TestCase::Outcome;
    const auto found = std::find_if(list.begin(), list.end(), [&](const Diagnostic& d) {
      return test.outcome == Outcome::Failed && d.primary.known() && d.primary == test.span;
    });
    const std::string inside = test.outcome == Outcome::Passed ? ""
                               : test.outcome == Outcome::Undecided
                                   ? "      <error type=\"undecided\" message=\"not decided\"/>\n"
                               : found == list.end() ? "      <failure message=\"failed\"/>\n"
                                                     : about(*found, place(found->primary), true);
    if (found != list.end()) shown_.push_back(&*found);
    suites_[file(test.span)].add(file(test.span), visible(test.name), inside, test.outcome);
  }

  void finding(const Diagnostic& d) {
    if (std::find(shown_.begin(), shown_.end(), &d) != shown_.end()) return;
    const bool fails = options_.fail_on && d.severity >= *options_.fail_on;
    const std::string where = place(d.primary);
    const std::string name = fmt::format("{} {}{}", code_text(*d.kind), d.kind->name, d.primary.known() ? line(d) : "");
    suites_[file(d.primary)].add(file(d.primary), name, about(d, where, fails),
                                 fails ? TestCase::Outcome::Failed : TestCase::Outcome::Passed);
  }

  std::string finish() {
    for (source::FileId id = 0; id < files_.size(); ++id) {
      if (files_.get(id).library || !files_.get(id).path.ends_with(".agp")) continue;  // agp.toml is no policy
      const std::string path = visible(files_.get(id).path);
      Suite& suite = suites_[path];
      if (suite.count == 0) suite.add(path, "no findings", "", TestCase::Outcome::Passed);
    }
    std::size_t count = 0, failures = 0, errors = 0;
    std::string out;
    for (const auto& [path, suite] : suites_) {
      count += suite.count;
      failures += suite.failures;
      errors += suite.errors;
      out += fmt::format(
          "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\">\n{}  </testsuite>\n",
          xml(path), suite.count, suite.failures, suite.errors, suite.cases);
    }
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"agp\" tests=\"{}\" failures=\"{}\" "
        "errors=\"{}\">\n{}</testsuites>\n",
        count, failures, errors, out);
  }

 private:
  std::string file(source::Span span) const {
    return span.known() ? visible(files_.get(span.file).path) : std::string("agp");
  }
  std::string place(source::Span span) {
    if (!span.known()) return "agp";
    const source::Position at = locator_.position(span.file, span.begin);
    return fmt::format("{}:{}:{}", file(span), at.line, at.column);
  }
  std::string line(const Diagnostic& d) {
    const source::Position at = locator_.position(d.primary.file, d.primary.begin);
    return fmt::format(" at {}:{}", at.line, at.column);
  }
  static std::string about(const Diagnostic& d, std::string_view place, bool fails) {
    if (!fails) return fmt::format("      <system-out>{}</system-out>\n", body(d, place));
    return fmt::format("      <failure type=\"{}\" message=\"{}\">{}</failure>\n", code_text(*d.kind),
                       one_line(d.message), body(d, place));
  }

  const source::Files& files_;
  const RenderOptions& options_;
  Locator locator_;
  std::map<std::string, Suite> suites_;
  std::vector<const Diagnostic*> shown_;
};

}  // namespace

std::string render_junit(const source::Files& files, std::span<const Diagnostic> list, const RenderOptions& options) {
  Writer writer(files, options);
  for (const TestCase& test : options.tests) writer.test(test, list);
  for (const Diagnostic& d : list) writer.finding(d);
  return writer.finish();
}

}  // namespace agp::diagnostics
