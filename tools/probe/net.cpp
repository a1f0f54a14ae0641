// Attempts on the network. In: protocol, address and port, or a name and the resolver to ask. A refusal comes at once
// or counts as `timeout` after five seconds of silence: what a drop looks like.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "tools/probe/attempt.hpp"

namespace agp::probe {
namespace {

constexpr int patience_ms = 5000;
constexpr char greeting[] = "agp-probe";

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t length = 0;
  sockaddr* address() { return reinterpret_cast<sockaddr*>(&storage); }
};

/// An address with a colon is IPv6, `::ffff:a.b.c.d` too: it goes through an IPv6 socket.
std::optional<Endpoint> endpoint(const std::string& address, std::uint64_t port) {
  Endpoint e;
  if (address.find(':') != address.npos) {
    auto* six = reinterpret_cast<sockaddr_in6*>(&e.storage);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(static_cast<std::uint16_t>(port));
    e.length = sizeof *six;
    if (inet_pton(AF_INET6, address.c_str(), &six->sin6_addr) != 1) return {};
  } else {
    auto* four = reinterpret_cast<sockaddr_in*>(&e.storage);
    four->sin_family = AF_INET;
    four->sin_port = htons(static_cast<std::uint16_t>(port));
    e.length = sizeof *four;
    if (inet_pton(AF_INET, address.c_str(), &four->sin_addr) != 1) return {};
  }
  return e;
}

bool wait_for(int fd, short events) {
  pollfd p{fd, events, 0};
  int ready = 0;
  do ready = poll(&p, 1, patience_ms);
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

Outcome timed_out() { return {"timeout", "silence for 5 s"}; }

Outcome connect_stream(Endpoint e) {
  const int fd = socket(e.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return refused(errno, "socket");
  if (connect(fd, e.address(), e.length) != 0) {
    if (errno != EINPROGRESS) return refused(errno, "connect");
    if (!wait_for(fd, POLLOUT)) return timed_out();
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return refused(error, "connect");
  }
  return ok();
}

/// A datagram out and one back.
Outcome exchange(int fd, const void* bytes, std::size_t size) {
  if (send(fd, bytes, size, 0) < 0) return refused(errno, "send");
  if (!wait_for(fd, POLLIN)) return timed_out();
  char answer[1500];
  if (recv(fd, answer, sizeof answer, 0) < 0) return refused(errno, "receive");
  return ok();
}

Outcome send_datagram(Endpoint e) {
  const int fd = socket(e.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return refused(errno, "socket");
  if (connect(fd, e.address(), e.length) != 0) return refused(errno, "connect");
  return exchange(fd, greeting, sizeof greeting);
}

Outcome send_echo(Endpoint e) {
  const bool six = e.storage.ss_family == AF_INET6;
  const int fd = socket(e.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC,
                        six ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP));
  if (fd < 0) return refused(errno, "socket");
  if (connect(fd, e.address(), e.length) != 0) return refused(errno, "connect");
  icmphdr echo{};
  echo.type = six ? 128 : ICMP_ECHO;  // ICMPV6_ECHO_REQUEST, RFC 4443
  return exchange(fd, &echo, sizeof echo);
}

Outcome connect_to(const std::string& protocol, const std::string& address, std::uint64_t port) {
  const auto e = endpoint(address, port);
  if (!e) return unprepared("no address: " + address);
  if (protocol == "tcp") return connect_stream(*e);
  if (protocol == "udp") return send_datagram(*e);
  return send_echo(*e);
}

// --- names: a query by hand (RFC 1035), since there is no resolver library in an empty root

struct Answer {
  Outcome outcome;                     ///< ok, EMPTY, NXDOMAIN, …
  std::vector<std::string> addresses;  ///< of the A and AAAA records
};

std::string query(const std::string& name, std::uint16_t type) {
  std::string q("\x2a\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);  // id, RD, one question
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('.', at), name.size());
    q += static_cast<char>(end - at);
    q += name.substr(at, end - at);
    at = end + 1;
  }
  q += '\0';
  for (const unsigned v : {static_cast<unsigned>(type), 1u}) q += {static_cast<char>(v >> 8), static_cast<char>(v)};
  return q;
}

/// The offset behind a name, also a compressed one.
std::size_t skip_name(const std::string& m, std::size_t at) {
  while (at < m.size()) {
    const auto length = static_cast<unsigned char>(m[at]);
    if (length >= 0xc0) return at + 2;
    at += length + 1u;
    if (length == 0) break;
  }
  return at;
}

Answer read_answer(const std::string& m, std::uint16_t type) {
  const auto word = [&](std::size_t at) -> unsigned {
    return at + 1 < m.size()
               ? static_cast<unsigned>(static_cast<unsigned char>(m[at]) << 8 | static_cast<unsigned char>(m[at + 1]))
               : 0;
  };
  static constexpr const char* codes[] = {"ok", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
  const unsigned code = word(2) & 15, count = word(6);
  if (code != 0) return {{code < 6 ? codes[code] : "RCODE " + std::to_string(code), ""}, {}};
  Answer answer{{empty_answer, ""}, {}};
  std::size_t at = skip_name(m, 12) + 4;
  for (unsigned i = 0; i < count && at < m.size(); ++i) {
    at = skip_name(m, at);
    const unsigned found = word(at), size = word(at + 8);
    at += 10;
    if (found == type && at + size <= m.size()) {
      answer.outcome.outcome = "ok";
      char text[INET6_ADDRSTRLEN] = "";
      if ((type == 1 && size == 4) || (type == 28 && size == 16))
        answer.addresses.push_back(inet_ntop(type == 1 ? AF_INET : AF_INET6, m.data() + at, text, sizeof text));
    }
    at += size;
  }
  for (const std::string& a : answer.addresses) answer.outcome.detail += (answer.outcome.detail.empty() ? "" : " ") + a;
  return answer;
}

Answer resolve(const std::string& server, const std::string& name, std::uint16_t type) {
  auto e = endpoint(server, 53);
  if (!e) return {unprepared("no resolver: " + server), {}};
  const int fd = socket(e->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {refused(errno, "socket"), {}};
  if (connect(fd, e->address(), e->length) != 0) return {refused(errno, "connect"), {}};
  const std::string q = query(name, type);
  if (send(fd, q.data(), q.size(), 0) < 0) return {refused(errno, "send"), {}};
  if (!wait_for(fd, POLLIN)) return {timed_out(), {}};
  char bytes[4096];
  const ssize_t n = recv(fd, bytes, sizeof bytes, 0);
  if (n < 12) return {n < 0 ? refused(errno, "receive") : unprepared("a short answer"), {}};
  return read_answer(std::string(bytes, static_cast<std::size_t>(n)), type);
}

std::uint16_t record_type(const std::string& name) {
  static constexpr struct {
    const char* name;
    std::uint16_t type;
  } types[] = {{"A", 1}, {"NULL", 10}, {"MX", 15}, {"TXT", 16}, {"AAAA", 28}, {"HTTPS", 65}, {"ANY", 255}};
  for (const auto& t : types)
    if (name == t.name) return t.type;
  return 1;
}

/// To the first address the resolver gives, or to `address` if the resolver gives it among others.
Outcome connect_name(const Arguments& arguments) {
  const std::string wanted = arguments.text("address");
  const Answer answer =
      resolve(arguments.text("server"), arguments.text("name"), record_type(arguments.text("type", "A")));
  if (answer.outcome.outcome != "ok") return {answer.outcome.outcome, "resolve"};
  for (const std::string& a : answer.addresses) {
    if (!wanted.empty() && a != wanted) continue;
    Outcome o = connect_to(arguments.text("protocol", "tcp"), a, arguments.number("port"));
    if (o.detail.empty()) o.detail = a;
    return o;
  }
  return unprepared("the resolver did not give " + wanted);
}

Outcome listen_at(const Arguments& arguments) {
  auto e = endpoint(arguments.text("address"), arguments.number("port"));
  if (!e) return unprepared("no address");
  const bool stream = arguments.text("protocol", "tcp") == "tcp";
  const int fd = socket(e->storage.ss_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (fd < 0) return refused(errno, "socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, e->address(), e->length) != 0) return refused(errno, "bind");
  if (stream && listen(fd, 8) != 0) return refused(errno, "listen");
  return wait_for(fd, POLLIN) ? ok("a peer came through") : timed_out();
}

Outcome connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return unprepared("no path");
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';  // abstract: unix(7)
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return refused(errno, "socket");
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path[0] == '@' ? 0 : 1));
  return connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 ? ok() : refused(errno, "connect");
}

}  // namespace

Outcome attempt_net(std::string_view kind, const Arguments& arguments) {
  if (kind == "connect")
    return connect_to(arguments.text("protocol"), arguments.text("address"), arguments.number("port"));
  if (kind == "connect-name") return connect_name(arguments);
  if (kind == "listen") return listen_at(arguments);
  if (kind == "connect-unix") return connect_unix(arguments.text("path"));
  const Answer answer =
      resolve(arguments.text("server"), arguments.text("name"), record_type(arguments.text("type", "A")));
  if (kind == "resolve") return answer.outcome;
  return ok("asked: " + answer.outcome.outcome);  // forward: whether it went on is for the upstream's log to say
}

}  // namespace agp::probe
