/*
 * Rounds, below the collectives: what all ranks must say alike by construction. A build that is for finding
 * defects (MST_CHECKED) breaks the group where they do not, with a sentence; any other one pays nothing.
 */
#include <string.h>

#include "src/onehost/coll/agree.h"
#include "src/onehost/coll/round.h"
#include "src/onehost/coll/run.h"
#include "tests/harness/ranks.h"

/* A call that is nothing but rounds, of which the first begins it. */
static void begin(mst_call *call, const mst_request *request, muster_group *world)
{
    mst_group *group = mst_group_of(world);

    mst_call_begin(call, group, request);
    mst_sequence_begin(call->sequence);
    call->operation = ++group->operation;
    call->parity = ++call->sequence->operations & 1;
    call->plan.request = mst_request_packed(call);
}

static int make_rounds(muster_group *world, void *arg)
{
    static const mst_request request = { .collective = MST_BARRIER };
    bool disagree = *(const bool *)arg;
    muster_status status;
    mst_call call;

    begin(&call, &request, world);
    for (size_t staged = 0; staged < 5 * 64; staged += 64)
        RANK_OK(world, mst_round(&call, staged));
    if (disagree && muster_group_size(world) > 1) {
        status = mst_round(&call, muster_group_rank(world) == 1 ? 128 : 64);
#ifdef MST_CHECKED
        RANK_CHECK(world, status == MUSTER_ERR_BAD_ARENA);
        RANK_CHECK(world,
                   strstr(muster_error_detail(), "bytes in a round of barrier, operation 1, and rank"));
        RANK_CHECK(world, strstr(muster_error_detail(), ": a defect in muster"));
#else
        RANK_CHECK(world, status == MUSTER_OK);
#endif
        return 0;
    }
    RANK_OK(world, muster_barrier(world));
    return 0;
}

START_TEST(test_ranks_that_staged_alike_go_on)
{
    bool disagree = false;

    run_all_sizes(make_rounds, &disagree);
}
END_TEST

START_TEST(test_one_that_did_not_is_a_defect)
{
    bool disagree = true;

    run_all_sizes(make_rounds, &disagree);
}
END_TEST

/* Of ranks that were asked to do different things it is the program's. */
static int ask_for_different_things(muster_group *world, void *arg)
{
    bool first = muster_group_rank(world) == 0;
    mst_request request = { .collective = first ? MST_BARRIER : MST_ALL_GATHER };
    mst_call call;

    (void)arg;
    if (muster_group_size(world) == 1)
        return 0;
    begin(&call, &request, world);
    RANK_CHECK(world, mst_round(&call, first ? 0 : 64) == MUSTER_ERR_MISMATCH);
    return 0;
}

START_TEST(test_a_disagreement_of_the_program_is_none)
{
    run_all_sizes(ask_for_different_things, NULL);
}
END_TEST

/* What is read in the arena is not staged, too, however much it is: one round, and one at the end. */
static int gather_in_arena(muster_group *world, void *arg)
{
    enum { BYTES = 1 << 20 };
    const mst_group *group = mst_group_of(world);
    int size = muster_group_size(world);
    size_t counts[8];
    void *in, *out;

    (void)arg;
    for (int r = 0; r < size; r++)
        counts[r] = BYTES;
    RANK_OK(world, muster_alloc(world, BYTES, &in));
    RANK_OK(world, muster_alloc(world, BYTES * (size_t)size, &out));
    for (int i = 0; i < 3; i++) {
        uint32_t before = group->collectives.round;

        RANK_OK(world, muster_all_gatherv(in, BYTES, out, counts, NULL, MUSTER_UINT8, world));
        RANK_CHECK(world, group->collectives.round - before == (size > 1 ? 2 : 0));
    }
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_free(world, in));
    RANK_OK(world, muster_free(world, out));
    return 0;
}

START_TEST(test_what_is_in_the_arena_is_not_staged)
{
    run_all_sizes(gather_in_arena, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rounds");
    TCase *tests = tcase_create("rounds");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_ranks_that_staged_alike_go_on);
    tcase_add_test(tests, test_one_that_did_not_is_a_defect);
    tcase_add_test(tests, test_a_disagreement_of_the_program_is_none);
    tcase_add_test(tests, test_what_is_in_the_arena_is_not_staged);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
