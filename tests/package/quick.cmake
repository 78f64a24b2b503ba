# What is compiled here is compiled in the same way and runs, and is not fast: a toolchain of tests that compile the
# library again (CMAKE_TOOLCHAIN_FILE). Full optimisation, across files, of kernels for all CPUs is three quarters of the
# time, and is what everything else in these tests is compiled with.
foreach(language C CXX)
    foreach(configuration RELEASE RELWITHDEBINFO)
        set(CMAKE_${language}_FLAGS_${configuration} -DNDEBUG CACHE STRING "")
    endforeach()
    set(CMAKE_${language}_COMPILER_LAUNCHER ${CMAKE_CURRENT_LIST_DIR}/quick.sh CACHE STRING "") # the kernels ask for -O3
endforeach()
set(MUSTER_LINK_TIME_OPTIMISATION OFF CACHE BOOL "")
set(MUSTER_WIDE_KERNELS OFF CACHE BOOL "")
