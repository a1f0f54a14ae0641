#include "compiler/solver/second.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

namespace agp::solver {
namespace {

using Clock = std::chrono::steady_clock;

std::string_view word(Op op) {
  switch (op) {
    case Op::Not:
      return "not";
    case Op::And:
      return "and";
    case Op::Or:
      return "or";
    case Op::Ite:
      return "ite";
    case Op::Eq:
      return "=";
    case Op::Ult:
      return "bvult";
    case Op::Ule:
      return "bvule";
    case Op::BvAnd:
      return "bvand";
    case Op::BvOr:
      return "bvor";
    case Op::BvXor:
      return "bvxor";
    case Op::Add:
      return "bvadd";
    case Op::Sub:
      return "bvsub";
    case Op::Mul:
      return "bvmul";
    case Op::Udiv:
      return "bvudiv";
    case Op::Urem:
      return "bvurem";
    case Op::Shl:
      return "bvshl";
    case Op::Lshr:
      return "bvlshr";
    case Op::Neg:
      return "bvneg";
    default:
      return "concat";
  }
}

std::size_t operands(Op op) {
  switch (op) {
    case Op::Const:
    case Op::Var:
      return 0;
    case Op::Not:
    case Op::Neg:
    case Op::Extract:
      return 1;
    case Op::Ite:
      return 3;
    default:
      return 2;
  }
}

/// A constant by its value, everything else by the name of its node.
std::string name(const Terms& terms, std::uint32_t id) {
  const Terms::Node& n = terms.node({id});
  if (n.op != Op::Const) return fmt::format("t{}", id);
  return n.width == 0 ? n.value != 0 ? "true" : "false" : fmt::format("(_ bv{} {})", n.value, n.width);
}

std::string sort(unsigned width) { return width == 0 ? "Bool" : fmt::format("(_ BitVec {})", width); }

void define(const Terms& terms, std::uint32_t id, std::string& out) {
  const Terms::Node& n = terms.node({id});
  if (n.op == Op::Const) return;
  if (n.op == Op::Var) {
    out += fmt::format("(declare-fun t{} () {})\n", id, sort(n.width));
    return;
  }
  out += fmt::format("(define-fun t{} () {} (", id, sort(n.width));
  out +=
      n.op == Op::Extract ? fmt::format("(_ extract {} {})", n.value + n.width - 1, n.value) : std::string(word(n.op));
  const std::uint32_t all[] = {n.a, n.b, n.c};
  for (std::size_t i = 0; i < operands(n.op); ++i) out += ' ' + name(terms, all[i]);
  out += "))\n";
}

/// Closed at the end of its life.
struct End {
  int fd = -1;
  ~End() { close(); }
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
};

/// A reader that has gone is an error of `write` here, not the end of this process.
class NoSigpipe {
 public:
  NoSigpipe() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &before_);
  }
  ~NoSigpipe() { ::sigaction(SIGPIPE, &before_, nullptr); }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  struct sigaction before_ {};
};

constexpr int not_executed = 127;

[[noreturn]] void become(const SecondSolver& solver, char* const* arguments, char* const* environment, int in, int out,
                         std::uint64_t seconds) {
  const int null = ::open("/dev/null", O_WRONLY);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(null, 2);
  std::signal(SIGPIPE, SIG_DFL);
  const rlimit memory{solver.memory, solver.memory}, time{seconds, seconds}, none{0, 0};
  ::setrlimit(RLIMIT_AS, &memory);
  ::setrlimit(RLIMIT_CPU, &time);
  ::setrlimit(RLIMIT_CORE, &none);
  ::execve(solver.program.c_str(), arguments, environment);
  ::_exit(not_executed);
}

struct Finished {
  std::string out;
  std::string fault;
};

/// Feeds the child and listens to it, whichever is ready. It has said enough with `most` bytes.
std::string talk(const std::string& script, End& to, End& from, std::size_t most, Clock::time_point end,
                 std::string& out) {
  std::size_t written = 0;
  std::array<char, 4096> buffer;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return "it did not answer in time";
    pollfd list[] = {{from.fd, POLLIN, 0}, {to.fd, POLLOUT, 0}};
    if (::poll(list, to.fd >= 0 ? 2 : 1, static_cast<int>(std::min<long>(left, 1000))) < 0 && errno != EINTR)
      return fmt::format("it can't be heard: {}", std::strerror(errno));
    if (to.fd >= 0 && list[1].revents != 0) {
      const ssize_t n = ::write(to.fd, script.data() + written, script.size() - written);
      if (n > 0) written += static_cast<std::size_t>(n);
      const bool gone = n < 0 && errno != EAGAIN && errno != EINTR;
      if (gone || written == script.size()) to.close();
    }
    if (list[0].revents == 0) continue;
    const ssize_t n = ::read(from.fd, buffer.data(), buffer.size());
    if (n == 0) return {};
    if (n < 0 && errno != EINTR && errno != EAGAIN) return fmt::format("it can't be heard: {}", std::strerror(errno));
    if (n > 0) out.append(buffer.data(), static_cast<std::size_t>(n));
    if (out.size() > most) return "it says more than was asked";
  }
}

