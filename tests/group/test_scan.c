/* Reductions of which each rank gets another one, against the serial reference: reduce_scatterv, scan,
 * exscan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/counts.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

#define RANKS_MAX 8

typedef enum reducer { REDUCE_SCATTERV, SCAN, EXSCAN, REDUCERS } reducer;

/* Whether element i of the output is the reduction of the first `ranks` inputs, `at` elements on. */
static bool is_reduction(const unsigned char *out, unsigned char *const *inputs, int ranks, size_t at,
                         size_t count, muster_dtype dtype, muster_op op)
{
    size_t element = muster_dtype_size(dtype);
    unsigned char wanted[16];

    for (size_t i = 0; i < count; i++) {
        oracle_reduce(wanted, (const void *const *)inputs, ranks, at + i, dtype, op);
        if (!oracle_same(wanted, out + i * element, dtype))
            return false;
    }
    return true;
}

static bool is_untouched(const unsigned char *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (out[i] != GUARD)
            return false;
    return true;
}

typedef struct reduction {
    reducer reducer;
    pattern pattern;
    size_t most;
    muster_dtype dtype;
    muster_op op;
    bool in_arena, out_arena, in_place;
} reduction;

static muster_status reduce(const reduction *r, const void *in, void *out, const size_t *counts, size_t all,
                            muster_group *group)
{
    switch (r->reducer) {
    case REDUCE_SCATTERV:
        return muster_reduce_scatterv(in, counts, out, r->dtype, r->op, group);
    case SCAN:
        return muster_scan(in, out, all, r->dtype, r->op, group);
    default:
        return muster_exscan(in, out, all, r->dtype, r->op, group);
    }
}

static int run_reduction(muster_group *group, const reduction *r)
{
    int rank = muster_group_rank(group), size = muster_group_size(group);
    size_t element = muster_dtype_size(r->dtype), counts[RANKS_MAX], all = 0, before = 0;
    unsigned char *inputs[RANKS_MAX];

    for (int to = 0; to < size; to++) {
        before = to == rank ? all : before;
        all += counts[to] = count_between(r->pattern, size / 2, to, size, r->most);
    }
    size_t own = r->reducer == REDUCE_SCATTERV ? counts[rank] : all;
    size_t at = r->reducer == REDUCE_SCATTERV ? before : 0;
    for (int from = 0; from < size; from++) {
        inputs[from] = malloc(all * element + 1);
        fill_elements(inputs[from], all, r->dtype, all * 31 + (size_t)from);
    }
    unsigned char *in = make_guarded(group, all * element, r->in_arena),
                  *out = make_guarded(group, own * element, r->out_arena),
                  *out_at = r->in_place ? in + at * element : out;
    memcpy(in, inputs[rank], all * element);
    RANK_OK(group, reduce(r, in, out_at, counts, all, group));
    int ranks = r->reducer == REDUCE_SCATTERV ? size : r->reducer == SCAN ? rank + 1 : rank;
    bool right = ranks         ? is_reduction(out_at, inputs, ranks, at, own, r->dtype, r->op)
                 : r->in_place ? memcmp(in, inputs[rank], all * element) == 0
                               : is_untouched(out, own * element);
    if (!right)
        fprintf(stderr, "reducer %d, pattern %d, most %zu, %s, op %d, arena %d %d, in place %d, %d ranks\n",
                r->reducer, r->pattern, r->most, muster_dtype_name(r->dtype), r->op, r->in_arena,
                r->out_arena, r->in_place, size);
    RANK_CHECK(group, right);
    for (int from = 0; from < size; from++)
        free(inputs[from]);
    free_guarded(group, in, r->in_arena);
    free_guarded(group, out, r->out_arena);
    return 0;
}

static int reduce_all(muster_group *world, void *arg)
{
    const size_t *most = arg;
    int rank = muster_group_rank(world), number = 0;

    for (reducer reducer = 0; reducer < REDUCERS; reducer++)
        for (pattern pattern = 0; pattern < PATTERNS; pattern++)
            for (int i = 0; most[i]; i++)
                for (int arena = 0; arena < 3; arena++, number++) {
                    reduction reduction = { .reducer = reducer,
                                            .pattern = pattern,
                                            .most = most[i],
                                            .dtype = (muster_dtype)(number % MUSTER_DTYPE_COUNT),
                                            .op = (muster_op)(number / 3 % MUSTER_OP_COUNT),
                                            .in_arena = arena == 1 || (arena == 2 && rank % 2),
                                            .out_arena = arena > 0,
                                            .in_place = number % 2 };

                    while (!oracle_reduces(reduction.dtype, reduction.op))
                        reduction.op = (muster_op)((reduction.op + 1) % MUSTER_OP_COUNT);
                    if (run_reduction(world, &reduction))
                        return 1;
                }
    return 0;
}

START_TEST(test_reducers)
{
    size_t most[] = { 1, 10, 100, 1500, 0 };

    run_all_sizes(reduce_all, most);
}
END_TEST

/* Where results are rounded, prefixes are made from all inputs; in place, from the longest on. */
static int scan_narrow(muster_group *world, void *arg)
{
    (void)arg;
    for (int i = 0; i < 24; i++) {
        reduction reduction = { .reducer = i % 2 ? SCAN : EXSCAN,
                                .pattern = EQUAL,
                                .most = 70001,
                                .dtype = i / 2 % 2 ? MUSTER_FLOAT16 : MUSTER_BFLOAT16,
                                .op = MUSTER_SUM,
                                .in_arena = i / 8 == 1 || (i / 8 == 2 && muster_group_rank(world) % 2),
                                .out_arena = i / 8 == 1,
                                .in_place = i / 4 % 2 };

        if (run_reduction(world, &reduction))
            return 1;
    }
    return 0;
}

START_TEST(test_scans_that_round)
{
    run_ranks_with((rank_options){ .size = 4, .mode = RANKS_AS_THREADS, .staging_bytes = 65536 }, scan_narrow,
                   NULL);
}
END_TEST

START_TEST(test_reducers_of_much)
{
    size_t most[] = { 9000, 70001, 0 };

    run_ranks(4, RANKS_AS_THREADS, reduce_all, most);
    run_ranks_with((rank_options){ .size = 3, .mode = RANKS_AS_THREADS, .staging_bytes = 65536 }, reduce_all,
                   most);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan");
    TCase *tests = tcase_create("reductions by rank");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_reducers);
    tcase_add_test(tests, test_reducers_of_much);
    tcase_add_test(tests, test_scans_that_round);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
