/*
 * Every table of kernels that this CPU can run, against the serial reference and against the scalar
 * table to the bit: all 65 536 values of the 16-bit floats, all pairs of 8-bit floats, specials in every
 * position of the wider ones, counts around vectors and the block size, every alignment, in place.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/kernels/half.h"
#include "src/kernels/reduce.h"
#include "src/pure/dtype.h"
#include "tests/harness/narrow.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

#define SOURCES 5
#define LEVELS 5 /* the most that a build has; the loops below go over them */

START_TEST(test_half_conversions_match_the_reference)
{
    for (uint32_t half = 0; half < 65536; half++) {
        float f16 = mst_float_of_float16((uint16_t)half), bf16 = mst_float_of_bfloat16((uint16_t)half);
        double wanted = narrow_value((uint16_t)half, MUSTER_FLOAT16);

        ck_assert_msg(isnan(wanted) ? isnan(f16) : (double)f16 == wanted && !signbit(f16) == !signbit(wanted),
                      "float16 %04x widens to %g, not %g", half, (double)f16, wanted);
        wanted = narrow_value((uint16_t)half, MUSTER_BFLOAT16);
        ck_assert_msg(isnan(wanted) ? isnan(bf16)
                                    : (double)bf16 == wanted && !signbit(bf16) == !signbit(wanted),
                      "bfloat16 %04x widens to %g, not %g", half, (double)bf16, wanted);
        if (!isnan(f16))
            ck_assert_uint_eq(mst_float16_of_float(f16), half);
        if (!isnan(bf16))
            ck_assert_uint_eq(mst_bfloat16_of_float(bf16), half);
    }
}
END_TEST

/* Around every value of 16 bits: the value, its neighbours in float32, and the ties between two. */
static void check_rounding(muster_dtype dtype, uint16_t (*narrow)(float))
{
    for (uint32_t half = 0; half < 65535; half++) {
        double a = narrow_value((uint16_t)half, dtype), b = narrow_value((uint16_t)(half + 1), dtype);
        float tie = (float)((a + b) / 2);

        if (isnan(a) || isnan(b))
            continue;
        float around[] = { nextafterf(tie, -INFINITY), tie, nextafterf(tie, INFINITY),
                           nextafterf((float)a, INFINITY) };
        for (int i = 0; i < 4; i++)
            ck_assert_msg(narrow(around[i]) == narrow_round(around[i], dtype),
                          "%s: %a rounds to %04x, not %04x", muster_dtype_name(dtype), (double)around[i],
                          narrow(around[i]), narrow_round(around[i], dtype));
    }
}

START_TEST(test_rounding_is_to_nearest_even)
{
    check_rounding(MUSTER_FLOAT16, mst_float16_of_float);
    check_rounding(MUSTER_BFLOAT16, mst_bfloat16_of_float);
}
END_TEST

/* ---- reduces ---- */

START_TEST(test_no_level_is_left_out)
{
    ck_assert_ptr_null(mst_kernels_name(LEVELS));
}
END_TEST

typedef struct reduce_case {
    const mst_kernels *kernels;
    muster_dtype dtype;
    muster_op op;
} reduce_case;

static void check_reduce(reduce_case c, const void *const *sources, int n, size_t count, unsigned char *out,
                         unsigned char *scalar)
{
    size_t bytes = muster_dtype_size(c.dtype);
    unsigned char expected[16];

    c.kernels->reduce[c.dtype][c.op](out, sources, n, count);
    mst_kernels_find("scalar")->reduce[c.dtype][c.op](scalar, sources, n, count);
    for (size_t i = 0; i < count && n > 1; i++) {
        oracle_reduce(expected, sources, n, i, c.dtype, c.op);
        ck_assert_msg(oracle_same(expected, out + i * bytes, c.dtype),
                      "%s: %s op %d of %d sources: element %zu of %zu differs from the reference",
                      c.kernels->isa, muster_dtype_name(c.dtype), c.op, n, i, count);
    }
    ck_assert_msg(memcmp(out, scalar, count * bytes) == 0, "%s: %s op %d of %d sources differs from scalar",
                  c.kernels->isa, muster_dtype_name(c.dtype), c.op, n);
}

