#include "compiler/lint/edits.hpp"

#include "tests/unit/lint/support.hpp"

// Edits, applied: the text still resolves, and the finding is gone, however the file is laid out.
namespace agp::lint {
namespace {

namespace kind = diagnostics::kind;

/// Applies the edits of the first finding of the kind; "" where there is none.
std::string once(const std::string& text, const diagnostics::Kind& k) {
  const Linted before(text);
  EXPECT_GE(before.count(k), 1u) << text;
  const std::string after = before.mended(k);
  EXPECT_NE(after, "") << text;
  if (after.empty()) return after;
  const Linted mended(after);
  EXPECT_EQ(mended.count(k), 0u) << after;
  return after;
}

TEST(Edits, AGuardGoesIntoAnyLayout) {
  const std::string rule = "syscall { allow ioctl }";
  for (const std::string& text : {
           "agp 1\npolicy p {\n  " + rule + "\n}\n",
           "agp 1\npolicy p { " + rule + " }",
           "agp 1 policy p { " + rule + " }",
           "agp 1 // the version\npolicy p { // the policy\n" + rule + " }\n",
           "agp 1\r\npolicy p {\r\n  " + rule + "\r\n}\r\n",
           "agp 1\npolicy p {\n\towner \"x\"\n\tisolation container\n\n\t" + rule + "\n}\n",
           "agp 1\nuse std.guard.dns\npolicy p {\n  include std.guard.dns\n  " + rule + "\n}\n",
           "agp 1\nuse std.guard.calls\npolicy p {\n  include std.guard.calls.mounts\n  " + rule + "\n}\n",
           "agp 1\nuse std.guard.calls as c\npolicy p {\n  " + rule + "\n}\n",
           "agp 1\n/// What it is.\npolicy p {\n  /* first */ " + rule + "\n}\n",
           "agp 1\npolicy other { syscall { allow read } }\npolicy p\n{\n  " + rule + "\n}\n",
           "agp 1\nlet brace = \"{\"\npolicy p { owner \"{ }\" " + rule + " }\n",
       }) {
    const std::string after = once(text, kind::terminal_injection);
    EXPECT_NE(after.find(".terminal"), std::string::npos) << after;
    EXPECT_EQ(after.find("\r\n") != std::string::npos, text.find("\r\n") != std::string::npos) << after;
    if (text.find("\r\n") != std::string::npos) {
      EXPECT_EQ(std::count(after.begin(), after.end(), '\n'), std::count(after.begin(), after.end(), '\r')) << after;
    }
  }
}

TEST(Edits, TheNameInUseIsTheNameIncluded) {
  EXPECT_NE(
      once("agp 1\nuse std.guard.calls as c\npolicy p {\n  syscall { allow ioctl }\n}\n", kind::terminal_injection)
          .find("include c.terminal"),
      std::string::npos);
}

TEST(Edits, AParameterStaysOne) {
  const std::string after =
      once("agp 1\nparam w : path = \"/srv/w\"\npolicy p {\n  file { allow write \"${w}/**\" }\n}\n",
           kind::git_hooks_writable);
  EXPECT_NE(after.find("include std.guard.git.hooks(root: \"${w}\")"), std::string::npos) << after;
}

TEST(Edits, AnIdleCommentGoesWithItsLine) {
  const std::string allow = "// agp-allow log-writable until 2027-03-01: idle";
  const auto text = [](const std::string& rule) {
    return "agp 1\npolicy p {\n  isolation process\n  file {\n" + rule + "\n  }\n}\n";
  };
  const std::string rule = "    allow read \"/srv/x\"";
  EXPECT_EQ(once(text("    " + allow + "\n" + rule), kind::unused_suppression), text(rule));
  EXPECT_EQ(once(text(rule + "  " + allow), kind::unused_suppression), text(rule));
  EXPECT_EQ(once(text(rule + "\t" + allow + "\r"), kind::unused_suppression), text(rule + "\r"));
}

TEST(Edits, ARuleGoesBehindAnother) {
  const auto text = [](const std::string& body) {
    return "agp 1\npolicy p {\n  isolation process\n  syscall {" + body + "}\n}\n";
  };
  const std::string clone = "allow clone(flags & CLONE_NEWUSER == 0)";
  EXPECT_EQ(once(text("\n    " + clone + "\n    allow @default, clone3\n  "), kind::clone3_unseen),
            text("\n    " + clone + "\n    allow @default, clone3\n    deny clone3 errno ENOSYS\n  "));
  once(text(" " + clone + " allow @default, clone3 "), kind::clone3_unseen);
}

TEST(Edits, AnAnswerIsReplacedWhereItStands) {
  const auto text = [](const std::string& rule) {
    return "agp 1\npolicy p {\n  isolation process\n  syscall {\n    " + rule + "\n  }\n}\n";
  };
  EXPECT_EQ(once(text("deny statx /* errno EIO */ errno EPERM because \"errno EACCES\""), kind::probe_refused_hard),
            text("deny statx /* errno EIO */ errno ENOSYS because \"errno EACCES\""));
  // another call of the rule has the answer that was meant
  const Linted mixed(text("deny statx, mount errno EPERM"));
  EXPECT_EQ(mixed.count(kind::probe_refused_hard), 1u);
  EXPECT_EQ(mixed.mended(kind::probe_refused_hard), "");
  // who kills wants no fallback
  const Linted killed(text("deny statx kill"));
  EXPECT_EQ(killed.count(kind::probe_refused_hard), 1u);
  EXPECT_EQ(killed.mended(kind::probe_refused_hard), "");
}

TEST(Edits, APatternIsNarrowedAsItIsWritten) {
  const auto text = [](const std::string& pattern) {
    return "agp 1\npolicy p {\n  isolation process\n  file {\n    allow read \"/data\", \"" + pattern + "\"\n  }\n}\n";
  };
  EXPECT_EQ(once(text("/data*/**"), kind::sibling_prefix), text("/data/**"));
  // of this one nobody knows what is meant
  const Linted one(text("/data*"));
  EXPECT_EQ(one.count(kind::sibling_prefix), 1u);
  EXPECT_EQ(one.mended(kind::sibling_prefix), "");
}

TEST(Edits, IcmpIsLeftOut) {
  const auto text = [](const std::string& words) {
    return "agp 1\npolicy p {\n  isolation process\n  net { allow connect " + words + " 93.184.0.0/16:* }\n}\n";
  };
  EXPECT_EQ(once(text("any"), kind::icmp_outside), text("tcp, udp"));
}

}  // namespace
}  // namespace agp::lint
