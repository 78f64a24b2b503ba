/*
 * dup and subset: who is in the new group, subsets that are made at the same time, disjoint and overlapping,
 * lists that do not fit together, and staging that a group claims when it first needs it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

static int sum_is(muster_group *group, int32_t value, int32_t sum)
{
    int32_t out = 0;

    RANK_OK(group, muster_all_sum(&value, &out, 1, MUSTER_INT32, group));
    RANK_CHECK(group, out == sum);
    return 0;
}

/* ---- dup ---- */

/* Messages and collectives of the copy are its own, in whatever order they are used. */
static int dup_is_apart(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_group *copy, *again;
    int32_t told = 0;

    (void)arg;
    RANK_OK(world, muster_group_set_timeout(world, 60000000000));
    RANK_OK(world, muster_group_dup(world, &copy));
    RANK_CHECK(world, muster_group_rank(copy) == rank && muster_group_size(copy) == n);
    RANK_OK(world, muster_group_dup(copy, &again));
    for (int32_t i = 0; n > 1 && i < 20; i++) {
        int32_t other = 1000 + i;

        if (rank == 0) {
            RANK_OK(world, muster_send(&i, 1, MUSTER_INT32, 1, 0, world));
            RANK_OK(world, muster_send(&other, 1, MUSTER_INT32, 1, 0, copy));
        }
        if (rank == 1) {
            RANK_OK(world, muster_recv(&told, 1, MUSTER_INT32, 0, 0, copy, NULL));
            RANK_CHECK(world, told == other);
            RANK_OK(world, muster_recv(&told, 1, MUSTER_INT32, 0, 0, world, NULL));
            RANK_CHECK(world, told == i);
        }
    }
    RANK_OK(world, muster_group_free(copy));
    if (sum_is(again, rank, n * (n - 1) / 2) || sum_is(world, 1, n))
        return 1;
    RANK_OK(world, muster_group_free(again));
    return 0;
}

START_TEST(test_dup_is_apart)
{
    run_all_sizes(dup_is_apart, NULL);
}
END_TEST

static int dup_against_split(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_group *made = NULL;

    (void)arg;
    muster_status status =
        rank == 1 ? muster_group_split(world, 0, -1, &made) : muster_group_dup(world, &made);
    RANK_CHECK(world, status == MUSTER_ERR_MISMATCH && made == NULL);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 0 called dup and rank 1 split"));
    return 0;
}

START_TEST(test_dup_against_split_is_a_mismatch)
{
    run_ranks(3, RANKS_AS_THREADS, dup_against_split, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, dup_against_split, NULL);
}
END_TEST

/* ---- subset ---- */

/* The even ranks, the last one first, while the odd ones do something else. */
static int evens(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), count = (n + 1) / 2, ranks[8];
    muster_group *made = NULL;

    (void)arg;
    for (int i = 0; i < count; i++)
        ranks[i] = 2 * (count - 1 - i);
    if (rank % 2) {
        muster_group *odd;

        RANK_OK(world, muster_group_subset(world, &rank, 1, &odd)); /* a group of its own */
        RANK_CHECK(world, muster_group_size(odd) == 1);
        RANK_OK(world, muster_group_free(odd));
    } else {
        RANK_OK(world, muster_group_subset(world, ranks, count, &made));
        RANK_CHECK(world,
                   muster_group_size(made) == count && muster_group_rank(made) == count - 1 - rank / 2);
        for (int i = 0; i < count; i++)
            RANK_CHECK(world, muster_group_translate(made, i, world) == ranks[i]);
        if (sum_is(made, 1, count))
            return 1;
    }
    RANK_OK(world, muster_barrier(world)); /* the world is as it was */
    RANK_OK(world, muster_group_free(made));
    return 0;
}

START_TEST(test_others_take_no_part)
{
    run_all_sizes(evens, NULL);
}
END_TEST

/* Each pair of ranks, the pairs in an order of each rank's own in which nobody waits in a cycle: every rank
 * goes through its partners in the order of the sum, modulo n, as in a tournament. Many times over, so that
 * records are used again. */
