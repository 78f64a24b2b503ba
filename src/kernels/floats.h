/*
 * Floats in vectors as wide as the instruction-set level allows, for kernels.c: how they are loaded, combined
 * and stored. Written with the compiler's vector types, and with intrinsics where the compiler generates poor
 * code for a conversion.
 */
#ifndef MST_FLOATS_H
#define MST_FLOATS_H

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "src/kernels/half.h"

/* Elements at any address, aliasing anything. */
#define ANYWHERE __attribute__((aligned(1), may_alias))
typedef uint8_t u8;
typedef uint16_t u16 ANYWHERE;
typedef uint32_t u32 ANYWHERE;
typedef uint64_t u64 ANYWHERE;
typedef int8_t s8;
typedef int16_t s16 ANYWHERE;
typedef int32_t s32 ANYWHERE;
typedef int64_t s64 ANYWHERE;
typedef float f32 ANYWHERE;
typedef double f64 ANYWHERE;

/* ---- combining: the first NaN wins, made quiet by adding it to itself; -0 < +0 ---- */

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define LANES_32 (VECTOR_BYTES / 4)
#define LANES_64 (VECTOR_BYTES / 8)

typedef float vector_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t bits_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t ints_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef double vector_f64 __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t bits_f64 __attribute__((vector_size(VECTOR_BYTES)));
typedef uint16_t halves __attribute__((vector_size(VECTOR_BYTES / 2)));

/* Comparing vectors gives all ones or zero in each lane. For max, equal values have equal bits unless they
 * are zeros: AND gives +0 unless both are -0. For min, OR gives -0 unless both are +0. */
#define FLOAT_COMBINES(KIND, VECTOR, BITS)                                                                   \
    static inline VECTOR choose_##KIND(BITS which, VECTOR a, VECTOR b)                                       \
    {                                                                                                        \
        return (VECTOR)((which & (BITS)a) | (~which & (BITS)b));                                             \
    }                                                                                                        \
                                                                                                             \
    static inline VECTOR prod_##KIND(VECTOR a, VECTOR b)                                                     \
    {                                                                                                        \
        return a * choose_##KIND((BITS)(a != a), a, b);                                                      \
    }                                                                                                        \
                                                                                                             \
    static inline VECTOR or_nan_##KIND(VECTOR a, VECTOR b, VECTOR number)                                    \
    {                                                                                                        \
        BITS a_is_nan = (BITS)(a != a), b_is_nan = (BITS)(b != b);                                           \
        VECTOR nan = choose_##KIND(a_is_nan, a, b);                                                          \
                                                                                                             \
        return choose_##KIND(a_is_nan | b_is_nan, nan + nan, number);                                        \
    }                                                                                                        \
                                                                                                             \
    static inline VECTOR max_##KIND(VECTOR a, VECTOR b)                                                      \
    {                                                                                                        \
        VECTOR larger = choose_##KIND((BITS)(a > b), a, b), equal = (VECTOR)((BITS)a & (BITS)b);             \
                                                                                                             \
        return or_nan_##KIND(a, b, choose_##KIND((BITS)(a == b), equal, larger));                            \
    }                                                                                                        \
                                                                                                             \
    static inline VECTOR min_##KIND(VECTOR a, VECTOR b)                                                      \
    {                                                                                                        \
        VECTOR smaller = choose_##KIND((BITS)(a < b), a, b), equal = (VECTOR)((BITS)a | (BITS)b);            \
                                                                                                             \
        return or_nan_##KIND(a, b, choose_##KIND((BITS)(a == b), equal, smaller));                           \
    }

FLOAT_COMBINES(f32, vector_f32, bits_f32)
FLOAT_COMBINES(f64, vector_f64, bits_f64)

/* The CPU's addition obeys the rule, but compilers may exchange its operands. */
#if defined(__AVX__)
#define FLOAT_SUM(KIND, VECTOR, BITS, ADD)                                                                   \
    static inline VECTOR sum_##KIND(VECTOR a, VECTOR b)                                                      \
    {                                                                                                        \
        VECTOR sum;                                                                                          \
                                                                                                             \
        __asm__(ADD " %2, %1, %0" : "=v"(sum) : "v"(a), "v"(b));                                             \
        return sum;                                                                                          \
    }
#else
#define FLOAT_SUM(KIND, VECTOR, BITS, ADD)                                                                   \
    static inline VECTOR sum_##KIND(VECTOR a, VECTOR b)                                                      \
    {                                                                                                        \
        return a + choose_##KIND((BITS)(a != a), a, b);                                                      \
    }
#endif

FLOAT_SUM(f32, vector_f32, bits_f32, "vaddps")
FLOAT_SUM(f64, vector_f64, bits_f64, "vaddpd")

/* ---- loading and storing ---- */

