/*
 * Several threads of a rank in one collective: the bits of one thread, whoever helps, early, late or never;
 * and what is refused.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/onehost/group/group.h"
#include "tests/harness/helpers.h"
#include "tests/harness/oracle.h"

/* ---- jobs ---- */

enum { JOB_THREADS = 3, JOB_BYTES_MAX = 300000 };

/* A job whose parts each thread notes. */
typedef struct noted {
    unsigned char done[JOB_BYTES_MAX]; /* how often each byte */
    size_t element;
    _Atomic int parts, by_helpers;
    bool shares;         /* thread 0 goes on only once a helper has done a part */
    _Atomic int holding; /* 1: a helper that has a part holds it until there is no other left */
    const mst_team *team;
} noted;

static void note(const void *work, mst_part part)
{
    noted *noted = *(struct noted *const *)work;

    if (part.at % noted->element != 0)
        memset(noted->done, 2, sizeof noted->done);
    if (part.thread == 0 && noted->shares)
        AWAIT(noted->by_helpers > 0 || noted->holding == 2);
    if (part.thread != 0 && noted->holding == 1) {
        noted->holding = 2;
        AWAIT(!mst_team_has_work(noted->team));
    }
    for (size_t i = 0; i < part.bytes; i++)
        noted->done[part.at + i]++;
    noted->parts++;
    noted->by_helpers += part.thread != 0;
}

typedef struct job_helper {
    mst_team *team;
    int thread;
    _Atomic int *stopping;
    pthread_t id;
} job_helper;

static void *do_parts(void *of)
{
    const job_helper *self = of;

    while (!*self->stopping)
        if (!mst_team_do_part(self->team, self->thread))
            sched_yield();
    return NULL;
}

static size_t first_wrong(const noted *noted, size_t bytes)
{
    size_t at = 0;

    while (at < bytes && noted->done[at] == 1)
        at++;
    return at;
}

static void check_job(mst_team *team, noted *noted, size_t bytes, size_t lead)
{
    memset(noted->done, 0, sizeof noted->done);
    noted->parts = noted->by_helpers = 0;
    mst_team_do(team, (mst_team_job){ .fn = note, .work = &noted, .bytes = bytes, .lead = lead });
    size_t wrong = first_wrong(noted, bytes);
    ck_assert_msg(wrong == bytes, "byte %zu of %zu was not done once", wrong, bytes);
    ck_assert_int_ge(noted->parts, 1);
    ck_assert_int_le(noted->parts, 2 * JOB_THREADS + 1);
}

START_TEST(test_jobs)
{
    static const size_t sizes[] = { 16, 64, 8192, 32768, 65536 + 48, JOB_BYTES_MAX };
    mst_team *team = mst_team_create();
    noted *noted = calloc(1, sizeof *noted);
    _Atomic int stopping = 0;
    job_helper helpers[JOB_THREADS];

    ck_assert(team && noted);
    ck_assert(mst_team_close(team) && mst_team_open(team, JOB_THREADS, 1, mst_wait_policy_for(2, 1)));
    noted->element = 16;
    noted->team = team;
    for (int i = 1; i < JOB_THREADS; i++) {
        helpers[i] = (job_helper){ .team = team, .thread = i, .stopping = &stopping };
        ck_assert_int_eq(pthread_create(&helpers[i].id, NULL, do_parts, &helpers[i]), 0);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t lead = 0; lead < MST_LINE; lead += 16)
            check_job(team, noted, sizes[i], lead);
    noted->shares = true;
    check_job(team, noted, JOB_BYTES_MAX, 0);
    ck_assert_int_ge(noted->by_helpers, 1);
    noted->holding = 1; /* thread 0 does the rest, and waits for what is held */
    check_job(team, noted, JOB_BYTES_MAX, 0);
    ck_assert_int_eq(noted->holding, 2);
    stopping = 1;
    for (int i = 1; i < JOB_THREADS; i++)
        pthread_join(helpers[i].id, NULL);
    mst_team_destroy(team);
    free(noted);
}
END_TEST

/* ---- bits ---- */

