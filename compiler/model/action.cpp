#include "compiler/model/action.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace agp::model {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string bracketed(Address a) { return a.is_v4() ? to_string(a) : "[" + to_string(a) + "]"; }

std::string endpoint(std::string_view host, Protocol p, std::uint16_t port) {
  return p == Protocol::Icmp ? std::string(host) : fmt::format("{}:{}", host, port);
}

std::string join(const std::vector<std::string_view>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::string_view word(Direction d) { return d == Direction::Connect ? "connect" : "listen"; }

struct Writer {
  std::string operator()(const FileAction& a) const {
    return fmt::format("{} {}", verbs_text(static_cast<Verbs>(a.verb)), quoted(a.path));
  }
  std::string operator()(const NetAction& a) const {
    std::string out = fmt::format("{} {} {}", word(a.direction), protocols_text(static_cast<Protocols>(a.protocol)),
                                  endpoint(bracketed(a.address), a.protocol, a.port));
    if (a.name) out += fmt::format(" (as {})", *a.name);
    if (a.peer) out += fmt::format(" from {}", to_string(*a.peer));
    return out;
  }
  std::string operator()(const NameAction& a) const {
    const std::string host = a.name.find('.') == std::string::npos || a.name[0] == '*' ? quoted(a.name) : a.name;
    return fmt::format("connect {} {}", protocols_text(static_cast<Protocols>(a.protocol)),
                       endpoint(host, a.protocol, a.port));
  }
  std::string operator()(const ResolveAction& a) const {
    return "resolve " + (a.name.find('.') == std::string::npos ? quoted(a.name) : a.name);
  }
  std::string operator()(const UnixAction& a) const {
    return fmt::format("{} unix {}", word(a.direction), a.path ? quoted(*a.path) : "@abstract");
  }
  std::string operator()(const SyscallAction& a) const {
    std::size_t used = 6;
    while (used > 0 && a.args[used - 1] == 0) --used;
    std::string args;
    for (std::size_t i = 0; i < used; ++i) {
      if (i > 0) args += ", ";
      args += a.args[i] < 10 ? fmt::format("{}", a.args[i]) : fmt::format("{:#x}", a.args[i]);
    }
    return fmt::format("syscall {}({})", a.name, args);
  }
  std::string operator()(const CapabilityAction& a) const { return "capability " + a.name; }
  std::string operator()(const EnvAction& a) const { return "env " + quoted(a.name); }
  std::string operator()(const ToolAction& a) const { return "tool " + quoted(a.name); }
};

}  // namespace

std::string verbs_text(Verbs set) {
  std::vector<std::string_view> words;
  if ((set & verbs_read) == verbs_read)
    words.push_back("read");
  else if (has(set, Verb::Read))
    words.push_back("open");
  else if (has(set, Verb::List))
    words.push_back("list");
  if ((set & verbs_write) == verbs_write)
    words.push_back("write");
  else
    for (const auto& [verb, name] :
         {std::pair{Verb::Modify, "modify"}, {Verb::Create, "create"}, {Verb::Delete, "delete"}})
      if (has(set, verb)) words.push_back(name);
  if (has(set, Verb::Exec)) words.push_back("exec");
  return join(words);
}

std::string protocols_text(Protocols set) {
  if (set == protocols_all) return "any";
  std::vector<std::string_view> words;
  if (has(set, Protocol::Tcp)) words.push_back("tcp");
  if (has(set, Protocol::Udp)) words.push_back("udp");
  if (has(set, Protocol::Icmp)) words.push_back("icmp");
  return join(words);
}

std::string to_string(const Action& action) { return std::visit(Writer{}, action); }

}  // namespace agp::model
