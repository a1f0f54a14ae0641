#include "compiler/import/policy_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "compiler/diagnostics/text.hpp"

namespace agp::imported {
namespace {

constexpr std::uint32_t ret_action = 0xffff0000, ret_allow = 0x7fff0000, ret_log = 0x7ffc0000, ret_errno = 0x00050000,
                        ret_trap = 0x00030000, ret_kill_thread = 0, ret_kill_process = 0x80000000, eperm = 1;

bool permits(std::uint32_t word) { return (word & ret_action) == ret_allow || (word & ret_action) == ret_log; }

/// The names that values of an argument have; the prefix of the constants.
std::string_view constants_of(std::string_view call, std::string_view argument) {
  if ((call == "socket" || call == "socketpair") && argument == "domain") return "AF_";
  if ((call == "clone" || call == "unshare") && (argument == "flags" || argument == "clone_flags")) return "CLONE_";
  if (call == "setns" && argument == "nstype") return "CLONE_";
  return {};
}

std::string plain_number(std::uint64_t value) {
  return value < 4096 ? std::to_string(value) : fmt::format("{:#x}", value);
}

/// `AF_VSOCK`, `(CLONE_NEWNS | CLONE_NEWUSER)`, or the number.
std::string value_text(std::uint64_t value, std::string_view prefix, linux::Arch arch) {
  if (prefix.empty() || value == 0) return plain_number(value);
  std::vector<std::string> bits;
  std::uint64_t left = value;
  for (const std::string_view name : linux::constant_names()) {
    if (!name.starts_with(prefix) || name == "AF_MAX") continue;
    const auto known = linux::find_constant(name, arch);
    if (!known) continue;
    if (*known == value) return std::string(name);
    const bool one_bit = *known != 0 && (*known & (*known - 1)) == 0;
    if (prefix == "CLONE_" && one_bit && (left & *known) != 0) {
      bits.emplace_back(name);
      left &= ~*known;
    }
  }
  if (left != 0 || bits.size() < 2) return plain_number(value);
  return fmt::format("({})", fmt::join(bits, " | "));
}

/// A condition as the kernel sees the argument.
struct Clause {
  enum class Kind { Always, Never, Test, Unsayable };
  Kind kind = Kind::Always;
  std::string argument, text;          ///< Test: `domain < 38`
  std::optional<std::uint64_t> equal;  ///< Test of the form `argument == value`
  std::string equal_text;
};

Clause clause(const SourceTest& t, const linux::Syscall& call) {
  using Kind = Clause::Kind;
  using Op = SourceTest::Op;
  const linux::Argument& argument = call.arguments[t.argument];
  const std::uint64_t seen = argument.effective_mask;  // a register that means one value has no bits beyond
  if (argument.pointer) return {Kind::Unsayable, {}, {}, {}, {}};
  std::uint64_t mask = t.mask & seen;
  const bool whole = mask == seen;
  if (!whole && t.op != Op::Eq) return {Kind::Unsayable, {}, {}, {}, {}};
  const std::string name(linux::argument_name(call, static_cast<int>(t.argument)));
  const std::string value = value_text(t.value, constants_of(call.name, name), call.arch);
  const auto test = [&](std::string_view op) {
    Clause c{Kind::Test, name, fmt::format("{} {} {}", name, op, value), {}, {}};
    if (op == "==") {
      c.equal = t.value;
      c.equal_text = value;
    }
    return c;
  };
  const Clause always{Kind::Always, {}, {}, {}, {}}, never{Kind::Never, {}, {}, {}, {}};
  switch (t.op) {
    case Op::Eq:
      if ((t.value & ~seen) != 0) return never;
      if (mask == 0) return always;
      if (whole) return test("==");
      return {Kind::Test,
              name,
              fmt::format("{} & {} == {}", name, value_text(mask, constants_of(call.name, name), call.arch), value),
              {},
              {}};
    case Op::Ne:
      return (t.value & ~seen) != 0 ? always : test("!=");
    case Op::Lt:
      return t.value > seen ? always : t.value == 0 ? never : test("<");
    case Op::Le:
      return t.value >= seen ? always : test("<=");
    case Op::Gt:
      return t.value >= seen ? never : test(">");
    case Op::Ge:
      return t.value > seen ? never : t.value == 0 ? always : test(">=");
  }
  return never;
}

/// One call with the alternatives of its conditions.
struct Mention {
  bool always = false;
  std::vector<std::vector<Clause>> alternatives;  ///< none empty
  bool unsayable = false;

