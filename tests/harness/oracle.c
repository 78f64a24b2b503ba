/* The reference of oracle.h. */
#include "tests/harness/oracle.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/narrow.h"

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* ---- reducing ---- */

float oracle_combine_floats(float a, float b, muster_op op)
{
    switch (op) {
    case MUSTER_SUM:
    case MUSTER_AVG:
        return a + b;
    case MUSTER_PROD:
        return a * b;
    case MUSTER_MAX:
        if (isnan(a) || isnan(b))
            return NAN;
        if (a == 0 && b == 0)
            return signbit(a) ? b : a;
        return a > b ? a : b;
    default:
        if (isnan(a) || isnan(b))
            return NAN;
        if (a == 0 && b == 0)
            return signbit(a) ? a : b;
        return a < b ? a : b;
    }
}

static double reduce_double(double a, double b, muster_op op)
{
    switch (op) {
    case MUSTER_SUM:
    case MUSTER_AVG:
        return a + b;
    case MUSTER_PROD:
        return a * b;
    case MUSTER_MAX:
        if (isnan(a) || isnan(b))
            return NAN;
        if (a == 0 && b == 0)
            return signbit(a) ? b : a;
        return a > b ? a : b;
    default:
        if (isnan(a) || isnan(b))
            return NAN;
        if (a == 0 && b == 0)
            return signbit(a) ? a : b;
        return a < b ? a : b;
    }
}

#define REDUCE_COMPLEX(NAME, PART)                                                                           \
    static void NAME(PART a[2], const PART b[2], muster_op op)                                               \
    {                                                                                                        \
        PART re = a[0], im = a[1];                                                                           \
        bool first_nan = isnan(a[0]) || isnan(a[1]), second_nan = isnan(b[0]) || isnan(b[1]);                \
                                                                                                             \
        if (op == MUSTER_SUM || op == MUSTER_AVG) {                                                          \
            a[0] = re + b[0];                                                                                \
            a[1] = im + b[1];                                                                                \
        } else if (first_nan) {                                                                              \
            return;                                                                                          \
        } else if (second_nan) {                                                                             \
            a[0] = b[0];                                                                                     \
            a[1] = b[1];                                                                                     \
        } else if (op == MUSTER_PROD) {                                                                      \
            PART ac = re * b[0], bd = im * b[1], ad = re * b[1], bc = im * b[0];                             \
                                                                                                             \
            a[0] = ac - bd;                                                                                  \
            a[1] = ad + bc;                                                                                  \
        } else {                                                                                             \
            bool less = re < b[0] || (re == b[0] && im < b[1]);                                              \
            bool more = re > b[0] || (re == b[0] && im > b[1]);                                              \
                                                                                                             \
            if (op == MUSTER_MAX ? less : more) {                                                            \
                a[0] = b[0];                                                                                 \
                a[1] = b[1];                                                                                 \
            }                                                                                                \
        }                                                                                                    \
    }

REDUCE_COMPLEX(combine_complex64, float)
REDUCE_COMPLEX(combine_complex128, double)

static uint64_t combine_bits(uint64_t a, uint64_t b, muster_op op)
{
    return op == MUSTER_BAND ? a & b : op == MUSTER_BOR ? a | b : a ^ b;
}

static int64_t reduce_signed(int64_t a, int64_t b, muster_op op)
{
    switch (op) {
    case MUSTER_SUM:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case MUSTER_PROD:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case MUSTER_MAX:
        return a > b ? a : b;
    case MUSTER_MIN:
        return a < b ? a : b;
    default:
        return (int64_t)combine_bits((uint64_t)a, (uint64_t)b, op);
    }
}

static uint64_t reduce_unsigned(uint64_t a, uint64_t b, muster_op op)
{
    switch (op) {
    case MUSTER_SUM:
    case MUSTER_AVG:
        return a + b;
    case MUSTER_PROD:
        return a * b;
    case MUSTER_MAX:
        return a > b ? a : b;
    case MUSTER_MIN:
        return a < b ? a : b;
    default:
        return combine_bits(a, b, op);
    }
}

static bool is_signed(muster_dtype dtype)
{
    return dtype >= MUSTER_INT8 && dtype <= MUSTER_INT64;
}

