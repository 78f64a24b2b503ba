/* Arena buffers: where they live, how long, what happens at the limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
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
    RANK_CHECK(world, !on_one_host() || same == buffer); /* where the arena gives the first that is free */
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

/* It would fit into the arena, whose address space is large, and fill the machine until the kernel kills. */
static int more_than_memory(muster_group *world, void *arg)
{
    struct sysinfo info;
    void *buffer;

    (void)arg;
    RANK_CHECK(world, sysinfo(&info) == 0);
    uint64_t bytes = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
    RANK_CHECK(world, muster_alloc(world, bytes, &buffer) == MUSTER_ERR_NO_SPACE);
    RANK_CHECK(world, strstr(muster_error_detail(), " MiB left for it") ||
                          strstr(muster_error_detail(), "does not fit into this rank's"));
    RANK_OK(world, muster_alloc(world, 1 << 20, &buffer));
    RANK_OK(world, muster_free(world, buffer));
    return 0;
}

START_TEST(test_more_than_the_machine_has)
{
    run_ranks(2, RANKS_AS_PROCESSES, more_than_memory, NULL);
}
END_TEST

/* Of a large page at each end of what is freed the kernel keeps all, if it cannot split it just then. */
#define BLOCKS_OF_ENDS (2 * (2 << 20) / 512)

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
    RANK_CHECK(world, fstat(fd, &after) == 0 && after.st_blocks <= before.st_blocks + BLOCKS_OF_ENDS);
    return 0;
}

START_TEST(test_memory_goes_back_to_the_system)
{
    run_ranks(1, RANKS_AS_PROCESSES, memory_goes_back, NULL);
}
END_TEST

/* ---- what others read zero-copy may be overwritten as soon as the call returns ---- */

enum { BLOCK = 12000, RANKS_MAX = 8 };

static int32_t element(int round, int rank, int i)
{
    return (round * RANKS_MAX + rank) * 1000003 + i;
}

static muster_status call_one(int which, int round, const int32_t *in, int32_t *out, muster_group *world)
{
    int root = round % muster_group_size(world);

    switch (which) {
    case 0:
        return muster_all_gather(in, out, BLOCK, MUSTER_INT32, world);
    case 1:
        return muster_all_to_all(in, out, BLOCK, MUSTER_INT32, world);
    case 2:
        return muster_reduce_scatter(in, out, BLOCK, MUSTER_INT32, MUSTER_MAX, world);
    case 3:
        return muster_broadcast(in, out, (size_t)muster_group_size(world) * BLOCK, MUSTER_INT32, root, world);
    case 4:
        return muster_scatter(in, out, BLOCK, MUSTER_INT32, root, world);
    default:
        return muster_gather(in, out, BLOCK, MUSTER_INT32, root, world);
    }
}

/* Element i of the block that came from rank `from`. */
static int32_t answer(int which, int round, int from, int i, muster_group *world)
{
    int n = muster_group_size(world), part = muster_group_rank(world) * BLOCK + i;

    switch (which) {
    case 1:
        return element(round, from, part);
    case 2:
        return element(round, n - 1, part);
    case 3:
        return element(round, round % n, from * BLOCK + i);
    case 4:
        return element(round, round % n, part);
    default:
        return element(round, from, i);
    }
}

static int overwrite_inputs_at_once(muster_group *world, void *arg)
{
    enum { ROUNDS = 16, COLLECTIVES = 6 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    int32_t *in, *out = malloc(RANKS_MAX * BLOCK * sizeof *out);

    (void)arg;
    RANK_CHECK(world, out);
    RANK_OK(world, muster_alloc(world, RANKS_MAX * BLOCK * sizeof *in, (void **)&in));
    for (int call = 0; call < ROUNDS * COLLECTIVES; call++) {
        int which = call % COLLECTIVES, round = call / COLLECTIVES;
        int blocks = which <= 1 || which == 3 || (which == 5 && rank == round % n) ? n : which == 5 ? 0 : 1;

        for (int i = 0; i < n * BLOCK; i++)
            in[i] = element(round, rank, i);
        RANK_OK(world, call_one(which, round, in, out, world));
        memset(in, 0x7f, (size_t)n * BLOCK * sizeof *in); /* greater than all elements */
        for (int at = 0; at < blocks * BLOCK; at++)
            RANK_CHECK(world, out[at] == answer(which, round, at / BLOCK, at % BLOCK, world));
    }
    RANK_OK(world, muster_free(world, in));
    free(out);
    return 0;
}

START_TEST(test_inputs_are_free_on_return)
{
    run_all_sizes(overwrite_inputs_at_once, NULL);
}
END_TEST

/* More messages are sent from arena buffers than answers have room for, and all are received while the sender
 * is in no call. */
static int more_views_than_answers(muster_group *world, void *arg)
{
    enum { COUNT = 40, LARGE = 150000 };
    int rank = muster_group_rank(world);
    muster_request requests[COUNT];
    unsigned char *bytes[COUNT];
    _Atomic int *steps = arg;
    bool done;

    for (int i = 0; i < COUNT; i++) {
        RANK_OK(world, muster_alloc(world, LARGE, (void **)&bytes[i]));
        memset(bytes[i], rank == 0 ? i + 1 : 0, LARGE);
        if (rank == 0)
            RANK_OK(world, muster_send_start(bytes[i], LARGE, MUSTER_UINT8, 1, i, world, &requests[i]));
    }
    if (rank == 0) {
        *steps = 1;
        AWAIT(*steps == 2);
    } else {
        AWAIT(*steps == 1);
        for (int i = 0; i < COUNT; i++)
            RANK_OK(world, muster_recv_start(bytes[i], LARGE, MUSTER_UINT8, 0, i, world, NULL, &requests[i]));
        RANK_OK(world, muster_test(&requests[COUNT - 1], &done));
        RANK_CHECK(world, !done);
        *steps = 2;
    }
    RANK_OK(world, muster_wait_all(requests, COUNT, 0));
    for (int i = 0; i < COUNT; i++)
        RANK_CHECK(world, bytes[i][0] == i + 1 && bytes[i][LARGE - 1] == i + 1);
    return 0;
}

START_TEST(test_more_views_than_answers)
{
    _Atomic int *steps = shared_page(sizeof *steps);

    run_ranks(2, RANKS_AS_PROCESSES, more_views_than_answers, steps);
    shared_page_free(steps, sizeof *steps);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buffers");
    TCase *tests = tcase_create("arena buffers");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_alloc_and_free);
    tcase_add_test(tests, test_buffers_go_with_their_group);
    tcase_add_test(tests, test_inputs_are_free_on_return);
    if (on_one_host()) { /* which has an arena, with a size and an object of the system's */
        tcase_add_test(tests, test_more_views_than_answers);
        tcase_add_test(tests, test_more_than_the_arena_has);
        tcase_add_test(tests, test_more_than_the_machine_has);
        tcase_add_test(tests, test_memory_goes_back_to_the_system);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
