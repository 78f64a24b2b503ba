/*
 * Operations that programs make (muster_op_create): applied in rank order, on every path, to aligned
 * elements; their handles and names.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/inputs.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

#define REFUSED_WITH(call, words)                                                                            \
    RANK_CHECK(world, (call) == MUSTER_ERR_INVALID && strstr(muster_error_detail(), words))

/* ---- operations that the program makes ---- */

/* The affine maps x -> ax + b of integers that wrap: composing them depends on the order. Their numbers are
 * of `arg`: 32 bits, or 64. */
static void compose(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    uint32_t *f = acc;
    const uint32_t *g = next;

    (void)dtype, (void)arg;
    for (size_t i = 0; i < count; i++, f += 2, g += 2) {
        f[1] = g[0] * f[1] + g[1];
        f[0] = g[0] * f[0];
    }
}

/* 2 x 2 matrices, of 16 bytes: as large as numbers get. */
static void multiply(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    uint32_t(*a)[2][2] = acc;
    const uint32_t(*b)[2][2] = next;

    (void)dtype, (void)arg;
    for (size_t i = 0; i < count; i++) {
        uint32_t product[2][2];

        for (int r = 0; r < 2; r++)
            for (int c = 0; c < 2; c++)
                product[r][c] = a[i][r][0] * b[i][0][c] + a[i][r][1] * b[i][1][c];
        memcpy(a[i], product, sizeof product);
    }
}

/* For elements of any size, of which none is a multiple of another: bytes of `acc` and `next`, mixed so that
 * both the order and the place within an element count. */
static void mix(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    unsigned char *a = acc;
    const unsigned char *b = next;
    size_t bytes = muster_dtype_size(dtype);

    (void)arg;
    for (size_t i = 0; i < count; i++, a += bytes, b += bytes)
        for (size_t k = 0; k < bytes; k++)
            a[k] = (unsigned char)(a[k] * 5 + (b[k] ^ b[bytes - 1 - k]) + k);
}

/* Whether the result is what `fn` makes of the ranks' inputs, one after the other. */
static int check_made(muster_group *world, muster_op op, muster_op_fn fn, muster_dtype dtype, size_t count)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    size_t bytes = count * muster_dtype_size(dtype);
    unsigned char *inputs[INPUTS_MAX] = { 0 }, *out = malloc(bytes), *expected = malloc(bytes);
    muster_request request = MUSTER_REQUEST_INIT;

    fill_inputs(inputs, n, count, dtype, count + 7);
    memcpy(expected, inputs[0], bytes);
    for (int r = 1; r < n; r++)
        fn(expected, inputs[r], count, dtype, NULL);
    RANK_OK(world, muster_all_reduce(inputs[rank], out, count, dtype, op, world));
    RANK_CHECK(world, memcmp(out, expected, bytes) == 0);
    memset(out, 0, bytes);
    RANK_OK(world, muster_all_reduce_start(inputs[rank], out, count, dtype, op, world, &request));
    RANK_OK(world, muster_wait(&request, 0));
    RANK_CHECK(world, memcmp(out, expected, bytes) == 0);
    memcpy(out, inputs[rank], bytes);
    RANK_OK(world, muster_all_reduce_start(out, out, count, dtype, op, world, &request));
    RANK_OK(world, muster_wait(&request, 0));
    RANK_CHECK(world, memcmp(out, expected, bytes) == 0);
    memcpy(out, inputs[rank], bytes);
    RANK_OK(world, muster_all_reduce(out, out, count, dtype, op, world));
    RANK_CHECK(world, memcmp(out, expected, bytes) == 0);
    memcpy(expected, inputs[0], bytes);
    for (int r = 1; r <= rank; r++)
        fn(expected, inputs[r], count, dtype, NULL);
    RANK_OK(world, muster_scan(inputs[rank], out, count, dtype, op, world));
    RANK_CHECK(world, memcmp(out, expected, bytes) == 0);
    RANK_OK(world, muster_scan(inputs[rank], inputs[rank], count, dtype, op, world));
    RANK_CHECK(world, memcmp(inputs[rank], expected, bytes) == 0);
    free_inputs(inputs, n);
    free(out);
    free(expected);
    return 0;
}

