/*
 * Collectives that move blocks with counts of their own, against a plain reference: all shapes of counts and
 * displacements, buffers in the arena and private, calls in place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/counts.h"
#include "tests/harness/ranks.h"

#define RANKS_MAX 12

/* ---- counts and places ---- */

/* Blocks of a buffer of this rank's: packed, or at displacements that leave gaps, in the order of ranks or
 * not. */
typedef struct layout {
    size_t counts[RANKS_MAX], displacements[RANKS_MAX];
    size_t span; /* elements of the buffer */
    bool packed;
} layout;

typedef enum order { PACKED, GAPS, BACKWARD, ORDERS } order;

static layout lay_out(const size_t *counts, int size, order order)
{
    layout made = { .packed = order == PACKED };
    size_t at = order == PACKED ? 0 : 3;

    for (int i = 0; i < size; i++) {
        int rank = order == BACKWARD ? size - 1 - i : i;

        made.counts[rank] = counts[rank];
        made.displacements[rank] = at;
        at += counts[rank] + (order == PACKED ? 0 : (size_t)(i % 3));
    }
    made.span = at + (order == PACKED ? 0 : 2);
    return made;
}

static const size_t *displacements_of(const layout *layout)
{
    return layout->packed ? NULL : layout->displacements;
}

/* ---- buffers ---- */

/* Byte i of what `from` gives `to`; the same for all where all get the same block. */
static unsigned char value(int from, int to, size_t i)
{
    return (unsigned char)((size_t)from * 83 + (size_t)to * 29 + i * 7 + (i >> 8) * 3 + 1);
}

static void fill_block(unsigned char *at, int from, int to, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = value(from, to, i);
}

static bool is_block(const unsigned char *at, int from, int to, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != value(from, to, i))
            return false;
    return true;
}

/* Whether nothing was written between the blocks. */
static bool are_gaps_whole(const unsigned char *out, const layout *layout, int size, size_t element)
{
    for (size_t i = 0; i < layout->span; i++) {
        bool in_block = false;

        for (int rank = 0; rank < size; rank++)
            in_block |=
                i >= layout->displacements[rank] && i < layout->displacements[rank] + layout->counts[rank];
        for (size_t byte = 0; byte < element && !in_block; byte++)
            if (out[i * element + byte] != GUARD)
                return false;
    }
    return true;
}

/* ---- moving ---- */

typedef enum mover { ALL_GATHERV, GATHERV, SCATTERV, ALL_TO_ALLV, MOVERS } mover;

typedef struct scene {
    mover mover;
    pattern pattern;
    order order;
    size_t most;
    muster_dtype dtype;
    int root;
    bool in_arena, out_arena, in_place;
    bool started;
} scene;

/* Which pair's count is that of a rank's only block. */
static size_t block_of(const scene *s, int rank, int size)
{
    return s->mover == SCATTERV ? count_between(s->pattern, s->root, rank, size, s->most)
                                : count_between(s->pattern, rank, s->root, size, s->most);
}

static layout side_of(const scene *s, int rank, int size, bool is_out)
{
    size_t counts[RANKS_MAX];

    for (int r = 0; r < size; r++)
        counts[r] = s->mover != ALL_TO_ALLV ? block_of(s, r, size)
                    : is_out                ? count_between(s->pattern, r, rank, size, s->most)
                                            : count_between(s->pattern, rank, r, size, s->most);
    if ((s->mover == SCATTERV) == is_out && s->mover != ALL_TO_ALLV) { /* one block */
        layout one = { .counts = { block_of(s, rank, size) }, .packed = true };

        one.span = one.counts[0];
        return one;
    }
    return lay_out(counts, size, is_out ? s->order : (order)((s->order + 1) % ORDERS));
}

static muster_status move(const scene *s, const void *in, const layout *ins, void *out, const layout *outs,
                          muster_group *group)
{
    int rank = muster_group_rank(group);
    bool is_root = rank == s->root;

    switch (s->mover) {
    case ALL_GATHERV:
        return muster_all_gatherv(in, ins->counts[0], out, outs->counts, displacements_of(outs), s->dtype,
                                  group);
    case GATHERV:
        return muster_gatherv(in, ins->counts[0], is_root ? out : NULL, is_root ? outs->counts : NULL,
                              is_root ? displacements_of(outs) : NULL, s->dtype, s->root, group);
    case SCATTERV:
        return muster_scatterv(is_root ? in : NULL, is_root ? ins->counts : NULL,
                               is_root ? displacements_of(ins) : NULL, out, outs->counts[0], s->dtype,
                               s->root, group);
    default:
        return muster_all_to_allv(in, ins->counts, displacements_of(ins), out, outs->counts,
                                  displacements_of(outs), s->dtype, group);
    }
}

