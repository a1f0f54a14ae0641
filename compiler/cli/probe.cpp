#include "compiler/cli/commands.hpp"
#include "compiler/cli/session.hpp"

namespace agp::cli {

int run_probe(Context& context) {
  if (const auto wrong = one_file(context, "FILE")) return context.usage(*wrong);
  if (!context.text_format() && context.settings.format != diagnostics::Format::Json)
    return context.usage({"a suite is JSON lines: `--format` has no other form for it", {}});
  driver::Session session(context.settings.driver);
  session.progress = &context.ticker.progress;
  const auto lines = driver::probe(session, context.settings.arguments[0]);
  say_what_was_read(context, session);
  // Standard output belongs to the suite: what reads it must not meet a finding in it.
  context.findings(session.files, session.sink, stderr);
  if (lines) context.out(*lines);
  return settle(context, session);
}

}  // namespace agp::cli