/* The same of reduce_scatter, into another buffer and in place, blocking and started, from ordinary memory
 * and from the arena. */
static int check_scattered(muster_group *world, muster_op op, muster_op_fn fn, muster_dtype dtype,
                           size_t count)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    size_t block = count * muster_dtype_size(dtype), all = block * (size_t)n;
    unsigned char *inputs[INPUTS_MAX] = { 0 }, *expected = malloc(all), *copy = malloc(all),
                  *out = malloc(block);
    void *arena;

    fill_inputs(inputs, n, count * (size_t)n, dtype, count + 3);
    memcpy(expected, inputs[0], all);
    for (int r = 1; r < n; r++)
        fn(expected, inputs[r], count * (size_t)n, dtype, NULL);
    RANK_OK(world, muster_alloc(world, all, &arena));
    for (int way = 0; way < 8; way++) {
        unsigned char *in = way & 1 ? arena : copy, *to = way & 2 ? in + (size_t)rank * block : out;
        muster_request request = MUSTER_REQUEST_INIT;

        memcpy(in, inputs[rank], all);
        if (way & 4) {
            RANK_OK(world, muster_reduce_scatter_start(in, to, count, dtype, op, world, &request));
            RANK_OK(world, muster_wait(&request, 0));
        } else {
            RANK_OK(world, muster_reduce_scatter(in, to, count, dtype, op, world));
        }
        RANK_CHECK(world, memcmp(to, expected + (size_t)rank * block, block) == 0);
    }
    RANK_OK(world, muster_free(world, arena));
    free_inputs(inputs, n);
    free(expected);
    free(copy);
    free(out);
    return 0;
}

/* The same of reduce_scatterv, with counts that differ, some of them 0; and with inputs in the arena on some
 * ranks only. */
static int check_varied(muster_group *world, muster_op op, muster_op_fn fn, size_t element, size_t most)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    size_t counts[INPUTS_MAX], count = 0, at = 0;

    for (int r = 0; r < n; r++) {
        counts[r] = r % 3 == 1 ? 0 : most / (size_t)(r + 1) + (size_t)r;
        at += r < rank ? counts[r] * element : 0;
        count += counts[r];
    }
    size_t all = count * element, block = counts[rank] * element;
    unsigned char *inputs[INPUTS_MAX] = { 0 }, *expected = malloc(all), *copy = malloc(all),
                  *out = malloc(block + 1);
    void *arena;

    fill_inputs(inputs, n, count, MUSTER_BYTES(element), count + 11);
    memcpy(expected, inputs[0], all);
    for (int r = 1; r < n; r++)
        fn(expected, inputs[r], count, MUSTER_BYTES(element), NULL);
    RANK_OK(world, muster_alloc(world, all, &arena));
    for (int way = 0; way < 12; way++) {
        bool is_lent = way & 1 && (way < 8 || rank % 2);
        unsigned char *in = is_lent ? arena : copy, *to = way & 2 ? in + at : out;
        muster_request request = MUSTER_REQUEST_INIT;

        memcpy(in, inputs[rank], all);
        if (way & 4) {
            RANK_OK(world,
                    muster_reduce_scatterv_start(in, counts, to, MUSTER_BYTES(element), op, world, &request));
            RANK_OK(world, muster_wait(&request, 0));
        } else {
            RANK_OK(world, muster_reduce_scatterv(in, counts, to, MUSTER_BYTES(element), op, world));
        }
        RANK_CHECK(world, memcmp(to, expected + at, block) == 0);
    }
    RANK_OK(world, muster_free(world, arena));
    free_inputs(inputs, n);
    free(expected);
    free(copy);
    free(out);
    return 0;
}

