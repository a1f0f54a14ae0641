#include "compiler/linux/kernel_log.hpp"

#include <algorithm>
#include <charconv>

namespace agp::linux {
namespace {

std::string_view take(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view out = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return out;
}

template <class T>
std::optional<T> number(std::string_view text, int base = 10) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// The line begins with a message of the kernel: `[ 2448.917613] `, with or without what syslog puts before it.
void skip_stamp(std::string_view& text) {
  if (!text.starts_with('[')) return;
  const std::size_t end = text.find("] ");
  if (end != std::string_view::npos && end < 40) text.remove_prefix(end + 2);
}

/// `5,342,2446513584,-;` of /dev/kmsg (Documentation/ABI/testing/dev-kmsg).
bool skip_record(std::string_view& text) {
  std::string_view rest = text;
  const std::string_view head = take(rest, ';');
  if (head.size() == text.size() || head.empty() || head.size() > 80 ||
      head.find_first_not_of("0123456789,-cf") != std::string_view::npos ||
      std::count(head.begin(), head.end(), ',') < 3)
    return false;
  text = rest;
  return true;
}

/// `Nov 28 23:11:09 host kernel: ` and the like: the first word that ends with a colon is the sender. Another sender's
/// line may have any text behind it.
bool skip_sender(std::string_view& text) {
  std::string_view rest = text;
  for (int words = 0; words < 8 && !rest.empty(); ++words) {
    const std::string_view word = take(rest, ' ');
    if (word == "kernel:") {
      text = rest;
      return true;
    }
    if (word.ends_with(':') || word.starts_with('[')) return false;
  }
  return false;
}

/// The message, or nothing where the line is another program's.
std::optional<std::string_view> message(std::string_view line) {
  for (const std::string_view begin : {"agp P=", "audit: type=", "type="})
    if (line.starts_with(begin)) return line;
  if (line.starts_with("kern ")) {  // dmesg -x: `kern  :warn  : [ 2448.917613] `
    const std::size_t end = line.find(": [");
    if (end == std::string_view::npos || end > 40) return std::nullopt;
    line.remove_prefix(end + 2);
  } else if (!line.starts_with('[') && !skip_record(line) && !skip_sender(line)) {
    return std::nullopt;
  }
  skip_stamp(line);
  return line;
}

/// Words of the form NAME=VALUE; the first of a name counts.
class Fields {
 public:
  explicit Fields(std::string_view text) {
    while (!text.empty() && words_.size() < most) {
      const std::string_view word = take(text, ' ');
      if (word.starts_with('[')) return;  // the packet that an ICMP error is about
      const std::size_t equals = word.find('=');
      if (equals != std::string_view::npos) words_.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
  }
  std::string_view operator[](std::string_view name) const {
    for (const auto& [key, value] : words_)
      if (key == name) return value;
    return {};
  }
  bool has(std::string_view name) const {
    return std::any_of(words_.begin(), words_.end(), [&](const auto& w) { return w.first == name; });
  }

 private:
  static constexpr std::size_t most = 64;
  std::vector<std::pair<std::string_view, std::string_view>> words_;
};

/// A string as audit writes it: quoted, or in hexadecimal where it has a byte that could end the quotation.
std::optional<std::string> untrusted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    return std::string(text.substr(1, text.size() - 2));
  if (text.size() % 2 != 0 || text.empty()) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto byte = number<unsigned>(text.substr(i, 2), 16);
    if (!byte) return std::nullopt;
    out += static_cast<char>(*byte);
  }
  return out;
}

KernelLine packet(std::string_view text) {
  LoggedPacket out;
  take(text, ' ');
  const std::string_view policy = take(text, ' '), rule = take(text, ' ');
  if (!rule.starts_with("R=") || !text.starts_with("IN=")) return {};
  const Fields fields(text);
  out.policy = policy.substr(2);
  out.rule = rule.substr(2);
  out.in = fields["IN"];
  out.out = fields["OUT"];
  out.source = fields["SRC"];
  out.destination = fields["DST"];
  out.protocol = fields["PROTO"];
  out.port = number<std::uint16_t>(fields["DPT"]);
  out.icmp_type = number<std::uint8_t>(fields["TYPE"]);
  if (out.source.empty() || out.destination.empty() || out.protocol.empty()) return {};
  return out;
}

KernelLine call(std::string_view text) {
  const Fields fields(text);
  const auto arch = number<std::uint32_t>(fields["arch"], 16), number_of = number<std::uint32_t>(fields["syscall"]),
             user = number<std::uint32_t>(fields["uid"]);
  std::string_view word = fields["code"];
  if (word.starts_with("0x")) word.remove_prefix(2);
  const auto code = number<std::uint32_t>(word, 16);
  if (!arch || !number_of || !user || !code) return {};
  return LoggedCall{*arch, *number_of, *user, *code};
}

KernelLine access(std::string_view text) {
  const Fields fields(text);
  LoggedAccess out;
  for (std::string_view rest = fields["blockers"]; !rest.empty() && out.blockers.size() < 32;)
    out.blockers.emplace_back(take(rest, ','));
  if (out.blockers.empty()) return {};
  if (fields.has("path")) out.path = untrusted(fields["path"]);
  const bool connects = fields.has("dest");
  out.address = fields[connects ? "daddr" : "saddr"];
  out.port = number<std::uint16_t>(fields[connects ? "dest" : "src"]);
  return out;
}

}  // namespace

KernelLine read_kernel_line(std::string_view line) {
  auto text = message(line);
  if (!text) return {};
  if (text->starts_with("agp P=")) return packet(*text);
  if (text->starts_with("audit: ")) text->remove_prefix(7);
  if (!text->starts_with("type=")) return {};
  text->remove_prefix(5);
  const std::string_view type = take(*text, ' ');
  if (text->starts_with("msg=")) text->remove_prefix(4);
  if (!text->starts_with("audit(")) return {};
  if (type == "1326" || type == "SECCOMP") return call(*text);
  if (type == "1423" || type == "LANDLOCK_ACCESS") return access(*text);
  return {};
}

}  // namespace agp::linux
