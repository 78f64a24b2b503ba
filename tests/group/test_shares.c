/* Shares: memory that all ranks map, and what freeing and limits do. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

enum { NO_TIME = -1 };

/* ---- blocks ---- */

static size_t bytes_of(int rank)
{
    return rank == 1 ? 0 : (size_t)rank * 5000 + 100;
}

static unsigned char pattern(int writer, int owner, size_t at)
{
    return (unsigned char)(writer * 31 + owner * 7 + (int)at);
}

/* Each rank writes the bytes of every block whose number is its own, modulo the size. */
static int write_part(muster_group *world, muster_share *share)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);

    for (int owner = 0; owner < n; owner++) {
        unsigned char *at;
        size_t bytes;

        RANK_OK(world, muster_share_at(share, owner, (void **)&at, &bytes));
        RANK_CHECK(world,
                   bytes == bytes_of(owner) && (uintptr_t)at % 4096 == 0 && (at == NULL) == (bytes == 0));
        for (size_t i = (size_t)rank; i < bytes; i += (size_t)n) {
            RANK_CHECK(world, at[i] == 0);
            at[i] = pattern(rank, owner, i);
        }
    }
    return 0;
}

static int check_all(muster_group *world, muster_share *share)
{
    int n = muster_group_size(world);

    for (int owner = 0; owner < n; owner++) {
        unsigned char *at;
        size_t bytes;

        RANK_OK(world, muster_share_at(share, owner, (void **)&at, &bytes));
        for (size_t i = 0; i < bytes; i++)
            RANK_CHECK(world, at[i] == pattern((int)(i % (size_t)n), owner, i));
    }
    return 0;
}

static int all_write_all_blocks(muster_group *world, void *arg)
{
    muster_share *share;

    (void)arg;
    for (int round = 0; round < 3; round++) { /* blocks that were used before are zeros, too */
        RANK_OK(world, muster_share_create(world, bytes_of(muster_group_rank(world)), &share));
        RANK_CHECK(world, write_part(world, share) == 0);
        RANK_OK(world, muster_barrier(world));
        RANK_CHECK(world, check_all(world, share) == 0);
        RANK_OK(world, muster_share_free(share));
    }
    return 0;
}

START_TEST(test_all_ranks_write_all_blocks)
{
    run_all_sizes(all_write_all_blocks, NULL);
}
END_TEST

/* Freed with what it was created on in any order, and with the world, as the run checks. */
static int share_outlives_its_group(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *group;
    muster_share *share;
    int *at;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    RANK_OK(world, muster_share_create(group, sizeof *at, &share));
    if (rank % 2)
        RANK_OK(world, muster_group_free(group));
    RANK_OK(world, muster_share_at(share, rank, (void **)&at, NULL));
    *at = rank + 1;
    RANK_OK(world, muster_barrier(world));
    for (int peer = 0; peer < muster_group_size(world); peer++) {
        RANK_OK(world, muster_share_at(share, peer, (void **)&at, NULL));
        RANK_CHECK(world, *at == peer + 1);
    }
    if (rank % 3 != 2)
        RANK_OK(world, muster_share_free(share)); /* the others end without */
    if (rank % 2 == 0)
        RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_a_share_outlives_its_group)
{
    run_ranks(5, RANKS_AS_PROCESSES, share_outlives_its_group, NULL);
}
END_TEST

/* What a rank has freed is used for something else only when all have freed it, and goes back to the system.
 */
static int memory_is_used_again(muster_group *world, void *arg)
{
    enum { BYTES = 8 << 20 };
    muster_share *share;
    unsigned char *at;

    (void)arg;
    for (int i = 0; i < 20; i++) { /* 20 x 8 MiB do not fit the arena together */
        RANK_OK(world, muster_share_create(world, BYTES, &share));
        RANK_OK(world, muster_share_at(share, 0, (void **)&at, NULL));
        RANK_CHECK(world, at[0] == 0 && at[BYTES - 1] == 0);
        RANK_OK(world, muster_barrier(world));
        if (muster_group_rank(world) == i % 2)
            at[0] = at[BYTES - 1] = 1;
        RANK_OK(world, muster_barrier(world));
        if (muster_group_rank(world) == 1)
            RANK_CHECK(world, at[0] == 1 && at[BYTES - 1] == 1);
        RANK_OK(world, muster_share_free(share));
        RANK_OK(world, muster_barrier(world));
    }
    return 0;
}

START_TEST(test_memory_is_used_again)
{
    rank_options options = { .size = 2, .mode = RANKS_AS_PROCESSES, .arena_bytes = 164 << 20 };

    run_ranks_with(options, memory_is_used_again, NULL);
    options.mode = RANKS_AS_THREADS;
    run_ranks_with(options, memory_is_used_again, NULL);
}
END_TEST

