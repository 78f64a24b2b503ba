/*
 * Operations and dtypes: every pair of them is right, by the serial reference, or refused in words;
 * premultiplied sums; elements of any size that only move.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/inputs.h"
#include "tests/harness/narrow.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

#define REFUSED_WITH(call, words)                                                                            \
    RANK_CHECK(world, (call) == MUSTER_ERR_INVALID && strstr(muster_error_detail(), words))

/* What reduce and reduce_scatter give is `all`, that of all_reduce; exscan is by the reference. */
static int check_others(muster_group *world, const unsigned char *const *inputs, const unsigned char *all,
                        size_t count, muster_dtype dtype, muster_op op)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), root = (int)op % n;
    size_t element = muster_dtype_size(dtype), bytes = count * element, part = count / (size_t)n;
    unsigned char *out = malloc(bytes), expected[16];
    int failed = muster_reduce(inputs[rank], out, count, dtype, op, root, world) != MUSTER_OK ||
                 (rank == root && memcmp(all, out, bytes) != 0);

    if (!failed)
        failed = muster_reduce_scatter(inputs[rank], out, part, dtype, op, world) != MUSTER_OK ||
                 memcmp(all + (size_t)rank * part * element, out, part * element) != 0;
    if (!failed)
        failed = muster_exscan(inputs[rank], out, count, dtype, op, world) != MUSTER_OK;
    for (size_t i = 0; i < count && !failed && rank > 0; i++) {
        oracle_reduce(expected, (const void *const *)inputs, rank, i, dtype, op);
        failed = !oracle_same(expected, out + i * element, dtype);
    }
    free(out);
    return failed;
}

static int check_pair(muster_group *world, muster_dtype dtype, muster_op op, size_t count)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    size_t bytes = count * muster_dtype_size(dtype);
    unsigned char *inputs[INPUTS_MAX] = { 0 }, *out = malloc(bytes), *again = malloc(bytes), expected[16];
    muster_request request = MUSTER_REQUEST_INIT;
    int failed = 0;

    fill_inputs(inputs, n, count, dtype, (uint64_t)op * 100 + (uint64_t)dtype);
    failed = muster_all_reduce(inputs[rank], out, count, dtype, op, world) != MUSTER_OK;
    for (size_t i = 0; i < count && !failed; i++) {
        oracle_reduce(expected, (const void *const *)inputs, n, i, dtype, op);
        failed = !oracle_same(expected, out + i * muster_dtype_size(dtype), dtype);
    }
    if (!failed)
        failed =
            muster_all_reduce_start(inputs[rank], again, count, dtype, op, world, &request) != MUSTER_OK ||
            muster_wait(&request, 0) != MUSTER_OK || memcmp(out, again, bytes) != 0;
    if (!failed)
        failed = muster_scan(inputs[rank], again, count, dtype, op, world) != MUSTER_OK;
    for (size_t i = 0; i < count && !failed; i++) {
        oracle_reduce(expected, (const void *const *)inputs, rank + 1, i, dtype, op);
        failed = !oracle_same(expected, again + i * muster_dtype_size(dtype), dtype);
    }
    failed = failed ||
             (count > 1 && check_others(world, (const unsigned char *const *)inputs, out, count, dtype, op));
    if (!failed)
        failed = muster_all_reduce(inputs[rank], inputs[rank], count, dtype, op, world) != MUSTER_OK ||
                 memcmp(out, inputs[rank], bytes) != 0;
    if (failed)
        fprintf(stderr, "%s, op %d, %zu elements, %d ranks: wrong\n", muster_dtype_name(dtype), op, count, n);
    free_inputs(inputs, n);
    free(out);
    free(again);
    return failed;
}

