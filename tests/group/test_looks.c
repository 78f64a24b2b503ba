/*
 * The first looks of a wait, before it publishes its activity: an operation of the test's own ends in one of
 * them, and sees how it is completed.
 */
#include <stdlib.h>

#include "src/onehost/group/showing.h"
#include "src/onehost/wait/pending.h"
#include "tests/harness/ranks.h"

enum { PATIENCE = 4 }; /* looks until it is over */

typedef struct operation {
    mst_pending pending;
    mst_completion completion;
    int64_t late_ns; /* the clock of records, in the look that finds it over */
    int looks;
    bool shown, completed;
} operation;

static operation the_operation; /* of the only rank */

/* The clock of records moves on while it looks. */
static bool is_over(const mst_pending *pending)
{
    operation *operation = &the_operation;

    if (++operation->looks == PATIENCE) {
        int64_t before_ns = mst_group_now_ns(pending->group);

        AWAIT(mst_group_now_ns(pending->group) > before_ns);
        operation->late_ns = mst_group_now_ns(pending->group);
    }
    return operation->looks >= PATIENCE;
}

static bool find_peers(const mst_pending *pending, int peers[2])
{
    (void)pending;
    peers[0] = peers[1] = -1;
    return false;
}

static void describe(const mst_pending *pending, char *text, size_t bytes)
{
    (void)pending;
    if (bytes)
        *text = '\0';
}

static bool show(const mst_pending *pending)
{
    (void)pending;
    the_operation.shown = true;
    return false;
}

static void end(const mst_pending *pending)
{
    (void)pending;
}

static void complete(mst_pending *pending, const mst_completion *completion)
{
    the_operation.completion = *completion;
    the_operation.completed = true;
    mst_pending_remove(pending);
}

static const mst_pending_kind kind = { .is_over = is_over,
                                       .find_peers = find_peers,
                                       .describe = describe,
                                       .list_missing = describe,
                                       .show = show,
                                       .end = end,
                                       .complete = complete };

static int wait_for_it(muster_group *world, void *arg)
{
    mst_group *group = mst_group_of(world);
    operation *operation = &the_operation;
    muster_request request = { .group = world };
    bool exact = arg != NULL;

    *operation = (struct operation){ .pending = { .kind = &kind, .group = group } };
    mst_pending_lock(group);
    muster_status status = mst_pending_add(&operation->pending, MUSTER_CALL_RECEIVE);
    mst_pending_unlock(group);
    RANK_OK(world, status);
    request.number = operation->pending.number;
    RANK_OK(world, muster_wait(&request, 0));
    RANK_CHECK(world, operation->completed && operation->completion.succeeded);
    /* Times can be exact only if it was shown, since that is when it is seen to wait. */
    RANK_CHECK(world, !exact || operation->shown);
    /* Else it entered before the look that took long. */
    RANK_CHECK(world, operation->shown || operation->completion.now_ns < operation->late_ns);
    return 0;
}

START_TEST(test_what_ends_in_the_first_looks)
{
    run_ranks(1, RANKS_AS_PROCESSES, wait_for_it, NULL);
    setenv("MUSTER_EXACT_TIMES", "1", 1);
    run_ranks(1, RANKS_AS_PROCESSES, wait_for_it, &the_operation);
    unsetenv("MUSTER_EXACT_TIMES");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("looks");
    TCase *tests = tcase_create("looks");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_what_ends_in_the_first_looks);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
