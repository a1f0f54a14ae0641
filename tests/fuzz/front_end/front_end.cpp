// Bytes -> what the whole front end makes of them. Beside crashes, hangs and what the sanitizers see, these must hold:
//   - every span lies inside its text, and begins before it ends;
//   - a text without an error has a model, and a text with one says so;
//   - the layout of a text that parses is a text that parses, means the same, and is its own layout.
// The first byte chooses: `!` a file; `=` the same behind a line with the value of `--set workspace=…`; `?` an action of
// the command line.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/sema/sema.hpp"
#include "compiler/syntax/format.hpp"

namespace {

using namespace agp;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "front_end: %s\n", what);
  std::abort();
}

/// A project of one file, beside which stands one other: `use "./other.agp"`.
struct Project final : sema::ModuleSource {
  source::Files& files;
  source::FileId root;
  std::optional<source::FileId> other;
  Project(source::Files& f, source::FileId r) : files(f), root(r) {}
  std::optional<source::FileId> load(source::FileId, std::string_view path, source::Span at,
                                     diagnostics::Sink& sink) override {
    if (path.ends_with("self.agp")) return root;
    if (path.ends_with("other.agp")) {
      if (!other)
        other = files.add("other.agp",
                          "agp 1\nlet x = 1\nfragment other(p : path = \"/o\") { file { allow read \"${p}/**\" } }\n"
                          "fragment f { include other }\ninvariant i { never read \"/x\" }\n");
      return other;
    }
    sink.emit(diagnostics::kind::unreadable_file, at, "no such file");
    return std::nullopt;
  }
};

void check_spans(const source::Files& files, const diagnostics::Sink& sink) {
  const auto inside = [&](source::Span s) {
    return !s.known() || (s.file < files.size() && s.begin <= s.end && s.end <= files.get(s.file).text.size());
  };
  for (const auto& d : sink.all()) {
    require(d.kind != nullptr && !d.message.empty(), "a finding without a message");
    require(inside(d.primary), "a span outside of its text");
    for (const auto& l : d.related) require(inside(l.span), "a related span outside of its text");
    for (const auto& e : d.edits) require(inside(e.span), "an edit outside of its text");
  }
}

/// What the file's policies are made of, in one text.
std::string meaning(const sema::Unit& unit) {
  std::string out;
  for (const auto& p : unit.policies) {
    out += p.name + "\n";
    for (const auto& r : p.rules) out += r.text + "\n";
    for (const auto& a : p.accepts) out += a.fact + "\n";
  }
  for (const auto& i : unit.invariants)
    for (const auto& l : i.lines) out += l.text + "\n";
  for (const auto& t : unit.tests)
    for (const auto& l : t.lines) out += l.text + "\n";
  return out;
}

sema::Options options(const std::optional<std::string>& workspace = {}) {
  sema::Options out;
  out.today = 20000;
  if (workspace) out.set = {{"workspace", *workspace}};
  return out;
}

void file(std::string text, const std::optional<std::string>& workspace) {
  source::Files files;
  diagnostics::Sink sink;
  const auto id = files.add("fuzz.agp", std::move(text));
  Project project(files, id);
  const sema::Unit unit = sema::analyse(files, id, project, options(workspace), sink);
  check_spans(files, sink);
  require(unit.failed == (sink.errors() > 0), "`failed` does not say whether there are errors");
  diagnostics::Sink layout;
  const auto laid_out = syntax::format(files, id, layout);
  check_spans(files, layout);
  require(laid_out.has_value() == (layout.errors() == 0), "a text is laid out exactly when it parses");
  if (!laid_out) return;
  source::Files other_files;
  diagnostics::Sink other;
  const auto second = other_files.add("fuzz.agp", *laid_out);
  Project other_project(other_files, second);
  const sema::Unit same = sema::analyse(other_files, second, other_project, options(workspace), other);
  require(other.errors() == sink.errors(), "the layout has other mistakes");
  require(meaning(same) == meaning(unit), "the layout means something else");
  const auto twice = syntax::format(other_files, second, other);
  require(twice && *twice == *laid_out, "the layout is not its own layout");
}

void action(std::string text) {
  source::Files files;
  diagnostics::Sink sink;
  const auto id = files.add("<action>", std::move(text));
  const auto parsed = syntax::parse_action(files, id, sink);
  require(parsed.has_value() == (sink.errors() == 0), "an action is there exactly when it parses");
  if (parsed) {
    const auto resolved = sema::resolve_action(*parsed, options(), sink);
    require(resolved.has_value() == (sink.errors() == 0), "an action resolves exactly when nothing is wrong");
  }
  check_spans(files, sink);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t line = text.find('\n');
  if (data[0] == '?')
    action(std::move(text));
  else if (data[0] == '=' && line != std::string::npos)
    file(text.substr(line + 1), text.substr(0, line));
  else
    file(std::move(text), std::nullopt);
  return 0;
}
