// In: the tables of commands and options, and the paragraphs below about what all commands share. Out: the same as man
// pages and as Markdown. Text marks literals by backticks; a paragraph that begins with `- ` is an item of a list,
// whose head ends at the first ` : `.
#include "compiler/cli/manual.hpp"

#include <fmt/format.h>

#include "compiler/source/version.hpp"

namespace agp::cli {
namespace {

struct Section {
  std::string_view title;
  std::vector<std::string_view> paragraphs;
};

const Section shared[] = {
    {"Exit status",
     {"- `0` : nothing at or above `--fail-on`, and everything that was asked for is decided",
      "- `1` : findings; also syntax errors, refuted proofs, widening, failed tests",
      "- `2` : a mistake on the command line or in the configuration, input that can't be read, nothing to do, an "
      "output "
      "that can't be written",
      "- `3` : something is undecided, a stated limit was reached, or, for `verify`, an artifact could not be verified",
      "- `70` : a bug in agp", "- `128+N` : ended by signal N; no partial output",
      "Several at once: 70, then 2, then 1, then 3; all findings are still printed. Anything but 0 leaves no new "
      "artifact "
      "behind, and an old one untouched."}},
    {"Streams",
     {"What a command is for goes to standard output in every format: the findings of check, test, verify, diff and "
      "compare, the answer of query. Progress (only on a terminal, after one second), warnings about the run and the "
      "closing summary go to standard error; so do the findings of build.",
      "`--report FORMAT=FILE` writes the findings to a file as well. Text from a policy or a path is escaped in every "
      "format. A closed pipe ends the run without a message."}},
    {"Finding files",
     {"A directory is searched for `*.agp`, sorted by path; dot-directories, what `exclude` of agp.toml names, and "
      "symbolic links are not entered. A file that is named is always read. `-` is standard input. `--` ends options.",
      "The project root is `--project-root`; else the nearest directory above the first path with `agp.toml`; else "
      "with "
      "`.git`; else the path's own directory. Nothing outside the root is read."}},
    {"Writing",
     {"The output directory must not exist, or be empty, or be an earlier output of agp (its manifest lists exactly "
      "the "
      "files in it); anything else is exit status 2 and nothing is touched. It is written beside its place and then "
      "exchanged as a whole."}},
    {"Environment",
     {"No variable changes a verdict.",
      "- `NO_COLOR`, `CLICOLOR_FORCE`, `TERM` : whether text has colours, where `--color` does not say",
      "- `SOURCE_DATE_EPOCH` : the day that `until` is compared with, where `--at` does not say"}},
};

bool is_item(std::string_view paragraph) { return paragraph.starts_with("- "); }
std::pair<std::string_view, std::string_view> item(std::string_view paragraph) {
  const std::size_t colon = paragraph.find(" : ");
  return {paragraph.substr(2, colon - 2), paragraph.substr(colon + 3)};
}

/// "-o, --output DIR", with `mark` around the names and `place` around the value.
std::string option_head(const OptionRow& row, std::string_view mark, std::string_view end_mark, std::string_view place,
                        std::string_view end_place) {
  std::string out;
  std::string_view names = row.names;
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    out += fmt::format("{}{}{}{}", out.empty() ? "" : ", ", mark, names.substr(0, comma), end_mark);
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  if (!row.value.empty()) out += fmt::format(" {}{}{}", place, row.value, end_place);
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

// ---- roff -----------------------------------------------------------------------------------------------------------

/// Text as roff, without requests: `\e` for a backslash, `\-` for a hyphen that is typed, `\[uXXXX]` beyond ASCII.
/// Words in backticks are bold.
std::string roff(std::string_view text) {
  std::string out;
  bool bold = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '`') {
      out += bold ? "\\fR" : "\\fB";
      bold = !bold;
    } else if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\[aq]";
    } else if ((c == '.') && (i == 0 || text[i - 1] == '\n')) {
      out += "\\&.";
    } else if (c < 0x80) {
      out += text[i];
    } else {  // the tables hold valid UTF-8 of two or three bytes
      const std::size_t more = c >= 0xe0 ? 2 : 1;
      unsigned value = c & (more == 2 ? 0x0fu : 0x1fu);
      for (std::size_t k = 1; k <= more; ++k) value = value << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fu);
      out += fmt::format("\\[u{:04X}]", value);
      i += more;
    }
  }
  return out;
}

std::string man_head(std::string_view page, std::string_view summary) {
  return fmt::format(
      ".\\\" Written from agp's tables of commands and options.\n.TH {} 1 \"\" \"agp {}\" \"agp\"\n.SH NAME\n{} \\- "
      "{}\n",
      upper(page), version, roff(page), roff(summary));
}

