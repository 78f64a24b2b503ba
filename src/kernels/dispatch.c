/* Selects the table of kernels that this CPU can run. The build defines which tables exist. */
#include "src/kernels/reduce.h"

#include <string.h>

extern const mst_kernels mst_kernels_scalar, mst_kernels_base;

static bool always(void)
{
    return true;
}

#ifdef MST_KERNELS_X86 /* set by CMake where it builds these levels */
extern const mst_kernels mst_kernels_v2, mst_kernels_v3, mst_kernels_v4;

static bool has_v2(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3") &&
           __builtin_cpu_supports("popcnt");
}

static bool has_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
}

static bool has_v4(void)
{
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

/* Slowest first. */
static const struct {
    const mst_kernels *kernels;
    bool (*runs_here)(void);
} levels[] = {
    { &mst_kernels_scalar, always }, { &mst_kernels_base, always },
#ifdef MST_KERNELS_X86
    { &mst_kernels_v2, has_v2 },     { &mst_kernels_v3, has_v3 },   { &mst_kernels_v4, has_v4 },
#endif
};

#define LEVEL_COUNT ((int)(sizeof levels / sizeof levels[0]))

const mst_kernels *mst_kernels_find(const char *isa)
{
    for (int i = LEVEL_COUNT - 1; i >= 0; i--)
        if ((!isa || strcmp(isa, levels[i].kernels->isa) == 0) && levels[i].runs_here())
            return levels[i].kernels;
    return NULL;
}

const char *mst_kernels_name(int index)
{
    return index >= 0 && index < LEVEL_COUNT ? levels[index].kernels->isa : NULL;
}
