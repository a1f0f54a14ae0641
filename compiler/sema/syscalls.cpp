#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/sema/rules.hpp"

// System calls: names, groups and conditions -> patterns of the model, checked against the kernel's tables.
namespace agp::sema {
namespace {

namespace kind = diagnostics::kind;
using Op = syntax::Condition::Op;

std::string constant_text(const syntax::Constant& c) {
  std::vector<std::string> terms;
  for (const auto& t : c.terms) {
    if (const auto* n = std::get_if<syntax::Name>(&t))
      terms.push_back(n->text);
    else
      terms.push_back(fmt::format("{}", std::get<syntax::Number>(t).value));
  }
  return terms.size() == 1 ? terms[0] : fmt::format("({})", fmt::join(terms, " | "));
}

std::string_view op_text(Op op) {
  switch (op) {
    case Op::Ne:
      return "!=";
    case Op::Lt:
      return "<";
    case Op::Le:
      return "<=";
    case Op::Gt:
      return ">";
    case Op::Ge:
      return ">=";
    default:
      return "==";
  }
}

std::string condition_text(const syntax::Condition& c) {
  if (c.op == Op::Bare) return c.values.empty() ? "" : constant_text(c.values[0]);
  if (c.op == Op::In) {
    std::vector<std::string> values;
    for (const auto& v : c.values) values.push_back(constant_text(v));
    return fmt::format("{} in [{}]", c.argument.text, fmt::join(values, ", "));
  }
  const std::string left =
      c.op == Op::Masked && c.mask ? fmt::format("{} & {}", c.argument.text, constant_text(*c.mask)) : c.argument.text;
  return fmt::format("{} {} {}", left, op_text(c.op), c.values.empty() ? "" : constant_text(c.values[0]));
}

model::ArgTest::Op model_op(Op op) {
  using M = model::ArgTest::Op;
  switch (op) {
    case Op::Ne:
      return M::Ne;
    case Op::Lt:
      return M::Lt;
    case Op::Le:
      return M::Le;
    case Op::Gt:
      return M::Gt;
    case Op::Ge:
      return M::Ge;
    case Op::In:
      return M::In;
    case Op::Masked:
      return M::Masked;
    default:
      return M::Eq;
  }
}

}  // namespace

std::string call_text(const syntax::SyscallPattern& p) {
  if (p.group) return "@" + p.name.text;
  if (!p.conditions || p.conditions->empty()) return p.name.text == "kill" ? "kill()" : p.name.text;
  std::vector<std::string> parts;
  for (const auto& c : *p.conditions) parts.push_back(condition_text(c));
  return fmt::format("{}({})", p.name.text, fmt::join(parts, ", "));
}

const linux::Syscall* Patterns::find_call(const syntax::Name& name, bool quiet) {
  const linux::Syscall* found = nullptr;
  std::vector<std::string_view> missing;
  for (const auto arch : options_.archs) {
    const auto* call = linux::find_syscall(arch, name.text);
    if (call && !found) found = call;
    if (!call) missing.push_back(linux::to_string(arch));
  }
  if (quiet || (found && missing.empty())) return found;
  if (found) {
    diagnostics::Diagnostic d(kind::system_call_missing, name.span,
                              fmt::format("`{}` does not exist on {}", name.text, fmt::join(missing, ", ")));
    sink().emit(std::move(d));
    return found;
  }
  std::vector<std::string_view> names;
  for (const auto arch : options_.archs)
    for (const auto& call : linux::syscalls(arch)) names.push_back(call.name);
  const bool elsewhere = linux::known_anywhere(name.text);
  std::string help = elsewhere ? "" : diagnostics::did_you_mean(name.text, names);
  // names of the C library that are another call in the kernel
  static constexpr std::pair<std::string_view, std::string_view> libc[] = {
      {"fstatat", "newfstatat"}, {"pread", "pread64"}, {"pwrite", "pwrite64"}, {"umount", "umount2"},
      {"send", "sendto"},        {"recv", "recvfrom"}, {"waitpid", "wait4"},   {"sigaction", "rt_sigaction"}};
  for (const auto& [wrong, right] : libc)
    if (wrong == name.text) help = fmt::format("the kernel calls it `{}`", right);
  sink()
      .emit(kind::unknown_system_call, name.span,
            elsewhere ? fmt::format("no selected architecture ({}) has the system call `{}`", fmt::join(missing, ", "),
                                    name.text)
                      : fmt::format("`{}` is no system call", name.text))
      .helped(help);
  return nullptr;
}

std::optional<std::uint64_t> Patterns::constant(const Scope& scope, const syntax::Constant& c, linux::Arch arch) {
  std::uint64_t out = 0;
  for (const auto& term : c.terms) {
    if (const auto* number = std::get_if<syntax::Number>(&term)) {
      if (number->overflow) {
        sink().emit(kind::invalid_value, number->span, "the number does not fit 64 bits");
        return std::nullopt;
      }
      out |= number->value;
      continue;
    }
    const auto& name = std::get<syntax::Name>(term);
    if (const auto value = linux::find_constant(name.text, arch)) {
      out |= *value;
      continue;
    }
    const bool declared =
        (scope.locals && scope.locals->count(name.text)) || (scope.module && scope.module->items.count(name.text));
    if (declared) {
      const auto value = eval_.lookup(scope, name.text, name.span);
      if (value && value->type == Value::Type::Int) {
        out |= value->number;
        continue;
      }
      if (value)
        sink().emit(kind::type_mismatch, name.span, fmt::format("expected a number, found {}", to_string(value->type)));
      return std::nullopt;
    }
    const bool elsewhere = std::any_of(std::begin(linux::all_archs), std::end(linux::all_archs),
                                       [&](linux::Arch a) { return linux::find_constant(name.text, a).has_value(); });
    sink()
        .emit(kind::unknown_constant, name.span,
              elsewhere ? fmt::format("{} has no constant `{}`", linux::to_string(arch), name.text)
                        : fmt::format("`{}` is no constant of the kernel that agp knows", name.text))
        .helped(elsewhere ? "write the number, or select only architectures that have it with `--arch`"
                          : suggest_capitals(name.text, linux::constant_names()));
    return std::nullopt;
  }
  return out;
}

std::optional<int> Patterns::argument(const linux::Syscall& call, const syntax::Name& name) {
  if (const auto index = linux::find_argument(call, name.text)) return index;
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < call.argument_count; ++i)
    names.push_back(linux::argument_name(call, static_cast<int>(i)));
  std::string help = diagnostics::did_you_mean(name.text, names);
  if (help.empty())
    help = names.empty() ? fmt::format("`{}` takes no arguments; `arg0` to `arg5` are the registers", call.name)
                         : fmt::format("its arguments are {}", fmt::join(names, ", "));
  const bool usual = options_.archs.size() == 1 || call.arch == options_.archs.front();
  const std::string on = usual ? "" : fmt::format(" on {}", linux::to_string(call.arch));
  sink()
      .emit(kind::unknown_argument, name.span, fmt::format("`{}` has no argument `{}`{}", call.name, name.text, on))
      .helped(help);
  return std::nullopt;
}

