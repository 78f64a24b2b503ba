/* Arena buffers: where they live, how long, what happens at the limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

static int alloc_and_free(muster_group *world, void *arg)
{
    enum { BUFFERS = 40 };
    unsigned char *buffers[BUFFERS];

    (void)arg;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < BUFFERS; i++) {
            size_t bytes = (size_t)i * i * 997 + 1;

            RANK_OK(world, muster_alloc(world, bytes, (void **)&buffers[i]));
            RANK_CHECK(world, (uintptr_t)buffers[i] % 4096 == 0);
            memset(buffers[i], i, bytes);
        }
        for (int i = 0; i < BUFFERS; i++) /* nobody wrote over anybody */
            RANK_CHECK(world, buffers[i][0] == i && buffers[i][(size_t)i * i * 997] == i);
        for (int i = 0; i < BUFFERS; i++)
            RANK_OK(world, muster_free(world, buffers[(i * 7) % BUFFERS]));
    }
    RANK_CHECK(world, muster_free(world, buffers[0]) == MUSTER_ERR_INVALID); /* twice */
    return 0;
}

START_TEST(test_alloc_and_free)
{
    run_all_sizes(alloc_and_free, NULL);
}
END_TEST

static int buffers_go_with_their_group(muster_group *world, void *arg)
{
    muster_group *group;
    void *buffer, *same;

    (void)arg;
    for (int i = 0; i < 20; i++) { /* 20 x 8 MiB do not fit the arena together */
        RANK_OK(world, muster_group_split(world, 0, -1, &group));
        RANK_OK(world, muster_alloc(group, 8 << 20, &buffer));
        memset(buffer, i, 8 << 20);
        RANK_CHECK(world, muster_free(world, buffer) == MUSTER_ERR_INVALID); /* another group's */
        RANK_OK(world, muster_all_sum(buffer, buffer, 1 << 20, MUSTER_INT32, group));
        RANK_OK(world, muster_group_free(group));
        RANK_OK(world, muster_barrier(world));
    }
    RANK_OK(world, muster_alloc(world, 100, &buffer));
    RANK_OK(world, muster_free(world, buffer));
    RANK_OK(world, muster_alloc(world, 100, &same));
    RANK_CHECK(world, same == buffer);
    return 0;
}

START_TEST(test_buffers_go_with_their_group)
{
    rank_options options = { .size = 2, .mode = RANKS_AS_PROCESSES, .arena_bytes = 164 << 20 };

    run_ranks_with(options, buffers_go_with_their_group, NULL);
    options.mode = RANKS_AS_THREADS;
    run_ranks_with(options, buffers_go_with_their_group, NULL);
}
END_TEST

static int too_much(muster_group *world, void *arg)
{
    void *buffer;

    (void)arg;
    RANK_CHECK(world, muster_alloc(world, 1ULL << 50, &buffer) == MUSTER_ERR_NO_SPACE);
    RANK_CHECK(world, strstr(muster_error_detail(), "MUSTER_ARENA_BYTES"));
    RANK_CHECK(world, muster_alloc(world, SIZE_MAX, &buffer) == MUSTER_ERR_NO_SPACE);
    RANK_OK(world, muster_alloc(world, 1 << 20, &buffer));
    RANK_OK(world, muster_barrier(world));
    return 0;
}

START_TEST(test_more_than_the_arena_has)
{
    run_ranks(2, RANKS_AS_PROCESSES, too_much, NULL);
}
END_TEST

/* What is freed goes back to the system: the object's blocks say so. */
static int memory_goes_back(muster_group *world, void *arg)
{
    struct stat before, with, after;
    int fd = atoi(getenv("MUSTER_ARENA") + 3);
    void *buffer;

    (void)arg;
    RANK_CHECK(world, fstat(fd, &before) == 0);
    RANK_OK(world, muster_alloc(world, 32 << 20, &buffer));
    RANK_CHECK(world, fstat(fd, &with) == 0 && with.st_blocks - before.st_blocks >= (32 << 20) / 512);
    RANK_OK(world, muster_free(world, buffer));
    RANK_CHECK(world, fstat(fd, &after) == 0 && after.st_blocks <= before.st_blocks + 16);
    return 0;
}

START_TEST(test_memory_goes_back_to_the_system)
{
    run_ranks(1, RANKS_AS_PROCESSES, memory_goes_back, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buffers");
    TCase *tests = tcase_create("arena buffers");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_alloc_and_free);
    tcase_add_test(tests, test_buffers_go_with_their_group);
    tcase_add_test(tests, test_more_than_the_arena_has);
    tcase_add_test(tests, test_memory_goes_back_to_the_system);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
