/*
 * How kernels.c goes over elements: the loops of reductions, without what they do to two elements.
 *
 * REDUCE makes loops that the compiler vectorises, for integers, complex numbers and pairs; REDUCE_VECTORS
 * makes loops over vectors, for floats. REDUCE_ANY_NUMBER makes a reduction of any number of sources of a
 * pass, which takes up to PASS_SOURCES.
 */
#ifndef MST_PASSES_H
#define MST_PASSES_H

#include "src/kernels/floats.h"

#define PASS_SOURCES 4
#define BLOCK_BYTES 4096 /* between passes: with the sources' blocks well within 32 KiB of cache */

/* ---- reductions ---- */

/* No iteration stores what another one loads, though the destination may be one of the sources. (clang checks
 * that at run time; with the pragma it would warn of every loop that it cannot vectorise.) */
#if defined(__clang__)
#define INDEPENDENT
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

typedef void (*pass_fn)(void *out, const void *const *in, int in_count, size_t count);

/* What is done to a block of results, of `source_count` sources. */
typedef void (*finish_fn)(void *block, int source_count, size_t count);

/* Per block: reduces the first sources into the block, then the block with the next ones, and the last into
 * `out`; and finishes that, unless `finish` is NULL. */
static void reduce_in_passes(pass_fn pass, finish_fn finish, size_t element, void *out,
                             const void *const *sources, int source_count, size_t count)
{
    _Alignas(64) unsigned char block[BLOCK_BYTES];

    for (size_t base = 0; base < count; base += BLOCK_BYTES / element) {
        size_t n = count - base < BLOCK_BYTES / element ? count - base : BLOCK_BYTES / element;
        const void *in[PASS_SOURCES] = { (const unsigned char *)sources[0] + base * element };
        int in_count = 1;

        for (int s = 1; s < source_count; s++) {
            in[in_count++] = (const unsigned char *)sources[s] + base * element;
            if (in_count < PASS_SOURCES || s + 1 == source_count)
                continue;
            pass(block, in, in_count, n);
            in[0] = block;
            in_count = 1;
        }
        pass((unsigned char *)out + base * element, in, in_count, n);
        if (finish)
            finish((unsigned char *)out + base * element, source_count, n);
    }
}

/* Reduces any number of sources, in several passes if needed. */
#define REDUCE_ANY_NUMBER(NAME, ELEMENT)                                                                     \
    static void NAME(void *destination, const void *const *sources, int source_count, size_t count)          \
    {                                                                                                        \
        if (source_count <= PASS_SOURCES)                                                                    \
            NAME##_pass(destination, sources, source_count, count);                                          \
        else                                                                                                 \
            reduce_in_passes(NAME##_pass, NULL, sizeof(ELEMENT), destination, sources, source_count, count); \
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
 * as a whole vector, of which some lanes are unused. FINISH makes the result of what all sources add up to.
 */
#define KEEP(acc, in_count) (acc)

#define REDUCE_VECTORS(NAME, ELEMENT, VECTOR, LANES, FORM, COMBINE, FINISH)                                  \
    static ALWAYS_INLINE void NAME##_vector(ELEMENT *out, const ELEMENT *const *in, int in_count, size_t at) \
    {                                                                                                        \
        VECTOR acc = load_##FORM(in[0] + at);                                                                \
                                                                                                             \
        for (int s = 1; s < in_count; s++)                                                                   \
            acc = COMBINE(acc, load_##FORM(in[s] + at));                                                     \
        store_##FORM(out + at, FINISH(acc, in_count));                                                       \
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
        store_some_##FORM(out + at, FINISH(acc, in_count), rest);                                            \
    }

/* One loop for any number of sources: half the speed for few, and a quarter of the code. */
#define PASS_OF_ANY(NAME, ELEMENT, LANES)                                                                    \
    static void NAME##_pass(void *to, const void *const *in, int in_count, size_t count)                     \
    {                                                                                                        \
        size_t rest = count % (LANES);                                                                       \
                                                                                                             \
        if (in_count == 1) {                                                                                 \
            memmove(to, in[0], count * sizeof(ELEMENT));                                                     \
            return;                                                                                          \
        }                                                                                                    \
        NAME##_vectors(to, (const ELEMENT *const *)(const void *)in, in_count, count);                       \
        if (rest)                                                                                            \
            NAME##_rest(to, in, in_count, count - rest, rest);                                               \
    }

/* A loop for each of two, three and four sources. */
#define PASS_OF_FEW(NAME, ELEMENT, LANES)                                                                    \
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
        if (count < (LANES)) { /* no vector is full */                                                       \
            NAME##_rest(out, in, in_count, 0, count);                                                        \
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
    REDUCE_VECTORS(NAME, ELEMENT, VECTOR, LANES, FORM, COMBINE, KEEP)                                        \
    PASS_OF_FEW(NAME, ELEMENT, LANES)                                                                        \
    REDUCE_ANY_NUMBER(NAME, ELEMENT)

/* ---- reductions of what is rarely reduced, one element at a time, of any number of sources ---- */

#define REDUCE_EACH(NAME, ELEMENT, COMBINE)                                                                  \
    static void NAME(void *to, const void *const *in, int in_count, size_t count)                            \
    {                                                                                                        \
        ELEMENT *out = to;                                                                                   \
                                                                                                             \
        for (size_t i = 0; i < count; i++) {                                                                 \
            ELEMENT acc = ((const ELEMENT *)in[0])[i];                                                       \
                                                                                                             \
            for (int s = 1; s < in_count; s++)                                                               \
                acc = COMBINE(acc, ((const ELEMENT *)in[s])[i]);                                             \
            out[i] = acc;                                                                                    \
        }                                                                                                    \
    }

#endif
