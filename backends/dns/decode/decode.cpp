#include "backends/dns/decode/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "backends/dns/format.hpp"
#include "compiler/model/name_layer.hpp"

// In: dnsmasq's configuration (dnsmasq(8), src/option.c of 2.90) and resolv.conf(5). Out: which names are answered from
// where, and which sets an answer fills. `server`, `local` and `address` share one table of domains, of which the
// longest decides (src/domain-match.c); `nftset` has its own (domain_find_sets, src/forward.c). An option that is not
// known could answer anything, so it is refused.
namespace agp::backends::dns {
namespace {

using model::NameFill;
using model::NameLayer;
using model::NameRule;

struct Refusal {
  std::string message;
};
[[noreturn]] void refuse(std::string message) { throw Refusal{std::move(message)}; }

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto at = text.find(by);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::uint32_t number(std::string_view text, std::uint32_t most) {
  std::uint32_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size() || n > most)
    refuse(fmt::format("`{}` is no number up to {}", text, most));
  return n;
}

model::Address address(std::string_view text) {
  const auto a = text.find(':') == std::string_view::npos ? model::parse_v4(text) : model::parse_v6(text);
  if (!a) refuse(fmt::format("`{}` is no address", text));
  return *a;
}

std::string domain(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!good) refuse(fmt::format("`{}` is no domain", text));
  }
  if (out.empty() || out.size() > 253 || out.front() == '.' || out.back() == '.' || out.find("..") != std::string::npos)
    refuse(fmt::format("`{}` is no domain", text));
  return out;
}

/// Record types by number, and the common ones by name.
int record_type(std::string_view text) {
  constexpr std::pair<std::string_view, int> names[] = {
      {"A", 1},     {"NS", 2},   {"CNAME", 5},  {"SOA", 6},   {"PTR", 12},   {"MX", 15},   {"TXT", 16},
      {"AAAA", 28}, {"SRV", 33}, {"NAPTR", 35}, {"SVCB", 64}, {"HTTPS", 65}, {"ANY", 255}, {"CAA", 257}};
  for (const auto& [name, type] : names)
    if (name == text) return type;
  return static_cast<int>(number(text, 65535));
}

class Reader {
 public:
  explicit Reader(const Artifact& artifact) : bytes_(artifact.bytes) {
    out_.artifact = artifact.path;
    out_.hosts = true;
    out_.caches = true;
    out_.rest = 0;
  }

  NameLayer run() {
    for (const std::string_view raw : split(bytes_, '\n')) {
      ++line_;
      try {
        line(raw);
      } catch (const Refusal& r) {
        refuse(fmt::format("line {}: {}", line_, r.message));
      }
    }
    if (no_resolv_ && out_.rest == 0u) out_.rest.reset();  // nobody is asked
    for (const NameRule& rule : out_.rules)
      if (rule.suffix.empty() && out_.rest)
        refuse(fmt::format("line {} is about every name, and dnsmasq asks the servers {} all the same", rule.line,
                           *out_.rest == 0 ? "of the machine, without `no-resolv`," : fmt::format("of line {}", *out_.rest)));
    return std::move(out_);
  }