  std::vector<std::string> patterns(std::string_view name) const {
    const std::string shown = name == "kill" && always ? "kill()" : std::string(name);
    if (always) return {shown};
    std::vector<std::string> out;
    std::map<std::string, std::vector<std::string>> equal;  // by argument, in the order of the source
    for (const auto& all : alternatives)
      if (all.size() == 1 && all[0].equal) equal[all[0].argument].push_back(all[0].equal_text);
    std::set<std::string> written;
    for (const auto& all : alternatives) {
      std::string text;
      if (all.size() == 1 && all[0].equal && equal[all[0].argument].size() > 1) {
        if (!written.insert(all[0].argument).second) continue;
        text = fmt::format("{} in [{}]", all[0].argument, fmt::join(equal[all[0].argument], ", "));
      } else {
        for (const Clause& c : all) text += (text.empty() ? "" : ", ") + c.text;
      }
      out.push_back(fmt::format("{}({})", name, text));
    }
    return out;
  }
};

class Writer {
 public:
  explicit Writer(const Source& source) : source_(source) {}

  PolicyText run() {
    line(0, "agp 1");
    line(0, "");
    comment(0, source_.title);
    for (const std::string& note : source_.notes) comment(0, note);
    line(0, fmt::format("policy {} {{", source_.policy));
    line(1, "syscall {");
    if (permits(source_.default_word)) everything();
    for (std::size_t first = 0, next = 0; first < source_.rules.size(); first = next) {
      next = first + 1;
      while (next < source_.rules.size() && joins(first, next)) ++next;
      rules(first, next);
    }
    if (!permits(source_.default_word) && source_.default_word != (ret_errno | eperm)) others();
    line(1, "}");
    line(0, "}");
    return std::move(out_);
  }

 private:
  void line(int indent, std::string_view text) {
    out_.text += fmt::format("{:{}}{}\n", "", text.empty() ? 0 : indent * 2, text);
  }
  /// What stands in it is the source's, and the name of its file: neither may end the comment, or not be seen in it.
  void comment(int indent, std::string_view raw) {
    const std::string text = diagnostics::visible(raw);
    std::size_t at = 0;
    while (at < text.size()) {
      std::size_t end = text.size();
      if (end - at > 100) {
        end = text.rfind(' ', at + 100);
        if (end == std::string::npos || end <= at) end = std::min(text.find(' ', at + 100), text.size());
      }
      line(indent, "// " + text.substr(at, end - at));
      at = end < text.size() ? end + 1 : end;
    }
  }
  void rule(std::string_view effect, const std::vector<std::string>& patterns, std::string_view end) {
    if (patterns.empty()) return;
    std::string text = fmt::format("{} ", effect);
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      const std::string part = patterns[i] + (i + 1 < patterns.size() ? "," : "");
      const std::size_t begin = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
      if (i > 0 && text.size() - begin + part.size() + 1 > 100)
        text += "\n      " + part;
      else
        text += (i > 0 ? " " : "") + part;
    }
    line(2, text + std::string(end));
  }

  const SourceRule& at(std::size_t i) const { return source_.rules[i]; }
  std::set<std::string_view> names_of(std::size_t entry) const {
    const auto known = names_.find(entry);
    if (known != names_.end()) return known->second;
    std::set<std::string_view> out;
    for (const SourceRule& r : source_.rules)
      if (r.entry == entry) out.insert(r.call->name);
    return names_.emplace(entry, std::move(out)).first->second;
  }
  /// Rules of one entry stay together; entries with conditions on the same calls become one rule.
  bool joins(std::size_t first, std::size_t next) const {
    if (at(first).entry == at(next).entry) return true;
    return at(first).word == at(next).word && !at(first).tests.empty() && !at(next).tests.empty() &&
           names_of(at(first).entry) == names_of(at(next).entry);
  }

  /// ` errno ENOSYS`, ` kill`; nothing where the language has no such answer.
  std::optional<std::string> denial(std::uint32_t word, const std::string& what) {
    switch (word & ret_action) {
      case ret_errno:
        if (const auto name = linux::errno_name(static_cast<int>(word & 0xffff)))
          return fmt::format(" errno {}", *name);
        out_.dropped.push_back(fmt::format("{} answers errno {}, which has no name: it is EPERM", what, word & 0xffff));
        return "";
      case ret_trap:
        return " trap";
      case ret_kill_thread:
        out_.dropped.push_back(fmt::format("{} kills the thread: it is the process that ends", what));
        return " kill";
      case ret_kill_process:
        return " kill";
      default:
        out_.dropped.push_back(fmt::format("{} asks a supervisor, which the language can't: it is refused", what));
        return "";
    }
  }

