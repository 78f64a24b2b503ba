/*
 * All folds, for one instruction-set level.
 *
 * CMake compiles this file once per level with -DMST_ISA=<name> and the level's flags. Each fold
 * works in blocks that stay in the first-level cache: widen source 0 into accumulators, combine
 * sources 1 ... n-1 in order, narrow and store; two sources need no accumulators. The loops are plain so that
 * the compiler vectorises them; what fixes the bits is written out in the combine functions: which NaN wins,
 * that -0 < +0, and (by -ffp-contract=off) that nothing is fused. Costs one read of each source and one
 * write.
 */
#include "src/reduce/half.h"
#include "src/reduce/reduce.h"

#define BLOCK_BYTES 4096 /* of accumulators: with a source's block well inside 32 KiB */
#define HALF_BLOCK (BLOCK_BYTES / sizeof(float))

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define STRING_(x) #x
#define STRING(x) STRING_(x)

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
typedef struct __attribute__((packed, may_alias)) {
    float re, im;
} c64;

/* ---- integers: unsigned arithmetic wraps ---- */

#define INTEGER_SUM(a, b) ((a) + (b))
#define INTEGER_PROD(a, b) (1U * (a) * (b)) /* 1U: 16 bits would promote to int, and overflow */
#define INTEGER_MAX(a, b) ((a) > (b) ? (a) : (b))
#define INTEGER_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SAME(a) (a)

#define TRUTH(a) ((a) != 0)
#define EITHER(a, b) ((a) | (b))
#define BOTH(a, b) ((a) & (b))

/* ---- floats: the first NaN wins, made quiet by adding it to itself; -0 < +0 ---- */

static inline float sum_f32(float a, float b)
{
    return a + (a != a ? a : b);
}

static inline double sum_f64(double a, double b)
{
    return a + (a != a ? a : b);
}

static inline float prod_f32(float a, float b)
{
    return a * (a != a ? a : b);
}

static inline double prod_f64(double a, double b)
{
    return a * (a != a ? a : b);
}

static inline uint64_t bits_of_double(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double double_of_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Equal values have equal bits unless they are zeros: AND gives +0 unless both are -0. */
static inline float max_f32(float a, float b)
{
    float equal = mst_float_of_bits(mst_bits_of_float(a) & mst_bits_of_float(b));
    float larger = a > b ? a : b;
    float number = a == b ? equal : larger;
    float nan = a != a ? a + a : b + b;

    return a != a || b != b ? nan : number;
}

static inline float min_f32(float a, float b)
{
    float equal = mst_float_of_bits(mst_bits_of_float(a) | mst_bits_of_float(b));
    float smaller = a < b ? a : b;
    float number = a == b ? equal : smaller;
    float nan = a != a ? a + a : b + b;

    return a != a || b != b ? nan : number;
}

static inline double max_f64(double a, double b)
{
    double equal = double_of_bits(bits_of_double(a) & bits_of_double(b));
    double larger = a > b ? a : b;
    double number = a == b ? equal : larger;
    double nan = a != a ? a + a : b + b;

    return a != a || b != b ? nan : number;
}

static inline double min_f64(double a, double b)
{
    double equal = double_of_bits(bits_of_double(a) | bits_of_double(b));
    double smaller = a < b ? a : b;
    double number = a == b ? equal : smaller;
    double nan = a != a ? a + a : b + b;

    return a != a || b != b ? nan : number;
}

/* ---- complex: by parts; order is lexicographic ---- */

typedef struct {
    float re, im;
} complex64;

static inline complex64 load_c64(c64 a)
{
    return (complex64){ a.re, a.im };
}

static inline c64 store_c64(complex64 a)
{
    return (c64){ a.re, a.im };
}

static inline int is_nan_c64(complex64 a)
{
    return a.re != a.re || a.im != a.im;
}

static inline complex64 sum_c64(complex64 a, complex64 b)
{
    return (complex64){ sum_f32(a.re, b.re), sum_f32(a.im, b.im) };
}

static inline complex64 prod_c64(complex64 a, complex64 b)
{
    /* volatile, since gcc 12's vectoriser makes a fused multiply-addsub of this shape even with
     * -ffp-contract=off, and the bits would depend on the level. */
    volatile float ac = a.re * b.re, bd = a.im * b.im, ad = a.re * b.im, bc = a.im * b.re;
    complex64 product = { ac - bd, ad + bc };

    return is_nan_c64(a) ? a : is_nan_c64(b) ? b : product;
}

static inline complex64 max_c64(complex64 a, complex64 b)
{
    int keep = a.re > b.re || (a.re == b.re && a.im >= b.im);

    return is_nan_c64(a) || (keep && !is_nan_c64(b)) ? a : b;
}

static inline complex64 min_c64(complex64 a, complex64 b)
{
    int keep = a.re < b.re || (a.re == b.re && a.im <= b.im);

    return is_nan_c64(a) || (keep && !is_nan_c64(b)) ? a : b;
}

/* ---- the fold ---- */

/* Nothing one iteration stores is what another loads, though destination and a source may be the same.
 * (clang finds out as it runs; told so, it complains of every loop that it cannot vectorise.) */
#if defined(__clang__)
#define INDEPENDENT
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

#define FOLD(NAME, ELEMENT, ACCUMULATOR, WIDEN, NARROW, COMBINE)                                             \
    static void NAME##_2(ELEMENT *out, const ELEMENT *a, const ELEMENT *b, size_t count)                     \
    {                                                                                                        \
        INDEPENDENT                                                                                          \
        for (size_t i = 0; i < count; i++)                                                                   \
            out[i] = NARROW((ACCUMULATOR)COMBINE((ACCUMULATOR)WIDEN(a[i]), (ACCUMULATOR)WIDEN(b[i])));       \
    }                                                                                                        \
                                                                                                             \
    static void NAME(void *destination, const void *const *sources, int source_count, size_t count)          \
    {                                                                                                        \
        ACCUMULATOR acc[BLOCK_BYTES / sizeof(ACCUMULATOR)];                                                  \
        const size_t block = sizeof acc / sizeof acc[0];                                                     \
                                                                                                             \
        if (source_count == 2) {                                                                             \
            NAME##_2(destination, sources[0], sources[1], count);                                            \
            return;                                                                                          \
        }                                                                                                    \
        for (size_t base = 0; base < count; base += block) {                                                 \
            size_t n = count - base < block ? count - base : block;                                          \
            const ELEMENT *first = (const ELEMENT *)sources[0] + base;                                       \
            ELEMENT *out = (ELEMENT *)destination + base;                                                    \
                                                                                                             \
            for (size_t i = 0; i < n; i++)                                                                   \
                acc[i] = (ACCUMULATOR)WIDEN(first[i]);                                                       \
            for (int s = 1; s < source_count; s++) {                                                         \
                const ELEMENT *next = (const ELEMENT *)sources[s] + base;                                    \
                                                                                                             \
                for (size_t i = 0; i < n; i++)                                                               \
                    acc[i] = (ACCUMULATOR)COMBINE(acc[i], (ACCUMULATOR)WIDEN(next[i]));                      \
            }                                                                                                \
            for (size_t i = 0; i < n; i++)                                                                   \
                out[i] = NARROW(acc[i]);                                                                     \
        }                                                                                                    \
    }

/* ---- the fold of 16-bit floats: blocks are widened to float32 and narrowed at the end, by the CPU's
 * conversions where it has them, which give the bits of half.h ---- */

#if defined(__AVX512F__) || defined(__F16C__)
#include <immintrin.h>
#endif

static void widen_f16(float *to, const u16 *from, size_t n)
{
    size_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(to + i, _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(from + i))));
