#pragma once
#include <random>
#include <string>
#include <vector>

#include "compiler/model/policy.hpp"

/// Random policies whose patterns can tell apart a few actions only, and those actions: every verdict about such a
/// policy can be had by trying them all.
namespace agp::analysis_test {

using Random = std::mt19937_64;

inline std::size_t below(Random& random, std::size_t n) { return random() % n; }

/// 8 path patterns, 16 addresses, 8 ports, 6 calls with conditions on three bits of two arguments, names, variables.
class Universe {
 public:
  Universe();
  /// Rules of the drawn sorts; spans are distinct, one a pattern.
  model::Policy policy(Random& random, std::size_t rules);
  model::Rule rule(Random& random);
  /// One action of each kind that the patterns can tell apart, by the definition of a match alone.
  const std::vector<model::Action>& actions() const { return actions_; }

 private:
  source::Span span() { return {0, next_, next_++ + 1}; }
  template <class P>
  model::Placed<P> place(P pattern, std::string text) {
    return {std::move(pattern), span(), std::move(text)};
  }
  model::FileBody file(Random& random);
  model::NetBody net(Random& random, bool grants);
  model::SyscallBody calls(Random& random, bool denies);
  model::TextBody texts(Random& random);

  std::vector<model::PathPattern> paths_;
  std::vector<model::Action> actions_;
  std::uint32_t next_ = 1;
};

}  // namespace agp::analysis_test