/* The sentence names both, and what works in place of them. */
static int check_refusal(muster_group *world, muster_dtype dtype, muster_op op, const char *name)
{
    unsigned char in[16] = { 0 }, out[16] = { 0 };
    muster_request request = MUSTER_REQUEST_INIT;
    char words[80];

    snprintf(words, sizeof words, ": %s does not work with %s, but with ", name, muster_dtype_name(dtype));
    RANK_CHECK(world, muster_all_reduce(in, out, 1, dtype, op, world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, strstr(muster_error_detail(), words));
    RANK_CHECK(world, strstr(muster_error_detail(), "these work: "));
    RANK_CHECK(world, muster_reduce_scatter(in, out, 0, dtype, op, world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_reduce(in, out, 1, dtype, op, 0, world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_scan(in, out, 1, dtype, op, world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_exscan(in, out, 1, dtype, op, world) == MUSTER_ERR_INVALID);
    RANK_CHECK(world, muster_all_reduce_start(in, out, 1, dtype, op, world, &request) == MUSTER_ERR_INVALID);
    return 0;
}

static int every_pair(muster_group *world, void *arg)
{
    static const char *const names[] = { "sum",  "prod", "max",  "min",    "avg",
                                         "band", "bor",  "bxor", "maxloc", "minloc" };
    static const size_t counts[] = { 1, 7, 1801 };
    int failed = 0;

    (void)arg;
    for (int dtype = 0; dtype < MUSTER_DTYPE_COUNT; dtype++)
        for (int op = 0; op < MUSTER_OP_COUNT && !failed; op++) {
            if (!oracle_reduces((muster_dtype)dtype, (muster_op)op))
                failed = check_refusal(world, (muster_dtype)dtype, (muster_op)op, names[op]);
            else
                for (size_t i = 0; i < 3 && !failed; i++)
                    failed = check_pair(world, (muster_dtype)dtype, (muster_op)op, counts[i]);
        }
    return failed;
}

START_TEST(test_every_pair_is_right_or_refused)
{
    run_all_sizes(every_pair, NULL);
}
END_TEST

/* ---- the same bits on every path ---- */

static int same_bits(muster_group *world, void *arg)
{
    static const size_t counts[] = { 1000, 20000 };
    int failed = 0;

    (void)arg;
    for (int i = 0; i < 2 && !failed; i++)
        failed = reduce_on_every_path(world, counts[i], MUSTER_FLOAT16, MUSTER_AVG) ||
                 reduce_on_every_path(world, counts[i], MUSTER_FLOAT8_E5M2, MUSTER_SUM) ||
                 reduce_on_every_path(world, counts[i], MUSTER_COMPLEX128, MUSTER_PROD) ||
                 reduce_on_every_path(world, counts[i], MUSTER_FLOAT64_INT64, MUSTER_MINLOC);
    return failed;
}

START_TEST(test_same_bits_on_every_path)
{
    run_all_sizes(same_bits, NULL);
}
END_TEST

/* ---- pairs ---- */

/* As MPI_MAXLOC and MPI_MINLOC: of equal values the lowest index, whoever has it. What MPI leaves open: a NaN
 * wins, the one of the lowest index, and -0 < +0. */
static int pairs_are_chosen(muster_group *world, void *arg)
{
    enum { COUNT = 6 };
    int n = muster_group_size(world), rank = muster_group_rank(world), last = n - 1;
    bool first = rank == 0, ends = rank == last;
    const muster_float32_int32 in[COUNT] = {
        { 2.5F, n - rank },                         /* all equal: the last rank's index */
        { (float)rank, rank },                      /* all different */
        { ends ? NAN : INFINITY, ends ? 7 : rank }, /* one NaN, beside what is greater than all */
        { first || ends ? NAN : -1, first  ? 9
                                    : ends ? -4
                                           : -90 },                  /* two of them */
        { first ? 0.0F : -0.0F, first ? 70 : rank },                 /* zeros of both signs */
        { rank % 2 ? 1.0F : 0.0F, rank % 2 ? INT32_MIN : INT32_MAX } /* equal in two camps */
    };
    muster_float32_int32 most[COUNT], least[COUNT];

    (void)arg;
    RANK_OK(world, muster_all_reduce(in, most, COUNT, MUSTER_FLOAT32_INT32, MUSTER_MAXLOC, world));
    RANK_OK(world, muster_all_reduce(in, least, COUNT, MUSTER_FLOAT32_INT32, MUSTER_MINLOC, world));
    RANK_CHECK(world, most[0].value == 2.5F && most[0].index == 1 && least[0].index == 1);
    RANK_CHECK(world, most[1].value == (float)last && most[1].index == last);
    RANK_CHECK(world, least[1].value == 0 && least[1].index == 0);
    for (int i = 2; i < 4; i++) {
        int index = i == 2 ? 7 : n == 1 ? 9 : -4;

        RANK_CHECK(world, isnan(most[i].value) && most[i].index == index);
        RANK_CHECK(world, isnan(least[i].value) && least[i].index == index);
    }
    RANK_CHECK(world, most[4].value == 0 && !signbit(most[4].value) && most[4].index == 70);
    RANK_CHECK(world, n == 1 || (signbit(least[4].value) && least[4].index == 1));
    RANK_CHECK(world, most[5].index == (n > 1 ? INT32_MIN : INT32_MAX) && least[5].index == INT32_MAX);
    return 0;
}

START_TEST(test_pairs_are_chosen_as_mpi_says)
{
    run_all_sizes(pairs_are_chosen, NULL);
}
END_TEST

/* ---- premultiplied sums ---- */

/* Blocking, too: where work is shared a rank may take its first chunk in a later round. */
static int scaled_floats(muster_group *world, size_t count)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    float factor = 0.1F * (float)(rank + 1), expected = 0, *x = malloc(count * sizeof *x),
          *y = malloc(count * sizeof *y);
    muster_request request = MUSTER_REQUEST_INIT;
    muster_op op;

    for (int r = 0; r < n; r++) {
        float product = (float)(r + 3) * 0.7F * (0.1F * (float)(r + 1));
        expected = r ? expected + product : product;
    }
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(rank + 3) * 0.7F;
    RANK_OK(world, muster_op_create_premul_sum(&factor, MUSTER_FLOAT32, &op));
    for (int i = 0; i < 4; i++) {
        memset(y, 0, count * sizeof *y);
        RANK_OK(world, muster_all_reduce(x, y, count, MUSTER_FLOAT32, op, world));
        for (size_t at = 0; at < count; at++)
            RANK_CHECK(world, y[at] == expected);
    }
    RANK_OK(world, muster_all_reduce_start(x, x, count, MUSTER_FLOAT32, op, world, &request));
    RANK_OK(world, muster_op_free(op));
    RANK_OK(world, muster_wait(&request, 0));
    for (size_t i = 0; i < count; i++)
        RANK_CHECK(world, x[i] == expected);
    free(x);
    free(y);
    return 0;
}

/* float16: products and sums in float32, rounded once; the integers wrap. */
static int scaled(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    uint16_t half = narrow_round(1.5 + rank, MUSTER_FLOAT16), x16, y16;
    uint8_t byte = (uint8_t)(rank + 100), x8 = (uint8_t)(7 * rank + 1), y8, wrapped = 0;
    float sum = 0;
    muster_op op;

    (void)arg;
    x16 = narrow_round(0.3, MUSTER_FLOAT16);
    for (int r = 0; r < n; r++) {
        float product = (float)narrow_value(x16, MUSTER_FLOAT16) * (1.5F + (float)r);

        sum = r ? sum + product : product;
        wrapped = (uint8_t)(wrapped + (r + 100) * (7 * r + 1));
    }
    RANK_OK(world, muster_op_create_premul_sum(&half, MUSTER_FLOAT16, &op));
    RANK_OK(world, muster_all_reduce(&x16, &y16, 1, MUSTER_FLOAT16, op, world));
    RANK_CHECK(world, y16 == narrow_round((double)sum, MUSTER_FLOAT16));
    REFUSED_WITH(muster_all_reduce(&x16, &y16, 1, MUSTER_BFLOAT16, op, world),
                 "all_reduce(premul_sum): the factor was given as float16, and the elements are bfloat16");
    RANK_OK(world, muster_op_free(op));
    RANK_OK(world, muster_op_create_premul_sum(&byte, MUSTER_UINT8, &op));
    RANK_OK(world, muster_all_reduce(&x8, &y8, 1, MUSTER_UINT8, op, world));
    RANK_CHECK(world, y8 == wrapped);
    RANK_OK(world, muster_op_free(op));
    REFUSED_WITH(muster_op_create_premul_sum(&byte, MUSTER_BOOL, &op), "bool has no products");
    REFUSED_WITH(muster_op_create_premul_sum(&byte, MUSTER_INT32_INT32, &op), "int32_int32 has no products");
    REFUSED_WITH(muster_op_create_premul_sum(&byte, MUSTER_BYTES(4), &op), "bytes(4) has no products");
    REFUSED_WITH(muster_op_create_premul_sum(NULL, MUSTER_UINT8, &op), "the factor is NULL");
    for (size_t count = 1; count < 100000; count *= 17)
        if (scaled_floats(world, count))
            return 1;
    return 0;
}

START_TEST(test_premultiplied_sums)
{
    run_all_sizes(scaled, NULL);
}
END_TEST

/* ---- functions that fail ---- */

typedef struct giving_up {
    muster_group *group;
    bool gives_up;
} giving_up;

/* The elements of the last rank, but for those that the rank that gives up does not combine. */
static void give_up(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    const giving_up *with = arg;

    if (with->gives_up)
        muster_group_abort(with->group, "the function has failed");
    else
        memcpy(acc, next, count * muster_dtype_size(dtype));
}

static bool all_are(const int *x, size_t count, int value)
{
    for (size_t i = 0; i < count; i++)
        if (x[i] != value)
            return false;
    return true;
}

typedef enum form { CALLED, WAITED_FOR, TESTED, FORMS } form;

static muster_status reduce_in(form form, const int *x, int *y, size_t count, muster_op op,
                               muster_group *group)
{
    muster_request request;
    bool done = false;

    if (form == CALLED)
        return muster_all_reduce(x, y, count, MUSTER_INT32, op, group);
    muster_status status = muster_all_reduce_start(x, y, count, MUSTER_INT32, op, group, &request);
    if (status == MUSTER_OK && form == WAITED_FOR)
        return muster_wait(&request, 0);
    while (status == MUSTER_OK && !done) {
        status = muster_test(&request, &done);
        pass_time_ms(done ? 0 : 0.1);
    }
    return status;
}

/* Whoever has a result has the right one, or learns that it is not. */
static int failed_once(muster_group *world, size_t count, int failing, form form)
{
    int *x = malloc(count * sizeof *x), *y = malloc(count * sizeof *y), rank = muster_group_rank(world);
    giving_up with = { NULL, rank == failing };
    muster_op op;

    RANK_OK(world, muster_group_dup(world, &with.group));
    for (size_t i = 0; i < count; i++)
        x[i] = rank;
    RANK_OK(world, muster_op_create("giving up", give_up, &with, false, &op));
    muster_status status = reduce_in(form, x, y, count, op, with.group);
    RANK_CHECK(world, status == MUSTER_ERR_ABORTED ||
                          (status == MUSTER_OK && all_are(y, count, muster_group_size(world) - 1)));
    RANK_OK(world, muster_op_free(op));
    RANK_OK(world, muster_barrier(world)); /* nobody leaves a group that others still need */
    RANK_OK(world, muster_group_free(with.group));
    free(x);
    free(y);
    return 0;
}

static int failed(muster_group *world, void *arg)
{
    (void)arg;
    int last = muster_group_size(world) - 1;

    for (int failing = 0; failing <= last; failing += last ? last : 1)
        for (size_t count = 1; count < 100000; count *= 300)
            for (form form = CALLED; form < FORMS; form++)
                if (failed_once(world, count, failing, form))
                    return 1;
    return 0;
}

START_TEST(test_a_function_that_fails_breaks_the_group)
{
    run_all_sizes(failed, NULL);
}
END_TEST

/* ---- elements of any size ---- */

static unsigned char byte_at(int rank, size_t at)
{
    return (unsigned char)((size_t)rank * 77 + at * 3 + (at >> 7));
}

static void fill_bytes(unsigned char *to, size_t bytes, int rank)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = byte_at(rank, i);
}

static bool are_bytes(const unsigned char *at, size_t bytes, int rank, size_t from)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != byte_at(rank, from + i))
            return false;
    return true;
}