static muster_status start(const scene *s, const void *in, const layout *ins, void *out, const layout *outs,
                           muster_group *group, muster_request *request)
{
    switch (s->mover) {
    case ALL_GATHERV:
        return muster_all_gatherv_start(in, ins->counts[0], out, outs->counts, displacements_of(outs),
                                        s->dtype, group, request);
    case GATHERV:
        return muster_gatherv_start(in, ins->counts[0], out, outs->counts, displacements_of(outs), s->dtype,
                                    s->root, group, request);
    case SCATTERV:
        return muster_scatterv_start(in, ins->counts, displacements_of(ins), out, outs->counts[0], s->dtype,
                                     s->root, group, request);
    default:
        return muster_all_to_allv_start(in, ins->counts, displacements_of(ins), out, outs->counts,
                                        displacements_of(outs), s->dtype, group, request);
    }
}

/* Fills what this rank gives. */
static void fill_in(const scene *s, unsigned char *in, const layout *ins, int rank, int size)
{
    size_t element = muster_dtype_size(s->dtype);

    if (s->mover == ALL_GATHERV || s->mover == GATHERV)
        fill_block(in, rank, 0, ins->counts[0] * element);
    for (int to = 0; to < size && (s->mover == SCATTERV || s->mover == ALL_TO_ALLV); to++)
        fill_block(in + ins->displacements[to] * element, rank, to, ins->counts[to] * element);
}

static bool is_right(const scene *s, const unsigned char *out, const layout *outs, int rank, int size)
{
    size_t element = muster_dtype_size(s->dtype);

    if (s->mover == SCATTERV)
        return is_block(out, s->root, rank, outs->counts[0] * element);
    for (int from = 0; from < size; from++)
        if (!is_block(out + outs->displacements[from] * element, from, s->mover == ALL_TO_ALLV ? rank : 0,
                      outs->counts[from] * element))
            return false;
    return are_gaps_whole(out, outs, size, element);
}

static int run_scene(muster_group *group, const scene *s)
{
    int rank = muster_group_rank(group), size = muster_group_size(group);
    size_t element = muster_dtype_size(s->dtype);
    layout ins = side_of(s, rank, size, false), outs = side_of(s, rank, size, true);
    unsigned char *in = make_guarded(group, ins.span * element, s->in_arena),
                  *out = make_guarded(group, outs.span * element, s->out_arena);
    unsigned char *in_at = in, *out_at = out;

    RANK_CHECK(group, in && out);
    if (s->in_place && s->mover == SCATTERV && rank == s->root)
        out_at = in + ins.displacements[rank] * element;
    else if (s->in_place && (s->mover == ALL_GATHERV || (s->mover == GATHERV && rank == s->root)))
        in_at = out + outs.displacements[rank] * element;
    fill_in(s, in_at, &ins, rank, size);
    if (s->started) {
        muster_request request;

        RANK_OK(group, start(s, in_at, &ins, out_at, &outs, group, &request));
        RANK_OK(group, muster_wait(&request, 0));
    } else {
        RANK_OK(group, move(s, in_at, &ins, out_at, &outs, group));
    }
    if ((s->mover != GATHERV || rank == s->root) && !is_right(s, out_at, &outs, rank, size)) {
        fprintf(stderr, "mover %d, pattern %d, order %d, most %zu, %s, arena %d %d, in place %d, %d ranks\n",
                s->mover, s->pattern, s->order, s->most, muster_dtype_name(s->dtype), s->in_arena,
                s->out_arena, s->in_place, size);
        RANK_CHECK(group, !"the output is wrong");
    }
    free_guarded(group, in, s->in_arena);
    free_guarded(group, out, s->out_arena);
    return 0;
}

/* Sizes: in the payload, in a small slot, in the ring, in many rounds with tiny staging. */
static const size_t sizes[] = { 3, 20, 150, 3000 };

/* Whose input is in the arena: nobody's, everybody's, some ranks'. */
static int move_all(muster_group *world, void *arg)
{
    static const muster_dtype dtypes[] = { MUSTER_INT8, MUSTER_FLOAT32, MUSTER_COMPLEX64 };
    int rank = muster_group_rank(world), size = muster_group_size(world), number = 0;

    (void)arg;
    for (mover mover = 0; mover < MOVERS; mover++)
        for (pattern pattern = 0; pattern < PATTERNS; pattern++)
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++, number++) {
                int arena = number % 3;
                scene scene = { .mover = mover,
                                .pattern = pattern,
                                .order = (order)(number % ORDERS),
                                .most = sizes[i],
                                .dtype = dtypes[number / 2 % 3],
                                .root = number % size,
                                .in_arena = arena == 1 || (arena == 2 && rank % 2),
                                .out_arena = number % 5 == 0,
                                .in_place = number % 4 == 3 && mover != ALL_TO_ALLV,
                                .started = number % 7 < 2 };

                if (run_scene(world, &scene))
                    return 1;
            }
    return 0;
}

