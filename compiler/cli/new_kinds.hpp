#pragma once
#include <span>
#include <string_view>

namespace agp::cli {

/// One kind of agent: the parts of its policy. In each text `<name>`, `<workspace>`, `<proxy>`, `<mirror>`, `<within>`
/// and `<server>` stand for what was said or its default, and `<run>` for the words that start the agent's program.
struct KindRow {
  std::string_view name;
  std::string_view doc;
  std::string_view module;     ///< of the library, included with `arguments`
  std::string_view arguments;  ///< "(proxy: <proxy>)"; empty: none
  std::string_view workspace;  ///< what the host's directory is called beneath /srv/agents/NAME; empty: there is none
  std::string_view flags;      ///< options that it takes beside --name and --owner, between spaces: " model forge "
  std::string_view needs;      ///< one of them that must be said; empty: none
  std::string_view example;    ///< a value for it
  std::string_view program;    ///< the directory of the agent's own program in the container; empty: none
  std::string_view command;    ///< `<run>`, or the words themselves
  std::string_view blocks;     ///< further blocks
  std::string_view limits, mounts, accepts, tests;
};
std::span<const KindRow> kind_rows();

}  // namespace agp::cli
