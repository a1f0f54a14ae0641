#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace agp::cli {

/// The words that an argument or option of `agp new` can be.
std::vector<std::string> new_kinds();
std::vector<std::string> new_runtimes();
std::vector<std::string> new_models();
std::vector<std::string> new_forges();

/// What is wrong with a value, one clause; nothing when it can stand in a policy as it is.
std::string wrong_policy_name(std::string_view text);
std::string wrong_address(std::string_view text);
std::string wrong_network(std::string_view text);
std::string wrong_host(std::string_view text);
std::string wrong_directory(std::string_view text);
std::string wrong_owner(std::string_view text);

}  // namespace agp::cli