 private:
  void line(std::string_view raw) {
    if (raw.size() > format::longest_line)
      refuse(fmt::format("dnsmasq cuts lines after {} bytes", format::longest_line));
    std::string_view text = trimmed(raw);
    if (text.empty() || text.front() == '#') return;
    if (const auto comment = text.find(" #"); comment != std::string_view::npos)
      text = trimmed(text.substr(0, comment));
    for (const char c : text)
      if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f)
        refuse("quotes, backslashes and characters beyond printable ASCII are not read");
    const auto equals = text.find('=');
    option(trimmed(text.substr(0, equals)),
           equals == std::string_view::npos ? std::nullopt : std::optional(trimmed(text.substr(equals + 1))));
  }

  void option(std::string_view name, std::optional<std::string_view> value) {
    for (const std::string_view one :
         {"port", "cache-size", "user", "group", "log-facility", "pid-file", "dns-forward-max"})
      if (name == one && !once_.insert(one).second)  // src/option.c, ARG_ONE
        refuse(fmt::format("`{}` stands there twice, and dnsmasq does not start", name));
    for (const std::string_view plain :
         {"bind-interfaces", "no-ident", "no-poll", "strip-mac", "strip-subnet", "no-negcache"})
      if (name == plain) return none(name, value);
    for (const std::string_view any : {"log-queries", "log-facility", "pid-file", "group"})
      if (name == any) return;
    if (name == "no-resolv") {
      none(name, value);
      no_resolv_ = true;
    } else if (name == "no-hosts") {
      none(name, value);
      out_.hosts = false;
    } else if (name == "domain-needed") {
      none(name, value);
      out_.dotted_only = true;
    } else if (name == "filter-A" || name == "filter-AAAA") {
      none(name, value);
      out_.emptied.insert(name == "filter-A" ? 1 : 28);
    } else if (!value) {
      refuse(fmt::format("the option `{}` is not known here", name));
    } else if (name == "dns-forward-max") {
      if (number(*value, 1'000'000) == 0) refuse("with `dns-forward-max=0` every question is refused");
    } else if (name == "port") {
      out_.port = static_cast<std::uint16_t>(number(*value, 65535));
    } else if (name == "cache-size") {
      out_.caches = number(*value, 1'000'000) != 0;
    } else if (name == "user") {
      out_.user = *value;
    } else if (name == "listen-address") {
      for (const auto a : split(*value, ',')) out_.listens.push_back(address(trimmed(a)));
    } else if (name == "filter-rr") {
      for (const auto t : split(*value, ',')) out_.emptied.insert(record_type(trimmed(t)));
    } else if (name == "server" || name == "local") {
      server(*value);
    } else if (name == "address") {
      stated(*value);
    } else if (name == "nftset") {
      fill(*value);
    } else {
      refuse(fmt::format("the option `{}` is not known here", name));
    }
  }
  static void none(std::string_view name, const std::optional<std::string_view>& value) {
    if (value) refuse(fmt::format("`{}` takes no value", name));
  }

  /// `/a/b/rest` -> {a, b}, rest.
  std::pair<std::vector<std::string_view>, std::string_view> domains(std::string_view value) {
    if (value.empty() || value.front() != '/') return {{}, value};
    auto parts = split(value.substr(1), '/');
    if (parts.size() < 2) refuse("the list of domains does not end with a `/`");
    const std::string_view rest = parts.back();
    parts.pop_back();
    return {std::move(parts), rest};
  }

  NameRule rule_of(std::string_view text) {
    NameRule r;
    r.line = line_;
    if (text == "#") return r;
    if (text.empty()) refuse("`//`, for names without a dot, is not read");
    if (text.front() == '*') {
      r.anywhere = true;
      text.remove_prefix(1);
      const bool dot = !text.empty() && text.front() == '.';
      r.suffix = (dot ? "." : "") + domain(text.substr(dot ? 1 : 0));
    } else {
      r.suffix = domain(text);
    }
    return r;
  }

  void add(NameRule r) {
    for (NameRule& old : out_.rules) {
      if (old.suffix != r.suffix || old.anywhere != r.anywhere) continue;
      if (old.what != r.what) refuse(fmt::format("line {} says something else about the same names", old.line));
      old.upstream.insert(old.upstream.end(), r.upstream.begin(), r.upstream.end());
      return;
    }
    if (r.anywhere != false)
      for (const NameRule& old : out_.rules)
        if (old.suffix == r.suffix) refuse(fmt::format("line {} is about the same suffix", old.line));
    out_.rules.push_back(std::move(r));
  }

  void server(std::string_view value) {
    const auto [list, to] = domains(value);
    std::vector<model::Address> upstream;
    if (!to.empty()) {
      const auto hash = to.find('#');
      if (hash == 0) refuse("`#`, for the standard servers, is not read");
      upstream.push_back(address(to.substr(0, hash)));
      if (hash != std::string_view::npos && to.substr(hash + 1) != "53")
        refuse("an upstream at another port than 53 is not read");
    }
    if (list.empty()) {
      if (upstream.empty()) refuse("no server is named");
      out_.rest = line_;
      out_.rest_upstream.push_back(upstream[0]);
      return;
    }
    for (const auto one : list) {
      NameRule r = rule_of(one);
      r.what = upstream.empty() ? NameRule::What::Nothing : NameRule::What::Forward;
      r.upstream = upstream;
      add(std::move(r));
    }
  }

  void stated(std::string_view value) {
    const auto [list, to] = domains(value);
    if (list.empty()) refuse("`address` needs domains between slashes");
    for (const auto one : list) {
      NameRule r = rule_of(one);
      if (!to.empty()) {
        if (to != "#") address(to);
        r.what = NameRule::What::Stated;
      }
      add(std::move(r));
    }
  }

  void fill(std::string_view value) {
    const auto [list, to] = domains(value);
    if (list.empty()) refuse("`nftset` needs domains between slashes");
    std::vector<NameFill::Into> into;
    for (const auto one : split(to, ',')) {
      auto parts = split(one, '#');
      NameFill::Into i;
      if (parts[0] == "4" || parts[0] == "6") {
        i.family = parts[0] == "4" ? 4 : 6;
        parts.erase(parts.begin());
      }
      if (parts.size() == 2) parts.insert(parts.begin(), "ip");  // nft's own default
      if (parts.size() != 3 || parts[1].empty() || parts[2].empty())
        refuse(fmt::format("`{}` is no set: `4#inet#TABLE#SET`", one));
      i.table_family = parts[0];
      i.table = parts[1];
      i.set = parts[2];
      into.push_back(std::move(i));
    }
    for (const auto one : list) {
      NameFill f{one == "#" ? "" : domain(one), into, line_};
      for (const NameFill& old : out_.fills)
        if (old.domain == f.domain) refuse(fmt::format("line {} fills sets for the same domain", old.line));
      out_.fills.push_back(std::move(f));
    }
  }

  std::string_view bytes_;
  std::uint32_t line_ = 0;
  bool no_resolv_ = false;
  std::set<std::string_view> once_;  ///< options that were seen and may stand there once
  NameLayer out_;
};

