#include "compiler/driver/log_attempts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backends/backend.hpp"
#include "compiler/diagnostics/text.hpp"
#include "compiler/linux/syscalls.hpp"

// In: lines. Out: each different attempt of this policy once, with what the policy says of it. What a line claims about
// the policy's decision is not believed: the decision is made again.
namespace agp::driver {
namespace {

using model::Direction;
using model::Effect;
using model::Protocol;

/// The words behind `P=` and `R=` of a prefix.
std::pair<std::string, std::string> words_of(const std::string& prefix) {
  const std::size_t r = prefix.find(" R=");
  return {prefix.substr(6, r - 6), prefix.substr(r + 3, prefix.size() - r - 4)};
}

std::optional<model::Address> address(const std::string& text) {
  return text.find(':') == std::string::npos ? model::parse_v4(text) : model::parse_v6(text);
}

/// As a pattern that is this path and no other: what an agent calls a file must not become a wildcard.
std::string quoted(const std::string& path) {
  const std::string text = model::to_string(model::Action(model::FileAction{model::Verb::List, path}));
  std::string out;
  for (const char c : text.substr(text.find(' ') + 1)) {
    if (std::string_view("*?{}$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// As a rule can name it: absolute, canonical, text without control characters.
bool nameable(const std::string& path) {
  if (path.size() < 2 || path.front() != '/' || path.back() == '/' || path.size() > 4096) return false;
  if (diagnostics::valid_utf8(path) != path || diagnostics::visible(path) != path) return false;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view part = std::string_view(path).substr(at + 1, end - at - 1);
    if (part.empty() || part == "." || part == "..") return false;
    at = end;
  }
  return true;
}

}  // namespace

LogReader::LogReader(const model::Policy& policy, const model::Target& target)
    : policy_(policy), target_(target), user_(backends::agent_user(policy).uid) {
  const auto fallback = words_of(backends::log_prefix(policy, std::nullopt));
  name_ = fallback.first;
  rules_[fallback.second] = policy.rules.size();
  for (std::size_t i = 0; i < policy.rules.size(); ++i)
    if (std::holds_alternative<model::NetBody>(policy.rules[i].body))
      rules_.emplace(words_of(backends::log_prefix(policy, policy.rules[i].id)).second, i);
}

bool LogReader::read(std::FILE* log) {
  std::string rest;
  bool skipping = false;
  char block[65536];
  for (std::size_t count; (count = std::fread(block, 1, sizeof block, log)) > 0;) {
    std::string_view text(block, count);
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view part = text.substr(0, end);
      if (!skipping && rest.size() + part.size() > longest_log_line) {
        ++counts.too_long;
        skipping = true;
      }
      if (!skipping) rest += part;
      if (end == std::string_view::npos) break;
      ++counts.lines;
      if (!skipping) line(rest);
      rest.clear();
      skipping = false;
      text.remove_prefix(end + 1);
    }
  }
  if (!rest.empty() || skipping) ++counts.lines;
  if (!rest.empty() && !skipping) line(rest);
  return std::ferror(log) == 0;
}

void LogReader::line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  const linux::KernelLine read = linux::read_kernel_line(text);
  if (const auto* p = std::get_if<linux::LoggedPacket>(&read)) packet(*p);
  if (const auto* c = std::get_if<linux::LoggedCall>(&read)) call(*c);
  if (const auto* a = std::get_if<linux::LoggedAccess>(&read)) access(*a);
}

/// The entry of this text, counted; null past the limit.
LogAttempt* LogReader::attempt(const std::string& text) {
  ++counts.about;
  auto at = attempts.find(text);
  if (at == attempts.end()) {
    if (attempts.size() >= most_attempts) {
      ++counts.dropped;
      return nullptr;
    }
    at = attempts.emplace(text, LogAttempt{}).first;
    at->second.entry.attempt = text;
  }
  ++at->second.entry.count;
  return at->second.entry.count == 1 ? &at->second : nullptr;
}

void LogReader::undecided(const std::string& text, std::string reason) {
  if (LogAttempt* a = attempt(text)) a->entry.reason = std::move(reason);
}

void LogReader::packet(const linux::LoggedPacket& p) {
  if (p.policy != name_) {
    ++counts.others;
    return;
  }
  if (!rules_.contains(p.rule)) {
    ++counts.unknown_rule;
    return;
  }
  const auto source = address(p.source), destination = address(p.destination);
  if (!source || !destination) return;
  // of a microVM's interface, what comes in is what the agent sends
  const bool sends =
      policy_.run.interface && target_.stack == "launcher" ? p.in == *policy_.run.interface : p.in.empty();
  model::NetAction action{sends ? Direction::Connect : Direction::Listen, Protocol::Tcp, *destination, 0, {}, {}};
  if (!sends) action.peer = source;
  const bool echo = (p.protocol == "ICMP" && p.icmp_type == 8) || (p.protocol == "ICMPv6" && p.icmp_type == 128);
  if (p.protocol == "UDP")
    action.protocol = Protocol::Udp;
  else if (echo)
    action.protocol = Protocol::Icmp;
  else if (p.protocol != "TCP") {
    ++counts.kernels_own;  // errors, neighbours, groups, and other protocols: no rule is about them
    return;
  }
  if (!echo && p.port.value_or(0) == 0) return;
  action.port = p.port.value_or(0);
  net(action, !sends && p.in != "lo");
}

/// `unasked`: somebody else sent it, and whether the agent wants it does not show.
void LogReader::net(const model::NetAction& action, bool unasked) {
  const std::string text = model::to_string(model::Action(action));
  LogAttempt* a = attempt(text);
  if (!a) return;
  a->block = "net";
  a->actions = {action};
  a->entry.grant = "allow " + text;
  const model::Verdict verdict = model::decide(policy_, action);
  a->entry.rules = verdict.rules;
  if (verdict.decision == model::Decision::Allow)
    a->entry.answer = LogAnswer::Allowed;
  else if (!verdict.rules.empty())
    a->entry.answer = LogAnswer::Denied;
  else if (unasked)
    a->entry.reason = "anybody can send to it: whether the agent listens there, the log does not show";
  else
    a->entry.answer = LogAnswer::Missing;
}

void LogReader::call(const linux::LoggedCall& c) {
  if (c.user != user_) {
    ++counts.others;
    return;
  }
  const auto arch = linux::arch_of_call(c.arch, c.number);
  const linux::Syscall* call = arch ? linux::find_syscall(*arch, c.number) : nullptr;
  if (!call)
    return undecided(fmt::format("syscall {:#x} of architecture {:#x}", c.number, c.arch), "agp does not know it");
  const std::string name(call->name);
  const bool served =
      std::find(target_.archs.begin(), target_.archs.end(), linux::to_string(*arch)) != target_.archs.end();
  if (!served)
    return undecided(fmt::format("syscall {} on {}", name, linux::to_string(*arch)),
                     "the target does not have this architecture");
  LogAttempt* a = attempt("syscall " + name);
  if (!a) return;
  a->block = "syscall";
  a->actions = {model::SyscallAction{name, {}, *arch}};
  a->any_arguments = true;
  a->entry.grant = fmt::format("allow {}{}", name, name == "kill" ? "()" : "");
  bool allowed = false, refused = false, conditions = false;
  for (std::size_t i = 0; i < policy_.rules.size(); ++i) {
    const model::Rule& rule = policy_.rules[i];
    const auto* body = std::get_if<model::SyscallBody>(&rule.body);
    if (!body || rule.expired) continue;
    const auto about = [&](const auto& list, bool always) {
      return std::any_of(list.begin(), list.end(), [&](const auto& p) {
        return p.pattern.name == name && p.pattern.archs.has(*arch) && p.pattern.tests.empty() == always;
      });
    };
    const bool excepted = about(body->except, true) || about(body->except, false);
    const bool always = about(body->patterns, true) && !excepted, sometimes = about(body->patterns, false) || excepted;
    if (!always && !sometimes) continue;
    (rule.effect == Effect::Allow ? allowed : refused) |= always;
    conditions = conditions || !always;
    if (rule.effect != Effect::Allow || !always) a->entry.rules.push_back(i);
  }
  if (refused) {
    a->entry.answer = LogAnswer::Denied;
  } else if (conditions) {
    a->entry.reason = "these rules look at its arguments, which the log does not show";
  } else {
    a->entry.answer = allowed ? LogAnswer::Allowed : LogAnswer::Missing;
  }
}

void LogReader::access(const linux::LoggedAccess& a) {
  for (const std::string& blocker : a.blockers) {
    const bool connects = blocker == "net.connect_tcp", binds = blocker == "net.bind_tcp";
    if (connects || binds) {
      const auto to = address(a.address);
      if (to && a.port.value_or(0) != 0)
        net({connects ? Direction::Connect : Direction::Listen, Protocol::Tcp, *to, *a.port, {}, {}}, false);
      else
        undecided(blocker, "the line has no address");
      continue;
    }
    if (!a.path || !nameable(*a.path)) {
      if (blocker != "fs.refer") undecided(blocker, a.path ? "no rule can name its path" : "no rule is about it");
      continue;
    }
    if (blocker == "fs.execute")
      file(model::Verb::Exec, *a.path, false);
    else if (blocker == "fs.read_file")
      file(model::Verb::Read, *a.path, false);
    else if (blocker == "fs.read_dir")
      file(model::Verb::List, *a.path, false);
    else if (blocker == "fs.write_file" || blocker == "fs.truncate")
      file(model::Verb::Modify, *a.path, false);
    else if (blocker == "fs.remove_dir" || blocker == "fs.remove_file")
      file(model::Verb::Delete, *a.path, true);
    else if (blocker == "fs.make_reg" || blocker == "fs.make_dir" || blocker == "fs.make_sym" ||
             blocker == "fs.make_fifo" || blocker == "fs.make_sock")
      file(model::Verb::Create, *a.path, true);
    else if (blocker != "fs.refer")  // beside what is made and removed, which have their own
      undecided(fmt::format("{} {}", blocker, quoted(*a.path)), "no rule is about it");
  }
}

/// `beneath`: the line names the directory, and not what was made or removed in it (security/landlock/fs.c checks these
/// rights on the parent, and the records beside it, SYSCALL and PATH, have the parent too: seen on Linux 6.18). What is
/// granted is the least that Landlock can hold: the directory with all that is beneath it.
void LogReader::file(model::Verb verb, const std::string& path, bool beneath) {
  std::string words = quoted(path);
  if (beneath) words.insert(words.size() - 1, "/**");
  const bool reads = verb == model::Verb::Read;  // which no rule permits without `list`, and which is written `read`
  words.insert(0, (reads ? "read" : model::verbs_text(static_cast<model::Verbs>(verb))) + ' ');
  LogAttempt* a = attempt(words);
  if (!a) return;
  a->block = "file";
  a->actions = {model::FileAction{verb, beneath ? path + "/x" : path}};
  a->entry.grant = "allow " + words;
  const model::Verdict verdict = model::decide(policy_, a->actions[0]);
  a->entry.rules = verdict.rules;
  if (verdict.decision == model::Decision::Allow)
    a->entry.answer = LogAnswer::Allowed;
  else
    a->entry.answer = verdict.rules.empty() ? LogAnswer::Missing : LogAnswer::Denied;
  if (beneath && a->entry.answer == LogAnswer::Missing)
    a->entry.reason =
        fmt::format("the log never names what is {} in a directory, and Landlock permits that by directory",
                    verb == model::Verb::Create ? "made" : "removed");
}

}  // namespace agp::driver
