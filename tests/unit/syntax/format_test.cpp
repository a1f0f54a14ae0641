// The canonical layout: what it looks like, that it keeps the tree and the comments, and that a second run changes
// nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/syntax/corpus.hpp"
#include "tests/unit/syntax/dump.hpp"
#include "tests/unit/syntax/support.hpp"

namespace agp::syntax::test {
namespace {

std::string formatted(const std::string& text) {
  source::Files files;
  diagnostics::Sink sink;
  const auto out = format(files, files.add("test.agp", text), sink);
  EXPECT_TRUE(out) << text << "\n" << (sink.all().empty() ? "" : sink.all()[0].message);
  return out.value_or("");
}

/// Every comment of a text, without what surrounds it.
std::vector<std::string> comments(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i)
        if (text[i] == '\\') ++i;
      continue;
    }
    if (text.compare(i, 2, "//") != 0 && text.compare(i, 2, "/*") != 0) continue;
    const bool block = text[i + 1] == '*';
    std::size_t end = block ? text.find("*/", i + 2) + 2 : std::min(text.find('\n', i), text.size());
    std::string comment = text.substr(i, end - i);
    std::erase(comment, '\r');
    while (!comment.empty() && comment.back() == ' ') comment.pop_back();
    out.push_back(comment);
    i = end - 1;
  }
  return out;
}

void holds(const std::string& text) {
  const std::string once = formatted(text);
  EXPECT_EQ(formatted(once), once) << "not idempotent for\n" << text;
  EXPECT_EQ(dump(Parsed(once).file), dump(Parsed(text).file)) << "another tree for\n" << text;
  EXPECT_EQ(comments(once), comments(text)) << "comments changed for\n" << text;
}

TEST(Format, Layout) {
  EXPECT_EQ(formatted(R"(// head
agp   1
/* multi
   line */ use std.a // trailing
use "./x.agp"
   as y


param p : [path] = [ "/a",
   "/b" , // two
   // own
   "/c", ]
param q:size=4GiB
/// Doc
policy x { /* c1 */
file { allow read,
write "/a" // t

 // before brace

 }
 // between
 limit { cpu 2 memory 4GiB }
 env {}


 net { resolver 10.0.0.53   allow connect tcp [10.0.0.1,10.0.0.2] : [80, 443] as "a rather long label that goes on" because "r" }
 syscall { deny socket ( domain == ( A|B ) , type & 0xf==2 ) , kill ( ) errno EPERM }
 on deny { log // x
 }
 run { user 1 : 2 }
}
test x(p : "/a" , q: 1,) { allow read "/x" }
invariant i { only read "/a"
  require limit memory<=8GiB }
// the end)"),
            R"(// head
agp 1

/* multi
   line */
use std.a // trailing
use "./x.agp" as y

param p : [path] = ["/a",
  "/b", // two
  // own
  "/c"]
param q : size = 4 GiB

/// Doc
policy x { /* c1 */
  file {
    allow read,
      write "/a" // t

    // before brace
  }
  // between
  limit { cpu 2   memory 4 GiB }
  env {}

  net {
    resolver 10.0.0.53
    allow connect tcp [10.0.0.1, 10.0.0.2]:[80, 443] as "a rather long label that goes on" because "r"
  }
  syscall { deny socket(domain == (A | B), type & 0xf == 2), kill() errno EPERM }
  on deny {
    log // x
  }
  run { user 1:2 }
}

test x(p: "/a", q: 1) { allow read "/x" }

invariant i {
  only read "/a"
  require limit memory <= 8 GiB
}

// the end
)");
}

TEST(Format, LongLinesAreBrokenAtCommasAndModifiers) {
  EXPECT_EQ(formatted(R"(agp 1
policy p {
  file {
    allow read "/aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "/cccccccccccccccccccccccc", "/d" because "x"
    allow read "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" because "a reason that is long"
  }
})"),
            R"(agp 1

policy p {
  file {
    allow read "/aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "/cccccccccccccccccccccccc", "/d"
      because "x"
    allow read "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      because "a reason that is long"
  }
}
)");
}

TEST(Format, KeepsOneToALine) {
  const std::string text = R"(agp 1

let x = [
  "/a",
  "/b",
]

policy p {
  file {
    deny read, write
      "/a",
      "/b"
      because "x"
  }
}
)";
  EXPECT_EQ(formatted(text), text);
}

TEST(Format, LeavesMistakesAlone) {
  source::Files files;
  diagnostics::Sink sink;
  EXPECT_FALSE(format(files, files.add("test.agp", "agp 1\nlet x 1\n"), sink));
  EXPECT_EQ(sink.all().size(), 1u);
  EXPECT_FALSE(format(files, files.add("test.agp", "agp 1\nlet x = \"\\q\"\n"), sink));
}

TEST(Format, Corpus) {
  for (const auto& [path, text] : corpus()) {
    SCOPED_TRACE(path);
    holds(text);
  }
}

TEST(Format, LibraryAndExamplesAreCanonical) {
  for (const auto& [path, text] : corpus()) {
    if (path.find("docs/examples") != std::string::npos) {
      EXPECT_EQ(formatted(text), text) << path;
    }
  }
}

/// The corpus with other white space and comments between any two tokens: same tree, so same obligations.
TEST(Format, CorpusWithOtherSpaceAndComments) {
  const std::vector<std::string> fillers = {" ",
                                            "\n",
                                            "\n\n\n",
                                            "  \t ",
                                            " // c\n",
                                            "\n// own\n",
                                            "\r\n",
                                            "/* b */",
                                            " /* m\n  n */ ",
                                            "\n/* o */\n",
                                            "\n\n// p\n\n/// q\n"};
  std::mt19937 random(20260001);
  for (const auto& [path, text] : corpus()) {
    const auto pieces = tokens(text);
    for (int round = 0; round < 6; ++round) {
      std::string shaken;
      for (const Piece& piece : pieces) {
        const bool comment = text.compare(piece.begin, 1, "/") == 0;
        shaken += text.substr(piece.begin, piece.end - piece.begin);
        shaken += comment ? "\n" : random() % 4 == 0 ? fillers[random() % fillers.size()] : " ";
      }
      SCOPED_TRACE(path);
      holds(shaken);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace agp::syntax::test