std::optional<model::ArgTest> Patterns::test(const Scope& scope, const linux::Syscall& call,
                                             const syntax::Condition& c) {
  if (c.op == Op::Bare) {
    sink()
        .emit(kind::unknown_argument, c.span, "a condition of a rule names its argument")
        .helped(fmt::format("write `{} == {}`", linux::argument_name(call, 0),
                            c.values.empty() ? "…" : constant_text(c.values[0])));
    return std::nullopt;
  }
  const auto index = argument(call, c.argument);
  if (!index) return std::nullopt;
  const linux::Argument& argument = call.arguments[static_cast<std::size_t>(*index)];
  if (argument.pointer) {
    sink()
        .emit(kind::pointer_argument, c.argument.span,
              fmt::format("`{}` of `{}` is a pointer: a filter sees the address, not what it points to",
                          c.argument.text, call.name))
        .helped("a path, an address or a structure behind a pointer is held by `file` and `net` rules");
    return std::nullopt;
  }
  model::ArgTest out;
  out.index = *index;
  out.op = model_op(c.op);
  for (const auto& v : c.values) {
    const auto value = constant(scope, v, call.arch);
    if (!value) return std::nullopt;
    // negative constants (AT_FDCWD) are sign-extended: the argument's own width counts
    const auto fitting = linux::at_width(*value, argument.effective_mask);
    if (!fitting) {
      sink().emit(kind::value_out_of_range, v.span,
                  fmt::format("{:#x} does not fit `{}`: the kernel looks at {} bits of it", *value, c.argument.text,
                              std::popcount(argument.effective_mask)));
      return std::nullopt;
    }
    out.values.push_back(*fitting);
  }
  if (out.values.empty()) {
    sink().emit(kind::invalid_value, c.span, "the list is empty: the condition is never true");
    return std::nullopt;
  }
  if (c.mask) {
    const auto mask = constant(scope, *c.mask, call.arch);
    if (!mask) return std::nullopt;
    const auto seen = linux::at_width(*mask, argument.effective_mask);
    if (!seen) {
      sink().emit(kind::value_out_of_range, c.mask->span,
                  fmt::format("{:#x} has bits that the kernel does not see in `{}`: it looks at {} of them", *mask,
                              c.argument.text, std::popcount(argument.effective_mask)));
      return std::nullopt;
    }
    out.mask = *seen;
    if ((out.values[0] & ~*mask) != 0) {
      sink().emit(kind::value_out_of_range, c.span,
                  fmt::format("{:#x} has bits outside the mask {:#x}: never equal", out.values[0], *mask));
      return std::nullopt;
    }
  }
  if (out.op == model::ArgTest::Op::In) {
    std::sort(out.values.begin(), out.values.end());
    out.values.erase(std::unique(out.values.begin(), out.values.end()), out.values.end());
  }
  return out;
}