static int made_operations(muster_group *world, void *arg)
{
    static const size_t counts[] = { 1, 5, 300, 7001 }, sizes[] = { 1, 3, 12, 16, 17, 24, 64, 1000 };
    const bool is_slow = under_thread_sanitizer(); /* minutes, there */
    muster_op affine, matrix, mixed;
    int failed = 0;

    (void)arg;
    RANK_OK(world, muster_op_create("affine", compose, NULL, false, &affine));
    RANK_OK(world, muster_op_create("matrix", multiply, NULL, false, &matrix));
    RANK_OK(world, muster_op_create("mix", mix, NULL, true, &mixed)); /* which is not true */
    for (int i = 0; i < (is_slow ? 3 : 4) && !failed; i++) {
        failed = check_made(world, affine, compose, MUSTER_INT32_INT32, counts[i]) ||
                 check_made(world, matrix, multiply, MUSTER_BYTES(16), counts[i]) ||
                 check_made(world, matrix, multiply, MUSTER_COMPLEX128, counts[i]) ||
                 check_made(world, mixed, mix, MUSTER_FLOAT8_E4M3, counts[i]);
        for (int k = 0; k < 8 && !failed && counts[i] * sizes[k] < 100000; k++)
            failed = check_made(world, mixed, mix, MUSTER_BYTES(sizes[k]), counts[i]);
    }
    failed = failed || check_made(world, mixed, mix, MUSTER_BYTES(70001), 3); /* larger than a slot */
    for (int i = 0; i < (is_slow ? 3 : 4) && !failed; i++)
        failed = check_scattered(world, mixed, mix, MUSTER_BYTES(24), counts[i]) ||
                 check_scattered(world, matrix, multiply, MUSTER_BYTES(16), counts[i]);
    for (int k = 1; k < (is_slow ? 2 : 8) && !failed; k += 2)
        failed = check_varied(world, mixed, mix, sizes[k], 2) ||
                 check_varied(world, mixed, mix, sizes[k], 40000 / sizes[k]);
    failed = failed || check_varied(world, mixed, mix, 70001, 2);
    failed = failed || reduce_on_every_path(world, 3000, MUSTER_BYTES(24), mixed);
    if (!is_slow)
        failed = failed || reduce_on_every_path(world, 20000, MUSTER_BYTES(16), matrix) ||
                 reduce_on_every_path(world, 40000, MUSTER_BFLOAT16, mixed);
    RANK_OK(world, muster_op_free(affine));
    RANK_OK(world, muster_op_free(matrix));
    RANK_OK(world, muster_op_free(mixed));
    return failed;
}

START_TEST(test_made_operations_are_applied_in_rank_order)
{
    run_all_sizes(made_operations, NULL);
}
END_TEST

/* ---- between calls that repeat each other ---- */

static int between_repeated(muster_group *world, void *arg)
{
    int n = muster_group_size(world), rank = muster_group_rank(world);
    int32_t in[40], out[20], factor = 3;
    size_t counts[INPUTS_MAX], others[INPUTS_MAX], at = 0;
    muster_op op;

    (void)arg;
    for (int i = 0; i < 40; i++)
        in[i] = i;
    for (int r = 0; r < n; r++) {
        counts[r] = (size_t)(r % 3 + 1);
        others[r] = (size_t)(n - r) % 4 + 1;
        at += r < rank ? counts[r] : 0;
    }
    RANK_OK(world, muster_op_create_premul_sum(&factor, MUSTER_INT32, &op));
    for (int round = 0; round < 3; round++) {
        RANK_OK(world, muster_reduce_scatterv(in, counts, out, MUSTER_INT32, MUSTER_SUM, world));
        RANK_CHECK(world, out[0] == n * (int)at && out[counts[rank] - 1] == n * (int)(at + counts[rank] - 1));
        RANK_OK(world, muster_reduce_scatterv(in, others, out, MUSTER_INT32, op, world));
        RANK_CHECK(world, out[0] % (3 * n) == 0);
        RANK_OK(world, muster_all_reduce(in, out, 1 + (size_t)round, MUSTER_INT32, op, world));
        RANK_CHECK(world, out[round] == 3 * n * round);
    }
    RANK_OK(world, muster_op_free(op));
    return 0;
}

START_TEST(test_made_operations_between_calls_that_repeat_each_other)
{
    run_all_sizes(between_repeated, NULL);
}
END_TEST

/* ---- what a made operation is promised ---- */

typedef struct seen {
    int calls, misaligned, others;
} seen;

static void look(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    seen *seen = arg;
    const char *a = acc, *b = next;
    size_t bytes = count * muster_dtype_size(dtype);

    seen->calls++;
    seen->misaligned += (uintptr_t)acc % 16 != 0 || (uintptr_t)next % 16 != 0;
    seen->others += count == 0 || dtype != MUSTER_BYTES(16) || (a < b + bytes && b < a + bytes);
}

