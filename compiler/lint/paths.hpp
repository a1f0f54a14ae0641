#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/path_pattern.hpp"
#include "compiler/model/policy.hpp"

namespace agp::lint {

/// Adds `/` and the component as the language spells it.
void append_component(std::string& out, const model::PathComponent& component);

/// A pattern with its canonical text, which is how a space tells patterns apart.
model::PathPattern make_pattern(std::vector<model::PathComponent> components);

/// What a pattern over the host's paths matches beneath the host's directory `source`, seen at `target` in the sandbox:
/// `/home/*/.ssh/**` beneath `/home/bob` mounted at `/h` is `/h/.ssh/**`. Several patterns where `**` may end in
/// several places; none where the pattern leads elsewhere. Both paths absolute and canonical.
std::vector<model::PathPattern> through_mount(const model::PathPattern& pattern, std::string_view source,
                                              std::string_view target);

/// The host's path behind a path of the sandbox; nothing where a tmpfs or nothing of the host is there.
std::optional<std::string> host_path(const model::Policy& policy, std::string_view path);

/// The mount that shows `path`: the last of those with the longest target. Null: the root file system.
const model::Mount* mount_of(const model::Policy& policy, std::string_view path);

}  // namespace agp::lint
