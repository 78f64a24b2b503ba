/*
 * Reductions that multiply or divide, for kernels.c: averages, and sums of which each source has a factor.
 *
 * An average is a sum, divided once. Of narrow floats the sum is in float32, and quotient and narrowing
 * together must round once: the quotient is rounded to odd (inexact ones get the neighbour whose last bit is
 * 1), so that the narrowing sees on which side of a tie it lies.
 *
 * Sums with factors go over a block of accumulators, source by source.
 */
#ifndef MST_SCALED_H
#define MST_SCALED_H

#include "src/kernels/passes.h"

/* ---- averages ---- */

/* The remainder of a division is exact if the quotient's upper and lower halves, of 13 and 11 bits, are
 * multiplied alone: a number of ranks has at most 11 bits. */
static inline vector_f32 mean_f32(vector_f32 sum, int count)
{
    float divisor = (float)count;
    vector_f32 quotient = sum / divisor;
    bits_f32 bits = (bits_f32)quotient;
    vector_f32 high = (vector_f32)(bits & 0xfffff800), low = quotient - high;
    vector_f32 left = (sum - high * divisor) - low * divisor;
    bits_f32 inexact = (bits_f32)(left > 0) | (bits_f32)(left < 0); /* false for NaN */
    bits_f32 outward = 1 - (((bits_f32)left ^ bits) >> 31) * 2;     /* 1, or -1: towards zero */

    return (vector_f32)(bits + (outward & inexact & ((bits & 1) - 1)));
}

static inline pair_bf16 mean_bf16(pair_bf16 sum, int count)
{
    return (pair_bf16){ mean_f32(sum.low, count), mean_f32(sum.high, count) };
}

/* Divides what REDUCE_ANY_NUMBER's passes have added up: elements of PARTS numbers each. */
#define REDUCE_MEAN(NAME, SUM, ELEMENT, PART, PARTS)                                                         \
    static void NAME##_divide(void *block, int source_count, size_t count)                                   \
    {                                                                                                        \
        PART *parts = block;                                                                                 \
                                                                                                             \
        for (size_t i = 0; i < count * (PARTS) && source_count > 1; i++)                                     \
            parts[i] = parts[i] / (PART)source_count;                                                        \
    }                                                                                                        \
                                                                                                             \
    static void NAME(void *destination, const void *const *sources, int source_count, size_t count)          \
    {                                                                                                        \
        reduce_in_passes(SUM##_pass, NAME##_divide, sizeof(ELEMENT), destination, sources, source_count,     \
                         count);                                                                             \
    }

/* ---- sums with factors ---- */

#define SCALED_BLOCK 32 /* accumulators: they stay in the first-level cache */

/* The factor of source `s`. */
#define FACTOR(s) ((const unsigned char *)factors + (size_t)(s)*stride)

#define SCALED_VECTORS(NAME, ELEMENT, VECTOR, LANES, FORM, COMBINES)                                         \
    static inline VECTOR NAME##_spread(const void *factor)                                                   \
    {                                                                                                        \
        ELEMENT line[LANES];                                                                                 \
        const ELEMENT *at = line;                                                                            \
                                                                                                             \
        for (size_t i = 0; i < (LANES); i++)                                                                 \
            memcpy(line + i, factor, sizeof *line);                                                          \
        return load_##FORM(at);                                                                              \
    }                                                                                                        \
                                                                                                             \
    static inline VECTOR NAME##_add(const VECTOR *acc, VECTOR value, VECTOR factor)                          \
    {                                                                                                        \
        VECTOR scaled = prod_##COMBINES(value, factor);                                                      \
                                                                                                             \
        return acc ? sum_##COMBINES(*acc, scaled) : scaled;                                                  \
    }                                                                                                        \
                                                                                                             \
    static void NAME##_block(VECTOR *acc, const ELEMENT *in, VECTOR factor, bool first, size_t count)        \
    {                                                                                                        \
        size_t whole = count / (LANES), rest = count % (LANES);                                              \
                                                                                                             \
        for (size_t v = 0; v < whole; v++)                                                                   \
            acc[v] = NAME##_add(first ? NULL : acc + v, load_##FORM(in + v * (LANES)), factor);              \
        if (rest)                                                                                            \
            acc[whole] = NAME##_add(first ? NULL : acc + whole,                                              \
                                    load_some_##FORM(in + whole * (LANES), rest), factor);                   \
    }                                                                                                        \
                                                                                                             \
    static void NAME(void *to, const void *const *sources, const void *factors, size_t stride, int n,        \
                     size_t count)                                                                           \
    {                                                                                                        \
        VECTOR acc[SCALED_BLOCK];                                                                            \
                                                                                                             \
        for (size_t base = 0; base < count; base += SCALED_BLOCK * (LANES)) {                                \
            size_t left = count - base, now = left < SCALED_BLOCK * (LANES) ? left : SCALED_BLOCK * (LANES); \
            ELEMENT *out = (ELEMENT *)to + base;                                                             \
                                                                                                             \
            for (int s = 0; s < n; s++)                                                                      \
                NAME##_block(acc, (const ELEMENT *)sources[s] + base, NAME##_spread(FACTOR(s)), s == 0,      \
                             now);                                                                           \
            for (size_t v = 0; v < now / (LANES); v++)                                                       \
                store_##FORM(out + v * (LANES), acc[v]);                                                     \
            if (now % (LANES))                                                                               \
                store_some_##FORM(out + now / (LANES) * (LANES), acc[now / (LANES)], now % (LANES));         \
        }                                                                                                    \
    }

/* The same, one element at a time. There is at least one source. */
#define SCALED_EACH(NAME, ELEMENT, WIDE, WIDEN, NARROW, PROD, SUM)                                           \
    static void NAME##_block(WIDE *acc, const ELEMENT *in, ELEMENT factor, bool first, size_t count)         \
    {                                                                                                        \
        for (size_t i = 0; i < count; i++) {                                                                 \
            WIDE scaled = (WIDE)PROD((WIDE)WIDEN(in[i]), (WIDE)WIDEN(factor));                               \
                                                                                                             \
            acc[i] = first ? scaled : (WIDE)SUM(acc[i], scaled);                                             \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    static void NAME(void *to, const void *const *sources, const void *factors, size_t stride, int n,        \
                     size_t count)                                                                           \
    {                                                                                                        \
        WIDE acc[BLOCK_BYTES / sizeof(WIDE)];                                                                \
        const size_t most = sizeof acc / sizeof *acc;                                                        \
                                                                                                             \
        for (size_t base = 0; base < count; base += most) {                                                  \
            size_t now = count - base < most ? count - base : most;                                          \
            int s = 0;                                                                                       \
                                                                                                             \
            do {                                                                                             \
                ELEMENT factor;                                                                              \
                                                                                                             \
                memcpy(&factor, FACTOR(s), sizeof factor);                                                   \
                NAME##_block(acc, (const ELEMENT *)sources[s] + base, factor, s == 0, now);                  \
            } while (++s < n);                                                                               \
            for (size_t i = 0; i < now; i++)                                                                 \
                ((ELEMENT *)to)[base + i] = NARROW(acc[i]);                                                  \
        }                                                                                                    \
    }

#endif
