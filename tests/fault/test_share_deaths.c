/*
 * Deaths of ranks that have a share: its memory stays for the survivors until they free it, and is then given
 * back; whoever waits for a signal of the dead is told, and nobody else is.
 */
#define _DEFAULT_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/ranks.h"

enum { SIZE = 3, BYTES = 4 << 20 };

/* What the ranks of a run tell each other beside muster. */
typedef struct notes {
    char name[64];    /* of another world */
    _Atomic int dead; /* the victim is about to die */
} notes;

static void run_with_victim(int victim, int signal, muster_rank_fn body)
{
    notes *shared = shared_page(sizeof *shared);
    muster_termination terminations[SIZE];
    muster_report report = { .struct_size = sizeof report, .terminations = terminations };
    rank_options options = { .size = SIZE, .mode = RANKS_AS_PROCESSES };

    name_of_test(shared->name, sizeof shared->name, "shares");
    run_failing_ranks(options, body, shared, &report);
    for (int rank = 0; rank < SIZE; rank++) {
        bool died = rank == victim;

        ck_assert_int_eq(terminations[rank].kind,
                         died ? MUSTER_TERMINATION_SIGNALED : MUSTER_TERMINATION_EXITED);
        ck_assert_int_eq(terminations[rank].code, died ? signal : 0);
    }
    shared_page_free(shared, sizeof *shared);
}

/* A world beside the one that the run holds until its end: to be freed while its rank is alive. */
static muster_status attach_another(const muster_group *world, const char *name, muster_group **another)
{
    muster_config config = MUSTER_CONFIG_INIT;

    config.arena = name;
    config.rank = muster_group_rank(world);
    config.size = SIZE;
    return muster_attach(&config, another);
}

/* ---- the creator dies ---- */

