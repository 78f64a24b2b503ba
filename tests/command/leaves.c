/* Ranks of which rank 1 ends its part in the way that the argument names, while the others need it still: for
 * tests of what the launcher says of it. The others print why their call failed, and end with status 8. By
 * "alone" none ends: each goes on in a group of its own, where it waits for nobody. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "muster/muster.h"

static muster_status sum(muster_group *group, size_t count)
{
    float values[2] = { 1, 2 };

    return muster_all_sum(values, values, count, MUSTER_FLOAT32, group);
}

/* Whether that was all for rank 1; *status is what it ends with. */
static int leave(const char *how, muster_group *world, int *status)
{
    static const char *const sleeping[] = { "sleep", "1000", NULL };

    if (strcmp(how, "exit") == 0)
        exit(0);
    if (strcmp(how, "_exit") == 0)
        _exit(0);
    if (strcmp(how, "exec") == 0)
        execvp(sleeping[0], (char *const *)(uintptr_t)sleeping);
    if (strcmp(how, "threads") == 0)
        pthread_exit(NULL);
    if (strcmp(how, "kill") == 0)
        abort();
    if (strcmp(how, "abort") == 0)
        muster_group_abort(world, "the data is used up");
    *status = strcmp(how, "abort") == 0 ? 3 : strcmp(how, "four") == 0 ? 4 : 0;
    return *status != 0;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "none";
    static muster_group *world, *group; /* who ends at once frees neither, and leaks nothing */
    int status = 0;

    if (muster_init(true, NULL, &world) != MUSTER_OK)
        return 1;
    int rank = muster_group_rank(world);
    group = world;
    if (strcmp(how, "part") == 0 && muster_group_split(world, rank < 2, 0, &group) != MUSTER_OK)
        return 1;
    if (strcmp(how, "alone") == 0 && muster_group_split(world, rank, 0, &group) != MUSTER_OK)
        return 1;
    if (strncmp(how, "turned ", 7) == 0 && muster_group_split(world, 0, 100 - rank, &group) != MUSTER_OK)
        return 1;
    if (strcmp(how, "copy") == 0 && muster_group_dup(world, &group) != MUSTER_OK)
        return 1;
    if (rank == 1 && strcmp(how, "turned exit") == 0)
        _exit(0);
    if (rank == 1 && (strcmp(how, "copy") == 0 || strcmp(how, "turned abort") == 0)) {
        muster_group_abort(group, "a copy has failed");
        return 8;
    }
    if (strcmp(how, "part") == 0 && rank == 1) {
        muster_group_abort(group, "a part has failed");
        return 7;
    }
    if (strncmp(how, "turned ", 7) != 0 && sum(world, 1) != MUSTER_OK && group == world)
        return 1;
    if (rank == 1 && leave(how, world, &status))
        return status;
    size_t count = strcmp(how, "mismatch") == 0 && rank == 1 ? 2 : 1;
    if (strcmp(how, "alone") == 0)
        puts("goes on");
    fflush(stdout);
    muster_status met = sum(group, count);
    while (met == MUSTER_OK && strcmp(how, "alone") == 0)
        met = sum(group, count);
    if (met == MUSTER_OK)
        return 0;
    fprintf(stderr, "%s\n", muster_error_detail());
    return 8;
}