static int aligned_elements(muster_group *world, void *arg)
{
    static const size_t counts[] = { 1, 3, 7, 100, 5000, 33333 };
    seen seen = { 0 };
    muster_op op;
    void *in, *arena_in, *arena_out;

    (void)arg;
    RANK_OK(world, muster_op_create("look", look, &seen, true, &op));
    RANK_OK(world, muster_alloc(world, 16 * 33333, &arena_in));
    RANK_OK(world, muster_alloc(world, 16 * 33333, &arena_out));
    in = calloc(33333, 16); /* malloc aligns to 16 bytes */
    memset(arena_in, 0, 16 * 33333);
    for (int i = 0; i < 6; i++) {
        size_t each[INPUTS_MAX] = { 0 };
        muster_request request = MUSTER_REQUEST_INIT;

        each[0] = counts[i] / 2;
        each[muster_group_size(world) - 1] += counts[i] - counts[i] / 2;
        RANK_OK(world, muster_reduce_scatterv(in, each, arena_out, MUSTER_BYTES(16), op, world));
        RANK_OK(world,
                muster_reduce_scatterv_start(in, each, arena_out, MUSTER_BYTES(16), op, world, &request));
        RANK_OK(world, muster_wait(&request, 0));
        RANK_OK(world, muster_all_reduce(in, in, counts[i], MUSTER_BYTES(16), op, world));
        RANK_OK(world, muster_all_reduce(in, arena_out, counts[i], MUSTER_BYTES(16), op, world));
        RANK_OK(world, muster_all_reduce(arena_in, arena_out, counts[i], MUSTER_BYTES(16), op, world));
    }
    RANK_CHECK(world, seen.misaligned == 0 && seen.others == 0);
    RANK_CHECK(world, (seen.calls > 0) == (muster_group_size(world) > 1));
    RANK_OK(world, muster_op_free(op));
    free(in);
    return 0;
}

START_TEST(test_made_operations_see_aligned_elements)
{
    run_all_sizes(aligned_elements, NULL);
}
END_TEST

/* ---- handles ---- */

static int bad_handles(muster_group *world, void *arg)
{
    int32_t x[2] = { 1, 2 }, y[2];
    muster_request request = MUSTER_REQUEST_INIT;
    muster_op op, second;

    (void)arg;
    REFUSED_WITH(muster_op_create(NULL, mix, NULL, true, &op), "0 bytes");
    REFUSED_WITH(muster_op_create("", mix, NULL, true, &op), "0 bytes");
    REFUSED_WITH(muster_op_create("sixteen letters.", mix, NULL, true, &op), "16 bytes; expected 1 to 15");
    REFUSED_WITH(muster_op_create("new\nline", mix, NULL, true, &op), "control character");
    REFUSED_WITH(muster_op_create("bits\302\205", mix, NULL, true, &op), "control character, 0x85");
    REFUSED_WITH(muster_op_create("nothing", NULL, NULL, true, &op), "\"nothing\" is NULL");
    REFUSED_WITH(muster_op_create("nowhere", mix, NULL, true, NULL), "NULL");
    REFUSED_WITH(muster_op_free(MUSTER_SUM), "0 is not an operation");
    REFUSED_WITH(muster_op_free((muster_op)0x7fffffff), "is not an operation");
    RANK_OK(world, muster_op_create("mix", mix, NULL, true, &op));
    REFUSED_WITH(muster_all_reduce(x, x + 1, 2, MUSTER_INT32, op, world), "all_reduce(mix): ");
    /* Freed while a started operation uses it, which is completed all the same. */
    RANK_OK(world, muster_all_reduce_start(x, y, 2, MUSTER_INT32, op, world, &request));
    RANK_OK(world, muster_op_free(op));
    RANK_OK(world, muster_op_create("other", compose, NULL, true, &second));
    RANK_CHECK(world, op != second);
    RANK_OK(world, muster_wait(&request, 0));
    REFUSED_WITH(muster_all_reduce(x, y, 2, MUSTER_INT32, op, world), "has not been freed");
    REFUSED_WITH(muster_all_reduce_start(x, y, 2, MUSTER_INT32, op, world, &request), "has not been freed");
    REFUSED_WITH(muster_op_free(op), "has been freed");
    RANK_OK(world, muster_op_free(second));
    RANK_OK(world, muster_all_sum(x, y, 2, MUSTER_INT32, world));
    return 0;
}