  void rules(std::size_t first, std::size_t next) {
    std::vector<std::string> places;
    std::vector<std::string_view> order;
    std::map<std::string_view, Mention> mentions;
    for (std::size_t i = first; i < next; ++i) {
      const std::string& place = source_.places[at(i).entry];
      if (places.empty() || places.back() != place) places.push_back(place);
      const auto [mention, fresh] = mentions.try_emplace(at(i).call->name);
      if (fresh) order.push_back(at(i).call->name);
      add(mention->second, at(i), place);
    }
    const std::uint32_t word = at(first).word;
    if ((word & ret_action) == ret_log)
      out_.dropped.push_back(fmt::format("{} logs what it permits: it is permitted", places.front()));
    std::vector<std::string> patterns;
    for (const std::string_view name : order) {
      Mention& m = mentions[name];
      if (m.unsayable && !permits(word)) m.always = true;
      if (permits(word)) note_permitted(name, m);
      if (m.always || !m.alternatives.empty())
        for (std::string& p : m.patterns(name)) patterns.push_back(std::move(p));
    }
    if (patterns.empty()) return;
    comment(2, fmt::format("{}", fmt::join(places, ", ")));
    if (permits(word)) return rule("allow", patterns, "");
    rule("deny", patterns, *denial(word, places.front()));
  }

  void add(Mention& mention, const SourceRule& r, const std::string& place) {
    std::vector<Clause> all;
    for (const SourceTest& t : r.tests) {
      Clause c = clause(t, *r.call);
      if (c.kind == Clause::Kind::Never) return;
      if (c.kind == Clause::Kind::Unsayable) {
        out_.dropped.push_back(fmt::format("{} tests argument {} of `{}`, {}", place, t.argument, r.call->name,
                                           r.call->arguments[t.argument].pointer
                                               ? "a pointer, behind which no filter sees: the call is refused"
                                               : "by a part that the language can't compare: the call is refused"));
        mention.unsayable = true;
        return;
      }
      if (c.kind == Clause::Kind::Test) all.push_back(std::move(c));
    }
    if (all.empty()) mention.always = true;
    const auto same = [&](const std::vector<Clause>& other) {
      return std::equal(all.begin(), all.end(), other.begin(), other.end(),
                        [](const Clause& a, const Clause& b) { return a.text == b.text; });
    };
    if (!all.empty() && std::none_of(mention.alternatives.begin(), mention.alternatives.end(), same))
      mention.alternatives.push_back(std::move(all));
  }

  // the answer to calls that no entry names
  // -----------------------------------------------------------------------------

  void note_permitted(std::string_view name, const Mention& m) {
    Mention& known = permitted_[name];
    known.always = known.always || m.always;
    known.alternatives.insert(known.alternatives.end(), m.alternatives.begin(), m.alternatives.end());
  }
  std::set<std::string_view> every_name() const {
    std::set<std::string_view> out;
    for (const linux::Arch arch : source_.archs)
      for (const linux::Syscall& call : linux::syscalls(arch)) out.insert(call.name);
    return out;
  }
  void everything() {
    comment(2, "the source permits by default: every call that has a name");
    std::vector<std::string> names;
    for (const std::string_view name : every_name()) names.emplace_back(name == "kill" ? "kill()" : name);
    rule("allow", names, "");
    out_.dropped.emplace_back("it permits by default calls that have no name: they are refused");
  }
  /// A default that is not EPERM is said for every call that is not wholly permitted.
  void others() {
    std::vector<std::string> names;
    std::map<std::string_view, std::vector<std::string>> parts;
    std::set<std::string_view> answered;
    for (const SourceRule& r : source_.rules)
      if (!permits(r.word)) answered.insert(r.call->name);
    for (const std::string_view name : every_name()) {
      const auto known = permitted_.find(name);
      if (answered.contains(name) || (known != permitted_.end() && known->second.always)) continue;
      if (known == permitted_.end() || known->second.alternatives.empty())
        names.emplace_back(name == "kill" ? "kill()" : name);
      else
        parts[name] = known->second.patterns(name);
    }
    comment(2, "what the source answers to every other call");
    const std::string answer = *denial(source_.default_word, "the default action");
    rule("deny", names, answer);
    for (const auto& [name, patterns] : parts)
      rule("deny", {std::string(name)}, fmt::format(" except {}{}", fmt::join(patterns, ", "), answer));
  }

  const Source& source_;
  std::map<std::string_view, Mention> permitted_;
  mutable std::map<std::size_t, std::set<std::string_view>> names_;
  PolicyText out_;
};

}  // namespace

PolicyText policy_text(const Source& source) { return Writer(source).run(); }

}  // namespace agp::imported
