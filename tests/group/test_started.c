/*
 * Nonblocking collectives: right results whatever the order of finishing, with other operations in
 * between; several at once; and every mistake an error in words.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/base/chaos.h"
#include "src/onehost/group/group.h"
#include "tests/harness/ranks.h"

enum { COUNT_MAX = 50000 };

static int32_t value(int rank, int round, size_t i)
{
    return (int32_t)(rank * 1000003 + round * 7919 + (int)i);
}

static int32_t sum(int n, int round, size_t i)
{
    uint32_t total = 0;

    for (int r = 0; r < n; r++)
        total += (uint32_t)value(r, round, i);
    return (int32_t)total;
}

typedef struct round_buffers {
    int32_t *in, *reduced, *gathered, *scattered, *sent;
} round_buffers;

static int check_round(muster_group *world, const round_buffers *b, int round, size_t count, int root)
{
    int rank = muster_group_rank(world), n = muster_group_size(world);
    size_t at[] = { 0, count / 3, count / 2, count - 1 };

    for (int k = 0; k < 4 && count > 0; k++) {
        size_t i = at[k];

        RANK_CHECK(world, b->reduced[i] == sum(n, round, i));
        RANK_CHECK(world, b->scattered[i] == sum(n, round, (size_t)rank * count + i));
        RANK_CHECK(world, b->sent[i] == value(root, round, i));
        for (int r = 0; r < n; r++)
            RANK_CHECK(world, b->gathered[(size_t)r * count + i] == value(r, round, i));
    }
    return 0;
}

/* All four at once, finished in an order that depends on the rank. */
static int one_round(muster_group *world, const round_buffers *b, int round, size_t count)
{
    int rank = muster_group_rank(world), n = muster_group_size(world), root = round % n;
    muster_request requests[4];

    for (size_t i = 0; i < count * (size_t)n; i++)
        b->in[i] = value(rank, round, i);
    RANK_OK(world,
            muster_all_reduce_start(b->in, b->reduced, count, MUSTER_INT32, MUSTER_SUM, world, &requests[0]));
    RANK_OK(world, muster_all_gather_start(b->in, b->gathered, count, MUSTER_INT32, world, &requests[1]));
    RANK_OK(world, muster_reduce_scatter_start(b->in, b->scattered, count, MUSTER_INT32, MUSTER_SUM, world,
                                               &requests[2]));
    RANK_OK(world, muster_broadcast_start(b->in, b->sent, count, MUSTER_INT32, root, world, &requests[3]));
    if (round % 3 == 0) {
        int32_t x = 1;
        RANK_OK(world, muster_all_sum(&x, &x, 1, MUSTER_INT32, world));
        RANK_CHECK(world, x == n);
    }
    for (int i = 0; i < 4; i++)
        RANK_OK(world, muster_wait(&requests[(i + rank + round) % 4], 0));
    return check_round(world, b, round, count, root);
}

static int many_rounds(muster_group *world, void *arg)
{
    static const size_t counts[] = { 0, 1, 3, 20, 500, 5000, COUNT_MAX };
    size_t n = (size_t)muster_group_size(world);
    round_buffers b = { malloc(COUNT_MAX * n * 4), malloc(COUNT_MAX * 4), malloc(COUNT_MAX * n * 4),
                        malloc(COUNT_MAX * 4), malloc(COUNT_MAX * 4) };
    int failed = 0;

    (void)arg;
    RANK_CHECK(world, b.in && b.reduced && b.gathered && b.scattered && b.sent);
    for (int round = 0; round < 40 && !failed; round++)
        failed = one_round(world, &b, round, counts[round % 7]);
    free(b.in), free(b.reduced), free(b.gathered), free(b.scattered), free(b.sent);
    return failed;
}

START_TEST(test_results_in_any_order)
{
    run_all_sizes(many_rounds, NULL);
}
END_TEST

/* ---- between ordinary operations ---- */

/* Ordinary, so many starts, ordinary, so many finishes: over and over, of sizes that travel beside the flag,
 * by staging, and by view, with delays. Agreement is never a mismatch. */
typedef struct interleaving {
    int starts;
    size_t count; /* of the ordinary ones */
    bool arena;
    bool chaos;
} interleaving;