enum { RANKS = 2, COUNT_MAX = 20011 };

/* What one call does; the buffers have room for a block of each rank. */
typedef struct asked {
    const void *in;
    void *out;
    size_t count;
    muster_dtype dtype;
    muster_op op;
} asked;

static muster_status perform(int kind, const asked *a, muster_group *group)
{
    switch (kind) {
    case 0:
        return muster_all_reduce(a->in, a->out, a->count, a->dtype, a->op, group);
    case 1:
        return muster_reduce(a->in, a->out, a->count, a->dtype, a->op, 1, group);
    case 2:
        return muster_reduce_scatter(a->in, a->out, a->count, a->dtype, a->op, group);
    case 3:
        return muster_scan(a->in, a->out, a->count, a->dtype, a->op, group);
    case 4:
        return muster_exscan(a->in, a->out, a->count, a->dtype, a->op, group);
    case 5:
        return muster_all_gather(a->in, a->out, a->count, a->dtype, group);
    case 6:
        return muster_broadcast(a->in, a->out, a->count, a->dtype, 1, group);
    case 7:
        return muster_gather(a->in, a->out, a->count, a->dtype, 1, group);
    case 8:
        return muster_scatter(a->in, a->out, a->count, a->dtype, 1, group);
    default:
        return muster_all_to_all(a->in, a->out, a->count, a->dtype, group);
    }
}

typedef struct buffers {
    unsigned char *in, *out, *expected;
} buffers;

/* Each collective of a few sizes on both sides of what is shared, which are not aligned: the bytes that a
 * group without helpers gets, and not one more. */
static int compare(muster_group *helped, muster_group *plain, const buffers *b, muster_dtype dtype,
                   muster_op op)
{
    static const size_t counts[] = { 8191, COUNT_MAX };
    size_t element = muster_dtype_size(dtype), room = RANKS * COUNT_MAX * element + 64;

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int kind = 0; kind < 10; kind++) {
            asked asked = { b->in + 1, b->out + 3, counts[i], dtype, op };

            memset(b->out, 0x5a, room);
            memset(b->expected, 0x5a, room);
            RANK_OK(helped, perform(kind, &asked, helped));
            asked.out = b->expected + 3;
            RANK_OK(plain, perform(kind, &asked, plain));
            if (memcmp(b->out, b->expected, room) == 0)
                continue;
            fprintf(stderr, "kind %d, %zu elements of %s\n", kind, counts[i], muster_dtype_name(dtype));
            return rank_failed(__FILE__, __LINE__, helped, "other bits than those of one thread");
        }
    return 0;
}

static int compare_all(muster_group *helped, muster_group *plain, bool arena)
{
    static const struct {
        muster_dtype dtype;
        muster_op op;
    } pairs[] = { { MUSTER_FLOAT32, MUSTER_SUM },
                  { MUSTER_BFLOAT16, MUSTER_SUM },
                  { MUSTER_FLOAT32_INT32, MUSTER_MAXLOC } };
    size_t room = RANKS * COUNT_MAX * 16 + 64;
    buffers b = { malloc(room), malloc(room), malloc(room) };

    RANK_CHECK(helped, b.in && b.out && b.expected);
    if (arena) {
        free(b.in);
        free(b.out);
        RANK_OK(helped, muster_alloc(helped, room, (void **)&b.in));
        RANK_OK(helped, muster_alloc(helped, room, (void **)&b.out));
    }
    int code = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && !code; i++) {
        unsigned char *elements = malloc(room);

        RANK_CHECK(helped, elements);
        fill_elements(elements, RANKS * COUNT_MAX, pairs[i].dtype,
                      7 * i + (uint64_t)muster_group_rank(helped));
        memcpy(b.in + 1, elements, RANKS * COUNT_MAX * muster_dtype_size(pairs[i].dtype));
        free(elements);
        code = compare(helped, plain, &b, pairs[i].dtype, pairs[i].op);
    }
    if (arena) {
        RANK_OK(helped, muster_free(helped, b.in));
        RANK_OK(helped, muster_free(helped, b.out));
    } else {
        free(b.in);
        free(b.out);
    }
    free(b.expected);
    return code;
}

