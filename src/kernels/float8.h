/*
 * 8-bit floats in vectors, for kernels.c: widened to float32, and narrowed, rounding once. E4M3 has four bits
 * of exponent, three of fraction, one NaN of each sign and no infinity: what rounds to more than 448 becomes
 * 448. E5M2 is the upper half of a float16, and what rounds to more than 57344 becomes infinite. The OCP
 * specification leaves that open; this is what PyTorch does since 2.13 (pull request 178817), but for the
 * sign and payload of NaNs, which are kept, as far as they fit, and made quiet. ml_dtypes makes NaN of E4M3
 * that overflows. (OCP 8-bit Floating Point Specification, revision 1.0)
 */
#ifndef MST_FLOAT8_H
#define MST_FLOAT8_H

#include "src/kernels/floats.h"

typedef uint8_t eighths __attribute__((vector_size(VECTOR_BYTES / 4)));

static inline bits_f32 load_eighths(const u8 *from)
{
#if defined(__AVX512F__)
    return (bits_f32)_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)from));
#elif defined(__AVX2__)
    return (bits_f32)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)from));
#else
    eighths narrow;

    memcpy(&narrow, from, sizeof narrow);
    return __builtin_convertvector(narrow, bits_f32);
#endif
}

/* Stores the lowest byte of each lane. */
static inline void store_eighths(u8 *to, bits_f32 value)
{
#if defined(__AVX512F__)
    _mm_storeu_si128((void *)to, _mm512_cvtepi32_epi8((__m512i)value));
#elif defined(__AVX2__)
    __m256i lowest = _mm256_set1_epi32(0x0c080400), both = _mm256_shuffle_epi8((__m256i)value, lowest);
    __m128i low = _mm256_castsi256_si128(both), high = _mm256_extracti128_si256(both, 1);

    _mm_storel_epi64((void *)to, _mm_unpacklo_epi32(low, high));
#else
    eighths narrow = __builtin_convertvector(value, eighths);

    memcpy(to, &narrow, sizeof narrow);
#endif
}

static inline vector_f32 load_e4m3(const u8 *from)
{
    bits_f32 wide = load_eighths(from), magnitude = wide & 0x7f, shifted = magnitude << 20;
    ints_f32 ordered = (ints_f32)magnitude;
    bits_f32 tiny = (bits_f32)(__builtin_convertvector(ordered, vector_f32) * 0x1p-9f); /* exact */
    bits_f32 finite = pick(ordered < 8, tiny, shifted + (120U << 23));

    return (vector_f32)((wide & 0x80) << 24 | pick(ordered == 0x7f, (bits_f32){ 0 } + 0x7fc00000, finite));
}

/* Below 2^-6, the sum with 2^14 has the subnormal's bits at its end, rounded by the addition. */
static inline void store_e4m3(u8 *to, vector_f32 value)
{
    bits_f32 bits = (bits_f32)value, magnitude = bits & 0x7fffffff;
    ints_f32 ordered = (ints_f32)magnitude;
    bits_f32 tiny = (bits_f32)((vector_f32)magnitude + 0x1p14f) - 0x46800000;
    bits_f32 normal = (magnitude + 0x7ffff + ((magnitude >> 20) & 1) - (120U << 23)) >> 20;
    bits_f32 finite = pick(ordered < 0x3c800000, tiny, normal);
    bits_f32 number = pick(ordered > 0x43e00000, (bits_f32){ 0 } + 0x7e, finite);

    store_eighths(to, (bits >> 24 & 0x80) | pick(ordered > 0x7f800000, (bits_f32){ 0 } + 0x7f, number));
}

static inline vector_f32 load_e5m2(const u8 *from)
{
#if defined(__AVX512F__)
    __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)from));

    return (vector_f32)_mm512_cvtph_ps(_mm256_slli_epi16(wide, 8));
#elif defined(__AVX2__) && defined(__F16C__)
    __m128i wide = _mm_cvtepu8_epi16(_mm_loadl_epi64((const void *)from));

    return (vector_f32)_mm256_cvtph_ps(_mm_slli_epi16(wide, 8));
#else
    return widen_f16(__builtin_convertvector(load_eighths(from) << 8, halves));
#endif
}

/* Below 2^-14, the sum with 2^7 has the subnormal's bits at its end, rounded by the addition. */
static inline void store_e5m2(u8 *to, vector_f32 value)
{
    bits_f32 bits = (bits_f32)value, magnitude = bits & 0x7fffffff;
    ints_f32 ordered = (ints_f32)magnitude;
    bits_f32 nan = 0x7e | ((magnitude >> 21) & 3);
    bits_f32 tiny = (bits_f32)((vector_f32)magnitude + 0x1p7f) - 0x43000000;
    bits_f32 normal = (magnitude + 0xfffff + ((magnitude >> 21) & 1) - (112U << 23)) >> 21;
    bits_f32 finite = pick(ordered < 0x38800000, tiny, normal);
    bits_f32 number = pick(ordered >= 0x47700000, (bits_f32){ 0 } + 0x7c, finite);

    store_eighths(to, (bits >> 24 & 0x80) | pick(ordered > 0x7f800000, nan, number));
}

SOME_NARROW(e4m3, u8, vector_f32, LANES_32)
SOME_NARROW(e5m2, u8, vector_f32, LANES_32)

#endif
