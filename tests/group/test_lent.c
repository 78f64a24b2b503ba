/*
 * Buffers that an operation lends, so that others read them where they are. Those of a started one are the
 * operation's until nobody uses them: it is not over before, however often it is tested. Ranks go on in
 * steps, in which the others are in no call, so that no outcome depends on time.
 */
#include <stdlib.h>
#include <string.h>

#include "shm/group/channel_out.h"
#include "src/onehost/group/group.h"
#include "tests/harness/ranks.h"

enum { SIZE = 3, COUNT = 50000, TESTS = 30 }; /* large enough to be read where they are */

/* A step, after tests of a request that must not be over; if it is, the others go on, and fail, too. */
static int test_undone(muster_group *world, muster_request *request, int times, _Atomic int *steps)
{
    bool done = false;

    for (int i = 0; i < times && !done; i++)
        RANK_OK(world, muster_test(request, &done));
    *steps += done ? 1000 : 1;
    RANK_CHECK(world, !done);
    return 0;
}

/* Rank 2 has started, and read nothing: the inputs of the others are not theirs again. */
static int an_input(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    _Atomic int *steps = arg;
    int32_t *in, *out = malloc(SIZE * COUNT * sizeof *out);
    muster_request request;

    RANK_CHECK(world, out);
    RANK_OK(world, muster_alloc(world, COUNT * sizeof *in, (void **)&in));
    for (int i = 0; i < COUNT; i++)
        in[i] = rank + i;
    RANK_OK(world, muster_all_gather_start(in, out, COUNT, MUSTER_INT32, world, &request));
    ++*steps;
    AWAIT(*steps >= SIZE); /* all have started */
    if (rank != 2 && test_undone(world, &request, TESTS, steps))
        return 1;
    AWAIT(rank != 2 || *steps >= 2 * SIZE - 1);
    RANK_OK(world, muster_wait(&request, 0));
    memset(in, 0, COUNT * sizeof *in);
    for (int r = 0; r < SIZE; r++)
        for (int i = 0; i < COUNT; i += 99)
            RANK_CHECK(world, out[r * COUNT + i] == r + i);
    free(out);
    return 0;
}

/* Slices of a sum are in the outputs of ranks 0 and 1, and rank 2, whose own output is private, has not read
 * them. */
static int an_output(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    _Atomic int *steps = arg;
    int32_t *in, *out, *own = rank == 2 ? malloc(COUNT * sizeof *own) : NULL;
    muster_request request;

    RANK_OK(world, muster_alloc(world, COUNT * sizeof *in, (void **)&in));
    if (rank != 2)
        RANK_OK(world, muster_alloc(world, COUNT * sizeof *out, (void **)&out));
    else
        out = own;
    RANK_CHECK(world, out);
    for (int i = 0; i < COUNT; i++)
        in[i] = rank + i;
    RANK_OK(world, muster_all_reduce_start(in, out, COUNT, MUSTER_INT32, MUSTER_SUM, world, &request));
    ++*steps;
    AWAIT(*steps >= SIZE); /* all have started */
    AWAIT(rank == 2 ||
          *steps > SIZE); /* rank 2 has read the inputs first, and no slice, as there is none yet */
    if (test_undone(world, &request, 1, steps))
        return 1;
    AWAIT(*steps >= 2 * SIZE); /* all have read the inputs */
    if (rank != 2 && test_undone(world, &request, TESTS, steps))
        return 1;
    AWAIT(rank != 2 || *steps >= 3 * SIZE - 1);
    RANK_OK(world, muster_wait(&request, 0));
    for (int i = 0; i < COUNT; i += 99)
        RANK_CHECK(world, out[i] == 3 * i + 3);
    memset(in, 0, COUNT * sizeof *in);
    memset(out, 0, COUNT * sizeof *out);
    free(own);
    return 0;
}

static void run_in_steps(muster_rank_fn body)
{
    _Atomic int *steps = shared_page(sizeof *steps);

    run_ranks(SIZE, RANKS_AS_PROCESSES, body, steps);
    *steps = 0;
    run_ranks(SIZE, RANKS_AS_THREADS, body, steps);
    shared_page_free(steps, sizeof *steps);
}

START_TEST(test_an_input_is_lent_until_all_have_read)
{
    run_in_steps(an_input);
}
END_TEST

START_TEST(test_an_output_is_lent_until_all_are_done)
{
    run_in_steps(an_output);
}
END_TEST

/* A message of few KiB is lent only to a receive that its sender knows of; and is right in both cases. */
static int to_one_that_waits(muster_group *world, void *arg)
{
    enum { ROOM = 12000 };
    int rank = muster_group_rank(world), *sent, *got = calloc(ROOM, sizeof *got);
    (void)arg;

    RANK_CHECK(world, got);
    RANK_OK(world, muster_alloc(world, ROOM * sizeof *sent, (void **)&sent));
    for (int i = 0; i < ROOM; i++)
        sent[i] = i;
    for (int count = 1; count <= ROOM; count = count == 1 ? 3000 : 2 * count) {
        if (rank == 0 && count > 1) /* the first makes the channel */
            AWAIT(mst_channel_is_awaited(&mst_group_of(world)->channels, 1, count));
        if (rank == 0)
            RANK_OK(world, muster_send(sent, (size_t)count, MUSTER_INT32, 1, count, world));
        else
            RANK_OK(world, muster_recv(got, (size_t)count, MUSTER_INT32, 0, count, world, NULL));
        RANK_CHECK(world, rank == 0 || got[count - 1] == count - 1);
    }
    free(got);
    return 0;
}

START_TEST(test_a_message_is_lent_to_one_that_waits)
{
    run_ranks(2, RANKS_AS_PROCESSES, to_one_that_waits, NULL);
    run_ranks(2, RANKS_AS_THREADS, to_one_that_waits, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lent");
    TCase *tests = tcase_create("lent");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_an_input_is_lent_until_all_have_read);
    tcase_add_test(tests, test_an_output_is_lent_until_all_are_done);
    tcase_add_test(tests, test_a_message_is_lent_to_one_that_waits);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
