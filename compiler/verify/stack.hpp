#pragma once
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compiler/verify/verify.hpp"

/// Everything that the artifacts of one stack were read back to, against the policy: one list of obligations. A layer
/// that decides a sort of actions has its check in a file of this folder; `verify_stack` asks each in turn.
namespace agp::verify {

/// What one backend made of the bytes.
struct Reading {
  std::string layer;  ///< the backend's name
  backends::Decoded decoded;
};

/// Every backend's reading of the artifacts, in the order in which they emit.
std::vector<Reading> read_back(std::span<const backends::Artifact> artifacts, const model::Target& target);

/// Paths of the artifacts that no decoder reads, sorted: never "proved".
std::vector<std::string> not_verified(std::span<const Reading> readings);

/// The sets (table, set) that the stack's resolver fills.
std::set<std::pair<std::string, std::string>> resolver_fills(std::span<const Reading> readings);

/// Policy against all readings, every sort and both directions. Accepted gaps are subtracted. What a decoder refused is
/// no obligation: see `report_refused`.
std::vector<Obligation> verify_stack(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                     std::span<const Reading> readings, const Options& options = {});

}  // namespace agp::verify