static inline vector_f32 load_f32(const f32 *from)
{
    vector_f32 value;

    memcpy(&value, from, sizeof value);
    return value;
}

static inline void store_f32(f32 *to, vector_f32 value)
{
    memcpy(to, &value, sizeof value);
}

static inline vector_f64 load_f64(const f64 *from)
{
    vector_f64 value;

    memcpy(&value, from, sizeof value);
    return value;
}

static inline void store_f64(f64 *to, vector_f64 value)
{
    memcpy(to, &value, sizeof value);
}

/* The conversions of half.h, per lane. Magnitudes are below 2^31, so a signed comparison is correct, and SSE2
 * has no other. */
static inline bits_f32 pick(ints_f32 which, bits_f32 a, bits_f32 b)
{
    return ((bits_f32)which & a) | (~(bits_f32)which & b);
}

static inline vector_f32 widen_f16(halves half)
{
    bits_f32 wide = __builtin_convertvector(half, bits_f32);
    bits_f32 magnitude = wide & 0x7fff, shifted = magnitude << 13;
    ints_f32 ordered = (ints_f32)magnitude;
    bits_f32 special = shifted | 0x7f800000 | ((bits_f32)(ordered > 0x7c00) & 0x400000);
    bits_f32 tiny = (bits_f32)(__builtin_convertvector(ordered, vector_f32) * 0x1p-24f); /* exact */
    bits_f32 bits = pick(ordered < 0x400, tiny, shifted + (112U << 23));

    return (vector_f32)((wide & 0x8000) << 16 | pick(ordered >= 0x7c00, special, bits));
}

static inline halves narrow_f16(vector_f32 value)
{
    bits_f32 bits = (bits_f32)value, magnitude = bits & 0x7fffffff;
    ints_f32 ordered = (ints_f32)magnitude;
    bits_f32 nan = 0x7e00 | ((magnitude >> 13) & 0x3ff);
    bits_f32 tiny = (bits_f32)((vector_f32)magnitude + 0.5f) - 0x3f000000;
    bits_f32 normal = (magnitude + 0xfff + ((magnitude >> 13) & 1) - (112U << 23)) >> 13;
    bits_f32 finite = pick(ordered < 0x38800000, tiny, normal);
    bits_f32 half = pick(ordered >= 0x477ff000, (bits_f32){ 0 } + 0x7c00, finite);

    half = pick(ordered > 0x7f800000, nan, half) | (bits >> 16 & 0x8000);
    return __builtin_convertvector(half, halves);
}

/* Uses the CPU's conversions where available; they give the same bits as half.h. */
static inline vector_f32 load_f16(const u16 *from)
{
#if defined(__AVX512F__)
    return (vector_f32)_mm512_cvtph_ps(_mm256_loadu_si256((const void *)from));
#elif defined(__AVX2__) && defined(__F16C__)
    return (vector_f32)_mm256_cvtph_ps(_mm_loadu_si128((const void *)from));
#elif defined(__aarch64__)
    return (vector_f32)vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const void *)from)));
#else
    halves half;

    memcpy(&half, from, sizeof half);
    return widen_f16(half);
#endif
}

