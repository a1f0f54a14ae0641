#include "backends/dns/emit/emit.hpp"

#include <fmt/format.h>

#include <map>

#include "backends/dns/emit/names.hpp"
#include "backends/dns/format.hpp"

// In: a policy. Out: dnsmasq's configuration and the sandbox's resolv.conf, where a rule permits connections to a name.
//
// Holds afterwards: a name that no rule permits, and every name beneath a permitted one, is NXDOMAIN without a query to
// the upstream; an answer for a permitted name puts its addresses into the sets of the rules that permit it. Answers
// are not cached: a cached alias would let its target's name resolve too. Directives: dnsmasq(8); each was tried
// with 2.90.
namespace agp::backends::dns {
namespace {

constexpr model::KernelVersion fills_nft_sets{2, 87}, filters_types{2, 90};

/// Types of which answers are emptied: all that have an assignment (IANA, "DNS RR TYPEs") but for
/// A, AAAA and CNAME, SOA (negative answers) and OPT.
std::vector<std::string> type_filters() {
  constexpr std::pair<int, int> ranges[] = {{2, 4}, {7, 27}, {29, 40}, {42, 264}, {32768, 32769}};
  std::vector<std::string> lines;
  std::string line;
  for (const auto& [first, last] : ranges)
    for (int type = first; type <= last; ++type) {
      const std::string word = fmt::format("{}", type);
      if (line.size() + word.size() + 1 > 800) lines.push_back(std::move(line)), line.clear();
      line += (line.empty() ? "filter-rr=" : ",") + word;
    }
  lines.push_back(std::move(line));
  return lines;
}

class Writer {
 public:
  Writer(const model::Policy& policy, const model::Target& target, const Names& names)
      : policy_(policy), target_(target), names_(names) {}

  Emitted run() {
    if (target_.dnsmasq < fills_nft_sets)
      return failed(fmt::format("dnsmasq {}.{} of the target can't fill nftables sets (2.87 can)",
                                target_.dnsmasq.major, target_.dnsmasq.minor),
                    "name a target with a newer dnsmasq");
    header();
    for (const auto& [name, domain] : names_.domains) one(name, domain);
    if (!out_.problems.empty()) return {{}, {}, std::move(out_.problems)};
    out_.artifacts.push_back({std::string(format::dnsmasq_path), std::move(text_)});
    out_.artifacts.push_back(
        {std::string(format::resolv_path), fmt::format("nameserver {}\n", format::listen_address)});
    return std::move(out_);
  }

 private:
  static Emitted failed(std::string message, std::string help) {
    return {{}, {}, {{std::move(message), std::nullopt, std::move(help)}}};
  }
  void line(std::string_view text) { (text_ += text) += '\n'; }

  void header() {
    line(fmt::format("port={}", format::port));
    line(fmt::format("listen-address={}", format::listen_address));
    line("bind-interfaces");
    line("no-resolv");
    line("no-hosts");
    line("no-ident");
    line("user=" + target_.dns_user);
    line("cache-size=0");
    if (reports_denials(policy_)) line("log-queries");
    if (target_.dnsmasq >= filters_types) {
      line("strip-mac");
      line("strip-subnet");
      for (const auto& filter : type_filters()) line(filter);
    }
    line("# every name that is not stated below: NXDOMAIN");
    line("address=/#/");
  }

  bool inherits(const std::string& name) const {
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
      if (const auto at = names_.domains.find(name.substr(dot + 1)); at != names_.domains.end())
        return at->second.beneath;  // the nearest one: the longest match decides
    return false;
  }

  void forward(const std::string& pattern, bool permitted) {
    if (!permitted) return line(fmt::format("local=/{}/", pattern));
    for (const model::Address a : policy_.resolvers) line(fmt::format("server=/{}/{}", pattern, to_string(a)));
  }

  void one(const std::string& name, const Domain& domain) {
    if (!domain.self && !domain.beneath && !inherits(name)) return;
    line("");
    forward(name, domain.self);
    forward("*." + name, domain.beneath);
    if (domain.fill.empty()) return;
    // by name, so that the order of rules does not show
    std::map<std::string, const NameGrant*> fill;
    for (const std::size_t g : domain.fill) {
      const auto& grant = names_.grants[g];
      fill.emplace(name_set(policy_.rules[grant.rule], grant.endpoint, 4), &grant);
    }
    std::string sets;
    for (const auto& [set, grant] : fill) {
      const auto& rule = policy_.rules[grant->rule];
      for (const int family : {4, 6})
        sets += fmt::format("{}{}#inet#{}#{}", sets.empty() ? "" : ",", family, table_name(policy_),
                            name_set(rule, grant->endpoint, family));
      out_.map.push_back({rule.id, std::string(format::dnsmasq_path), "nftset=/" + name + "/"});
    }
    const std::string text = fmt::format("nftset=/{}/{}", name, sets);
    line(text);
    if (text.size() > format::longest_line)
      out_.problems.push_back(
          {fmt::format("{} endpoints name `{}`, more than one line of dnsmasq's configuration holds",
                       domain.fill.size(), name),
           names_.grants[domain.fill.front()].rule, "write their ports as one list: `NAME:[80, 443]`"});
  }

  const model::Policy& policy_;
  const model::Target& target_;
  const Names& names_;
  std::string text_;
  Emitted out_;
};

}  // namespace

Emitted emit(const model::Policy& policy, const model::Target& target) {
  if (!needs_resolver(policy)) return {};
  Names names = names_of(policy);
  if (!names.problems.empty()) return {{}, {}, std::move(names.problems)};
  return Writer(policy, target, names).run();
}

}  // namespace agp::backends::dns