#elif defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(from + i))));
#endif
    for (; i < n; i++)
        to[i] = mst_float_of_float16(from[i]);
}

static void narrow_f16(u16 *to, const float *from, size_t n)
{
    size_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((void *)(to + i),
                            _mm512_cvtps_ph(_mm512_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((void *)(to + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
#endif
    for (; i < n; i++)
        to[i] = mst_float16_of_float(from[i]);
}

/* A NaN may stay signalling here: adding, or narrowing, makes it quiet. */
static void widen_bf16(float *to, const u16 *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = mst_float_of_bits((uint32_t)from[i] << 16);
}

/* Not by AVX512_BF16's conversion: that takes subnormals for zero. */
static void narrow_bf16(u16 *to, const float *from, size_t n)
{
    size_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16) {
        __m512 value = _mm512_loadu_ps(from + i);
        __m512i bits = _mm512_castps_si512(value), high = _mm512_srli_epi32(bits, 16);
        __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
        __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
        __mmask16 is_nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
        __m512i rounded =
            _mm512_mask_or_epi32(_mm512_srli_epi32(sum, 16), is_nan, high, _mm512_set1_epi32(0x40));
        _mm256_storeu_si256((void *)(to + i), _mm512_cvtepi32_epi16(rounded));
    }
#endif
    for (; i < n; i++)
        to[i] = mst_bfloat16_of_float(from[i]);
}

#define FOLD_HALF(NAME, HALF, COMBINE)                                                                       \
    static void NAME(void *destination, const void *const *sources, int source_count, size_t count)          \
    {                                                                                                        \
        float acc[HALF_BLOCK], next[HALF_BLOCK];                                                             \
                                                                                                             \
        for (size_t base = 0; base < count; base += HALF_BLOCK) {                                            \
            size_t n = count - base < HALF_BLOCK ? count - base : HALF_BLOCK;                                \
                                                                                                             \
            widen_##HALF(acc, (const u16 *)sources[0] + base, n);                                            \
            for (int s = 1; s < source_count; s++) {                                                         \
                widen_##HALF(next, (const u16 *)sources[s] + base, n);                                       \
                for (size_t i = 0; i < n; i++)                                                               \
                    acc[i] = COMBINE(acc[i], next[i]);                                                       \
            }                                                                                                \
            narrow_##HALF((u16 *)destination + base, acc, n);                                                \
        }                                                                                                    \
    }

#define FOLD_HALVES(HALF)                                                                                    \
    FOLD_HALF(fold_sum_##HALF, HALF, sum_f32)                                                                \
    FOLD_HALF(fold_prod_##HALF, HALF, prod_f32)                                                              \
    FOLD_HALF(fold_max_##HALF, HALF, max_f32)                                                                \
    FOLD_HALF(fold_min_##HALF, HALF, min_f32)

#define FOLD_ORDER(T, ACCUMULATOR)                                                                           \
    FOLD(max_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_MAX)                                                   \
    FOLD(min_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_MIN)

/* Sums and products have the same bits for signed and unsigned. */
#define FOLD_WRAP(T, ACCUMULATOR)                                                                            \
    FOLD(sum_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_SUM)                                                   \
    FOLD(prod_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_PROD)

#define FOLD_FLOAT(NAME, ELEMENT, ACCUMULATOR, WIDEN, NARROW, KIND)                                          \
    FOLD(fold_sum_##NAME, ELEMENT, ACCUMULATOR, WIDEN, NARROW, sum_##KIND)                                   \
    FOLD(fold_prod_##NAME, ELEMENT, ACCUMULATOR, WIDEN, NARROW, prod_##KIND)                                 \
    FOLD(fold_max_##NAME, ELEMENT, ACCUMULATOR, WIDEN, NARROW, max_##KIND)                                   \
    FOLD(fold_min_##NAME, ELEMENT, ACCUMULATOR, WIDEN, NARROW, min_##KIND)

FOLD(either, u8, uint8_t, TRUTH, SAME, EITHER)
FOLD(both, u8, uint8_t, TRUTH, SAME, BOTH)
FOLD_WRAP(u8, uint8_t)
FOLD_WRAP(u16, uint16_t)
FOLD_WRAP(u32, uint32_t)
FOLD_WRAP(u64, uint64_t)
FOLD_ORDER(u8, uint8_t)
FOLD_ORDER(u16, uint16_t)
FOLD_ORDER(u32, uint32_t)
FOLD_ORDER(u64, uint64_t)
FOLD_ORDER(s8, int8_t)
FOLD_ORDER(s16, int16_t)
FOLD_ORDER(s32, int32_t)
FOLD_ORDER(s64, int64_t)
FOLD_HALVES(f16)
FOLD_HALVES(bf16)
FOLD_FLOAT(f32, f32, float, SAME, SAME, f32)
FOLD_FLOAT(f64, f64, double, SAME, SAME, f64)
FOLD_FLOAT(c64, c64, complex64, load_c64, store_c64, c64)

#define FLOAT_ROW(NAME)                                                                                      \
    {                                                                                                        \
        fold_sum_##NAME, fold_prod_##NAME, fold_max_##NAME, fold_min_##NAME                                  \
    }

/* ---- copying around the cache ---- */

/* ThreadSanitizer does not see what intrinsics store. */
#if defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
static void stream(void *destination, const void *source, size_t bytes)
{
    memcpy(destination, source, bytes);
}
#else
#include <immintrin.h>

static inline void stream_line(unsigned char *to, const unsigned char *from)
{
#if defined(__AVX512F__)
    _mm512_stream_si512((void *)to, _mm512_loadu_si512(from));
#elif defined(__AVX__)
    __m256i low = _mm256_loadu_si256((const void *)from),
            high = _mm256_loadu_si256((const void *)(from + 32));
    _mm256_stream_si256((void *)to, low);
    _mm256_stream_si256((void *)(to + 32), high);
#else
    for (int i = 0; i < 64; i += 16)
        _mm_stream_si128((void *)(to + i), _mm_loadu_si128((const void *)(from + i)));
#endif
}

static void stream(void *destination, const void *source, size_t bytes)
{
    unsigned char *to = destination;
    const unsigned char *from = source;
    size_t head = -(uintptr_t)to & 63;

    if (bytes < head + 64) {
        memcpy(to, from, bytes);
        return;
    }
    memcpy(to, from, head);
    size_t end = head + (bytes - head) / 64 * 64;
    for (size_t i = head; i < end; i += 64)
        stream_line(to + i, from + i);
    memcpy(to + end, from + end, bytes - end);
    _mm_sfence(); /* these stores are ordered by nothing else */
}
#endif

/* Rows in the order of muster_dtype, columns in that of muster_op. */
const mst_kernels JOIN(mst_kernels_, MST_ISA) = {
    STRING(MST_ISA),
    {
        { either, both, either, both },
        { sum_u8, prod_u8, max_s8, min_s8 },
        { sum_u16, prod_u16, max_s16, min_s16 },
        { sum_u32, prod_u32, max_s32, min_s32 },
        { sum_u64, prod_u64, max_s64, min_s64 },
        { sum_u8, prod_u8, max_u8, min_u8 },
        { sum_u16, prod_u16, max_u16, min_u16 },
        { sum_u32, prod_u32, max_u32, min_u32 },
        { sum_u64, prod_u64, max_u64, min_u64 },
        FLOAT_ROW(f16),
        FLOAT_ROW(bf16),
        FLOAT_ROW(f32),
        FLOAT_ROW(f64),
        FLOAT_ROW(c64),
    },
    stream,
};
