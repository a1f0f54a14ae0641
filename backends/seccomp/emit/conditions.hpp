#pragma once
#include "backends/seccomp/emit/diagram.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/model/syscall.hpp"

namespace agp::backends::seccomp {

/// One test (model::holds) as a condition over the words a filter can load. `refuses`: the pattern takes rights away
/// (a deny, an ask, the `except` of an allow); it matters only for an argument that is not classified.
Diagram::Ref test_condition(Diagram& diagram, const model::ArgTest& test, const linux::Argument& argument, bool refuses,
                            const WordOrder& order);

/// The conjunction of a pattern's tests. Precondition: the pattern is about `call`.
Diagram::Ref pattern_condition(Diagram& diagram, const model::SyscallPattern& pattern, const linux::Syscall& call,
                               bool refuses, const WordOrder& order);

}  // namespace agp::backends::seccomp