static int one_turn(muster_group *world, const interleaving *plan, int32_t *in, int32_t *out, int turn)
{
    enum { STARTED_COUNT = 269 };
    static _Thread_local int32_t results[4][STARTED_COUNT];
    int rank = muster_group_rank(world), n = muster_group_size(world);
    size_t few = plan->count < STARTED_COUNT ? plan->count : STARTED_COUNT;
    muster_request requests[4];

    for (size_t i = 0; i < plan->count; i++)
        in[i] = value(rank, turn, i);
    for (int half = 0; half < 2; half++) {
        RANK_OK(world, muster_all_sum(in, out, plan->count, MUSTER_INT32, world));
        for (size_t i = 0; i < plan->count; i += 97)
            RANK_CHECK(world, out[i] == sum(n, turn, i));
        for (int i = 0; i < plan->starts && half == 0; i++)
            RANK_OK(world, muster_all_reduce_start(in, results[i], few, MUSTER_INT32, MUSTER_SUM, world,
                                                   &requests[i]));
    }
    for (int i = 0; i < plan->starts; i++) {
        RANK_OK(world, muster_wait(&requests[i], 0));
        RANK_CHECK(world, results[i][few - 1] == sum(n, turn, few - 1));
    }
    return 0;
}

static int interleave(muster_group *world, void *arg)
{
    const interleaving *plan = arg;
    int32_t *in = NULL, *out = NULL;
    int failed = 0;

    if (plan->chaos)
        mst_chaos_begin(7, (uint32_t)muster_group_rank(world));
    if (plan->arena) {
        RANK_OK(world, muster_alloc(world, plan->count * sizeof *in, (void **)&in));
        RANK_OK(world, muster_alloc(world, plan->count * sizeof *in, (void **)&out));
    } else {
        in = malloc(plan->count * sizeof *in), out = malloc(plan->count * sizeof *in);
        RANK_CHECK(world, in && out);
    }
    for (int turn = 0; turn < 12 && !failed; turn++)
        failed = one_turn(world, plan, in, out, turn);
    if (!plan->arena)
        free(in), free(out);
    return failed;
}

START_TEST(test_between_ordinary_operations)
{
    static const size_t counts[] = { 20, 500, 2309, COUNT_MAX };

    for (int i = 0; i < 4 * 4; i++) {
        interleaving plan = { .starts = 1 + i % 4, .count = counts[i / 4] };

        for (int size = 2; size <= 4; size += 2) {
            plan.arena = i % 2;
            plan.chaos = false;
            run_ranks(size, RANKS_AS_THREADS, interleave, &plan);
            plan.arena = !plan.arena;
            plan.chaos = true; /* for the whole process, so of a rank's own */
            run_ranks(size, RANKS_AS_PROCESSES, interleave, &plan);
        }
    }
}
END_TEST

/* A started operation gives the bits of the ordinary one, also in place. */
static int same_bits(muster_group *world, void *arg)
{
    enum { COUNT = 30000 };
    float *in = malloc(COUNT * sizeof *in), *ordinary = malloc(COUNT * sizeof *in);
    muster_request request;

    (void)arg;
    RANK_CHECK(world, in && ordinary);
    for (int i = 0; i < COUNT; i++)
        in[i] = (float)(i % 977) * 1e-3f * (float)(muster_group_rank(world) * 31 + 1);
    RANK_OK(world, muster_all_sum(in, ordinary, COUNT, MUSTER_FLOAT32, world));
    RANK_OK(world, muster_all_reduce_start(in, in, COUNT, MUSTER_FLOAT32, MUSTER_SUM, world, &request));
    RANK_OK(world, muster_wait(&request, 0));
    RANK_CHECK(world, memcmp(in, ordinary, COUNT * sizeof *in) == 0);
    free(in), free(ordinary);
    return 0;
}

