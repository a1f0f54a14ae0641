# What `cmake --install` puts where. The pages come from the build (tools/reference).
include(GNUInstallDirs)

# libz3 is opened when it is needed. Beside the system's places it is looked for in a directory of agp's own, which the
# archive has and the package has not; and there first: DT_RPATH, which stands before LD_LIBRARY_PATH.
set_target_properties(agp PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/agp")
target_link_options(agp PRIVATE -Wl,--disable-new-dtags)

install(TARGETS agp RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS agp-probe RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/agp)

set(pages ${PROJECT_BINARY_DIR}/share)
install(DIRECTORY ${pages}/man/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
install(DIRECTORY ${pages}/bash-completion ${pages}/zsh ${pages}/fish DESTINATION ${CMAKE_INSTALL_DATADIR})
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
foreach(licence LICENSE LICENCE COPYING)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${licence})
    install(FILES ${licence} DESTINATION ${CMAKE_INSTALL_DOCDIR})
  endif()
endforeach()
# The script that checks certificates: no program of this build, and nothing of its code.
install(PROGRAMS tools/check-certificate DESTINATION ${CMAKE_INSTALL_DATADIR}/agp)
install(DIRECTORY tools/certificate DESTINATION ${CMAKE_INSTALL_DATADIR}/agp FILES_MATCHING PATTERN "*.py")
# All of it: pages lead to each other.
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})