static int moved(muster_group *world, size_t element, size_t count)
{
    int n = muster_group_size(world), rank = muster_group_rank(world), root = n - 1;
    size_t block = element * count, all = block * (size_t)n, own = (size_t)rank * block;
    unsigned char *in = malloc(all), *out = calloc(1, all);
    muster_dtype dtype = MUSTER_BYTES(element);

    fill_bytes(in, all, rank);
    RANK_OK(world, muster_all_gather(in, out, count, dtype, world));
    for (int r = 0; r < n; r++)
        RANK_CHECK(world, are_bytes(out + (size_t)r * block, block, r, 0));
    RANK_OK(world, muster_all_to_all(in, out, count, dtype, world));
    for (int r = 0; r < n; r++)
        RANK_CHECK(world, are_bytes(out + (size_t)r * block, block, r, own));
    RANK_OK(world, muster_scatter(in, out, count, dtype, root, world));
    RANK_CHECK(world, are_bytes(out, block, root, own));
    RANK_OK(world, muster_broadcast(in, out, count, dtype, root, world));
    RANK_CHECK(world, are_bytes(out, block, root, 0));
    muster_request request = MUSTER_REQUEST_INIT;
    memset(out, 0, all);
    RANK_OK(world, muster_all_gather_start(in, out, count, dtype, world, &request));
    RANK_OK(world, muster_wait(&request, 0));
    for (int r = 0; r < n; r++)
        RANK_CHECK(world, are_bytes(out + (size_t)r * block, block, r, 0));
    memset(out, 0, all);
    size_t sent = n > 1 || block < 60000 ? count : 0; /* a message to oneself must fit the channel */
    RANK_OK(world, muster_sendrecv(in, sent, (rank + 1) % n, 5, out, sent, (rank + n - 1) % n, 5, dtype,
                                   world, NULL));
    RANK_CHECK(world, sent == 0 || are_bytes(out, block, (rank + n - 1) % n, 0));
    RANK_OK(world, muster_gather(in, out, count, dtype, root, world));
    for (int r = 0; r < n && rank == root; r++)
        RANK_CHECK(world, are_bytes(out + (size_t)r * block, block, r, 0));
    free(in);
    free(out);
    return 0;
}

