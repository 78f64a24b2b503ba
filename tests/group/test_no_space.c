/*
 * A rank whose part of the arena is full: what its errors say, that the others are not left waiting for it,
 * and that all can go on.
 */
#include <stdio.h>
#include <string.h>

#include "tests/harness/ranks.h"

#define PART_BYTES ((size_t)600000)
#define STARTED_MAX 4096

static muster_error_info latest(void)
{
    muster_error_info info = MUSTER_ERROR_INFO_INIT;

    muster_last_error(&info);
    return info;
}

/* ---- started operations ---- */

/* Starts reductions to rank 1 until there is no room for one more input; returns how many it started. */
static int fill(muster_group *world, muster_request *requests)
{
    static unsigned char in[PART_BYTES];
    int started = 0;

    while (started < STARTED_MAX && muster_reduce_start(in, NULL, PART_BYTES, MUSTER_UINT8, MUSTER_MAX, 1,
                                                        world, &requests[started]) == MUSTER_OK)
        started++;
    return started;
}

static int too_many_started(muster_group *world, void *arg)
{
    static unsigned char in[PART_BYTES], out[PART_BYTES];
    static muster_request requests[STARTED_MAX];
    muster_request one = MUSTER_REQUEST_INIT;
    char words[80];
    int started = 0, rank = muster_group_rank(world);

    (void)arg;
    if (rank == 0) /* what the first message needs is there */
        RANK_OK(world, muster_send(&started, 1, MUSTER_INT32, 1, 0, world));
    else
        RANK_OK(world, muster_recv(&started, 1, MUSTER_INT32, 0, 0, world, NULL));
    if (rank == 0) {
        started = fill(world, requests);
        snprintf(words, sizeof words, "complete started operations (muster_wait): %d of the group are not",
                 started);
        RANK_CHECK(world, latest().status == MUSTER_ERR_NO_SPACE && latest().rank == 0);
        RANK_CHECK(world, strcmp(latest().operation, "reduce_start(max)") == 0);
        RANK_CHECK(world, started > 0 && strstr(muster_error_detail(), words));
        RANK_OK(world, muster_send(&started, 1, MUSTER_INT32, 1, 0, world));
        RANK_OK(world, muster_wait_all(requests, (size_t)started, 0));
    } else {
        RANK_OK(world, muster_recv(&started, 1, MUSTER_INT32, 0, 0, world, NULL));
        for (int i = 0; i < started; i++) {
            RANK_OK(world,
                    muster_reduce_start(in, out, PART_BYTES, MUSTER_UINT8, MUSTER_MAX, 1, world, &one));
            RANK_OK(world, muster_wait(&one, 0));
        }
    }
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_reduce_start(in, out, PART_BYTES, MUSTER_UINT8, MUSTER_MAX, 1, world, &one));
    RANK_OK(world, muster_wait(&one, 0)); /* there is room again */
    return 0;
}

START_TEST(test_too_many_started)
{
    run_ranks_with((rank_options){ .size = 2, .arena_bytes = 192 << 20 }, too_many_started, NULL);
}
END_TEST

/* ---- a broadcast of a size that only the root knows, by the header's example ---- */

static int one_has_no_room(muster_group *world, void *arg)
{
    uint64_t count = muster_group_rank(world) == 0 ? 1 << 20 : 0;
    int32_t mine, worst;
    void *got = NULL, *buffer;

    (void)arg;
    for (size_t room = 1 << 27; muster_group_rank(world) == 2 && room >= 1 << 12; room /= 2)
        while (muster_alloc(world, room, &buffer) == MUSTER_OK)
            ;
    for (int again = 0; again < 2; again++) {
        RANK_OK(world, muster_broadcast(&count, &count, 1, MUSTER_UINT64, 0, world));
        mine = muster_alloc(world, count * sizeof mine, &got);
        RANK_CHECK(world, mine == (muster_group_rank(world) == 2 ? MUSTER_ERR_NO_SPACE : MUSTER_OK));
        RANK_CHECK(world, mine == MUSTER_OK || latest().rank == 2);
        RANK_OK(world, muster_all_max(&mine, &worst, 1, MUSTER_INT32, world));
        RANK_CHECK(world, worst == MUSTER_ERR_NO_SPACE); /* and none broadcasts */
        RANK_OK(world, muster_free(world, got));
        got = NULL;
    }
    return 0;
}

START_TEST(test_one_has_no_room)
{
    run_ranks_with((rank_options){ .size = 4, .arena_bytes = 384 << 20 }, one_has_no_room, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("no space");
    TCase *tests = tcase_create("no space");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_too_many_started);
    tcase_add_test(tests, test_one_has_no_room);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
