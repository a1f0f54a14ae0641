// A starting policy from the parts of a kind and what the command line said. In: settings. Out: the text of a file in
// canonical layout, or a mistake on the command line. Afterwards: a new file, or nothing: a file that exists stays.
#include "compiler/cli/new.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "compiler/bundle/output.hpp"
#include "compiler/cli/commands.hpp"
#include "compiler/cli/new_kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/diagnostics/text.hpp"
#include "compiler/model/address.hpp"
#include "compiler/model/path_pattern.hpp"
#include "compiler/sema/values.hpp"
#include "compiler/syntax/format.hpp"

namespace agp::cli {
namespace {

using Said = std::optional<std::string>;

bool plain(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || more.find(c) != more.npos;
  });
}

/// As a policy writes it: IPv6 in brackets.
std::string literal(const std::string& address) {
  return address.find(':') == address.npos ? address : "[" + address + "]";
}

/// One `<word>` after the other is replaced; what is put in is not looked at again.
std::string fill(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string out;
  while (!text.empty()) {
    const std::size_t open = std::min(text.find('<'), text.size()), close = text.find('>', open);
    out += text.substr(0, open);
    text.remove_prefix(open);
    if (text.empty()) break;
    const auto value = values.find(std::string(text.substr(1, close - open - 1)));
    out += value == values.end() ? "" : value->second;
    text.remove_prefix(close - open + 1);
  }
  return out;
}

struct Option {
  const char* name;
  const Said& value;
};
std::vector<Option> options(const NewPolicy& said) {
  return {{"runtime", said.runtime},   {"model", said.model},   {"forge", said.forge},
          {"resolver", said.resolver}, {"proxy", said.proxy},   {"mirror", said.mirror},
          {"within", said.within},     {"server", said.server}, {"workspace", said.workspace}};
}

/// The options belong to the kind and to each other.
std::optional<UsageError> check(const KindRow& kind, const NewPolicy& said) {
  for (const Option& o : options(said))
    if (o.value && kind.flags.find(fmt::format(" {} ", o.name)) == std::string_view::npos)
      return UsageError{fmt::format("a policy of the kind `{}` has no use for `--{}`", kind.name, o.name), {}};
  for (const Option& o : options(said))
    if (o.name == kind.needs && !o.value)
      return UsageError{fmt::format("a policy of the kind `{}` needs `--{}`", kind.name, o.name),
                        fmt::format("`agp new {} --{} {}{}`", kind.name, o.name, kind.example,
                                    kind.needs == "mirror" ? " --within 10.0.0.0/8 --resolver 10.0.0.53" : "")};
  const bool names = said.model || said.forge || said.mirror;
  if (names && !said.resolver) return UsageError{"names have to be asked of somebody", "add `--resolver ADDRESS`"};
  if (said.resolver && !names)
    return UsageError{"`--resolver` is of use only with `--model`, `--forge` or `--mirror`", {}};
  if (said.within && !said.mirror) return UsageError{"`--within` is about `--mirror`", {}};
  if (said.mirror && !said.within)
    return UsageError{"whoever answers for the mirror's name decides where it leads",
                      "add `--within NETWORK`, such as 10.0.0.0/8"};
  return std::nullopt;
}

class Writer {
 public:
  Writer(const KindRow& kind, const NewPolicy& said) : kind_(kind), said_(said) {
    const std::string name = said.name.value_or(std::string(kind.name));
    const bool node = said.runtime == "node";
    values_ = {{"name", name},
               {"workspace", said.workspace.value_or(fmt::format("/srv/agents/{}/{}", name, kind.workspace))},
               {"proxy", literal(said.proxy.value_or(""))},
               {"proxy-url", literal(said.proxy.value_or(""))},
               {"server", literal(said.server.value_or(""))},
               {"server-host", said.server.value_or("")},
               {"mirror", said.mirror.value_or("")},
               {"within", literal(said.within.value_or(""))},
               {"run", node ? "\"/usr/bin/node\", \"/agent/main.js\""
                            : "\"/usr/bin/python3.11\", \"-I\", \"/agent/main.py\""}};
  }

  std::string text() {
    include(kind_.module, "", kind_.arguments);
    if (kind_.command == "<run>") include(said_.runtime == "node" ? "std.runtime.node" : "std.runtime.python", "", "");
    if (said_.model) include("std.egress.models", "." + *said_.model, "");
    if (said_.forge) include("std.egress.forges", "." + *said_.forge, "");
    if (said_.model || said_.forge) include("std.runtime.base", ".certificates", "");
    if (said_.mirror && kind_.needs != "mirror")
      include("std.egress.registry", "", "(mirror: <mirror>, within: [<within>])");
    std::string out = "agp 1\n\n";
    for (const std::string& module : uses_) out += "use " + module + "\n";
    out += fmt::format("\n/// {}\npolicy <name> {{\n", kind_.doc);
    if (said_.owner) out += fmt::format("owner \"{}\"\n\n", *said_.owner);
    out += "isolation container ephemeral\nmode enforce\n\n" + includes_ + "\n";
    if (!kind_.program.empty() && kind_.program != "/app")
      out += fmt::format("file {{ allow read \"{}/**\" }}\n\n", kind_.program);
    if (said_.resolver) out += fmt::format("net {{ resolver {} }}\n\n", literal(*said_.resolver));
    out += spaced(kind_.blocks) + fmt::format("limit {{ {} }}\n\n", kind_.limits);
    out += run() + "on deny { log }\n";
    if (!kind_.accepts.empty()) out += "\n" + std::string(kind_.accepts);
    out += fmt::format("}}\n\ntest <name> {{\n{}}}\n", kind_.tests);
    return fill(out, values_);
  }