/* The forms with an operation in their name. */
static int named_forms(muster_group *world, void *arg)
{
    enum { COUNT = 40 };
    int32_t in[8 * COUNT], ordinary[4][COUNT], started[4][COUNT];
    muster_request requests[4];

    (void)arg;
    for (int i = 0; i < 8 * COUNT; i++)
        in[i] = i * 7919 % 101 * (muster_group_rank(world) % 3 - 1);
    RANK_OK(world, muster_all_sum(in, ordinary[0], COUNT, MUSTER_INT32, world));
    RANK_OK(world, muster_all_max(in, ordinary[1], COUNT, MUSTER_INT32, world));
    RANK_OK(world, muster_all_min(in, ordinary[2], COUNT, MUSTER_INT32, world));
    RANK_OK(world, muster_sum_scatter(in, ordinary[3], COUNT, MUSTER_INT32, world));
    RANK_OK(world, muster_all_sum_start(in, started[0], COUNT, MUSTER_INT32, world, &requests[0]));
    RANK_OK(world, muster_all_max_start(in, started[1], COUNT, MUSTER_INT32, world, &requests[1]));
    RANK_OK(world, muster_all_min_start(in, started[2], COUNT, MUSTER_INT32, world, &requests[2]));
    RANK_OK(world, muster_sum_scatter_start(in, started[3], COUNT, MUSTER_INT32, world, &requests[3]));
    RANK_OK(world, muster_wait_all(requests, 4, 0));
    RANK_CHECK(world, memcmp(ordinary, started, sizeof ordinary) == 0);
    return 0;
}

START_TEST(test_results_are_those_of_the_ordinary_form)
{
    run_all_sizes(same_bits, NULL);
    run_all_sizes(named_forms, NULL);
}
END_TEST

/* ---- several at once ---- */

enum { SEVERAL = 4 };

static int start_several(muster_group *world, muster_group *other, int32_t *x, muster_request *requests)
{
    for (int i = 0; i < SEVERAL; i++) {
        x[i] = i + muster_group_rank(world);
        RANK_OK(world, muster_all_reduce_start(&x[i], &x[i], 1, MUSTER_INT32, MUSTER_SUM,
                                               i % 2 ? other : world, &requests[i]));
    }
    return 0;
}

static int check_several(muster_group *world, const int32_t *x, const muster_request *requests)
{
    int n = muster_group_size(world);

    for (int i = 0; i < SEVERAL; i++) {
        RANK_CHECK(world, x[i] == n * i + n * (n - 1) / 2);
        RANK_CHECK(world, requests[i].group == NULL);
    }
    return 0;
}

/* Each way of waiting for operations of two groups; each rank takes them in an order of its own. */
static int wait_for_several(muster_group *world, void *arg)
{
    muster_request requests[SEVERAL + 1] = { MUSTER_REQUEST_INIT };
    int rank = muster_group_rank(world);
    int32_t x[SEVERAL];
    size_t index = 99;
    muster_group *other;
    bool done = true;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &other));
    RANK_OK(world, muster_wait_any(requests, 1, 0, &index));
    RANK_CHECK(world, index == 1);
    RANK_OK(world, muster_wait_all(NULL, 0, 0));
    for (int turn = 0; turn < 20; turn++) {
        requests[SEVERAL] = (muster_request)MUSTER_REQUEST_INIT;
        if (start_several(world, other, x, &requests[turn % 2]))
            return 1;
        if (turn % 3 == 0)
            RANK_OK(world, muster_wait_all(requests, SEVERAL + 1, 0));
        for (int i = 0; turn % 3 == 1 && i < SEVERAL; i++) {
            RANK_OK(world, muster_wait_any(requests, SEVERAL + 1, 0, &index));
            RANK_CHECK(world, index < SEVERAL + 1 && !requests[index].group);
        }
        for (int i = 0; turn % 3 == 2 && i < SEVERAL; i++) {
            muster_request *request = &requests[turn % 2 + (i + rank + turn) % SEVERAL];

            do
                RANK_OK(world, muster_test(request, &done));
            while (!done);
        }
        if (check_several(world, x, &requests[turn % 2]))
            return 1;
        requests[0] = (muster_request)MUSTER_REQUEST_INIT;
    }
    RANK_OK(world, muster_group_free(other));
    return 0;
}

START_TEST(test_several_are_waited_for)
{
    run_all_sizes(wait_for_several, NULL);
}
END_TEST

/* ---- mistakes ---- */

