/*
 * Subsets of which one member has no memory for its part: all members are told, the group is as before, and
 * nobody keeps what it had got.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

/* Ranks 0 and 1 cannot make one. Rank 1 says why, in these words; rank 0 says whose fault it is. */
static int both_are_refused(muster_group *group, const char *why)
{
    static const int ranks[2] = { 1, 0 };
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    muster_group *made = NULL;

    RANK_CHECK(group, muster_group_subset(group, ranks, 2, &made) == MUSTER_ERR_NO_SPACE && !made);
    RANK_CHECK(group,
               strstr(muster_error_detail(),
                      muster_group_rank(group) == 1 ? why : "rank 1 could not get memory for its part"));
    RANK_OK(group, muster_last_error(&info));
    RANK_CHECK(group, info.status == MUSTER_ERR_NO_SPACE);
    RANK_CHECK(group, muster_group_rank(group) == 1 || info.rank == 1);
    RANK_OK(group, muster_group_status(group));
    return 0;
}

static int both_make_one(muster_group *group)
{
    static const int ranks[2] = { 1, 0 };
    int sum = 5;
    muster_group *made;

    RANK_OK(group, muster_group_subset(group, ranks, 2, &made));
    RANK_OK(group, muster_all_sum(&sum, &sum, 1, MUSTER_INT32, made));
    RANK_CHECK(group, sum == 10);
    RANK_OK(group, muster_group_free(made));
    return 0;
}

/* Rank 1 has no memory for what members tell each other by; then it has, and its refusal holds, of this
 * group. Others make subsets of it. */
static int no_table(muster_group *world, void *arg)
{
    static const int others[2] = { 2, 0 };
    int rank = muster_group_rank(world);
    muster_group *group, *copy, *solo, *made;
    void *buffer;

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &group));
    RANK_OK(world, muster_group_dup(world, &copy));
    RANK_OK(world, muster_group_split(world, rank, -1, &solo));
    for (size_t room = 1 << 20; rank == 1 && room; room /= 2) /* until its heap is full */
        while (muster_alloc(solo, room, &buffer) == MUSTER_OK)
            ;
    if (rank < 2 && both_are_refused(group, "does not fit into this rank's"))
        return 1;
    RANK_OK(world, muster_group_free(solo));
    RANK_OK(world, muster_barrier(group));
    if (rank < 2 && (both_are_refused(group, "had no memory to make subsets") || both_make_one(copy)))
        return 1;
    if (rank != 1) {
        RANK_OK(world, muster_group_subset(group, others, 2, &made));
        RANK_OK(world, muster_barrier(made));
        RANK_OK(world, muster_group_free(made));
    }
    RANK_OK(world, muster_barrier(group));
    RANK_OK(world, muster_group_free(group));
    RANK_OK(world, muster_group_free(copy));
    return 0;
}

/* Rank 1 is in as many groups as there can be, and rank 0 in one less: that one is still free after a subset
 * that did not come about. */
static int no_cell(muster_group *world, void *arg)
{
    enum { LIMIT = 4200 };
    muster_group **copies = calloc(LIMIT, sizeof *copies), *solo;
    muster_status status = MUSTER_OK;
    int rank = muster_group_rank(world), made = 0;

    (void)arg;
    RANK_CHECK(world, copies);
    RANK_OK(world, muster_group_split(world, rank, -1, &solo));
    if (both_make_one(world))
        return 1;
    while (made < LIMIT && (status = muster_group_dup(solo, &copies[made])) == MUSTER_OK)
        made++;
    RANK_CHECK(world, status == MUSTER_ERR_NO_SPACE);
    if (rank == 0)
        RANK_OK(world, muster_group_free(copies[--made]));
    for (int i = 0; i < 2; i++) {
        if (both_are_refused(world, "4096 groups, which is the maximum"))
            return 1;
        RANK_OK(world, muster_barrier(world));
    }
    while (made > 0)
        RANK_OK(world, muster_group_free(copies[--made]));
    if (both_make_one(world))
        return 1;
    free(copies);
    return 0;
}

START_TEST(test_a_member_without_room)
{
    rank_options options = { .size = 3, .mode = RANKS_AS_THREADS, .arena_bytes = (size_t)200 << 20 };

    run_ranks_with(options, no_table, NULL);
    options.mode = RANKS_AS_PROCESSES;
    run_ranks_with(options, no_table, NULL);
    run_ranks(2, RANKS_AS_PROCESSES, no_cell, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subset room");
    TCase *tests = tcase_create("subset room");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_a_member_without_room);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