 private:
  void include(std::string_view module, std::string_view part, std::string_view arguments) {
    uses_.emplace(module);
    includes_ += fmt::format("include {}{}{}\n", module, part, arguments);
  }

  /// A line between blocks.
  static std::string spaced(std::string_view blocks) {
    std::string out;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      out += blocks[i];
      if (blocks[i] == '\n' && i > 0 && blocks[i - 1] == '}') out += '\n';
    }
    return out;
  }

  std::string run() const {
    std::string out = fmt::format("run {{\ncommand {}\nuser 65534:65534\n", kind_.command);
    if (!kind_.program.empty())
      out += fmt::format("mount \"/srv/agents/<name>/program\" at \"{}\" readonly\n", kind_.program);
    return out + std::string(kind_.mounts) + "}\n\n";
  }

  const KindRow& kind_;
  const NewPolicy& said_;
  std::map<std::string, std::string> values_;
  std::set<std::string> uses_;
  std::string includes_;
};

const KindRow* find_kind(std::string_view name) {
  const auto rows = kind_rows();
  const auto at = std::find_if(rows.begin(), rows.end(), [&](const KindRow& k) { return k.name == name; });
  return at == rows.end() ? nullptr : &*at;
}

/// Made by this call and nobody else, or not at all.
std::optional<UsageError> make_file(const std::string& path, const std::string& text) {
  const bundle::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.fd < 0 && errno == EEXIST)
    return UsageError{fmt::format("`{}` is there already, and nothing is overwritten", path),
                      "name another FILE, or `-` for standard output"};
  const bool written = file.fd >= 0 && bundle::write_all(file.fd, text);
  if (written) return std::nullopt;
  const int why = errno;
  if (file.fd >= 0) ::unlink(path.c_str());
  return UsageError{fmt::format("`{}` can't be written: {}", path, std::strerror(why)), {}};
}

std::optional<UsageError> unknown_kind(const std::string& word) {
  std::vector<std::string_view> names;
  for (const KindRow& k : kind_rows()) names.push_back(k.name);
  const std::string meant = diagnostics::did_you_mean(word, names);
  return UsageError{fmt::format("there is no kind `{}`", word),
                    meant.empty() ? fmt::format("kinds are {}", fmt::join(names, ", ")) : meant};
}

}  // namespace

std::vector<std::string> new_kinds() {
  std::vector<std::string> out;
  for (const KindRow& k : kind_rows()) out.emplace_back(k.name);
  return out;
}
std::vector<std::string> new_runtimes() { return {"python", "node"}; }
std::vector<std::string> new_models() { return {"anthropic", "openai", "gemini", "mistral"}; }
std::vector<std::string> new_forges() { return {"github", "gitlab", "codeberg"}; }

std::string wrong_policy_name(std::string_view text) {
  const bool letter = !text.empty() && (plain(text.substr(0, 1), "_") && !(text[0] >= '0' && text[0] <= '9'));
  if (!letter || !plain(text, "_-") || text.back() == '-' || text.size() > 64)
    return "it is not a name of at most 64 letters, digits, `_` and `-` that begins with a letter";
  return {};
}
std::string wrong_address(std::string_view text) {
  return model::parse_v4(text) || model::parse_v6(text) ? "" : "it is not an address such as 10.0.0.53";
}
std::string wrong_network(std::string_view text) {
  const bool prefix = text.find('/') != text.npos && text.find_first_of("[]-") == text.npos;
  if (!prefix || !sema::parse_value(text, sema::Value::Type::Address, false))
    return "it is not a network such as 10.0.0.0/8, without host bits";
  return {};
}
std::string wrong_host(std::string_view text) {
  if (text.find('.') == text.npos || text.starts_with('*'))
    return "it is not a host's name such as packages.example.com";
  const std::string fault = sema::host_fault(text);
  return fault.empty() ? "" : "it " + fault;
}
std::string wrong_directory(std::string_view text) {
  if (!model::is_canonical_path(text) || text == "/" || !plain(text, "/-_.+@,:="))
    return "it is not an absolute path of letters, digits and -_.+@,:= below `/`";
  return {};
}
std::string wrong_owner(std::string_view text) {
  if (text.empty() || text.size() > 200 || !plain(text, " -_.+@,:=/()&"))
    return "it is not a text of at most 200 letters, digits, spaces and -_.+@,:=/()&";
  return {};
}

int run_new(Context& context) {
  const Settings& settings = context.settings;
  const auto& words = settings.arguments;
  if (words.empty())
    return context.usage({"which kind of agent?", fmt::format("kinds are {}", fmt::join(new_kinds(), ", "))});
  if (words.size() > 2) return context.usage({"`new` takes a kind and a file", {}});
  const KindRow* kind = find_kind(words[0]);
  if (!kind) return context.usage(*unknown_kind(words[0]));
  if (const auto wrong = check(*kind, settings.fresh)) return context.usage(*wrong);
  const std::string name = settings.fresh.name.value_or(std::string(kind->name));
  const std::string path = words.size() == 2 ? words[1] : name + ".agp";
  source::Files files;
  diagnostics::Sink sink;
  const auto text = syntax::format(files, files.add(path, Writer(*kind, settings.fresh).text()), sink);
  if (!text) return context.usage({fmt::format("`{}` is a word of the language and no policy's name", name), {}});
  if (path == "-") {
    context.out(*text);
    return context.finish();
  }
  if (const auto wrong = make_file(path, *text)) return context.usage(*wrong);
  context.out(diagnostics::visible(path) + "\n");
  context.err(fmt::format("agp new: a policy of the kind `{}`; edit its paths, then `agp check {}`\n", kind->name,
                          diagnostics::visible(path)));
  return context.finish();
}

}  // namespace agp::cli