static uint64_t load_integer(const void *from, muster_dtype dtype)
{
    size_t size = muster_dtype_size(dtype);
    uint64_t value = 0;

    memcpy(&value, from, size);
    if (is_signed(dtype) && size < 8 && (value >> (8 * size - 1)))
        value |= ~0ULL << (8 * size);
    return value;
}

static void reduce_integers(void *to, const void *const *inputs, int n, size_t at, muster_dtype dtype,
                            muster_op op)
{
    size_t size = muster_dtype_size(dtype);
    uint64_t acc = load_integer((const char *)inputs[0] + at, dtype);

    for (int i = 1; i < n; i++) {
        uint64_t next = load_integer((const char *)inputs[i] + at, dtype);

        acc = is_signed(dtype) ? (uint64_t)reduce_signed((int64_t)acc, (int64_t)next, op)
                               : reduce_unsigned(acc, next, op);
        memcpy(&next, &acc, 8); /* wrap to the width, then on */
        acc = size < 8 ? load_integer(&next, dtype) : next;
    }
    memcpy(to, &acc, size);
}

static void reduce_bools(unsigned char *to, const void *const *inputs, int n, size_t at, muster_op op)
{
    bool any = false, all = true, odd = false;

    for (int i = 0; i < n; i++) {
        bool value = ((const unsigned char *)inputs[i])[at] != 0;

        any = any || value;
        all = all && value;
        odd = odd != value;
    }
    *to = op == MUSTER_BXOR ? odd : op == MUSTER_SUM || op == MUSTER_MAX || op == MUSTER_BOR ? any : all;
}

/* The quotient by as few ranks as there are is so far from a tie of narrow floats, or exactly one, that a
 * double has enough places for a second rounding to do no harm. */
static void reduce_narrow(void *to, const void *const *inputs, int n, size_t at, muster_dtype dtype,
                          muster_op op)
{
    float acc = 0;

    for (int i = 0; i < n; i++) {
        float next = (float)narrow_load((const char *)inputs[i] + at, dtype);

        acc = i ? oracle_combine_floats(acc, next, op) : next;
    }
    narrow_store(to, op == MUSTER_AVG ? (double)acc / n : (double)acc, dtype);
}

/* Whether pair `b` is chosen rather than `a`: by value, NaN first, then by index. */
static bool is_chosen(double a, int64_t a_index, double b, int64_t b_index, muster_op op)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b) ? b_index < a_index : isnan(b);
    if (a == 0 && b == 0 && signbit(a) != signbit(b))
        return op == MUSTER_MAXLOC ? signbit(a) : signbit(b);
    if (a == b)
        return b_index < a_index;
    return op == MUSTER_MAXLOC ? b > a : b < a;
}

#define REDUCE_PAIRS(DTYPE, TYPE, CHOSEN)                                                                    \
    case DTYPE: {                                                                                            \
        TYPE acc, next;                                                                                      \
                                                                                                             \
        memcpy(&acc, (const char *)inputs[0] + at, sizeof acc);                                              \
        for (int i = 1; i < n; i++) {                                                                        \
            memcpy(&next, (const char *)inputs[i] + at, sizeof next);                                        \
            if (CHOSEN(acc.value, acc.index, next.value, next.index, op))                                    \
                acc = next;                                                                                  \
        }                                                                                                    \
        memcpy(to, &acc, sizeof acc);                                                                        \
        return;                                                                                              \
    }

static bool is_chosen_integer(int64_t a, int64_t a_index, int64_t b, int64_t b_index, muster_op op)
{
    if (a == b)
        return b_index < a_index;
    return op == MUSTER_MAXLOC ? b > a : b < a;
}

static void reduce_pairs(void *to, const void *const *inputs, int n, size_t at, muster_dtype dtype,
                         muster_op op)
{
    switch (dtype) {
        REDUCE_PAIRS(MUSTER_INT32_INT32, muster_int32_int32, is_chosen_integer)
        REDUCE_PAIRS(MUSTER_INT64_INT64, muster_int64_int64, is_chosen_integer)
        REDUCE_PAIRS(MUSTER_FLOAT32_INT32, muster_float32_int32, is_chosen)
        REDUCE_PAIRS(MUSTER_FLOAT64_INT64, muster_float64_int64, is_chosen)
    default:
        abort();
    }
}