static int all_pairs(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);

    (void)arg;
    for (int round = 0; round < 30 * n; round++) {
        int other = (round - rank % n + 31 * n) % n;
        int pair[2] = { rank < other ? rank : other, rank < other ? other : rank };
        muster_group *made;

        if (other == rank)
            continue;
        RANK_OK(world, muster_group_subset(world, pair, 2, &made));
        if (sum_is(made, 1 << (rank % 20), (1 << (rank % 20)) + (1 << (other % 20))))
            return 1;
        RANK_OK(world, muster_group_free(made));
    }
    return 0;
}

START_TEST(test_overlapping_subsets_in_turn)
{
    run_all_sizes(all_pairs, NULL);
}
END_TEST

/* Subsets of random lists: all ranks draw the same ones, and each makes those that it is in. Some are used,
 * some are freed late. */
static int random_subsets(muster_group *world, void *arg)
{
    enum { KEPT = 5 };
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_group *kept[KEPT] = { NULL };
    uint64_t seed = 12345;

    (void)arg;
    for (int i = 0; i < 300; i++) {
        int ranks[8], count = 0, sum = 0;
        bool mine = false;

        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        for (int step = 0; step < n; step++) {
            int at = (step * 5 + (int)(seed >> 33)) % n;

            if (n % 5 == 0)
                at = (step + (int)(seed >> 33)) % n;
            if (seed >> (20 + at) & 1)
                ranks[count++] = at;
        }
        for (int k = 0; k < count; k++) {
            mine = mine || ranks[k] == rank;
            sum += ranks[k];
        }
        if (!mine)
            continue;
        RANK_OK(world, muster_group_free(kept[i % KEPT]));
        RANK_OK(world, muster_group_subset(world, ranks, count, &kept[i % KEPT]));
        if (i % 3 == 0 && sum_is(kept[i % KEPT], rank, sum))
            return 1;
    }
    for (int i = 0; i < KEPT; i++)
        RANK_OK(world, muster_group_free(kept[i]));
    return 0;
}

START_TEST(test_random_subsets)
{
    run_all_sizes(random_subsets, NULL);
}
END_TEST

/* ---- lists that do not fit together ---- */

static int other_lists(muster_group *world, void *arg)
{
    static const int lists[3][3] = { { 0, 1, 2 }, { 1, 0, 2 }, { 0, 1, 2 } };
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    int rank = muster_group_rank(world);
    muster_group *made = NULL;

    (void)arg;
    muster_status status = muster_group_subset(world, lists[rank], 3, &made);
    RANK_CHECK(world, status == MUSTER_ERR_MISMATCH && made == NULL);
    RANK_CHECK(world, strstr(muster_error_detail(), "the same list"));
    RANK_OK(world, muster_last_error(&info));
    RANK_CHECK(world, info.rank >= 0 && (info.rank != rank || !tells_of_the_other()));
    RANK_CHECK(world, muster_barrier(world) == MUSTER_ERR_MISMATCH);
    return 0;
}

static int shorter_list(muster_group *world, void *arg)
{
    static const int ranks[3] = { 0, 1, 2 };
    int rank = muster_group_rank(world);
    muster_group *made = NULL;

    (void)arg;
    muster_status status = muster_group_subset(world, ranks, rank == 1 ? 2 : 3, &made);
    RANK_CHECK(world, status == MUSTER_ERR_MISMATCH && made == NULL);
    return 0;
}

START_TEST(test_other_lists_are_a_mismatch)
{
    run_ranks(3, RANKS_AS_THREADS, other_lists, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, other_lists, NULL);
    run_ranks(3, RANKS_AS_THREADS, shorter_list, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, shorter_list, NULL);
}
END_TEST

static bool is_refused(muster_group *world, const int *ranks, int count, const char *words)
{
    muster_group *made = NULL;

    return muster_group_subset(world, ranks, count, &made) == MUSTER_ERR_INVALID && made == NULL &&
           strstr(muster_error_detail(), words);
}

