/* Signals of a share: puts and waits, what is counted, and what ends a wait alone. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

enum { NO_TIME = -1, MS = 1000000 };

/* Each rank puts to the next one, which tells by a signal of its own that the place is free again. */
static int put_in_a_ring(muster_group *world, void *arg)
{
    enum { ROUNDS = 300, WORDS = 200, FULL = 3, FREE = MUSTER_SIGNALS - 1 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    int next = (rank + 1) % n, before = (rank + n - 1) % n;
    int out[WORDS], *in;
    muster_share *share;

    (void)arg;
    RANK_OK(world, muster_share_create(world, sizeof out + 40, &share));
    RANK_OK(world, muster_share_at(share, rank, (void **)&in, NULL));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < WORDS; i++)
            out[i] = (round * n + rank) * WORDS + i;
        if (round > 0)
            RANK_OK(world, muster_wait_signal(share, next, FREE, 1, 0));
        RANK_OK(world, muster_put_signal(share, next, 40, out, sizeof out, FULL));
        RANK_OK(world, muster_wait_signal(share, before, FULL, 1, 0));
        for (int i = 0; i < WORDS; i++)
            RANK_CHECK(world, in[i + 10] == (round * n + before) * WORDS + i);
        RANK_OK(world, muster_put_signal(share, before, 0, NULL, 0, FREE));
    }
    RANK_CHECK(world, muster_wait_signal(share, before, FULL, 1, NO_TIME) == MUSTER_ERR_TIMED_OUT);
    RANK_OK(world, muster_wait_signal(share, next, FREE, 1, 0));
    RANK_OK(world, muster_barrier(world)); /* who frees the share puts and takes no more */
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_puts_in_a_ring)
{
    run_all_sizes(put_in_a_ring, NULL);
}
END_TEST

/* Signals are counted, for each source and number; an error counts none. */
static int signals_are_counted(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), n = muster_group_size(world);
    muster_share *share;

    (void)arg;
    RANK_OK(world, muster_share_create(world, 0, &share));
    for (int i = 0; i < 5 + rank; i++)
        RANK_OK(world, muster_put_signal(share, 0, 0, NULL, 0, rank % 2));
    RANK_OK(world, muster_barrier(world));
    for (int source = 0; rank == 0 && source < n; source++) {
        RANK_CHECK(world, muster_wait_signal(share, source, source % 2, 6 + (uint64_t)source, 2 * MS) ==
                              MUSTER_ERR_TIMED_OUT);
        char expected[60];
        snprintf(expected, sizeof expected, "rank %d: %d of %d came", source, 5 + source, 6 + source);
        RANK_CHECK(world, strstr(muster_error_detail(), expected));
        muster_error_info info = MUSTER_ERROR_INFO_INIT;
        RANK_OK(world, muster_last_error(&info));
        RANK_CHECK(world, strcmp(info.operation, "wait_signal") == 0);
        RANK_CHECK(world, info.rank == source && info.deadline_ns == 2 * MS);
        RANK_CHECK(world,
                   muster_wait_signal(share, source, source % 2, UINT64_MAX, NO_TIME) == MUSTER_ERR_INVALID);
        RANK_CHECK(world,
                   muster_wait_signal(share, source, 1 - source % 2, 1, NO_TIME) == MUSTER_ERR_TIMED_OUT);
        RANK_OK(world, muster_wait_signal(share, source, source % 2, 2, NO_TIME));
        RANK_OK(world, muster_wait_signal(share, source, source % 2, 3 + (uint64_t)source, 0));
        RANK_CHECK(world, muster_wait_signal(share, source, source % 2, 1, NO_TIME) == MUSTER_ERR_TIMED_OUT);
        RANK_OK(world, muster_wait_signal(share, source, source % 2, 0, 0));
    }
    RANK_OK(world, muster_barrier(world)); /* the group is as before */
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_signals_are_counted)
{
    run_all_sizes(signals_are_counted, NULL);
}
END_TEST

/* A wait for each other's signal is a cycle, which ends both calls, and nothing else. */
static int wait_for_each_other(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_share *share;

    (void)arg;
    RANK_OK(world, muster_share_create(world, 0, &share));
    muster_status status = muster_wait_signal(share, 1 - rank, 0, 1, 0);
    RANK_CHECK(world, status == MUSTER_ERR_DEADLOCK);
    RANK_CHECK(
        world,
        strstr(muster_error_detail(), "0 in wait_signal waits for 1; 1 in wait_signal waits for 0") ||
            strstr(muster_error_detail(), "1 in wait_signal waits for 0; 0 in wait_signal waits for 1"));
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_put_signal(share, 1 - rank, 0, NULL, 0, 0));
    RANK_OK(world, muster_wait_signal(share, 1 - rank, 0, 1, 0));
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_a_cycle_of_waits_ends_them)
{
    run_ranks(2, RANKS_AS_PROCESSES, wait_for_each_other, NULL);
}
END_TEST