static void check_case(reduce_case c)
{
    static const size_t counts[] = { 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 511, 512, 513, 2100 };
    size_t bytes = muster_dtype_size(c.dtype);
    unsigned char *memory[SOURCES + 2];

    for (int s = 0; s < SOURCES + 2; s++)
        memory[s] = malloc(2100 * bytes + 64);
    for (int n = 1; n <= SOURCES; n += n < 3 ? 1 : 2)
        for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
            const void *sources[SOURCES];

            for (int s = 0; s < n; s++) {
                sources[s] = memory[s] + (k * 13 + (size_t)s * 7) % 64; /* any alignment */
                fill_elements(memory[s] + (k * 13 + (size_t)s * 7) % 64, counts[k], c.dtype,
                              k * 100 + (size_t)s);
            }
            check_reduce(c, sources, n, counts[k], memory[SOURCES] + k % 64, memory[SOURCES + 1]);
        }
    for (int s = 0; s < SOURCES + 2; s++)
        free(memory[s]);
}

START_TEST(test_reduces_match_the_reference)
{
    const mst_kernels *kernels = mst_kernels_name(_i) ? mst_kernels_find(mst_kernels_name(_i)) : NULL;

    if (!kernels)
        return; /* not in this build, or not on this CPU */
    for (int dtype = 0; dtype < MUSTER_DTYPE_COUNT; dtype++)
        for (int op = 0; op < MUSTER_OP_COUNT; op++) {
            reduce_case c = { kernels, (muster_dtype)dtype, (muster_op)op };

            ck_assert_msg(!kernels->reduce[dtype][op] == !oracle_reduces(c.dtype, c.op),
                          "%s: op %d of %s is there, or missing", kernels->isa, op,
                          muster_dtype_name(c.dtype));
            ck_assert(mst_op_works(c.op, c.dtype) == oracle_reduces(c.dtype, c.op));
            if (kernels->reduce[dtype][op])
                check_case(c);
        }
}
END_TEST

/* ---- sums with factors ---- */

/* What the definition makes of one part: products and sums in float for narrow floats, else in the type. */
static void scaled_part(void *to, const void *const *sources, const unsigned char *factors, int n, size_t at,
                        muster_dtype dtype)
{
    float single = 0;
    double real = 0;
    uint64_t whole = 0;
    size_t size = muster_dtype_size(dtype);

    for (int s = 0; s < n; s++) {
        const char *in = (const char *)sources[s] + at;
        uint64_t x = 0, f = 0;
        float x32, f32;
        double x64, f64;

        memcpy(&x, in, size);
        memcpy(&f, factors + 16 * s, size);
        memcpy(&x32, &x, 4);
        memcpy(&f32, &f, 4);
        memcpy(&x64, &x, 8);
        memcpy(&f64, &f, 8);
        if (narrow_is(dtype)) {
            x32 = (float)narrow_value((uint16_t)x, dtype);
            f32 = (float)narrow_value((uint16_t)f, dtype);
        }
        float product = x32 * f32;
        double wide_product = x64 * f64;
        single = s ? single + product : product;
        real = s ? real + wide_product : wide_product;
        whole += x * f;
    }
    if (narrow_is(dtype))
        memcpy(to, &(uint16_t){ narrow_round((double)single, dtype) }, size);
    else
        memcpy(to,
               dtype == MUSTER_FLOAT32   ? (const void *)&single
               : dtype == MUSTER_FLOAT64 ? (const void *)&real
                                         : (const void *)&whole,
               size);
}

static void check_scaled(const mst_kernels *kernels, muster_dtype dtype, int n, size_t count)
{
    size_t bytes = muster_dtype_size(dtype);
    static unsigned char memory[SOURCES][2100 * 16 + 16], out[2100 * 16], scalar[2100 * 16];
    static unsigned char factors[16 * SOURCES];
    bool is_complex = dtype == MUSTER_COMPLEX64 || dtype == MUSTER_COMPLEX128;
    const void *sources[SOURCES];
    unsigned char expected[16];

    for (int s = 0; s < n; s++) {
        sources[s] = memory[s] + s % 5;
        fill_elements(memory[s] + s % 5, count, dtype, count * 10 + (size_t)s);
        fill_elements(factors + 16 * s, 1, dtype, count * 77 + (size_t)s);
    }
    mst_kernels_find("scalar")->reduce_scaled[dtype](scalar, sources, factors, 16, n, count);
    kernels->reduce_scaled[dtype](out, sources, factors, 16, n, count);
    ck_assert_msg(memcmp(out, scalar, count * bytes) == 0, "%s: scaled %s of %d sources differs from scalar",
                  kernels->isa, muster_dtype_name(dtype), n);
    for (size_t i = 0; i < count && !is_complex; i++) {
        scaled_part(expected, sources, factors, n, i * bytes, dtype);
        ck_assert_msg(oracle_same(expected, out + i * bytes, dtype),
                      "%s: scaled %s of %d sources: element %zu of %zu differs from the reference",
                      kernels->isa, muster_dtype_name(dtype), n, i, count);
    }
    /* In place of the second source. */
    kernels->reduce_scaled[dtype](memory[n - 1] + (n - 1) % 5, sources, factors, 16, n, count);
    ck_assert(memcmp(memory[n - 1] + (n - 1) % 5, out, count * bytes) == 0);
}

