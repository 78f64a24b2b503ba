# What `cmake --install` puts where: libraries, header, command, man page, CMake package, pkg-config.
include(CMakePackageConfigHelpers)

install(TARGETS muster muster_static EXPORT musterTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/muster DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/docs/man/muster.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
if(MUSTER_BUILD_COMMAND)
    install(TARGETS muster_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(FILES ${PROJECT_SOURCE_DIR}/completions/muster.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME muster)
endif()
if(TARGET muster_mlx) # in a folder of our own: nobody is to find it who does not ask for it
    install(TARGETS muster_mlx LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/muster)
    install(PROGRAMS ${PROJECT_SOURCE_DIR}/scripts/mpirun-muster DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(FILES ${PROJECT_SOURCE_DIR}/docs/man/mpirun-muster.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/muster)
install(EXPORT musterTargets NAMESPACE muster:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/musterConfig.cmake.in
    ${PROJECT_BINARY_DIR}/musterConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/musterConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/musterConfig.cmake ${PROJECT_BINARY_DIR}/musterConfigVersion.cmake
    DESTINATION ${package_dir})

# Relative to the file itself, so that `cmake --install --prefix` may go anywhere.
file(RELATIVE_PATH MUSTER_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${PROJECT_SOURCE_DIR}/cmake/muster.pc.in ${PROJECT_BINARY_DIR}/muster.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/muster.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