/* Whoever learns of the cycle leaves at once; the others, which wait for it, are told of the cycle all the
 * same. */
static int leave_a_cycle(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    muster_share *share;
    muster_queue *queue;

    (void)arg;
    RANK_OK(world, muster_share_create(world, 0, &share));
    RANK_OK(world, muster_queue_create(world, n - 1, 1, 1, &queue)); /* rank 0 waits for the last one there */
    const void *entry;
    size_t bytes;
    muster_status status = rank == 0 ? muster_queue_peek(queue, 0, &entry, &bytes)
                                     : muster_wait_signal(share, rank - 1, 0, 1, 0);
    RANK_CHECK(world, status == MUSTER_ERR_DEADLOCK && strstr(muster_error_detail(), "deadlock among ranks"));
    muster_last_error(&info);
    RANK_CHECK(world, info.status == MUSTER_ERR_DEADLOCK && info.group != 0);
    RANK_OK(world, muster_queue_free(queue));
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_who_leaves_a_cycle_hides_it_from_nobody)
{
    for (int size = 2; size <= 5; size++)
        run_ranks(size, RANKS_AS_PROCESSES, leave_a_cycle, NULL);
}
END_TEST

static bool is_wanted(void *arg)
{
    return *(const bool *)arg;
}

static int interrupted_once(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *group;
    muster_share *share;
    bool wanted = false;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    if (rank == 0)
        RANK_OK(world, muster_group_set_interrupt(group, is_wanted, &wanted));
    RANK_OK(world, muster_share_create(group, 0, &share));
    wanted = true;
    if (rank == 0)
        RANK_CHECK(world, muster_wait_signal(share, 1, 0, 1, 0) == MUSTER_ERR_ABORTED);
    wanted = false;
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_put_signal(share, 1 - rank, 0, NULL, 0, 0));
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_wait_signal(share, 1 - rank, 0, 1, 0));
    RANK_OK(world, muster_share_seal(share)); /* nothing is broken, what all need included */
    RANK_OK(world, muster_share_free(share));
    RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_an_interruption_ends_one_call)
{
    run_ranks(2, RANKS_AS_PROCESSES, interrupted_once, NULL);
    run_ranks(2, RANKS_AS_THREADS, interrupted_once, NULL);
}
END_TEST

/* A forked child has no share and no queue. */
static int fork_is_refused(muster_group *world, void *arg)
{
    muster_queue *queue;
    muster_share *share;
    const void *entry;
    void *at;
    size_t bytes;
    int status;

    (void)arg;
    RANK_OK(world, muster_share_create(world, 100, &share));
    RANK_OK(world, muster_queue_create(world, 0, 1, 1, &queue));
    pid_t child = fork();
    if (child == 0)
        _exit(muster_share_at(share, 0, &at, NULL) == MUSTER_ERR_FORKED &&
                      muster_share_sync(share) == MUSTER_ERR_FORKED &&
                      muster_share_seal(share) == MUSTER_ERR_FORKED &&
                      muster_put_signal(share, 0, 0, "x", 1, 0) == MUSTER_ERR_FORKED &&
                      muster_wait_signal(share, 0, 0, 1, 0) == MUSTER_ERR_FORKED &&
                      muster_peer_buffer(world, 0, &at, &at) == MUSTER_ERR_FORKED &&
                      muster_queue_push(queue, "x", 1, 0) == MUSTER_ERR_FORKED &&
                      muster_queue_peek(queue, 0, &entry, &bytes) == MUSTER_ERR_FORKED &&
                      muster_queue_free(queue) == MUSTER_ERR_FORKED &&
                      muster_share_free(share) == MUSTER_ERR_FORKED
                  ? 0
                  : 1);
    RANK_CHECK(world, waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    RANK_OK(world, muster_share_at(share, 0, &at, NULL));
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_queue_free(queue));
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_a_forked_child_is_refused)
{
    run_ranks(2, RANKS_AS_PROCESSES, fork_is_refused, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signals");
    TCase *tests = tcase_create("signals");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_puts_in_a_ring);
    tcase_add_test(tests, test_signals_are_counted);
    tcase_add_test(tests, test_an_interruption_ends_one_call);
    tcase_add_test(tests, test_a_forked_child_is_refused);
    if (on_one_host() &&
        !under_thread_sanitizer()) { /* which looks for cycles, among processes of one thread */
        tcase_add_test(tests, test_a_cycle_of_waits_ends_them);
        tcase_add_test(tests, test_who_leaves_a_cycle_hides_it_from_nobody);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