START_TEST(test_sums_with_factors_match_the_reference)
{
    static const size_t counts[] = { 1, 2, 7, 16, 17, 63, 511, 513, 2100 };
    const mst_kernels *kernels = mst_kernels_name(_i) ? mst_kernels_find(mst_kernels_name(_i)) : NULL;

    if (!kernels)
        return;
    for (int dtype = 0; dtype < MUSTER_DTYPE_COUNT; dtype++) {
        ck_assert(!kernels->reduce_scaled[dtype] == !mst_premul_works((muster_dtype)dtype));
        for (int n = 1; n <= SOURCES && kernels->reduce_scaled[dtype]; n++)
            for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
                check_scaled(kernels, (muster_dtype)dtype, n, counts[k]);
    }
}
END_TEST

/* (3 + 4i) x (2 - i) + (1 + i) x 2i: complex factors. */
START_TEST(test_complex_factors_are_multiplied_as_complex_numbers)
{
    const mst_kernels *kernels = mst_kernels_name(_i) ? mst_kernels_find(mst_kernels_name(_i)) : NULL;
    const float first[] = { 3, 4 }, second[] = { 1, 1 }, factors[] = { 2, -1, 0, 2 };
    const double wide_first[] = { 3, 4 }, wide_second[] = { 1, 1 }, wide_factors[] = { 2, -1, 0, 2 };
    float sum[2];
    double wide_sum[2];

    if (!kernels)
        return;
    kernels->reduce_scaled[MUSTER_COMPLEX64](sum, (const void *[]){ first, second }, factors, 8, 2, 1);
    ck_assert(sum[0] == 8 && sum[1] == 7);
    kernels->reduce_scaled[MUSTER_COMPLEX128](wide_sum, (const void *[]){ wide_first, wide_second },
                                              wide_factors, 16, 2, 1);
    ck_assert(wide_sum[0] == 8 && wide_sum[1] == 7);
}
END_TEST

/* ---- 8-bit floats ---- */

/* Every pair; of two sources, and of three and five with more of them. */
static void check_all_eighths(const mst_kernels *kernels, muster_dtype dtype, muster_op op, int n)
{
    static unsigned char in[SOURCES][65536], out[65536], scalar[65536];
    const void *sources[SOURCES];

    for (int s = 0; s < n; s++) {
        sources[s] = in[s];
        for (uint32_t i = 0; i < 65536; i++)
            in[s][i] = (unsigned char)(s == 0 ? i : s == 1 ? i >> 8 : i * (uint32_t)s + (i >> 5));
    }
    kernels->reduce[dtype][op](out, sources, n, 65536);
    mst_kernels_find("scalar")->reduce[dtype][op](scalar, sources, n, 65536);
    for (uint32_t i = 0; i < 65536; i++) {
        unsigned char expected = scalar[i];

        if (kernels == mst_kernels_find("scalar"))
            oracle_reduce(&expected, sources, n, i, dtype, op);
        if (out[i] != scalar[i] || !oracle_same(&expected, out + i, dtype))
            ck_abort_msg("%s: %s op %d of %d sources, %02x and %02x: %02x, not %02x", kernels->isa,
                         muster_dtype_name(dtype), op, n, in[0][i], in[1][i], out[i], expected);
    }
}

START_TEST(test_all_pairs_of_8_bit_floats)
{
    const mst_kernels *kernels = mst_kernels_name(_i) ? mst_kernels_find(mst_kernels_name(_i)) : NULL;

    if (!kernels)
        return;
    for (int op = 0; op <= MUSTER_AVG; op++)
        for (int n = 2; n <= SOURCES; n++) {
            check_all_eighths(kernels, MUSTER_FLOAT8_E4M3, (muster_op)op, n);
            check_all_eighths(kernels, MUSTER_FLOAT8_E5M2, (muster_op)op, n);
        }
}
END_TEST

