#pragma once
#include <vector>

#include "compiler/syntax/antlr_adapter.hpp"

namespace agp::syntax::detail {

/// Something that could stand at a place: a whole phrase where one could begin, else a token; each with the rule in
/// which it would stand.
struct Option {
  bool phrase = false;
  R rule{};   ///< phrase: which
  T token{};  ///< otherwise
  R inside{};
  friend bool operator==(const Option& a, const Option& b) {
    return a.phrase == b.phrase && a.inside == b.inside && (a.phrase ? a.rule == b.rule : a.token == b.token);
  }
};

/// How far a row of tokens is a phrase.
struct Viability {
  std::uint32_t at = 0;         ///< the first token that can't stand where it stands; the number of tokens if none
  bool complete = false;        ///< the tokens before `at` are a whole phrase
  bool accepted = false;        ///< all of them are one
  std::vector<Option> options;  ///< what could stand at `at`, in the grammar's order; empty when accepted
  std::vector<bool> tokens;     ///< by T: what could stand there, token by token
  std::vector<R> inside;        ///< the rules that are open there, outermost first
};

/// Rules in whose place a message names the whole phrase instead of the tokens that can begin it.
bool names_phrase(R rule);

/// Runs the grammar's automaton over `types` from the start of `rule`: exact for every grammar without left recursion,
/// and independent of the generated parser. Linear in the number of tokens for ours.
Viability viability(R rule, const std::vector<T>& types);
/// What could stand behind the first `at` of them, which must be viable.
Viability viability_at(R rule, const std::vector<T>& types, std::uint32_t at);

}  // namespace agp::syntax::detail
