#include "compiler/sema/sema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <tuple>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/sema/invariants.hpp"
#include "compiler/sema/policy_builder.hpp"

// The pipeline of one file, in order: load modules -> values of `--set` -> types of parameters -> each policy ->
// each invariant -> each test.
namespace agp::sema {
namespace {

namespace kind = diagnostics::kind;

using Overrides = std::map<std::string, Value>;

/// `--set K=V` by the root file's parameters. A name that no parameter has is an error: a misspelt one must not be
/// silent.
Overrides set_values(const Module& root, const Options& options, diagnostics::Sink& sink) {
  Overrides out;
  for (const auto& [name, text] : options.set) {
    const auto item = root.items.find(name);
    const auto* parameter = item == root.items.end() ? nullptr : std::get_if<syntax::Parameter>(item->second);
    if (!parameter) {
      std::vector<std::string_view> names;
      for (const auto& [n, i] : root.items)
        if (std::get_if<syntax::Parameter>(i)) names.push_back(n);
      sink.emit(kind::invalid_parameter, {}, fmt::format("`--set {}=…`: the file has no parameter `{}`", name, name))
          .helped(diagnostics::did_you_mean(name, names));
      continue;
    }
    const auto type = find_type(parameter->type.name.text);
    if (!type) continue;
    if (auto value = parse_value(text, *type, parameter->type.list)) {
      out[name] = std::move(*value);
      continue;
    }
    const bool vowel = *type == Value::Type::Int || *type == Value::Type::Address;
    std::string why;
    if (*type == Value::Type::Path && !parameter->type.list) why = ": the path " + path_fault(text);
    if (*type == Value::Type::Host && !parameter->type.list) why = ": the host " + host_fault(text);
    sink.emit(kind::invalid_parameter, parameter->type.span,
              fmt::format("`--set {}={}`: `{}` is not {}{}{}", name, text, text,
                          parameter->type.list ? "a list of "
                          : vowel              ? "an "
                                               : "a ",
                          to_string(*type), why));
  }
  return out;
}

/// The parameters and constants of a module, used or not: a mistake in them is reported. An unknown type that nobody
/// reported would let an `include` vanish.
void check_definitions(const Module& module, Evaluator& eval, diagnostics::Sink& sink) {
  const Scope own{&module, nullptr};
  const auto check = [&](const syntax::Parameter& p) {
    if (find_type(p.type.name.text)) {
      if (p.fallback) eval.evaluate_as(own, *p.fallback, p.type);
      return;
    }
    sink.emit(kind::unknown_type, p.type.name.span, fmt::format("`{}` is no type", p.type.name.text))
        .helped("types are path, string, int, size, duration, address, host and port; `[path]` is a list");
  };
  for (const auto& item : module.ast->items) {
    if (const auto* p = std::get_if<syntax::Parameter>(&item)) check(*p);
    if (const auto* f = std::get_if<syntax::Fragment>(&item))
      for (const auto& p : f->parameters) check(p);
    if (const auto* l = std::get_if<syntax::Let>(&item)) eval.lookup(own, l->name.text, l->name.span);
  }
}

/// Rules of a fragment that no policy includes are checked too, where all its parameters have defaults.
void check_unused_fragments(Modules& modules, const Module& root, Evaluator& eval, const Options& options,
                            std::set<const syntax::Item*> visited) {
  for (const auto& item : root.ast->items) {
    const auto* f = std::get_if<syntax::Fragment>(&item);
    if (!f || visited.count(&item)) continue;
    if (!std::all_of(f->parameters.begin(), f->parameters.end(), [](const auto& p) { return p.fallback.has_value(); }))
      continue;
    PolicyBuilder builder(modules, root, eval, options);
    builder.check_fragment(*f);
    visited.insert(builder.visited().begin(), builder.visited().end());
  }
}

model::Decision to_decision(syntax::Effect e) {
  return e == syntax::Effect::Deny  ? model::Decision::Deny
         : e == syntax::Effect::Ask ? model::Decision::Ask
                                    : model::Decision::Allow;
}

void add_test(Modules& modules, const Module& root, const syntax::Test& test, const Overrides& set,
              const Options& options, diagnostics::Sink& sink, Unit& unit) {
  const Found found = find_item(root, test.policy);
  const auto* policy = found.item && found.module == &root ? std::get_if<syntax::Policy>(found.item) : nullptr;
  if (!policy) {
    if (!found.item && is_lost(root, test.policy)) return;
    std::vector<std::string_view> names;
    for (const auto& [n, i] : root.items)
      if (std::get_if<syntax::Policy>(i)) names.push_back(n);
    sink.emit(kind::unknown_policy, test.policy.span, fmt::format("no policy is called `{}`", test.policy.text()))
        .helped(diagnostics::did_you_mean(test.policy.text(), names));
    return;
  }
  Overrides values = set;
  Evaluator arguments(root, set, sink);
  std::set<std::string> given;
  for (const auto& a : test.arguments) {
    const auto item = root.items.find(a.name.text);
    const auto* parameter = item == root.items.end() ? nullptr : std::get_if<syntax::Parameter>(item->second);
    if (!parameter) {
      std::vector<std::string_view> names;
      for (const auto& [n, i] : root.items)
        if (std::get_if<syntax::Parameter>(i)) names.push_back(n);
      sink.emit(kind::unknown_parameter, a.name.span, fmt::format("the file has no parameter `{}`", a.name.text))
          .helped(diagnostics::did_you_mean(a.name.text, names));
      continue;
    }
    if (!given.insert(a.name.text).second) {
      sink.emit(kind::duplicate_name, a.name.span, fmt::format("`{}` is given twice", a.name.text));
      continue;
    }
    if (auto v = arguments.evaluate_as({&root, nullptr}, a.value, parameter->type)) values[a.name.text] = std::move(*v);
  }
  Evaluator eval(root, values, sink);
  Test out;
  out.span = test.span;
  // what is wrong in the policy itself is repeated here and dropped at the end
  out.policy = PolicyBuilder(modules, root, eval, options).build(*policy);
  Patterns patterns(modules, eval, options);
  for (const auto& line : test.lines)
    if (auto resolved = actions(patterns, {&root, nullptr}, line.action))
      out.lines.push_back(
          {to_decision(line.expected), std::move(resolved->actions), std::move(resolved->text), line.span});
  unit.tests.push_back(std::move(out));
}

/// Leaves out what follows from a finding that is there: what was made of a damaged phrase, and the further places
/// where a name that nothing declares is used.
void drop_consequences(const Modules& modules, diagnostics::Sink& sink) {
  const auto damaged = [&](const diagnostics::Diagnostic& d) {
    return std::any_of(modules.all().begin(), modules.all().end(), [&](const Module& m) {
      if (m.file != d.primary.file) return false;
      const auto& all = m.ast->damaged;
      const auto behind = std::upper_bound(all.begin(), all.end(), d.primary.begin,
                                           [](std::uint32_t at, Span s) { return at < s.begin; });
      return behind != all.begin() && d.primary.end <= std::prev(behind)->end;
    });
  };
  std::set<std::tuple<source::FileId, int, std::string>> unknown;
  std::erase_if(sink.all(), [&](const diagnostics::Diagnostic& d) {
    const int number = d.kind->number;
    if (number < 1050 || number >= 1100 || !d.primary.known()) return false;
    if (damaged(d)) return true;
    const bool name = number == kind::unknown_name.number || number == kind::unknown_fragment.number ||
                      number == kind::unknown_policy.number;
    return name && !unknown.emplace(d.primary.file, number, d.message).second;
  });
}

}  // namespace

Unit analyse(source::Files& files, source::FileId root_file, ModuleSource& source, const Options& options,
             diagnostics::Sink& sink) {
  Unit unit;
  const std::size_t before = sink.errors();
  Modules modules(files, source, options, sink);
  const Module& root = *modules.load_root(root_file);
  const Overrides set = set_values(root, options, sink);
  Evaluator eval(root, set, sink);
  for (const Module& module : modules.all()) check_definitions(module, eval, sink);
  std::set<const syntax::Item*> visited;
  for (const auto& item : root.ast->items)
    if (const auto* policy = std::get_if<syntax::Policy>(&item)) {
      PolicyBuilder builder(modules, root, eval, options);
      unit.policies.push_back(builder.build(*policy));
      visited.insert(builder.visited().begin(), builder.visited().end());
    }
  Patterns patterns(modules, eval, options);
  for (const Module& module : modules.all())
    for (const auto& item : module.ast->items)
      if (const auto* invariant = std::get_if<syntax::Invariant>(&item))
        unit.invariants.push_back(resolve_invariant(patterns, module, *invariant));
  check_unused_fragments(modules, root, eval, options, visited);
  for (const auto& item : root.ast->items)
    if (const auto* test = std::get_if<syntax::Test>(&item)) add_test(modules, root, *test, set, options, sink, unit);
  unit.failed = sink.errors() > before;
  drop_consequences(modules, sink);
  sink.drop_repeated();
  return unit;
}

std::optional<ResolvedAction> resolve_action(const syntax::ActionPattern& action, const Options& options,
                                             diagnostics::Sink& sink) {
  struct Nothing final : ModuleSource {
    std::optional<source::FileId> load(source::FileId, std::string_view, Span, diagnostics::Sink&) override {
      return std::nullopt;
    }
  } nothing;
  source::Files files;
  Modules modules(files, nothing, options, sink);
  const Module empty;
  Evaluator eval(empty, {}, sink);
  Patterns patterns(modules, eval, options);
  return actions(patterns, {&empty, nullptr}, action);
}

std::optional<model::Day> to_day(int year, int month, int day) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || year < 1970 || year > 9999) return std::nullopt;
  return static_cast<model::Day>(std::chrono::sys_days(date).time_since_epoch().count());
}

}  // namespace agp::sema