static void check_value(muster_dtype dtype, unsigned char bits, double value)
{
    double is = narrow_value(bits, dtype);

    ck_assert_msg(isnan(value) ? isnan(is) : is == value, "%s %02x is %g", muster_dtype_name(dtype), bits,
                  is);
}

/* The table of the OCP specification, which the reference must know, too. */
START_TEST(test_8_bit_floats_are_those_of_the_specification)
{
    check_value(MUSTER_FLOAT8_E4M3, 0x7e, 448);
    check_value(MUSTER_FLOAT8_E4M3, 0x7f, (double)NAN);
    check_value(MUSTER_FLOAT8_E4M3, 0xff, (double)NAN);
    check_value(MUSTER_FLOAT8_E4M3, 0x08, 0x1p-6);
    check_value(MUSTER_FLOAT8_E4M3, 0x07, 0.875 * 0x1p-6);
    check_value(MUSTER_FLOAT8_E4M3, 0x01, 0x1p-9);
    check_value(MUSTER_FLOAT8_E5M2, 0x7b, 57344);
    check_value(MUSTER_FLOAT8_E5M2, 0x7c, (double)INFINITY);
    check_value(MUSTER_FLOAT8_E5M2, 0xfc, -(double)INFINITY);
    check_value(MUSTER_FLOAT8_E5M2, 0x7d, (double)NAN);
    check_value(MUSTER_FLOAT8_E5M2, 0x04, 0x1p-14);
    check_value(MUSTER_FLOAT8_E5M2, 0x03, 0.75 * 0x1p-14);
    check_value(MUSTER_FLOAT8_E5M2, 0x01, 0x1p-16);
}
END_TEST

/* ---- 16-bit floats ---- */

/* The reduce by the definition, one value at a time: the first NaN, made quiet, is the result; one source is
 * copied. */
static uint16_t reduce_of_halves(const void *const *sources, int n, size_t at, muster_dtype dtype,
                                 muster_op op)
{
    float result = 0;

    if (n == 1)
        return ((const uint16_t *)sources[0])[at];
    for (int s = 0; s < n; s++) {
        uint16_t half = ((const uint16_t *)sources[s])[at];
        float value = dtype == MUSTER_FLOAT16 ? mst_float_of_float16(half) : mst_float_of_bfloat16(half);

        if (s == 0 || (isnan(value) && !isnan(result)))
            result = value;
        else if (!isnan(result))
            result = oracle_combine_floats(result, value, op);
    }
    if (op == MUSTER_AVG && !isnan(result))
        return narrow_round((double)result / n, dtype);
    return dtype == MUSTER_FLOAT16 ? mst_float16_of_float(result) : mst_bfloat16_of_float(result);
}

/* All 65 536 values alone, and after, and before, a spread of others. */
static void check_all_halves(const mst_kernels *kernels, muster_dtype dtype, muster_op op)
{
    static uint16_t first[65536], second[65536], third[65536], out[65536];
    const void *sources[] = { second, first, third };

    for (uint32_t step = 0; step < 65536; step += 1021) {
        for (uint32_t i = 0; i < 65536; i++) {
            first[i] = (uint16_t)(step + (i % 7 == 0 ? i : 0));
            second[i] = (uint16_t)i;
            third[i] = (uint16_t)(i * 5 + step);
        }
        for (int n = 1; n <= 3; n++) {
            sources[0] = n == 2 ? first : second;
            sources[1] = n == 2 ? second : first;
            kernels->reduce[dtype][op](out, sources, n, 65536);
            for (uint32_t i = 0; i < 65536; i++) {
                uint16_t wanted = reduce_of_halves(sources, n, i, dtype, op);

                if (out[i] != wanted) /* checking by Check takes a minute for as many */
                    ck_abort_msg("%s: %s op %d of %d sources, the first %04x: %04x, not %04x", kernels->isa,
                                 muster_dtype_name(dtype), op, n, ((const uint16_t *)sources[0])[i], out[i],
                                 wanted);
            }
        }
    }
}

START_TEST(test_all_halves_are_as_defined_on_every_level)
{
    const mst_kernels *kernels = mst_kernels_name(_i) ? mst_kernels_find(mst_kernels_name(_i)) : NULL;

    if (!kernels)
        return;
    for (int op = 0; op <= MUSTER_AVG; op++) {
        check_all_halves(kernels, MUSTER_FLOAT16, (muster_op)op);
        check_all_halves(kernels, MUSTER_BFLOAT16, (muster_op)op);
    }
}
END_TEST

static const uint32_t special_bits[] = {
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000,
    0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0x7fc12345,
};
#define SPECIALS (sizeof special_bits / sizeof special_bits[0])

