/*
 * All reductions, for one instruction-set level.
 *
 * CMake compiles this file once per level with -DMST_ISA=<name> and the level's flags. A pass reduces up to
 * four sources into one destination, with a loop for each number of sources that is simple enough for the
 * compiler to vectorise; more sources take several passes over a block that stays in the first-level cache.
 * Floats are reduced vector by vector, with the compiler's vector types, since it does not vectorise the
 * selection among NaNs and zeros. 16-bit floats are widened, reduced in float32 and narrowed in registers, in
 * one pass for any number of sources, since they round once. A single source of floats is copied. The combine
 * functions define the bits: which NaN wins, that -0 < +0, and (by -ffp-contract=off) that nothing is fused.
 * Cost: one read of each source and one write.
 */
#include "src/kernels/floats.h"
#include "src/kernels/reduce.h"

#define PASS_SOURCES 4
#define BLOCK_BYTES 4096 /* between passes: with the sources' blocks well within 32 KiB of cache */

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define STRING_(x) #x
#define STRING(x) STRING_(x)

typedef struct __attribute__((packed, may_alias)) {
    float re, im;
} c64;

/* ---- integers: unsigned arithmetic wraps ---- */

#define INTEGER_SUM(a, b) ((a) + (b))
#define INTEGER_PROD(a, b) (1U * (a) * (b)) /* 1U: 16-bit operands would promote to int, and overflow */
#define INTEGER_MAX(a, b) ((a) > (b) ? (a) : (b))
#define INTEGER_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SAME(a) (a)

#define TRUTH(a) ((a) != 0)
#define EITHER(a, b) ((a) | (b))
#define BOTH(a, b) ((a) & (b))

/* ---- complex: by components; the order is lexicographic ---- */

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

static inline float sum_part(float a, float b)
{
    return a + (a != a ? a : b);
}

static inline complex64 sum_c64(complex64 a, complex64 b)
{
    return (complex64){ sum_part(a.re, b.re), sum_part(a.im, b.im) };
}

