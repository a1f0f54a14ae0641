#include <fmt/format.h>

#include "compiler/bundle/replace.hpp"
#include "compiler/cli/commands.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/cli/unified_diff.hpp"
#include "compiler/diagnostics/formats.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/syntax/format.hpp"

namespace agp::cli {

int run_fmt(Context& context) {
  const Settings& settings = context.settings;
  using diagnostics::visible;
  if (settings.fmt_check && settings.fmt_diff) return context.usage({"`--check` and `--diff` exclude each other", {}});
  context.findings_own_stderr();
  source::Files files;
  diagnostics::Sink sink;
  auto project = project::Project::open(settings.arguments, settings.driver.project, files, sink);
  const auto ids = project ? project->collect(settings.arguments, sink) : std::vector<source::FileId>{};
  if (project && ids.empty() && sink.errors() == 0)
    sink.emit(diagnostics::kind::nothing_to_do, {}, "no `.agp` file was found")
        .helped("name a file or a directory that has one");
  std::size_t differ = 0;
  std::string output;
  for (const source::FileId id : ids) {
    const std::string& before = files.get(id).text;
    const std::string name = diagnostics::line_start(files.get(id).path);
    const auto after = syntax::format(files, id, sink);
    if (!after) continue;
    const std::string disk = project->disk_path(id);
    differ += *after == before ? 0 : 1;
    if (disk.empty() && !settings.fmt_check && !settings.fmt_diff) {
      context.out(*after);
      continue;
    }
    if (*after == before) continue;
    if (settings.fmt_check)
      output += name + '\n';
    else if (settings.fmt_diff)
      output += unified_diff(name, before, *after);
    else if (const std::string fault = bundle::replace_file(disk, before, *after); !fault.empty())
      sink.emit(diagnostics::kind::output_failed, {id, 0, 0},
                fmt::format("`{}` can't be written: {}", files.get(id).path, fault));
    else
      output += name + '\n';
  }
  context.out(output);
  context.findings(files, sink, stderr);
  const bool only_asked = settings.fmt_check || settings.fmt_diff;
  if (only_asked && differ > 0) context.outcome.finding();
  context.closing(
      fmt::format("{}, {} {}", counted(ids.size(), "file", "files"), differ, only_asked ? "to change" : "changed"));
  return context.outcome.code();
}

}  // namespace agp::cli