std::vector<model::SyscallPattern> Patterns::call(const Scope& scope, const syntax::SyscallPattern& p, bool quiet) {
  if (!find_call(p.name, quiet)) return {};
  std::vector<model::SyscallPattern> out;
  for (const auto arch : options_.archs) {
    const auto* found = linux::find_syscall(arch, p.name.text);
    if (!found) continue;
    model::SyscallPattern one{p.name.text, {}, {arch}};
    bool ok = true;
    if (p.conditions)
      for (const auto& c : *p.conditions) {
        auto t = test(scope, *found, c);
        if (t)
          one.tests.push_back(std::move(*t));
        else
          ok = false;
      }
    if (!ok) return {};  // said once, for the first architecture that it is wrong on
    const auto same = std::find_if(out.begin(), out.end(), [&](const auto& o) { return o.tests == one.tests; });
    if (same == out.end())
      out.push_back(std::move(one));
    else
      same->archs.add(arch);
  }
  if (out.size() == 1) out.front().archs = linux::ArchSet::all();
  return out;
}

Patterns::List<model::SyscallPattern> Patterns::group(const syntax::SyscallPattern& p) {
  const std::string& name = p.name.text;
  if (p.conditions) {
    sink().emit(kind::unknown_argument, p.span, "a group takes no conditions");
    return {};
  }
  if (std::find(expanding_.begin(), expanding_.end(), name) != expanding_.end()) {
    sink().emit(kind::recursive_definition, p.span, fmt::format("the group `@{}` contains itself", name));
    return {};
  }
  if (const auto known = groups_.find(name); known != groups_.end()) return known->second;
  const Module* module = modules_.load_library("std.syscalls." + name);
  const auto item = module ? module->items.find(name) : decltype(module->items.end()){};
  const auto* fragment = module && item != module->items.end() ? std::get_if<syntax::Fragment>(item->second) : nullptr;
  if (!fragment) {
    std::vector<std::string> names;
    for (const std::string& path : library_modules())
      if (path.starts_with("std/syscalls/")) names.push_back(path.substr(13, path.size() - 17));
    sink()
        .emit(kind::unknown_group, p.span, fmt::format("the library has no group `@{}`", name))
        .helped(fmt::format("groups are @{}", fmt::join(names, ", @")));
    return {};
  }
  expanding_.push_back(name);
  List<model::SyscallPattern> out;
  for (const auto& statement : fragment->body)
    if (const auto* block = std::get_if<syntax::SyscallBlock>(&statement))
      for (const auto& rule : block->rules)
        if (rule.head.effect == syntax::Effect::Allow)
          for (auto& one : syscalls({module, nullptr}, rule.patterns, true)) out.push_back(std::move(one));
  expanding_.pop_back();
  return groups_[name] = out;
}

Patterns::List<model::SyscallPattern> Patterns::syscalls(const Scope& scope,
                                                         const std::vector<syntax::SyscallPattern>& list,
                                                         bool in_group) {
  List<model::SyscallPattern> out;
  for (const auto& p : list) {
    if (p.group) {
      for (auto& one : group(p)) {
        one.span = p.span;
        one.text = "@" + p.name.text;
        out.push_back(std::move(one));
      }
    } else {
      for (auto& one : call(scope, p, in_group)) out.push_back({std::move(one), p.span, call_text(p)});
    }
  }
  return out;
}

}  // namespace agp::sema