#define REDUCE_REAL(DTYPE, TYPE, COMBINE)                                                                    \
    case DTYPE: {                                                                                            \
        TYPE acc = 0, next;                                                                                  \
                                                                                                             \
        for (int i = 0; i < n; i++) {                                                                        \
            memcpy(&next, (const char *)inputs[i] + at, sizeof next);                                        \
            acc = i ? COMBINE(acc, next, op) : next;                                                         \
        }                                                                                                    \
        if (op == MUSTER_AVG)                                                                                \
            acc /= (TYPE)n;                                                                                  \
        memcpy(to, &acc, sizeof acc);                                                                        \
        return;                                                                                              \
    }

#define REDUCE_COMPLEX_OF(DTYPE, PART, COMBINE)                                                              \
    case DTYPE: {                                                                                            \
        PART acc[2], next[2];                                                                                \
                                                                                                             \
        memcpy(acc, (const char *)inputs[0] + at, sizeof acc);                                               \
        for (int i = 1; i < n; i++) {                                                                        \
            memcpy(next, (const char *)inputs[i] + at, sizeof next);                                         \
            COMBINE(acc, next, op);                                                                          \
        }                                                                                                    \
        for (int part = 0; part < 2 && op == MUSTER_AVG; part++)                                             \
            acc[part] /= (PART)n;                                                                            \
        memcpy(to, acc, sizeof acc);                                                                         \
        return;                                                                                              \
    }

static bool is_pair(muster_dtype dtype)
{
    return dtype >= MUSTER_INT32_INT32 && dtype <= MUSTER_FLOAT64_INT64;
}

void oracle_reduce(void *to, const void *const *inputs, int n, size_t index, muster_dtype dtype, muster_op op)
{
    size_t at = index * muster_dtype_size(dtype);

    if (n == 1) {
        memcpy(to, (const char *)inputs[0] + at, muster_dtype_size(dtype));
        return;
    }
    switch (dtype) {
        REDUCE_REAL(MUSTER_FLOAT32, float, oracle_combine_floats)
        REDUCE_REAL(MUSTER_FLOAT64, double, reduce_double)
        REDUCE_COMPLEX_OF(MUSTER_COMPLEX64, float, combine_complex64)
        REDUCE_COMPLEX_OF(MUSTER_COMPLEX128, double, combine_complex128)
    case MUSTER_BOOL:
        reduce_bools(to, inputs, n, at, op);
        return;
    default:
        if (narrow_is(dtype))
            reduce_narrow(to, inputs, n, at, dtype, op);
        else if (is_pair(dtype))
            reduce_pairs(to, inputs, n, at, dtype, op);
        else
            reduce_integers(to, inputs, n, at, dtype, op);
    }
}

/* ---- which ---- */

bool oracle_reduces(muster_dtype dtype, muster_op op)
{
    bool is_integer = dtype >= MUSTER_INT8 && dtype <= MUSTER_UINT64;

    switch (op) {
    case MUSTER_SUM:
    case MUSTER_PROD:
    case MUSTER_MAX:
    case MUSTER_MIN:
        return !is_pair(dtype);
    case MUSTER_AVG:
        return !is_pair(dtype) && !is_integer && dtype != MUSTER_BOOL;
    case MUSTER_BAND:
    case MUSTER_BOR:
    case MUSTER_BXOR:
        return is_integer || dtype == MUSTER_BOOL;
    default:
        return is_pair(dtype);
    }
}

/* ---- comparing ---- */

static bool same_float(const void *a, const void *b)
{
    float x, y;

    memcpy(&x, a, 4);
    memcpy(&y, b, 4);
    return (isnan(x) && isnan(y)) || memcmp(a, b, 4) == 0;
}

static bool same_double(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, 8);
    memcpy(&y, b, 8);
    return (isnan(x) && isnan(y)) || memcmp(a, b, 8) == 0;
}

bool oracle_same(const void *a, const void *b, muster_dtype dtype)
{
    size_t size = muster_dtype_size(dtype), half = size / 2;
    const char *second_a = (const char *)a + half, *second_b = (const char *)b + half;

    switch (dtype) {
    case MUSTER_FLOAT32:
        return same_float(a, b);
    case MUSTER_FLOAT64:
        return same_double(a, b);
    case MUSTER_COMPLEX64:
        return same_float(a, b) && same_float(second_a, second_b);
    case MUSTER_COMPLEX128:
        return same_double(a, b) && same_double(second_a, second_b);
    case MUSTER_FLOAT32_INT32:
        return same_float(a, b) && memcmp(second_a, second_b, half) == 0;
    case MUSTER_FLOAT64_INT64:
        return same_double(a, b) && memcmp(second_a, second_b, half) == 0;
    default:
        return memcmp(a, b, size) == 0 ||
               (narrow_is(dtype) && isnan(narrow_load(a, dtype)) && isnan(narrow_load(b, dtype)));
    }
}

