#pragma once
#include <string>

#include "compiler/cli/commands.hpp"

/// The tables of commands and options as pages. `tools/reference` writes them; nothing of the product calls them.
namespace agp::cli {

std::string man_overview();                      ///< agp.1, for groff and mandoc
std::string man_command(const CommandRow& row);  ///< agp-NAME.1
std::string reference_page();                    ///< docs/reference/cli.md

}  // namespace agp::cli
