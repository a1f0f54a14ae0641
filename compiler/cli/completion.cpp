// In: the tables of commands and options. Out: one file a shell. Each knows the commands; the options of a command; the
// words that a value or an argument can be; and where a path stands, directories apart from files.
#include "compiler/cli/completion.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/cli/commands.hpp"

namespace agp::cli {
namespace {

using Words = std::vector<std::string>;

/// What stands at a place of the command line.
struct Place {
  enum class Kind { Nothing, Choice, List, File, Directory, Policy } kind = Kind::Nothing;
  Words words = {};
};

bool has_word(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

Place value_of(const OptionRow& row) {
  if (row.words != nullptr) return {row.value == "LIST" ? Place::Kind::List : Place::Kind::Choice, row.words()};
  if (row.value == "DIR") return {Place::Kind::Directory};
  return {row.value == "FILE" || row.value == "PATH" ? Place::Kind::File : Place::Kind::Nothing};
}

Place arguments_of(const CommandRow& row) {
  if (row.words != nullptr) return {Place::Kind::Choice, row.words()};
  if ((row.command & (reads_policies | Fmt)) != 0) return {Place::Kind::Policy};
  const bool paths = has_word(row.usage, "FILE") || has_word(row.usage, "PATH") || has_word(row.usage, "DIR") ||
                     has_word(row.usage, "OLD") || row.usage.starts_with("A B");
  return {paths ? Place::Kind::File : Place::Kind::Nothing};
}

Words names_of(const OptionRow& row) {
  const std::size_t comma = row.names.find(',');
  if (comma == std::string_view::npos) return {std::string(row.names)};
  return {std::string(row.names.substr(0, comma)), std::string(row.names.substr(comma + 1))};
}

std::string joined(const Words& words, std::string_view between = " ") {
  return fmt::format("{}", fmt::join(words, between));
}

/// Within single quotes of bash and zsh; of fish too, where a backslash counts.
std::string shell_quoted(std::string_view text, bool fish = false) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += fish ? "\\'" : "'\\''";
    else if (c == '\\' && fish)
      out += "\\\\";
    else
      out += c;
  }
  return out + "'";
}

// ---- bash -----------------------------------------------------------------------------------------------------------

constexpr std::string_view bash_frame = R"(# Completion of agp for bash; written by `agp completion bash`.

# Words of $1 that begin with $current, after what stands before it in a list.
_agp_words() {
  local before=
  if [[ $kind == list && $current == *,* ]]; then before=${current%,*},; fi
  local word
  for word in $1; do
    if [[ $before$word == "$current"* ]]; then COMPREPLY+=("$prefix$before$word"); fi
    if [[ $word == *= ]]; then compopt -o nospace 2>/dev/null; fi
  done
}

_agp_paths() {
  local path
  compopt -o filenames 2>/dev/null
  while IFS= read -r path; do
    if [[ $kind == directory && ! -d $path ]]; then continue; fi
    if [[ $kind == policy && ! -d $path && $path != *.agp ]]; then continue; fi
    COMPREPLY+=("$prefix$path")
  done < <(compgen -f -- "$current")
}

_agp_complete() {
  case $kind in
    words | list) _agp_words "$words" ;;
    file | directory | policy) _agp_paths ;;
  esac
}

_agp() {
  local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} prefix= kind= words= options= command= i
  COMPREPLY=()
  # Where `=` breaks words, `--format=json` is three of them; where it does not, it is one.
  if [[ $current == '=' ]]; then
    current=
  elif [[ $option == '=' ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
    if [[ $option != -* ]]; then kind=file; _agp_complete; return; fi
  elif [[ $current == --*=* ]]; then
    option=${current%%=*} prefix=${current%%=*}= current=${current#*=}
  fi
  if ((COMP_CWORD > 1)); then command=${COMP_WORDS[1]}; fi
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} == -- ]]; then _agp_command; options=; option=; _agp_complete; return; fi
  done
  if ((COMP_CWORD == 1)); then
    kind=words words=$_agp_commands
  elif _agp_value; then
    :
  else
    _agp_command
    if [[ $current == -* ]]; then kind=words words=$options; fi
  fi
  _agp_complete
}
)";

