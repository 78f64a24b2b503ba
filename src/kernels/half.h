/*
 * float16 and bfloat16 to float32 and back, with integers and without branches, so that compilers vectorise
 * them and every instruction-set level gives the bits of the hardware's conversions: round to nearest even;
 * NaNs keep their sign and leading payload and become quiet.
 */
#ifndef MST_HALF_H
#define MST_HALF_H

#include <stdint.h>
#include <string.h>

static inline float mst_float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t mst_bits_of_float(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float mst_float_of_bfloat16(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    uint32_t quiet = (bits & 0x7fffffff) > 0x7f800000 ? 0x400000 : 0;

    return mst_float_of_bits(bits | quiet);
}

static inline uint16_t mst_bfloat16_of_float(float value)
{
    uint32_t bits = mst_bits_of_float(value);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    uint32_t nan = (bits >> 16) | 0x40;

    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

static inline float mst_float_of_float16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t magnitude = half & 0x7fff;
    uint32_t shifted = magnitude << 13;
    uint32_t normal = shifted + (112U << 23);
    uint32_t special = shifted | 0x7f800000 | (magnitude > 0x7c00 ? 0x400000 : 0);
    uint32_t tiny = mst_bits_of_float((float)(int32_t)magnitude * 0x1p-24f); /* exact */
    uint32_t bits = magnitude >= 0x7c00 ? special : magnitude < 0x400 ? tiny : normal;

    return mst_float_of_bits(sign | bits);
}

static inline uint16_t mst_float16_of_float(float value)
{
    uint32_t bits = mst_bits_of_float(value);
    uint32_t sign = (bits >> 16) & 0x8000;
    uint32_t magnitude = bits & 0x7fffffff;
    uint32_t nan = 0x7e00 | ((magnitude >> 13) & 0x3ff);
    /* Below 2^-14, the sum with 0.5 has the subnormal's bits at its end, rounded by the addition. */
    uint32_t tiny = mst_bits_of_float(mst_float_of_bits(magnitude) + 0.5f) - 0x3f000000;
    uint32_t normal = (magnitude + 0xfff + ((magnitude >> 13) & 1) - (112U << 23)) >> 13;
    uint32_t half = magnitude > 0x7f800000    ? nan
                    : magnitude >= 0x477ff000 ? 0x7c00
                    : magnitude < 0x38800000  ? tiny
                                              : normal;

    return (uint16_t)(sign | half);
}

#endif