START_TEST(test_movers)
{
    run_all_sizes(move_all, NULL);
}
END_TEST

/* From 8 KiB on an input in the arena is read there, and a window is a quarter of the ring. */
static int move_much(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), number = 0;

    (void)arg;
    for (mover mover = 0; mover < MOVERS; mover++)
        for (pattern pattern = ONE_PAIR; pattern < PATTERNS; pattern++)
            for (int arena = 0; arena < 3; arena++, number++) {
                scene scene = { .mover = mover,
                                .pattern = pattern,
                                .order = (order)(number % ORDERS),
                                .most = 400001,
                                .dtype = MUSTER_INT8,
                                .root = number % muster_group_size(world),
                                .in_arena = arena == 1 || (arena == 2 && rank % 2),
                                .out_arena = number % 2,
                                .started = number / 2 % 2 };

                if (run_scene(world, &scene))
                    return 1;
            }
    return 0;
}

/* What the root alone stages comes in rounds, whose size the others learn. */
static int scatter_much(muster_group *world, void *arg)
{
    (void)arg;
    for (int root = 0; root < 2; root++) {
        scene scene = { .mover = SCATTERV, .most = 2000002, .dtype = MUSTER_INT8, .root = root };

        if (run_scene(world, &scene))
            return 1;
    }
    return 0;
}

START_TEST(test_movers_of_much)
{
    run_ranks(2, RANKS_AS_THREADS, scatter_much, NULL); /* with a CPU each, also where there are few */
    run_ranks(4, RANKS_AS_THREADS, move_much, NULL);
    run_ranks_with((rank_options){ .size = 3, .mode = RANKS_AS_THREADS, .staging_bytes = 65536 }, move_much,
                   NULL);
}
END_TEST

/* More ranks than a payload has places of blocks for: those come in the stream, in its first window. */
static int move_among_many(muster_group *world, void *arg)
{
    static const size_t most[] = { 1, 150, 3000, 20001 };
    int rank = muster_group_rank(world), number = 0;

    (void)arg;
    for (pattern pattern = 0; pattern < PATTERNS; pattern++)
        for (size_t i = 0; i < sizeof most / sizeof most[0]; i++, number++) {
            int arena = number % 3;
            scene scene = { .mover = ALL_TO_ALLV,
                            .pattern = pattern,
                            .order = (order)(number % ORDERS),
                            .most = most[i],
                            .dtype = MUSTER_INT8,
                            .in_arena = arena == 1 || (arena == 2 && rank % 2) };

            if (run_scene(world, &scene))
                return 1;
        }
    return 0;
}

START_TEST(test_movers_among_many)
{
    run_ranks_with((rank_options){ .size = 12, .mode = RANKS_AS_THREADS, .staging_bytes = 65536 },
                   move_among_many, NULL);
    run_ranks(10, RANKS_AS_THREADS, move_among_many, NULL);
}
END_TEST

/* ---- buffers that lie between each other; no buffers; what only the root knows ---- */

static int interleave(muster_group *world, void *arg)
{
    enum { SIZE = 4 };
    int rank = muster_group_rank(world);
    size_t counts[SIZE], evens[SIZE], odds[SIZE], none[SIZE] = { 0 };
    int32_t x[2 * SIZE];

    (void)arg;
    for (int r = 0; r < SIZE; r++) {
        counts[r] = 1;
        evens[r] = 2 * (size_t)r;
        odds[r] = 2 * (size_t)r + 1;
        x[2 * r] = 10 * rank + r;
        x[2 * r + 1] = -1;
    }
    RANK_OK(world, muster_all_to_allv(x, counts, evens, x, counts, odds, MUSTER_INT32, world));
    for (int r = 0; r < SIZE; r++)
        RANK_CHECK(world, x[2 * r] == 10 * rank + r && x[2 * r + 1] == 10 * r + rank);
    RANK_OK(world, muster_all_to_allv(NULL, none, NULL, NULL, none, NULL, MUSTER_INT32, world));
    RANK_OK(world, muster_all_gatherv(NULL, 0, NULL, none, NULL, MUSTER_INT32, world));
    RANK_OK(world, muster_gatherv(NULL, 0, NULL, none, NULL, MUSTER_INT32, 1, world));
    RANK_OK(world, muster_scatterv(NULL, none, NULL, NULL, 0, MUSTER_INT32, 1, world));
    RANK_OK(world, muster_reduce_scatterv(NULL, none, NULL, MUSTER_INT32, MUSTER_SUM, world));
    RANK_OK(world, muster_scan(NULL, NULL, 0, MUSTER_INT32, MUSTER_SUM, world));
    RANK_OK(world, muster_exscan(NULL, NULL, 0, MUSTER_INT32, MUSTER_SUM, world));
    return 0;
}

