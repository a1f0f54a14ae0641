#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/address.hpp"

/// What a resolver answers, neutral of its format.
namespace agp::model {

/// One statement about the names that end in `suffix`. The longest suffix decides.
struct NameRule {
  enum class What {
    Nothing,  ///< NXDOMAIN, and nothing is asked
    Forward,  ///< asked of `upstream`
    Stated    ///< answered with what the configuration says
  };
  std::string suffix;     ///< lower case; empty: every name
  bool anywhere = false;  ///< `suffix` may begin inside a label, or with a dot
  What what = What::Nothing;
  std::vector<Address> upstream;
  std::uint32_t line = 0;
};

/// The addresses that an answer for `domain`, or a name beneath it that no longer entry serves, is put into.
struct NameFill {
  struct Into {
    int family = 0;  ///< 4, 6, or 0 for both
    std::string table_family, table, set;
  };
  std::string domain;
  std::vector<Into> into;
  std::uint32_t line = 0;
};

struct NameLayer {
  std::string artifact;
  std::vector<NameRule> rules;
  std::vector<NameFill> fills;
  std::vector<Address> listens;  ///< empty: everywhere
  std::uint16_t port = 53;
  std::optional<std::uint32_t> rest;  ///< other names are forwarded, by this line (0: the machine's own resolv.conf)
  std::vector<Address> rest_upstream;
  bool hosts = false;        ///< the names of /etc/hosts are answered
  bool caches = false;       ///< answers are kept
  bool dotted_only = false;  ///< names without a dot are not forwarded
  std::set<int> emptied;     ///< record types of which answers are empty
  std::string user;
  std::optional<std::vector<Address>> servers;  ///< of a resolv.conf, which says nothing else: whom programs ask

  const NameRule* rule_for(std::string_view name) const;  ///< O(rules)
  const NameFill* fill_for(std::string_view name) const;
};

}  // namespace agp::model
