/* The reference of oracle.h. */
#include "tests/harness/oracle.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* ---- 16-bit floats, by arithmetic ---- */

typedef struct half_format {
    int exponent_bits, fraction_bits;
} half_format;

static half_format format_of(muster_dtype dtype)
{
    return dtype == MUSTER_FLOAT16 ? (half_format){ 5, 10 } : (half_format){ 8, 7 };
}

double oracle_of_half(uint16_t half, muster_dtype dtype)
{
    half_format f = format_of(dtype);
    int exponent = (half >> f.fraction_bits) & ((1 << f.exponent_bits) - 1);
    int fraction = half & ((1 << f.fraction_bits) - 1);
    int bias = (1 << (f.exponent_bits - 1)) - 1;
    double value;

    if (exponent == (1 << f.exponent_bits) - 1)
        value = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexp(fraction, 1 - bias - f.fraction_bits);
    else
        value = ldexp((1 << f.fraction_bits) + fraction, exponent - bias - f.fraction_bits);
    return half & 0x8000 ? -value : value;
}

uint16_t oracle_to_half(float value, muster_dtype dtype)
{
    half_format f = format_of(dtype);
    int bias = (1 << (f.exponent_bits - 1)) - 1;
    int infinity = ((1 << f.exponent_bits) - 1) << f.fraction_bits;
    int sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs((double)value);
    int exponent;

    if (isnan(value))
        return (uint16_t)(sign | infinity | 1 << (f.fraction_bits - 1));
    if (isinf(value))
        return (uint16_t)(sign | infinity);
    frexp(magnitude, &exponent);
    if (magnitude == 0 || exponent - 1 < 1 - bias) /* subnormal: the last place is fixed */
        exponent = 2 - bias;
    /* rint rounds to nearest even; what it counts is units of the last place, carries included. */
    double units = rint(ldexp(magnitude, f.fraction_bits - (exponent - 1)));
    double bits = units + (double)(exponent - 1 + bias - 1) * (1 << f.fraction_bits);
    return (uint16_t)(sign | (bits >= infinity ? infinity : (int)bits));
}

/* ---- reducing ---- */