/* Every pair of specials in every position of a vector; signalling NaNs and payloads included. */
static void check_specials(const mst_kernels *kernels, muster_op op)
{
    uint32_t first[64], second[64], out[64], scalar[64];
    const void *sources[] = { first, second };

    for (size_t pair = 0; pair < SPECIALS * SPECIALS; pair++)
        for (size_t at = 0; at < 37; at++) {
            for (size_t i = 0; i < 37; i++)
                first[i] = second[i] = 0x40490fdb;
            first[at] = special_bits[pair / SPECIALS];
            second[at] = special_bits[pair % SPECIALS];
            kernels->reduce[MUSTER_FLOAT32][op](out, sources, 2, 37);
            mst_kernels_find("scalar")->reduce[MUSTER_FLOAT32][op](scalar, sources, 2, 37);
            ck_assert_msg(memcmp(out, scalar, 37 * 4) == 0,
                          "%s: op %d of %08x and %08x at %zu: %08x, scalar %08x", kernels->isa, op, first[at],
                          second[at], at, out[at], scalar[at]);
        }
}

START_TEST(test_specials_are_the_same_in_every_position)
{
    const mst_kernels *kernels = mst_kernels_name(_i) ? mst_kernels_find(mst_kernels_name(_i)) : NULL;

    if (kernels)
        for (int op = 0; op <= MUSTER_AVG; op++)
            check_specials(kernels, (muster_op)op);
}
END_TEST

/* To and from any alignment, and nothing beside it is touched. */
static void check_copies(const char *isa, void (*copy)(void *to, const void *from, size_t bytes),
                         size_t bytes)
{
    static unsigned char from[8192], to[8192], wanted[8192];

    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (unsigned char)(i * 7 + i / 251);
    for (size_t offset = 0; offset < 66; offset++) {
        memset(to, 0xaa, sizeof to);
        memset(wanted, 0xaa, sizeof wanted);
        memcpy(wanted + offset, from + 65 - offset, bytes);
        copy(to + offset, from + 65 - offset, bytes);
        ck_assert_msg(memcmp(to, wanted, sizeof to) == 0, "%s: %zu bytes to offset %zu", isa, bytes, offset);
    }
}

START_TEST(test_copying_and_streaming_do_what_memcpy_does)
{
    const mst_kernels *kernels = mst_kernels_find(mst_kernels_name(_i));

    if (!kernels)
        return;
    for (size_t bytes = 0; bytes < 700; bytes += bytes < 140 ? 1 : 37)
        check_copies(kernels->isa, kernels->stream, bytes);
    for (size_t bytes = 0; bytes < 8000; bytes += bytes < 2000 || bytes > 2400 ? 401 : 13) {
        check_copies(kernels->isa, kernels->copy, bytes);
        check_copies(kernels->isa, kernels->give, bytes);
        check_copies(kernels->isa, kernels->take, bytes);
    }
}
END_TEST

START_TEST(test_unknown_level_is_not_found)
{
    ck_assert_ptr_null(mst_kernels_find("v9"));
    ck_assert_ptr_nonnull(mst_kernels_find(NULL));
    ck_assert_str_eq(mst_kernels_name(0), "scalar");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels");
    TCase *tests = tcase_create("every level");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_half_conversions_match_the_reference);
    tcase_add_test(tests, test_rounding_is_to_nearest_even);
    tcase_add_test(tests, test_no_level_is_left_out);
    tcase_add_loop_test(tests, test_reduces_match_the_reference, 0, LEVELS);
    tcase_add_loop_test(tests, test_sums_with_factors_match_the_reference, 0, LEVELS);
    tcase_add_loop_test(tests, test_complex_factors_are_multiplied_as_complex_numbers, 0, LEVELS);
    tcase_add_test(tests, test_8_bit_floats_are_those_of_the_specification);
    if (!under_address_sanitizer()) { /* minutes, and no other accesses than in the other tests */
        tcase_add_loop_test(tests, test_all_pairs_of_8_bit_floats, 0, LEVELS);
        tcase_add_loop_test(tests, test_all_halves_are_as_defined_on_every_level, 0, LEVELS);
    }
    tcase_add_loop_test(tests, test_specials_are_the_same_in_every_position, 0, LEVELS);
    tcase_add_loop_test(tests, test_copying_and_streaming_do_what_memcpy_does, 0, LEVELS);
    tcase_add_test(tests, test_unknown_level_is_not_found);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
