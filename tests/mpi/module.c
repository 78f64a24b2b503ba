/*
 * A module that has a copy of libmuster of its own, as an extension of Python's may, and that a rank opens,
 * calls and may close (client.c).
 */
#include <stdio.h>

#include "muster/muster.h"

/* Its world is used once. Returns NULL, or what was wrong. */
__attribute__((visibility("default"))) const char *mpi_module_works(void);

const char *mpi_module_works(void)
{
    muster_group *world;
    int one = 1, sum = 0;

    if (muster_init(true, "mpi", &world) != MUSTER_OK ||
        muster_all_sum(&one, &sum, 1, MUSTER_INT32, world) != MUSTER_OK)
        return muster_error_detail();
    return sum == muster_group_size(world) ? NULL : "a wrong sum";
}
