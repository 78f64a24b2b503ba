/*
 * All reductions, for one instruction-set level.
 *
 * CMake compiles this file once per level with -DMST_ISA=<name> and the level's flags. A pass reduces up to
 * four sources into one destination, with a loop for each number of sources that is simple enough for the
 * compiler to vectorise; more sources take several passes over a block that stays in the first-level cache.
 * Floats are reduced vector by vector, with the compiler's vector types, since it does not vectorise the
 * selection among NaNs and zeros. 8-bit and 16-bit floats are widened, reduced in float32 and narrowed in
 * registers, in one pass for any number of sources, since they round once. A single source of floats is
 * copied. The combine functions define the bits: which NaN wins, that -0 < +0, and (by -ffp-contract=off)
 * that nothing is fused. Cost: one read of each source and one write.
 */
#include "shm/base/atomic.h"
#include "src/kernels/elements.h"
#include "src/kernels/float8.h"
#include "src/kernels/passes.h"
#include "src/kernels/reduce.h"
#include "src/kernels/scaled.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define STRING_(x) #x
#define STRING(x) STRING_(x)

/* ---- integers: unsigned arithmetic wraps ---- */

#define INTEGER_SUM(a, b) ((a) + (b))
#define INTEGER_PROD(a, b) (1U * (a) * (b)) /* 1U: 16-bit operands would promote to int, and overflow */
#define INTEGER_MAX(a, b) ((a) > (b) ? (a) : (b))
#define INTEGER_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SAME(a) (a)

#define TRUTH(a) ((a) != 0)
#define EITHER(a, b) ((a) | (b))
#define BOTH(a, b) ((a) & (b))
#define ONE_OF(a, b) ((a) ^ (b))

/* ---- all reductions ---- */

