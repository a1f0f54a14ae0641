// In: the text of an agp.toml. Out: a Config. Everything that is not understood is a finding, never ignored: a misspelt
// `exclude` would otherwise silently check other files than its author meant.
#include "compiler/project/config.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <array>
#include <cctype>
#include <limits>
#include <span>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/project/exclude.hpp"

namespace agp::project {
namespace {

using diagnostics::Diagnostic;
namespace kind = diagnostics::kind;

constexpr std::size_t largest_file = std::size_t{1} << 30;  ///< offsets in spans have 32 bits
constexpr std::size_t deepest_nesting = 1000;               ///< each level costs the parser some stack

constexpr std::array<std::string_view, 5> top_keys = {"root", "target", "exclude", "limits", "lints"};
constexpr std::array<std::string_view, 4> limit_keys = {"file-size", "nesting", "files", "cells"};

class Reader {
 public:
  Reader(const source::Files& files, source::FileId id, Config& config, diagnostics::Sink& sink)
      : files_(files), id_(id), config_(config), sink_(sink) {}

  const LintLevels& levels() const { return levels_; }

  bool read() {
    const std::size_t before = sink_.errors();
    try {
      const toml::table table = toml::parse(std::string_view(files_.get(id_).text));
      top(table);
    } catch (const toml::parse_error& error) {
      const source::Span at = place(error.source());
      std::string why(error.description());
      if (!why.empty()) why[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(why[0])));
      sink_.emit(kind::invalid_config, at, fmt::format("the file is not valid TOML: {}", why));
    }
    return sink_.errors() == before;
  }

 private:
  /// toml++ counts lines and columns from 1, columns in code points.
  std::uint32_t offset(const toml::source_position& at) const {
    const source::File& file = files_.get(id_);
    if (at.line == 0 || at.line > file.line_starts.size()) return static_cast<std::uint32_t>(file.text.size());
    std::size_t i = file.line_starts[at.line - 1];
    const std::size_t end = at.line < file.line_starts.size() ? file.line_starts[at.line] : file.text.size();
    for (toml::source_index column = 1; column < at.column && i < end; ++column) do
        ++i;
      while (i < end && (static_cast<unsigned char>(file.text[i]) & 0xc0) == 0x80);
    return static_cast<std::uint32_t>(i);
  }

  source::Span place(const toml::source_region& region) const {
    const std::uint32_t begin = offset(region.begin);
    return {id_, begin, std::max(begin, offset(region.end))};
  }

  Diagnostic& wrong(const toml::source_region& region, std::string message) {
    return sink_.emit(kind::invalid_config, place(region), std::move(message));
  }

  void unknown(const toml::key& key, std::string_view table, std::span<const std::string_view> known) {
    Diagnostic& d = wrong(key.source(), fmt::format("{} has no key `{}`", table, key.str()));
    const std::string meant = diagnostics::did_you_mean(key.str(), known);
    d.helped(meant.empty() ? fmt::format("the keys are `{}`", fmt::join(known, "`, `")) : meant);
  }

  void top(const toml::table& table) {
    for (const auto& [key, node] : table) {
      if (key == "root")
        root(node);
      else if (key == "target")
        target(node);
      else if (key == "exclude")
        exclude(node);
      else if (key == "limits")
        limits(node);
      else if (key == "lints")
        lints(node);
      else
        unknown(key, "`agp.toml`", top_keys);
    }
  }

  void root(const toml::node& node) {
    const auto text = node.value_exact<std::string>();
    if (!text) {
      wrong(node.source(), "`root` is not a string");
      return;
    }
    const std::string_view fault = *text == "." ? std::string_view() : exclude_fault(*text);
    if (!fault.empty() || text->find_first_of("*?") != std::string::npos)
      wrong(node.source(), fmt::format("`root` is not a directory beneath the one of `agp.toml`: `{}`", *text))
          .helped("write a relative path without `.` and `..`, such as `policies`");
    else
      config_.root = *text;
  }

  void target(const toml::node& node) {
    const auto text = node.value_exact<std::string>();
    if (!text || text->empty())
      wrong(node.source(), "`target` is not the name of a target");
    else
      config_.target = *text;
  }

  void exclude(const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr) {
      wrong(node.source(), "`exclude` is not a list of strings").helped("write `exclude = [\"vendor/**\"]`");
      return;
    }
    for (const toml::node& one : *list) {
      const auto pattern = one.value_exact<std::string>();
      if (!pattern) {
        wrong(one.source(), "a pattern of `exclude` is not a string");
        continue;
      }
      if (const std::string_view fault = exclude_fault(*pattern); !fault.empty())
        wrong(one.source(), fmt::format("the pattern `{}` {}", *pattern, fault));
      else
        config_.exclude.push_back(*pattern);
    }
  }