std::string_view bash_kind(Place::Kind kind) {
  switch (kind) {
    case Place::Kind::Nothing:
      return "none";
    case Place::Kind::Choice:
      return "words";
    case Place::Kind::List:
      return "list";
    case Place::Kind::File:
      return "file";
    case Place::Kind::Directory:
      return "directory";
    case Place::Kind::Policy:
      return "policy";
  }
  return "none";
}

std::string bash_place(const Place& place) {
  std::string out = fmt::format("kind={}", bash_kind(place.kind));
  if (!place.words.empty()) out += fmt::format(" words={}", shell_quoted(joined(place.words)));
  return out;
}

}  // namespace

std::string bash_completion() {
  std::string out(bash_frame);
  Words commands;
  for (const CommandRow& row : command_table()) commands.emplace_back(row.name);
  out += fmt::format(
      "\n_agp_commands={}\n\n# What the value of $option can be; false where it is no option with a value.\n"
      "_agp_value() {{\n  case $option in\n",
      shell_quoted(joined(commands) + " --help --version"));
  for (const OptionRow& row : option_table())
    if (!row.value.empty())
      out += fmt::format("    {}) {} ;;\n", joined(names_of(row), " | "), bash_place(value_of(row)));
  out +=
      "    *) return 1 ;;\n  esac\n}\n\n# The options of $command, and what its arguments can be.\n_agp_command() {\n  "
      "case $command in\n";
  for (const CommandRow& row : command_table()) {
    Words options;
    for (const OptionRow& option : option_table())
      if ((option.commands & row.command) != 0)
        for (std::string& name : names_of(option)) options.push_back(std::move(name));
    out += fmt::format("    {}) options={} {} ;;\n", row.name, shell_quoted(joined(options)),
                       bash_place(arguments_of(row)));
  }
  return out + "  esac\n}\n\ncomplete -F _agp agp\n";
}

// ---- zsh ------------------------------------------------------------------------------------------------------------

namespace {

/// Text of a specification: brackets and colons end its parts.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += has_word("[]:\\", std::string_view(&c, 1)) ? fmt::format("\\{}", c) : std::string(1, c);
  return out;
}

std::string zsh_action(const Place& place, std::string_view what) {
  const auto words = [&] {
    Words out;
    for (const std::string& word : place.words) out.push_back(zsh_text(word));
    return joined(out);
  };
  switch (place.kind) {
    case Place::Kind::Nothing:
      return fmt::format(":{}: ", what);
    case Place::Kind::Choice:
      if (std::any_of(place.words.begin(), place.words.end(), [](const auto& word) { return word.ends_with('='); }))
        return fmt::format(":{}:->assignment", what);
      return fmt::format(":{}:({})", what, words());
    case Place::Kind::List:
      return fmt::format(":{}:_values -s , {} {}", what, what, words());
    case Place::Kind::File:
      return fmt::format(":{}:_files", what);
    case Place::Kind::Directory:
      return fmt::format(":{}:_files -/", what);
    case Place::Kind::Policy:
      return fmt::format(":{}:_files -g \"*.agp(-.)\"", what);
  }
  return {};
}

std::string zsh_option(const OptionRow& row) {
  const Words names = names_of(row);
  const std::string rest =
      fmt::format("[{}]{}", zsh_text(row.help), row.value.empty() ? "" : zsh_action(value_of(row), row.value));
  if (names.size() == 1)
    return fmt::format("      {}\n", shell_quoted(names[0] + (row.value.empty() ? "" : "=") + rest));
  return fmt::format("      {}{{{}{},{}{}}}{}\n", shell_quoted(fmt::format("({})", joined(names))), names[0],
                     row.value.empty() ? "" : "+", names[1], row.value.empty() ? "" : "=", shell_quoted(rest));
}

}  // namespace

