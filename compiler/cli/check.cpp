#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/plan_text.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/plan/stack.hpp"

namespace agp::cli {

int run_check(Context& context) {
  driver::Session session(context.settings.driver);
  session.progress = &context.ticker.progress;
  const driver::CheckReport report = driver::check(session, context.settings.arguments);
  nlohmann::ordered_json plans = nlohmann::ordered_json::array();
  if (session.target)
    for (const driver::PolicyReport& one : report.policies)
      plans.push_back(plan_json(one.policy, one.plan, plan::target_for(one.policy, *session.target)));
  say_what_was_read(context, session);
  context.findings(session.files, session.sink, stdout, {{"plans", plans}});
  if (context.text_format() && !context.settings.quiet && session.target)
    for (const driver::PolicyReport& one : report.policies)
      context.out(plan_text(one.policy, one.plan, plan::target_for(one.policy, *session.target)) + '\n');
  context.closing(fmt::format("{}, {}", counted(report.files, "file", "files"),
                              counted(report.policies.size(), "policy", "policies")));
  return settle(context, session);
}

}  // namespace agp::cli