  void limits(const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      wrong(node.source(), "`limits` is not a table").helped("write `[limits]` and the limits beneath it");
      return;
    }
    for (const auto& [key, value] : *table) {
      if (key == "file-size")
        number(key, value, size(value), largest_file, config_.limits.file_bytes);
      else if (key == "nesting")
        number(key, value, count(value), deepest_nesting, config_.limits.nesting);
      else if (key == "files")
        number(key, value, count(value), std::size_t{10'000'000}, config_.max_files);
      else if (key == "cells")
        number(key, value, count(value), std::size_t{4'000'000'000}, config_.max_work);
      else
        unknown(key, "`[limits]`", limit_keys);
    }
  }

  /// `all` first, whatever the order: what is said of one lint beats what is said of all.
  void lints(const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      wrong(node.source(), "`lints` is not a table").helped("write `[lints]` and `NAME = \"off\"` beneath it");
      return;
    }
    if (const toml::node* all = table->get("all"))
      if (const auto to = level(*all))
        for (const diagnostics::Kind* k : diagnostics::all_kinds())
          if (diagnostics::is_lint(*k)) levels_[k->number] = *to;
    for (const auto& [key, value] : *table) {
      if (key == "all") continue;
      const diagnostics::Kind* k = diagnostics::find_kind(key.str());
      if (k == nullptr || !diagnostics::is_lint(*k)) {
        std::vector<std::string_view> names;
        for (const diagnostics::Kind* one : diagnostics::all_kinds())
          if (diagnostics::is_lint(*one)) names.push_back(one->name);
        Diagnostic& d =
            wrong(key.source(), k == nullptr ? fmt::format("no lint is called `{}`", key.str())
                                             : fmt::format("`{}` is no lint: its severity is fixed", key.str()));
        if (k == nullptr) d.helped(diagnostics::did_you_mean(key.str(), names));
      } else if (const auto to = level(value)) {
        levels_[k->number] = *to;
      }
    }
  }

  /// Nothing when it is none, and reported; a severity, or none for `off`.
  std::optional<std::optional<diagnostics::Severity>> level(const toml::node& node) {
    using diagnostics::Severity;
    const std::string text = node.value_exact<std::string>().value_or("");
    if (text == "off") return std::optional<Severity>();
    if (text == "note") return Severity::Note;
    if (text == "warning") return Severity::Warning;
    if (text == "error") return Severity::Error;
    wrong(node.source(), "the level of a lint is `off`, `note`, `warning` or `error`");
    return std::nullopt;
  }

  static std::optional<std::size_t> count(const toml::node& node) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < 1) return std::nullopt;
    return static_cast<std::size_t>(*value);
  }

  /// Bytes as a number, or with a unit as in the language: `"8 MiB"`.
  static std::optional<std::size_t> size(const toml::node& node) {
    const auto text = node.value_exact<std::string>();
    if (!text) return count(node);
    std::size_t value = 0, i = 0;
    for (; i < text->size() && (*text)[i] >= '0' && (*text)[i] <= '9'; ++i) {
      value = value * 10 + static_cast<std::size_t>((*text)[i] - '0');
      if (value > largest_file) return value;
    }
    if (i == 0) return std::nullopt;
    if (i < text->size() && (*text)[i] == ' ') ++i;
    const std::string_view unit = std::string_view(*text).substr(i);
    const std::array<std::pair<std::string_view, unsigned>, 4> units = {
        {{"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}}};
    for (const auto& [name, shift] : units)
      if (unit == name) return value == 0 ? std::nullopt : std::optional(value << shift);
    return std::nullopt;
  }

  void number(const toml::key& key, const toml::node& node, std::optional<std::size_t> value, std::size_t most,
              std::size_t& into) {
    if (!value)
      wrong(node.source(), fmt::format("`{}` is not {}", key.str(),
                                       key == "file-size" ? "a size such as `\"8 MiB\"`" : "a number from 1"));
    else if (*value > most)
      wrong(node.source(), fmt::format("`{}` is larger than agp can hold to", key.str()))
          .helped(fmt::format("write {} at most", most));
    else
      into = *value;
  }

  const source::Files& files_;
  source::FileId id_;
  Config& config_;
  diagnostics::Sink& sink_;
  LintLevels levels_;
};

}  // namespace

bool read_config(const source::Files& files, source::FileId id, Config& config, diagnostics::Sink& sink) {
  return Reader(files, id, config, sink).read();
}

LintLevels lint_levels(const source::Files& files, const std::string& path) {
  if (path.empty()) return {};
  for (source::FileId id = 0; id < files.size(); ++id) {
    if (files.get(id).path != path || files.get(id).library) continue;
    Config config;
    diagnostics::Sink told;  // when the run began
    Reader reader(files, id, config, told);
    reader.read();
    return reader.levels();
  }
  return {};
}

}  // namespace agp::project