static int make_mistakes(muster_group *world, void *arg)
{
    muster_request requests[5], copy, none = MUSTER_REQUEST_INIT;
    int32_t x[5] = { 1, 1, 1, 1, 1 };
    muster_group *group;

    (void)arg;
    RANK_OK(world, muster_group_split(world, 0, -1, &group));
    RANK_CHECK(world,
               muster_wait(NULL, 0) == MUSTER_ERR_INVALID && muster_wait(&none, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), "never started"));
    RANK_CHECK(world,
               muster_all_reduce_start(x, x, 1, MUSTER_INT32, MUSTER_SUM, group, NULL) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_all_reduce_start(x, x, 1, (muster_dtype)77, MUSTER_SUM, group, &requests[0]) ==
                          MUSTER_ERR_INVALID);
    for (int i = 0; i < 4; i++)
        RANK_OK(world,
                muster_all_reduce_start(&x[i], &x[i], 1, MUSTER_INT32, MUSTER_SUM, group, &requests[i]));
    RANK_CHECK(world, muster_group_free(group) == MUSTER_ERR_BUSY);
    RANK_CHECK(world, strstr(muster_error_detail(), "4 started operations of the group are not completed"));
    copy = requests[3];
    requests[4] = requests[0]; /* twice in one wait: refused, and nothing has happened */
    size_t index;
    RANK_CHECK(world, muster_wait_all(requests, 5, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), "the same operation is twice among the requests"));
    RANK_CHECK(world, muster_wait_any(requests, 5, 0, &index) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), "the same operation is twice among the requests"));
    for (int i = 0; i < 4; i++)
        RANK_OK(world, muster_wait(&requests[i], 0));
    RANK_CHECK(world, muster_wait(&requests[0], 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_wait(&copy, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), "completed already"));
    RANK_OK(world, muster_barrier_start(group, &requests[0]));
    RANK_CHECK(world, muster_wait(&copy, 0) == MUSTER_ERR_INVALID); /* nor is it that one */
    RANK_OK(world, muster_wait(&requests[0], 0));
    for (int i = 0; i < 4; i++)
        RANK_CHECK(world, x[i] == muster_group_size(world));
    RANK_OK(world, muster_barrier(group)); /* the group is as it was */
    RANK_OK(world, muster_group_free(group));
    return 0;
}

START_TEST(test_mistakes_are_errors)
{
    run_all_sizes(make_mistakes, NULL);
}
END_TEST

static int disagree(muster_group *world, void *arg)
{
    muster_request request;
    float x[8] = { 0 };

    (void)arg;
    if (muster_group_rank(world) == 1)
        RANK_OK(world, muster_all_reduce_start(x, x, 8, MUSTER_FLOAT32, MUSTER_MAX, world, &request));
    else
        RANK_OK(world, muster_all_reduce_start(x, x, 8, MUSTER_FLOAT32, MUSTER_SUM, world, &request));
    RANK_CHECK(world, muster_wait(&request, 0) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(), "all_sum (float32 x 8)") &&
                          strstr(muster_error_detail(), "all_max (float32 x 8)"));
    RANK_CHECK(world, muster_wait(&request, 0) == MUSTER_ERR_INVALID); /* it is over */
    return 0;
}

static int be_late(muster_group *world, void *arg)
{
    muster_request request;
    float x = 0;

    (void)arg;
    if (muster_group_rank(world) == 0) {
        RANK_OK(world, muster_all_reduce_start(&x, &x, 1, MUSTER_FLOAT32, MUSTER_SUM, world, &request));
        RANK_CHECK(world, muster_wait(&request, 0) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, strstr(muster_error_detail(), "all_sum (float32 x 1)") &&
                              strstr(muster_error_detail(), "rank 1"));
        return 0;
    }
    AWAIT(muster_group_status(world) != MUSTER_OK); /* stays in the group until the other has given up */
    return 0;
}