std::string man_options(std::uint32_t commands) {
  std::string out = ".SH OPTIONS\n";
  for (const OptionRow& row : option_table()) {
    if ((row.commands & commands) == 0) continue;
    std::string names;
    for (const char c : option_head(row, "\x01", "\x02", "\x03", "\x04")) names += c;
    std::string head;
    for (const char c : roff(names))
      head += c == 1 ? "\\fB" : c == 3 ? "\\fI" : c == 2 || c == 4 ? "\\fR" : std::string(1, c);
    out += fmt::format(".TP\n{}\n{}\n", head, roff(row.help));
  }
  return out;
}

std::string man_sections() {
  std::string out;
  for (const Section& section : shared) {
    out += fmt::format(".SH {}\n", upper(section.title));
    bool first = true;
    for (const std::string_view paragraph : section.paragraphs) {
      if (is_item(paragraph)) {
        const auto [head, body] = item(paragraph);
        out += fmt::format(".TP\n{}\n{}\n", roff(head), roff(body));
      } else {
        out += fmt::format("{}{}\n", first ? "" : ".PP\n", roff(paragraph));
      }
      first = false;
    }
  }
  return out;
}

// ---- Markdown -------------------------------------------------------------------------------------------------------

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

std::string markdown_option(const OptionRow& row) {
  return fmt::format("| {} | {} |\n", cell(option_head(row, "`", "`", "*", "*")), cell(row.help));
}

/// An option that most commands have is listed once.
bool common(const OptionRow& row) {
  return (row.commands & reads_policies) == reads_policies || (row.commands & every_command) == every_command;
}

std::string markdown_command(const CommandRow& row) {
  std::string out = fmt::format("## agp {}\n\n`agp {}{}{}`: {}.\n", row.name, row.name, row.usage.empty() ? "" : " ",
                                row.usage, row.summary);
  if (!row.details.empty()) out += fmt::format("\n{}\n", row.details);
  std::string options;
  for (const OptionRow& option : option_table())
    if ((option.commands & row.command) != 0 && !common(option)) options += markdown_option(option);
  if (!options.empty()) out += "\n| option | |\n|---|---|\n" + options;
  return out + '\n';
}

}  // namespace

std::string man_overview() {
  std::string out = man_head("agp", "compile and prove policies for the sandboxes of AI agents");
  out += ".SH SYNOPSIS\n.B agp\n.I COMMAND\n.RI [ OPTIONS ]\n.RI [ ARGUMENTS ]\n.SH COMMANDS\n";
  for (const CommandRow& row : command_table())
    out += fmt::format(".TP\n\\fBagp\\-{}\\fR(1)\n{}\n", row.name, roff(row.summary));
  out +=
      ".PP\n\\fBagp \\-V\\fR and \\fBagp \\-\\-version\\fR stand for \\fBagp version\\fR, \\fBagp \\-h\\fR and \\fBagp "
      "\\-\\-help\\fR for \\fBagp help\\fR.\n";
  return out + man_sections();
}

std::string man_command(const CommandRow& row) {
  std::string out = man_head(fmt::format("agp-{}", row.name), row.summary);
  out += fmt::format(".SH SYNOPSIS\n\\fBagp {}\\fR {}\n", row.name, roff(row.usage));
  if (!row.details.empty()) out += fmt::format(".SH DESCRIPTION\n{}\n", roff(row.details));
  out += man_options(row.command);
  return out + ".SH SEE ALSO\n\\fBagp\\fR(1) says what all commands share: exit status, streams, files, environment.\n";
}

std::string reference_page() {
  std::string out =
      "# The command line\n\n<!-- Written by tools/reference from the tables of commands and options: change those. "
      "-->\n\n"
      "One binary, `agp`. Names, options, exit codes, streams and schemas are a contract: they get additions, not "
      "changes.\n\n| command | |\n|---|---|\n";
  for (const CommandRow& row : command_table())
    out += fmt::format("| [`{}`](#agp-{}) {} | {} |\n", row.name, row.name,
                       row.usage.empty() ? "" : "`" + cell(row.usage) + "`", cell(row.summary));
  out +=
      "\n`agp -V` and `agp --version` stand for `agp version`, `agp -h` for `agp help`, `agp COMMAND --help` for `agp "
      "help "
      "COMMAND`.\n\n";
  for (const Section& section : shared) {
    out += fmt::format("## {}\n\n", section.title);
    bool table = false;
    for (const std::string_view paragraph : section.paragraphs) {
      if (is_item(paragraph)) {
        const auto [head, body] = item(paragraph);
        out += fmt::format("{}| {} | {} |\n", table ? "" : "| | |\n|---|---|\n", cell(head), cell(body));
      } else {
        out += fmt::format("{}{}\n\n", table ? "\n" : "", paragraph);
      }
      table = is_item(paragraph);
    }
    if (table) out += '\n';
  }
  out +=
      "## Options of most commands\n\nWherever a policy is read, or findings are printed:\n\n| option | |\n|---|---|\n";
  for (const OptionRow& row : option_table())
    if (common(row)) out += markdown_option(row);
  out += '\n';
  for (const CommandRow& row : command_table()) out += markdown_command(row);
  out.pop_back();
  return out;
}

}  // namespace agp::cli
