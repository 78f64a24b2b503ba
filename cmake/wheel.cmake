# What a wheel has beside the Python files (pyproject.toml). pip puts scripts and data below the virtual
# environment, so that the command finds the libraries that it preloads from where it is.
install(TARGETS muster_python LIBRARY DESTINATION muster)
install(FILES ${PROJECT_SOURCE_DIR}/bindings/python/muster_vllm.py DESTINATION .) # beside the package
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/muster DESTINATION muster/include) # muster._native compiles against it
install(TARGETS muster_command RUNTIME DESTINATION ${SKBUILD_SCRIPTS_DIR})
install(TARGETS muster_malloc LIBRARY DESTINATION ${SKBUILD_DATA_DIR}/${MUSTER_PRELOADED_DIR})
if(TARGET muster_mlx)
    install(TARGETS muster_mlx LIBRARY DESTINATION ${SKBUILD_DATA_DIR}/${MUSTER_PRELOADED_DIR})
    install(PROGRAMS ${PROJECT_SOURCE_DIR}/scripts/mpirun-muster DESTINATION ${SKBUILD_SCRIPTS_DIR})
endif()
# Wheels have no links, and it would be there three times: under the name that programs load it by, alone.
set_property(TARGET muster PROPERTY VERSION 0)
install(TARGETS muster LIBRARY DESTINATION ${SKBUILD_DATA_DIR}/lib NAMELINK_SKIP)

file(GLOB pages ${PROJECT_SOURCE_DIR}/docs/man/*.1)
install(FILES ${pages} DESTINATION ${SKBUILD_DATA_DIR}/share/man/man1)
install(FILES ${PROJECT_SOURCE_DIR}/tools/muster/completions/muster.bash
    DESTINATION ${SKBUILD_DATA_DIR}/share/bash-completion/completions RENAME muster)