static int give_the_same_bits(muster_group *world, void *arg)
{
    const int *threads = arg;
    helpers helpers = { 0 };
    muster_group *plain;

    RANK_OK(world, muster_group_dup(world, &plain));
    if (helpers_start(&helpers, world, threads[muster_group_rank(world)], 0, 0))
        return 1;
    int code = compare_all(world, plain, false) || compare_all(world, plain, true);
    if (!code)
        code = helpers_stop(&helpers);
    RANK_OK(world, muster_group_free(plain));
    return code;
}

START_TEST(test_bits)
{
    static const int threads[][RANKS] = { { 2, 2 }, { 1, 3 }, { 3, 1 } };

    run_ranks(RANKS, _i % 2 ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, give_the_same_bits,
              (void *)(uintptr_t)threads[_i / 2]);
}
END_TEST

/* ---- results ---- */

enum { ROUNDS = 20 };

/* What two threads look at, between two meetings. */
typedef struct seen {
    pthread_barrier_t meeting;
    float values[COUNT_MAX];
} seen;

/* Small collectives, in which nobody helps, and large ones. */
static size_t count_in(int round)
{
    return round % 2 ? COUNT_MAX : 16;
}

static int look_at_result(const worker *self, int round)
{
    seen *seen = self->shared;

    for (size_t i = 0; i < count_in(round); i++)
        RANK_CHECK(self->group, seen->values[i] == (float)(RANKS * (round + 1)));
    pthread_barrier_wait(&seen->meeting);
    return 0;
}

static int help_and_look(worker *self)
{
    for (int round = 0; round < ROUNDS; round++) {
        RANK_OK(self->group, muster_help(self->group, 1));
        if (look_at_result(self, round))
            return 1;
    }
    return 0;
}

/* As soon as its call has returned a helper reads what thread 0 has got. */
static int show_results(muster_group *world, void *arg)
{
    seen *seen = calloc(1, sizeof *seen);
    worker helper = { .group = world, .shared = seen, .index = 1, .work = help_and_look };
    worker self = { .group = world, .shared = seen };

    (void)arg;
    RANK_CHECK(world, seen && pthread_barrier_init(&seen->meeting, NULL, 2) == 0);
    RANK_OK(world, muster_group_set_threads(world, 2));
    RANK_CHECK(world, worker_start(&helper));
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < count_in(round); i++)
            seen->values[i] = (float)(round + 1);
        RANK_OK(world, muster_all_sum(seen->values, seen->values, count_in(round), MUSTER_FLOAT32, world));
        RANK_CHECK(world, look_at_result(&self, round) == 0);
    }
    RANK_CHECK(world, worker_join(&helper) == 0);
    pthread_barrier_destroy(&seen->meeting);
    free(seen);
    return 0;
}

START_TEST(test_results)
{
    run_ranks(RANKS, _i ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, show_results, NULL);
}
END_TEST

/* ---- early, late, never ---- */

static int help_late(worker *self)
{
    muster_group *group = self->group;

    for (int i = 0; i < 4; i++) {
        muster_status status = muster_help(group, 1);

        RANK_CHECK(group, status == (i == 2 ? MUSTER_ERR_INVALID : MUSTER_OK));
        RANK_CHECK(group, i != 2 || strstr(muster_error_detail(), "NULL"));
    }
    return 0;
}

static int help_too_late(worker *self)
{
    muster_group *group = self->group;

    RANK_CHECK(group, muster_help(group, 1) == MUSTER_ERR_INVALID);
    RANK_CHECK(group, strstr(muster_error_detail(), "not known any more"));
    return 0;
}

static int run_helper(muster_group *group, int (*work)(worker *self), int index)
{
    worker helper = { .group = group, .index = index, .work = work };

    RANK_CHECK(group, worker_start(&helper));
    return worker_join(&helper);
}

static int help_once(worker *self)
{
    RANK_OK(self->group, muster_help(self->group, self->index));
    return 0;
}

