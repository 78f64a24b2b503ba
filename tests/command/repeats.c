/* A rank that repeats one call, for test_instructions: `repeats barrier|all_sum COUNT`. */
#include <muster/muster.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    bool sums = argc == 3 && strcmp(argv[1], "all_sum") == 0;
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    muster_status status = MUSTER_OK;
    float in = 1, out = 0;
    muster_group *world;

    if (muster_init(true, NULL, &world) != MUSTER_OK)
        return 1;
    for (long i = 0; i < count && status == MUSTER_OK; i++)
        status = sums ? muster_all_sum(&in, &out, 1, MUSTER_FLOAT32, world) : muster_barrier(world);
    muster_group_free(world);
    return status != MUSTER_OK || (sums && out != 2);
}