NameLayer resolv_conf(const Artifact& artifact) {
  NameLayer out;
  out.artifact = artifact.path;
  out.servers.emplace();
  std::uint32_t at = 0;
  for (const std::string_view raw : split(artifact.bytes, '\n')) {
    ++at;
    const std::string_view line = trimmed(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const auto blank = line.find_first_of(" \t");
    const std::string_view word = line.substr(0, blank);
    try {
      if (raw.front() != line.front()) refuse("the keyword does not begin the line, and the C library passes over it");
      if (word == "nameserver" && blank != std::string_view::npos)
        out.servers->push_back(address(trimmed(line.substr(blank))));
      else if (word != "options" && word != "search" && word != "domain")
        refuse(fmt::format("`{}` is no option of resolv.conf", word));
    } catch (const Refusal& r) {
      refuse(fmt::format("line {}: {}", at, r.message));
    }
  }
  return out;
}

}  // namespace

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  for (const auto& a : artifacts) {
    if (a.path != format::dnsmasq_path && a.path != format::resolv_path) continue;
    try {
      out.names.push_back(
          std::make_shared<const NameLayer>(a.path == format::dnsmasq_path ? Reader(a).run() : resolv_conf(a)));
    } catch (const Refusal& r) {
      out.problems.push_back({fmt::format("`{}`: {}", a.path, r.message), std::nullopt, ""});
    }
  }
  return out;
}

}  // namespace agp::backends::dns