static int bad_lists(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), other = 1 - rank;
    int twice[2] = { rank, rank }, beyond[2] = { rank, 2 };

    (void)arg;
    RANK_CHECK(world, is_refused(world, NULL, 1, "NULL"));
    RANK_CHECK(world, is_refused(world, &rank, 0, "expected 1 to 2"));
    RANK_CHECK(world, is_refused(world, twice, 3, "expected 1 to 2"));
    RANK_CHECK(world, is_refused(world, twice, 2, "twice"));
    RANK_CHECK(world, is_refused(world, beyond, 2, "2 is not a rank of a group of 2"));
    RANK_CHECK(world, is_refused(world, &other, 1, "is not in the list"));
    RANK_CHECK(world, muster_group_subset(world, &rank, 1, NULL) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_group_dup(world, NULL) == MUSTER_ERR_INVALID);
    RANK_OK(world, muster_barrier(world));
    return 0;
}

START_TEST(test_bad_lists_are_refused_in_words)
{
    run_ranks(2, RANKS_AS_PROCESSES, bad_lists, NULL);
}
END_TEST

/* ---- members that do not come ---- */

static int one_leaves(muster_group *world, void *arg)
{
    static const int ranks[2] = { 0, 2 };
    int rank = muster_group_rank(world);
    muster_group *group, *made = NULL;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    if (rank == 0) {
        RANK_CHECK(world, muster_group_subset(group, ranks, 2, &made) == MUSTER_ERR_PEER_DIED);
        RANK_CHECK(world, strstr(muster_error_detail(), "rank 2 left the group"));
    }
    RANK_OK(world, muster_group_free(group));
    RANK_OK(world, muster_barrier(world)); /* which is another group */
    return 0;
}

START_TEST(test_one_leaves)
{
    run_ranks(3, RANKS_AS_THREADS, one_leaves, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, one_leaves, NULL);
}
END_TEST

static int one_is_late(muster_group *world, void *arg)
{
    static const int ranks[2] = { 1, 0 };
    int rank = muster_group_rank(world);
    muster_group *group, *made = NULL;

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &group));
    if (rank == 0) {
        RANK_OK(world, muster_group_set_timeout(group, 20000000));
        RANK_CHECK(world, muster_group_subset(group, ranks, 2, &made) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, strstr(muster_error_detail(), "in subset #1") &&
                              strstr(muster_error_detail(), "for rank 1"));
    }
    RANK_OK(world, muster_barrier(world));
    RANK_CHECK(world, muster_barrier(group) == MUSTER_ERR_TIMED_OUT);
    RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_one_is_late)
{
    run_ranks(2, RANKS_AS_THREADS, one_is_late, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, one_is_late, NULL);
}
END_TEST

/* Three pairs in a ring, each rank first with the next one. */
static int ring_of_subsets(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), ranks[2] = { rank, (rank + 1) % 3 };
    muster_group *made = NULL;

    (void)arg;
    RANK_CHECK(world, muster_group_subset(world, ranks, 2, &made) == MUSTER_ERR_DEADLOCK);
    RANK_CHECK(world, strstr(muster_error_detail(), "subset"));
    return 0;
}

START_TEST(test_a_cycle_is_a_deadlock)
{
    run_ranks(3, RANKS_AS_PROCESSES, ring_of_subsets, NULL);
}
END_TEST

/* ---- staging when it is first needed ---- */

enum { LARGE = 100000 };

static int large_is_right(muster_group *group)
{
    static _Thread_local int32_t in[LARGE], out[LARGE];
    int n = muster_group_size(group), rank = muster_group_rank(group);

    for (int i = 0; i < LARGE; i++)
        in[i] = rank + i;
    RANK_OK(group, muster_all_sum(in, out, LARGE, MUSTER_INT32, group));
    for (int i = 0; i < LARGE; i += 999)
        RANK_CHECK(group, out[i] == n * (n - 1) / 2 + n * i);
    return 0;
}