static inline void store_f16(u16 *to, vector_f32 value)
{
#if defined(__AVX512F__)
    _mm256_storeu_si256((void *)to, _mm512_cvtps_ph((__m512)value, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__AVX2__) && defined(__F16C__)
    _mm_storeu_si128((void *)to, _mm256_cvtps_ph((__m256)value, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__aarch64__)
    vst1_u8((void *)to, vreinterpret_u8_f16(vcvt_f16_f32((float32x4_t)value)));
#else
    halves half = narrow_f16(value);

    memcpy(to, &half, sizeof half);
#endif
}

/*
 * bfloat16 is loaded two vectors at a time: the elements in the low halves of 32-bit words and those in the
 * high halves, which a shift or a mask turns into floats, and which are combined again in the same way. No
 * element changes its lane.
 *
 * Storing need not handle NaNs: a NaN from bfloat16 has zeros in the 16 bits that are rounded away, and so
 * has a NaN that the CPU creates, so rounding leaves them unchanged; and combining has made them quiet.
 */
typedef struct pair_bf16 {
    vector_f32 low, high;
} pair_bf16;

static inline pair_bf16 load_bf16(const u16 *from)
{
    bits_f32 words;

    memcpy(&words, from, sizeof words);
    return (pair_bf16){ (vector_f32)(words << 16), (vector_f32)(words & 0xffff0000) };
}

/* mst_bfloat16_of_float without its handling of NaNs, per lane, into the high halves; the low halves are
 * meaningless. Not AVX512_BF16's conversion, which flushes subnormals to zero. */
static inline bits_f32 round_bf16(vector_f32 value)
{
    bits_f32 bits = (bits_f32)value;

    return bits + 0x7fff + (bits >> 16 & 1);
}

static inline void store_bf16(u16 *to, pair_bf16 value)
{
    bits_f32 words = round_bf16(value.low) >> 16 | (round_bf16(value.high) & 0xffff0000);

    memcpy(to, &words, sizeof words);
}

#define PAIR_COMBINE(OP)                                                                                     \
    static inline pair_bf16 OP##_bf16(pair_bf16 a, pair_bf16 b)                                              \
    {                                                                                                        \
        return (pair_bf16){ OP##_f32(a.low, b.low), OP##_f32(a.high, b.high) };                              \
    }

PAIR_COMBINE(sum)
PAIR_COMBINE(prod)
PAIR_COMBINE(max)
PAIR_COMBINE(min)

/* ---- the first lanes of a vector: the others load as 0, and are not stored ---- */

#if defined(__AVX512F__)
static inline __mmask32 lanes(size_t count)
{
    return (__mmask32)((1ULL << count) - 1);
}

static inline vector_f32 load_some_f32(const f32 *from, size_t count)
{
    return (vector_f32)_mm512_maskz_loadu_ps((__mmask16)lanes(count), from);
}

static inline void store_some_f32(f32 *to, vector_f32 value, size_t count)
{
    _mm512_mask_storeu_ps(to, (__mmask16)lanes(count), (__m512)value);
}

static inline vector_f64 load_some_f64(const f64 *from, size_t count)
{
    return (vector_f64)_mm512_maskz_loadu_pd((__mmask8)lanes(count), from);
}

static inline void store_some_f64(f64 *to, vector_f64 value, size_t count)
{
    _mm512_mask_storeu_pd(to, (__mmask8)lanes(count), (__m512d)value);
}
#elif defined(__AVX2__)
/* Masks of `count` lanes begin so many lanes before the end of the ones. */
static const int32_t ones_and_zeros[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };

static inline __m256i lanes_f32(size_t count)
{
    return _mm256_loadu_si256((const void *)(ones_and_zeros + 8 - count));
}

static inline __m256i lanes_f64(size_t count)
{
    return _mm256_loadu_si256((const void *)(ones_and_zeros + 8 - 2 * count));
}

static inline vector_f32 load_some_f32(const f32 *from, size_t count)
{
    return (vector_f32)_mm256_maskload_ps((const void *)from, lanes_f32(count));
}

static inline void store_some_f32(f32 *to, vector_f32 value, size_t count)
{
    _mm256_maskstore_ps((void *)to, lanes_f32(count), (__m256)value);
}

static inline vector_f64 load_some_f64(const f64 *from, size_t count)
{
    return (vector_f64)_mm256_maskload_pd((const void *)from, lanes_f64(count));
}

static inline void store_some_f64(f64 *to, vector_f64 value, size_t count)
{
    _mm256_maskstore_pd((void *)to, lanes_f64(count), (__m256d)value);
}
#else
#define SOME_LANES(FORM, VECTOR, LANES)                                                                      \
    static inline VECTOR load_some_##FORM(const FORM *from, size_t count)                                    \
    {                                                                                                        \
        FORM line[LANES] = { 0 };                                                                            \
                                                                                                             \
        memcpy(line, from, count * sizeof *line);                                                            \
        return load_##FORM(line);                                                                            \
    }                                                                                                        \
                                                                                                             \
    static inline void store_some_##FORM(FORM *to, VECTOR value, size_t count)                               \
    {                                                                                                        \
        FORM line[LANES];                                                                                    \
                                                                                                             \
        store_##FORM(line, value);                                                                           \
        memcpy(to, line, count * sizeof *line);                                                              \
    }

SOME_LANES(f32, vector_f32, LANES_32)
SOME_LANES(f64, vector_f64, LANES_64)
#endif

/* Elements of 8 or 16 bits, through a buffer. */
#define SOME_NARROW(FORM, ELEMENT, VECTOR, LANES)                                                            \
    static inline VECTOR load_some_##FORM(const ELEMENT *from, size_t count)                                 \
    {                                                                                                        \
        ELEMENT line[LANES] = { 0 };                                                                         \
        const ELEMENT *at = line;                                                                            \
                                                                                                             \
        memcpy(line, from, count * sizeof *line);                                                            \
        return load_##FORM(at);                                                                              \
    }                                                                                                        \
                                                                                                             \
    static inline void store_some_##FORM(ELEMENT *to, VECTOR value, size_t count)                            \
    {                                                                                                        \
        ELEMENT line[LANES];                                                                                 \
                                                                                                             \
        store_##FORM(line, value);                                                                           \
        memcpy(to, line, count * sizeof *line);                                                              \
    }

SOME_NARROW(f16, u16, vector_f32, LANES_32)
SOME_NARROW(bf16, u16, pair_bf16, 2 * LANES_32)

#endif