Finished run(const SecondSolver& solver, const std::string& script, std::size_t questions) {
  std::string program = solver.program, language = "--lang=smt2", incremental = "--incremental",
              limit = fmt::format("--tlimit-per={}", solver.timeout.count());
  char* arguments[] = {program.data(), language.data(), incremental.data(), limit.data(), nullptr};
  char* environment[] = {nullptr};
  // each question has its time; beside them there is the reading of the script
  const auto all = solver.timeout * static_cast<long>(questions) + solver.startup;
  const auto seconds = static_cast<std::uint64_t>(all.count()) / 1000 + 1;
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return {{}, std::strerror(errno)};
  End child_in{in[0]}, to{in[1]};
  if (::pipe2(out, O_CLOEXEC) != 0) return {{}, std::strerror(errno)};
  End from{out[0]}, child_out{out[1]};
  ::fcntl(to.fd, F_SETFL, O_NONBLOCK);
  const NoSigpipe guard;
  const pid_t child = ::fork();
  if (child < 0) return {{}, fmt::format("it can't be started: {}", std::strerror(errno))};
  if (child == 0) become(solver, arguments, environment, child_in.fd, child_out.fd, seconds);
  child_in.close();
  child_out.close();
  Finished done;
  done.fault = talk(script, to, from, questions * 200 + 4096, Clock::now() + all, done.out);
  if (!done.fault.empty()) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!done.fault.empty()) return done;
  if (WIFEXITED(status) && WEXITSTATUS(status) == not_executed && done.out.empty())
    done.fault = "it can't be executed";
  else if (WIFSIGNALED(status))
    done.fault = fmt::format("it was ended by signal {}", WTERMSIG(status));
  return done;
}

std::optional<Said> said(std::string_view line) {
  if (line == "sat") return Said::Sat;
  if (line == "unsat") return Said::Unsat;
  if (line == "unknown") return Said::Unknown;
  return std::nullopt;
}

}  // namespace

std::string smt_lib(const Terms& terms, std::span<const Term> questions) {
  std::vector<bool> used(terms.size());
  for (const Term q : questions) used[q.id] = true;
  // operands have smaller ids than what uses them
  for (std::uint32_t id = static_cast<std::uint32_t>(terms.size()); id-- > 0;) {
    if (!used[id]) continue;
    const Terms::Node& n = terms.node({id});
    const std::uint32_t all[] = {n.a, n.b, n.c};
    for (std::size_t i = 0; i < operands(n.op); ++i) used[all[i]] = true;
  }
  std::string out = "(set-logic QF_BV)\n";
  for (std::uint32_t id = 0; id < terms.size(); ++id)
    if (used[id]) define(terms, id, out);
  for (const Term q : questions) out += fmt::format("(push 1)\n(assert {})\n(check-sat)\n(pop 1)\n", name(terms, q.id));
  return out;
}

Opinions second_opinion(const Terms& terms, std::span<const Term> questions, const SecondSolver& solver) {
  Opinions out;
  out.said.resize(questions.size());
  if (questions.empty()) return out;
  const Finished done = run(solver, smt_lib(terms, questions), questions.size());
  out.fault = done.fault;
  std::size_t count = 0;
  std::string_view rest = done.out;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const auto answer = count < questions.size() ? said(rest.substr(0, end)) : std::nullopt;
    if (!answer) {
      // an error shifts what comes behind it: nothing of it is about a question any more
      std::fill(out.said.begin(), out.said.end(), Said::Unknown);
      if (out.fault.empty())
        out.fault = count == questions.size()
                        ? "it says more than was asked"
                        : fmt::format("it says `{}`", rest.substr(0, std::min<std::size_t>(end, 200)));
      return out;
    }
    out.said[count++] = *answer;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (out.fault.empty() && count < questions.size())
    out.fault = fmt::format("it answers {} of {} questions", count, questions.size());
  if (out.fault.empty() && std::find(out.said.begin(), out.said.end(), Said::Unknown) != out.said.end())
    out.fault = fmt::format("its limit of {} s was reached", static_cast<double>(solver.timeout.count()) / 1000);
  return out;
}

}  // namespace agp::solver