/* Of two ranks one asks for more than there is: no rank gets anything, and both are told who and how much. */
static int all_or_nobody(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_share *share = NULL;
    void *buffer;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        size_t bytes = rank == 1 ? (i == 2 ? SIZE_MAX : 1ULL << 50) : 20 << 20;

        RANK_CHECK(world, muster_share_create(world, bytes, &share) == MUSTER_ERR_NO_SPACE && share == NULL);
        RANK_CHECK(world, strstr(muster_error_detail(),
                                 rank == 1 ? "this rank could not get its" : "rank 1 could not"));
        if (i < 2)
            RANK_CHECK(world, strstr(muster_error_detail(), "1073741824.0 MiB"));
    }
    if (rank == 0) { /* what it had got is free again */
        RANK_OK(world, muster_alloc(world, 20 << 20, &buffer));
        RANK_OK(world, muster_free(world, buffer));
    }
    RANK_OK(world, muster_share_create(world, 1000, &share));
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_all_get_memory_or_nobody)
{
    rank_options options = { .size = 2, .mode = RANKS_AS_PROCESSES, .arena_bytes = 164 << 20 };

    run_ranks_with(options, all_or_nobody, NULL);
}
END_TEST

/* ---- what makes a write visible ---- */

/* Flags in plain memory: relaxed, so that the syncs alone order what is written beside them. */
typedef struct mailbox {
    _Atomic int turn;
    int value;
} mailbox;

static int pass_round_with_syncs(muster_group *world, void *arg)
{
    enum { ROUNDS = 200 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_share *share;
    mailbox *box;

    (void)arg;
    RANK_OK(world, muster_share_create(world, rank == 0 ? sizeof *box : 0, &share));
    RANK_OK(world, muster_share_at(share, 0, (void **)&box, NULL));
    for (int turn = rank; turn < ROUNDS * n; turn += n) {
        for (int spins = 0; atomic_load_explicit(&box->turn, memory_order_relaxed) != turn; spins++)
            if (spins > 100)
                pass_time_ms(0.01);
        RANK_OK(world, muster_share_sync(share));
        RANK_CHECK(world, box->value == turn);
        box->value = turn + 1;
        RANK_OK(world, muster_share_sync(share));
        atomic_store_explicit(&box->turn, turn + 1, memory_order_relaxed);
    }
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_syncs_order_plain_memory)
{
    run_ranks(2, RANKS_AS_PROCESSES, pass_round_with_syncs, NULL);
    run_ranks(3, RANKS_AS_THREADS, pass_round_with_syncs, NULL);
}
END_TEST

/* ---- addresses of peers ---- */

static int peers_are_found(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_group *backwards;
    muster_share *share, *other;
    char *mine, *theirs, *found, *buffer;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, n - rank, &backwards));
    RANK_OK(world, muster_share_create(backwards, 1000 + (size_t)rank, &share));
    RANK_OK(world, muster_share_create(world, rank == 0 ? 10 : 0, &other));
    RANK_OK(world, muster_share_at(share, n - 1 - rank, (void **)&mine, NULL));
    for (int peer = 0; peer < n; peer++) {
        RANK_OK(world, muster_share_at(share, n - 1 - peer, (void **)&theirs, NULL));
        RANK_OK(world, muster_peer_buffer(world, peer, mine + 999, (void **)&found));
        RANK_CHECK(world, found == theirs + 999);
        RANK_OK(world, muster_peer_buffer(backwards, n - 1 - peer, mine, (void **)&found));
        RANK_CHECK(world, found == theirs);
    }
    found = NULL;
    if (rank > 0) { /* the peer's block ends before */
        RANK_CHECK(world, muster_peer_buffer(world, 0, mine + 1000, (void **)&found) == MUSTER_ERR_INVALID);
        RANK_CHECK(world, strstr(muster_error_detail(), "smaller"));
    }
    RANK_OK(world,
            muster_alloc(world, 5000, (void **)&buffer)); /* which peers have, at the same place or not */
    RANK_CHECK(world, muster_peer_buffer(world, 0, buffer, (void **)&found) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), "muster_share_create"));
    RANK_CHECK(world,
               muster_peer_buffer(world, 0, mine + 1000 + rank, (void **)&found) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_peer_buffer(world, 0, &found, (void **)&found) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_peer_buffer(world, n, mine, (void **)&found) == MUSTER_ERR_INVALID && !found);
    RANK_OK(world, muster_share_free(other));
    RANK_OK(world, muster_share_free(share));
    RANK_CHECK(world, muster_peer_buffer(world, 0, mine, (void **)&found) == MUSTER_ERR_INVALID);
    RANK_OK(world, muster_group_free(backwards));
    return 0;
}

START_TEST(test_peers_are_found)
{
    run_all_sizes(peers_are_found, NULL);
}
END_TEST

