// agp-probe FILE: runs the attempts of `agp probe`, inside the sandbox under test.
//
// In: JSON lines of `agp-probe/1`. Out: one JSON line for each attempt on standard output, `agp-probed/1`, in order:
//   {"schema":"agp-probed/1","id":"…","outcome":"ok","detail":"…"}
// Holds afterwards: every attempt ran in a child of its own, no child of it is left, and no attempt's end (a signal, a
// hang, no memory) kept the next from running. Exit 0 whatever the outcomes are, 2 when FILE can't be read as probes.
//
// Static and without locale, resolver library or anything else of the root file system: the root may be empty.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>
#include <vector>

#include "tools/probe/attempt.hpp"

namespace agp::probe {

Outcome ok(std::string detail) { return {"ok", std::move(detail)}; }
Outcome unprepared(std::string why) { return {"unprepared", std::move(why)}; }
Outcome refused(int error, std::string detail) {
  const char* name = strerrorname_np(error);
  return {name != nullptr ? name : "errno " + std::to_string(error), std::move(detail)};
}

std::string Arguments::text(const char* name, std::string otherwise) const {
  const auto i = fields_.find(std::string("attempt.") + name);
  return i == fields_.end() ? std::move(otherwise) : i->second;
}
bool Arguments::has(const char* name) const { return fields_.count(std::string("attempt.") + name) != 0; }
std::uint64_t Arguments::number(const char* name, std::uint64_t otherwise) const {
  return parse_number(text(name)).value_or(otherwise);
}
std::optional<std::uint64_t> parse_number(std::string_view text) {
  const bool hex = text.substr(0, 2) == "0x";
  if (hex) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

namespace {

struct Kind {
  const char* name;
  Outcome (*run)(std::string_view, const Arguments&);
};
constexpr Kind kinds[] = {
    {"read", attempt_file},          {"list", attempt_file},   {"modify", attempt_file},
    {"create", attempt_file},        {"delete", attempt_file}, {"mkdir", attempt_file},
    {"mknod", attempt_file},         {"chmod", attempt_file},  {"exec", attempt_file},
    {"rename-create", attempt_file}, {"connect", attempt_net}, {"connect-name", attempt_net},
    {"resolve", attempt_net},        {"forward", attempt_net}, {"listen", attempt_net},
    {"connect-unix", attempt_net},   {"filter", attempt_call}, {"call", attempt_call},
    {"memory", attempt_limit},       {"pids", attempt_limit},  {"call-i386", attempt_call},
    {"files", attempt_limit},        {"time", attempt_limit},  {"env", attempt_limit},
    {"capability", attempt_limit},   {"rename", attempt_file}, {"link", attempt_file},
};

Outcome run_kind(const Fields& fields) {
  const Arguments arguments(fields);
  const std::string kind = arguments.text("kind");
  for (const Kind& k : kinds)
    if (kind == k.name) return k.run(kind, arguments);
  return unprepared("this executor has no attempt of the kind '" + kind + "'");
}

std::int64_t now_ms() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1000000;
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// Everything the attempt started is in its session or, under pid 1 of an own namespace, everything that is left.
void end_children(pid_t child, bool reaped) {
  kill(-child, SIGKILL);
  if (!reaped) kill(child, SIGKILL);
  if (getpid() == 1) kill(-1, SIGKILL);
  while (waitpid(getpid() == 1 ? -1 : child, nullptr, 0) > 0) {
  }
}

enum class End { Exited, TimeOver };

/// Collects what the child writes until it ends. Its own end counts, not the pipe's: a process that the attempt started
/// may hold the pipe open.
End collect(int fd, pid_t child, std::int64_t deadline, std::string& text, int& status) {
  const auto drain = [&] {
    char bytes[512];
    for (ssize_t n = 0; (n = read(fd, bytes, sizeof bytes)) > 0;) text.append(bytes, static_cast<std::size_t>(n));
  };
  fcntl(fd, F_SETFL, O_NONBLOCK);
  for (;;) {
    const bool exited = waitpid(child, &status, WNOHANG) == child;
    drain();
    if (exited) return End::Exited;
    const std::int64_t left = deadline - now_ms();
    if (left <= 0) return End::TimeOver;
    // A readable pipe ends the wait at once; what can't wake it is looked at every 20 ms.
    pollfd p{fd, POLLIN, 0};
    poll(&p, 1, static_cast<int>(std::min<std::int64_t>(left, 20)));
  }
}

Outcome run_in_child(const Fields& fields) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return unprepared("pipe: " + refused(errno).outcome);
  const pid_t child = fork();
  if (child < 0) return unprepared("fork: " + refused(errno).outcome);
  if (child == 0) {
    close(ends[0]);
    setsid();
    const Outcome o = run_kind(fields);
    write_all(ends[1], o.outcome + '\n' + o.detail);
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  int status = 0;
  const auto limit = static_cast<std::int64_t>(Arguments(fields).number("limit_ms", 30000));
  const End end = collect(ends[0], child, now_ms() + limit, text, status);
  close(ends[0]);
  end_children(child, end == End::Exited);
  if (end == End::TimeOver) return {"timeout", "no end within " + std::to_string(limit) + " ms"};
  if (const auto line = text.find('\n'); line != text.npos) return {text.substr(0, line), text.substr(line + 1)};
  if (!WIFSIGNALED(status)) return unprepared("the attempt's process ended without an answer");
  const char* name = sigabbrev_np(WTERMSIG(status));
  return {std::string("SIG") + (name != nullptr ? name : std::to_string(WTERMSIG(status))), "killed"};
}

bool read_file(const char* path, std::string& text) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char bytes[4096];
  ssize_t n = 0;
  while ((n = read(fd, bytes, sizeof bytes)) > 0) text.append(bytes, static_cast<std::size_t>(n));
  close(fd);
  return n == 0;
}

int run(const char* path) {
  std::string text;
  if (!read_file(path, text)) return std::fprintf(stderr, "agp-probe: can't read %s: %s\n", path, strerror(errno)), 2;
  std::vector<Fields> attempts;
  for (std::size_t at = 0, line = 1; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    auto fields = parse_object(std::string_view(text).substr(at, end - at));
    at = end + 1;
    if (!fields || (line == 1 && (*fields)["schema"] != "agp-probe/1"))
      return std::fprintf(stderr, "agp-probe: %s:%zu is no line of agp-probe/1\n", path, line), 2;
    if (fields->count("id") != 0) attempts.push_back(std::move(*fields));
  }
  for (const Fields& fields : attempts) {
    const Outcome o = run_in_child(fields);
    write_all(STDOUT_FILENO, "{\"schema\":\"agp-probed/1\",\"id\":" + quoted(fields.at("id")) +
                                 ",\"outcome\":" + quoted(o.outcome) + ",\"detail\":" + quoted(o.detail) + "}\n");
  }
  return 0;
}

}  // namespace
}  // namespace agp::probe

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: agp-probe FILE\n"), 2;
  std::signal(SIGPIPE, SIG_IGN);
  return agp::probe::run(argv[1]);
}
