#include "compiler/verify/stack.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "compiler/verify/advisory.hpp"
#include "compiler/verify/container.hpp"
#include "compiler/verify/container_tree.hpp"
#include "compiler/verify/files.hpp"
#include "compiler/verify/names.hpp"
#include "compiler/verify/packets.hpp"

namespace agp::verify {

std::vector<Reading> read_back(std::span<const backends::Artifact> artifacts, const model::Target& target) {
  std::vector<Reading> out;
  for (const backends::Backend* backend : backends::all())
    out.push_back({std::string(backend->name()), backend->decode(artifacts, target)});
  return out;
}

std::vector<std::string> not_verified(std::span<const Reading> readings) {
  std::vector<std::string> out;
  for (const Reading& r : readings) out.insert(out.end(), r.decoded.not_verified.begin(), r.decoded.not_verified.end());
  std::sort(out.begin(), out.end());
  return out;
}

std::set<std::pair<std::string, std::string>> resolver_fills(std::span<const Reading> readings) {
  std::set<std::pair<std::string, std::string>> fills;
  for (const Reading& r : readings)
    for (const auto& layer : r.decoded.names)
      for (const auto& fill : layer->fills)
        for (const auto& into : fill.into) fills.emplace(into.table, into.set);
  return fills;
}

std::vector<Obligation> verify_stack(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                     std::span<const Reading> readings, const Options& options) {
  std::vector<Obligation> out;
  const auto take = [&](std::vector<Obligation> some) {
    out.insert(out.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  };
  for (const Reading& r : readings) take(verify_filters(policy, target, plan, r.decoded, options));
  const auto fills = resolver_fills(readings);
  for (const Reading& r : readings)
    for (const auto& layer : r.decoded.packets) take(verify_packets(policy, target, plan, *layer, fills));
  for (const Reading& r : readings)
    for (const auto& layer : r.decoded.names) take(verify_names(policy, target, plan, *layer));
  std::vector<std::shared_ptr<const model::InodeLayer>> files;
  for (const Reading& r : readings) {
    files.insert(files.end(), r.decoded.inodes.begin(), r.decoded.inodes.end());
    if (!r.decoded.container) continue;
    take(verify_container(policy, target, plan, *r.decoded.container));
    ContainerTree tree = container_tree(policy, target, *r.decoded.container);
    take(verify_sources(tree));
    files.push_back(std::make_shared<model::InodeLayer>(std::move(tree.layer)));
  }
  take(verify_files(policy, target, plan, files));
  take(verify_ports(policy, target, plan, readings));
  for (const Reading& r : readings) {
    for (const auto& layer : r.decoded.tools) take(verify_tools(policy, *layer, options.today));
    for (const auto& layer : r.decoded.alerts) take(verify_alerts(policy, target, *layer));
  }
  return out;
}

}  // namespace agp::verify
