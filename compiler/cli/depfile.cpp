#include "compiler/cli/depfile.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <set>

#include "compiler/driver/session.hpp"
#include "compiler/source/disk.hpp"

namespace agp::cli {
namespace {

/// As make reads a name: `$$`, and a backslash before what would end or mean something. Backslashes that stand before
/// such a one, or at the end, are read in pairs. `%` means something in a target only. What make 4.3 reads otherwise
/// however it is written is nothing: an end of the line, a tab, `;`, `=`, `|`, and the members of an archive.
std::optional<std::string> escaped(std::string_view path, bool target) {
  std::string out;
  std::size_t backslashes = 0;
  for (const char c : path) {
    if (std::string_view("\n\r\t;=|()").find(c) != std::string_view::npos) return std::nullopt;
    if (c == ' ' || c == '#' || c == ':' || (c == '%' && target)) out.append(backslashes + 1, '\\');
    if (c == '$') out += '$';
    out += c;
    backslashes = c == '\\' ? backslashes + 1 : 0;
  }
  return out.append(backslashes, '\\');
}

std::set<std::string> read_by(const Context& context, const driver::Session& session) {
  std::set<std::string> out;
  const std::string here = source::resolve(".").path.value_or("/") + "/";
  const auto put = [&](const std::string& path) {
    if (!path.empty()) out.insert(path.starts_with(here) ? path.substr(here.size()) : path);
  };
  for (const auto& [path, digest] : session.inputs) put(path);
  if (session.project)
    for (source::FileId id = 0; id < session.files.size(); ++id)
      if (!session.files.get(id).library) put(session.project->disk_path(id));
  const auto& list = context.settings.files_from;
  if (list && *list != "-") put(*list);
  return out;
}

}  // namespace

bool write_whole(const std::string& path, const std::string& text) {
  const std::string fresh = fmt::format("{}.{}.new", path, ::getpid());
  std::FILE* file = std::fopen(fresh.c_str(), "wbe");
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) == 0 && written && std::rename(fresh.c_str(), path.c_str()) == 0) return true;
  std::remove(fresh.c_str());
  return false;
}

void write_depfile(Context& context, const driver::Session& session) {
  const Settings& settings = context.settings;
  if (!settings.depfile) return;
  const std::string target = settings.depfile_target             ? *settings.depfile_target
                             : !settings.reports.empty()         ? settings.reports.front().second
                             : !settings.build.directory.empty() ? settings.build.directory
                                                                 : *settings.depfile;
  const auto name = escaped(target, true);
  std::string rule = name.value_or("") + ":", phony;
  bool good = name.has_value();
  for (const std::string& path : read_by(context, session)) {
    const auto one = escaped(path, false);
    good = good && one;
    rule += fmt::format(" \\\n  {}", one.value_or(""));
    // ninja reads no `\%` and refuses a target that is no prerequisite: such a name has no line of its own
    if (path.find('%') == std::string::npos) phony += fmt::format("\n{}:\n", one.value_or(""));
  }
  if (!good)
    context.usage({"a file's name has a line end, a tab or one of `;=|()`: no dependency file can have it", {}});
  else if (!write_whole(*settings.depfile, rule + "\n" + phony))
    context.usage({fmt::format("`{}` can't be written", *settings.depfile), {}});
}

}  // namespace agp::cli