/* ---- inputs ---- */

static double random_real(uint64_t *state)
{
    static const double specials[] = { 0.0,   -0.0, 1.0,   -1.0, INFINITY, -INFINITY,    NAN,
                                       65504, 6e-8, -3e-5, 1e38, FLT_MIN,  FLT_TRUE_MIN, FLT_MAX };
    uint64_t r = random_next(state);

    if (r % 16 == 0)
        return specials[(r >> 8) % (sizeof specials / sizeof specials[0])];
    return ldexp((double)(int32_t)(r >> 32), (int)((r >> 8) % 16) - 38);
}

static void fill_float(void *at, uint64_t *state)
{
    float value = (float)random_real(state);

    memcpy(at, &value, 4);
}

static void fill_double(void *at, uint64_t *state)
{
    double value = random_real(state);

    memcpy(at, &value, 8);
}

/* Often equal values, and equal indices. */
static void fill_pair(unsigned char *at, muster_dtype dtype, uint64_t *state)
{
    uint64_t r = random_next(state);
    size_t half = muster_dtype_size(dtype) / 2;
    int64_t value = r % 3 ? (int64_t)(r >> 8) % 3 : (int64_t)random_next(state);
    int64_t index = r % 5 ? (int64_t)(r >> 16) % 4 : (int64_t)random_next(state);

    memcpy(at, &value, half);
    if (dtype == MUSTER_FLOAT32_INT32)
        memcpy(at, &(float){ (float)(value % 3) }, half);
    if (dtype == MUSTER_FLOAT32_INT32 && r % 7 == 0)
        fill_float(at, state);
    if (dtype == MUSTER_FLOAT64_INT64)
        memcpy(at, &(double){ (double)(value % 3) }, half);
    if (dtype == MUSTER_FLOAT64_INT64 && r % 7 == 0)
        fill_double(at, state);
    memcpy(at + half, &index, half);
}

/* Of which every bit is drawn: integers, 8-bit floats, and elements of any size. */
static bool is_any_bits(muster_dtype dtype)
{
    return (dtype >= MUSTER_INT8 && dtype <= MUSTER_UINT64) || dtype == MUSTER_FLOAT8_E4M3 ||
           dtype == MUSTER_FLOAT8_E5M2 || dtype >= MUSTER_DTYPE_COUNT;
}

/* Eight bytes at a time: most of what tests draw is this, and one by one it took half of their time. */
static void fill_bits(unsigned char *at, size_t bytes, uint64_t *state)
{
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t bits = random_next(state);

        memcpy(at + i, &bits, bytes - i < 8 ? bytes - i : 8);
    }
}

static void fill_one(unsigned char *at, muster_dtype dtype, size_t size, uint64_t *state)
{
    switch (dtype) {
    case MUSTER_BOOL:
        *at = (unsigned char)(random_next(state) & 1);
        return;
    case MUSTER_FLOAT16:
    case MUSTER_BFLOAT16:
        narrow_store(at, (double)(float)random_real(state), dtype);
        return;
    case MUSTER_FLOAT32:
    case MUSTER_COMPLEX64:
        for (size_t part = 0; part < size; part += 4)
            fill_float(at + part, state);
        return;
    case MUSTER_FLOAT64:
    case MUSTER_COMPLEX128:
        for (size_t part = 0; part < size; part += 8)
            fill_double(at + part, state);
        return;
    default:
        fill_pair(at, dtype, state);
    }
}

void fill_elements(void *to, size_t count, muster_dtype dtype, uint64_t seed)
{
    size_t size = muster_dtype_size(dtype);
    uint64_t state = seed;

    if (is_any_bits(dtype)) {
        fill_bits(to, count * size, &state);
        return;
    }
    for (size_t i = 0; i < count; i++)
        fill_one((unsigned char *)to + i * size, dtype, size, &state);
}