static int creator_dies(muster_group *run, void *arg)
{
    int rank = muster_group_rank(run);
    const notes *notes = arg;
    muster_share *share;
    muster_group *world, *rest;
    unsigned char *at;

    RANK_OK(run, attach_another(run, notes->name, &world));
    RANK_OK(world, muster_share_create(world, rank == 0 ? BYTES : 100, &share));
    RANK_OK(world, muster_share_at(share, 0, (void **)&at, NULL));
    if (rank == 0)
        memset(at, 7, BYTES);
    RANK_OK(world, muster_barrier(world));
    if (rank == 0)
        raise(SIGKILL);
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_group_shrink(world, &rest));
    RANK_OK(world, muster_group_free(world));
    RANK_OK(rest, muster_barrier(rest));
    for (int i = 0; i < BYTES; i++)
        RANK_CHECK(rest, at[i] == 7); /* still there, though nobody is in a group with its rank */
    RANK_OK(rest, muster_barrier(rest));
    at[rank] = (unsigned char)(100 + rank); /* to be written, too */
    RANK_OK(rest,
            muster_put_signal(share, 3 - rank, 0, &rank, sizeof rank, 4)); /* the survivors' signals work */
    RANK_OK(rest, muster_wait_signal(share, 3 - rank, 4, 1, 0));
    RANK_CHECK(rest, at[3 - rank] == 100 + 3 - rank);
    RANK_CHECK(rest, muster_put_signal(share, 0, 0, "x", 1, 0) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(rest, muster_wait_signal(share, 0, 0, 1, 0) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(rest, strstr(muster_error_detail(), "rank 0 was killed by signal 9 (Killed); rank"));
    RANK_CHECK(rest, muster_share_seal(share) == MUSTER_ERR_PEER_DIED);
    at[10 + rank] = 1; /* which has sealed nothing */
    RANK_OK(rest, muster_group_free(rest));
    RANK_CHECK(run, at[BYTES - 1] == 7);
    RANK_OK(run, muster_share_free(share));
    return 0;
}

START_TEST(test_the_creator_dies)
{
    run_with_victim(0, SIGKILL, creator_dies);
}
END_TEST

/* ---- whoever waits for the dead ---- */

/* The victim has raised two signals; the third never comes. Rank 0 waits for it, asleep or not, rank 2 for
 * rank 0. */
static int raiser_dies(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    notes *notes = arg;
    muster_share *share;

    RANK_OK(world, muster_share_create(world, 0, &share));
    if (rank == 1) {
        RANK_OK(world, muster_put_signal(share, 0, 0, NULL, 0, 0));
        RANK_OK(world, muster_put_signal(share, 0, 0, NULL, 0, 0));
        notes->dead = 1;
        pass_time_ms(rand() % 30);
        raise(SIGUSR1);
    }
    if (rank == 0) {
        AWAIT(notes->dead);
        RANK_OK(world, muster_wait_signal(share, 1, 0, 1, 0));
        RANK_CHECK(world, muster_wait_signal(share, 1, 0, 2, 0) == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(world, strstr(muster_error_detail(),
                                 "rank 1 was killed by signal 10 (User defined signal 1); rank 0"));
        RANK_OK(world, muster_wait_signal(share, 1, 0, 1, 0)); /* what it did before it died counts */
        RANK_CHECK(world, muster_wait_signal(share, 1, 0, 1, 0) == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(world, muster_wait_signal(share, 1, 0, 1, -1) == MUSTER_ERR_PEER_DIED);
        RANK_OK(world, muster_put_signal(share, 2, 0, NULL, 0, 0));
    }
    if (rank == 2)
        RANK_OK(world, muster_wait_signal(share, 0, 0, 1, 0)); /* another's death is no error */
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_the_raiser_dies)
{
    for (int i = 0; i < 5; i++) {
        srand((unsigned)i);
        run_with_victim(1, SIGUSR1, raiser_dies);
    }
}
END_TEST

/* Freeing is leaving. */
static int raiser_leaves(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_share *share;

    (void)arg;
    RANK_OK(world, muster_share_create(world, 64, &share));
    if (rank == 1)
        RANK_OK(world, muster_put_signal(share, 0, 0, NULL, 0, 0));
    if (rank == 0) {
        RANK_CHECK(world, muster_wait_signal(share, 1, 0, 2, 0) == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(world, strstr(muster_error_detail(), "rank 1 has freed the share"));
        RANK_OK(world, muster_wait_signal(share, 1, 0, 1, 0));
        RANK_CHECK(world, muster_put_signal(share, 1, 0, "x", 1, 0) == MUSTER_ERR_PEER_DIED);
    }
    if (rank == 2)
        RANK_CHECK(world, muster_share_seal(share) == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_share_free(share));
    RANK_OK(world, muster_barrier(world)); /* the group is not affected */
    return 0;
}

START_TEST(test_the_raiser_leaves)
{
    run_ranks(SIZE, RANKS_AS_PROCESSES, raiser_leaves, NULL);
    run_ranks(SIZE, RANKS_AS_THREADS, raiser_leaves, NULL);
}
END_TEST

/* ---- deaths in the collective calls ---- */

static int dies_in_call(muster_group *world, bool seal)
{
    int rank = muster_group_rank(world);
    muster_share *share = NULL;

    if (seal)
        RANK_OK(world, muster_share_create(world, 100, &share));
    if (rank == 2) {
        pass_time_ms(10);
        raise(SIGKILL);
    }
    muster_status status = seal ? muster_share_seal(share) : muster_share_create(world, 100, &share);
    RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 2 was killed by signal 9"));
    if (seal) {
        void *at;

        RANK_OK(world, muster_share_at(share, rank, &at, NULL));
        *(char *)at = 1; /* is not read-only */
        RANK_OK(world, muster_share_free(share));
    }
    return 0;
}

static int dies_in_create(muster_group *world, void *arg)
{
    (void)arg;
    return dies_in_call(world, false);
}

static int dies_in_seal(muster_group *world, void *arg)
{
    (void)arg;
    return dies_in_call(world, true);
}

START_TEST(test_a_rank_dies_before_a_collective_call)
{
    run_with_victim(2, SIGKILL, dies_in_create);
    run_with_victim(2, SIGKILL, dies_in_seal);
}
END_TEST

/* ---- a storm ---- */

/* A ring of puts and waits, and of shares that come and go, in which a rank dies at a random moment; the
 * others find out, and read what it has left. */
static int ring_until_death(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), next = (rank + 1) % SIZE, before = (rank + SIZE - 1) % SIZE;
    notes *notes = arg;
    muster_status status = MUSTER_OK;
    uint64_t *mine, *theirs;

    for (uint64_t round = 1; status == MUSTER_OK; round++) {
        muster_share *share;

        status = muster_share_create(world, 1 << 16, &share);
        if (status != MUSTER_OK)
            break;
        RANK_OK(world, muster_share_at(share, rank, (void **)&mine, NULL));
        RANK_OK(world, muster_share_at(share, before, (void **)&theirs, NULL));
        for (uint64_t i = 1; i < 50 && status == MUSTER_OK; i++) {
            status = muster_put_signal(share, next, i * 8, &i, sizeof i, (int)(i % MUSTER_SIGNALS));
            if (status == MUSTER_OK)
                status = muster_wait_signal(share, before, (int)(i % MUSTER_SIGNALS), 1, 0);
            if (status == MUSTER_OK)
                RANK_CHECK(world, mine[i] == i);
            if (rank == 1 && round == 3 + (uint64_t)notes->dead % 3 && i == 1 + (uint64_t)notes->dead % 48)
                raise(SIGKILL);
        }
        RANK_CHECK(world, theirs[0] == 0); /* is there, whoever has died or freed it */
        RANK_OK(world, muster_share_free(share));
    }
    RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
    return 0;
}

START_TEST(test_a_storm)
{
    notes *shared = shared_page(sizeof *shared);
    muster_termination terminations[SIZE];
    muster_report report = { .struct_size = sizeof report, .terminations = terminations };
    rank_options options = { .size = SIZE, .mode = RANKS_AS_PROCESSES };

    for (int i = 0; i < 20; i++) {
        shared->dead = 1 + i * 7;
        run_failing_ranks(options, ring_until_death, shared, &report);
        ck_assert_int_eq(report.first_failed, 1);
        for (int rank = 0; rank < SIZE; rank++)
            ck_assert(rank == 1 ||
                      (terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0));
    }
    shared_page_free(shared, sizeof *shared);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("share deaths");
    TCase *tests = tcase_create("share deaths");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_the_creator_dies);
    tcase_add_test(tests, test_the_raiser_dies);
    tcase_add_test(tests, test_the_raiser_leaves);
    tcase_add_test(tests, test_a_rank_dies_before_a_collective_call);
    tcase_add_test(tests, test_a_storm);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