float oracle_combine_floats(float a, float b, muster_op op)
{
    switch (op) {
    case MUSTER_SUM:
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

static void reduce_complex(float a[2], const float b[2], muster_op op)
{
    float re = a[0], im = a[1];
    bool first_nan = isnan(a[0]) || isnan(a[1]), second_nan = isnan(b[0]) || isnan(b[1]);

    if (op == MUSTER_SUM) {
        a[0] = re + b[0];
        a[1] = im + b[1];
    } else if (first_nan) {
        return;
    } else if (second_nan) {
        a[0] = b[0];
        a[1] = b[1];
    } else if (op == MUSTER_PROD) {
        float ac = re * b[0], bd = im * b[1], ad = re * b[1], bc = im * b[0];

        a[0] = ac - bd;
        a[1] = ad + bc;
    } else {
        bool less = re < b[0] || (re == b[0] && im < b[1]);
        bool more = re > b[0] || (re == b[0] && im > b[1]);

        if (op == MUSTER_MAX ? less : more) {
            a[0] = b[0];
            a[1] = b[1];
        }
    }
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
    default:
        return a < b ? a : b;
    }
}

static uint64_t reduce_unsigned(uint64_t a, uint64_t b, muster_op op)
{
    switch (op) {
    case MUSTER_SUM:
        return a + b;
    case MUSTER_PROD:
        return a * b;
    case MUSTER_MAX:
        return a > b ? a : b;
    default:
        return a < b ? a : b;
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
    bool any = false, all = true;

    for (int i = 0; i < n; i++) {
        bool value = ((const unsigned char *)inputs[i])[at] != 0;

        any = any || value;
        all = all && value;
    }
    *to = op == MUSTER_SUM || op == MUSTER_MAX ? any : all;
}

static void reduce_halves(uint16_t *to, const void *const *inputs, int n, size_t at, muster_dtype dtype,
                          muster_op op)
{
    float acc = 0;

    for (int i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, (const char *)inputs[i] + at, 2);
        float next = (float)oracle_of_half(half, dtype);

        acc = i ? oracle_combine_floats(acc, next, op) : next;
    }
    uint16_t result = oracle_to_half(acc, dtype);
    memcpy(to, &result, 2);
}

void oracle_reduce(void *to, const void *const *inputs, int n, size_t index, muster_dtype dtype, muster_op op)
{
    size_t at = index * muster_dtype_size(dtype);

    if (n == 1) {
        memcpy(to, (const char *)inputs[0] + at, muster_dtype_size(dtype));
        return;
    }
    switch (dtype) {
    case MUSTER_BOOL:
        reduce_bools(to, inputs, n, at, op);
        return;
    case MUSTER_FLOAT16:
    case MUSTER_BFLOAT16:
        reduce_halves(to, inputs, n, at, dtype, op);
        return;
    case MUSTER_FLOAT32: {
        float acc = 0, next;
        for (int i = 0; i < n; i++) {
            memcpy(&next, (const char *)inputs[i] + at, 4);
            acc = i ? oracle_combine_floats(acc, next, op) : next;
        }
        memcpy(to, &acc, 4);
        return;
    }
    case MUSTER_FLOAT64: {
        double acc = 0, next;
        for (int i = 0; i < n; i++) {
            memcpy(&next, (const char *)inputs[i] + at, 8);
            acc = i ? reduce_double(acc, next, op) : next;
        }
        memcpy(to, &acc, 8);
        return;
    }
    case MUSTER_COMPLEX64: {
        float acc[2], next[2];
        memcpy(acc, (const char *)inputs[0] + at, 8);
        for (int i = 1; i < n; i++) {
            memcpy(next, (const char *)inputs[i] + at, 8);
            reduce_complex(acc, next, op);
        }
        memcpy(to, acc, 8);
        return;
    }
    default:
        reduce_integers(to, inputs, n, at, dtype, op);
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

bool oracle_same(const void *a, const void *b, muster_dtype dtype)
{
    double x, y;
    uint16_t p, q;

    switch (dtype) {
    case MUSTER_FLOAT16:
    case MUSTER_BFLOAT16:
        memcpy(&p, a, 2);
        memcpy(&q, b, 2);
        return p == q || (isnan(oracle_of_half(p, dtype)) && isnan(oracle_of_half(q, dtype)));
    case MUSTER_FLOAT32:
        return same_float(a, b);
    case MUSTER_FLOAT64:
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        return (isnan(x) && isnan(y)) || memcmp(a, b, 8) == 0;
    case MUSTER_COMPLEX64:
        return same_float(a, b) && same_float((const char *)a + 4, (const char *)b + 4);
    default:
        return memcmp(a, b, muster_dtype_size(dtype)) == 0;
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

static void fill_one(unsigned char *at, muster_dtype dtype, uint64_t *state)
{
    uint64_t bits;
    uint16_t half;
    float single;
    double real;

    switch (dtype) {
    case MUSTER_BOOL:
        *at = (unsigned char)(random_next(state) & 1);
        return;
    case MUSTER_FLOAT16:
    case MUSTER_BFLOAT16:
        half = oracle_to_half((float)random_real(state), dtype);
        memcpy(at, &half, 2);
        return;
    case MUSTER_FLOAT32:
    case MUSTER_COMPLEX64:
        for (size_t part = 0; part < muster_dtype_size(dtype) / 4; part++) {
            single = (float)random_real(state);
            memcpy(at + 4 * part, &single, 4);
        }
        return;
    case MUSTER_FLOAT64:
        real = random_real(state);
        memcpy(at, &real, 8);
        return;
    default:
        bits = random_next(state);
        memcpy(at, &bits, muster_dtype_size(dtype));
    }
}

void fill_elements(void *to, size_t count, muster_dtype dtype, uint64_t seed)
{
    uint64_t state = seed;

    for (size_t i = 0; i < count; i++)
        fill_one((unsigned char *)to + i * muster_dtype_size(dtype), dtype, &state);
}