/* A thread that first helps when there were more calls than 32 bits count is late, not early. */
static int help_after_months(muster_group *world)
{
    mst_team *team = mst_group_of(world)->team;
    uint64_t ended = mst_load64_rlx(&team->ended);

    mst_store64_rel(&team->ended, ended + (3ULL << 31));
    RANK_CHECK(world, run_helper(world, help_once, 2) == 0);
    mst_store64_rel(&team->ended, ended);
    return 0;
}

/* What thread 0 does before helpers come does not wait for them, and they find how each call has ended. */
static int be_late(muster_group *world, void *arg)
{
    static float in[COUNT_MAX];
    float *out = malloc(sizeof in);

    (void)arg;
    RANK_CHECK(world, out);
    RANK_OK(world, muster_group_set_threads(world, 4)); /* threads 2 and 3 never come to these calls */
    RANK_OK(world, muster_barrier(world));
    RANK_OK(world, muster_all_sum(in, out, COUNT_MAX, MUSTER_FLOAT32, world));
    RANK_CHECK(world, help_after_months(world) == 0);
    RANK_CHECK(world, muster_all_sum(NULL, out, 1, MUSTER_FLOAT32, world) == MUSTER_ERR_INVALID);
    RANK_OK(world, muster_all_sum(in, out, COUNT_MAX, MUSTER_FLOAT32, world));
    RANK_CHECK(world, run_helper(world, help_late, 1) == 0);
    for (int i = 0; i < 2 * MST_TEAM_FAILURES; i++)
        RANK_CHECK(world, muster_all_sum(NULL, out, 1, MUSTER_FLOAT32, world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, run_helper(world, help_too_late, 1) == 0);
    RANK_OK(world, muster_group_set_threads(world, 1));
    free(out);
    return 0;
}

START_TEST(test_late)
{
    run_ranks(RANKS, _i ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, be_late, NULL);
}
END_TEST

/* While a helper waits nobody has its number, and the group keeps its threads. */
static int be_early(muster_group *world, void *arg)
{
    worker helper = { .index = 2, .work = help_once };
    muster_group *group;

    (void)arg;
    RANK_OK(world, muster_group_dup(world, &group));
    helper.group = group;
    RANK_CHECK(group, muster_help(group, 1) == MUSTER_ERR_INVALID);
    RANK_CHECK(group, strstr(muster_error_detail(), "muster_group_set_threads"));
    RANK_OK(group, muster_group_set_threads(group, 3));
    for (int i = -1; i < 5; i++)
        RANK_CHECK(group, i == 1 || i == 2 || muster_help(group, i) == MUSTER_ERR_INVALID);
    RANK_CHECK(group, strstr(muster_error_detail(), "expected 1 to 2"));
    RANK_CHECK(group, worker_start(&helper));
    AWAIT(mst_group_of(group)->team->of[2].taken);
    RANK_CHECK(group, muster_help(group, 2) == MUSTER_ERR_BUSY);
    RANK_CHECK(group, muster_group_set_threads(group, 1) == MUSTER_ERR_BUSY);
    RANK_CHECK(group, muster_group_free(group) == MUSTER_ERR_BUSY);
    RANK_OK(group, muster_barrier(group));
    RANK_CHECK(group, worker_join(&helper) == 0);
    RANK_CHECK(group, muster_group_set_threads(group, 0) == MUSTER_ERR_INVALID);
    RANK_CHECK(group, muster_group_set_threads(group, 1025) == MUSTER_ERR_INVALID);
    RANK_OK(group, muster_group_set_threads(group, 1024));
    RANK_OK(group, muster_group_free(group));
    return 0;
}

START_TEST(test_early)
{
    run_ranks(1 + _i / 2, _i % 2 ? RANKS_AS_PROCESSES : RANKS_AS_THREADS, be_early, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("several threads of a rank in one collective");
    TCase *tests = tcase_create("helpers");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_jobs);
    tcase_add_loop_test(tests, test_bits, 0, 6);
    tcase_add_loop_test(tests, test_results, 0, 2);
    tcase_add_loop_test(tests, test_late, 0, 2);
    tcase_add_loop_test(tests, test_early, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
