// What a reader is told about a mistake: code, place, words, and the edit that mends it.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/syntax/support.hpp"

namespace agp::syntax::test {
namespace {

/// Everything about the diagnostics of a text, one line each: code, line:column, the text underlined, the message.
std::string told(const std::string& text) {
  const Parsed p(text);
  std::string out;
  for (const auto& d : p.sink.all()) {
    const auto at = p.files.position(d.primary.file, d.primary.begin);
    out += fmt::format("{} {}:{} [{}] {}\n", diagnostics::code_text(*d.kind), at.line, at.column, p.text(d.primary),
                       d.message);
    EXPECT_FALSE(d.help.empty()) << d.message;
    EXPECT_FALSE(d.label.empty()) << d.message;
  }
  return out;
}
std::string in_policy(const std::string& statement) { return "agp 1\npolicy p { " + statement + " }\n"; }

/// The text with all edits of its diagnostics made, last one first.
std::string mended(const std::string& text) {
  const Parsed p(text);
  std::vector<diagnostics::Edit> edits;
  for (const auto& d : p.sink.all()) edits.insert(edits.end(), d.edits.begin(), d.edits.end());
  std::sort(edits.begin(), edits.end(), [](const auto& a, const auto& b) { return a.span.begin > b.span.begin; });
  std::string out = text;
  for (const auto& e : edits) out.replace(e.span.begin, e.span.end - e.span.begin, e.replacement);
  return out;
}

TEST(Errors, Version) {
  EXPECT_EQ(told(""), "AGP1002 1:1 [] the file does not begin with the version of the language\n");
  EXPECT_EQ(told("// nothing\n"), "AGP1002 2:1 [] the file does not begin with the version of the language\n");
  EXPECT_EQ(told("policy p {}"), "AGP1002 1:1 [policy] the file does not begin with the version of the language\n");
  EXPECT_EQ(told("1\nlet x = 1"), "AGP1002 1:1 [1] the file begins with `1` instead of `agp 1`\n");
  EXPECT_EQ(told("agp 2"), "AGP1003 1:5 [2] this is not version 1 of the language\n");
  EXPECT_EQ(told("agp 18446744073709551617"),
            "AGP1003 1:5 [18446744073709551617] this is not version 1 of the language\n");
  EXPECT_EQ(told("agp 1 agp 1"), "AGP1012 1:7 [agp 1] the version of the language stands twice\n");
  EXPECT_EQ(told("use a\nagp 1"), "AGP1012 2:1 [agp 1] the version of the language is not the first item\n");
  EXPECT_EQ(told("apg 1\nlet x = 1"), "AGP1013 1:1 [apg] expected `agp`, found `apg`\n");
  EXPECT_EQ(told("agp\nlet x = 1"), "AGP1001 1:1 [agp] expected the version `1` after `agp`\n");
  EXPECT_EQ(mended("policy p {}"), "agp 1\n\npolicy p {}");
}

TEST(Errors, Strings) {
  EXPECT_EQ(told("agp 1\nlet x = \"abc \nlet y = 1"),
            "AGP1006 2:9 [\"abc] a string has no closing quote on its line\n");
  EXPECT_EQ(told("agp 1\nlet x = \"abc\\\""), "AGP1006 2:9 [\"abc\\\"] a string has no closing quote on its line\n");
  EXPECT_EQ(told("agp 1\nlet x = \"a\\qb\\\u00e9\""),
            "AGP1007 2:11 [\\q] `\\q` is no escape\nAGP1007 2:14 [\\\u00e9] `\\\u00e9` is no escape\n");
  EXPECT_EQ(told("agp 1\nlet x = \"\\u{110000}\""),
            "AGP1007 2:10 [\\u{110000}] `\\u{110000}` is no Unicode character\n");
  EXPECT_EQ(told("agp 1\nlet x = \"\\u{d800}\""), "AGP1007 2:10 [\\u{d800}] `\\u{d800}` is no Unicode character\n");
  EXPECT_EQ(told("agp 1\nlet x = \"\\u{999999999999}\""),
            "AGP1007 2:10 [\\u{999999999999}] `\\u{999999999999}` is no Unicode character\n");
  EXPECT_EQ(told("agp 1\nlet x = \"\\u{0}\""), "AGP1007 2:10 [\\u{0}] `\\u{0}` is a NUL, which no string may hold\n");
  EXPECT_EQ(told("agp 1\nlet x = \"\\u41\""), "AGP1007 2:10 [\\u] `\\u` is no escape\n");
  EXPECT_EQ(told("agp 1\nlet x = \"${a b}\""), "AGP1010 2:10 [${a b}] `${a b}` does not hold a name\n");
  EXPECT_EQ(told("agp 1\nlet x = \"/${a\""), "AGP1010 2:11 [${a] `${` has no closing `}`\n");
  EXPECT_EQ(told("agp 1\nlet x = \"${}${a-}\""),
            "AGP1010 2:10 [${}] `${}` does not hold a name\nAGP1010 2:13 [${a-}] `${a-}` does not hold a name\n");
  EXPECT_EQ(mended("agp 1\nlet x = \"a\\q\""), "agp 1\nlet x = \"a\\\\q\"");
}

TEST(Errors, NotOfTheLanguage) {
  EXPECT_EQ(told("agp 1\nlet x = 1;\nlet y = 1"), "AGP1001 2:10 [;] `;` is no part of the language\n");
  EXPECT_EQ(told("agp 1\n# let x = 1 {\nlet y = 1"), "AGP1001 2:1 [#] `#` is no part of the language\n");
  EXPECT_EQ(told("agp 1\nlet x = 'a b'"), "AGP1001 2:9 ['a b'] a string is quoted with `'`\n");
  EXPECT_EQ(told(in_policy("file { allow read /etc/passwd }")),
            "AGP1001 2:30 [/etc/passwd] the path `/etc/passwd` has no quotes\n");
  EXPECT_EQ(told("agp 1\nuse ./x.agp as x"), "AGP1001 2:5 [./x.agp] the path `./x.agp` has no quotes\n");
  EXPECT_EQ(told("agp 1\n/* a\nlet x = 1"), "AGP1008 2:1 [/*] a block comment has no end\n");
  EXPECT_EQ(told("agp 1\nlet x = 1.2.3"), "AGP1011 2:9 [1.2.3] `1.2.3` is no number and no address\n");
  EXPECT_EQ(told("agp 1\nlet x = 0x1G"), "AGP1011 2:9 [0x1G] `0x1G` is no number, address or date\n");
  EXPECT_EQ(told("agp 1\nlet x = 99999999999999999999 GiB"),
            "AGP1011 2:9 [99999999999999999999] the number does not fit 64 bits\n");
  EXPECT_EQ(told("agp 1\nlet x- = 1"), "AGP1001 2:5 [x-] the name `x-` ends with `-`\n");
  EXPECT_EQ(told("agp 1\nlet x = 8000 - 8999"), "AGP1001 2:14 [-] a `-` stands alone\n");
  EXPECT_EQ(mended("agp 1\nlet x = 'a b';"), "agp 1\nlet x = \"a b\"");
}

TEST(Errors, LookAlikes) {
  // Cyrillic er and o.
  EXPECT_EQ(told("agp 1\n\u0440\u043elicy p {}"),
            "AGP1009 2:1 [\u0440] `\u0440\u043elicy` contains `\u0440` (U+0440), which is not ASCII\n");
  EXPECT_EQ(mended("agp 1\n\u0440\u043elicy p {}"), "agp 1\npolicy p {}");
  EXPECT_EQ(told("agp 1\nlet na\u00efve = 1"),
            "AGP1009 2:7 [\u00ef] `na\u00efve` contains `\u00ef` (U+00EF), which is not ASCII\n");
  EXPECT_EQ(told("agp 1\nlet x = \u201cabc\u201d"), "AGP1009 2:9 [\u201c] `\u201c` (U+201C) does not open a string\n");
  EXPECT_EQ(mended("agp 1\nlet x = \u201cabc\u201d"), "agp 1\nlet x = \"abc\"");
  EXPECT_EQ(told("agp 1\nlet\u00a0x = 1\nlet\u00a0y\u00a0= 2"),
            "AGP1009 2:4 [\u00a0] a space that is not ASCII (U+00A0) between words\n");
  EXPECT_EQ(mended("agp 1\nlet x = 8000\u20138999"), "agp 1\nlet x = 8000-8999");
}

TEST(Errors, Expectations) {
  EXPECT_EQ(told(in_policy("file { allow read }")), "AGP1001 2:25 [read] expected a path in quotes after `read`\n");
  EXPECT_EQ(told(in_policy("file { allow \"/a\" }")),
            "AGP1001 2:25 [\"/a\"] expected a verb such as `read`, found `\"/a\"`\n");
  EXPECT_EQ(told(in_policy("file { allow read \"/a\" because }")),
            "AGP1001 2:35 [because] expected a text in quotes after `because`\n");
  EXPECT_EQ(told(in_policy("file { allow read \"/a\" until tomorrow }")),
            "AGP1001 2:41 [tomorrow] expected a date such as `2027-01-31`, found `tomorrow`\n");
  EXPECT_EQ(told(in_policy("net { allow connect tcp a.b: as \"x\" }")),
            "AGP1001 2:41 [as] expected a port, found `as`\n");
  EXPECT_EQ(told(in_policy("net { allow connect tcp any:any }")), "AGP1001 2:40 [any] expected a port, found `any`\n");
  EXPECT_EQ(told(in_policy("on deny { alert for write }")),
            "AGP1001 2:28 [for] expected a severity such as `P1`, found `for`\n");
  EXPECT_EQ(told(in_policy("syscall { deny kill }")), "AGP1001 2:27 [kill] expected `(` after `kill`\n");
  EXPECT_EQ(told("agp 1\nlet x ="), "AGP1001 2:7 [=] expected a value after `=`\n");
  EXPECT_EQ(told("agp 1\nlet x = (1)"), "AGP1001 2:9 [(] expected a value, found `(`\n");
  EXPECT_EQ(told("agp 1\npolicy p\n"), "AGP1001 2:8 [p] expected `{` after `p`\n");
  EXPECT_EQ(told("agp 1\npolicy \"p\" {}"), "AGP1001 2:8 [\"p\"] expected a name, found `\"p\"`\n");
}

TEST(Errors, MissingSigns) {
  EXPECT_EQ(told("agp 1\nlet x 5\nlet y = 1"), "AGP1001 2:7 [5] expected `=`, found `5`\n");
  EXPECT_EQ(mended("agp 1\nlet x 5\nlet y = 1"), "agp 1\nlet x = 5\nlet y = 1");
  EXPECT_EQ(mended("agp 1\nlet x : 5"), "agp 1\nlet x = 5");
  EXPECT_EQ(mended("agp 1\nlet x = [1, 2\nlet y = 1"), "agp 1\nlet x = [1, 2]\nlet y = 1");
  EXPECT_EQ(mended(in_policy("file { allow read write \"/a\" }")), in_policy("file { allow read, write \"/a\" }"));
  EXPECT_EQ(mended(in_policy("file { allow read \"/a\" \"/b\" }")), in_policy("file { allow read \"/a\", \"/b\" }"));
  EXPECT_EQ(mended(in_policy("syscall { deny a(b == c }")), in_policy("syscall { deny a(b == c) }"));
  EXPECT_EQ(mended(in_policy("run { mount tmpfs \"/a\" }")), in_policy("run { mount tmpfs at \"/a\" }"));
  // A sentence after a pattern is a reason without its word, not another pattern.
  EXPECT_EQ(told(in_policy("file { allow read \"/a\" \"for the build\" }")),
            "AGP1001 2:35 [\"for the build\"] expected a modifier or the next rule, found `\"for the build\"`\n");
  EXPECT_EQ(mended(in_policy("file { allow read \"/a\" \"for the build\" }")),
            in_policy("file { allow read \"/a\" \"for the build\" }"));
}

TEST(Errors, DoubledAndMissingWords) {
  EXPECT_EQ(told("agp 1\nlet let x = 1"), "AGP1001 2:5 [let] `let` stands twice\n");
  EXPECT_EQ(told(in_policy("net { allow connect tcp tcp a:1 }")), "AGP1001 2:36 [tcp] `tcp` stands twice\n");
  EXPECT_EQ(told("agp 1\nx = 1"), "AGP1014 2:1 [x] `x` does not begin an item\n");
  EXPECT_EQ(mended("agp 1\nx = 1\ny : int\nstd.a"), "agp 1\nlet x = 1\nparam y : int\nuse std.a");
  EXPECT_EQ(mended(in_policy("deny { log }")), in_policy("on deny { log }"));
}

TEST(Errors, Misspelt) {
  EXPECT_EQ(told(in_policy("file { alow read \"/a\" }")), "AGP1013 2:19 [alow] expected `allow`, found `alow`\n");
  EXPECT_EQ(mended("agp 1\npolcy p {\n  fiel {\n    alow read \"/a\" becuase \"x\"\n  }\n  ownr \"a\"\n}\n"),
            "agp 1\npolicy p {\n  file {\n    allow read \"/a\" becuase \"x\"\n  }\n  owner \"a\"\n}\n")
      << "one diagnostic for a statement, the first";
  EXPECT_EQ(mended(in_policy("limit { memory 4 gb time 10 minutes cpu 2 }")),
            in_policy("limit { memory 4 GiB time 10 min cpu 2 }"));
  EXPECT_EQ(mended(mended(in_policy("run { mount tmpfs att \"/a\" wirtable }"))),
            in_policy("run { mount tmpfs at \"/a\" writable }"));
  // Nothing is near: no proposal.
  EXPECT_EQ(told(in_policy("filesystem { allow read \"/a\" }")),
            "AGP1014 2:12 [filesystem] `filesystem` does not begin a statement\n");
}

TEST(Errors, OutOfPlace) {
  const auto help = [](const std::string& text) {
    const Parsed p(text);
    return p.sink.all().size() == 1 ? p.sink.all()[0].help : fmt::format("{} diagnostics", p.sink.all().size());
  };
  EXPECT_EQ(help("agp 1\ninclude std.a"), "it stands in a policy or a fragment: `policy code-execution { … }`");
  EXPECT_EQ(help(in_policy("let x = 1")), "it stands outside of policies and fragments: move it before this one");
  EXPECT_EQ(help(in_policy("allow read \"/a\"")), "a rule stands in a block: `file { allow read \"/task/**\" }`");
}

TEST(Errors, Braces) {
  EXPECT_EQ(told("agp 1\npolicy p {\n  file {\n    allow read \"/a\"\n"
                 "  net { }\n}\ntest p { allow write \"/a\" }\n"),
            "AGP1004 3:8 [{] `file` is not closed\n");
  EXPECT_EQ(told("agp 1\npolicy p {\n  file { }\n\npolicy q {\n}\n"), "AGP1004 2:10 [{] `policy p` is not closed\n");
  EXPECT_EQ(told("agp 1\npolicy p {\n  file\n    allow read \"/a\"\n  }\n}\n"),
            "AGP1005 3:3 [file] `file` has no `{`\n");
  EXPECT_EQ(told("agp 1\npolicy p {\n  env set \"A\" = \"b\" }\n}\n"), "AGP1005 3:3 [env] `env` has no `{`\n");
  EXPECT_EQ(told("agp 1\npolicy p\n  file { }\n}\n"), "AGP1005 2:1 [policy p] `policy p` has no `{`\n");
  EXPECT_EQ(told("agp 1\npolicy p {\n  file { } }\n}\nlet x = 1"), "AGP1005 3:12 [}] `}` closes nothing\n");
  EXPECT_EQ(told("agp 1\npolicy p { {\n}\n"), "AGP1005 2:12 [{] `{` opens no block\n");
  EXPECT_EQ(told("agp 1\n}\n"), "AGP1005 2:1 [}] `}` closes nothing\n");
  // Without indentation to go by, the next item decides.
  EXPECT_EQ(told("agp 1\npolicy p {\nfile {\nallow read \"/a\"\n}\npolicy q {\n}\n"),
            "AGP1004 2:10 [{] `policy p` is not closed\n");
}

TEST(Errors, AreInOrderAndLimited) {
  std::string text = "agp 1\n";
  for (int i = 0; i < 500; ++i) text += fmt::format("let a{} = \"\\q\"\nlt b = 1\n", i);
  const Parsed p(text);
  ASSERT_EQ(p.sink.all().size(), 100u);
  for (std::size_t i = 1; i < 100; ++i) EXPECT_LE(p.sink.all()[i - 1].primary.begin, p.sink.all()[i].primary.begin);
  ASSERT_FALSE(p.sink.all().back().notes.empty());
  EXPECT_EQ(p.sink.all().back().notes.back(), "no more than 100 mistakes of one file are shown");
}

TEST(Errors, Actions) {
  const auto told_action = [](const std::string& text) {
    source::Files files;
    diagnostics::Sink sink;
    EXPECT_FALSE(parse_action(files, files.add("action", text), sink)) << text;
    std::string out;
    for (const auto& d : sink.all())
      out += fmt::format("{} [{}] {}\n", diagnostics::code_text(*d.kind), files.text(d.primary), d.message);
    return out;
  };
  EXPECT_EQ(told_action(""), "AGP1001 [] there is no action\n");
  EXPECT_EQ(told_action(" \n"), "AGP1001 [] there is no action\n");
  EXPECT_EQ(told_action("conect tcp a.b:1"), "AGP1013 [conect] expected `connect`, found `conect`\n");
  EXPECT_EQ(told_action("write"), "AGP1001 [write] expected a pattern in quotes after `write`\n");
  EXPECT_EQ(told_action("write /a /b"), "AGP1001 [/b] expected the end of the action, found `/b`\n");
  EXPECT_EQ(told_action("allow write /a"), "AGP1014 [allow] `allow` does not begin an action\n");
  EXPECT_EQ(told_action("write \"/a\\q\""), "AGP1007 [\\q] `\\q` is no escape\n");
  EXPECT_EQ(told_action(std::string("write /a\0b", 10)),
            "AGP0007 [" + std::string(1, '\0') + "] a NUL (U+0000) in the text\n");
}

}  // namespace
}  // namespace agp::syntax::test