std::string zsh_completion() {
  std::string out =
      "#compdef agp\n# Completion of agp for zsh; written by `agp completion zsh`.\n\n_agp() {\n  local "
      "curcontext=$curcontext "
      "state line\n  local -A opt_args\n  local -a commands\n  commands=(\n";
  for (const CommandRow& row : command_table())
    out += fmt::format("    {}\n", shell_quoted(fmt::format("{}:{}", row.name, zsh_text(row.summary))));
  out +=
      "  )\n  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n  fi\n  local command=$words[2]\n"
      "  shift words\n  ((CURRENT--))\n  local -a options\n  case $command in\n";
  for (const CommandRow& row : command_table()) {
    out += fmt::format("    {})\n      options=(\n", row.name);
    for (const OptionRow& option : option_table())
      if ((option.commands & row.command) != 0) out += zsh_option(option);
    out += fmt::format("      {}\n      ) ;;\n", shell_quoted("*" + zsh_action(arguments_of(row), "argument")));
  }
  Words formats;
  for (const OptionRow& row : option_table())
    if (row.words != nullptr)
      for (const std::string& word : row.words())
        if (word.ends_with('=')) formats.push_back(word.substr(0, word.size() - 1));
  return out + fmt::format(
                   "  esac\n  _arguments -s -S $options\n  if [[ $state == assignment ]]; then\n"
                   "    if compset -P '*='; then _files; else compadd -S = {}; fi\n  fi\n}}\n\n"
                   "if [[ $funcstack[1] == _agp ]]; then _agp \"$@\"; else compdef _agp agp; fi\n",
                   joined(formats));
}

// ---- fish -----------------------------------------------------------------------------------------------------------

namespace {

std::string fish_place(const Place& place) {
  switch (place.kind) {
    case Place::Kind::Nothing:
      return " -x";
    case Place::Kind::Choice:
    case Place::Kind::List:
      return fmt::format(" -x -a {}", shell_quoted(joined(place.words), true));
    case Place::Kind::File:
      return " -r -F";
    case Place::Kind::Directory:
      return " -x -a '(__fish_complete_directories)'";
    case Place::Kind::Policy:
      return " -k -x -a '(__fish_complete_suffix .agp)'";
  }
  return {};
}

std::string fish_names(const OptionRow& row) {
  std::string out;
  for (const std::string& name : names_of(row))
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  return out;
}

}  // namespace

std::string fish_completion() {
  std::string out = "# Completion of agp for fish; written by `agp completion fish`.\n\ncomplete -c agp -f\n";
  for (const CommandRow& row : command_table())
    out += fmt::format("complete -c agp -n __fish_use_subcommand -a {} -d {}\n", row.name,
                       shell_quoted(row.summary, true));
  for (const CommandRow& row : command_table()) {
    const std::string head = fmt::format("complete -c agp -n '__fish_seen_subcommand_from {}'", row.name);
    if (const Place place = arguments_of(row); place.kind != Place::Kind::Nothing)
      out += fmt::format("{}{}\n", head, fish_place(place));
    for (const OptionRow& option : option_table())
      if ((option.commands & row.command) != 0)
        out += fmt::format("{}{} -d {}{}\n", head, fish_names(option), shell_quoted(option.help, true),
                           option.value.empty() ? "" : fish_place(value_of(option)));
  }
  return out;
}

// ---- the command ----------------------------------------------------------------------------------------------------

int run_completion(Context& context) {
  const auto& words = context.settings.arguments;
  constexpr std::string_view shells = "the shells are bash, zsh and fish";
  if (words.size() != 1) return context.usage({"completion is for one shell", std::string(shells)});
  if (words[0] == "bash")
    context.out(bash_completion());
  else if (words[0] == "zsh")
    context.out(zsh_completion());
  else if (words[0] == "fish")
    context.out(fish_completion());
  else
    return context.usage({fmt::format("there is no completion for `{}`", words[0]), std::string(shells)});
  return 0;
}

}  // namespace agp::cli
