# src/kernels/kernels.c, once per instruction-set level. Sets MUSTER_KERNEL_OBJECTS and
# MUSTER_KERNEL_DEFINITIONS. A new level is one line here and one row in src/kernels/dispatch.c.

# What fixes the bits on every level: nothing fused, and floating-point exceptions, which nobody
# looks at, do not keep the compiler from vectorising.
set(kernel_flags -ffp-contract=off -fno-trapping-math -fno-math-errno)
set(MUSTER_KERNEL_OBJECTS)
set(MUSTER_KERNEL_DEFINITIONS)

function(muster_kernels isa)
    add_library(muster_kernels_${isa} OBJECT ${PROJECT_SOURCE_DIR}/src/kernels/kernels.c)
    set_target_properties(muster_kernels_${isa} PROPERTIES
        POSITION_INDEPENDENT_CODE ON C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden)
    target_link_libraries(muster_kernels_${isa} PRIVATE muster_build_flags)
    target_compile_definitions(muster_kernels_${isa} PRIVATE MST_ISA=${isa})
    target_compile_options(muster_kernels_${isa} PRIVATE ${kernel_flags} ${ARGN})
    list(APPEND MUSTER_KERNEL_OBJECTS $<TARGET_OBJECTS:muster_kernels_${isa}>)
    set(MUSTER_KERNEL_OBJECTS ${MUSTER_KERNEL_OBJECTS} PARENT_SCOPE)
endfunction()

muster_kernels(scalar -O2 -fno-tree-vectorize)
muster_kernels(base -O3)
if(MUSTER_WIDE_KERNELS AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    muster_kernels(v2 -O3 -march=x86-64-v2)
    muster_kernels(v3 -O3 -march=x86-64-v3)
    muster_kernels(v4 -O3 -march=x86-64-v4 -mprefer-vector-width=512)
    list(APPEND MUSTER_KERNEL_DEFINITIONS MST_KERNELS_X86)
endif()
