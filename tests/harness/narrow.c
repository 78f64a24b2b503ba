/* The arithmetic of narrow.h. */
#include "tests/harness/narrow.h"

#include <math.h>
#include <string.h>

typedef struct narrow_format {
    int exponent_bits, fraction_bits;
    int largest;  /* bits of the largest finite value */
    int overflow; /* bits of what is larger: infinity, or the largest where there is none */
    int nan;
} narrow_format;

static narrow_format format_of(muster_dtype dtype)
{
    switch (dtype) {
    case MUSTER_FLOAT16:
        return (narrow_format){ 5, 10, 0x7bff, 0x7c00, 0x7e00 };
    case MUSTER_BFLOAT16:
        return (narrow_format){ 8, 7, 0x7f7f, 0x7f80, 0x7fc0 };
    case MUSTER_FLOAT8_E5M2:
        return (narrow_format){ 5, 2, 0x7b, 0x7c, 0x7e };
    default:
        return (narrow_format){ 4, 3, 0x7e, 0x7e, 0x7f };
    }
}

bool narrow_is(muster_dtype dtype)
{
    return dtype == MUSTER_FLOAT16 || dtype == MUSTER_BFLOAT16 || dtype == MUSTER_FLOAT8_E4M3 ||
           dtype == MUSTER_FLOAT8_E5M2;
}

double narrow_value(uint16_t bits, muster_dtype dtype)
{
    narrow_format f = format_of(dtype);
    int sign = 1 << (f.exponent_bits + f.fraction_bits), magnitude = bits & (sign - 1);
    int exponent = magnitude >> f.fraction_bits, fraction = magnitude & ((1 << f.fraction_bits) - 1);
    int bias = (1 << (f.exponent_bits - 1)) - 1;
    double value;

    if (magnitude > f.largest)
        value = magnitude == f.overflow && f.overflow != f.nan ? INFINITY : NAN;
    else if (exponent == 0)
        value = ldexp(fraction, 1 - bias - f.fraction_bits);
    else
        value = ldexp((1 << f.fraction_bits) + fraction, exponent - bias - f.fraction_bits);
    return bits & sign ? -value : value;
}

uint16_t narrow_round(double value, muster_dtype dtype)
{
    narrow_format f = format_of(dtype);
    int bias = (1 << (f.exponent_bits - 1)) - 1;
    int sign = signbit(value) ? 1 << (f.exponent_bits + f.fraction_bits) : 0;
    double magnitude = fabs(value);
    int exponent;

    if (isnan(value))
        return (uint16_t)(sign | f.nan);
    if (isinf(value))
        return (uint16_t)(sign | f.overflow);
    frexp(magnitude, &exponent);
    if (magnitude == 0 || exponent - 1 < 1 - bias) /* subnormal: the last place is fixed */
        exponent = 2 - bias;
    /* rint rounds to nearest even; what it counts is units of the last place, carries included. */
    double units = rint(ldexp(magnitude, f.fraction_bits - (exponent - 1)));
    double bits = units + (double)(exponent - 1 + bias - 1) * (1 << f.fraction_bits);
    return (uint16_t)(sign | (bits > f.largest ? f.overflow : (int)bits));
}

double narrow_load(const void *at, muster_dtype dtype)
{
    uint16_t bits = 0;

    memcpy(&bits, at, muster_dtype_size(dtype));
    return narrow_value(bits, dtype);
}

void narrow_store(void *at, double value, muster_dtype dtype)
{
    uint16_t bits = narrow_round(value, dtype);

    memcpy(at, &bits, muster_dtype_size(dtype));
}
