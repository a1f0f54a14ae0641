#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "compiler/model/target.hpp"

/// Target records (`agp-target/1`, docs/reference/schemas/agp-target-1.json): one JSON object, committed by whoever
/// deploys, named in agp.toml or by `--target FILE.json`.
namespace agp::plan {

/// The highest Landlock ABI whose rights are known (Linux 7.2, include/uapi/linux/landlock.h). A record with a higher
/// one is taken to have this one, and that is said.
inline constexpr int highest_landlock_abi = 10;

nlohmann::ordered_json target_record(const model::Target& target);

/// A record's text -> the target, or what is wrong with it: one clause, lower case. Every key is needed and no other is
/// known; architectures are not looked at here.
std::variant<model::Target, std::string> read_target(std::string_view text);

/// `6.12`: two numbers of at most four digits; nothing else.
std::optional<model::KernelVersion> read_version(std::string_view text);

/// The newest kernel all of whose names this libseccomp has (the first line of its src/syscalls.csv in each release);
/// nothing before 2.5.0.
std::optional<model::KernelVersion> libseccomp_names(int major, int minor, int patch);

}  // namespace agp::plan