/* The deadline of a wait, in place of none and of a longer one. */
static int be_late_in_this_wait(muster_group *world, void *arg)
{
    muster_request requests[2];
    size_t index;
    float x = 0;

    (void)arg;
    if (muster_group_rank(world) > 0) {
        AWAIT(muster_group_status(world) != MUSTER_OK);
        return 0;
    }
    RANK_OK(world, muster_barrier_start(world, &requests[0]));
    RANK_OK(world, muster_all_reduce_start(&x, &x, 1, MUSTER_FLOAT32, MUSTER_SUM, world, &requests[1]));
    RANK_CHECK(world, muster_wait(&requests[0], -1) == MUSTER_ERR_INVALID && requests[0].group);
    RANK_CHECK(world, muster_wait_any(requests, 2, 100000000, &index) == MUSTER_ERR_TIMED_OUT);
    RANK_CHECK(world, strstr(muster_error_detail(), "waited 0.1 s in barrier") &&
                          strstr(muster_error_detail(), "rank 1"));
    RANK_CHECK(world, !requests[0].group && requests[1].group == world);
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    muster_last_error(&info);
    RANK_CHECK(world, info.status == MUSTER_ERR_TIMED_OUT);
    RANK_CHECK(world, !on_one_host() || info.deadline_ns == 100000000);
    RANK_CHECK(world, muster_wait_all(requests, 2, 0) == MUSTER_ERR_TIMED_OUT && !requests[1].group);
    return 0;
}

/* Each of two threads of a rank is late, and the other one has begun to break the group, but not yet said
 * why: as if that one were stopped there. */
static int be_late_beside_another(muster_group *world, void *arg)
{
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    muster_request request;
    float x = 0;

    (void)arg;
    if (muster_group_rank(world) == 0) {
        mst_store32_rlx(&mst_group_of(world)->reason_taken, 1);
        RANK_OK(world, muster_all_reduce_start(&x, &x, 1, MUSTER_FLOAT32, MUSTER_SUM, world, &request));
        RANK_CHECK(world, muster_wait(&request, 30000000) == MUSTER_ERR_TIMED_OUT);
        RANK_CHECK(world, strstr(muster_error_detail(), "rank 0 waited 0.03 s in all_sum (float32 x 1)"));
        muster_last_error(&info);
        RANK_CHECK(world, info.status == MUSTER_ERR_TIMED_OUT && info.deadline_ns == 30000000);
        mst_store32_rlx(&mst_group_of(world)->reason_taken, 0);
        muster_group_abort(world, "the test is over");
    }
    AWAIT(muster_group_status(world) != MUSTER_OK);
    return 0;
}

START_TEST(test_faults_come_out_of_finish)
{
    rank_options options = { .size = 2, .mode = RANKS_AS_THREADS, .op_timeout_s = 0.2 };

    run_ranks(2, RANKS_AS_THREADS, be_late_in_this_wait, NULL);
    if (on_one_host())
        run_ranks(2, RANKS_AS_THREADS, be_late_beside_another, NULL);
    run_ranks(3, RANKS_AS_THREADS, disagree, NULL);
    run_ranks(3, RANKS_AS_PROCESSES, disagree, NULL);
    run_ranks_with(options, be_late, NULL);
}
END_TEST

static int die_in_between(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    muster_request request;
    float x = 0;

    (void)arg;
    if (rank == 1)
        raise(SIGKILL); /* before it starts anything */
    muster_status status = muster_all_reduce_start(&x, &x, 1, MUSTER_FLOAT32, MUSTER_SUM, world, &request);
    if (status == MUSTER_OK) /* rank 1 is not gone yet, or nobody has told */
        status = muster_wait(&request, 0);
    RANK_CHECK(world, status == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(world, strstr(muster_error_detail(), "rank 1 was killed by signal 9"));
    return 0;
}

START_TEST(test_a_death_comes_out_of_finish)
{
    muster_termination terminations[3];
    muster_report report = MUSTER_REPORT_INIT;

    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = 3, .mode = RANKS_AS_PROCESSES }, die_in_between, NULL, &report);
    ck_assert_int_eq(report.first_failed, 1);
    for (int rank = 0; rank < 3; rank += 2)
        ck_assert_msg(terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0,
                      "rank %d", rank);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("started");
    TCase *tests = tcase_create("started");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_results_in_any_order);
    tcase_add_test(tests, test_between_ordinary_operations);
    tcase_add_test(tests, test_results_are_those_of_the_ordinary_form);
    tcase_add_test(tests, test_several_are_waited_for);
    tcase_add_test(tests, test_mistakes_are_errors);
    tcase_add_test(tests, test_faults_come_out_of_finish);
    if (on_one_host() && !under_thread_sanitizer()) /* a thread does not die alone */
        tcase_add_test(tests, test_a_death_comes_out_of_finish);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
