/*
 * Zero-copy and one copy, and a group that breaks meanwhile: a rank whose call fails has its buffer back, and
 * writes to it at once, while others may still read there. Whoever returns MUSTER_OK all the same must have
 * what was there before.
 *
 * In each round a thread of rank 2 aborts the group at a random moment, of which many are within the copying.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/moves.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { SIZE = 3, BYTES = 4 << 20, ROUNDS = 60, GONE = 0xff };

typedef enum kind { MESSAGE, STARTED_MESSAGE, GATHER, GATHERV, SUM, STARTED_GATHER, STARTED_SUM, KINDS } kind;

typedef enum place {
    PRIVATE_OUTPUTS,
    ALL_IN_ARENA,
    ALL_PRIVATE, /* peers read them in their rank's process, as far as they do */
    PLACES
} place;

typedef struct plan {
    kind kind;
    place place;
} plan;

typedef struct abort_plan {
    muster_group *group;
    double after_ms;
} abort_plan;

static void *abort_later(void *arg)
{
    abort_plan *planned = arg;

    pass_time_ms(planned->after_ms);
    muster_group_abort(planned->group, "enough");
    return NULL;
}

static unsigned char value_of(int rank, int round)
{
    return (unsigned char)(1 + rank * 20 + round % 19);
}

static muster_status run_started(muster_status started, muster_request *request)
{
    return started == MUSTER_OK ? muster_wait(request, 0) : started;
}

static muster_status run_message(muster_group *group, kind kind, void *in, void *out)
{
    int rank = muster_group_rank(group);
    muster_request request;

    if (rank == 2)
        return MUSTER_OK;
    if (kind == MESSAGE)
        return rank == 0 ? muster_send(in, BYTES, MUSTER_UINT8, 1, 0, group)
                         : muster_recv(out, BYTES, MUSTER_UINT8, 0, 0, group, NULL);
    return run_started(rank == 0 ? muster_send_start(in, BYTES, MUSTER_UINT8, 1, 0, group, &request)
                                 : muster_recv_start(out, BYTES, MUSTER_UINT8, 0, 0, group, NULL, &request),
                       &request);
}

static muster_status run_collective(muster_group *group, kind kind, void *in, void *out)
{
    static const size_t counts[SIZE] = { BYTES, BYTES, BYTES };
    muster_request request;

    switch (kind) {
    case GATHER:
        return muster_all_gather(in, out, BYTES, MUSTER_UINT8, group);
    case GATHERV:
        return muster_all_gatherv(in, BYTES, out, counts, NULL, MUSTER_UINT8, group);
    case SUM:
        return muster_all_sum(in, out, BYTES, MUSTER_UINT8, group);
    case STARTED_GATHER:
        return run_started(muster_all_gather_start(in, out, BYTES, MUSTER_UINT8, group, &request), &request);
    default:
        return run_started(muster_all_reduce_start(in, out, BYTES, MUSTER_UINT8, MUSTER_SUM, group, &request),
                           &request);
    }
}

static bool is_all(const unsigned char *at, size_t bytes, unsigned char value)
{
    return at[0] == value && memcmp(at, at + 1, bytes - 1) == 0;
}

static bool is_right(kind kind, int rank, int round, const unsigned char *out)
{
    unsigned char sum = 0;
    bool right = true;

    if (kind <= STARTED_MESSAGE)
        return rank != 1 || is_all(out, BYTES, value_of(0, round));
    for (int r = 0; r < SIZE; r++) {
        sum = (unsigned char)(sum + value_of(r, round));
        if (kind != SUM && kind != STARTED_SUM)
            right = right && is_all(out + (size_t)r * BYTES, BYTES, value_of(r, round));
    }
    return kind == SUM || kind == STARTED_SUM ? is_all(out, BYTES, sum) : right;
}

static int run_round(muster_group *world, const plan *plan, int round, unsigned char *in, unsigned char *out)
{
    uint64_t state = (uint64_t)round * 8 + plan->kind;
    int rank = muster_group_rank(world);
    pthread_t thread;
    abort_plan planned;

    RANK_OK(world, muster_group_dup(world, &planned.group));
    planned.after_ms = (double)(random_next(&state) % 6000) / 1000;
    memset(in, value_of(rank, round), BYTES);
    memset(out, 0, SIZE * (size_t)BYTES);
    RANK_OK(world, muster_barrier(world));
    if (rank == 2)
        RANK_CHECK(world, pthread_create(&thread, NULL, abort_later, &planned) == 0);
    muster_status status = plan->kind <= STARTED_MESSAGE ? run_message(planned.group, plan->kind, in, out)
                                                         : run_collective(planned.group, plan->kind, in, out);
    if (status != MUSTER_OK)
        memset(in, GONE, BYTES);
    else
        RANK_CHECK(world, is_right(plan->kind, rank, round, out));
    RANK_CHECK(world, status == MUSTER_OK || status == MUSTER_ERR_ABORTED);
    if (rank == 2)
        pthread_join(thread, NULL);
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_group_free(planned.group));
    return 0;
}

static int take_back(muster_group *world, void *arg)
{
    const plan *plan = arg;
    unsigned char *in = malloc(BYTES), *private_in = in, *out = NULL;

    if (plan->place != ALL_PRIVATE)
        RANK_OK(world, muster_alloc(world, BYTES, (void **)&in));
    if (plan->place == ALL_IN_ARENA)
        RANK_OK(world, muster_alloc(world, SIZE * (size_t)BYTES, (void **)&out));
    else
        out = malloc(SIZE * (size_t)BYTES);
    RANK_CHECK(world, in && out);
    for (int round = 0; round < (plan->kind <= STARTED_MESSAGE ? 4 : 1) * ROUNDS;
         round++) /* half is copied */
        if (run_round(world, plan, round, in, out)) {
            fprintf(stderr, "kind %d, round %d, place %d\n", plan->kind, round, plan->place);
            return 1;
        }
    if (plan->place != ALL_IN_ARENA)
        free(out);
    free(private_in);
    return 0;
}

START_TEST(test_what_returns_is_whole)
{
    for (int place = 0; place < PLACES; place++) {
        plan plan = { (kind)_i, (enum place)place };

        if (place == ALL_PRIVATE)
            setenv("MUSTER_TUNING", MOVES_READ_ALL, 1);

        run_ranks(SIZE, RANKS_AS_PROCESSES, take_back, &plan);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("taken back");
    TCase *tests = tcase_create("taken back");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) /* it sees nothing between processes */
        tcase_add_loop_test(tests, test_what_returns_is_whole, 0, KINDS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
