/* A job whose last rank is late: it takes a while before each sum, for a number of sums, 0: for ever. On a
 * busy machine others wait for a CPU that long, too: the while is several of the scheduler's slices. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "muster/muster.h"

int main(int argc, char **argv)
{
    const struct timespec while_ns = { 0, 20 * 1000 * 1000 };
    int sums = argc > 1 ? atoi(argv[1]) : 0;
    float x[1000] = { 0 };
    muster_group *world;

    if (muster_init(true, NULL, &world) != MUSTER_OK) {
        fprintf(stderr, "late: %s\n", muster_error_detail());
        return 1;
    }
    for (int i = 0; sums == 0 || i < sums; i++) {
        muster_phase(i % 2 ? "odd \"<b>\\" : "even", i % 4 < 2 ? world : NULL);
        if (muster_group_rank(world) == muster_group_size(world) - 1)
            nanosleep(&while_ns, NULL);
        if (muster_all_sum(x, x, 1000, MUSTER_FLOAT32, world) != MUSTER_OK) {
            fprintf(stderr, "late: %s\n", muster_error_detail());
            return 1;
        }
        if (i == 0) {
            fprintf(stderr, "late: alike on all ranks, and nobody is in trouble\n");
            printf("ready\n");
            fflush(stdout);
        }
    }
    muster_group_free(world);
    return 0;
}