/* The same buffers and arrays, with other counts in them. */
static int change_counts(muster_group *world, void *arg)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    size_t counts[RANKS_MAX];
    int32_t in[10], out[10 * RANKS_MAX];

    (void)arg;
    for (int i = 0; i < 10; i++)
        in[i] = 100 * rank + i;
    for (int round = 0; round < 20; round++) {
        size_t at = 0;

        for (int r = 0; r < size; r++)
            counts[r] = (size_t)((round + r) % 10);
        RANK_OK(world, muster_all_gatherv(in, counts[rank], out, counts, NULL, MUSTER_INT32, world));
        for (int r = 0; r < size; at += counts[r], r++)
            RANK_CHECK(world, counts[r] == 0 || out[at + counts[r] - 1] == 100 * r + (int)counts[r] - 1);
    }
    /* and after them what is wrong is found as at first */
    counts[size - 1] = SIZE_MAX;
    RANK_CHECK(world, muster_all_gatherv(in, counts[rank], out, counts, NULL, MUSTER_INT32, world) ==
                          MUSTER_ERR_INVALID);
    return 0;
}

/* Rank 0 repeats its call, while the others' counts change: its blocks lie elsewhere in their streams, and
 * more or fewer bytes are staged. */
static int change_counts_of_others(muster_group *world, void *arg)
{
    static const size_t between[] = { 1, 1, 5, 5, 300, 300, 4000, 2 };
    int rank = muster_group_rank(world), size = muster_group_size(world);
    enum { MOST = 4000 };
    size_t counts[RANKS_MAX], at[RANKS_MAX];
    int32_t *in = malloc(MOST * RANKS_MAX * sizeof *in), *out = malloc(MOST * RANKS_MAX * sizeof *out);

    (void)arg;
    for (int r = 0; r < size; r++)
        at[r] = (size_t)r * MOST;
    for (size_t round = 0; round < sizeof between / sizeof between[0]; round++) {
        for (int r = 0; r < size; r++) {
            counts[r] = rank == 0 || r == 0 ? 1 : between[round];
            in[at[r]] = 1000 * rank + 100 * r + (int)round;
        }
        RANK_OK(world, muster_all_to_allv(in, counts, at, out, counts, at, MUSTER_INT32, world));
        for (int r = 0; r < size; r++)
            RANK_CHECK(world, out[at[r]] == 1000 * r + 100 * rank + (int)round);
    }
    free(in);
    free(out);
    return 0;
}

/* Rank 0 repeats its call each time, from another array, while what the one before had is overwritten; the
 * others do so only in every third round, and else have their blocks elsewhere. */
static int repeat_on_some(muster_group *world, void *arg)
{
    enum { MOST = 60 };
    int rank = muster_group_rank(world), size = muster_group_size(world), each = *(const int *)arg;
    size_t arrays[2][RANKS_MAX];
    int32_t in[2 * MOST * RANKS_MAX], out[MOST * RANKS_MAX];

    for (int round = 0; round < 12; round++) {
        size_t *counts = arrays[round % 2];
        int32_t *from = in + (rank && round % 3 == 0 ? MOST * size : 0);

        for (int r = 0; r < size; r++)
            counts[r] = (size_t)each;
        for (int i = 0; i < each * size; i++)
            from[i] = 10000 * round + 1000 * rank + i;
        RANK_OK(world, muster_all_to_allv(from, counts, NULL, out, counts, NULL, MUSTER_INT32, world));
        for (int r = 0; r < size; r++)
            RANK_CHECK(world, out[r * each + each - 1] == 10000 * round + 1000 * r + (rank + 1) * each - 1);
        if (round % 4 == 3)
            RANK_OK(world, muster_all_gatherv(from, counts[rank], out, counts, NULL, MUSTER_INT32, world));
        for (int r = 0; r < size; r++)
            counts[r] = 1000000;
    }
    return 0;
}

START_TEST(test_counts_that_change)
{
    static const int each[] = { 1, 4, 14, 15, 60 };

    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++)
        run_all_sizes(repeat_on_some, (void *)(uintptr_t)&each[i]);
    run_all_sizes(change_counts, NULL);
    run_all_sizes(change_counts_of_others, NULL);
}
END_TEST

START_TEST(test_interleaved_and_empty_buffers)
{
    run_ranks(4, RANKS_AS_THREADS, interleave, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("varied");
    TCase *tests = tcase_create("blocks with counts of their own");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_movers);
    tcase_add_test(tests, test_movers_of_much);
    tcase_add_test(tests, test_movers_among_many);
    tcase_add_test(tests, test_counts_that_change);
    tcase_add_test(tests, test_interleaved_and_empty_buffers);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
