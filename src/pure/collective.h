/*
 * What each collective is, for every backend: its name, the blocks of its buffers, whether it has a root,
 * whether it reduces, and whether it may be in place. One row each.
 */
#ifndef MST_COLLECTIVE_H
#define MST_COLLECTIVE_H

#include "muster/muster.h"

/* How many blocks of `count` elements a buffer has: none, one, or one per rank; the ROOT ones on the root
 * only, LATER on every rank but 0. The VARIED ones have one block per rank, each with a count of its own
 * (blocks.h). */
typedef enum mst_span {
    SPAN_NONE,
    SPAN_ONE,
    SPAN_ALL,
    SPAN_ROOT_ONE,
    SPAN_ROOT_ALL,
    SPAN_LATER,
    SPAN_VARIED,
    SPAN_ROOT_VARIED
} mst_span;

/* clang-format off */
/*  X(NAME, name, in, out, rooted, reduces, in place, MLX's name by op or NULL) */
#define MST_COLLECTIVES(X)                                                                                  \
    X(BARRIER, barrier, SPAN_NONE, SPAN_NONE, false, false, true, NULL)                                     \
    X(ALL_REDUCE, all_reduce, SPAN_ONE, SPAN_ONE, false, true, true, "all_sum", NULL, "all_max", "all_min") \
    X(ALL_GATHER, all_gather, SPAN_ONE, SPAN_ALL, false, false, true, NULL)                                 \
    X(REDUCE_SCATTER, reduce_scatter, SPAN_ALL, SPAN_ONE, false, true, true, "sum_scatter")                 \
    X(BROADCAST, broadcast, SPAN_ROOT_ONE, SPAN_ONE, true, false, true, NULL)                               \
    X(REDUCE, reduce, SPAN_ONE, SPAN_ROOT_ONE, true, true, true, NULL)                                      \
    X(GATHER, gather, SPAN_ONE, SPAN_ROOT_ALL, true, false, true, NULL)                                     \
    X(SCATTER, scatter, SPAN_ROOT_ALL, SPAN_ONE, true, false, true, NULL)                                   \
    X(ALL_TO_ALL, all_to_all, SPAN_ALL, SPAN_ALL, false, false, false, NULL)                                \
    X(ALL_GATHERV, all_gatherv, SPAN_ONE, SPAN_VARIED, false, false, true, NULL)                            \
    X(GATHERV, gatherv, SPAN_ONE, SPAN_ROOT_VARIED, true, false, true, NULL)                                \
    X(SCATTERV, scatterv, SPAN_ROOT_VARIED, SPAN_ONE, true, false, true, NULL)                              \
    X(ALL_TO_ALLV, all_to_allv, SPAN_VARIED, SPAN_VARIED, false, false, false, NULL)                        \
    X(REDUCE_SCATTERV, reduce_scatterv, SPAN_VARIED, SPAN_ONE, false, true, true, NULL)                     \
    X(SCAN, scan, SPAN_ONE, SPAN_ONE, false, true, true, NULL)                                              \
    X(EXSCAN, exscan, SPAN_ONE, SPAN_LATER, false, true, true, NULL)
/* clang-format on */

typedef enum mst_collective {
#define ENUMERATOR(NAME, ...) MST_##NAME,
    MST_COLLECTIVES(ENUMERATOR)
#undef ENUMERATOR
        MST_COLLECTIVE_COUNT
} mst_collective;

typedef struct mst_shape {
    const char *name;
    mst_span in, out;
    bool rooted, reduces, in_place;
    bool varied;                            /* a buffer has blocks of different sizes */
    const char *mlx_names[MUSTER_OP_COUNT]; /* by op; NULL: the collective's name, with the op */
} mst_shape;

extern const mst_shape mst_shapes[MST_COLLECTIVE_COUNT];

static inline bool mst_span_varied(mst_span span)
{
    return span >= SPAN_VARIED;
}

/* Whether `rank` has a buffer of that span. */
static inline bool mst_span_has(mst_span span, int root, int rank)
{
    bool is_roots = span == SPAN_ROOT_ONE || span == SPAN_ROOT_ALL || span == SPAN_ROOT_VARIED;

    return span != SPAN_NONE && (!is_roots || rank == root) && (span != SPAN_LATER || rank > 0);
}

/* How many blocks of `count` elements `rank` has in a buffer of that span. Blocks of different sizes are one,
 * of as many elements as they have together. */
static inline size_t mst_span_blocks(mst_span span, int root, int rank, int size)
{
    if (!mst_span_has(span, root, rank))
        return 0;
    return span == SPAN_ALL || span == SPAN_ROOT_ALL ? (size_t)size : 1;
}

/* "all_sum", "reduce(prod)", "barrier"; "?" for an invalid number. `op_name`: of an operation that the
 * program made, or NULL. */
void mst_collective_name(uint32_t collective, muster_op op, const char *op_name, char *text, size_t bytes);

/* The same of the function that starts it: "all_sum_start", "reduce_start(prod)". */
void mst_collective_start_name(uint32_t collective, muster_op op, const char *op_name, char *text,
                               size_t bytes);

/* What a rank was asked for, as sentences have it: "broadcast (float32 x 4096, root 1)". */
typedef struct mst_asked {
    uint32_t collective;
    muster_dtype dtype;
    muster_op op;
    const char *op_name; /* as above */
    int root;            /* -1: none */
    uint64_t count;
} mst_asked;

void mst_collective_describe(const mst_asked *asked, char *text, size_t bytes);

#endif