#define REDUCE_WIDES(FORM, LANES)                                                                            \
    REDUCE_WIDE(reduce_sum_##FORM, FORM, vector_##FORM, LANES, FORM, sum_##FORM)                             \
    REDUCE_WIDE(reduce_prod_##FORM, FORM, vector_##FORM, LANES, FORM, prod_##FORM)                           \
    REDUCE_WIDE(reduce_max_##FORM, FORM, vector_##FORM, LANES, FORM, max_##FORM)                             \
    REDUCE_WIDE(reduce_min_##FORM, FORM, vector_##FORM, LANES, FORM, min_##FORM)                             \
    REDUCE_MEAN(reduce_avg_##FORM, reduce_sum_##FORM, FORM, FORM, 1)                                         \
    SCALED_VECTORS(scaled_##FORM, FORM, vector_##FORM, LANES, FORM, FORM)

#define REDUCE_NARROW(FORM, ELEMENT, VECTOR, LANES, COMBINES, PASS)                                          \
    REDUCE_VECTORS(reduce_sum_##FORM, ELEMENT, VECTOR, LANES, FORM, sum_##COMBINES, KEEP)                    \
    PASS(reduce_sum_##FORM, ELEMENT, LANES)                                                                  \
    REDUCE_VECTORS(reduce_prod_##FORM, ELEMENT, VECTOR, LANES, FORM, prod_##COMBINES, KEEP)                  \
    PASS(reduce_prod_##FORM, ELEMENT, LANES)                                                                 \
    REDUCE_VECTORS(reduce_max_##FORM, ELEMENT, VECTOR, LANES, FORM, max_##COMBINES, KEEP)                    \
    PASS(reduce_max_##FORM, ELEMENT, LANES)                                                                  \
    REDUCE_VECTORS(reduce_min_##FORM, ELEMENT, VECTOR, LANES, FORM, min_##COMBINES, KEEP)                    \
    PASS(reduce_min_##FORM, ELEMENT, LANES)                                                                  \
    REDUCE_VECTORS(reduce_avg_##FORM, ELEMENT, VECTOR, LANES, FORM, sum_##COMBINES, mean_##COMBINES)         \
    PASS(reduce_avg_##FORM, ELEMENT, LANES)                                                                  \
    SCALED_VECTORS(scaled_##FORM, ELEMENT, VECTOR, LANES, FORM, COMBINES)

#define REDUCE_COMPLEX(KIND, PART)                                                                           \
    REDUCE(reduce_sum_##KIND, KIND, wide_##KIND, load_##KIND, store_##KIND, sum_##KIND)                      \
    REDUCE(reduce_prod_##KIND, KIND, wide_##KIND, load_##KIND, store_##KIND, prod_##KIND)                    \
    REDUCE(reduce_max_##KIND, KIND, wide_##KIND, load_##KIND, store_##KIND, max_##KIND)                      \
    REDUCE(reduce_min_##KIND, KIND, wide_##KIND, load_##KIND, store_##KIND, min_##KIND)                      \
    REDUCE_MEAN(reduce_avg_##KIND, reduce_sum_##KIND, KIND, PART, 2)                                         \
    SCALED_EACH(scaled_##KIND, KIND, wide_##KIND, load_##KIND, store_##KIND, prod_##KIND, sum_##KIND)

#define REDUCE_PAIRS(KIND)                                                                                   \
    REDUCE_EACH(reduce_maxloc_##KIND, KIND, maxloc_##KIND)                                                   \
    REDUCE_EACH(reduce_minloc_##KIND, KIND, minloc_##KIND)

#define REDUCE_ORDER(T, ACCUMULATOR)                                                                         \
    REDUCE(max_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_MAX)                                                 \
    REDUCE(min_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_MIN)

/* Sums and products have the same bits for signed and unsigned integers. */
#define REDUCE_WRAP(T, ACCUMULATOR)                                                                          \
    REDUCE(sum_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_SUM)                                                 \
    REDUCE(prod_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_PROD)                                               \
    SCALED_EACH(scaled_##T, T, ACCUMULATOR, SAME, SAME, INTEGER_PROD, INTEGER_SUM)

/* Bits have the same operation in integers of every width. */
#define REDUCE_BITS(NAME, T)                                                                                 \
    static void NAME##_##T(void *destination, const void *const *sources, int source_count, size_t count)    \
    {                                                                                                        \
        NAME##_u8(destination, sources, source_count, count * sizeof(T));                                    \
    }

#define REDUCE_ALL_BITS(NAME, COMBINE)                                                                       \
    REDUCE(NAME##_u8, u8, uint8_t, SAME, SAME, COMBINE)                                                      \
    REDUCE_BITS(NAME, u16)                                                                                   \
    REDUCE_BITS(NAME, u32)                                                                                   \
    REDUCE_BITS(NAME, u64)

REDUCE(either, u8, uint8_t, TRUTH, SAME, EITHER)
REDUCE(both, u8, uint8_t, TRUTH, SAME, BOTH)
REDUCE(one_of, u8, uint8_t, TRUTH, SAME, ONE_OF)
REDUCE_ALL_BITS(band, BOTH)
REDUCE_ALL_BITS(bor, EITHER)
REDUCE_ALL_BITS(bxor, ONE_OF)
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
REDUCE_NARROW(f16, u16, vector_f32, LANES_32, f32, PASS_OF_FEW)
REDUCE_NARROW(bf16, u16, pair_bf16, 2 * LANES_32, bf16, PASS_OF_FEW)
REDUCE_NARROW(e4m3, u8, vector_f32, LANES_32, f32, PASS_OF_ANY)
REDUCE_NARROW(e5m2, u8, vector_f32, LANES_32, f32, PASS_OF_ANY)
REDUCE_WIDES(f32, LANES_32)
REDUCE_WIDES(f64, LANES_64)
REDUCE_COMPLEX(c64, f32)
REDUCE_COMPLEX(c128, f64)
REDUCE_PAIRS(s32s32)
REDUCE_PAIRS(s64s64)
REDUCE_PAIRS(f32s32)
REDUCE_PAIRS(f64s64)

/* ---- copying ---- */

#define MEMCPY_BYTES_MAX 2048 /* memcpy copies this much with vectors itself */

/* A line takes longer to be read than to be had for a store, which nobody waits for. */
#define GIVE_AHEAD 1024
#define TAKE_AHEAD 2048

/* Prefetches the lines that are `ahead` of one step: to be stored to, or to be read, into the second-level
 * cache. */
static inline void prefetch_step(f32 *to, const f32 *from, size_t give_ahead, size_t take_ahead)
{
    for (size_t at = 0; at < 4 * VECTOR_BYTES; at += 64) {
        if (give_ahead)
            mst_prefetch_for_store((char *)to + give_ahead + at, 1);
        if (take_ahead)
            __builtin_prefetch((const char *)from + take_ahead + at, 0, 2);
    }
}

/* Beyond that, C libraries use `rep movs` where CPUs have it, which takes longer to start, and takes a tenth
 * to a third longer for lines that another CPU has just written. The last bytes are less than is prefetched
 * ahead, or about as many. */
static inline void copy_ahead(void *destination, const void *source, size_t bytes, size_t give_ahead,
                              size_t take_ahead)
{
    f32 *to = destination;
    const f32 *from = source;
    size_t left = bytes, ahead = give_ahead + take_ahead;

    for (; left > MEMCPY_BYTES_MAX; left -= 4 * VECTOR_BYTES) {
        if (ahead && left >= ahead + 4 * VECTOR_BYTES)
            prefetch_step(to, from, give_ahead, take_ahead);
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

static void copy(void *destination, const void *source, size_t bytes)
{
    copy_ahead(destination, source, bytes, 0, 0);
}

static void give(void *destination, const void *source, size_t bytes)
{
    copy_ahead(destination, source, bytes, GIVE_AHEAD, 0);
}

static void take(void *destination, const void *source, size_t bytes)
{
    copy_ahead(destination, source, bytes, 0, TAKE_AHEAD);
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

/* ---- the tables ---- */

#define INTEGER_ROW(S, U)                                                                                    \
    {                                                                                                        \
        [MUSTER_SUM] = sum_##U, [MUSTER_PROD] = prod_##U, [MUSTER_MAX] = max_##S, [MUSTER_MIN] = min_##S,    \
        [MUSTER_BAND] = band_##U, [MUSTER_BOR] = bor_##U, [MUSTER_BXOR] = bxor_##U                           \
    }

#define NARROW_ROW(NAME)                                                                                     \
    {                                                                                                        \
        reduce_sum_##NAME##_pass, reduce_prod_##NAME##_pass, reduce_max_##NAME##_pass,                       \
            reduce_min_##NAME##_pass, reduce_avg_##NAME##_pass                                               \
    }

#define WIDE_ROW(NAME)                                                                                       \
    {                                                                                                        \
        reduce_sum_##NAME, reduce_prod_##NAME, reduce_max_##NAME, reduce_min_##NAME, reduce_avg_##NAME       \
    }

#define PAIR_ROW(NAME)                                                                                       \
    {                                                                                                        \
        [MUSTER_MAXLOC] = reduce_maxloc_##NAME, [MUSTER_MINLOC] = reduce_minloc_##NAME                       \
    }

const mst_kernels JOIN(mst_kernels_, MST_ISA) = {
    .isa = STRING(MST_ISA),
    .reduce = {
        [MUSTER_BOOL] = { either, both, either, both, NULL, both, either, one_of },
        [MUSTER_INT8] = INTEGER_ROW(s8, u8),
        [MUSTER_INT16] = INTEGER_ROW(s16, u16),
        [MUSTER_INT32] = INTEGER_ROW(s32, u32),
        [MUSTER_INT64] = INTEGER_ROW(s64, u64),
        [MUSTER_UINT8] = INTEGER_ROW(u8, u8),
        [MUSTER_UINT16] = INTEGER_ROW(u16, u16),
        [MUSTER_UINT32] = INTEGER_ROW(u32, u32),
        [MUSTER_UINT64] = INTEGER_ROW(u64, u64),
        [MUSTER_FLOAT16] = NARROW_ROW(f16),
        [MUSTER_BFLOAT16] = NARROW_ROW(bf16),
        [MUSTER_FLOAT8_E4M3] = NARROW_ROW(e4m3),
        [MUSTER_FLOAT8_E5M2] = NARROW_ROW(e5m2),
        [MUSTER_FLOAT32] = WIDE_ROW(f32),
        [MUSTER_FLOAT64] = WIDE_ROW(f64),
        [MUSTER_COMPLEX64] = WIDE_ROW(c64),
        [MUSTER_COMPLEX128] = WIDE_ROW(c128),
        [MUSTER_INT32_INT32] = PAIR_ROW(s32s32),
        [MUSTER_INT64_INT64] = PAIR_ROW(s64s64),
        [MUSTER_FLOAT32_INT32] = PAIR_ROW(f32s32),
        [MUSTER_FLOAT64_INT64] = PAIR_ROW(f64s64),
    },
    .reduce_scaled = {
        [MUSTER_INT8] = scaled_u8,         [MUSTER_INT16] = scaled_u16,
        [MUSTER_INT32] = scaled_u32,       [MUSTER_INT64] = scaled_u64,
        [MUSTER_UINT8] = scaled_u8,        [MUSTER_UINT16] = scaled_u16,
        [MUSTER_UINT32] = scaled_u32,      [MUSTER_UINT64] = scaled_u64,
        [MUSTER_FLOAT16] = scaled_f16,     [MUSTER_BFLOAT16] = scaled_bf16,
        [MUSTER_FLOAT8_E4M3] = scaled_e4m3, [MUSTER_FLOAT8_E5M2] = scaled_e5m2,
        [MUSTER_FLOAT32] = scaled_f32,     [MUSTER_FLOAT64] = scaled_f64,
        [MUSTER_COMPLEX64] = scaled_c64,   [MUSTER_COMPLEX128] = scaled_c128,
    },
    .copy = copy,
    .give = give,
    .take = take,
    .stream = stream,
};
