# agp_check_antlr(TOOL_VERSION RUNTIME_VERSION): stops where code that the tool generates can't run on the runtime. The
# tables that generated code carries have changed twice: 4.7 to 4.9 read each other's (4.7.2 on 4.9 is what Debian 12 has,
# and what the tests run on); from 4.10 on both must be of one minor version.
function(agp_check_antlr tool runtime)
  set(old "^4\\.[789](\\.|$)")
  if(tool MATCHES "${old}" AND runtime MATCHES "${old}")
    return()
  endif()
  string(REGEX MATCH "^4\\.[1-9][0-9]+" tool_minor "${tool}")
  string(REGEX MATCH "^4\\.[1-9][0-9]+" runtime_minor "${runtime}")
  if(tool_minor AND tool_minor STREQUAL runtime_minor)
    return()
  endif()
  message(FATAL_ERROR "ANTLR's tool is ${tool} and its C++ runtime is ${runtime}: what the tool generates does not run on "
                      "this runtime. Install antlr4 and libantlr4-runtime-dev of one release (Debian 12: 4.7.2 and 4.9), or name "
                      "another tool with -DAGP_ANTLR=PATH.")
endfunction()

# Run as a script, it is its own test: cmake -DTOOL=4.7.2 -DRUNTIME=4.9 -P cmake/antlr.cmake
if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  agp_check_antlr("${TOOL}" "${RUNTIME}")
endif()