static int any_size(muster_group *world, void *arg)
{
    static const size_t sizes[] = { 1, 3, 16, 24, 1000, 70001 };
    unsigned char x[8] = { 0 }, y[8];

    (void)arg;
    for (int i = 0; i < 6; i++)
        if (moved(world, sizes[i], 1) || moved(world, sizes[i], 1 + 60000 / sizes[i]))
            return 1;
    REFUSED_WITH(
        muster_all_sum(x, y, 1, MUSTER_BYTES(4), world),
        "all_sum: sum does not work with bytes(4), but with booleans and numbers; with bytes(4), these "
        "work: operations of muster_op_create");
    REFUSED_WITH(muster_broadcast(x, x, 1, MUSTER_BYTES(0), 0, world), "is not a dtype");
    REFUSED_WITH(muster_send(x, 1, MUSTER_BYTES(0), 0, 0, world), "is not a dtype; expected MUSTER_BOOL");
    REFUSED_WITH(muster_broadcast(x, x, 1, MUSTER_BYTES(1ULL << 30), 0, world), "is not a dtype");
    REFUSED_WITH(muster_broadcast(x, x, 1, MUSTER_BYTES((1ULL << 32) + 4), 0, world), "is not a dtype");
    RANK_CHECK(world, muster_dtype_size(MUSTER_BYTES(24)) == 24);
    RANK_CHECK(world, strcmp(muster_dtype_name(MUSTER_BYTES(24)), "bytes") == 0);
    RANK_CHECK(world, muster_dtype_size(MUSTER_BYTES(0)) == 0 && !muster_dtype_name(MUSTER_BYTES(0)));
    return 0;
}

START_TEST(test_elements_of_any_size_move)
{
    run_all_sizes(any_size, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operations");
    TCase *tests = tcase_create("ops and dtypes");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_every_pair_is_right_or_refused);
    tcase_add_test(tests, test_same_bits_on_every_path);
    tcase_add_test(tests, test_pairs_are_chosen_as_mpi_says);
    tcase_add_test(tests, test_premultiplied_sums);
    tcase_add_test(tests, test_a_function_that_fails_breaks_the_group);
    tcase_add_test(tests, test_elements_of_any_size_move);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
