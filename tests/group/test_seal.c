/* Sealed shares: their memory is read-only for all, and kills nobody but who writes there. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "shm/port/os.h"
#include "tests/harness/ranks.h"

static sigjmp_buf before_write;

static void jump_back(int number)
{
    (void)number;
    siglongjmp(before_write, 1);
}

/* Whether a write to the address kills. */
static bool is_read_only(volatile char *at)
{
    struct sigaction action = { .sa_handler = jump_back }, old;
    volatile bool killed = true;

    sigaction(SIGSEGV, &action, &old);
    if (sigsetjmp(before_write, 1) == 0) {
        *at = *at;
        killed = false;
    }
    sigaction(SIGSEGV, &old, NULL);
    return killed;
}

static int sealed_memory_is_read_only(muster_group *world, void *arg)
{
    enum { BYTES = 3 << 20 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    char *at, *again;
    muster_share *share;

    (void)arg;
    for (int round = 0; round < 3; round++) {
        RANK_OK(world, muster_share_create(world, rank ? 1 : BYTES, &share));
        RANK_OK(world, muster_share_at(share, 0, (void **)&at, NULL));
        RANK_CHECK(world, !is_read_only(at));
        RANK_OK(world,
                muster_barrier(world)); /* which writes what it has read: nobody else may write meanwhile */
        if (rank == n - 1)
            memset(at, 'w', BYTES);
        RANK_OK(world, muster_share_seal(share));
        for (int owner = 0; owner < n; owner++) {
            RANK_OK(world, muster_share_at(share, owner, (void **)&again, NULL));
            RANK_CHECK(world, is_read_only(again));
        }
        RANK_CHECK(world, at[0] == 'w' && at[BYTES - 1] == 'w' && is_read_only(at + BYTES - 1));
        RANK_CHECK(world, muster_put_signal(share, 0, 0, "x", 1, 0) == MUSTER_ERR_INVALID);
        RANK_OK(world, muster_put_signal(share, (rank + 1) % n, 0, NULL, 0, 0)); /* signals still work */
        RANK_OK(world, muster_wait_signal(share, (rank + n - 1) % n, 0, 1, 0));
        RANK_OK(world, muster_share_seal(share)); /* again: nothing changes */
        RANK_OK(world, muster_share_free(share));
        RANK_OK(world, muster_barrier(world));
        RANK_OK(world, muster_alloc(world, BYTES, (void **)&again)); /* what was sealed is ordinary memory */
        memset(again, 1, BYTES);
        RANK_OK(world, muster_all_sum(again, again, BYTES, MUSTER_INT8, world));
        RANK_CHECK(world, again[0] == n && again[BYTES - 1] == n);
        RANK_OK(world, muster_free(world, again));
    }
    return 0;
}

START_TEST(test_sealed_memory_is_read_only)
{
    run_ranks(1, RANKS_AS_PROCESSES, sealed_memory_is_read_only, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, sealed_memory_is_read_only, NULL);
}
END_TEST

/* Who gives sealed memory as an output is killed by it, and never a peer that would have written there. */
static int output_is_sealed(muster_group *world, void *arg)
{
    enum { COUNT = 300000 };
    int rank = muster_group_rank(world);
    muster_share *share;
    float *at, *mine;

    (void)arg;
    RANK_OK(world, muster_share_create(world, COUNT * sizeof *at, &share));
    RANK_OK(world, muster_share_at(share, rank, (void **)&at, NULL));
    RANK_OK(world, muster_alloc(world, COUNT * sizeof *mine, (void **)&mine));
    memset(mine, 0, COUNT * sizeof *mine);
    RANK_OK(world, muster_share_seal(share));
    for (int i = 0; i < 10; i++) {
        muster_status status = muster_all_sum(mine, rank == 1 ? at : mine, COUNT, MUSTER_FLOAT32, world);

        RANK_CHECK(world, status == MUSTER_OK || status == MUSTER_ERR_PEER_DIED);
    }
    RANK_CHECK(world, muster_group_status(world) == MUSTER_ERR_PEER_DIED);
    return 0;
}

START_TEST(test_a_sealed_output_kills_nobody_else)
{
    muster_termination terminations[3];
    muster_report report = { .struct_size = sizeof report, .terminations = terminations };
    rank_options options = { .size = 3, .mode = RANKS_AS_PROCESSES };

    run_failing_ranks(options, output_is_sealed, NULL, &report);
    ck_assert_int_eq(terminations[0].kind, MUSTER_TERMINATION_EXITED);
    ck_assert_int_eq(terminations[0].code, 0);
    ck_assert(terminations[1].kind != MUSTER_TERMINATION_EXITED || terminations[1].code != 0);
    ck_assert_int_eq(terminations[2].kind, MUSTER_TERMINATION_EXITED);
    ck_assert_int_eq(terminations[2].code, 0);
}
END_TEST

/* ---- memory that cannot be protected ---- */

static _Thread_local bool refuses; /* the system, in this rank */

int __real_mst_os_memory_protect(void *at, size_t bytes, bool writable);
int __wrap_mst_os_memory_protect(void *at, size_t bytes, bool writable);

int __wrap_mst_os_memory_protect(void *at, size_t bytes, bool writable)
{
    return refuses && !writable ? -ENOMEM : __real_mst_os_memory_protect(at, bytes, writable);
}

/* Rank 1 cannot: all are told, and no rank's memory is sealed, until rank 1 can. */
static int one_cannot_seal(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_share *share;
    char *at;

    (void)arg;
    RANK_OK(world, muster_share_create(world, 100, &share));
    refuses = rank == 1;
    for (int i = 0; i < 2; i++) {
        RANK_CHECK(world, muster_share_seal(share) == MUSTER_ERR_SYSTEM);
        RANK_CHECK(world, strstr(muster_error_detail(), rank == 1 ? "share_seal: cannot protect memory"
                                                                  : "rank 1 could not protect its memory"));
        for (int owner = 0; owner < n; owner++) {
            RANK_OK(world, muster_share_at(share, owner, (void **)&at, NULL));
            RANK_CHECK(world, !is_read_only(at));
        }
        RANK_OK(world, muster_put_signal(share, (rank + 1) % n, 0, "x", 1, 0)); /* into it */
        RANK_OK(world, muster_wait_signal(share, (rank + n - 1) % n, 0, 1, 0));
    }
    refuses = false;
    RANK_OK(world, muster_share_seal(share));
    RANK_OK(world, muster_share_at(share, 0, (void **)&at, NULL));
    RANK_CHECK(world, is_read_only(at));
    refuses = rank == 1;
    RANK_CHECK(world, muster_share_seal(share) == MUSTER_ERR_SYSTEM); /* what is sealed stays so */
    RANK_CHECK(world, is_read_only(at));
    refuses = false;
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_one_cannot_seal)
{
    run_ranks(3, RANKS_AS_PROCESSES, one_cannot_seal, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sealed shares");
    TCase *tests = tcase_create("sealed shares");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_sealed_memory_is_read_only);
    tcase_add_test(tests, test_a_sealed_output_kills_nobody_else);
    tcase_add_test(tests, test_one_cannot_seal);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