/* The first operation is large, or the third; a root that alone has much; small and large in turn. */
static int first_need(muster_group *world, void *arg)
{
    static _Thread_local int32_t blocks[8 * LARGE / 8], block[LARGE / 8];
    int n = muster_group_size(world), rank = muster_group_rank(world);
    muster_group *group;

    (void)arg;
    for (int first = 0; first < 3; first++) {
        RANK_OK(world, muster_group_dup(world, &group));
        for (int i = 0; i < first; i++)
            if (sum_is(group, rank, n * (n - 1) / 2))
                return 1;
        if (large_is_right(group) || sum_is(group, 1, n) || large_is_right(group))
            return 1;
        RANK_OK(world, muster_group_free(group));
    }
    for (int i = 0; i < 8 * LARGE / 8; i++)
        blocks[i] = i;
    RANK_OK(world, muster_group_dup(world, &group));
    RANK_OK(world, muster_scatter(blocks, block, LARGE / 8, MUSTER_INT32, n - 1, group));
    RANK_CHECK(world, block[0] == rank * (LARGE / 8) && block[LARGE / 8 - 1] == (rank + 1) * (LARGE / 8) - 1);
    RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_staging_when_first_needed)
{
    run_all_sizes(first_need, NULL);
}
END_TEST

/* The first large operation, which another rank takes for a small one. */
static int mismatch_at_first_need(muster_group *world, void *arg)
{
    static _Thread_local int32_t x[LARGE];
    int rank = muster_group_rank(world);
    muster_group *group;

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &group));
    RANK_CHECK(world,
               muster_all_sum(x, x, rank == 1 ? 1 : LARGE, MUSTER_INT32, group) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 0 called all_sum"));
    RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_mismatch_at_first_need)
{
    run_ranks(3, RANKS_AS_THREADS, mismatch_at_first_need, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, mismatch_at_first_need, NULL);
}
END_TEST

/* Rank 1 has used up its part of the arena: all get NO_SPACE, and go on; later there is room. */
static int no_room_for_staging(muster_group *world, void *arg)
{
    enum { BLOCK = 1 << 20, MAX = 64 };
    int rank = muster_group_rank(world), taken = 0;
    muster_group *group, *solo;
    void *blocks[MAX];

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &group));
    RANK_OK(world, muster_group_split(world, rank, -1, &solo));
    while (rank == 1 && taken < MAX && muster_alloc(solo, BLOCK, &blocks[taken]) == MUSTER_OK)
        taken++;
    for (int i = 0; i < 2; i++) {
        static _Thread_local int32_t x[LARGE];

        x[0] = 7;
        RANK_CHECK(world, muster_all_sum(x, x, LARGE, MUSTER_INT32, group) == MUSTER_ERR_NO_SPACE);
        RANK_CHECK(world, x[0] == 7 && (rank == 1 || strstr(muster_error_detail(), "rank 1 has no memory")));
        RANK_OK(world, muster_group_status(group));
        if (sum_is(group, 1, 3))
            return 1;
    }
    while (taken > 0)
        RANK_OK(world, muster_free(solo, blocks[--taken]));
    RANK_OK(world, muster_barrier(world));
    if (large_is_right(group))
        return 1;
    RANK_OK(world, muster_group_free(group));
    RANK_OK(world, muster_group_free(solo));
    return 0;
}

START_TEST(test_no_room_for_staging)
{
    rank_options options = { .size = 3, .mode = RANKS_AS_THREADS, .arena_bytes = (size_t)200 << 20 };

    run_ranks_with(options, no_room_for_staging, NULL);
    options.mode = RANKS_AS_PROCESSES;
    run_ranks_with(options, no_room_for_staging, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subset");
    TCase *tests = tcase_create("subset");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_dup_is_apart);
    tcase_add_test(tests, test_dup_against_split_is_a_mismatch);
    tcase_add_test(tests, test_others_take_no_part);
    tcase_add_test(tests, test_overlapping_subsets_in_turn);
    tcase_add_test(tests, test_random_subsets);
    tcase_add_test(tests, test_other_lists_are_a_mismatch);
    tcase_add_test(tests, test_bad_lists_are_refused_in_words);
    tcase_add_test(tests, test_one_leaves);
    tcase_add_test(tests, test_one_is_late);
    tcase_add_test(tests, test_staging_when_first_needed);
    tcase_add_test(tests, test_mismatch_at_first_need);
    if (on_one_host()) { /* only there are deadlocks found, and only there an arena can be full */
        if (!under_thread_sanitizer()) /* whose processes have two threads */
            tcase_add_test(tests, test_a_cycle_is_a_deadlock);
        tcase_add_test(tests, test_no_room_for_staging);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
