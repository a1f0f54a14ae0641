# agp_library(NAME FOLDER DEPS...): every .cpp directly in FOLDER becomes the static library agp_NAME. A folder that
# has only headers becomes an interface library. Headers are included from the repository root.
function(agp_library name folder)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  if(sources)
    add_library(agp_${name} STATIC ${sources})
    target_include_directories(agp_${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(agp_${name} PUBLIC ${ARGN} fmt::fmt PRIVATE agp_warnings)
  else()
    add_library(agp_${name} INTERFACE)
    target_include_directories(agp_${name} INTERFACE ${PROJECT_SOURCE_DIR})
    target_link_libraries(agp_${name} INTERFACE ${ARGN} fmt::fmt)
  endif()
endfunction()

# agp_static(TARGET): a program without shared libraries, for a container that has none. Sanitizers need them.
function(agp_static target)
  target_compile_options(${target} PRIVATE -fno-sanitize=all)
  target_link_options(${target} PRIVATE -static -fno-sanitize=all)
endfunction()

add_library(agp_warnings INTERFACE)
target_compile_options(agp_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                       -Wnon-virtual-dtor -Woverloaded-virtual
                       # GCC 12 reports it wrongly for std::string (gcc bug 105329); Clang does not know it
                       $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
                       $<$<BOOL:${AGP_WERROR}>:-Werror>)