/* A rank's own block is an arena buffer: collectives read and write it zero-copy, with the right result. */
static int blocks_are_arena_buffers(muster_group *world, void *arg)
{
    enum { COUNT = 100000 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_share *share;
    int *mine, *theirs;

    (void)arg;
    RANK_OK(world, muster_share_create(world, COUNT * sizeof *mine, &share));
    RANK_OK(world, muster_share_at(share, rank, (void **)&mine, NULL));
    RANK_OK(world, muster_share_at(share, (rank + 1) % n, (void **)&theirs, NULL));
    for (int i = 0; i < COUNT; i++)
        mine[i] = rank + i;
    RANK_OK(world, muster_all_sum(mine, mine, COUNT, MUSTER_INT32, world));
    for (int i = 0; i < COUNT; i++)
        RANK_CHECK(world, theirs[i] == n * i + n * (n - 1) / 2);
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world,
            muster_all_sum(theirs, mine, COUNT, MUSTER_INT32, world)); /* a peer's, as private memory is */
    RANK_CHECK(world, mine[COUNT - 1] == n * (n * (COUNT - 1) + n * (n - 1) / 2));
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_blocks_are_arena_buffers)
{
    run_ranks(3, RANKS_AS_PROCESSES, blocks_are_arena_buffers, NULL);
}
END_TEST

/* ---- what is refused ---- */

static int bad_arguments(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_share *share = NULL;
    void *at = &at;
    size_t bytes = 7;

    (void)arg;
    RANK_CHECK(world, muster_share_create(NULL, 1, &share) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_share_create(world, 1, NULL) == MUSTER_ERR_INVALID);
    RANK_OK(world, muster_share_create(world, 100, &share));
    RANK_CHECK(world, muster_share_at(NULL, 0, &at, &bytes) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_share_at(share, -1, &at, &bytes) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_share_at(share, n, &at, &bytes) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_share_at(share, 0, NULL, &bytes) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, at == &at && bytes == 7);
    RANK_CHECK(world, muster_share_sync(NULL) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_share_seal(NULL) == MUSTER_ERR_INVALID);
    RANK_OK(world, muster_share_free(NULL));
    RANK_CHECK(world, muster_put_signal(NULL, 0, 0, "x", 1, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_put_signal(share, n, 0, "x", 1, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_put_signal(share, 0, 0, "x", 1, MUSTER_SIGNALS) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_put_signal(share, 0, 0, "x", 1, -1) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_put_signal(share, 0, 100, "x", 1, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world,
               strstr(muster_error_detail(), "1 bytes at 100 are not in the 100 bytes of rank 0's block"));
    RANK_CHECK(world, muster_put_signal(share, 0, 2, "x", SIZE_MAX, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_put_signal(share, 0, SIZE_MAX, "x", 2, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_put_signal(share, 0, 0, NULL, 2, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_wait_signal(NULL, 0, 0, 1, NO_TIME) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_wait_signal(share, n, 0, 1, NO_TIME) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_wait_signal(share, 0, MUSTER_SIGNALS, 1, NO_TIME) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_wait_signal(share, rank, 0, 1, NO_TIME) == MUSTER_ERR_TIMED_OUT);
    RANK_OK(world, muster_barrier(world)); /* nothing came of any of these */
    RANK_OK(world, muster_share_free(share));
    return 0;
}

START_TEST(test_bad_arguments_are_refused_in_words)
{
    run_ranks(2, RANKS_AS_PROCESSES, bad_arguments, NULL);
    run_ranks(2, RANKS_AS_THREADS, bad_arguments, NULL);
}
END_TEST

/* One rank splits where the others share: all are told the same. */
static int one_splits(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *group;
    muster_share *share;

    (void)arg;
    muster_status status =
        rank == 2 ? muster_group_split(world, 0, -1, &group) : muster_share_create(world, 1 << 20, &share);
    RANK_CHECK(world, status == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 0 called share_create and rank 2 split"));
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_MISMATCH);
    return 0;
}

START_TEST(test_one_rank_splits)
{
    run_ranks(3, RANKS_AS_PROCESSES, one_splits, NULL);
    run_ranks(3, RANKS_AS_THREADS, one_splits, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shares");
    TCase *tests = tcase_create("shares");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_all_ranks_write_all_blocks);
    tcase_add_test(tests, test_a_share_outlives_its_group);
    tcase_add_test(tests, test_syncs_order_plain_memory);
    tcase_add_test(tests, test_peers_are_found);
    tcase_add_test(tests, test_blocks_are_arena_buffers);
    tcase_add_test(tests, test_bad_arguments_are_refused_in_words);
    tcase_add_test(tests, test_one_rank_splits);
    if (on_one_host()) { /* which has an arena of a size, and pages of its own */
        tcase_add_test(tests, test_memory_is_used_again);
        tcase_add_test(tests, test_all_get_memory_or_nobody);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
