# agp_embed(TARGET NAMESPACE BASE FILES...): makes the files' bytes part of TARGET. The generated header
# "embedded/NAMESPACE.hpp" declares `std::span<const agp::embedded::File> agp::embedded::NAMESPACE()`,
# sorted by path; paths are relative to BASE.
function(agp_embed target namespace base)
  set(list ${CMAKE_CURRENT_BINARY_DIR}/embedded/${namespace}.list)
  set(header ${CMAKE_CURRENT_BINARY_DIR}/include/embedded/${namespace}.hpp)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded/${namespace}.cpp)
  list(SORT ARGN)
  string(REPLACE ";" "\n" lines "${ARGN}")
  file(GENERATE OUTPUT ${list} CONTENT "${lines}\n")
  add_custom_command(
    OUTPUT ${header} ${source}
    COMMAND ${CMAKE_COMMAND} -DLIST=${list} -DBASE=${base} -DNAMESPACE=${namespace} -DHEADER=${header}
            -DSOURCE=${source} -P ${PROJECT_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${ARGN} ${list} ${PROJECT_SOURCE_DIR}/cmake/embed_files.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${source} ${header})
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/include)
endfunction()
