#include "tests/unit/lint/support.hpp"

// `// agp-allow NAME until DAY: reason`: what counts, and that everything else allows nothing and says so.
namespace agp::lint {
namespace {

namespace kind = diagnostics::kind;

struct Seen {
  std::size_t found, invalid, expired, unused;
  friend bool operator==(const Seen&, const Seen&) = default;
};
void PrintTo(const Seen& s, std::ostream* out) {
  *out << s.found << " found, " << s.invalid << " invalid, " << s.expired << " expired, " << s.unused << " unused";
}
Seen seen(const std::string& comment) {
  const Linted l(with(comment));
  return {l.count(kind::history_readable), l.count(kind::invalid_suppression), l.count(kind::expired_suppression),
          l.count(kind::unused_suppression)};
}
constexpr Seen allowed{0, 0, 0, 0}, invalid{1, 1, 0, 0}, expired{1, 0, 1, 0}, ignored{1, 0, 0, 0};

TEST(Suppressions, ByNameOrCodeWithADayAndAReason) {
  for (const char* comment : {
           "// agp-allow history-readable until 2027-03-01: for a reason",
           "// agp-allow AGP3032 until 2027-03-01: by its code",
           "//agp-allow history-readable until 2027-03-01: no blank",
           "//   agp-allow   history-readable   until   2027-03-01  :  blanks   ",
           "// agp-allow history-readable until 2026-01-01: today is the last day",
           "// agp-allow history-readable until 9999-12-31: the last day that there is",
           "// agp-allow history-readable until 2028-02-29: a leap day",
           "// agp-allow history-readable until 2027-03-01: : until 2000-01-01: // agp-allow nothing",
           "// agp-allow history-readable until 2027-03-01: \"quoted, ${not} {a} pattern*",
           "// agp-allow history-readable until 2027-03-01: d\u00fcrfen wir, \u2713",
           "// agp-allow history-readable until 2027-03-01: the line ends as on Windows\r",
           "// agp-allow history-readable until 2027-03-01: above\n\n    // another comment\n",
       })
    EXPECT_EQ(seen(comment), allowed) << comment;
}

TEST(Suppressions, WhatIsWrongAllowsNothing) {
  for (const char* comment : {
           "// agp-allow",
           "// agp-allow ",
           "// agp-allow:",
           "// agp-allow history-readable",
           "// agp-allow history-readable: no day",
           "// agp-allow until 2027-03-01: no name",
           "// agp-allow , until 2027-03-01: no name",
           "// agp-allow history-readable, until 2027-03-01 no colon",
           "// agp-allow history-readable until 2027-03-01",
           "// agp-allow history-readable until 2027-03-01:",
           "// agp-allow history-readable until 2027-03-01:   ",
           "// agp-allow history-readable until: x",
           "// agp-allow history-readable until tomorrow: x",
           "// agp-allow history-readable until 2027-3-1: x",
           "// agp-allow history-readable until 2027-02-29: not a leap year",
           "// agp-allow history-readable until 2100-02-29: not one either",
           "// agp-allow history-readable until 2027-00-10: x",
           "// agp-allow history-readable until 2027-13-01: x",
           "// agp-allow history-readable until 2027-04-31: x",
           "// agp-allow history-readable until 2027-03-00: x",
           "// agp-allow history-readable until 02027-03-01: x",
           "// agp-allow history-readable until +027-03-01: x",
           "// agp-allow history-readable until 2027/03/01: x",
           "// agp-allow history-readable until 2027-03-01T00: x",
           "// agp-allow history-readable until \uff12\uff10\uff12\uff17-03-01: wide digits",
           "// agp-allow history-readable until 2000-01-01 until 2027-03-01: two days",
           "// agp-allow history-readable agp-allow until 2027-03-01: two words",
           "// agp-allow history_readable until 2027-03-01: x",
           "// agp-allow HISTORY-READABLE until 2027-03-01: x",
           "// agp-allow * until 2027-03-01: all of them",
           "// agp-allow all until 2027-03-01: all of them",
           "// agp-allow 3032 until 2027-03-01: x",
           "// agp-allow AGP3032x until 2027-03-01: x",
           "// agp-allow agp3032 until 2027-03-01: x",
           "// agp-allow AGP2015 until 2027-03-01: no lint",
           "// agp-allow redundant-rule until 2027-03-01: no lint",
           "// agp-allow AGP4001 until 2027-03-01: a gap",
           "// agp-allow AGP3003 until 2027-03-01: about itself",
           "// agp-allow unused-suppression until 2027-03-01: about itself",
           "// agp-allow history-readable,, until 2027-03-01: an empty name",
           "// agp-allow history-readable, nonsense until 2027-03-01: the good name does not count either",
       })
    EXPECT_EQ(seen(comment), invalid) << comment;
}

TEST(Suppressions, WhatIsNoneIsIgnored) {
  for (const char* comment : {
           "/// agp-allow history-readable until 2027-03-01: documentation",
           "/* agp-allow history-readable until 2027-03-01: a block */",
           "/* // agp-allow history-readable until 2027-03-01: in a block\n*/",
           "// see agp-allow history-readable until 2027-03-01: not at its beginning",
           "// // agp-allow history-readable until 2027-03-01: twice",
           "// agp-allowed is prose",
           "// agp-allow-list of the team",
           "// AGP-ALLOW history-readable until 2027-03-01: x",
           "    deny read \"/x\" because \"// agp-allow history-readable until 2027-03-01: a text\"",
       })
    EXPECT_EQ(seen(comment), ignored) << comment;
}

TEST(Suppressions, TheLastDayCounts) {
  EXPECT_EQ(seen("// agp-allow history-readable until 2025-12-31: yesterday"), expired);
  EXPECT_EQ(seen("// agp-allow history-readable until 1970-01-01: long ago"), expired);
  // one that is past and one that is not: each by itself
  EXPECT_EQ(
      seen("// agp-allow history-readable until 2025-12-31: past\n// agp-allow history-readable until 2026-01-01: not"),
      (Seen{0, 0, 1, 0}));
}

TEST(Suppressions, OnlyTheNextStatementAndOnlyTheOwnLine) {
  const std::string allow = "// agp-allow history-readable until 2027-03-01: x";
  // a statement between them takes it
  EXPECT_EQ(seen(allow + "\n    allow read \"/srv/x\""), (Seen{1, 0, 0, 1}));
  EXPECT_EQ(seen("    allow read \"/srv/x\" " + allow), (Seen{1, 0, 0, 1}));
  // behind its own line
  const Linted behind("agp 1\npolicy p {\n  isolation process\n  file {\n    allow read \"/root/.bash_history\", " +
                      allow + "\n      \"/root/.zsh_history\"\n  }\n}\n");
  EXPECT_EQ(behind.count(kind::history_readable), 1u);
  EXPECT_EQ(behind.count(kind::unused_suppression), 0u);
  // above a statement of several lines it is about all of them
  const Linted above("agp 1\npolicy p {\n  isolation process\n  file {\n" + allow +
                     "\n    allow read \"/root/.bash_history\",\n      \"/root/.zsh_history\"\n  }\n}\n");
  EXPECT_EQ(above.count(kind::history_readable), 0u);
  // at the end of the file there is no statement
  const Linted last(with("") + allow);
  EXPECT_EQ(last.count(kind::history_readable), 1u);
}

TEST(Suppressions, NamesThatFindNothingAreTold) {
  const Linted some(with("// agp-allow history-readable, log-writable, AGP3020 until 2027-03-01: some of them"));
  EXPECT_EQ(some.count(kind::history_readable), 0u);
  EXPECT_EQ(some.count(kind::unused_suppression), 2u);
  EXPECT_NE(
      some.mended(kind::unused_suppression).find("// agp-allow history-readable until 2027-03-01: some of them\n"),
      std::string::npos);
  // what is off by configuration is not looked for
  const Linted off(with("// agp-allow history-readable until 2027-03-01: x"), {{{3032, std::nullopt}}, 0, {}});
  EXPECT_EQ(off.count(kind::unused_suppression), 0u);
}

TEST(Suppressions, AThousandAreReadOnce) {
  std::string text = "agp 1\npolicy p {\n  isolation process\n  file {\n";
  for (int i = 0; i < 1000; ++i)
    text += "    // agp-allow history-readable until 2027-03-01: one\n    allow read \"/home/u" + std::to_string(i) +
            "/.bash_history\"\n";
  const Linted many(text + "    allow read \"/root/.bash_history\"\n  }\n}\n");
  EXPECT_EQ(many.count(kind::history_readable), 1u);
  EXPECT_EQ(many.count(kind::unused_suppression), 0u);
}

}  // namespace
}  // namespace agp::lint
