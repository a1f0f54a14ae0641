#pragma once
#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "compiler/plan/stack.hpp"

/// The commands of a stack as words, for tests that run none of them.
namespace agp::test {

using Command = std::vector<std::string>;

inline std::vector<Command> all(const plan::StackCommands& s) {
  std::vector<Command> out = s.prepare;
  out.insert(out.end(), s.run.begin(), s.run.end());
  out.insert(out.end(), s.finally.begin(), s.finally.end());
  return out;
}

/// No word is a shell's, and none has another word in braces than those that whoever starts the agent fills in.
inline void expect_plain_words(const plan::StackCommands& commands) {
  static const std::regex word("\\{[^}]*\\}");
  for (const Command& c : all(commands))
    for (const std::string& w : c) {
      for (std::sregex_iterator i(w.begin(), w.end(), word), end; i != end; ++i)
        EXPECT_TRUE(i->str() == "{dir}" || i->str() == "{run}" || i->str() == "{id}") << w;
      EXPECT_NE(w, "sh");
      EXPECT_NE(w, "bash");
    }
}

}  // namespace agp::test