START_TEST(test_bad_handles_are_refused_in_words)
{
    run_all_sizes(bad_handles, NULL);
}
END_TEST

START_TEST(test_a_process_has_1024_operations)
{
    muster_op ops[1024], op;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1024; i++)
            ck_assert_int_eq(muster_op_create("x", mix, NULL, true, &ops[i]), MUSTER_OK);
        ck_assert_int_eq(muster_op_create("x", mix, NULL, true, &op), MUSTER_ERR_NO_SPACE);
        for (int i = 0; i < 1024; i++)
            ck_assert_int_eq(muster_op_free(ops[i]), MUSTER_OK);
        ck_assert_int_eq(muster_op_free(ops[0]), MUSTER_ERR_INVALID);
    }
}
END_TEST

static int other_names(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    int32_t x = rank, y;
    muster_op op;

    (void)arg;
    RANK_OK(world, muster_op_create(rank == 1 ? "second" : "first", mix, NULL, true, &op));
    RANK_CHECK(world, muster_all_reduce(&x, &y, 1, MUSTER_INT32, op, world) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(), "all_reduce(first) (int32 x 1)"));
    RANK_CHECK(world, strstr(muster_error_detail(), "all_reduce(second) (int32 x 1)"));
    RANK_OK(world, muster_op_free(op));
    return 0;
}

/* The longest name of all calls is in the parts of an error, whole. */
static int longest_name(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    size_t counts[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    int32_t x[8] = { rank }, y;
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    muster_op op;

    (void)arg;
    RANK_OK(world, muster_op_create("has_15_letters.", mix, NULL, true, &op));
    RANK_CHECK(world, muster_reduce_scatterv(x, counts, &y, rank == 1 ? MUSTER_UINT32 : MUSTER_INT32, op,
                                             world) == MUSTER_ERR_MISMATCH);
    RANK_OK(world, muster_last_error(&info));
    RANK_CHECK(world, strcmp(info.operation, "reduce_scatterv(has_15_letters.)") == 0);
    RANK_OK(world, muster_op_free(op));
    return 0;
}

static int other_kinds(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    int32_t x = rank, y, factor = 2;
    muster_op op;

    (void)arg;
    RANK_OK(world, muster_op_create_premul_sum(&factor, MUSTER_INT32, &op));
    RANK_CHECK(world, muster_all_reduce(&x, &y, 1, MUSTER_INT32, rank == 1 ? op : MUSTER_SUM, world) ==
                          MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(), "all_reduce(premul_sum) (int32 x 1)"));
    RANK_OK(world, muster_op_free(op));
    return 0;
}

static int other_sizes(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world);
    unsigned char x[100] = { 0 };
    muster_dtype dtype = rank == 2 ? MUSTER_BYTES(12) : MUSTER_BYTES(11);

    (void)arg;
    RANK_CHECK(world, muster_broadcast(x, x, 3, dtype, 0, world) == MUSTER_ERR_MISMATCH);
    RANK_CHECK(world, strstr(muster_error_detail(), "broadcast (bytes(11) x 3, root 0)"));
    RANK_CHECK(world, strstr(muster_error_detail(), "broadcast (bytes(12) x 3, root 0)"));
    return 0;
}

START_TEST(test_ranks_that_disagree_about_an_operation)
{
    for (rank_mode mode = RANKS_AS_PROCESSES; mode <= RANKS_AS_THREADS; mode++) {
        run_ranks(3, mode, other_names, NULL);
        run_ranks(3, mode, longest_name, NULL);
        run_ranks(3, mode, other_kinds, NULL);
        run_ranks(3, mode, other_sizes, NULL);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("made operations");
    TCase *tests = tcase_create("muster_op_create");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_made_operations_are_applied_in_rank_order);
    tcase_add_test(tests, test_made_operations_between_calls_that_repeat_each_other);
    tcase_add_test(tests, test_made_operations_see_aligned_elements);
    tcase_add_test(tests, test_bad_handles_are_refused_in_words);
    tcase_add_test(tests, test_a_process_has_1024_operations);
    tcase_add_test(tests, test_ranks_that_disagree_about_an_operation);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
