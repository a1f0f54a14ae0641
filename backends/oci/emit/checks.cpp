#include "backends/oci/emit/checks.hpp"

#include <fmt/format.h>

namespace agp::backends::oci {
namespace {

/// RFC 3629, without the surrogates and overlong forms.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    const auto second = length > 2 ? static_cast<unsigned char>(text[i + 1]) : 0;
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f))
      return false;
    i += length;
  }
  return true;
}

class Checker {
 public:
  void text(std::string_view what, std::string_view value) {
    if (!is_utf8(value))
      add(fmt::format("{} is not UTF-8 text, which JSON can't carry", what));
    else if (value.find('\0') != std::string_view::npos)
      add(fmt::format("{} holds a zero byte, which no program can be given", what));
  }
  void path(std::string_view what, std::string_view value) {
    text(what, value);
    if (!model::is_canonical_path(value))
      add(fmt::format("{} is not an absolute path without `.` and `..`: `{}`", what, value));
    for (const char* word : {"{dir}", "{run}", "{id}", "{launcher}"})
      if (value.find(word) != std::string_view::npos)
        add(fmt::format("{} contains `{}`, a word that the stack's commands fill in", what, word));
  }
  void add(std::string message, std::string help = "") {
    found.push_back({std::move(message), std::nullopt, std::move(help)});
  }

  std::vector<Problem> found;
};

}  // namespace

std::vector<Problem> unusable(const model::Policy& policy) {
  Checker check;
  const model::Run& run = policy.run;
  if (run.command.empty())
    check.add("a container needs a command to start",
              "run { command \"/usr/bin/python3.11\", \"-I\", \"/task/main.py\" }");
  for (const std::string& word : run.command) check.text("`command`", word);
  for (const auto& [name, value] : policy.env_set) {
    check.text("a variable of `env`", name);
    check.text(fmt::format("the value of `{}`", name), value);
    if (name.empty() || name.find('=') != std::string::npos)
      check.add(fmt::format("`{}` can't be the name of an environment variable", name));
  }
  check.path("`rootfs`", run.rootfs);
  if (run.workdir) check.path("`workdir`", *run.workdir);
  if (run.hostname) check.text("`hostname`", *run.hostname);
  if (run.hostname && run.hostname->size() > 64) check.add("a host name has at most 64 bytes");  // HOST_NAME_MAX
  const auto zero = [&](const char* name, bool is_zero) {
    if (is_zero) check.add(fmt::format("`limit {} 0` would be no limit: the runtime takes 0 for absent", name));
  };
  const model::Limits& limits = policy.limits;
  zero("cpu", limits.cpu_milli && limits.cpu_milli->value == 0);
  zero("memory", limits.memory_bytes && limits.memory_bytes->value == 0);
  zero("pids", limits.pids && limits.pids->value == 0);
  for (const model::Mount& m : run.mounts) {
    if (m.size_bytes == 0u) check.add("a file system of size 0 would have no limit: the kernel takes 0 for absent");
    check.path("the target of a mount", m.target);
    if (m.source) check.path("the source of a mount", *m.source);
  }
  for (const model::Rule& rule : policy.rules) {
    const std::vector<model::Placed<model::PathPattern>>* lists[2] = {nullptr, nullptr};
    if (const auto* file = std::get_if<model::FileBody>(&rule.body))
      lists[0] = &file->patterns, lists[1] = &file->except;
    if (const auto* sock = std::get_if<model::UnixBody>(&rule.body)) lists[0] = &sock->paths, lists[1] = &sock->except;
    for (const auto* list : lists)
      for (std::size_t i = 0; list && i < list->size(); ++i)
        if ((*list)[i].pattern.shape() != model::PathPattern::Shape::Other)
          check.path("a path", (*list)[i].pattern.base());
  }
  return std::move(check.found);
}

}  // namespace agp::backends::oci
