# What `cmake --install` puts where: libraries, header, command, man pages, CMake package, pkg-config.
include(CMakePackageConfigHelpers)

install(TARGETS muster muster_static EXPORT musterTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/muster DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# One page of section 3 serves several functions: the others' names lead to it.
file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.3)
foreach(page IN LISTS pages)
    get_filename_component(page_name ${page} NAME)
    file(STRINGS ${page} names REGEX "^\\.Nm ")
    list(TRANSFORM names REPLACE "^\\.Nm ([a-z_]+).*" "\\1.3")
    list(REMOVE_ITEM names ${page_name})
    foreach(name IN LISTS names)
        file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/man/${name} CONTENT ".so man3/${page_name}\n")
        list(APPEND pages ${PROJECT_BINARY_DIR}/man/${name})
    endforeach()
endforeach()
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)

if(MUSTER_BUILD_COMMAND)
    install(TARGETS muster_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    file(GLOB command_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/muster*.1)
    install(FILES ${command_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${PROJECT_SOURCE_DIR}/tools/muster/completions/muster.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME muster)
endif()
if(TARGET muster_mlx) # in a folder of our own: nobody is to find it who does not ask for it
    install(TARGETS muster_mlx LIBRARY DESTINATION ${MUSTER_PRELOADED_DIR})
    install(PROGRAMS ${PROJECT_SOURCE_DIR}/scripts/mpirun-muster DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(FILES ${PROJECT_SOURCE_DIR}/docs/man/mpirun-muster.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

foreach(flavour openmpi mpich)
    if(TARGET muster_mpi_${flavour})
        install(TARGETS muster_mpi_${flavour} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/muster)
    endif()
endforeach()
if(TARGET muster_malloc)
    install(TARGETS muster_malloc LIBRARY DESTINATION ${MUSTER_PRELOADED_DIR})
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
set(MUSTER_PC_RPATH " -Wl,-rpath,\${libdir}") # the loader looks in few places by itself, and ~/.local is none of them
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(MUSTER_PC_RPATH "")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/muster.pc.in ${PROJECT_BINARY_DIR}/muster.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/muster.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
