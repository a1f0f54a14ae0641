#include "backends/landlock/rules/calls.hpp"

#include "backends/backend.hpp"
#include "compiler/linux/footprints.hpp"
#include "compiler/linux/landlock.hpp"

namespace agp::backends::landlock {

std::optional<std::string> attribute_call(const model::Policy& policy) {
  for (const linux::Footprint& way : linux::footprints(linux::Act::Attributes))
    if (const std::string_view call = way.calls[0].call; may_call(policy, call)) return std::string(call);
  for (const std::uint64_t command : linux::landlock::attribute_ioctls())
    if (model::decide(policy, model::SyscallAction{"ioctl", {3, command}}).decision == model::Decision::Allow)
      return "ioctl";
  return std::nullopt;
}

}  // namespace agp::backends::landlock