static inline complex64 prod_c64(complex64 a, complex64 b)
{
    /* volatile, since gcc 12's vectoriser makes a fused multiply-addsub of this expression even with
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

/* ---- reductions ---- */

/* No iteration stores what another one loads, though the destination may be one of the sources. (clang checks
 * that at run time; with the pragma it would warn of every loop that it cannot vectorise.) */
#if defined(__clang__)
#define INDEPENDENT
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

typedef void (*pass_fn)(void *out, const void *const *in, int in_count, size_t count);

/* Per block: reduces the first sources into the block, then the block with the next ones, and the last into
 * `out`. */
static void reduce_in_passes(pass_fn pass, size_t element, void *out, const void *const *sources,
                             int source_count, size_t count)
{
    _Alignas(64) unsigned char block[BLOCK_BYTES];

    for (size_t base = 0; base < count; base += BLOCK_BYTES / element) {
        size_t n = count - base < BLOCK_BYTES / element ? count - base : BLOCK_BYTES / element;
        const void *in[PASS_SOURCES];
        int in_count = 0;

        for (int s = 0; s < source_count; s++) {
            in[in_count++] = (const unsigned char *)sources[s] + base * element;
            if (in_count < PASS_SOURCES || s + 1 == source_count)
                continue;
            pass(block, in, in_count, n);
            in[0] = block;
            in_count = 1;
        }
        pass((unsigned char *)out + base * element, in, in_count, n);
    }
}

/* Reduces any number of sources, in several passes if needed. */
#define REDUCE_ANY_NUMBER(NAME, ELEMENT)                                                                     \
    static void NAME(void *destination, const void *const *sources, int source_count, size_t count)          \
    {                                                                                                        \
        if (source_count <= PASS_SOURCES)                                                                    \
            NAME##_pass(destination, sources, source_count, count);                                          \
        else                                                                                                 \
            reduce_in_passes(NAME##_pass, sizeof(ELEMENT), destination, sources, source_count, count);       \
    }

/* The next pass widens the previous pass's result again, without changing it. */
#define REDUCE(NAME, ELEMENT, ACCUMULATOR, WIDEN, NARROW, COMBINE)                                           \
    static inline ACCUMULATOR NAME##_both(ACCUMULATOR a, ELEMENT b)                                          \
    {                                                                                                        \
        ACCUMULATOR wide = (ACCUMULATOR)WIDEN(b);                                                            \
        return (ACCUMULATOR)COMBINE(a, wide);                                                                \
    }                                                                                                        \
                                                                                                             \
    static void NAME##_pass(void *to, const void *const *in, int in_count, size_t count)                     \
    {                                                                                                        \
        ELEMENT *out = to;                                                                                   \
        const ELEMENT *a = in[0], *b = in_count > 1 ? in[1] : a, *c = in_count > 2 ? in[2] : a,              \
                      *d = in_count > 3 ? in[3] : a;                                                         \
                                                                                                             \
        if (in_count == 1)                                                                                   \
            INDEPENDENT for (size_t i = 0; i < count; i++) out[i] = NARROW((ACCUMULATOR)WIDEN(a[i]));        \
        if (in_count == 2)                                                                                   \
            INDEPENDENT for (size_t i = 0; i < count; i++) out[i] =                                          \
                NARROW(NAME##_both((ACCUMULATOR)WIDEN(a[i]), b[i]));                                         \
        if (in_count == 3)                                                                                   \
            INDEPENDENT for (size_t i = 0; i < count; i++) out[i] =                                          \
                NARROW(NAME##_both(NAME##_both((ACCUMULATOR)WIDEN(a[i]), b[i]), c[i]));                      \
        if (in_count == 4)                                                                                   \
            INDEPENDENT for (size_t i = 0; i < count; i++) out[i] =                                          \
                NARROW(NAME##_both(NAME##_both(NAME##_both((ACCUMULATOR)WIDEN(a[i]), b[i]), c[i]), d[i]));   \
    }                                                                                                        \
    REDUCE_ANY_NUMBER(NAME, ELEMENT)

/* ---- reductions of floats, a vector at a time ---- */

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* `in_count` is a constant where this is called, so the loop over sources is unrolled. A remainder is reduced
 * as a whole vector, of which some lanes are unused. */
#define REDUCE_VECTORS(NAME, ELEMENT, VECTOR, LANES, FORM, COMBINE)                                          \
    static ALWAYS_INLINE void NAME##_vector(ELEMENT *out, const ELEMENT *const *in, int in_count, size_t at) \
    {                                                                                                        \
        VECTOR acc = load_##FORM(in[0] + at);                                                                \
                                                                                                             \
        for (int s = 1; s < in_count; s++)                                                                   \
            acc = COMBINE(acc, load_##FORM(in[s] + at));                                                     \
        store_##FORM(out + at, acc);                                                                         \
    }                                                                                                        \
                                                                                                             \
    static ALWAYS_INLINE void NAME##_vectors(ELEMENT *out, const ELEMENT *const *in, int in_count,           \
                                             size_t count)                                                   \
    {                                                                                                        \
        for (size_t i = 0; i + (LANES) <= count; i += (LANES))                                               \
            NAME##_vector(out, in, in_count, i);                                                             \
    }                                                                                                        \
                                                                                                             \
    static void NAME##_rest(ELEMENT *out, const void *const *in, int in_count, size_t at, size_t rest)       \
    {                                                                                                        \
        VECTOR acc = load_some_##FORM((const ELEMENT *)in[0] + at, rest);                                    \
                                                                                                             \
        for (int s = 1; s < in_count; s++)                                                                   \
            acc = COMBINE(acc, load_some_##FORM((const ELEMENT *)in[s] + at, rest));                         \
        store_some_##FORM(out + at, acc, rest);                                                              \
    }                                                                                                        \
                                                                                                             \
    static void NAME##_pass(void *to, const void *const *in, int in_count, size_t count)                     \
    {                                                                                                        \
        ELEMENT *out = to;                                                                                   \
        const ELEMENT *a = in[0], *b = in_count > 1 ? in[1] : a, *c = in_count > 2 ? in[2] : a,              \
                      *d = in_count > 3 ? in[3] : a;                                                         \
        const ELEMENT *const few[] = { a, b, c, d };                                                         \
        size_t rest = count % (LANES);                                                                       \
                                                                                                             \
        if (in_count == 1) {                                                                                 \
            memmove(out, a, count * sizeof *out);                                                            \
            return;                                                                                          \
        }                                                                                                    \
        if (in_count == 2)                                                                                   \
            NAME##_vectors(out, few, 2, count);                                                              \
        else if (in_count == 3)                                                                              \
            NAME##_vectors(out, few, 3, count);                                                              \
        else if (in_count == 4)                                                                              \
            NAME##_vectors(out, few, 4, count);                                                              \
        else                                                                                                 \
            NAME##_vectors(out, (const ELEMENT *const *)(const void *)in, in_count, count);                  \
        if (rest)                                                                                            \
            NAME##_rest(out, in, in_count, count - rest, rest);                                              \
    }

#define REDUCE_WIDE(NAME, ELEMENT, VECTOR, LANES, FORM, COMBINE)                                             \
    REDUCE_VECTORS(NAME, ELEMENT, VECTOR, LANES, FORM, COMBINE)                                              \
    REDUCE_ANY_NUMBER(NAME, ELEMENT)

#define REDUCE_WIDES(FORM, LANES)                                                                            \
    REDUCE_WIDE(reduce_sum_##FORM, FORM, vector_##FORM, LANES, FORM, sum_##FORM)                             \
    REDUCE_WIDE(reduce_prod_##FORM, FORM, vector_##FORM, LANES, FORM, prod_##FORM)                           \
    REDUCE_WIDE(reduce_max_##FORM, FORM, vector_##FORM, LANES, FORM, max_##FORM)                             \
    REDUCE_WIDE(reduce_min_##FORM, FORM, vector_##FORM, LANES, FORM, min_##FORM)

#define REDUCE_HALVES(FORM, VECTOR, LANES, COMBINES)                                                         \
    REDUCE_VECTORS(reduce_sum_##FORM, u16, VECTOR, LANES, FORM, sum_##COMBINES)                              \
    REDUCE_VECTORS(reduce_prod_##FORM, u16, VECTOR, LANES, FORM, prod_##COMBINES)                            \
    REDUCE_VECTORS(reduce_max_##FORM, u16, VECTOR, LANES, FORM, max_##COMBINES)                              \
    REDUCE_VECTORS(reduce_min_##FORM, u16, VECTOR, LANES, FORM, min_##COMBINES)

#define REDUCE_ORDER(T, ACCUMULATOR)                                                                         \
    REDUCE(max_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_MAX)                                                 \
    REDUCE(min_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_MIN)

/* Sums and products have the same bits for signed and unsigned integers. */
#define REDUCE_WRAP(T, ACCUMULATOR)                                                                          \
    REDUCE(sum_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_SUM)                                                 \
    REDUCE(prod_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_PROD)

REDUCE(either, u8, uint8_t, TRUTH, SAME, EITHER)
REDUCE(both, u8, uint8_t, TRUTH, SAME, BOTH)
REDUCE_WRAP(u8, uint8_t)
REDUCE_WRAP(u16, uint16_t)
REDUCE_WRAP(u32, uint32_t)
REDUCE_WRAP(u64, uint64_t)
REDUCE_ORDER(u8, uint8_t)
REDUCE_ORDER(u16, uint16_t)
REDUCE_ORDER(u32, uint32_t)
REDUCE_ORDER(u64, uint64_t)
REDUCE_ORDER(s8, int8_t)
REDUCE_ORDER(s16, int16_t)
REDUCE_ORDER(s32, int32_t)
REDUCE_ORDER(s64, int64_t)
REDUCE_HALVES(f16, vector_f32, LANES_32, f32)
REDUCE_HALVES(bf16, pair_bf16, 2 * LANES_32, bf16)
REDUCE_WIDES(f32, LANES_32)
REDUCE_WIDES(f64, LANES_64)
REDUCE(reduce_sum_c64, c64, complex64, load_c64, store_c64, sum_c64)
REDUCE(reduce_prod_c64, c64, complex64, load_c64, store_c64, prod_c64)
REDUCE(reduce_max_c64, c64, complex64, load_c64, store_c64, max_c64)
REDUCE(reduce_min_c64, c64, complex64, load_c64, store_c64, min_c64)

#define HALF_ROW(NAME)                                                                                       \
    {                                                                                                        \
        reduce_sum_##NAME##_pass, reduce_prod_##NAME##_pass, reduce_max_##NAME##_pass,                       \
            reduce_min_##NAME##_pass                                                                         \
    }

#define FLOAT_ROW(NAME)                                                                                      \
    {                                                                                                        \
        reduce_sum_##NAME, reduce_prod_##NAME, reduce_max_##NAME, reduce_min_##NAME                          \
    }

/* ---- copying ---- */

#define MEMCPY_BYTES_MAX 2048 /* memcpy copies this much with vectors itself */

/* Beyond that, C libraries use `rep movs` where CPUs have it, which takes longer to start, and takes a tenth
 * to a third longer for lines that another CPU has just written. */
static void copy(void *destination, const void *source, size_t bytes)
{
    f32 *to = destination;
    const f32 *from = source;
    size_t left = bytes;

    for (; left > MEMCPY_BYTES_MAX; left -= 4 * VECTOR_BYTES) {
        vector_f32 a = load_f32(from), b = load_f32(from + LANES_32), c = load_f32(from + 2 * LANES_32),
                   d = load_f32(from + 3 * LANES_32);

        store_f32(to, a);
        store_f32(to + LANES_32, b);
        store_f32(to + 2 * LANES_32, c);
        store_f32(to + 3 * LANES_32, d);
        from += 4 * LANES_32;
        to += 4 * LANES_32;
    }
    memcpy(to, from, left);
}

/* Non-temporal stores. */

/* ThreadSanitizer does not see stores by intrinsics. */
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
    _mm_sfence(); /* nothing else orders non-temporal stores */
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
        HALF_ROW(f16),
        HALF_ROW(bf16),
        FLOAT_ROW(f32),
        FLOAT_ROW(f64),
        FLOAT_ROW(c64),
    },
    copy,
    stream,
};
